"""How far each feed is agreed and cosigned, as a projection: two sizes for each feed.

In: up to where members have receipted a feed, as `receipts` finds it, and up to where witnesses
stand for it. Out: the status of its records, by a comparison. It judges nothing: `groups/status`
and `groups/finality` say what is agreed and what is final. Protocol: docs/protocol/agreement.md.
"""

from dataclasses import dataclass

import apsw

from gateway.groups import status
from gateway.groups.heard import view_in
from gateway.groups.status import Requirements, Span
from gateway.records.feed import View
from gateway.records.record import SALT_BYTES
from gateway.store import feeds
from gateway.store.heard import hear

# How many records of a feed f count, by where it ends and by the removals of its node.
_CUT = (
    "(SELECT min(h.size, coalesce((SELECT c.size FROM cuts c WHERE c.in_group = f.in_group"
    " AND c.node = f.node AND c.feed IN (f.id, x'') ORDER BY c.feed DESC LIMIT 1), h.size))"
    " FROM heads h WHERE h.feed = f.number)"
)
_ID_BYTES, _ORGANISATION_BYTES = 32, 16


@dataclass(frozen=True, slots=True)
class Standing:
    """Up to which sizes a feed is agreed, and cosigned by a quorum of its group's witnesses."""

    agreed: int = 0
    cosigned: int = 0

    @property
    def final(self) -> int:
        """Give up to where its records are final."""
        return min(self.agreed, self.cosigned)


def of(db: apsw.Connection, feed: bytes) -> Standing:
    """Give how far a feed stands; a feed that is not known stands nowhere."""
    row = db.execute(
        "SELECT s.agreed, s.cosigned FROM standing s JOIN feeds f ON f.number = s.feed"
        " WHERE f.id = ?",
        (feed,),
    ).fetchone()
    return Standing() if row is None else Standing(*row)


def cosigned(db: apsw.Connection, feed: bytes, size: int) -> None:
    """Keep that a held feed is cosigned up to a size at which its root is ours; it never falls."""
    db.execute(
        "INSERT INTO standing SELECT f.number, 0, min(?1, coalesce(z.seq, ?1)) FROM feeds f"
        " LEFT JOIN frozen z ON z.feed = f.id WHERE f.id = ?2"
        " ON CONFLICT (feed) DO UPDATE SET cosigned = max(cosigned, excluded.cosigned)",
        (size, feed),
    )


def covered(db: apsw.Connection, feed: int, place: int, size: int) -> None:
    """Keep that a receipt record at a place covers a feed, by its number, and what follows.

    The root at that size is ours; a receipt beyond the cut of its author counts nothing.
    """
    by, seq = feeds.parted(place)
    db.execute(
        "INSERT INTO covers SELECT ?, f.node, f.organisation, ? FROM feeds f"
        f" WHERE f.number = ? AND ? < {_CUT}"
        " ON CONFLICT (feed, node) DO UPDATE SET size = excluded.size"
        " WHERE excluded.size > size",
        (feed, size, by, seq),
    )
    if db.changes():
        _move(db, feed, _Rules(db))


def refolded(db: apsw.Connection, group: bytes, is_other: bool) -> None:
    """Look again who must receipt what, once a group's membership was folded.

    `is_other`: other removals count, or others supervise, so that what counted may count no more.
    """
    number = db.execute("SELECT number FROM groups WHERE id = ?", (group,)).get
    again = "UPDATE stated SET known = 0 WHERE in_group = ?"
    db.execute(again if is_other else f"{again} AND required IS NULL", (number,))
    if is_other:
        _cover_again(db, number)
    rows = db.execute(
        "SELECT f.number FROM feeds f LEFT JOIN standing s ON s.feed = f.number"
        " WHERE f.in_group = ?1 AND (?2 AND s.agreed > 0 OR EXISTS (SELECT 1 FROM covers c"
        "   WHERE c.feed = f.number AND c.size > coalesce(s.agreed, 0)))",
        (number, is_other),
    )
    rules = _Rules(db)
    for (feed,) in list(rows):
        if is_other:
            # What was final before its author forked the feed is not asked for again.
            db.execute(
                "UPDATE standing SET agreed = 0 WHERE feed = ?1 AND NOT EXISTS (SELECT 1"
                " FROM frozen z JOIN feeds f ON f.id = z.feed WHERE f.number = ?1)",
                (feed,),
            )
        _move(db, feed, rules)


class _Rules:
    """Who must receipt what, read from the store, and from the group's history where it must be."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db, self._group = db, -1
        self._judged: Requirements | None = None

    def required(self, view: int) -> frozenset[bytes] | None:
        """Give the organisations that must receipt what is said in a view."""
        group, names, known, required = self._db.execute(
            "SELECT in_group, names, known, required FROM stated WHERE number = ?", (view,)
        ).get
        if known:
            return None if required is None else frozenset(_parts(required, _ORGANISATION_BYTES))
        found = self._of(group).of(_parts(names, _ID_BYTES))
        encoded = None if found is None else b"".join(sorted(found))
        self._db.execute(
            "UPDATE stated SET known = 1, required = ? WHERE number = ?", (encoded, view)
        )
        return found

    def _of(self, group: int) -> Requirements:
        if self._judged is None or self._group != group:
            name = self._db.execute("SELECT id FROM groups WHERE number = ?", (group,)).get
            heard = hear(self._db, name)
            said = heard.changes, heard.vouchers, heard.beginnings
            self._group, self._judged = group, Requirements(heard.founding, *said)
        return self._judged


def _move(db: apsw.Connection, feed: int, rules: _Rules) -> None:
    """See how far a feed is agreed by now; what is beyond every receipt is not looked at."""
    before = db.execute("SELECT agreed FROM standing WHERE feed = ?", (feed,)).get or 0
    author = db.execute("SELECT organisation FROM feeds WHERE number = ?", (feed,)).get
    covers: dict[bytes, int] = {
        bytes(who): int(size)
        for who, size in db.execute(
            "SELECT organisation, max(size) FROM covers WHERE feed = ? GROUP BY organisation",
            (feed,),
        )
    }
    furthest = max((size for who, size in covers.items() if who != author), default=0)
    if furthest <= before:
        return
    _learn_spans(db, feed)
    rows = db.execute(
        "SELECT start, view FROM spans WHERE feed = ?1 AND start < ?2 AND start >="
        " (SELECT max(start) FROM spans WHERE feed = ?1 AND start <= ?3) ORDER BY start",
        (feed, furthest, before),
    )
    spans = [Span(int(start), rules.required(view)) for start, view in list(rows)]
    size = max(before, status.agreed(author, spans, covers))
    db.execute(
        "INSERT INTO standing SELECT f.number, min(?1, coalesce(z.seq, ?1)), 0 FROM feeds f"
        " LEFT JOIN frozen z ON z.feed = f.id WHERE f.number = ?2"
        " ON CONFLICT (feed) DO UPDATE SET agreed = max(agreed, excluded.agreed)",
        (size, feed),
    )


def _learn_spans(db: apsw.Connection, feed: int) -> None:
    """Keep in which views the records of a feed were said that came since it was looked at last."""
    last: tuple[int, bytes] | None = db.execute(
        "SELECT s.start, v.names FROM spans s JOIN stated v ON v.number = s.view"
        " WHERE s.feed = ? ORDER BY s.start DESC LIMIT 1",
        (feed,),
    ).fetchone()
    start, names = (-1, b"") if last is None else last
    view = View(b"", _parts(names, _ID_BYTES))
    rows = db.execute(
        "SELECT place, kind, body FROM records WHERE place >= ? AND kind <= 2 AND place <"
        " (SELECT ? + size FROM heads WHERE feed = ?) ORDER BY place",
        (feeds.place(feed, start + 1), feeds.place(feed, 0), feed),
    )
    for place, kind, body in list(rows):
        said = view_in(kind, (body or b"")[SALT_BYTES:], view)
        if said != view or place == feeds.place(feed, 0):
            view = said
            _keep_span(db, feed, feeds.parted(place)[1], b"".join(sorted(view.membership)))


def _keep_span(db: apsw.Connection, feed: int, start: int, names: bytes) -> None:
    group = db.execute("SELECT in_group FROM feeds WHERE number = ?", (feed,)).get
    db.execute(
        "INSERT OR IGNORE INTO stated (in_group, names, known) VALUES (?, ?, 0)", (group, names)
    )
    db.execute(
        "INSERT INTO spans SELECT ?, ?, number FROM stated WHERE in_group = ? AND names = ?",
        (feed, start, group, names),
    )


def _cover_again(db: apsw.Connection, group: int) -> None:
    """Count a group's receipts anew: of who was removed, what is below its cut."""
    db.execute(
        "DELETE FROM covers WHERE feed IN (SELECT number FROM feeds WHERE in_group = ?)", (group,)
    )
    db.execute(
        "INSERT INTO covers SELECT a.number, f.node, f.organisation, max(r.whole)"
        " FROM feeds a JOIN receipted r ON r.about = a.id JOIN feeds f ON f.number = r.place >> 32"
        " WHERE a.in_group = ?1 AND f.in_group = ?1 AND r.root IS NULL AND r.whole > 0"
        f" AND (r.place & 4294967295) < {_CUT} GROUP BY a.number, f.node",
        (group,),
    )


def _parts(joined: bytes, length: int) -> tuple[bytes, ...]:
    return tuple(joined[at : at + length] for at in range(0, len(joined), length))
