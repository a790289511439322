"""A framed source: one device on a serial line, heard by firmware_bridge's protocol (I8).

In: bytes of a line. Out: batches for the intake, one at a time, and to the device an ACK after the
fsynced commit that holds them. The line is read always: what cannot be stored yet is not taken,
and the device says it again with its right age. A line that goes away is looked for until it is
back. What it tells the device to do is in `framed_moves`. The device is called what the config
calls it: nobody on a line can prove a name, unless the config has its key; then nothing without a
tag under that key is heard. Of a device whose public key the config has, only what it signed is
heard, and kept with the signature.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes

from gateway.config import FramedSource, serial_line
from gateway.errors import (
    BadSignature,
    FrameNoise,
    GatewayError,
    PublicKeyUnusable,
    SerialError,
    SerialGone,
    WeakKey,
)
from gateway.readings.frame import (
    AGE_MS_MAX,
    CHALLENGE_BYTES,
    Ack,
    Ask,
    Command,
    Frame,
    Refused,
    Samples,
    Splitter,
    decode,
    encode,
)
from gateway.readings.line import (
    Action,
    Count,
    Line,
    Refuse,
    Send,
    Signer,
    Take,
    Told,
    to_gap,
    to_readings,
    when,
)
from gateway.readings.reading import (
    Arrival,
    Attestation,
    Batch,
    Gap,
    Position,
    Provenance,
    Reading,
    Unreadable,
    Value,
)
from gateway.records import cose
from gateway.records.record import Moment
from gateway.sources.framed_moves import Mover, Way
from gateway.sources.intake import Intake
from gateway.sources.source import Moved, arrived
from gateway.transport.key import read_key
from gateway.transport.serial import Port

_LOG = logging.getLogger(__name__)
# What one commit may hold of a line: seconds of the fastest one, so memory stays small.
_PENDING_MAX = 4096
_UNREADABLE_MAX = 64
# From unplugged to reading again: at most this, and the time a device needs to answer ASK.
_LOOK_S_MIN, _LOOK_S_MAX = 0.05, 0.5
_RETRY_S = 1.0
_STATES = {"serial.absent": "absent", "serial.busy": "busy"}


def provenance(config: FramedSource) -> Provenance:
    """Say who stands for what a source hears: the device, only where each frame proves it."""
    if config.public_key is not None:
        return Provenance.DEVICE_SIGNED
    if config.key_file is None:
        return Provenance.UNAUTHENTICATED_LINE
    return Provenance.DEVICE_AUTHENTICATED


def public_key(config: FramedSource) -> bytes | None:
    """Give the key under which a device signs, if it does; raise PublicKeyUnusable."""
    if config.public_key is None:
        return None
    key = bytes.fromhex(config.public_key)
    try:
        cose.check_public(key)
    except WeakKey as fault:
        raise PublicKeyUnusable(source=config.name, reason=fault) from fault
    return key


@dataclass(frozen=True, slots=True)
class Proving:
    """How a source knows its device: by a key that both have, by one that signs, or not at all."""

    key: bytes | None
    public: bytes | None
    name: str

    @classmethod
    def of(cls, config: FramedSource) -> "Proving":
        """Read the keys that a config names; raise KeyUnusable or PublicKeyUnusable."""
        key = None if config.key_file is None else read_key(config.key_file)
        return cls(key, public_key(config), config.name)

    def line(self, position: Position | None) -> Line:
        """Begin a line with what the store holds of it."""
        if self.key is None and self.public is None:
            return Line(position)
        signer = None if self.public is None else Signer(self.name, self._holds)
        return Line(position, draw, signer)

    def splitter(self) -> Splitter:
        """Cut and read what the line says."""
        return Splitter(self.key, self.public is not None)

    def decode(self, coded: bytes) -> Frame:
        """Read what stood between two delimiters."""
        return decode(coded, self.key, self.public is not None)

    def encode(self, said: Ask | Ack | Command) -> bytes:
        """Say something to the device."""
        return encode(said, self.key, self.public is not None)

    def _holds(self, message: bytes, signature: bytes) -> bool:
        assert self.public is not None, "who has a signer"
        try:
            cose.verify("testimony", self.public, message, signature)
        except BadSignature:
            return False
        return True


def draw() -> bytes:
    """Give a challenge that nobody has given before."""
    return token_bytes(CHALLENGE_BYTES)


@dataclass(slots=True)
class _Pending:
    """What was heard since the last batch: the next one in the making."""

    readings: list[Reading] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    position: Position | None = None
    gaps: list[Gap] = field(default_factory=list)
    attestations: list[Attestation] = field(default_factory=list)
    samples: int = 0

    def batch(self) -> Batch:
        """Freeze it."""
        return Batch(
            tuple(self.readings),
            tuple(self.unreadable),
            position=self.position,
            gaps=tuple(self.gaps),
            attestations=tuple(self.attestations),
        )


class FramedListener:
    """One source. Run it as a task, look at its state, cancel it; nothing stored is lost."""

    def __init__(
        self, config: FramedSource, intake: Intake, now: Callable[[], Moment], commit_ms: int
    ) -> None:
        self.name = config.name
        self._address = serial_line(config.url)
        self._proving = Proving.of(config)
        self._intake, self._now, self._commit_ms = intake, now, commit_ms
        self._line = Line(None)
        self._port: Port | None = None
        self._pending, self._some = _Pending(), asyncio.Event()
        self._taken_ms: int | None = None  # when the sample taken last was sampled
        self.counts: Counter[str] = Counter()
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""
        self._mover = Mover(config, Way(lambda: self._line.boot, self._write, self._ask, self._ms))
        self.points = self._mover.points

    async def move(self, point: str, value: Value) -> Moved:
        """Tell the device to bring a point to a value, once; raise NotMoved or Unsure."""
        return await self._mover.move(point, value)

    @property
    def says(self) -> str | None:
        """Give the name that the device says it has; for people, and never believed."""
        return self._line.name

    async def run(self) -> None:
        """Hear the line and store what it says, until cancelled."""
        position = await asyncio.to_thread(self._intake.position)
        self._line = self._proving.line(position)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._store())

    # -- from the line to a batch in the making ---------------------------------------------------

    async def _listen(self) -> None:
        while True:
            port = await self._open()
            try:
                await self._hear(port)
            except SerialGone as gone:
                self._tell("absent", gone)
            finally:
                self._port = None
                port.close()

    async def _open(self) -> Port:
        """Look for the line until it is there and ours."""
        pause_s = _LOOK_S_MIN
        while True:
            try:
                port = Port(self._address)
            except SerialError as fault:
                self._tell(_STATES.get(fault.code, "unusable"), fault)
            else:
                self.state, self.reason = "connected", ""
                return port
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LOOK_S_MAX)

    async def _hear(self, port: Port) -> None:
        self._port, splitter = port, self._proving.splitter()
        self._write(self._line.opened(self._now().monotonic_ms))
        while True:
            said = await port.read()
            arrival = arrived(self._now())
            for item in splitter.feed(said):
                self._item(item, arrival)

    def _item(self, item: Frame | Refused, arrival: Arrival) -> None:
        match item:
            case Refused():
                self._refuse(item)
            case Samples(samples=samples) if self._pending.samples >= _PENDING_MAX:
                self.counts["deferred"] += len(samples)
            case _:
                for action in self._line.hear(item, arrival.monotonic_ms):
                    self._act(action, arrival)

    def _act(self, action: Action, arrival: Arrival) -> None:
        match action:
            case Send(frame):
                self._write(frame)
            case Take():
                self._take(action, arrival)
            case Told(answer):
                self._mover.hear(answer)
            case Count(what, count):
                self.counts[what] += count
            case Refuse(said, error):
                self._refuse(Refused(said, error))

    def _take(self, taken: Take, arrival: Arrival) -> None:
        readings, unreadable = to_readings(taken, self.name, self._address.path, arrival)
        pending = self._pending
        pending.readings += readings
        pending.unreadable += unreadable
        pending.position = taken.position
        pending.samples += len(taken.samples)
        if readings and self._proving.public is not None:
            proof = (self._proving.public, taken.testimony, taken.signature)
            pending.attestations.append(Attestation(*proof, len(readings)))
        if missed := to_gap(taken, self.name, arrival, self._taken_ms):
            pending.gaps.append(missed)
        self._mover.note(taken, arrival.monotonic_ms)
        last = taken.samples[-1]
        self._taken_ms = None if last.age_ms == AGE_MS_MAX else when(last, arrival)
        self.counts["received"] += len(taken.samples)
        self.devices[self.name] = arrival.monotonic_ms
        self._some.set()

    def _refuse(self, refused: Refused) -> None:
        """Count noise; quarantine what the device meant and we cannot read."""
        error = refused.error
        self.counts[error.code] += 1
        if isinstance(error, FrameNoise) or len(self._pending.unreadable) >= _UNREADABLE_MAX:
            return
        origin = self._address.path
        self._pending.unreadable.append(Unreadable(origin, refused.said, error.code, str(error)))
        self._some.set()

    # -- from a batch to an acknowledgement -------------------------------------------------------

    async def _store(self) -> None:
        """Commit one batch after another; acknowledge each, or take it back."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._commit_ms / 1000)
            pending, self._pending = self._pending, _Pending()
            self._some.clear()
            fault = await self._intake.commit(pending.batch())
            if fault is None:
                self._acknowledge(pending)
            else:
                self._take_back(fault)
                await asyncio.sleep(_RETRY_S)

    def _acknowledge(self, stored: _Pending) -> None:
        self.counts["stored"] += len(stored.readings)
        self.counts["quarantined"] += len(stored.unreadable)
        self.counts["dropped"] += sum(missed.count for missed in stored.gaps)
        if stored.position is not None:
            self._write(self._line.committed(stored.position))
            self.counts["acknowledged"] += stored.samples
        if self.state == "waiting":
            self.state, self.reason = "connected", ""

    def _take_back(self, fault: GatewayError) -> None:
        """Forget what was heard since the last commit: the device has it and says it again."""
        self._pending = _Pending()
        self._some.clear()
        self._line.refused()
        self._taken_ms = None
        self._tell("waiting", fault)

    def _write(self, said: Ask | Ack | Command) -> bool:
        """Say a frame; give whether there is a line to say it on."""
        if self._port is None:
            return False
        self._port.write(self._proving.encode(said))
        return True

    def _ask(self) -> None:
        self._write(self._line.ask(self._ms()))

    def _ms(self) -> int:
        return self._now().monotonic_ms

    def _tell(self, state: str, fault: GatewayError) -> None:
        """Remember the state and why, and log what is new."""
        reason = str(fault)
        if reason != self.reason:
            _LOG.warning("source %s: %s", self.name, reason)
        self.state, self.reason = state, reason
