"""The first promise, on real processes: what is acknowledged is stored, once."""

import time
from pathlib import Path

from gateway.store import database
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher
from tests.faults import kill


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9() -> None:
    """After 20 kills at random instants every acknowledged message is in the store, once."""
    print(kill.campaign(20, seed=1))


def test_what_kills_left_to_be_recognised_is_forgotten_again(tmp_path: Path) -> None:
    """Once something new is acknowledged for sure, nothing of earlier sessions is expected."""
    broker = Broker(tmp_path)
    agent = AgentProcess(tmp_path, "killed", kill.SOURCE.format(url=broker.url))
    machine = Publisher(broker.port, "load/press")
    try:
        agent.start()
        agent.listen()
        for turn in range(4):
            for number in range(300):
                machine.publish(f'{{"n": {turn * 300 + number}}}')
            agent.kill()
            agent.start()
        machine.finish()
        kill.settle(agent, list(range(1_200)))
        last = Publisher(broker.port, "load/press")
        last.publish('{"n": 1200}')
        last.finish()
        kill.settle(agent, list(range(1_201)))
        until = time.monotonic() + 10
        while (left := _expected(agent)) and time.monotonic() < until:
            time.sleep(0.1)
        assert left == 0
        agent.stop()
    finally:
        agent.end()
        broker.stop()


def _expected(agent: AgentProcess) -> int:
    db = database.connect_to_read(str(agent.state_dir / "store.db"))
    count = int(db.execute("SELECT count(*) FROM unacknowledged").get)
    db.close()
    return count
