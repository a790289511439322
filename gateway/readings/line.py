"""A line: the gateway's half of the framed protocol. Protocol: docs/protocol/frame.md.

In: frames as they were heard, the position that the last commit holds, and what became of each
commit. Out: what to do: send a frame, take samples for the next commit, count something, keep what
was refused. A line never acknowledges what is not committed, and never takes a sample twice.
Nothing here opens a port or reads a clock, and nothing is kept but numbers and one device's table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.errors import (
    FrameError,
    MalformedFrame,
    ReusedBoot,
    UnknownMetric,
    UnknownQuality,
    UnsignedFrame,
    WrongDeviceName,
)
from gateway.readings import command, testimony
from gateway.readings.frame import (
    AGE_MS_MAX,
    Ack,
    Ask,
    Command,
    Frame,
    Metric,
    Result,
    Sample,
    Samples,
    Signed,
    Table,
)
from gateway.readings.reading import (
    Arrival,
    Gap,
    GapReason,
    Numbers,
    Position,
    Quality,
    Reading,
    Unreadable,
)

ASK_MS_MIN = 500
# Boots whose numbers are kept, for devices that take turns on one line.
BOOTS_MAX = 8

QUALITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD)


@dataclass(frozen=True, slots=True)
class Send:
    """An action: say this frame to the device."""

    frame: Ask | Ack


@dataclass(frozen=True, slots=True)
class Take:
    """An action: commit these samples, and the position that covers them, at once.

    Before them the device dropped `lost` samples; they count once this is committed, not before.
    Their numbers begin at `lost_from`; None where only their count is known. `testimony` is what
    the device signed of them, and its signature; both empty where it does not sign.
    """

    name: str
    table: tuple[Metric, ...]
    samples: tuple[Sample, ...]
    position: Position
    lost: int = 0
    lost_from: int | None = None
    testimony: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Refuse:
    """An action: count what is not the device's, and keep its bytes."""

    said: bytes
    error: FrameError


@dataclass(frozen=True, slots=True)
class Told:
    """An action: see whether this ends the command that is being said."""

    answer: command.Answer


@dataclass(frozen=True, slots=True)
class Count:
    """An action: count so many samples (of `boot_reused`: starts) that were not simply taken."""

    what: str
    count: int


Action = Send | Take | Told | Count | Refuse


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs on a line: the name it must have, and whether a signature of it verifies."""

    name: str
    proves: Callable[[bytes, bytes], bool]  # message, signature


@dataclass(slots=True)
class _Known:
    """What a device said of itself so far."""

    boot: bytes
    name: str
    total: int
    rows: dict[int, Metric] = field(default_factory=dict)

    def metrics(self) -> tuple[Metric, ...]:
        """Give the whole table, or nothing while a row is missing."""
        if len(self.rows) < self.total:
            return ()
        return tuple(self.rows[index] for index in range(self.total))


class Line:
    """What is known of the device on one line; decides, and leaves the doing to its source.

    Where frames carry proof, `draw` gives a challenge that was never given before for each ASK: the
    table that answers it shows which boot lives now, and samples of another are not taken. Nor is
    then a boot id that is used twice, for an old frame said again looks the same. Of a device that
    signs, a frame is taken as a whole or not at all, so that what is kept is what was signed.
    """

    def __init__(
        self,
        position: Position | None,
        draw: Callable[[], bytes] | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._draw, self._challenge = draw, b""
        self._signer = signer
        self._committed = {position.boot: position.sequence + 1} if position else {}
        self._expected = dict(self._committed)
        self._table: _Known | None = None
        self._asked_ms: int | None = None

    @property
    def name(self) -> str | None:
        """Give the name that the device says it has."""
        return self._table.name if self._table else None

    @property
    def boot(self) -> bytes | None:
        """Give the start in which the device is believed to be; None while nobody knows."""
        return self._table.boot if self._table and self._table.metrics() else None

    def ask(self, now_ms: int) -> Ask:
        """Ask the device once more who it is, and whether it has started again."""
        return self._challenged(now_ms)

    def opened(self, now_ms: int) -> Ask:
        """Begin on a line just opened: perhaps with another device, and without what it said."""
        self._table = None
        return self._challenged(now_ms)

    def hear(self, frame: Frame, now_ms: int) -> tuple[Action, ...]:
        """Decide on a frame; now_ms is monotonic."""
        match frame:
            case Signed():
                return self._hear_signed(frame, now_ms)
            case Table():
                return self._learn(frame)
            case Samples():
                return self._hear_samples(frame, now_ms)
            case Result():
                return self._hear_result(frame)
            case Ask() | Ack() | Command():
                return (Count("echoes", 1),)

    def committed(self, position: Position) -> Ack:
        """Acknowledge what a commit made durable."""
        self._keep(self._committed, position.boot, position.sequence + 1)
        return Ack(position.boot, position.sequence + 1)

    def refused(self) -> None:
        """Take back what was heard since the last commit, since it will not be committed."""
        self._expected = dict(self._committed)

    def _learn(self, said: Table) -> tuple[Action, ...]:
        if said.challenge != self._challenge:
            return (Count("unasked", 1),)
        known = self._table
        if known is None or (known.boot, known.name, known.total) != (
            said.boot,
            said.name,
            said.total,
        ):
            known = self._table = _Known(said.boot, said.name, said.total)
        known.rows.update(enumerate(said.metrics, said.first))
        return ()

    def _hear_signed(self, signed: Signed, now_ms: int) -> tuple[Action, ...]:
        """Hear a frame only if the device signed it, and keep with its samples what proves it."""
        message = self._signed_bytes(signed)
        if isinstance(message, FrameError):
            return (Refuse(signed.said + signed.signature, message),)
        return tuple(
            replace(it, testimony=message, signature=signed.signature)
            if isinstance(it, Take)
            else it
            for it in self.hear(signed.frame, now_ms)
        )

    def _signed_bytes(self, signed: Signed) -> bytes | FrameError:
        """Give what the signature is over, or why it proves nothing; empty where none can tell."""
        signer, said = self._signer, signed.frame
        rows: tuple[Metric, ...] = ()
        assert signer is not None, "who reads signed frames has a signer"
        name = said.name if isinstance(said, Table) else signer.name
        if isinstance(said, Samples):
            table = self._metrics_of(said)
            if not table:
                return b""  # not taken: the device is asked, and says it again
            unknown = [it.metric for it in said.samples if it.metric >= len(table)]
            if unknown:
                return UnknownMetric(metric=unknown[0], total=len(table))
            rows = tuple(table[it.metric] for it in said.samples)
        message = testimony.encode(signed.said, name, rows)
        if len(message) > testimony.BYTES_MAX or not signer.proves(message, signed.signature):
            return UnsignedFrame(reason="the signature does not verify")
        if name != signer.name:
            return WrongDeviceName(found=name, name=signer.name)
        return message

    def _metrics_of(self, said: Samples) -> tuple[Metric, ...]:
        """Give the table of the boot that says these samples; () while it is not complete."""
        table = self._table
        return table.metrics() if table is not None and table.boot == said.boot else ()

    def _hear_samples(self, said: Samples, now_ms: int) -> tuple[Action, ...]:
        table = self._table
        if table is None or not self._metrics_of(said):
            return (Count("unidentified", len(said.samples)), *self._ask(now_ms))
        expected = self._expected.get(said.boot)
        if expected is None:
            return self._take_first(said, table)
        if said.next < expected and self._draw is not None:
            return (Count("replayed", len(said.samples)),)
        if said.next < expected:
            return (Count(ReusedBoot.code, 1), *self._take_first(said, table))
        lost = max(0, said.oldest - expected)
        return self._take(said, table, lost, expected)

    def _take_first(self, said: Samples, table: _Known) -> tuple[Action, ...]:
        """Take what a boot never heard before still has."""
        # What it dropped are all before, unless another gateway has acknowledged some of them.
        lost_from = 0 if said.dropped == said.oldest else None
        return self._take(said, table, said.dropped, lost_from)

    def _take(
        self, said: Samples, table: _Known, lost: int, lost_from: int | None
    ) -> tuple[Action, ...]:
        """Take the samples after those lost, if none between is missing."""
        start = said.oldest if lost_from is None else lost_from + lost
        if said.first > start:
            return (Count("early", len(said.samples)),)
        fresh = said.samples[start - said.first :]
        repeated = len(said.samples) - len(fresh)
        again = (Count("duplicates", repeated),) if repeated else ()
        if not fresh:
            return (*again, *self._acknowledge_again(said.boot))
        if repeated and self._signer is not None:
            return (Count("overlapping", len(fresh)), *self._acknowledge_again(said.boot))
        position = Position(said.boot, start + len(fresh) - 1)
        self._keep(self._expected, said.boot, position.sequence + 1)
        first = lost_from if lost else None
        return (*again, Take(table.name, table.metrics(), fresh, position, lost, first))

    def _acknowledge_again(self, boot: bytes) -> tuple[Action, ...]:
        following = self._committed.get(boot)
        return () if following is None else (Send(Ack(boot, following)),)

    def _hear_result(self, said: Result) -> tuple[Action, ...]:
        """Believe what is of the start that lives now; of an earlier one it may be old."""
        if said.boot != self.boot:
            return (Count("stray_results", 1),)
        try:
            answer = command.read(said)
        except MalformedFrame as error:
            return (Refuse(said.said, error),)
        return (Count("results", 1), Told(answer))

    def _ask(self, now_ms: int) -> tuple[Action, ...]:
        if self._asked_ms is not None and now_ms - self._asked_ms < ASK_MS_MIN:
            return ()
        return (Send(self._challenged(now_ms)),)

    def _challenged(self, now_ms: int) -> Ask:
        self._asked_ms = now_ms
        self._challenge = b"" if self._draw is None else self._draw()
        return Ask(self._challenge)

    @staticmethod
    def _keep(numbers: dict[bytes, int], boot: bytes, following: int) -> None:
        """Put a boot last, and forget the boot that was heard longest ago."""
        numbers.pop(boot, None)
        numbers[boot] = following
        if len(numbers) > BOOTS_MAX:
            del numbers[next(iter(numbers))]


def to_reading(sample: Sample, table: tuple[Metric, ...], device: str, heard: Arrival) -> Reading:
    """Make a reading of a sample; raise UnknownMetric or UnknownQuality."""
    if sample.metric >= len(table):
        raise UnknownMetric(metric=sample.metric, total=len(table))
    if sample.quality >= len(QUALITIES):
        raise UnknownQuality(metric=sample.metric, quality=sample.quality)
    quality = QUALITIES[sample.quality]
    metric = table[sample.metric]
    unix_ms = when(sample, heard)
    monotonic_ms = heard.monotonic_ms - sample.age_ms
    unplaced = sample.age_ms == AGE_MS_MAX or (unix_ms is None and monotonic_ms < 0)
    if unplaced and quality is Quality.GOOD:
        quality = Quality.UNCERTAIN  # it is older than its time can say
    return Reading(
        device=device,
        metric=metric.name,
        value=value_of(sample),
        unit=metric.unit,
        time_ms=unix_ms,
        monotonic_ms=max(0, monotonic_ms) if unix_ms is None else None,
        quality=quality,
    )


def when(sample: Sample, heard: Arrival) -> int | None:
    """Give the Unix time at which a sample was taken; None while the clock is unset."""
    return None if heard.unix_ms is None else heard.unix_ms - sample.age_ms


def value_of(sample: Sample) -> int | float:
    """Give an integer where the device said one of 64 bits, else the nearest double."""
    if sample.exponent >= 0:
        whole: int = sample.mantissa * 10**sample.exponent
        if -(1 << 63) <= whole < 1 << 63:
            return whole
    return float(f"{sample.mantissa}e{sample.exponent}")


def to_readings(
    taken: Take, device: str, origin: str, heard: Arrival
) -> tuple[list[Reading], list[Unreadable]]:
    """Make what a batch holds of taken samples: no sample that cannot be read stops another."""
    readings: list[Reading] = []
    unreadable: list[Unreadable] = []
    for sample in taken.samples:
        try:
            readings.append(to_reading(sample, taken.table, device, heard))
        except FrameError as error:
            unreadable.append(Unreadable(origin, sample.encode(), error.code, str(error)))
    return readings, unreadable


def to_gap(taken: Take, device: str, heard: Arrival, after_ms: int | None) -> Gap | None:
    """Say what the device dropped before taken samples; None where it dropped nothing.

    `after_ms` is the time of the sample taken last before them, None where nobody knows it.
    """
    if not taken.lost:
        return None
    numbers = None
    if taken.lost_from is not None:
        boot, start = taken.position.boot, taken.lost_from
        numbers = Numbers(boot, start, start + taken.lost)
    before_ms = when(taken.samples[0], heard)
    return Gap(
        device,
        tuple(sorted({metric.name for metric in taken.table})),
        GapReason.DEVICE_OVERRUN,
        taken.lost,
        numbers,
        after_ms,
        before_ms,
    )
