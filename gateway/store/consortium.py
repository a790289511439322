"""What the state directory keeps of others: rosters, contacts, and what this root has signed.

In: rosters and certificates that were verified, or the files that this module wrote. Out: the same,
verified again. A consortium's rosters are a chain from number 0 that only grows. What a root signs
is on the disk before its signature exists. Protocol: docs/protocol/roster.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.errors import (
    AuthorError,
    BadSignature,
    ForkedRoster,
    MalformedCbor,
    StateDamaged,
    UnknownOrganisation,
    UnknownRoster,
)
from gateway.groups.parties import Contact as Contact
from gateway.records import cbor, identity, roster, succession
from gateway.records.cose import SigningKey
from gateway.records.identity import Certificate
from gateway.records.roster import Roster
from gateway.records.succession import Vote
from gateway.store import folder

OWN_ROSTER, ROSTERS, CONTACTS = "organisation/roster.cbor", "rosters", "contacts"
VOTES = "organisation/signed.cbor"
_CONTACT_BYTES_MAX = 2 * identity.CERTIFICATE_BYTES_MAX + 16


def own_roster(state_dir: Path) -> Roster:
    """Read the organisation's own roster 0; raise StateDamaged."""
    path = state_dir / OWN_ROSTER
    try:
        return roster.decode(folder.read(path))
    except AuthorError as fault:
        raise StateDamaged(path=path, reason=fault) from None


def load_rosters(state_dir: Path) -> dict[bytes, Roster]:
    """Read every roster held, by its hash, the organisation's own too; raise StateDamaged."""
    own = own_roster(state_dir)
    held, heads = {own.hash: own}, {_name(own).rpartition("-")[0]: own}
    for (prefix, number), path in sorted(_numbered(state_dir / ROSTERS).items()):
        found = _after(path, number, heads.get(prefix))
        if _name(found) != path.stem:
            raise StateDamaged(path=path, reason="it is another roster than its name says")
        heads[prefix] = held[found.hash] = found
    return held


def newest(rosters: Mapping[bytes, Roster], consortium: bytes) -> Roster:
    """Give a consortium's roster with the highest number; raise UnknownRoster."""
    known = [each for each in rosters.values() if each.consortium == consortium]
    if not known:
        raise UnknownRoster(roster=consortium.hex())
    return max(known, key=lambda each: each.number)


def chain(rosters: Mapping[bytes, Roster], consortium: bytes) -> tuple[Roster, ...]:
    """Give the rosters of a consortium from number 0 on."""
    known = [each for each in rosters.values() if each.consortium == consortium]
    return tuple(sorted(known, key=lambda each: each.number))


def keep_roster(state_dir: Path, kept: Roster) -> None:
    """Keep a verified roster; raise UnknownRoster without the one before it, or ForkedRoster."""
    with folder.alone(state_dir):
        held = load_rosters(state_dir)
        known = {each.number: each.hash for each in chain(held, kept.consortium)}
        if known.get(kept.number, kept.hash) != kept.hash:
            raise ForkedRoster(consortium=kept.consortium.hex()[:16], number=kept.number)
        if kept.number in known:
            return
        if kept.previous is not None and kept.previous not in held:
            raise UnknownRoster(roster=kept.previous.hex())
        folder.make(state_dir / ROSTERS)
        folder.keep(state_dir / ROSTERS / f"{_name(kept)}.cbor", kept.encoded)


def load_contacts(state_dir: Path, rosters: Mapping[bytes, Roster]) -> dict[bytes, Contact]:
    """Read every contact by its node; raise StateDamaged where one is not what was kept."""
    contacts = {}
    for path in sorted((state_dir / CONTACTS).glob("*.cbor")):
        try:
            found = _contact(cbor.decode(folder.read_own(path), _CONTACT_BYTES_MAX))
            if found is None or found.node.subject.hex() != path.stem:
                raise StateDamaged(path=path, reason="it is not the contact that its name says")
            if not is_vouched(found.node, rosters):
                raise StateDamaged(path=path, reason="no roster here vouches for this gateway")
        except (MalformedCbor, AuthorError) as fault:
            raise StateDamaged(path=path, reason=fault) from None
        contacts[found.node.subject] = found
    return contacts


def keep_contact(state_dir: Path, contact: Contact) -> None:
    """Keep a contact, in the place of an older one; raise UnknownOrganisation, or an AuthorError.

    A roster that is held must vouch for it, so that a later start can believe it too.
    """
    contact.encryption.verify(contact.node.subject, contact.node.key)
    if not is_vouched(contact.node, load_rosters(state_dir)):
        raise UnknownOrganisation(organisation=contact.node.issuer.hex(), roster="-")
    folder.make(state_dir / CONTACTS)
    said = cbor.encode([contact.node.encoded, contact.encryption.encoded])
    folder.keep(state_dir / CONTACTS / f"{contact.node.subject.hex()}.cbor", said)


def is_vouched(certificate: Certificate, rosters: Mapping[bytes, Roster]) -> bool:
    """Say whether a root of its issuer, in one of these rosters, signed a certificate."""
    rows = [row for each in rosters.values() for row in each.organisations]
    for root in {row.root for row in rows if row.id == certificate.issuer}:
        try:
            certificate.verify(certificate.issuer, root)
            return True
        except BadSignature:  # it may have signed with a root of another roster
            continue
    return False


def votes(state_dir: Path, consortium: bytes) -> tuple[Vote, ...]:
    """Give what this root signed in a consortium; raise StateDamaged."""
    return tuple(vote for each, vote in _votes(state_dir / VOTES) if each == consortium)


def sign_roster(
    state_dir: Path, root: SigningKey, payload: bytes, before: Roster | None, shown: Sequence[bytes]
) -> bytes:
    """Sign a roster, remembered before the signature exists; raise RosterSigned where it may not.

    Without one before it, it is a roster 0, which anybody may found any number of.
    """
    if before is None:
        return roster.sign(root, payload)
    path = state_dir / VOTES
    with folder.alone(path.parent):
        every = _votes(path)
        earlier = [vote for each, vote in every if each == before.consortium]
        succession.may_sign(before, earlier, payload, shown)
        wanted = roster.read_next(payload, before)
        vote = Vote(wanted.number, wanted.attempt, wanted.hash)
        if vote not in earlier:
            said = [[each, one.number, one.attempt, one.hash] for each, one in every]
            said.append([before.consortium, vote.number, vote.attempt, vote.hash])
            folder.keep(path, cbor.encode({0: 1, 1: said}))
    return roster.sign(root, payload)


def _votes(path: Path) -> list[tuple[bytes, Vote]]:
    if not path.exists():
        return []
    try:
        said = cbor.decode(folder.read_own(path), folder.FILE_BYTES_MAX)
    except MalformedCbor as fault:
        raise StateDamaged(path=path, reason=fault) from None
    found = []
    match said:
        case {0: 1, 1: list() as rows}:
            for row in rows:
                match row:
                    case [bytes() as each, int() as number, int() as attempt, bytes() as hash_]:
                        found.append((each, Vote(number, attempt, hash_)))
            if len(found) == len(rows):
                return found
    raise StateDamaged(path=path, reason="it does not say what was signed")


def _after(path: Path, number: int, before: Roster | None) -> Roster:
    try:
        if number == 0:
            found = roster.decode(folder.read_own(path))
        elif before is None:
            raise StateDamaged(path=path, reason="the roster before it is missing")
        else:
            found = roster.decode_next(folder.read_own(path), before)
    except AuthorError as fault:
        raise StateDamaged(path=path, reason=fault) from None
    if number == 0 and before is not None and found.hash != before.hash:
        raise StateDamaged(path=path, reason="it is another roster than its name says")
    return found


def _numbered(path: Path) -> dict[tuple[str, int], Path]:
    """Give the files of rosters by consortium and number, so that they sort as a chain."""
    found = {}
    for each in path.glob("*.cbor"):
        prefix, _, number = each.stem.rpartition("-")
        if not (number.isascii() and number.isdigit() and str(int(number)) == number):
            raise StateDamaged(path=each, reason="it is another roster than its name says")
        found[prefix, int(number)] = each
    return found


def _name(kept: Roster) -> str:
    return f"{kept.consortium.hex()[:16]}-{kept.number}"


def _contact(said: object) -> Contact | None:
    match said:
        case [bytes() as node, bytes() as encryption]:
            found = Contact(
                identity.decode(node, "node"), identity.decode(encryption, "encryption")
            )
            found.encryption.verify(found.node.subject, found.node.key)
            return found
    return None
