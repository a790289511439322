"""The vectors of group files: docs/protocol/group.md."""

from dataclasses import replace

from gateway.groups import group
from gateway.groups.group import Group, Policies, Role
from gateway.records import cbor, cose, feed, identity, roster
from gateway.records.cose import SigningKey
from tests.damage import refusal
from tests.people import group_of, party, roster_of, run_of, seed

MAKER, BUYER, STRANGER = party("maker"), party("buyer"), party("stranger")
Map = dict[int, object]


def expect(found: Group) -> dict[str, object]:
    """Give what a group file says, as JSON."""
    members = [[each.organisation.hex(), each.node.hex()] for each in found.founding.members]
    said = found.founding
    return {
        "id": found.id.hex(),
        "tag": found.tag,
        "purpose": said.purpose,
        "members": members,
        "templates": [each.hex() for each in said.templates],
        "policies": [
            said.policies.approvals,
            said.policies.history,
            said.policies.succeeds and said.policies.succeeds.hex(),
            [int(role) for role in said.policies.receipts],
            [each.hex() for each in said.policies.witnesses],
        ],
    }


def verified(file: bytes) -> Group:
    """Verify the founding that a readable file holds; raise what is wrong with it."""
    said = _map(file, group.GROUP_FILE_BYTES_MAX)
    founding, founder, within = said[1], said[2], said[3]
    assert isinstance(founding, bytes) and isinstance(founder, list) and isinstance(within, bytes)
    credentials = feed.decode_credentials(*founder)
    return group.verify(founding, credentials, roster.decode(within), b"")


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    policies = Policies(2, True, group_of(MAKER).id)
    good = {
        "one member": group_of(MAKER),
        "two members": group_of(MAKER, BUYER),
        "policies": group_of(MAKER, BUYER, policies=policies),
        "who must receipt, whose witnesses count": group_of(
            MAKER,
            BUYER,
            policies=Policies(receipts=(Role.SUPERVISOR,), witnesses=(BUYER.root.id,)),
        ),
        "activities by two templates": _for_templates("a template", "another template"),
    }
    files = {name: group.encode_file(each) for name, each in good.items()}
    file = files["two members"]
    return {
        "noun": "group",
        "chapter": "docs/protocol/group.md",
        "good": [
            {"name": name, "hex": file.hex(), "expect": expect(group.decode_file(file))}
            for name, file in files.items()
        ],
        "bad": [
            *({"name": name, "hex": bad.hex(), "error": _error(bad)} for name, bad in _bad(file)),
            *(
                {"name": name, "hex": bad.hex(), "error": _error(bad), "founding": _alone(bad)}
                for name, bad in _bad_foundings(file)
            ),
        ],
    }


def _for_templates(*names: str) -> Group:
    first = group_of(MAKER, BUYER)
    founding = replace(first.founding, templates=tuple(seed(name) for name in names))
    founder = run_of(MAKER)
    founded = group.found(founder.key, founder.credentials, founding, first.roster)
    return replace(founded, secret=first.secret)


def _error(file: bytes) -> str:
    return refusal(lambda: group.decode_file(file))


def _alone(file: bytes) -> str:
    return refusal(lambda: verified(file))


def _bad(file: bytes) -> list[tuple[str, bytes]]:
    said = _map(file, group.GROUP_FILE_BYTES_MAX)
    wrong: dict[str, tuple[int, object]] = {
        "version 2": (0, 2),
        "certificates missing": (2, []),
        "secret of 31 bytes": (4, bytes(31)),
        "an unknown field": (5, 0),
    }
    changed = [(name, cbor.encode({**said, key: value})) for name, (key, value) in wrong.items()]
    return [("empty", b""), ("cut", file[:-1]), ("a byte more", file + b"\x00"), *changed]


def _bad_foundings(file: bytes) -> list[tuple[str, bytes]]:
    """Give files whose founding is not right: changed once signed, or signed as none may be."""
    said = _map(file, group.GROUP_FILE_BYTES_MAX)
    founding = said[1]
    assert isinstance(founding, bytes)
    later = run_of(MAKER, 1)
    changed: dict[str, Map] = {
        "founding changed": {1: founding[:-1] + bytes([founding[-1] ^ 1])},
        "founding of another group": {1: group_of(BUYER, MAKER).encoded},
        "signed by another run of the founder": {1: _signed(founding, {}, later.key)},
        "signed by another node": {1: _signed(founding, {}, run_of(BUYER).key)},
        "signed as a record": {1: _signed(founding, {}, typ="record")},
        "certificates of another run": {2: later.credentials.encoded()},
        "certificates of a node outside the roster": {2: run_of(STRANGER).credentials.encoded()},
        "another roster": {3: roster_of(MAKER).encoded},
        "a roster of the same organisations": {3: roster_of(MAKER, BUYER, name="other").encoded},
        "longer than a founding may be": {1: _signed(founding, {4: "x" * 41_000})},
    }
    files = [(name, cbor.encode({**said, **change})) for name, change in changed.items()]
    terms = [*_bad_terms().items(), *_bad_members(founding).items()]
    return files + [
        (name, cbor.encode({**said, 1: _signed(founding, change)})) for name, change in terms
    ]


def _bad_terms() -> dict[str, Map]:
    """Give what a founding may not say, whoever signs it."""
    return {
        "founding of version 2": {0: 2},
        "random bytes too few": {1: bytes(31)},
        "consortium is no hash": {2: bytes(33)},
        "roster hash of another roster": {3: seed("another roster")},
        "purpose too long": {4: "p" * 65},
        "purpose is bytes": {4: b"pressing"},
        "activity kind unknown": {5: 3},
        "activity kind is true": {5: True},
        "a template is no hash": {7: [bytes(31)]},
        "a template is text": {7: ["delivery"]},
        "a template twice": {7: [seed("template")] * 2},
        "templates not sorted": {7: sorted([seed("a"), seed("b")], reverse=True)},
        "too many templates": {7: sorted(seed(f"template {at}") for at in range(17))},
        "policy unknown": {8: {5: 1}},
        "receipts of no role": {8: {3: []}},
        "receipts of a role unknown": {8: {3: [0, 4]}},
        "receipts of roles not sorted": {8: {3: [1, 0]}},
        "receipts of one role, not in a list": {8: {3: 1}},
        "witnesses named, and none": {8: {4: []}},
        "a witness is no organisation's id": {8: {4: [bytes(15)]}},
        "a witness twice": {8: {4: [BUYER.root.id, BUYER.root.id]}},
        "a witness outside the roster": {8: {4: [STRANGER.root.id]}},
        "policy by name": {8: {"approvals": 1}},
        "more approvals than organisations": {8: {0: 3}},
        "approvals are true": {8: {0: True}},
        "approvals below 0": {8: {0: -1}},
        "history is a number": {8: {1: 1}},
        "it succeeds no hash": {8: {2: bytes(31)}},
        "it succeeds null": {8: {2: None}},
        "clear is a number": {9: 1},
        "an unknown field in the founding": {10: 0},
    }


def _bad_members(founding: bytes) -> dict[str, Map]:
    members = _map(cose.decode(founding, "founding").payload, group.FOUNDING_BYTES_MAX)[6]
    assert isinstance(members, list)
    one, two = members
    organisation, node, certificate, _ = one
    strange = STRANGER.member()
    outsider = [strange.organisation, strange.node, strange.encryption.encoded, [1]]
    return {
        "no members": {6: []},
        "a member twice": {6: [one, one, two]},
        "a member for two organisations": {6: sorted([one, two, [BUYER.root.id, *one[1:]]])},
        "members not sorted": {6: [two, one]},
        "too many members": {6: _crowd(65)},
        "founder no member": {6: [each for each in members if each[0] != MAKER.root.id]},
        "founder for another organisation": {6: sorted([[BUYER.root.id, *MAKER_ROW], two])},
        "organisation outside the roster": {6: sorted([*members, outsider])},
        "certificate of another node": {6: [[organisation, node, two[2], [0]], two]},
        "certificate is none": {6: [[organisation, node, b"", [0]], two]},
        "no roles": {6: [[organisation, node, certificate, []], two]},
        "a role twice": {6: [[organisation, node, certificate, [0, 0]], two]},
        "a role unknown": {6: [[organisation, node, certificate, [4]], two]},
        "a role is false": {6: [[organisation, node, certificate, [False]], two]},
        "a field of a member missing": {6: [[organisation, node, certificate], two]},
    }


MAKER_ROW = [MAKER.node.id, MAKER.encryption_certificate, [0]]


def _crowd(count: int) -> list[list[object]]:
    """Give so many nodes of one organisation, as they stand in a founding."""
    keys = [SigningKey(seed(f"crowd {number}")) for number in range(count)]
    rows = [
        (key.id, identity.issue_encryption(key, key.id, MAKER.encryption.public)) for key in keys
    ]
    return [[MAKER.root.id, node, certificate, [1]] for node, certificate in sorted(rows)]


def _signed(
    founding: bytes, change: Map, key: SigningKey | None = None, typ: str = "founding"
) -> bytes:
    """Sign a founding again with other terms: by its founder's run unless another key is given."""
    said = _map(cose.decode(founding, "founding").payload, group.FOUNDING_BYTES_MAX)
    return cose.sign(key or run_of(MAKER).key, typ, cbor.encode({**said, **change}))


def _map(encoded: bytes, bytes_max: int) -> Map:
    said = cbor.decode(encoded, bytes_max)
    assert isinstance(said, dict)
    return said
