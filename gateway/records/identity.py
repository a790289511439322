"""Who: organisations, nodes, persons, runs and their certificates. docs/protocol/identity.md.

In: keys and claims, or certificates from anywhere. Out: certificates (CWTs, RFC 8392, signed by
COSE_Sign1), or their verified claims. A revocation is a certificate of no key: nothing certified at
or below its counter begins anything new. It never reads a clock: an expiry is a claim that others
judge (I4).
"""

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from gateway.errors import (
    MalformedCbor,
    MalformedCertificate,
    MalformedSignature,
    WeakKey,
    WrongIssuer,
)
from gateway.records import cbor, cose
from gateway.records.cose import SigningKey, check_public, key_id

Kind = Literal["node", "run", "encryption", "person", "revocation"]

CERTIFICATE_BYTES_MAX = 1024
NAME_CHARS_MAX = 64
# Claims of RFC 8392 and RFC 8747; those below zero are our own.
_ISS, _SUB, _EXP, _IAT, _CNF, _COUNTER, _NAME = 1, 2, 4, 6, 8, -1, -2
_OKP, _ED25519, _X25519 = 1, 6, 4
_CLAIMS: dict[Kind, tuple[set[int], set[int]]] = {  # must be there, may be there
    "node": ({_ISS, _SUB, _CNF, _COUNTER, _NAME}, {_EXP, _IAT}),
    "run": ({_ISS, _SUB, _CNF}, set()),
    "encryption": ({_ISS, _SUB, _CNF}, {_EXP, _IAT}),
    "person": ({_ISS, _SUB, _CNF, _COUNTER, _NAME}, {_EXP, _IAT}),
    "revocation": ({_ISS, _SUB, _COUNTER}, {_IAT}),
}


class EncryptionKey:
    """An X25519 key that can open; it never shows its secret."""

    __slots__ = ("id", "public", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.public = crypto_scalarmult_base(secret)
        self.id = key_id(self.public)

    def __repr__(self) -> str:
        return f"EncryptionKey({self.id.hex()})"


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate was issued and expires, Unix seconds; None where the clock was unset."""

    issued_s: int | None = None
    expires_s: int | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The claims of a certificate, and its bytes. `verify` before believing any of them.

    A revocation's key is empty.
    """

    kind: Kind
    issuer: bytes
    subject: bytes
    key: bytes
    encoded: bytes
    counter: int = 0
    name: str = ""
    validity: Validity = Validity()

    def verify(self, issuer: bytes, public: bytes) -> None:
        """Check who issued it, and the signature; raise WrongIssuer or BadSignature."""
        if self.issuer != issuer:
            raise WrongIssuer(kind=self.kind, issuer=self.issuer.hex(), expected=issuer.hex())
        cose.decode(self.encoded, self.kind).verify(public)

    def revokes(self, other: "Certificate") -> bool:
        """Say whether this, a verified revocation, bars a certificate from anything new."""
        return (
            self.kind == "revocation"
            and other.kind in ("node", "person")
            and (self.issuer, self.subject) == (other.issuer, other.subject)
            and other.counter <= self.counter
        )


def issue_node(
    root: SigningKey, claims: tuple[bytes, bytes], public: bytes, counter: int, named: "Named"
) -> bytes:
    """Certify a node's identity key; `claims` are the organisation's and the node's ids."""
    said = _claims(claims, public, _ED25519, named.validity)
    return _sign(root, "node", said | {_COUNTER: counter, _NAME: named.name})


def issue_person(
    root: SigningKey, claims: tuple[bytes, bytes], public: bytes, counter: int, named: "Named"
) -> bytes:
    """Certify a person's key; `claims` are the organisation's and the person's ids."""
    said = _claims(claims, public, _ED25519, named.validity)
    return _sign(root, "person", said | {_COUNTER: counter, _NAME: named.name})


def issue_revocation(
    root: SigningKey, claims: tuple[bytes, bytes], counter: int, issued_s: int | None = None
) -> bytes:
    """Bar a node or person from all that is new under certificates up to this counter."""
    said: dict[int, object] = {_ISS: claims[0].hex(), _SUB: claims[1].hex(), _COUNTER: counter}
    return _sign(root, "revocation", said | ({} if issued_s is None else {_IAT: issued_s}))


@dataclass(frozen=True, slots=True)
class Named:
    """What people call a node or person, and how long its certificate holds."""

    name: str
    validity: Validity = Validity()


def issue_run(node_key: SigningKey, node: bytes, public: bytes) -> bytes:
    """Certify a run key. No times in it: the clock may be unset."""
    return _sign(node_key, "run", _claims((node, key_id(public)), public, _ED25519, Validity()))


def issue_encryption(
    node_key: SigningKey, node: bytes, public: bytes, validity: Validity = Validity()
) -> bytes:
    """Certify an X25519 key to which others may seal."""
    return _sign(node_key, "encryption", _claims((node, key_id(public)), public, _X25519, validity))


@lru_cache(maxsize=1024)  # The same few certificates stand in very many records and messages.
def decode(encoded: bytes, kind: Kind) -> Certificate:
    """Read a certificate, not yet verified; raise MalformedCertificate or WeakKey."""
    try:
        claims = cbor.decode(cose.decode(encoded, kind).payload, CERTIFICATE_BYTES_MAX)
    except (MalformedCbor, MalformedSignature) as fault:
        raise MalformedCertificate(kind=kind, reason=fault) from None
    if not isinstance(claims, dict) or len(encoded) > CERTIFICATE_BYTES_MAX:
        raise MalformedCertificate(kind=kind, reason="the claims are no map, or too long")
    required, optional = _CLAIMS[kind]
    if not required <= claims.keys() <= required | optional:
        raise MalformedCertificate(kind=kind, reason="claims are missing or unknown")
    match claims:
        case {1: str() as issuer, 2: str() as subject}:
            key = b"" if _CNF not in required else _key(kind, claims[_CNF])
            return Certificate(
                kind, _id(kind, issuer), _id(kind, subject), key, encoded, *_extras(kind, claims)
            )
    raise MalformedCertificate(kind=kind, reason="issuer or subject have the wrong type")


def show_id(identity: bytes) -> str:
    """Write an id for people: base32 in groups of four, the last two characters its check."""
    check = sha256(b"hulian/1/id" + identity).digest()
    text = base64.b32encode(identity).decode().rstrip("=") + base64.b32encode(check).decode()[:2]
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _claims(
    ids: tuple[bytes, bytes], public: bytes, curve: int, valid: Validity
) -> dict[int, object]:
    said: dict[int, object] = {
        _ISS: ids[0].hex(),
        _SUB: ids[1].hex(),
        _CNF: {1: {1: 1, -1: curve, -2: public}},
    }
    times = {_EXP: valid.expires_s, _IAT: valid.issued_s}
    return said | {claim: seconds for claim, seconds in times.items() if seconds is not None}


def _sign(key: SigningKey, kind: Kind, claims: dict[int, object]) -> bytes:
    encoded = cose.sign(key, kind, cbor.encode(claims))
    decode(encoded, kind)  # Never issue what nobody would accept.
    return encoded


def _id(kind: Kind, text: str) -> bytes:
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        identity = b""
    if len(identity) != 16 or identity.hex() != text:
        raise MalformedCertificate(kind=kind, reason="an id is not 32 lower-case hex digits")
    return identity


def _key(kind: Kind, confirmation: object) -> bytes:
    curve = _X25519 if kind == "encryption" else _ED25519
    match confirmation:
        case {
            1: {1: int() as family, -1: int() as number, -2: bytes() as key, **more},
            **others,
        } if not more and not others and (family, number) == (_OKP, curve) and type(family) is int:
            check_exchange(key) if kind == "encryption" else check_public(key)
            return key
    raise MalformedCertificate(kind=kind, reason="not an OKP key on the right curve")


def _extras(kind: Kind, claims: dict[object, object]) -> tuple[int, str, Validity]:
    counter, name = claims.get(_COUNTER, 0), claims.get(_NAME, "")
    issued, expires = claims.get(_IAT), claims.get(_EXP)
    said = (claims[claim] for claim in (_COUNTER, _IAT, _EXP) if claim in claims)
    for value in said:
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise MalformedCertificate(kind=kind, reason="a number is not a small positive integer")
    if not isinstance(name, str) or len(name) > NAME_CHARS_MAX:
        raise MalformedCertificate(kind=kind, reason="the name is no text, or too long")
    assert isinstance(counter, int) and isinstance(issued, int | None)
    assert isinstance(expires, int | None)
    return counter, name, Validity(issued, expires)


def check_exchange(public: bytes) -> None:
    """Refuse an X25519 key of small order: WeakKey (RFC 7748, 6.1)."""
    try:
        if len(public) != 32:
            raise WeakKey
        crypto_scalarmult(b"\x01" * 32, public)
    except CryptoError:
        raise WeakKey from None
