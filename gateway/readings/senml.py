"""The body of an observation: readings as one SenML pack in CBOR. Protocol chapter 6.

In: readings and who stands for them, or bytes from anywhere. Out: packs that fit a size, or the
readings again. It never signs, stores or reads a clock, and never builds an object from a tag.

RFC 8428 with integer labels, times absolute, and five labels of ours in text: `q` quality, `m`
monotonic ms where no clock was set, `r` was a retained message, `be` where it was measured and `bp`
provenance (these two stick like base labels). Entries are encoded one by one, so a pack's size is
known before it is full.
"""

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple

import cbor2

from gateway.config.devices import EQUIPMENT
from gateway.errors import MalformedPack, RecordTooLarge
from gateway.readings import names
from gateway.readings.reading import Attestation, Provenance, Quality, Reading, Value
from gateway.readings.spans import Span as Span, Spans, spans as spans
from gateway.readings.times import TIME_MS_MAX, TIME_MS_MIN

CONTENT_TYPE: Final = "application/senml+cbor"
# Below 40 KiB with room for the record around it, so that a default broker passes the message.
PACK_BYTES_MAX: Final = 40_000
# What is accepted: other authors may fill a message (protocol, chapter 14: 64 KiB).
DECODED_BYTES_MAX: Final = 65_536
DEPTH_MAX: Final = 2

BN, BT, BU, BV = -2, -3, -4, -5
NAME, UNIT, NUMBER, TEXT, FLAG, TIME = 0, 1, 2, 3, 4, 6
BVER: Final = -1
# The only base version there is (RFC 8428, 4.4); a pack of another one means something else.
VERSION: Final = 10
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

KEY_BYTES, SIGNATURE_BYTES = 32, 64
# Far above what one attestation and its readings take, so that both are in one pack.
_ATTESTED_BYTES_MAX: Final = 6_144

_PROVENANCE: Final = {provenance.value: provenance for provenance in Provenance}
_QUALITY: Final = {
    Quality.GOOD.value: b"",
    Quality.UNCERTAIN.value: b"\x61q\x69uncertain",
    Quality.BAD.value: b"\x61q\x63bad",
}


class Pack(NamedTuple):
    """One body: its bytes, how many readings are in it, and of which devices."""

    encoded: bytes
    count: int  # type: ignore[assignment] # As above.
    spans: list[Span]


class Attested(NamedTuple):
    """A reading and who stands for it, not verified here.

    `key` is that of the device, empty where none is said. `signed` is a signature and what it is
    over, at the first of the readings that it is about, and empty at all others.
    """

    reading: Reading
    provenance: Provenance
    key: bytes = b""
    signed: bytes = b""


def encode(
    readings: Iterable[Reading], provenance: Provenance, bytes_max: int = PACK_BYTES_MAX
) -> list[Pack]:
    """Write readings, in their order, as packs of at most `bytes_max` bytes each.

    Raises MalformedPack for a number that CBOR or int64 cannot hold, and RecordTooLarge for a
    reading that no pack of this size can hold: sources refuse both before.
    """
    packer = _Packer(provenance, bytes_max)
    for reading in readings:
        packer.add(reading)
    packer.close()
    return packer.packs


def encode_attested(
    said: Iterable[tuple[Attestation, Sequence[Reading]]], bytes_max: int = PACK_BYTES_MAX
) -> list[Pack]:
    """Write readings as `encode` does, each lot whole in one pack, with its device's signature."""
    packer = _Packer(Provenance.DEVICE_SIGNED, bytes_max)
    for attestation, readings in said:
        packer.attest(attestation)
        for reading in readings:
            packer.add(reading)
    packer.close()
    return packer.packs


@lru_cache(maxsize=8192)
def _name_and_unit(metric: str, unit: str) -> tuple[int, bytes]:
    """Encode the pairs n and u, and say how many pairs they are."""
    name = b"\x00" + _text(names.escape_metric(metric))
    return (2, name + b"\x01" + _text(unit)) if unit else (1, name)


@lru_cache(maxsize=8192)
def _seconds(time_ms: int) -> bytes:
    """Encode a time in seconds, as an integer where it is one."""
    whole, rest = divmod(time_ms, 1000)
    return cbor2.dumps(time_ms / 1000 if rest else whole, canonical=True)


def _bytes(said: bytes) -> bytes:
    return cbor2.dumps(said, canonical=True)


def _text(text: str) -> bytes:
    return cbor2.dumps(text, canonical=True)


def _value(value: Value) -> bytes:
    """Encode the pair of a value under the label of its type."""
    if value is True or value is False:
        return b"\x04\xf5" if value else b"\x04\xf4"
    if isinstance(value, str):
        return b"\x03" + _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedPack(reason="a number that is not finite")
    if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise MalformedPack(reason="an integer beyond 64 bits")
    return b"\x02" + cbor2.dumps(value, canonical=True)


def _head(major: int, count: int) -> bytes:
    """Encode the head of an array or a map."""
    if count < 24:
        return bytes([major << 5 | count])
    if count < 256:
        return bytes([major << 5 | 24, count])
    return struct.pack(">BH", major << 5 | 25, count)


class _Packer:
    """Fill packs entry by entry, and remember what sticks within the open one."""

    __slots__ = (
        *("provenance", "bytes_max", "packs", "entries", "size", "device", "zero_ms"),
        *("equipment", "spans", "key", "signed"),
    )

    def __init__(self, provenance: Provenance, bytes_max: int) -> None:
        self.provenance = b"\x62bp" + _text(provenance.value)
        self.bytes_max = bytes_max
        self.packs: list[Pack] = []
        self.signed = b""
        self._open()

    def _open(self) -> None:
        self.entries: list[bytes] = []
        self.size = 0
        self.device: str | None = None
        self.zero_ms: int | None = None
        self.equipment = ""
        self.key = b""
        self.spans = Spans()

    def attest(self, attestation: Attestation) -> None:
        """Have the next entry say what a device signed, in a pack with room for all it is about."""
        if self.size + _ATTESTED_BYTES_MAX > self.bytes_max:
            self.close()
        key, self.key = self.key, attestation.key
        said = attestation.signature + attestation.testimony
        self.signed = b"\x62dk" + _bytes(self.key) if key != self.key else b""
        self.signed += b"\x62ds" + _bytes(said)

    def add(self, reading: Reading) -> None:
        """Encode a reading into the open pack, or into a new one where that is full."""
        entry, zero_ms = self._entry(reading)
        if self.entries and self.size + len(entry) + 3 > self.bytes_max:
            self.close()
            entry, zero_ms = self._entry(reading)
        if len(entry) + 3 > self.bytes_max:
            raise RecordTooLarge(size=len(entry) + 3, size_max=self.bytes_max)
        self.zero_ms, self.device = zero_ms, reading.device
        self.equipment = reading.equipment
        self.signed = b""
        self.entries.append(entry)
        self.size += len(entry)
        self.spans.add(reading.device, reading.time_ms)

    def _entry(self, reading: Reading) -> tuple[bytes, int | None]:
        """Encode one entry in the order of deterministic CBOR; give the base time after it."""
        pairs, head = _name_and_unit(reading.metric, reading.unit)
        head += _value(reading.value)
        tail, more = b"", 0
        time_ms, zero_ms = reading.time_ms, self.zero_ms
        if time_ms is not None and TIME_MS_MIN <= time_ms <= TIME_MS_MAX:
            if zero_ms is None:
                zero_ms, tail, more = time_ms, b"\x22" + _seconds(time_ms), 1
            elif time_ms != zero_ms:
                head, more = head + b"\x06" + _seconds(time_ms - zero_ms), 1
        else:
            if zero_ms is not None:
                zero_ms, tail, more = None, b"\x22\x00", 1
            if reading.monotonic_ms is not None:
                tail += b"\x61m" + cbor2.dumps(reading.monotonic_ms, canonical=True)
                more += 1
        if reading.device != self.device:
            tail = b"\x21" + _text(names.prefix(reading.device)) + tail
            more += 1
        if reading.quality is not Quality.GOOD:
            tail, more = tail + _QUALITY[reading.quality.value], more + 1
        if reading.retained:
            tail, more = tail + b"\x61r\xf5", more + 1
        if reading.equipment != self.equipment:
            tail, more = tail + b"\x62be" + _text(reading.equipment), more + 1
        if not self.entries:
            tail, more = tail + self.provenance, more + 1
        if self.signed:
            tail, more = tail + self.signed, more + 1 + self.signed.startswith(b"\x62dk")
        return bytes((0xA1 + pairs + more,)) + head + tail, zero_ms

    def close(self) -> None:
        """Finish the open pack, where something is in it."""
        if self.entries:
            count = len(self.entries)
            encoded = _head(4, count) + b"".join(self.entries)
            self.packs.append(Pack(encoded, count, self.spans.done()))
        self._open()


def decode(encoded: bytes, bytes_max: int = DECODED_BYTES_MAX) -> list[Reading]:
    """Read a pack's readings, resolved; raise MalformedPack for bytes that are no such pack."""
    return [attested.reading for attested in decode_attested(encoded, bytes_max)]


def decode_attested(encoded: bytes, bytes_max: int = DECODED_BYTES_MAX) -> list[Attested]:
    """Read a pack's readings, each with who stands for it; raise MalformedPack as `decode`."""
    if len(encoded) > bytes_max:
        raise MalformedPack(reason=f"{len(encoded)} bytes where at most {bytes_max} are allowed")
    sticking = _Sticking()
    return [_resolve(sticking, entry) for entry in _entries(encoded)]


def _refuse_tag(_decoder: object, _immutable: object) -> object:
    raise ValueError("a tag")


class _NoTags(dict[int, Callable[[object, object], object]]):
    """Answer every tag with a refusal, so that no bytes make cbor2 build an object."""

    def __getitem__(self, tag: int) -> Callable[[object, object], object]:
        return _refuse_tag


_NO_TAGS: Final = _NoTags()


def _entries(encoded: bytes) -> list[dict[object, object]]:
    """Read deterministic CBOR as an array of maps of scalars (I1)."""
    try:
        pack: object = cbor2.loads(
            encoded,
            max_depth=DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_NO_TAGS,
        )
    except cbor2.CBORError as fault:
        cause = f"{fault} ({fault.__cause__})" if fault.__cause__ else f"{fault}"
        raise MalformedPack(reason=cause[:160]) from None
    if not isinstance(pack, list) or not pack or not all(type(entry) is dict for entry in pack):
        raise MalformedPack(reason="not an array of at least one map")
    for entry in pack:
        for label, said in entry.items():
            _check(label, said)
    if cbor2.dumps(pack, canonical=True) != encoded:
        raise MalformedPack(reason="the encoding is not the deterministic one, or bytes trail it")
    return pack


def _is_number(said: object) -> bool:
    if type(said) is int:
        return INT_MIN <= said <= INT_MAX
    return type(said) is float and math.isfinite(said)


def _is_text(said: object) -> bool:
    return type(said) is str


_RIGHT: Final[dict[object, Callable[[object], bool]]] = {
    BVER: lambda said: type(said) is int and said == VERSION,
    BN: _is_text,
    BT: _is_number,
    BU: _is_text,
    BV: _is_number,
    NAME: _is_text,
    UNIT: _is_text,
    NUMBER: _is_number,
    TEXT: _is_text,
    FLAG: lambda said: type(said) is bool,
    TIME: _is_number,
    "m": lambda said: type(said) is int and 0 <= said <= INT_MAX,
    "q": lambda said: type(said) is str and said in ("uncertain", "bad"),
    "r": lambda said: said is True,
    "be": lambda said: type(said) is str and EQUIPMENT.fullmatch(said) is not None,
    "bp": lambda said: type(said) is str and said in _PROVENANCE,
    "dk": lambda said: type(said) is bytes and len(said) == KEY_BYTES,
    "ds": lambda said: type(said) is bytes and len(said) > SIGNATURE_BYTES,
}
_PLAIN: Final = (str, bytes, bool, int, NoneType)


def _check(label: object, said: object) -> None:
    """Refuse a label that must be understood and is not, and a value of the wrong type."""
    right = _RIGHT.get(label) if type(label) is int or type(label) is str else None
    if right is not None:
        if not right(said):
            raise MalformedPack(reason=f"label {label!r} has a value that it cannot have")
    elif type(label) is not str or label.endswith("_"):
        raise MalformedPack(reason=f"label {str(label)[:20]!r} is not understood")
    elif type(said) not in _PLAIN and not _is_number(said):
        raise MalformedPack(reason=f"label {label[:20]!r} is neither text, bytes nor a number")


@dataclass(slots=True)
class _Sticking:
    """What base labels said so far, and still holds."""

    name: str = ""
    time: float | int = 0
    unit: str = ""
    value: float | int = 0
    equipment: str = ""
    provenance: Provenance | None = None
    key: bytes = b""


def _resolve(sticking: _Sticking, said: dict[Any, Any]) -> Attested:
    """Make a reading of an entry whose types are checked, and keep what sticks (RFC 8428, 4.6)."""
    sticking.name = said.get(BN, sticking.name)
    sticking.time = said.get(BT, sticking.time)
    sticking.unit = said.get(BU, sticking.unit)
    sticking.value = said.get(BV, sticking.value)
    sticking.equipment = said.get("be", sticking.equipment)
    sticking.key = said.get("dk", sticking.key)
    if "bp" in said:
        sticking.provenance = _PROVENANCE[said["bp"]]
    if sticking.provenance is None:
        raise MalformedPack(reason="the first entry does not say its provenance")
    device, metric = _whose(sticking.name + said.get(NAME, ""))
    time_ms, monotonic_ms = _when(sticking.time + said.get(TIME, 0)), said.get("m")
    if time_ms is not None and monotonic_ms is not None:
        raise MalformedPack(reason="an entry with both a time and monotonic milliseconds")
    reading = Reading(
        device,
        metric,
        _what(said, sticking.value),
        said.get(UNIT, sticking.unit),
        time_ms,
        monotonic_ms,
        Quality(said.get("q", "good")),
        "r" in said,
        sticking.equipment,
    )
    return Attested(reading, sticking.provenance, sticking.key, said.get("ds", b""))


def _whose(name: str) -> tuple[str, str]:
    split = names.split(name)
    if split is None:
        raise MalformedPack(reason="a name that is not urn:dev:hulian:DEVICE/METRIC, escaped")
    return split


def _when(seconds: float | int) -> int | None:
    if seconds == 0:
        return None
    if not TIME_MS_MIN // 1000 <= seconds <= TIME_MS_MAX / 1000:
        raise MalformedPack(reason="a time relative to now, or beyond the year 9999")
    return round(seconds * 1000)


def _what(said: dict[Any, Any], zero: float | int) -> Value:
    values = [said[label] for label in (NUMBER, TEXT, FLAG) if label in said]
    if len(values) != 1:
        raise MalformedPack(reason="an entry without exactly one of v, vs and vb")
    value: Value = values[0]
    if NUMBER in said and zero:
        value = zero + said[NUMBER]
        if not _is_number(value):
            raise MalformedPack(reason="a sum with the base value that no number holds")
    return value
