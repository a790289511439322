"""Vectors of Modbus registers: a question, an answer to it, what its values mean, or why not."""

from gateway.config import ModbusMetric, ModbusSource
from gateway.readings.registers import plan

CHAPTER = "docs/devices/modbus.md"
Metric = dict[str, object]
ORDERS = {
    "big": "01020304",
    "word": "03040102",
    "byte": "02010403",
    "both": "04030201",
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "registers",
        "chapter": CHAPTER,
        "good": [
            {"name": name, "metrics": metrics, **question(metrics), "hex": said, "expect": expect}
            for name, metrics, said, expect in _good()
        ],
        "bad": [
            {"name": name, "metrics": metrics, **question(metrics), "hex": said, "error": error}
            for name, metrics, said, error in _bad()
        ],
    }


def question(metrics: list[Metric]) -> dict[str, object]:
    """Give the one question that reads these metrics, by name."""
    made = tuple(ModbusMetric(**metric) for metric in metrics)  # type: ignore[arg-type]
    source = ModbusSource(name="press-1", url="tcp://localhost", unit_id=17, gap_max=4, metric=made)
    (part,) = plan(source)
    asked = part.inquiry
    return {"question": [asked.unit, asked.function, asked.start, asked.count]}


def _metric(register: str, kind: str | None = None, **more: object) -> Metric:
    typed = {} if kind is None else {"type": kind}
    return {"name": register, "register": register, **typed, **more}


def _of(kind: str, values: str, value: object, **more: object) -> tuple[list[Metric], str, object]:
    """Give one metric from holding register 0 on, and its answer."""
    said = f"03{len(values) // 2:02x}{values}"
    return [_metric("holding:0", kind, **more)], said, value


def _good() -> list[tuple[str, list[Metric], str, Metric]]:
    one = {
        "int16, lowest": _of("int16", "8000", -32768),
        "uint16, highest": _of("uint16", "ffff", 65535),
        "int32": _of("int32", "fffffffe", -2),
        "uint64, highest that is kept": _of("uint64", "7fffffffffffffff", (1 << 63) - 1),
        "int64, lowest": _of("int64", "8000000000000000", -(1 << 63)),
        "float32": _of("float32", "41c80000", 25.0),
        "float32, word order little": _of("float32", "000041c8", 25.0, word_order="little"),
        "float64": _of("float64", "400921fb54442d18", 3.141592653589793),
        "bcd16": _of("bcd16", "0815", 815),
        "bcd32, word order little": _of("bcd32", "56781234", 12345678, word_order="little"),
        "string": _of("string", "50372d4120000000", "P7-A", length=4),
        "string, byte order little": _of(
            "string", "3750412d", "P7-A", length=2, byte_order="little"
        ),
        "string in UTF-8": _of("string", "e58e8b31", "压1", length=2),
        "a bit that is set": _of("uint16", "0008", True, bit=3),
        "a bit that is not": _of("uint16", "fff7", False, bit=3),
        "bits as a number": _of("uint16", "0560", 11, bit=5, bit_count=4),
        "a bit of two registers": _of("uint32", "00010000", True, bit=16),
        "scaled": _of("int16", "ff38", -20.0, scale=0.1),
        "scaled by an integer": _of("uint16", "0003", 30, scale=10),
        **{
            f"the orders: {name}": _of(
                "uint32",
                said,
                0x01020304,
                word_order="little" if name in ("word", "both") else "big",
                byte_order="little" if name in ("byte", "both") else "big",
            )
            for name, said in ORDERS.items()
        },
    }
    three = [_metric(f"holding:{at}") for at in (107, 108, 109)]
    coils = [_metric(f"coil:{at}") for at in (19, 20, 37)]
    return [
        ("the specification's registers", three, "0306022b00000064", _named(three, 555, 0, 100)),
        ("the specification's coils", coils, "0103cd6b05", _named(coils, True, False, True)),
        (
            "a gap that is read along",
            [_metric("input:8"), _metric("input:12", "int16")],
            "040a0001 000200030004 ffff".replace(" ", ""),
            {"input:8": 1, "input:12": -1},
        ),
        (
            "two metrics in one register",
            [_metric("holding:0", "uint16", name="word"), _metric("holding:0", "uint16", bit=0)],
            "03020101",
            {"word": 257, "holding:0": True},
        ),
        *(
            (name, metrics, said, _named(metrics, value))
            for name, (metrics, said, value) in one.items()
        ),
    ]


def _named(metrics: list[Metric], *values: object) -> Metric:
    return {str(metric["name"]): value for metric, value in zip(metrics, values, strict=True)}


def _bad() -> list[tuple[str, list[Metric], str, str]]:
    one = [_metric("holding:0")]
    coil = [_metric("coil:0")]
    text = "payload.text"
    answers = {
        "nothing": ("", "short"),
        "a function alone": ("03", "short"),
        "no values": ("0302", "short"),
        "half a register": ("030201", "short"),
        "a byte more": ("0302010203", "long"),
        "no bytes counted": ("0300", "count"),
        "more bytes counted": ("030401020304", "count"),
        "fewer bytes than counted, and counted more": ("03040102", "count"),
        "input registers instead": ("04020102", "function"),
        "coils instead": ("010101", "function"),
        "a written register": ("060000ffff", "function"),
        "function 0": ("0000", "function"),
        "function 255": ("ff01", "function"),
        "a refusal of another function": ("8402", "function"),
        "a refusal cut": ("83", "short"),
        "a refusal with a byte more": ("830200", "long"),
        **{
            f"refusal {code}": (f"83{code:02x}", "exception") for code in (0, 1, 2, 3, 4, 6, 10, 11)
        },
    }
    values = {
        "an integer beyond 63 bits": (_of("uint64", "8000000000000000", 0), "payload.number"),
        "not a number": (_of("float32", "7fc00000", 0), "payload.number"),
        "infinity": (_of("float64", "fff0000000000000", 0), "payload.number"),
        "infinity once scaled": (_of("float64", "7fe0000000000000", 0, scale=16), "payload.number"),
        "an integer too large once scaled": (
            _of("int64", "4000000000000000", 0, scale=2),
            "payload.number",
        ),
        "a digit beyond 9": (_of("bcd16", "00a0", 0), "modbus.value"),
        "no UTF-8": (_of("string", "fffe", "", length=1), "modbus.value"),
        "an empty text": (_of("string", "2000", "", length=1), text),
        "a text with a control letter": (_of("string", "411b4141", "", length=2), text),
    }
    return [
        *((name, one, said, f"modbus.{error}") for name, (said, error) in answers.items()),
        ("registers instead of a coil", coil, "03020001", "modbus.function"),
        ("two bytes of coils", coil, "01020100", "modbus.count"),
        *((name, metrics, said, error) for name, ((metrics, said, _), error) in values.items()),
    ]
