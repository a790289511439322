"""An MQTT source with a real broker and store: what a store that refuses does to it."""

import time
from collections.abc import Callable
from pathlib import Path

from gateway.config.settings import MqttSource
from gateway.sources.mqtt import MqttListener
from gateway.store.database import connect
from tests.broker import Broker, Publisher
from tests.station import Station, now


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_store_that_cannot_be_written_at_a_new_session_is_waited_for(tmp_path: Path) -> None:
    """Where the session before cannot be forgotten, the source waits and says why; all it heard
    is stored once the store can be written again, with no restart."""
    broker, station = Broker(tmp_path), Station(tmp_path)
    config = MqttSource(name="meters", url=broker.url, topics=("t/#",), client_id="meters")
    listener = MqttListener(config, station.intake("meters"), now, 20)
    station.writer.submit(lambda db: db.set_busy_timeout(50)).result()
    other = connect(station.path)
    other.execute("BEGIN IMMEDIATE")  # A writer that does not end.
    try:
        listener.start()
        _until(lambda: listener.state == "connected")
        machine = Publisher(broker.port, "t/a")
        for number in range(3):
            machine.publish(f'{{"n": {number}}}')
        machine.finish()
        _until(lambda: listener.state == "waiting")
        assert listener.reason.startswith("store.unwritable")
        time.sleep(1.2)  # Several attempts: each of them fails, and none ends the source.
        assert (listener.state, listener.counts["acknowledged"]) == ("waiting", 0)
        other.execute("ROLLBACK")
        _until(lambda: listener.counts["acknowledged"] == 3)
        assert [each.value for each in station.stored()] == [0, 1, 2]
        assert listener.state == "connected"
    finally:
        listener.stop()
        station.writer.close()
        other.close()
        broker.stop()


def test_a_source_ends_at_once_when_the_store_is_closed(tmp_path: Path) -> None:
    """What cannot be committed any more is waited for by nobody, and not acknowledged."""
    broker, station = Broker(tmp_path), Station(tmp_path)
    config = MqttSource(name="meters", url=broker.url, topics=("t/#",), client_id="meters")
    listener = MqttListener(config, station.intake("meters"), now, 20)
    try:
        listener.start()
        _until(lambda: listener.state == "connected")
        machine = Publisher(broker.port, "t/a")
        machine.publish('{"n": 1}')
        _until(lambda: listener.counts["acknowledged"] == 1)
        station.writer.close()
        machine.publish('{"n": 2}')
        machine.finish()
        _until(lambda: listener.counts["received"] == 2)
    finally:
        begun = time.monotonic()
        listener.stop()
        broker.stop()
    assert time.monotonic() - begun < 5
    assert listener.counts["acknowledged"] == 1
