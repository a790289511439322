"""`run`, `status` and `live`: the agent, and what it says of itself at its door."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

import typer

from gateway import agent, demo as demonstration
from gateway.cli import place
from gateway.cli.words import pad, retell, say, tell
from gateway.clock import KernelClock
from gateway.errors import ClonedNode, NotRunning
from gateway.query import matches, show_time
from gateway.sources.attendance import at_rest
from gateway.store import noted, projections
from gateway.store.database import Connection
from gateway.store.questions import devices as devices_of

_WATCH_S = 1.0


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(run)
    app.command()(status)
    app.command()(live)
    app.command()(demo)


def demo(
    seconds: Annotated[float | None, typer.Option(min=1, help="stop after so long")] = None,
) -> None:
    """Show two factories at work on this computer: machines, gateways and a broker."""
    raise typer.Exit(demonstration.run(seconds))


def run() -> None:
    """Run the agent until it is told to stop."""
    raise typer.Exit(agent.run(place.config_path()))


def status(
    watch: Annotated[bool, typer.Option("--watch", help="again every second")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Say how things stand; exit status 1 while the agent is not running."""
    facts: dict[str, Any] = {}
    with suppress(KeyboardInterrupt):  # the way to end watching
        while not facts or watch:
            time.sleep(_WATCH_S if facts else 0)
            facts = _facts()
            print(json.dumps(facts, ensure_ascii=False) if as_json else _told(facts), flush=True)
    raise typer.Exit(0 if facts.get("state") == "running" else 1)


def live(
    device: Annotated[str | None, typer.Argument(help="a name; * and ? stand for others")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="stop after so many readings")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="an object a line")] = False,
) -> None:
    """Print readings as they are committed, until Ctrl-C."""
    rows = place.ask_agent(place.state_dir(), "live", None)
    wanted = (row for row in rows if _is_shown(row, device))
    with suppress(KeyboardInterrupt):
        for row in islice(wanted, limit):
            print(json.dumps(row, ensure_ascii=False) if as_json else _line(row), flush=True)


def _is_shown(row: dict[str, Any], device: str | None) -> bool:
    """Say whether a row is a reading of that device; tell where some were skipped."""
    if "skipped" in row:
        told = say("{count} readings were too fast to show", count=row["skipped"])
        print(told, file=sys.stderr)
        return False
    if "state" in row:
        if matches(device, row["device"]):
            told = say("{device} is {state} now", device=row["device"], state=say(row["state"]))
            print(told, file=sys.stderr)
        return False
    return matches(device, row["device"])


def _facts() -> dict[str, Any]:
    state_dir = place.state_dir()
    try:
        for answer in place.ask_agent(state_dir, "status", place.PATIENCE_S):
            return {"state": "running", **answer}
    except NotRunning:
        pass
    return _at_rest()


def _at_rest() -> dict[str, Any]:
    """Say what the store alone can say."""
    held, db = place.opened()
    with closing(db):
        counts = agent.stored(db)
        devices = _devices(db)
        alarms = agent.alarmed(db)
        every = [group.id for group in held.groups.values()]
        unread = {each: sum(projections.unread(db, each).values()) for each in every}
        standing = {each: asdict(noted.tally(db, each)) for each in every}
    return {
        "state": "stopped",
        "running": False,
        "gateway": place.config().gateway.name,
        "node": held.node_id.hex(),
        "run": None,
        "uptime_s": 0,
        "store": counts,
        "devices": devices,
        "links": [
            {"name": one.name, "kind": one.kind, "state": "unknown", "reason": ""}
            for one in place.config().link
        ],
        "peers": [],
        "alarms": alarms,
        "groups": [
            {
                "name": name,
                "id": group.id.hex(),
                "state": "clear" if group.founding.clear else "sealed",
                "members": len(group.founding.members),
                "unread": unread[group.id],
                "standing": standing[group.id],
            }
            for name, group in sorted(held.groups.items())
        ],
        "sources": [
            {"name": one.name, "state": "unknown", "reason": "", "counts": {}}
            for one in place.config().source
        ],
        "witnesses": [
            {"name": one.name, "state": "unknown", "reason": "", "size": 0, "cosigned": None}
            for one in place.config().witness
        ],
        "clock": {"state": "unknown", "uncertainty_ms": None},
        "counters": {},
        "refused": {},
    }


def _devices(db: Connection) -> list[dict[str, Any]]:
    """Give the devices of the config, and those of which only records are held."""
    shown = at_rest(place.config(), db, KernelClock().now())
    said = {name: None if last is None else show_time(last) for name, last, _ in devices_of(db)}
    for each in shown:
        each["last_reading"] = said.pop(str(each["name"]), None) or each["last_reading"]
    others = [
        {"name": name, "state": "unknown", "last_reading": last} for name, last in said.items()
    ]
    return [*shown, *others]


def _told(facts: dict[str, Any]) -> str:
    running = say("not running; 'hulian run' starts it")
    if facts["state"] == "running":
        running = say("running for {uptime_s} s", uptime_s=facts["uptime_s"])
    counts = facts["store"]
    lines = [
        say("{title}: {told}", title=facts["gateway"], told=running),
        say("store: {records} records, {readings} readings, {quarantined} in quarantine", **counts),
        say("clock: {state}", state=say(facts["clock"]["state"])),
    ]
    lines += _listed("sources:", facts.get("sources", ()), lambda one: retell(one["reason"]))
    lines += _listed("devices:", facts["devices"], _standing)
    lines += _listed("links:", facts["links"], _linked)
    lines += _listed("peers:", facts["peers"], _lacking)
    lines += _listed("groups:", facts["groups"], _grouped)
    lines += _listed("witnesses:", facts.get("witnesses", ()), _cosigned)
    lines += [
        say("{organisation} invites to {name}: type 'hulian group accept {id}'", **_short(one))
        for one in facts.get("invitations", ())
    ]
    lines += [_alarm(one) for one in facts.get("alarms", ())]
    if counts.get("evidence"):
        told = "{evidence} time(s) somebody broke a rule: type 'hulian evidence list'"
        lines.append(say(told, **counts))
    lines += _listed("publish:", facts.get("publish", ()), _published)
    lines += _refused(facts["refused"])
    counters = [f"{say(name)} {count}" for name, count in facts["counters"].items()]
    return "\n".join([*lines, *(["  ".join(counters)] if counters else [])])


def _refused(counts: dict[str, int]) -> list[str]:
    """Tell what others said that was refused, by code; `sync.` is what only led to nothing."""
    codes = [f"{code} {count}" for code, count in sorted(counts.items())]
    told = [each for each in codes if not each.startswith("sync.")]
    return [say("refused from the links: {codes}", codes=", ".join(told))] if told else []


def _published(row: dict[str, Any]) -> str:
    """Say what was told to a broker of the plant, and what was dropped and why."""
    counts = (f"{name} {count}" for name, count in sorted(row["counts"].items()))
    return "  ".join([*counts, *([retell(row["reason"])] if row["reason"] else [])])


def _listed(
    title: str, rows: Iterable[dict[str, Any]], told: Callable[[dict[str, Any]], str]
) -> list[str]:
    """Give a line for each row: its name, how it stands, and what else there is to tell."""
    lines = [f"  {pad(_named(one), 24)} {pad(say(one['state']), 12)} {told(one)}" for one in rows]
    return [say(title), *(line.rstrip() for line in lines)] if lines else []


def _named(one: dict[str, Any]) -> str:
    """Name what has a name so; a peer by its organisation and the beginning of its node's id."""
    return str(one.get("name") or f"{one['organisation']} {one['node'][:8]}")


def _linked(link: dict[str, Any]) -> str:
    """Tell whom a link reaches, and what is amiss."""
    told = [say("{count} peer(s)", count=len(link["peers"]))] if link.get("peers") else []
    return "  ".join([*told, *([retell(link["reason"])] if link["reason"] else [])])


def _standing(device: dict[str, Any]) -> str:
    """Tell when a device was heard last, and where it stands."""
    return f"{device['last_reading'] or '-'}  {device.get('equipment', '')}".rstrip()


def _lacking(peer: dict[str, Any]) -> str:
    """Tell what either side lacks of the other, how fast that goes, and who is not listened to."""
    told = [say("{count} records not yet acknowledged", count=peer["lacking"])]
    if peer.get("wanting"):
        told.append(_coming(peer))
    if peer.get("cut"):
        until = peer["cut"]["until"] or "-"
        told.append(say("dropped until {until}: too much led to nothing", until=until))
    return ", ".join(told)


def _coming(peer: dict[str, Any]) -> str:
    """Tell what is lacking here that the peer holds, and how long it takes at the present rate."""
    if peer["eta_s"] is None:
        return say("{count} records lacking here, nothing comes now", count=peer["wanting"])
    return say(
        "{count} records lacking here, {rate} a second, about {time} left",
        count=peer["wanting"],
        rate=f"{peer['rate']:g}",
        time=_long(int(peer["eta_s"])),
    )


def _long(seconds: int) -> str:
    """Write a time as hours, minutes and seconds, as clocks do."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _grouped(group: dict[str, Any]) -> str:
    """Tell how many share it, and what is not done yet."""
    told = [say("{count} member(s)", count=group["members"])]
    if group.get("invited"):
        told.append(say("{count} invited and not here yet", count=len(group["invited"])))
    if group.get("rotation"):
        told.append(say("new keys are owed, and tried again"))
    if group.get("unread"):
        told.append(say("{count} record(s) without their keys", count=group["unread"]))
    if (standing := group.get("standing")) and standing["agreed"]:
        told.append(say("of {records} records {agreed} are agreed, {final} final", **standing))
    return ", ".join(told)


def _cosigned(witness: dict[str, Any]) -> str:
    """Tell what a witness cosigned last, and what is amiss."""
    told = [retell(witness["reason"])] if witness["reason"] else []
    if witness["cosigned"]:
        told.append(say("{size} heads of this run cosigned at {cosigned}", **witness))
    return "  ".join(told)


def _short(invitation: dict[str, Any]) -> dict[str, Any]:
    return {**invitation, "id": invitation["id"][:16]}


def _alarm(alarm: dict[str, Any]) -> str:
    """Tell that two copies of a gateway both go on, since when, and what to do."""
    fault = ClonedNode(node=alarm["node"][:8], organisation=alarm["organisation"])
    told = tell(fault)
    return f"{alarm['time']}  {told}" if alarm["time"] else told


def _line(row: dict[str, Any]) -> str:
    when = "-" if row["time_ms"] is None else show_time(row["time_ms"])
    named = f"{pad(row['device'], 20)} {pad(row['metric'], 20)}"
    return f"{when:<24} {named} {row['value']} {row['unit']}".rstrip()
