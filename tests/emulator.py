"""A real board's firmware in qemu: compiled by the board's compiler, run on an emulated Cortex-M3.

In: a folder, and a serial line or none. Out: a board that can be switched on, reset and have its
power cut; what its memory holds. Its SD card outlives all of that, as a card does.
"""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bridge_c import FIRMWARE

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
PERIOD_MS = 10
RAM_START, RAM_BYTES = 0x2000_0000, 0x1_0000
PAINT = b"\xc5\xc5\xc5\xc5"
_CARD_BYTES = 1 << 20
# Each value that the board says is start * 1,000,000 + number, on one metric after the other.
STARTS = 1_000_000

needs_board = pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
    reason=f"needs {COMPILER} and {EMULATOR}: make setup says how to get them",
)


def build(folder: Path, flags: str = "") -> Path:
    """Compile the example, sampling quickly; give the ELF."""
    made = folder / "press-m3.elf"
    command = ("make", "-s", "-C", FIRMWARE, f"OUT={folder}", str(made))
    subprocess.run((*command, f"BOARD_FLAGS=-DPERIOD_MS={PERIOD_MS}u {flags}"), check=True)
    return made


def symbols(elf: Path) -> dict[str, int]:
    """Give the address of each name in a program."""
    told = subprocess.run(("arm-none-eabi-nm", elf), check=True, capture_output=True, text=True)
    lines = (line.split() for line in told.stdout.splitlines())
    return {words[2]: int(words[0], 16) for words in lines if len(words) == 3}


class Board:
    """One board; its UART0 is the tty given, or a pseudo-terminal of the emulator's own at `tty`.

    A link at `tty` is made anew at each start, as udev does it for an adapter with a name.
    """

    def __init__(self, folder: Path, elf: Path, line: Path | None = None) -> None:
        self.elf, self.tty, self.card = elf, folder / "tty", folder / "card.img"
        self._line, self._door, self._log = line, folder / "qmp", folder / "qemu.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: socket.socket | None = None
        with self.card.open("wb") as file:
            file.truncate(_CARD_BYTES)

    def power_on(self) -> None:
        """Start it from nothing but its flash and its card."""
        uart = f"serial,id=uart,path={self._line.resolve()}" if self._line else "pty,id=uart"
        self._door.unlink(missing_ok=True)
        command = (
            *(EMULATOR, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none"),
            *("-chardev", uart, "-serial", "chardev:uart", "-kernel", self.elf),
            *("-drive", f"if=sd,format=raw,file={self.card}"),
            *("-qmp", f"unix:{self._door},server=on,wait=off"),
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._connect()
        if self._line is None:
            self._link()

    def cut_power(self) -> None:
        """Take its power away at this very instant."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._qmp is not None:
            self._qmp.close()
        self._process = self._qmp = None

    def reset(self) -> None:
        """Press its reset button."""
        self.ask("system_reset")

    def halt(self) -> None:
        """Let no instruction follow, so that its memory can be looked at."""
        self.ask("stop")

    def memory(self, address: int, length: int) -> bytes:
        """Read its memory as a debugger does."""
        path = self._door.with_suffix(".memory")
        self.ask("pmemsave", val=address, size=length, filename=str(path))
        return path.read_bytes()

    def ask(self, what: str, **arguments: object) -> Any:
        """Tell the emulator to do something; give its answer."""
        assert self._qmp is not None
        self._qmp.sendall(json.dumps({"execute": what, "arguments": arguments}).encode())
        answer: dict[str, Any] = {}
        while "return" not in answer:
            answer = json.loads(self._replies.readline())
            assert "error" not in answer, answer
        return answer["return"]

    def _connect(self) -> None:
        self._qmp, until = socket.socket(socket.AF_UNIX), time.monotonic() + 20
        while True:
            try:
                self._qmp.connect(str(self._door))
                break
            except OSError:
                assert self._process is not None and self._process.poll() is None, self.log()
                assert time.monotonic() < until, self.log()
                time.sleep(0.005)
        self._replies = self._qmp.makefile("r")
        self.ask("qmp_capabilities")

    def log(self) -> str:
        """Give what the emulator said."""
        return self._log.read_text()

    def _link(self) -> None:
        told = next(it for it in self.ask("query-chardev") if it["label"] == "uart")
        fresh = self.tty.with_suffix(".new")
        fresh.symlink_to(told["filename"].removeprefix("pty:"))
        fresh.rename(self.tty)


def by_start(values: list[tuple[str, object]]) -> dict[int, list[int]]:
    """Sort what was stored by the start of the board that said it, in the order of storing."""
    numbers: dict[int, list[int]] = {}
    for metric, value in values:
        assert isinstance(value, int | float)
        mantissa = round(value * 10) if metric == "force" else round(value)
        start, number = divmod(mantissa, STARTS)
        assert metric == ("force" if number % 2 else "strokes")
        numbers.setdefault(start, []).append(number)
    return numbers
