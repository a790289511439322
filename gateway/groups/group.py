"""A group: the nodes of exactly the parties that something concerns. docs/protocol/group.md.

In: a founding signed by its founder's run, certificates, rosters; or a group file. Out: a verified
group that says who its first members are; who they are now is for `fold` to say. Randomness is an
argument.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256

from gateway.errors import (
    AuthorError,
    MalformedCbor,
    MalformedFounding,
    MalformedGroupFile,
    MalformedSignature,
    NotAMember,
    UnknownRoster,
)
from gateway.records import cbor, cose, feed, identity, roster
from gateway.records.cose import SigningKey
from gateway.records.feed import Credentials, Feed
from gateway.records.identity import NAME_CHARS_MAX, Certificate
from gateway.records.roster import Roster

FOUNDING_BYTES_MAX = 40 * 1024
GROUP_FILE_BYTES_MAX = 256 * 1024
MEMBERS_MAX = 64
TEMPLATES_MAX = 16
SECRET_BYTES = 32


class Role(IntEnum):
    """What a member is in the activity (first patent)."""

    INITIATOR = 0
    RECEIVER = 1
    SUPERVISOR = 2
    OBSERVER = 3


# Whose organisations must have receipted a record before it is agreed, unless the founding says.
REQUIRED_ROLES = (Role.INITIATOR, Role.RECEIVER, Role.SUPERVISOR)


class ActivityKind(IntEnum):
    """Between whom the activity goes on."""

    PERSON_THING = 0
    THING_THING = 1
    INDUSTRIAL = 2


@dataclass(frozen=True, slots=True)
class Member:
    """A node of an organisation, how to seal to it, and what it is here."""

    organisation: bytes
    encryption: Certificate
    roles: tuple[Role, ...]

    @property
    def node(self) -> bytes:
        """Name the member's node."""
        return self.encryption.issuer


@dataclass(frozen=True, slots=True)
class Policies:
    """How the group is governed; the defaults are what an empty map means."""

    approvals: int = 0  # organisations that an add or role change needs; 0: the usual quorum
    history: bool = False  # whether newcomers are given the keys of what was before them
    succeeds: bytes | None = None  # the group that this one goes on from
    receipts: tuple[Role, ...] = REQUIRED_ROLES  # whose organisations must receipt what is agreed
    witnesses: tuple[bytes, ...] = ()  # organisations whose witnesses count; none: the members'


@dataclass(frozen=True, slots=True)
class Founding:
    """What was agreed when the group was made.

    `templates` are the hashes of those by which activities are opened here; none: by any.
    """

    nonce: bytes
    consortium: bytes
    roster: bytes
    purpose: str
    kind: ActivityKind
    members: tuple[Member, ...]
    clear: bool
    policies: Policies = Policies()
    templates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A verified group; everything but its secret may be shown to anyone."""

    id: bytes
    founding: Founding
    encoded: bytes
    founder: Credentials
    roster: Roster
    secret: bytes
    earlier: tuple[Roster, ...] = ()  # the rosters before its own, from 0 upwards

    @property
    def chain(self) -> tuple[Roster, ...]:
        """Give the rosters from the consortium's first to the one it was founded under."""
        return (*self.earlier, self.roster)

    def __repr__(self) -> str:
        return f"Group({self.id.hex()[:16]}, {self.founding.purpose!r})"

    @property
    def tag(self) -> str:
        """Name the group on a link, to members only."""
        return hmac.digest(self.secret, b"tag", "sha256")[:16].hex()

    def member(self, node: bytes) -> Member:
        """Find a member by its node; raise NotAMember."""
        for member in self.founding.members:
            if member.node == node:
                return member
        raise NotAMember(node=node.hex(), group=self.id.hex()[:16])

    def admit(self, opened: Feed) -> None:
        """Check that a feed's author is a member, for its own organisation; raise NotAMember."""
        if opened.group != self.id:
            raise NotAMember(node=opened.node.hex(), group=self.id.hex()[:16])
        self._check(opened.node, opened.organisation)

    def check_member(self, node: Certificate) -> None:
        """Check that a verified node certificate is a member's; raise NotAMember."""
        self._check(node.subject, node.issuer)

    def _check(self, node: bytes, organisation: bytes) -> None:
        if self.member(node).organisation != organisation:
            raise NotAMember(node=node.hex(), group=self.id.hex()[:16])


def found(run_key: SigningKey, founder: Credentials, founding: Founding, within: Roster) -> Group:
    """Found a group without its secret; `founder` certifies the run that signs."""
    members = [member_row(member) for member in founding.members]
    payload = {
        0: 1,
        1: founding.nonce,
        2: founding.consortium,
        3: founding.roster,
        4: founding.purpose,
        5: int(founding.kind),
        6: sorted(members),
        7: sorted(founding.templates),
        8: _policies(founding.policies),
        9: founding.clear,
    }
    encoded = cose.sign(run_key, "founding", cbor.encode(payload))
    return verify(encoded, founder, within, secret=b"")


def verify(encoded: bytes, founder: Credentials, within: Roster, secret: bytes) -> Group:
    """Verify a founding under its founder's certificates and the roster; raise a GatewayError."""
    founder.verify(within)
    signed, founding = _parse(encoded)
    signed.verify(founder.run.key)
    if founding.roster != within.hash:
        raise MalformedFounding(reason="it names another roster")
    if founding.consortium != within.consortium:
        raise MalformedFounding(reason="it names another consortium than its roster's")
    group = Group(group_id(encoded), founding, encoded, founder, within, secret)
    named_witnesses = founding.policies.witnesses
    for organisation in (*(each.organisation for each in founding.members), *named_witnesses):
        within.organisation(organisation)
    if group.member(founder.node.subject).organisation != founder.node.issuer:
        raise MalformedFounding(reason="its founder is no member")
    return group


def verify_among(
    encoded: bytes, founder: Credentials, chain: Sequence[Roster], secret: bytes
) -> Group:
    """Verify a founding under the one of its consortium's rosters, 0 upwards, that it names."""
    named = _parse(encoded)[1].roster
    for number, within in enumerate(chain):
        if within.hash == named:
            found_ = verify(encoded, founder, within, secret)
            return replace(found_, earlier=tuple(chain[:number]))
    raise UnknownRoster(roster=named.hex())


def _parse(encoded: bytes) -> tuple[cose.Signed, Founding]:
    if len(encoded) > FOUNDING_BYTES_MAX:
        raise MalformedFounding(reason=f"longer than {FOUNDING_BYTES_MAX} bytes")
    try:
        signed = cose.decode(encoded, "founding")
        return signed, _read(cbor.decode(signed.payload, FOUNDING_BYTES_MAX))
    except (MalformedSignature, MalformedCbor) as fault:
        raise MalformedFounding(reason=fault) from None


def parse(encoded: bytes) -> Founding:
    """Read a founding that was verified when it was stored."""
    return _parse(encoded)[1]


def member_row(member: Member) -> list[object]:
    """Write a member as [organisation, node, encryption certificate, [roles]]."""
    roles = [int(role) for role in member.roles]
    return [member.organisation, member.node, member.encryption.encoded, roles]


def group_id(founding: bytes) -> bytes:
    """Name a group by its whole signed founding."""
    return sha256(b"hulian/1/group" + founding).digest()


def encode_file(group: Group) -> bytes:
    """Write the file by which a member takes part. It holds the secret: mode 0600."""
    return cbor.encode(
        {
            0: 1,
            1: group.encoded,
            2: group.founder.encoded(),
            3: [each.encoded for each in group.chain] if group.earlier else group.roster.encoded,
            4: group.secret,
        }
    )


def decode_file(content: bytes) -> Group:
    """Verify a group file whole; raise MalformedGroupFile and nothing else."""
    try:
        match cbor.decode(content, GROUP_FILE_BYTES_MAX):
            case {
                0: version,
                1: bytes() as founding,
                2: [bytes() as node, bytes() as run, bytes() as encryption],
                3: (bytes() | [bytes(), *_]) as rosters,
                4: bytes() as secret,
                **more,
            } if not more and type(version) is int and version == 1:
                if len(secret) != SECRET_BYTES:
                    raise MalformedGroupFile(reason="the secret is not 32 bytes")
                founder = feed.decode_credentials(node, run, encryption)
                return verify_among(founding, founder, _chain(rosters), secret)
    except (AuthorError, MalformedFounding, NotAMember) as fault:
        raise MalformedGroupFile(reason=fault) from None
    raise MalformedGroupFile(reason="fields are missing, unknown, or of the wrong type")


def _chain(rosters: bytes | list[object]) -> tuple[Roster, ...]:
    if isinstance(rosters, bytes):
        return (roster.decode(rosters),)
    encoded = [each for each in rosters if isinstance(each, bytes)]
    if len(encoded) != len(rosters) or len(encoded) < 2:
        raise MalformedGroupFile(reason="the rosters are not byte strings, or there is only one")
    return roster.decode_chain(encoded)


def _read(said: object) -> Founding:
    match said:
        case {
            0: version,
            1: bytes() as nonce,
            2: bytes() as consortium,
            3: bytes() as roster_hash,
            4: str() as purpose,
            5: int() as kind,
            6: list() as members,
            7: list() as templates,
            8: {**policies},
            9: bool() as clear,
            **more,
        } if not more and type(version) is int and version == 1:
            if any(len(value) != 32 for value in (nonce, consortium, roster_hash)):
                raise MalformedFounding(reason="a hash or the random bytes are not 32 bytes")
            if len(purpose) > NAME_CHARS_MAX or type(kind) is not int or not 0 <= kind <= 2:
                raise MalformedFounding(reason="purpose or activity kind out of bounds")
            first = _members(members)
            return Founding(
                nonce,
                consortium,
                roster_hash,
                purpose,
                ActivityKind(kind),
                first,
                clear,
                _read_policies(policies, len({member.organisation for member in first})),
                _templates(templates),
            )
    raise MalformedFounding(reason="fields are missing, unknown, or of the wrong type")


def _policies(said: Policies) -> dict[int, object]:
    rows: dict[int, object] = {0: said.approvals, 1: said.history, 2: said.succeeds}
    if said.receipts != REQUIRED_ROLES:
        rows[3] = [int(role) for role in said.receipts]
    rows[4] = sorted(said.witnesses)
    return {key: value for key, value in rows.items() if value}


def _read_policies(said: Mapping[object, object], organisations: int) -> Policies:
    approvals, history, succeeds = said.get(0, 0), said.get(1, False), said.get(2)
    if said.keys() - {0, 1, 2, 3, 4} or (2 in said and succeeds is None):
        raise MalformedFounding(reason="an unknown policy")
    if type(approvals) is not int or not 0 <= approvals <= organisations:
        raise MalformedFounding(reason="a policy asks for more organisations than there are")
    if not isinstance(history, bool) or not isinstance(succeeds, bytes | None):
        raise MalformedFounding(reason="a policy has the wrong type")
    if succeeds is not None and len(succeeds) != 32:
        raise MalformedFounding(reason="the group it succeeds is no hash")
    receipts = _roles(said[3]) if 3 in said else REQUIRED_ROLES
    witnesses = _witnesses(said[4]) if 4 in said else ()
    if receipts is None or witnesses is None:
        raise MalformedFounding(reason="roles or witnesses are none, unknown or not sorted")
    return Policies(approvals, history, succeeds, receipts, witnesses)


def _roles(said: object) -> tuple[Role, ...] | None:
    """Read roles, at least one, sorted; None if they are not such."""
    rows = said if isinstance(said, list) else []
    known = [role for role in rows if type(role) is int and 0 <= role <= max(Role)]
    if not rows or rows != sorted(set(known)) or len(known) != len(rows):
        return None
    return tuple(Role(role) for role in known)


def _witnesses(said: object) -> tuple[bytes, ...] | None:
    """Read organisations, at least one, sorted; None if they are not such."""
    rows = said if isinstance(said, list) else []
    known = [each for each in rows if isinstance(each, bytes) and len(each) == 16]
    if not 0 < len(rows) <= MEMBERS_MAX or rows != sorted(set(known)):
        return None
    return tuple(known)


def _templates(said: Sequence[object]) -> tuple[bytes, ...]:
    known = [each for each in said if isinstance(each, bytes) and len(each) == 32]
    if len(said) > TEMPLATES_MAX or list(said) != sorted(set(known)):
        raise MalformedFounding(reason="templates are too many, no hashes, or not sorted")
    return tuple(known)


def _members(rows: Sequence[object]) -> tuple[Member, ...]:
    members = tuple(read_member(row) for row in rows)
    order = [(member.organisation, member.node) for member in members]
    if not 0 < len(members) <= MEMBERS_MAX or order != sorted(order):
        raise MalformedFounding(reason="members are none, too many, or not sorted")
    if len({member.node for member in members}) != len(members):
        raise MalformedFounding(reason="a node is a member twice")
    return members


def read_member(row: object) -> Member:
    """Read [organisation, node, encryption certificate, [roles]]; raise MalformedFounding."""
    match row:
        case [bytes() as organisation, bytes() as node, bytes() as encryption, list() as roles]:
            certificate, known = identity.decode(encryption, "encryption"), _roles(roles)
            if certificate.issuer != node or known is None:
                raise MalformedFounding(reason="a member's certificate or roles are not right")
            return Member(organisation, certificate, known)
    raise MalformedFounding(reason="a member has missing fields or fields of the wrong type")
