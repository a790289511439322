"""Signed notes, checkpoints and cosignatures that others published, and those of a stranger's make.

The numbers are facts: of C2SP's specification `signed-note`, of the tests of the note package of
Go's checksum database, and of a checkpoint of a Certificate Transparency log that four public
witnesses of different operators and makes have cosigned. The stranger is the library tlog-scales.
"""

import binascii
from datetime import UTC, datetime
from functools import partial

import pytest

from gateway.errors import BadNote, MalformedNote
from gateway.records import checkpoint, merkle, note
from gateway.records.cose import SigningKey
from gateway.records.note import COSIGNATURE, ED25519
from tests.damage import refusal
from tests.oracle import ask
from tests.people import seed
from tests.vectors.build_merkle import HASHES, SUBTREES, root

C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""  # noqa: E501
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
# The seed that was published beside it.
PETER_SEED = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="  # noqa: E501
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ="  # noqa: E501
LOG_KEY = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
WITNESS_KEYS = (
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
COSIGNED = """arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""  # noqa: E501

RUN, WITNESS = SigningKey(seed("a run to be checked")), SigningKey(seed("a witness to be checked"))
ORIGIN, NAME = checkpoint.run_name(RUN.id), checkpoint.witness_name(bytes(range(16)))
OTHER = merkle.leaf_hash(b"of no tree")
AT_S = 1_795_262_400


def _key(said: str, kind: int) -> tuple[str, bytes]:
    """Take a published verifier key apart, and see that its id is the one we compute."""
    name, kid, content = said.split("+", 2)
    encoded = binascii.a2b_base64(content)
    assert encoded[0] == kind
    assert note.kid_of(name, kind, encoded[1:]).hex() == kid
    return name, encoded[1:]


def _written(name: str, kind: int, public: bytes) -> str:
    kid = note.kid_of(name, kind, public).hex()
    return f"{name}+{kid}+{binascii.b2a_base64(bytes((kind,)) + public, newline=False).decode()}"


@pytest.mark.parametrize(
    ("whole", "key"),
    [
        (C2SP, C2SP_KEY),
        (f"{TEXT}\n{PETER}\n{ENOCH}\n", PETER_KEY),
        (f"{TEXT}\n{PETER}\n{ENOCH}\n", ENOCH_KEY),
        (COSIGNED, LOG_KEY),
    ],
)
def test_published_notes_hold(whole: str, key: str) -> None:
    """A note that was published is read, written as it was, and signed by the key beside it."""
    read = note.parse(whole.encode())
    assert read.encoded == whole.encode()
    note.check(read, *_key(key, ED25519))
    other = note.parse(whole.replace("\n", "!\n", 1).encode())
    with pytest.raises(BadNote):
        note.check(other, *_key(key, ED25519))


def test_a_published_note_is_what_its_key_signs() -> None:
    """The published seed signs the published line."""
    key = SigningKey(bytes.fromhex(PETER_SEED))
    assert (key.public, note.sign("PeterNeumann", key, TEXT)) == (_key(PETER_KEY, 1)[1], PETER)


@pytest.mark.parametrize(
    "whole",
    [
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{PETER}",
        f"\x01{TEXT}\n{PETER}\n",
        f"{TEXT}\n{PETER.replace('PeterNeumann', 'Bad Name')}\n",
        f"{TEXT}\n{PETER}\nUnexpected line.\n",
        f"{TEXT}\n" + f"{PETER}\n" * 101,
    ],
)
def test_published_malformed_notes_are_refused(whole: str) -> None:
    """What the tests of Go's package call malformed is malformed; and so is what is not UTF-8."""
    for encoded in (whole.encode(), b"\xff" + whole.encode()):
        assert refusal(partial(note.parse, encoded), MalformedNote) == MalformedNote.code


def test_a_published_signature_that_was_changed_does_not_hold() -> None:
    """Four letters more within the signature, as in the tests of Go's package."""
    changed = note.parse(f"{TEXT}\n{PETER[:60]}ABCD{PETER[60:]}\n".encode())
    with pytest.raises(BadNote):
        note.check(changed, *_key(PETER_KEY, ED25519))


@pytest.mark.parametrize("key", WITNESS_KEYS)
def test_published_cosignatures_hold(key: str) -> None:
    """What a public witness cosigned holds by its key, at its time, and for no other checkpoint."""
    signed, found = checkpoint.read(COSIGNED.encode())
    assert (found.origin, found.size) == (signed.signatures[0].name, 1_432_088_532)
    name, public = _key(key, COSIGNATURE)
    (line,) = (each.line for each in signed.signatures if each.name == name)
    at_s = note.check_cosignature(signed.text, line, name, public)
    assert datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d") == "2026-05-23"
    larger = checkpoint.Checkpoint(found.origin, found.size + 1, found.root).text
    with pytest.raises(BadNote):
        note.check_cosignature(larger, line, name, public)
    with pytest.raises(BadNote):
        note.check_cosignature(signed.text, line, name, _key(WITNESS_KEYS[0], 4)[1][::-1])


def test_a_stranger_accepts_our_checkpoints_and_cosignatures() -> None:
    """tlog-scales verifies what a run signs and what a witness of ours adds, and nothing else."""
    keys = (_written(ORIGIN, ED25519, RUN.public), _written(NAME, COSIGNATURE, WITNESS.public))
    asked, expected = [], []
    for size in (0, 1, 1_000, checkpoint.SIZE_MAX):
        signed = checkpoint.sign(RUN, size, merkle.leaf_hash(b"%d" % size))
        text = note.parse(signed).text
        whole = signed.decode() + note.cosign(NAME, WITNESS, text, AT_S + size % 9) + "\n"
        other = whole.replace(f"\n{size}\n", f"\n{size + 1}\n")
        asked += [{"note": whole, "keys": keys}, {"note": other, "keys": keys}]
        expected += [[ORIGIN, size, text.split("\n")[2]], None]
    assert ask("notes_by_tlog_scales", asked) == expected


def test_our_verifier_accepts_a_strangers_checkpoints_and_cosignatures() -> None:
    """What tlog-scales signs as a run and as a witness holds here, at the time it says."""
    tree = binascii.b2a_base64(root(5), newline=False).decode()
    asked = {"origin": ORIGIN, "size": 5, "root": tree, "seed": seed("a run to be checked").hex()}
    witness = {"witness": NAME, "witness seed": seed("a witness to be checked").hex(), "at": AT_S}
    (made,) = [str(each) for each in _answers([{**asked, **witness}])]
    found = checkpoint.verify(made.encode(), RUN.public)
    assert (found.origin, found.size, found.root) == (ORIGIN, 5, root(5))
    read = note.parse(made.encode())
    line = read.signatures[1].line
    assert note.check_cosignature(read.text, line, NAME, WITNESS.public) == AT_S


def test_a_stranger_accepts_our_paths_and_no_others() -> None:
    """tlog-scales verifies every path of ours over eight leaves, and none from another leaf."""
    asked: list[object] = []
    for size in range(1, 9):
        for index in range(size):
            path = [each.hex() for each in merkle.inclusion(index, size, SUBTREES)]
            whole = {"at": [index, size], "path": path, "root": root(size).hex()}
            asked += [{**whole, "leaf": each.hex()} for each in (HASHES[index], OTHER)]
        for old in range(1, size):
            path = [each.hex() for each in merkle.consistency(old, size, SUBTREES)]
            grown = {"sizes": [old, size], "path": path}
            asked += [{**grown, "roots": [it.hex(), root(size).hex()]} for it in (root(old), OTHER)]
    assert _answers(asked) == [True, False] * (len(asked) // 2)


def _answers(asked: object) -> list[object]:
    answers = ask("notes_by_tlog_scales", asked)
    assert isinstance(answers, list)
    return answers
