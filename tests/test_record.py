"""Records: every vector, every flipped bit, every cut, and anything said there and back."""

import random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import AuthorError, BadBody, RecordTooLarge
from gateway.records import cbor, cose, record
from gateway.records.merkle import leaf_hash
from gateway.records.record import ClockSource, Kind, Moment, Place, Record, Said
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_record import HELLO, KEY, SALT, SECOND, expect, read

VECTORS: dict[str, Any] = load("record")
WIRE, BODY = record.sign(KEY, SECOND, HELLO, Moment(1, 1, ClockSource.GNSS, bytes(8), 1), SALT)

numbers = some.integers(0, (1 << 53) - 1)
hashes = some.binary(min_size=32, max_size=32).filter(any)
moments = some.builds(
    Moment,
    unix_ms=numbers,
    uncertainty_ms=numbers,
    source=some.sampled_from(ClockSource).filter(bool),
    boot=some.binary(min_size=8, max_size=8),
    monotonic_ms=numbers,
)
said = some.builds(
    Said,
    kind=some.sampled_from(Kind).filter(bool),
    content=some.binary(max_size=100),
    content_type=some.text(some.characters(codec="utf-8"), max_size=64),
    activity=some.none() | hashes,
    deps=some.lists(hashes, max_size=16, unique=True).map(tuple),
)
places = some.builds(Place, feed=hashes, seq=numbers.filter(bool), previous=hashes, group=hashes)


def _decode(encoded: bytes) -> Record:
    return record.decode(encoded, KEY.public)


def _content(body: bytes) -> bytes:
    return record.check_body(_decode(WIRE), body)


def _pair(vector: dict[str, str]) -> tuple[bytes, bytes]:
    assert vector["run_key"] == KEY.public.hex()
    return bytes.fromhex(vector["hex"]), bytes.fromhex(vector["body"])


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same fields, id and content."""
    assert expect(*_pair(vector)) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What is no record, or not its body, is refused with the code that the chapter names."""
    wire, body = _pair(vector)
    assert refusal(lambda: read(wire, body), AuthorError) == vector["error"]


def test_every_flipped_bit_of_a_record_is_refused() -> None:
    """No bit of a record can change."""
    all_refused(_decode, flips(WIRE), AuthorError)


def test_every_flipped_bit_of_a_body_is_refused() -> None:
    """No bit of a body can change without its record showing it."""
    all_refused(_content, flips(BODY), BadBody)


def test_every_truncation_is_refused() -> None:
    """No beginning of a record or a body is taken for the whole."""
    all_refused(_decode, truncations(WIRE), AuthorError)
    all_refused(_content, truncations(BODY), BadBody)


def test_mutated_records_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder gives the record or an error of the author's branch."""
    assert never_escapes(record.parse, mutations(known("record"), 3000, seed=1), AuthorError)


@given(place=places, what=said, at=moments)
@settings(max_examples=100)
def test_what_is_signed_is_read_again(place: Place, what: Said, at: Moment) -> None:
    """Signing and reading are inverse, whatever the moment (I4) and whatever is said."""
    try:
        encoded, body = record.sign(KEY, place, what, at, SALT)
    except RecordTooLarge:  # a long content type and sixteen deps may not fit
        return
    found, content = read(encoded, body)
    assert (found.feed, found.seq, found.previous, found.group) == (
        place.feed,
        place.seq,
        place.previous,
        place.group,
    )
    assert (found.kind, content, found.activity) == (what.kind, what.content, what.activity)
    assert found.deps == tuple(sorted(what.deps))
    assert found.moment == at


def test_an_id_is_the_merkle_leaf() -> None:
    """One hash serves chain, links and tree."""
    assert record.parse(WIRE).id == leaf_hash(WIRE)


@pytest.mark.parametrize(
    ("kind", "size_max"),
    [(Kind.ATTACHMENT, 16 << 20), (Kind.CORRECTION, 48 * 1024), (Kind.RECEIPT, 40 * 1024)],
)
def test_a_body_is_bounded(kind: Kind, size_max: int) -> None:
    """A body of the largest size is signed and read, one byte more is refused before signing."""
    content = bytes(size_max - len(SALT))
    moment = Moment(0, 0, ClockSource.UNSET, bytes(8), 0)
    encoded, body = record.sign(KEY, SECOND, Said(kind, content, "x"), moment, SALT)
    assert record.check_body(record.parse(encoded), body) == content
    assert len(body) == size_max
    more = Said(kind, content + b"x", "x")
    refusal(lambda: record.sign(KEY, SECOND, more, moment, SALT), RecordTooLarge)


def test_equal_contents_have_unequal_hashes() -> None:
    """The salt keeps a guessable content from being found by its hash or commitment."""
    moment = Moment(0, 0, ClockSource.UNSET, bytes(8), 0)
    other, _ = record.sign(KEY, SECOND, HELLO, moment, bytes(32))
    one, two = record.parse(WIRE).body, record.parse(other).body
    assert one is not None
    assert two is not None
    assert one.hash != two.hash
    assert one.commitment != two.commitment


def test_what_is_read_as_a_record_has_no_other_encoding() -> None:
    """A payload changed anywhere is refused, or is the one deterministic encoding of what is read.

    Records are read by a pattern; the general decoder re-encodes what it read and compares.
    """
    chance, read = random.Random(1), 0
    right = [bytes.fromhex(each["hex"]) for each in VECTORS["good"]]
    payloads = [cose.decode(each, "record").payload for each in right]
    for _ in range(4000):
        payload = bytearray(chance.choice(payloads))
        at = chance.randrange(len(payload))
        match chance.randrange(3):
            case 0:
                payload[at] ^= 1 << chance.randrange(8)
            case 1:
                del payload[at]
            case _:
                payload.insert(at, chance.choice((0x00, 0x18, 0x19, 0x58, 0x78, 0x80)))
        try:
            said = record.parse(cose.sign(KEY, "record", bytes(payload)))
        except AuthorError:
            continue
        read += 1
        assert cbor.decode(bytes(payload), record.RECORD_BYTES_MAX) == _fields(said)
    assert read > 500


def _fields(said: Record) -> object:
    moment, body = said.moment, said.body
    return {
        0: 1,
        1: said.feed,
        2: said.seq,
        3: said.previous,
        4: said.group,
        5: said.key_number,
        6: int(said.kind),
        7: said.activity,
        8: list(said.deps),
        9: [moment.unix_ms, moment.uncertainty_ms, int(moment.source)],
        10: [moment.boot, moment.monotonic_ms],
        11: body and [body.hash, body.length, body.commitment, body.content_type],
    }
