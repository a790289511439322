"""Kill -9 at random instants under QoS 1 load from a real broker: nothing acknowledged is lost.

Every message that the publisher saw acknowledged is in the store, once, whatever was killed when.
"""

import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.agents import AgentProcess
from tests.broker import Broker, Publisher

_PATIENCE_S = 30
SOURCE = """
[[source]]
name = "load"
type = "mqtt"
url = "{url}"
topics = ["load/#"]
device = "topic[1]"
"""


def run(long: bool) -> str:
    """Kill 200 times, or 5,000; give the figures, raise AssertionError at the first loss."""
    return campaign(5_000 if long else 200, seed=int(time.time()))


def campaign(kills: int, seed: int, term: int = 5) -> str:
    """Kill `kills` times, then stop `term` times in order, under load; check the store."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        try:
            agent = AgentProcess(folder, "killed", SOURCE.format(url=broker.url))
            agent.start()
            agent.listen()
            said = _suffer(agent, broker, chance, (kills, term))
            settle(agent, said)
            agent.stop()
            found = Counter(reading.value for reading in agent.readings())
        finally:
            agent.end()
            broker.stop()
    lost = [value for value in said if value not in found]
    doubled = [value for value, count in found.items() if count > 1]
    assert not lost and not doubled, f"seed {seed}: lost {lost[:9]}, doubled {doubled[:9]}"
    return f"kills {kills}, stops {term}, acknowledged {len(said)}, lost 0, doubled 0 (seed {seed})"


def _suffer(
    agent: AgentProcess, broker: Broker, chance: random.Random, ends: tuple[int, int]
) -> list[int]:
    """End the agent again and again under load; give what the publisher saw acknowledged."""
    publisher = Publisher(broker.port, "load/press")
    going = threading.Event()
    going.set()

    def publish() -> None:
        number = 0
        while going.is_set():
            if publisher.waiting() < 400:
                publisher.publish(f'{{"n": {number}}}')
                number += 1
            if number % 50 == 0:  # More than it stores between two kills, so a queue is there.
                time.sleep(0.05)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for number in range(sum(ends)):
            time.sleep(chance.uniform(0.0, 0.25))
            agent.kill() if number < ends[0] else agent.stop()
            agent.start()
    finally:
        going.clear()
        thread.join()
        publisher.finish()
    return [int(payload[6:-1]) for payload in publisher.acknowledged()]


def settle(agent: AgentProcess, said: list[int]) -> None:
    """Wait until the broker's queue has come in, or nothing comes any more."""
    wanted, stored, until = len(set(said)), -1, time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        time.sleep(0.5)
        before, stored = stored, agent.status()["store"]["readings"]
        if stored >= wanted:
            time.sleep(0.5)
            return
        if stored > before:
            until = time.monotonic() + _PATIENCE_S
