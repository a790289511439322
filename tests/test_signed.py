"""Frames that a device signs: what it did not sign is not heard, nor what it signed before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cobs import cobs

from gateway.errors import FrameError
from gateway.readings import testimony
from gateway.readings.frame import (
    CHALLENGE_BYTES,
    Ack,
    Ask,
    Frame,
    Metric,
    Refused,
    Samples,
    Signed,
    Splitter,
    Table,
    decode,
    encode,
)
from gateway.readings.line import Action, Count, Line, Refuse, Send, Signer, Take
from tests.bridge_c import Device, Firmware, build
from tests.mutate import mutations
from tests.test_bridge import World, live
from tests.vectors import load as load_vectors
from tests.vectors.build_frame import BOOT, ROWS, STROKE, WARM, seal
from tests.vectors.build_signed import (
    CHALLENGE,
    DEVICE,
    GOOD,
    NAME,
    NOW_MS,
    OTHER,
    expect,
    holds,
    message_of,
    outcome,
    sign,
)

VECTORS: dict[str, Any] = load_vectors("signed")
# What only the gateway sees: a signature is not checked by who hears the gateway.
_GATEWAYS = ("frame.signature", "frame.name", "frame.metric")


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build(tmp_path_factory.mktemp("signed"), signer=DEVICE)


def frames(wire: bytes) -> list[Frame]:
    """Read what was said; all of it must be frames of version 3."""
    items = list(Splitter(signed=True).feed(wire))
    return [it for it in items if not isinstance(it, Refused) or pytest.fail(str(it.error))]


def heard(line: Line, wire: bytes, now_ms: int) -> list[Action]:
    return [action for frame in frames(wire) for action in line.hear(frame, now_ms)]


def taken(actions: list[Action]) -> list[Take]:
    return [it for it in actions if isinstance(it, Take)]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_read_and_write_the_same(vector: dict[str, Any]) -> None:
    """A good vector is the frame it says, signed by its key, and that frame is those bytes."""
    wire = bytes.fromhex(vector["hex"])
    (frame,) = frames(wire)
    assert outcome(wire[1:-1]) == ""
    assert json.loads(json.dumps(expect(frame))) == vector["expect"]
    assert encode(frame, signed=True) == wire


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused_by_their_own_error(vector: dict[str, Any]) -> None:
    """A bad vector ends in the code that it says."""
    assert outcome(bytes.fromhex(vector["hex"])[1:-1]) == vector["error"]


@pytest.mark.parametrize(
    "vector",
    [it for it in (*VECTORS["good"], *VECTORS["bad"]) if it.get("error") not in _GATEWAYS],
    ids=lambda vector: vector["name"],
)
def test_c_reads_each_vector_as_python_does(firmware: Firmware, vector: dict[str, Any]) -> None:
    """The device's half ends each vector in the same code, where that is not for the gateway."""
    assert firmware.decode(bytes.fromhex(vector["hex"])[1:-1])[0] == vector.get("error", "")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_source_without_a_public_key_does_not_speak_it(vector: dict[str, Any]) -> None:
    """Version 3 is another language, also where it would be believed less."""
    with pytest.raises(FrameError, match=r"^frame\.version"):
        decode(bytes.fromhex(vector["hex"])[1:-1])


def test_every_bit_of_a_signed_frame_is_the_devices(firmware: Firmware) -> None:
    """Whatever bit of it is flipped behind a good checksum, nothing of it is taken."""
    whole = encode(sign(Samples(BOOT, 0, 2, 0, 0, (WARM, STROKE))))
    line = _asked(Line(None, lambda: CHALLENGE, Signer(NAME, holds)))
    (good,) = frames(whole)
    assert isinstance(good, Signed)
    raw = good.said + good.signature
    for bit in range(16, 8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        said = Signed(good.frame, bytes(flipped[:-64]), bytes(flipped[-64:]))
        for item in Splitter(signed=True).feed(encode(said)):
            actions = () if isinstance(item, Refused) else line.hear(item, 0)
            assert not taken(list(actions)), bit
    assert len(taken(list(line.hear(good, 0)))) == 1


def _asked(line: Line) -> Line:
    """Have a line know the device's table."""
    line.opened(0)
    line.hear(sign(Table(BOOT, 2, 0, NAME, ROWS, CHALLENGE)), 0)
    return line


def campaign(firmware: Firmware, count: int, seed_of: int) -> dict[str, int]:
    """Feed so many mutated frames behind a good checksum to both: they must end each alike."""
    bare = [cobs.decode(encode(frame, signed=True)[1:-1])[1:-4] for frame in GOOD.values()]
    tally: dict[str, int] = {}
    for body in mutations(bare, count, seed_of):
        coded = seal(b"\x03" + body[:248])[1:-1]
        try:
            code, again = "", encode(decode(coded, signed=True), signed=True)[1:-1]
        except FrameError as error:
            code, again = error.code, coded
        tally[code] = tally.get(code, 0) + 1
        assert again == coded, coded.hex()
        assert firmware.decode(coded)[0] == code, coded.hex()
    return tally


def test_both_end_mutated_frames_the_same_way(firmware: Firmware) -> None:
    """The campaign in small: every check behind a good checksum is reached."""
    assert campaign(firmware, 2000, 5).keys() >= {"", "frame.body", "frame.type"}


def test_c_says_what_python_says(firmware: Firmware) -> None:
    """TABLE with the challenge of the last ASK, nine samples a signature, and an answer."""
    device = Device(firmware, BOOT, metrics=ROWS)
    table = Table(BOOT, 2, 0, NAME, ROWS, bytes(8))
    assert device.say() == encode(sign(table))
    assert device.hear(encode(Ask(CHALLENGE), signed=True)) == ""
    assert device.say() == encode(sign(replace(table, challenge=CHALLENGE)))
    device.now_ms = NOW_MS
    for _ in range(9):
        device.keep(WARM)
    nine = Samples(BOOT, 0, 9, 0, 0, (replace(WARM, age_ms=0),) * 9)
    assert device.say() == encode(sign(nine))
    assert device.say() == b""


def test_samples_wait_for_others_to_share_a_signature(firmware: Firmware) -> None:
    """One sample is not signed before a second has passed, and then at once."""
    device = Device(firmware, BOOT)
    device.say_all()
    device.keep(WARM)
    for device.now_ms in (0, 500, 999):
        assert device.say() == b""
    device.now_ms = 1000
    (said,) = frames(device.say_all())
    assert isinstance(said, Signed) and isinstance(said.frame, Samples)
    assert [it.age_ms for it in said.frame.samples] == [1000]


def test_what_one_signature_is_over_is_bounded(firmware: Firmware) -> None:
    """With the longest names fewer samples are signed at once, and all are said."""
    rows = tuple(Metric(letter * 48, "u" * 16) for letter in "abcdefghi")
    device = Device(firmware, BOOT, metrics=rows, name="n" * 32)
    device.say_all()
    for place in range(9):
        device.keep(replace(WARM, metric=place))
    device.now_ms = 1000
    said = [it for it in frames(device.say_all()) if isinstance(it, Signed)]
    sizes = [len(it.frame.samples) for it in said if isinstance(it.frame, Samples)]
    assert sum(sizes) == 9 and max(sizes) < 9
    for it, start in zip(said, (0, sizes[0]), strict=True):
        assert isinstance(it.frame, Samples)
        named = rows[start : start + len(it.frame.samples)]
        message = testimony.encode(it.said, "n" * 32, named)
        assert len(message) <= testimony.BYTES_MAX
        assert holds(message, it.signature)


def test_a_signer_that_fails_loses_nothing(firmware: Firmware) -> None:
    """What could not be signed is not said, counted, and said when it can be."""
    device = Device(firmware, BOOT, metrics=ROWS)
    device.can_sign = False
    assert device.say() == b"" and device.say() == b""
    assert device.state.unsaid == 2
    device.can_sign = True
    assert [type(it.frame) for it in frames(device.say_all()) if isinstance(it, Signed)] == [Table]
    device.keep(WARM)
    device.now_ms, device.can_sign = 1000, False
    assert device.say() == b""
    device.can_sign = True
    assert len(frames(device.say_all())) == 1
    assert device.state.unsaid == 3


def test_a_device_has_a_key_or_a_signer(firmware: Firmware, tmp_path: Path) -> None:
    """With both it does not start: nobody could say which of them is meant."""
    both = replace(build(tmp_path, signer=DEVICE), key=b"k" * 32)
    assert Device(both, BOOT).started == "table"


@pytest.mark.parametrize("version", [1, 2])
def test_a_device_that_signs_hears_no_other_version(firmware: Firmware, version: int) -> None:
    """What another kind of gateway says changes nothing, and is counted."""
    device = Device(firmware, BOOT)
    device.keep(WARM)
    device.now_ms = 1000
    device.say_all()
    device.hear(encode(Ack(BOOT, 1), None if version == 1 else b"k" * 32))
    assert (device.state.oldest, device.state.refused) == (0, 1)
    device.hear(encode(Ack(BOOT, 1), signed=True))
    assert device.state.oldest == 1


@pytest.mark.parametrize("number", range(20))
def test_nothing_is_lost_or_doubled_on_a_bad_wire(firmware: Firmware, number: int) -> None:
    """Signed as without: each sample is stored once and in order, or told as lost."""
    live(World(firmware, number))


def test_what_was_said_before_is_not_taken_again(firmware: Firmware) -> None:
    """Recordings of earlier starts, and of this one, are refused now and after our restart."""
    draws = iter(range(1, 1000))
    line = Line(None, lambda: next(draws).to_bytes(CHALLENGE_BYTES), Signer(NAME, holds))
    ask, recorded = line.opened(0), []
    for at in range(12):  # more starts than the line remembers
        boot = bytes((7, *bytes(6), at))
        device, said, found = Device(firmware, boot), b"", []
        device.keep(replace(STROKE, mantissa=at))
        device.now_ms = 1000
        for each in (ask, ask):
            device.hear(encode(each, signed=True))
            said += (answer := device.say_all())
            actions = heard(line, answer, 1000 * at + 601)
            found += taken(actions)
            ask = next((it.frame for it in actions if isinstance(it, Send)), ask)  # type: ignore[assignment]
            ask = ask if isinstance(ask, Ask) else line.opened(1000 * at + 602)
        recorded.append(said)
        assert len(found) <= 1
        for it in found:
            line.committed(it.position)
    position = found[0].position
    for later in (line, Line(position, lambda: CHALLENGE, Signer(NAME, holds))):
        later.opened(99_000)
        for said in recorded:
            assert not taken(heard(later, said, 99_900))


def test_samples_in_another_order_are_not_taken() -> None:
    """A frame that comes before its turn waits for the device to say it again."""
    line = _asked(Line(None, lambda: CHALLENGE, Signer(NAME, holds)))
    first, second = (Samples(BOOT, 0, 2, 0, at, (WARM,)) for at in range(2))
    assert line.hear(sign(second), 0) == (Count("early", 1),)
    assert len(taken(list(line.hear(sign(first), 0)))) == 1
    assert len(taken(list(line.hear(sign(second), 0)))) == 1
    assert line.hear(sign(first), 0) == (Count("duplicates", 1),)
    assert line.hear(sign(Samples(BOOT, 0, 1, 0, 0, (WARM,))), 0) == (Count("replayed", 1),)


def test_a_frame_is_taken_as_a_whole_or_not() -> None:
    """Part of what was signed would prove nothing: the device is told what is stored instead."""
    line = _asked(Line(None, lambda: CHALLENGE, Signer(NAME, holds)))
    (one,) = taken(list(line.hear(sign(Samples(BOOT, 0, 1, 0, 0, (WARM,))), 0)))
    line.committed(one.position)
    both = sign(Samples(BOOT, 0, 2, 0, 0, (WARM, STROKE)))
    assert line.hear(both, 0) == (Count("overlapping", 1), Send(Ack(BOOT, 1)))


def test_a_table_under_another_name_or_key_teaches_nothing() -> None:
    """Who is not this source's device is refused, and its bytes are kept."""
    line = Line(None, lambda: CHALLENGE, Signer(NAME, holds))
    line.opened(0)
    table = Table(BOOT, 2, 0, NAME, ROWS, CHALLENGE)
    for said, code in (
        (sign(table, OTHER), "frame.signature"),
        (sign(replace(table, name="mcu-8")), "frame.name"),
    ):
        (refused,) = line.hear(said, 0)
        assert isinstance(refused, Refuse)
        assert (refused.error.code, refused.said) == (code, said.said + said.signature)
    assert line.name is None


def test_what_is_signed_reads_back() -> None:
    """A testimony is read as it was written, and nothing else is one."""
    said = Samples(BOOT, 0, 2, 0, 0, (WARM, STROKE))
    read = testimony.decode(message_of(said))
    assert (read.name, read.now_ms, read.samples, read.rows) == (NAME, NOW_MS, said, ROWS)
    for cut in range(len(message_of(said))):
        with pytest.raises(FrameError):
            testimony.decode(message_of(said)[:cut])
    with pytest.raises(FrameError):
        testimony.decode(message_of(said) + b"\x00")
