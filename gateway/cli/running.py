"""`run`, `status` and `live`: the agent, and what it says of itself at its door."""

import json
import sys
import time
from contextlib import closing, suppress
from itertools import islice
from typing import Annotated, Any

import typer

from gateway import agent, demo as demonstration
from gateway.cli import place
from gateway.cli.words import say
from gateway.errors import NotRunning
from gateway.query import matches, show_time
from gateway.store import questions

_WATCH_S = 1.0


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(run)
    app.command()(status)
    app.command()(live)
    app.command()(demo)


def demo(
    seconds: Annotated[float | None, typer.Option(help="stop after so long")] = None,
) -> None:
    """Show a machine, a broker and a gateway at work on this computer."""
    raise typer.Exit(demonstration.run(seconds))


def run() -> None:
    """Run the agent until it is told to stop."""
    raise typer.Exit(agent.run(place.config_path()))


def status(
    watch: Annotated[bool, typer.Option("--watch", help="again every second")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Say how things stand; exit status 1 while the agent is not running."""
    while True:
        facts = _facts()
        print(json.dumps(facts, ensure_ascii=False) if as_json else _told(facts), flush=True)
        if not watch:
            raise typer.Exit(0 if facts["state"] == "running" else 1)
        time.sleep(_WATCH_S)


def live(
    device: Annotated[str | None, typer.Argument(help="a name; * and ? stand for others")] = None,
    limit: Annotated[int | None, typer.Option(help="stop after so many readings")] = None,
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
        devices = [
            {
                "name": name,
                "state": "unknown",
                "last_reading": None if last is None else show_time(last),
            }
            for name, last, _ in questions.devices(db)
        ]
    return {
        "state": "stopped",
        "running": False,
        "gateway": place.config().gateway.name,
        "node": held.node_id.hex(),
        "run": None,
        "uptime_s": 0,
        "store": counts,
        "devices": devices,
        "links": [],
        "peers": [],
        "clock": {"state": "unknown"},
        "counters": {},
    }


def _told(facts: dict[str, Any]) -> str:
    running = say("not running; 'hulian run' starts it")
    if facts["state"] == "running":
        running = say("running for {uptime_s} s", uptime_s=facts["uptime_s"])
    counts = facts["store"]
    lines = [
        f"{facts['gateway']}: {running}",
        say("store: {records} records, {readings} readings, {quarantined} in quarantine", **counts),
        say("clock: {state}", state=facts["clock"]["state"]),
    ]
    for one in facts["devices"]:
        last = one["last_reading"]
        last = show_time(last) if isinstance(last, int) else last or "-"
        lines.append(f"  {one['name']:<24} {one['state']:<12} {last}")
    for peer in facts["peers"]:
        lacking = say("{count} records not yet acknowledged", count=peer["lacking"])
        lines.append(f"  {peer['node']}: {lacking}")
    counters = facts["counters"]
    lines += ["  ".join(f"{name} {count}" for name, count in counters.items())] if counters else []
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    when = "-" if row["time_ms"] is None else show_time(row["time_ms"])
    return f"{when:<24} {row['device']:<20} {row['metric']:<20} {row['value']} {row['unit']}"
