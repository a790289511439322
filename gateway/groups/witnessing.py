"""What a witness decides: whether what a journal shows follows from what was cosigned of it.

In: the bytes of a request, and what is known of that journal. Out: what is known from now on, to be
on the disk before a cosignature leaves; or the error that says why not. It keeps nothing, and it
never sees what a journal is about. Protocol: docs/protocol/witness.md.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import (
    AuthorError,
    JournalForked,
    JournalRewritten,
    MalformedCbor,
    MalformedSubmission,
    OtherSize,
    ProofFails,
    StrangeRun,
    UnknownOrganisation,
)
from gateway.records import cbor, checkpoint, identity, merkle, note
from gateway.records.checkpoint import Checkpoint
from gateway.records.cose import key_id
from gateway.records.identity import CERTIFICATE_BYTES_MAX
from gateway.records.note import NOTE_BYTES_MAX, Note
from gateway.records.roster import Roster

PROOF_LINES_MAX: Final = 63
SUBMISSION_BYTES_MAX: Final = NOTE_BYTES_MAX + (PROOF_LINES_MAX + 1) * 64
INTRODUCTION_BYTES_MAX: Final = 2 * CERTIFICATE_BYTES_MAX + 16
_OLD = re.compile(rb"old (0|[1-9][0-9]{0,15})")
_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Submission:
    """What is shown: a checkpoint, and a proof that it extends the tree of the old size."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Watched:
    """What a witness knows of a run's journal: whose it is, and how far it was cosigned."""

    origin: str
    run_key: bytes
    node: bytes
    organisation: bytes
    size: int = 0
    root: bytes = merkle.EMPTY_ROOT


def encode(old: int, proof: Sequence[bytes], signed: bytes) -> bytes:
    """Write a request to cosign a signed checkpoint (C2SP tlog-witness, add-checkpoint)."""
    lines = [binascii.b2a_base64(each, newline=False) for each in proof]
    return b"\n".join([b"old %d" % old, *lines, b"", signed])


def decode(said: bytes) -> Submission:
    """Read such a request, nothing of it verified; raise MalformedSubmission."""
    if len(said) > SUBMISSION_BYTES_MAX:
        raise MalformedSubmission(reason=f"longer than {SUBMISSION_BYTES_MAX} bytes")
    head, parted, signed = said.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if not parted or old is None:
        raise MalformedSubmission(reason="no old size, or no empty line after the proof")
    if len(lines) > PROOF_LINES_MAX:
        raise MalformedSubmission(reason=f"a proof of more than {PROOF_LINES_MAX} lines")
    proof = tuple(_hash(line) for line in lines)
    try:
        shown, found = checkpoint.read(signed)
    except AuthorError as fault:
        raise MalformedSubmission(reason=fault) from None
    if int(old[1]) > found.size:
        raise MalformedSubmission(reason="the old size is above the checkpoint's")
    return Submission(int(old[1]), proof, shown, found)


def judge(known: Watched, asked: Submission) -> Watched:
    """Give what is known once this is cosigned; raise why it may not be.

    Raises BadNote where the run did not sign it, OtherSize, JournalForked or JournalRewritten.
    """
    shown = asked.checkpoint
    note.check(asked.note, known.origin, known.run_key)
    if asked.old != known.size:
        raise OtherSize(size=known.size)
    if shown.size == known.size and shown.root != known.root:
        raise JournalForked(origin=known.origin, size=known.size)
    facts = {"origin": known.origin, "old": asked.old, "size": shown.size}
    try:
        if asked.old:
            path = (asked.old, known.root, shown.size, shown.root, asked.proof)
            merkle.verify_consistency(*path)
        elif asked.proof:
            raise ProofFails(reason="a proof from nothing is empty")
    except ProofFails as fault:
        raise JournalRewritten(**facts, reason=fault.facts["reason"]) from None
    return replace(known, size=shown.size, root=shown.root)


def introduce(node: bytes, run: bytes) -> bytes:
    """Write what a gateway shows of itself: the certificates of its node and of this run."""
    return cbor.encode([node, run])


def admit(said: bytes, chains: Sequence[Sequence[Roster]]) -> Watched:
    """Read such certificates and verify them; raise MalformedSubmission or StrangeRun.

    Each chain is one consortium's rosters: its newest says who is a member, and any root that a
    member ever had there may have signed the node's certificate.
    """
    try:
        match cbor.decode(said, INTRODUCTION_BYTES_MAX):
            case [bytes() as first, bytes() as second]:
                node, run = identity.decode(first, "node"), identity.decode(second, "run")
            case _:
                raise MalformedSubmission(reason="not the certificates of a node and a run")
    except MalformedCbor as fault:
        raise MalformedSubmission(reason=fault) from None
    except MalformedSubmission:
        raise
    except AuthorError as fault:
        raise StrangeRun(reason=fault) from None
    _vouched(node, chains)
    try:
        run.verify(node.subject, node.key)
    except AuthorError as fault:
        raise StrangeRun(reason=fault) from None
    if run.subject != key_id(run.key):
        raise StrangeRun(reason="a run's id is not that of its key")
    return Watched(checkpoint.run_name(run.subject), run.key, node.subject, node.issuer)


def _vouched(node: identity.Certificate, chains: Sequence[Sequence[Roster]]) -> None:
    """Check that a member vouches for a node; raise StrangeRun."""
    reason: object = "no roster is held"
    for chain in chains:
        try:
            chain[-1].organisation(node.issuer)
        except UnknownOrganisation as fault:
            reason = fault
            continue
        rows = (row for each in chain for row in each.organisations if row.id == node.issuer)
        for root in {row.root for row in rows}:
            try:
                node.verify(node.issuer, root)
                return
            except AuthorError as fault:
                reason = fault
    raise StrangeRun(reason=reason)


def _hash(line: bytes) -> bytes:
    try:
        found = binascii.a2b_base64(line, strict_mode=True)
    except ValueError:
        raise MalformedSubmission(reason="a line of the proof is not base64") from None
    if len(found) != _HASH_BYTES or binascii.b2a_base64(found, newline=False) != line:
        raise MalformedSubmission(reason="a line of the proof is not a hash")
    return found
