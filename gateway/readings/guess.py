"""A guess: what the payloads of topics may be, and how a source could map them. operations.md.

In: topics with some of their payloads. Out: what kind of payload each has, and sources to propose,
each of which was tried on the payloads it is for. A guess is shown to a person and never acted on.
It takes the place in a topic that tells devices apart for the device, and a key that is called like
a time and holds one for the time.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping as Table, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.config import MqttSource
from gateway.config.proposal import Said, named
from gateway.errors import PayloadError
from gateway.readings import packs, payloads, times
from gateway.readings.mapping import Mapping
from gateway.readings.reading import Arrival, Reading

_FILTERS_MAX: Final = 8  # Of more, one filter that is wider is easier to read.
METRICS_MAX: Final = 32  # Beyond it the source takes every number by its own name.
# Levels that say what is said there, and not of whom.
_GENERAL: Final = frozenset(
    "telemetry data state status value values measurement measurements sensor json up event events"
    " attributes readings payload senml cbor out tx message messages".split()
)
_TIME: Final = re.compile(r"(?i)(ts|t|time|date|datetime|.*time_?stamp|.*_(at|ts|time))")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPARKPLUG: Final = "spBv1.0"
_OWN: Final = "hulian"  # What gateways say to each other.
MAPPED: Final = ("json", "senml-json", "senml-cbor", "cbor", "text")


@dataclass(frozen=True, slots=True)
class Seen:
    """A topic, how often something was said there, and some of it, the newest last."""

    topic: str
    count: int
    payloads: tuple[bytes, ...]
    retained: bool = False

    @property
    def kind(self) -> str:
        """Give what kind of payload it has."""
        return kind(self.topic, self.payloads[-1] if self.payloads else b"")


@dataclass(frozen=True, slots=True)
class Guess:
    """Topics that one source could hear, that source, and what it makes of what was seen."""

    topics: tuple[str, ...]
    source: Said
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What topics of one source have in common."""

    kind: str
    depth: int
    keys: frozenset[str]
    metric: str | None


def kind(topic: str, payload: bytes) -> str:
    """Give a source's format, or sparkplug, hulian, empty or binary."""
    first = topic.partition("/")[0]
    if first in (_SPARKPLUG, _OWN):
        return "sparkplug" if first == _SPARKPLUG else "hulian"
    if not payload:
        return "empty"
    for form, decode in _CONTAINERS:
        try:
            said = decode(payload)
        except PayloadError:
            continue
        if isinstance(said, dict | list) and (not form.startswith("senml") or _is_pack(said)):
            return form
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "binary"
    return "text" if all(one.isprintable() or one in "\t\r\n" for one in text) else "binary"


def _is_pack(said: object) -> bool:
    """Say whether it is a pack with something in it, which all of its entries are."""
    return (
        isinstance(said, list) and bool(said) and all(isinstance(one, packs.Entry) for one in said)
    )


_CONTAINERS: Final[tuple[tuple[str, Callable[[bytes], object]], ...]] = (
    ("senml-json", packs.from_json),
    ("json", payloads.from_json),
    ("senml-cbor", packs.from_cbor),
    ("cbor", payloads.from_cbor),
)
_READ: Final = dict(_CONTAINERS)


def guesses(
    beside: Said, seen: Sequence[Seen], taken: Collection[str], arrival: Arrival
) -> tuple[Guess, ...]:
    """Propose sources for topics; `beside` is the broker's url and login, `taken` are names."""
    alike: defaultdict[_Shape, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.payloads and (form := one.kind) in MAPPED:
            alike[_shape(one, form)].append(one)
    found: list[Guess] = []
    for shape, topics in alike.items():
        others = {one.topic for one in seen} - {one.topic for one in topics}
        names = {*taken, *(str(one.source["name"]) for one in found)}
        guess = _tried(_source(beside, shape, topics, others), topics, names, arrival)
        if guess is not None:
            found.append(guess)
    return tuple(found)


def _shape(one: Seen, form: str) -> _Shape:
    levels = one.topic.split("/")
    keys: frozenset[str] = frozenset()
    if form in ("json", "cbor"):
        keys = frozenset(key for said in _said(one, form) for key in _element(said)[1])
    metric = levels[-1] if form == "text" and len(levels) > 1 else None
    return _Shape(form, len(levels), keys, metric)


def _said(one: Seen, form: str) -> Iterator[object]:
    if form not in _READ:
        return
    for payload in one.payloads:
        try:
            yield _READ[form](payload)
        except PayloadError:
            continue


def _element(said: object) -> tuple[str | None, Table[str, object]]:
    """Give where a list of moments is in a payload, if it is one, and what is said of a moment."""
    match said:
        case [dict() as first, *_]:
            return "@", first
        case dict():
            for key, item in said.items():
                match item:
                    case [dict() as first, *_] if len(said) <= 3:
                        return _path((key,)), first
            return None, said
    return None, {}


def _source(beside: Said, shape: _Shape, topics: Sequence[Seen], others: set[str]) -> Said:
    """Put together what one source would say of topics of one shape."""
    level = _device_level(shape, [one.topic.split("/") for one in topics])
    source: Said = {
        **{"name": "", "type": "mqtt", **beside},
        "topics": _filters([one.topic for one in topics], level, others),
        "format": shape.kind,
        "device": f"topic[{level}]",
    }
    if shape.kind == "text" and shape.metric is not None and level != shape.depth - 1:
        source["metric"] = [{"name": shape.metric}]
    said = [each for one in topics for each in _said(one, shape.kind)]
    if shape.kind in ("json", "cbor"):
        source |= _inside(said)
    elif any(len(_stems(pack)) > 1 for pack in said):
        source["device"] = "bn"  # A pack about several devices says itself which.
    return source


def _stems(pack: object) -> set[str]:
    entries = pack if isinstance(pack, list) else []
    return {one.stem for one in entries if isinstance(one, packs.Entry)}


def _device_level(shape: _Shape, topics: Sequence[list[str]]) -> int:
    """Find the level that tells most devices apart; of a text the last one is its metric."""
    last = shape.depth - 1
    candidates = [
        at
        for at in range(shape.depth)
        if not (at == last and shape.metric is not None)
        and any(levels[at].lower() not in _GENERAL and levels[at] for levels in topics)
    ]
    return max(candidates or [0], key=lambda at: (len({levels[at] for levels in topics}), at))


def _filters(topics: Sequence[str], level: int, others: set[str]) -> tuple[str, ...]:
    """Give filters for these topics and for none of the others."""
    around: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for topic in topics:
        levels = topic.split("/")
        around[(*levels[:level], "+", *levels[level + 1 :])].append(topic)
    filters: list[str] = []
    for wanted, within in around.items():
        wild = len(within) > 1 and not any(_fits(wanted, other) for other in others)
        filters += ["/".join(wanted)] if wild else within
    if len(filters) > _FILTERS_MAX:
        columns = zip(*(topic.split("/") for topic in topics), strict=True)
        broad = [one[0] if len(set(one)) == 1 else "+" for one in columns]
        if not any(_fits(broad, other) for other in others):
            return ("/".join(broad),)
    return tuple(filters)


def _fits(wanted: Sequence[str], topic: str) -> bool:
    levels = topic.split("/")
    pairs = zip(wanted, levels, strict=False)
    return len(wanted) == len(levels) and all(want in ("+", level) for want, level in pairs)


def _inside(said: Sequence[object]) -> Said:
    """Say what stands where in payloads: the list of moments, the time, the metrics."""
    found: Said = {}
    each, _ = _element(said[-1])
    elements = [element for where, element in map(_element, said) if where == each]
    common = [dict(_leaves(element, ())) for element in elements]
    shared = [path for path in common[-1] if all(path in one for one in common)]
    time = next((path for path in shared if _is_time(path, [one[path] for one in common])), None)
    if each is not None:
        found["each"] = each
    if time is not None:
        found["time"] = _path(time)
    rows = [
        {"name": ".".join(path), "path": _path(path)}
        for path in shared
        if path != time and not isinstance(common[-1][path], str)
    ]
    if each is not None or len(rows) <= METRICS_MAX:
        found["metric"] = rows[:METRICS_MAX] or None
    return found


def _leaves(said: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Walk objects within objects to their numbers, truths and texts."""
    match said:
        case dict():
            for key, item in said.items():
                yield from _leaves(item, (*path, str(key)))
        case bool() | int() | float() | str() if path:
            yield path, said


def _is_time(path: tuple[str, ...], found: Sequence[object]) -> bool:
    """Say whether a key is called like a time, and always holds one."""
    if not _TIME.fullmatch(path[-1]):
        return False
    try:
        return all(times.unix_ms(one, "auto", None) is not None for one in found)
    except ValueError:
        return False


def _path(keys: Sequence[str]) -> str:
    """Write keys as JMESPath."""
    return ".".join(key if _PLAIN.fullmatch(key) else json.dumps(key) for key in keys)


def _wish(topics: Sequence[str]) -> str:
    """Call a source by the levels that all of its topics share, as far as they say something."""
    shared = [
        levels[0]
        for levels in zip(*(topic.split("/") for topic in topics), strict=False)
        if len(set(levels)) == 1 and levels[0].lower() not in _GENERAL
    ]
    return "-".join(filter(None, shared)) or "mqtt"


def _tried(
    source: Said, topics: Sequence[Seen], taken: Collection[str], arrival: Arrival
) -> Guess | None:
    """Map by a source what it is for; None where it makes nothing of it."""
    source = {**source, "name": named(_wish([one.topic for one in topics]), taken)}
    readings: list[Reading] = []
    try:
        mapping = Mapping.of(msgspec.convert(source, MqttSource, strict=False))
    except (msgspec.ValidationError, ValueError):
        return None
    for one in topics:
        try:
            readings += mapping.read(one.topic, one.payloads[-1], arrival).readings
        except PayloadError:
            continue
    if not readings:
        return None
    return Guess(tuple(one.topic for one in topics), source, tuple(readings))
