"""What an organisation's people decide about groups, carried out: foundings, invitations accepted.

In: members and terms, or an invitation that was judged. Out: a group in its file and in the store;
invitations that wait for a person, in files of mode 0600 because they hold a group's secret. It
judges nothing: docs/protocol/group.md says who may be a member, message.md who invites.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import apsw

from gateway.errors import GatewayError, MalformedCbor, StateDamaged, UnknownInvitation
from gateway.groups import group
from gateway.groups.group import Founding, Group
from gateway.groups.parties import Contact
from gateway.records import cbor, identity
from gateway.records.roster import Roster
from gateway.store import authoring, contacts, folder, groups, pairing, state
from gateway.store.authoring import Author, Venue
from gateway.store.state import State

INVITATIONS_MAX: Final = 64
INVITATIONS_OF_ONE_MAX: Final = 16  # of one organisation: the others' have room beside them
DECLINED_MAX: Final = 1024  # that are remembered, the oldest forgotten first
_INVITATIONS: Final = "invitations"
_DECLINED: Final = "declined"  # in the same folder
_ID_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """An invitation that waits for a person: who invites, what they call the group, the group."""

    organisation: str
    name: str
    group: Group


def known_nodes(db: apsw.Connection, held: State) -> list[Contact]:
    """Give all nodes whose certificates are held and are not revoked: ours and others'."""
    known = dict(held.contacts)
    for each in groups.registered(db):
        for node, contact in contacts.of_group(db, each.id).items():
            known.setdefault(node, contact)
    known[held.node_id] = held.own_contact
    every = {*pairing.load_revocations(held.path), *groups.revocations(db)}
    barred = [identity.decode(each, "revocation") for each in sorted(every)]
    return [
        contact
        for _, contact in sorted(known.items())
        if not any(each.revokes(contact.node) for each in barred)
    ]


def newest_rosters(db: apsw.Connection, held: State) -> list[Roster]:
    """Give the newest roster of each consortium that is known here, the one of fewest first."""
    return newest_of([*held.rosters.values(), *groups.rosters(db).values()])


def newest_of(rosters: Iterable[Roster]) -> list[Roster]:
    """Give the newest roster of each consortium among these, the one of fewest first."""
    newest: dict[bytes, Roster] = {}
    for each in rosters:
        if each.consortium not in newest or newest[each.consortium].number < each.number:
            newest[each.consortium] = each
    return sorted(newest.values(), key=lambda each: (len(each.organisations), each.hash))


def chain(db: apsw.Connection, held: State, within: Roster) -> tuple[Roster, ...]:
    """Give the rosters of a consortium from its first up to one."""
    known = [*held.rosters.values(), *groups.rosters(db).values()]
    numbered = {each.number: each for each in known if each.consortium == within.consortium}
    return tuple(numbered[number] for number in range(within.number + 1))


def found(author: Author, founding: Founding, rosters: tuple[Roster, ...]) -> Group:
    """Found a group in this run, under the last of a consortium's rosters."""
    founded = group.found(author.run.key, author.run.credentials, founding, rosters[-1])
    return replace(founded, secret=author.random(group.SECRET_BYTES), earlier=rosters[:-1])


def join(db: apsw.Connection, author: Author, name: str, joined: Group) -> None:
    """Register a group that this node founded or was invited to; its founder opens its feed."""
    groups.register(db, name, joined)
    if joined.founder.run.key == author.run.key.public:
        authoring.begin(db, author, Venue(joined.id, joined.roster.hash, joined.encoded))


def keep_waiting(state_dir: Path, invited: Waiting) -> bool:
    """Keep an invitation until a person decides, the newest to a group; say whether it had room."""
    place, by = state_dir / _INVITATIONS, invited.group.founder.node.issuer.hex()[:16]
    folder.make(place)
    path = place / f"{invited.group.id.hex()[:16]}-{by}.cbor"
    is_full = len(list(place.glob("*.cbor"))) >= INVITATIONS_MAX
    if not path.exists() and (
        is_full or len(list(place.glob(f"*-{by}.cbor"))) >= INVITATIONS_OF_ONE_MAX
    ):
        return False
    content = [invited.organisation, invited.name, group.encode_file(invited.group)]
    folder.keep(path, cbor.encode(content))
    return True


def decline(state_dir: Path, invited: Waiting) -> None:
    """Let go of an invitation and remember that, so that repeats of it do not come back."""
    declined = [each for each in _declined(state_dir) if each != invited.group.id]
    kept = [*declined, invited.group.id][-DECLINED_MAX:]
    folder.make(state_dir / _INVITATIONS)
    folder.keep(state_dir / _INVITATIONS / _DECLINED, b"".join(kept))
    forget_waiting(state_dir, invited.group.id)


def is_declined(state_dir: Path, wanted: bytes) -> bool:
    """Say whether an invitation to a group was declined; raise StateDamaged, StateOpen."""
    return wanted in _declined(state_dir)


def waiting(state_dir: Path) -> list[Waiting]:
    """Give the invitations that wait; raise StateDamaged, StateOpen."""
    paths = sorted((state_dir / _INVITATIONS).glob("*.cbor"))
    return [_read(path) for path in paths]


def find_waiting(state_dir: Path, wanted: str) -> Waiting:
    """Find an invitation by the group's name, or the beginning of its id."""
    for each in waiting(state_dir):
        if wanted and (each.name == wanted or each.group.id.hex().startswith(wanted)):
            return each
    raise UnknownInvitation(invitation=wanted)


def forget_waiting(state_dir: Path, joined: bytes) -> None:
    """Let go of an invitation that was decided on."""
    for path in (state_dir / _INVITATIONS).glob(f"{joined.hex()[:16]}*.cbor"):
        path.unlink(missing_ok=True)


def is_consortiums_own(joined: Group) -> bool:
    """Say whether a group is the one in which a consortium keeps what is public.

    Only an organisation that began the consortium founds it: who was admitted later gets nobody
    into a group by its purpose alone.
    """
    first = {each.id for each in joined.chain[0].organisations}
    is_named = joined.founding.clear and joined.founding.purpose == state.CONSORTIUM
    return is_named and joined.founder.node.issuer in first


def own_of(known: Iterable[Group], within: Roster) -> Group | None:
    """Give a consortium's own group; where two were founded at once, everybody takes the same."""
    found = (each for each in known if each.founding.consortium == within.consortium)
    return min(filter(is_consortiums_own, found), key=lambda each: each.id, default=None)


def _declined(state_dir: Path) -> list[bytes]:
    path = state_dir / _INVITATIONS / _DECLINED
    if not path.exists():
        return []
    said = folder.read_own(path)
    if len(said) % _ID_BYTES:
        raise StateDamaged(path=path, reason="not a list of groups")
    return [said[at : at + _ID_BYTES] for at in range(0, len(said), _ID_BYTES)]


def _read(path: Path) -> Waiting:
    encoded = folder.read_own(path)
    try:
        match cbor.decode(encoded, _FILE_BYTES_MAX):
            case [str() as organisation, str() as name, bytes() as content]:
                return Waiting(organisation, name, group.decode_file(content))
    except (MalformedCbor, GatewayError) as fault:
        raise StateDamaged(path=path, reason=fault) from None
    raise StateDamaged(path=path, reason="not an invitation")
