"""One gateway's exchange over real links, with a store in a file: a node without its machines."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.config.settings import Link as Settings
from gateway.groups.group import Group
from gateway.peers.circle import Me
from gateway.peers.exchange import Exchange, Storage
from gateway.peers.links import Links
from gateway.peers.mqtt import BrokerLink
from gateway.records.record import ClockSource, Moment
from gateway.store import authoring, database, groups
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.writer import Writer
from tests import people
from tests.broker import Broker


def now_ms() -> int:
    """Give the clock of links."""
    return time.monotonic_ns() // 1_000_000


def until(holds: Callable[[], bool], told: Callable[[], object], seconds: float = 40) -> float:
    """Wait until something holds; give how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + seconds, told()
        time.sleep(0.02)
    return time.monotonic() - began


class Node:
    """A party's run among brokers; `stop` it at the end."""

    def __init__(
        self, folder: Path, who: people.Party, group: Group, brokers: Sequence[Broker]
    ) -> None:
        self.who, self.group, path = who, group, str(folder / f"{who.name}.db")
        self.run = people.run_of(who)
        self._writer = Writer(database.connect(path), path)
        self._writer.submit(lambda db: groups.register(db, "partner", group)).result()
        self._read, self._look = database.connect_to_read(path), database.connect_to_read(path)
        self._author = Author(self.run, _moment, secrets.token_bytes)
        me = Me(self.run, (who.encryption,))
        exchange = Exchange(me, [group], Storage(self._writer, self._read), secrets.token_bytes)
        self.brokers = [
            BrokerLink(_settings(each, number), self.run.key.id, exchange.subscriptions)
            for number, each in enumerate(brokers)
        ]
        self.links = Links(self.brokers, exchange, now_ms)

    def start(self) -> None:
        """Begin to speak."""
        self.links.start()

    def stop(self) -> None:
        """Leave, and close the store."""
        self.links.stop()
        self._writer.close()
        self._read.close()
        self._look.close()

    def say(self, count: int, size: int = 40) -> None:
        """Sign and keep so many records, and tell the others."""
        founding = self.group.encoded if self.group.founder.run.key == self.run.key.public else None
        venue = Venue(self.group.id, self.group.roster.hash, founding)

        def job(db: Connection) -> None:
            for number in range(count):
                authoring.say(db, self._author, venue, people.observation(number, size))

        self._writer.submit(job).result()
        self.links.written([self.group.id])

    def held(self) -> int:
        """Count the observations that are held, of everybody."""
        sql = "SELECT count(*), count(DISTINCT id) FROM records WHERE kind = 4"
        count, different = next(iter(self._look.execute(sql)))
        assert count == different
        return int(count)

    def lacking(self) -> int:
        """Count what peers have not signed for, by the status of a second ago."""
        return sum(each.lacking for each in self.links.status())

    def told(self) -> object:
        """Say how all stands."""
        counts = dict(self.links.exchange.counts)
        return self.who.name, self.held(), self.links.status(), self.links.links(), counts


def _settings(broker: Broker, number: int) -> Settings:
    return Settings(name=f"broker-{number}", url=broker.url, client_id=f"test-{number}")


def _moment() -> Moment:
    return Moment(time.time_ns() // 1_000_000, 5, ClockSource.NTP, people.BOOT, now_ms())
