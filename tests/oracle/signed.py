"""Signed objects as docs/protocol/encoding.md says, by the libraries `cwt` and `cbor2`.

In: bytes from anywhere, and keys. Out: what was said, or Refused. It imports nothing of gateway/,
and what is not in the chapter it does not know.
"""

from functools import cache
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cwt import COSE, COSEKey

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
NUMBERS = range(2**53)
Point = tuple[int, int, int, int]


class Refused(Exception):
    """Some rule of the chapters is broken."""


def need(kept: object) -> None:
    """Go on only if a rule is kept."""
    if not kept:
        raise Refused


def read(encoded: bytes, size_max: int) -> Any:
    """Decode deterministic CBOR."""
    need(len(encoded) <= size_max)
    try:
        value = cbor2.loads(encoded)
        need(cbor2.dumps(value, canonical=True) == encoded)
    except Exception as fault:  # its decoder raises whatever the types it builds raise
        raise Refused from fault
    need(is_plain(value, 16))
    return value


def is_plain(value: object, levels: int) -> bool:
    """Say whether a value is one of the plain types, not nested too deep."""
    if isinstance(value, list | dict) and levels == 0:
        return False
    if isinstance(value, list):
        return all(is_plain(each, levels - 1) for each in value)
    if isinstance(value, dict):
        keys = all(type(key) in (int, str) for key in value)
        return keys and all(is_plain(each, levels - 1) for each in value.values())
    if type(value) is int:
        return -(2**64) <= value < 2**64
    return value is None or type(value) in (bytes, str, bool) or value == value


def is_bytes(value: object, size: int | None = None) -> bool:
    """Say whether a value is a byte string, of a size."""
    return isinstance(value, bytes) and size in (None, len(value))


def is_number(value: object, low: int = 0) -> bool:
    """Say whether a value is a number of the protocol."""
    return type(value) is int and value in NUMBERS and value >= low


def is_text(value: object, size: int) -> bool:
    """Say whether a value is a text of at most so many characters."""
    return isinstance(value, str) and len(value) <= size


def signed_by(public: bytes, kind: str, encoded: bytes, detached: bytes | None = None) -> bytes:
    """Verify a COSE_Sign1 of a type in its one layout, and give its payload."""
    need(is_bytes(encoded))
    check_signing_key(public)
    kid = sha256(public).digest()[:8]
    key = COSEKey.new({1: 1, 2: kid, 3: -19, -1: 6, -2: public})
    try:
        _, _, payload = COSE.new().decode_with_headers(encoded, key, detached_payload=detached)
    except Exception as fault:
        raise Refused from fault
    name = b"hulian/1/" + kind.encode()
    protected = b"\xa3\x01\x32\x04\x48" + kid + b"\x10" + bytes([0x60 + len(name)]) + name
    shown = b"\xf6" if detached is not None else cbor2.dumps(payload)
    layout = b"\xd2\x84" + cbor2.dumps(protected) + b"\xa0" + shown + b"\x58\x40"
    need(encoded[:-64] == layout)
    return bytes(payload)


def payload_of(encoded: bytes) -> bytes:
    """Give the payload of a signed object, to learn whose signature to expect."""
    try:
        tag = cbor2.loads(encoded)
        payload = tag.value[2]
    except Exception as fault:
        raise Refused from fault
    need(is_bytes(payload))
    return bytes(payload)


@cache  # a proof names few keys, each many times
def check_signing_key(public: object) -> None:
    """Refuse an Ed25519 key that is not canonical, of small order, or off the prime group."""
    need(isinstance(public, bytes) and len(public) == 32)
    assert isinstance(public, bytes)
    sign, y = public[31] >> 7, int.from_bytes(public, "little") % 2**255
    need(y < PRIME)
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    need(x * x % PRIME == square and not (x == 0 and sign))
    x = x if x % 2 == sign else PRIME - x
    whole = (x, y, 1, x * y % PRIME)
    need(not is_neutral(whole, 8) and is_neutral(whole, ORDER))


def is_neutral(point: Point, times: int) -> bool:
    """Say whether a multiple of a point is the neutral element."""
    total: Point = (0, 1, 1, 0)
    while times:
        if times & 1:
            total = added(total, point)
        point, times = added(point, point), times >> 1
    return total[0] == 0 and total[1] == total[2]


def added(one: Point, other: Point) -> Point:
    """Add two points of edwards25519 in extended coordinates (RFC 8032, 5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * CURVE_D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def check_exchange_key(public: object) -> None:
    """Refuse an X25519 key of small order."""
    need(is_bytes(public, 32))
    assert isinstance(public, bytes)
    try:
        X25519PrivateKey.from_private_bytes(b"\x01" * 32).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError as fault:
        raise Refused from fault
