"""A plant with one broker: a tap before it, an edge node's hand, and a gateway's inside."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
from msgspec import structs
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import SparkplugSource
from gateway.sources.sparkplug import SparkplugListener
from tests.broker import Broker
from tests.station import Station, now
from tests.tap import Packet, Tap
from tests.vectors import build_sparkplug

STATE = "spBv1.0/STATE/press-shop"
NCMD = "spBv1.0/plant/NCMD/line-1"
REORDER_MS = 300


class Plant:
    """A broker, a tap before it, an edge node's hand, and a gateway's inside."""

    def __init__(self, folder: Path, old: bool = False) -> None:
        self.broker = Broker(folder)
        self.tap = Tap(self.broker.port, old)
        self.station = Station(folder)
        self.edge = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.edge.connect("127.0.0.1", self.broker.port)
        self.edge.loop_start()
        self.config = SparkplugSource(
            name="plant",
            url=f"mqtt://127.0.0.1:{self.tap.port}",
            groups=("plant",),
            host_id="press-shop",
            client_id="hulian-test",
            reorder_ms=REORDER_MS,
        )

    def say(self, topic: str, said: bytes) -> None:
        """Publish as the edge node, and wait until it is out."""
        self.edge.publish(topic, said, qos=0).wait_for_publish(5)

    def born(self) -> None:
        """Publish the birth certificates."""
        for _, topic, _, said, _ in build_sparkplug.births():
            self.say(topic, said)

    @asynccontextmanager
    async def host(self, **changes: object) -> AsyncIterator[SparkplugListener]:
        """Run the host until the end of the block; then it leaves by itself."""
        config = structs.replace(self.config, **changes)
        listener = SparkplugListener(config, self.station.intake("plant"), now, 20)
        task = asyncio.create_task(listener.run())
        try:
            await wait(lambda: listener.state == "connected")
            yield listener
        finally:
            task.cancel()
            await asyncio.wait((task,))

    def states(self) -> list[Packet]:
        """Give the STATE messages of the host so far."""
        return self.tap.find(sender="host", kind="PUBLISH", topic=STATE)

    def close(self) -> None:
        """End it all."""
        self.edge.disconnect()
        self.edge.loop_stop()
        self.tap.close()
        self.station.close()
        self.broker.stop()


async def wait(until: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to be so."""
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)
