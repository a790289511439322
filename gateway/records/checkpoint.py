"""A checkpoint: how far a run's journal goes, as a C2SP note. Protocol: docs/protocol/note.md.

In: a run key, a size and a root; or bytes from anywhere. Out: the signed note; or the checkpoint,
verified under the run key that must have signed it. A run signs no two that do not follow from one
another: that is for its store to keep, and for witnesses to see.
"""

import binascii
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadNote, MalformedCheckpoint, MalformedNote
from gateway.records import note
from gateway.records.cose import SigningKey, key_id
from gateway.records.note import Note

SIZE_MAX: Final = (1 << 53) - 1
_HASH_BYTES: Final = 32
_RUN: Final = "hulian/1/run/"
_WITNESS: Final = "hulian/1/witness/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Whose journal, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Give the text that is signed."""
        root = binascii.b2a_base64(self.root, newline=False).decode()
        return f"{self.origin}\n{self.size}\n{root}\n"

    @property
    def run(self) -> bytes | None:
        """Name the run by the id of its key, or None if the origin names none."""
        said = self.origin.removeprefix(_RUN)
        try:
            run = bytes.fromhex(said)
        except ValueError:
            return None
        return run if self.origin == run_name(run) and len(run) == 16 else None


def run_name(run: bytes) -> str:
    """Give the origin of a run's journal and the name its key signs under."""
    return f"{_RUN}{run.hex()}"


def witness_name(organisation: bytes) -> str:
    """Give the name under which an organisation's witness cosigns."""
    return f"{_WITNESS}{organisation.hex()}"


def parse(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint of three lines; raise MalformedCheckpoint."""
    match text.split("\n"):
        case [origin, size, root, ""] if note.is_name(origin):
            try:
                found = Checkpoint(origin, int(size), binascii.a2b_base64(root.encode()))
            except ValueError:
                raise MalformedCheckpoint(reason="size or root cannot be read") from None
            if (
                0 <= found.size <= SIZE_MAX
                and len(found.root) == _HASH_BYTES
                and found.text == text
            ):
                return found
            raise MalformedCheckpoint(reason="size or root is not written as it must be")
    raise MalformedCheckpoint(reason="not the three lines of origin, size and root")


def sign(key: SigningKey, size: int, root: bytes) -> bytes:
    """Sign how far a run's journal goes; give the note."""
    origin = run_name(key.id)
    text = Checkpoint(origin, size, root).text
    return note.assemble(text, [note.sign(origin, key, text)])


def read(encoded: bytes) -> tuple[Note, Checkpoint]:
    """Read a note whose text is a checkpoint, not verified; raise MalformedCheckpoint."""
    try:
        found = note.parse(encoded)
    except MalformedNote as fault:
        raise MalformedCheckpoint(reason=fault) from None
    return found, parse(found.text)


def verify(encoded: bytes, run_key: bytes) -> Checkpoint:
    """Verify a checkpoint by a run's key; raise MalformedCheckpoint or BadNote."""
    signed, found = read(encoded)
    if found.origin != run_name(key_id(run_key)):
        raise BadNote(name=found.origin, reason="the origin is another run")
    note.check(signed, found.origin, run_key)
    return found
