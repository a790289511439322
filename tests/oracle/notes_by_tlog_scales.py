"""C2SP notes and RFC 9162 paths by the library `tlog-scales`: a list of questions as JSON comes in.

Out: for each {note, keys}, [origin, size, root] if every key has signed or cosigned it, else null;
for {origin, size, root, seed, witness, witness seed, at}, a checkpoint that both have signed; for
{leaf, at, path, root} and {sizes, path, roots}, whether the path leads there.
"""

import base64
import json
import sys
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import NoteSignature, PlainEd25519Signer, Vkey
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof


def verified(whole: str, keys: list[str]) -> list[object] | None:
    """Give what a checkpoint says that all keys have signed."""
    try:
        read = Checkpoint.from_text(whole)
        for key in keys:
            read.verify(Vkey.from_string(key))
    except Exception:  # it raises whatever its parser or its cryptography meets
        return None
    return [read.origin, read.size, base64.b64encode(read.root_hash).decode()]


def made(asked: dict[str, Any]) -> str:
    """Sign a checkpoint, and cosign it by the specification: the library only verifies these."""
    signer = PlainEd25519Signer(asked["origin"], bytes.fromhex(asked["seed"]))
    tree = base64.b64decode(asked["root"])
    signed = Checkpoint.make_signed(asked["origin"], asked["size"], tree, [signer])
    witness = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(asked["witness seed"]))
    key = Vkey(asked["witness"], None, 4, witness.public_key().public_bytes_raw())
    text = f"cosignature/v1\ntime {asked['at']}\n{signed.serialize_body()}"
    content = asked["at"].to_bytes(8, "big") + witness.sign(text.encode())
    line = NoteSignature.from_vkey_signature(key, content).serialize()
    return f"{signed.serialize()}{line}\n"


def leads(asked: dict[str, Any]) -> bool:
    """Say whether a path of inclusion or consistency holds."""
    path = [bytes.fromhex(each) for each in asked["path"]]
    try:
        if "leaf" in asked:
            proof = InclusionProof(*asked["at"], path)
            proof.check(bytes.fromhex(asked["leaf"]), bytes.fromhex(asked["root"]))
        else:
            old, new = (bytes.fromhex(each) for each in asked["roots"])
            ConsistencyProof(*asked["sizes"], path).check(old, new)
    except Exception:  # one class for each kind of proof
        return False
    return True


def answer(asked: dict[str, Any]) -> object:
    """Answer one question."""
    if "note" in asked:
        return verified(asked["note"], asked["keys"])
    return made(asked) if "seed" in asked else leads(asked)


json.dump([answer(each) for each in json.load(sys.stdin)], sys.stdout)
