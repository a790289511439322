"""The gateway's side of witnesses: cosignatures are kept, and bad witnesses harm nothing."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.config import Witness
from gateway.groups import witnessing
from gateway.peers.witnesses import Shown, Witnesses
from gateway.records import checkpoint, note
from gateway.records.cose import SigningKey
from gateway.records.roster import Roster
from gateway.store import witness
from tests.linked import HOST, free_port, until
from tests.people import party, roster_of, run_of, seed
from tests.witnessed import Tree, WitnessProcess, naming

MAKER, BUYER = party("maker"), party("buyer")
RUN = run_of(MAKER)


@dataclass
class TreeLedger:
    """A journal in memory, of which the newest size is said."""

    rosters: Sequence[Sequence[Roster]]
    tree: Tree = field(default_factory=lambda: Tree(RUN))
    size: int = 0
    kept: list[tuple[int, str]] = field(default_factory=list)

    def newest(self) -> bytes | None:
        """Give the newest checkpoint."""
        return self.tree.note(self.size) if self.size else None

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove it from an old size."""
        return witnessing.decode(self.tree.shown(old, new)).proof

    def keep(self, size: int, line: str) -> None:
        """Keep a line."""
        self.kept.append((size, line))

    def chains(self) -> Sequence[Sequence[Roster]]:
        """Give the rosters."""
        return self.rosters


@contextmanager
def following(ledger: TreeLedger, *urls: str) -> Iterator[Witnesses]:
    """Follow witnesses for as long as the context lasts."""
    told = [Witness(name=f"w{place}", url=url) for place, url in enumerate(urls)]
    made = Witnesses(told, Shown(RUN, ledger, lambda count: b"\x00" * count, patience_s=1.0))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _rosters(public: bytes) -> list[list[Roster]]:
    """Give a consortium in which the buyer's witness is named by its second roster."""
    founded = roster_of(MAKER, BUYER)
    return [[founded, naming(founded, BUYER, public, MAKER)]]


def test_a_run_is_introduced_and_catches_up(tmp_path: Path) -> None:
    """A new run is shown with all rosters, after an outage one request more is enough."""
    founded = roster_of(MAKER, BUYER)
    one = WitnessProcess(tmp_path / "w", BUYER.root.id, [founded.hash])
    ledger = TreeLedger(_rosters(one.public))
    ledger.size = 5
    with following(ledger, one.url) as made:
        until(lambda: made.counts["link.unreachable"] > 0)
        assert (made.status()[0].state, made.reachable) == ("failing", False)
        one.start()
        until(lambda: made.status()[0].size == 5)
        ledger.size = 9
        until(lambda: made.status()[0].size == 9)
        assert one.health()["named"]
        before = one.health()["counts"]
        one.kill()
        for ledger.size in range(10, 400, 13):
            ledger.newest()
        one.start()
        until(lambda: made.status()[0].size == ledger.size)
        counts = one.health()["counts"]
        assert (counts["cosigned"], counts.get("introduced")) == (1, None), before
        status = made.status()[0]
    assert one.stop() == 0
    assert (status.state, status.reason) == ("cosigned", "")
    name = checkpoint.witness_name(BUYER.root.id)
    for size, line in ledger.kept:
        text = note.parse(ledger.tree.note(size)).text
        said_s = note.check_cosignature(text, line, name, one.public)
        assert abs(said_s - time.time()) < 120


def test_a_witness_that_learns_later_whom_to_trust_is_shown_the_rosters_again(
    tmp_path: Path,
) -> None:
    """What it refused at first it is shown anew, without a restart of the gateway."""
    one = WitnessProcess(tmp_path / "w", BUYER.root.id, [])
    one.start()
    ledger = TreeLedger(_rosters(one.public))
    ledger.size = 5
    with following(ledger, one.url) as made:
        until(lambda: made.counts["witness.refused"] > 0)
        known = witness.load(one.state, one.number)
        known.trust(ledger.rosters[0][0].hash)
        known.close()
        until(lambda: made.status()[0].size == 5)
    assert one.stop() == 0


class Nonsense:
    """What a bad witness answers to a request to cosign."""

    besides = 404  # its status to everything else

    def __init__(self, status: int, body: Callable[[bytes], bytes], kind: str = "text/plain"):
        self.status, self.body, self.kind = status, body, kind


class Greedy(Nonsense):
    """One that asks for the first roster again and again."""

    besides = 200


@contextmanager
def answering(nonsense: Nonsense) -> Iterator[str]:
    """Answer every request in one way; with a status of 0, never."""
    done = threading.Event()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            if not nonsense.status:
                done.wait(20)
                return
            if self.path.endswith("/add-checkpoint"):
                status, body = nonsense.status, nonsense.body(said)
            else:
                status, body = nonsense.besides, b"0\n"
            self.send_response(status)
            self.send_header("Content-Type", nonsense.kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer((HOST, free_port()), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/below"
    finally:
        done.set()
        server.shutdown()
        server.server_close()


KEY = SigningKey(seed("the buyer's witness"))
NAME = checkpoint.witness_name(BUYER.root.id)


def _text(said: bytes) -> str:
    return witnessing.decode(said).note.text


def _signed(name: str, key: SigningKey, text: str) -> bytes:
    return f"{note.cosign(name, key, text, 1_700_000_000)}\n".encode()


OTHER = note.parse(Tree(run_of(MAKER)).note(3)).text
BAD = {
    "another key": (Nonsense(200, lambda s: _signed(NAME, SigningKey(seed("x")), _text(s))), ""),
    "another size": (Nonsense(200, lambda _: _signed(NAME, KEY, OTHER)), ""),
    "a plain signature": (
        Nonsense(200, lambda s: f"{note.sign(NAME, KEY, _text(s))}\n".encode()),
        "",
    ),
    "nobody's name": (
        Nonsense(200, lambda s: _signed("hulian/1/witness/x", KEY, _text(s))),
        "witness.unnamed",
    ),
    "no line": (Nonsense(200, lambda _: b"ok"), ""),
    "nothing": (Nonsense(200, lambda _: b""), ""),
    "bytes": (Nonsense(200, lambda _: b"\xff" * 100), ""),
    "a size we never had": (Nonsense(409, lambda _: b"1000\n", "text/x.tlog.size"), ""),
    "no size": (Nonsense(409, lambda _: b"many\n", "text/x.tlog.size"), ""),
    "the same size for ever": (Nonsense(409, lambda _: b"0\n", "text/x.tlog.size"), ""),
    "a fork": (Nonsense(409, lambda _: b"witness.fork\n"), "witness.refused"),
    "nobody known": (Nonsense(404, lambda _: b"witness.unknown\n"), "witness.refused"),
    "too much": (Nonsense(200, lambda _: b"x" * 1_000_000), "link.large"),
    "a defect": (Nonsense(500, lambda _: b"<html>"), "witness.refused"),
    "busy": (Nonsense(429, lambda _: b"witness.busy\n"), "witness.busy"),
    "rosters for ever": (Greedy(200, lambda _: b""), ""),
    "silence": (Nonsense(0, lambda _: b""), "link.slow"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_witness_is_counted_and_harms_nothing(what: str) -> None:
    """Whatever it answers, nothing of it is kept; and a good one beside it is heard."""
    nonsense, code = BAD[what]
    ledger = TreeLedger(_rosters(KEY.public))
    ledger.size = 7
    good = Nonsense(200, lambda said: _signed(NAME, KEY, _text(said)))
    with answering(nonsense) as bad, answering(good) as fine, following(ledger, bad, fine) as made:
        until(lambda: made.counts[code or "witness.answer"] > 0)
        until(lambda: made.status()[1].size == 7)
        assert (made.status()[0].state, made.status()[0].size) == ("failing", 0)
        assert made.reachable
    assert {size for size, _ in ledger.kept} == {7}
    for _, line in ledger.kept:
        assert note.check_cosignature(_text(ledger.tree.shown(0, 7)), line, NAME, KEY.public)
