"""Whose a message is: by its topic, by the config, or by itself; never by a guess. mapping.md.

In: a topic and what a payload says. Out: the device's name, or a PayloadError where nothing names
it, where no device is bound to the topic, or where the payload claims to be of another device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gateway.config import Bind, MqttSource
from gateway.config.checks import TOPIC_LEVEL
from gateway.errors import NoDevice, UnboundTopic, WrongDevice
from gateway.readings import paths
from gateway.readings.names import is_name
from gateway.readings.paths import Find

NameDevice = Callable[[str, object], object]
_TOPICS_KEPT = 8192


@dataclass(frozen=True, slots=True)
class Naming:
    """How one source's messages get their device."""

    device: NameDevice
    in_payload: bool
    claim: Find | None
    # Of devices with a place of their own in the plant.
    equipment: dict[str, str]

    @classmethod
    def of(cls, source: MqttSource) -> "Naming":
        """Compile a source's settings, which `config` has checked."""
        said = source.device
        literal = said is None or paths.literal(said) is not None
        return cls(
            _bound(source.bind) if source.bind else _device(said, source.name),
            not (source.bind or literal or TOPIC_LEVEL.fullmatch(said or "")),
            paths.find(source.claim, "claim") if source.claim else None,
            {bind.device: bind.equipment for bind in source.bind if bind.equipment},
        )

    def name(self, topic: str, said: object, whole: object) -> str:
        """Name the device, or refuse: a reading is never put under a guessed or claimed one."""
        found = self.device(topic, said)
        if found is None and whole is not said:
            found = self.device(topic, whole)
        name = _text(found)
        if name is None:
            missing = "nothing" if found is None else "neither a text nor an integer"
            raise NoDevice(reason=f"its path leads to {missing}")
        if not is_name(name):
            raise NoDevice(reason="it is empty, too long, or has letters that cannot be printed")
        if self.claim is not None:
            for part in (said,) if whole is said else (said, whole):
                claimed = self.claim(part)
                if claimed is not None and _text(claimed) != name:
                    raise WrongDevice(claimed=ascii(claimed)[:80], device=ascii(name)[:80])
        return name


def expected(source: MqttSource) -> tuple[str, ...]:
    """Name the devices that a source has by its config, whether or not they were ever heard."""
    if source.bind:
        return tuple(bind.device for bind in source.bind)
    if source.device is None:
        return (source.name,)
    text = None if TOPIC_LEVEL.fullmatch(source.device) else paths.literal(source.device)
    return () if text is None else (text,)


def _text(found: object) -> str | None:
    """Give a name as it is, and the digits of a number that is one."""
    if type(found) is int:
        return str(found)
    return found if isinstance(found, str) else None


def _device(device: str | None, source_name: str) -> NameDevice:
    """Say how to name the device: by a topic level, a path, a quoted text, or the source's name."""
    if device is None or (text := paths.literal(device)) is not None:
        name = source_name if device is None else text
        return lambda _topic, _said: name
    if level := TOPIC_LEVEL.fullmatch(device):
        place = int(level[1])

        def of_topic(topic: str, _said: object) -> object:
            try:
                return topic.split("/")[place]
            except IndexError:
                raise NoDevice(reason=f"the topic has no level {place}") from None

        return of_topic
    in_payload = paths.find(device, "device")
    return lambda _topic, said: in_payload(said)


def _bound(binds: tuple[Bind, ...]) -> NameDevice:
    """Name the device that the topic is bound to: the first whose filters match."""
    filters = [(filter.split("/"), bind.device) for bind in binds for filter in bind.topics]

    @lru_cache(maxsize=_TOPICS_KEPT)
    def named(topic: str) -> str | None:
        levels = topic.split("/")
        return next((device for wanted, device in filters if _matches(wanted, levels)), None)

    def of_topic(topic: str, _said: object) -> object:
        device = named(topic)
        if device is None:
            raise UnboundTopic()
        return device

    return of_topic


def _matches(wanted: list[str], levels: list[str]) -> bool:
    """Say whether a topic matches a filter (MQTT 5.0, 4.7)."""
    if levels[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(levels) == len(wanted)
