"""Where the commands find things: the config, the state directory, the store, the agent.

In: --config and the environment. Out: settings and open connections, or the operator's errors.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from gateway import agent
from gateway.cli import words
from gateway.config import Config
from gateway.errors import NotRunning
from gateway.store import database, state
from gateway.store.state import State
from gateway.web.local import SOCKET

DEFAULTS = (Path("gateway.toml"), Path("/etc/hulian/gateway.toml"))
PATIENCE_S = 5.0
# An act waits for its commit, on a disk that may be slow.
ACT_PATIENCE_S = 60.0
_chosen: list[Path] = []


def choose(path: Path | None) -> None:
    """Remember the --config of this command line."""
    _chosen[:] = [] if path is None else [path]


def config_path() -> Path:
    """Give --config, else $HULIAN_CONFIG, else the first default that exists."""
    if _chosen:
        return _chosen[0]
    if named := os.environ.get("HULIAN_CONFIG"):
        return Path(named)
    return next((path for path in DEFAULTS if path.exists()), DEFAULTS[0])


def config() -> Config:
    """Read the config; raise ConfigUnreadable or ConfigFaults."""
    return agent.read_config(config_path())


def state_dir() -> Path:
    """Give the state directory that the config names."""
    return Path(config().gateway.state_dir)


def ask_agent(state_dir: Path, question: str, patience_s: float | None) -> Iterator[dict[str, Any]]:
    """Ask the running agent and give what it answers, a line each; raise NotRunning."""
    yield from _lines(state_dir, {"ask": question}, patience_s)


def _lines(
    state_dir: Path, question: dict[str, object], patience_s: float | None
) -> Iterator[dict[str, Any]]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as door:
        try:
            door.settimeout(PATIENCE_S)
            door.connect(str(state_dir / SOCKET))
            door.sendall(json.dumps(question).encode() + b"\n")
            door.settimeout(patience_s)
            yield from map(json.loads, door.makefile("r", encoding="utf-8"))
        except (OSError, ValueError):
            raise NotRunning(state_dir=state_dir) from None


def act(name: str, /, **facts: object) -> dict[str, Any]:
    """Have the running agent do something, and give what came of it; raise NotRunning, or why not.

    What the agent raised is raised here again: it is told in the reader's language.
    """
    folder = state_dir()
    for answer in _lines(folder, {"ask": "act", "act": name, **facts}, ACT_PATIENCE_S):
        if "error" in answer:
            raise words.error(answer["error"]["code"], answer["error"]["facts"])
        done: dict[str, Any] = answer["done"]
        return done
    raise NotRunning(state_dir=folder)


def opened() -> tuple[State, apsw.Connection]:
    """Give the state, and the store for questions only; before the first run it is an empty one."""
    held = state.load(state_dir())
    path = held.path / state.STORE_FILE
    if not path.exists():  # Whoever asks makes no file: it might be one that the agent cannot use.
        return held, database.connect(database.MEMORY)
    return held, database.connect_to_read(str(path))
