"""What the keys of a serial source come to together: which of them have an effect, and which not.

In: the values of one table that have the right types. Out: faults, added to the list. Reference:
docs/devices/serial.md.
"""

import re
from collections.abc import Iterator, Mapping as Table
from datetime import datetime
from typing import Final

from msgspec.structs import fields

from gateway.config.addresses import instrument
from gateway.config.checks import check_path
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.patterns import compiled
from gateway.config.serial import (
    TEXT_TYPES,
    Checksum,
    Framing,
    SerialMetric,
    octets,
)
from gateway.errors import BadExpression, BadUrl, MissingKey, NoEffect, OutOfRange

Reasons = Iterator[tuple[str, str]]

_PATTERNS: Final = ("match", "negative", "uncertain", "bad")
# Of each framing, the keys that say something about it.
_KEYS: Final[dict[str, frozenset[str]]] = {
    "delimiter": frozenset({"begin", "end", "escape", "escape_xor"}),
    "stx-etx": frozenset({"begin", "end", "escape", "escape_xor"}),
    "fixed": frozenset({"begin", "end", "size"}),
    "length": frozenset({"begin", "end", "offset", "width", "order", "adjust"}),
    "slip": frozenset(),
    "cobs": frozenset(),
}
_SAMPLE: Final = datetime(2026, 11, 21, 16, 14, 17)


def check_source(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a source's line, questions, format and time."""
    match said.get("url"):
        case str() as url:
            try:
                instrument(url)
            except ValueError as fault:
                example = "serial:///dev/ttyUSB0?baud=9600&data=8&parity=N&stop=1"
                faults.add(BadUrl, (*at, "url"), reason=str(fault), example=example)
    defaults = {"poll_ms": 1000, "timeout_ms": 500, "late_ms_max": 5000}
    if said.get("ask") is None:
        _without(faults, at, said, defaults, "there is no 'ask' beside it")
    if said.get("format") != "text":
        keys = {"separator": None, "pattern": None, "time_format": None, "time_match": None}
        _without(faults, at, said, keys, "only a text has it")
    elif said.get("separator") is not None and said.get("pattern") is not None:
        faults.add(NoEffect, (*at, "separator"), reason="the pattern cuts the text already")
    for key in ("pattern", "time_match"):
        pattern = said.get(key)
        if isinstance(pattern, str):
            check_pattern(faults, (*at, key), pattern)
    if said.get("format") == "binary" and said.get("metric") == ():
        faults.add(MissingKey, (*at, "metric"))
    _check_time(faults, at, said)


def _check_time(faults: Faults, at: Path, said: Table[str, object]) -> None:
    match said.get("time"):
        case None:
            keys = {"time_format": None, "time_unit": "auto", "time_zone": None, "time_match": None}
            _without(faults, at, said, keys, "there is no 'time' beside it")
        case str() as time if said.get("format") == "json":
            check_path(faults, (*at, "time"), time)
        case str() if said.get("format") == "binary":
            faults.add(NoEffect, (*at, "time"), reason="a binary telegram's time is its arrival")
    match said.get("time_format"):
        case str() as form:
            try:
                datetime.strptime(_SAMPLE.strftime(form), form)
                good = "%" in form
            except (ValueError, re.error):
                good = False
            if not good:
                expected = "a format of strptime, such as %d%m%y %H%M%S"
                faults.add(OutOfRange, (*at, "time_format"), expected=expected)
            if "%z" not in form and said.get("time_zone") is None:
                faults.add(MissingKey, (*at, "time_zone"))


def _without(
    faults: Faults, at: Path, said: Table[str, object], keys: Table[str, object], reason: str
) -> None:
    """Refuse keys that are not as they are when nobody writes them."""
    for key, usual in keys.items():
        if key in said and said[key] != usual:
            faults.add(NoEffect, (*at, key), reason=reason)


def check_pattern(faults: Faults, at: Path, said: str) -> None:
    """Check that a pattern can be compiled, and cannot be slow."""
    try:
        compiled(said)
    except ValueError as fault:
        faults.add(BadExpression, at, reason=str(fault)[:120])


def check_framing(faults: Faults, at: Path, framing: Framing, checksum: Checksum | None) -> None:
    """Check that the keys of a framing belong to it, and that it can be told where it begins."""
    for one in fields(Framing)[1:]:
        if one.name not in _KEYS[framing.by] and getattr(framing, one.name) != one.default:
            faults.add(NoEffect, (*at, one.name), reason="its kind of framing has none")
    if framing.by == "delimiter" and framing.end is None:
        faults.add(MissingKey, (*at, "end"))
    if framing.by == "fixed" and framing.size is None:
        faults.add(MissingKey, (*at, "size"))
    if framing.escape is None and framing.escape_xor:
        faults.add(NoEffect, (*at, "escape_xor"), reason="there is no 'escape' beside it")
    if framing.escape is not None and len(octets(framing.escape)) != 1:
        faults.add(OutOfRange, (*at, "escape"), expected="one byte")
    _check_marks(faults, at, framing)
    if checksum is not None:
        for key, reason in _idle(framing, checksum):
            faults.add(NoEffect, (*at[:-1], "checksum", key), reason=reason)


def _check_marks(faults: Faults, at: Path, framing: Framing) -> None:
    """Refuse marks that cannot be told from each other."""
    if framing.by not in ("delimiter", "stx-etx"):
        return
    usual = ("\x02", "\x03") if framing.by == "stx-etx" else ("", "")
    begin, end = octets(framing.begin or usual[0]), octets(framing.end or usual[1])
    escape = octets(framing.escape or "")
    if begin and end and (begin.startswith(end) or end.startswith(begin)):
        faults.add(OutOfRange, (*at, "end"), expected="another mark than begin, and none within it")
    if escape and escape in (begin, end):
        faults.add(OutOfRange, (*at, "escape"), expected="another byte than begin and end")


def _idle(framing: Framing, checksum: Checksum) -> Reasons:
    """Name the keys of a checksum that can have no effect beside its framing."""
    marked = framing.by == "stx-etx"
    if checksum.with_begin and not (marked or framing.begin):
        yield "with_begin", "the framing has no begin"
    if checksum.with_end and not (marked or framing.end):
        yield "with_end", "the framing has no end"
    if checksum.after_end and not (marked or framing.end):
        yield "after_end", "the framing has no end"
    if checksum.type == "nmea":
        if checksum.hex:
            yield "hex", "an NMEA checksum is always two digits"
        if checksum.order is not None:
            yield "order", "an NMEA checksum is always two digits"
        if checksum.with_begin or checksum.with_end:
            yield "with_begin", "an NMEA checksum covers what stands between $ and *"


def check_metric(
    faults: Faults, at: Path, metric: SerialMetric, source: Table[str, object]
) -> None:
    """Check what the keys of one metric come to together, and beside the source's format."""
    form = source.get("format")
    for key, reason in _useless(metric, str(form)):
        faults.add(NoEffect, (*at, key), reason=reason)
    for key in _PATTERNS:
        pattern = getattr(metric, key)
        if pattern is not None and form != "json":
            check_pattern(faults, (*at, key), pattern)
    if metric.scale is not None and not (metric.scale and abs(metric.scale) <= 1e30):
        faults.add(OutOfRange, (*at, "scale"), expected="a number other than 0, nan and inf")
    match form:
        case "json" if metric.path is None:
            faults.add(MissingKey, (*at, "path"))
        case "json":
            check_path(faults, (*at, "path"), metric.path or "")
        case "text":
            _check_field(faults, at, metric, source)
        case "binary":
            _check_bytes(faults, at, metric)


def _check_field(
    faults: Faults, at: Path, metric: SerialMetric, source: Table[str, object]
) -> None:
    if metric.kind not in TEXT_TYPES:
        faults.add(OutOfRange, (*at, "type"), expected="number, text, hex or degrees of a text")
    match metric.field, source.get("pattern"):
        case int() as place, _ if isinstance(place, bool) or not 0 <= place <= 999:
            faults.add(OutOfRange, (*at, "field"), expected="from 0 to 999")
        case int() as place, str() as pattern:
            if place >= _groups(pattern)[0]:
                faults.add(OutOfRange, (*at, "field"), expected="a group of the pattern")
        case str() as name, str() as pattern:
            if name not in _groups(pattern)[1]:
                faults.add(OutOfRange, (*at, "field"), expected="a group of the pattern")
        case str(), _:
            faults.add(OutOfRange, (*at, "field"), expected="a number where there is no pattern")
        case None, _ if source.get("separator") is not None or source.get("pattern") is not None:
            faults.add(MissingKey, (*at, "field"))


def _groups(pattern: str) -> tuple[int, frozenset[str]]:
    try:
        found = compiled(pattern)
    except ValueError:
        return 1000, frozenset()
    return found.groups, frozenset(found.groupindex)


def _check_bytes(faults: Faults, at: Path, metric: SerialMetric) -> None:
    if metric.offset is None:
        faults.add(MissingKey, (*at, "offset"))
    if metric.type is None:
        faults.add(MissingKey, (*at, "type"))
    elif metric.kind in TEXT_TYPES:
        expected = "int8 to uint64, float32, float64, bcd or string"
        faults.add(OutOfRange, (*at, "type"), expected=expected)
    if metric.kind in ("bcd", "string") and metric.length is None:
        faults.add(MissingKey, (*at, "length"))
    bits = re.fullmatch(r"uint(\d+)", metric.kind)
    if metric.bit is not None and bits and metric.bit + metric.bit_count > int(bits[1]):
        faults.add(OutOfRange, (*at, "bit"), expected="bits that its type has")


def _useless(metric: SerialMetric, form: str) -> Reasons:
    """Name the keys that can have no effect in this format, and why."""
    owners = {"field": "text", "path": "json", "offset": "binary", "bit": "binary"}
    owners |= {"length": "binary"}
    for key, owner in owners.items():
        if getattr(metric, key) is not None and form != owner:
            yield key, "the source's format has none"
    if form == "json":
        for key in ("type", *_PATTERNS):
            if getattr(metric, key) is not None:
                yield key, "the source's format has none"
    if metric.byte_order != "big" and (form != "binary" or metric.kind in ("int8", "uint8")):
        yield "byte_order", "it is one byte or none"
    if metric.bit is None and metric.bit_count != 1:
        yield "bit_count", "there is no 'bit' beside it"
    if metric.bit is not None and not metric.kind.startswith("uint"):
        yield "bit", "bits are picked from uint8, uint16, uint32 and uint64"
    if metric.length is not None and metric.kind not in ("bcd", "string"):
        yield "length", "only bcd and string have a length"
    single = metric.bit is not None and metric.bit_count == 1
    if metric.kind in ("text", "string") or single:
        for key in ("scale", "negative"):
            if getattr(metric, key) is not None:
                yield key, "it is not a number"
