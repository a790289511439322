"""bridge.c on a board: what it costs, a boot id at each start, and power cuts in small."""

import ctypes as c
import re
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests import footprint
from tests.bridge_c import FIRMWARE, STRICT, TRAPS
from tests.emulator import PAINT, RAM_BYTES, RAM_START, Board, build, needs_board, symbols
from tests.faults import firmware

README = (FIRMWARE / "README.md").read_text("utf-8")


class _Starts(c.Structure):
    _fields_ = (("number", c.c_uint32), ("slot", c.c_uint8), ("bytes", c.c_uint8 * 8))


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> c.CDLL:
    made = tmp_path_factory.mktemp("starts") / "starts.so"
    source = FIRMWARE / "starts.c"
    subprocess.run(("cc", *STRICT, *TRAPS, "-shared", "-fPIC", source, "-o", made), check=True)
    library = c.CDLL(str(made))
    library.starts_next.restype = _Starts
    return library


@needs_board
@pytest.mark.parametrize("core", footprint.CORES)
@pytest.mark.parametrize("kind", footprint.KINDS, ids=lambda kind: kind or "plain")
def test_a_board_pays_at_most_what_the_readme_says(core: str, kind: str, tmp_path: Path) -> None:
    """Flash, state, slot and stack are no more than the README's row of that core."""
    found = footprint.measure(tmp_path, core, kind)
    row = next(line for line in README.splitlines() if line.startswith(f"| {found.core} |"))
    told = [int(number) for number in re.findall(r"\| (\d+) ", row)]
    assert len(told) == 4
    for measured, allowed in zip(
        (found.flash, found.state, found.slot, found.stack), told, strict=True
    ):
        assert measured <= allowed, found


@needs_board
def test_the_stack_of_the_running_board_stays_within_what_is_computed(tmp_path: Path) -> None:
    """The paint below the deepest call is untouched: the running firmware never went deeper."""
    elf = build(tmp_path)
    board, names = Board(tmp_path, elf), symbols(elf)
    listing = subprocess.run(
        ("arm-none-eabi-objdump", "-d", "--no-show-raw-insn", elf),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    functions = footprint.read_calls(listing)
    interrupt = 32 + max(footprint.depth(functions, it) for it in ("on_timer0", "on_uart0"))
    deepest = footprint.depth(functions, "on_reset") + interrupt
    board.power_on()
    try:
        ring = names["b"] + 32  # `next`: wait until the ring has been used
        while int.from_bytes(board.memory(ring, 8), "little") < 30:
            pass
        board.halt()
        memory = board.memory(RAM_START, RAM_BYTES)[names["bss_end"] - RAM_START :]
    finally:
        board.cut_power()
    untouched = next(at for at in range(0, len(memory), 4) if memory[at : at + 4] != PAINT)
    assert 64 <= len(memory) - untouched <= max(deepest, 64)


def test_a_cut_at_any_byte_of_counting_a_start_repeats_no_number(counter: c.CDLL) -> None:
    """Whatever part of a slot was written, the next number is new, or was never said by anybody."""
    slots, said = [bytes(8), b"\xff" * 8], []
    for turn in range(200):
        found = counter.starts_next(*slots)
        assert found.number not in said
        if turn % 10 == 9:  # written whole, so that the start speaks
            slots[found.slot] = bytes(found.bytes)
            said.append(found.number)
        else:
            count = turn % 9
            slots[found.slot] = bytes(found.bytes)[:count] + slots[found.slot][count:]
    assert all(before < after for before, after in pairwise(said))


def test_blank_slots_give_the_first_number(counter: c.CDLL) -> None:
    """Erased flash, erased EEPROM and a new card all begin at 1; the boot id carries both parts."""
    for blank in (bytes(8), b"\xff" * 8):
        assert counter.starts_next(blank, blank).number == 1
    boot = (c.c_uint8 * 8)()
    counter.starts_boot_id(boot, c.c_uint32(0xCAFEF00D), c.c_uint32(7))
    assert bytes(boot).hex() == "cafef00d00000007"


@needs_board
def test_a_board_without_its_card_says_nothing(tmp_path: Path) -> None:
    """Without a number for this start there is no boot id, and without one no frame."""
    board = Board(tmp_path, build(tmp_path))
    board.card.write_bytes(b"")
    board.power_on()
    try:
        time.sleep(0.5)  # it starts again and again, and finds no card
        names = symbols(board.elf)
        assert board.ask("query-status")["running"]
        assert board.memory(names["b"] + 32, 8) == bytes(8)
    finally:
        board.cut_power()


@needs_board
def test_power_cuts_lose_and_double_nothing(tmp_path: Path) -> None:
    """The campaign in small: twenty power cuts, each in the middle of a frame."""
    told = firmware.campaign(tmp_path, 20)
    assert "lost 0, doubled 0" in told


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler: make setup")
def test_the_arduino_sketch_compiles_against_a_stand_in(tmp_path: Path) -> None:
    """It is C++11 that fits bridge.h, starts.h and the names of Arduino's core that it uses."""
    sketch = FIRMWARE / "examples" / "arduino" / "arduino.ino"
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic")
    includes = ("-include", "Arduino.h", "-I", Path(__file__).parent / "arduino", "-I", FIRMWARE)
    made = tmp_path / "sketch.o"
    command = ("c++", *flags, *includes, "-x", "c++", "-c", sketch, "-o", made)
    subprocess.run(command, check=True)
    needs = subprocess.run(("nm", "-u", made), check=True, capture_output=True, text=True).stdout
    ours = {"bridge_start", "bridge_keep", "bridge_hear", "bridge_say"}
    assert ours | {"starts_next", "starts_boot_id"} <= set(needs.split())
