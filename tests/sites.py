"""Gateways without a link, and the stick that lies beside them; by real commands and agents.

In: a folder, names. Out: what people type at each site, and what its store holds. Records are
written by the store's own authoring, by a run of its own, while the agent is off.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.cli.main import main
from gateway.clock import KernelClock, random_bytes
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import run as runs
from gateway.records.record import Kind, Said
from gateway.store import authoring, database, feeds, groups, observations, outbox, state
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from tests.agents import AgentProcess

T = TypeVar("T")
GROUP = "pressing"
_ACCEPT = '\n[[accept]]\norganisation = "*"\n'


class Site:
    """A gateway without a link, and the stick that lies beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        (folder / name).mkdir()
        self.name, self.stick = name, folder / "stick"
        self.agent = AgentProcess(folder / name, name, _ACCEPT)
        self.carried = 0

    def type(self, *command: str) -> tuple[int, dict[str, Any], str]:
        """Type a command: its status, its facts, what it said of errors."""
        out, said = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main(["--config", str(self.agent.config), *command, "--json"])
        told = out.getvalue()
        return int(ended.value.code or 0), json.loads(told) if told else {}, said.getvalue()

    def export(self, name: str, *options: str) -> list[Path]:
        """Write a bundle onto the stick; give its parts."""
        status, facts, said = self.type("export", "bundle", "-o", str(self.stick / name), *options)
        assert status == 0, said
        self.carried += facts["bytes"]
        return [Path(each) for each in facts["files"]]

    def take(self, *files: Path) -> int:
        """Import what lies on the stick, all of it; give how many records were stored."""
        stored = 0
        for file in files:
            status, facts, said = self.type("import", "bundle", str(file))
            assert status == 0, (file.name, facts, said)
            stored += facts["records"]
        return stored

    def refused(self, file: Path) -> str:
        """Import what cannot be; nothing may change, and its code is given."""
        before = self.holds()
        status, _, said = self.type("import", "bundle", str(file))
        assert status == 2 and self.holds() == before
        return said.split("[")[1].split("]")[0]

    def read(self) -> "closing[Connection]":
        """Open the store for questions."""
        return closing(database.connect_to_read(str(self.agent.state_dir / "store.db")))

    def write(self) -> Connection:
        """Open the store to change it, while the agent is off."""
        return database.connect(str(self.agent.state_dir / state.STORE_FILE))

    def holds(self) -> dict[bytes, int]:
        """Give how many records of each feed of the group are held."""
        group = state.load(self.agent.state_dir).groups.get(GROUP)
        with self.read() as db:
            return {} if group is None else {h.feed: h.size for h in feeds.heads(db, group.id)}

    def lacking(self, others: Sequence["Site"]) -> int:
        """Count what the other sites have not signed for, in all groups that they share."""
        held = state.load(self.agent.state_dir)
        shared = [each for name, each in held.groups.items() if name != state.OWN]
        nodes = [state.load(each.agent.state_dir).node_id for each in others if each is not self]
        with self.read() as db:
            return sum(
                outbox.lacking(db, group.id, node).records for group in shared for node in nodes
            )

    def say(self, count: int, zones: int) -> None:
        """Write so many records into the group, by a run of its own, while the agent is off."""

        def job(db: Connection, author: Author, venue: Venue) -> None:
            for number in range(count):
                readings = [
                    Reading(f"{self.name}-press", f"zone{zone}", number + zone / zones, "Cel", None)
                    for zone in range(zones)
                ]
                for pack in senml.encode(readings, Provenance.GATEWAY_ATTESTED):
                    said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                    place = authoring.say(db, author, venue, said)
                    observations.keep(db, place, pack.spans)

        self._write(job)

    def attach(self, content: bytes) -> bytes:
        """Write an attachment into the group in the same way; give the id of its record."""

        def job(db: Connection, author: Author, venue: Venue) -> bytes:
            said = Said(Kind.ATTACHMENT, content, "application/octet-stream")
            place = authoring.say(db, author, venue, said)
            return bytes(db.execute("SELECT id FROM records WHERE place = ?", (place,)).get)

        return self._write(job)

    def _write(self, job: Callable[[Connection, Author, Venue], T]) -> T:
        held = state.load(self.agent.state_dir)
        run = runs.start(held.node_key, held.node, held.encryption, random_bytes(32))
        author, group = Author(run, KernelClock().now, random_bytes), held.groups[GROUP]
        said: list[T] = []
        with closing(database.connect(str(held.path / state.STORE_FILE))) as db, db:
            for known in sorted(held.rosters.values(), key=lambda each: each.number):
                groups.keep_roster(db, known)
            groups.register(db, GROUP, group)
            venue = Venue(group.id, group.roster.hash)
            said.append(job(db, author, venue))
        return said[0]

    def body(self, name: bytes) -> bytes | None:
        """Give the stored body of a record, or None where it is not held."""
        with self.read() as db:
            found = db.execute("SELECT body FROM records WHERE id = ?", (name,)).get
        return None if found is None else bytes(found)
