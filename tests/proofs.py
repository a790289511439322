"""Whole proofs of final records, for tests: everything that a proof can have, from fixed seeds.

In: whether the group's bodies are clear. Out: a proof whose every statement but the device's holds,
and the roster to trust. Of its four members one was added after the founding.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.groups import announcement, group, membership
from gateway.groups.announcement import SenderKey
from gateway.groups.group import ActivityKind, Founding, Group, Role
from gateway.groups.membership import Add, Approve
from gateway.records import cbor, checkpoint, journal, merkle, note
from gateway.records.feed import CBOR_TYPE, Credentials, Head, View
from gateway.records.proof import Certificates, Founded, Journaled, Opening, Pair, Proof, Receipt
from gateway.records.record import Kind, Said
from gateway.records.run import Origin, Run, Written
from gateway.records.sealing import Sealing
from tests.people import SENML_TYPE, Party, moment, party, roster_of, run_of, seed, witnessed

MAKER, BUYER, AUDITOR, CARRIER = (
    witnessed(party(each)) for each in ("maker", "buyer", "auditor", "carrier")
)
PARTIES = (MAKER, BUYER, AUDITOR, CARRIER)
RUNS = {each: run_of(each) for each in PARTIES}
CONTENT = b"\x81\xa2\x00\x65press\x02\x07"
SHOWN = 4  # the number of the record that is proved, among seven
SALT = seed("salt of what is proved")


def certificates(of: Credentials) -> Certificates:
    """Give a run's three certificates as a proof carries them."""
    node, run, encryption = of.encoded()
    return node, run, encryption


ROSTER = roster_of(*PARTIES)


def founded(clear: bool) -> Group:
    """Found the group of all but the carrier."""
    founding = Founding(
        seed("proofs"),
        ROSTER.hash,
        ROSTER.hash,
        "pressing",
        ActivityKind.INDUSTRIAL,
        tuple(
            each.member(role)
            for each, role in (
                (MAKER, Role.INITIATOR),
                (BUYER, Role.RECEIVER),
                (AUDITOR, Role.SUPERVISOR),
            )
        ),
        clear,
    )
    return group.found(RUNS[MAKER].key, RUNS[MAKER].credentials, founding, ROSTER)


@dataclass(slots=True)
class Writing:
    """A feed that grows."""

    by: Run
    written: list[Written]

    def say(self, said: Said, sealing: Sealing | None = None, salt: bytes = b"") -> Written:
        """Write the next record."""
        after, number = self.written[-1].feed, len(self.written)
        fresh = salt or seed(f"salt {number}")
        self.written.append(self.by.write(after, said, moment(number), fresh, sealing))
        return self.written[-1]

    def head(self) -> Head:
        """Say how far it goes."""
        return self.written[-1].feed.head()

    def path(self, seq: int) -> tuple[bytes, ...]:
        """Give the path from a record to the head."""
        leaves = [each.id for each in self.written]
        return merkle.inclusion(seq, len(leaves), merkle.subtrees_of(leaves))


def begun(by: Run, within: Group, *names: bytes) -> Writing:
    """Open a feed in a view of these membership records."""
    origin = Origin((), View(ROSTER.hash, tuple(sorted(names))))
    return Writing(by, [by.begin(within.id, origin, moment(), seed("salt 0"))])


def receipt_by(by: Writing, of: Writing, seq: int) -> Receipt:
    """Have a member write a receipt of a feed, and show record `seq` below it."""
    head = of.head()
    content = cbor.encode([[head.feed, head.size, head.root, []]])
    written = by.say(Said(Kind.RECEIPT, content, CBOR_TYPE))
    return Receipt(written.encoded, certificates(by.by.credentials), of.path(seq), written.body)


def journaled(by: Run, of: Writing, seq: int, cosigners: Iterable[Party] = PARTIES) -> Journaled:
    """Put a feed's head into a journal of five, and have witnesses cosign its checkpoint."""
    head = of.head()
    heads = [Head(seed(f"other {n}"), n + 1, seed(f"root {n}")) for n in range(4)]
    heads.insert(2, head)
    leaves = [journal.leaf(each) for each in heads]
    tree = merkle.subtrees_of(leaves)
    root = merkle.frontier(5, tree).root()
    signed = checkpoint.sign(by.key, 5, root)
    text = note.parse(signed).text
    lines = tuple(each.cosign(text) for each in cosigners)
    way, own = merkle.inclusion(2, 5, tree), certificates(by.credentials)
    return Journaled(of.path(seq), head, 2, way, signed, own, lines)


def pair(written: Written) -> Pair:
    """Give a record with its body."""
    return written.encoded, written.body


@dataclass(frozen=True, slots=True)
class Told:
    """A group with what its members have said, and what they receipted of the maker's feed."""

    group: Group
    makers: Writing
    others: tuple[Writing, ...]
    receipts: tuple[Receipt, ...]
    members: tuple[Pair, ...]  # with what they stand on


def complete(clear: bool = True) -> Proof:
    """Give the proof of a final record, in a group that one of its members joined later."""
    said = told(clear)
    return Proof(
        said.makers.written[SHOWN].encoded,
        Opening(SALT, CONTENT),
        said.receipts,
        certificates(RUNS[MAKER].credentials),
        ROSTER.encoded,
        Founded(said.group.encoded, certificates(said.group.founder)),
        (),
        journaled(RUNS[MAKER], said.makers, SHOWN),
        said.members,
    )


def told(clear: bool = True) -> Told:
    """Have the carrier added to a group, the maker say seven things, and the others receipt it."""
    within = founded(clear)
    makers, buyers, auditors = (begun(RUNS[each], within) for each in (MAKER, BUYER, AUDITOR))
    joining = Add(CARRIER.member(Role.RECEIVER), CARRIER.node_certificate)
    proposed = makers.say(Said(Kind.MEMBERSHIP, membership.encode(joining), CBOR_TYPE))
    word = membership.encode(Approve(proposed.id))
    approved = buyers.say(Said(Kind.MEMBERSHIP, word, CBOR_TYPE, deps=(proposed.id,)))
    feed, view = makers.written[0].feed.id, View(ROSTER.hash, (approved.id,))
    announced, sealing = announcement.announce_view(feed, view), None
    if not clear:
        sender = SenderKey(within.id, feed, 1, seed("sender key"))
        sealing = Sealing(1, sender.key, seed("nonce")[:24])
        to = [each.encryption.public for each in PARTIES]
        fresh = [seed(f"ephemeral {n}") for n in range(len(to))]
        announced = announcement.announce(sender, view, to, fresh)
    turned = makers.say(Said(Kind.ANNOUNCEMENT, announcement.encode(announced), CBOR_TYPE))
    for number in range(3, 7):
        salt = SALT if number == SHOWN else seed(f"salt {number}")
        makers.say(Said(Kind.OBSERVATION, CONTENT, SENML_TYPE), sealing, salt)
    carriers = begun(RUNS[CARRIER], within, approved.id)
    receipts = tuple(receipt_by(each, makers, SHOWN) for each in (buyers, auditors, carriers))
    shown = (makers.written[0], proposed, turned, buyers.written[0], approved)
    pairs = tuple(pair(each) for each in shown)
    return Told(within, makers, (buyers, auditors, carriers), receipts, pairs)
