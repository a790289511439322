"""A sheet: what a person is to sign, with all that is needed to show it, carried to that person.

In: what was prepared at a gateway; or a file from anywhere. Out: the text that is shown, six digits
to type as a fresh confirmation, and what the person's key makes of it. It shows nothing that it did
not derive itself from what is signed: a sheet whose text would be another is refused. Protocol:
docs/protocol/order.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from gateway.activities import activity, approval, mandate, order, wording
from gateway.activities.activity import Close, Correction, Open, Update
from gateway.activities.approval import Approval
from gateway.activities.wording import Language
from gateway.errors import AuthorError, MalformedMandate, MalformedSheet
from gateway.records import cbor, cose, record
from gateway.records.cose import SigningKey
from gateway.records.record import SALT_BYTES

What = Literal["order", "approval", "mandate"]
SHEET_BYTES_MAX: Final = 64 * 1024
DIGITS: Final = 6
_MARK, _SIGNED = "hulian/1/sheet", "hulian/1/signed"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A payload to be signed; an approval's with what it is about.

    That is a signed order or mandate in one part, or a record and its salted content in two.
    """

    what: What
    payload: bytes
    about: tuple[bytes, ...] = ()

    @property
    def text(self) -> str:
        """Give what whoever signs is shown; raise MalformedSheet where it is not what is signed."""
        try:
            return _TEXTS[self.what](self)
        except AuthorError as fault:
            raise MalformedSheet(reason=fault) from None

    @property
    def digits(self) -> str:
        """Give the digits by which the person says that this text was read."""
        hashed = sha256(b"hulian/1/confirm" + self.payload).digest()
        return str(int.from_bytes(hashed[:8], "big") % 10**DIGITS).zfill(DIGITS)


@dataclass(frozen=True, slots=True)
class Signature:
    """What came of a sheet: the signed bytes, and of what kind they are."""

    what: What
    encoded: bytes


def encode(sheet: Sheet) -> bytes:
    """Write a sheet as a file."""
    return cbor.encode([_MARK, sheet.what, sheet.payload, list(sheet.about)])


def decode(encoded: bytes) -> Sheet:
    """Read a sheet from anywhere, whose text is what is signed; raise MalformedSheet."""
    match _read(encoded):
        case [str() as mark, str() as what, bytes() as payload, list() as about] if mark == _MARK:
            parts = tuple(each for each in about if isinstance(each, bytes))
            if len(parts) == len(about):
                found = Sheet(_what(what), payload, parts)
                assert found.text
                return found
    raise MalformedSheet(reason="it is none")


def sign(key: SigningKey, sheet: Sheet) -> Signature:
    """Sign what a sheet shows with a person's key."""
    assert sheet.text
    return Signature(sheet.what, cose.sign(key, sheet.what, sheet.payload))


def encode_signature(signed: Signature) -> bytes:
    """Write what came of a sheet as a file."""
    return cbor.encode([_SIGNED, signed.what, signed.encoded])


def decode_signature(encoded: bytes) -> Signature:
    """Read what came of a sheet, not yet verified; raise MalformedSheet."""
    match _read(encoded):
        case [str() as mark, str() as what, bytes() as signed] if mark == _SIGNED:
            return Signature(_what(what), signed)
    raise MalformedSheet(reason="it is not what was signed")


def subject(about: tuple[bytes, ...], language: Language) -> tuple[bytes, str]:
    """Give the name and the text of what an approval is about; raise an AuthorError."""
    if len(about) == 2:
        return _update(*about, language)
    (encoded,) = about
    try:
        given = mandate.decode(encoded)
    except MalformedMandate:
        asked = order.decode(encoded)
        return asked.hash, order.text(asked.order, language)
    return given.hash, mandate.text(given.mandate, language)


def _order_text(sheet: Sheet) -> str:
    asked = order.read(sheet.payload)
    if order.encode(asked) != sheet.payload or sheet.about:
        raise MalformedSheet(reason="what is to be signed is not what is shown")
    return order.text(asked, asked.language)


def _mandate_text(sheet: Sheet) -> str:
    given = mandate.read(sheet.payload)
    if mandate.encode(given) != sheet.payload or sheet.about:
        raise MalformedSheet(reason="what is to be signed is not what is shown")
    return mandate.text(given, given.language)


def _approval_text(sheet: Sheet) -> str:
    said: Approval = approval.read(sheet.payload)
    if len(sheet.about) not in (1, 2):
        raise MalformedSheet(reason="it does not say what it is about")
    named, about = subject(sheet.about, said.language)
    shown = approval.text(said.verdict, about, said.language)
    if named != said.about or wording.digest(shown) != said.shown:
        raise MalformedSheet(reason="what is to be signed is not what is shown")
    return shown


def _update(encoded: bytes, opened: bytes, language: Language) -> tuple[bytes, str]:
    """Show what a record says: its content is the one it commits to, its id follows from it."""
    said = record.parse(encoded)
    salt, content = opened[:SALT_BYTES], opened[SALT_BYTES:]
    if said.body is None or record.commitment(salt, content) != said.body.commitment:
        raise MalformedSheet(reason="the content is not the one that its record commits to")
    match activity.decode(said.kind, content):
        case Open(fields=fields) | Update(fields=fields) | Correction(fields=fields):
            pass
        case Close(said=Update(fields=fields)):
            pass
        case _:
            raise MalformedSheet(reason="it is about a record of another kind")
    return said.id, approval.update_text(said.activity or said.id, said.id, fields, language)


def _read(encoded: bytes) -> object:
    try:
        return cbor.decode(encoded, SHEET_BYTES_MAX)
    except AuthorError as fault:
        raise MalformedSheet(reason=fault) from None


def _what(said: str) -> What:
    match said:
        case "order" | "approval" | "mandate":
            return said
    raise MalformedSheet(reason="nobody signs such a thing")


_TEXTS: Final[dict[What, Callable[[Sheet], str]]] = {
    "order": _order_text,
    "approval": _approval_text,
    "mandate": _mandate_text,
}
