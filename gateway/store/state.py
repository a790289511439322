"""The state directory: this gateway's keys, certificates, roster and group files.

In: names, a source of random bytes and a passphrase, or a directory that `create` made. Out: the
state as one frozen value. A file appears whole or not at all, and what is secret is readable by its
owner alone. The organisation's own keys leave here only under the passphrase; a run's key is never
here (I3). Protocol: docs/protocol/identity.md.
"""

import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from gateway.errors import (
    AlreadyRunning,
    GatewayError,
    MalformedCbor,
    MalformedGroupFile,
    StateDamaged,
    StateExists,
    StateMissing,
    StateOpen,
    StateUnwritable,
    WrongPassphrase,
)
from gateway.groups import group
from gateway.groups.group import ActivityKind, Founding, Group, Member, Role
from gateway.records import cbor, identity, roster
from gateway.records.cose import SigningKey
from gateway.records.identity import EncryptionKey, Named, Validity
from gateway.records.roster import Organisation, Roster
from gateway.records.run import Run

Random = Callable[[int], bytes]

OWN = "own"
STORE_FILE = "store.db"
SEED_BYTES = 32
_NODE_KEY, _ENCRYPTION_KEY = "keys/node.key", "keys/encryption.key"
_NODE, _ENCRYPTION = "certificates/node.cbor", "certificates/encryption.cbor"
_ROOT_KEY, _ARCHIVE_KEY = "organisation/root.key", "organisation/archive.key"
_ROSTER = "organisation/roster.cbor"
_GROUPS = "groups"
_FILE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """What a gateway is: keys, certificates, roster, and the groups it takes part in."""

    path: Path
    node_key: SigningKey
    node: bytes
    encryption_key: EncryptionKey
    encryption: bytes
    roster: Roster
    groups: dict[str, Group]

    @property
    def node_id(self) -> bytes:
        """Name this gateway's node."""
        return identity.decode(self.node, "node").subject

    @property
    def organisation(self) -> bytes:
        """Name the organisation it belongs to."""
        return identity.decode(self.node, "node").issuer


@dataclass(frozen=True, slots=True)
class Names:
    """What people call a node and its organisation."""

    node: str
    organisation: str


def create(
    state_dir: Path, names: Names, random: Random, issued_s: int | None, passphrase: str
) -> State:
    """Make an organisation of one node; raise StateExists where there is one already."""
    if (state_dir / _ROSTER).exists() or (state_dir / _NODE_KEY).exists():
        raise StateExists(path=state_dir)
    seeds = [random(SEED_BYTES) for _ in range(4)]
    root, archive = SigningKey(seeds[0]), EncryptionKey(seeds[1])
    node, encryption = SigningKey(seeds[2]), EncryptionKey(seeds[3])
    valid = Validity(issued_s)
    certificate = identity.issue_node(
        root, (root.id, node.id), node.public, 1, Named(names.node, valid)
    )
    organisation = Organisation(root.id, names.organisation, root.public, archive.public)
    payload = roster.compose(names.organisation, [organisation])
    files = {
        _ROOT_KEY: _lock(seeds[0], passphrase, random),
        _ARCHIVE_KEY: _lock(seeds[1], passphrase, random),
        _ENCRYPTION_KEY: seeds[3],
        _NODE: certificate,
        _ENCRYPTION: identity.issue_encryption(node, node.id, encryption.public, valid),
        _ROSTER: roster.assemble(payload, [roster.sign(root, payload)]),
        _NODE_KEY: seeds[2],  # the last: where it is, everything is
    }
    for folder in ("", "keys", "certificates", "organisation", _GROUPS):
        _make_folder(state_dir / folder)
    for name, content in files.items():
        _keep(state_dir / name, content)
    return load(state_dir)


def load(state_dir: Path) -> State:
    """Read the state; raise StateMissing, StateOpen or StateDamaged."""
    if not (state_dir / _NODE_KEY).is_file():
        raise StateMissing(path=state_dir)
    node_key = SigningKey(_seed(state_dir / _NODE_KEY))
    encryption_key = EncryptionKey(_seed(state_dir / _ENCRYPTION_KEY))
    node, encryption = _read(state_dir / _NODE), _read(state_dir / _ENCRYPTION)
    try:
        known = roster.decode(_read(state_dir / _ROSTER))
        _check(known, (node_key, node), (encryption_key, encryption))
    except (StateMissing, StateDamaged, StateUnwritable):
        raise
    except GatewayError as fault:
        raise StateDamaged(path=state_dir, reason=fault) from None
    return State(
        state_dir, node_key, node, encryption_key, encryption, known, _groups(state_dir / _GROUPS)
    )


def occupy(state_dir: Path) -> IO[bytes]:
    """Be the only agent on a state directory while the file is open; raise AlreadyRunning."""
    path = state_dir / "agent.lock"
    try:
        file = path.open("wb")
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyRunning(state_dir=state_dir) from None
    return file


def root_key(state_dir: Path, passphrase: str) -> SigningKey:
    """Open the organisation's root key; raise WrongPassphrase."""
    return SigningKey(_unlock(state_dir / _ROOT_KEY, passphrase))


def archive_key(state_dir: Path, passphrase: str) -> EncryptionKey:
    """Open the organisation's archive key; raise WrongPassphrase."""
    return EncryptionKey(_unlock(state_dir / _ARCHIVE_KEY, passphrase))


def keep_group(state_dir: Path, name: str, joined: Group) -> None:
    """Keep a group's file, which holds its secret, whole or not at all."""
    if not name or name in (".", "..") or any(bad in name for bad in "/\\\0"):
        raise StateUnwritable(path=state_dir / _GROUPS, reason="a group cannot have this name")
    _make_folder(state_dir / _GROUPS)
    _keep(state_dir / _GROUPS / f"{name}.cbor", group.encode_file(joined))


def own_group(state: State, run: Run, random: Random) -> Group:
    """Give the organisation's own group of one; found it in this run where there is none yet."""
    if OWN in state.groups:
        return state.groups[OWN]
    encryption = run.credentials.encryption
    member = Member(run.credentials.node.issuer, encryption, (Role.INITIATOR,))
    founding = Founding(
        random(32),
        state.roster.hash,
        state.roster.hash,
        OWN,
        ActivityKind.THING_THING,
        (member,),
        clear=True,
    )
    founded = group.found(run.key, run.credentials, founding, state.roster)
    own = replace(founded, secret=random(group.SECRET_BYTES))
    keep_group(state.path, OWN, own)
    return own


def _check(
    known: Roster, node: tuple[SigningKey, bytes], encryption: tuple[EncryptionKey, bytes]
) -> None:
    """Check that keys, certificates and roster belong together; raise an AuthorError if not."""
    certificate = identity.decode(node[1], "node")
    certificate.verify(certificate.issuer, known.organisation(certificate.issuer).root)
    sealing = identity.decode(encryption[1], "encryption")
    sealing.verify(certificate.subject, certificate.key)
    if certificate.key != node[0].public or sealing.key != encryption[0].public:
        raise StateDamaged(path=_NODE, reason="a certificate is of another key")


def _groups(folder: Path) -> dict[str, Group]:
    groups = {}
    for path in sorted(folder.glob("*.cbor")):
        try:
            groups[path.stem] = group.decode_file(_secret(path))
        except MalformedGroupFile as fault:
            raise StateDamaged(path=path, reason=fault) from None
    return groups


def _lock(secret: bytes, passphrase: str, random: Random) -> bytes:
    """Seal a secret under a passphrase, with all that is needed to try one."""
    # The interactive limits (64 MiB): small gateways have little memory, and the passphrase that
    # `init` draws is long.
    salt, cost = random(argon2id.SALTBYTES), (argon2id.OPSLIMIT_INTERACTIVE, 64 * 1024 * 1024)
    key = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, *cost)
    sealed = SecretBox(key).encrypt(secret, random(SecretBox.NONCE_SIZE))
    return cbor.encode({0: 1, 1: salt, 2: cost[0], 3: cost[1], 4: bytes(sealed)})


def _unlock(path: Path, passphrase: str) -> bytes:
    try:
        said = cbor.decode(_secret(path), 1024)
    except MalformedCbor as fault:
        raise StateDamaged(path=path, reason=fault) from None
    match said:
        case {0: 1, 1: bytes() as salt, 2: int() as rounds, 3: int() as memory, 4: bytes() as box}:
            try:
                key = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, rounds, memory)
                return SecretBox(key).decrypt(box)
            except CryptoError:
                raise WrongPassphrase(path=path) from None
    raise StateDamaged(path=path, reason="not a key under a passphrase")


def _seed(path: Path) -> bytes:
    seed = _secret(path)
    if len(seed) != SEED_BYTES:
        raise StateDamaged(path=path, reason=f"{len(seed)} bytes where a key has {SEED_BYTES}")
    return seed


def _secret(path: Path) -> bytes:
    """Read what only its owner may read; raise StateOpen where others may too."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as fault:
        raise StateDamaged(path=path, reason=fault.strerror) from fault
    if mode & 0o077:
        raise StateOpen(path=path, mode=f"{mode:04o}")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX)
    except PermissionError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault
    except OSError as fault:
        raise StateDamaged(path=path, reason=fault.strerror) from fault


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault


def _keep(path: Path, content: bytes) -> None:
    """Write a file that is whole and durable under its name, or not there: 0600."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)  # so that the new file has its mode from the first byte
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault
