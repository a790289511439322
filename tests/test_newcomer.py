"""The newcomer's path: what docs/operations.md tells two companies to type, typed.

The commands, the settings and their order are read from the page, so that page and program cannot
drift apart. Put in their place are only the folders, the broker's address, and what the other side
read out.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.web.local import SOCKET
from tests.broker import Broker, Publisher

_DOCS = Path(__file__).parent.parent / "docs"
_CHAPTERS = {"operations.md": "## Two companies share\n", "operations.zh.md": "## 两家公司共享\n"}
_BOTH = ("both", "双方")
_NAMES = ("Acme", "Best")
_PATIENCE_S = 60.0
_MACHINE = """
[[source]]
name = "presses"
type = "mqtt"
url = "{url}"
topics = ["factory/+/telemetry"]
device = "topic[1]"
"""


@dataclass(frozen=True)
class Step:
    """One thing to type, or to write into a config; and at whose desk."""

    who: tuple[str, ...]
    typed: str
    is_setting: bool


def _steps(page: str) -> list[Step]:
    """Read a guide's chapter up to its table: each block is commands, or settings."""
    text = (_DOCS / page).read_text("utf-8").split(_CHAPTERS[page])[1]
    steps, before = [], ""
    for part in re.split(r"\n\n", re.split(r"\n## |\n\| ", text)[0]):
        if not part.startswith("    "):
            before = part
            continue
        lines = [line[4:] for line in part.splitlines()]
        if lines[0].startswith("[["):
            named = [each for each in _NAMES if each in before.split("。")[0].split(";")[0]]
            steps.append(Step(tuple(named) or _NAMES, "\n".join(lines), is_setting=True))
            continue
        who: tuple[str, ...] = ()
        for line in lines:
            if line.startswith("#"):
                said = re.split(r"[:,：，]", line[1:])[0].strip()
                who = _NAMES if said in _BOTH else (said,)
            else:
                steps.append(Step(who, line, is_setting=False))
    return steps


@dataclass
class Desk:
    """One company's computer: what was typed there, and what was seen."""

    folder: Path
    broker: Broker
    seen: str = ""
    typed: int = 0
    agents: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def write(self, settings: str) -> None:
        """Add to the config, with the test's broker in the place of the page's."""
        lines = settings.replace("mqtts://broker.example:8883", self.broker.url).splitlines()
        kept = [line for line in lines if not line.startswith(("username", "password_file"))]
        path = self.folder / "gateway.toml"
        path.write_text(path.read_text() + "\n" + "\n".join(kept) + "\n")

    def type(self, command: str, answers: str = "") -> str:
        """Type a command as the page has it, and give what is seen; an agent goes on running."""
        self.typed += 1
        program, *words = shlex.split(command.replace("/var/lib/hulian", f"{self.folder}/state"))
        assert program == "hulian"
        line = [sys.executable, "-m", "gateway.cli", *words]
        if words == ["run"]:
            self._start(line)
            return ""
        # Without a terminal the passphrase is asked for where the other answers come from.
        done = subprocess.run(
            line,
            input=answers.encode(),
            capture_output=True,
            env=self._environment,
            start_new_session=True,
        )
        told = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == 0, f"{command}: {told}"
        self.seen += told
        return told

    def until(self, command: str, shows: Callable[[str], bool]) -> str:
        """Type a command again and again until it shows what is waited for."""
        self.typed += 1
        until = time.monotonic() + _PATIENCE_S
        while not shows(told := self.type(command)):
            self.typed -= 1
            assert time.monotonic() < until, told + (self.folder / "agent.log").read_text()
            time.sleep(0.5)
        self.typed -= 1
        return told

    def reload(self) -> None:
        """Have the agent read its config, as `systemctl reload` does."""
        self.typed += 1
        log = self.folder / "agent.log"
        starts = log.read_text().count(" run ")
        self.agents[0].send_signal(signal.SIGHUP)
        until = time.monotonic() + _PATIENCE_S
        while log.read_text().count(" run ") == starts:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)

    def close(self) -> None:
        """End what was started here."""
        for each in self.agents:
            each.terminate()
            each.wait(30)

    @property
    def passphrase(self) -> str:
        """Read what was written on paper."""
        found = re.search(r"write it on paper:\n +(.+)\n", self.seen)
        assert found is not None, self.seen
        return found[1]

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Read one's own fingerprint out, as words and as digits."""
        found = re.search(r"compare by telephone:\n.+\n +(.+)\n +(.+)\n", self.seen)
        assert found is not None, self.seen
        return found.groups()

    @property
    def _environment(self) -> dict[str, str]:
        config = str(self.folder / "gateway.toml")
        return {**os.environ, "HULIAN_LANG": "en", "HULIAN_CONFIG": config}

    def _start(self, line: list[str]) -> None:
        log = self.folder / "agent.log"
        with log.open("ab") as file:
            self.agents.append(subprocess.Popen(line, stderr=file, env=self._environment))
        until = time.monotonic() + _PATIENCE_S
        while not (self.folder / "state" / SOCKET).exists():
            assert self.agents[-1].poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a broker."""
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    yield started
    started.stop()


@pytest.fixture
def desks(tmp_path: Path, broker: Broker) -> Iterator[dict[str, Desk]]:
    """Give two companies' computers, on which nothing was typed yet."""
    made = {name: Desk(tmp_path / name, broker) for name in _NAMES}
    for desk in made.values():
        desk.folder.mkdir()
    yield made
    for desk in made.values():
        desk.close()


def test_both_guides_tell_the_same_steps() -> None:
    """What is typed and written, and where, is the same in English and Chinese."""
    english, chinese = (_steps(page) for page in _CHAPTERS)
    assert english == chinese
    assert len(english) > 10


def test_from_nothing_to_a_shared_group_by_the_guide(
    tmp_path: Path, broker: Broker, desks: dict[str, Desk], figures: Callable[..., None]
) -> None:
    """Fewer than fifteen commands at both desks end in Best reading what Acme's machine said."""
    (tmp_path / "plant").mkdir()
    plant = Broker(tmp_path / "plant")
    try:
        _follow(_steps("operations.md"), desks, plant)
    finally:
        plant.stop()
    acme, best = (desks[name] for name in _NAMES)
    for one, other in ((acme, best), (best, acme)):
        words, digits = other.fingerprint
        assert words in one.seen and digits in one.seen
    typed = acme.typed + best.typed
    assert typed < 15
    figures(newcomer_commands=typed)


def _follow(steps: list[Step], desks: dict[str, Desk], plant: Broker) -> None:
    values = [f"{number}.0625" for number in range(1_400, 1_420)]
    for step in steps:
        for desk in [desks[each] for each in step.who]:
            if not step.is_setting:
                _type(desk, step.typed, desks, values)
                continue
            desk.write(step.typed)
            if "[[route]]" in step.typed:
                desk.write(_MACHINE.format(url=plant.url))
                desk.reload()
                _speak(desk, plant, values)


def _type(desk: Desk, command: str, desks: dict[str, Desk], values: list[str]) -> None:
    """Type one command of the page, with the answers that a person there gives."""
    words = shlex.split(command)[1:]
    answers = f"y\n{desk.passphrase}\n" if words[0] == "consortium" else ""
    if words[-1].endswith("..."):
        found = re.search(r"hulian:1:\S+", desks["Acme"].seen)
        assert found is not None
        command = command.replace(words[-1], found[0])
    match words:
        case ["group", "accept", name]:
            desk.until("hulian group list", lambda told: f"invites to {name}" in told)
            desk.type(command)
        case ["query", *_]:
            desk.until(command, lambda told: all(value in told for value in values))
        case _:
            desk.type(command, answers)


def _speak(desk: Desk, plant: Broker, values: list[str]) -> None:
    """Have a machine speak at the plant's broker, once the gateway listens there."""
    until = time.monotonic() + _PATIENCE_S
    while '"presses", "state": "connected"' not in desk.type("hulian status --json"):
        desk.typed -= 1
        assert time.monotonic() < until, desk.seen
        time.sleep(0.2)
    desk.typed -= 1  # it is the test that asked
    machine = Publisher(plant.port, "factory/press-1/telemetry")
    for value in values:
        machine.publish(f'{{"strokes_per_min": {value}}}')
    machine.finish()
