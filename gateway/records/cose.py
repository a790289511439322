"""COSE_Sign1 in the one shape we use. Protocol: docs/protocol/encoding.md.

In: a key, what kind of thing is signed, and its bytes; or signed bytes from anywhere. Out: bytes;
or the parts, whose signature the caller verifies under the key that must have signed. The layout
is fixed to the byte, so it is written and read by hand: what differs from it is refused.
"""

from dataclasses import dataclass
from hashlib import sha256

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from gateway.errors import BadSignature, MalformedSignature, WeakKey

TYPE_PREFIX = "hulian/1/"
SIGNATURE_BYTES = 64
# {1: -19 (Ed25519, RFC 9864), 4: kid of 8 bytes, 16: type (RFC 9596)}, up to the kid and after it.
_BEFORE_KID = bytes.fromhex("a301320448")
_AFTER_KID = b"\x10"
_SIGN1 = b"\xd2\x84"  # tag 18, an array of four
# The least size whose head is so many bytes longer than one.
_LEAST = {0: 0, 1: 24, 2: 0x100, 4: 0x10000}
_CONTEXT = b"\x84\x6aSignature1"


def key_id(public: bytes) -> bytes:
    """Name a public key: the first 16 bytes of its SHA-256."""
    return sha256(public).digest()[:16]


def check_public(public: bytes) -> None:
    """Refuse an Ed25519 key of small order, off the group, or not canonical (I2): WeakKey."""
    if len(public) != 32 or not crypto_core_ed25519_is_valid_point(public):
        raise WeakKey


class SigningKey:
    """An Ed25519 key that can sign; it never shows its secret."""

    __slots__ = ("_secret", "id", "public")

    def __init__(self, seed: bytes) -> None:
        self.public, self._secret = crypto_sign_seed_keypair(seed)
        self.id = key_id(self.public)

    def signature(self, message: bytes) -> bytes:
        """Sign the message; 64 bytes."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a COSE_Sign1 whose signature is not yet verified."""

    kind: str
    kid: bytes
    payload: bytes
    protected: bytes
    signature: bytes

    def verify(self, public: bytes) -> None:
        """Check the signature under a key; raise BadSignature."""
        verify(self.kind, public, _to_be_signed(self.protected, self.payload), self.signature)


def sign(key: SigningKey, kind: str, payload: bytes) -> bytes:
    """Sign a payload as one kind of thing."""
    protected = _protected(key.id[:8], kind)
    signature = key.signature(_to_be_signed(protected, payload))
    return _SIGN1 + _bstr(protected) + b"\xa0" + _bstr(payload) + _bstr(signature)


def sign_detached(key: SigningKey, kind: str, payload: bytes) -> bytes:
    """Sign a payload that travels beside the signature (RFC 9052, 4.1: nil in its place)."""
    protected = _protected(key.id[:8], kind)
    signature = key.signature(_to_be_signed(protected, payload))
    return _SIGN1 + _bstr(protected) + b"\xa0\xf6" + _bstr(signature)


def decode(encoded: bytes, kind: str, detached: bytes | None = None) -> Signed:
    """Take signed bytes of one kind apart; raise MalformedSignature. The caller verifies."""
    if not encoded.startswith(_SIGN1):
        raise MalformedSignature(reason="not a tagged COSE_Sign1")
    protected, at = _read_bstr(encoded, len(_SIGN1))
    kid = protected[len(_BEFORE_KID) : len(_BEFORE_KID) + 8]
    if protected != _protected(kid, kind):
        raise MalformedSignature(reason=f"the protected header is not that of '{kind}'")
    if encoded[at : at + 1] != b"\xa0":
        raise MalformedSignature(reason="the unprotected header is not empty")
    if detached is None:
        payload, at = _read_bstr(encoded, at + 1)
    elif encoded[at + 1 : at + 2] == b"\xf6":
        payload, at = detached, at + 2
    else:
        raise MalformedSignature(reason="the payload is not detached")
    signature, at = _read_bstr(encoded, at)
    if len(signature) != SIGNATURE_BYTES or at != len(encoded):
        raise MalformedSignature(reason="the signature is not the last 64 bytes")
    return Signed(kind, kid, payload, protected, signature)


def verify(kind: str, public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature; raise BadSignature. libsodium refuses weak keys here too (I2)."""
    try:
        crypto_sign_open(signature + message, public)
    except BadSignatureError:
        raise BadSignature(what_is_it=kind) from None


def _protected(kid: bytes, kind: str) -> bytes:
    name = (TYPE_PREFIX + kind).encode()
    return _BEFORE_KID + kid + _AFTER_KID + bytes((0x60 | len(name),)) + name


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return _CONTEXT + _bstr(protected) + b"\x40" + _bstr(payload)


def _bstr(content: bytes) -> bytes:
    size = len(content)
    if size < 24:
        return bytes((0x40 | size,)) + content
    if size < 0x100:
        return bytes((0x58, size)) + content
    if size < 0x10000:
        return b"\x59" + size.to_bytes(2, "big") + content
    return b"\x5a" + size.to_bytes(4, "big") + content


def _read_bstr(encoded: bytes, at: int) -> tuple[bytes, int]:
    """Read one byte string in its shortest form; give it and where it ends."""
    head = encoded[at] if at < len(encoded) else 0
    width = {0x58: 1, 0x59: 2, 0x5A: 4}.get(head, 0)
    if width:
        size = int.from_bytes(encoded[at + 1 : at + 1 + width], "big")
    elif 0x40 <= head < 0x58:
        size = head & 0x1F
    else:
        raise MalformedSignature(reason="a byte string is missing")
    start = at + 1 + width
    content = encoded[start : start + size]
    if len(content) != size or size < _LEAST[width]:
        raise MalformedSignature(reason="a byte string is cut short, or not in its shortest form")
    return content, start + size
