"""The vectors of envelopes: docs/protocol/message.md."""

from gateway.groups import seal
from gateway.records import cbor
from gateway.sync import envelope, message
from gateway.sync.envelope import Envelope, Seal
from tests.damage import refusal
from tests.people import seed
from tests.vectors.build_message import BUYER, GROUP, good

TAG = GROUP.tag


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "envelope",
        "chapter": "docs/protocol/message.md",
        "good": [
            {"name": name, "hex": each.hex(), "expect": expect(envelope.decode(each))}
            for name, each in _good().items()
        ],
        "bad": [
            {"name": name, "hex": each.hex(), "error": _error(each)}
            for name, each in _bad().items()
        ],
    }


def expect(found: Envelope) -> dict[str, object]:
    """Give an envelope as JSON, with what it holds where it is sealed to the buyer's node."""
    said: dict[str, object] = {"seal": int(found.seal), "tag": found.tag}
    if found.seal is Seal.NODE:
        opened = seal.open_sealed(BUYER.encryption, found.content)
        return said | {"opened": opened.hex(), "secret": BUYER.encryption.secret.hex()}
    return said | {"content": found.content.hex()}


def _good() -> dict[str, bytes]:
    said = {name: message.encode(each) for name, each in good().items()}
    sealed = seal.seal(BUYER.encryption.public, said["hello"], seed("ephemeral"))
    return {
        "no heads": envelope.encode(Envelope(Seal.NONE, TAG, said["no heads"])),
        "want": envelope.encode(Envelope(Seal.NONE, TAG, said["want"])),
        "hello, sealed to a node": envelope.encode(Envelope(Seal.NODE, None, sealed)),
    }


def _error(encoded: bytes) -> str:
    return refusal(lambda: envelope.decode(encoded))


def _bad() -> dict[str, bytes]:
    content = b"\x82\x02\x80"
    whole = cbor.encode([1, 0, TAG, b"", content])
    fields: dict[str, list[object]] = {
        "version 2": [2, 0, TAG, b"", content],
        "version true": [True, 0, TAG, b"", content],
        "seal 3": [1, 3, TAG, b"", content],
        "seal 1, which is reserved": [1, 1, TAG, bytes(24), content],
        "a nonce without a seal": [1, 0, TAG, bytes(24), content],
        "a nonce on what is sealed to a node": [1, 2, None, bytes(24), content],
        "a tag on what is sealed to a node": [1, 2, TAG, b"", content],
        "no tag": [1, 0, None, b"", content],
        "a tag in upper case": [1, 0, TAG.upper(), b"", content],
        "a tag of 31 digits": [1, 0, TAG[1:], b"", content],
        "a tag of bytes": [1, 0, bytes.fromhex(TAG), b"", content],
        "content as text": [1, 0, TAG, b"", "x"],
        "a field more": [1, 0, TAG, b"", content, None],
        "a field less": [1, 0, TAG, content],
    }
    written = {name: cbor.encode(each) for name, each in fields.items()}
    return {"nothing": b"", "cut": whole[:-1], "a byte more": whole + b"\x00", **written}
