"""What a node is told that joins a group. Protocol: docs/protocol/message.md.

In: a group's founding, its founder, rosters, changes of members and secret; or the fields of a
message from anywhere. Out: those fields; or the invitation. It checks form alone: whether they lead
from a trusted roster to a membership with this node in it is for the group to say.
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.errors import AuthorError, MalformedMessage
from gateway.groups.group import FOUNDING_BYTES_MAX, SECRET_BYTES
from gateway.records import feed
from gateway.records.feed import Credentials
from gateway.records.identity import NAME_CHARS_MAX
from gateway.records.record import FIXED_BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.records.roster import ROSTER_BYTES_MAX

ROSTERS_MAX: Final = 256
RECORDS_MAX: Final = 1024

Pair = tuple[bytes, bytes]  # a record and its body, which always travels


@dataclass(frozen=True, slots=True)
class Invite:
    """All by which a node takes part: it holds the group's secret, and is sealed to that node."""

    founding: bytes
    founder: Credentials
    rosters: tuple[bytes, ...]  # of the consortium, from 0 upwards
    membership: tuple[Pair, ...]  # with the geneses that they stand on, each before what needs it
    secret: bytes = field(repr=False)
    name: str  # what people call the group


def write(invite: Invite) -> list[object]:
    """Give the fields of the message."""
    return [
        invite.founding,
        *invite.founder.encoded(),
        list(invite.rosters),
        [list(pair) for pair in invite.membership],
        invite.secret,
        invite.name,
    ]


def read(fields: list[object]) -> Invite:
    """Read the fields of the message; raise MalformedMessage."""
    match fields:
        case [
            bytes() as founding,
            bytes() as node,
            bytes() as run,
            bytes() as encryption,
            list() as rosters,
            list() as membership,
            bytes() as secret,
            str() as name,
        ] if len(founding) <= FOUNDING_BYTES_MAX and len(secret) == SECRET_BYTES:
            if not 0 < len(rosters) <= ROSTERS_MAX or len(membership) > RECORDS_MAX:
                raise _wrong("no rosters, or too much of something")
            if not 0 < len(name) <= NAME_CHARS_MAX:
                raise _wrong("a name of no or too many characters")
            try:
                founder = feed.decode_credentials(node, run, encryption)
            except AuthorError as fault:
                raise MalformedMessage(reason=fault) from None
            held = tuple(_roster(each) for each in rosters)
            pairs = tuple(_pair(each) for each in membership)
            return Invite(founding, founder, held, pairs, secret, name)
    raise _wrong("missing fields or fields of the wrong type")


def _roster(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) <= ROSTER_BYTES_MAX:
        return value
    raise _wrong("a roster that is no bytes, or too long")


def _pair(row: object) -> Pair:
    match row:
        case [bytes() as record, bytes() as body] if (
            len(record) <= RECORD_BYTES_MAX and len(body) <= FIXED_BODY_BYTES_MAX
        ):
            return record, body
    raise _wrong("a record without a body, or one of both is too long")


def _wrong(reason: str) -> MalformedMessage:
    return MalformedMessage(reason=f"INVITE has {reason}")
