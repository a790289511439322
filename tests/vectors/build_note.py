"""The vectors of signed notes, checkpoints and cosignatures: docs/protocol/note.md."""

from gateway.records import checkpoint, merkle, note
from gateway.records.checkpoint import run_name, witness_name
from gateway.records.cose import SigningKey
from gateway.records.note import COSIGNATURE, ED25519
from tests.damage import refusal
from tests.people import party, run_of, seed

MAKER, BUYER = party("maker"), party("buyer")
KEY, WITNESS = run_of(MAKER).key, SigningKey(seed("buyer witness"))
ORIGIN, NAME = run_name(KEY.id), witness_name(BUYER.root.id)
SIZE, ROOT = 7, merkle.leaf_hash(b"a journal")
SIGNED = checkpoint.sign(KEY, SIZE, ROOT)
TEXT = checkpoint.read(SIGNED)[0].text
TIME_S = 1_795_262_400
COSIGNED = note.cosign(NAME, WITNESS, TEXT, TIME_S)

Row = dict[str, object]


def check(row: Row) -> dict[str, object]:
    """Check one vector as every reader does; raise its error."""
    encoded, name = bytes.fromhex(str(row["hex"])), str(row["signer"])
    public = bytes.fromhex(str(row["key"]))
    if row["proof"] == "checkpoint":
        found = checkpoint.verify(encoded, public)
        return {"origin": found.origin, "size": found.size, "root": found.root.hex()}
    signed = note.parse(encoded)
    if row["proof"] == "note":
        note.check(signed, name, public)
        return {"text": signed.text}
    line = signed.signatures[-1].line
    return {"time": note.check_cosignature(signed.text, line, name, public)}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "note",
        "chapter": "docs/protocol/note.md",
        "good": [{**row, "expect": check(row)} for row in _good()],
        "bad": [{**row, "error": _error(row)} for row in _bad()],
    }


def _error(row: Row) -> str:
    return refusal(lambda: check(row))


def _row(proof: str, name: str, whole: bytes, signer: tuple[str, bytes]) -> Row:
    row = {"proof": proof, "name": name, "hex": whole.hex()}
    return {**row, "signer": signer[0], "key": signer[1].hex()}


def _run(name: str, whole: bytes, proof: str = "checkpoint") -> Row:
    return _row(proof, name, whole, (ORIGIN, KEY.public))


def _witness(name: str, whole: bytes) -> Row:
    return _row("cosignature", name, whole, (NAME, WITNESS.public))


def _under(text: str, *lines: str) -> bytes:
    return note.assemble(text, lines)


def _signed(text: str) -> bytes:
    return _under(text, note.sign(ORIGIN, KEY, text))


def _good() -> list[Row]:
    own = note.sign(ORIGIN, KEY, TEXT)
    stranger = note.sign("example.com/stranger", WITNESS, "another text\n")
    empty = checkpoint.sign(KEY, 0, merkle.EMPTY_ROOT)
    # Of the documentation of Go's package sumdb/note.
    neumann = bytes.fromhex("1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6")
    said = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
        "otpRZb6KE6RyyBwJnAM=\n"
    )
    return [
        _row("note", "as Go's documentation has it", said.encode(), ("PeterNeumann", neumann)),
        _run("a text with an empty line", _signed("one\n\nthree\n"), "note"),
        _run("a checkpoint", SIGNED),
        _run("a checkpoint of nothing", empty),
        _run("a checkpoint, cosigned", _under(TEXT, own, COSIGNED)),
        _run("a stranger's line, false", _under(TEXT, stranger, own)),
        _witness("a cosignature", _under(TEXT, own, COSIGNED)),
        _witness("a cosignature of 1970", _under(TEXT, note.cosign(NAME, WITNESS, TEXT, 0))),
    ]


def _bad() -> list[Row]:
    own = note.sign(ORIGIN, KEY, TEXT)
    other = run_of(MAKER, 1).key
    whole = SIGNED.decode()
    origin, size, root, _ = TEXT.split("\n")
    forms = {
        "nothing": "",
        "a text alone": TEXT,
        "no signature": TEXT + "\n",
        "no empty line": TEXT + own + "\n",
        "the last line not ended": whole[:-1],
        "a hyphen for the dash": whole.replace("— ", "- "),
        "a control character": whole.replace("\n7\n", "\n7\r\n"),
        "base64 without its end": whole.replace("=\n", "\n"),
        "base64 with room in it": whole[:-6] + " " + whole[-6:],
        "a name with a plus": whole.replace("— hulian/1/", "— hulian+1/"),
        "no name": whole.replace(f"— {ORIGIN} ", "—  "),
        "a key alone": _under(TEXT, f"— {ORIGIN} qrvM3Q==").decode(),
        "65 lines": _under(TEXT, *[own] * 65).decode(),
        "longer than a note": _signed("long\n" * 4_000).decode(),
    }
    bare = {
        "two lines": f"{origin}\n{size}\n",
        "a line more": f"{TEXT}more\n",
        "size with a zero before it": f"{origin}\n07\n{root}\n",
        "size with a sign": f"{origin}\n+7\n{root}\n",
        "size 2^53": f"{origin}\n{1 << 53}\n{root}\n",
        "size in other digits": f"{origin}\n７\n{root}\n",
        "root of 31 bytes": f"{origin}\n{size}\n{'A' * 42}==\n",
        "root not as base64 writes it": f"{origin}\n{size}\n{root[:-2]}{chr(ord(root[-2]) + 1)}=\n",
        "origin with a space": f"the {TEXT}",
        "origin of another run": f"{run_name(other.id)}\n{size}\n{root}\n",
    }
    return [
        *(_run(name, text.encode(), "note") for name, text in forms.items()),
        _run("not a checkpoint: no note", TEXT.encode()),
        *(_run(f"not a checkpoint: {name}", _signed(text)) for name, text in bare.items()),
        _run("not UTF-8", SIGNED.replace(b"\xe2\x80\x94", b"\xe2\x80")),
        _run("root changed", SIGNED.replace(root[:3].encode(), b"AAA")),
        _run("signature changed", _under(TEXT, note.sign(ORIGIN, KEY, TEXT + "x"))),
        _run("signed by another run", _under(TEXT, note.sign(ORIGIN, other, TEXT))),
        _run("signed under another name", _under(TEXT, note.sign(NAME, KEY, TEXT))),
        _run("cosigned only", _under(TEXT, note.cosign(ORIGIN, KEY, TEXT, TIME_S))),
        _run("one of two lines is false", _under(TEXT, own, note.sign(ORIGIN, KEY, "x\n"))),
        _witness("not cosigned", _under(TEXT, own)),
        _witness("signed where it must be cosigned", _under(TEXT, note.sign(NAME, WITNESS, TEXT))),
        _witness("a time changed", _under(TEXT, _retimed(COSIGNED))),
        _witness("cosigned another text", _under("other\n", COSIGNED)),
        _witness("cosigned under another name", _under(TEXT, note.cosign("w", WITNESS, TEXT, 9))),
        _witness("no room for a time", _under(TEXT, _as_cosigned(own))),
    ]


def _retimed(line: str) -> str:
    said = note.parse_line(line)
    later = (int.from_bytes(said.signature[:8], "big") + 1).to_bytes(8, "big")
    return note.Signature(said.name, said.kid, later + said.signature[8:]).line


def _as_cosigned(line: str) -> str:
    """Put a plain signature where the key's cosignatures stand."""
    said = note.parse_line(line)
    kid = note.kid_of(NAME, COSIGNATURE, WITNESS.public)
    assert kid != note.kid_of(NAME, ED25519, WITNESS.public)
    return note.Signature(NAME, kid, said.signature).line
