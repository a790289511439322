"""A question about readings, and how the answer is put in order. docs/architecture.md.

In: what is asked, and the records that may answer it with their readings. Out: rows, oldest first,
with how far this gateway knew when it answered. It never verifies (what is stored was verified) and
never hides: what is known to be missing is counted.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from fnmatch import fnmatchcase

from gateway.completeness import Extent, show_time as show_time
from gateway.errors import BadQuestion
from gateway.readings.reading import Gap, Reading
from gateway.records.record import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS = frozenset("group device metric equipment activity org from to min-status limit".split())
_TIME = re.compile(  # RFC 3339, or its date alone, or without seconds or a zone
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_NEVER = -1  # sorts before every time: nobody knows when it was


class Status(IntEnum):
    """How far a record is agreed (protocol, chapter 8); below all of it is what does not count."""

    REJECTED = -1  # its author was removed before it, or is no member
    LOCAL = 0
    REPLICATED = 1
    AGREED = 2
    FINAL = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; None and empty ask for everything. Device and metric may hold * and ?.

    Equipment is a path, which asks for all that stands in it too, or holds * and ?.
    """

    group: str | None = None
    device: str | None = None
    metric: str | None = None
    activity: bytes | None = None
    organisation: bytes | None = None
    from_ms: int | None = None  # from this time on
    to_ms: int | None = None  # and before this one
    status_min: Status = Status.REJECTED
    limit: int | None = None  # the newest so many
    equipment: str | None = None


def understand(options: Mapping[str, str]) -> Question:
    """Read a question from its options by name, as people type them; raise BadQuestion."""
    if unknown := sorted(options.keys() - _OPTIONS):
        raise BadQuestion(
            option=unknown[0], found=options[unknown[0]][:80], reason="no such filter"
        )
    from_ms, to_ms = (_time(name, options.get(name)) for name in ("from", "to"))
    if from_ms is not None and to_ms is not None and from_ms > to_ms:
        raise BadQuestion(option="to", found=options["to"], reason="it is before 'from'")
    return Question(
        options.get("group"),
        options.get("device"),
        options.get("metric"),
        _hash("activity", options.get("activity"), 32),
        _hash("org", options.get("org"), 16),
        from_ms,
        to_ms,
        _status(options.get("min-status", "rejected")),
        _limit(options.get("limit")),
        options.get("equipment"),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One record that may answer: what it says, where, by whom, and how far it is agreed."""

    record: Record
    group: str
    node: bytes
    organisation: bytes
    status: Status
    oldest_ms: int | None  # no reading in it is older
    newest_ms: int | None  # nor newer
    readings: tuple[Reading, ...] | None  # None: the body is not held
    gap: Gap | None = None  # instead of readings: what is missing for good
    provenances: tuple[str, ...] = ()  # who stands for each of the readings
    marks: tuple[str, ...] = ()  # beside its status: pending, contested, late


@dataclass(frozen=True, slots=True)
class Row:
    """One reading and the record that says it."""

    reading: Reading
    told: Told
    provenance: str = ""

    def shown(self, as_of: str) -> dict[str, object]:
        """Give the row under the names that tools rely on; times are RFC 3339 in UTC."""
        record, reading, moment = self.told.record, self.reading, self.told.record.moment
        return {
            "record": record.id.hex(),
            "feed": record.feed.hex(),
            "seq": record.seq,
            "node": self.told.node.hex(),
            "org": self.told.organisation.hex(),
            "group": self.told.group,
            "device": reading.device,
            "metric": reading.metric,
            "value": reading.value,
            "unit": reading.unit,
            "time": None if reading.time_ms is None else show_time(reading.time_ms),
            "quality": reading.quality.value,
            "clock": moment.source.name.lower().replace("_", "-"),
            "clock_uncertainty_ms": moment.uncertainty_ms,
            "monotonic_ms": reading.monotonic_ms,
            "boot": moment.boot.hex(),
            "retained": reading.retained,
            "equipment": reading.equipment,
            "provenance": self.provenance,
            "status": self.told.status.name.lower(),
            "marks": list(self.told.marks),
            "activity": None if record.activity is None else record.activity.hex(),
            "as_of": as_of,
        }


@dataclass(frozen=True, slots=True)
class Missed:
    """A gap that the question would have asked for, and the record that says it."""

    gap: Gap
    told: Told

    def shown(self) -> dict[str, object]:
        """Give the gap under the names that tools rely on; times are RFC 3339 in UTC."""
        gap, numbers = self.gap, self.gap.numbers
        return {
            "record": self.told.record.id.hex(),
            "node": self.told.node.hex(),
            "org": self.told.organisation.hex(),
            "group": self.told.group,
            "device": gap.device,
            "metrics": list(gap.metrics),
            "reason": gap.reason.told,
            "count": gap.count,
            "boot": None if numbers is None else numbers.boot.hex(),
            "numbers": None if numbers is None else [numbers.start, numbers.stop],
            "after": None if gap.after_ms is None else show_time(gap.after_ms),
            "before": None if gap.before_ms is None else show_time(gap.before_ms),
            "status": self.told.status.name.lower(),
            "marks": list(self.told.marks),
        }


class Missing:
    """What is known to be missing from an answer; whole once all its rows were taken."""

    __slots__ = ("bodies", "extents", "gaps", "more", "sealed")

    def __init__(self, extents: Sequence[Extent] = ()) -> None:
        self.extents = extents  # of the groups that were asked
        self.more = False  # older rows were left out by the limit
        self.bodies = 0  # records that may answer, and whose body is not held
        self.sealed = 0  # records of which nobody knows here whether they may answer
        self.gaps: list[Missed] = []  # what nobody has, newest first

    @property
    def complete(self) -> bool:
        """Say whether nothing is known to be missing but the rows beyond the limit."""
        whole = all(each.complete for each in self.extents)
        return whole and not (self.bodies or self.sealed or self.gaps)

    def shown(self) -> dict[str, object]:
        """Give it under the names that tools rely on."""
        gaps = [each.shown() for each in self.gaps]
        within = Counter(each.told.group for each in self.gaps)
        counted = {"bodies_missing": self.bodies, "sealed": self.sealed}
        groups = [each.shown(within[each.group]) for each in self.extents]
        told = {"more": self.more, **counted, "gaps": gaps}
        return {**told, "complete": self.complete, "groups": groups}


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, oldest first, and what is known to be missing from them."""

    rows: tuple[Row, ...]
    more: bool
    bodies_missing: int
    gaps: tuple[Missed, ...] = ()


Key = tuple[int, str, int, int]


@dataclass(slots=True)
class _Newest:
    """Keep the newest rows within the limit while records come, newest first."""

    limit: int
    rows: list[tuple[Key, Row]] = field(default_factory=list)
    dropped: bool = False

    def add(self, key: Key, row: Row) -> None:
        if len(self.rows) < self.limit:
            heapq.heappush(self.rows, (key, row))
        else:
            self.dropped = True
            if self.rows:
                heapq.heappushpop(self.rows, (key, row))

    def can_grow(self, newest_ms: int | None) -> bool:
        """Say whether a record whose readings are no newer than this can still change the rows."""
        if len(self.rows) < self.limit:
            return True
        return self.limit > 0 and (_NEVER if newest_ms is None else newest_ms) >= self.rows[0][0][0]


def answer(question: Question, told: Iterable[Told]) -> Answer:
    """Give the whole answer at once; `told` is as `stream` wants it."""
    missing = Missing()
    rows = tuple(stream(question, told, missing))
    return Answer(rows, missing.more, missing.bodies, tuple(missing.gaps))


def stream(question: Question, told: Iterable[Told], missing: Missing) -> Iterator[Row]:
    """Give the rows that answer, oldest first, and say in `missing` what is not among them.

    With a limit records come with the newest readings first, and so many rows are held; without
    one they come with the oldest first, and what is held are rows of records that overlap.
    """
    if question.limit is not None:
        return _newest(question, question.limit, told, missing)
    return _merged(question, told, missing)


def _newest(
    question: Question, limit: int, told: Iterable[Told], missing: Missing
) -> Iterator[Row]:
    kept = _Newest(limit)
    for each in told:
        if not kept.can_grow(each.newest_ms):
            kept.dropped = True
            break
        for key, row in _rows(question, each, missing):
            kept.add(key, row)
    missing.more = kept.dropped
    yield from (row for _, row in sorted(kept.rows, key=lambda item: item[0]))


def _merged(question: Question, told: Iterable[Told], missing: Missing) -> Iterator[Row]:
    waiting: list[tuple[Key, Row]] = []
    for each in told:
        before = _NEVER if each.oldest_ms is None else each.oldest_ms
        while waiting and waiting[0][0][0] < before:
            yield heapq.heappop(waiting)[1]
        for item in _rows(question, each, missing):
            heapq.heappush(waiting, item)
    while waiting:
        yield heapq.heappop(waiting)[1]
    missing.gaps.reverse()


def matches(pattern: str | None, name: str) -> bool:
    """Say whether a name is the one asked for, or fits the shell pattern."""
    return pattern is None or pattern == name or fnmatchcase(name, pattern)


def stands_in(pattern: str | None, path: str) -> bool:
    """Say whether what stands there stands where it was asked for, or in it."""
    return matches(pattern, path) or (pattern is not None and path.startswith(f"{pattern}/"))


def _record_fits(question: Question, told: Told) -> bool:
    return (
        question.group in (None, told.group)
        and question.organisation in (None, told.organisation)
        and question.activity in (None, told.record.activity)
        and told.status >= question.status_min
    )


def _rows(question: Question, told: Told, missing: Missing) -> Iterator[tuple[Key, Row]]:
    """Give a record's rows that answer; a reading without a time stands where its record begins."""
    if not _record_fits(question, told):
        return
    if told.gap is not None:
        missing.gaps += [Missed(told.gap, told)] if _gap_fits(question, told.gap) else []
        return
    missing.bodies += told.readings is None
    feed, seq = told.record.feed.hex(), told.record.seq
    start = _NEVER if told.oldest_ms is None else told.oldest_ms
    for at, reading in enumerate(told.readings or ()):
        if _reading_fits(question, reading):
            when = start if reading.time_ms is None else reading.time_ms
            provenance = told.provenances[at] if told.provenances else ""
            yield (when, feed, seq, at), Row(reading, told, provenance)


def _gap_fits(question: Question, gap: Gap) -> bool:
    """Say whether readings that were asked for may be among those that are missing."""
    if question.from_ms is not None and (gap.before_ms is None or gap.before_ms < question.from_ms):
        return False
    first_ms = gap.before_ms if gap.after_ms is None else gap.after_ms
    if question.to_ms is not None and (first_ms is None or first_ms >= question.to_ms):
        return False
    return matches(question.device, gap.device) and any(
        matches(question.metric, metric) for metric in gap.metrics
    )


def _reading_fits(question: Question, reading: Reading) -> bool:
    if question.from_ms is not None or question.to_ms is not None:
        if reading.time_ms is None:
            return False
        if question.from_ms is not None and reading.time_ms < question.from_ms:
            return False
        if question.to_ms is not None and reading.time_ms >= question.to_ms:
            return False
    return (
        matches(question.device, reading.device)
        and matches(question.metric, reading.metric)
        and stands_in(question.equipment, reading.equipment)
    )


def _hash(option: str, said: str | None, size: int) -> bytes | None:
    if said is None:
        return None
    if re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", said) is None:
        raise BadQuestion(option=option, found=said[:80], reason=f"it takes {2 * size} hex digits")
    return bytes.fromhex(said)


def _time(option: str, said: str | None) -> int | None:
    if said is None:
        return None
    try:
        if _TIME.fullmatch(said) is None:
            raise ValueError
        moment = datetime.fromisoformat(said)
    except ValueError:
        reason = "it takes a time such as 2026-05-01T08:00:00Z, UTC where no zone is said"
        raise BadQuestion(option=option, found=said[:80], reason=reason) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _status(said: str) -> Status:
    names = [status.name.lower() for status in Status]
    if said.lower() not in names:
        reason = f"it takes {', '.join(names)}"
        raise BadQuestion(option="min-status", found=said[:80], reason=reason)
    return Status[said.upper()]


def _limit(said: str | None) -> int | None:
    if said is None:
        return None
    if re.fullmatch("[0-9]{1,9}", said) is None:
        raise BadQuestion(option="limit", found=said[:80], reason="it takes a number from 0 on")
    return int(said)
