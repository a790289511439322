"""What is told to others in the plant: its topics, and that nobody here hears them again.

In: the values of a table [[publish]] that have the right types, and all sources. Out: faults, added
to the list. Reference: docs/config.md.
"""

import re
from collections.abc import Iterable, Mapping as Table
from typing import Final

from gateway.config.checks import check_broker
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.publish import GROUP_ID, TOPIC, Publish
from gateway.config.settings import MqttSource, Source
from gateway.config.sparkplug import SparkplugSource
from gateway.errors import BadPublishTopic, HeardAgain, NoEffect

_PART: Final = re.compile(r"\{([^{}]*)\}")
_PARTS: Final = ("gateway", "device", "metric")
_ONLY: Final = {
    "json": (("group_id", GROUP_ID), ("node_id", "")),
    "sparkplug": (("topic", TOPIC),),
}


def check_publish(
    faults: Faults, at: Path, table: Table[str, object], said: Table[str, object]
) -> None:
    """Check the address, the topic, and that each key is of the format."""
    check_broker(faults, at, said)
    form = said.get("format")
    for key, default in _ONLY.get(form, ()) if isinstance(form, str) else ():
        if table.get(key, default) != default:
            faults.add(NoEffect, (*at, key), reason=f"the format is {form}")
    match said.get("topic"):
        case str() as topic:
            parts = _PART.findall(topic)
            rest = _PART.sub("", topic)
            if unknown := [part for part in parts if part not in _PARTS]:
                reason = f"'{unknown[0][:20]}' is not one of gateway, device and metric"
                faults.add(BadPublishTopic, (*at, "topic"), reason=reason)
            elif any(letter in rest for letter in "+#{}"):
                faults.add(BadPublishTopic, (*at, "topic"), reason="'+' and '#' are for listening")
            elif "metric" not in parts or "device" not in parts:
                reason = "without device and metric nobody can tell the values apart"
                faults.add(BadPublishTopic, (*at, "topic"), reason=reason)


def check_loop(
    faults: Faults, at: Path, publish: Publish | None, sources: Iterable[Source | None]
) -> None:
    """See that no source hears what we publish: each reading would come back, for ever."""
    if publish is None:
        return
    key = "topic" if publish.format == "json" else "group_id"
    for source in sources:
        if not isinstance(source, MqttSource | SparkplugSource):
            continue
        if _same(source, publish) and any(
            meet(heard.split("/"), _levels(publish)) for heard in _heard(source)
        ):
            faults.add(HeardAgain, (*at, key), source=source.name)
            return


def _same(source: MqttSource | SparkplugSource, publish: Publish) -> bool:
    try:
        return (source.broker.host, source.broker.port) == (
            publish.broker.host,
            publish.broker.port,
        )
    except ValueError:
        return False  # An address is a fault already.


def _heard(source: MqttSource | SparkplugSource) -> Iterable[str]:
    if isinstance(source, MqttSource):
        return (re.sub(r"\A\$share/[^/]+/", "", topic) for topic in source.topics)
    return (f"spBv1.0/{group}/#" for group in source.groups)


def _levels(publish: Publish) -> list[str]:
    """Give the levels that we publish below, and # from where they are a device's or metric's."""
    if publish.format == "sparkplug":
        return ["spBv1.0", publish.group_id, "#"]
    before = publish.topic.partition("{")[0].rpartition("/")[0]
    return [*(before.split("/") if before else []), "#"]


def meet(heard: list[str], said: list[str]) -> bool:
    """Say whether a topic can match both filters."""
    for one, other in zip(heard, said, strict=False):
        if "#" in (one, other):
            return True
        if one != other and "+" not in (one, other):
            return False
    return len(heard) == len(said)
