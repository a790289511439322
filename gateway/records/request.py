"""What an organisation's root is asked to sign, and the answer: both may be carried as a file.

In: a new gateway's keys, a person's key, who is to be revoked, or a roster; or bytes from anywhere.
Out: a request, or what was signed for it. A request proves nothing but that a new gateway has its
node key: people compare fingerprints before they sign. Protocol: docs/protocol/identity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.errors import AuthorError, MalformedCbor, MalformedRequest
from gateway.records import cbor, cose, identity
from gateway.records.cose import SigningKey, check_public, key_id
from gateway.records.identity import NAME_CHARS_MAX, Certificate

REQUEST_BYTES_MAX = 1024 * 1024
ROSTERS_MAX = 256
_REQUEST, _ANSWER = "hulian/1/request", "hulian/1/answer"

What = Literal["node", "person", "revocation", "roster"]


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """A new gateway that wants to be certified; its key's id is the node's id."""

    name: str
    public: bytes
    encryption: Certificate
    encoded: bytes

    @property
    def node(self) -> bytes:
        """Name the node."""
        return key_id(self.public)


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """A person's key that is to be certified under an id and a counter."""

    person: bytes
    counter: int
    name: str
    public: bytes


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    """A node or person of whom everything certified up to a counter is to be revoked."""

    subject: bytes
    counter: int
    name: str


@dataclass(frozen=True, slots=True)
class RosterRequest:
    """A proposal, the rosters of its consortium before it, and what shows earlier ones failed."""

    before: tuple[bytes, ...]
    proposal: bytes
    shown: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was signed: a certificate (with rosters, for a node), a revocation, or a roster."""

    what: What
    signed: tuple[bytes, ...]


Request = NodeRequest | PersonRequest | RevocationRequest | RosterRequest


def ask_for_node(node_key: SigningKey, name: str, encryption: bytes) -> bytes:
    """Write the request of a new gateway, signed with its node key."""
    payload = cbor.encode({0: 1, 1: node_key.public, 2: name, 3: encryption})
    encoded = cbor.encode([_REQUEST, "node", cose.sign(node_key, "node-request", payload)])
    decode(encoded)  # Never ask for what nobody would grant.
    return encoded


def encode(request: Request) -> bytes:
    """Write a request as the bytes of its file."""
    match request:
        case NodeRequest(encoded=encoded):
            return encoded
        case PersonRequest(person, counter, name, public):
            return cbor.encode([_REQUEST, "person", person, counter, name, public])
        case RevocationRequest(subject, counter, name):
            return cbor.encode([_REQUEST, "revocation", subject, counter, name])
        case RosterRequest(before, proposal, shown):
            return cbor.encode([_REQUEST, "roster", list(before), proposal, list(shown)])


def decode(encoded: bytes) -> Request:
    """Read a request; raise MalformedRequest, or WeakKey. A roster in it is not yet verified."""
    try:
        match cbor.decode(encoded, REQUEST_BYTES_MAX):
            case [str() as mark, "node", bytes() as signed] if mark == _REQUEST:
                return _node(encoded, signed)
            case [str() as mark, "person", person, counter, name, bytes() as public] if (
                mark == _REQUEST
            ):
                check_public(public)
                return PersonRequest(_id(person), _counter(counter), _name(name), public)
            case [str() as mark, "revocation", subject, counter, name] if mark == _REQUEST:
                return RevocationRequest(_id(subject), _counter(counter), _name(name))
            case [str() as mark, "roster", before, bytes() as proposal, shown] if mark == _REQUEST:
                return RosterRequest(_rosters(before), proposal, _rosters(shown))
    except MalformedCbor as fault:
        raise MalformedRequest(reason=fault) from None
    raise MalformedRequest(reason="not a request that is known")


def encode_answer(answer: Answer) -> bytes:
    """Write an answer as the bytes of its file."""
    return cbor.encode([_ANSWER, answer.what, list(answer.signed)])


def decode_answer(encoded: bytes) -> Answer:
    """Read an answer, nothing in it verified; raise MalformedRequest."""
    try:
        match cbor.decode(encoded, REQUEST_BYTES_MAX):
            case [str() as mark, ("node" | "person" | "revocation" | "roster") as what, signed] if (
                mark == _ANSWER
            ):
                found = Answer(what, _rosters(signed))
                if (len(found.signed) == 1) if what != "node" else (len(found.signed) > 1):
                    return found
    except MalformedCbor as fault:
        raise MalformedRequest(reason=fault) from None
    raise MalformedRequest(reason="not an answer that is known")


def _node(encoded: bytes, signed: bytes) -> NodeRequest:
    try:
        part = cose.decode(signed, "node-request")
        match cbor.decode(part.payload, identity.CERTIFICATE_BYTES_MAX * 2):
            case {
                0: version,
                1: bytes() as public,
                2: name,
                3: bytes() as encryption,
                **more,
            } if not more and type(version) is int and version == 1:
                check_public(public)
                part.verify(public)
                sealing = identity.decode(encryption, "encryption")
                sealing.verify(key_id(public), public)
                return NodeRequest(_name(name), public, sealing, encoded)
    except MalformedRequest:
        raise
    except AuthorError as fault:
        raise MalformedRequest(reason=fault) from None
    raise MalformedRequest(reason="a node's request has missing fields or fields of wrong types")


def _id(said: object) -> bytes:
    if not isinstance(said, bytes) or len(said) != 16:
        raise MalformedRequest(reason="an id is not 16 bytes")
    return said


def _counter(said: object) -> int:
    if type(said) is not int or not 0 <= said < 1 << 53:
        raise MalformedRequest(reason="a counter is not a small positive integer")
    return said


def _name(said: object) -> str:
    if not isinstance(said, str) or len(said) > NAME_CHARS_MAX:
        raise MalformedRequest(reason="a name is no text, or too long")
    return said


def _rosters(said: object) -> tuple[bytes, ...]:
    found: Sequence[object] = said if isinstance(said, list) else [None]
    signed = tuple(each for each in found if isinstance(each, bytes))
    if len(signed) != len(found) or len(signed) > ROSTERS_MAX:
        raise MalformedRequest(reason="what is signed is no byte strings, or too many")
    return signed
