"""People whom the organisation certifies, and the key file that each keeps on an own computer.

In: certificates and revocations by the organisation's root, or a new person's name and a passphrase
of that person. Out: who they are, verified again; or a key file, whose secret no gateway keeps.
Protocol: docs/protocol/identity.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import AuthorError, MalformedCbor, StateDamaged, UnknownPerson
from gateway.records import cbor, identity
from gateway.records.cose import SigningKey, check_public
from gateway.records.identity import Certificate, Kind
from gateway.records.roster import Roster
from gateway.store import consortium, folder, keyfile
from gateway.store.keyfile import Random

PERSONS = "persons"
KEY_BYTES = 32
_KEY_FILE_BYTES_MAX = 2048
_MARK = "hulian/1/person-key"


@dataclass(frozen=True, slots=True)
class Person:
    """A person's newest certificate, and the revocation that bars it, if any does."""

    certificate: Certificate
    revocation: Certificate | None = None

    @property
    def is_revoked(self) -> bool:
        """Say whether the certificate is barred."""
        return self.revocation is not None and self.revocation.revokes(self.certificate)


def load(state_dir: Path, rosters: Mapping[bytes, Roster]) -> tuple[Person, ...]:
    """Read everybody, by name; raise StateDamaged where a file is not what was kept."""
    found = []
    for path in sorted((state_dir / PERSONS).glob("*.person.cbor")):
        certificate = _read(path, "person", rosters)
        barred = _path(state_dir, certificate.subject, "revocation")
        revocation = _read(barred, "revocation", rosters) if barred.exists() else None
        found.append(Person(certificate, revocation))
    return tuple(sorted(found, key=lambda each: (each.certificate.name, each.certificate.subject)))


def revocations(state_dir: Path, rosters: Mapping[bytes, Roster]) -> list[Certificate]:
    """Read whom this organisation barred; raise StateDamaged where a file is not what was kept."""
    return [each.revocation for each in load(state_dir, rosters) if each.revocation is not None]


def find(persons: tuple[Person, ...], named: str) -> Person:
    """Find one by name, or by the beginning of the id as it is shown; raise UnknownPerson."""
    wanted = named.replace("-", "").upper()
    matching = [
        each
        for each in persons
        if each.certificate.name == named
        or (
            len(wanted) >= 8
            and identity.show_id(each.certificate.subject).replace("-", "").startswith(wanted)
        )
    ]
    if len(matching) != 1:
        raise UnknownPerson(person=named, count=len(matching))
    return matching[0]


def keep(state_dir: Path, certificate: Certificate) -> None:
    """Keep a person's certificate or revocation, verified by the caller, for an older one."""
    folder.make(state_dir / PERSONS)
    path = _path(state_dir, certificate.subject, certificate.kind)
    folder.keep(path, certificate.encoded)


def make_key_file(path: Path, name: str, random: Random, passphrase: str) -> bytes:
    """Make a person's key under that person's passphrase and give its public half."""
    seed = random(KEY_BYTES)
    public = SigningKey(seed).public
    locked = keyfile.lock(seed, passphrase, random)
    folder.keep(path, cbor.encode([_MARK, name, public, locked]))
    return public


def read_public(path: Path) -> bytes | None:
    """Give the public half of a key file, or None where it is none."""
    found = _key_file(path)
    return None if found is None else found[0]


def open_key(path: Path, passphrase: str) -> SigningKey:
    """Open a person's key file; raise WrongPassphrase, StateOpen or StateDamaged."""
    folder.read_own(path)
    found = _key_file(path)
    if found is None:
        raise StateDamaged(path=path, reason="not a person's key file")
    key = SigningKey(keyfile.unlock(found[1], passphrase, path))
    if key.public != found[0]:
        raise StateDamaged(path=path, reason="its two halves do not belong together")
    return key


def _key_file(path: Path) -> tuple[bytes, bytes] | None:
    try:
        match cbor.decode(folder.read(path), _KEY_FILE_BYTES_MAX):
            case [str() as mark, str(), bytes() as public, bytes() as locked] if mark == _MARK:
                check_public(public)
                return public, locked
    except MalformedCbor:
        pass
    return None


def _path(state_dir: Path, person: bytes, kind: Kind) -> Path:
    return state_dir / PERSONS / f"{person.hex()}.{kind}.cbor"


def _read(path: Path, kind: Kind, rosters: Mapping[bytes, Roster]) -> Certificate:
    try:
        found = identity.decode(folder.read_own(path), kind)
    except AuthorError as fault:
        raise StateDamaged(path=path, reason=fault) from None
    if found.subject.hex() != path.name.partition(".")[0]:
        raise StateDamaged(path=path, reason="it is of another person than its name says")
    if not consortium.is_vouched(found, rosters):
        raise StateDamaged(path=path, reason="no roster here vouches for it")
    return found
