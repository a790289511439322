"""The agent as a process: what systemd, signals, a second agent and a bad config do to it."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agents import HULIAN, AgentProcess
from tests.broker import Broker, Publisher

_SOURCE = """
[[source]]
name = "{name}"
type = "mqtt"
url = "{url}"
topics = ["{name}/#"]
device = "topic[1]"
"""
_NOWHERE = '\n[[route]]\ngroup = "nobody"\n'


@contextmanager
def _running(folder: Path, sources: str = "") -> Iterator[AgentProcess]:
    agent = AgentProcess(folder, "press-shop", sources)
    agent.start()
    try:
        yield agent
    finally:
        agent.end()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Start a broker of the test's own."""
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


def _until(holds: Callable[[], bool], agent: AgentProcess, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, agent.log()
        time.sleep(0.05)


def test_systemd_is_told_when_it_is_ready_alive_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READY=1 once it serves, WATCHDOG=1 again and again, STOPPING=1 on SIGTERM; status 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        path = tmp_path / "notify"
        systemd.bind(str(path))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        with _running(tmp_path) as agent:
            said = [systemd.recv(100) for _ in range(4)]
            assert sorted(set(said)) == [b"READY=1", b"WATCHDOG=1"]
            assert said.count(b"READY=1") == 1
            agent.stop()
            systemd.setblocking(False)
            rest: list[bytes] = []
            while not rest or rest[-1] != b"STOPPING=1":
                rest.append(systemd.recv(100))
            assert set(rest) <= {b"WATCHDOG=1", b"STOPPING=1"}


def test_systemd_is_told_of_a_reload_and_of_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SIGHUP RELOADING=1, then READY=1: after STOPPING=1 systemd would kill what goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        path = tmp_path / "notify"
        systemd.bind(str(path))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        with _running(tmp_path) as agent:
            assert systemd.recv(100) == b"READY=1"
            _signal(agent, signal.SIGHUP)
            reloading, _, since = systemd.recv(100).partition(b"\nMONOTONIC_USEC=")
            assert (reloading, since.isdigit()) == (b"RELOADING=1", True)
            assert systemd.recv(100) == b"READY=1"
            agent.stop()
            assert systemd.recv(100) == b"STOPPING=1"


def test_hangups_that_come_too_fast_end_nothing(tmp_path: Path) -> None:
    """SIGHUP again while one is being followed: the agent goes on, and ends in order when told."""
    with _running(tmp_path) as agent:
        agent.status()
        for _ in range(100):  # Each is followed for a second or so, with moments between.
            _signal(agent, signal.SIGHUP)
            time.sleep(0.01)
            assert agent.process is not None and agent.process.poll() is None, agent.log()
        _until(lambda: agent.status()["state"] == "running", agent, 60)
        agent.stop()


def test_who_asks_while_it_starts_anew_ends_nothing(tmp_path: Path) -> None:
    """Asked how it stands without a pause, by four at once, while it reads its config again."""
    with _running(tmp_path) as agent, ThreadPoolExecutor(4) as asking:
        is_over = threading.Event()
        asked = [asking.submit(_ask_on, agent, is_over) for _ in range(4)]
        try:
            for _ in range(8):
                run = agent.status()["run"]
                _signal(agent, signal.SIGHUP)
                _until(lambda run=run: agent.stands().get("run", run) != run, agent)  # type: ignore[misc]
        finally:
            is_over.set()
        assert all(each.result() > 0 for each in asked)
        agent.stop()


def _ask_on(agent: AgentProcess, is_over: threading.Event) -> int:
    """Ask until it is over; count the answers."""
    answers = 0
    while not is_over.is_set():
        answers += bool(agent.stands())
    return answers


def test_a_config_that_only_fails_when_it_is_used_is_not_reloaded(tmp_path: Path) -> None:
    """A file that it names and that is not there: the agent goes on with the config it had."""
    line = '\n[[source]]\nname = "mcu"\ntype = "framed"\nurl = "serial:///dev/nowhere"\n'
    with _running(tmp_path) as agent:
        run, good = agent.status()["run"], agent.config.read_text()
        agent.config.write_text(f'{good}{line}key_file = "{tmp_path}/nowhere.key"\n')
        _signal(agent, signal.SIGHUP)
        _until(lambda: "was not reloaded: config.key-file" in agent.log(), agent)
        agent.config.write_text(good)
        _until(lambda: agent.status()["run"] not in (None, run), agent)
        assert agent.status()["sources"] == []
        agent.config.write_text(good + line)
        _signal(agent, signal.SIGHUP)
        _until(lambda: len(agent.status()["sources"]) == 1, agent)
        agent.stop()


def test_a_state_directory_that_cannot_be_written_is_said_as_such(tmp_path: Path) -> None:
    """The agent's lock cannot be made: status 2, the code, and no word of a defect."""
    agent = AgentProcess(tmp_path, "press-shop", "")
    (agent.state_dir / "agent.lock").mkdir()
    ended = _run(agent)
    assert ended.returncode == 2
    assert b"state.unwritable" in ended.stderr and b"defect" not in ended.stderr


def test_a_hangup_reads_the_config_again(tmp_path: Path, broker: Broker) -> None:
    """After SIGHUP a source that was added is heard, in the same process."""
    first = _SOURCE.format(name="meters", url=broker.url)
    with _running(tmp_path, first) as agent:
        agent.listen()
        with agent.config.open("a", encoding="utf-8") as config:
            config.write(_SOURCE.format(name="scales", url=broker.url))
        run = agent.status()["run"]
        _signal(agent, signal.SIGHUP)
        _until(lambda: len(agent.status().get("sources", ())) == 2, agent)
        agent.listen()
        machine = Publisher(broker.port, "scales/one")
        machine.publish('{"kg": 12.5}')
        machine.finish()
        _until(lambda: agent.status()["store"]["readings"] == 1, agent)
        assert agent.status()["run"] != run
        agent.stop()


@pytest.mark.parametrize("bad", ["nonsense = 1\n", _NOWHERE], ids=["unknown key", "no such group"])
def test_a_bad_config_at_a_hangup_changes_nothing(tmp_path: Path, bad: str) -> None:
    """The agent goes on as it was, and its log says why."""
    with _running(tmp_path) as agent:
        run = agent.status()["run"]
        with agent.config.open("a", encoding="utf-8") as config:
            config.write(bad)
        _signal(agent, signal.SIGHUP)
        _until(lambda: "was not reloaded" in agent.log(), agent)
        socket_path = agent.state_dir / "agent.sock"
        assert socket_path.exists()
        agent.config.write_text(agent.config.read_text().removesuffix(bad))
        assert agent.status()["run"] == run
        agent.stop()


def test_a_route_to_no_group_stops_the_start(tmp_path: Path) -> None:
    """Readings would have nowhere to go: status 2, the code, and no stack trace."""
    agent = AgentProcess(tmp_path, "press-shop", _NOWHERE)
    ended = _run(agent)
    assert ended.returncode == 2
    assert b"group.unknown" in ended.stderr and b"Traceback" not in ended.stderr


def test_a_second_agent_on_one_state_is_refused(tmp_path: Path) -> None:
    """One state directory has one agent: the second ends with its own error, the first goes on."""
    with _running(tmp_path) as agent:
        ended = _run(agent)
        assert ended.returncode == 2
        assert b"state.in-use" in ended.stderr and b"Traceback" not in ended.stderr
        assert agent.status()["state"] == "running"
        agent.stop()


def test_a_broker_that_is_away_stops_nobody_else(tmp_path: Path, broker: Broker) -> None:
    """A source without its broker says so; another is heard; all the promised keys are there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sources = _SOURCE.format(name="away", url=f"mqtt://127.0.0.1:{port}")
    with _running(tmp_path, sources + _SOURCE.format(name="here", url=broker.url)) as agent:
        _until(lambda: agent.status()["sources"][1]["state"] == "connected", agent)
        machine = Publisher(broker.port, "here/press")
        machine.publish('{"n": 1}')
        machine.finish()
        _until(lambda: agent.status()["store"]["readings"] == 1, agent)
        stands = agent.status()
        away, here = stands["sources"]
        assert away["state"] == "disconnected" and "refused" in away["reason"].lower()
        assert here["counts"]["stored"] == 1
        (device,) = stands["devices"]
        assert device["name"] == "press" and device["last_reading"].endswith("Z")
        assert {"gateway", "run", "state", "uptime_s", "links", "peers", "clock"} <= stands.keys()
        assert stands["counters"] == {
            "received": 1,
            "stored": 1,
            "acknowledged": 1,
            "quarantined": 0,
            "dropped": 0,
            "duplicates": 0,
        }
        agent.stop()


def test_a_file_that_cannot_be_read_stops_nobody_else(tmp_path: Path, broker: Broker) -> None:
    """A source without its password or its broker's certificates says so, and mended it is heard;
    neither a start nor a SIGHUP with such a config ends the agent."""
    password, ca_file = tmp_path / "password", tmp_path / "ca.pem"
    here = _SOURCE.format(name="here", url=broker.url)
    locked = _SOURCE.format(name="locked", url=broker.url)
    locked += f'username = "press-shop"\npassword_file = "{password}"\n'
    veiled = _SOURCE.format(name="veiled", url=broker.url.replace("mqtt:", "mqtts:"))
    veiled += f'ca_file = "{ca_file}"\n'
    with _running(tmp_path, here) as agent:
        agent.config.write_text(agent.config.read_text() + locked + veiled)
        _signal(agent, signal.SIGHUP)
        _until(lambda: len(agent.status().get("sources", ())) == 3, agent)
        _until(lambda: all(each["reason"] for each in agent.status()["sources"][1:]), agent)
        reasons = [each["reason"] for each in agent.status()["sources"][1:]]
        assert reasons == [
            f"config.password-file: the password file {password} cannot be read:"
            " No such file or directory",
            f"file.unusable: {ca_file} cannot be used: No such file or directory",
        ]
        password.write_text("secret\n")
        _until(lambda: agent.status()["sources"][1]["state"] == "connected", agent)
        ca_file.write_text("no certificate")
        _until(lambda: "NO_CERT" in agent.status()["sources"][2]["reason"], agent)
        assert agent.status()["sources"][0]["state"] == "connected"
        agent.stop()


def _signal(agent: AgentProcess, number: int) -> None:
    assert agent.process is not None
    agent.process.send_signal(number)


def _run(agent: AgentProcess) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*HULIAN, "--config", str(agent.config), "run"],
        capture_output=True,
        check=False,
        timeout=30,
        env={**os.environ, "HULIAN_LANG": "en"},
    )
