"""C2SP signed notes: a text, and beneath it who signed it. Protocol: docs/protocol/note.md.

In: a text and keys, or bytes from anywhere. Out: a note and its lines, whose signatures the caller
checks under the names and keys that it trusts; lines of strangers are carried and count nothing.
The time of a cosignature is an argument. What is signed as a note begins with text and is never
what is signed as COSE, so one run key does both.
"""

import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.errors import BadNote, BadSignature, MalformedNote
from gateway.records import cose
from gateway.records.cose import SIGNATURE_BYTES, SigningKey

NOTE_BYTES_MAX: Final = 16 * 1024
SIGNATURES_MAX: Final = 64
SIGNATURE_CHARS_MAX: Final = 8 * 1024
TIME_S_MAX: Final = (1 << 63) - 1
ED25519: Final = 1
COSIGNATURE: Final = 4
_KID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_DASH: Final = "— "


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note: the name and start of the id of a key, and what it signed."""

    name: str
    kid: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """Give the line, without its end."""
        content = binascii.b2a_base64(self.kid + self.signature, newline=False).decode()
        return f"{_DASH}{self.name} {content}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends its last line, and its signatures, none of them checked."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def encoded(self) -> bytes:
        """Give the note as it travels."""
        return assemble(self.text, (each.line for each in self.signatures))


def parse(encoded: bytes) -> Note:
    """Take a note apart; raise MalformedNote. The caller checks the signatures it knows."""
    if len(encoded) > NOTE_BYTES_MAX:
        raise MalformedNote(reason=f"longer than {NOTE_BYTES_MAX} bytes")
    try:
        whole = encoded.decode()
    except UnicodeDecodeError:
        raise MalformedNote(reason="not UTF-8") from None
    if any(each < " " and each != "\n" for each in whole):
        raise MalformedNote(reason="a control character")
    text, parted, below = whole.rpartition("\n\n")
    if not parted or not below.endswith("\n"):
        raise MalformedNote(reason="no empty line with whole lines below it")
    lines = below[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise MalformedNote(reason=f"more than {SIGNATURES_MAX} signatures")
    return Note(text + "\n", tuple(parse_line(line) for line in lines))


def parse_line(line: str) -> Signature:
    """Read one line of a signature, without its end; raise MalformedNote."""
    if len(line) > SIGNATURE_CHARS_MAX or not line.startswith(_DASH):
        raise MalformedNote(reason="a line is no signature")
    name, parted, content = line.removeprefix(_DASH).rpartition(" ")
    if not parted or not is_name(name):
        raise MalformedNote(reason="a signature has no name")
    try:
        signed = binascii.a2b_base64(content.encode(), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise MalformedNote(reason="a signature is not base64") from None
    found = Signature(name, signed[:_KID_BYTES], signed[_KID_BYTES:])
    if not found.signature or found.line != line:
        raise MalformedNote(reason="a signature is empty, or its base64 is not the one it has")
    return found


def is_name(name: str) -> bool:
    """Say whether a key may be called so."""
    return name.isprintable() and "+" not in name and name.split() == [name]


def kid_of(name: str, kind: int, public: bytes) -> bytes:
    """Give the four bytes by which a line says which key of that name signed, and how."""
    return sha256(name.encode() + b"\n" + bytes((kind,)) + public).digest()[:_KID_BYTES]


def assemble(text: str, lines: Iterable[str]) -> bytes:
    """Join a text and lines of signatures; at least one."""
    return "".join((text, "\n", *(f"{line}\n" for line in lines))).encode()


def sign(name: str, key: SigningKey, text: str) -> str:
    """Sign a text under a name; give the line."""
    kid = kid_of(name, ED25519, key.public)
    return Signature(name, kid, key.signature(text.encode())).line


def check(note: Note, name: str, public: bytes) -> None:
    """Check that a key signed the note, by each line that says so; raise BadNote."""
    kid = kid_of(name, ED25519, public)
    found = [each for each in note.signatures if (each.name, each.kid) == (name, kid)]
    if not found:
        raise BadNote(name=name, reason="it has no line of this key")
    for each in found:
        _verify(name, public, note.text.encode(), each.signature)


def cosign(name: str, key: SigningKey, text: str, unix_s: int) -> str:
    """Cosign a checkpoint's text at a time (C2SP cosignature/v1); give the line."""
    kid = kid_of(name, COSIGNATURE, key.public)
    signature = key.signature(_cosigned(text, unix_s))
    return Signature(name, kid, unix_s.to_bytes(_TIME_BYTES, "big") + signature).line


def check_cosignature(text: str, line: str, name: str, public: bytes) -> int:
    """Check that a witness cosigned a checkpoint's text; give when, in Unix seconds.

    Raises MalformedNote where it is no line, and BadNote where it is not of this key or false.
    """
    said = parse_line(line)
    if (said.name, said.kid) != (name, kid_of(name, COSIGNATURE, public)):
        raise BadNote(name=name, reason="the line is of another key")
    unix_s = int.from_bytes(said.signature[:_TIME_BYTES], "big")
    if len(said.signature) != _TIME_BYTES + SIGNATURE_BYTES or unix_s > TIME_S_MAX:
        raise BadNote(name=name, reason="not a time and a signature")
    _verify(name, public, _cosigned(text, unix_s), said.signature[_TIME_BYTES:])
    return unix_s


def _cosigned(text: str, unix_s: int) -> bytes:
    return f"cosignature/v1\ntime {unix_s}\n{text}".encode()


def _verify(name: str, public: bytes, message: bytes, signature: bytes) -> None:
    if len(signature) != SIGNATURE_BYTES:
        raise BadNote(name=name, reason="a signature is not 64 bytes")
    try:
        cose.verify("note", public, message, signature)
    except BadSignature:
        raise BadNote(name=name, reason="its signature does not verify") from None
