"""Where the parts meet: builds every part from the config and runs them until told to stop.

In: a config file. Out: nothing; it hears, signs, stores, acknowledges and syncs. SIGTERM drains:
what was heard is committed and acknowledged, then the process ends. SIGHUP reads the config again
and, if it is good, starts anew with it. It decides nothing that thought decides.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from gateway.clock import KernelClock, random_bytes
from gateway.company import Company, Kept, together
from gateway.config import (
    Bus as BusAddress,
    Config,
    FramedSource,
    ModbusSource,
    MqttSource,
    Publish,
    SerialSource,
    SparkplugSource,
    joined,
    load,
)
from gateway.config.settings import Source as SourceSettings
from gateway.errors import ConfigUnreadable, GatewayError
from gateway.peers.exchange import PeerStatus
from gateway.peers.progress import Progress
from gateway.peers.searching import check_installed
from gateway.peers.witnesses import WitnessStatus
from gateway.query import show_time
from gateway.readings.reading import Provenance, Reading
from gateway.records import run as runs
from gateway.records.record import ClockSource, Moment
from gateway.records.run import Run
from gateway.sources import framed
from gateway.sources.attendance import Attendance
from gateway.sources.intake import Desk, Intake, check_routes
from gateway.sources.mqtt import MqttListener
from gateway.sources.serial import SerialListener
from gateway.sources.source import Source
from gateway.store import activities, alarms, database, evidence, state
from gateway.store.authoring import Author
from gateway.store.state import State
from gateway.store.writer import Writer
from gateway.web.local import Door

if TYPE_CHECKING:
    from gateway.peers.outward import Outward
    from gateway.sources.bus import Bus

_LOG = logging.getLogger(__name__)
STORE = "store.db"
_NOT_RELOADED = "the config was not reloaded: %s"
_COUNTERS = ("received", "stored", "acknowledged", "quarantined", "dropped", "duplicates")


def run(config_path: Path) -> int:
    """Run the agent until it is told to stop; give the exit status, or raise a GatewayError."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    config = read_config(config_path)
    signals = Signals()
    agent = Agent(config, config_path)
    while (again := asyncio.run(agent.serve(signals))) is not None:
        try:
            agent, config = Agent(again, config_path), again
            continue
        except GatewayError as fault:  # What the text of a config does not show: a file it names.
            _LOG.error(_NOT_RELOADED, fault)
        agent = Agent(config, config_path)
    return 0


class Signals:
    """The signals by which this process is told to stop or to reload.

    What comes while one start of the agent has ended and the next is not there yet is kept for it:
    asyncio's own handlers end with their loop, and a signal in between would end the process.
    """

    def __init__(self) -> None:
        self._waiting: set[int] = set()
        self._follow: Callable[[int], object] | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._hear)

    def follow(self, follow: Callable[[int], object]) -> None:
        """Have the running loop follow signals, those that came before it first."""
        loop = asyncio.get_running_loop()
        self._follow = lambda number: loop.call_soon_threadsafe(follow, number)
        while self._waiting:
            follow(self._waiting.pop())

    def leave(self) -> None:
        """Keep what comes from now on for who follows next."""
        self._follow = None

    def _hear(self, number: int, _frame: object) -> None:
        if self._follow is None:
            self._waiting.add(number)
        else:
            self._follow(number)


def read_config(path: Path) -> Config:
    """Read and check a config file; raise ConfigUnreadable or ConfigFaults."""
    try:
        return load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigUnreadable(path=path, reason=fault) from fault


class Agent:
    """One start of the agent: one run, its sources, its store, its peers, its door."""

    def __init__(self, config: Config, config_path: Path) -> None:
        check_installed(config.link)
        self._config, self._config_path = config, config_path
        self._state_dir = Path(config.gateway.state_dir)
        self._clock = KernelClock()
        self._state: State = state.load(self._state_dir)
        self._lock = state.occupy(self._state_dir)
        self._started_s = time.monotonic()
        self._run = self._new_run()
        path = str(self._state_dir / STORE)
        check_routes(config.route, {*self._state.groups, state.OWN})
        self._writer = Writer(database.connect(path), path)
        self._author = Author(self._run, self._clock.now, random_bytes)
        self._company = Company(config, self._state, self._author, Kept(self._writer, path))
        self._reader = database.connect_to_read(path)
        self._door = Door(self._state_dir, self.status, self._company.act)
        self._outward = [self._outwards(publish) for publish in config.publish]
        desk = self._desk()
        self._buses: dict[BusAddress, Bus] = {}
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._next: Config | None = None
        try:
            self._sources = [self._listener(source, desk) for source in config.source]
        except GatewayError:
            self._close()
            self._reader.close()
            raise
        self._doing = self._company.doing(self._sources)
        self._attendance = Attendance(
            config, self._sources, self._clock.now, self._writer, self._door.tell
        )

    async def serve(self, signals: Signals) -> Config | None:
        """Run until told to stop; give the config to start again with, if there is one."""
        self._stop = stop = asyncio.Event()
        signals.follow(lambda number: self._reload() if number == signal.SIGHUP else stop.set())
        threading.excepthook = self._thread_failed(asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._door.serve())]
                running += [tasks.create_task(source.run()) for source in self._sources]
                self._company.start()
                running.append(tasks.create_task(self._company.keep_up()))
                monotonic_ms = self._company.monotonic_ms
                watching = Progress().watch(self._company.peers, monotonic_ms)
                running.append(tasks.create_task(watching))
                for outward in self._outward:
                    outward.start()
                running += [tasks.create_task(each.run()) for each in self._doing]
                running.append(tasks.create_task(self._watchdog()))
                running.append(tasks.create_task(self._attendance.run(self._reader)))
                notify("READY=1")
                _LOG.info("run %s of %s", self._run.key.id.hex(), self._config.gateway.name)
                await self._stop.wait()
                for task in running:
                    task.cancel()
        finally:
            signals.leave()
            if self._next is None:  # After STOPPING=1 systemd waits for our end, and then kills.
                notify("STOPPING=1")
            await asyncio.to_thread(self._close)
            self._reader.close()  # Here: whoever still asks how it stands is answered on the loop.
        if self._failure is not None:
            raise self._failure
        return self._next

    def status(self) -> dict[str, object]:
        """Say how things stand, as `status --json` prints it."""
        moment = self._clock.now()
        counts = Counter(together(*(source.counts for source in self._sources)))
        return {
            "gateway": self._config.gateway.name,
            "state": "running",
            "node": self._run.node.hex(),
            "run": self._run.key.id.hex(),
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "store": stored(self._reader),
            "activities": activities.tally(self._reader, self._run.node),
            "devices": self._attendance.rows(self._reader),
            "links": [asdict(link) for link in self._company.links()],
            "peers": [self._peer_row(peer, moment) for peer in self._company.peers()],
            "alarms": alarmed(self._reader),
            "groups": self._company.rows(self._reader),
            "invitations": self._company.waiting(),
            "sources": [
                {
                    "name": each.name,
                    "state": each.state,
                    "reason": each.reason,
                    "counts": dict(each.counts),
                }
                for each in self._sources
            ],
            "publish": [
                {
                    "name": each.name,
                    "state": each.state,
                    "reason": each.reason,
                    "counts": dict(each.counts),
                }
                for each in self._outward
            ],
            "witnesses": [witness_row(each) for each in self._company.witnesses()],
            "clock": {
                "state": moment.source.name.lower().replace("_", "-"),
                "uncertainty_ms": moment.uncertainty_ms,
            },
            "counters": {name: counts[name] for name in _COUNTERS},
            "refused": self._company.refused(),
        }

    def _peer_row(self, peer: PeerStatus, moment: Moment) -> dict[str, object]:
        until = peer.cut and self._when(peer.cut.until_ms, moment)
        return {
            "node": peer.node,
            "organisation": peer.organisation,
            "state": peer.state,
            "lacking": peer.lacking,
            "last_heard": self._when(peer.heard_ms, moment),
            "wanting": peer.wanting,
            "rate": peer.rate,
            "eta_s": peer.eta_s,
            "cut": peer.cut and {"reason": peer.cut.reason, "until": until},
        }

    def _when(self, heard_ms: int | None, moment: Moment) -> str | None:
        """Say when something was heard, RFC 3339; None for never, or while the clock is unset."""
        if heard_ms is None or moment.source is ClockSource.UNSET:
            return None
        return show_time(moment.unix_ms - (moment.monotonic_ms - heard_ms))

    def _listener(self, source: SourceSettings, desk: Desk) -> Source:
        """Build what hears for one entry of the config."""
        commit_ms = self._config.gateway.commit_ms
        place = joined(self._config.gateway.equipment, source.equipment)
        match source:
            case MqttSource():
                intake = Intake(desk, source.name, Provenance.GATEWAY_ATTESTED, place)
                return MqttListener(source, intake, self._clock.now, commit_ms)
            case FramedSource():
                intake = Intake(desk, source.name, framed.provenance(source), place)
                return framed.FramedListener(source, intake, self._clock.now, commit_ms)
            case SerialSource():
                intake = Intake(desk, source.name, Provenance.UNAUTHENTICATED_LINE, place)
                return SerialListener(source, intake, self._clock.now, commit_ms)
            case ModbusSource():
                intake = Intake(desk, source.name, Provenance.UNAUTHENTICATED_LINE, place)
                return self._modbus(source, intake)
            case SparkplugSource():
                # Imported here: only who has Sparkplug pays for protobuf at each start.
                from gateway.sources.sparkplug import SparkplugListener

                intake = Intake(desk, source.name, Provenance.GATEWAY_ATTESTED, place)
                return SparkplugListener(source, intake, self._clock.now, commit_ms)

    def _modbus(self, source: ModbusSource, intake: Intake) -> Source:
        """Build what hears one unit, on the bus that it shares with others."""
        # Imported here: only who has Modbus pays for its library at each start.
        from gateway.sources.bus import Bus
        from gateway.sources.modbus import ModbusListener

        bus = self._buses.get(source.bus)
        if bus is None:
            bus = self._buses[source.bus] = Bus(source.bus, self._clock.now)
        return ModbusListener(source, bus, intake, self._config.gateway.commit_ms)

    def _outwards(self, publish: Publish) -> "Outward":
        from gateway.peers.outward import Outward  # As above: it knows Sparkplug too.

        return Outward(publish, self._config.gateway.name, self._clock.now)

    def _new_run(self) -> Run:
        held = self._state
        return runs.start(held.node_key, held.node, held.encryption, random_bytes(32))

    def _desk(self) -> Desk:
        return Desk(self._author, self._writer, self._company.routes, self._written)

    def _written(self, written: frozenset[bytes], readings: Sequence[Reading]) -> None:
        self._company.written(written)
        self._door.show(readings)
        for each in self._doing:
            each.show(readings)
        for outward in self._outward:
            outward.show(readings)

    def _reload(self) -> None:
        """Read the config again; go on with the old one if the new one is not good."""
        try:
            config = read_config(self._config_path)
            check_routes(config.route, self._company.groups)
            self._next = config
        except GatewayError as fault:
            _LOG.error(_NOT_RELOADED, fault)
            return
        assert self._stop is not None
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._stop.set()

    def _thread_failed(
        self, loop: asyncio.AbstractEventLoop
    ) -> Callable[[threading.ExceptHookArgs], None]:
        def failed(said: threading.ExceptHookArgs) -> None:
            """Stop the agent: a thread died of a defect, and half an agent is worse than none."""
            self._failure = said.exc_value
            if self._stop is not None:
                loop.call_soon_threadsafe(self._stop.set)

        return failed

    async def _watchdog(self) -> None:
        """Tell systemd that the loop turns and the writer commits, twice in the time it allows."""
        allowed_us = os.environ.get("WATCHDOG_USEC", "")
        if not allowed_us.isdigit():
            return
        while True:
            await asyncio.to_thread(self._commit_nothing)
            notify("WATCHDOG=1")
            await asyncio.sleep(int(allowed_us) / 2_000_000)

    def _commit_nothing(self) -> None:
        """Wait until the writer has had its turn; what the disk refuses, the sources tell."""
        with suppress(GatewayError, CancelledError):
            self._writer.submit(lambda _db: None).result()

    def _close(self) -> None:
        """Drain: commit and acknowledge what was heard, then close in the order of the path."""
        for outward in self._outward:
            outward.stop()
        self._company.stop()
        self._writer.close()
        self._company.close()
        self._lock.close()


def stored(db: apsw.Connection) -> dict[str, int]:
    """Count what the store holds."""
    counted = {str(name): int(value) for name, value in db.execute("SELECT * FROM totals")}
    quarantined = int(db.execute("SELECT count(*) FROM quarantine").get)
    return {**counted, "quarantined": quarantined, "evidence": evidence.count(db)}


def witness_row(one: WitnessStatus) -> dict[str, object]:
    """Tell how it stands with a witness, as `status --json` prints it."""
    when = None if one.cosigned_s is None else show_time(one.cosigned_s * 1000)
    row: dict[str, object] = {"name": one.name, "state": one.state, "reason": one.reason}
    return row | {"size": one.size, "cosigned": when}


def alarmed(db: apsw.Connection) -> list[dict[str, object]]:
    """Tell of which nodes two runs both went on, the newest alarm first."""
    return [
        {
            "node": each.alarm.node.hex(),
            "organisation": each.organisation,
            "older": each.alarm.older.hex(),
            "newer": each.alarm.newer.hex(),
            "time": show_time(each.heard_ms) if each.heard_ms else None,
        }
        for each in alarms.load(db)
    ]


def notify(message: str) -> None:
    """Tell systemd, if it started us (sdnotify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        address = "\0" + address[1:] if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
            out.sendto(message.encode(), address)
