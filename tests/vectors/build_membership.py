"""The vectors of a membership record's content: docs/protocol/membership.md."""

import cbor2

from gateway.groups import membership
from gateway.groups.group import Role
from gateway.groups.membership import Act, Add, Approve, Leave, Remove, Roles
from gateway.records.feed import Head
from tests.histories import addition, known, revocation
from tests.people import seed

NODE = known("dyne").node.id
CUT = tuple(sorted(Head(seed(f"feed {number}"), 7, seed("root")) for number in range(2)))
GOOD: dict[str, Act] = {
    "an addition": addition("east", Role.RECEIVER, Role.OBSERVER),
    "other roles": Roles(NODE, (Role.SUPERVISOR,)),
    "an approval": Approve(seed("a proposal")),
    "a removal": Remove(NODE, CUT),
    "a removal of which nothing counts": Remove(NODE, ()),
    "a removal by a revocation": Remove(NODE, CUT[:1], revocation("dyne", "dyne", 1)),
    "leaving": Leave(CUT[:1]),
    "leaving with one feed": Leave(),
}


def expect(act: Act) -> dict[str, object]:
    """Give what an act says, as JSON."""
    match act:
        case Add(member):
            return {"add": member.node.hex(), "roles": [int(role) for role in member.roles]}
        case Roles(node, roles):
            return {"node": node.hex(), "roles": [int(role) for role in roles]}
        case Approve(proposal):
            return {"approve": proposal.hex()}
        case Remove(node, cut, revoked):
            return {"remove": node.hex(), "cut": _cut(cut), "revocation": bool(revoked)}
        case Leave(cut):
            return {"leave": True, "cut": _cut(cut)}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "membership",
        "chapter": "docs/protocol/membership.md",
        "good": [
            {"name": name, "hex": membership.encode(act).hex(), "expect": expect(act)}
            for name, act in GOOD.items()
        ],
        "bad": [
            {"name": name, "hex": content.hex(), "error": "group.membership"}
            for name, content in _bad()
        ],
    }


def _cut(cut: tuple[Head, ...]) -> list[list[object]]:
    return [[head.feed.hex(), head.size] for head in cut]


def _bad() -> list[tuple[str, bytes]]:
    rows = {name: cbor2.loads(membership.encode(act)) for name, act in GOOD.items()}
    added, removed = rows["an addition"], rows["a removal"]
    head, revoking = removed[2][0], revocation("dyne", "dyne", 1)
    many = [[number.to_bytes(32, "big"), 1, head[2]] for number in range(481)]
    wrong: dict[str, object] = {
        "no list": {},
        "an empty list": [],
        "an unknown act": [5, NODE],
        "an act by name": ["leave", []],
        "an act that is false": [False, *added[1:]],
        "an act that is true": [True, NODE, [1]],
        "an addition without a certificate": added[:-1],
        "an addition with more": [*added, 0],
        "a certificate of another node": [*added[:5], known("flux").node_certificate],
        "a certificate that is none": [*added[:5], b""],
        "an encryption certificate of another node": [
            *added[:3],
            known("flux").encryption_certificate,
            *added[4:],
        ],
        "an addition without roles": [*added[:4], [], added[5]],
        "roles that are none": [1, NODE, []],
        "a role unknown": [1, NODE, [4]],
        "a role that is false": [1, NODE, [False]],
        "roles not sorted": [1, NODE, [2, 1]],
        "a role twice": [1, NODE, [1, 1]],
        "a node of 15 bytes": [1, NODE[:15], [1]],
        "a node as text": [1, NODE.hex(), [1]],
        "a proposal of 31 bytes": [2, bytes(31)],
        "a proposal that is none": [2, None],
        "a cut not sorted": [3, NODE, removed[2][::-1], None],
        "a feed twice": [3, NODE, [head, [head[0], 8, head[2]]], None],
        "a size of 0": [3, NODE, [[head[0], 0, head[2]]], None],
        "a size that is true": [3, NODE, [[head[0], True, head[2]]], None],
        "a root of 31 bytes": [3, NODE, [[head[0], 7, head[2][:31]]], None],
        "a cut of 481 feeds": [3, NODE, many, None],
        "a cut that is none": [3, NODE, None, None],
        "no word of a revocation": [3, NODE, [head]],
        "an empty revocation": [3, NODE, [head], b""],
        "a revocation of another node": [3, known("coil").node.id, [head], revoking],
        "a certificate for a revocation": [3, NODE, [head], known("dyne").node_certificate],
        "leaving without a cut": [4],
    }
    content = membership.encode(GOOD["leaving"])
    changed = [(name, cbor2.dumps(row, canonical=True)) for name, row in wrong.items()]
    return [("empty", b""), ("cut", content[:-1]), ("a byte more", content + b"\x00"), *changed]
