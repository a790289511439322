"""Certificates, records and paths as docs/protocol/{identity,record,feed}.md say.

In: bytes from anywhere. Out: what they say, or Refused. It imports nothing of gateway/.
"""

from hashlib import sha256
from typing import Any

from tests.oracle.signed import (
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

Names = tuple[str, str, bytes]  # organisation and node in hex, run key
Said = dict[int, Any]


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
