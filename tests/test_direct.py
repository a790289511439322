"""Two gateways, each a process, over a link of their own and no broker between them."""

import time
from pathlib import Path

from tests.agents import AgentProcess, introduce, running
from tests.broker import Broker, Publisher
from tests.linked import free_port

_CONFIG = """
[[link]]
name = "direct"
{way}

[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["{name}/#"]
device = "topic[1]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""


def test_two_gateways_without_a_broker_hold_what_both_said(tmp_path: Path) -> None:
    """One listens, the other dials; each holds and has the other's signature for all."""
    port, agents = free_port(), []
    ways = {"ace": f'listen = "127.0.0.1:{port}"', "bolt": f'url = "https://127.0.0.1:{port}"'}
    broker = Broker(tmp_path)  # Of the machines alone.
    for name, way in ways.items():
        (tmp_path / name).mkdir()
        config = _CONFIG.format(way=way, url=broker.url, name=name)
        agents.append(AgentProcess(tmp_path / name, name, config))
    introduce(*agents)
    with running(broker, *agents):
        for name in ways:
            machine = Publisher(broker.port, f"{name}/press")
            for number in range(50):
                machine.publish(f'{{"n": {number}}}')
            machine.finish()
        for each in agents:
            _wait(each)
        kinds = [
            (link["kind"], link["state"]) for each in agents for link in each.status()["links"]
        ]
        assert kinds == [("listen", "up"), ("https", "up")]
        for each in agents:
            each.stop()


def _wait(agent: AgentProcess) -> None:
    """Wait until an agent holds all, has the other's signature, and says whom its link reaches."""
    until = time.monotonic() + 60
    while True:
        stands = agent.status()
        peers = [peer["lacking"] for peer in stands["peers"]]
        reached = [len(link["peers"]) for link in stands["links"]]
        if len(agent.readings()) == 100 and peers == [0] and reached == [1]:
            return
        assert time.monotonic() < until, f"{stands}\n{agent.log()}"
        time.sleep(0.1)
