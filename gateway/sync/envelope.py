"""What goes over a link around a message. Protocol: docs/protocol/message.md.

In: a seal, a group's tag, and content; or bytes from anywhere. Out: bytes; or the envelope, or a
PeerError. The form is final; the seal under the group's secret cannot be opened yet, and is refused
by its own error. It opens no seal itself: the edge has the keys.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway.errors import BadEnvelope, MalformedCbor, UnsupportedSeal
from gateway.records import cbor

ENVELOPE_BYTES_MAX: Final = 64 * 1024
VERSION: Final = 1
TAG_DIGITS: Final = 32


class Seal(IntEnum):
    """How the content is sealed."""

    NONE = 0  # only where the group's founding says that bodies are clear
    GROUP = 1
    NODE = 2


@dataclass(frozen=True, slots=True)
class Envelope:
    """The content, its group's tag (None in a HELLO), and how it is sealed."""

    seal: Seal
    tag: str | None
    content: bytes


def encode(envelope: Envelope) -> bytes:
    """Write an envelope of seal 0 or 2, whose nonce is empty."""
    return cbor.encode([VERSION, int(envelope.seal), envelope.tag, b"", envelope.content])


def decode(encoded: bytes) -> Envelope:
    """Read an envelope; raise BadEnvelope or UnsupportedSeal."""
    try:
        said = cbor.decode(encoded, ENVELOPE_BYTES_MAX)
    except MalformedCbor as fault:
        raise BadEnvelope(reason=fault) from None
    match said:
        case [version, seal, None | str() as tag, bytes() as nonce, bytes() as content] if (
            type(version) is int and type(seal) is int and version == VERSION
        ):
            return _checked(seal, tag, nonce, content)
    raise BadEnvelope(reason="not the fields of an envelope of version 1")


def _checked(seal: int, tag: str | None, nonce: bytes, content: bytes) -> Envelope:
    if seal == Seal.GROUP:
        raise UnsupportedSeal(seal=seal)
    if seal not in (Seal.NONE, Seal.NODE):
        raise BadEnvelope(reason="an unknown seal")
    if nonce:
        raise BadEnvelope(reason="a nonce where this seal has none")
    if seal == Seal.NODE and tag is not None:
        raise BadEnvelope(reason="a tag on what is sealed to a node")
    if seal == Seal.NONE and not is_tag(tag):
        raise BadEnvelope(reason="the tag is not 32 lower-case hex digits")
    return Envelope(Seal(seal), tag, content)


def is_tag(tag: str | None) -> bool:
    """Say whether a text has the form of a group's tag or a node's id: 16 bytes in hex."""
    return tag is not None and len(tag) == TAG_DIGITS and set(tag) <= set("0123456789abcdef")
