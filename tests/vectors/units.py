"""Vectors of the config that are about Modbus: units, their buses and their registers."""

GATEWAY = '[gateway]\nname = "press-shop"\nstate_dir = "state"\n'
SHOWN_GATEWAY = GATEWAY + "commit_ms = 200\njournal_s = 60\n\n"
SHOWN_WEB = '[web]\nlisten = "127.0.0.1:8470"\n'
SERIAL = GATEWAY + '[[source]]\nname = "mcu-7"\ntype = "framed"\nurl = "serial:///dev/ttyUSB0"\n'
UNIT = (
    GATEWAY
    + '[[source]]\nname = "press-1"\ntype = "modbus"\nurl = "serial:///dev/ttyUSB0"\n'
    + '[[source.metric]]\nname = "strokes"\nregister = "holding:100"\n'
)
SHOWN_UNIT = """[[source]]
type = "modbus"
name = "press-1"
url = "serial:///dev/ttyUSB0"
unit_id = 1
poll_ms = 1000
timeout_ms = 500
delay_ms = 0
backoff_ms_max = 60000
gap_max = 0
count_max = 125
stale_ms = 60000

[[source.metric]]
name = "strokes"
register = "holding:100"
word_order = "big"
byte_order = "big"
bit_count = 1

"""

Faults = list[tuple[str, int, str]]


def _second(text: str, old: str, new: str) -> str:
    """Write a text, and after it the same source once more, called otherwise and changed."""
    again = text.removeprefix(GATEWAY).replace("press-1", "press-2")
    return text + again.replace(old, new)


def good() -> list[tuple[str, str, str]]:
    """Give texts, and what they come to."""
    shown = SHOWN_UNIT.replace("press-1", "press-2").replace("unit_id = 1", "unit_id = 4")
    two = _second(UNIT, "[[source.m", "unit_id = 4\n[[source.m")
    rts = "ttyUSB0?baud=9600&parity=N&stop=2&rts=high&rts_before_ms=1&rts_after_ms=100"
    over_tcp = UNIT.replace("serial:///dev/ttyUSB0", "rtu+tcp://10.0.0.5:4001")
    return [
        ("a Modbus unit", UNIT, SHOWN_GATEWAY + SHOWN_UNIT + SHOWN_WEB),
        ("two units of one bus", two, SHOWN_GATEWAY + SHOWN_UNIT + shown + SHOWN_WEB),
        (
            "a half-duplex line",
            UNIT.replace("ttyUSB0", rts),
            SHOWN_GATEWAY + SHOWN_UNIT.replace("ttyUSB0", rts) + SHOWN_WEB,
        ),
        (
            "a converter",
            over_tcp,
            SHOWN_GATEWAY
            + SHOWN_UNIT.replace("serial:///dev/ttyUSB0", "rtu+tcp://10.0.0.5:4001")
            + SHOWN_WEB,
        ),
    ]


def bad() -> list[tuple[str, str, Faults]]:
    """Give texts, each with all its faults."""
    named = {
        **_bad_buses(),
        **_bad_registers(),
        **_bad_types(),
        **_bad_bits(),
        **_bad_neighbours(),
    }
    return [(name, *said) for name, said in named.items()]


def _bus(url: str, line: int = 7, key: str = "url") -> tuple[str, Faults]:
    text = UNIT.replace("serial:///dev/ttyUSB0", url)
    return text, [("config.url", line, f"source[0].{key}")]


def _source(line: str, code: str, key: str) -> tuple[str, Faults]:
    text = UNIT.replace("[[source.m", f"{line}\n[[source.m")
    return text, [(f"config.{code}", 8, f"source[0].{key}")]


def _metric(lines: str, code: str, key: str, at: int = 11) -> tuple[str, Faults]:
    return UNIT + lines + "\n", [(f"config.{code}", at, f"source[0].metric[0].{key}")]


def _at(register: str, *lines: str) -> tuple[str, Faults]:
    text = UNIT.replace("holding:100", register) + "".join(f"{line}\n" for line in lines)
    return text, [("config.range", 10, "source[0].metric[0].register")]


def _clash(old: str, new: str) -> tuple[str, Faults]:
    return _second(UNIT, old, new), [("config.duplicate-name", 14, "source[1].url")]


def _bad_buses() -> dict[str, tuple[str, Faults]]:
    return {
        "a bus of another scheme": _bus("udp://10.0.0.5"),
        "a bus with a user": _bus("tcp://me@10.0.0.5"),
        "a bus with a path": _bus("tcp://10.0.0.5/x"),
        "a bus without a host": _bus("tcp://:502"),
        "a bus with an odd key": _bus("serial:///dev/ttyUSB0?bits=7"),
        "a driver at no level": _bus("serial:///dev/ttyUSB0?rts=on"),
        "pauses without a driver": _bus("serial:///dev/ttyUSB0?rts_after_ms=1"),
        "a pause that is too long": _bus("serial:///dev/ttyUSB0?rts=low&rts_after_ms=101"),
    }


def _bad_registers() -> dict[str, tuple[str, Faults]]:
    return {
        "a unit beyond all": _source("unit_id = 256", "range", "unit_id"),
        "every unit of a line": _source("unit_id = 0", "range", "unit_id"),
        "no time to answer": _source("timeout_ms = 4", "range", "timeout_ms"),
        "too many at once": _source("count_max = 126", "range", "count_max"),
        "no metric": (
            UNIT.partition("[[source.m")[0],
            [("config.missing", 4, "source[0].metric")],
        ),
        "no kind of register": _at("100"),
        "an unknown kind of register": _at("memory:100"),
        "an address with a zero before": _at("holding:0100"),
        "an address beyond all": _at("holding:65536"),
        "a value beyond the last address": _at("holding:65535", 'type = "uint32"'),
    }


def _bad_types() -> dict[str, tuple[str, Faults]]:
    none, coil = "no-effect", UNIT.replace("holding:100", "coil:0")
    return {
        "an unknown type of register": _metric('type = "uint31"', "choice", "type"),
        "a register that is a bit": _metric('type = "bool"', none, "type"),
        "a coil that is a number": (
            coil + 'type = "int16"\n',
            [("config.no-effect", 11, "source[0].metric[0].type")],
        ),
        "a coil that is scaled": (
            coil + "scale = 2\n",
            [("config.no-effect", 11, "source[0].metric[0].scale")],
        ),
        "words of one register": _metric('word_order = "little"', none, "word_order"),
        "a text without a length": _metric('type = "string"', "missing", "length", 8),
        "a number with a length": _metric("length = 2", none, "length"),
    }


def _bad_bits() -> dict[str, tuple[str, Faults]]:
    none = "no-effect"
    return {
        "a bit beyond the register": _metric("bit = 16", "range", "bit"),
        "bits beyond the register": _metric("bit = 9\nbit_count = 8", "range", "bit"),
        "a bit of a signed number": _metric('bit = 1\ntype = "int16"', none, "bit"),
        "bits from nowhere": _metric("bit_count = 2", none, "bit_count"),
        "a bit that is scaled": _metric("scale = 2\nbit = 1", none, "scale"),
        "a register scaled by zero": _metric("scale = 0", "range", "scale"),
        "a bound that is no number": _metric("min = nan", "range", "min"),
        "bounds in the wrong order": _metric("max = 1\nmin = 2", "range", "max"),
    }


def _bad_neighbours() -> dict[str, tuple[str, Faults]]:
    return {
        "one line, two speeds": _clash("ttyUSB0", "ttyUSB0?baud=9600"),
        "two names of one speed and another": _clash("ttyUSB0", "ttyUSB0?parity=N"),
        "a line with two owners": (
            SERIAL + UNIT.removeprefix(GATEWAY),
            [("config.duplicate-name", 11, "source[1].url")],
        ),
    }
