"""Lies that a member may tell, each with what it is counted under. Nothing else comes of any.

In: a world. Out: messages of its liar to the maker, and what the maker must count.
"""

import dataclasses
from collections.abc import Callable, Sequence

from gateway.groups import agreement, seal
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import Group
from gateway.peers import wire
from gateway.records import identity
from gateway.records.cose import SigningKey
from gateway.records.feed import Head
from gateway.records.identity import Named
from gateway.records.run import Run
from gateway.store import feeds
from gateway.sync import control, envelope, message
from gateway.sync.control import Pair
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import Body, Carried, Heads, Listed, Recs, Want
from tests import people
from tests.liar import ALL, APART, BUYER, LIAR, MAKER, PAIR, STRANGER, World
from tests.people import chain, moment, run_of, seed
from tests.vectors.build_message import HIGHEST, feeds as names


def makers_head(world: World, within: Group = ALL) -> Head:
    """Give how far the maker's own feed goes."""
    return feeds.tips(world.maker.db, within.id, MAKER.node.id)[0]


def written(by: Run, within: Group, count: int = 3) -> list[Carried]:
    """Write a feed, as it travels."""
    return [Carried(each.encoded, each.body) for each in chain(by, within, count)]


def recs(by: Run, within: Group, records: Sequence[Carried], start: int = 0) -> Recs:
    """Give records of a run's feed, as a message."""
    return Recs(chain(by, within, 1)[0].feed.id, start, tuple(records))


def second_node() -> people.Party:
    """Give a node that the liar's organisation certified, and that is in no group."""
    node = SigningKey(seed("liar's second node"))
    certificate = identity.issue_node(
        LIAR.root, (LIAR.root.id, node.id), node.public, 1, Named("second")
    )
    sealing = identity.issue_encryption(node, node.id, LIAR.encryption.public)
    return dataclasses.replace(
        LIAR, node=node, node_certificate=certificate, encryption_certificate=sealing
    )


# Lies about records.


def changed_record(world: World) -> None:
    records = written(world.liar.run, ALL)
    last = records[2].record
    records[2] = Carried(last[:-1] + bytes([last[-1] ^ 1]), records[2].body)
    world.liar.say(recs(world.liar.run, ALL, records))


def changed_body(world: World) -> None:
    records = written(world.liar.run, ALL)
    records[1] = Carried(records[1].record, bytes(len(records[1].body or b"")))
    world.liar.say(recs(world.liar.run, ALL, records))


def body_kept_back(world: World) -> None:
    records = written(world.liar.run, ALL)
    records[2] = Carried(records[2].record, None)
    world.liar.say(recs(world.liar.run, ALL, records))


def feed_without_its_genesis(world: World) -> None:
    records = written(world.liar.run, ALL)
    world.liar.say(recs(world.liar.run, ALL, records[1:]))


def author_of_no_organisation(world: World) -> None:
    by = run_of(STRANGER)
    world.liar.say(recs(by, ALL, written(by, ALL)))


def author_that_is_no_member(world: World) -> None:
    by = run_of(second_node())
    world.liar.say(recs(by, ALL, written(by, ALL)))


def record_in_the_makers_name(world: World) -> None:
    """The liar signs what is said to continue the buyer's feed."""
    buyers = feeds.tips(world.maker.db, ALL.id, BUYER.node.id)[0]
    forged = people.after(world.liar.run, chain(world.liar.run, ALL, 2)[-1].feed, 2)
    world.liar.say(Recs(buyers.feed, buyers.size, (Carried(forged.encoded, forged.body),)))


def records_of_another_group(world: World) -> None:
    world.liar.say(recs(world.liar.run, PAIR, written(world.liar.run, PAIR)), ALL)


def held_records_in_another_group(world: World) -> None:
    records = written(world.liar.run, PAIR)
    world.liar.say(recs(world.liar.run, PAIR, records), PAIR)
    world.pass_ms(100)
    world.liar.say(recs(world.liar.run, PAIR, records), ALL)


def two_histories(world: World) -> None:
    one, two = chain(world.liar.run, ALL, 4), chain(world.liar.run, ALL, 2)
    salt = seed("another salt")
    other = world.liar.run.write(two[-1].feed, people.observation(9), moment(9), salt)
    after = people.after(world.liar.run, other.feed, 3)
    world.liar.say(
        recs(world.liar.run, ALL, [Carried(each.encoded, each.body) for each in one[:3]])
    )
    world.pass_ms(100)
    world.liar.say(recs(world.liar.run, ALL, [Carried(after.encoded, after.body)], 3))


# Lies about what is held: ACKs.


def ack(world: World, entry: Entry, by: SigningKey | None = None, within: Group = ALL) -> bytes:
    """Sign an ACK to the maker."""
    said = Ack(within.id, MAKER.node.id, 1, (entry,))
    return agreement.sign(by or world.liar.run.key, said)


def tell_ack(world: World, signed: bytes, within: Group = ALL) -> None:
    """Say an ACK to the maker."""
    world.liar.say(agreement.decode(signed), within)


def ack_by_a_run_nobody_knows(world: World) -> None:
    tell_ack(world, ack(world, Entry(makers_head(world)), run_of(LIAR, 9).key))


def ack_of_a_stranger(world: World) -> None:
    tell_ack(world, ack(world, Entry(makers_head(world)), run_of(STRANGER).key))


def ack_in_the_buyers_name(world: World) -> None:
    """The buyer's key is named in it; the liar's has signed."""
    signed = ack(world, Entry(makers_head(world)))
    kid, buyers = world.liar.run.key.id[:8], world.buyer.run.key.id[:8]
    tell_ack(world, signed.replace(kid, buyers))


def ack_to_another_node(world: World) -> None:
    said = Ack(ALL.id, BUYER.node.id, 1, (Entry(makers_head(world)),))
    tell_ack(world, agreement.sign(world.liar.run.key, said))


def ack_of_another_group(world: World) -> None:
    tell_ack(world, ack(world, Entry(makers_head(world)), within=PAIR), ALL)


def ack_in_a_group_of_others(world: World) -> None:
    """The liar has learned the tag of a group that it is not in."""
    tell_ack(world, ack(world, Entry(makers_head(world, APART)), within=APART), APART)


def ack_of_another_root(world: World) -> None:
    head = dataclasses.replace(makers_head(world), root=seed("a lie"))
    tell_ack(world, ack(world, Entry(head)))


def ack_ahead_of_what_is_held(world: World) -> None:
    head = makers_head(world)
    # Further than it may grow meanwhile, by receipts and readings.
    tell_ack(world, ack(world, Entry(dataclasses.replace(head, size=head.size + 10_000))))


def ack_of_a_feed_of_another_group(world: World) -> None:
    tell_ack(world, ack(world, Entry(makers_head(world, APART))))


def ack_with_a_body_owed(world: World) -> None:
    tell_ack(world, ack(world, Entry(makers_head(world), ((0, 1),))))


# Lies within and about sessions.


def want_of_another_session(world: World) -> None:
    """What was signed under one HELLO is said again under the next."""
    pair = Pair(world.liar.pair().sender, seed("an earlier HELLO of the maker"))
    want = message.encode(Want(makers_head(world).feed, 0, 1, 9))
    world.liar.tell(control.sign(world.liar.run.key, 1, pair, want))


def control_said_twice(world: World) -> None:
    signed = control.sign(world.liar.run.key, 1, world.liar.pair(), message.encode(Heads(())))
    world.liar.tell(signed)
    world.liar.tell(signed)


def the_buyers_control_again(world: World) -> None:
    """What the buyer signed to the maker is said to it once more."""
    said = [each for each in world.liar.heard if each.topic == wire.to_node(MAKER.node.id)]
    contents = [envelope.decode(each.payload).content for each in said]
    for content in contents:
        if content.startswith(control.MARK):
            world.liar.tell(content)
            return
    raise AssertionError("the buyer said nothing")


def control_by_another_run(world: World) -> None:
    want = message.encode(Want(makers_head(world).feed, 0, 1, 9))
    world.liar.tell(control.sign(run_of(LIAR, 9).key, 1, world.liar.pair(), want))


def want_that_is_not_signed(world: World) -> None:
    world.liar.say(Want(makers_head(world).feed, 0, 1, 9))


def want_in_a_group_of_others(world: World) -> None:
    world.liar.control(Want(makers_head(world, APART).feed, 0, 1, 9), APART)


def want_of_a_feed_of_others(world: World) -> None:
    world.liar.control(Want(makers_head(world, APART).feed, 0, 1, 9), ALL)


def want_with_credit_without_end(world: World) -> None:
    world.liar.control(Want(makers_head(world).feed, 0, HIGHEST, HIGHEST))


def want_beyond_what_is_held(world: World) -> None:
    world.liar.control(Want(makers_head(world).feed, 1 << 40, HIGHEST, 9))


def greeting_by_a_stranger(world: World) -> None:
    world.liar.greet(1, run_of(STRANGER))


def greeting_by_a_node_that_is_no_member(world: World) -> None:
    world.liar.greet(1, run_of(second_node()))


# Lies about heads, and bytes that are nothing.


def heads_beyond_bounds(world: World) -> None:
    world.liar.control(Heads(tuple(Listed(Head(each, 1, each)) for each in names(501))))


def heads_of_another_root(world: World) -> None:
    head = dataclasses.replace(makers_head(world), root=seed("a lie"))
    world.liar.control(Heads((Listed(head),)))


def heads_of_a_feed_of_another_group(world: World) -> None:
    head = dataclasses.replace(makers_head(world, APART), size=900)
    world.liar.control(Heads((Listed(head),)))


def heads_said_to_all_of_another_root(world: World) -> None:
    head = dataclasses.replace(makers_head(world), root=seed("a lie"))
    said = Envelope(Seal.NONE, ALL.tag, message.encode(Heads((Listed(head),))))
    world.liar.publish(wire.heads_of(ALL.tag, BUYER.node.id), envelope.encode(said))


def want_said_to_all(world: World) -> None:
    said = Envelope(Seal.NONE, ALL.tag, message.encode(Want(names(1)[0], 0, 1, 9)))
    world.liar.publish(wire.heads_of(ALL.tag, LIAR.node.id), envelope.encode(said))


def envelope_of_another_group_than_its_topic(world: World) -> None:
    said = Envelope(Seal.NONE, PAIR.tag, message.encode(Heads(())))
    world.liar.publish(wire.heads_of(ALL.tag, LIAR.node.id), envelope.encode(said))


def said_to_all_by_no_member(world: World) -> None:
    said = Envelope(Seal.NONE, APART.tag, message.encode(Heads(())))
    world.liar.publish(wire.heads_of(APART.tag, LIAR.node.id), envelope.encode(said))


def noise(world: World) -> None:
    world.liar.publish(wire.to_node(MAKER.node.id), b"\xd2\x84noise")


def noise_in_an_envelope(world: World) -> None:
    world.liar.tell(b"\x82\x02noise")


def noise_sealed_to_the_node(world: World) -> None:
    sealed = seal.seal(MAKER.encryption.public, b"\x80", seed("ephemeral"))
    payload = envelope.encode(Envelope(Seal.NODE, None, sealed))
    world.liar.publish(wire.to_node(MAKER.node.id), payload)


def body_nobody_asked_for(world: World) -> None:
    world.liar.say(Body(names(1)[0], 0, b"x"))


def rosters_that_are_not_held(world: World) -> None:
    world.liar.control(message.wanted_whole(names(3)))


# The liar's records, where they are right, hold no pack: they are kept, and not understood.
NOT_READ = {"senml.malformed": 1}
Lie = Callable[[World], None]
LIES: dict[Lie, dict[str, int]] = {
    changed_record: {"cose.signature": 1, **NOT_READ},
    changed_body: {"record.body": 1},
    body_kept_back: {"record.body": 1, **NOT_READ},
    feed_without_its_genesis: {"feed.chain": 1},
    author_of_no_organisation: {"roster.unknown-organisation": 1},
    author_that_is_no_member: {"group.not-a-member": 1},
    record_in_the_makers_name: {"cose.signature": 1},
    records_of_another_group: {"roster.unknown": 1},
    held_records_in_another_group: {"feed.wrong": 1, "senml.malformed": 2},
    two_histories: {"feed.fork": 1, "senml.malformed": 2},
    ack_by_a_run_nobody_knows: {"message.ack": 1},
    ack_of_a_stranger: {"message.ack": 1},
    ack_in_the_buyers_name: {"message.ack": 1},
    ack_to_another_node: {"message.ack": 1},
    ack_of_another_group: {"message.ack": 1},
    ack_in_a_group_of_others: {"message.ack": 1},
    ack_of_another_root: {"feed.fork": 1},
    ack_ahead_of_what_is_held: {"sync.ahead": 1},
    ack_of_a_feed_of_another_group: {"sync.not-held": 1},
    ack_with_a_body_owed: {},
    want_of_another_session: {"message.control": 1},
    control_said_twice: {"message.control": 1},
    the_buyers_control_again: {"message.control": 1},
    control_by_another_run: {"message.control": 1},
    want_that_is_not_signed: {"message.control": 1},
    want_in_a_group_of_others: {"message.control": 1},
    want_of_a_feed_of_others: {"sync.not-held": 1},
    want_with_credit_without_end: {"sync.credit": 1},
    want_beyond_what_is_held: {"sync.not-held": 1},
    greeting_by_a_stranger: {"group.not-a-member": 1},
    greeting_by_a_node_that_is_no_member: {"group.not-a-member": 1},
    heads_beyond_bounds: {"message.malformed": 1},
    heads_of_another_root: {"feed.fork": 1},
    heads_of_a_feed_of_another_group: {"feed.wrong": 1},
    heads_said_to_all_of_another_root: {"sync.hint": 1},
    want_said_to_all: {"message.malformed": 1},
    envelope_of_another_group_than_its_topic: {"message.envelope": 1},
    said_to_all_by_no_member: {"group.not-a-member": 1},
    noise: {"message.envelope": 1},
    noise_in_an_envelope: {"message.malformed": 1},
    noise_sealed_to_the_node: {"message.malformed": 1},
    body_nobody_asked_for: {"sync.unasked": 1},
    rosters_that_are_not_held: {"sync.not-held": 3},
}
