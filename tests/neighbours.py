"""Agents of organisations in one consortium that run, and terminals at which commands are typed.

In: names and what their configs say. Out: real agents over a broker, paired before they started.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from tests.agents import AgentProcess
from tests.broker import Broker
from tests.paired import pair

_LINK = '\n[[link]]\nname = "partners"\nurl = "{url}"\n'
ACCEPTING = '\n[[accept]]\norganisation = "ace"\n'


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
            stack.callback(agents[name].end)
        pair(*agents.values())
        for each in agents.values():
            each.start()
        yield broker, agents


def typed(capture: pytest.CaptureFixture[str], *command: str) -> tuple[int, str, str]:
    """Type a command in this process; give its exit status, what it printed, and its error."""
    capture.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(command)
    said, error = capture.readouterr()
    return int(ended.value.code or 0), said, error


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
        return typed(self._capture, "--config", str(agent.config), *command)

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


def members(row: dict[str, Any]) -> dict[str, list[str]]:
    """Give the members of a group by organisation, with their roles."""
    return {each["organisation"]: each["roles"] for each in row["members"]}
