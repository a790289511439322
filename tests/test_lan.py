"""Gateways that find each other on a LAN: two network namespaces and a wire between them."""

import os
import pty
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.agents import HULIAN, AgentProcess, introduce

_IP = "/usr/sbin/ip"
_SPACES = (f"hl-lan-a-{os.getpid()}", f"hl-lan-b-{os.getpid()}")


def _ip(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([_IP, *words], capture_output=True)


def _may_have_namespaces() -> bool:
    if os.geteuid() != 0 or not Path(_IP).exists():
        return False
    made = _ip("netns", "add", f"hl-try-{os.getpid()}")
    _ip("netns", "del", f"hl-try-{os.getpid()}")
    return made.returncode == 0


needs_namespaces = pytest.mark.skipif(
    not _may_have_namespaces(), reason="network namespaces need root and iproute2"
)


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    """Give two namespaces, each with one end of a wire: 10.77.0.1 and 10.77.0.2."""
    one, other = _SPACES
    for name in _SPACES:
        assert _ip("netns", "add", name).returncode == 0
    try:
        ends = [f"hla{os.getpid()}", f"hlb{os.getpid()}"]
        made = _ip(
            "link", "add", ends[0], "netns", one, "type", "veth", "peer", ends[1], "netns", other
        )
        assert made.returncode == 0, made.stderr
        for at, (name, end) in enumerate(zip(_SPACES, ends, strict=True), 1):
            _ip("-n", name, "addr", "add", f"10.77.0.{at}/24", "dev", end)
            for dev in ("lo", end):
                _ip("-n", name, "link", "set", dev, "up")
            _ip("-n", name, "route", "add", "224.0.0.0/4", "dev", end)
        yield one, other
    finally:
        for name in _SPACES:
            _ip("netns", "del", name)


def _end(space: str, *said: str) -> subprocess.Popen[str]:
    """Begin one end within a namespace."""
    command = [_IP, "netns", "exec", space, sys.executable, "-m", "tests.lan_ends", *said]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(end: subprocess.Popen[str]) -> str:
    assert end.stdout is not None
    return end.stdout.readline().strip()


def _close(end: subprocess.Popen[str]) -> None:
    end.communicate(timeout=20)


@needs_namespaces
def test_who_listens_is_found_and_who_went_is_forgotten(wire: tuple[str, str]) -> None:
    """What is announced is found with its address and port; what is withdrawn is found no more."""
    search = _end(wire[0], "search")
    announcer = _end(wire[1], "announce", "hulian-7f3a", "8471")
    try:
        assert _line(announcer) == "announced"
        assert _line(search) == "[('10.77.0.2', 8471)]"
        _close(announcer)
        assert _line(search) == "[]"
    finally:
        for each in (search, announcer):
            if each.poll() is None:
                _close(each)


_LISTENS = '[[link]]\nname = "door"\nlisten = "0.0.0.0:8471"\nannounce = true\n'
_SEARCHES = '[[link]]\nname = "plant"\nurl = "lan:"\n'
_SCALE = """
[[source]]
name = "{name}"
type = "serial"
url = "serial://{line}"

[source.framing]
by = "delimiter"
end = "\\n"

[[source.metric]]
name = "weight"
field = 0

[[route]]
group = "partner"
"""


class _Site:
    """A gateway in a network namespace, with a scale on a line."""

    def __init__(self, folder: Path, name: str, space: str, links: str) -> None:
        (folder / name).mkdir()
        self.name, (self._scale, self._line) = name, pty.openpty()
        tty.setraw(self._line)
        config = links + _SCALE.format(name=name, line=os.ttyname(self._line))
        within = (_IP, "netns", "exec", space)
        self.agent = AgentProcess(folder / name, name, config, within)

    def weigh(self) -> None:
        os.write(self._scale, b"12.5\n")

    def heard(self) -> set[str]:
        return {reading.device for reading in self.agent.readings()}

    def link(self, name: str) -> dict[str, Any]:
        return next(each for each in self.agent.stands()["links"] if each["name"] == name)

    def close(self) -> None:
        self.agent.end()
        os.close(self._scale)
        os.close(self._line)


def _until(holds: Callable[[], object], *sites: _Site) -> None:
    over_s = time.monotonic() + 60
    while not holds():
        told = "\n".join(f"{each.agent.status()}\n{each.agent.log()}" for each in sites)
        assert time.monotonic() < over_s, told
        time.sleep(0.2)


def _names_somebody(site: _Site) -> bool:
    return bool(site.link("plant")["reason"])


def _hears_both(site: _Site) -> bool:
    """Say whether both were heard; weigh again where the line was just opened, and too soon."""
    heard = site.heard()
    if site.name not in heard:
        site.weigh()
        time.sleep(1.0)
    return heard == {"near", "far"}


@contextmanager
def _stranger(space: str) -> Iterator[None]:
    """Listen as somebody of another consortium, and announce it."""
    end = _end(space, "stranger", "8471")
    try:
        assert _line(end) == "listens"
        yield
    finally:
        _close(end)


@contextmanager
def _closed(*sites: _Site) -> Iterator[None]:
    try:
        for each in sites:
            each.agent.start()
        yield
    finally:
        for each in sites:
            each.close()


@needs_namespaces
def test_two_gateways_find_each_other_and_a_stranger_costs_one_attempt(
    wire: tuple[str, str], tmp_path: Path
) -> None:
    """Nobody wrote an address, and both hold what both weighed; a listener of others is named.

    The stranger is asked once and then left for minutes; nobody's status names a link to itself.
    """
    near = _Site(tmp_path, "near", wire[0], _LISTENS + _SEARCHES)
    far = _Site(tmp_path, "far", wire[1], _SEARCHES)
    introduce(near.agent, far.agent)
    with _closed(near, far), _stranger(wire[1]):
        sites = near, far
        for each in sites:
            each.agent.listen()
        _until(lambda: all(list(map(_hears_both, sites))), *sites)
        for each in sites:
            _until(partial(_names_somebody, each), *sites)
            found = each.link("plant")
            assert found["reason"].startswith("link.unmet: 10.77.0.2:8471"), found
            assert "group.not-a-member" in found["reason"]
            assert (found["kind"], found["state"]) == ("lan", "up")
            assert found["counts"] == {"link.refused": 1}
        assert found["peers"] == [near.agent.status()["node"]]


_ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "zeroconf":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("links", [_LISTENS, _SEARCHES])
def test_without_the_extra_the_command_to_install_it_is_told(
    tmp_path: Path, command: str, links: str
) -> None:
    """`check` and `run` end with the code and a command, before anything is begun."""
    (tmp_path / "sitecustomize.py").write_text(_ABSENT)
    agent = AgentProcess(tmp_path, "press", links)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "LANG": "C.UTF-8"}
    ended = subprocess.run(
        [*HULIAN, "--config", str(agent.config), command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2, ended
    assert "link.lan" in ended.stderr
    assert f"{sys.executable} -m pip install zeroconf ifaddr" in " ".join(ended.stderr.split())
