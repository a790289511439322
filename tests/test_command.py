"""Commands: done once in a start of the device, never late, and what nobody knows is said so."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as some

from gateway.errors import FrameError
from gateway.readings.command import (
    NUMBER_MAX,
    Answer,
    Attempt,
    Ended,
    check,
    decode_value,
    encode_value,
    read,
)
from gateway.readings.frame import Command, Frame, Refused, Result, Splitter, Table, encode
from gateway.readings.line import Count, Line, Refuse, Told
from tests.bridge_c import FAILED, NO_POINT, OUTSIDE, REFUSED, Device, Firmware, build
from tests.vectors import load
from tests.vectors.build_command import (
    COMMAND,
    NUMBER,
    SINCE_MS,
    VALID_MS,
    VALUE,
    WANTED,
    expect,
    wish,
)
from tests.vectors.build_frame import BOOT, ROWS
from tests.vectors.build_keyed import CHALLENGE, KEY, OTHER
from tests.vectors.build_signed import DEVICE

VECTORS: dict[str, Any] = load("command")
RESULTS = [it for it in VECTORS["good"] if it["name"].startswith("result")]
COMMANDS = [it for it in VECTORS["good"] if it["name"].startswith("command")]
UNREADABLE = [it for it in VECTORS["bad"] if "expect" in it]
LATER = b"\xb0\x07\0\0\0\0\0\2"


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build(tmp_path_factory.mktemp("commanded"), commanded=True)


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build(tmp_path_factory.mktemp("commanded"), KEY, commanded=True)


def started(firmware: Firmware, boot: bytes = BOOT) -> Device:
    """Start a device, at the time at which the commands of the vectors begin."""
    device = Device(firmware, boot, metrics=ROWS)
    device.now_ms = SINCE_MS
    device.say_all()
    return device


def one(wire: bytes, key: bytes | None = None) -> Frame:
    """Read the one frame that was said."""
    (frame,) = Splitter(key).feed(wire)
    assert not isinstance(frame, Refused)
    return frame


def answer(device: Device, command: Command, key: bytes | None = None) -> Answer:
    """Say a command to a device; give what it answers."""
    assert device.hear(encode(command, key)) == ""
    result = one(device.say_all(), key)
    assert isinstance(result, Result)
    return read(result)


@pytest.mark.parametrize("vector", RESULTS, ids=lambda vector: vector["name"])
def test_good_results_say_what_became_of_a_command(vector: dict[str, Any]) -> None:
    """A good vector is the answer that it says."""
    result = one(bytes.fromhex(vector["hex"]))
    assert isinstance(result, Result)
    assert expect(result) == vector["expect"]


@pytest.mark.parametrize(
    "vector",
    [it for it in VECTORS["bad"] if "error" in it],
    ids=lambda vector: vector["name"],
)
def test_bad_results_are_refused_and_end_no_command(vector: dict[str, Any]) -> None:
    """A line keeps their bytes, and whoever waits for an answer still does."""
    line = Line(None)
    line.hear(Table(BOOT, 2, 0, "mcu-7", ROWS), 0)
    (refused,) = line.hear(one(bytes.fromhex(vector["hex"])), 0)
    assert isinstance(refused, Refuse) and refused.error.code == vector["error"]


@pytest.mark.parametrize("vector", COMMANDS, ids=lambda vector: vector["name"])
def test_c_does_what_python_says(firmware: Firmware, vector: dict[str, Any]) -> None:
    """The board's callback is given what was wished, and the answer names that very command."""
    device, wanted = started(firmware), vector["expect"]
    command = wish(WANTED[vector["name"].removeprefix("command: ")])
    assert encode(command).hex() == vector["hex"]
    told = answer(device, command)
    assert device.moved == [(1, wanted["mantissa"], wanted["exponent"], wanted["kind"])]
    assert (told.number, told.outcome, told.check) == (NUMBER, "done", wanted["check"])
    assert (told.clock_ms, told.value) == (SINCE_MS, None)


@pytest.mark.parametrize("vector", UNREADABLE, ids=lambda vector: vector["name"])
def test_c_does_nothing_that_it_cannot_read(firmware: Firmware, vector: dict[str, Any]) -> None:
    """It answers `unsupported` under that number, and the callback is not called."""
    device = started(firmware)
    assert device.hear(bytes.fromhex(vector["hex"])) == ""
    result = one(device.say_all())
    assert isinstance(result, Result) and result.outcome == vector["expect"]["outcome"]
    assert (device.moved, result.number) == ([], NUMBER)


@given(some.floats() | some.integers() | some.booleans() | some.text(max_size=3))
def test_a_value_is_told_exactly_or_not_at_all(value: float | int | str | bool) -> None:
    """What is written is read as the same value; what does not fit is not written."""
    said = encode_value(value)
    if said is not None:
        told = decode_value(said)
        assert (float(told) if isinstance(value, float) else told) == value
        assert len(said) == len(VALUE)
    else:
        assert isinstance(value, str) or not -(1 << 63) <= value < 1 << 63 or 0 < abs(value) < 1e-99


@given(some.binary(max_size=40), some.integers(0, 4))
def test_any_bytes_in_a_result_give_an_answer_or_its_error(said: bytes, outcome: int) -> None:
    """Nothing that a device says in a RESULT escapes as another exception."""
    try:
        read(Result(BOOT, 1, outcome, said))
    except FrameError as error:
        assert error.code == "frame.body"


def test_a_repeated_command_is_answered_again_and_not_done_again(firmware: Firmware) -> None:
    """The same RESULT, read-back and all, however often, and however late."""
    device = started(firmware)
    device.found = (215, -1, 0)
    first = answer(device, COMMAND)
    assert first.value == 21.5
    for later_ms in (1, 600, VALID_MS, 1 << 31):
        device.now_ms = SINCE_MS + later_ms
        assert answer(device, COMMAND) == replace(first, clock_ms=SINCE_MS + later_ms)
    assert len(device.moved) == 1


def test_numbers_only_rise(firmware: Firmware) -> None:
    """A command below the last one is old: it is not done, and the last one is answered."""
    device = started(firmware)
    answer(device, replace(COMMAND, number=9))
    for number in (0, 1, 8):
        told = answer(device, replace(COMMAND, number=number))
        assert (told.number, told.check) == (9, check(replace(COMMAND, number=9)))
    other = replace(COMMAND, number=9, said=COMMAND.said[:-1] + b"\x01")
    assert answer(device, other).check != check(other)
    assert len(device.moved) == 1
    assert answer(device, replace(COMMAND, number=NUMBER_MAX)).number == NUMBER_MAX
    assert len(device.moved) == 2


@pytest.mark.parametrize(
    ("at_ms", "outcome"),
    [(0, "done"), (VALID_MS - 1, "done"), (VALID_MS, "expired"), (-1, "expired")],
)
def test_validity_counts_in_the_devices_own_time(
    firmware: Firmware, at_ms: int, outcome: str
) -> None:
    """What was held back is not done late; nor what claims a time that is still to come."""
    device = started(firmware)
    device.now_ms = SINCE_MS + at_ms
    assert answer(device, COMMAND).outcome == outcome
    assert len(device.moved) == (outcome == "done")
    device.now_ms = SINCE_MS
    assert answer(device, COMMAND).outcome == outcome
    assert len(device.moved) == (outcome == "done")


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        (REFUSED, "refused", 0),
        (NO_POINT, "refused", 1),
        (OUTSIDE, "refused", 2),
        (FAILED, "failed", 0),
    ],
)
def test_the_board_decides(firmware: Firmware, said: int, outcome: str, reason: int) -> None:
    """What the callback gives is answered, and nothing is read back of what was not done."""
    device = started(firmware)
    device.outcome, device.found = said, (7, 0, 0)
    told = answer(device, COMMAND)
    assert (told.outcome, told.reason, told.value) == (outcome, reason, None)


def test_a_command_of_another_start_is_not_answered(firmware: Firmware) -> None:
    """A device that started again knows nothing of the numbers before, and does nothing of them."""
    device = started(firmware, LATER)
    assert device.hear(encode(COMMAND)) == ""
    assert (device.say_all(), device.moved) == (b"", [])


@pytest.mark.parametrize("key", [None, OTHER], ids=["no key", "another key"])
def test_a_keyed_device_obeys_only_its_key(keyed: Firmware, key: bytes | None) -> None:
    """A command without the tag is refused like any frame, and moves nothing."""
    device = started(keyed)
    assert device.hear(encode(COMMAND, key)) == "frame.tag"
    assert (device.moved, device.say_all()) == ([], b"")
    assert answer(device, COMMAND, KEY).outcome == "done"
    assert device.moved == [(1, 215, -1, 0)]


def test_a_device_that_signs_signs_its_result(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The answer is kept until it could be signed; the command is still done once."""
    device = started(build(tmp_path_factory.mktemp("c"), signer=DEVICE, commanded=True))
    device.can_sign = False
    assert device.hear(encode(COMMAND, signed=True)) == ""
    assert (device.say_all(), len(device.moved)) == (b"", 1)
    device.can_sign = True
    (signed,) = Splitter(signed=True).feed(device.say_all())
    assert isinstance(signed, Refused) is False
    assert getattr(signed, "frame").number == NUMBER  # noqa: B009
    assert len(device.moved) == 1


def test_firmware_without_commands_surely_moved_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What was built before there were commands answers `unsupported`, and that ends it."""
    device = started(build(tmp_path_factory.mktemp("old")))
    attempt = Attempt(BOOT, 1, VALUE, VALID_MS)
    ended = attempt.hear(answer(device, attempt.said))
    assert ended == Ended(False, "its firmware takes no commands")


def ended(attempt: Attempt, told: Answer) -> Ended:
    """Let an answer end an attempt."""
    end = attempt.hear(told)
    assert end is not None
    return end


def begun(number: int = NUMBER) -> Attempt:
    """Give an attempt whose command is being said under a number."""
    attempt = Attempt(BOOT, 1, VALUE, VALID_MS)
    assert attempt.hear(Answer(BOOT, number - 1, "done", SINCE_MS)) is None
    return attempt


@pytest.mark.parametrize(
    ("outcome", "moved"),
    [
        ("done", True),
        ("refused", False),
        ("expired", False),
        ("unsupported", False),
        ("failed", None),
    ],
)
def test_an_answer_ends_a_command(outcome: str, moved: bool | None) -> None:
    """Done, surely not, or nobody knows."""
    attempt = begun()
    told = Answer(BOOT, NUMBER, outcome, SINCE_MS, check(attempt.said), 21.5)
    assert ended(attempt, told).moved is moved


def test_only_the_answer_to_this_very_command_ends_it() -> None:
    """Answers of other starts and of lower numbers are passed over; of higher ones nobody knows."""
    attempt = begun()
    mine = Answer(BOOT, NUMBER, "done", SINCE_MS, check(attempt.said))
    assert attempt.hear(replace(mine, boot=LATER)) is None
    assert attempt.hear(replace(mine, number=NUMBER - 1)) is None
    assert ended(attempt, replace(mine, number=NUMBER + 1)).moved is None
    assert ended(attempt, replace(mine, check=1)).moved is False
    assert ended(attempt, mine).moved is True


def test_giving_up_is_unsure_only_once_the_command_was_said() -> None:
    """The question moves nothing."""
    attempt = Attempt(BOOT, 1, VALUE, VALID_MS)
    assert attempt.give_up("silence") == Ended(False, "silence")
    assert begun().give_up("silence") == Ended(None, "silence")
    spent = Answer(BOOT, NUMBER_MAX, "done", SINCE_MS)
    assert ended(attempt, spent).moved is False


def results(line: Line, frame: Frame) -> Iterator[str]:
    """Say what a line makes of a frame."""
    for action in line.hear(frame, 0):
        assert isinstance(action, Count | Told)
        yield action.what if isinstance(action, Count) else "told"


def test_a_line_believes_only_the_start_that_lives() -> None:
    """A RESULT recorded in an earlier start, or before any table, is counted and no more."""
    result = Result(BOOT, 0, 1, b"")
    line = Line(None, lambda: CHALLENGE)
    line.opened(0)
    assert line.boot is None
    assert list(results(line, result)) == ["stray_results"]
    line.hear(Table(BOOT, 2, 0, "mcu-7", ROWS, CHALLENGE), 0)
    assert list(results(line, result)) == ["results", "told"]
    line.hear(Table(LATER, 2, 0, "mcu-7", ROWS, CHALLENGE), 0)
    assert list(results(line, result)) == ["stray_results"]
    assert line.boot == LATER


class World:
    """A device and one gateway after another, over a wire that loses, doubles and holds back."""

    def __init__(self, firmware: Firmware, seed: int) -> None:
        self.dice, self.firmware = random.Random(seed), firmware
        self.boot, self.kept = 0, [b""]
        self.done: list[int] = []
        self.device = self.start()

    def start(self) -> Device:
        """Start the device again, under another boot id."""
        self.boot += 1
        device = started(self.firmware, self.boot.to_bytes(8))
        device.now_ms = self.dice.randrange(10_000)
        return device

    def wire(self, said: bytes) -> bytes:
        """Lose it, double it, or let through before it what was said in whatever start."""
        self.kept.append(said)
        fate = self.dice.random()
        held = self.dice.choice(self.kept) if fate > 0.7 else b""
        return held + said * (0 if fate < 0.3 else 1 + (fate > 0.9))

    def hear(self, said: bytes) -> None:
        """Let the device hear something, and note what it does."""
        self.device.hear(said)
        self.done += [mantissa for _, mantissa, _, _ in self.device.moved]
        self.device.moved.clear()

    def wish(self, mantissa: int) -> Ended:
        """Try one command to its end; now and then the device dies, having done it or not."""
        packed = encode_value(mantissa)
        assert packed is not None
        attempt = Attempt(self.boot.to_bytes(8), 1, packed, 2000)
        for _ in range(12):
            self.hear(self.wire(encode(attempt.said)))
            if self.dice.random() < 0.05:
                self.device = self.start()
                return attempt.give_up("it started again")
            self.device.now_ms += self.dice.choice((1, 400, 3000))
            for frame in Splitter().feed(self.wire(self.device.say_all())):
                if isinstance(frame, Result) and (end := attempt.hear(read(frame))):
                    return end
        return attempt.give_up("silence")


@pytest.mark.parametrize("seed", range(40))
def test_no_wish_is_done_twice_and_what_is_said_of_it_is_so(firmware: Firmware, seed: int) -> None:
    """Done means once, not moved means never, whatever comes again later from the wire."""
    world = World(firmware, seed)
    ends = [world.wish(number) for number in range(60)]
    for said in world.kept:
        world.hear(said)
    assert len(world.done) == len(set(world.done))
    for number, end in enumerate(ends):
        assert end.moved is None or end.moved == (number in world.done), (number, end)
    assert {end.moved for end in ends} == {True, False, None}
