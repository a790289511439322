"""What goes over a link around a message. Protocol: docs/protocol/message.md.

In: a seal, a group's tag, and content; or bytes from anywhere. Out: bytes; or the envelope, or a
PeerError. Under a group's secret it seals and opens itself, with the tag bound: an envelope under
another tag than it was sealed for does not open. What is sealed to a node the edge opens.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from gateway.errors import BadEnvelope, MalformedCbor
from gateway.records import cbor
from gateway.records.sealing import NONCE_BYTES, derive

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
    """The content, its group's tag (None to a node), how it is sealed, and with which nonce."""

    seal: Seal
    tag: str | None
    content: bytes
    nonce: bytes = b""


def encode(envelope: Envelope) -> bytes:
    """Write an envelope."""
    return cbor.encode(
        [VERSION, int(envelope.seal), envelope.tag, envelope.nonce, envelope.content]
    )


def decode(encoded: bytes) -> Envelope:
    """Read an envelope; raise BadEnvelope. What is sealed in it is not opened yet."""
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


def seal_for(secret: bytes, group: bytes, tag: str, nonce: bytes, content: bytes) -> Envelope:
    """Seal content under a group's secret, for its tag and no other."""
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        content, _bound(tag), nonce, content_key(secret, group)
    )
    return Envelope(Seal.GROUP, tag, sealed, nonce)


def open_in(secret: bytes, group: bytes, envelope: Envelope) -> bytes:
    """Open what was sealed under a group's secret; raise BadEnvelope."""
    if envelope.seal is not Seal.GROUP or envelope.tag is None:
        raise BadEnvelope(reason="it is not sealed under a group's secret")
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            envelope.content, _bound(envelope.tag), envelope.nonce, content_key(secret, group)
        )
    except (CryptoError, TypeError, ValueError):
        reason = "it does not open under the group's secret and for this tag"
        raise BadEnvelope(reason=reason) from None


def content_key(secret: bytes, group: bytes) -> bytes:
    """Derive the key under which the messages of a group are sealed on every link."""
    return derive(secret, cbor.encode(["hulian/1/message", group]))


def _bound(tag: str) -> bytes:
    return cbor.encode([VERSION, int(Seal.GROUP), tag])


def _checked(seal: int, tag: str | None, nonce: bytes, content: bytes) -> Envelope:
    if seal not in (Seal.NONE, Seal.GROUP, Seal.NODE):
        raise BadEnvelope(reason="an unknown seal")
    if len(nonce) != (NONCE_BYTES if seal == Seal.GROUP else 0):
        raise BadEnvelope(reason="a nonce that is not of this seal's length")
    if seal == Seal.NODE and tag is not None:
        raise BadEnvelope(reason="a tag on what is sealed to a node")
    if seal != Seal.NODE and not is_tag(tag):
        raise BadEnvelope(reason="the tag is not 32 lower-case hex digits")
    return Envelope(Seal(seal), tag, content, nonce)


def is_tag(tag: str | None) -> bool:
    """Say whether a text has the form of a group's tag or a node's id: 16 bytes in hex."""
    return tag is not None and len(tag) == TAG_DIGITS and set(tag) <= set("0123456789abcdef")
