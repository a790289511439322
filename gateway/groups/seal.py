"""Sealing to a node: libsodium's SealedBox with its ephemeral key as an argument.

In: an X25519 key, a message, and 32 random bytes. Out: the sealed message; or the opened one.
Sender keys and messages under the group secret come with the consortium. Protocol:
docs/protocol/message.md.
"""

from hashlib import blake2b

from nacl.bindings import crypto_box, crypto_box_seal_open, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from gateway.errors import BadEnvelope
from gateway.records.identity import EncryptionKey

SEAL_BYTES = 48  # the ephemeral public key and the authenticator


def seal(public: bytes, message: bytes, ephemeral: bytes) -> bytes:
    """Seal a message to a key so that nobody learns who sealed it (libsodium's crypto_box_seal)."""
    sender = crypto_scalarmult_base(ephemeral)
    nonce = blake2b(sender + public, digest_size=24).digest()
    return sender + crypto_box(message, nonce, public, ephemeral)


def open_sealed(key: EncryptionKey, sealed: bytes) -> bytes:
    """Open what was sealed to this key; raise BadEnvelope."""
    try:
        return crypto_box_seal_open(sealed, key.public, key.secret)
    except (CryptoError, TypeError, ValueError):
        raise BadEnvelope(reason="it is not sealed to this node's key, or was changed") from None
