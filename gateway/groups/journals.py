"""Two checkpoints of one journal that contradict each other: what their signer cannot explain.

In: two notes, and the key that must have signed or cosigned both; of a rewrite also the leaves.
Out: the size from which on they contradict, or EvidenceFails. Protocol: docs/protocol/evidence.md.
"""

from gateway.errors import AuthorError, EvidenceFails
from gateway.records import checkpoint, note
from gateway.records.checkpoint import Checkpoint, witness_name
from gateway.records.journal import Entry
from gateway.records.note import Note


def forked(first: bytes, second: bytes, run_key: bytes) -> int:
    """Check that a run signed two roots of one size; give it."""
    one, other = (_of_run(each, run_key) for each in (first, second))
    return _contradicted(one, other)


def rewritten(first: bytes, second: bytes, run_key: bytes, leaves: tuple[Entry, Entry]) -> int:
    """Check that a run's journals have different heads under one number; give how many are before.

    The journal that is shorter, or of one size has the lower text, comes first.
    """
    one, other = (_of_run(each, run_key) for each in (first, second))
    if (one.size, one.text) >= (other.size, other.text):
        raise EvidenceFails(reason="the checkpoints are one, or not in order")
    if leaves[0].index != leaves[1].index or leaves[0].head == leaves[1].head:
        raise EvidenceFails(reason="the leaves are of different numbers, or the same")
    try:
        for leaf, found in zip(leaves, (one, other), strict=True):
            leaf.check(found)
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None
    return leaves[0].index


def witnessed(first: bytes, second: bytes, organisation: bytes, public: bytes) -> tuple[bytes, int]:
    """Check that a witness cosigned two roots of one size; give the journal's run and the size."""
    one, other = (_cosigned(each, organisation, public) for each in (first, second))
    return one.run or b"", _contradicted(one, other)


def _contradicted(one: Checkpoint, other: Checkpoint) -> int:
    if (one.origin, one.size) != (other.origin, other.size):
        raise EvidenceFails(reason="the checkpoints are of two journals or sizes")
    if one.text >= other.text:
        raise EvidenceFails(reason="the checkpoints are one, or not in order")
    return one.size


def _of_run(encoded: bytes, run_key: bytes) -> Checkpoint:
    try:
        signed, _ = checkpoint.read(encoded)
        found = checkpoint.verify(encoded, run_key)
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None
    if len(signed.signatures) != 1:
        raise EvidenceFails(reason="others' lines stand beside its own")
    return found


def _cosigned(encoded: bytes, organisation: bytes, public: bytes) -> Checkpoint:
    try:
        signed, found = checkpoint.read(encoded)
        note.check_cosignature(signed.text, _line(signed), witness_name(organisation), public)
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None
    if found.run is None:
        raise EvidenceFails(reason="the checkpoint is of no run's journal")
    return found


def _line(signed: Note) -> str:
    if len(signed.signatures) != 1:
        raise EvidenceFails(reason="others' lines stand beside its own")
    return signed.signatures[0].line
