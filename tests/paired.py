"""Real agents of several organisations that are one consortium, and the commands typed to them.

In: agents that do not run yet. Out: what pairing leaves in their state directories, by the
functions that pairing uses: rosters and each other's gateways. Their upkeep does all the rest.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.clock import random_bytes
from gateway.records import request, roster
from gateway.records.roster import Roster
from gateway.store import consortium, signing, state
from tests.agents import HULIAN, AgentProcess

_PATIENCE_S = 90.0


def pair(*agents: AgentProcess) -> Roster:
    """Make the first one's organisation admit all others, and every gateway know every other."""
    held = [state.load(each.state_dir) for each in agents]
    first = held[0].roster
    payload = roster.compose_next(first, [signing.own(each.state_dir) for each in agents])
    roots = [state.root_key(each.state_dir, "pass") for each in agents]
    signed = roster.assemble(payload, [roster.sign(root, payload) for root in roots])
    after = roster.decode_next(signed, first)
    for each in agents:
        for known in (first, after):
            consortium.keep_roster(each.state_dir, known)
        for other in held:
            if other.path != each.state_dir:
                consortium.keep_contact(each.state_dir, other.own_contact)
    return after


def add_gateway(first: AgentProcess, name: str, config: str, *others: AgentProcess) -> AgentProcess:
    """Make one more gateway of the first one's organisation, which knows every other, and they it.

    They are paired before, and `others` may name the first one too.
    """
    folder = first.folder.parent / name
    folder.mkdir()
    wanted = request.decode(state.prepare_node(folder / "state", name, random_bytes))
    root = state.root_key(first.state_dir, "pass")
    signed, *chain = signing.answer(first.state_dir, root, wanted, int(time.time())).signed
    own = state.complete_node(folder / "state", signed, chain)
    for known in sorted(state.load(first.state_dir).rosters.values(), key=lambda it: it.number):
        consortium.keep_roster(own.path, known)
    for agent in {first, *others}:
        consortium.keep_contact(agent.state_dir, own.own_contact)
        consortium.keep_contact(own.path, state.load(agent.state_dir).own_contact)
    return AgentProcess(folder, name, config)


def hulian(agent: AgentProcess, *command: str) -> dict[str, Any]:
    """Type a command at one of them; it must succeed, and its facts are given."""
    done = subprocess.run(
        [*HULIAN, "--config", str(agent.config), *command, "--json"],
        capture_output=True,
        env={**os.environ, "HULIAN_LANG": "en"},
    )
    assert done.returncode == 0, done.stderr.decode() + agent.log()
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def until(agent: AgentProcess, is_so: Callable[[], object]) -> None:
    """Wait until something is so, looking now and then."""
    end = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, agent.log()
        time.sleep(0.25)


def rows(agent: AgentProcess, group: str) -> list[Mapping[str, object]]:
    """Give what a gateway reads in a group, without what each gateway says in its own way."""
    told = hulian(agent, "query", "--group", group)["rows"]
    own = ("group", "status", "as_of")
    return [{name: fact for name, fact in each.items() if name not in own} for each in told]


def standing(agent: AgentProcess, group: str) -> dict[str, Any]:
    """Give a group's row of the running agent's status; empty where it has no such group."""
    found = [each for each in agent.stands().get("groups", ()) if each["name"] == group]
    return dict(found[0]) if found else {}
