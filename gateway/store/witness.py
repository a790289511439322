"""What a witness keeps, in a SQLite file of its own: what it cosigned, and for whom it does.

In: requests that were read. Out: cosignatures, each only after what it says is on the disk. Check
and change are one transaction. A number outside the database, which grows with each cosigned
growth, shows when the database was restored or lost: then the key is retired, and nothing is
signed. Protocol: docs/protocol/witness.md.
"""

import fcntl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import apsw

from gateway.errors import (
    AlreadyRunning,
    JournalForked,
    StateUnwritable,
    StrangeRoster,
    TooManyRuns,
    UnknownJournal,
    WitnessExists,
    WitnessMissing,
    WitnessRetired,
)
from gateway.groups import witnessing
from gateway.groups.witnessing import Submission, Watched
from gateway.records import checkpoint, note, roster
from gateway.records.cose import SigningKey
from gateway.records.roster import Roster
from gateway.store import database, folder
from gateway.store.keyfile import Random

DATABASE, KEY, GENERATION = "witness.db", "witness.key", "number"
_FILES: Final = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
_LOCK: Final = "witness.lock"
_VERSION: Final = 1
# Of one organisation; of a gateway that starts each hour they last for seven years.
JOURNALS_MAX: Final = 65_536
_BUSY_MS_MAX: Final = 10_000
_SCHEMA: Final = """
CREATE TABLE witness (
    one INTEGER PRIMARY KEY CHECK (one = 1), organisation BLOB NOT NULL, key BLOB NOT NULL,
    generation INTEGER NOT NULL
) STRICT;
CREATE TABLE consortia (id BLOB PRIMARY KEY) STRICT;
CREATE TABLE rosters (
    consortium BLOB NOT NULL REFERENCES consortia, number INTEGER NOT NULL, encoded BLOB NOT NULL,
    PRIMARY KEY (consortium, number)
) STRICT;
CREATE TABLE journals (
    origin TEXT PRIMARY KEY, run_key BLOB NOT NULL, node BLOB NOT NULL, organisation BLOB NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB, cosigned_s INTEGER
) STRICT;
CREATE TABLE forks (
    origin TEXT PRIMARY KEY REFERENCES journals, first BLOB NOT NULL, second BLOB NOT NULL
) STRICT;
"""


class Generation(Protocol):
    """A number that nobody restores together with the database."""

    def read(self) -> int | None:
        """Give it; None where it was never written, or is another key's."""

    def write(self, number: int) -> None:
        """Have it on the disk before this returns."""


class GenerationFile:
    """The number in a file, beside the id of the key that it is about."""

    def __init__(self, place: Path, key: bytes) -> None:
        self.path, self._key = place / GENERATION, key.hex()

    def read(self) -> int | None:
        """Give the number; None where the file is not there, or not of this key."""
        try:
            said = self.path.read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            return None
        match said:
            case [key, number] if key == self._key and number.isdigit() and len(number) < 17:
                return int(number)
        return None

    def write(self, number: int) -> None:
        """Keep the number, whole or not at all; raise StateUnwritable."""
        folder.keep(self.path, f"{self._key} {number}\n".encode())


@dataclass(frozen=True, slots=True)
class Counted:
    """What a witness holds, in numbers."""

    journals: int
    cosigned: int
    forks: int


class Witness:
    """A witness over its database; one at a time, from one thread at a time."""

    def __init__(self, db: apsw.Connection, key: SigningKey, generation: Generation) -> None:
        self._db, self._key, self._generation = db, key, generation
        self.path = db.filename
        self._verified: dict[bytes, tuple[Roster, ...]] = {}
        written = generation.read()  # first: beside a witness at work the database may be ahead
        row = db.execute("SELECT organisation, key, generation FROM witness").fetchone()
        if row is None or row[1] != key.public:
            raise WitnessRetired(path=db.filename, reason="its database is another key's, or empty")
        self.organisation: bytes = row[0]
        number = int(str(row[2]))
        # One ahead: killed after the commit and before the number, so its answer never left.
        if written is None or not 0 <= number - written <= 1:
            reason = f"its database is at {number}, and what it signed at {written or 'no number'}"
            raise WitnessRetired(path=db.filename, reason=reason)
        self._number, self._written = number, written

    @property
    def name(self) -> str:
        """Give the name under which it cosigns."""
        return checkpoint.witness_name(self.organisation)

    @property
    def public(self) -> bytes:
        """Give the key that rosters name."""
        return self._key.public

    def cosign(self, asked: Submission, unix_s: int) -> str:
        """Give the cosignature of what is shown, once it is kept; raise why there is none.

        Raises UnknownJournal, and what `witnessing.judge` raises; of a fork both sides are kept.
        """
        self._settle()
        origin, signed = asked.checkpoint.origin, asked.note.encoded
        try:
            with self._db:
                known = self.journal(origin)
                if known is None:
                    raise UnknownJournal(origin=origin[:80])
                grown = witnessing.judge(known, asked)
                number = self._number + (grown != known)
                self._db.execute(
                    "UPDATE journals SET size = ?, root = ?, note = ?, cosigned_s = ?"
                    " WHERE origin = ?",
                    (grown.size, grown.root, signed, unix_s, origin),
                )
                self._db.execute("UPDATE witness SET generation = ?", (number,))
        except JournalForked:
            with self._db:
                self._keep_fork(origin, signed)
            raise
        self._number = number
        self._settle()
        return note.cosign(self.name, self._key, asked.note.text, unix_s)

    def journal(self, origin: str) -> Watched | None:
        """Give what is known of a run's journal; None where its certificates were not shown."""
        row = self._db.execute(
            "SELECT origin, run_key, node, organisation, size, root FROM journals WHERE origin = ?",
            (origin,),
        ).fetchone()
        return None if row is None else Watched(*row)

    def introduce(self, said: bytes) -> str:
        """Take in the certificates of a run; give its origin. Raises as `witnessing.admit`, or
        TooManyRuns where its organisation has as many journals here as one may."""
        found = witnessing.admit(said, [each for each in self.chains() if each])
        count, known = next(
            self._db.execute(
                "SELECT count(*), total(origin = ?) FROM journals WHERE organisation = ?",
                (found.origin, found.organisation),
            )
        )
        if not known and int(str(count)) >= JOURNALS_MAX:
            raise TooManyRuns(organisation=found.organisation.hex(), count=JOURNALS_MAX)
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO journals VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
                (found.origin, found.run_key, found.node, found.organisation, 0, found.root),
            )
        return found.origin

    def trust(self, consortium: bytes) -> None:
        """Cosign for the members of a consortium, by the hash of its roster 0."""
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO consortia VALUES (?)", (consortium,))

    def take_roster(self, consortium: bytes, encoded: bytes) -> int:
        """Take in a consortium's roster if it is the next; give the number that comes next now.

        One that does not follow changes nothing. Raises StrangeRoster, or a roster's own errors.
        """
        if consortium not in self.consortia():
            raise StrangeRoster(consortium=consortium.hex()[:16])
        chain = self._chain(consortium)
        hash_, before = roster.place(encoded)
        if not chain and hash_ == consortium:
            return self._grow(roster.decode(encoded))
        if chain and before == chain[-1].hash:
            return self._grow(roster.decode_next(encoded, chain[-1]))
        return len(chain)

    def consortia(self) -> list[bytes]:
        """Give the consortia that it trusts."""
        return [row[0] for row in self._db.execute("SELECT id FROM consortia ORDER BY id")]

    def chains(self) -> list[tuple[Roster, ...]]:
        """Give the rosters that it holds, a consortium after another."""
        return [self._chain(each) for each in self.consortia()]

    def is_named(self) -> bool:
        """Say whether the newest roster of some consortium names this key."""
        newest = [chain[-1].organisations for chain in self.chains() if chain]
        return any(row.witness == self.public for rows in newest for row in rows)

    def counted(self) -> Counted:
        """Count what it holds."""
        sql = "SELECT count(*), count(cosigned_s), (SELECT count(*) FROM forks) FROM journals"
        ((journals, cosigned, forks),) = self._db.execute(sql).fetchall()
        return Counted(int(str(journals)), int(str(cosigned)), int(str(forks)))

    def forks(self) -> list[tuple[str, bytes, bytes]]:
        """Give the origins of which two roots were seen for one size, each with both notes."""
        rows = self._db.execute("SELECT origin, first, second FROM forks ORDER BY origin")
        return [(str(origin), bytes(first), bytes(second)) for origin, first, second in rows]

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def _settle(self) -> None:
        """Have the number outside be the database's before anything leaves, or comes after."""
        if self._written != self._number:
            self._generation.write(self._number)
            self._written = self._number

    def _keep_fork(self, origin: str, second: bytes) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO forks SELECT origin, note, ? FROM journals"
            " WHERE origin = ? AND note IS NOT NULL",
            (second, origin),
        )

    def _grow(self, found: Roster) -> int:
        with self._db:
            self._db.execute(
                "INSERT INTO rosters VALUES (?, ?, ?)",
                (found.consortium, found.number, found.encoded),
            )
        return found.number + 1

    def _chain(self, consortium: bytes) -> tuple[Roster, ...]:
        """Give the rosters held; those that were verified once are not verified again."""
        known = self._verified.get(consortium, ())
        sql = "SELECT encoded FROM rosters WHERE consortium = ? AND number >= ? ORDER BY number"
        found: list[bytes] = [row[0] for row in self._db.execute(sql, (consortium, len(known)))]
        for each in found:
            fresh = roster.decode_next(each, known[-1]) if known else roster.decode(each)
            known = (*known, fresh)
        self._verified[consortium] = known
        return known


def new_database(path: str, organisation: bytes, public: bytes) -> apsw.Connection:
    """Make the database of a new witness, at generation 0."""
    db = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    with database.explained(path), db:
        db.execute(_SCHEMA)
        db.execute("INSERT INTO witness VALUES (1, ?, ?, 0)", (organisation, public))
        db.pragma("user_version", _VERSION)
    return db


def create(
    place: Path, generation: Path, organisation: bytes, consortia: Sequence[bytes], random: Random
) -> bytes:
    """Make a witness in a folder, its number in another; give its key for the roster."""
    if (place / KEY).exists():
        raise WitnessExists(path=place)
    folder.make(place)
    folder.make(generation)
    _put_aside(place, "without-key")  # of one that was killed here, or lost its key
    seed = random(32)
    key = SigningKey(seed)
    GenerationFile(generation, key.id).write(0)
    db = new_database(str(place / DATABASE), organisation, key.public)
    folder.keep(place / KEY, seed)
    made = Witness(db, key, GenerationFile(generation, key.id))
    for each in consortia:
        made.trust(each)
    made.close()
    return key.public


def retire(place: Path) -> None:
    """Put the key and the database of a witness aside, for good; raise WitnessMissing."""
    if not (place / KEY).exists():
        raise WitnessMissing(path=place)
    key = SigningKey(folder.read_own(place / KEY))
    _put_aside(place, key.id.hex()[:8])


def _put_aside(place: Path, name: str) -> None:
    present = [each for each in (*_FILES, KEY) if (place / each).exists()]
    aside = place / f"retired-{name}"
    if present:
        folder.make(aside)
    try:
        for each in present:
            (place / each).rename(aside / each)
    except OSError as fault:
        raise StateUnwritable(path=place, reason=fault.strerror) from fault


def settled(place: Path) -> tuple[bytes, list[bytes]]:
    """Give the organisation of a witness, retired or not, and whom it trusts."""
    path = str(place / DATABASE)
    if not Path(path).exists():
        raise WitnessMissing(path=place)
    db = _connect(path, apsw.SQLITE_OPEN_READWRITE)
    with database.explained(path):
        rows = db.execute("SELECT organisation FROM witness")
        organisation = next(row[0] for row in rows)
        found = [row[0] for row in db.execute("SELECT id FROM consortia ORDER BY id")]
    db.close()
    return organisation, found


def load(place: Path, generation: Path) -> Witness:
    """Open a witness; raise WitnessMissing, or WitnessRetired where it forgot what it signed."""
    if not (place / KEY).exists():
        raise WitnessMissing(path=place)
    key = SigningKey(folder.read_own(place / KEY))
    path = place / DATABASE
    if not path.exists():
        raise WitnessRetired(path=place / KEY, reason="its database is gone")
    db = _connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    with database.explained(str(path)):
        return Witness(db, key, GenerationFile(generation, key.id))


def occupy(place: Path) -> IO[bytes]:
    """Be the only witness on a folder while the file is open; raise AlreadyRunning."""
    if not (place / KEY).exists():
        raise WitnessMissing(path=place)
    try:
        file = (place / _LOCK).open("wb")
    except OSError as fault:
        raise StateUnwritable(path=place, reason=fault.strerror) from fault
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyRunning(state_dir=place) from None
    return file


def _connect(path: str, flags: int) -> apsw.Connection:
    with database.explained(path):
        db = apsw.Connection(path, flags=flags)
        db.set_busy_timeout(_BUSY_MS_MAX)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.pragma("foreign_keys", "on")
    return db
