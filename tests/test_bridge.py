"""The device's half in C against its twin in Python: one protocol, and no reading lost between."""

import random
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.readings.frame import (
    AGE_MS_MAX,
    CHALLENGE_BYTES,
    Ack,
    Ask,
    Command,
    Frame,
    Metric,
    Refused,
    Result,
    Sample,
    Samples,
    Splitter,
    Table,
    encode,
)
from gateway.readings.line import Count, Line, Send, Signer, Take
from gateway.readings.reading import Position
from tests.bridge_c import FIRMWARE, STRICT, Device, Firmware, build
from tests.test_frame import VECTORS, outcome, pieces
from tests.vectors.build_frame import BOOT, GOOD, ROWS
from tests.vectors.build_signed import NAME, holds

VECTOR_LIST = [*VECTORS["good"], *VECTORS["bad"]]
WARM = Sample(0, 0, -1, 215, 0)


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build(tmp_path_factory.mktemp("firmware"))


def said(wire: bytes) -> list[Frame]:
    """Read what a device said; all of it must be frames."""
    frames = list(Splitter().feed(wire))
    return [frame for frame in frames if not isinstance(frame, Refused) or pytest.fail(str(frame))]


def campaign(firmware: Firmware, count: int, seed: int) -> int:
    """Feed so many mutated inputs to both; both must end in the same code. Give the inputs."""
    coded = pieces(count, seed)
    for piece in coded:
        assert firmware.decode(piece)[0] == outcome(piece), piece.hex()
    return len(coded)


@pytest.mark.parametrize("vector", VECTOR_LIST, ids=lambda vector: vector["name"])
def test_c_reads_each_vector_as_python_does(firmware: Firmware, vector: dict[str, Any]) -> None:
    """Good vectors decode to the same raw bytes, bad ones end in the same code."""
    coded = bytes.fromhex(vector["hex"])[1:-1]
    code, raw = firmware.decode(coded)
    assert code == vector.get("error", "")
    if not code:
        name = type(GOOD[vector["name"]]).__name__
        kind = {"Table": 1, "Samples": 2, "Result": 3, "Ask": 0x81, "Ack": 0x82, "Command": 0x83}
        assert raw[:2] == bytes((1, kind[name]))


@pytest.mark.parametrize("vector", VECTOR_LIST, ids=lambda vector: vector["name"])
def test_c_hears_each_vector_from_a_stream(firmware: Firmware, vector: dict[str, Any]) -> None:
    """Byte by byte, a device refuses what Python refuses, counts it, and hears what comes next."""
    device = Device(firmware, BOOT)
    device.say_all()
    wire = bytes.fromhex(vector["hex"])
    codes = {device.hear(bytes([byte])) for byte in wire} - {""}
    assert codes == ({vector["error"]} if "error" in vector else set())
    assert device.state.refused == len(codes)
    device.say_all()
    device.hear(encode(Ask()))
    assert [type(frame) for frame in said(device.say_all())] == [Table]


@pytest.mark.parametrize(
    "name", [name for name, it in GOOD.items() if isinstance(it, Samples) and it.next <= 100]
)
def test_c_writes_samples_as_python_does(firmware: Firmware, name: str) -> None:
    """A device brought into the state that a vector describes says that vector's bytes."""
    frame = GOOD[name]
    assert isinstance(frame, Samples)
    filler = frame.first * (WARM,) + frame.samples
    device = Device(firmware, BOOT, capacity=frame.next - frame.oldest if frame.dropped else 64)
    device.say_all()
    sent_ms = 500  # before the device would go back
    for number, sample in enumerate(filler):
        device.now_ms = sent_ms - sample.age_ms if number >= frame.first else 0
        device.keep(sample)
        if number + 1 == frame.first and not frame.dropped:
            device.say_all()
            device.hear(encode(Ack(BOOT, frame.oldest)))
    device.now_ms = sent_ms
    assert device.say() == encode(frame)
    assert device.say() == b""


def test_c_writes_the_table_as_python_does(firmware: Firmware) -> None:
    """A table of any size is said whole, each frame as Python writes it."""
    rows = tuple(Metric(f"metric-{number}" * 3, "1/min") for number in range(255))
    device = Device(firmware, BOOT, metrics=rows, name="n" * 32)
    frames = said(device.say_all())
    assert all(isinstance(frame, Table) for frame in frames)
    tables = [frame for frame in frames if isinstance(frame, Table)]
    assert tuple(row for table in tables for row in table.metrics) == rows
    assert {(table.name, table.total) for table in tables} == {("n" * 32, 255)}
    assert Device(firmware, BOOT, metrics=ROWS).say() == encode(GOOD["table"])


def test_a_command_is_answered_unsupported(firmware: Firmware) -> None:
    """The command channel is there and moves nothing."""
    device = Device(firmware, BOOT)
    device.say_all()
    device.hear(encode(Command(b"another1", 8, 5000, b"open")))
    assert device.say_all() == b""
    device.hear(encode(Command(BOOT, 7, 5000, b"open")))
    assert said(device.say_all()) == [Result(BOOT, 7, 1, b"")]
    assert device.say_all() == b""


@pytest.mark.parametrize("ack", [Ack(b"another1", 1), Ack(BOOT, 2), Ack(BOOT, 0)])
def test_an_ack_of_what_was_not_said_releases_nothing(firmware: Firmware, ack: Ack) -> None:
    """Only an ACK of this boot, up to what exists, empties the ring."""
    device = Device(firmware, BOOT)
    device.keep(WARM)
    device.say_all()
    device.hear(encode(ack))
    assert (device.state.oldest, device.state.next) == (0, 1)
    device.hear(encode(Ack(BOOT, 1)))
    assert (device.state.oldest, device.state.next) == (1, 1)


def test_a_silent_gateway_hears_one_frame_a_second(firmware: Firmware) -> None:
    """Without an answer a device goes on trying without flooding the line, dropping or not."""
    device = Device(firmware, BOOT, capacity=32)
    device.say_all()
    times = []
    for _ in range(200):
        device.keep(WARM)
        times += [device.now_ms for frame in said(device.say_all()) if isinstance(frame, Samples)]
        device.now_ms += 50
    late = [ms for ms in times if ms >= 1000]
    assert [b - a for a, b in pairwise(late)] == [1000] * (len(late) - 1)
    assert device.state.dropped == 200 - 32


def test_ages_do_not_wrap(firmware: Firmware) -> None:
    """The caller's milliseconds may wrap; an age is right across it, and stays at its highest."""
    device = Device(firmware, BOOT)
    device.say_all()
    device.now_ms = AGE_MS_MAX - 100
    device.keep(WARM)
    for step_ms, age_ms in ((300, 300), (1 << 31, (1 << 31) + 300), (1 << 31, AGE_MS_MAX)):
        device.now_ms += step_ms
        device.hear(encode(Ask()))
        (frame,) = [it for it in said(device.say_all()) if isinstance(it, Samples)]
        assert frame.samples[0].age_ms == age_ms


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "n" * 33},
        {"name": "a b"},
        {"metrics": ()},
        {"metrics": (Metric("", ""),)},
        {"metrics": (Metric("m" * 49, ""),)},
        {"metrics": (Metric("m", "u" * 17),)},
        {"metrics": (Metric("m", "°C"),)},
        {"capacity": 0},
    ],
    ids=str,
)
def test_a_device_that_cannot_be_said_does_not_start(
    firmware: Firmware, changes: dict[str, Any]
) -> None:
    """What the format does not allow is refused at the start, by the firmware's author's desk."""
    assert Device(firmware, BOOT, **changes).started == "table"


def test_a_sample_outside_the_table_is_not_kept(firmware: Firmware) -> None:
    """A number that nobody could name does not take a place in the ring."""
    device = Device(firmware, BOOT)
    assert device.keep(replace(WARM, metric=2)) == "metric"
    assert device.state.next == 0


def test_both_end_mutated_frames_the_same_way(firmware: Firmware) -> None:
    """The campaign in small: C and Python agree on every check."""
    assert campaign(firmware, 5000, seed=7) > 4000


@settings(max_examples=200)
@given(some.binary(min_size=1, max_size=300).map(lambda it: it.replace(b"\0", b"\1")))
def test_both_end_any_bytes_the_same_way(firmware: Firmware, coded: bytes) -> None:
    """Bytes that no mutator would think of end alike too."""
    assert firmware.decode(coded)[0] == outcome(coded)


class World:
    """A device in C and a line in Python, joined by a bad wire, in virtual time, from one seed."""

    def __init__(self, firmware: Firmware, seed: int) -> None:
        self.key, self.signed = firmware.key, firmware.signer is not None
        self.dice = random.Random(seed)
        self.loss = self.dice.choice((0.0, 0.1, 0.4))
        self.device = Device(firmware, BOOT, capacity=self.dice.choice((8, 40, 400)))
        self.line, self.splitter = self.line_after(None), Splitter(self.key, self.signed)
        self.flight: list[Take] = []
        self.stored: list[tuple[int, int]] = []
        self.lost = 0
        self.up = True

    def line_after(self, position: Position | None) -> Line:
        """Start the gateway's half; where frames carry proof each ASK has another challenge."""
        if self.key is None and not self.signed:
            return Line(position)
        signer = Signer(NAME, holds) if self.signed else None
        return Line(position, lambda: self.dice.randbytes(CHALLENGE_BYTES), signer)

    def tell(self, frame: Ask | Ack) -> None:
        """Say a frame of the gateway to the device, over the wire."""
        self.device.hear(self.wire(encode(frame, self.key, self.signed)))

    def wire(self, said: bytes) -> bytes:
        """Lose, double and flip."""
        if not self.up or self.dice.random() < self.loss:
            return b""
        hurt = bytearray(said)
        if hurt and self.dice.random() < self.loss:
            hurt[self.dice.randrange(len(hurt))] ^= 1 << self.dice.randrange(8)
        return bytes(hurt) * (2 if self.dice.random() < self.loss / 2 else 1)

    def hear(self, heard: bytes) -> None:
        for item in self.splitter.feed(heard):
            if not isinstance(item, Refused):
                self.act(item)

    def act(self, frame: Frame) -> None:
        for action in self.line.hear(frame, self.device.now_ms):
            match action:
                case Send(answer):
                    self.tell(answer)
                case Take():
                    self.flight.append(action)

    def commit(self) -> None:
        """Commit all that is in flight, or refuse it; perhaps die before the ACK is said."""
        fate = self.dice.random()
        if not self.flight:
            return
        if fate < 0.1:
            self.line.refused()
        else:
            for taken in self.flight:
                end = taken.position.sequence + 1
                numbers = range(end - len(taken.samples), end)
                self.stored += zip(numbers, (it.mantissa for it in taken.samples), strict=True)
                self.lost += taken.lost
            position = self.flight[-1].position
            if fate < 0.2:
                self.line = self.line_after(position)
                self.tell(self.line.opened(self.device.now_ms))
            else:
                self.tell(self.line.committed(position))
        self.flight.clear()

    def turn(self) -> None:
        self.device.now_ms += self.dice.choice((1, 20, 300))
        if self.dice.random() < 0.02:
            self.up = not self.up
        while frame := self.device.say():
            self.hear(self.wire(frame))
        if self.dice.random() < 0.4:
            self.commit()


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_or_doubled_on_a_bad_wire(firmware: Firmware, seed: int) -> None:
    """Each sample is stored once and in order, or was dropped by a full ring and told as lost."""
    live(World(firmware, seed))


def live(world: World) -> None:
    """Sample for a while on a bad wire, and then on a good one; nothing may be lost or doubled."""
    for number in range(600):
        if world.dice.random() < 0.8:
            world.device.keep(replace(WARM, mantissa=number))
        world.turn()
    world.up, world.loss = True, 0.0
    for _ in range(200):
        world.turn()
    numbers = [number for number, _ in world.stored]
    state = world.device.state
    assert (state.oldest, state.cursor) == (state.next, state.next)
    assert numbers == sorted(set(numbers))
    assert len(numbers) + world.lost == state.next
    assert world.lost <= state.dropped
    mantissas = [mantissa for _, mantissa in world.stored]
    assert mantissas == sorted(mantissas)


def test_a_boot_id_used_twice_is_told_and_loses_nothing(firmware: Firmware) -> None:
    """A device that restarts under its old boot id is heard all the same."""
    world = World(firmware, 0)
    world.loss = 0.0
    for number in range(20):
        world.device.keep(replace(WARM, mantissa=number))
    world.hear(world.device.say_all())
    world.line.committed(world.flight[-1].position)
    world.flight.clear()
    world.device = Device(firmware, BOOT)
    world.device.keep(replace(WARM, mantissa=99))
    notes = [
        action
        for frame in said(world.device.say_all())
        for action in world.line.hear(frame, 1)
        if not isinstance(action, Send)
    ]
    assert notes[0] == Count("frame.boot", 1)
    assert isinstance(notes[1], Take) and notes[1].samples[0].mantissa == 99


def test_the_code_builds_for_a_board_and_needs_no_library(tmp_path: Path) -> None:
    """Freestanding, strict, and with nothing of an operating system or of floating point in it."""
    made = tmp_path / "bridge.o"
    flags = (*STRICT, "-Os", "-ffreestanding", "-fno-builtin", "-mgeneral-regs-only")
    subprocess.run(("cc", *flags, "-c", FIRMWARE / "bridge.c", "-o", made), check=True)
    needs = subprocess.run(("nm", "-u", made), check=True, capture_output=True, text=True).stdout
    assert set(needs.split()) <= {"U", "memset", "memcpy"}
