"""Sparkplug B, said as an edge node: births, data and deaths of what was stored.

In: readings, and the time. Out: topics and payloads to publish, in order. Chapter:
docs/devices/sparkplug.md. Each device of ours is a device behind one edge node; its certificate is
said anew when a metric is new or needs a wider type. It never connects, and it obeys one command,
the request for a rebirth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import DeviceError
from gateway.readings import names, sparkplug_values as values
from gateway.readings.reading import Quality, Reading, Value
from gateway.readings.sparkplug_payload import BD_SEQ, REBIRTH, Metric, Payload, decode, encode
from gateway.readings.sparkplug_topic import NAMESPACE, Topic
from gateway.readings.sparkplug_values import Datatype

SESSIONS: Final = 256
METRICS_MAX: Final = 100_000
_COMMAND_BYTES_MAX: Final = 65_536
# What can hold all that the types before it can; a metric's type only ever grows.
_WIDER: Final = (Datatype.INT64, Datatype.DOUBLE, Datatype.STRING)

Said = tuple[str, bytes]


@dataclass(slots=True)
class _Told:
    """A metric as the certificate has it, and its last reading."""

    datatype: int
    last: Reading


class Edge:
    """One edge node, over all its sessions."""

    def __init__(self, group: str, node: str, session: int) -> None:
        self._group, self._node = group, node
        self._session, self._sequence = session % SESSIONS, 0
        self._devices: dict[str, dict[str, _Told]] = {}
        self._metrics = 0
        self.commands = f"{NAMESPACE}/{group}/NCMD/{node}"

    def connect(self, now_ms: int) -> Said:
        """Begin the next session: give the death certificate that is its will."""
        self._session = (self._session + 1) % SESSIONS
        return self.death(now_ms)

    def death(self, now_ms: int) -> Said:
        """Give the death certificate of this session."""
        metric = Metric(BD_SEQ, None, now_ms, Datatype.INT64, "long_value", self._session)
        return str(self._topic("NDEATH")), encode(Payload(now_ms, None, (metric,)))

    def births(self, now_ms: int) -> Iterator[Said]:
        """Give all birth certificates, with the last values: at the start, and when asked."""
        self._sequence = 0
        metrics = (
            Metric(BD_SEQ, None, now_ms, Datatype.INT64, "long_value", self._session),
            Metric(REBIRTH, None, now_ms, Datatype.BOOLEAN, "boolean_value", False),
        )
        yield self._say("NBIRTH", None, metrics, now_ms)
        for device in self._devices:
            yield self._birth(device, now_ms)

    def say(self, readings: Sequence[Reading], now_ms: int) -> tuple[list[Said], int]:
        """Give what tells of readings, and how many of them there is no room for in mind."""
        by_device: dict[str, list[Reading]] = {}
        for reading in readings:
            by_device.setdefault(reading.device, []).append(reading)
        said: list[Said] = []
        dropped = 0
        for device, its in by_device.items():
            known = self._devices.setdefault(device, {})
            metrics, born = [], bool(known)
            for reading in its:
                told = known.get(reading.metric)
                if told is None and self._metrics >= METRICS_MAX:
                    dropped += 1
                    continue
                born = self._learn(known, reading) and born
                metrics.append(_metric(reading, known[reading.metric], told, now_ms))
            if not born and known:
                said.append(self._birth(device, now_ms))
            if metrics:
                said.append(self._say("DDATA", device, metrics, now_ms))
        return said, dropped

    def wants_births(self, topic: str, command: bytes) -> bool:
        """Say whether this is a request for a rebirth; any other command is none of ours."""
        if topic != self.commands:
            return False
        try:
            metrics = decode(command, _COMMAND_BYTES_MAX).metrics
        except DeviceError:
            return False
        return any(one.name == REBIRTH and one.said is True for one in metrics)

    def _learn(self, known: dict[str, _Told], reading: Reading) -> bool:
        """Take a reading for its metric's last; False where the certificate does not fit it."""
        datatype, _, _ = values.write(reading.value)
        told = known.get(reading.metric)
        if told is None:
            known[reading.metric] = _Told(datatype, reading)
            self._metrics += 1
            return False
        fits = told.datatype == datatype or _is_null(reading)
        if not fits:
            before, told.datatype = told.datatype, _widest(told.datatype, datatype)
            fits = told.datatype == before
        if (reading.time_ms or 0) >= (told.last.time_ms or 0):
            told.last = reading
        return fits

    def _birth(self, device: str, now_ms: int) -> Said:
        told = self._devices[device].values()
        metrics = [_born(one, now_ms) for one in told]
        return self._say("DBIRTH", device, metrics, now_ms)

    def _say(self, verb: str, device: str | None, metrics: Sequence[Metric], now_ms: int) -> Said:
        payload = Payload(now_ms, self._sequence, tuple(metrics))
        self._sequence = (self._sequence + 1) % SESSIONS
        return str(self._topic(verb, device)), encode(payload)

    def _topic(self, verb: str, device: str | None = None) -> Topic:
        level = None if device is None else names.escape(device)
        return Topic(self._group, verb, self._node, level)


def _widest(one: int, other: int) -> int:
    """Give the least type that holds values of both."""
    for datatype in _WIDER[:2]:
        if {one, other} <= {Datatype.INT64, datatype}:
            return datatype
    return Datatype.STRING


def _is_null(reading: Reading) -> bool:
    return reading.value == "" and reading.quality is Quality.BAD


def _as(value: Value, datatype: int) -> Value:
    if datatype == Datatype.DOUBLE and not isinstance(value, str):
        return float(value)
    return value if datatype != Datatype.STRING or isinstance(value, str) else str(value)


def _born(told: _Told, now_ms: int) -> Metric:
    """Write a metric of a certificate: name, type, unit, and its last value."""
    last, datatype = told.last, told.datatype
    time_ms = now_ms if last.time_ms is None else last.time_ms
    if _is_null(last):
        return Metric(last.metric, None, time_ms, datatype, null=True, unit=last.unit or None)
    _, field, said = values.write(_as(last.value, datatype))
    return Metric(
        *(last.metric, None, time_ms, datatype, field, said),
        unit=last.unit or None,
        quality=last.quality,
    )


def _metric(reading: Reading, told: _Told, before: _Told | None, now_ms: int) -> Metric:
    """Write a metric of data: what the certificate has already is left out."""
    time_ms = now_ms if reading.time_ms is None else reading.time_ms
    historical = before is not None and told.last is not reading
    if _is_null(reading):
        return Metric(reading.metric, None, time_ms, null=True, historical=historical)
    _, field, said = values.write(_as(reading.value, told.datatype))
    return Metric(
        *(reading.metric, None, time_ms, 0, field, said),
        historical=historical,
        quality=reading.quality,
    )
