"""Moving the points of a Sparkplug source: one command, and the data that shows it.

In: a point's name and a value. Out: what the edge node or device says then, or NotMoved, or Unsure.
A command has QoS 0: nobody confirms it, so only what is said after it counts. It is sent only while
a birth certificate is in force. Chapter: docs/devices/sparkplug.md.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from gateway.config import SparkplugPoint, SparkplugSource
from gateway.errors import MachineAway
from gateway.readings import moves, sparkplug_command
from gateway.readings.reading import Quality, Reading, Value
from gateway.readings.sparkplug import Host
from gateway.records.record import Moment
from gateway.sources.source import Moved
from gateway.sources.telling import Sight, Telling
from gateway.transport.mqtt import Mqtt


class SparkplugMoves:
    """What edge nodes of one source may be told."""

    def __init__(
        self, source: SparkplugSource, host: Host, mqtt: Mqtt, now: Callable[[], Moment]
    ) -> None:
        self.points = {point.name: point for point in source.point}
        self._host, self._mqtt, self._now = host, mqtt, now
        self._telling = Telling(mqtt.post)
        host.watched = frozenset(_sight(point) for point in source.point)

    async def move(self, name: str, value: Value) -> Moved:
        """Send a command and wait for what shows it; raise NotMoved or Unsure."""
        point = moves.named(self.points, name)
        wanted = moves.checked(point, value)
        say = partial(self._say, point, wanted)
        return await self._telling.tell(point, wanted, say, _sight(point))

    def saw(self, readings: Iterable[Reading]) -> None:
        """Take note of what was said now; in the connection's thread."""
        for each in readings:
            if each.quality is not Quality.BAD:
                self._telling.saw((each.device, each.metric), each.value)

    def _say(self, point: SparkplugPoint, wanted: bool | int | float, said: "Future[None]") -> None:
        """Send it, if somebody is there who was born with that metric; in the thread."""
        knob = self._host.knob(point.device, point.metric)
        if knob is None:
            reason = "no birth certificate in force has it"
            raise MachineAway(point=point.name, reason=reason)
        if point.step is not None:
            shows = self._host.knob(*_sight(point))
            moves.check_step(point, None if shows is None else shows.value, wanted)
        encoded = sparkplug_command.command(point, knob, wanted, self._now().unix_ms)
        if self._mqtt.paused:
            reason = "the source hears nothing until it can store what it heard"
            raise MachineAway(point=point.name, reason=reason)
        if not self._mqtt.publish(sparkplug_command.topic(point), encoded):
            raise MachineAway(point=point.name, reason="there is no connection")
        said.set_result(None)


def _sight(point: SparkplugPoint) -> Sight:
    return point.device, point.readback or point.metric
