"""Evidence that is kept, over restarts: who broke a rule, which feed ends by it, who told of it.

In: evidence from anywhere, judged by the rosters that are held. Out: what is new of it, what this
node still owes its groups to say, and all that is held. Of one kind against one feed the earliest
alone is kept. Protocol: docs/protocol/evidence.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import apsw

from gateway.errors import AuthorError, BadBody, UnknownOrganisation, UnknownRoster
from gateway.groups import evidence, rivals
from gateway.groups.evidence import Author, Finding
from gateway.records import checkpoint, feed, note, record, sealing
from gateway.records.cose import key_id
from gateway.records.feed import feed_id
from gateway.records.journal import Entry
from gateway.store import checkpoints, feeds, freezing, keyring, peers
from gateway.store.chain import rosters

# Who hears of evidence waits so long for somebody's record of it before writing one.
PATIENCE_MS: Final = 60_000
TELLINGS_MAX: Final = 16
UNHEARD_MAX: Final = 64
IMPOSSIBLE_MAX: Final = 32
EVIDENCE_TYPE: Final = "application/vnd.hulian.evidence+cbor"
Leaf = tuple[bytes, Entry]  # a checkpoint as it was signed, and an entry that holds under it


class Origin(IntEnum):
    """How evidence came here."""

    FOUND = 0
    HEARD = 1
    RECORD = 2


@dataclass(frozen=True, slots=True)
class Held:
    """Evidence as it is held."""

    id: bytes
    encoded: bytes
    finding: Finding
    origin: Origin


@dataclass(frozen=True, slots=True)
class Impossible:
    """What a peer said that no honest one says: under which code, how often, and when last."""

    node: bytes
    code: str
    count: int
    last_ms: int


def fork(db: apsw.Connection, one: bytes, other: bytes) -> bytes | None:
    """Write that two records cannot be in one feed; None where its genesis is not held."""
    first, second = record.parse(one), record.parse(other)
    author = _author(db, first.feed)
    if author is None:
        return None
    return evidence.encode(evidence.record_fork(author, first, second))


def journal_forks(
    db: apsw.Connection, run: bytes, one: bytes, other: bytes, lines: Sequence[str]
) -> list[bytes]:
    """Write that a run signed two checkpoints of one size, and which witnesses cosigned both.

    `lines` are the cosignatures under the other; those under the one are held.
    """
    first, second = sorted((one, other))
    author = _signer(db, run)
    found: list[evidence.Evidence] = []
    if author is not None:
        found.append(evidence.JournalFork(author, first, second))
    (signed, at), (contrary, _) = checkpoint.read(one), checkpoint.read(other)
    number = checkpoints.find(db, run, at.size)
    ours = () if number is None else checkpoints.load(db, number).cosignatures
    theirs = {note.parse_line(line).name: line for line in lines}
    for line in ours:
        name = note.parse_line(line).name
        if name in theirs and name.startswith(checkpoint.witness_name(b"")):
            pair = ((signed.text, line), (contrary.text, theirs[name]))
            notes = sorted(note.assemble(text, [each]) for text, each in pair)
            witness = bytes.fromhex(name.removeprefix(checkpoint.witness_name(b"")))
            found.append(evidence.WitnessFork(witness, notes[0], notes[1]))
    return [evidence.encode(each) for each in found]


def rewrite(db: apsw.Connection, run: bytes, one: Leaf, other: Leaf) -> bytes | None:
    """Write that under two checkpoints of a run's journal one number has two heads.

    None where its certificates are not held.
    """
    author = _signer(db, run)
    if author is None:
        return None
    (first, leaf), (second, rewritten) = sorted((one, other), key=_by_size)
    return evidence.encode(evidence.Rewrite(author, first, second, (leaf, rewritten)))


def rosters_twice(db: apsw.Connection, came: Sequence[bytes]) -> list[bytes]:
    """Write which roots signed two rosters of one number, of those held and some that came."""
    known = rosters(db)
    every = [*(each.encoded for each in known.values()), *came]
    found = map(evidence.encode, rivals.signed_twice(every, known))
    return [each for each in found if len(each) <= evidence.EVIDENCE_BYTES_MAX]


def wrong_body(db: apsw.Connection, signed: bytes, body: bytes, unix_ms: int = 0) -> bytes | None:
    """Write that a body is not the one its record commits to; None where nothing shows it.

    So it is where the body is another's or the key to it is not held; one that is too long to
    travel is remembered against its author.
    """
    said = record.parse(signed)
    author, key = _author(db, said.feed), None
    if said.key_number:
        sender = keyring.find(db, said.feed, said.key_number)
        if sender is None:
            return None
        key = sealing.record_key(sender, said.group, said.feed, said.key_number, said.seq)
    if author is None:
        return None
    shown = evidence.WrongBody(author, signed, body, key)
    try:
        evidence.verify(shown, rosters(db))
    except AuthorError:
        return None  # Somebody on the way changed it: its author signed another hash.
    if len(body) > evidence.BODY_BYTES_MAX:
        note_misbodied(db, said.feed, unix_ms)
        return None
    return evidence.encode(shown)


def is_known(db: apsw.Connection, encoded: bytes) -> bool:
    """Say whether these bytes are held as evidence."""
    name = (evidence.evidence_id(encoded),)
    return db.execute("SELECT 1 FROM evidence WHERE id = ?", name).fetchone() is not None


def keep(db: apsw.Connection, encoded: bytes, origin: Origin, own: bytes = b"") -> Finding | None:
    """Keep evidence and freeze the feed it is about; None where as early a one is held.

    Raises an AuthorError where it shows nothing. `own` is the key of a run whose feeds it does not
    freeze: the one that writes here now.
    """
    said = evidence.decode(encoded)
    finding = evidence.verify(said, rosters(db))
    mine = (int(finding.kind), finding.organisation, finding.thing)
    row = db.execute(
        "SELECT seq FROM evidence WHERE kind = ? AND organisation = ? AND thing = ?", mine
    ).fetchone()
    if row is not None and row[0] <= finding.seq:
        return None
    db.execute("DELETE FROM evidence WHERE kind = ? AND organisation = ? AND thing = ?", mine)
    db.execute(
        "INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            evidence.evidence_id(encoded),
            encoded,
            int(finding.kind),
            finding.organisation,
            finding.node,
            finding.group,
            finding.thing,
            finding.seq,
            int(origin),
        ),
    )
    if finding.group is not None and finding.thing != feed_id(own, finding.group):
        freezing.freeze(db, finding.thing, finding.seq)
    return finding


def told(db: apsw.Connection, group: bytes, encoded: bytes, is_own: bool = False) -> None:
    """Note that a record of a group shows evidence; raise an AuthorError where it shows nothing."""
    finding = evidence.verify(evidence.decode(encoded), rosters(db))
    db.execute(
        "INSERT INTO testimony VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET seq = min(seq, excluded.seq), own = own + excluded.own",
        (
            group,
            int(finding.kind),
            finding.organisation,
            finding.thing,
            finding.seq,
            int(is_own),
        ),
    )


def read(
    db: apsw.Connection, place: int, content: bytes | None, own: bytes = b""
) -> Finding | None:
    """Take in a record of evidence that is stored; one that cannot be judged yet waits.

    Raises an AuthorError where it shows nothing.
    """
    group = db.execute(
        "SELECT g.id FROM feeds f JOIN groups g ON g.number = f.in_group WHERE f.number = ?",
        (place >> 32,),
    ).get
    try:
        if content is None:
            _wait(db, place)
            return None
        told(db, group, content)
        return keep(db, content, Origin.RECORD, own)
    except (UnknownOrganisation, UnknownRoster):
        _wait(db, place)
        return None


def reread(db: apsw.Connection, own: bytes = b"") -> list[Finding]:
    """Read again what could not be read, or be judged, when it came."""
    found: list[Finding] = []
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT u.place, r.encoded, r.body FROM unheard u LEFT JOIN records r ON r.place = u.place"
    ).fetchall()
    db.execute("DELETE FROM unheard")
    for place, encoded, body in rows:
        if encoded is None or body is None:
            continue
        try:
            content = keyring.content(db, record.parse(encoded), body)
            finding = read(db, place, content, own)
        except AuthorError:
            continue  # It can be read now, and shows nothing.
        if finding is not None:
            found.append(finding)
    return found


def owed(db: apsw.Connection, group: bytes, now_ms: int) -> list[bytes]:
    """Give the evidence that this node has still to write into a group.

    What it only heard of it writes when, since it was asked this first, nobody else has.
    """
    db.execute(
        "UPDATE evidence SET since_ms = ?1 WHERE since_ms IS NULL OR since_ms > ?1", (now_ms,)
    )
    rows = db.execute(
        "SELECT e.encoded FROM evidence e LEFT JOIN testimony t ON t.in_group = ?1"
        " AND t.kind = e.kind AND t.organisation = e.organisation AND t.thing = e.thing"
        " WHERE (t.seq IS NULL OR (t.seq > e.seq AND t.own < ?2))"
        " AND (e.in_group = ?1 OR (e.in_group IS NULL AND EXISTS (SELECT 1 FROM members m"
        "   JOIN groups g ON g.number = m.in_group"
        "   WHERE g.id = ?1 AND m.organisation = e.organisation)))"
        " AND (e.origin <> ?3 OR ?4 - e.since_ms >= ?5) ORDER BY e.id",
        (group, TELLINGS_MAX, int(Origin.HEARD), now_ms, PATIENCE_MS),
    )
    return [bytes(encoded) for (encoded,) in rows]


def held(db: apsw.Connection) -> list[Held]:
    """Give all evidence that is held, by kind and whom it accuses."""
    rows = db.execute("SELECT id, encoded, origin FROM evidence ORDER BY kind, organisation, thing")
    return list(_held(db, rows.fetchall()))


def find(db: apsw.Connection, identity: str) -> list[Held]:
    """Give the evidence whose id begins so, in hex."""
    rows = db.execute(
        "SELECT id, encoded, origin FROM evidence"
        " WHERE substr(hex(id), 1, length(?1)) = ?1 ORDER BY id",
        (identity.upper(),),
    )
    return list(_held(db, rows.fetchall()))


def count(db: apsw.Connection) -> int:
    """Count the evidence that is held."""
    return int(db.execute("SELECT count(*) FROM evidence").get)


def note_misbodied(db: apsw.Connection, feed: bytes, unix_ms: int) -> None:
    """Remember of who wrote a feed that a long body in it is not the one that was committed to."""
    node = db.execute("SELECT node FROM feeds WHERE id = ?", (feed,)).get
    if node is not None:
        note_impossible(db, node, BadBody.code, unix_ms)


def note_impossible(db: apsw.Connection, node: bytes, code: str, unix_ms: int) -> None:
    """Remember that a peer said, in its own proven name, what no honest one says."""
    db.execute(
        "INSERT INTO impossible VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE"
        " SET count = count + 1, last_ms = excluded.last_ms",
        (node, code, unix_ms),
    )
    db.execute(
        "DELETE FROM impossible WHERE node = ?1 AND code NOT IN (SELECT code FROM impossible"
        " WHERE node = ?1 ORDER BY last_ms DESC, code LIMIT ?2)",
        (node, IMPOSSIBLE_MAX),
    )


def impossible(db: apsw.Connection) -> list[Impossible]:
    """Give what peers said that no honest one says, the newest first."""
    rows = db.execute(
        "SELECT node, code, count, last_ms FROM impossible ORDER BY last_ms DESC, node, code"
    )
    return [Impossible(bytes(node), code, count, last) for node, code, count, last in rows]


def _by_size(shown: Leaf) -> tuple[int, str]:
    found = checkpoint.read(shown[0])[1]
    return found.size, found.text


def _signer(db: apsw.Connection, run: bytes) -> Author | None:
    """Give the certificates of a run by the id of its key: as it greeted, or by a genesis."""
    for met in peers.runs(db, run[:8]):
        if met.run.subject == run:
            return Author(met.node.encoded, met.run.encoded)
    for name, key in list(db.execute("SELECT id, run_key FROM feeds")):
        if key_id(key) == run:
            return _author(db, name)
    return None


def _author(db: apsw.Connection, name: bytes) -> Author | None:
    first = feeds.slice_of(db, name, 0, 1, 1)
    if not first or first[0].body is None:
        return None
    opened = record.check_body(record.parse(first[0].encoded), first[0].body)
    credentials = feed.decode_genesis(opened).credentials
    return Author(credentials.node.encoded, credentials.run.encoded)


def _held(db: apsw.Connection, rows: list[tuple[Any, ...]]) -> Iterator[Held]:
    known = rosters(db)
    for name, encoded, origin in rows:
        finding = evidence.verify(evidence.decode(encoded), known)
        yield Held(bytes(name), bytes(encoded), finding, Origin(origin))


def _wait(db: apsw.Connection, place: int) -> None:
    waiting = db.execute("SELECT count(*) FROM unheard").get
    if waiting < UNHEARD_MAX:
        db.execute("INSERT OR IGNORE INTO unheard VALUES (?)", (place,))
