"""Frames with a tag: who has no key is not heard, nor what was said before, nor said to another."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cobs import cobs

from gateway.config import FramedSource
from gateway.errors import FrameError, KeyUnusable
from gateway.readings.frame import (
    CHALLENGE_BYTES,
    Ack,
    Ask,
    Frame,
    Refused,
    Samples,
    Splitter,
    Table,
    decode,
    encode,
)
from gateway.readings.line import Action, Count, Line, Send, Take
from gateway.readings.reading import Provenance
from gateway.sources.framed import FramedListener, provenance
from gateway.transport.key import read_key
from tests.agents import HULIAN, AgentProcess
from tests.bridge_c import Device, Firmware, build
from tests.mutate import mutations
from tests.on_a_line import until, wired
from tests.station import Station, now
from tests.test_bridge import World, live
from tests.vectors import load
from tests.vectors.build_frame import BOOT, ROWS, STROKE, WARM, expect, seal
from tests.vectors.build_keyed import CHALLENGE, GOOD, KEY, OTHER, tagged

VECTORS: dict[str, Any] = load("keyed")
VECTOR_LIST = [*VECTORS["good"], *VECTORS["bad"]]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build(tmp_path_factory.mktemp("keyed"), KEY)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "mcu-7.key"
    path.write_text(KEY.hex() + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


def outcome(coded: bytes, key: bytes = KEY) -> str:
    """Say what decoding ends in: "" or the code."""
    try:
        decode(coded, key)
    except FrameError as error:
        return error.code
    return ""


def frames(wire: bytes) -> list[Frame]:
    """Read what was said; all of it must be frames under the key."""
    items = list(Splitter(KEY).feed(wire))
    return [it for it in items if not isinstance(it, Refused) or pytest.fail(str(it.error))]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_read_and_write_the_same(vector: dict[str, Any]) -> None:
    """A good vector is the frame it says under its key, and that frame is those bytes."""
    wire, key = bytes.fromhex(vector["hex"]), bytes.fromhex(vector["key"])
    (frame,) = Splitter(key).feed(wire)
    assert not isinstance(frame, Refused)
    assert json.loads(json.dumps(expect(frame))) == vector["expect"]
    assert encode(frame, key) == wire


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused_by_their_own_error(vector: dict[str, Any]) -> None:
    """A bad vector ends in the code that it says."""
    assert outcome(bytes.fromhex(vector["hex"])[1:-1]) == vector["error"]


@pytest.mark.parametrize("vector", VECTOR_LIST, ids=lambda vector: vector["name"])
def test_c_reads_each_vector_as_python_does(firmware: Firmware, vector: dict[str, Any]) -> None:
    """The device's half ends each vector in the same code."""
    assert vector["key"] == KEY.hex()
    coded = bytes.fromhex(vector["hex"])[1:-1]
    assert firmware.decode(coded)[0] == vector.get("error", "")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_nothing_is_heard_under_another_key_or_none(vector: dict[str, Any]) -> None:
    """A tag is good under one key; a source without one does not speak this version."""
    coded = bytes.fromhex(vector["hex"])[1:-1]
    assert outcome(coded, OTHER) == "frame.tag"
    with pytest.raises(FrameError, match=r"^frame\.version"):
        decode(coded)


def campaign(firmware: Firmware, count: int, seed: int) -> dict[str, int]:
    """Feed so many mutated frames, most behind a good tag; C and Python must end each alike."""
    bare = [cobs.decode(encode(frame, KEY)[1:-1])[1:-20] for frame in GOOD.values()]
    inside = [tagged(b"\x02" + body[:230])[1:-1] for body in mutations(bare, count, seed)]
    one = cobs.decode(encode(GOOD["samples, one"], KEY)[1:-1])[:-4]
    tally: dict[str, int] = {}
    for coded in (*inside, *(_flip(one, bit) for bit in range(8, 8 * len(one)))):
        code = outcome(coded)
        tally[code] = tally.get(code, 0) + 1
        assert firmware.decode(coded)[0] == code, coded.hex()
        assert code or encode(decode(coded, KEY), KEY)[1:-1] == coded, coded.hex()
    return tally


def test_both_end_mutated_frames_the_same_way(firmware: Firmware) -> None:
    """The campaign in small: every check behind a good tag is reached, every wrong bit refused."""
    tally = campaign(firmware, 2000, seed=5)
    assert tally.keys() >= {"", "frame.body", "frame.type", "frame.tag"}


def _flip(raw: bytes, bit: int) -> bytes:
    """Flip a bit of a tagged frame and give it a good checksum."""
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    return seal(bytes(flipped))[1:-1]


def test_c_says_what_python_says(firmware: Firmware) -> None:
    """TABLE with the challenge of the last ASK, and as many samples a frame as fit beside a tag."""
    device = Device(firmware, BOOT, metrics=ROWS)
    assert device.say() == encode(Table(BOOT, 2, 0, "mcu-7", ROWS, bytes(8)), KEY)
    assert device.hear(encode(Ask(CHALLENGE), KEY)) == ""
    assert device.say() == encode(Table(BOOT, 2, 0, "mcu-7", ROWS, CHALLENGE), KEY)
    for _ in range(14):
        device.keep(WARM)
    fresh = replace(WARM, age_ms=0)
    said = [it for it in frames(device.say_all()) if isinstance(it, Samples)]
    assert [it.samples for it in said] == [(fresh,) * 13, (fresh,)]


@pytest.mark.parametrize("key", [None, OTHER], ids=["no key", "another key"])
def test_a_device_lets_nobody_without_the_key_empty_its_ring(
    firmware: Firmware, key: bytes | None
) -> None:
    """An ACK that the gateway did not say releases nothing, and is counted."""
    device = Device(firmware, BOOT)
    device.keep(WARM)
    device.say_all()
    assert device.hear(encode(Ack(BOOT, 1), key)) == "frame.tag"
    assert (device.state.oldest, device.state.refused) == (0, 1)
    assert device.hear(encode(Ack(BOOT, 1), KEY)) == ""
    assert device.state.oldest == 1


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_doubled_on_a_bad_wire(firmware: Firmware, seed: int) -> None:
    """With a key as without: each sample is stored once and in order, or told as lost."""
    live(World(firmware, seed))


def heard(line: Line, wire: bytes, now_ms: int) -> list[Action]:
    return [action for frame in frames(wire) for action in line.hear(frame, now_ms)]


def test_what_an_earlier_start_said_is_not_taken_again(firmware: Firmware) -> None:
    """A recording of a whole start is refused for good: in this session, and in a later one."""
    draws = iter(range(1, 1000))

    def draw() -> bytes:
        return next(draws).to_bytes(CHALLENGE_BYTES)

    line, recorded, boots = Line(None, draw), [], [bytes((7, *bytes(6), at)) for at in range(12)]
    ask: Ask = line.opened(0)
    for at, boot in enumerate(boots):  # more starts than the line remembers
        device = Device(firmware, boot)
        device.keep(replace(STROKE, mantissa=at))
        said = device.say_all()
        asked = [it.frame for it in heard(line, said, 1000 * at + 600) if isinstance(it, Send)]
        for each in (ask, *asked):
            device.hear(encode(each, KEY))
            said += (answer := device.say_all())
            taken = [it for it in heard(line, answer, 1000 * at + 601) if isinstance(it, Take)]
        recorded.append(said)
        assert len(taken) == 1 and taken[0].position.boot == boot
        line.committed(taken[0].position)
    for later in (line, Line(taken[0].position, draw)):
        later.opened(99_000)
        for said in recorded:
            assert not [it for it in heard(later, said, 99_900) if isinstance(it, Take)]


def test_what_this_start_said_before_is_not_taken_again(firmware: Firmware) -> None:
    """An old frame of the start that lives says lower numbers, and is no second start."""
    line, device, said = Line(None, lambda: CHALLENGE), Device(firmware, BOOT), []
    device.hear(encode(line.opened(0), KEY))
    for number in range(3):
        device.keep(replace(STROKE, mantissa=number))
        said.append(device.say_all())
        (taken,) = [it for it in heard(line, said[-1], number) if isinstance(it, Take)]
        device.hear(encode(line.committed(taken.position), KEY))
    samples = encode(frames(said[0])[-1], KEY)
    assert heard(line, samples, 9) == [Count("replayed", 1)]
    assert heard(line, said[2], 9)[0] == Count("duplicates", 1)


def test_a_table_that_nobody_asked_for_is_counted(firmware: Firmware) -> None:
    """It may be old: the device is asked, and what it answers is believed."""
    line = Line(None, lambda: CHALLENGE)
    device = Device(firmware, BOOT, metrics=ROWS)
    ask = line.opened(0)
    assert heard(line, device.say_all(), 1) == [Count("unasked", 1)]
    device.hear(encode(ask, KEY))
    assert heard(line, device.say_all(), 2) == []
    assert line.name == "mcu-7"


def test_only_what_has_the_tag_reaches_the_store(
    station: Station, tmp_path: Path, key_file: Path, firmware: Firmware
) -> None:
    """On a real line: no tag and another key are counted, the device itself is stored."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            config = FramedSource(
                name="mcu-7", url=f"serial://{wire.link}?baud=115200", key_file=str(key_file)
            )
            it = FramedListener(config, station.intake("mcu-7"), now, 20)
            task = asyncio.create_task(it.run())
            device = Device(firmware, BOOT, metrics=ROWS)
            await until(lambda: len(wire.answers) > CHALLENGE_BYTES)
            device.hear(bytes(wire.answers))
            for key in (None, OTHER):
                for frame in frames(device.say_all()):
                    wire.inject(encode(frame, key))
                wire.inject(encode(Samples(BOOT, 0, 1, 0, 0, (WARM,)), key))
                device.hear(encode(Ask(bytes(device.state.challenge)), KEY))
            await until(lambda: it.counts["frame.tag"] == 4)
            device.keep(replace(WARM, mantissa=777))
            wire.inject(device.say_all())
            await until(lambda: it.counts["acknowledged"] == 1)
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(story())
    assert [it.value for it in station.stored()] == [77.7]
    assert station.quarantined() == []


def test_only_a_source_with_a_key_claims_that_the_device_is_known() -> None:
    """device-authenticated comes of a key and of nothing else; device-signed is never claimed."""
    plain = FramedSource(name="mcu-7", url="serial:///dev/ttyS0?baud=9600")
    keyed = FramedSource(name="mcu-7", url="serial:///dev/ttyS0?baud=9600", key_file="mcu-7.key")
    assert provenance(plain) is Provenance.UNAUTHENTICATED_LINE
    assert provenance(keyed) is Provenance.DEVICE_AUTHENTICATED


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(key_file: Path, mode: int) -> None:
    """A key that anybody knows proves nothing."""
    assert read_key(str(key_file)) == KEY
    key_file.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"{mode:04o}"):
        read_key(str(key_file))


@pytest.mark.parametrize(
    "text", ["", KEY.hex()[:-1], KEY.hex() + "0", "k" * 64, KEY.hex() + "\n\n"]
)
def test_a_file_that_holds_no_key_is_refused(key_file: Path, text: str) -> None:
    """64 hexadecimal digits and at most one line break."""
    key_file.write_text(text)
    with pytest.raises(KeyUnusable, match=r"^config\.key-file"):
        read_key(str(key_file))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is said, and what to do."""
    with pytest.raises(KeyUnusable, match=r"absent\.key"):
        read_key(str(tmp_path / "absent.key"))


def test_an_agent_whose_key_file_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    """It never goes on without the key: it ends, and says which file and what to do."""
    path = tmp_path / "mcu-7.key"
    path.write_text(KEY.hex())
    path.chmod(0o644)
    source = f'[[source]]\nname = "mcu-7"\ntype = "framed"\nurl = "serial://{tmp_path}/tty"\n'
    agent = AgentProcess(tmp_path, "keyed", f'{source}key_file = "{path}"\n')
    environment = {**os.environ, "HULIAN_CONFIG": str(agent.config), "HULIAN_LANG": "en"}
    ended = subprocess.run([*HULIAN, "run"], env=environment, capture_output=True, timeout=60)
    assert ended.returncode != 0
    assert b"config.key-file" in ended.stderr and b"0644" in ended.stderr
    assert KEY.hex().encode() not in ended.stderr + ended.stdout
