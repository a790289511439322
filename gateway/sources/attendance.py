"""Which devices are there: told from what the sources heard, what the store kept, and the config.

In: the sources, their settings, and what the store knows. Out: a row for each device with its
state, and a word to whoever listens when that changes. A device that the config names is shown
before it was ever heard. docs/protocol/observation.md.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeGuard

from gateway.config import (
    Config,
    FramedSource,
    ModbusSource,
    MqttSource,
    SerialSource,
    Source as Settings,
    joined,
)
from gateway.errors import StoreClosed
from gateway.query import show_time
from gateway.readings import naming
from gateway.readings.presence import Instant, Presence, presence
from gateway.records.record import ClockSource, Moment
from gateway.sources.source import Life, Lives, Source
from gateway.store import devices
from gateway.store.database import Connection
from gateway.store.devices import Known
from gateway.store.writer import Writer

_LOOK_S = 1.0
Now = Callable[[], Moment]
Key = tuple[str, str]
Tell = Callable[[str, str], None]


def instant(moment: Moment) -> Instant:
    """Give a moment without a wall clock that nobody set."""
    unix_ms = None if moment.source is ClockSource.UNSET else moment.unix_ms
    return Instant(unix_ms, moment.boot, moment.monotonic_ms)


def expected(settings: Settings) -> tuple[str, ...]:
    """Name the devices that a source has by its config, whether or not they were ever heard."""
    match settings:
        case MqttSource():
            return naming.expected(settings)
        case SerialSource():
            return (settings.device or settings.name,)
        case FramedSource() | ModbusSource():
            return (settings.name,)
    return ()


def place(within: str, settings: Settings, device: str) -> str:
    """Say where a device stands, "" where nobody has said it."""
    own = ""
    if isinstance(settings, MqttSource):
        own = next((bind.equipment for bind in settings.bind if bind.device == device), "")
    return joined(within, settings.equipment, own)


@dataclass(frozen=True, slots=True)
class Device:
    """All that is known of one device now."""

    settings: Settings
    name: str
    heard: Instant | None  # in this run
    known: Known | None
    life: Life | None

    @property
    def last(self) -> Instant | None:
        """Say when it was heard last, in this run or an earlier one."""
        if self.heard is None and self.known is not None:
            return self.known.heard
        return self.heard

    def state(self, now: Instant) -> Presence:
        """Say how it stands; its own word that it goes counts more than its last reading."""
        if self.life is not None:
            words = {"alive": Presence.FRESH, "stale": Presence.STALE}
            return words.get(self.life.state, Presence.ABSENT)
        return presence(self.last, now, self.settings.stale_ms)


class Attendance:
    """The roll of all devices: gives rows; run, it tells of changes and keeps deaths."""

    def __init__(
        self, config: Config, sources: Sequence[Source], now: Now, writer: Writer, tell: Tell
    ) -> None:
        self._within, self._settings = config.gateway.equipment, config.source
        self._sources, self._now, self._writer, self._tell = sources, now, writer, tell
        self._before: dict[Key, Presence] = {}

    async def run(self, db: Connection) -> None:
        """Look each second, until cancelled: keep deaths, and tell of every change."""
        at_start = devices.known(db)
        self._before = self._states(at_start)
        while True:
            await asyncio.sleep(_LOOK_S)
            self._look(self._states(at_start))

    def rows(self, db: Connection) -> list[dict[str, object]]:
        """Give a row a device, as `status --json` prints it."""
        moment = self._now()
        return [
            row(each, place(self._within, each.settings, each.name), moment)
            for each in self._devices(devices.known(db), moment)
        ]

    def _states(self, known: Iterable[Known]) -> dict[Key, Presence]:
        moment = self._now()
        return {
            (each.settings.name, each.name): each.state(instant(moment))
            for each in self._devices(known, moment)
        }

    def _look(self, states: dict[Key, Presence]) -> None:
        before, self._before = self._before, states
        for key, state in states.items():
            if state is before.get(key):
                continue
            self._tell(key[1], state.value)
            if before.get(key) is Presence.FRESH:
                self._bury(*key)

    def _bury(self, source: str, device: str) -> None:
        died_ms = instant(self._now()).unix_ms
        with suppress(StoreClosed):  # The agent stops: what it did not see die is alive.
            self._writer.submit(lambda db: devices.bury(db, source, device, died_ms))

    def _devices(self, known: Iterable[Known], moment: Moment) -> list[Device]:
        kept: dict[str, dict[str, Known]] = {}
        for each in known:
            kept.setdefault(each.source, {})[each.device] = each
        found = []
        for settings, source in zip(self._settings, self._sources, strict=True):
            its = kept.get(settings.name, {})
            lives = {life.device: life for life in source.lives()} if _has_lives(source) else {}
            for name in sorted({*source.devices, *lives, *expected(settings), *its}):
                heard_ms = source.devices.get(name)
                heard = None if heard_ms is None else instant(moment).at(heard_ms)
                found.append(Device(settings, name, heard, its.get(name), lives.get(name)))
        return found


def at_rest(config: Config, db: Connection, now: Moment) -> list[dict[str, object]]:
    """Give the rows while no agent runs: what the store and the config know."""
    kept = devices.known(db)
    found = []
    for settings in config.source:
        its = {each.device: each for each in kept if each.source == settings.name}
        for name in sorted({*its, *expected(settings)}):
            device = Device(settings, name, None, its.get(name), None)
            found.append(row(device, place(config.gateway.equipment, settings, name), now))
    return found


def row(device: Device, equipment: str, moment: Moment) -> dict[str, object]:
    """Give a device under the names that tools rely on; times are RFC 3339 in UTC."""
    now, known, life, heard = instant(moment), device.known, device.life, device.last
    age_ms = None if heard is None else heard.age_ms(now)
    born_ms = None if known is None else known.born_ms
    died_ms = None if known is None else known.died_ms
    if life is not None:
        born_ms = _unix(life.born_ms, now) or born_ms
        died_ms = _unix(life.died_ms, now) or died_ms
    heard_ms = heard.unix_ms if heard is not None else None
    return {
        "name": device.name,
        "source": device.settings.name,
        # A device that says itself how it stands is shown by its own word.
        "state": device.state(now).value if life is None else life.state,
        "equipment": equipment,
        "last_reading": _shown(heard_ms),
        "last_reading_age_ms": age_ms,
        "first_heard": _shown(None if known is None else known.first_ms),
        "born": _shown(born_ms),
        "died": _shown(died_ms),
        "births": 0 if known is None else known.births,
        "stale_ms": device.settings.stale_ms,
    }


def _has_lives(source: Source) -> TypeGuard[Lives]:
    return isinstance(source, Lives)


def _unix(monotonic_ms: int | None, now: Instant) -> int | None:
    return None if monotonic_ms is None else now.at(monotonic_ms).unix_ms


def _shown(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else show_time(unix_ms)
