"""How what is signed is shown to people: one text for one meaning, in English or Chinese.

In: values, names, durations, identifiers. Out: words. Two programs write the same letters, because
a person signs the hash of the text. It never asks for a locale. Protocol: docs/protocol/order.md.
"""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Final, Literal

from gateway.activities.activity import UNSAFE
from gateway.readings.names import is_name
from gateway.readings.reading import Value
from gateway.records.identity import NAME_CHARS_MAX

Language = Literal["en", "zh"]
LANGUAGES: Final = ("en", "zh")
UNIT_CHARS_MAX: Final = 32
TEXT_BYTES_MAX: Final = 256
INTEGER_MAX: Final = 2**53 - 1
# A number beyond these would be shown by a row of digits that nobody reads.
_GREATEST, _SMALLEST = 1e15, 1e-9
_SPANS: Final[dict[Language, tuple[tuple[int, str], ...]]] = {
    "en": ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")),
    "zh": ((86_400_000, "天"), (3_600_000, "小时"), (60_000, "分"), (1_000, "秒"), (1, "毫秒")),
}
_TRUTHS: Final[dict[Language, tuple[str, str]]] = {"en": ("no", "yes"), "zh": ("否", "是")}


def digest(text: str) -> bytes:
    """Hash a text as it is signed: SHA-256 of its UTF-8."""
    return sha256(text.encode()).digest()


def is_value(value: object) -> bool:
    """Say whether it is a value that can be shown: a number, a truth, or a line of text."""
    match value:
        case bool():
            return True
        case int():
            return abs(value) <= INTEGER_MAX
        case float():
            return value == 0 or _SMALLEST <= abs(value) <= _GREATEST
        case str():
            return _is_line(value) and len(value.encode()) <= TEXT_BYTES_MAX
    return False


def is_called(name: object) -> bool:
    """Say whether a gateway may be called so in a text that is signed."""
    return isinstance(name, str) and _is_line(name) and 0 < len(name) <= NAME_CHARS_MAX


def is_unit(unit: object) -> bool:
    """Say whether it may stand behind a number; nothing at all may too."""
    return isinstance(unit, str) and (not unit or (len(unit) <= UNIT_CHARS_MAX and is_name(unit)))


def value(said: Value, unit: str, language: Language) -> str:
    """Write a value: numbers by their shortest digits, without an exponent; text as JSON does."""
    match said:
        case bool():
            return _TRUTHS[language][said]
        case str():
            return json.dumps(said, ensure_ascii=False)
        case _:
            return number(said) + (f" {unit}" if unit else "")


def number(said: float) -> str:
    """Write a number by the fewest digits that read back as it, without an exponent."""
    return format(Decimal(repr(said)), "f")


def span(length_ms: int, language: Language) -> str:
    """Write a duration by its parts, the greatest first."""
    parts, rest = [], length_ms
    for size_ms, name in _SPANS[language]:
        count, rest = divmod(rest, size_ms)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def _is_line(text: str) -> bool:
    """Say whether text moves nothing on a terminal; a list that no version of Unicode changes."""
    return "\n" not in text and UNSAFE.search(text) is None
