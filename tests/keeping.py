"""A gateway's upkeep over its own state directory and store, without an agent around it.

In: a folder, a name. Out: real files, a real store and writer, a real run; what others hold is
carried to it record by record, verified as a peer verifies it.
"""

import random
import time
from collections import Counter
from pathlib import Path

from gateway.activity_acts import ActivityActs
from gateway.acts import Acting, Acts
from gateway.binding import Bindings
from gateway.clock import KernelClock
from gateway.config import Accept
from gateway.groups.group import Group
from gateway.order_acts import OrderActs
from gateway.peers.inviting import Invited
from gateway.peers.meaning import Reader
from gateway.records import feed, record, roster, run
from gateway.records.record import Kind
from gateway.records.roster import Organisation, Roster
from gateway.store import consortium, database, feeds, groups, membership, receipts, state
from gateway.store.authoring import Author, Venue
from gateway.store.folding import Folded
from gateway.store.state import State
from gateway.store.writer import Writer
from gateway.upkeep import Around, Upkeep


def _venue(group: Group) -> Venue:
    return Venue(group.id, group.roster.hash)


class Keeper:
    """One organisation's gateway; started again it is the next run."""

    def __init__(self, folder: Path, name: str, accept: tuple[Accept, ...] = ()) -> None:
        self.name, self.path, self._accept = name, folder / name, accept
        draw = random.Random(name).randbytes
        if not self.path.exists():
            state.create(self.path, state.Names(name, name), draw, int(time.time()), "pass")
        self.random = random.Random(f"{name} draws").randbytes
        self.invitations: list[Invited] = []
        self.told: Counter[str] = Counter()
        self.start()

    def start(self) -> None:
        """Begin a run over what is in the directory."""
        held, path = self.held, str(self.path / state.STORE_FILE)
        fresh = run.start(held.node_key, held.node, held.encryption, self.random(32))
        self.connection = database.connect(path)
        self.writer, self.read = Writer(self.connection, path), database.connect_to_read(path)
        self.groups = dict(held.groups)
        self.author = Author(fresh, KernelClock().now, self.random)
        acting = Acting(
            self.author, self.writer, self.path, self.groups, self._joined, self._changed
        )
        self.acts, self.folded = Acts(acting), Folded(path)
        self.bindings = Bindings(self.node, self.folded, self.writer)
        self.activities = ActivityActs(acting, self.acts, self.folded, self.bindings.look)
        self.orders = OrderActs(acting, _venue, lambda _groups: None)
        around = Around(
            self._accept,
            self._take,
            lambda: self.told.update(["met"]),
            lambda: self.told.update(["rerouted"]),
            lambda groups: self.told.update("written" for _ in groups),
        )
        self.upkeep = Upkeep(acting, self.acts, around)
        self.writer.submit(self._register).result()

    def _register(self, db: database.Connection) -> None:
        for name, group in self.groups.items():
            groups.register(db, name, group)

    def stop(self) -> None:
        """End the run."""
        self.writer.close()
        self.read.close()
        self.folded.close()

    @property
    def held(self) -> State:
        """Give what is in the directory."""
        return state.load(self.path)

    @property
    def node(self) -> bytes:
        """Name the node."""
        return self.held.node_id

    @property
    def row(self) -> Organisation:
        """Give its organisation's row in a roster."""
        held = self.held
        return held.roster.organisation(held.organisation)

    def members(self, name: str) -> set[bytes]:
        """Give the members of a group."""
        return {each.node for each in membership.load(self.read, self.groups[name].id).members}

    def records(self) -> int:
        """Count the records held."""
        return int(self.read.execute("SELECT count(*) FROM records").get)

    def invited(self, other: "Keeper", name: str) -> Group:
        """Have this gateway be invited to another's group, as it is to the founder."""
        joined = other.groups[name]
        self.invitations.append(Invited(joined, joined.founding.purpose, other.name))
        return joined

    def hear(self, other: "Keeper", group: bytes) -> None:
        """Take over what another holds of a group."""
        reader = Reader((self.held.encryption_key,), self._newest, Counter())

        def job(db: database.Connection) -> None:
            rosters = groups.rosters(db)
            for name in feeds_of(other.read):
                follows = feeds.load(db, name)
                for each in feeds.slice_of(other.read, name, 0, 1 << 20, 1 << 30):
                    said = record.parse(each.encoded)
                    if said.group != group or (follows and said.seq < follows.size):
                        continue
                    if follows is None:
                        said, follows, _ = feed.open_feed(each.encoded, each.body or b"", rosters)
                    else:
                        said, follows = follows.accept(each.encoded)
                    place, body = feeds.append(db, said, each.body, follows), each.body or b""
                    reader.read(db, place, said, body)
                    if said.kind is Kind.RECEIPT:
                        receipts.take(db, place, body[record.SALT_BYTES :])
                receipts.grown(db, name)
            reader.finish(db)
            membership.refold(db, group)

        self.writer.submit(job).result()

    def _newest(self, _group: bytes) -> Roster:
        return max(self.held.rosters.values(), key=lambda each: each.number)

    def _take(self) -> list[Invited]:
        taken, self.invitations = self.invitations, []
        return taken

    def _joined(self, name: str, joined: Group) -> None:
        self.groups[name] = joined
        self.told["joined"] += 1

    def _changed(self, _group: bytes) -> None:
        self.told["changed"] += 1


def feeds_of(db: database.Connection) -> list[bytes]:
    """Name the feeds held, in the order in which they came."""
    return [bytes(name) for (name,) in list(db.execute("SELECT id FROM feeds ORDER BY number"))]


def follow(before: Roster, organisations: list[Organisation], *by: Keeper) -> Roster:
    """Make the next roster, signed by these organisations' roots."""
    payload = roster.compose_next(before, organisations)
    signed = [roster.sign(state.root_key(each.path, "pass"), payload) for each in by]
    return roster.decode_next(roster.assemble(payload, signed), before)


def know(*everybody: Keeper, rosters: list[Roster]) -> None:
    """Have gateways hold rosters and each other's contacts, as pairing leaves them."""
    for each in everybody:
        for known in rosters:
            consortium.keep_roster(each.path, known)
        for other in everybody:
            if other is not each:
                consortium.keep_contact(each.path, other.held.own_contact)
