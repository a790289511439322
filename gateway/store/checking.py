"""The store against itself: every signature, chain, root, membership and body; and its own indexes.

In: a connection for reading. Out: how much was checked and what was wrong with it. It trusts the
rosters that are held and nothing else, changes nothing, and never counts what it did not check.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apsw

from gateway.errors import GatewayError
from gateway.groups import announcement
from gateway.groups.group import Group
from gateway.groups.membership import Add
from gateway.readings import senml
from gateway.records import attestation, feed, gap, record, roster, sealing
from gateway.records.feed import Feed, Rosters
from gateway.records.merkle import Frontier
from gateway.records.record import Kind, Record
from gateway.records.roster import Roster
from gateway.store import (
    bodies,
    feeds,
    freezing,
    groups,
    heard,
    islands,
    keyring,
    membership,
    observations,
    quarantine,
)
from gateway.store.database import explained

_FAULTS_MAX = 100
_TILE = 256
_SEQ_MASK = (1 << 32) - 1
Filed = tuple[int, bytes]  # the kind and the id that a record's row names


@dataclass(slots=True)
class Tally:
    """Records checked: valid, invalid, or not known because something they rest on is not held."""

    valid: int = 0
    invalid: int = 0
    unknown: int = 0
    sealed: int = 0  # of the unknown: the body is there, and the key to it is not
    bodies_missing: int = 0  # of the unknown: the body is owed, and never came
    faults: list[str] = field(default_factory=list)
    signed: Counter[bytes] = field(default_factory=Counter)  # samples by their device's key

    @property
    def checked(self) -> int:
        """Count all that was looked at."""
        return self.valid + self.invalid + self.unknown

    @property
    def ok(self) -> bool:
        """Say whether something was checked and nothing was wrong."""
        return self.valid > 0 and self.invalid == 0 and not self.faults

    def fault(self, said: str) -> None:
        """Remember what was wrong, up to a bound."""
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(said)


def verify_all(db: apsw.Connection) -> Tally:
    """Verify every record from the rosters up, in one snapshot: a running agent may go on."""
    tally = Tally()
    with db:
        rosters = _rosters(tally, db)
        rows: list[tuple[Any, ...]] = db.execute(
            "SELECT f.number, f.id, g.id FROM feeds f JOIN groups g ON g.number = f.in_group"
        ).fetchall()
        loaded = {group: _loaded(tally, db, group) for group in {row[2] for row in rows}}
        for number, name, group in rows:
            _verify_feed(tally, db, (int(number), bytes(name)), loaded[group], rosters)
    return tally


@dataclass(frozen=True, slots=True)
class _Among:
    """A group, and who came to it later and was a member at some time: organisation and node."""

    group: Group
    admitted: frozenset[tuple[bytes, bytes]]

    def admit(self, opened: Feed) -> None:
        """Check that a feed's author is, or was, a member; raise NotAMember."""
        if opened.group != self.group.id or (opened.organisation, opened.node) not in self.admitted:
            self.group.admit(opened)


def _rosters(tally: Tally, db: apsw.Connection) -> dict[bytes, Roster]:
    found: dict[bytes, Roster] = {}
    before: Roster | None = None
    rows = db.execute("SELECT encoded, number FROM rosters ORDER BY consortium, number")
    for encoded, number in rows:
        try:
            if before is None or number == 0:
                decoded = roster.decode(encoded)
            else:
                decoded = roster.decode_next(encoded, before)
        except GatewayError as fault:
            tally.fault(f"a roster: {fault}")
            continue
        found[decoded.hash] = before = decoded
    return found


def _loaded(tally: Tally, db: apsw.Connection, group: bytes) -> "_Among | None":
    try:
        held, said = groups.load(db, group), heard.hear(db, group)
        folded = said.fold()
        added = [each.act.member for each in said.changes if isinstance(each.act, Add)]
        joined = {member.node for member in folded.members} | folded.cuts.keys()
        admitted = {(each.organisation, each.node) for each in added if each.node in joined}
        return _Among(held, frozenset(admitted))
    except GatewayError as fault:
        tally.fault(f"group {group.hex()[:16]}: {fault}")
        return None


def _verify_feed(
    tally: Tally,
    db: apsw.Connection,
    named: tuple[int, bytes],
    group: "_Among | None",
    rosters: Rosters,
) -> None:
    """Verify one feed as a peer would that had only the rosters; after a break all is unknown."""
    number, name = named
    following: Feed | None = None
    beyond, last = islands.load(db, name), None
    broken = group is None
    end = freezing.frozen(db, name)
    for seq, encoded, body, filed in _records(db, number):
        if end is not None and seq >= end:
            _verify_contested(tally, db, name, encoded)
            continue
        if broken or group is None:
            tally.unknown += 1
            continue
        try:
            if following is None:
                said, following, _ = feed.open_feed(encoded, body or b"", rosters)
                group.admit(following)
            elif beyond is not None and seq >= beyond.start:
                said = islands.accept(following, seq, last, encoded)
                last = said.id
            else:
                said, following = following.accept(encoded)
            if (int(said.kind), said.id) != filed:
                tally.fault(f"feed {name.hex()[:16]} record {seq}: filed as another kind or id")
            known = _check_body(tally, db, said, body)
            tally.valid += known
            tally.unknown += not known
            tally.sealed += not known and body is not None
            tally.bodies_missing += not known and body is None
        except GatewayError as fault:
            tally.invalid += 1
            tally.fault(f"feed {name.hex()[:16]} record {seq}: {fault}")
            broken = True
    if not broken:
        _verify_head(tally, db, name, following)


def _verify_contested(tally: Tally, db: apsw.Connection, name: bytes, encoded: bytes) -> None:
    """Verify that a record beyond where its feed ends is at least its run's."""
    held = feeds.load(db, name)
    assert held is not None, "its records are read by its number"
    try:
        record.decode(encoded, held.run_key)
        tally.valid += 1
    except GatewayError as fault:
        tally.invalid += 1
        tally.fault(f"feed {name.hex()[:16]}, beyond its end: {fault}")


def _check_body(tally: Tally, db: apsw.Connection, said: Record, body: bytes | None) -> bool:
    """Say whether the body could be checked to its content; raise an AuthorError if it is wrong."""
    if said.body is None:
        return True
    if body is None:
        return False
    content = keyring.content(db, said, body)
    if content is None:
        return False
    if said.body.content_type == senml.CONTENT_TYPE:
        for proved in attestation.check(content):
            tally.signed[proved.key] += len(proved.testimony.samples.samples)
    if said.kind is Kind.GAP:
        gap.decode(content)
    if said.kind is Kind.ANNOUNCEMENT:
        announcement.decode(content)
    return True


def _verify_head(tally: Tally, db: apsw.Connection, name: bytes, found: Feed | None) -> None:
    kept = feeds.load(db, name)
    if found is None and kept is not None and kept.size == 0 == freezing.frozen(db, name):
        return  # Not even its genesis counts.
    if found is None or kept is None or (kept.id, kept.head()) != (found.id, found.head()):
        tally.fault(f"feed {name.hex()[:16]}: its records do not lead to its head")


def _records(db: apsw.Connection, number: int) -> Iterator[tuple[int, bytes, bytes | None, Filed]]:
    low, high = feeds.place(number, 0), feeds.place(number + 1, 0)
    rows = db.execute(
        "SELECT place, encoded, body, kind, id FROM records WHERE place >= ? AND place < ?"
        " ORDER BY place",
        (low, high),
    )
    for place, encoded, body, kind, name in rows:
        yield int(place) & _SEQ_MASK, bytes(encoded), body, (int(kind), bytes(name))


def examine(db: apsw.Connection, step: Callable[[apsw.Connection], list[str]]) -> list[str]:
    """Do one check; a file too damaged to be read on is a finding, and no end of the checks."""
    try:
        with explained(db.filename):
            return step(db)
    except (GatewayError, UnicodeDecodeError) as fault:
        return [str(fault)]


def snapshot(db: apsw.Connection) -> list[str]:
    """Begin to read the store as it is now, until the connection is closed; find nothing yet."""
    db.execute("BEGIN")
    return []


def integrity(db: apsw.Connection) -> list[str]:
    """Check the file's own structure, as SQLite sees it."""
    said = [str(row[0]) for row in db.execute("PRAGMA integrity_check(20)")]
    return [] if said == ["ok"] else said


def heads(db: apsw.Connection) -> list[str]:
    """Check that each head counts the records that are there and ends in the last one."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT h.feed, h.size, h.last, count(r.place), max(r.place) FROM heads h"
        " LEFT JOIN islands i ON i.feed = h.feed LEFT JOIN feeds f ON f.number = h.feed"
        " LEFT JOIN frozen z ON z.feed = f.id LEFT JOIN records r ON r.place >> 32 = h.feed"
        " AND (i.start IS NULL OR r.place & 4294967295 < i.start)"
        " AND (z.seq IS NULL OR r.place & 4294967295 < z.seq) GROUP BY h.feed"
    ).fetchall()
    faults = islands.faults(db)
    for number, size, last, count, newest in rows:
        if count != size or (count and (newest & _SEQ_MASK) != size - 1):
            faults.append(f"feed {number}: {count} records where the head says {size}")
        elif count and db.execute("SELECT id FROM records WHERE place = ?", (newest,)).get != last:
            faults.append(f"feed {number}: the head names another last record")
    return faults


def tiles(db: apsw.Connection) -> list[str]:
    """Compute every tile anew from what is below it."""
    faults = []
    rows: list[tuple[Any, ...]] = db.execute("SELECT * FROM tiles").fetchall()
    for number, level, index, kept in rows:
        low = index << 8
        if level == 8:
            start = feeds.place(number, low)
            query = "SELECT id FROM records WHERE place >= ? AND place < ? ORDER BY place"
            below = db.execute(query, (start, start + _TILE))
        else:
            below = db.execute(
                "SELECT hash FROM tiles WHERE feed = ? AND level = ? AND number >= ?"
                " AND number < ? ORDER BY number",
                (number, level - 8, low, low + _TILE),
            )
        if Frontier().extended(row[0] for row in below).root() != kept:
            faults.append(f"feed {number}: tile {index} of level {level} is not its records' root")
    return faults


def totals(db: apsw.Connection) -> list[str]:
    """Check the running counts and that every observation speaks of a record."""
    entries, size = quarantine.held(db)
    counted = {
        "quarantined": entries,
        "quarantined_bytes": size,
        "records": db.execute("SELECT count(*) FROM records").get,
        "readings": db.execute("SELECT coalesce(sum(readings), 0) FROM observations").get,
    }
    kept = {str(name): value for name, value in db.execute("SELECT name, value FROM totals")}
    faults = [
        f"{name}: {kept.get(name)} where {count} are stored"
        for name, count in counted.items()
        if kept.get(name) != count
    ]
    stray = db.execute(
        "SELECT count(*) FROM observations o LEFT JOIN records r ON r.place = o.place"
        " WHERE r.place IS NULL"
    ).get
    return [*faults, f"{stray} index entries of records that are not there"] if stray else faults


def records(db: apsw.Connection) -> list[str]:
    """Verify every record as `verify_all` does; give what was wrong."""
    return verify_all(db).faults


def indexes(db: apsw.Connection) -> list[str]:
    """Compute anew, from the bodies that are held, which records speak of whom and of when."""
    faults: list[str] = []
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT place, encoded, body FROM records WHERE kind IN (?, ?) AND body IS NOT NULL",
        (int(Kind.OBSERVATION), int(Kind.GAP)),
    ).fetchall()
    for place, encoded, body in rows:
        kept = db.execute(
            "SELECT device, first_ms, last_ms, readings FROM observations WHERE place = ?", (place,)
        )
        found = {(str(device), *more) for device, *more in kept}
        try:
            said = record.parse(encoded)
            content = keyring.content(db, said, body)
            spans = () if content is None else observations.spans_of(said.kind, content)
        except GatewayError:
            continue  # `records` says what is wrong with it
        if found != set(spans) and len(faults) < _FAULTS_MAX:
            faults.append(f"record {place & _SEQ_MASK} of feed {place >> 32}: its index differs")
    return faults


def keys(db: apsw.Connection) -> list[str]:
    """Check that each sender key is the one that its feed announced."""
    faults = []
    rows: list[tuple[Any, ...]] = db.execute("SELECT feed, number, key FROM sender_keys").fetchall()
    for feed_id, number, key in rows:
        announced = keyring.announced_hash(db, feed_id, number)
        if announced != sealing.key_hash(key):
            faults.append(f"feed {feed_id.hex()[:16]}: key {number} is not the one announced")
    return faults


def members(db: apsw.Connection) -> list[str]:
    """Fold every group's membership anew, and compare what is kept of it."""
    rows: list[tuple[Any, ...]] = db.execute("SELECT id FROM groups").fetchall()
    return [
        f"group {identity.hex()[:16]}: its members are not what its records say"
        for (identity,) in rows
        if not membership.is_kept(db, identity)
    ]


def rings(db: apsw.Connection) -> list[str]:
    """Check what this node's feeds announced last against the records that announced it."""
    rows: list[tuple[Any, ...]] = db.execute("SELECT feed FROM rings").fetchall()
    return [
        f"feed {name.hex()[:16]}: what it announced last is not in its records"
        for (name,) in rows
        if not keyring.is_announced(db, name)
    ]


def notes(db: apsw.Connection) -> list[str]:
    """Say what is not wrong and was let go of on purpose, with its count and reason."""
    totals = {str(name): int(value) for name, value in db.execute("SELECT name, value FROM totals")}
    owed = bodies.count_owed(db)
    missing = [f"bodies_missing: {owed} records are held without their body"] if owed else []
    return missing + [
        f"quarantine: {totals[name]} let go of, the oldest first: {reason}"
        for name, reason in quarantine.REASONS.items()
        if totals.get(name)
    ]
