"""Two factories on one computer: their machines, gateways and a broker, told as it happens.

In: for how many seconds, or until Ctrl-C. Out: what happens, a summary, and the other factory's own
query and check of what it received. Everything is real and lives in a folder that is removed.
"""

import json
import math
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.cli.words import say
from gateway.clock import random_bytes
from gateway.errors import NoBroker
from gateway.groups import group
from gateway.groups.group import ActivityKind, Founding, Group, Member, Role
from gateway.records import identity, roster, run as runs
from gateway.records.cose import SigningKey
from gateway.store import state
from gateway.store.state import State
from gateway.web.local import SOCKET

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_FIRMWARE = Path(__file__).parent.parent / "firmware_bridge"
_HULIAN = (sys.executable, "-m", "gateway.cli")
_PERIOD_S = 0.2
_SAMPLE_MS = 500
_ENDING_S = 8.0  # of the seconds asked for, what stopping and checking take
_PATIENCE_S = 20.0
_PARTNER = "partner"
_A_CONFIG = """[gateway]
name = "press-shop"
state_dir = "{folder}/state"

[[link]]
name = "consortium"
url = "mqtt://127.0.0.1:{port}"

[[source]]
name = "meters"
type = "mqtt"
url = "mqtt://127.0.0.1:{port}"
topics = ["factory/+/telemetry"]
device = "topic[1]"

[[source.metric]]
name = "temperature"
path = "env.temp_c"
unit = "Cel"
{device}
[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""
_DEVICE = """
[[source]]
name = "mcu-7"
type = "framed"
url = "serial://{line}?baud=115200"
"""
_B_CONFIG = """[gateway]
name = "assembly"
state_dir = "{folder}/state"

[[link]]
name = "consortium"
url = "mqtt://127.0.0.1:{port}"
"""


def found_together(
    states: Sequence[State], roots: Sequence[SigningKey], purpose: str, clear: bool = False
) -> Group:
    """Found a group of the gateways of several organisations, sealed; the first is the initiator.

    All keys must be at hand, so this is for one computer: a roster 0 signed by every root, and a
    founding signed by a run that exists for nothing else.
    """
    organisations = [each.roster.organisation(each.organisation) for each in states]
    payload = roster.compose(purpose, organisations)
    within = roster.decode(roster.assemble(payload, [roster.sign(root, payload) for root in roots]))
    first = states[0]
    founder = runs.start(first.node_key, first.node, first.encryption, random_bytes(32))
    roles = [Role.INITIATOR] + [Role.RECEIVER] * (len(states) - 1)
    members = tuple(
        Member(each.organisation, identity.decode(each.encryption, "encryption"), (role,))
        for each, role in zip(states, roles, strict=True)
    )
    founding = Founding(
        random_bytes(32),
        within.hash,
        within.hash,
        purpose,
        ActivityKind.INDUSTRIAL,
        members,
        clear,
    )
    founded = group.found(founder.key, founder.credentials, founding, within)
    return replace(founded, secret=random_bytes(group.SECRET_BYTES))


def run(seconds: float | None) -> int:
    """Run the demo; give 0 if the other factory holds and verifies all that was stored."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="hulian-demo-")))
        port = _start_broker(folder, ends)
        device = _start_device(folder, ends)
        ace, bolt = _set_up(folder, port, device is not None)
        _introduce(ace, bolt)
        for gateway in (ace, bolt):
            gateway.start(ends)
        said = _speak(port, (ace, bolt), seconds, stop)
        if device is not None:
            _end(device)
        counted = _settle(ace, bolt, said)
        for gateway in (ace, bolt):
            gateway.stop()
        return _tell((ace, bolt), said, counted)


@dataclass
class _Gateway:
    """One factory's gateway: its folder, and its agent once it runs."""

    organisation: str
    folder: Path
    held: State
    root: SigningKey
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    def start(self, ends: ExitStack) -> None:
        """Start its agent and wait until it answers."""
        with (self.folder / "agent.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*_HULIAN, "--config", self.config, "run"], stdout=log, stderr=log
            )
        ends.callback(_end, self.process)
        until = time.monotonic() + _PATIENCE_S
        while not (self.held.path / SOCKET).exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit((self.folder / "agent.log").read_text("utf-8"))
            time.sleep(0.05)

    def ask(self, what: str) -> dict[str, Any]:
        """Ask the running agent at its door."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(_PATIENCE_S)
            door.connect(str(self.held.path / SOCKET))
            door.sendall(json.dumps({"ask": what}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(door.makefile().readline())
            return answer

    def command(self, *words: str) -> str:
        """Give what a command on this gateway prints."""
        done = subprocess.run(
            [*_HULIAN, "--config", self.config, *words], capture_output=True, check=False
        )
        return done.stdout.decode()

    def stop(self) -> None:
        """Ask its agent to stop, and wait for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(30)


def _tell_now(sentence: str, **facts: object) -> None:
    print(say(sentence, **facts), flush=True)


def _start_broker(folder: Path, ends: ExitStack) -> int:
    program = shutil.which("mosquitto", path=_PATH)
    if program is None:
        raise NoBroker
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n", "utf-8")
    with (folder / "mosquitto.log").open("w") as log:
        broker = subprocess.Popen([program, "-c", config], stdout=log, stderr=log)
    ends.callback(_end, broker)
    time.sleep(0.5)
    if broker.poll() is not None:
        raise NoBroker
    _tell_now("A broker listens on port {port}.", port=port)
    return port


def _start_device(folder: Path, ends: ExitStack) -> "subprocess.Popen[bytes] | None":
    """Compile the C code of a device and run it on a pseudo-terminal; None without a compiler."""
    out = folder / "firmware"
    if not _FIRMWARE.is_dir() or shutil.which("cc") is None or shutil.which("make") is None:
        _tell_now("No C compiler is here, so the device on a serial line stays away.")
        return None
    program = out / "bridge-device"
    subprocess.run(["make", "-s", "-C", _FIRMWARE, f"OUT={out}", program], check=True)
    with (folder / "mcu-7.out").open("wb") as told:
        line = folder / "mcu-7"
        options = ("--name", "mcu-7", "--period-ms", str(_SAMPLE_MS), "--pty")
        device = subprocess.Popen([program, line, *options], stdout=told)
    ends.callback(_end, device)
    _tell_now("A microcontroller, mcu-7, is on a serial line; it samples twice a second.")
    return device


def _set_up(folder: Path, port: int, has_device: bool) -> tuple[_Gateway, _Gateway]:
    """Make both organisations, each with the keys and the gateway of its own."""
    device = _DEVICE.format(line=folder / "mcu-7") if has_device else ""
    ace = _found(folder / "ace", state.Names("press-shop", "Ace Metals"))
    bolt = _found(folder / "bolt", state.Names("assembly", "Bolt & Sons"))
    ace.config.write_text(_A_CONFIG.format(folder=ace.folder, port=port, device=device), "utf-8")
    bolt.config.write_text(_B_CONFIG.format(folder=bolt.folder, port=port), "utf-8")
    return ace, bolt


def _found(folder: Path, names: state.Names) -> _Gateway:
    folder.mkdir()
    passphrase = secrets.token_hex(16)
    held = state.create(folder / "state", names, random_bytes, int(time.time()), passphrase)
    _tell_now(
        "{organisation} has keys of its own; its gateway is {node}.",
        organisation=names.organisation,
        node=held.node_id.hex(),
    )
    return _Gateway(names.organisation, folder, held, state.root_key(held.path, passphrase))


def _introduce(ace: _Gateway, bolt: _Gateway) -> None:
    """Make one group of both, and give each its file."""
    shared = found_together((ace.held, bolt.held), (ace.root, bolt.root), "pressed parts")
    for gateway in (ace, bolt):
        state.keep_group(gateway.held.path, _PARTNER, shared)
    _tell_now("Both are one group now: what Ace Metals hears is shared with Bolt & Sons alone.")


def _speak(
    port: int, gateways: tuple[_Gateway, _Gateway], seconds: float | None, stop: threading.Event
) -> int:
    """Be a machine that publishes its temperature; give how often it did."""
    machine = Client(CallbackAPIVersion.VERSION2)
    machine.connect("127.0.0.1", port)
    machine.loop_start()
    _listen_first(gateways[0])
    _tell_now("Press 7 reports its temperature over MQTT five times a second, at QoS 1.")
    said, ends = 0, None if seconds is None else time.monotonic() + max(3.0, seconds - _ENDING_S)
    while not stop.wait(_PERIOD_S) and (ends is None or time.monotonic() < ends):
        payload = {"env": {"temp_c": round(60 + 5 * math.sin(said / 20), 2)}, "n": said}
        machine.publish("factory/press-7/telemetry", json.dumps(payload), qos=1).wait_for_publish(5)
        said += 1
        if said % 10 == 0:
            _tell_progress(gateways, payload["env"])
    machine.disconnect()
    machine.loop_stop()
    return said


def _listen_first(gateway: _Gateway) -> None:
    """Wait until the sources listen: a broker keeps nothing for who never subscribed."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if all(each["state"] == "connected" for each in gateway.ask("status")["sources"]):
            return
        time.sleep(0.1)


def _tell_progress(gateways: tuple[_Gateway, _Gateway], payload: object) -> None:
    ace, bolt = (each.ask("status") for each in gateways)
    peer = ace["peers"][0]
    _tell_now(
        "  press-7 says {payload}; Ace Metals stored {stored} readings, signed, in {records}"
        " records; Bolt & Sons holds {received} ({state}, {lacking} records not yet signed for)",
        payload=json.dumps(payload),
        stored=ace["store"]["readings"],
        records=ace["store"]["records"],
        received=bolt["store"]["readings"],
        state=peer["state"],
        lacking=peer["lacking"],
    )


def _settle(ace: _Gateway, bolt: _Gateway, said: int) -> dict[str, int]:
    """Wait until all is acknowledged, received and signed for; give the counts."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        here, there = ace.ask("status"), bolt.ask("status")
        counted: dict[str, int] = here["counters"]
        lacking = here["peers"][0]["lacking"]
        received = there["store"]["readings"]
        is_settled = (
            counted["acknowledged"] >= said
            and counted["received"] == counted["stored"] == received
            and lacking == 0
        )
        if is_settled or time.monotonic() > until:
            return {**counted, "lacking": lacking, "received_by": received}
        time.sleep(0.2)


def _tell(gateways: tuple[_Gateway, _Gateway], said: int, counted: dict[str, int]) -> int:
    """Tell the sums, have the other factory query and verify; give the exit status."""
    asked = ("query", "--group", _PARTNER, "--limit", "1000000", "--format", "jsonl")
    stored, received = (_rows(each.command(*asked)) for each in gateways)
    checks = [json.loads(each.command("verify", "--all", "--json")) for each in gateways]
    _tell_now(
        "\nHeard {received}, stored {stored}, acknowledged after fsync {acknowledged},"
        " received by Bolt & Sons {received_by}; its signature is still lacking for {lacking}.",
        **counted,
    )
    for gateway, check in zip(gateways, checks, strict=True):
        _tell_now(
            "{organisation} checks all it holds: {checked} checked, {valid} valid,"
            " {invalid} invalid.",
            organisation=gateway.organisation,
            **{name: check[name] for name in ("checked", "valid", "invalid")},
        )
    same = stored == received and len(stored) > 0
    _tell_now(
        "Bolt & Sons queries the group: {count} readings, the same as Ace Metals stored: {same}.",
        count=len(received),
        same=say("yes") if same else say("no"),
    )
    whole = all(check["ok"] for check in checks) and counted["lacking"] == 0
    return 0 if same and whole and len(stored) == counted["stored"] >= said > 0 else 1


def _rows(lines: str) -> list[tuple[str, ...]]:
    """Give what a query printed, as what each reading says of itself and where it stands."""
    keys = ("feed", "seq", "device", "metric", "value", "unit", "time")
    rows = [json.loads(line) for line in lines.splitlines()]
    return sorted(tuple(str(row[key]) for key in keys) for row in rows if "device" in row)
