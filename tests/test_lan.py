"""Gateways that find each other on a LAN: two network namespaces and a wire between them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


pytestmark = pytest.mark.skipif(
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
