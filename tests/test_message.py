"""Messages, envelopes and control messages: one form each, and a session that nobody replays."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import (
    BadControl,
    BadEnvelope,
    GatewayError,
    InvitationTooLarge,
    MalformedMessage,
    PeerError,
)
from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.records.feed import Head
from gateway.records.record import CARRIED_BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.sync import control, envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import (
    MESSAGE_BYTES_MAX,
    Body,
    Bwant,
    Carried,
    Evidence,
    Heads,
    Listed,
    Message,
    Note,
    Part,
    Recs,
    Want,
)
from gateway.sync.session import WINDOW, Window
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import run_of
from tests.vectors import build_control, build_envelope, build_message, load
from tests.vectors.build_message import BUYER, GROUP, HIGHEST, MAKER, ROOT, feeds

HASHES = some.binary(min_size=32, max_size=32)
NUMBERS = some.integers(0, HIGHEST)
SIZES = some.integers(1, HIGHEST)
HEADS = some.builds(Head, HASHES, SIZES, HASHES)


def _sorted_heads(heads: list[Head]) -> tuple[Listed, ...]:
    return tuple(Listed(head) for head in sorted({each.feed: each for each in heads}.values()))


def _acked(heads: list[Head]) -> Message:
    entries = tuple(Entry(each.head) for each in _sorted_heads(heads))
    said = Ack(GROUP.id, MAKER.node.id, 1, entries)
    return agreement.decode(agreement.sign(run_of(BUYER).key, said))


def _parted(names: set[bytes]) -> Bwant:
    """Want two parts of each."""
    sides = ((0, 9), (4_096, 4_097))
    return Bwant(tuple(Part(name, *each) for name in sorted(names) for each in sides))


CARRIED = some.builds(Carried, some.binary(max_size=64), some.none() | some.binary(max_size=64))
RECORDS = some.lists(CARRIED, min_size=1, max_size=9).map(tuple)
WANTS = some.tuples(HASHES, some.sets(NUMBERS, min_size=2, max_size=2), SIZES).map(
    lambda said: Want(said[0], min(said[1]), max(said[1]), said[2])
)
MESSAGES: some.SearchStrategy[Message] = some.one_of(
    some.lists(HEADS, max_size=9).map(lambda heads: Heads(_sorted_heads(heads))),
    some.lists(HEADS, min_size=1, max_size=9).map(_acked),
    WANTS,
    some.builds(Recs, HASHES, some.integers(0, HIGHEST - 9), RECORDS),
    some.sets(HASHES, min_size=1, max_size=9).map(_parted),
    some.builds(Body, HASHES, some.integers(0, HIGHEST - 9), some.binary(min_size=1, max_size=9)),
    some.builds(Note, some.text(), some.lists(some.text(), max_size=3).map(tuple), some.just(())),
    some.builds(Evidence, some.binary(max_size=64)),
)
VECTORS: dict[str, dict[str, list[dict[str, Any]]]] = {
    noun: load(noun) for noun in ("message", "envelope", "control")
}
SIGNED = build_control.sign(1)


def _read(noun: str, vector: dict[str, Any]) -> dict[str, object]:
    """Read a vector as its receiver does and give what it says."""
    encoded = bytes.fromhex(vector["hex"])
    match noun:
        case "message":
            return build_message.expect(message.decode(encoded))
        case "envelope":
            return build_envelope.expect(envelope.decode(encoded))
    return build_control.expect(build_control.take(encoded, tuple(vector["heard"])))


def _cases(half: str) -> list[Any]:
    return [
        pytest.param(noun, vector, id=f"{noun}: {vector['name']}")
        for noun, vectors in VECTORS.items()
        for vector in vectors[half]
    ]


@pytest.mark.parametrize(("noun", "vector"), _cases("good"))
def test_a_good_vector_is_read(noun: str, vector: dict[str, Any]) -> None:
    """Every reader finds the same in it."""
    assert _read(noun, vector) == vector["expect"]


@pytest.mark.parametrize(("noun", "vector"), _cases("bad"))
def test_a_bad_vector_is_refused(noun: str, vector: dict[str, Any]) -> None:
    """What is not of the form, or is not of the session, is refused with the chapter's code."""
    assert refusal(lambda: _read(noun, vector), PeerError) == vector["error"]


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(said: Message) -> None:
    """Nothing is lost or added on the way, and there is one way to write it."""
    encoded = message.encode(said)
    assert message.decode(encoded) == said
    assert message.encode(message.decode(encoded)) == encoded


@given(some.binary(max_size=99), some.booleans())
def test_an_envelope_is_read_as_it_was_written(content: bytes, is_sealed: bool) -> None:
    """The content comes out as it went in."""
    tag = None if is_sealed else GROUP.tag
    said = Envelope(Seal.NODE if is_sealed else Seal.NONE, tag, content)
    assert envelope.decode(envelope.encode(said)) == said


@given(some.binary(max_size=99), HASHES, HASHES)
def test_what_is_sealed_under_a_secret_opens_under_it_alone(
    content: bytes, secret: bytes, group: bytes
) -> None:
    """Neither another secret, nor another group, nor another tag opens it."""
    sealed = envelope.seal_for(secret, group, GROUP.tag, bytes(24), content)
    assert envelope.decode(envelope.encode(sealed)) == sealed
    assert envelope.open_in(secret, group, sealed) == content
    other = bytes([secret[0] ^ 1]) + secret[1:]
    for attempt in (
        lambda: envelope.open_in(other, group, sealed),
        lambda: envelope.open_in(secret, secret + group, sealed),
        lambda: envelope.open_in(secret, group, replace(sealed, tag="0" * 32)),
        lambda: envelope.open_in(secret, group, replace(sealed, seal=Seal.NONE)),
    ):
        refusal(attempt, BadEnvelope)


def test_an_invitation_that_no_message_holds_is_refused_before_it_is_sent() -> None:
    """What fits is read again; a byte more is an error for the group's admins, and not for us."""
    body = bytes(40_000)
    room = MESSAGE_BYTES_MAX - len(message.encode(build_message.INVITE)) - len(body) - 2 * 5
    fits = replace(build_message.INVITE, membership=(build_message.PAIR, (b"", body)))
    assert message.decode(message.encode(fits)) == fits
    most = (*fits.membership, (b"", bytes(room)))
    largest = message.encode(replace(fits, membership=most))
    assert len(largest) == MESSAGE_BYTES_MAX
    assert GROUP.secret in largest
    assert GROUP.secret.hex() not in repr(fits)
    assert str(GROUP.secret) not in repr(fits)
    more = (*fits.membership, (b"", bytes(room + 1)))
    refusal(lambda: message.encode(replace(fits, membership=more)), InvitationTooLarge)


@given(SIZES, some.binary(max_size=99))
def test_a_control_message_is_read_as_it_was_written(counter: int, said: bytes) -> None:
    """Counter, pair and message come back."""
    found = control.decode(build_control.sign(counter, said=said))
    assert (found.counter, found.pair, found.message) == (counter, build_control.PAIR, said)


def test_every_flipped_bit_and_truncation_of_a_control_message_is_refused() -> None:
    """Nobody changes what a peer said, its counter, or the session it said it in."""
    damaged = [*flips(SIGNED), *truncations(SIGNED)]
    all_refused(lambda each: build_control.take(each, ()), damaged, BadControl)


def test_every_truncation_of_every_message_is_refused() -> None:
    """Half a message is none."""
    for vector in VECTORS["message"]["good"]:
        all_refused(message.decode, truncations(bytes.fromhex(vector["hex"])), PeerError)


@pytest.mark.parametrize(
    ("noun", "decode", "branch"),
    [
        ("message", message.decode, PeerError),
        ("envelope", envelope.decode, PeerError),
        ("control", control.decode, BadControl),
    ],
)
def test_mutated_bytes_raise_only_their_own_errors(
    noun: str, decode: Any, branch: type[GatewayError]
) -> None:
    """Fed anything, each of the three decoders gives its noun or raises errors of a peer."""
    few = [each for each in known(noun) if len(each) < 4096]
    assert never_escapes(decode, mutations(few, 2000, seed=9), branch)


def test_the_bounds_of_messages_are_kept_to_the_byte() -> None:
    """What is as large as the chapter allows is read; one more of anything is refused."""
    row, name = [Listed(Head(each, 1, ROOT)) for each in feeds(501)], feeds(1)[0]
    record, body = bytes(RECORD_BYTES_MAX), bytes(CARRIED_BODY_BYTES_MAX)
    hashes = tuple(feeds(501))
    empty = len(message.encode(Evidence(b"")))
    most = bytes(MESSAGE_BYTES_MAX - empty - 2)  # a length of three bytes instead of one
    pairs: list[tuple[Message, Message]] = [
        (Heads(tuple(row[:500])), Heads(tuple(row))),
        (Recs(name, 0, (Carried(record, None),)), Recs(name, 0, (Carried(record + b"x", None),))),
        (Recs(name, 0, (Carried(b"", body),)), Recs(name, 0, (Carried(b"", body + b"x"),))),
        (Recs(name, 0, (Carried(b"", None),) * 1024), Recs(name, 0, (Carried(b"", None),) * 1025)),
        (message.wanted_whole(hashes[:500]), message.wanted_whole(hashes)),
        (Body(name, 0, body), Body(name, 0, body + b"x")),
        (Evidence(most), Evidence(most + b"x")),
    ]
    for most_allowed, too_much in pairs:
        assert message.decode(message.encode(most_allowed)) == most_allowed
        all_refused(message.decode, [message.encode(too_much)], MalformedMessage)


def test_nothing_beyond_64_kib_is_decoded() -> None:
    """Size is bounded before anything is decoded, and the largest message fits its envelope."""
    content = bytes(MESSAGE_BYTES_MAX)
    sealed = envelope.seal_for(GROUP.secret, GROUP.id, GROUP.tag, bytes(24), content)
    for each in (Envelope(Seal.NONE, GROUP.tag, content), sealed):
        largest = envelope.encode(each)
        assert len(largest) <= envelope.ENVELOPE_BYTES_MAX
        assert envelope.decode(largest) == each
    too_long = envelope.encode(Envelope(Seal.NONE, GROUP.tag, bytes(envelope.ENVELOPE_BYTES_MAX)))
    all_refused(envelope.decode, [too_long], BadEnvelope)
    all_refused(control.decode, [SIGNED + bytes(control.CONTROL_BYTES_MAX)], BadControl)


def test_a_control_message_does_not_begin_as_a_message_does() -> None:
    """A reader tells the two apart by the first byte."""
    assert SIGNED.startswith(control.MARK)
    for vector in VECTORS["message"]["good"]:
        assert not bytes.fromhex(vector["hex"]).startswith(control.MARK)


@given(some.lists(some.integers(1, 3 * WINDOW), max_size=99))
@settings(max_examples=300)
def test_a_counter_is_taken_once_and_only_within_the_window(counters: list[int]) -> None:
    """Whatever the order: no counter twice, none 64 or more below the highest, all others once."""
    window, heard = Window(), set[int]()
    for counter in counters:
        highest = max(heard, default=0)
        may_be_taken = counter not in heard and counter > highest - WINDOW
        try:
            window = window.take(counter)
        except BadControl:
            assert not may_be_taken
        else:
            assert may_be_taken
            heard.add(counter)
