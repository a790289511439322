"""Who is outside a sealed group gets nothing from it: refused, counted, and nobody disturbed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import publish

from gateway.groups import seal
from gateway.peers import enclosing, wire
from gateway.peers.greeting import INVITATIONS_MAX
from gateway.readings.reading import Reading
from gateway.store import feeds, membership, state
from gateway.sync import control, envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import Hello, Recs, Want
from tests.agents import HULIAN, AgentProcess
from tests.broker import Broker
from tests.liar import BUYER, LIAR, MAKER, STRANGER
from tests.outside import DYAD, ROSTER, TRIO, Removed, Sealed, makers_head
from tests.paired import hulian, pair, standing, until
from tests.people import group_of, run_of, seed
from tests.refused import ATTEMPTS, HINT, REMOVED, Attempt, invite, want_of_the_removed


def _undisturbed(world: Sealed, held: dict[bytes, int]) -> None:
    """Nothing held is lost, nobody came or went, no outbox moved, and the honest go on."""
    assert world.signed_for() == 0
    for name, size in held.items():
        for gateway in (world.maker, world.buyer):
            head = feeds.head(gateway.db, name)
            assert head is not None and head.size >= size
    assert not world.maker.exchange.invitations
    world.converse()


def _members(world: Sealed) -> list[frozenset[bytes]]:
    return [
        frozenset(each.node for each in membership.load(gateway.db, TRIO.id).members)
        for gateway in (world.maker, world.buyer)
    ]


def _given(world: Sealed) -> list[tuple[bytes, int]]:
    """Name the feeds of which the liar was given records, each with the last record's number."""
    given, by_tag = [], {each.tag: each for each in (TRIO, DYAD)}
    for arrived in world.liar.heard:
        found = envelope.decode(arrived.payload)
        within = by_tag.get(found.tag or "")
        if arrived.topic != wire.to_node(LIAR.node.id) or within is None:
            continue
        content = enclosing.opened(within, found)
        said = None if content.startswith(control.MARK) else message.decode(content)
        if isinstance(said, Recs):
            given.append((said.feed, said.start + len(said.records) - 1))
    return given


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.__name__)
def test_an_attempt_is_counted_and_disturbs_nobody(attempt: Attempt) -> None:
    """It is refused under its code, and nothing else comes of it."""
    world = Sealed()
    held = {head.feed: head.size for head in world.own(world.maker) + world.own(world.buyer)}
    before = _members(world)
    attempt(world)
    world.pass_ms(200)
    assert world.counted() == ATTEMPTS[attempt]
    _undisturbed(world, held)
    assert _members(world) == before


@pytest.mark.parametrize("attempt", REMOVED, ids=lambda attempt: attempt.__name__)
def test_who_was_removed_is_refused_like_anybody(attempt: Attempt) -> None:
    """It knows the secret and had a session; all that it is ever told is that it was removed."""
    world = Removed()
    held = {head.feed: head.size for head in world.own(world.maker) + world.own(world.buyer)}
    assert _members(world) == 2 * [frozenset({BUYER.node.id, world.maker.node})]
    heard, given = len(world.liar.greetings()), len(_given(world))
    attempt(world)
    world.pass_ms(200)
    assert world.counted() == REMOVED[attempt]
    assert len(world.liar.greetings()) == heard
    ((feed, removed_at),) = membership.removals(world.maker.db, TRIO.id, LIAR.node.id)
    assert all(name == feed and last <= removed_at for name, last in _given(world)[given:])
    assert makers_head(world).size > removed_at + 1
    _undisturbed(world, held)


@pytest.mark.parametrize("attempt", REMOVED, ids=lambda attempt: attempt.__name__)
def test_the_same_of_a_member_is_taken(attempt: Attempt) -> None:
    """It is the removal alone that makes the difference: before it, nothing of this is refused."""
    world = Sealed()
    world.pass_ms(20_000)
    attempt(world)
    world.pass_ms(200)
    assert not world.counted()


def test_who_was_removed_from_one_group_is_served_in_another() -> None:
    """Of the group it lost it gets nothing, in whichever envelope; of the other all."""
    world = Sealed()
    world.maker.say(DYAD, [Reading("press-1", "strokes", 1, "1", 1_795_262_400_000)])
    world.pass_ms(5_000)
    world.remove()
    before = _given(world)
    want_of_the_removed(world)
    world.liar.control(Want(makers_head(world).feed, 0, 1, 9), DYAD)
    world.pass_ms(200)
    assert world.counted() == {"message.control": 1, "sync.not-held": 1}
    assert _given(world) == before
    apart = makers_head(world, DYAD).feed
    world.liar.control(Want(apart, 0, 1, 9), DYAD)
    world.pass_ms(200)
    assert _given(world) == [*before, (apart, 0)]


def test_invitations_without_end_are_counted_and_not_kept() -> None:
    """Whoever invites again and again fills no memory."""
    world = Sealed()
    for number in range(INVITATIONS_MAX + 6):
        again = group_of(LIAR, MAKER, purpose=f"{number}", clear=False, chain=(ROSTER,))
        invite(world.liar, again, world.liar.run, ROSTER)
    world.pass_ms(200)
    assert len(world.maker.exchange.invitations) == INVITATIONS_MAX
    assert world.counted() == {"sync.unkept": 6}
    world.converse()


# At real agents: what was refused is told to whoever asks.

ENGLISH = {**os.environ, "HULIAN_LANG": "en"}
_LINK = """
[[link]]
name = "consortium"
url = "{url}"

[[accept]]
organisation = "*"
"""


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[Broker, AgentProcess, AgentProcess]]:
    """Give two organisations of one consortium, running, and the broker between them."""
    (tmp_path / "broker").mkdir()
    broker, made = Broker(tmp_path / "broker"), list[AgentProcess]()
    for name in ("alder", "birch"):
        (tmp_path / name).mkdir()
        made.append(AgentProcess(tmp_path / name, name, _LINK.format(url=broker.url)))
    pair(*made)
    try:
        for each in made:
            each.start()
        yield broker, made[0], made[1]
    finally:
        for each in made:
            each.end()
        broker.stop()


def test_status_tells_what_was_refused(agents: tuple[Broker, AgentProcess, AgentProcess]) -> None:
    """Counts go on when a group comes in and everybody is met anew."""
    broker, alder, birch = agents
    until(alder, lambda: standing(alder, "consortium").get("members") == 2)
    until(
        alder, lambda: any(each["state"] == "connected" for each in alder.stands().get("peers", ()))
    )
    held = state.load(alder.state_dir)
    topic = wire.to_node(held.node_id)
    said = message.encode(Hello(run_of(STRANGER).credentials, (), seed("nonce")[:16]))
    sealed = seal.seal(held.encryption_key.public, said, seed("ephemeral"))

    def tell(enveloped: Envelope) -> None:
        payload = envelope.encode(enveloped)
        publish.single(topic, payload, qos=1, hostname="127.0.0.1", port=broker.port)

    tell(Envelope(Seal.NODE, None, sealed))
    until(alder, lambda: alder.stands()["refused"].get("group.not-a-member") == 1)
    hulian(alder, "group", "create", "pressing", "--with", "birch")
    until(birch, lambda: standing(birch, "pressing"))
    tell(Envelope(Seal.NONE, state.load(alder.state_dir).groups["pressing"].tag, HINT))
    until(alder, lambda: alder.stands()["refused"].get("message.envelope") == 1)
    assert alder.stands()["refused"]["group.not-a-member"] == 1
    config = ("--config", str(alder.config))
    shown = subprocess.run([*HULIAN, *config, "status"], capture_output=True, env=ENGLISH)
    assert b"group.not-a-member 1, message.envelope 1\n" in shown.stdout
