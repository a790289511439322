"""Keys under a passphrase (argon2id), and the organisation's own two of them.

In: a secret, a passphrase and a source of random bytes; or a file. Out: the file's bytes, or the
secret again. A key leaves its file only under the passphrase. The organisation's root may be on
another machine: then it is not here, and whoever wants to sign is told so.
Protocol: docs/protocol/identity.md.
"""

from collections.abc import Callable
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from gateway.errors import MalformedCbor, RootElsewhere, StateDamaged, WrongPassphrase
from gateway.records import cbor
from gateway.records.cose import SigningKey
from gateway.records.identity import EncryptionKey
from gateway.store import folder

Random = Callable[[int], bytes]

ROOT_KEY, ARCHIVE_KEY = "organisation/root.key", "organisation/archive.key"
# The interactive limits: small gateways have little memory, and the passphrase that we draw is
# long.
_ROUNDS, _MEMORY_BYTES = argon2id.OPSLIMIT_INTERACTIVE, 64 * 1024 * 1024
_ROUNDS_MAX, _MEMORY_BYTES_MAX = 16, 1024 * 1024 * 1024
_LOCKED_BYTES_MAX = 1024


def lock(secret: bytes, passphrase: str, random: Random) -> bytes:
    """Seal a secret under a passphrase, with all that is needed to try one."""
    salt = random(argon2id.SALTBYTES)
    key = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, _ROUNDS, _MEMORY_BYTES)
    sealed = SecretBox(key).encrypt(secret, random(SecretBox.NONCE_SIZE))
    return cbor.encode({0: 1, 1: salt, 2: _ROUNDS, 3: _MEMORY_BYTES, 4: bytes(sealed)})


def unlock(locked: bytes, passphrase: str, path: Path) -> bytes:
    """Open what `lock` sealed and `path` holds; raise WrongPassphrase or StateDamaged."""
    try:
        said = cbor.decode(locked, _LOCKED_BYTES_MAX)
    except MalformedCbor as fault:
        raise StateDamaged(path=path, reason=fault) from None
    match said:
        case {0: 1, 1: bytes() as salt, 2: int() as rounds, 3: int() as memory, 4: bytes() as box}:
            if not 0 < rounds <= _ROUNDS_MAX or not 0 < memory <= _MEMORY_BYTES_MAX:
                raise StateDamaged(path=path, reason="trying a passphrase would cost too much")
            try:
                key = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, rounds, memory)
                return SecretBox(key).decrypt(box)
            except CryptoError:
                raise WrongPassphrase(path=path) from None
    raise StateDamaged(path=path, reason="not a key under a passphrase")


def has_root(state_dir: Path) -> bool:
    """Say whether the organisation's root key is on this machine."""
    return (state_dir / ROOT_KEY).is_file()


def root_key(state_dir: Path, passphrase: str) -> SigningKey:
    """Open the organisation's root key; raise RootElsewhere or WrongPassphrase."""
    if not has_root(state_dir):
        raise RootElsewhere(path=state_dir)
    path = state_dir / ROOT_KEY
    return SigningKey(unlock(folder.read_own(path), passphrase, path))


def archive_key(state_dir: Path, passphrase: str) -> EncryptionKey:
    """Open the organisation's archive key; raise RootElsewhere or WrongPassphrase."""
    path = state_dir / ARCHIVE_KEY
    if not path.is_file():
        raise RootElsewhere(path=state_dir)
    return EncryptionKey(unlock(folder.read_own(path), passphrase, path))
