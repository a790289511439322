"""Activities in real stores: projected as records come, folded as they can be read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.activities import activity, approval, stated, wording
from gateway.activities.activity import (
    Act,
    Chunk,
    Close,
    Correction,
    Mode,
    Open,
    Party,
    Update,
    Value,
)
from gateway.activities.approval import Approval, Verdict
from gateway.activities.state import State, Word, at
from gateway.activities.stated import Stated
from gateway.activities.terms import Approving, Needs
from gateway.activities.tree import Tree
from gateway.errors import MalformedActivity, NotAttached, UnknownActivity
from gateway.groups.group import ActivityKind, Role
from gateway.records import record
from gateway.records.record import Kind, Said
from gateway.store import activities, folding, groups, projections, reaching
from gateway.store.folding import Bound, Folds
from tests.ordering import human
from tests.people import admitted, group_of, party
from tests.sealed import Gateway, count

ACE, BOLT = party("ace"), party("bolt")
ROOT = bytes(32)
KINDS = {
    Open: Kind.ACTIVITY_OPEN,
    Update: Kind.ACTIVITY_UPDATE,
    Close: Kind.ACTIVITY_CLOSE,
    Correction: Kind.CORRECTION,
    Chunk: Kind.ATTACHMENT,
}
TEMPLATE = """
name = "lot"
title = { en = "A lot" }
kind = "industrial"
mode = "information"
version = 1

[field.quantity]
title = { en = "Pieces" }
type = "number"
write = ["initiator"]
needs = "agreed"

[field.note]
title = { en = "Note" }
type = "text"
merge = "append"
write = ["initiator", "receiver"]

[field.made]
title = { en = "Made" }
type = "number"
merge = "counter"
write = ["receiver"]

[[guard]]
on = "made"
field = "quantity"
is = "set"
why = { en = "nothing is made without a quantity" }

[close]
write = ["initiator"]
"""


def say(by: Gateway, act: Act, within: bytes | None = None, deps: Sequence[bytes] = ()) -> bytes:
    """Say something in an activity; give its record."""
    said = Said(KINDS[type(act)], activity.encode(act), activity.CONTENT_TYPE, within, tuple(deps))
    by.say(said)
    return record.parse(by.records()[-1].encoded).id


def by_name(each: Party) -> bytes:
    """Sort parties as a record has them."""
    return each.organisation


def opening(**fields: Value) -> Open:
    """Give what ace opens with bolt."""
    parties = [Party(ACE.root.id, (Role.INITIATOR,)), Party(BOLT.root.id, (Role.RECEIVER,))]
    said = tuple(sorted(parties, key=by_name))
    return Open(ActivityKind.INDUSTRIAL, Mode.INFORMATION, "lot 1", said, TEMPLATE, fields)


@pytest.fixture
def both() -> tuple[Gateway, Gateway]:
    """Give two members of a sealed group that have met."""
    within = group_of(ACE, BOLT, clear=False)
    ace, bolt = (Gateway(who, within) for who in (ACE, BOLT))
    return ace, bolt


def _notes(folds: Folds, at: Gateway, named: bytes) -> list[Value]:
    return [each.value for each in folds.state(at.db, named).given("note")]


def test_what_one_member_opens_the_other_folds_alike(both: tuple[Gateway, Gateway]) -> None:
    """Opened here and updated there, each with what is new in it, both come to one state."""
    ace, bolt = both
    at_ace, at_bolt = Folds(), Folds()
    named = say(ace, opening(quantity=5))
    bolt.hear(ace)
    (there,) = activities.listed(bolt.db)
    assert (there.id, there.said.purpose, there.organisation) == (named, "lot 1", ACE.root.id)
    assert activities.find(bolt.db, named.hex()[:8]).id == named
    made = say(bolt, Update({"made": 3, "note": "from bolt"}), named, [named])
    say(ace, Update({"note": "from ace"}), named, [named])
    assert _notes(at_ace, ace, named) == ["from ace"]
    bolt.hear(ace)
    ace.hear(bolt)
    assert sorted(map(str, _notes(at_ace, ace, named))) == ["from ace", "from bolt"]
    assert at_ace.state(ace.db, named) == Folds().state(ace.db, named)
    both_states = at_ace.state(ace.db, named), at_bolt.state(bolt.db, named)
    assert [each.total("made") for each in both_states] == [3, 3]
    assert _notes(at_ace, ace, named) == _notes(at_bolt, bolt, named)
    say(ace, Close(), named, [made])
    bolt.hear(ace)
    assert at_bolt.state(bolt.db, named).closed == at_ace.state(ace.db, named).closed is not None
    assert activities.tally(bolt.db, BOLT.node.id) == {
        "held": 1,
        "records": 4,
        "unread": 0,
        "bound": 0,
    }


def test_an_activity_is_named_by_what_is_here(both: tuple[Gateway, Gateway]) -> None:
    """An id that is of none, of two, or none at all names nothing."""
    ace, _ = both
    say(ace, opening())
    for wrong in ("", "zz", "0" * 65, "abc", "ffff", "00" * 32):
        with pytest.raises(UnknownActivity):
            activities.find(ace.db, wrong)
    with pytest.raises(UnknownActivity):
        Folds().state(ace.db, bytes(32))


def test_what_rests_on_what_is_not_here_waits(both: tuple[Gateway, Gateway]) -> None:
    """An update that answers one not held is parked, and counts as soon as that has come."""
    ace, bolt = both
    named = say(ace, opening(quantity=5))
    bolt.hear(ace)
    say(bolt, Update({"note": "first"}), named, [named])
    other = Gateway(BOLT, bolt.group, 1)
    other.hear(ace)
    other.hear(bolt, bolt.feed)
    first = record.parse(bolt.records()[-1].encoded).id
    say(other, Update({"note": "second"}), named, [first])
    folds = Folds()
    ace.hear(other)
    assert _notes(folds, ace, named) == []
    assert folds.waiting(ace.db, named) == 1
    ace.hear(bolt)
    assert _notes(folds, ace, named) == ["first", "second"]
    assert folds.waiting(ace.db, named) == 0


def test_an_update_links_only_readings_that_are_here(both: tuple[Gateway, Gateway]) -> None:
    """What links a reading waits for its record; then its value is there to be judged."""
    ace, bolt = both
    named = say(ace, opening())
    bolt.hear(ace)
    place = ace.strokes(7)
    linked = bytes(ace.db.execute("SELECT id FROM records WHERE place = ?", (place,)).get)
    said = Update({"note": "seen"}, (activity.Linked(linked, "press-1", "strokes"),))
    say(bolt, said, named, [linked])
    folds = Folds()
    assert _notes(folds, bolt, named) == []
    assert folds.waiting(bolt.db, named) == 1
    bolt.hear(ace)
    assert _notes(folds, bolt, named) == ["seen"]
    assert folds.waiting(bolt.db, named) == 0


def test_a_late_key_opens_an_activity(both: tuple[Gateway, Gateway]) -> None:
    """Records sealed under a key not held wait unread, and are projected when it comes."""
    ace, _ = both
    third = Gateway(party("coil"), ace.group)
    named = say(ace, opening())
    third.hear(ace)
    assert projections.unread(third.db, ace.group.id) == {ACE.node.id: 1}
    assert activities.tally(third.db, b"") == {"held": 0, "records": 1, "unread": 1, "bound": 0}
    places = [place for (place,) in third.db.execute("SELECT place FROM unread")]
    for feed, number, key in ace.db.execute("SELECT feed, number, key FROM sender_keys"):
        third.db.execute("INSERT INTO sender_keys VALUES (?, ?, ?)", (feed, number, key))
    assert projections.index_opened(third.db, places) == 1
    assert activities.find(third.db, named.hex()).said.purpose == "lot 1"


def test_what_an_earlier_version_stored_is_caught_up_with(both: tuple[Gateway, Gateway]) -> None:
    """Records of these kinds that were stored before are projected when the agent starts."""
    ace, _ = both
    named = say(ace, opening())
    for table in ("activities", "entries"):
        ace.db.execute(f"DELETE FROM {table}")
    ace.db.execute("INSERT INTO unread SELECT place, kind FROM records WHERE kind = 5")
    assert projections.catch_up(ace.db) == 1
    assert Folds().state(ace.db, named).opened.purpose == "lot 1"
    assert count(ace.db, "unread") == 0


def test_an_opening_that_is_none_opens_nothing(both: tuple[Gateway, Gateway]) -> None:
    """A malformed opening or template is stored and projected to nothing; a malformed update is
    shown as rejected."""
    ace, bolt = both
    named = say(ace, opening())
    bad = Said(Kind.ACTIVITY_UPDATE, b"\xff", activity.CONTENT_TYPE, named, (named,))
    ace.say(bad)
    bolt.hear(ace)
    (rejected,) = Folds().state(bolt.db, named).rejected.values()
    assert rejected.code == "activity.malformed"


def test_a_file_is_given_whole_or_not_at_all(both: tuple[Gateway, Gateway]) -> None:
    """Pieces in any order become the file; without one, or with another's bytes, nothing is."""
    ace, bolt = both
    named = say(ace, opening())
    whole = bytes(range(256)) * 300
    name = sha256(whole).digest()
    cut = [(0, 30_000), (20_000, 50_000), (50_000, len(whole))]
    pieces = [Chunk(name, "a.bin", "x/y", len(whole), at, whole[at:end]) for at, end in cut]
    say(bolt, Chunk(name, "a.bin", "x/y", len(whole), 0, bytes(len(whole) // 2)), named)
    for piece in (pieces[2], pieces[0]):
        say(ace, piece, named)
    with pytest.raises(NotAttached):
        activities.content_of(ace.db, named, name)
    say(ace, pieces[1], named)
    assert b"".join(activities.content_of(ace.db, named, name)) == whole
    bolt.hear(ace)
    held = {each.node: each.held for each in activities.attachments(bolt.db, named)}
    assert held == {ACE.node.id: len(whole), BOLT.node.id: len(whole) // 2}
    assert b"".join(activities.content_of(bolt.db, named, name)) == whole


def test_a_step_waits_until_what_it_rests_on_is_agreed(both: tuple[Gateway, Gateway]) -> None:
    """What a guard looks at must be as far as the template says before the step is written."""
    ace, bolt = both
    named = say(ace, opening(quantity=5))
    bolt.hear(ace)
    fold = Folds().fold(bolt.db, named)
    assert list(reaching.waits(bolt.db, fold, ["note"], closes=False)) == []
    (lacks,) = reaching.waits(bolt.db, fold, ["made"], closes=False)
    assert (lacks.field, lacks.found, lacks.needed) == ("quantity", Needs.NOTHING, Needs.AGREED)
    assert lacks.lacking == "agreed"
    number = bolt.db.execute("SELECT number FROM feeds WHERE id = ?", (ace.feed,)).get
    bolt.db.execute("INSERT OR REPLACE INTO standing VALUES (?, 100, 0)", (number,))
    assert list(reaching.waits(bolt.db, fold, ["made"], closes=False)) == []


def test_folds_are_kept_for_so_many(both: tuple[Gateway, Gateway]) -> None:
    """Of more activities than are kept each is folded anew, to the same."""
    ace, _ = both
    names = [say(ace, opening(quantity=at)) for at in range(5)]
    folds = Folds(2)
    for _ in range(2):
        found = [folds.state(ace.db, each).given("quantity")[0].value for each in names]
        assert found == [0, 1, 2, 3, 4]
        assert len(folds._kept) == 2


def test_who_is_vouched_for_later_counts_then(both: tuple[Gateway, Gateway]) -> None:
    """A person of an organisation that a later roster admits: the word counts once it is here."""
    ace, coil = both[0], party("coil")
    said = opening(quantity=5)
    parties = sorted((*said.parties, Party(coil.root.id, (Role.SUPERVISOR,))), key=by_name)
    named = say(ace, replace(said, parties=tuple(parties)))
    folds, cora = Folds(), human("cora", coil)
    shown = approval.update_text(named, named, {"quantity": 5}, "en")
    digest = wording.digest(approval.text(Verdict.APPROVE, shown, "en"))
    signed = approval.sign(cora.key, Approval(named, Verdict.APPROVE, digest))
    content = stated.encode(Kind.APPROVAL, Stated(signed, cora.certificate))
    ace.say(Said(Kind.APPROVAL, content, stated.CONTENT_TYPE, named, (named,)))
    early = folds.state(ace.db, named)
    assert [each.code for each in early.rejected.values()] == [MalformedActivity.code]
    assert not list(early.words.values())
    with ace.db:
        assert groups.keep_roster(ace.db, admitted(ace.group.roster, coil, by=(ACE, BOLT)))
    late = folds.state(ace.db, named)
    assert not list(late.rejected.values())
    assert len(list(late.words.values())) == 1


def test_what_was_not_committed_is_forgotten(both: tuple[Gateway, Gateway]) -> None:
    """Read in a commit that failed, a close closes nothing once that is forgotten."""
    ace, _ = both
    folds, named = Folds(), say(ace, opening(quantity=5))
    ace.db.execute("BEGIN")
    say(ace, Close(), named, [named])
    assert folds.state(ace.db, named).closed is not None
    ace.db.execute("ROLLBACK")
    folds.forget()
    assert folds.state(ace.db, named).closed is None


def test_what_counts_no_more_is_folded_no_more(both: tuple[Gateway, Gateway]) -> None:
    """Beyond where a feed ends for a fork nothing counts, and who answered it waits for nothing."""
    ace, bolt = both
    named = say(ace, opening())
    bolt.hear(ace)
    say(bolt, Update({"note": "kept"}), named, [named])
    seq = len(bolt.records())
    gone = say(bolt, Update({"note": "gone"}), named, [named])
    ace.hear(bolt)
    say(ace, Update({"note": "after it"}), named, [gone])
    folds = Folds()
    assert _notes(folds, ace, named) == ["kept", "gone", "after it"]
    ace.db.execute("INSERT INTO frozen VALUES (?, ?)", (bolt.feed, seq))
    assert sorted(_notes(folds, ace, named)) == ["after it", "kept"]
    assert folds.state(ace.db, named).parked == frozenset()


def test_what_one_bound_waits_for_its_activity(both: tuple[Gateway, Gateway]) -> None:
    """A store that has its own earlier records back, and not yet the opening, binds nothing."""
    ace, bolt = both
    named = say(ace, opening())
    bolt.hear(ace)
    say(bolt, Update(bound=("press-1",)), named, [named])
    again = Gateway(BOLT, bolt.group, 1)
    again.hear(bolt)
    assert folding.bound(again.db, Folds(), BOLT.node.id) == Bound()
    again.hear(ace)
    assert set(folding.bound(again.db, Folds(), BOLT.node.id).devices) == {"press-1"}


def test_who_is_against_a_value_outweighs_who_is_for_it() -> None:
    """Nobody's approval counts beside a refusal; one key is one person, whoever certifies it."""
    ben, ken = (Word(ROOT, 0, name, name, name) for name in (b"ben", b"ken"))
    again = Word(ROOT, 0, b"len", b"len", b"ken")
    nay = Word(ROOT, 1, b"ann", b"ann", b"ann")
    for words, counted in (
        ((ben, ken), Approving(2, 2)),
        ((ben, ken, again), Approving(2, 2)),
        ((ken, again), Approving(1, 1)),
        ((ben, ken, nay), Approving(0, 0)),
    ):
        said = Tree[Mapping[bytes, Word]]().put(at(ROOT), {each.person: each for each in words})
        assert reaching.approved(State(opening(), words=said), ROOT, ()) == counted
    said = Tree[Mapping[bytes, Word]]().put(at(ROOT), {b"ben": ben, b"ann": nay})
    assert reaching.approved(State(opening(), words=said), ROOT, {(b"ann", b"ann")}).persons == 1
