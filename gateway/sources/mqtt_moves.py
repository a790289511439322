"""Moving the points of an MQTT source: one message at QoS 1, never retained, and its PUBACK.

In: a point's name and a value. Out: that the broker took the message, and where the point says so
what the machine showed then; or NotMoved, or Unsure. What the broker does with it, and whether a
machine listens, it does not say. Chapter: docs/devices/mqtt.md.
"""

import json
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial

from gateway.config import MqttPoint, MqttSource
from gateway.errors import MachineAway, MachineRefused, Unsure
from gateway.readings import moves
from gateway.readings.reading import Quality, Reading, Value
from gateway.sources.source import Moved
from gateway.sources.telling import Sight, Telling
from gateway.transport.mqtt import Mqtt

_VALUE = "{value}"


class MqttMoves:
    """What may be published to the machines of one source."""

    def __init__(self, source: MqttSource, mqtt: Mqtt) -> None:
        self.points = {point.name: point for point in source.point}
        self._name, self._mqtt = source.name, mqtt
        self._telling = Telling(mqtt.post)
        self._last: dict[Sight, Value] = {}
        self._sights = {self._sight(point) for point in source.point} - {None}
        self._untaken: dict[Future[None], tuple[MqttPoint, Value]] = {}

    async def move(self, name: str, value: Value) -> Moved:
        """Publish a value; raise NotMoved or Unsure."""
        point = moves.named(self.points, name)
        wanted = moves.checked(point, value)
        say = partial(self._say, point, wanted)
        return await self._telling.tell(point, wanted, say, self._sight(point))

    def saw(self, readings: Iterable[Reading]) -> None:
        """Take note of what machines say now; in the connection's thread."""
        if not self._sights:
            return
        for each in readings:
            sight = (each.device, each.metric)
            if sight in self._sights and each.quality is Quality.GOOD:
                self._last[sight] = each.value
                self._telling.saw(sight, each.value)

    def lost(self, reason: str) -> None:
        """Tell whoever waits for the broker that nobody knows whether it took the message."""
        untaken, self._untaken = self._untaken, {}
        for taken, (point, value) in untaken.items():
            taken.set_exception(Unsure(point=point.name, value=value, reason=reason))

    def _sight(self, point: MqttPoint) -> Sight | None:
        return None if point.readback is None else (point.device or self._name, point.readback)

    def _say(self, point: MqttPoint, wanted: bool | int | float, taken: "Future[None]") -> None:
        """Publish, if there is a connection that answers; in its thread."""
        sight = self._sight(point)
        if point.step is not None and sight is not None:
            moves.check_step(point, self._last.get(sight), wanted)
        if self._mqtt.paused:
            reason = "the source hears nothing until it can store what it heard"
            raise MachineAway(point=point.name, reason=reason)
        said = point.payload.replace(_VALUE, json.dumps(wanted)).encode()
        told = partial(self._told, point, wanted, taken)
        if not self._mqtt.hand_over(point.topic, said, told):
            raise MachineAway(point=point.name, reason="there is no connection")
        self._untaken[taken] = (point, wanted)

    def _told(
        self, point: MqttPoint, wanted: Value, taken: "Future[None]", refused: str | None
    ) -> None:
        if self._untaken.pop(taken, None) is None:
            return
        if refused is None:
            taken.set_result(None)
        else:
            fault = MachineRefused(point=point.name, value=wanted, reason=refused)
            taken.set_exception(fault)
