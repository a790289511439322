"""A machine, a broker and a gateway on one computer, told in plain words as it happens.

In: for how many seconds, or until Ctrl-C. Out: what happens, a summary, and the gateway's own check
of all it stored. Everything is real and lives in a folder that is removed at the end.
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
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.clock import random_bytes
from gateway.errors import NoBroker
from gateway.store import state
from gateway.web.local import SOCKET

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_PERIOD_S = 0.2
_HULIAN = (sys.executable, "-m", "gateway.cli")
_CONFIG = """[gateway]
name = "press-shop"
state_dir = "{folder}/state"

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
"""


def run(seconds: float | None) -> int:
    """Run the demo; give 0 if all that was heard is stored, acknowledged and verified."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="hulian-demo-") as name:
        folder = Path(name)
        broker, port = _start_broker(folder)
        try:
            config = _set_up(folder, port)
            gateway = subprocess.Popen([*_HULIAN, "--config", config, "run"])
            try:
                said = _speak(folder, port, seconds, stop)
                counted = _settled(config, said)
            finally:
                gateway.send_signal(signal.SIGTERM)
                gateway.wait(30)
            return _tell(config, said, counted)
        finally:
            broker.terminate()
            broker.wait(10)


def _start_broker(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
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
    time.sleep(0.5)
    if broker.poll() is not None:
        raise NoBroker
    print(f"A broker listens on port {port}.", flush=True)
    return broker, port


def _set_up(folder: Path, port: int) -> Path:
    config = folder / "gateway.toml"
    config.write_text(_CONFIG.format(folder=folder, port=port), "utf-8")
    names = state.Names("press-shop", "Ace Metals")
    made = state.create(
        folder / "state", names, random_bytes, int(time.time()), secrets.token_hex(16)
    )
    print(f"Ace Metals has keys of its own; its gateway is {made.node_id.hex()}.", flush=True)
    return config


def _speak(folder: Path, port: int, seconds: float | None, stop: threading.Event) -> int:
    """Be a machine that publishes its temperature; give how often it did."""
    until = time.monotonic() + 20
    while not (folder / "state" / SOCKET).exists() and time.monotonic() < until:
        time.sleep(0.05)
    machine = Client(CallbackAPIVersion.VERSION2)
    machine.connect("127.0.0.1", port)
    machine.loop_start()
    print("Press 7 reports its temperature five times a second, at QoS 1.", flush=True)
    said, ends = 0, None if seconds is None else time.monotonic() + max(1.0, seconds - 8)
    while not stop.wait(_PERIOD_S) and (ends is None or time.monotonic() < ends):
        payload = {"env": {"temp_c": round(60 + 5 * math.sin(said / 20), 2)}, "n": said}
        machine.publish("factory/press-7/telemetry", json.dumps(payload), qos=1).wait_for_publish(5)
        said += 1
        if said % 25 == 0:
            print(f"  it has spoken {said} times; now {payload['env']}", flush=True)
    machine.disconnect()
    machine.loop_stop()
    return said


def _settled(config: Path, said: int) -> dict[str, int]:
    """Wait until the gateway has acknowledged all, and give its counters."""
    counted: dict[str, int] = {}
    for _ in range(50):
        counted = _ask(config, "status", "--json")["counters"]
        if counted["acknowledged"] >= said:
            break
        time.sleep(0.1)
    return counted


def _tell(config: Path, said: int, counted: dict[str, int]) -> int:
    verified = _ask(config, "verify", "--all", "--json")
    print(
        f"Said by the machine {said}, heard {counted['received']}, stored {counted['stored']},"
        f" acknowledged after fsync {counted['acknowledged']}.\n"
        f"Checked again from the store: {verified['checked']} checked, {verified['valid']} valid,"
        f" {verified['invalid']} invalid.",
        flush=True,
    )
    whole = said == counted["stored"] == counted["acknowledged"] and verified["ok"] and said > 0
    return 0 if whole else 1


def _ask(config: Path, *command: str) -> dict[str, dict[str, int]]:
    done = subprocess.run(
        [*_HULIAN, "--config", config, *command], capture_output=True, check=False
    )
    answer: dict[str, dict[str, int]] = json.loads(done.stdout)
    return answer
