"""A real witness process over HTTP: every answer has its status, and nothing stops it."""

import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.groups import witnessing
from gateway.records import checkpoint, note
from gateway.store import witness
from gateway.web.witness import BY_ORIGIN
from tests.linked import HOST
from tests.people import admitted, party, roster_of, run_of
from tests.witnessed import Tree, WitnessProcess, shows

MAKER, BUYER, STRANGER = party("maker"), party("buyer"), party("stranger")
FOUNDED = roster_of(MAKER, BUYER)
TREE = Tree(run_of(MAKER))
ROSTER = f"/hl/1/roster/{FOUNDED.hash.hex()}"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    """Run a witness that knows a run of the maker."""
    made = WitnessProcess(tmp_path_factory.mktemp("one"), BUYER.root.id, [FOUNDED.hash])
    made.start()
    assert made.ask("POST", ROSTER, FOUNDED.encoded).body == b"1\n"
    assert made.ask("POST", "/hl/1/run", shows(TREE.run)).status == 200
    yield made
    assert made.stop() == 0


def _introduced(one: WitnessProcess, number: int) -> Tree:
    """Give the journal of another run of the maker, which the witness was shown."""
    tree = Tree(run_of(MAKER, number))
    assert one.ask("POST", "/hl/1/run", shows(tree.run)).status == 200
    return tree


def _holds(one: WitnessProcess, tree: Tree, size: int, body: bytes) -> None:
    line = body.decode().removesuffix("\n")
    name = checkpoint.witness_name(BUYER.root.id)
    said_s = note.check_cosignature(note.parse(tree.note(size)).text, line, name, one.public)
    assert abs(said_s - time.time()) < 60


def test_the_statuses_of_the_specification(one: WitnessProcess) -> None:
    """Each case of C2SP tlog-witness has its status, its type, and its body."""
    tree = _introduced(one, 1)
    first = one.cosign(tree, 0, 5)
    assert first.status == 200
    _holds(one, tree, 5, first.body)
    behind = one.cosign(tree, 0, 8)
    assert (behind.status, behind.body) == (409, b"5\n")
    assert behind.headers["Content-Type"] == "text/x.tlog.size"
    other = Tree(tree.run, b"rewritten", since=2)
    forged = tree.shown(5, 8).replace(b"+", b"-")
    garbled = tree.shown(5, 8)[:-5] + b"A" + tree.shown(5, 8)[-4:]
    for body, status, said in (
        (other.shown(5, 5), 409, b"witness.fork\n"),
        (other.shown(5, 8), 422, b"witness.inconsistent\n"),
        (Tree(run_of(STRANGER)).shown(0, 5), 404, b"witness.unknown\n"),
        (b"old 9\n\n" + tree.note(8), 400, b"witness.malformed\n"),
        (b"old 5\n!\n\n" + tree.note(8), 400, b"witness.malformed\n"),
        (b"", 400, b"witness.malformed\n"),
        (garbled, 403, b"note.signature\n"),
    ):
        answer = one.ask("POST", "/add-checkpoint", body)
        assert (answer.status, answer.body) == (status, said), forged
    last = one.cosign(tree, 5, 1000)
    assert last.status == 200
    _holds(one, tree, 1000, last.body)
    assert one.health()["forks"] >= 1


def test_what_is_not_offered_is_not_found(one: WitnessProcess) -> None:
    """Other paths and other methods are 404, and too long a body is never read."""
    for method, path in (("GET", "/"), ("GET", "/add-checkpoint"), ("PUT", "/add-checkpoint")):
        assert one.ask(method, path).status == 404
    assert one.ask("POST", "/hl/1/roster/00", b"").status == 404
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n"
    with socket.create_connection((HOST, one.port), 20) as near:
        near.sendall(head)
        assert b" 413 " in near.recv(1000).partition(b"\r\n")[0] + b" "


def test_strangers_are_not_let_in(one: WitnessProcess) -> None:
    """Whom no roster vouches for is 403, whatever it shows; so is another consortium."""
    assert one.ask("POST", "/hl/1/run", shows(run_of(STRANGER))).body == b"witness.stranger\n"
    assert one.ask("POST", "/hl/1/run", b"\x80").status == 400
    alone = roster_of(STRANGER)
    foreign = one.ask("POST", f"/hl/1/roster/{alone.hash.hex()}", alone.encoded)
    assert (foreign.status, foreign.body) == (403, b"witness.consortium\n")
    assert one.ask("POST", ROSTER, b"\x80").status == 400
    grown = admitted(FOUNDED, party("later"), by=(MAKER, BUYER))
    assert one.ask("POST", ROSTER, grown.encoded).body == b"2\n"
    assert one.ask("POST", ROSTER, grown.encoded).body == b"2\n"


def test_a_flood_waits_and_others_do_not(one: WitnessProcess) -> None:
    """One run that asks too often is told when to come again; another is answered meanwhile."""
    tree, other = _introduced(one, 2), _introduced(one, 3)
    assert one.cosign(tree, 0, 3).status == 200
    answers = [one.cosign(tree, 3, 3) for _ in range(BY_ORIGIN.burst + 20)]
    busy = [each for each in answers if each.status == 429]
    assert busy and {each.body for each in busy} == {b"witness.busy\n"}
    assert all(1 <= int(each.headers["Retry-After"]) <= 2 for each in busy)
    assert one.cosign(other, 0, 3).status == 200


def test_a_stranger_makes_no_run_wait(one: WitnessProcess) -> None:
    """Who cannot sign for a run takes nothing of what that run may ask, however often it asks."""
    tree, other = _introduced(one, 5), Tree(run_of(MAKER, 6))
    text = note.parse(tree.note(3)).text
    origin = checkpoint.run_name(tree.run.key.id)
    forged = note.assemble(text, [note.sign(origin, other.run.key, text)])
    asked = witnessing.encode(0, (), forged)
    answers = [one.ask("POST", "/add-checkpoint", asked) for _ in range(BY_ORIGIN.burst + 5)]
    assert {(each.status, each.body) for each in answers} == {(403, b"note.signature\n")}
    assert one.cosign(tree, 0, 3).status == 200


def test_slow_connections_keep_nobody_out(one: WitnessProcess) -> None:
    """A hundred that say nothing, or half a request, cost others nothing."""
    tree = _introduced(one, 4)
    silent = [socket.create_connection((HOST, one.port), 20) for _ in range(100)]
    for at, each in enumerate(silent):
        if at % 2:
            try:
                each.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Le")
            except OSError:
                continue
    assert one.cosign(tree, 0, 3).status == 200
    for each in silent:
        each.close()


def test_over_tls_too(tmp_path: Path) -> None:
    """Without --plain the same is said inside TLS."""
    made = WitnessProcess(tmp_path / "t", BUYER.root.id, [FOUNDED.hash], plain=False)
    assert made.start()["state"] == "signing"
    made.ask("POST", ROSTER, FOUNDED.encoded)
    made.ask("POST", "/hl/1/run", shows(TREE.run))
    answer = made.cosign(TREE, 0, 7)
    _holds(made, TREE, 7, answer.body)
    assert made.stop() == 0


# A witness that dies between the commit and the answer: where the number would be written.
DYING = """
import os, signal, sys
from gateway.store import witness
from gateway.cli.main import main
witness.GenerationFile.write = lambda self, number: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def _knowing(folder: Path) -> WitnessProcess:
    """Give a witness, not started, that knows a run of the maker and cosigned three leaves."""
    made = WitnessProcess(folder, BUYER.root.id, [FOUNDED.hash])
    one = witness.load(made.state, made.number)
    one.take_roster(FOUNDED.hash, FOUNDED.encoded)
    one.introduce(shows(TREE.run))
    one.cosign(witnessing.decode(TREE.shown(0, 3)), 1)
    one.close()
    return made


def test_killed_between_persisting_and_answering_it_goes_on(tmp_path: Path) -> None:
    """What was persisted binds it although nobody got the cosignature; one request more gets it."""
    made = _knowing(tmp_path / "k")
    made.start(sys.executable, "-c", DYING, "witness", "run")
    with pytest.raises(OSError):
        made.cosign(TREE, 3, 8)
    assert made.process is not None and made.process.wait(20) == -9
    made.start()
    behind = made.cosign(TREE, 3, 8)
    assert (behind.status, behind.body) == (409, b"8\n")
    assert made.cosign(Tree(TREE.run, b"x", since=3), 8, 8).status == 409
    assert made.cosign(TREE, 8, 8).status == 200
    assert made.stop() == 0


def test_a_restored_database_starts_no_more(tmp_path: Path) -> None:
    """Restored from a copy it says that its key is retired, and what to do."""
    made = _knowing(tmp_path / "r")
    shutil.copytree(made.state, tmp_path / "backup")
    one = witness.load(made.state, made.number)
    one.cosign(witnessing.decode(TREE.shown(3, 5)), 2)
    one.close()
    shutil.rmtree(made.state)
    shutil.copytree(tmp_path / "backup", made.state)
    with pytest.raises(AssertionError, match=r"(?s)witness.retired.*--renew"):
        made.start()
    assert made.process is not None and made.process.wait(20) == 2
