"""Sparkplug with an implementation that is not ours on the other side, over a real broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.config import Publish, SparkplugSource
from gateway.peers.outward import Outward
from gateway.readings.reading import Quality, Reading
from gateway.sources.sparkplug import SparkplugListener
from tests.broker import Broker
from tests.station import Station, now
from tests.stranger import Stranger

PRESS = "plant/line-1/press-1"
BORN = {
    "Temperature": 21.5,
    "Strokes": 5,
    "Offset": -2,
    "Running": True,
    "State": "auto",
    "Tiny": -128,
    "Far": -(2**63),
    "Word": 2**32 - 1,
    "Single": 1.5,
    "Curve": "[1.5,-2.25]",
    "Flags": "[true,false,true]",
    "Names": '["ABC","hello"]',
    "Blob": "data:;base64,AAEC",
    "Nothing": "",
}


async def wait(until: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to be so."""
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


class Heard:
    """A host on a station, and a stranger's edge node."""

    def __init__(self, folder: Path) -> None:
        self.broker, self.station = Broker(folder), Station(folder)
        config = SparkplugSource(
            name="plant",
            url=self.broker.url,
            host_id="press-shop",
            client_id="hulian-test",
            reorder_ms=300,
        )
        self.listener = SparkplugListener(config, self.station.intake("plant"), now, 20)
        self.edge = Stranger("edge_by_pysparkplug", self.broker.port)

    def of(self, metric: str) -> list[Reading]:
        """Give what is stored of a metric of the press."""
        return [
            one for one in self.station.stored() if one.metric == metric and one.device == PRESS
        ]

    def states(self) -> list[str]:
        """Say how the edge node and its device stand."""
        return [life.state for life in self.listener.lives()]


@asynccontextmanager
async def heard(folder: Path) -> AsyncIterator[Heard]:
    made = Heard(folder)
    task = asyncio.create_task(made.listener.run())
    try:
        await wait(lambda: made.listener.state == "connected")
        yield made
    finally:
        task.cancel()
        await asyncio.wait((task,))
        made.edge.close()
        made.station.close()
        made.broker.stop()


def test_a_strangers_edge_node_is_heard(tmp_path: Path) -> None:
    """Births, data by alias and by name, historical and null values: as the stranger meant them."""

    async def story() -> None:
        async with heard(tmp_path) as with_edge:
            edge = with_edge.edge
            edge.do("connect")
            edge.do("alias", alias=10, value=22.25)
            edge.do("update", alias=12, value=-30000)
            edge.do("alias", alias=10, value=19.0, is_historical=True)
            edge.do("alias", alias=10, value=None, is_null=True)
            edge.do("alias", alias=15, value=-1)
            await wait(lambda: len(with_edge.of("Tiny")) == 2)
            born = {name: with_edge.of(name)[0].value for name in BORN}
            assert born == BORN
            assert [one.value for one in with_edge.of("Temperature")] == [21.5, 22.25, 19.0, ""]
            assert with_edge.of("Temperature")[-1].quality is Quality.BAD
            assert with_edge.of("Nothing")[0].quality is Quality.BAD
            assert with_edge.of("Offset")[-1].value == -30000
            assert with_edge.station.quarantined() == []
            assert with_edge.states() == ["alive", "alive"]

    asyncio.run(story())


def test_a_strangers_edge_node_gives_its_certificates_again(tmp_path: Path) -> None:
    """A lost message: one request, which the stranger understands, and aliases hold again."""

    async def story() -> None:
        async with heard(tmp_path) as with_edge:
            edge = with_edge.edge
            edge.do("connect")
            edge.do("skip")
            edge.do("alias", alias=11, value=6)
            asked = await asyncio.to_thread(edge.until, "ncmd")
            assert asked == {"ncmd": ["Node Control/Rebirth"], "values": [True]}
            await wait(lambda: with_edge.listener.counts["births"] == 4)
            edge.do("alias", alias=11, value=7)
            await wait(lambda: [one.value for one in with_edge.of("Strokes")] == [5, 7])
            assert len(with_edge.station.quarantined()) == 1

    asyncio.run(story())


def test_a_strangers_deaths_are_heard(tmp_path: Path) -> None:
    """A device that is taken away, and an edge node that is killed: by certificate and by will."""

    async def story() -> None:
        async with heard(tmp_path) as with_edge:
            edge = with_edge.edge
            edge.do("connect")
            await wait(lambda: with_edge.states() == ["alive", "alive"])
            edge.do("deregister")
            await wait(lambda: with_edge.states() == ["alive", "dead"])
            edge.do("register")
            await wait(lambda: with_edge.states() == ["alive", "alive"])
            edge.kill()
            await wait(lambda: with_edge.states() == ["dead", "dead"])
            await wait(lambda: len(with_edge.of("sparkplug/online")) == 4)
            online = [one.value for one in with_edge.of("sparkplug/online")]
            assert online == [True, False, True, False]

    asyncio.run(story())


def _reading(metric: str, value: Any, time_ms: int = 1_763_726_400_000, **more: Any) -> Reading:
    return Reading("plant/press-1", metric, value, time_ms=time_ms, **more)


def test_a_stranger_hears_our_edge_node(tmp_path: Path) -> None:
    """Births, data, a new metric, a wider type, a rebirth and a death, decoded by the stranger."""
    broker = Broker(tmp_path)
    config = Publish(
        name="scada",
        url=broker.url,
        format="sparkplug",
        group_id="plant",
        node_id="press-shop",
        client_id="hulian-test-publish",
    )
    host = Stranger("host_by_pysparkplug", broker.port, "plant", "press-shop")
    host.until("verb", "listening")
    outward = Outward(config, "press-shop", now)
    outward.start()
    try:
        born = host.until("verb", "NBIRTH")
        assert [one[0] for one in born["metrics"]] == ["bdSeq", "Node Control/Rebirth"]
        assert (born["seq"], born["retain"]) == (0, False)
        outward.show([_reading("Strokes", 5), _reading("Running", True)])
        device = host.until("verb", "DBIRTH")
        assert device["device"] == "plant:2Fpress-1"
        assert [one[:3] for one in device["metrics"]] == [
            ["Strokes", "INT64", 5],
            ["Running", "BOOLEAN", True],
        ]
        assert host.until("verb", "DDATA")["seq"] == 2
        outward.show([_reading("Strokes", -7, 1_763_726_401_000)])
        strokes = host.until("verb", "DDATA")
        assert (strokes["seq"], strokes["metrics"][0][2]) == (3, -7)
        outward.show([_reading("Strokes", 4, 1_763_726_400_500)])
        assert host.until("verb", "DDATA")["metrics"][0][2:5] == [4, False, True]
        outward.show([_reading("Strokes", 7.5, 1_763_726_402_000)])
        wider = host.until("verb", "DBIRTH")
        assert wider["metrics"][0][:3] == ["Strokes", "DOUBLE", 7.5]
        outward.show([_reading("Strokes", "", 1_763_726_403_000, quality=Quality.BAD)])
        host.until("verb", "DDATA")
        assert host.until("verb", "DDATA")["metrics"][0][2:4] == [None, True]
        host.tell()
        again = host.until("verb", "NBIRTH")
        assert (again["seq"], again["metrics"][0]) == (
            0,
            [*born["metrics"][0][:5], again["metrics"][0][5]],
        )
        assert host.until("verb", "DBIRTH")["seq"] == 1
    finally:
        outward.stop()
    death = host.until("verb", "NDEATH")
    assert death["metrics"][0][2] == born["metrics"][0][2]
    assert outward.counts["published"] == 6
    host.close()
    broker.stop()
