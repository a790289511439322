"""The vectors of deterministic CBOR: docs/protocol/encoding.md."""

from gateway.records import cbor
from tests.damage import refusal

SIZE_MAX = 1000
GOOD: dict[str, object] = {
    "zero": 0,
    "23, in the head": 23,
    "24, in one byte": 24,
    "255": 255,
    "256, in two bytes": 256,
    "65,536, in four bytes": 65_536,
    "2^32, in eight bytes": 1 << 32,
    "2^64 - 1": (1 << 64) - 1,
    "-1": -1,
    "-2^64": -(1 << 64),
    "true": True,
    "null": None,
    "half float": 1.5,
    "single float": 100_000.5,
    "double float": 0.1,
    "negative zero": -0.0,
    "infinity": float("inf"),
    "no bytes": b"",
    "24 bytes": bytes(24),
    "text in UTF-8": "水",
    "a list in lists": [[1, []], [b"x"]],
    "a map in order": {0: 1, 1: "a", -1: b"", 24: None, "q": True},
    "sixteen lists deep": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],
}
BAD = {
    "nothing": "",
    "a byte after the value": "0000",
    "cut text": "6261",
    "cut list": "8201",
    "a length beyond the end": "5bffffffffffffffff",
    "a list longer than memory": "9bffffffffffffffff",
    "a map longer than memory": "bbffffffffffffffff",
    "0 in one byte more": "1800",
    "23 in one byte more": "1817",
    "255 in two bytes": "1900ff",
    "1 in eight bytes": "1b0000000000000001",
    "a length in one byte more": "580100",
    "1.5 as a double": "fb3ff8000000000000",
    "NaN": "f97e00",
    "NaN with another payload": "f97e01",
    "NaN as a double": "fb7ff8000000000000",
    "a list of indefinite length": "9f01ff",
    "a map of indefinite length": "bf0001ff",
    "text of indefinite length": "7f6161ff",
    "bytes of indefinite length": "5f4100ff",
    "a break alone": "ff",
    "a key twice": "a200010002",
    "keys out of order": "a201000000",
    "a longer key before a shorter": "a21818000000",
    "a key of bytes": "a1410000",
    "a key of null": "a1f600",
    "a key of true": "a1f500",
    "a float as key": "a1f93c0000",
    "a list as key": "a1800000",
    "tag 0, a date": "c074323031332d30332d32315432303a30343a30305a",
    "tag 1, a time": "c100",
    "tag 2, a big number": "c249010000000000000000",
    "tag 2 of a small number": "c24101",
    "tag 4, a decimal": "c4820102",
    "tag 18": "d280",
    "tag 28, a shared list that holds itself": "d81c81d81d00",
    "tag 55799": "d9d9f700",
    "an unknown tag": "da0001000000",
    "undefined": "f7",
    "simple value 16": "f0",
    "simple value 255": "f8ff",
    "reserved length 28": "1c",
    "text that is no UTF-8": "62c328",
    "text with a surrogate": "63eda080",
    "seventeen lists deep": "81" * 17 + "80",
    "a thousand lists deep": "81" * 999 + "80",
    "too long": "5903e8" + "00" * 1000,
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "cbor",
        "chapter": "docs/protocol/encoding.md",
        "good": [
            {"name": name, "hex": cbor.encode(value).hex(), "expect": diagnostic(value)}
            for name, value in GOOD.items()
        ],
        "bad": [
            {"name": name, "hex": wire, "error": _error(bytes.fromhex(wire))}
            for name, wire in BAD.items()
        ],
    }


def diagnostic(value: object) -> str:
    """Write a value in CBOR's diagnostic notation (RFC 8949, 8)."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case bytes():
            return f"h'{value.hex()}'"
        case str():
            return f'"{value}"'
        case float():
            return "Infinity" if value == float("inf") else repr(value)
        case list():
            return "[" + ", ".join(map(diagnostic, value)) + "]"
        case dict():
            pairs = (f"{diagnostic(key)}: {diagnostic(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            return repr(value)


def _error(wire: bytes) -> str:
    return refusal(lambda: cbor.decode(wire, SIZE_MAX))
