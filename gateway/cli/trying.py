"""`test`: listen to the sources of the config for a moment, and show bytes and readings.

In: the config. Out: for each source what arrived beside what the mapping makes of it, or the error
with its code. Nothing is stored, acknowledged or taken from a running agent.
"""

import asyncio
import json
from contextlib import suppress
from itertools import zip_longest
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import looking, place
from gateway.cli.words import pad, retell, say, tell, what, wide
from gateway.clock import KernelClock
from gateway.config import (
    Bus as Address,
    FramedSource,
    ModbusSource,
    MqttSource,
    SerialSource,
    Source,
)
from gateway.errors import (
    GatewayError,
    NoSources,
    SerialBusy,
    SerialOwned,
    UnknownSource,
)
from gateway.query import show_time
from gateway.readings.orders import Ordered
from gateway.readings.reading import Reading
from gateway.sources import trial
from gateway.sources.serial_trial import SerialTrial
from gateway.sources.trial import Findings, FramedTrial, Heard, MqttTrial, Trial

if TYPE_CHECKING:
    from gateway.sources.bus import Bus

_SECONDS = 10.0
_RAW_COLUMNS = 40
_RAW_LINES = 8
_RAW_BYTES_MAX = 4096  # of what JSON repeats


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(test)


def test(
    source: Annotated[str | None, typer.Argument(help="one of the config; absent: all")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="listen for so long")
    ] = _SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Listen to each source and show bytes beside readings; nothing is stored or acknowledged."""
    sources = _chosen(source)
    if not as_json:
        told = say("listening for {seconds} s; Ctrl-C ends it sooner", seconds=f"{seconds:g}")
        print(told, flush=True)
    found = _listen(sources, seconds)
    good = all(each.good for each in found)
    if as_json:
        facts = [_facts(*both) for both in zip(sources, found, strict=True)]
        print(json.dumps({"ok": good, "seconds": seconds, "sources": facts}, ensure_ascii=False))
    else:
        for both in zip(sources, found, strict=True):
            _show(*both)
    raise typer.Exit(0 if good else 1)


def _chosen(name: str | None) -> list[Source]:
    sources = place.config().source
    if not sources:
        raise NoSources(path=place.config_path())
    chosen = [each for each in sources if name in (None, each.name)]
    if not chosen:
        raise UnknownSource(name=name, choices=", ".join(each.name for each in sources))
    return chosen


def _listen(sources: list[Source], seconds: float) -> list[Findings]:
    """Try the sources beside each other; one that cannot be tried does not stop another."""
    buses: dict[Address, Bus] = {}
    found, trials = [], []
    for source in sources:
        try:
            trials.append(_trial(source, buses))
            found.append(trials[-1].found)
        except GatewayError as fault:
            found.append(Findings(fault=fault))
    if trials:
        with suppress(KeyboardInterrupt):
            asyncio.run(trial.listen(trials, seconds))
    for source, each in zip(sources, found, strict=True):
        if isinstance(each.fault, SerialBusy) and looking.is_heard_by_agent(source.name):
            each.fault = SerialOwned(device=source.name, **each.fault.facts)
    return found


def _trial(source: Source, buses: dict[Address, "Bus"]) -> Trial:
    now = KernelClock().now
    match source:
        case MqttSource():
            return MqttTrial(source, now, f"hulian-test-{token_hex(8)}")
        case FramedSource():
            return FramedTrial(source, now)
        case SerialSource():
            return SerialTrial(source, now)
        case ModbusSource():
            from gateway.sources.bus import Bus  # It loads pymodbus.
            from gateway.sources.modbus_trial import ModbusTrial

            return ModbusTrial(source, buses.setdefault(source.bus, Bus(source.bus, now)))
    from gateway.sources.sparkplug_trial import SparkplugTrial  # It loads protobuf.

    return SparkplugTrial(source, now, f"hulian-test-{token_hex(8)}")


def _kind(source: Source) -> str:
    return str(source.__struct_config__.tag)


def _facts(source: Source, found: Findings) -> dict[str, Any]:
    fault = found.fault
    return {
        "name": source.name,
        "type": _kind(source),
        "url": source.url,
        "ok": found.good,
        "heard": found.heard,
        "samples": [_sample(each) for each in found.kept],
        "error": None if fault is None else {"code": fault.code, "reason": str(fault)},
    }


def _sample(heard: Heard) -> dict[str, Any]:
    return {
        "origin": heard.origin,
        "bytes": len(heard.payload),
        "hex": heard.payload[:_RAW_BYTES_MAX].hex(),
        "text": _text(heard.payload[:_RAW_BYTES_MAX]),
        "retained": heard.retained,
        "readings": [
            {
                "device": each.device,
                "metric": each.metric,
                "value": each.value,
                "unit": each.unit,
                "time": None if each.time_ms is None else show_time(each.time_ms),
                "quality": each.quality.value,
            }
            for each in heard.readings
        ],
        "errors": [{"code": each.code, "reason": each.reason} for each in heard.faults],
        "registers": list(heard.registers),
        "orders": [
            {
                "metric": each.metric,
                "word_order": each.word_order,
                "byte_order": each.byte_order,
                "value": each.value,
                "chosen": each.chosen,
            }
            for each in heard.orders
        ],
    }


def _show(source: Source, found: Findings) -> None:
    print()
    print(say("{name} ({url}): {count} heard", name=source.name, url=source.url, count=found.heard))
    if found.fault is not None:
        told = tell(found.fault) if found.fault.why else what(found.fault)
        print("\n".join(f"  {line}" for line in told.splitlines()))
    for each in found.kept:
        kept = say("kept by the broker, perhaps old") if each.retained else ""
        origin = each.origin
        if not each.registers:
            origin = say("{origin}, {size} bytes", origin=each.origin, size=len(each.payload))
        print(f"  {_printable(origin)}  {kept}".rstrip())
        mapped = [_line(reading) for reading in each.readings]
        mapped += [retell(_printable(fault.reason)) for fault in each.faults]
        mapped += map(_order, each.orders)
        raw = [" ".join(each.registers)] if each.registers else _raw(each.payload)
        for left, right in zip_longest(raw, mapped, fillvalue=""):
            print(f"    {pad(left, _RAW_COLUMNS)} | {right}".rstrip())


def _line(reading: Reading) -> str:
    when = "" if reading.time_ms is None else show_time(reading.time_ms)
    value = f"{reading.metric} = {reading.value} {reading.unit}".rstrip()
    return f"{reading.device}  {value}  {when}  {say(reading.quality.value)}"


def _order(one: Ordered) -> str:
    """Give what registers are in one order, and how the config would ask for it."""
    value = "-" if one.value is None else one.value
    orders = f"word_order = {one.word_order}, byte_order = {one.byte_order}"
    chosen = say("as configured") if one.chosen else ""
    return f"  {orders:<44} {value}  {chosen}".rstrip()


def _text(payload: bytes) -> str | None:
    """Give bytes as text, if that is what they are."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(letter.isprintable() or letter in "\t\r\n" for letter in text) else None


def _raw(payload: bytes) -> list[str]:
    """Give what came in lines of a table: as text where it is text, else in hex."""
    text = _text(payload)
    if text is None:
        pieces = [payload[at : at + 13].hex(" ") for at in range(0, len(payload), 13)]
        return pieces if len(pieces) <= _RAW_LINES else [*pieces[:_RAW_LINES], "..."]
    lines = [""]
    for letter in " ".join(text.split()):
        if wide(lines[-1] + letter) > _RAW_COLUMNS:
            if len(lines) == _RAW_LINES:
                return [*lines, "..."]
            lines.append("")
        lines[-1] += letter
    return lines


def _printable(text: str) -> str:
    """Keep a terminal from being led astray by what a machine said."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
