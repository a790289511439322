"""Vectors of the config that are about points: what may be written to a machine."""

from tests.vectors.units import SHOWN_GATEWAY, SHOWN_UNIT, SHOWN_WEB, UNIT

GATEWAY = '[gateway]\nname = "press-shop"\nstate_dir = "state"\n'
MQTT = (
    GATEWAY
    + '[[source]]\nname = "meters"\ntype = "mqtt"\nurl = "mqtt://127.0.0.1"\ntopics = ["a/+"]\n'
)
PAINT = GATEWAY + '[[source]]\nname = "paint"\ntype = "sparkplug"\nurl = "mqtt://127.0.0.1"\n'
MCU = GATEWAY + '[[source]]\nname = "mcu-7"\ntype = "framed"\nurl = "serial:///dev/ttyUSB0"\n'
LIMITS = "min = 0\nmax = 160\n"
HEAD = '[[source.point]]\nname = "p"\n'
SET = UNIT + HEAD + 'register = "holding:200"\n'
PUBLISH = MQTT + HEAD + 'topic = "b/set"\n'
COMMAND = PAINT + HEAD + 'device = "plant/line-1/booth"\nmetric = "Fan"\n'
TOLD = MCU + HEAD + "command = 3\n"
USUAL = "approvals = 1\norganisations = 1\nwait_ms = 5000\n"

Faults = list[tuple[str, int, str]]


def good() -> list[tuple[str, str, str]]:
    """Give texts, and what they come to."""
    point = f'{HEAD}unit = "bar"\n{LIMITS}step = 5\norders_from = ["Ace Metals"]\napprovals = 2\n'
    point += "organisations = 2\nwait_ms = 900\n"
    rest = 'register = "holding:200"\ntype = "float32"\nword_order = "little"\n'
    return [
        (
            "a point in registers",
            UNIT + point + rest,
            f'{SHOWN_GATEWAY}{SHOWN_UNIT}{point}{rest}byte_order = "big"\nmultiple = false\n\n'
            + SHOWN_WEB,
        ),
        (
            "a coil that obeys nobody",
            UNIT + HEAD + 'register = "coil:0"\n',
            f'{SHOWN_GATEWAY}{SHOWN_UNIT}{HEAD}{USUAL}register = "coil:0"\n'
            'word_order = "big"\nbyte_order = "big"\nmultiple = false\n\n' + SHOWN_WEB,
        ),
        (
            "a point of a framed device",
            TOLD + 'type = "bool"\n',
            f"{SHOWN_GATEWAY}{MCU.removeprefix(GATEWAY)}stale_ms = 60000\n\n".replace(
                'name = "mcu-7"\ntype = "framed"', 'type = "framed"\nname = "mcu-7"'
            )
            + f'{HEAD}{USUAL}type = "bool"\ncommand = 3\nunkeyed = false\n\n{SHOWN_WEB}',
        ),
    ]


def bad() -> list[tuple[str, str, Faults]]:
    """Give texts, each with all its faults."""
    named = {**_bad_limits(), **_bad_registers(), **_bad_messages(), **_bad_names()}
    return [(name, *said) for name, said in named.items()]


def _of(text: str, lines: str, *found: tuple[str, str]) -> tuple[str, Faults]:
    """Add lines to a point; each fault is at the line of its key, or at the point's own."""
    whole = text + lines
    written = whole.splitlines()
    here = written.index("[[source.point]]") + 1
    faults: Faults = []
    for code, key in found:
        at = [n for n, line in enumerate(written, 1) if line.startswith(f"{key} =") and n > here]
        faults.append((f"config.{code}", at[0] if at else here, f"source[0].point[0].{key}"))
    return whole, faults


def _bad_limits() -> dict[str, tuple[str, Faults]]:
    upside = "min = 9\nmax = 1\n"
    return {
        "a point without limits": _of(SET, "", ("missing", "min"), ("missing", "max")),
        "limits upside down": _of(SET, upside, ("range", "max")),
        "a limit that is infinite": _of(SET, "min = 0\nmax = inf\n", ("range", "max")),
        "a step of nothing": _of(SET, LIMITS + "step = 0\n", ("range", "step")),
        "a switch with limits": _of(
            UNIT + HEAD + 'register = "coil:0"\n', "min = 0\n", ("no-effect", "min")
        ),
        "more organisations than persons": _of(
            SET, LIMITS + "organisations = 2\n", ("range", "organisations")
        ),
        "a point that waits for ever": _of(SET, LIMITS + "wait_ms = 0\n", ("range", "wait_ms")),
    }


def _bad_registers() -> dict[str, tuple[str, Faults]]:
    big = UNIT + HEAD + 'register = "holding:65535"\ntype = "uint32"\n'
    return {
        "a register that is only read": _of(
            UNIT + HEAD + 'register = "input:0"\n', LIMITS, ("range", "register")
        ),
        "a point that is a text": _of(SET, LIMITS + 'type = "string"\n', ("choice", "type")),
        "a coil that is a number to write": _of(
            UNIT + HEAD + 'register = "coil:0"\ntype = "int16"\n', LIMITS, ("no-effect", "type")
        ),
        "a point beyond the last address": _of(big, LIMITS, ("range", "register")),
        "a limit that its type cannot hold": _of(
            SET, "min = -1\nmax = 65536\n", ("range", "min"), ("range", "max")
        ),
        "a point that is scaled by nothing": _of(SET, LIMITS + "scale = 0\n", ("range", "scale")),
        "several registers in two ways": _of(
            SET + 'type = "float32"\n', LIMITS + "multiple = true\n", ("no-effect", "multiple")
        ),
        "words of one register to write": _of(
            SET, LIMITS + 'word_order = "little"\n', ("no-effect", "word_order")
        ),
        "what nobody reads back": _of(SET, LIMITS + 'readback = "x"\n', ("choice", "readback")),
    }


def _bad_messages() -> dict[str, tuple[str, Faults]]:
    heard = MQTT + HEAD + 'topic = "a/set"\n'
    every = MQTT + HEAD + 'topic = "b/+"\n'
    edge = MQTT + HEAD + 'topic = "spBv1.0/plant/NCMD/line-1"\n'
    outside = PAINT + 'groups = ["hall"]\n' + COMMAND.removeprefix(PAINT)
    return {
        "a command that is heard": _of(heard, LIMITS, ("heard", "topic")),
        "a command to all": _of(every, LIMITS, ("topic", "topic")),
        "a command that is Sparkplug's": _of(edge, LIMITS, ("topic", "topic")),
        "a message without the value": _of(PUBLISH, LIMITS + 'payload = "x"\n', ("payload",) * 2),
        "whose metric nobody reads": _of(
            PUBLISH, LIMITS + 'device = "x"\n', ("no-effect", "device")
        ),
        "a step from nobody knows where": _of(
            PUBLISH, LIMITS + "step = 1\n", ("no-effect", "step")
        ),
        "a device that is a level": _of(
            PAINT + HEAD + 'device = "booth"\nmetric = "Fan"\n', LIMITS, ("range", "device")
        ),
        "a device of a group that is not heard": _of(outside, LIMITS, ("range", "device")),
        "a command beyond all": _of(MCU + HEAD + "command = 65536\n", LIMITS, ("range", "command")),
    }


def _bad_names() -> dict[str, tuple[str, Faults]]:
    other = TOLD.removeprefix(GATEWAY) + LIMITS
    text = COMMAND + LIMITS + other
    line = len((COMMAND + LIMITS).splitlines()) + 6
    return {
        "two points of one name": (
            text,
            [("config.duplicate-name", line, "source[1].point[0].name")],
        ),
        "a point with a blank": _of(TOLD.replace('"p"', '"a b"'), LIMITS, ("range", "name")),
        "a point of an instrument": (
            GATEWAY
            + '[[source]]\nname = "b"\ntype = "serial"\nurl = "serial:///dev/ttyUSB0"\n'
            + HEAD
            + '[source.framing]\nby = "slip"\n',
            [("config.unknown-key", 8, "source[0].point")],
        ),
    }
