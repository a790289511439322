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

from tests.oracle.device import check_device
from tests.oracle.signed import (
    Refused,
    check_exchange_key,
    check_signing_key,
    is_bytes,
    is_number,
    is_text,
    need,
    payload_of,
    read,
    signed_by,
)

NAMES = tuple("roster certificates record body device group receipts journal witnesses".split())
Names = tuple[str, str, bytes]  # organisation and node in hex, run key
Said = dict[int, Any]


# roster.md


def roster_of(encoded: bytes, trusted: bytes) -> dict[str, bytes]:
    """Verify a roster, and give its organisations' root keys."""
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
    roots = {}
    for row in rows:
        need(isinstance(row, list) and len(row) == 5)
        identity, name, root, archive, witness = row
        check_signing_key(root)
        check_exchange_key(archive)
        if witness is not None:
            check_signing_key(witness)
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
    return roots


def signs(root: bytes, signature: bytes, payload: bytes) -> bool:
    """Say whether a detached signature is of this root."""
    try:
        signed_by(root, "roster", signature, payload)
    except Refused:
        return False
    return True


# identity.md


def claims_of(encoded: bytes, kind: str, public: bytes | None = None) -> tuple[str, str, bytes]:
    """Read a certificate, verified under a key if one is given: issuer, subject, certified key."""
    need(is_bytes(encoded) and len(encoded) <= 1024)
    payload = payload_of(encoded) if public is None else signed_by(public, kind, encoded)
    claims = read(payload, 1024)
    required = {1, 2, 8, -1, -2} if kind == "node" else {1, 2, 8}
    optional = set() if kind == "run" else {4, 6}
    need(isinstance(claims, dict) and required <= set(claims) <= required | optional)
    need(all(is_number(claims[key]) for key in (-1, 4, 6) if key in claims))
    need(kind != "node" or is_text(claims[-2], 64))
    for key in (1, 2):
        need(is_text(claims[key], 32) and len(claims[key]) == 32)
        need(set(claims[key]) <= set("0123456789abcdef"))
    need(isinstance(claims[8], dict) and set(claims[8]) == {1})
    cose_key = claims[8][1]
    need(isinstance(cose_key, dict) and set(cose_key) == {1, -1, -2})
    curve = 4 if kind == "encryption" else 6
    need([type(cose_key[1]), type(cose_key[-1])] == [int, int])
    need((cose_key[1], cose_key[-1]) == (1, curve))
    (check_exchange_key if kind == "encryption" else check_signing_key)(cose_key[-2])
    return claims[1], claims[2], cose_key[-2]


def named_by(certificates: list[bytes], roots: dict[str, bytes]) -> Names:
    """Verify three certificates under the roster: organisation, node, run key."""
    node, run, encryption = certificates
    organisation = claims_of(node, "node")[0]
    need(organisation in roots)
    _, name, node_key = claims_of(node, "node", roots[organisation])
    issuer, _, run_key = claims_of(run, "run", node_key)
    other, _, _ = claims_of(encryption, "encryption", node_key)
    need(issuer == other == name)
    return organisation, name, run_key


# record.md and feed.md


def record_of(encoded: bytes, by: Names) -> Said:
    """Verify a record of a run, in its own feed."""
    need(len(encoded) <= 2048)
    said = read(signed_by(by[2], "record", encoded), 2048)
    need(isinstance(said, dict) and set(said) == set(range(12)))
    need(type(said[0]) is int and said[0] == 1)
    need(all(is_number(said[key]) for key in (2, 5, 6)) and said[6] <= 23)
    need(all(is_bytes(said[key], 32) for key in (1, 3, 4)))
    need(said[7] is None or is_bytes(said[7], 32))
    need((said[2] == 0) == (said[6] == 0) == (said[3] == bytes(32)))
    travels = said[6] in (0, 1, 2, 3, 11)
    need(said[5] == 0 or not travels)
    need(isinstance(said[8], list) and len(said[8]) <= 16)
    need(all(is_bytes(dep, 32) for dep in said[8]) and said[8] == sorted(set(said[8])))
    need(isinstance(said[9], list) and len(said[9]) == 3 and all(map(is_number, said[9])))
    need(said[9][2] <= 5 and (said[9][2] or said[9] == [0, 0, 0]))
    need(isinstance(said[10], list) and len(said[10]) == 2)
    need(is_bytes(said[10][0], 8) and is_number(said[10][1]))
    if said[11] is not None:
        need(isinstance(said[11], list) and len(said[11]) == 4)
        digest, length, commitment, content_type = said[11]
        need(is_bytes(digest, 32) and is_bytes(commitment, 32) and is_text(content_type, 64))
        need(is_number(length, 32) and length <= (40_960 if travels else 16 * 1024 * 1024))
    need(said[1] == sha256(b"hulian/1/feed" + by[2] + said[4]).digest())
    return dict(said)


def check_opening(said: Said, salt: bytes, content: bytes) -> None:
    """Compare an opening with what the record commits to."""
    need(said[11] is not None)
    digest, length, commitment, _ = said[11]
    need(sha256(b"hulian/1/commit" + salt + content).digest() == commitment)
    if said[5] == 0:
        need(len(salt + content) == length and sha256(salt + content).digest() == digest)


def root_by(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Give the root that a path leads to (RFC 9162, 2.1.3.2)."""
    need(index < size)
    number, last, root = index, size - 1, leaf
    for each in path:
        need(last)
        if number % 2 or number == last:
            root = sha256(b"\x01" + each + root).digest()
            while number and not number % 2:
                number, last = number >> 1, last >> 1
        else:
            root = sha256(b"\x01" + root + each).digest()
        number, last = number >> 1, last >> 1
    need(last == 0)
    return root


# group.md and ack.md


def members_of(
    founded: list[Any], said: Said, roots: dict[str, bytes], trusted: bytes
) -> set[tuple[str, str]]:
    """Verify the founding of the record's group, and give its members: organisation, node."""
    founding, certificates = founded
    by = named_by(certificates, roots)
    need(len(founding) <= 40_960)
    terms = read(signed_by(by[2], "founding", founding), 40_960)
    need(isinstance(terms, dict) and set(terms) == set(range(10)))
    need(type(terms[0]) is int and terms[0] == 1 and all(is_bytes(terms[k], 32) for k in (1, 2, 3)))
    need(terms[3] == trusted and is_text(terms[4], 64) and is_number(terms[5]) and terms[5] <= 2)
    need(terms[7] == [] and terms[8] == {} and type(terms[9]) is bool)
    need(isinstance(terms[6], list) and 1 <= len(terms[6]) <= 64)
    members = []
    for row in terms[6]:
        need(isinstance(row, list) and len(row) == 4 and isinstance(row[3], list))
        organisation, node, encryption, roles = row
        need(is_bytes(organisation, 16) and organisation.hex() in roots and is_bytes(node, 16))
        need(claims_of(encryption, "encryption")[0] == node.hex())
        need(roles and all(is_number(role) and role <= 3 for role in roles))
        need(roles == sorted(set(roles)))
        members.append((organisation.hex(), node.hex()))
    need(members == sorted(set(members)) and by[:2] in members)
    need(sha256(b"hulian/1/group" + founding).digest() == said[4])
    return set(members)


def check_receipt(ack: bytes, path: list[bytes], key: bytes, shown: bytes, said: Any) -> None:
    """See that a run has signed for a head above the record, with its body."""
    need(len(ack) <= 65_536)
    claims = read(signed_by(key, "ack", ack), 65_536)
    need(isinstance(claims, list) and len(claims) == 4)
    group, receiver, counter, entries = claims
    need(group == said[4] and is_bytes(receiver, 16) and is_number(counter, 1))
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


def are_certificates(value: object) -> bool:
    """Say whether a value has the form of three certificates."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(is_bytes(each) and len(each) <= 1024 for each in value)
    )


def parts_of(encoded: bytes) -> Said:
    """Read a proof by its format, step 1."""
    said = read(encoded, 24 * 1024 * 1024)
    need(isinstance(said, dict) and set(said) <= {0, 1, 2, 5, 9, 10, 11})
    need(type(said.get(0)) is int and said[0] == 1)
    need(1 not in said or (is_bytes(said[1]) and len(said[1]) <= 2048))
    if 2 in said:
        need(isinstance(said[2], list) and len(said[2]) == 2 and all(map(is_bytes, said[2])))
        need(len(said[2][0]) == 32 and len(said[2][0] + said[2][1]) <= 16 * 1024 * 1024)
    if 5 in said:
        need(isinstance(said[5], list) and 1 <= len(said[5]) <= 64)
    for row in said.get(5, []):
        need(isinstance(row, list) and len(row) == 3 and isinstance(row[2], list))
        need(is_bytes(row[0]) and len(row[0]) <= 65_536 and are_certificates(row[1]))
        need(len(row[2]) <= 53 and all(is_bytes(each, 32) for each in row[2]))
    need(9 not in said or are_certificates(said[9]))
    if 10 in said:
        need(isinstance(said[10], list) and len(said[10]) == 1 and is_bytes(said[10][0]))
    if 11 in said:
        need(isinstance(said[11], list) and len(said[11]) == 2 and is_bytes(said[11][0]))
        need(len(said[11][0]) <= 65_536 and are_certificates(said[11][1]))
    return dict(said)


class Reader:
    """The statements of one proof, as its steps are taken."""

    def __init__(self, parts: Said, trusted: bytes) -> None:
        self.parts, self.trusted = parts, trusted
        self.statements: dict[str, bool | None] = dict.fromkeys(NAMES)
        self.unshown: set[str] = set()  # what somebody added after the founding leaves open
        self.holders: list[str] = []
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
        roots = by = None
        if 10 in parts:
            roots = self.take("roster", lambda: roster_of(parts[10][0], trusted))
        if roots and 9 in parts:
            by = self.take("certificates", lambda: named_by(parts[9], roots))
        if by and 1 in parts:
            self.record = self.take("record", lambda: record_of(parts[1], by))
        if self.record and roots and by:
            self.author = by
            self._check_others(self.record, roots, by)
        for name in self.unshown:
            if self.statements[name] is not False:
                self.statements[name] = None

    def _check_others(self, said: Said, roots: dict[str, bytes], by: Names) -> None:
        parts, members = self.parts, None
        if 2 in parts:
            self.take("body", lambda: check_opening(said, *parts[2]))
            if self.statements["body"] and said[11][3] == "application/senml+cbor":
                self.take("device", lambda: check_device(parts[2][1]))
        if 11 in parts:
            members = self.take("group", lambda: members_of(parts[11], said, roots, self.trusted))
            if members is None:
                return
            if by[:2] not in members:
                self.unshown.add("group")
        for ack, certificates, path in parts.get(5, []):
            signer = self.take("receipts", partial(named_by, certificates, roots))
            step = partial(self._receipt, signer, ack, path)
            if not (signer and self.take("receipts", step)):
                continue
            if members is not None and signer[:2] not in members:
                self.unshown.add("receipts")
            elif signer[1] not in self.holders:
                self.holders.append(signer[1])

    def _receipt(self, signer: Names, ack: bytes, path: list[bytes]) -> bool:
        check_receipt(ack, path, signer[2], self.parts[1], self.record)
        return True


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
    }


json.dump([checked(*each) for each in json.load(sys.stdin)], sys.stdout)
