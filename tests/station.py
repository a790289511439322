"""A gateway's inside for tests of sources: the real store, an own group, a run, intakes.

In: a folder. Out: intakes that sign, commit and fsync, and the readings that the store then holds.
All keys come from fixed seeds. Restarting it is opening another on the same folder.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway.config.settings import Route
from gateway.groups import group
from gateway.groups.group import ActivityKind, Founding, Member, Role
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import identity, record, roster, run
from gateway.records.cose import SigningKey, key_id
from gateway.records.identity import EncryptionKey, Named
from gateway.records.record import ClockSource, Kind, Moment
from gateway.records.roster import Organisation
from gateway.sources.intake import Desk, Intake, Routes
from gateway.store import groups, quarantine
from gateway.store.authoring import Author, Venue
from gateway.store.database import connect, connect_to_read
from gateway.store.quarantine import Quarantined
from gateway.store.writer import Writer


def now() -> Moment:
    """Tell the time as a gateway whose clock is set."""
    unix_ms, monotonic_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    return Moment(unix_ms, 5, ClockSource.NTP, b"bootboot", monotonic_ms)


def _untold(_groups: frozenset[bytes], _readings: Sequence[Reading]) -> None:
    """Tell nobody of new records."""


class Station:
    """One gateway: its store and its writer."""

    def __init__(self, folder: Path, start: int = 0) -> None:
        self.path = str(folder / "store.db")
        self.connection = connect(self.path)
        root, node = SigningKey(b"r" * 32), SigningKey(b"n" * 32)
        sealed = EncryptionKey(b"e" * 32)
        organisation, name = key_id(root.public), key_id(node.public)
        certificate = identity.issue_node(
            root, (organisation, name), node.public, 0, Named("press-shop")
        )
        encryption = identity.issue_encryption(node, name, sealed.public)
        payload = roster.compose(
            "alone", [Organisation(organisation, "Own", root.public, sealed.public)]
        )
        within = roster.decode(roster.assemble(payload, [roster.sign(root, payload)]))
        founder = run.start(node, certificate, encryption, b"0" * 32)
        member = Member(organisation, identity.decode(encryption, "encryption"), tuple(Role))
        founding = Founding(
            *(
                b"f" * 32,
                within.consortium,
                within.hash,
                "own",
                ActivityKind.INDUSTRIAL,
                (member,),
                True,
            )
        )
        venues = {}
        for called in ("own", "other"):
            its = replace(founding, purpose=called)
            made = group.found(founder.key, founder.credentials, its, within)
            groups.register(self.connection, called, made)
            venues[called] = Venue(made.id, within.hash, made.encoded)
        this = run.start(node, certificate, encryption, bytes([start + 1]) * 32)
        self.writer = Writer(self.connection, self.path)
        author = Author(this, now, lambda count: b"s" * count)
        self._venues = venues
        self._desk = Desk(author, self.writer, Routes((), venues), _untold)

    def intake(self, source: str, *elsewhere: str) -> Intake:
        """Give the way in for a source on a line; metrics of these names go to another group."""
        route = (Route(group="other", metrics=elsewhere),) if elsewhere else ()
        desk = replace(self._desk, routes=Routes(route, self._venues))
        return Intake(desk, source, Provenance.UNAUTHENTICATED_LINE)

    def stored(self) -> list[Reading]:
        """Give all readings in the order in which they were stored, as any reader sees them."""
        return [reading for body in self.packs() for reading in senml.decode(body)]

    def packs(self) -> list[bytes]:
        """Give the bodies of observations in the order in which they were stored."""
        rows = connect_to_read(self.path).execute(
            "SELECT body FROM records WHERE kind = ? ORDER BY place", (int(Kind.OBSERVATION),)
        )
        return [bytes(body)[record.SALT_BYTES :] for (body,) in rows]

    def quarantined(self) -> list[Quarantined]:
        """Give what could not be read."""
        return quarantine.newest(connect_to_read(self.path), 1000)

    def close(self) -> None:
        """Stop writing."""
        self.writer.close()
