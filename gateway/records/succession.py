"""What a root may sign, so that a consortium never has two rosters with one number.

In: what this root signed before, a roster somebody proposes, and the proposals that failed. Out:
nothing, or the reason not to sign. It keeps nothing: who signs remembers first. A proposal is a
roster that may still lack signatures. Protocol: docs/protocol/roster.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import MalformedRoster, RosterSigned
from gateway.records import roster
from gateway.records.roster import Missing, Roster


@dataclass(frozen=True, slots=True)
class Vote:
    """What a root once signed: number, attempt and hash of a roster of one consortium."""

    number: int
    attempt: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """A roster after `before`, the good signatures it has, and what it lacks."""

    roster: Roster
    payload: bytes
    signatures: tuple[bytes, ...]
    missing: Missing

    @property
    def vote(self) -> Vote:
        """Give what whoever signs it has signed."""
        return Vote(self.roster.number, self.roster.attempt, self.roster.hash)


def decode(encoded: bytes, before: Roster) -> Proposal:
    """Verify a roster that may lack signatures; raise MalformedRoster, BadSignature or WeakKey."""
    payload, signatures = roster.take_apart(encoded)
    lacking = roster.missing(payload, signatures, before)
    return Proposal(roster.read_next(payload, before), payload, tuple(signatures), lacking)


def join(proposals: Sequence[bytes]) -> bytes:
    """Join the signatures of several proposals of one roster; raise MalformedRoster."""
    apart = [roster.take_apart(each) for each in proposals]
    if len({payload for payload, _ in apart}) != 1:
        raise MalformedRoster(reason="proposals of several rosters")
    return roster.assemble(apart[0][0], [one for _, signatures in apart for one in signatures])


def may_sign(
    before: Roster, earlier: Iterable[Vote], payload: bytes, shown: Sequence[bytes] = ()
) -> None:
    """Raise RosterSigned where a root that voted so may not sign this roster after `before`.

    `earlier` is every vote of this root in this consortium; `shown` are proposals of the attempt
    before this one, whose signatures prove that none of its rosters can reach the quorum.
    """
    wanted = roster.read_next(payload, before)
    vote = Vote(wanted.number, wanted.attempt, wanted.hash)
    votes = tuple(earlier)
    if vote in votes:
        return  # It signed this very roster: the same signature again.
    for one in votes:
        if (one.number, one.attempt) == (vote.number, vote.attempt):
            raise RosterSigned(number=vote.number, reason="it signed another roster of this number")
        if (one.number, one.attempt) > (vote.number, vote.attempt):
            raise RosterSigned(number=vote.number, reason="it signed a later one already")
    if vote.attempt and not is_stuck(before, vote.attempt - 1, shown):
        reason = "nothing shows that the attempt before this one can no longer succeed"
        raise RosterSigned(number=vote.number, reason=reason)


def is_stuck(before: Roster, attempt: int, shown: Sequence[bytes]) -> bool:
    """Say whether these proposals show that no roster of the attempt can reach the quorum.

    An organisation that signed two of them may sign any, like one that has signed none.
    """
    signed: dict[bytes, set[bytes]] = {}
    for encoded in shown:
        proposal = decode(encoded, before)
        if proposal.roster.attempt != attempt:
            raise MalformedRoster(reason="a proposal of another attempt")
        waiting = {each.id for each in proposal.missing.among}
        signed.setdefault(proposal.roster.hash, set()).update(
            each.id for each in before.organisations if each.id not in waiting
        )
    signers = [who for each in signed.values() for who in each]
    bound = {who for who in signers if signers.count(who) == 1}
    free = len(before.organisations) - len(bound)
    most = max((len(who & bound) for who in signed.values()), default=0)
    return most + free < roster.quorum(len(before.organisations))
