"""Sealed bodies and announcements: who holds a key reads, nobody else, and only one content."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import AuthorError, BadBody, BadShare, WeakKey
from gateway.groups import announcement, ring, seal
from gateway.groups.announcement import SHARES_MAX, SenderKey
from gateway.groups.ring import AGE_MS_MAX, RECORDS_MAX, Due, Ring
from gateway.records import record, sealing
from gateway.records.feed import View
from gateway.records.identity import EncryptionKey
from gateway.records.record import FIXED_BODY_BYTES_MAX, FIXED_KINDS, SALT_BYTES, Kind, Place, Said
from gateway.records.sealing import SEAL_BYTES, Sealing
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import moment, seed
from tests.vectors import load
from tests.vectors.build_sealing import (
    BUYER,
    FEED,
    GROUP,
    HELLO,
    KEY,
    MAKER,
    NONCE,
    OTHER,
    PLACE,
    RUN,
    SALT,
    SENDER,
    VIEW,
    announce,
    read,
    sign,
    take,
)

VECTORS: dict[str, Any] = load("sealing")
WIRE, BODY = sign()
RECORD = record.parse(WIRE)
KEYS = some.binary(min_size=32, max_size=32)
# RFC 5869, appendix A: the tests of SHA-256.
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x00, 0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
        "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


def _run(vector: dict[str, Any]) -> dict[str, object]:
    said = bytes.fromhex(vector["hex"])
    if "record" in vector:
        assert vector["run_key"] == RUN.key.public.hex()
        return read(bytes.fromhex(vector["record"]), said, bytes.fromhex(vector["sender_key"]))
    return take(said, bytes.fromhex(vector["group"]), bytes.fromhex(vector["secret"]))


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_opens(vector: dict[str, Any]) -> None:
    """Every member finds the same content, and every recipient the same key."""
    assert _run(vector) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What is bound to something else, or committed to differently, does not open."""
    assert refusal(lambda: _run(vector), AuthorError) == vector["error"]


@pytest.mark.parametrize(("secret", "salt", "purpose", "derived"), RFC_5869)
def test_keys_are_derived_as_rfc_5869_says(
    secret: str, salt: str, purpose: str, derived: str
) -> None:
    """HKDF-SHA256 gives what the RFC's own examples give."""
    parts = [bytes.fromhex(part) for part in (secret, purpose, salt)]
    length = len(derived) // 2
    assert sealing.derive(parts[0], parts[1], length, parts[2]).hex() == derived


@given(KEYS, some.integers(1, 1 << 52), some.binary(max_size=200), some.sampled_from(Kind))
@settings(max_examples=100)
def test_what_is_sealed_opens_again(key: bytes, number: int, content: bytes, kind: Kind) -> None:
    """A body is sealed and opened, but one that always travels is clear whatever is asked."""
    place = Place(FEED, 5, seed("record 4"), GROUP, Sealing(number, key, NONCE))
    if kind is Kind.GENESIS:
        return
    encoded, body = sign(place, Said(kind, content, "x"))
    said = record.decode(encoded, RUN.key.public)
    assert seal.open_body(said, body, key) == content
    if kind in FIXED_KINDS:
        assert (said.key_number, record.check_body(said, body)) == (0, content)
        return
    assert said.key_number == number
    assert len(body) == SALT_BYTES + len(content) + SEAL_BYTES
    assert content not in body or len(content) < 4
    all_refused(lambda each: seal.open_body(said, body, each), [seed("another")], BadBody)
    refusal(lambda: seal.open_body(said, body, None), BadBody)


def test_one_record_is_shown_without_another() -> None:
    """By its own key, or by salt and content, a record opens; its neighbour, under one key, no."""
    nearby = Place(FEED, 6, record.parse(WIRE).id, GROUP, Sealing(1, KEY, NONCE))
    encoded, body = sign(nearby, HELLO, seed("salt of the next"))
    beside = record.parse(encoded)
    own = seal.own_key(RECORD, KEY)
    shown = seal.opening_by(RECORD, BODY, own)
    assert (shown.salt, shown.content) == (SALT, HELLO.content)
    assert RECORD.body is not None
    assert record.commitment(shown.salt, shown.content) == RECORD.body.commitment
    refusal(lambda: seal.opening_by(beside, body, own), BadBody)
    refusal(lambda: seal.opening_by(beside, body, KEY), BadBody)
    assert seal.open_body(beside, body, KEY) == HELLO.content


def test_two_contents_of_one_commitment_cannot_be_shown() -> None:
    """The same record opens to one content under whatever key: another is refused by all."""
    other = sealing.record_key(seed("another sender key"), GROUP, FEED, 1, 5)
    bound = [FEED, 5, GROUP, 1, int(HELLO.kind), None]
    forged = sealing.seal(other, NONCE, SALT + b"jello", bound)
    assert RECORD.body is not None
    said = replace(RECORD.body, hash=sha256(forged).digest(), length=len(forged))
    lie = replace(RECORD, body=said)
    refusal(lambda: seal.open_body(lie, forged, seed("another sender key")), BadBody)


def test_every_flipped_bit_and_cut_of_a_sealed_body_is_refused() -> None:
    """No bit of it can change."""
    damaged = [*flips(BODY), *truncations(BODY)]
    all_refused(lambda each: seal.open_body(RECORD, each, KEY), damaged, BadBody)


def test_a_key_reaches_its_recipients_and_nobody_else() -> None:
    """Members' and archives' keys open the announcement to one key; others find no share."""
    said = announce()
    for key in (MAKER.encryption, BUYER.encryption):
        assert announcement.open_share(said, GROUP, [OTHER.encryption, key]) == SENDER
    assert announcement.open_share(said, GROUP, [OTHER.encryption, OTHER.archive]) is None
    assert KEY not in announcement.encode(said)
    assert KEY.hex() not in repr(SENDER)
    assert KEY.hex() not in repr(Sealing(1, KEY, NONCE))


def test_two_hundred_recipients_fit_and_a_large_view_takes_room() -> None:
    """What `room` allows fits into a body that always travels, whatever the numbers in it."""
    sender = SenderKey(GROUP, FEED, (1 << 53) - 1, KEY)
    for changes in (0, 30, 60, 200, 900):
        view = View(seed("a roster"), tuple(seed(f"change {at}") for at in range(changes)))
        room = announcement.room(view)
        content = announcement.encode(announce(sender, view, room))
        assert len(content) + SALT_BYTES <= FIXED_BODY_BYTES_MAX
        assert len(announcement.decode(content).shares) == room
        assert (room == SHARES_MAX) == (changes <= 30)
        if room < SHARES_MAX:
            assert len(content) > FIXED_BODY_BYTES_MAX - 3 * len(content) // room


def test_nothing_is_sealed_to_a_weak_key() -> None:
    """A key of small order, under which everybody could open, is refused by its author."""
    for weak in (bytes(32), b"\x01" + bytes(31)):
        refusal(lambda weak=weak: announcement.announce(SENDER, VIEW, [weak], [SALT]), WeakKey)  # type: ignore[misc]
        refusal(lambda weak=weak: seal.seal(weak, b"hello", SALT), WeakKey)  # type: ignore[misc]


def test_a_flipped_bit_in_a_share_is_refused_or_has_no_meaning() -> None:
    """Bit 255 of an X25519 key has none; every other bit of the seal does."""
    said = announcement.encode(announce())
    (mine,) = [each for each in announce().shares if each.key_id == BUYER.encryption.id]
    at = said.index(mine.sealed)
    ignored = said[: at + 31] + bytes([said[at + 31] ^ 0x80]) + said[at + 32 :]
    for each in flips(mine.sealed):
        changed = said[:at] + each + said[at + len(mine.sealed) :]
        if changed != ignored:
            refusal(lambda changed=changed: take(changed, GROUP, BUYER.encryption.secret), BadShare)  # type: ignore[misc]


def test_mutated_announcements_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder gives an announcement or an error of the author's branch."""
    few = [each for each in known("sealing") if len(each) < 4096]
    assert never_escapes(announcement.decode, mutations(few, 2000, seed=3), AuthorError)


def test_a_key_is_followed_by_another_when_it_must_be() -> None:
    """Another view, a day, ten thousand records, nothing announced yet, and not before."""
    here, there = ring.view_hash(VIEW), ring.view_hash(View(seed("another roster")))
    mine = Ring(1, here, 1_000, 1)
    assert ring.due(None, here, 0, 1) is Due.FIRST
    assert ring.due(mine, there, 1_000, 2) is Due.MEMBERSHIP
    assert ring.due(mine, here, 1_000 + AGE_MS_MAX - 1, RECORDS_MAX) is None
    assert ring.due(mine, here, 1_000 + AGE_MS_MAX, 2) is Due.AGE
    assert ring.due(mine, here, 999, 2) is Due.AGE
    assert ring.due(mine, here, 1_000, RECORDS_MAX + 1) is None
    assert ring.due(mine, here, 1_000, RECORDS_MAX + 2) is Due.COUNT
    clear = Ring(0, here, 1_000, 1)
    assert ring.due(clear, here, 1_000 + 2 * AGE_MS_MAX, 2 * RECORDS_MAX) is None
    assert ring.due(clear, there, 1_000, 2) is Due.MEMBERSHIP
    assert here != ring.view_hash(View(VIEW.roster, VIEW.membership[:1]))
    assert here == ring.hash_of(VIEW.roster, VIEW.membership[::-1])


def test_a_sealed_record_says_which_key() -> None:
    """The number of the key is signed, and a record under another number is another record."""
    later = Place(PLACE.feed, PLACE.seq, PLACE.previous, PLACE.group, Sealing(2, KEY, NONCE))
    other, _ = record.sign(RUN.key, later, HELLO, moment(1), SALT)
    assert (RECORD.key_number, record.parse(other).key_number) == (1, 2)
    assert EncryptionKey(seed("x")).public not in other
