"""How two sides meet: the address to paste, the seal of a mailbox, and what is said there.

In: a secret, documents and keys; or an address and bytes from anywhere. Out: text and sealed bytes;
or what they say, verified as far as they say it themselves: whose roster makes an author believed
is judged in admission.py. It never asks what time it is. Protocol: docs/protocol/pairing.md.
"""

import base64
import hmac
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from gateway.errors import AuthorError, BadAddress, MalformedCbor, MalformedDocument
from gateway.records import cbor, cose, identity, request
from gateway.records.cose import SigningKey
from gateway.records.identity import NAME_CHARS_MAX, Certificate
from gateway.records.request import NodeRequest
from gateway.records.roster import ROSTER_BYTES_MAX, Organisation

SECRET_BYTES: Final = 16
ROSTER_BYTES: Final = 8  # of its hash, in an address
NONCE_BYTES: Final = 24
# A long consortium's rosters fit; brokers pass it by default.
DOCUMENT_BYTES_MAX: Final = 512 * 1024
INVITER: Final = "a"
JOINER: Final = "b"
_SCHEME = "hulian:1:"
_CHECK_LETTERS = 4
_SIGNED = b"\xd2"  # tag 18
_ROWS_MAX = 1024


class Invited(IntEnum):
    """Whom an invitation is for."""

    ORGANISATION = 0  # into a consortium
    NODE = 1  # into its own organisation


class Outcome(IntEnum):
    """What the inviting side answers."""

    WAITING = 0
    ADMITTED = 1
    REFUSED = 2
    USED = 3
    EXPIRED = 4


@dataclass(frozen=True, slots=True)
class Address:
    """What is pasted: whom it is for, the mailbox's secret, how the newest roster's hash begins."""

    invited: Invited
    secret: bytes
    roster: bytes


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where two sides meet at a broker, and the key under which all is sealed there."""

    tag: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """The inviting side: the rosters from the first on, and for how long, Unix seconds.

    `shown` are proposals which show that earlier attempts at the next roster failed.
    """

    invited: Invited
    rosters: tuple[bytes, ...]
    made_s: int | None
    expires_s: int | None
    shown: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Applicant:
    """An organisation that asks to be in the next roster, whose payload it has signed."""

    organisation: Organisation
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A gateway that asks its organisation for a certificate: its request, which it has signed."""

    request: NodeRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """The inviting side's answer to a node's key; with all it needs when it is `ADMITTED`."""

    outcome: Outcome
    to: bytes | None = None
    waiting: tuple[str, ...] = ()
    rosters: tuple[tuple[bytes, ...], ...] = ()
    secrets: tuple[tuple[bytes, bytes], ...] = ()  # of consortia by their hash
    contacts: tuple[tuple[bytes, bytes], ...] = ()
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Motion:
    """A next roster that may lack signatures; the invitation's secret where it admits somebody."""

    proposal: bytes
    secret: bytes | None = None
    since_s: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a gateway of a member says to the consortium's other members."""

    rosters: tuple[bytes, ...]
    motions: tuple[Motion, ...] = ()
    revocations: tuple[bytes, ...] = ()


Document = Offer | Applicant | Answer | Notice
_TYPES: Final = (Offer, Applicant, Answer, Notice)


@dataclass(frozen=True, slots=True)
class Author:
    """Whose document it is: a gateway's key and certificates, the node's only once admitted."""

    key: bytes
    node: Certificate | None
    encryption: Certificate

    @property
    def contact(self) -> tuple[bytes, bytes] | None:
        """Give the pair of certificates by which others reach this gateway."""
        return None if self.node is None else (self.node.encoded, self.encryption.encoded)


@dataclass(frozen=True, slots=True)
class Paper:
    """A document and its author, who has signed it; believe the author only under a roster."""

    author: Author
    said: Document | Newcomer


def encode_address(address: Address) -> str:
    """Write an address as one word to paste."""
    content = bytes((address.invited,)) + address.secret + address.roster
    return _SCHEME + base64.b32encode(content).decode() + _check(content)


def decode_address(text: str) -> Address:
    """Read an address, whatever blanks or hyphens a chat put into it; raise BadAddress."""
    word = "".join(text.split()).replace("-", "")
    if not word.lower().startswith(_SCHEME):
        raise BadAddress(reason="it does not begin with 'hulian:1:'")
    letters = word[len(_SCHEME) :].upper()
    try:
        content = base64.b32decode(letters[:-_CHECK_LETTERS])
    except ValueError:
        raise BadAddress(reason="letters are missing, too many, or none of base32") from None
    if len(content) != 1 + SECRET_BYTES + ROSTER_BYTES:
        raise BadAddress(reason="letters are missing, too many, or none of base32")
    if letters[-_CHECK_LETTERS:] != _check(content):
        raise BadAddress(reason="its check letters do not fit the others")
    if content[0] not in list(Invited):
        raise BadAddress(reason="a later version made it")
    secret, roster = content[1 : 1 + SECRET_BYTES], content[1 + SECRET_BYTES :]
    return Address(Invited(content[0]), secret, roster)


def mailbox(secret: bytes) -> Mailbox:
    """Give the mailbox that a secret opens."""
    return Mailbox(_derive(secret, ["tag"], 16).hex(), _derive(secret, ["key"], 32))


def slot(secret: bytes, node: bytes) -> str:
    """Name the place in the consortium's mailbox in which a gateway writes."""
    return _derive(secret, ["slot", node], 16).hex()


def seal(box: Mailbox, place: str, document: bytes, nonce: bytes) -> bytes:
    """Seal a document for one place in a mailbox."""
    bound = _bound(box, place)
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(document, bound, nonce, box.key)


def open_sealed(box: Mailbox, place: str, sealed: bytes) -> bytes:
    """Open what lay in a place; raise MalformedDocument."""
    if len(sealed) > DOCUMENT_BYTES_MAX:
        raise MalformedDocument(reason="it is too long")
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(rest, _bound(box, place), nonce, box.key)
    except (CryptoError, ValueError, TypeError):
        raise MalformedDocument(reason="it is sealed under another secret, or changed") from None


def encode(said: Document, key: SigningKey, certificates: tuple[bytes, bytes]) -> bytes:
    """Sign a document with a node's key, beside its node and its encryption certificate."""
    content = {0: 1, 1: _TYPES.index(type(said)), 2: list(certificates), 3: _content(said)}
    return cose.sign(key, "pairing", cbor.encode(content))


def decode(encoded: bytes) -> Paper:
    """Read a document and verify that its author signed it; raise MalformedDocument.

    A newcomer's is its request, which has its signature within.
    """
    try:
        if not encoded.startswith(_SIGNED):
            return _newcomer(encoded)
        signed = cose.decode(encoded, "pairing")
        match cbor.decode(signed.payload, DOCUMENT_BYTES_MAX):
            case {
                0: int() as version,
                1: int() as kind,
                2: [bytes() as node, bytes() as encryption],
                3: content,
                **more,
            } if not more and (type(version), version, type(kind)) == (int, 1, int):
                author = _author(node, encryption)
                signed.verify(author.key)
                return Paper(author, _read(kind, content))
    except (AuthorError, MalformedCbor) as fault:
        raise MalformedDocument(reason=fault) from None
    raise MalformedDocument(reason="not the fields of a document of version 1")


def _newcomer(encoded: bytes) -> Paper:
    found = request.decode(encoded)
    if not isinstance(found, NodeRequest):
        raise MalformedDocument(reason="a request that is no gateway's")
    return Paper(Author(found.public, None, found.encryption), Newcomer(found))


def _author(node: bytes, encryption: bytes) -> Author:
    certificate = identity.decode(node, "node")
    sealing = identity.decode(encryption, "encryption")
    sealing.verify(certificate.subject, certificate.key)
    return Author(certificate.key, certificate, sealing)


def _content(said: Document) -> object:
    match said:
        case Offer():
            times = [said.made_s, said.expires_s]
            return [int(said.invited), list(said.rosters), *times, list(said.shown)]
        case Applicant(organisation=row):
            fields = [row.id, row.name, row.root, row.archive, row.witness]
            return [fields, said.payload, said.signature]
        case Answer():
            chains, secrets = [list(each) for each in said.rosters], list(map(list, said.secrets))
            contacts = list(map(list, said.contacts))
            waiting = list(said.waiting)
            told = [waiting, chains, secrets, contacts, said.certificate]
            return [int(said.outcome), said.to, *told]
        case Notice():
            motions = [[each.proposal, each.secret, each.since_s] for each in said.motions]
            return [list(said.rosters), motions, list(said.revocations)]


def _read(kind: int, said: object) -> Document:
    match kind, said:
        case 0, [int() as invited, rosters, made_s, expires_s, shown] if _is_one(Invited, invited):
            times = _second(made_s), _second(expires_s)
            return Offer(Invited(invited), _strings(rosters), *times, _strings(shown))
        case 1, [list() as row, bytes() as payload, bytes() as signature]:
            return Applicant(_organisation(row), payload, signature)
        case 2, [
            int() as outcome,
            None | bytes() as to,
            waiting,
            chains,
            secrets,
            contacts,
            last,
        ] if _is_one(Outcome, outcome):
            return Answer(
                Outcome(outcome),
                to,
                tuple(map(_name, _few(waiting))),
                tuple(map(_strings, _few(chains))),
                tuple(map(_pair, _few(secrets))),
                tuple(map(_pair, _few(contacts))),
                None if last is None else _string(last),
            )
        case 3, [list() as rosters, list() as motions, list() as revocations]:
            read = tuple(map(_motion, _few(motions)))
            return Notice(_strings(rosters), read, _strings(revocations))
    raise MalformedDocument(reason="fields are missing or of the wrong type")


def _is_one(of: type[IntEnum], said: int) -> bool:
    return type(said) is int and said in list(of)


def _motion(said: object) -> Motion:
    match said:
        case [bytes() as proposal, None | bytes() as secret, since_s] if len(
            proposal
        ) <= ROSTER_BYTES_MAX and (secret is None or len(secret) == SECRET_BYTES):
            return Motion(proposal, secret, _second(since_s))
    raise MalformedDocument(reason="not a motion")


def _organisation(row: list[object]) -> Organisation:
    match row:
        case [bytes() as id_, str() as name, bytes() as root, bytes() as archive, witness] if (
            0 < len(name) <= NAME_CHARS_MAX and (witness is None or isinstance(witness, bytes))
        ):
            cose.check_public(root)
            identity.check_exchange(archive)
            return Organisation(id_, name, root, archive, witness)
    raise MalformedDocument(reason="not an organisation")


def _few(said: object) -> list[object]:
    if not isinstance(said, list) or len(said) > _ROWS_MAX:
        raise MalformedDocument(reason="a list is missing or too long")
    return said


def _strings(said: object) -> tuple[bytes, ...]:
    return tuple(map(_string, _few(said)))


def _string(said: object) -> bytes:
    if not isinstance(said, bytes):
        raise MalformedDocument(reason="a byte string is missing")
    return said


def _pair(said: object) -> tuple[bytes, bytes]:
    match said:
        case [bytes() as one, bytes() as other]:
            return one, other
    raise MalformedDocument(reason="a pair of byte strings is missing")


def _name(said: object) -> str:
    if not isinstance(said, str) or not 0 < len(said) <= NAME_CHARS_MAX:
        raise MalformedDocument(reason="a name is missing or too long")
    return said


def _second(said: object) -> int | None:
    if said is None or (type(said) is int and 0 <= said < 1 << 53):
        return said
    raise MalformedDocument(reason="a time is not a small positive integer")


def _check(content: bytes) -> str:
    digest = sha256(b"hulian/1/address" + content).digest()
    return base64.b32encode(digest).decode()[:_CHECK_LETTERS]


def _bound(box: Mailbox, place: str) -> bytes:
    return cbor.encode(["hulian/1/pairing", box.tag, place])


def _derive(secret: bytes, names: list[object], size: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, for at most one block."""
    info = cbor.encode(["hulian/1/pairing", *names])
    drawn = hmac.new(bytes(32), secret, sha256).digest()
    return hmac.new(drawn, info + b"\x01", sha256).digest()[:size]
