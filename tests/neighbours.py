"""Agents of organisations in one consortium, as pairing leaves them: rosters and contacts in files.

In: names and a broker. Out: real agents, each with a terminal at which commands are typed.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.records import roster
from gateway.records.roster import Roster
from gateway.store import state
from tests.agents import AgentProcess
from tests.broker import Broker

_LINK = '\n[[link]]\nname = "partners"\nurl = "{url}"\n'
ACCEPTING = '\n[[accept]]\norganisation = "ace"\n'


def paired(agents: Sequence[AgentProcess]) -> Roster:
    """Give agents that do not run one consortium, in which each knows all the others."""
    held = [state.load(each.state_dir) for each in agents]
    rows = [each.roster.organisation(each.organisation) for each in held]
    payload = roster.compose("pressers", rows)
    roots = [state.root_key(each.state_dir, "pass") for each in agents]
    within = roster.decode(roster.assemble(payload, [roster.sign(root, payload) for root in roots]))
    for each in agents:
        keep(each, within, agents)
    return within


def keep(agent: AgentProcess, within: Roster, known: Sequence[AgentProcess]) -> None:
    """Have an agent's state directory hold a roster and contacts, as pairing does."""
    state.keep_roster(agent.state_dir, within)
    for other in known:
        if other is not agent:
            state.keep_contact(agent.state_dir, state.load(other.state_dir).own_contact)


@contextmanager
def neighbours(
    folder: Path, names: Sequence[str], configs: dict[str, str]
) -> Iterator[tuple[Broker, dict[str, AgentProcess]]]:
    """Give agents of one consortium that run until the block ends, over a broker of their own."""
    with ExitStack() as stack:
        (folder / "broker").mkdir()
        broker = Broker(folder / "broker")
        stack.callback(broker.stop)
        agents = {}
        for name in names:
            (folder / name).mkdir()
            config = _LINK.format(url=broker.url) + configs.get(name, "")
            agents[name] = AgentProcess(folder / name, name, config)
            stack.callback(end, agents[name])
        paired(list(agents.values()))
        for each in agents.values():
            each.start()
        yield broker, agents


def end(agent: AgentProcess) -> None:
    """End an agent if it runs."""
    if agent.process is not None and agent.process.poll() is None:
        agent.kill()


class Terminal:
    """Somebody who types commands at any of the gateways."""

    def __init__(self, capture: pytest.CaptureFixture[str], languages: pytest.MonkeyPatch) -> None:
        self._capture, self._languages = capture, languages
        self.speak("en")

    def speak(self, language: str) -> None:
        """Read in another language from now on."""
        self._languages.setenv("HULIAN_LANG", language)

    def type(self, agent: AgentProcess, *command: str) -> tuple[int, str, str]:
        """Type a command; give its exit status, what it printed, and its error."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(agent.config), *command])
        said, error = self._capture.readouterr()
        return int(ended.value.code or 0), said, error

    def facts(self, agent: AgentProcess, *command: str) -> Any:
        """Type a command that must succeed and give its facts."""
        status, said, error = self.type(agent, *command, "--json")
        assert status == 0, f"{error}{agent.log()}"
        return json.loads(said)

    def refused(self, agent: AgentProcess, *command: str) -> str:
        """Type a command that must not succeed and give its code."""
        status, said, error = self.type(agent, *command)
        assert status == 2 and "Traceback" not in error, said
        return error.partition("[")[2].partition("]")[0]

    def groups(self, agent: AgentProcess) -> dict[str, Any]:
        """Give the groups of a gateway, by name."""
        return {each["name"]: each for each in self.facts(agent, "group", "list")["groups"]}


def until(holds: Callable[[], object], agent: AgentProcess, seconds: float = 40) -> None:
    """Wait until something holds of an agent."""
    end_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end_s, f"{agent.status()}\n{agent.log()}"
        time.sleep(0.2)


def members(row: dict[str, Any]) -> dict[str, list[str]]:
    """Give the members of a group by organisation, with their roles."""
    return {each["organisation"]: each["roles"] for each in row["members"]}


def environment() -> dict[str, str]:
    """Give the environment in which another process speaks English."""
    return {**os.environ, "HULIAN_LANG": "en"}
