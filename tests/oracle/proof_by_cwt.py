"""Check proofs as docs/protocol/proof.md says: [[proof, trusted], ...] in hex comes in.

Out: for each, what every statement came to and who holds the record; or null where the bytes are no
proof. Written from docs/protocol/ alone: it imports nothing of gateway/, and what is not in the
chapters it does not know.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

from tests.oracle.authors import (
    Names,
    Said,
    check_opening,
    claims_of,
    named_by,
    record_of,
    root_by,
)
from tests.oracle.device import check_device
from tests.oracle.members import Roles, Shown
from tests.oracle.parts import parts_of
from tests.oracle.signed import (
    Refused,
    check_exchange_key,
    check_signing_key,
    is_bytes,
    is_number,
    is_text,
    need,
    read,
    signed_by,
)
from tests.oracle.way import check_way, checkpoint_of, cosigner, quorum

NAMES = tuple(
    "roster certificates record body device group receipts agreed journal witnesses final".split()
)


# roster.md


def roster_of(encoded: bytes, trusted: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Verify a roster, and give its organisations' root keys, and those of their witnesses."""
    outer = read(encoded, 40_960)
    need(isinstance(outer, list) and len(outer) == 2 and isinstance(outer[1], list))
    payload, signatures = outer
    need(is_bytes(payload) and all(is_bytes(each) for each in signatures))
    said = read(payload, 40_960)
    need(isinstance(said, dict) and set(said) == set(range(7)))
    for key, value in ((0, 1), (1, 0), (2, 0)):
        need(type(said[key]) is int and said[key] == value)
    need(said[3] is None and is_text(said[4], 64) and said[6] == {})
    rows = said[5]
    need(isinstance(rows, list) and 1 <= len(rows) <= 64)
    roots: dict[str, bytes] = {}
    witnesses: dict[str, bytes] = {}
    for row in rows:
        need(isinstance(row, list) and len(row) == 5)
        identity, name, root, archive, witness = row
        check_signing_key(root)
        check_exchange_key(archive)
        if witness is not None:
            check_signing_key(witness)
            need(witness not in witnesses.values())
            witnesses[identity.hex()] = witness
        need(is_text(name, 64) and identity == sha256(root).digest()[:16])
        roots[identity.hex()] = root
    need(list(roots) == sorted(roots) and len(roots) == len(rows) == len(signatures))
    need(signatures == sorted(signatures))
    unsigned = dict(roots)
    for signature in signatures:
        by = next((each for each in unsigned if signs(roots[each], signature, payload)), None)
        need(by is not None)
        unsigned.pop(str(by))
    need(sha256(b"hulian/1/roster" + payload).digest() == trusted)
    return roots, witnesses


def signs(root: bytes, signature: bytes, payload: bytes) -> bool:
    """Say whether a detached signature is of this root."""
    try:
        signed_by(root, "roster", signature, payload)
    except Refused:
        return False
    return True


# group.md and ack.md


def members_of(founded: list[Any], said: Said, roots: dict[str, bytes], trusted: bytes) -> Roles:
    """Verify the founding of the record's group, and give its members with their roles."""
    founding, certificates = founded
    by = named_by(certificates, roots)
    need(len(founding) <= 40_960)
    terms = read(signed_by(by[2], "founding", founding), 40_960)
    need(isinstance(terms, dict) and set(terms) == set(range(10)))
    need(type(terms[0]) is int and terms[0] == 1 and all(is_bytes(terms[k], 32) for k in (1, 2, 3)))
    need(terms[3] == trusted and is_text(terms[4], 64) and is_number(terms[5]) and terms[5] <= 2)
    need(terms[7] == [] and terms[8] == {} and type(terms[9]) is bool)
    need(isinstance(terms[6], list) and 1 <= len(terms[6]) <= 64)
    members: Roles = {}
    for row in terms[6]:
        need(isinstance(row, list) and len(row) == 4 and isinstance(row[3], list))
        organisation, node, encryption, roles = row
        need(is_bytes(organisation, 16) and organisation.hex() in roots and is_bytes(node, 16))
        need(claims_of(encryption, "encryption")[0] == node.hex())
        need(roles and all(is_number(role) and role <= 3 for role in roles))
        need(roles == sorted(set(roles)))
        members[organisation.hex(), node.hex()] = roles
    need(list(members) == sorted(members) and by[:2] in members)
    need(len(members) == len(terms[6]))
    need(sha256(b"hulian/1/group" + founding).digest() == said[4])
    return members


def entries_of_ack(ack: bytes, key: bytes, said: Said) -> Any:
    """Verify an ACK of the record's group, and give its entries."""
    need(len(ack) <= 65_536)
    claims = read(signed_by(key, "ack", ack), 65_536)
    need(isinstance(claims, list) and len(claims) == 4)
    group, receiver, counter, entries = claims
    need(group == said[4] and is_bytes(receiver, 16) and is_number(counter, 1))
    return entries


def entries_of_record(signed: bytes, body: bytes, by: Names, said: Said) -> Any:
    """Verify a receipt record of the record's group, and give its entries."""
    receipt = record_of(signed, by)
    need(receipt[6] == 3 and receipt[4] == said[4])
    check_opening(receipt, body[:32], body[32:])
    return read(body[32:], 65_536)


def check_entries(entries: Any, path: list[bytes], shown: bytes, said: Said) -> None:
    """See that one of the entries is of a head above the record, with its body."""
    need(isinstance(entries, list) and 1 <= len(entries) <= 500)
    heads = {}
    for entry in entries:
        need(isinstance(entry, list) and len(entry) == 4)
        feed, size, root, ranges = entry
        need(is_bytes(feed, 32) and is_number(size, 1) and is_bytes(root, 32))
        need(isinstance(ranges, list) and len(ranges) <= 100)
        low = 0
        for pair in ranges:
            need(isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)))
            need(low <= pair[0] < pair[1] <= size)
            low = pair[1] + 1
        heads[feed] = (size, root, ranges)
    need(list(heads) == sorted(heads) and len(heads) == len(entries) and said[1] in heads)
    size, root, ranges = heads[said[1]]
    need(not any(low <= said[2] < high for low, high in ranges))
    need(root_by(sha256(b"\x00" + shown).digest(), said[2], size, path) == root)


# proof.md


class Reader:
    """The statements of one proof, as its steps are taken."""

    def __init__(self, parts: Said, trusted: bytes) -> None:
        self.parts, self.trusted = parts, trusted
        self.statements: dict[str, bool | None] = dict.fromkeys(NAMES)
        self.unshown: set[str] = set()  # what somebody added after the founding leaves open
        self.holders: list[str] = []
        self.agree: set[str] = set()  # organisations whose receipt records held
        self.agreeing: list[str] = []
        self.cosigned: list[str] = []
        self.author: Names | None = None
        self.record: Said | None = None

    def take(self, name: str, step: Callable[[], Any]) -> Any:
        """Take a step; None if it fails."""
        try:
            found = step()
        except Refused:
            self.statements[name] = False
            return None
        if name == "device" and found is None:
            return None
        self.statements[name] = self.statements[name] is not False
        return found

    def check(self) -> None:
        """Take all steps for which there is something."""
        parts, trusted = self.parts, self.trusted
        by = keys = None
        if 10 in parts:
            keys = self.take("roster", lambda: roster_of(parts[10][0], trusted))
        if keys and 9 in parts:
            by = self.take("certificates", lambda: named_by(parts[9], keys[0]))
        if by and 1 in parts:
            self.record = self.take("record", lambda: record_of(parts[1], by))
        if self.record and keys and by:
            self.author = by
            self._check_others(self.record, keys[0], keys[1])
        for name in self.unshown:
            if self.statements[name] is not False:
                self.statements[name] = None
        values = self.statements
        if values["agreed"] and values["witnesses"] and False not in values.values():
            values["final"] = True

    def _check_others(
        self, said: Said, roots: dict[str, bytes], witnesses: dict[str, bytes]
    ) -> None:
        parts = self.parts
        if 2 in parts:
            self.take("body", lambda: check_opening(said, *parts[2]))
            if self.statements["body"] and said[11][3] == "application/senml+cbor":
                self.take("device", lambda: check_device(parts[2][1]))
        shown = self.take("group", lambda: self._shown(said, roots)) if 11 in parts else None
        members = shown.members() if shown else None
        if 11 not in parts or shown:
            self._check_receipts(said, roots, members)
        if shown:
            self._check_agreed(said, shown)
        if 7 in parts:
            found = self.take("journal", lambda: self._journal(said, roots))
            if found and members is not None:
                self._check_witnesses(found, members, witnesses)

    def _shown(self, said: Said, roots: dict[str, bytes]) -> Shown:
        first = members_of(self.parts[11], said, roots, self.trusted)
        shown = Shown(said[4], first, roots, self.trusted)
        for pair in self.parts.get(12, []):
            shown.add(*pair)
        if self.author and self.author[:2] not in shown.members():
            self.unshown.add("group")
        return shown

    def _check_receipts(self, said: Said, roots: dict[str, bytes], members: Roles | None) -> None:
        for *signed, certificates, path in self.parts.get(5, []):
            signer = self.take("receipts", partial(named_by, certificates, roots))
            step = partial(self._receipt, said, signer, signed, path)
            if not (signer and self.take("receipts", step)):
                continue
            if members is not None and signer[:2] not in members:
                self.unshown.add("receipts")
                continue
            if signer[1] not in self.holders:
                self.holders.append(signer[1])
            if len(signed) == 2 and self._covers(said, read(signed[1][32:], 65_536)):
                self.agree.add(signer[0])

    def _receipt(self, said: Said, signer: Names, signed: list[bytes], path: list[bytes]) -> bool:
        if len(signed) == 1:
            entries = entries_of_ack(signed[0], signer[2], said)
        else:
            entries = entries_of_record(signed[0], signed[1], signer, said)
        check_entries(entries, path, self.parts[1], said)
        return True

    def _covers(self, said: Said, entries: list[list[Any]]) -> bool:
        """Say whether nothing up to the record is owed."""
        owed = next(ranges for feed, _, _, ranges in entries if feed == said[1])
        return not owed or bool(said[2] < owed[0][0])

    def _check_agreed(self, said: Said, shown: Shown) -> None:
        required = None if "group" in self.unshown else shown.required(said)
        if required is None or self.author is None:
            return
        own = self.author[0]
        self.agreeing = sorted(required & {own, *self.agree})
        if required <= {own, *self.agree} and self.agree - {own}:
            self.statements["agreed"] = True

    def _journal(self, said: Said, roots: dict[str, bytes]) -> Any:
        encoded, certificates = self.parts[7]
        by = named_by(certificates, roots)
        need(self.author and by[:2] == self.author[:2])
        found = checkpoint_of(encoded, by[2])
        check_way(self.parts, said, self.parts[1], found)
        return found

    def _check_witnesses(self, found: Any, members: Roles, witnesses: dict[str, bytes]) -> None:
        count = {organisation for organisation, _ in members} & set(witnesses)
        lines = self.parts.get(8, [])
        signed = {
            self.take("witnesses", partial(cosigner, each, found, witnesses)) for each in lines
        }
        self.cosigned = sorted(count & signed)
        if not count or len(self.cosigned) < quorum(len(count)):
            self.unshown.add("witnesses")


def checked(encoded: str, trusted: str) -> dict[str, Any] | None:
    """Check one proof."""
    try:
        reader = Reader(parts_of(bytes.fromhex(encoded)), bytes.fromhex(trusted))
    except Refused:
        return None
    reader.check()
    values, shown = reader.statements, reader.record is not None
    return {
        "holds": values["record"] is True and False not in values.values(),
        "record": sha256(b"\x00" + reader.parts[1]).hexdigest() if shown else None,
        "author": reader.author[1] if reader.author else None,
        "holders": reader.holders,
        "statements": values,
        "agreeing": reader.agreeing,
        "cosigned": reader.cosigned,
    }


json.dump([checked(*each) for each in json.load(sys.stdin)], sys.stdout)
