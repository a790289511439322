"""The state directory: this gateway's keys, certificates, rosters, contacts and group files.

In: names, a source of random bytes and a passphrase, or a directory that was made here. Out: the
state as one frozen value. The organisation's own keys leave only under the passphrase, or are on
another machine altogether; a run's key is never here (I3). A gateway that joins its organisation
makes its keys first and is complete with the organisation's answer. Protocol:
docs/protocol/identity.md.
"""

import fcntl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from gateway.errors import (
    AlreadyRunning,
    GatewayError,
    MalformedCertificate,
    MalformedGroupFile,
    StateDamaged,
    StateError,
    StateExists,
    StateMissing,
    StateUnfinished,
    StateUnwritable,
)
from gateway.groups import group
from gateway.groups.group import ActivityKind, Founding, Group, Member, Role
from gateway.records import identity, request, roster
from gateway.records.cose import SigningKey
from gateway.records.identity import EncryptionKey, Named, Validity
from gateway.records.roster import Organisation, Roster
from gateway.records.run import Run
from gateway.store import consortium, folder, keyfile

# What the other modules keep in the directory is had here too: this is its front door.
from gateway.store.consortium import (
    OWN_ROSTER,
    Contact as Contact,
    keep_contact as keep_contact,
    keep_roster as keep_roster,
)
from gateway.store.keyfile import (
    Random as Random,
    archive_key as archive_key,
    has_root as has_root,
    root_key as root_key,
)

OWN = "own"
# The group in which a consortium keeps what is public: revocations, the catalogue.
CONSORTIUM = "consortium"
STORE_FILE = "store.db"
SEED_BYTES = 32
_NODE_KEY, _ENCRYPTION_KEY = "keys/node.key", "keys/encryption.key"
_NODE, _ENCRYPTION = "certificates/node.cbor", "certificates/encryption.cbor"
_REQUEST = "certificates/request.cbor"  # of a gateway that its organisation has not certified yet
_GROUPS = "groups"
_FOLDERS = ("", "keys", "certificates", "organisation", _GROUPS)


@dataclass(frozen=True, slots=True)
class State:
    """What a gateway is: keys, certificates, rosters, whom it knows, and its groups.

    `roster` is its organisation's own number 0; `rosters` are all that it holds, by hash.
    """

    path: Path
    node_key: SigningKey
    node: bytes
    encryption_key: EncryptionKey
    encryption: bytes
    roster: Roster
    groups: dict[str, Group]
    rosters: dict[bytes, Roster]
    contacts: dict[bytes, Contact]

    @property
    def node_id(self) -> bytes:
        """Name this gateway's node."""
        return identity.decode(self.node, "node").subject

    @property
    def organisation(self) -> bytes:
        """Name the organisation it belongs to."""
        return identity.decode(self.node, "node").issuer

    @property
    def own_contact(self) -> Contact:
        """Give what others must know of this gateway's node."""
        node = identity.decode(self.node, "node")
        return Contact(node, identity.decode(self.encryption, "encryption"))

    def newest(self, of: bytes) -> Roster:
        """Give a consortium's roster with the highest number; raise UnknownRoster."""
        return consortium.newest(self.rosters, of)

    def chain(self, of: bytes) -> tuple[Roster, ...]:
        """Give the rosters of a consortium from number 0 on, none where it is not known."""
        return consortium.chain(self.rosters, of)


@dataclass(frozen=True, slots=True)
class Names:
    """What people call a node and its organisation."""

    node: str
    organisation: str


def create(
    state_dir: Path, names: Names, random: Random, issued_s: int | None, passphrase: str
) -> State:
    """Make an organisation of one node; raise StateExists where there is one already."""
    root = _organise(state_dir, names.organisation, random, passphrase)
    node, encryption = random(SEED_BYTES), random(SEED_BYTES)
    key, public = SigningKey(node), EncryptionKey(encryption).public
    valid = Validity(issued_s)
    ids = (root.id, key.id)
    files = {
        _ENCRYPTION_KEY: encryption,
        _NODE: identity.issue_node(root, ids, key.public, 1, Named(names.node, valid)),
        _ENCRYPTION: identity.issue_encryption(key, key.id, public, valid),
        _NODE_KEY: node,  # the last: where it is, everything is
    }
    _keep_all(state_dir, files)
    return load(state_dir)


def create_organisation(state_dir: Path, name: str, random: Random, passphrase: str) -> Roster:
    """Make an organisation's root, archive key and roster 0 on a machine that is no gateway."""
    _organise(state_dir, name, random, passphrase)
    return consortium.own_roster(state_dir)


def prepare_node(state_dir: Path, name: str, random: Random) -> bytes:
    """Make a gateway's keys and give its request to its organisation, the same one every time.

    Raises StateExists where there is a gateway already.
    """
    if (state_dir / OWN_ROSTER).exists() or (state_dir / _NODE).exists():
        raise StateExists(path=state_dir)
    if (state_dir / _NODE_KEY).exists():
        return folder.read_own(state_dir / _REQUEST)
    node, encryption = random(SEED_BYTES), random(SEED_BYTES)
    key = SigningKey(node)
    certified = identity.issue_encryption(key, key.id, EncryptionKey(encryption).public)
    files = {
        _ENCRYPTION_KEY: encryption,
        _ENCRYPTION: certified,
        _REQUEST: request.ask_for_node(key, name, certified),
        _NODE_KEY: node,
    }
    _keep_all(state_dir, files)
    return files[_REQUEST]


def complete_node(state_dir: Path, certificate: bytes, rosters: Sequence[bytes]) -> State:
    """Be the gateway that the organisation certified; `rosters` are its own from number 0 on.

    Raises StateMissing without keys, StateExists where it is one already, or an AuthorError.
    """
    if not (state_dir / _NODE_KEY).is_file():
        raise StateMissing(path=state_dir)
    if not (state_dir / _REQUEST).is_file():
        raise StateExists(path=state_dir)
    key = SigningKey(_seed(state_dir / _NODE_KEY))
    found, chain = identity.decode(certificate, "node"), roster.decode_chain(rosters)
    if not chain or found.key != key.public or found.subject != key.id:
        raise MalformedCertificate(kind="node", reason="it is of another gateway's key")
    found.verify(found.issuer, chain[-1].organisation(found.issuer).root)
    _keep_all(state_dir, {_NODE: certificate, OWN_ROSTER: chain[0].encoded})
    for each in chain[1:]:
        keep_roster(state_dir, each)
    (state_dir / _REQUEST).unlink()  # the last: where it is, something may be missing
    return load(state_dir)


def load(state_dir: Path) -> State:
    """Read the state; raise StateMissing, StateUnfinished, StateOpen or StateDamaged."""
    if not (state_dir / _NODE_KEY).is_file():
        raise StateMissing(path=state_dir)
    if (state_dir / _REQUEST).exists():
        raise StateUnfinished(path=state_dir)
    node_key = SigningKey(_seed(state_dir / _NODE_KEY))
    encryption_key = EncryptionKey(_seed(state_dir / _ENCRYPTION_KEY))
    node, encryption = folder.read(state_dir / _NODE), folder.read(state_dir / _ENCRYPTION)
    try:
        rosters = consortium.load_rosters(state_dir)
        _check(rosters, (node_key, node), (encryption_key, encryption))
    except StateError:
        raise
    except GatewayError as fault:
        raise StateDamaged(path=state_dir, reason=fault) from None
    return State(
        state_dir,
        node_key,
        node,
        encryption_key,
        encryption,
        consortium.own_roster(state_dir),
        _groups(state_dir / _GROUPS),
        rosters,
        consortium.load_contacts(state_dir, rosters),
    )


def stamp(state_dir: Path) -> frozenset[tuple[str, int]]:
    """Say what tells whether rosters or contacts changed since: names and times, nothing read."""
    places = [state_dir / name for name in (consortium.ROSTERS, consortium.CONTACTS)]
    files = [each for place in places for each in place.glob("*.cbor")]
    return frozenset((each.name, each.stat().st_mtime_ns) for each in files)


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


def keep_group(state_dir: Path, name: str, joined: Group) -> None:
    """Keep a group's file, which holds its secret, whole or not at all."""
    if not name or name in (".", "..") or any(bad in name for bad in "/\\\0"):
        raise StateUnwritable(path=state_dir / _GROUPS, reason="a group cannot have this name")
    folder.make(state_dir / _GROUPS)
    folder.keep(state_dir / _GROUPS / f"{name}.cbor", group.encode_file(joined))


def forget_group(state_dir: Path, name: str) -> None:
    """Let go of the file of a group that came to nothing."""
    (state_dir / _GROUPS / f"{name}.cbor").unlink(missing_ok=True)


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


def _organise(state_dir: Path, name: str, random: Random, passphrase: str) -> SigningKey:
    """Make the organisation's own files and give its root; raise StateExists."""
    present = (OWN_ROSTER, keyfile.ROOT_KEY, _NODE_KEY)
    if any((state_dir / each).exists() for each in present):
        raise StateExists(path=state_dir)
    seed, sealing = random(SEED_BYTES), random(SEED_BYTES)
    root, archive = SigningKey(seed), EncryptionKey(sealing)
    payload = roster.compose(name, [Organisation(root.id, name, root.public, archive.public)])
    files = {
        keyfile.ROOT_KEY: keyfile.lock(seed, passphrase, random),
        keyfile.ARCHIVE_KEY: keyfile.lock(sealing, passphrase, random),
        OWN_ROSTER: roster.assemble(payload, [roster.sign(root, payload)]),
    }
    _keep_all(state_dir, files)
    return root


def _keep_all(state_dir: Path, files: dict[str, bytes]) -> None:
    for name in _FOLDERS:
        folder.make(state_dir / name)
    for name, content in files.items():
        folder.keep(state_dir / name, content)


def _check(
    rosters: dict[bytes, Roster],
    node: tuple[SigningKey, bytes],
    encryption: tuple[EncryptionKey, bytes],
) -> None:
    """Check that keys, certificates and rosters belong together; raise an AuthorError if not."""
    certificate = identity.decode(node[1], "node")
    if not consortium.is_vouched(certificate, rosters):
        raise StateDamaged(path=_NODE, reason="no roster here vouches for this gateway")
    sealing = identity.decode(encryption[1], "encryption")
    sealing.verify(certificate.subject, certificate.key)
    if certificate.key != node[0].public or sealing.key != encryption[0].public:
        raise StateDamaged(path=_NODE, reason="a certificate is of another key")


def _groups(groups_dir: Path) -> dict[str, Group]:
    groups = {}
    for path in sorted(groups_dir.glob("*.cbor")):
        try:
            groups[path.stem] = group.decode_file(folder.read_own(path))
        except MalformedGroupFile as fault:
            raise StateDamaged(path=path, reason=fault) from None
    return groups


def _seed(path: Path) -> bytes:
    seed = folder.read_own(path)
    if len(seed) != SEED_BYTES:
        raise StateDamaged(path=path, reason=f"{len(seed)} bytes where a key has {SEED_BYTES}")
    return seed
