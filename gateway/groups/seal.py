"""Opening and sealing: bodies under sender keys, and messages to one node.

In: a record with its stored body, and the sender key it was sealed under or that record's own key;
or an X25519 key, a message and 32 random bytes. Out: content, or an opening that shows one record
to somebody outside; the sealed message, or the opened one. A SealedBox is libsodium's, with its
ephemeral key as an argument. Protocol: docs/protocol/sealing.md and message.md.
"""

from hashlib import blake2b

from nacl.bindings import crypto_box, crypto_box_seal_open, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from gateway.errors import BadEnvelope, WeakKey
from gateway.records import record
from gateway.records.identity import EncryptionKey
from gateway.records.proof import Opening
from gateway.records.record import SALT_BYTES, Record
from gateway.records.sealing import record_key as record_key

SEAL_BYTES = 48  # the ephemeral public key and the authenticator


def open_body(said: Record, body: bytes, sender_key: bytes | None) -> bytes:
    """Give the content of a body, clear or sealed under this sender key; raise BadBody."""
    return opening(said, body, sender_key).content


def opening(said: Record, body: bytes, sender_key: bytes | None) -> Opening:
    """Give salt and content, by which one body is shown to somebody outside; raise BadBody."""
    if said.key_number == 0 or sender_key is None:
        content = record.check_body(said, body)  # Without a key, a sealed one is refused here.
        return Opening(body[:SALT_BYTES], content)
    return opening_by(said, body, own_key(said, sender_key))


def opening_by(said: Record, body: bytes, own: bytes) -> Opening:
    """Open one sealed body by its record's own key, as an auditor who has no other; BadBody."""
    return Opening(*record.open_body(said, body, own))


def own_key(said: Record, sender_key: bytes) -> bytes:
    """Derive the key that opens this record and no other."""
    return record_key(sender_key, said.group, said.feed, said.key_number, said.seq)


def seal(public: bytes, message: bytes, ephemeral: bytes) -> bytes:
    """Seal a message to a key so that nobody learns who sealed it; raise WeakKey."""
    sender = crypto_scalarmult_base(ephemeral)
    nonce = blake2b(sender + public, digest_size=24).digest()
    try:
        return sender + crypto_box(message, nonce, public, ephemeral)
    except (CryptoError, ValueError):
        raise WeakKey from None


def open_sealed(key: EncryptionKey, sealed: bytes) -> bytes:
    """Open what was sealed to this key; raise BadEnvelope."""
    try:
        return crypto_box_seal_open(sealed, key.public, key.secret)
    except (CryptoError, TypeError, ValueError):
        raise BadEnvelope(reason="it is not sealed to this node's key, or was changed") from None
