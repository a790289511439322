"""What gateways hold and show of orders and activities, to compare one with another.

In: a gateway, an order or an activity by its hex. Out: what its store has, and what its commands
tell, without what each gateway says in its own way.
"""

from contextlib import closing
from typing import Any

from gateway.records import record
from gateway.records.record import Kind
from gateway.store import database, orders
from gateway.store.orders import Held
from tests.agents import AgentProcess
from tests.neighbours import Terminal


def held(agent: AgentProcess, order: str) -> Held | None:
    """Give an order with all that a gateway holds of it, if it does."""
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        known = {each.hex() for each in orders.listed(db, 100)}
        return orders.load(db, bytes.fromhex(order)) if order in known else None


def ended(agent: AgentProcess, order: str) -> bool:
    """Say whether a gateway knows what became of an order."""
    known = held(agent, order)
    return known is not None and known.end is not None


def records(agent: AgentProcess, activity: str) -> dict[str, Kind]:
    """Give the records of an activity that a gateway holds."""
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        said = [record.parse(encoded) for (encoded,) in db.execute("SELECT encoded FROM records")]
    named = bytes.fromhex(activity)
    return {each.id.hex(): each.kind for each in said if named in (each.activity, each.id)}


def order(terminal: Terminal, agent: AgentProcess, named: str) -> dict[str, Any]:
    """Give what a gateway shows of an order, but for what it waited for there."""
    told = terminal.facts(agent, "order", "show", named)
    return {name: fact for name, fact in told.items() if name != "waits"}


def activity(terminal: Terminal, agent: AgentProcess, named: str) -> dict[str, Any]:
    """Give what a gateway shows of an activity, but for its own name of the group."""
    told = terminal.facts(agent, "activity", "show", named)
    return {name: fact for name, fact in told.items() if name != "group"}


def values(terminal: Terminal, agent: AgentProcess, named: str, metric: str) -> list[float]:
    """Give what was read of a metric in an activity, as a gateway knows it."""
    if not records(agent, named):
        return []
    rows = terminal.facts(agent, "query", "--activity", named)["rows"]
    return [each["value"] for each in rows if each["metric"] == metric]
