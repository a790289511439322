"""A witness: what it cosigns, what it refuses, and that a restored database signs nothing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clock import random_bytes
from gateway.errors import (
    BadNote,
    GatewayError,
    JournalForked,
    JournalRewritten,
    MalformedSubmission,
    OtherSize,
    StrangeRoster,
    StrangeRun,
    TooManyRuns,
    UnknownJournal,
    WitnessExists,
    WitnessMissing,
    WitnessRetired,
)
from gateway.groups import witnessing
from gateway.records import checkpoint, identity, merkle, note
from gateway.records.cose import SigningKey
from gateway.store import witness
from gateway.store.witness import Witness
from tests.faults import witnesses
from tests.people import admitted, party, roster_of, run_of, seed
from tests.witnessed import Tree, shows

MAKER, BUYER, STRANGER = party("maker"), party("buyer"), party("stranger")
FOUNDED = roster_of(MAKER, BUYER)
NOW_S = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Desk:
    """A witness' folders, and the journal of a run that it knows."""

    folder: Path
    numbers: Path
    tree: Tree

    def open(self) -> Witness:
        """Open it, as each start does."""
        return witness.load(self.folder, self.numbers)

    def cosign(self, old: int, size: int, tree: Tree | None = None) -> str:
        """Open it, have it cosign once, and close it."""
        one = self.open()
        try:
            return one.cosign(witnessing.decode((tree or self.tree).shown(old, size)), NOW_S)
        finally:
            one.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Make a witness of the buyer that knows a run of the maker."""
    folder, numbers = tmp_path / "witness", tmp_path / "number"
    witness.create(folder, numbers, BUYER.root.id, [FOUNDED.hash], random_bytes)
    run = run_of(MAKER)
    one = witness.load(folder, numbers)
    assert one.take_roster(FOUNDED.hash, FOUNDED.encoded) == 1
    assert one.introduce(shows(run)) == checkpoint.run_name(run.key.id)
    one.close()
    return Desk(folder, numbers, Tree(run))


def test_it_cosigns_what_follows(desk: Desk) -> None:
    """Each cosignature holds under the witness' own name and key, over the text that was shown."""
    public = desk.open().public
    name = checkpoint.witness_name(BUYER.root.id)
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 1000), (1000, 1001)):
        line = desk.cosign(old, size)
        text = note.parse(desk.tree.note(size)).text
        assert note.check_cosignature(text, line, name, public) == NOW_S
    assert desk.open().counted() == witness.Counted(1, 1, 0)


def _refusal(desk: Desk, old: int, size: int, tree: Tree) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        desk.cosign(old, size, tree)
    return raised.value


def test_it_refuses_what_does_not_follow(desk: Desk) -> None:
    """Other sizes, other roots, other keys and unknown runs are told apart, and change nothing."""
    desk.cosign(0, 5)
    run = desk.tree.run
    other = Tree(run, b"rewritten", since=2)
    cases = [
        (0, 8, desk.tree, OtherSize),
        (4, 8, desk.tree, OtherSize),
        (5, 5, other, JournalForked),
        (5, 8, other, JournalRewritten),
        (0, 4, Tree(run_of(BUYER)), UnknownJournal),
    ]
    for old, size, tree, fault in cases:
        assert type(_refusal(desk, old, size, tree)) is fault
    assert _refusal(desk, 0, 8, desk.tree).facts["size"] == 5
    one = desk.open()
    text = note.parse(desk.tree.note(8)).text
    forged = note.assemble(text, [note.sign(text.split("\n")[0], SigningKey(seed("x")), text)])
    path = merkle.consistency(5, 8, desk.tree.subtree(8))
    with pytest.raises(BadNote):
        one.cosign(witnessing.decode(witnessing.encode(5, path, forged)), NOW_S)
    assert one.counted() == witness.Counted(1, 1, 1)
    one.close()
    desk.cosign(5, 8)


def test_it_keeps_both_sides_of_a_fork(desk: Desk) -> None:
    """Two checkpoints of one size with two roots are kept, each with the run's signature."""
    desk.cosign(0, 5)
    other = Tree(desk.tree.run, b"rewritten")
    assert isinstance(_refusal(desk, 5, 5, other), JournalForked)
    ((origin, first, second),) = desk.open().forks()
    for each in (first, second):
        assert checkpoint.verify(each, desk.tree.run.key.public).origin == origin
    assert (first, second) == (desk.tree.note(5), other.note(5))


def test_it_knows_members_of_its_consortium_only(desk: Desk, tmp_path: Path) -> None:
    """A run counts when a member in the newest roster vouches for its node; nobody else's does."""
    one = desk.open()
    stranger = run_of(STRANGER)
    with pytest.raises(StrangeRun):
        one.introduce(shows(stranger))
    grown = admitted(FOUNDED, STRANGER, by=(MAKER, BUYER))
    assert one.take_roster(FOUNDED.hash, grown.encoded) == 2
    assert one.introduce(shows(stranger)) == checkpoint.run_name(stranger.key.id)
    alone = roster_of(STRANGER)
    with pytest.raises(StrangeRoster):
        one.take_roster(alone.hash, alone.encoded)
    assert one.take_roster(FOUNDED.hash, FOUNDED.encoded) == 2
    one.close()


def test_a_run_has_the_name_of_its_key(desk: Desk) -> None:
    """A node cannot certify a key of its own under the name of another's run."""
    mine = run_of(BUYER)
    hijack = identity.issue_run(BUYER.node, BUYER.node.id, SigningKey(seed("mine")).public)
    theirs = mine.credentials.node.encoded
    one = desk.open()
    assert one.introduce(witnessing.introduce(theirs, hijack)) == checkpoint.run_name(
        SigningKey(seed("mine")).id
    )
    with pytest.raises(StrangeRun):
        one.introduce(witnessing.introduce(theirs, desk.tree.run.credentials.run.encoded))
    one.close()


@pytest.mark.parametrize("lost", ["older", "gone", "number gone", "key of another"])
def test_a_restored_or_lost_database_retires_the_key(desk: Desk, tmp_path: Path, lost: str) -> None:
    """Whatever goes back to an earlier day, the key signs no more."""
    desk.cosign(0, 3)
    shutil.copytree(desk.folder, tmp_path / "backup")
    desk.cosign(3, 5)
    match lost:
        case "older":
            shutil.rmtree(desk.folder)
            shutil.copytree(tmp_path / "backup", desk.folder)
        case "gone":
            (desk.folder / witness.DATABASE).unlink()
        case "number gone":
            shutil.rmtree(desk.numbers)
        case _:
            (desk.folder / witness.KEY).write_bytes(seed("another"))
    with pytest.raises(WitnessRetired):
        desk.cosign(3, 8)


class Stopping:
    """A number that fails to be written, as when the process is killed or the disk is full."""

    def __init__(self, number: int) -> None:
        self.number, self.fails = number, True

    def read(self) -> int:
        """Give the number."""
        return self.number

    def write(self, number: int) -> None:
        """Fail, or keep it."""
        if self.fails:
            raise OSError
        self.number = number


def test_no_cosignature_leaves_before_the_number_is_kept(desk: Desk) -> None:
    """Between commit and number nothing leaves; the next start, or the next try, goes on."""
    files = desk.open()
    stopping = Stopping(0)
    db, key = files._db, files._key
    one = Witness(db, key, stopping)
    first = witnessing.decode(desk.tree.shown(0, 3))
    with pytest.raises(OSError):
        one.cosign(first, NOW_S)
    again = Witness(db, key, stopping)
    with pytest.raises(OSError):
        again.cosign(witnessing.decode(desk.tree.shown(3, 5)), NOW_S)
    stopping.fails = False
    assert again.cosign(witnessing.decode(desk.tree.shown(3, 5)), NOW_S)
    assert stopping.number == 2
    assert Witness(db, key, stopping).counted().cosigned == 1


def test_a_witness_is_made_once_and_renewed_aside(desk: Desk) -> None:
    """A key is never overwritten; a retired one stays, apart, with what it had signed."""
    before = desk.open().public
    with pytest.raises(WitnessExists):
        witness.create(desk.folder, desk.numbers, BUYER.root.id, [], random_bytes)
    witness.retire(desk.folder)
    with pytest.raises(WitnessMissing):
        desk.open()
    after = witness.create(desk.folder, desk.numbers, BUYER.root.id, [FOUNDED.hash], random_bytes)
    assert after != before
    (aside,) = desk.folder.glob("retired-*")
    assert SigningKey((aside / witness.KEY).read_bytes()).public == before
    assert (aside / witness.DATABASE).exists()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"old 1\n",
        b"old 01\n\nx",
        b"old -1\n\nx",
        b"old 1\nAAAA\n\nx",
        b"old 1\n" + b"A" * 44 + b"\n\nx",
        b"old 0\n\nnot a note",
        b"old 9\n\n" + Tree(run_of(MAKER)).note(5),
        b"old 0\n" + (b"x" * 43 + b"=\n") * 64 + b"\n" + Tree(run_of(MAKER)).note(5),
        b"old 0\n\n" + b"x" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(said: bytes) -> None:
    """Anything but an old size, a proof and a checkpoint is refused before it is judged."""
    with pytest.raises(MalformedSubmission):
        witnessing.decode(said)


def test_kills_and_copies_never_make_it_cosign_two_histories() -> None:
    """Killed in the middle of two histories it cosigned one of them; an old copy signs nothing."""
    print(witnesses.campaign(5, seed=3))


def test_who_makes_up_runs_without_end_is_refused_before_others_are_hurt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By organisation: its own next run is one too many, a run that is known and others are not."""
    monkeypatch.setattr(witness, "JOURNALS_MAX", 3)
    one = desk.open()
    for number in (1, 2):
        one.introduce(shows(run_of(MAKER, number)))
    with pytest.raises(TooManyRuns):
        one.introduce(shows(run_of(MAKER, 3)))
    assert one.introduce(shows(run_of(MAKER, 2)))
    assert one.introduce(shows(run_of(BUYER)))
    one.close()
    assert desk.cosign(0, 4)
