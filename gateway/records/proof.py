"""A proof: a record with all that is needed to check it offline. Protocol: docs/protocol/proof.md.

In: the parts, or bytes from anywhere and the hash of the one roster that is trusted. Out: bytes; or
a verdict, statement by statement, that says what held, what did not, and what was not shown. It
never says yes to nothing: what is absent, or rests on something absent, was not shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.errors import (
    AuthorError,
    BadBody,
    MalformedCbor,
    MalformedGenesis,
    MalformedProof,
    ProofFails,
    UnknownRoster,
    WrongFeed,
)
from gateway.records import cbor, feed, merkle, record, roster
from gateway.records.feed import Credentials, Head
from gateway.records.record import BODY_BYTES_MAX, RECORD_BYTES_MAX, SALT_BYTES, Record
from gateway.records.roster import Roster

T = TypeVar("T")

PROOF_BYTES_MAX = 1024 * 1024
PATH_MAX = 64  # as deep as a tree of 2^64 leaves
ITEMS_MAX = 64
ITEM_BYTES_MAX = 64 * 1024
_MEMBERS = range(11)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a body's commitment commits to."""

    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """The parts of a proof; None and empty where they are absent."""

    record: bytes | None = None
    opening: Opening | None = None
    path: tuple[bytes, ...] | None = None
    head: Head | None = None
    receipts: tuple[bytes, ...] = ()
    journal_path: tuple[bytes, ...] | None = None
    checkpoint: bytes | None = None
    cosignatures: tuple[bytes, ...] = ()
    certificates: tuple[bytes, bytes, bytes] | None = None
    rosters: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a proof may show: True held, False did not, None was not shown; and why."""

    name: str
    held: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof shows, statement by statement."""

    statements: tuple[Statement, ...]
    record: Record | None = None

    @property
    def holds(self) -> bool:
        """Say whether the record is its author's, as far as anything was shown."""
        held = {statement.name: statement.held for statement in self.statements}
        return held.get("record") is True and False not in held.values()


def encode(proof: Proof) -> bytes:
    """Write a proof; absent parts take no room."""
    opening, head = proof.opening, proof.head
    parts: dict[int, object] = {
        1: proof.record,
        2: None if opening is None else [opening.salt, opening.content],
        3: None if proof.path is None else list(proof.path),
        4: None if head is None else [head.feed, head.size, head.root],
        5: list(proof.receipts) or None,
        6: None if proof.journal_path is None else list(proof.journal_path),
        7: proof.checkpoint,
        8: list(proof.cosignatures) or None,
        9: None if proof.certificates is None else list(proof.certificates),
        10: list(proof.rosters) or None,
    }
    return cbor.encode({0: 1} | {key: part for key, part in parts.items() if part is not None})


def decode(encoded: bytes) -> Proof:
    """Read a proof, of which nothing is verified yet; raise MalformedProof."""
    try:
        said = cbor.decode(encoded, PROOF_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedProof(reason=fault) from None
    if not isinstance(said, dict) or type(said.get(0)) is not int or said[0] != 1:
        raise MalformedProof(reason="not a map of version 1")
    if not all(type(key) is int and key in _MEMBERS for key in said):
        raise MalformedProof(reason="an unknown member")
    parts: Mapping[object, object] = said
    return Proof(
        _bytes(parts, 1, RECORD_BYTES_MAX),
        _opening(parts),
        _hashes(parts, 3),
        _head(parts),
        _items(parts, 5),
        _hashes(parts, 6),
        _bytes(parts, 7, ITEM_BYTES_MAX),
        _items(parts, 8),
        _certificates(parts),
        _items(parts, 10),
    )


def judge(encoded: bytes, trusted: bytes) -> Verdict:
    """Check a proof, trusting nothing but one roster's hash; raise MalformedProof."""
    proof = decode(encoded)
    judging = _Judging()
    within = credentials = shown = None
    if proof.rosters:
        within = judging.check("roster", lambda: _roster(proof.rosters, trusted))
    if within and (certificates := proof.certificates):
        roster_ = within
        credentials = judging.check("certificates", lambda: _credentials(certificates, roster_))
    if credentials and (encoded_record := proof.record):
        by = credentials
        shown = judging.check("record", lambda: _record(encoded_record, by))
    if shown and (opening := proof.opening):
        said = shown
        judging.check("body", lambda: _body(said, opening))
    if shown and proof.path is not None and (head := proof.head):
        placed, path = shown, proof.path
        judging.check("head", lambda: _placed(placed, path, head))
    return Verdict(judging.statements(), shown)


NAMES = ("roster", "certificates", "record", "body", "head", "receipts", "journal", "witnesses")


class _Judging:
    """Statements as they are judged. Receipts, journal and witnesses are not judged yet."""

    def __init__(self) -> None:
        self._judged: dict[str, Statement] = {}

    def check(self, name: str, step: Callable[[], T]) -> T | None:
        """Take one step; None where it did not hold."""
        try:
            result = step()
        except AuthorError as fault:
            self._judged[name] = Statement(name, False, str(fault))
            return None
        self._judged[name] = Statement(name, True)
        return result

    def statements(self) -> tuple[Statement, ...]:
        """Give all statements in order; what no step was taken for was not shown."""
        return tuple(self._judged.get(name, Statement(name, None)) for name in NAMES)


def _roster(rosters: Sequence[bytes], trusted: bytes) -> Roster:
    for encoded in rosters:
        known = roster.decode(encoded)
        if known.hash == trusted:
            return known
    raise UnknownRoster(roster=trusted.hex())


def _credentials(certificates: tuple[bytes, bytes, bytes], within: Roster) -> Credentials:
    credentials = feed.decode_credentials(*certificates)
    credentials.verify(within)
    return credentials


def _record(encoded: bytes, credentials: Credentials) -> Record:
    shown = record.decode(encoded, credentials.run.key)
    if shown.feed != feed.feed_id(credentials.run.key, shown.group):
        raise WrongFeed(part="feed")
    return shown


def _body(shown: Record, opening: Opening) -> bool:
    if shown.body is None:
        raise BadBody(reason="the record has no body")
    if record.commitment(opening.salt, opening.content) != shown.body.commitment:
        raise BadBody(reason="its content is not the one committed to")
    if shown.key_number == 0:
        record.check_body(shown, record.clear_body(opening.content, opening.salt))
    return True


def _placed(shown: Record, path: Sequence[bytes], head: Head) -> bool:
    # That the head is the author's, its size among it, shows only who signed it: see receipts.
    if head.feed != shown.feed:
        raise WrongFeed(part="feed")
    if merkle.root_by_inclusion(shown.id, shown.seq, head.size, path) != head.root:
        raise ProofFails(reason="the path does not lead to the head's root")
    return True


def _bytes(parts: Mapping[object, object], key: int, size_max: int) -> bytes | None:
    match parts.get(key):
        case None if key not in parts:
            return None
        case bytes() as part if len(part) <= size_max:
            return part
    raise MalformedProof(reason=f"member {key} is no byte string, or too long")


def _items(parts: Mapping[object, object], key: int) -> tuple[bytes, ...]:
    match parts.get(key):
        case None if key not in parts:
            return ()
        case list() as items if 0 < len(items) <= ITEMS_MAX:
            found = tuple(item for item in items if isinstance(item, bytes))
            if len(found) == len(items) and all(len(item) <= ITEM_BYTES_MAX for item in found):
                return found
    raise MalformedProof(reason=f"member {key} is no list of byte strings, or too long")


def _hashes(parts: Mapping[object, object], key: int) -> tuple[bytes, ...] | None:
    match parts.get(key):
        case None if key not in parts:
            return None
        case list() as items if len(items) <= PATH_MAX:
            hashes = tuple(item for item in items if isinstance(item, bytes) and len(item) == 32)
            if len(hashes) == len(items):
                return hashes
    raise MalformedProof(reason=f"member {key} is no list of hashes, or too long")


def _opening(parts: Mapping[object, object]) -> Opening | None:
    match parts.get(2):
        case None if 2 not in parts:
            return None
        case [bytes() as salt, bytes() as content] if (
            len(salt) == SALT_BYTES and len(content) <= BODY_BYTES_MAX
        ):
            return Opening(salt, content)
    raise MalformedProof(reason="member 2 is no salt and content")


def _head(parts: Mapping[object, object]) -> Head | None:
    if 4 not in parts:
        return None
    try:
        return feed.decode_head(parts[4])
    except MalformedGenesis:
        raise MalformedProof(reason="member 4 is no head") from None


def _certificates(parts: Mapping[object, object]) -> tuple[bytes, bytes, bytes] | None:
    match parts.get(9):
        case None if 9 not in parts:
            return None
        case [bytes() as node, bytes() as run, bytes() as encryption]:
            return node, run, encryption
    raise MalformedProof(reason="member 9 is not three certificates")
