"""The vectors of commands and what becomes of them: docs/protocol/frame.md, "Commands"."""

from dataclasses import asdict, replace

from cobs import cobs

from gateway.errors import MalformedFrame
from gateway.readings.command import Answer, Attempt, check, encode_value, read
from gateway.readings.frame import Command, Refused, Result, Splitter, encode
from gateway.readings.reading import Value
from tests.vectors.build_frame import BOOT, seal

SINCE_MS, VALID_MS, NUMBER = 90_000, 5000, 7
DONE, UNSUPPORTED, REFUSED, EXPIRED, FAILED = range(5)
WANTED: dict[str, Value] = {
    "a tenth": 21.5,
    "a whole number": 1200,
    "below zero": -3,
    "the highest": (1 << 63) - 1,
    "the lowest": -(1 << 63),
    "a very small number": 5e-100,
    "true": True,
    "false": False,
}


def wish(value: Value, point: int = 1) -> Command:
    """Give the command that follows the answer of a device which has heard six."""
    packed = encode_value(value)
    assert packed is not None
    attempt = Attempt(BOOT, point, packed, VALID_MS)
    assert attempt.hear(Answer(BOOT, NUMBER - 1, "done", SINCE_MS)) is None
    return attempt.said


COMMAND = wish(21.5)
_HEAD = (SINCE_MS + 40).to_bytes(8) + check(COMMAND).to_bytes(4)
VALUE = bytes.fromhex("00ff00000000000000d7")
RESULTS: dict[str, Result] = {
    "nothing was commanded yet": Result(BOOT, 0, DONE, SINCE_MS.to_bytes(8) + bytes(4)),
    "done, and read back": Result(BOOT, NUMBER, DONE, _HEAD + VALUE),
    "done, and nothing to read back": Result(BOOT, NUMBER, DONE, _HEAD),
    "done, and true": Result(BOOT, NUMBER, DONE, _HEAD + encode_value(True)),  # type: ignore[operator]
    "no commands at all": Result(BOOT, 0, UNSUPPORTED, b""),
    "not readable": Result(BOOT, NUMBER, UNSUPPORTED, _HEAD),
    "not now": Result(BOOT, NUMBER, REFUSED, _HEAD + b"\x00"),
    "no such point": Result(BOOT, NUMBER, REFUSED, _HEAD + b"\x01"),
    "outside of the limits": Result(BOOT, NUMBER, REFUSED, _HEAD + b"\x02"),
    "refused for a reason of later versions": Result(BOOT, NUMBER, REFUSED, _HEAD + b"\xff"),
    "too late": Result(BOOT, NUMBER, EXPIRED, _HEAD),
    "begun, its end unknown": Result(BOOT, NUMBER, FAILED, _HEAD),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "command",
        "chapter": "docs/protocol/frame.md",
        "good": [
            {"name": "the question", "hex": encode(_question()).hex(), "expect": {"number": 0}},
            *(_told(name, value) for name, value in WANTED.items()),
            *(_heard(name, result) for name, result in RESULTS.items()),
        ],
        "bad": [
            *(
                {"name": name, "hex": encode(result).hex(), "error": _error(result)}
                for name, result in _bad_results().items()
            ),
            *(
                {"name": name, "hex": seal(b"\x01\x83" + said).hex(), "expect": {"outcome": 1}}
                for name, said in _bad_commands().items()
            ),
        ],
    }


def _question() -> Command:
    return Attempt(BOOT, 1, VALUE, VALID_MS).said


def _told(name: str, value: Value) -> dict[str, object]:
    said = wish(value)
    kind, exponent, mantissa = said.said[10], said.said[11:12], said.said[12:]
    wanted = {
        "number": said.number,
        "valid_ms": said.valid_ms,
        "since_ms": SINCE_MS,
        "point": 1,
        "kind": kind,
        "exponent": int.from_bytes(exponent, signed=True),
        "mantissa": int.from_bytes(mantissa, signed=True),
        "check": check(said),
    }
    return {"name": f"command: {name}", "hex": encode(said).hex(), "expect": wanted}


def _heard(name: str, result: Result) -> dict[str, object]:
    return {"name": f"result: {name}", "hex": encode(result).hex(), "expect": expect(result)}


def expect(result: Result) -> dict[str, object]:
    """Give what a result says, as JSON."""
    said = asdict(read(result))
    return {**said, "boot": result.boot.hex()}


def _error(result: Result) -> str:
    (heard,) = Splitter().feed(encode(result))
    assert isinstance(heard, Result) and not isinstance(heard, Refused)
    try:
        read(heard)
    except MalformedFrame as error:
        return error.code
    raise AssertionError(f"good: {result}")


def _bad_results() -> dict[str, Result]:
    done, refused = RESULTS["done, and read back"], RESULTS["not now"]
    late = RESULTS["too late"]

    def of(value: bytes) -> Result:
        return replace(done, said=_HEAD + value)

    return {
        "done without a time": replace(done, said=b""),
        "the check cut": replace(done, said=_HEAD[:-1]),
        "the value cut": of(VALUE[:-1]),
        "the value with a byte more": of(VALUE + b"\x00"),
        "a value of unknown kind": of(b"\x02" + VALUE[1:]),
        "a truth that is two": of(b"\x01\x00" + (2).to_bytes(8)),
        "a truth below zero": of(b"\x01\x00" + b"\xff" * 8),
        "a truth with an exponent": of(b"\x01\x01" + (1).to_bytes(8)),
        "refused without a reason": replace(refused, said=_HEAD),
        "refused for two reasons": replace(refused, said=_HEAD + b"\x00\x00"),
        "refused without a time": replace(refused, said=b"\x01"),
        "too late with a value": replace(late, said=_HEAD + VALUE),
        "failed with a value": replace(late, outcome=FAILED, said=_HEAD + VALUE),
        "not readable, with a byte": replace(late, outcome=UNSUPPORTED, said=_HEAD + b"\x00"),
        "no commands, with a byte": replace(late, outcome=UNSUPPORTED, said=b"\x00"),
    }


def _bad_commands() -> dict[str, bytes]:
    """Commands that a device cannot read: it answers `unsupported`, and does nothing."""
    raw: bytes = cobs.decode(encode(COMMAND)[1:-1])[2:-4]
    head, wanted = raw[:26], raw[26:]
    return {
        "command of no bytes": raw[:16],
        "command cut": raw[:-1],
        "command with a byte more": raw + b"\x00",
        "command of unknown kind": head + b"\x02" + wanted[1:],
        "command to be two": head + b"\x01\x00" + (2).to_bytes(8),
        "command to be true, below zero": head + b"\x01\x00" + b"\xff" * 8,
        "command to be true, with an exponent": head + b"\x01\xff" + (1).to_bytes(8),
    }
