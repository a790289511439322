"""A small world of sealed groups, and ways to say things there that no gateway of ours would.

In: what a test wants said. Out: bytes on the simulator's network, under valid keys of members, of
who was one, and of who never was; all of them know the groups' secrets.
"""

from collections.abc import Sequence

from gateway.groups import seal
from gateway.groups.group import Group
from gateway.peers import enclosing, wire
from gateway.records.feed import Head
from gateway.store import acting, feeds
from gateway.store.authoring import Author, Venue
from gateway.sync import envelope
from gateway.sync.envelope import Envelope, Seal
from tests.liar import BUYER, LIAR, MAKER, Liar, World
from tests.people import Party, group_of, moment, party, roster_of, run_of, seed

OUTSIDER = party("outsider")
ROSTER = roster_of(MAKER, BUYER, LIAR, OUTSIDER)
TRIO = group_of(MAKER, BUYER, LIAR, purpose="sealed trio", clear=False, chain=(ROSTER,))
DUO = group_of(MAKER, BUYER, purpose="sealed duo", clear=False, chain=(ROSTER,))
DYAD = group_of(MAKER, LIAR, purpose="sealed dyad", clear=False, chain=(ROSTER,))


class Sealed(World):
    """The maker and the buyer in two sealed groups; in one of them is the liar."""

    shared: Sequence[Group] = (TRIO, DUO)
    more: Sequence[Group] = (DYAD,)

    def other(self, who: Party) -> Liar:
        """Give a scripted peer that is no member, and has somehow learnt the groups' secrets."""
        found = Liar(self.network, run_of(who), who)
        found.listen(*self.shared)
        return found

    def remove(self) -> None:
        """Have the maker remove the liar from the trio, and tell the buyer."""
        self.maker_removes()
        self.converse()
        self.before = self.maker.exchange.counts.copy()

    def maker_removes(self) -> None:
        """Have the maker remove the liar from the trio."""
        maker, venue = self.maker, Venue(TRIO.id, TRIO.roster.hash)
        author = Author(maker.run, lambda: moment(self.clock.now_ms // 1000), maker.dice.randbytes)
        with maker.db:
            acting.remove(maker.db, author, venue, LIAR.node.id)
        maker.exchange.regroup()


class Removed(Sealed):
    """The same, after the maker removed the liar from its only group with them."""

    more = ()

    def __init__(self) -> None:
        super().__init__()
        self.remove()


def tell(by: Liar, said: Envelope, topic: str = wire.to_node(MAKER.node.id)) -> None:
    """Say an envelope as it is."""
    by.publish(topic, envelope.encode(said))


def tell_sealed(by: Liar, plain: bytes, to: Party = MAKER) -> None:
    """Say something sealed to a node, on the maker's topic."""
    sealed = seal.seal(to.encryption.public, plain, seed("ephemeral"))
    tell(by, Envelope(Seal.NODE, None, sealed))


def makers_head(world: Sealed, within: Group = TRIO) -> Head:
    """Give how far the maker's own feed goes."""
    return feeds.tips(world.maker.db, within.id, MAKER.node.id)[0]


def overheard(world: Sealed, within: Group) -> list[bytes]:
    """Open what came to the maker in a group, as its members can."""
    opened = []
    for arrived in world.liar.heard:
        found = envelope.decode(arrived.payload)
        if arrived.topic == wire.to_node(MAKER.node.id) and found.tag == within.tag:
            opened.append(enclosing.opened(within, found))
    return opened
