"""A person of an organisation, who has a key file of their own, and what they type to sign.

In: a gateway of the organisation, whose root certifies the person. Out: the commands as typed: the
text is read, its digits are typed; with the key beside the gateway, or on a computer of their own.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agents import HULIAN, AgentProcess
from tests.neighbours import Terminal

_DIGITS = re.compile(r"The digits of this text: ([0-9]{6})")
_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key file, which lies in no gateway's folder."""

    name: str
    home: Path

    @property
    def key(self) -> Path:
        """Say where the key file is."""
        return self.home / "person.key"

    @property
    def paper(self) -> Path:
        """Say where the passphrase of the key is written down."""
        return self.home / "passphrase"

    def types(self, agent: AgentProcess, *command: str) -> str:
        """Type a command at a gateway that shows what is signed; read it, and type its digits."""
        keys = ("--key", str(self.key), "--passphrase-file", str(self.paper))
        line = [*HULIAN, "--config", str(agent.config), *command, *keys]
        ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        shown = ""
        with subprocess.Popen(line, text=True, env=_english(), **ends) as process:  # type: ignore[call-overload]
            while (found := _DIGITS.search(shown)) is None:
                heard = process.stderr.readline()
                assert heard, shown
                shown += heard
            _, rest = process.communicate(f"{found[1]}\n", timeout=_WAIT_S)
        assert process.returncode == 0, shown + rest + agent.log()
        return shown

    def signs(self, wanted: Path, digits: str) -> Path:
        """Sign on their own computer, where no gateway is, what was carried there."""
        signed = self.home / f"{wanted.name}.signed"
        keys = ("--key", str(self.key), "--passphrase-file", str(self.paper))
        line = [*HULIAN, "order", "sign", str(wanted), "-o", str(signed), *keys]
        told = [*line, "--confirm", digits]
        done = subprocess.run(told, capture_output=True, text=True, env=_english())
        assert done.returncode == 0, done.stderr
        return signed


def certified(terminal: Terminal, agent: AgentProcess, name: str) -> Person:
    """Have an organisation's root certify a person, whose key file is new."""
    person = Person(name, agent.folder.parent / f"home of {name}")
    person.home.mkdir()
    root = person.home / "root"
    root.write_text("pass\n")
    asked = ("person", "add", name, "--new", str(person.key), "--passphrase-file", str(root))
    made: dict[str, Any] = terminal.facts(agent, *asked)
    person.paper.write_text(made["key_passphrase"] + "\n")
    root.unlink()
    return person


def _english() -> Mapping[str, str]:
    said = {name: value for name, value in os.environ.items() if name != "HULIAN_CONFIG"}
    return {**said, "HULIAN_LANG": "en"}
