"""The vectors of sealed bodies and of announcements: docs/protocol/sealing.md."""

from collections.abc import Callable
from hashlib import sha256

from gateway.groups import announcement, seal
from gateway.groups.announcement import Announcement, SenderKey
from gateway.records import cbor, cose, feed, identity, record, sealing
from gateway.records.feed import View
from gateway.records.identity import EncryptionKey
from gateway.records.record import Kind, Place, Record, Said
from gateway.records.sealing import Sealing
from tests.damage import refusal
from tests.people import SENML_TYPE, moment, party, run_of, seed

MAKER, BUYER, OTHER = party("maker"), party("buyer"), party("other")
RUN = run_of(MAKER)
KEY, NONCE, SALT = seed("sender key"), seed("nonce")[:24], seed("salt")
GROUP = seed("a group")
FEED = feed.feed_id(RUN.key.public, GROUP)
PLACE = Place(FEED, 5, seed("record 4"), GROUP, Sealing(1, KEY, NONCE))
HELLO = Said(Kind.OBSERVATION, b"hello", "text/plain")
VIEW = View(seed("a roster"), tuple(sorted(seed(f"change {number}") for number in range(2))))
SENDER = SenderKey(GROUP, FEED, 1, KEY)

Pair = tuple[bytes, bytes]


def sign(place: Place = PLACE, said: Said = HELLO, salt: bytes = SALT) -> Pair:
    """Sign and seal something."""
    return record.sign(RUN.key, place, said, moment(1), salt)


def read(encoded: bytes, body: bytes, key: bytes) -> dict[str, object]:
    """Open a sealed body as a member does, and give what it says."""
    said = record.decode(encoded, RUN.key.public)
    opened = seal.opening(said, body, key)
    assert seal.opening_by(said, body, seal.own_key(said, key)) == opened
    return {
        "key number": said.key_number,
        "info": cbor.encode(["hulian/1/body", GROUP, FEED, said.key_number, said.seq]).hex(),
        "record key": seal.own_key(said, key).hex(),
        "nonce": body[: sealing.NONCE_BYTES].hex(),
        "bound": cbor.encode(_bound(said)).hex(),
        "salt": opened.salt.hex(),
        "content": opened.content.hex(),
    }


def take(content: bytes, group: bytes, secret: bytes) -> dict[str, object]:
    """Read an announcement as a recipient does, and give what it says."""
    found = announcement.decode(content)
    opened = announcement.open_share(found, group, [EncryptionKey(secret)])
    assert announcement.encode(found) == content
    me = EncryptionKey(secret)
    inside = [] if opened is None else [opened.group, opened.feed, opened.number, me.id, opened.key]
    return {
        "feed": found.feed.hex(),
        "number": found.number,
        "key hash": None if found.key_hash is None else found.key_hash.hex(),
        "roster": found.view.roster.hex(),
        "membership": [each.hex() for each in found.view.membership],
        "recipients": [share.key_id.hex() for share in found.shares],
        "encryption": None if found.encryption is None else found.encryption.subject.hex(),
        "sender key": None if opened is None else opened.key.hex(),
        "inside its seal": cbor.encode(inside).hex() if inside else None,
    }


def announce(sender: SenderKey = SENDER, view: View = VIEW, count: int = 2) -> Announcement:
    """Announce a key to the buyer and the maker, and to more."""
    more = [EncryptionKey(seed(f"recipient {number}")) for number in range(count - 2)]
    recipients = [each.public for each in (MAKER.encryption, BUYER.encryption, *more)]
    ephemerals = [seed(f"ephemeral {number}") for number in range(count)]
    return announcement.announce(sender, view, recipients, ephemerals)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    bodies = [{**_body(name, *at), "expect": read(*at)} for name, at in _good_bodies().items()]
    said = [{**_said(name, *at), "expect": take(*at)} for name, at in _good_said().items()]
    bad = [
        {**_body(name, *at), "error": _error(lambda at=at: read(*at))}  # type: ignore[misc]
        for name, at in _bad_bodies().items()
    ]
    bad += [
        {**_said(name, *at), "error": _error(lambda at=at: take(*at))}  # type: ignore[misc]
        for name, at in _bad_said().items()
    ]
    return {
        "noun": "sealing",
        "chapter": "docs/protocol/sealing.md",
        "good": [*bodies, *said],
        "bad": bad,
    }


def _body(name: str, encoded: bytes, body: bytes, key: bytes) -> dict[str, object]:
    return {
        "name": f"body: {name}",
        "record": encoded.hex(),
        "run_key": RUN.key.public.hex(),
        "hex": body.hex(),
        "sender_key": key.hex(),
    }


def _said(name: str, content: bytes, group: bytes, secret: bytes) -> dict[str, object]:
    return {
        "name": f"announcement: {name}",
        "hex": content.hex(),
        "group": group.hex(),
        "secret": secret.hex(),
    }


def _error(attempt: Callable[[], object]) -> str:
    return refusal(attempt)


def _bound(said: Record) -> list[object]:
    return [said.feed, said.seq, said.group, said.key_number, int(said.kind), said.activity]


def _good_bodies() -> dict[str, tuple[bytes, bytes, bytes]]:
    later = Place(FEED, 70_000, seed("record 69999"), GROUP, Sealing(9, seed("key 9"), NONCE))
    update = Said(Kind.ACTIVITY_UPDATE, b"x" * 300, SENML_TYPE, seed("activity"))
    return {
        "hello": (*sign(), KEY),
        "nothing": (*sign(said=Said(Kind.GAP, b"", "text/plain")), KEY),
        "the ninth key, in an activity": (*sign(later, update), seed("key 9")),
    }


def _bad_bodies() -> dict[str, tuple[bytes, bytes, bytes]]:
    encoded, body = sign()
    clear, clear_body = sign(Place(FEED, 5, seed("record 4"), GROUP))
    own = sealing.record_key(KEY, GROUP, FEED, 1, 5)
    bound = _bound(record.parse(encoded))
    plain = SALT + HELLO.content
    other = sealing.record_key(seed("another sender key"), GROUP, FEED, 1, 5)
    return {
        "not the sender key": (encoded, body, seed("another sender key")),
        "a bit of the nonce flipped": (encoded, bytes([body[0] ^ 1]) + body[1:], KEY),
        "cut": (encoded, body[:-1], KEY),
        "in clear": (encoded, plain, KEY),
        "in clear, as long as it was sealed": _under(plain + bytes(40)),
        "clear in its record, too": (clear, body, KEY),
        "another nonce before it": _under(bytes(24) + body[24:]),
        "sealed with another salt": _under(sealing.seal(own, NONCE, bytes(32) + b"hello", bound)),
        "sealed with another content": _under(sealing.seal(own, NONCE, SALT + b"jello", bound)),
        "sealed without a salt": _under(sealing.seal(own, NONCE, b"hello" + bytes(32), bound)),
        "sealed under the sender key itself": _under(sealing.seal(KEY, NONCE, plain, bound)),
        "sealed under another sender key, same commitment": _under(
            sealing.seal(other, NONCE, plain, bound)
        ),
        "sealed under the key of the next record": _under(
            sealing.seal(sealing.record_key(KEY, GROUP, FEED, 1, 6), NONCE, plain, bound)
        ),
        **{
            f"bound to another {name}": _under(
                sealing.seal(own, NONCE, plain, [*bound[:at], value, *bound[at + 1 :]])
            )
            for at, (name, value) in enumerate(_elsewhere())
        },
        "moved from another feed": _moved({1: seed("another feed")}),
        "moved from another number": _moved({2: 6}),
        "moved from another group": _moved({4: seed("another group")}),
        "moved from another key number": _moved({5: 2}),
        "moved from another kind": _moved({6: int(Kind.CORRECTION)}),
        "moved from another activity": _moved({7: seed("activity")}),
        "shorter than its seal": _moved({11: [sha256(clear_body).digest(), 71, bytes(32), ""]}),
    }


def _elsewhere() -> list[tuple[str, object]]:
    return [
        ("feed", seed("another feed")),
        ("number", 6),
        ("group", seed("another group")),
        ("key number", 2),
        ("kind", int(Kind.CORRECTION)),
        ("activity", seed("activity")),
    ]


def _under(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Give a record that says of these very bytes, with the same commitment, that they are its."""
    said = sha256(body).digest(), len(body), record.commitment(SALT, HELLO.content), "text/plain"
    encoded, _, key = _moved({11: list(said)})
    return encoded, body, key


def _moved(changed: dict[int, object]) -> tuple[bytes, bytes, bytes]:
    """Give the body with another record of the same run, which differs in this."""
    encoded, body = sign()
    payload = cbor.decode(cose.decode(encoded, "record").payload, 2048)
    assert isinstance(payload, dict)
    return cose.sign(RUN.key, "record", cbor.encode({**payload, **changed})), body, KEY


def _good_said() -> dict[str, tuple[bytes, bytes, bytes]]:
    renewed = identity.decode(MAKER.encryption_certificate, "encryption")
    clear = announcement.announce_view(FEED, View(seed("a roster")))
    with_key = announcement.announce_view(FEED, VIEW, renewed)
    secret = BUYER.encryption.secret
    buyer, alone = [BUYER.encryption.public], View(seed("a roster"))
    to_one = announcement.announce(SENDER, alone, buyer, [seed("ephemeral 0")])
    return {
        "to one": (announcement.encode(to_one), GROUP, secret),
        "to two": (announcement.encode(announce()), GROUP, secret),
        "to two, read by no recipient": (
            announcement.encode(announce()),
            GROUP,
            OTHER.encryption.secret,
        ),
        "to two hundred": (announcement.encode(announce(count=200)), GROUP, secret),
        "of a clear group": (announcement.encode(clear), GROUP, secret),
        "with a new encryption key": (announcement.encode(with_key), GROUP, secret),
    }


def _bad_said() -> dict[str, tuple[bytes, bytes, bytes]]:
    whole = cbor.decode(announcement.encode(announce()), 40_960)
    assert isinstance(whole, dict)
    many = cbor.decode(announcement.encode(announce(count=199)), 40_960)
    assert isinstance(many, dict)
    shares = whole[4]
    written = {
        name: cbor.encode({key: part for key, part in {**whole, **change}.items() if part != ""})
        for name, change in (_wrong(whole) | _misfits(shares, many[4])).items()
    }
    contents = {
        "nothing": b"",
        "cut": announcement.encode(announce())[:-1],
        "a byte more": announcement.encode(announce()) + b"\x00",
        "a list": cbor.encode([1]),
        **written,
        **{name: announcement.encode(_sealed(*inside)) for name, inside in _inside().items()},
    }
    secret = BUYER.encryption.secret
    found = {name: (each, GROUP, secret) for name, each in contents.items()}
    return {**found, "of another group": (cbor.encode(whole), seed("another group"), secret)}


def _wrong(whole: dict[int, object]) -> dict[str, dict[object, object]]:
    roster = VIEW.roster
    weak = {1: "00" * 16, 2: "00" * 16, 8: {1: {1: 1, -1: 4, -2: bytes(32)}}}
    return {
        "feed of 31 bytes": {0: FEED[1:]},
        "number below zero": {1: -1},
        "number 2^53": {1: 1 << 53},
        "number true": {1: True},
        "number 0 with a key": {1: 0},
        "number 0 with recipients": {1: 0, 2: None},
        "a key of which no hash is said": {2: None},
        "hash of a key of 31 bytes": {2: seed("x")[1:]},
        "another key's hash": {2: sealing.key_hash(seed("another key"))},
        "another number than inside": {1: 2},
        "another feed than inside": {0: seed("another feed")},
        "roster of 31 bytes": {3: [roster[1:], []]},
        "membership not sorted": {3: [roster, list(VIEW.membership[::-1])]},
        "membership with repeats": {3: [roster, [VIEW.membership[0]] * 2]},
        "view without membership": {3: [roster]},
        "an encryption certificate that is a run's": {5: RUN.credentials.run.encoded},
        "an encryption certificate of a weak key": {
            5: cose.sign(MAKER.node, "encryption", cbor.encode(weak))
        },
        "encryption certificate missing": {5: ""},
        "a field more": {6: None},
    }


def _misfits(shares: list[object], many: list[object]) -> dict[str, dict[object, object]]:
    more = [[bytes(16), bytes(177)], [bytes(15) + b"\x01", bytes(177)]]
    return {
        "no recipients": {4: []},
        "recipients not sorted": {4: shares[::-1]},
        "a recipient twice": {4: [shares[0], shares[0]]},
        "201 recipients": {4: [*more, *many]},
        "a recipient of 15 bytes": {4: [[bytes(15), bytes(177)]]},
        "a sealed key of 48 bytes": {4: [[bytes(16), bytes(48)]]},
        "a sealed key of 1,024 bytes": {4: [[bytes(16), bytes(1024)]]},
        "a sealed key that was changed": {4: [[BUYER.encryption.id, bytes(177)]]},
    }


def _inside() -> dict[str, tuple[list[object], bytes]]:
    """What stands inside a seal to the buyer, each wrong in one place."""
    right = [GROUP, FEED, 1, BUYER.encryption.id, KEY]
    wrong: dict[str, tuple[int, object]] = {
        "another group": (0, seed("another group")),
        "another feed": (1, seed("another feed")),
        "another number": (2, 2),
        "the number true": (2, True),
        "another recipient": (3, MAKER.encryption.id),
        "another key": (4, seed("another key")),
        "a key of 31 bytes": (4, KEY[1:]),
    }
    public = BUYER.encryption.public
    changed = {
        f"inside its seal {name}": ([*right[:at], value, *right[at + 1 :]], public)
        for name, (at, value) in wrong.items()
    }
    return {
        **changed,
        "inside its seal a field less": (right[:-1], public),
        "sealed to somebody else": (right, OTHER.encryption.public),
    }


def _sealed(inside: list[object], public: bytes) -> Announcement:
    sealed = seal.seal(public, cbor.encode(inside), seed("ephemeral"))
    share = announcement.Share(BUYER.encryption.id, sealed)
    return Announcement(FEED, 1, sealing.key_hash(KEY), VIEW, (share,))
