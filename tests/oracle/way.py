"""The way to a checkpoint and its cosignatures, by the library `tlog-scales`.

As docs/protocol/{note,journal}.md say. In: members of a proof whose form is right. Out: nothing, or
Refused. It imports nothing of gateway/.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import cbor2
from tlog_scales.signing import NoteSignature, Vkey
from tlog_scales.tlog import Checkpoint, InclusionProof

from tests.oracle.signed import Refused, need


def held(step: Callable[[], Any]) -> Any:
    """Take a step of the library, which raises whatever its parser or its cryptography meets."""
    try:
        return step()
    except Exception as fault:
        raise Refused from fault


def checkpoint_of(encoded: bytes, run_key: bytes) -> Checkpoint:
    """Verify a checkpoint with the one line of its run."""
    text = held(encoded.decode)
    found = held(lambda: Checkpoint.from_text(text))
    need(found.serialize() == text and len(found.signatures) == 1 and len(found.root_hash) == 32)
    name = f"hulian/1/run/{sha256(run_key).digest()[:16].hex()}"
    need(found.origin == name and 0 <= found.size < 2**53)
    held(lambda: found.verify(Vkey(name, None, 1, run_key)))
    return found


def check_way(parts: dict[int, Any], said: dict[int, Any], shown: bytes, found: Checkpoint) -> None:
    """See that a record is below a head, and that head in the journal whose checkpoint this is."""
    feed, size, root = parts[4]
    need(feed == said[1])
    leads(sha256(b"\x00" + shown).digest(), said[2], size, parts[3], root)
    leaf = sha256(b"\x00" + cbor2.dumps([feed, size, root], canonical=True)).digest()
    leads(leaf, parts[6][0], found.size, parts[6][1], found.root_hash)


def leads(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """See that a path leads to a root."""
    held(partial(InclusionProof(index, size, path).check, leaf, root))


def cosigner(line: str, found: Checkpoint, keys: dict[str, bytes]) -> str:
    """Give the organisation whose witness cosigned by a line; `keys` are by organisation."""
    read = held(lambda: NoteSignature.from_line(line))
    need(read.serialize() == line and len(read.payload) == 72 and read.payload[0] < 128)
    organisation = str(read.name).removeprefix("hulian/1/witness/")
    need(read.name == f"hulian/1/witness/{organisation}" and organisation in keys)
    key = Vkey(read.name, None, 4, keys[organisation])
    need(key.match(read))
    held(lambda: key.get_verifier().verify_note(read, found))
    return organisation


def quorum(count: int) -> int:
    """Give how many of so many organisations decide."""
    return (count + (count - 1) // 3) // 2 + 1
