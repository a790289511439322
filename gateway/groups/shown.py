"""The parts that evidence is made of, read to their bounds and no further.

In: what stood in a list of CBOR. Out: the part, not verified, or MalformedEvidence. Protocol:
docs/protocol/evidence.md.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import MalformedEvidence, MalformedGenesis
from gateway.records.feed import decode_head
from gateway.records.identity import CERTIFICATE_BYTES_MAX
from gateway.records.journal import PATH_MAX, Entry
from gateway.records.note import NOTE_BYTES_MAX
from gateway.records.record import RECORD_BYTES_MAX
from gateway.records.roster import ROSTER_BYTES_MAX

_SIGNATURE_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Author:
    """The certificates of the run that signed: its node's, and its own."""

    node: bytes
    run: bytes


def author(said: object) -> Author:
    """Read the certificates of a run."""
    match said:
        case [bytes() as node, bytes() as run] if (
            len(node) <= CERTIFICATE_BYTES_MAX and len(run) <= CERTIFICATE_BYTES_MAX
        ):
            return Author(node, run)
    raise MalformedEvidence(reason="not the certificates of a node and its run")


def record(encoded: bytes) -> bytes:
    """Bound a record."""
    if len(encoded) > RECORD_BYTES_MAX:
        raise MalformedEvidence(reason="a record is too long")
    return encoded


def journal_note(encoded: bytes) -> bytes:
    """Bound the checkpoint of a journal."""
    if len(encoded) > NOTE_BYTES_MAX:
        raise MalformedEvidence(reason="a checkpoint is too long")
    return encoded


def leaf(said: object) -> Entry:
    """Read the leaf of a journal with its path."""
    match said:
        case [int() as index, list() as head, list() as path] if (
            type(index) is int and 0 <= index < 1 << 53 and len(path) <= PATH_MAX
        ):
            hashes = tuple(each for each in path if isinstance(each, bytes) and len(each) == 32)
            try:
                if len(hashes) == len(path):
                    return Entry(index, decode_head(head), hashes)
            except MalformedGenesis as fault:
                raise MalformedEvidence(reason=fault) from None
    raise MalformedEvidence(reason="not the leaf of a journal with its path")


def leaf_row(said: Entry) -> list[object]:
    """Write the leaf of a journal with its path."""
    head = [said.head.feed, said.head.size, said.head.root]
    return [said.index, head, list(said.path)]


def signed_roster(said: object) -> tuple[bytes, bytes]:
    """Read a roster's payload and one signature."""
    match said:
        case [bytes() as payload, bytes() as signature] if (
            len(payload) <= ROSTER_BYTES_MAX and len(signature) <= _SIGNATURE_BYTES_MAX
        ):
            return payload, signature
    raise MalformedEvidence(reason="not a roster's payload and its signature")
