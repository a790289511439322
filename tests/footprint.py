"""What firmware_bridge costs a board: flash, RAM and stack, measured on what the compiler made.

In: a folder to compile into. Out: a row for each core, and for bridge.c alone, with a key and its
mac.c, with commands as well, and with a signer; what the board gives is not counted. Flash and
stack are read from a linked program, the compiler's own library included; the deepest way through
the calls is what counts, and a call that cannot be followed is an error.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bridge_c import FIRMWARE, STRICT

CORES = ("cortex-m0", "cortex-m3")
# What each is able to do; commands are for lines with a key.
KINDS = {
    "": (),
    "keyed": ("KEYED",),
    "signed": ("SIGNED",),
    "commanded": ("KEYED", "COMMANDED"),
}
CALLS = ("bridge_start", "bridge_keep", "bridge_hear", "bridge_say")
_FLAGS = ("-mthumb", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections")
_NO_LOOP = "-fno-tree-loop-distribute-patterns"
_SIZES = '#include "bridge.h"\nchar state[sizeof(bridge)], slot[sizeof(bridge_slot)];\n'
_MEMORY = """#include <stddef.h>
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
void *memcpy(void *to, const void *from, size_t length) {
    char *t = to; const char *f = from; while (length--) { *t++ = *f++; } return to; }
void *memset(void *to, int value, size_t length) {
    char *t = to; while (length--) { *t++ = (char)value; } return to; }
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes on one core."""

    core: str
    flash: int
    state: int
    slot: int
    stack: int

    def row(self) -> str:
        """Give it as a line of the README's table."""
        return f"| {self.core} | {self.flash} | {self.state} | {self.slot} | {self.stack} |"


@dataclass(frozen=True, slots=True)
class _Function:
    frame: int
    calls: frozenset[str]


def measure(folder: Path, core: str, kind: str = "") -> Footprint:
    """Compile and link the bridge of one of KINDS for a core, and measure it."""
    (folder / "memory.c").write_text(_MEMORY)
    (folder / "sizes.c").write_text(_SIZES)
    able = tuple(f"-DBRIDGE_{name}" for name in KINDS[kind])
    compiler = ("arm-none-eabi-gcc", f"-mcpu={core}", *_FLAGS, _NO_LOOP, *able, f"-I{FIRMWARE}")
    wanted = [f"-Wl,-u,{name}" for name in CALLS]
    sources = (
        FIRMWARE / "bridge.c",
        *((FIRMWARE / "mac.c",) if "KEYED" in KINDS[kind] else ()),
        folder / "memory.c",
    )
    linked, sizes = folder / f"{core}.elf", folder / f"{core}.o"
    _run(*compiler, *STRICT, "-c", folder / "sizes.c", "-o", sizes)
    _run(
        *(*compiler, *STRICT, *sources, "-nostdlib", "-Wl,--gc-sections", *wanted),
        *("-Wl,-e,bridge_start", "-lgcc", "-o", linked),
    )
    text, initialised, zeroed = _run("arm-none-eabi-size", linked).splitlines()[1].split()[:3]
    assert (initialised, zeroed) == ("0", "0"), "bridge.c keeps variables of its own"
    held = {line.split()[3]: int(line.split()[1], 16) for line in _symbols(sizes)}
    listing = _run("arm-none-eabi-objdump", "-d", "--no-show-raw-insn", linked)
    functions = read_calls(listing, callbacks=kind in ("signed", "commanded"))
    stack = max(depth(functions, name) for name in CALLS)
    return Footprint(f"{core} {kind}".strip(), int(text), held["state"], held["slot"], stack)


def read_calls(listing: str, callbacks: int = 0) -> dict[str, _Function]:
    """Read a disassembly: what each function takes of the stack, and whom it calls.

    Through so many pointers the caller's own functions are called, whose stack is not counted.
    """
    found = {}
    assert len(re.findall(r"\tblx\tr", listing)) == callbacks, "a call is not followed"
    for block in re.split(r"\n(?=[0-9a-f]{8} <)", listing)[1:]:
        name = block[block.index("<") + 1 : block.index(">")]
        assert "\tmov\tsp" not in block, f"{name}: not followed"
        frame = sum(4 * _registers(it) for it in re.findall(r"push[\w.]*\t\{(.*?)\}", block))
        frame += sum(4 * _registers(it) for it in re.findall(r"stmdb\tsp!, \{(.*?)\}", block))
        frame += sum(int(it) for it in re.findall(r"\tsub[\w.]*\t(?:sp, )?sp, #(\d+)", block))
        frame += sum(int(it) for it in re.findall(r"\tstr[\w.]*\t.*\[sp, #-(\d+)\]!", block))
        targets = re.findall(r"\tb[\w.]*\t[0-9a-f]+ <([^>+]+)>", block)
        found[name] = _Function(frame, frozenset(targets) - {name})
    return found


def depth(functions: dict[str, _Function], name: str, above: tuple[str, ...] = ()) -> int:
    """Give the bytes that a call takes at its deepest."""
    assert name not in above, f"{name} calls itself: no depth can be told"
    function = functions[name]
    below = (depth(functions, called, (*above, name)) for called in function.calls)
    return function.frame + max(below, default=0)


def _registers(listed: str) -> int:
    count = 0
    for part in listed.split(", "):
        ends = [int(it) for it in re.findall(r"r(\d+)", part)]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def _symbols(program: Path) -> list[str]:
    return _run("arm-none-eabi-nm", "-S", program).splitlines()


def _run(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    print("| core | flash | state | a sample | stack |")
    with TemporaryDirectory() as name:
        for each in CORES:
            for kind in KINDS:
                print(measure(Path(name), each, kind).row())
