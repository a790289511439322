"""The company that a gateway keeps: its groups, its peers, and what is done about both.

In: the state, the author of this run, the writer. Out: one value that the agent starts and stops.
It wires groups to links: when a group comes in, the peers are met again over all links, in the same
run. It decides nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from gateway.activity_acts import PREFIX as ACTIVITIES, ActivityActs
from gateway.acts import Acting, Acts
from gateway.binding import Bindings
from gateway.carrying import PREFIX, Carrying, Ways, Write
from gateway.clock import random_bytes
from gateway.config import Config
from gateway.config.devices import STALE_MS
from gateway.errors import StateError
from gateway.executing import Around as Moving, Executing
from gateway.groups.group import Group
from gateway.journalling import Journalling
from gateway.order_acts import PREFIXES as OF_ORDERS, OrderActs
from gateway.peers.circle import Me
from gateway.peers.dialling import Dialled
from gateway.peers.exchange import Brought, Exchange, PeerStatus, Storage
from gateway.peers.https import Own
from gateway.peers.inviting import Invited
from gateway.peers.ledger import JournalLedger
from gateway.peers.link import Link, LinkStatus
from gateway.peers.links import Links
from gateway.peers.listening import Listener
from gateway.peers.mqtt import BrokerLink
from gateway.peers.searching import Searched, is_ours
from gateway.peers.witnesses import Shown, Witnesses, WitnessStatus
from gateway.records.journal import Rule
from gateway.ruling import Asking, Ruling
from gateway.sources.intake import Routes
from gateway.sources.source import Moves, Source
from gateway.store import council, database, groups, membership, noted, projections, state, weighing
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.folding import Folded, Folds
from gateway.store.state import State
from gateway.store.writer import Writer
from gateway.sync.bundle import Entry
from gateway.transport.http_client import Address
from gateway.transport.http_server import Listening
from gateway.upkeep import Around, Upkeep


@dataclass(frozen=True, slots=True)
class Kept:
    """Where records are kept: who commits, and the file to read from."""

    writer: Writer
    path: str


class Company:
    """The groups of one start of the agent, and the peers in them."""

    def __init__(self, config: Config, held: State, author: Author, kept: Kept) -> None:
        self._config, self._held, self._author, self._kept = config, held, author, kept
        self.groups = dict(held.groups)
        if state.OWN not in self.groups:
            self.groups[state.OWN] = state.own_group(held, author.run, random_bytes)
        kept.writer.submit(self._register).result()
        self._turn, self._started, self._closed = threading.Lock(), False, False
        self._refused: Counter[str] = Counter()  # before everybody was met anew
        self._heard: set[str] = set()  # tags under which a member spoke to this run
        self._read = database.connect_to_read(kept.path)
        self._peers = self._new_peers()
        told = self._join, self._changed
        where = author, kept.writer, held.path, self.groups
        acting = Acting(*where, *told, heard=self._heard, written=self.written)
        self._acts = Acts(acting)
        self._orders = OrderActs(acting, self._venue, self.written)
        self._folded = Folded(kept.path)
        self._activities = ActivityActs(acting, self._acts, self._folded, self._reroute)
        self._bindings = Bindings(author.run.node, self._folded, kept.writer)
        ledger = JournalLedger(author.run.key.id, kept.writer, kept.path, held.path)
        ledger.told = self._cosigned
        self._witnesses = Witnesses(config.witness, Shown(author.run, ledger, random_bytes))
        rule = Rule(heard_ms=config.gateway.journal_s * 1000)
        journalling = Journalling(author, kept.writer, lambda: self._witnesses.reachable, rule)
        above = self._invitations, self._meet_again, self._reroute
        around = Around(config.accept, *above, self.written, journalling.once, self._rebind)
        self._upkeep = Upkeep(acting, self._acts, around)
        ways = Ways(self._carry, self._letters, self._upkeep.follow)
        self._carrying = Carrying(author.run, ways)
        self.routes = Routes(config.route, self._venues())
        self._reroute()

    def start(self) -> None:
        """Begin to speak with peers."""
        with self._turn:
            self._started = True
            self._peers.start()
        self._witnesses.start()

    def stop(self) -> None:
        """End it; what peers lack waits in the store."""
        self._witnesses.stop()
        with self._turn:
            self._started = False
            self._peers.stop()

    def close(self) -> None:
        """Let go of the store; whoever still acts for somebody at the door changes nothing here."""
        with self._turn:
            self._closed = True
            self._read.close()
            self._folded.close()

    async def keep_up(self) -> None:
        """Do what groups need without being asked, until cancelled."""
        await self._upkeep.run()

    def act(self, asked: dict[str, object]) -> dict[str, object]:
        """Do what somebody at the door asks, from any thread; raise a GatewayError."""
        if str(asked.get("act")).startswith(PREFIX):
            return self._carrying.do(asked)
        if str(asked.get("act")).startswith(OF_ORDERS):
            return self._orders.do(asked)
        if str(asked.get("act")).startswith(ACTIVITIES):
            return self._activities.do(asked)
        return self._acts.do(asked)

    def doing(self, sources: Sequence[Source]) -> tuple[Executing, Ruling]:
        """Give what is shown each reading, and runs: what does as others ask, and what asks."""
        return self.executing(sources), self.ruling(sources)

    def executing(self, sources: Sequence[Source]) -> Executing:
        """Give what carries out, by these sources of the config, the orders to this gateway."""
        folds = Folds()
        around = Moving(
            self._author,
            self._venues_by_id,
            lambda db, activity: weighing.rights_in(db, folds, activity),
            [each for each in sources if isinstance(each, Moves)],
            self.written,
            self._stale_ms(sources),
            folds.forget,
        )
        return Executing(around, self._kept.writer)

    def ruling(self, sources: Sequence[Source]) -> Ruling:
        """Give what asks by itself, as the rules of the config say."""
        asking = Asking(
            self._author, self._venues_by_id, self.act, self.written, self._stale_ms(sources)
        )
        return Ruling(self._config.rule, asking, self._kept.writer)

    def _venues_by_id(self) -> dict[bytes, Venue]:
        return {each.id: self._venue(each) for each in list(self.groups.values())}

    def _stale_ms(self, sources: Sequence[Source]) -> Callable[[str], int]:
        """Give what says of a device after how long its readings are stale."""
        named = list(zip(self._config.source, sources, strict=True))
        return lambda device: next(
            (each.stale_ms for each, source in named if device in source.devices), STALE_MS
        )

    def written(self, written: Iterable[bytes]) -> None:
        """Tell, from any thread and after the commit, in which groups this run has written."""
        self._peers.written(written)

    def _cosigned(self) -> None:
        """Have the members told what is cosigned now."""
        self._peers.written([group.id for group in list(self.groups.values())])

    def links(self) -> list[LinkStatus]:
        """Say how it stands with each link."""
        return self._peers.links()

    def peers(self) -> tuple[PeerStatus, ...]:
        """Say how it stands with each peer."""
        return self._peers.status()

    def witnesses(self) -> list[WitnessStatus]:
        """Say how it stands with each witness."""
        return self._witnesses.status()

    def refused(self) -> dict[str, int]:
        """Count what was refused of what came over the links, by code."""
        here = self._upkeep.counts, self._witnesses.counts
        return together(self._refused, self._peers.exchange.counts, *here)

    def _venues(self) -> dict[str, Venue]:
        """Give where readings are written, by the groups' names.

        What a route sends to a group that this node left, or was removed from, would count nothing
        there: it is kept in the organisation's own group.
        """
        own, out = self.groups[state.OWN], self._upkeep.out
        return {
            name: self._venue(own if name in out else group) for name, group in self.groups.items()
        }

    def rows(self, read: Connection) -> list[dict[str, object]]:
        """Say how it stands with each group, as `status --json` prints it."""
        return [self._row(read, name, group) for name, group in sorted(self.groups.items())]

    def waiting(self) -> list[dict[str, object]]:
        """Give the invitations that wait for a person; of a damaged one `group list` tells."""
        try:
            waiting = council.waiting(self._held.path)
        except StateError:
            return []
        return [
            {"name": each.name, "id": each.group.id.hex(), "organisation": each.organisation}
            for each in waiting
        ]

    def _row(self, read: Connection, name: str, group: Group) -> dict[str, object]:
        held = membership.load(read, group.id)
        return {
            "name": name,
            "id": group.id.hex(),
            "members": len(held.members),
            "state": "clear" if group.founding.clear else "sealed",
            "invited": [node.hex() for node in self._peers.invited(group.id)],
            "rotation": self._upkeep.owed.get(name),
            "unread": sum(projections.unread(read, group.id).values()),
            "standing": asdict(noted.tally(read, group.id)),
        }

    def _venue(self, group: Group) -> Venue:
        founder = group.founder.run.key == self._author.run.key.public
        return Venue(group.id, group.roster.hash, group.encoded if founder else None)

    def _register(self, db: Connection) -> None:
        for each in sorted(self._held.rosters.values(), key=lambda one: one.number):
            groups.keep_roster(db, each)
        for name, group in self.groups.items():
            groups.register(db, name, group)
        projections.catch_up(db)

    def _new_peers(self) -> Links:
        me = Me(self._author.run, (self._held.encryption_key,), self._unix_ms, self._heard)
        storage = Storage(self._kept.writer, self._read)
        exchange = Exchange(me, list(self.groups.values()), storage, random_bytes)
        return Links(self._new_links(exchange), exchange, self.monotonic_ms)

    def _new_links(self, exchange: Exchange) -> list[Link]:
        """Make the links of the config; none for who has nobody to hear."""
        topics, run = exchange.subscriptions, self._author.run
        own = Own(run, lambda: exchange.guests, self._unix_ms, random_bytes)
        made: list[Link] = []
        for each in self._config.link if topics else ():
            match each.kind:
                case "mqtt":
                    made.append(BrokerLink(each, run.key.id, topics))
                case "https":
                    made.append(Dialled(each.name, Address(each.far.host, each.far.port), own))
                case "listen":
                    at = Listening(each.here.host, each.here.port, random_bytes(32))
                    made.append(Listener(each.name, at, own, bool(each.announce)))
                case "lan":
                    made.append(Searched(each.name, own, is_ours(self._config.link)))
        return made

    def _meet_again(self) -> None:
        """Meet everybody anew, in all groups there are now, within the same run."""
        with self._turn:
            if self._closed:
                return
            before = self._peers
            before.stop()
            self._peers = self._new_peers()
            self._refused += before.exchange.counts
            if self._started:
                self._peers.start()

    def _join(self, name: str, joined: Group) -> None:
        self.groups[name] = joined
        self._meet_again()

    def _changed(self, group: bytes) -> None:
        """This gateway wrote who is a member: see it at once, and tell the others."""
        with self._turn:
            if not self._closed:
                self._peers.regroup(group)

    def _carry(self, envelopes: Sequence[bytes]) -> Brought:
        with self._turn:
            return self._peers.carry(envelopes)

    def _letters(self, write: Write) -> Sequence[Entry]:
        with self._turn:
            return self._peers.letters(write)

    def _invitations(self) -> Sequence[Invited]:
        with self._turn:
            return self._peers.take_invitations()

    def _reroute(self) -> None:
        """Have readings go to the groups and activities that are theirs now."""
        self._bindings.look()
        out = self._upkeep.out
        groups = [group for name, group in list(self.groups.items()) if name not in out]
        bound = self._bindings.venues({group.id: self._venue(group) for group in groups})
        self.routes.move(self._venues(), bound)

    def _rebind(self) -> None:
        if self._bindings.look():
            self._reroute()

    def _unix_ms(self) -> int:
        return self._author.now().unix_ms

    def monotonic_ms(self) -> int:
        """Give the time by which peers are heard."""
        return self._author.now().monotonic_ms


def together(*counts: Counter[str]) -> dict[str, int]:
    """Add counts up while other threads count: each is copied at once, before it is looked at."""
    whole: Counter[str] = Counter()
    for each in counts:
        whole.update(dict(each))
    return {code: count for code, count in whole.items() if count}
