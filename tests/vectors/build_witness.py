"""The vectors of what is shown to witnesses: docs/protocol/witness.md."""

import binascii
from functools import partial

from gateway.groups import witnessing
from gateway.records import merkle
from tests.damage import refusal
from tests.people import party, run_of
from tests.witnessed import Tree, shows

TREE = Tree(run_of(party("maker")))
OTHER = Tree(run_of(party("maker"), 1))


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = {
        "a journal that is new": (0, 1),
        "one that grew from 3 to 7": (3, 7),
        "one that is as it was": (7, 7),
        "one that grew from 4 to 1,000": (4, 1000),
    }
    return {
        "noun": "witness",
        "chapter": "docs/protocol/witness.md",
        "good": [
            {"name": name, "hex": TREE.shown(*sizes).hex(), "expect": _expect(*sizes)}
            for name, sizes in good.items()
        ],
        "bad": [
            {"name": name, "hex": wire.hex(), "error": refusal(partial(judge, wire))}
            for name, wire in _bad().items()
        ],
    }


def judge(said: bytes) -> witnessing.Watched:
    """Judge a request as a witness that cosigned the journal at what the request says as old.

    It knows the run of `maker` alone, and the journal's own root at that size.
    """
    asked = witnessing.decode(said)
    root = merkle.EMPTY_ROOT
    if asked.old:
        root = merkle.frontier(asked.old, TREE.subtree(asked.old)).root()
    held = TREE.run.credentials
    known = witnessing.Watched(
        f"hulian/1/run/{TREE.run.key.id.hex()}",
        TREE.run.key.public,
        held.node.subject,
        held.node.issuer,
        asked.old,
        root,
    )
    return witnessing.judge(known, asked)


def _expect(old: int, size: int) -> dict[str, object]:
    asked = witnessing.decode(TREE.shown(old, size))
    return {
        "old": old,
        "size": size,
        "root": asked.checkpoint.root.hex(),
        "proof": [each.hex() for each in asked.proof],
        "run key": TREE.run.key.public.hex(),
        "introduction": shows(TREE.run).hex(),
    }


def _bad() -> dict[str, bytes]:
    good, signed = TREE.shown(3, 7), TREE.note(7)
    forged = Tree(TREE.run, b"rewritten", since=1)
    lines = [binascii.b2a_base64(b"\x00" * 32) for _ in range(64)]
    return {
        "empty": b"",
        "a zero before the old size": good.replace(b"old 3", b"old 03"),
        "an old size below nothing": good.replace(b"old 3", b"old -3"),
        "an old size above the checkpoint's": b"old 8\n\n" + signed,
        "no empty line": good.replace(b"\n\n", b"\n", 1),
        "a line that is no hash": b"old 3\nAAAA\n\n" + signed,
        "64 lines of proof": b"old 3\n" + b"".join(lines) + b"\n" + signed,
        "lines that end in two bytes": good.replace(b"\n", b"\r\n"),
        "another run's signature": b"old 3\n\n" + OTHER.note(7),
        "a proof that is missing": b"old 3\n\n" + signed,
        "a proof where nothing was before": good.replace(b"old 3", b"old 0"),
        "a history that was rewritten": forged.shown(3, 7),
        "two roots for one size": forged.shown(7, 7),
        "a proof from another size": good.replace(b"old 3", b"old 2"),
    }
