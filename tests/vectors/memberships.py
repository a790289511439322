"""Histories of a membership as the vectors write them: docs/protocol/membership.md.

In: a history or a membership. Out: JSON; and from JSON again what the fold takes.
"""

import dataclasses
from typing import Any

from gateway.groups.group import Founding, Role
from gateway.groups.membership import Beginning, Change, Membership, Voucher, decode, encode
from gateway.records.feed import Head
from tests.histories import EVERYBODY, Histories, approvals, known

Told = tuple[Founding, list[Change], list[Voucher], dict[bytes, Beginning]]
PARTIES = [known(name) for name in EVERYBODY]


def expect(folded: Membership) -> dict[str, object]:
    """Give a membership as JSON."""
    return {
        "members": [
            [each.organisation.hex(), each.node.hex(), [int(role) for role in each.roles]]
            for each in folded.members
        ],
        "cuts": {
            node.hex(): {feed.hex(): size for feed, size in cut.items()}
            for node, cut in folded.cuts.items()
        },
        "newest": [name.hex() for name in folded.newest],
        "pending": {
            each.id.hex(): [[name.hex() for name in each.approved], each.needed]
            for each in folded.pending
        },
        "required_supervisor": folded.has_required_supervisor,
    }


def told(history: Histories) -> dict[str, object]:
    """Give a history as JSON: what a store that holds the records knows of them."""
    return {
        "approvals": history.founding.policies.approvals,
        "founding": [
            [each.organisation.hex(), each.node.hex(), [int(role) for role in each.roles]]
            for each in history.founding.members
        ],
        "geneses": {
            feed.hex(): {
                "node": said.node.hex(),
                "view": sorted(name.hex() for name in said.view),
                "predecessors": [[head.feed.hex(), head.size] for head in said.predecessors],
            }
            for feed, said in history.beginnings.items()
        },
        "changes": [
            {
                "id": each.id.hex(),
                "feed": each.feed.hex(),
                "seq": each.seq,
                "node": each.node.hex(),
                "organisation": each.organisation.hex(),
                "past": sorted(name.hex() for name in each.past),
                "act": encode(each.act).hex(),
                "sound": each.sound,
                "within": sorted(name.hex() for name in each.within or ()),
            }
            for each in history.changes.values()
        ],
        "receipts": [
            {
                "feed": each.feed.hex(),
                "seq": each.seq,
                "node": each.node.hex(),
                "organisation": each.organisation.hex(),
                "view": sorted(name.hex() for name in each.view),
                "held": {feed.hex(): size for feed, size in each.held.items()},
            }
            for each in history.vouchers
        ],
    }


def read(vector: dict[str, Any]) -> Told:
    """Give what a vector tells, as the fold takes it."""
    members = [
        next(who.member(*map(Role, roles)) for who in PARTIES if who.node.id.hex() == node)
        for _, node, roles in vector["founding"]
    ]
    founding = dataclasses.replace(
        Histories({}, approvals(vector["approvals"])).founding, members=tuple(members)
    )
    changes = [
        Change(
            *(bytes.fromhex(each["id"]), bytes.fromhex(each["feed"]), each["seq"]),
            *(bytes.fromhex(each["node"]), bytes.fromhex(each["organisation"])),
            _ids(each["past"]),
            decode(bytes.fromhex(each["act"])),
            each["sound"],
            _ids(each["within"]),
        )
        for each in vector["changes"]
    ]
    vouchers = [
        Voucher(
            *(bytes.fromhex(each["feed"]), each["seq"]),
            *(bytes.fromhex(each["node"]), bytes.fromhex(each["organisation"])),
            _ids(each["view"]),
            {bytes.fromhex(feed): size for feed, size in each["held"].items()},
        )
        for each in vector["receipts"]
    ]
    beginnings = {
        bytes.fromhex(feed): Beginning(
            bytes.fromhex(said["node"]),
            _ids(said["view"]),
            tuple(Head(bytes.fromhex(one), size, b"") for one, size in said["predecessors"]),
        )
        for feed, said in vector["geneses"].items()
    }
    return founding, changes, vouchers, beginnings


def _ids(names: list[str]) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, names))
