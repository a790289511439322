"""A verdict: what a proof shows to whoever trusts a roster. Protocol: docs/protocol/proof.md.

In: a proof's bytes from anywhere, and the hashes of trusted rosters. Out: statement by statement
what held, what did not and why, and what was not shown; who has signed that they hold the record,
who agrees to it, and whose witnesses stand for it. It never says yes to nothing, nor counts what it
did not check. What a step judges is `showing`'s.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.errors import (
    AdditionUnproven,
    AuthorError,
    GroupError,
    NotAgreed,
    PeerError,
    TooFewWitnesses,
)
from gateway.groups import showing
from gateway.groups.showing import Among, Party, Voice
from gateway.records import attestation, proof
from gateway.records.attestation import Proved
from gateway.records.checkpoint import Checkpoint
from gateway.records.feed import Credentials
from gateway.records.proof import Proof
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
    "agreed",
    "journal",
    "witnesses",
    "final",
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something did not hold or was not shown: an error, and which of several parts it is."""

    told: str
    number: int | None = None  # from 1, where the statement is about several


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a proof may show: True held, False did not, None was not shown; and why."""

    name: str
    held: bool | None
    reasons: tuple[Reason, ...] = ()

    @property
    def reason(self) -> str:
        """Say why in one line."""
        return "; ".join(each.told for each in self.reasons)


_NOTHING: Final = Statement("", None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof shows, statement by statement; the record only where it held."""

    statements: tuple[Statement, ...]
    record: Record | None = None
    author: Party | None = None
    holders: tuple[Party, ...] = ()  # whose receipts held, each once
    devices: tuple[Proved, ...] = ()  # what devices signed of the body
    parties: tuple[Voice, ...] = ()  # who must have receipted the record, and whether it has
    witnesses: tuple[Voice, ...] = ()  # whose witnesses count, and whether they cosigned
    quorum: int = 0  # how many of these must have

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
    within = judging.take("roster", rosters, lambda part: showing.chain(part, trusted))
    if within is None:
        return Verdict(judging.statements())
    by = judging.take(
        "certificates", shown.certificates, lambda part: showing.credentials(part, within)
    )
    if by is None:
        return Verdict(judging.statements())
    said = judging.take("record", shown.record, lambda part: showing.record_of(part, by))
    if said is None:
        return Verdict(judging.statements())
    return _Reading(judging, shown, within, by, said).verdict()


class _Judging:
    """Statements as they are judged: what no step was taken for was not shown."""

    def __init__(self) -> None:
        self._judged: dict[str, Statement] = {}

    def take(
        self,
        name: str,
        part: Part | None,
        step: Callable[[Part], Found],
        number: int | None = None,
    ) -> Found | None:
        """Take a step with a part; None where the part is absent or does not hold."""
        if part is None:
            return None
        try:
            found = step(part)
        except (AdditionUnproven, NotAgreed, TooFewWitnesses) as fault:
            # It may be so, or not: neither was shown.
            if self.held(name) is not False:
                self._judged[name] = Statement(name, None, (Reason(str(fault), number),))
            return None
        except (AuthorError, GroupError, PeerError) as fault:
            before = self._judged.get(name, _NOTHING)
            reasons = before.reasons if before.held is False else ()
            self._judged[name] = Statement(name, False, (*reasons, Reason(str(fault), number)))
            return None
        self._judged.setdefault(name, Statement(name, True))
        return found

    def held(self, name: str) -> bool | None:
        """Say how a statement stands by now."""
        return self._judged.get(name, _NOTHING).held

    def is_final(self) -> bool:
        """Say whether a record is agreed and cosigned, and nothing that was shown is wrong."""
        wrong = any(statement.held is False for statement in self._judged.values())
        return not wrong and all(self.held(name) for name in ("agreed", "witnesses"))

    def statements(self) -> tuple[Statement, ...]:
        """Give all statements in order."""
        return tuple(self._judged.get(name, Statement(name, None)) for name in NAMES)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The steps after the record was shown to be its author's."""

    judging: _Judging
    shown: Proof
    within: Sequence[Roster]
    by: Credentials
    said: Record

    def verdict(self) -> Verdict:
        """Take them all."""
        take, said = self.judging.take, self.said
        opening = take("body", self.shown.opening, lambda part: showing.body(said, part))
        devices = take("device", showing.claimed(said, opening), attestation.check) or ()
        among = self._group()
        holders, agreeing = self._holders(among)
        parties = self._agreed(among, agreeing)
        witnesses, quorum = self._witnesses(among, self._journal())
        if self.judging.is_final():
            take("final", said, lambda part: part)
        return Verdict(
            self.judging.statements(),
            said,
            showing.party(self.by, self.within),
            holders,
            devices,
            parties,
            witnesses,
            quorum,
        )

    def _group(self) -> Among | None:
        take, said, within = self.judging.take, self.said, self.within
        founded = self.shown.founded
        found = take("group", founded, lambda part: showing.founded_group(said, part, within))
        pairs = self.shown.membership
        among = take("group", found, lambda part: showing.members(said, part, pairs, within))
        take("group", among, lambda part: part.check(self.by, said.feed, said.seq))
        return among

    def _holders(self, among: Among | None) -> tuple[tuple[Party, ...], frozenset[bytes]]:
        if self.shown.founded is not None and among is None:
            return (), frozenset()  # Who may hold it did not hold, so nobody is counted.
        said, within = self.said, self.within
        found = [
            self.judging.take(
                "receipts", each, lambda part: showing.holder(said, part, within, among), number
            )
            for number, each in enumerate(self.shown.receipts, 1)
        ]
        held = [each for each in found if each is not None]
        agreeing = frozenset(each.party.organisation for each in held if each.agrees)
        return tuple(dict.fromkeys(each.party for each in held)), agreeing

    def _agreed(self, among: Among | None, agreeing: Collection[bytes]) -> tuple[Voice, ...]:
        if among is None or not self.judging.held("group"):
            return ()
        said, by = self.said, self.by
        needed = self.judging.take("agreed", among, lambda part: showing.required(said, part))
        if needed is None:
            return ()
        self.judging.take("agreed", needed, lambda part: showing.agreed(said, by, part, agreeing))
        given = {by.node.issuer, *agreeing}
        return self._voices(sorted(needed), given)

    def _journal(self) -> Checkpoint | None:
        said, by, within = self.said, self.by, self.within
        shown = self.shown.journaled
        step = showing.journal_of
        return self.judging.take("journal", shown, lambda part: step(said, by, part, within))

    def _witnesses(
        self, among: Among | None, found: Checkpoint | None
    ) -> tuple[tuple[Voice, ...], int]:
        journaled = self.shown.journaled
        if among is None or found is None or journaled is None:
            return (), 0
        within, counting = self.within, showing.witnesses(among, self.within)
        signed = {
            self.judging.take(
                "witnesses", line, lambda part: showing.cosigner(found.text, part, within), number
            )
            for number, line in enumerate(journaled.cosignatures, 1)
        }
        given = [each for each in counting.keys if each in signed]
        if self.judging.held("witnesses") is not False:
            self.judging.take("witnesses", given, lambda part: showing.enough(part, counting))
        return self._voices(counting.keys, given), counting.quorum

    def _voices(
        self, organisations: Iterable[bytes], given: Collection[bytes]
    ) -> tuple[Voice, ...]:
        return tuple(
            Voice(each, showing.name_of(each, self.within), each in given) for each in organisations
        )
