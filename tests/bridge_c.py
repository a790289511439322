"""firmware_bridge/bridge.c in Python's hands: compiled as strict as for a board, called by ctypes.

In: a folder to compile into. Out: the real C code as a `Device`, with the caller's memory being
Python's. Undefined behaviour traps, so it fails a test instead of passing it.
"""

import ctypes as c
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.readings.frame import Metric, Sample
from gateway.records.cose import SigningKey

FIRMWARE = Path(__file__).parent.parent / "firmware_bridge"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
CODES = (
    *("", "frame.long", "frame.cobs", "frame.short", "frame.crc"),
    *("frame.version", "frame.tag", "frame.type", "frame.body", "dropped", "metric", "table"),
)

DONE, REFUSED, FAILED, NO_POINT, OUTSIDE = 0, 2, 4, 18, 34  # bridge_outcome


class _Metric(c.Structure):
    _fields_ = (("name", c.c_char_p), ("unit", c.c_char_p))


_Signer = c.CFUNCTYPE(
    *(c.c_int, c.c_void_p, c.POINTER(c.c_uint8), c.c_size_t, c.POINTER(c.c_uint8))
)


class _Value(c.Structure):
    _fields_ = (("mantissa", c.c_int64), ("exponent", c.c_int8), ("kind", c.c_uint8))


_Mover = c.CFUNCTYPE(*(c.c_int, c.c_void_p, c.c_uint16, _Value, c.POINTER(_Value)))


class _Device(c.Structure):
    _fields_ = (
        ("name", c.c_char_p),
        ("boot", c.c_uint8 * 8),
        ("metrics", c.POINTER(_Metric)),
        ("metric_count", c.c_uint8),
        # Read by the builds that are able to have one, as the end of `_Bridge`.
        ("key", c.c_char_p),
        ("sign", _Signer),
        ("sign_context", c.c_void_p),
        ("move", _Mover),
        ("move_context", c.c_void_p),
    )


class _Sample(c.Structure):
    _fields_ = (
        ("mantissa", c.c_int64),
        ("exponent", c.c_int8),
        ("metric", c.c_uint8),
        ("quality", c.c_uint8),
    )


class _Slot(c.Structure):
    _fields_ = (("sample", _Sample), ("taken_ms", c.c_uint64))


class _Bridge(c.Structure):
    _fields_ = (
        ("me", c.POINTER(_Device)),
        ("ring", c.POINTER(_Slot)),
        ("capacity", c.c_uint32),
        ("oldest", c.c_uint64),
        ("cursor", c.c_uint64),
        ("next", c.c_uint64),
        ("dropped", c.c_uint32),
        ("refused", c.c_uint32),
        ("clock_ms", c.c_uint64),
        ("waiting_ms", c.c_uint64),
        ("caller_ms", c.c_uint32),
        ("command", c.c_uint32),
        ("command_due", c.c_uint8),
        ("probing", c.c_uint8),
        ("told", c.c_uint8),
        ("heard_length", c.c_uint16),
        ("heard", c.c_uint8 * 254),
        ("challenge", c.c_uint8 * 8),
        ("unsaid", c.c_uint32),
        ("message", c.c_uint8 * 512),
        ("found", _Value),
        ("command_check", c.c_uint32),
        ("outcome", c.c_uint8),
    )


@dataclass(frozen=True, slots=True)
class Firmware:
    """The compiled code, and the key that its devices have, or sign with."""

    library: c.CDLL
    key: bytes | None = None
    signer: SigningKey | None = None
    commanded: bool = False

    def decode(self, coded: bytes) -> tuple[str, bytes]:
        """Decode what stood between two delimiters: the code of its error, "" for none; raw."""
        # The caller's memory is exactly as long as what is said of it.
        memory = (c.c_uint8 * len(coded)).from_buffer_copy(coded)
        status = self.library.bridge_decode(memory, c.c_size_t(len(coded)), self.key)
        return CODES[status], bytes(memory)[1:]


def build(
    folder: Path,
    key: bytes | None = None,
    signer: SigningKey | None = None,
    commanded: bool = False,
) -> Firmware:
    """Compile the library, able to have a key, to sign, to do commands where asked; load it."""
    able = "signed" if signer else "keyed" if key else "bridge"
    made = folder / f"{able}{'-commanded' * commanded}.so"
    command = ("cc", *STRICT, *TRAPS, "-O1", "-g", "-shared", "-fPIC")
    # What is able to do more has the structures of what is able to do less, and adds to their end.
    wanted = (key or signer or commanded, signer or commanded, commanded)
    names = ("KEYED", "SIGNED", "COMMANDED")
    flags = [f"-DBRIDGE_{name}" for name, able in zip(names, wanted, strict=True) if able]
    extra = (FIRMWARE / "mac.c",) if flags else ()
    subprocess.run((*command, *flags, *extra, FIRMWARE / "bridge.c", "-o", made), check=True)
    return Firmware(c.CDLL(str(made)), key, signer, commanded)


def build_device(folder: Path, commanded: bool = False) -> Path:
    """Compile the device on a serial line; give the program."""
    made = folder / f"bridge-device{'-commanded' * commanded}"
    sources = (FIRMWARE / "bridge.c", FIRMWARE / "mac.c", FIRMWARE / "port" / "posix.c")
    able = ("-DBRIDGE_KEYED", "-DBRIDGE_COMMANDED") if commanded else ("-DBRIDGE_KEYED",)
    subprocess.run(("cc", *STRICT, *TRAPS, "-O1", *able, *sources, "-o", made), check=True)
    return made


def build_signing_device(folder: Path) -> Path:
    """Compile the device that signs by libsodium; give the program."""
    made = folder / "bridge-device-signed"
    port = FIRMWARE / "port"
    sources = (FIRMWARE / "bridge.c", port / "posix.c", port / "signer.c")
    flags = (*STRICT, *TRAPS, "-O1", "-DBRIDGE_SIGNED")
    subprocess.run(("cc", *flags, *sources, "-lsodium", "-o", made), check=True)
    return made


def has_sodium() -> bool:
    """Say whether a device that signs can be compiled here."""
    probe = ("cc", "-fsyntax-only", "-include", "sodium.h", "-xc", "/dev/null")
    return subprocess.run(probe, capture_output=True).returncode == 0


needs_sodium = pytest.mark.skipif(
    not has_sodium(), reason="needs libsodium-dev: make setup says how to get it"
)


class Device:
    """A device that runs the real code."""

    def __init__(
        self,
        firmware: Firmware,
        boot: bytes,
        metrics: tuple[Metric, ...] = (Metric("temperature", "Cel"), Metric("strokes", "")),
        name: str = "mcu-7",
        capacity: int = 64,
    ) -> None:
        self._library = firmware.library
        rows = [_Metric(it.name.encode(), it.unit.encode()) for it in metrics]
        self._metrics = (_Metric * len(rows))(*rows)
        self._me = _Device(
            name.encode(), (c.c_uint8 * 8)(*boot), self._metrics, len(rows), firmware.key
        )
        self.can_sign = True
        if firmware.signer is not None:
            self._signer, self._me.sign = firmware.signer, _Signer(self._sign)
        # What was done, in order; and what becomes of a command, and is found then.
        self.moved: list[tuple[int, int, int, int]] = []
        self.outcome, self.found = DONE, (0, 0, 2)
        self.on_move: Callable[[], None] = lambda: None
        if firmware.commanded:
            self._me.move = _Mover(self._move)
        self._ring = (_Slot * max(1, capacity))()
        self.state = _Bridge()
        self.now_ms = 0
        self.started = CODES[
            self._library.bridge_start(
                *(c.byref(self.state), c.byref(self._me), self._ring), c.c_uint32(capacity), 0
            )
        ]

    def keep(self, sample: Sample) -> str:
        """Take a sample now; its age says nothing."""
        said = _Sample(sample.mantissa, sample.exponent, sample.metric, sample.quality)
        return CODES[self._library.bridge_keep(c.byref(self.state), said, self._now())]

    def hear(self, wire: bytes) -> str:
        """Hear bytes from the line."""
        memory = (c.c_uint8 * len(wire)).from_buffer_copy(wire) if wire else (c.c_uint8 * 1)()
        length = c.c_size_t(len(wire))
        return CODES[self._library.bridge_hear(c.byref(self.state), memory, length, self._now())]

    def say(self) -> bytes:
        """Give the next frame for the line, or nothing."""
        memory = (c.c_uint8 * 256)()
        self._library.bridge_say.restype = c.c_size_t
        length = self._library.bridge_say(c.byref(self.state), memory, self._now())
        return bytes(memory)[:length]

    def say_all(self) -> bytes:
        """Give all that there is to say now."""
        return b"".join(iter(self.say, b""))

    def _sign(
        self, _context: object, message: "c._Pointer[c.c_uint8]", size: int, signature: object
    ) -> int:
        """Sign as the board's own callback does, or fail."""
        if not self.can_sign:
            return -1
        c.memmove(signature, self._signer.signature(bytes(message[:size])), 64)  # type: ignore[arg-type]
        return 0

    def _move(
        self, _context: object, point: int, wanted: _Value, found: "c._Pointer[_Value]"
    ) -> int:
        """Note what is asked for, and say of it what the test wants said."""
        self.moved.append((point, wanted.mantissa, wanted.exponent, wanted.kind))
        found[0] = _Value(*self.found)
        self.on_move()
        return self.outcome

    def _now(self) -> c.c_uint32:
        return c.c_uint32(self.now_ms & 0xFFFFFFFF)
