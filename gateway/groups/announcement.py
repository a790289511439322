"""An announcement: a sender key, sealed for everybody who may read. docs/protocol/sealing.md.

In: a sender key, the view it is made under, and the X25519 keys of its recipients with an ephemeral
key for each; or bytes from anywhere. Out: what a record of this kind says; or the sender key, where
it is sealed to one of the keys that are held. One to another's feed shares history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from gateway.errors import BadEnvelope, BadShare, MalformedAnnouncement, MalformedCbor
from gateway.groups import seal
from gateway.records import cbor, identity
from gateway.records.cose import key_id
from gateway.records.feed import View
from gateway.records.identity import Certificate, EncryptionKey
from gateway.records.record import FIXED_BODY_BYTES_MAX, SALT_BYTES
from gateway.records.sealing import KEY_BYTES, key_hash

SHARES_MAX: Final = 200
NUMBER_MAX: Final = (1 << 53) - 1
KEY_ID_BYTES: Final = 16
# A SealedBox of group, feed, number, recipient and key, each as long as it may be.
_SEALED_BYTES_MAX: Final = seal.SEAL_BYTES + 1 + 34 + 34 + 9 + 17 + 34
_SHARE_BYTES: Final = 1 + 17 + 2 + _SEALED_BYTES_MAX
# Everything else but the view's members and the certificate, each as long as it may be.
_REST_BYTES: Final = SALT_BYTES + 1 + 6 + 34 + 9 + 34 + 1 + 34 + 3 + 3 + 3
_HASH_BYTES: Final = 34


@dataclass(frozen=True, slots=True)
class SenderKey:
    """One of a feed's sender keys, numbered from 1."""

    group: bytes
    feed: bytes
    number: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """A sender key sealed to one recipient, who is named by the id of an X25519 key."""

    key_id: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """Whose key, which one, its hash, who were members, and the key for each recipient.

    In a group whose bodies are clear the number is 0: then there is a view alone.
    """

    feed: bytes
    number: int
    key_hash: bytes | None
    view: View
    shares: tuple[Share, ...] = ()
    encryption: Certificate | None = None  # the author's, where it is another than before


def announce(
    sender: SenderKey,
    view: View,
    recipients: Sequence[bytes],
    ephemerals: Sequence[bytes],
    encryption: Certificate | None = None,
) -> Announcement:
    """Seal a sender key to at most 200 keys, with an ephemeral for each; raise WeakKey."""
    shares = []
    for public, ephemeral in zip(sorted(recipients, key=key_id), ephemerals, strict=True):
        name = key_id(public)
        plain = cbor.encode([sender.group, sender.feed, sender.number, name, sender.key])
        shares.append(Share(name, seal.seal(public, plain, ephemeral)))
    hashed = key_hash(sender.key)
    return Announcement(sender.feed, sender.number, hashed, view, tuple(shares), encryption)


def announce_view(feed: bytes, view: View, encryption: Certificate | None = None) -> Announcement:
    """Say under which view a feed goes on in a group whose bodies are clear."""
    return Announcement(feed, 0, None, view, (), encryption)


def room(view: View, encryption: Certificate | None = None) -> int:
    """Say for how many recipients one announcement has room, at most 200; more take several."""
    taken = _REST_BYTES + _HASH_BYTES * len(view.membership)
    taken += 1 if encryption is None else 3 + len(encryption.encoded)
    return max(1, min(SHARES_MAX, (FIXED_BODY_BYTES_MAX - taken) // _SHARE_BYTES))


def open_share(
    announced: Announcement, group: bytes, keys: Sequence[EncryptionKey]
) -> SenderKey | None:
    """Open the share for one of these keys; None if there is none, BadShare if it is not right."""
    held = {key.id: key for key in keys}
    for share in announced.shares:
        key = held.get(share.key_id)
        if key is not None:
            return _opened(announced, group, share, key)
    return None


def encode(announced: Announcement) -> bytes:
    """Write the content of an announcement's body."""
    encryption = announced.encryption
    return cbor.encode(
        {
            0: announced.feed,
            1: announced.number,
            2: announced.key_hash,
            3: [announced.view.roster, sorted(announced.view.membership)],
            4: sorted([each.key_id, each.sealed] for each in announced.shares),
            5: None if encryption is None else encryption.encoded,
        }
    )


def decode(content: bytes) -> Announcement:
    """Read the content of an announcement's body; raise an AuthorError."""
    try:
        said = cbor.decode(content, FIXED_BODY_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedAnnouncement(reason=fault) from None
    match said:
        case {
            0: feed,
            1: int() as number,
            2: hashed,
            3: [roster, list() as membership],
            4: list() as rows,
            5: None | bytes() as encryption,
            **more,
        } if not more and type(number) is int and 0 <= number <= NUMBER_MAX:
            shares = tuple(_share(row) for row in rows)
            if (number == 0) != (hashed is None) or (number == 0) != (not shares):
                raise MalformedAnnouncement(
                    reason="a key, its hash and its recipients come together"
                )
            view = View(_hash(roster), _sorted(membership))
            certificate = None if encryption is None else identity.decode(encryption, "encryption")
            _check_shares(shares)
            key = None if hashed is None else _hash(hashed)
            return Announcement(_hash(feed), number, key, view, shares, certificate)
    raise MalformedAnnouncement(reason="fields are missing, unknown, or of the wrong type")


def _opened(announced: Announcement, group: bytes, share: Share, key: EncryptionKey) -> SenderKey:
    try:
        said = cbor.decode(seal.open_sealed(key, share.sealed), len(share.sealed))
    except (BadEnvelope, MalformedCbor):
        raise BadShare(reason="its seal does not open under the key it names") from None
    match said:
        case [bytes() as among, bytes() as feed, int() as number, bytes() as named, bytes() as own]:
            if type(number) is not int or (among, feed, number, named) != (
                group,
                announced.feed,
                announced.number,
                share.key_id,
            ):
                raise BadShare(reason="inside its seal is another group, feed, number or recipient")
            hashed = announced.key_hash or b""
            if len(own) != KEY_BYTES or not compare_digest(key_hash(own), hashed):
                raise BadShare(reason="the key in it is not the one that was announced")
            return SenderKey(group, feed, number, own)
    raise BadShare(reason="inside its seal is no sender key")


def _share(row: object) -> Share:
    match row:
        case [bytes() as name, bytes() as sealed] if len(name) == KEY_ID_BYTES:
            if seal.SEAL_BYTES < len(sealed) <= _SEALED_BYTES_MAX:
                return Share(name, sealed)
    raise MalformedAnnouncement(reason="a share is not a key's id and a sealed key")


def _check_shares(shares: tuple[Share, ...]) -> None:
    names = [share.key_id for share in shares]
    if len(names) > SHARES_MAX or names != sorted(set(names)):
        raise MalformedAnnouncement(reason="shares are too many, not sorted, or repeated")


def _sorted(rows: list[object]) -> tuple[bytes, ...]:
    hashes = tuple(_hash(row) for row in rows)
    if list(hashes) != sorted(set(hashes)):
        raise MalformedAnnouncement(reason="membership is not sorted, or has repeats")
    return hashes


def _hash(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise MalformedAnnouncement(reason="a hash is not 32 bytes")
