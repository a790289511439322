"""Evidence that a command found: left in the state directory for the gateway, which tells of it.

In: evidence, verified. Out: the same, for who keeps it in the store and then lets go of it here. A
command writes no store: the gateway may be running on it. Protocol: docs/protocol/evidence.md.
"""

from pathlib import Path
from typing import Final

from gateway.groups.evidence import EVIDENCE_BYTES_MAX, evidence_id
from gateway.store import folder

FOLDER: Final = "evidence"
_FILES_MAX: Final = 64


def leave(state_dir: Path, content: bytes) -> None:
    """Leave evidence, at most 64 of it; raise StateUnwritable."""
    path = state_dir / FOLDER / f"{evidence_id(content).hex()}.cbor"
    if path.exists() or len(_files(state_dir)) >= _FILES_MAX:
        return
    folder.make(path.parent)
    folder.keep(path, content)


def left(state_dir: Path) -> list[bytes]:
    """Give what was left and is whole; raise StateOpen or StateUnwritable."""
    every = [folder.read_own(each) for each in _files(state_dir)]
    return [each for each in every if len(each) <= EVIDENCE_BYTES_MAX]


def let_go(state_dir: Path) -> None:
    """Take away what was left, once the store has it."""
    for each in _files(state_dir):
        each.unlink(missing_ok=True)


def _files(state_dir: Path) -> list[Path]:
    return sorted((state_dir / FOLDER).glob("*.cbor"))
