"""The vectors of folded memberships: docs/protocol/membership.md.

A good history shows what an act brings about; a bad one, an act that brings about nothing.
"""

from collections.abc import Callable

from gateway.groups.group import Role
from gateway.groups.membership import Add, Approve, Remove, Roles
from gateway.records import identity
from gateway.records.identity import Named
from tests.histories import FOUNDERS, Histories, approvals, known, revocation
from tests.vectors.memberships import expect, told

SUPERVISED = {**FOUNDERS, "dyne": Role.SUPERVISOR}
TWO = {**FOUNDERS, "bolt": Role.INITIATOR}  # Two who may remove each other.


def _nothing() -> Histories:
    return Histories(FOUNDERS)


def added(*voices: str) -> Histories:
    """Have "ace" propose "east", and these approve."""
    history = Histories(FOUNDERS)
    proposal = history.add("ace", "east")
    for name in voices:
        history.tell("ace", name)
        history.say(name, Approve(proposal))
    return history


def _added_by_one() -> Histories:
    history = Histories(FOUNDERS, approvals(1))
    history.add("bolt", "east", Role.OBSERVER)
    return history


def _added_by_nodes_of_one_organisation() -> Histories:
    history = Histories({**FOUNDERS, "ace.2": Role.RECEIVER, "bolt.2": Role.RECEIVER})
    proposal = history.add("ace", "east")
    for name in ("ace.2", "bolt", "bolt.2"):
        history.tell("ace", name)
        history.say(name, Approve(proposal))
    return history


def _added_unsound() -> Histories:
    history = Histories(FOUNDERS, approvals(1))
    history.say("ace", Add(known("east").member(), known("east").node_certificate), sound=False)
    return history


def _added_for_another() -> Histories:
    history, root, node = Histories(FOUNDERS, approvals(1)), known("ace").root, known("coil").node
    stolen = identity.issue_node(root, (root.id, node.id), node.public, 2, Named("stolen"))
    member = known("coil").member(Role.INITIATOR)
    history.say("ace", Add(type(member)(root.id, member.encryption, member.roles), stolen))
    return history


def _roles(role: Role, founders: dict[str, Role] = FOUNDERS) -> Histories:
    history = Histories(founders)
    proposal = history.say("ace", Roles(known("dyne").node.id, (role,)))
    for name in ("bolt", "coil"):
        history.tell("ace", name)
        history.say(name, Approve(proposal))
    return history


def removed(by: str, founders: dict[str, Role] = FOUNDERS, who: str = "dyne") -> Histories:
    """Have a node remove another, which had said three records."""
    history = Histories(founders)
    for _ in range(3):
        history.speak(who)
    history.remove(by, who)
    return history


def _removed_by_its_own() -> Histories:
    history = Histories({**FOUNDERS, "bolt.2": Role.RECEIVER})
    history.remove("bolt", "bolt.2")
    return history


def revoked(by: str, *, counter: int = 9) -> Histories:
    """Have "bolt" remove the supervisor by a revocation from the root of some organisation."""
    history = Histories(SUPERVISED)
    revoking = revocation(by, "dyne", counter)
    history.say("bolt", Remove(known("dyne").node.id, history.cut("dyne"), revoking))
    return history


def _revoked_before_its_certificate() -> Histories:
    history = Histories(FOUNDERS, approvals(1))
    history.add("bolt", "east")
    history.tell("bolt", "coil")
    act = Remove(known("east").node.id, (), revocation("east", "east", 0))
    history.say("coil", act)
    return history


def _expelled() -> Histories:
    history = Histories(SUPERVISED)
    cut = history.cut("dyne")
    history.say("bolt", Remove(known("dyne").node.id, cut), without=("dyne",))
    return history


def mutual(*, receipt: bool) -> Histories:
    """Have two remove each other, neither knowing; perhaps a third had one of the removals."""
    history = Histories(TWO)
    history.remove("ace", "bolt")
    if receipt:
        history.receipt("coil", "ace")
    history.remove("bolt", "ace", sizes={history.actors["ace"].feeds[0]: 1})
    return history


def _defeated() -> Histories:
    history = Histories({**TWO, "coil": Role.INITIATOR})
    history.remove("ace", "bolt")  # Nobody contests it.
    history.remove("bolt", "coil", sizes={})  # Written after its cut.
    history.remove("coil", "dyne")  # Contested by that alone.
    return history


def _left() -> Histories:
    history = Histories(FOUNDERS)
    history.speak("dyne")
    history.leave("dyne")
    history.speak("dyne")
    return history


def _left_after_removing() -> Histories:
    history = Histories(TWO)
    history.remove("bolt", "coil")
    history.leave("bolt")
    return history


def readmitted(*, begins: bool) -> Histories:
    """Have a node removed and added again; it opens a new feed, or goes on in the old one."""
    history = Histories(FOUNDERS, approvals(1))
    history.remove("ace", "dyne")
    history.add("ace", "dyne")
    history.tell("ace", "dyne")
    if begins:
        history.begin("dyne")
    history.speak("dyne")
    history.add("dyne", "east")
    return history


def _removed_meanwhile() -> Histories:
    history = Histories(TWO, approvals(1))
    history.add("ace", "east")
    history.tell("ace", "bolt", "coil")
    history.remove("ace", "east")
    history.add("bolt", "east")
    return history


def approved_late(*, below: bool, receipt: str = "") -> Histories:
    """Have one whom the initiator removes approve an addition without knowing of it.

    `below` says whether the cut lets the approval count, `receipt` who had it before the removal,
    or, with a "!" before it, after hearing of the removal.
    """
    history = Histories(FOUNDERS)
    proposal = history.add("bolt", "east")
    history.tell("bolt", "coil", "dyne", "ace")
    history.say("coil", Approve(proposal))
    if not below:
        cut = history.cut("dyne")
        history.say("ace", Remove(known("dyne").node.id, cut))
    history.say("dyne", Approve(proposal))
    if below:
        history.remove("ace", "dyne")
    if receipt.startswith("!"):
        history.tell("ace", receipt[1:])
    if receipt:
        history.receipt(receipt.removeprefix("!"), "dyne")
    return history


def _undone_with_who_added_it() -> Histories:
    history = Histories(FOUNDERS, approvals(1))
    history.remove("ace", "dyne")
    history.add("dyne", "east", Role.INITIATOR)  # Back-dated: it does not know of the removal.
    history.begin("east")
    history.tell("dyne", "east")
    history.remove("east", "coil")
    return history


def _approved_by_a_stranger() -> Histories:
    history = added("bolt")
    history.begin("flux")
    history.tell("ace", "flux")
    history.say("flux", Approve(next(iter(history.changes))))
    return history


def _parked() -> Histories:
    history = added("bolt", "coil")
    del history.changes[next(iter(history.changes))]
    return history


def _unnamed() -> Histories:
    history = Histories(FOUNDERS)
    first = history.actors["dyne"].sizes.copy()
    history.begin("dyne", named=False)
    history.speak("dyne")
    history.remove("ace", "dyne", sizes=first)
    return history


def _named_by_a_genesis() -> Histories:
    history = Histories(FOUNDERS)
    history.speak("dyne")
    history.begin("dyne")
    later = history.actors["dyne"].feeds[-1]
    history.remove("ace", "dyne", sizes={later: 1})
    return history


def _supervisor_left() -> Histories:
    history = Histories(SUPERVISED)
    history.leave("dyne")
    return history


def _approved_again() -> Histories:
    history = added("bolt")
    (proposal,) = (one.id for one in history.changes.values() if isinstance(one.act, Add))
    history.say("bolt", Approve(proposal))
    return history


def _approved_unknown() -> Histories:
    history = Histories(FOUNDERS, approvals(2))
    proposal = history.add("ace", "east")
    history.say("bolt", Approve(proposal))
    history.leave("bolt")
    return history


def _approved_a_leaving() -> Histories:
    history = Histories(FOUNDERS)
    left = history.leave("dyne")
    history.tell("dyne", "coil")
    history.say("coil", Approve(left))
    return history


GOOD: dict[str, Callable[[], Histories]] = {
    "the founding alone": _nothing,
    "added by a quorum": lambda: added("bolt", "coil"),
    "added by one, as the policy says": _added_by_one,
    "other roles by a quorum": lambda: _roles(Role.OBSERVER),
    "removed by the initiator, at once": lambda: removed("ace"),
    "removed by a supervisor": lambda: removed("dyne", SUPERVISED, "coil"),
    "removed by a node of its own organisation": _removed_by_its_own,
    "a supervisor whom its own organisation revoked": lambda: revoked("dyne"),
    "a supervisor whose organisation was expelled": _expelled,
    "two who remove each other": lambda: mutual(receipt=False),
    "of two who remove each other, the first removal was receipted": lambda: mutual(receipt=True),
    "a removal contested by one that does not count": _defeated,
    "left": _left,
    "left, and what it did before stays": _left_after_removing,
    "added again, with a feed that knows of it": lambda: readmitted(begins=True),
    "an approval that the cut of its author lets count": lambda: approved_late(below=True),
    "an approval after the cut that another had": lambda: approved_late(
        below=False, receipt="coil"
    ),
    "an earlier feed that a named one names": _named_by_a_genesis,
}
BAD: dict[str, Callable[[], Histories]] = {
    "one approval too few": lambda: added("bolt"),
    "approvals of nodes, not of organisations": _added_by_nodes_of_one_organisation,
    "an approval by a stranger": _approved_by_a_stranger,
    "certificates that do not verify": _added_unsound,
    "a node of another organisation": _added_for_another,
    "a supervisor's role taken away": lambda: _roles(Role.RECEIVER, SUPERVISED),
    "a supervisor removed by the initiator": lambda: removed("ace", SUPERVISED),
    "a supervisor removed by another": lambda: removed(
        "coil", {**SUPERVISED, "coil": Role.SUPERVISOR}
    ),
    "removed by a receiver": lambda: removed("bolt"),
    "a revocation by another organisation": lambda: revoked("coil"),
    "a revocation of an earlier certificate": _revoked_before_its_certificate,
    "an approval after the cut": lambda: approved_late(below=False),
    "an approval after the cut that its own organisation had": lambda: approved_late(
        below=False, receipt="dyne"
    ),
    "an approval after the cut that another had too late": lambda: approved_late(
        below=False, receipt="!coil"
    ),
    "added by one removed, and what the added did": _undone_with_who_added_it,
    "added again, but in the old feed": lambda: readmitted(begins=False),
    "added while it is removed": _removed_meanwhile,
    "a past that is not all there": _parked,
    "a feed that no cut names": _unnamed,
    "the required supervisor left": _supervisor_left,
    "approved twice in one feed: the second is none of the newest": _approved_again,
    "an approval whose proposal is not in its past": _approved_unknown,
    "an approval of what is no proposal": _approved_a_leaving,
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "fold",
        "chapter": "docs/protocol/membership.md",
        "good": [_vector(name, make()) for name, make in GOOD.items()],
        "bad": [_vector(name, make()) for name, make in BAD.items()],
    }


def _vector(name: str, history: Histories) -> dict[str, object]:
    return {"name": name, **told(history), "expect": expect(history.fold())}
