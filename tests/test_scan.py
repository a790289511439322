"""`scan serial`, `scan modbus` and `test` on lines and buses: what is found can be pasted."""

import asyncio
import grp
import os
import pty
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from tests.agents import AgentProcess
from tests.modbus_peer import units
from tests.scans import HEAD, HULIAN, hulian, said


async def scanned(*words: object) -> tuple[int, dict[str, Any]]:
    """Run a scan while the loop serves its peers."""
    return await asyncio.to_thread(lambda: said(hulian("scan", *words, "--json")))


# -- modbus ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["tcp", "rtu"])
def test_units_are_found_by_asking_only(way: str, tmp_path: Path) -> None:
    """Every unit that answers is found with registers that can be read; nothing is written."""

    async def story() -> None:
        async with units(way, tmp_path, 3, 7, 12) as peer:
            peer.deaf = {1, 2, 4, 5, 6, 8}
            where = peer.url if way == "tcp" else peer.url[len("serial://") :].partition("?")[0]
            status, found = await scanned(
                *("modbus", where, "--units", "1-12", "--timeout-ms", 80, "--delay-ms", 5)
            )
        assert (status, found["ended"], found["any_number"]) == (0, "all", False)
        assert [one["unit"] for one in found["units"]] == [3, 7, 12]
        for one in found["units"]:
            assert one["registers"] == ["holding:0", "input:0", "coil:0", "discrete:0"]
        assert found["noise"] == {"modbus.exception 4": 3}
        at = 7 if way == "tcp" else 1
        assert peer.asked and {one[at] for one in peer.asked} <= {1, 2, 3, 4}
        sources = load(HEAD + found["proposal"]).source
        assert [one.name for one in sources] == ["unit-3", "unit-7", "unit-12"]

    asyncio.run(story())


@asynccontextmanager
async def only_at(baud: int, near: str, folder: Path) -> AsyncIterator[Path]:
    """Lead a port to another one, whole only where it is opened at one speed."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    line = os.open(near, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    speed = getattr(termios, f"B{baud}")

    def there() -> None:
        with suppress(BlockingIOError):
            packet = os.read(master, 512)
            if termios.tcgetattr(master)[5] != speed:
                packet = bytes(one ^ 0x5A for one in packet)
            os.write(line, packet)

    def back() -> None:
        with suppress(BlockingIOError):
            os.write(master, os.read(line, 512))

    loop.add_reader(master, there)
    loop.add_reader(line, back)
    path = folder / "usb-maker_adapter"
    path.symlink_to(os.ttyname(slave))
    try:
        yield path
    finally:
        loop.remove_reader(master)
        loop.remove_reader(line)
        for one in (master, slave, line):
            os.close(one)


def test_the_speed_of_a_line_is_found(tmp_path: Path) -> None:
    """Settings are tried in their order, and where a unit answers the others are not."""

    async def story() -> None:
        async with units("rtu", tmp_path, 5) as peer:
            peer.deaf = set(range(1, 5)) | set(range(6, 31))
            near = peer.url[len("serial://") :].partition("?")[0]
            async with only_at(19200, near, tmp_path) as path:
                status, found = await scanned(
                    *("modbus", path, "--units", "1-14", "--timeout-ms", 50, "--delay-ms", 5),
                    *("--baud", "9600,19200,38400", "--parity", "N"),
                )
        assert (status, found["ended"]) == (0, "all")
        (one,) = found["units"]
        assert (one["unit"], one["url"]) == (5, f"serial://{path}?baud=19200&parity=N")
        assert found["asked"] == 10 + 10 + 4, "ten at each speed, and the rest where it answers"

    asyncio.run(story())


def test_ctrl_c_ends_with_what_was_found(tmp_path: Path) -> None:
    """A scan that is interrupted tells what it has; one whose time is over says so."""

    async def story() -> None:
        async with units("tcp", tmp_path, 1) as peer:
            peer.deaf = set(range(2, 200))
            process = hulian("scan", "modbus", peer.url, "--json", "--timeout-ms", 300)
            while len(peer.asked) < 8:
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            status, found = await asyncio.to_thread(said, process)
            assert (status, found["ended"]) == (0, "stopped")
            assert [one["unit"] for one in found["units"]] == [1]
            began = time.monotonic()
            _, found = await scanned("modbus", peer.url, "--seconds", 1, "--timeout-ms", 300)
            assert (found["ended"], time.monotonic() - began < 40) == ("time", True)

    asyncio.run(story())


def test_a_device_that_answers_to_any_number_is_proposed_once(tmp_path: Path) -> None:
    """Behind TCP many devices do not look at the number: that is one source, not many."""

    async def story() -> None:
        async with units("tcp", tmp_path, *range(1, 13)) as peer:
            status, found = await scanned("modbus", peer.url, "--units", "1-12", "--delay-ms", 0)
        assert (status, len(found["units"]), found["any_number"]) == (0, 12, True)
        assert [one.name for one in load(HEAD + found["proposal"]).source] == ["unit-1"]

    asyncio.run(story())


def test_a_line_of_the_running_agent_is_not_scanned(tmp_path: Path) -> None:
    """A scan says that the agent has the line, under whatever name, and the agent goes on."""

    async def story() -> None:
        async with units("rtu", tmp_path, 3) as peer:
            row = '[[source.metric]]\nname = "a"\nregister = "holding:0"\n'
            source = f'[[source]]\nname = "u"\ntype = "modbus"\nurl = "{peer.url}"\nunit_id = 3\n'
            agent = AgentProcess(tmp_path, "press-shop", source + row)
            await asyncio.to_thread(agent.start)
            await asyncio.to_thread(agent.listen)
            path = os.path.realpath(peer.url[len("serial://") :].partition("?")[0])
            config = ("--config", str(agent.config))
            status, facts = await asyncio.to_thread(
                lambda: said(hulian(*config, "scan", "modbus", path, "--json"))
            )
            assert (status, "serial.agent" in facts["error"]) == (2, True)
            peer.deaf = {3}  # The agent has its line also while nobody answers on it.
            for _ in range(100):
                facts = await asyncio.to_thread(agent.status)
                states = [one["state"] for one in facts["sources"]]
                if states == ["silent"]:
                    break
            assert states == ["silent"]
            status, facts = await asyncio.to_thread(
                lambda: said(hulian(*config, "scan", "modbus", path, "--json"))
            )
            assert (status, "serial.agent" in facts["error"]) == (2, True)
            await asyncio.to_thread(agent.stop)

    asyncio.run(story())


def test_progress_is_for_terminals_only(tmp_path: Path) -> None:
    """A terminal sees how far a scan is, in its reader's language; a pipe sees facts alone."""

    async def story() -> None:
        async with units("tcp", tmp_path, 2) as peer:
            peer.deaf = {1, 3}
            words = (*HULIAN, "scan", "modbus", peer.url, "--units", "1-3", "--timeout-ms", "100")
            master, slave = pty.openpty()
            for stderr, lang, shown in ((slave, "zh", "已询问"), (subprocess.PIPE, "en", "")):
                process = await asyncio.create_subprocess_exec(
                    *words,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env={**os.environ, "HULIAN_LANG": lang, "TERM": "xterm", "COLUMNS": "160"},
                )
                out, error = await process.communicate()
                said = error if stderr == subprocess.PIPE else os.read(master, 65_536)
                assert shown in said.decode() and bool(said) == bool(shown)
                assert ("找到 1 个单元" in out.decode()) == (lang == "zh")
            os.close(master)
            os.close(slave)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("modbus", "/dev/none"), "serial.absent"),
        (("modbus", "tcp://127.0.0.1:1"), "modbus.unreachable"),
        (("modbus", "ftp://x"), "usage.value"),
        (("modbus", "tcp://127.0.0.1", "--units", "7-3"), "usage.value"),
        (("modbus", "/dev/x", "--parity", "N,Q"), "usage.value"),
        (("mqtt", "mqtt://127.0.0.1:1", "--seconds", "0.5"), "source.unreachable"),
        (("mqtt", "mqtt://127.0.0.1", "--topic", "a#"), "usage.value"),
        (("sparkplug", "http://x"), "usage.value"),
    ],
)
def test_what_cannot_be_scanned_is_told(words: tuple[str, ...], code: str) -> None:
    """An address that is none, and a place where nobody is, are told with their codes."""
    status, facts = said(hulian("scan", *words, "--json"))
    assert (status, code in facts["error"]) == (2, True)


# -- test, with the word orders -------------------------------------------------------------------


def test_a_trial_shows_registers_in_all_orders(tmp_path: Path) -> None:
    """Of each metric the registers, its reading and all four orders stand beside each other."""

    async def story() -> None:
        async with units("rtu", tmp_path, 3, 4) as peer:
            await peer.put(3, 10, 0x86A0, 0x0001)
            peer.deaf = {4}
            config = tmp_path / "gateway.toml"
            rows = "".join(
                f'[[source]]\nname = "u{unit}"\ntype = "modbus"\nurl = "{peer.url}"\n'
                f"unit_id = {unit}\ntimeout_ms = 100\n[[source.metric]]\n"
                'name = "strokes"\nregister = "holding:10"\ntype = "uint32"\n'
                'word_order = "little"\n[[source.metric]]\nname = "far"\n'
                'register = "input:199"\n'
                for unit in (3, 4)
            )
            config.write_text(HEAD + rows)
            process = hulian("--config", config, "test", "--json", "--seconds", 2)
            status, facts = await asyncio.to_thread(said, process)
            shown = hulian("--config", config, "test", "u3", "--seconds", 2)
            text = (await asyncio.to_thread(shown.communicate))[0]
        assert status == 1
        heard, silent = facts["sources"]
        (fault,) = silent["samples"][0]["errors"]
        assert (fault["code"], silent["samples"][0]["readings"]) == ("modbus.timeout", [])
        assert (heard["error"], len(heard["samples"])) == (None, 2)
        strokes = next(one for one in heard["samples"] if one["orders"])
        assert strokes["registers"] == ["86a0", "0001"]
        assert [one["value"] for one in strokes["readings"]] == [100_000]
        right = [one for one in strokes["orders"] if one["value"] == 100_000]
        assert (len(strokes["orders"]), [one["chosen"] for one in right]) == (4, [True])
        assert "86a0 0001" in text and "as configured" in text

    asyncio.run(story())


# -- serial ---------------------------------------------------------------------------------------


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[Path, str, int]]:
    """Give a folder of stable names, a port behind one of them, and its other end."""
    master, slave = pty.openpty()
    folder = tmp_path / "by-id"
    folder.mkdir()
    (folder / "usb-Maker_Scale_7-if00").symlink_to(os.ttyname(slave))
    yield folder, os.ttyname(slave), slave
    os.close(master)
    os.close(slave)


def _port(folder: Path, *words: object) -> dict[str, Any]:
    status, facts = said(hulian(*words, "scan", "serial", "--by-id", folder, "--json"))
    assert status == 0
    found: list[dict[str, Any]] = facts["ports"]
    return next(one for one in found if one["path"].endswith("Scale_7-if00"))


def test_a_port_is_told_by_the_name_that_stays(port: tuple[Path, str, int], tmp_path: Path) -> None:
    """A port is known by its link, with who has it open, and with the source that is about it."""
    folder, device, _ = port
    found = _port(folder)
    assert (found["device"], found["stable"], found["source"]) == (device, True, None)
    assert {"pid": os.getpid(), "program": found["holders"][0]["program"]} in found["holders"]
    own = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode()
    assert own in found["holders"][0]["program"]
    config = tmp_path / "gateway.toml"
    url = f"serial://{device}?baud=9600"
    config.write_text(f'{HEAD}[[source]]\nname = "scale"\ntype = "framed"\nurl = "{url}"\n')
    assert _port(folder, "--config", config)["source"] == "scale"


def test_a_port_is_not_opened(port: tuple[Path, str, int]) -> None:
    """Looking leaves a port as it is: its settings, and what waits in it."""
    folder, _, slave = port
    before = termios.tcgetattr(slave)
    _port(folder)
    assert termios.tcgetattr(slave) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_who_may_not_open_a_port_is_told_the_command(port: tuple[Path, str, int]) -> None:
    """For a user outside of a port's group, the command is told that puts them into it."""
    _, device, _ = port
    status = Path(device).stat()
    dialout = grp.getgrnam("dialout").gr_gid
    os.chown(device, status.st_uid, dialout)
    Path(device).chmod(0o660)
    program = (
        # Imported before: that user may not be let into the folders of Python and of this tree.
        "import grp, os, pwd\n"
        "from gateway.transport import ports\n"
        "from gateway.cli.scan_lines import _remedy\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"one, = ports._access({device!r}),\n"
        f"print(one.allowed, _remedy({device!r}, one), sep=';')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert told == "False;sudo usermod -aG dialout nobody\n"
