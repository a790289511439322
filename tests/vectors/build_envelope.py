"""The vectors of envelopes: docs/protocol/message.md."""

from gateway.groups import seal
from gateway.records import cbor
from gateway.sync import envelope, message
from gateway.sync.envelope import Envelope, Seal
from tests.damage import refusal
from tests.people import seed
from tests.vectors.build_message import BUYER, GROUP, good

TAG = GROUP.tag
NONCE = seed("envelope nonce")[:24]


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "envelope",
        "chapter": "docs/protocol/message.md",
        "good": [
            {**_vector(name, each), "expect": expect(read(each))} for name, each in _good().items()
        ],
        "bad": [{**_vector(name, each), "error": _error(each)} for name, each in _bad().items()],
    }


def read(encoded: bytes) -> Envelope:
    """Read an envelope as a member does: what is sealed under the group's secret must open."""
    found = envelope.decode(encoded)
    if found.seal is Seal.GROUP:
        envelope.open_in(GROUP.secret, GROUP.id, found)
    return found


def _vector(name: str, encoded: bytes) -> dict[str, object]:
    shown = {"group": GROUP.id.hex(), "group_secret": GROUP.secret.hex()}
    return {"name": name, "hex": encoded.hex(), **shown}


def expect(found: Envelope) -> dict[str, object]:
    """Give an envelope as JSON, with what it holds where it is sealed to the buyer's node."""
    said: dict[str, object] = {"seal": int(found.seal), "tag": found.tag}
    if found.seal is Seal.NODE:
        opened = seal.open_sealed(BUYER.encryption, found.content)
        return said | {"opened": opened.hex(), "secret": BUYER.encryption.secret.hex()}
    if found.seal is Seal.GROUP:
        opened = envelope.open_in(GROUP.secret, GROUP.id, found)
        return said | {"opened": opened.hex(), "nonce": found.nonce.hex()}
    return said | {"content": found.content.hex()}


def _good() -> dict[str, bytes]:
    said = {name: message.encode(each) for name, each in good().items()}
    sealed = seal.seal(BUYER.encryption.public, said["hello"], seed("ephemeral"))
    return {
        "no heads": envelope.encode(Envelope(Seal.NONE, TAG, said["no heads"])),
        "want": envelope.encode(Envelope(Seal.NONE, TAG, said["want"])),
        "want, sealed under the secret": envelope.encode(_sealed(said["want"])),
        "hello, sealed to a node": envelope.encode(Envelope(Seal.NODE, None, sealed)),
    }


def _error(encoded: bytes) -> str:
    return refusal(lambda: read(encoded))


def _sealed(
    content: bytes, secret: bytes = GROUP.secret, group: bytes = GROUP.id, tag: str = TAG
) -> Envelope:
    return envelope.seal_for(secret, group, tag, NONCE, content)


def _bad() -> dict[str, bytes]:
    content = b"\x82\x02\x80"
    whole = cbor.encode([1, 0, TAG, b"", content])
    fields: dict[str, list[object]] = {
        "version 2": [2, 0, TAG, b"", content],
        "version true": [True, 0, TAG, b"", content],
        "seal 3": [1, 3, TAG, b"", content],
        "under the secret without a nonce": [1, 1, TAG, b"", content + bytes(16)],
        "under the secret without a tag": [1, 1, None, NONCE, content + bytes(16)],
        "under the secret, in clear": [1, 1, TAG, NONCE, content],
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
    written |= {name: envelope.encode(each) for name, each in _bad_sealed(content).items()}
    return {"nothing": b"", "cut": whole[:-1], "a byte more": whole + b"\x00", **written}


def _bad_sealed(content: bytes) -> dict[str, Envelope]:
    """What was sealed under a group's secret, and does not open as what it is said to be."""
    right = _sealed(content)
    changed = right.content[:-1] + bytes([right.content[-1] ^ 1])
    return {
        "under another secret": _sealed(content, seed("another secret")),
        "under the secret of another group": _sealed(content, group=seed("another group")),
        "sealed for another tag": Envelope(
            Seal.GROUP, TAG, _sealed(content, tag="0" * 32).content, NONCE
        ),
        "targeted at another tag": Envelope(Seal.GROUP, "0" * 32, right.content, NONCE),
        "under the secret with another nonce": Envelope(Seal.GROUP, TAG, right.content, bytes(24)),
        "under the secret, changed": Envelope(Seal.GROUP, TAG, changed, NONCE),
        "under the secret, cut": Envelope(Seal.GROUP, TAG, right.content[:15], NONCE),
    }
