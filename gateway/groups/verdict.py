"""A verdict: what a proof shows to whoever trusts a roster. Protocol: docs/protocol/proof.md.

In: a proof's bytes from anywhere, and the hashes of trusted rosters. Out: statement by statement
what held, what did not and why, and what was not shown; and who has signed that they hold the
record. It never says yes to nothing, nor counts what it did not check.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.errors import (
    AdditionUnproven,
    AuthorError,
    BadAck,
    BadBody,
    GroupError,
    MalformedPack,
    NotAMember,
    PeerError,
    ProofFails,
    UnknownRoster,
    WrongFeed,
)
from gateway.groups import agreement, group
from gateway.groups.group import Group
from gateway.readings import senml
from gateway.records import attestation, feed, merkle, proof, record, roster
from gateway.records.attestation import Proved
from gateway.records.feed import Credentials
from gateway.records.identity import Certificate
from gateway.records.proof import Certificates, Founded, Opening, Proof, Receipt
from gateway.records.record import Record
from gateway.records.roster import Roster

Part = TypeVar("Part")
Found = TypeVar("Found")

NAMES: Final = (
    "roster",
    "certificates",
    "record",
    "body",
    "device",
    "group",
    "receipts",
    "journal",  # Its chapter is to come, and so is that of the witnesses.
    "witnesses",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a proof may show: True held, False did not, None was not shown; and why."""

    name: str
    held: bool | None
    reason: str = ""


_NOTHING: Final = Statement("", None)


@dataclass(frozen=True, slots=True)
class Party:
    """A node, and the organisation that vouches for it, with what the roster calls it."""

    node: bytes
    organisation: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof shows, statement by statement; the record only where it held."""

    statements: tuple[Statement, ...]
    record: Record | None = None
    author: Party | None = None
    holders: tuple[Party, ...] = ()  # whose receipts held, each once
    devices: tuple[Proved, ...] = ()  # what devices signed of the body

    @property
    def holds(self) -> bool:
        """Say whether the record is its author's, and nothing in the proof is wrong."""
        held = {statement.name: statement.held for statement in self.statements}
        return held["record"] is True and False not in held.values()


def judge(encoded: bytes, trusted: Collection[bytes]) -> Verdict:
    """Check a proof, trusting nothing but rosters of these hashes; raise MalformedProof."""
    shown = proof.decode(encoded)
    judging = _Judging()
    rosters = None if shown.roster is None else (*shown.earlier, shown.roster)
    within = judging.take("roster", rosters, lambda part: _chain(part, trusted))
    if within is None:
        return Verdict(judging.statements())
    by = judging.take("certificates", shown.certificates, lambda part: _credentials(part, within))
    if by is None:
        return Verdict(judging.statements())
    said = judging.take("record", shown.record, lambda part: _record(part, by))
    if said is None:
        return Verdict(judging.statements())
    opening = judging.take("body", shown.opening, lambda part: _body(said, part))
    devices = judging.take("device", _claimed(said, opening), attestation.check) or ()
    among = judging.take("group", shown.founded, lambda part: _group(said, part, within))
    judging.take("group", among, lambda part: _founded_with(part, by.node))
    author = _party(by, within)
    holders = _holders(judging, shown, said, within, among)
    return Verdict(judging.statements(), said, author, holders, devices)


class _Judging:
    """Statements as they are judged: what no step was taken for was not shown."""

    def __init__(self) -> None:
        self._judged: dict[str, Statement] = {}

    def take(self, name: str, part: Part | None, step: Callable[[Part], Found]) -> Found | None:
        """Take a step with a part; None where the part is absent or does not hold."""
        if part is None:
            return None
        try:
            found = step(part)
        except AdditionUnproven as fault:  # It may be so, or not: neither was shown.
            if self._judged.get(name, _NOTHING).held is not False:
                self._judged[name] = Statement(name, None, str(fault))
            return None
        except (AuthorError, GroupError, PeerError) as fault:
            before = self._judged.get(name, _NOTHING)
            reason = f"{before.reason}; {fault}" if before.held is False else str(fault)
            self._judged[name] = Statement(name, False, reason)
            return None
        self._judged.setdefault(name, Statement(name, True))
        return found

    def statements(self) -> tuple[Statement, ...]:
        """Give all statements in order."""
        return tuple(self._judged.get(name, Statement(name, None)) for name in NAMES)


def _chain(encoded: Sequence[bytes], trusted: Collection[bytes]) -> tuple[Roster, ...]:
    """Verify the rosters from number 0 on; one that is trusted vouches for those linked to it."""
    chain = roster.decode_chain(encoded)
    if not any(each.hash in trusted for each in chain):
        raise UnknownRoster(roster=chain[-1].hash.hex())
    return chain


def _credentials(certificates: Certificates, within: Sequence[Roster]) -> Credentials:
    """Verify certificates by the newest of the rosters that does."""
    credentials = feed.decode_credentials(*certificates)
    for each in reversed(within[1:]):
        with suppress(AuthorError):
            credentials.verify(each)
            return credentials
    credentials.verify(within[0])
    return credentials


def _record(encoded: bytes, by: Credentials) -> Record:
    shown = record.decode(encoded, by.run.key)
    if shown.feed != feed.feed_id(by.run.key, shown.group):
        raise WrongFeed(part="feed")
    return shown


def _body(said: Record, opening: Opening) -> Opening:
    if said.body is None:
        raise BadBody(reason="the record has no body")
    if record.commitment(opening.salt, opening.content) != said.body.commitment:
        raise BadBody(reason="its content is not the one committed to")
    if said.key_number == 0:
        record.check_body(said, record.clear_body(opening.content, opening.salt))
    return opening


def _claimed(said: Record, opening: Opening | None) -> bytes | None:
    """Give the pack in which something claims to be signed by a device, if there is one."""
    if opening is None or said.body is None or said.body.content_type != senml.CONTENT_TYPE:
        return None
    try:
        return opening.content if attestation.claims(opening.content) else None
    except MalformedPack:
        return None  # nobody can read it, so it claims nothing


def _group(said: Record, founded: Founded, within: Sequence[Roster]) -> Group:
    founder = feed.decode_credentials(*founded.certificates)
    found = group.verify_among(founded.founding, founder, within, secret=b"")
    if found.id != said.group:
        raise WrongFeed(part="group")
    return found


def _founded_with(among: Group, node: Certificate) -> Certificate:
    """See that a node is a member by the founding: what came later no proof carries yet."""
    try:
        among.check_member(node)
    except NotAMember:
        fault = AdditionUnproven(node=node.subject.hex(), group=among.id.hex()[:16])
        raise fault from None
    return node


def _holders(
    judging: _Judging, shown: Proof, said: Record, within: Sequence[Roster], among: Group | None
) -> tuple[Party, ...]:
    if shown.founded is not None and among is None:
        return ()  # Who may hold it did not hold, so nobody is counted.
    found = (
        judging.take("receipts", receipt, lambda part: _holder(said, part, within, among))
        for receipt in shown.receipts
    )
    return tuple(dict.fromkeys(each for each in found if each is not None))


def _holder(said: Record, receipt: Receipt, within: Sequence[Roster], among: Group | None) -> Party:
    """See that a member has signed for a head above the record, and that it owes no body of it."""
    by = _credentials(receipt.certificates, within)
    ack = agreement.decode(receipt.ack).verify(by.run.key)
    if ack.group != said.group:
        raise BadAck(reason="it is of another group")
    for entry in ack.entries:
        if entry.head.feed != said.feed:
            continue
        if any(low <= said.seq < high for low, high in entry.ranges):
            raise BadAck(reason="its signer says that it does not hold this record's body")
        head = entry.head
        if merkle.root_by_inclusion(said.id, said.seq, head.size, receipt.path) != head.root:
            raise ProofFails(reason="the path does not lead to the head that was signed for")
        if among is not None:
            _founded_with(among, by.node)
        return _party(by, within)
    raise BadAck(reason="it says nothing of this record's feed")


def _party(by: Credentials, within: Sequence[Roster]) -> Party:
    rows = [each for one in reversed(within) for each in one.organisations]
    organisation = next(each for each in rows if each.id == by.node.issuer)
    return Party(by.node.subject, organisation.id, organisation.name)
