"""What one command does with a bundle: it asks whoever has a run to greet, to sign, to take in.

In: the state directory, a file. Out: files written whole; or what came of one. The running agent
has the run; where none runs, this command is a run of its own, and the only one, until it ends.
"""

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import structs

from gateway.cli import place
from gateway.clock import KernelClock, random_bytes
from gateway.company import Company, Kept
from gateway.errors import (
    AlreadyRunning,
    ForeignBundle,
    NobodyToCarryTo,
    UnknownGroup,
    UnknownParty,
)
from gateway.groups.group import Group
from gateway.peers import bundle as files
from gateway.peers.bundle import Frame, Parts
from gateway.peers.examining import Examination, Found
from gateway.records import run as runs
from gateway.store import bodies, carried, contacts, database, groups, membership, state
from gateway.store.authoring import Author
from gateway.store.carried import Wanted
from gateway.store.database import Connection
from gateway.store.state import State
from gateway.store.writer import Writer
from gateway.sync import bundle
from gateway.sync.bundle import Entry, Head, Survey, Trailer
from gateway.sync.envelope import Seal, decode as decode_envelope

BATCH_BYTES_MAX = 480 * 1024
# A record may be refused because another, further on in the file, admits its author.
ROUNDS_MAX = 16
_NAME_BYTES = 16

Act = Callable[..., dict[str, Any]]
Tell = Callable[[int, int], None]  # so many of so many


@dataclass(frozen=True, slots=True)
class Load:
    """What goes into a bundle: groups, the nodes it is for, and how much."""

    groups: Sequence[Group]
    nodes: Sequence[bytes]
    wanted: Wanted
    bytes_max: int | None = None


@contextmanager
def acting() -> Iterator[Act]:
    """Give whoever has a run: the running agent, or this command while it lasts."""
    try:
        lock = state.occupy(place.state_dir())
    except AlreadyRunning:
        yield place.act
        return
    with lock:
        held, path = state.load(place.state_dir()), str(place.state_dir() / state.STORE_FILE)
        writer = Writer(database.connect(path), path)
        with ExitStack() as ends:
            ends.callback(writer.close)
            run = runs.start(held.node_key, held.node, held.encryption, random_bytes(32))
            author = Author(run, KernelClock().now, random_bytes)
            alone = structs.replace(place.config(), link=())
            company = Company(alone, held, author, Kept(writer, path))
            ends.callback(company.close)
            yield lambda name, **facts: company.act({"act": name, **facts})


def load(db: Connection, held: State, whom: Sequence[str], among: Sequence[str]) -> Load:
    """Find the groups and their members that a bundle is for; raise what is not known."""
    known = {each.name: each.id for each in groups.registered(db)}
    for name in among:
        if name not in known:
            raise UnknownGroup(group=name)
    chosen = [held.groups[name] for name in known if name in (among or known)]
    named: dict[bytes, set[str]] = {}
    for group in chosen:
        for node, names in _members(db, held, group).items():
            named.setdefault(node, set()).update(names)
    nodes = {node for node, names in named.items() if not whom or names & set(whom)}
    for each in whom:
        if not any(each in names for names in named.values()):
            every = sorted({one for names in named.values() for one in names if " " in one or one})
            raise UnknownParty(who=each, known=", ".join(every))
    if not nodes:
        raise NobodyToCarryTo
    met = [each for each in chosen if _members(db, held, each).keys() & nodes]
    return Load(met, sorted(nodes), Wanted())


def export(act: Act, db: Connection, held: State, what: Load, out: Path) -> dict[str, Any]:
    """Write a bundle; give its facts."""
    asked: dict[str, Any] = {"nodes": [each.hex() for each in what.nodes]}
    greeted = act("bundle.greet", **asked, groups=[each.id.hex() for each in what.groups])
    head = Head(random_bytes(_NAME_BYTES), held.node_id, tuple(what.nodes))
    parts = Parts(out, Frame(head, _entries(greeted), _signer(act)), what.bytes_max)
    count = 0
    with parts:
        for some, entry in _records(db, what):
            parts.add(entry)
            count += some
        for entry in _receipts(act, db, what):
            parts.add(entry)
    return {"files": [str(each) for each in parts.written], "bytes": parts.bytes, "records": count}


def _records(db: Connection, what: Load) -> Iterator[tuple[int, Entry]]:
    for group in what.groups:
        there = [each for each in what.nodes if _is_member(db, group, each)]
        for span in carried.spans(db, group.id, there, what.wanted):
            yield from files.records(db, group, span, random_bytes)


def _receipts(act: Act, db: Connection, what: Load) -> Iterator[Entry]:
    """Give what is signed for, after all records: who lacks them can compare nothing yet."""
    for group in what.groups:
        for node in (each for each in what.nodes if _is_member(db, group, each)):
            facts = {"nodes": [node.hex()], "groups": [group.id.hex()]}
            yield from _entries(act("bundle.receipts", **facts))


def examine(opened: files.Opened, db: Connection, held: State) -> tuple[Survey, Found]:
    """Look a whole file through before anything is stored of it; raise what is wrong."""
    whole = bundle.survey(opened.read)
    if held.node_id not in whole.head.receivers:
        raise ForeignBundle(node=whole.head.sender.hex())
    opened.rewind()
    look = Examination(db, held.node_id, (held.encryption_key,), held.groups.values())
    for at, entry in enumerate(bundle.entries(opened.read)):
        look.look(at, entry)
    return whole, look.conclude(whole)


def store(
    act: Act, opened: files.Opened, node: bytes, tell: Tell, size: int
) -> tuple[int, Counter[str]]:
    """Have it taken in, again while that helps; give the records stored and what was refused."""
    stored = 0
    for _ in range(ROUNDS_MAX):
        fresh, refused = 0, Counter[str]()
        for batch in _batches(opened, node):
            done = act("bundle.take", envelopes=[b64encode(each).decode() for each in batch])
            fresh += done["stored"]
            refused.update(done["counts"])
            tell(opened.at, size)
        stored += fresh
        left = Counter({code: n for code, n in refused.items() if not code.startswith("sync.")})
        if not fresh or not left:
            break
    return stored, left


def owed() -> int:
    """Count the bodies that records stored here still lack."""
    _, db = place.opened()
    with closing(db):
        return bodies.count_owed(db)


def _batches(opened: files.Opened, node: bytes) -> Iterator[list[bytes]]:
    """Give what is for this node; what is sealed to it alone comes first and apart.

    It may be an invitation, and then what follows is said in the group that it brings.
    """
    opened.rewind()
    batch: list[bytes] = []
    size, was_sealed = 0, False
    for entry in bundle.entries(opened.read):
        if entry.receiver not in (None, node):
            continue
        is_sealed = decode_envelope(entry.envelope).seal is Seal.NODE
        if batch and (size + len(entry.envelope) > BATCH_BYTES_MAX or is_sealed != was_sealed):
            yield batch
            batch, size = [], 0
        batch.append(entry.envelope)
        size += len(entry.envelope)
        was_sealed = is_sealed
    if batch:
        yield batch


def _members(db: Connection, held: State, group: Group) -> Mapping[bytes, set[str]]:
    """Give the other members of a group, each with what people may call it."""
    known = contacts.of_group(db, group.id)
    newest = list(groups.rosters(db, group.founding.consortium).values())
    names = {each.id: each.name for one in newest for each in one.organisations}
    found: dict[bytes, set[str]] = {}
    for member in membership.load(db, group.id).members:
        if member.node != held.node_id:
            called = {member.node.hex(), member.organisation.hex()}
            called |= {names[member.organisation]} if member.organisation in names else set()
            contact = known.get(member.node) or held.contacts.get(member.node)
            found[member.node] = called | ({contact.node.name} if contact else set())
    return found


def _is_member(db: Connection, group: Group, node: bytes) -> bool:
    return membership.load(db, group.id).has(node)


def _entries(told: dict[str, Any]) -> list[Entry]:
    return [
        Entry(bytes.fromhex(node) if node else None, b64decode(envelope))
        for node, envelope in told["letters"]
    ]


def _signer(act: Act) -> Callable[[Trailer], bytes]:
    def sign(said: Trailer) -> bytes:
        facts: dict[str, Any] = {"count": said.count, "digests": [said.digest.hex()]}
        done = act("bundle.sign", **facts, more=said.has_more)
        return b64decode(done["trailer"])

    return sign
