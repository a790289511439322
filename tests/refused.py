"""What everybody outside tries on a sealed group, each with the code under which it is counted.

In: a world of a maker and a buyer in sealed groups, a liar who is a member, was one or never was.
Out: messages to the maker, and what the maker must count. Nothing else comes of any.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import Group
from gateway.peers import wire
from gateway.records import cbor, cose, feed, record
from gateway.records.cose import SigningKey
from gateway.records.feed import CBOR_TYPE, Genesis, View, feed_id
from gateway.records.record import NO_RECORD, Kind, Place, Said
from gateway.records.roster import Roster
from gateway.records.run import Run
from gateway.sync import control, envelope, message
from gateway.sync.control import Pair
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.invitation import Invite
from gateway.sync.message import Carried, Heads, Hello, Listed, Message, Recs, Want
from tests.liar import BUYER, LIAR, MAKER, STRANGER, Liar, enveloped
from tests.lies import recs, written
from tests.outside import (
    DYAD,
    OUTSIDER,
    ROSTER,
    TRIO,
    Sealed,
    makers_head,
    overheard,
    tell,
    tell_sealed,
)
from tests.people import group_of, moment, run_of, seed
from tests.vectors.build_cose import SMALL_ORDER

WEAK = bytes.fromhex(SMALL_ORDER[1])
WEAK_EXCHANGE = bytes(32)
_CNF, _CURVE_KEY = 8, -2
Attempt = Callable[[Sealed], None]


# Weak keys: nobody may speak or write under a key for which one signature fits all.


def weakened(certificate: bytes, kind: str, by: SigningKey, weak: bytes) -> bytes:
    """Certify a weak key in the place of the one in a certificate, as no honest root would."""
    claims = cbor.decode(cose.decode(certificate, kind).payload, 1024)
    assert isinstance(claims, dict)
    claims[_CNF][1][_CURVE_KEY] = weak
    return cose.sign(by, kind, cbor.encode(claims))


def forged_hello(at: int, certificate: bytes) -> bytes:
    """Write a HELLO of the liar with another certificate in it."""
    plain = message.encode(Hello(run_of(LIAR).credentials, (), seed("weak")[:16]))
    fields = cbor.decode(plain, 65_536)
    assert isinstance(fields, list)
    fields[at] = certificate
    return cbor.encode(fields)


def greeting_under_a_weak_node_key(world: Sealed) -> None:
    weak = weakened(LIAR.node_certificate, "node", LIAR.root, WEAK)
    tell_sealed(world.liar, forged_hello(1, weak))


def greeting_under_a_weak_run_key(world: Sealed) -> None:
    mine = world.liar.run.credentials.run.encoded
    tell_sealed(world.liar, forged_hello(2, weakened(mine, "run", LIAR.node, WEAK)))


def greeting_with_a_weak_key_to_seal_to(world: Sealed) -> None:
    mine = LIAR.encryption_certificate
    weak = weakened(mine, "encryption", LIAR.node, WEAK_EXCHANGE)
    tell_sealed(world.liar, forged_hello(3, weak))


def genesis_under_a_weak_run_key(world: Sealed) -> None:
    credentials = world.liar.run.credentials
    content = cbor.decode(
        feed.encode_genesis(Genesis(credentials, (), None, View(ROSTER.hash))), 65_536
    )
    assert isinstance(content, dict)
    content[1] = weakened(credentials.run.encoded, "run", LIAR.node, WEAK)
    name = feed_id(WEAK, TRIO.id)
    said = Said(Kind.GENESIS, cbor.encode(content), CBOR_TYPE)
    place = Place(name, 0, NO_RECORD, TRIO.id)
    encoded, body = record.sign(world.liar.run.key, place, said, moment(), seed("salt"))
    world.liar.say(Recs(name, 0, (Carried(encoded, body),)), TRIO)


# Foreign authors.


def author_of_no_organisation(world: Sealed) -> None:
    by = run_of(STRANGER)
    world.liar.say(recs(by, TRIO, written(by, TRIO)), TRIO)


def author_that_is_no_member(world: Sealed) -> None:
    by = run_of(OUTSIDER)
    world.liar.say(recs(by, TRIO, written(by, TRIO)), TRIO)


def author_of_another_group(world: Sealed) -> None:
    world.liar.say(recs(world.liar.run, DYAD, written(world.liar.run, DYAD)), TRIO)


# Envelopes that were sealed for something else.

HINT = message.encode(Heads(()))


def sealed_for_the_tag_of_another_group(world: Sealed) -> None:
    tell(world.liar, replace(enveloped(HINT, TRIO), tag=DYAD.tag))


def sealed_under_the_secret_of_another_group(world: Sealed) -> None:
    """The right tag is bound, and the secret is of a group that the maker is in as well."""
    sealed = envelope.seal_for(TRIO.secret, DYAD.id, DYAD.tag, bytes(24), HINT)
    tell(world.liar, sealed)


def sealed_for_another_group_under_its_secret(world: Sealed) -> None:
    sealed = envelope.seal_for(DYAD.secret, TRIO.id, DYAD.tag, bytes(24), HINT)
    tell(world.liar, sealed)


def said_to_all_under_another_tag(world: Sealed) -> None:
    tell(world.liar, enveloped(HINT, DYAD), wire.heads_of(TRIO.tag, LIAR.node.id))


def sealed_to_another_node(world: Sealed) -> None:
    plain = message.encode(Hello(world.liar.run.credentials, (), seed("another")[:16]))
    tell_sealed(world.liar, plain, BUYER)


def buyers_words_in_another_group(world: Sealed) -> None:
    """What the buyer signed to the maker comes again, sealed for a group that it is not in."""
    for content in overheard(world, TRIO):
        if content.startswith(control.MARK):
            world.liar.tell(content, DYAD)
            return
    raise AssertionError("the buyer said nothing")


# What was said already.


def request_said_twice(world: Sealed) -> None:
    want = message.encode(Want(makers_head(world).feed, 0, 1, 9))
    signed = control.sign(world.liar.run.key, 90, world.liar.pair(), want)
    world.liar.tell(signed, TRIO)
    world.liar.tell(signed, TRIO)


def the_buyers_request_again(world: Sealed) -> None:
    said = [each for each in overheard(world, TRIO) if each.startswith(control.MARK)]
    world.liar.tell(said[0], TRIO)


def the_buyers_records_again(world: Sealed) -> None:
    for arrived in world.liar.heard:
        if arrived.topic == wire.records_of(TRIO.tag, BUYER.node.id):
            world.liar.publish(arrived.topic, arrived.payload)
            return
    raise AssertionError("the buyer said no records")


# Requests of who is no member, though it knows the secret.


def request(by: Liar, said: Message) -> None:
    """Sign something as within a session that was never begun, and say it in the group."""
    pair = Pair(seed("its own HELLO"), seed("the maker's HELLO"))
    signed = control.sign(by.run.key, 1, pair, message.encode(said))
    by.tell(signed, TRIO)


def greeting_of_an_outsider(world: Sealed) -> None:
    world.other(OUTSIDER).greet(1)


def greeting_of_a_stranger(world: Sealed) -> None:
    world.other(STRANGER).greet(1)


def want_of_an_outsider(world: Sealed) -> None:
    request(world.other(OUTSIDER), Want(makers_head(world).feed, 0, 1, 9))


def bwant_of_an_outsider(world: Sealed) -> None:
    request(world.other(OUTSIDER), message.wanted_whole((ROSTER.hash,)))


def heads_of_an_outsider(world: Sealed) -> None:
    request(world.other(OUTSIDER), Heads((Listed(makers_head(world)),)))


def want_that_nobody_signed(world: Sealed) -> None:
    world.other(OUTSIDER).say(Want(makers_head(world).feed, 0, 1, 9), TRIO)


def ack_of_an_outsider(world: Sealed) -> None:
    by = world.other(OUTSIDER)
    said = Ack(TRIO.id, MAKER.node.id, 1, (Entry(makers_head(world)),))
    by.say(agreement.decode(agreement.sign(by.run.key, said)), TRIO)


def hint_of_an_outsider(world: Sealed) -> None:
    by = world.other(OUTSIDER)
    tell(by, enveloped(HINT, TRIO), wire.heads_of(TRIO.tag, OUTSIDER.node.id))


# Invitations.


def invite(by: Liar, founded: Group, founder: Run, *rosters: Roster) -> None:
    """Invite the maker to a group."""
    said = Invite(
        founded.encoded,
        founder.credentials,
        tuple(each.encoded for each in rosters),
        (),
        founded.secret,
        founded.founding.purpose,
    )
    tell_sealed(by, message.encode(said))


def forged(by: Run) -> Group:
    """Found a group of the trio again, signed by whomever."""
    payload = cbor.decode(cose.decode(TRIO.encoded, "founding").payload, 65_536)
    assert isinstance(payload, dict)
    payload[1] = seed("another group")
    return replace(TRIO, encoded=cose.sign(by.key, "founding", cbor.encode(payload)))


def invitation_to_a_foreign_consortium(world: Sealed) -> None:
    foreign = group_of(STRANGER, MAKER, purpose="foreign", clear=False)
    invite(world.other(STRANGER), foreign, run_of(STRANGER), foreign.roster)


def invitation_of_a_stranger(world: Sealed) -> None:
    """It claims our consortium, of which its founder is no member."""
    by = world.other(STRANGER)
    invite(by, forged(by.run), by.run, ROSTER)


def invitation_in_anothers_name(world: Sealed) -> None:
    """The founding is the buyer's by its certificates, and the liar's key has signed it."""
    invite(world.liar, forged(world.liar.run), world.buyer.run, ROSTER)


# A sealed group spoken to in the clear.


def in_the_clear_to_the_node(world: Sealed) -> None:
    tell(world.liar, Envelope(Seal.NONE, TRIO.tag, HINT))


def in_the_clear_to_all(world: Sealed) -> None:
    topic = wire.heads_of(TRIO.tag, BUYER.node.id)
    tell(world.liar, Envelope(Seal.NONE, TRIO.tag, HINT), topic)


def records_in_the_clear(world: Sealed) -> None:
    said = recs(world.liar.run, TRIO, written(world.liar.run, TRIO))
    tell(world.liar, Envelope(Seal.NONE, TRIO.tag, message.encode(said)))


ATTEMPTS: dict[Attempt, dict[str, int]] = {
    greeting_under_a_weak_node_key: {"message.malformed": 1},
    greeting_under_a_weak_run_key: {"message.malformed": 1},
    greeting_with_a_weak_key_to_seal_to: {"message.malformed": 1},
    genesis_under_a_weak_run_key: {"identity.weak-key": 1},
    author_of_no_organisation: {"roster.unknown-organisation": 1},
    author_that_is_no_member: {"group.not-a-member": 1},
    author_of_another_group: {"group.not-a-member": 1},
    sealed_for_the_tag_of_another_group: {"message.envelope": 1},
    sealed_under_the_secret_of_another_group: {"message.envelope": 1},
    sealed_for_another_group_under_its_secret: {"message.envelope": 1},
    said_to_all_under_another_tag: {"message.envelope": 1},
    sealed_to_another_node: {"message.envelope": 1},
    buyers_words_in_another_group: {"message.control": 1},
    request_said_twice: {"message.control": 1},
    the_buyers_request_again: {"message.control": 1},
    the_buyers_records_again: {"sync.repeated": 1},
    greeting_of_an_outsider: {"group.not-a-member": 1},
    greeting_of_a_stranger: {"group.not-a-member": 1},
    want_of_an_outsider: {"message.control": 1},
    bwant_of_an_outsider: {"message.control": 1},
    heads_of_an_outsider: {"message.control": 1},
    want_that_nobody_signed: {"message.control": 1},
    ack_of_an_outsider: {"message.ack": 1},
    hint_of_an_outsider: {"group.not-a-member": 1},
    invitation_to_a_foreign_consortium: {"roster.unknown": 1},
    invitation_of_a_stranger: {"roster.unknown-organisation": 1},
    invitation_in_anothers_name: {"cose.signature": 1},
    in_the_clear_to_the_node: {"message.envelope": 1},
    in_the_clear_to_all: {"message.envelope": 1},
    records_in_the_clear: {"message.envelope": 1},
}


# What a member that was removed still tries: in its session, and in a fresh one.


def greetings_of_the_removed(world: Sealed) -> None:
    """The first may be answered by its removal; for the second there is nothing left to say."""
    world.liar.greet(7)
    world.pass_ms(100)
    world.liar.greet(8)


def want_of_the_removed(world: Sealed) -> None:
    world.liar.control(Want(makers_head(world).feed, 0, 1, 9), TRIO)


def bwant_of_the_removed(world: Sealed) -> None:
    world.liar.control(message.wanted_whole((ROSTER.hash,)), TRIO)


def heads_of_the_removed(world: Sealed) -> None:
    world.liar.control(Heads((Listed(makers_head(world)),)), TRIO)


def hint_of_the_removed(world: Sealed) -> None:
    tell(world.liar, enveloped(HINT, TRIO), wire.heads_of(TRIO.tag, LIAR.node.id))


def ack_of_the_removed(world: Sealed) -> None:
    said = Ack(TRIO.id, MAKER.node.id, 5, (Entry(makers_head(world)),))
    world.liar.say(agreement.decode(agreement.sign(world.liar.run.key, said)), TRIO)


REMOVED: dict[Attempt, dict[str, int]] = {
    greetings_of_the_removed: {"group.not-a-member": 1},
    want_of_the_removed: {"message.control": 1},
    bwant_of_the_removed: {"message.control": 1},
    heads_of_the_removed: {"message.control": 1},
    hint_of_the_removed: {"group.not-a-member": 1},
    ack_of_the_removed: {"message.ack": 1},
}
