"""`scan serial` and `scan modbus`: ports by the names that stay, and units on a bus.

In: this computer's ports; a bus and the numbers to ask. Out: what there is, who holds it, what to
type where it is not permitted, and sources to paste. `scan serial` opens no port.
"""

import asyncio
import json
import re
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import looking
from gateway.cli.words import pad, say, what
from gateway.config import Bus, SerialLine
from gateway.config.addresses import bus
from gateway.config.proposal import Said, framed, modbus
from gateway.errors import SerialBusy, SerialOwned, WrongValue
from gateway.transport import ports
from gateway.transport.ports import Access, PortSeen

if TYPE_CHECKING:
    from gateway.sources.scan_modbus import Found, Plan

_UNITS = range(256)
_PARITIES = "NEO"
_SETTINGS_MAX = 64
commands = typer.Typer()


@commands.command("serial")
def scan_serial(
    by_id: Annotated[Path, typer.Option(help="the folder with the names that stay")] = ports.BY_ID,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """List the serial ports: name, holder and permission; none of them is opened."""
    seen = ports.seen(by_id)
    owners = {one.device: looking.line_owner(one.device) for one in seen}
    free = [one for one in seen if owners[one.device] is None]
    names = {each.name for each in looking.sources()}
    proposals: list[Said] = []
    for one in free:
        proposals.append(framed(one.path, one.product, names))
        names.add(str(proposals[-1]["name"]))
    if as_json:
        facts = []
        for one in seen:
            owner = owners[one.device]
            facts.append(_port_facts(one, None if owner is None else owner.name))
        said = {"ports": facts, "proposal": looking.pasted(proposals)}
        print(json.dumps(said, ensure_ascii=False))
    else:
        for one in seen:
            owner = owners[one.device]
            print("\n".join(_port_told(one, None if owner is None else owner.name)))
        if not seen:
            print(say("there is no serial port here; see 'sudo dmesg' after plugging one in"))
        looking.show(proposals)
        if proposals:
            print()
            print(say("for Modbus type 'hulian scan modbus {path}'", path=free[0].path))
    raise typer.Exit(0 if seen else 1)


def _port_facts(one: PortSeen, source: str | None) -> dict[str, Any]:
    return {
        "path": one.path,
        "device": one.device,
        "stable": one.stable,
        "product": one.product,
        "holders": [{"pid": each.pid, "program": each.program} for each in one.holders],
        "source": source,
        "allowed": one.access.allowed,
        "group": one.access.group,
        "fix": _remedy(one.device, one.access),
    }


def _port_told(one: PortSeen, source: str | None) -> list[str]:
    lines = [f"{one.path}  {one.product}".rstrip()]
    if one.stable:
        lines.append(say("now it is {device}", device=one.device))
    else:
        lines.append(say("it has no name that stays; plugged in elsewhere it may be another"))
    if source is not None and looking.is_heard_by_agent(source):
        lines.append(say("the running agent reads it as source {name}", name=source))
    elif source is not None:
        lines.append(say("the config has it as source {name}", name=source))
    for each in one.holders:
        told = say("process {pid} has it open: {program}", pid=each.pid, program=each.program)
        lines.append(told)
    lines += _permission(one)
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def _permission(one: PortSeen) -> list[str]:
    """Say whether this user may open a port, and what to type if not."""
    access = one.access
    if access.allowed:
        return [say("{user} may open it", user=access.user)]
    facts = {"user": access.user, "group": access.group}
    lines = [say("{user} may not open it: it is for the group {group}", **facts)]
    remedy = _remedy(one.device, access)
    if access.group_may and access.listed:
        lines.append(say("{user} is of that group since the last login: log in again", **facts))
    elif access.group_may:
        lines.append(say("type '{command}', then log in again", command=remedy))
    else:
        lines.append(say("type '{command}'; a udev rule makes it stay", command=remedy))
    return lines


def _remedy(device: str, access: Access) -> str | None:
    """Give the command that lets this user open a port; None where none is needed."""
    if access.allowed:
        return None
    if not access.group_may:
        return f"sudo chgrp dialout {device} && sudo chmod g+rw {device}"
    if access.listed:
        return f"newgrp {access.group}"
    return f"sudo usermod -aG {access.group} {access.user}"


@commands.command("modbus")
def scan_modbus(
    where: Annotated[str, typer.Argument(help="a port's file, or an address as in the config")],
    units: Annotated[str, typer.Option(help="the numbers to ask, as 1-20,33")] = "1-247",
    baud: Annotated[
        str, typer.Option(help="what to try on a line, in this order")
    ] = "9600,19200,115200,38400,57600",
    parity: Annotated[str, typer.Option(help="what to try on a line, in this order")] = "N,E,O",
    timeout_ms: Annotated[int, typer.Option(min=5, max=60_000, help="of one question")] = 200,
    delay_ms: Annotated[int, typer.Option(min=0, max=60_000, help="between two questions")] = 20,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=86_400, help="the longest that it may take")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Ask unit after unit for one register, on every setting of a line; nothing is written."""
    from gateway.sources.scan_modbus import Plan  # It loads pymodbus.

    numbers = _numbers(units)
    plan = Plan(_settings(where, baud, parity), numbers, timeout_ms, delay_ms, seconds)
    found = _search(plan)
    owner = looking.line_owner(_path(where)) if isinstance(plan.urls[0][1], SerialLine) else None
    if found.fault is not None and not found.units:
        busy = isinstance(found.fault, SerialBusy) and owner is not None
        if busy and owner is not None and looking.is_heard_by_agent(owner.name):
            raise SerialOwned(device=owner.name, **found.fault.facts)
        raise found.fault
    proposals = _proposed(found)
    if as_json:
        print(json.dumps(_bus_facts(found, proposals), ensure_ascii=False))
    else:
        _show_bus(found)
        looking.show(proposals)
    raise typer.Exit(0 if found.units else 1)


def _search(plan: "Plan") -> "Found":
    from gateway.sources.scan_modbus import Search

    with looking.Shown() as shown:

        def tell(so_far: "Found") -> None:
            told = say(
                "{at}: {asked} of {planned} asked, {count} found",
                **{"at": so_far.at, "asked": so_far.asked, "planned": so_far.planned},
                count=len(so_far.units),
            )
            shown.tell(told, so_far.asked, so_far.planned)

        search = Search(plan, tell)
        with suppress(KeyboardInterrupt):
            asyncio.run(search.run())
    return search.found


def _numbers(said: str) -> tuple[int, ...]:
    """Read numbers and spans of them."""
    found: dict[int, None] = {}
    for part in said.split(","):
        span = re.fullmatch(r"\s*([0-9]{1,3})(?:-([0-9]{1,3}))?\s*", part)
        first, last = (int(span[1]), int(span[2] or span[1])) if span else (1, 0)
        if not (first in _UNITS and last in _UNITS and first <= last):
            raise _wrong("--units", reason="it takes numbers from 0 to 255, as 1-20,33")
        found |= dict.fromkeys(range(first, last + 1))
    return tuple(found)


def _path(where: str) -> str:
    return where.removeprefix("serial://").partition("?")[0]


def _settings(where: str, baud: str, parity: str) -> tuple[tuple[str, Bus], ...]:
    """Give the addresses to try: of a port every setting, of all else the one that it says."""
    urls = [where]
    if where.startswith("/") or (where.startswith("serial://") and "?" not in where):
        path = ports.stable(_path(where))
        pairs = product(baud.split(","), parity.upper().split(","))
        urls = [f"serial://{path}?baud={one.strip()}&parity={two.strip()}" for one, two in pairs]
    if len(urls) > _SETTINGS_MAX:
        raise _wrong("--baud", reason="it takes at most 64 settings together with --parity")
    try:
        return tuple((url, bus(url)) for url in urls)
    except ValueError as fault:
        raise _wrong("WHERE", reason=str(fault)) from None


def _wrong(option: str, reason: str) -> WrongValue:
    return WrongValue(command="hulian scan modbus", option=option, reason=reason)


def _proposed(found: "Found") -> list[Said]:
    """Propose each unit; of a host that answers to any number only the first."""
    names = {each.name for each in looking.sources()}
    made: list[Said] = []
    for one in found.units[:1] if found.any_number else found.units:
        made.append(modbus(one.url, one.unit, one.registers, names))
        names.add(str(made[-1]["name"]))
    return made


def _bus_facts(found: "Found", proposals: list[Said]) -> dict[str, Any]:
    return {
        "asked": found.asked,
        "ended": found.ended,
        "units": [
            {
                "unit": one.unit,
                "url": one.url,
                "answer_ms": one.answer_ms,
                "registers": [f"{bank}:{address}" for bank, address in one.registers],
            }
            for one in found.units
        ],
        "any_number": found.any_number,
        "noise": dict(found.noise),
        "error": None if found.fault is None else str(found.fault),
        "proposal": looking.pasted(proposals),
    }


def _show_bus(found: "Found") -> None:
    for one in found.units:
        registers = " ".join(f"{bank}:{address}" for bank, address in one.registers)
        told = say("unit {unit}, {answer_ms} ms", unit=one.unit, answer_ms=one.answer_ms)
        print(f"{pad(told, 20)} {one.url}  {registers or say('it lets no usual register be read')}")
    if found.any_number:
        print(say("it answers to every number: it is one device, and one of them is enough"))
    if found.noise:
        print(say("something spoke that was no answer:"))
        print("\n".join(f"  {code} {count}" for code, count in sorted(found.noise.items())))
    if found.fault is not None:
        print(what(found.fault))
    ends = {"all": say("all were asked"), "time": say("the time was over; --seconds gives more")}
    ended = ends.get(found.ended, say("stopped before the end"))
    print(say("{count} units found; {ended}", count=len(found.units), ended=ended))
