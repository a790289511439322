"""Where the commands find things: the config, the state directory, the store.

In: --config and the environment. Out: settings and open connections, or the operator's errors.
"""

import os
from pathlib import Path

import apsw

from gateway import agent
from gateway.config import Config
from gateway.store import database, state
from gateway.store.state import State

DEFAULTS = (Path("gateway.toml"), Path("/etc/hulian/gateway.toml"))
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


def opened() -> tuple[State, apsw.Connection]:
    """Give the state, and the store for questions only; before the first run it is an empty one."""
    held = state.load(state_dir())
    path = held.path / state.STORE_FILE
    if not path.exists():
        database.connect(str(path)).close()
    return held, database.connect_to_read(str(path))
