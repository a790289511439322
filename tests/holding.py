"""A gateway at rest, for tests of what reads it: a real state directory and a real store.

In: a folder. Out: records signed by a real run and appended in real commits. All chance is seeded.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from gateway.groups.group import Group
from gateway.readings import senml
from gateway.readings.reading import Attestation, Provenance, Reading
from gateway.records import run
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.store import authoring, database, groups, observations, state
from gateway.store.authoring import Author, Venue
from gateway.store.state import Names

T0 = 1_790_000_000_000
PASSPHRASE = "correct horse battery staple"


class Holding:
    """One organisation of one gateway; opened again on the same folder it is the next run."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        draw = random.Random(seed).randbytes
        self.folder = folder / "state"
        if not self.folder.exists():
            state.create(self.folder, Names("press-shop", "Alpha"), draw, T0 // 1000, PASSPHRASE)
        self.state = state.load(self.folder)
        self.run = run.start(self.state.node_key, self.state.node, self.state.encryption, draw(32))
        self.group: Group = state.own_group(self.state, self.run, draw)
        self.path = str(self.folder / state.STORE_FILE)
        self.db = database.connect(self.path)
        groups.register(self.db, state.OWN, self.group)
        self._author = Author(self.run, self._now, draw)
        self._clock_ms = T0

    def _now(self) -> Moment:
        self._clock_ms += 1
        return Moment(self._clock_ms, 5, ClockSource.NTP, b"bootboot", self._clock_ms - T0)

    def say(self, readings: Sequence[Reading]) -> None:
        """Sign and keep readings in one commit, as the agent does."""
        venue = Venue(self.group.id, self.group.roster.hash, self.group.encoded)
        with self.db:
            for pack in senml.encode(readings, Provenance.GATEWAY_ATTESTED):
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                place = authoring.say(self.db, self._author, venue, said)
                observations.keep(self.db, place, pack.spans)

    def attest(self, lots: Sequence[tuple[Attestation, Sequence[Reading]]]) -> None:
        """Sign and keep what devices signed, in one commit, as the agent does."""
        venue = Venue(self.group.id, self.group.roster.hash, self.group.encoded)
        with self.db:
            for pack in senml.encode_attested(lots):
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                place = authoring.say(self.db, self._author, venue, said)
                observations.keep(self.db, place, pack.spans)

    def close(self) -> None:
        """Let go of the store."""
        self.db.close()


def strokes(count: int, start: int = 0) -> list[Reading]:
    """Give so many readings, a millisecond apart."""
    return [Reading("press-1", "strokes", at, "1", T0 + at) for at in range(start, start + count)]
