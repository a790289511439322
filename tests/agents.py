"""A real agent as a child process, on a state directory and a config of the test's own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gateway.cli import place
from gateway.clock import random_bytes
from gateway.demo import found_together
from gateway.errors import NotRunning
from gateway.groups.group import Group
from gateway.readings import senml
from gateway.readings.reading import Reading
from gateway.records import gap, record
from gateway.records.record import Kind
from gateway.store import database, keyring, state
from gateway.store.state import State
from gateway.web.local import SOCKET
from tests.broker import Broker

HULIAN = [sys.executable, "-m", "gateway.cli"]
ASKED_EACH_S = 0.05
# A gateway that hears its plant's broker, and shares all of it in a group over another broker.
SHARING = """
[[link]]
name = "consortium"
url = "{between}"

[[source]]
name = "meters"
type = "mqtt"
url = "{plant}"
topics = ["{name}/#"]
device = "topic[1]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "{group}"
"""


class AgentProcess:
    """One gateway; start it, kill it, stop it, ask it, and read what its store holds."""

    def __init__(self, folder: Path, name: str, sources: str, within: Sequence[str] = ()) -> None:
        self.within = within  # the words before the command, of a network namespace
        self.folder, self.state_dir = folder, folder / "state"
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'[gateway]\nname = "{name}"\nstate_dir = "{self.state_dir}"\ncommit_ms = 50\n{sources}'
        )
        if not self.state_dir.exists():
            state.create(
                self.state_dir, state.Names(name, name), random_bytes, int(time.time()), "pass"
            )
        self.process: subprocess.Popen[bytes] | None = None
        self.command: Sequence[str] = (*HULIAN, "run")

    def start(self, seconds_max: float = 60) -> None:
        """Start it and wait until it answers at its door."""
        log = (self.folder / "agent.log").open("ab")
        environment = {**os.environ, "HULIAN_CONFIG": str(self.config)}
        (self.state_dir / SOCKET).unlink(missing_ok=True)
        with log:
            command = [*self.within, *self.command]
            self.process = subprocess.Popen(command, stderr=log, env=environment)
        until = time.monotonic() + seconds_max
        while not self.stands():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.01)

    def listen(self) -> None:
        """Wait until its sources are connected: a broker keeps nothing for who never subscribed."""
        until = time.monotonic() + 60
        while any(each["state"] != "connected" for each in self.stands()["sources"]):
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def end(self) -> None:
        """Kill it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """Ask it to stop; it must end by itself with status 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log()

    def log(self) -> str:
        """Give what it said."""
        return (self.folder / "agent.log").read_text()[-4000:]

    def stands(self) -> dict[str, Any]:
        """Ask at its door how things stand, as `hulian status` does; empty while nobody answers.

        Tests ask again and again: to start a command each time would take most of their time.
        """
        with suppress(NotRunning):
            for answer in place.ask_agent(self.state_dir, "status", place.PATIENCE_S):
                return answer
        return {}

    def status(self) -> dict[str, Any]:
        """Say how things stand with it, or by the command, with one that was stopped."""
        time.sleep(ASKED_EACH_S)
        if told := self.stands():
            return {"state": "running", **told}
        said = subprocess.run(
            [*HULIAN, "--config", str(self.config), "status", "--json"],
            capture_output=True,
            check=False,
        )
        result: dict[str, Any] = json.loads(said.stdout)
        return result

    def readings(self) -> list[Reading]:
        """Read every reading in its store, in the order of its feeds."""
        packs = self._contents(Kind.OBSERVATION)
        return [reading for content in packs for reading in senml.decode(content)]

    def missed(self) -> int:
        """Count the readings of which its store says that nobody will get them."""
        return sum(gap.decode(content).count for content in self._contents(Kind.GAP))

    def disk(self) -> bytes:
        """Give every byte of its folder, and every cell of its store as it was written."""
        parts = [each.read_bytes() for each in sorted(self.folder.rglob("*")) if each.is_file()]
        with closing(database.connect_to_read(str(self.state_dir / "store.db"))) as db:
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    parts += [it if isinstance(it, bytes) else str(it).encode() for it in row]
        return b"\n".join(parts)

    def _contents(self, kind: Kind) -> list[bytes]:
        db = database.connect_to_read(str(self.state_dir / "store.db"))
        rows: list[tuple[Any, ...]] = db.execute(
            "SELECT encoded, body FROM records WHERE kind = ? ORDER BY place", (int(kind),)
        ).fetchall()
        opened = [keyring.content(db, record.parse(encoded), body) for encoded, body in rows]
        db.close()
        return [content for content in opened if content is not None]


@contextmanager
def running(broker: Broker, *agents: AgentProcess) -> Iterator[None]:
    """Start agents and have their sources heard; in the end, end them and the broker."""
    try:
        for each in agents:
            each.start()
            each.listen()
        yield
    finally:
        for each in agents:
            each.end()
        broker.stop()


def introduce(
    *agents: AgentProcess, name: str = "partner", witnesses: Sequence[bytes | None] = ()
) -> Group:
    """Found a sealed group of agents that do not run yet, and give each its file.

    `witnesses`: the keys of the witnesses of the first organisations.
    """
    states = [
        _with_witness(state.load(each.state_dir), key)
        for each, key in zip_longest(agents, witnesses)
    ]
    roots = [state.root_key(each.state_dir, "pass") for each in agents]
    shared = found_together(states, roots, "pressing")
    for each in agents:
        state.keep_group(each.state_dir, name, shared)
    return shared


def _with_witness(held: State, key: bytes | None) -> State:
    (row,) = held.roster.organisations
    return replace(held, roster=replace(held.roster, organisations=(replace(row, witness=key),)))
