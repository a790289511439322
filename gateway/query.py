"""A question about readings, and how the answer is put in order. docs/architecture.md.

In: what is asked, and the records that may answer it with their readings. Out: rows, oldest first,
with how far this gateway knew when it answered. It never verifies (what is stored was verified) and
never hides: what is known to be missing is counted.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from fnmatch import fnmatchcase

from gateway.readings.reading import Gap, Reading
from gateway.records.record import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = -1  # sorts before every time: nobody knows when it was


class Status(IntEnum):
    """How far a record is agreed (protocol, chapter 8)."""

    LOCAL = 0
    REPLICATED = 1
    AGREED = 2
    FINAL = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; None and empty ask for everything. Device and metric may hold * and ?."""

    group: str | None = None
    device: str | None = None
    metric: str | None = None
    activity: bytes | None = None
    organisation: bytes | None = None
    from_ms: int | None = None  # from this time on
    to_ms: int | None = None  # and before this one
    status_min: Status = Status.LOCAL
    limit: int | None = None  # the newest so many


@dataclass(frozen=True, slots=True)
class Told:
    """One record that may answer: what it says, where, by whom, and how far it is agreed."""

    record: Record
    group: str
    node: bytes
    organisation: bytes
    status: Status
    newest_ms: int | None  # no reading in it is newer
    readings: tuple[Reading, ...] | None  # None: the body is not held
    gap: Gap | None = None  # instead of readings: what is missing for good


@dataclass(frozen=True, slots=True)
class Row:
    """One reading and the record that says it."""

    reading: Reading
    told: Told

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
            "status": self.told.status.name.lower(),
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
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, oldest first, and what is known to be missing from them."""

    rows: tuple[Row, ...]
    more: bool  # older ones were left out by the limit
    bodies_missing: int  # records that may answer, and whose body is not held
    gaps: tuple[Missed, ...] = ()  # readings that there were and that nobody has, newest first


@dataclass(slots=True)
class _Newest:
    """Keep the newest rows within the limit while records come, newest first."""

    limit: int | None
    rows: list[tuple[tuple[int, str, int, int], Row]] = field(default_factory=list)
    dropped: bool = False

    def add(self, key: tuple[int, str, int, int], row: Row) -> None:
        if self.limit is None:
            self.rows.append((key, row))
        elif len(self.rows) < self.limit:
            heapq.heappush(self.rows, (key, row))
        else:
            self.dropped = True
            if self.rows:
                heapq.heappushpop(self.rows, (key, row))

    def can_grow(self, newest_ms: int | None) -> bool:
        """Say whether a record whose readings are no newer than this can still change the rows."""
        if self.limit is None or len(self.rows) < self.limit:
            return True
        return self.limit > 0 and (_NEVER if newest_ms is None else newest_ms) >= self.rows[0][0][0]


def answer(question: Question, told: Iterable[Told]) -> Answer:
    """Pick the readings that answer; records come with the newest first."""
    kept, missing, gaps = _Newest(question.limit), 0, list[Missed]()
    for each in told:
        if not kept.can_grow(each.newest_ms):
            kept.dropped = True
            break
        if not _record_fits(question, each):
            continue
        if each.gap is not None:
            gaps += [Missed(each.gap, each)] if _gap_fits(question, each.gap) else []
            continue
        if each.readings is None:
            missing += 1
            continue
        for key, row in _rows(question, each, each.readings):
            kept.add(key, row)
    ordered = sorted(kept.rows, key=lambda item: item[0])
    return Answer(tuple(row for _, row in ordered), kept.dropped, missing, tuple(gaps))


def show_time(unix_ms: int) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def matches(pattern: str | None, name: str) -> bool:
    """Say whether a name is the one asked for, or fits the shell pattern."""
    return pattern is None or pattern == name or fnmatchcase(name, pattern)


def _record_fits(question: Question, told: Told) -> bool:
    return (
        question.group in (None, told.group)
        and question.organisation in (None, told.organisation)
        and question.activity in (None, told.record.activity)
        and told.status >= question.status_min
    )


def _rows(
    question: Question, told: Told, readings: tuple[Reading, ...]
) -> Iterator[tuple[tuple[int, str, int, int], Row]]:
    feed, seq = told.record.feed.hex(), told.record.seq
    for at, reading in enumerate(readings):
        if _reading_fits(question, reading):
            when = _NEVER if reading.time_ms is None else reading.time_ms
            yield (when, feed, seq, at), Row(reading, told)


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
    return matches(question.device, reading.device) and matches(question.metric, reading.metric)
