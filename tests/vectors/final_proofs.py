"""Vectors of proofs of final records: receipt records, members added later, journal, witnesses."""

from dataclasses import replace

from gateway.groups import agreement, membership
from gateway.groups.agreement import Ack, Entry
from gateway.groups.membership import Leave
from gateway.records import cbor, checkpoint, note, proof
from gateway.records.feed import CBOR_TYPE, Head
from gateway.records.proof import Journaled, Pair, Proof, Receipt
from gateway.records.record import Kind, Said
from tests import proofs
from tests.people import SENML_TYPE, run_of, seed
from tests.proofs import AUDITOR, BUYER, CARRIER, MAKER, RUNS, SHOWN, begun, certificates, pair

WHOLE, SEALED = proofs.complete(), proofs.complete(clear=False)
assert WHOLE.journaled is not None and WHOLE.record is not None and WHOLE.opening is not None
WAY: Journaled = WHOLE.journaled
GROUP = proofs.founded(clear=True)
LEAN = replace(WHOLE, receipts=(), membership=())  # where neither matters
TEXT = note.parse(WAY.checkpoint).text
AFTER_S = 1_795_262_460


def good() -> dict[str, Proof]:
    """Give proofs of which nothing is wrong, though not all of them show all."""
    again = BUYER.cosign(TEXT, AFTER_S)
    buyers, auditors, _ = WHOLE.receipts
    return {
        "a final record, of a member added later too": WHOLE,
        "a final record in a sealed group": SEALED,
        "agreed, and in no journal": replace(WHOLE, journaled=None),
        "final, and what it says stays closed": replace(SEALED, opening=None),
        "an organisation has not receipted": replace(WHOLE, receipts=(buyers, auditors)),
        "an ACK agrees to nothing": replace(WHOLE, receipts=(*WHOLE.receipts[1:], _ack())),
        "two receipts of an organisation": replace(WHOLE, receipts=(*WHOLE.receipts, _ack())),
        "a receipt that owes a body before it": replace(
            WHOLE,
            receipts=(_said(Kind.RECEIPT, [[*_row(WAY.head)[:3], [[1, 2]]]]), *WHOLE.receipts[1:]),
        ),
        "no record of members, so none who was added": replace(WHOLE, membership=()),
        "an addition that nobody approved": replace(WHOLE, membership=WHOLE.membership[:4]),
        "a key that nobody announced": replace(SEALED, membership=_but(SEALED.membership, 2)),
        "in a journal that nobody cosigned": _cosigned(),
        "two witnesses of four": _cosigned(*WAY.cosignatures[:2]),
        "one witness, twice": _cosigned(*WAY.cosignatures[1:], again),
        "witnesses of a group that is not shown": replace(LEAN, founded=None),
    }


def wrong() -> dict[str, Proof]:
    """Give proofs of which some part does not hold."""
    return _wrong_ways() | _wrong_witnesses() | _wrong_receipts() | _wrong_members()


def malformed() -> dict[str, bytes]:
    """Give what is no proof."""
    said = cbor.decode(proof.encode(WHOLE), proof.PROOF_BYTES_MAX)
    assert isinstance(said, dict)
    lean: dict[object, object] = {key: said[key] for key in (0, 3, 4, 6, 7, 8)}
    without = {f"a way without member {key}": {**lean, key: None} for key in (3, 4, 6, 7)}
    pairs = said[12]
    changed: dict[str, dict[object, object]] = {
        "cosignatures and no checkpoint": {0: 1, 8: said[8]},
        "a head of no size": {**lean, 4: [said[4][0], 0, said[4][2]]},
        "a negative index": {**lean, 6: [-1, said[6][1]]},
        "an index that is true": {**lean, 6: [True, said[6][1]]},
        "a checkpoint without certificates": {**lean, 7: said[7][:1]},
        "a checkpoint too long": {**lean, 7: [bytes(1025), said[7][1]]},
        "cosignatures that are bytes": {**lean, 8: [each.encode() for each in said[8]]},
        "no cosignatures, said": {**lean, 8: []},
        "65 cosignatures": {**lean, 8: [said[8][0]] * 65},
        "a cosignature too long": {**lean, 8: ["x" * 257]},
        "no records of members, said": {0: 1, 11: said[11], 12: []},
        "1,025 records of members": {0: 1, 11: said[11], 12: [[b"", b""]] * 1025},
        "a record of members without its body": {0: 1, 11: said[11], 12: [pairs[0][:1]]},
        "records of members without the founding": {0: 1, 12: pairs[:1]},
        "a receipt of five": {0: 1, 5: [[*said[5][0], b""]]},
    }
    for name, parts in (without | changed).items():
        changed[name] = {key: part for key, part in parts.items() if part is not None}
    return {name: cbor.encode(parts) for name, parts in changed.items()}


def _cosigned(*lines: str) -> Proof:
    return replace(WHOLE, journaled=replace(WAY, cosignatures=lines))


def _but(pairs: tuple[Pair, ...], number: int) -> tuple[Pair, ...]:
    return (*pairs[:number], *pairs[number + 1 :])


def _ack() -> Receipt:
    """Have the buyer say the same to the maker alone."""
    entry = Entry(WAY.head)
    signed = agreement.sign(RUNS[BUYER].key, Ack(GROUP.id, MAKER.node.id, 1, (entry,)))
    return replace(WHOLE.receipts[0], signed=signed, body=None)


def _flipped(signed: bytes) -> bytes:
    return signed[:-1] + bytes([signed[-1] ^ 1])


def _wrong_ways() -> dict[str, Proof]:
    head, buyers = WAY.head, run_of(BUYER)
    theirs = checkpoint.sign(
        buyers.key, 5, checkpoint.verify(WAY.checkpoint, RUNS[MAKER].key.public).root
    )
    signed = note.parse(WAY.checkpoint)
    another = note.sign("example.org/log", RUNS[MAKER].key, signed.text)
    two = note.assemble(signed.text, [*(each.line for each in signed.signatures), another])
    changed: dict[str, Journaled] = {
        "a head of another feed": replace(WAY, head=replace(head, feed=seed("another feed"))),
        "a head of another size": replace(WAY, head=replace(head, size=head.size + 1)),
        "a head of another root": replace(WAY, head=replace(head, root=seed("another root"))),
        "another record's path to the head": replace(WAY, path=_chain().path(SHOWN + 1)),
        "a head at another place": replace(WAY, index=WAY.index + 1),
        "a way that is too short": replace(WAY, way=WAY.way[:-1]),
        "a way to another journal": replace(WAY, way=(seed("another"), *WAY.way[1:])),
        "a checkpoint changed": replace(WAY, checkpoint=WAY.checkpoint.replace(b"\n5\n", b"\n6\n")),
        "a checkpoint that is none": replace(WAY, checkpoint=b"checkpoint"),
        "a checkpoint that others signed too": replace(WAY, checkpoint=two),
        "a checkpoint by another run": replace(
            WAY, certificates=certificates(run_of(MAKER, 1).credentials)
        ),
        "the journal of another node": replace(
            WAY, checkpoint=theirs, certificates=certificates(buyers.credentials)
        ),
    }
    return {name: replace(LEAN, journaled=each) for name, each in changed.items()}


def _wrong_witnesses() -> dict[str, Proof]:
    first, *others = WAY.cosignatures
    elsewhere = TEXT.replace("\n5\n", "\n6\n")
    wrong = {
        "a cosignature changed": first[:-8] + ("A" if first[-8] != "A" else "B") + first[-7:],
        "a cosignature of another checkpoint": MAKER.cosign(elsewhere),
        "a cosignature under another's name": note.cosign(
            f"hulian/1/witness/{BUYER.root.id.hex()}",
            MAKER.witness,
            TEXT,
            AFTER_S,
        ),
        "a cosignature by no witness": note.cosign(
            "example.org/witness", MAKER.witness, TEXT, AFTER_S
        ),
        "a cosignature that is no line": "cosigned",
        "a signature that is no cosignature": note.sign(
            f"hulian/1/witness/{MAKER.root.id.hex()}", MAKER.witness, TEXT
        ),
    }
    return {
        name: replace(LEAN, journaled=replace(WAY, cosignatures=(line, *others)))
        for name, line in wrong.items()
    }


def _chain() -> proofs.Writing:
    """Write as many records as the maker did, in another feed."""
    writing = begun(RUNS[MAKER], GROUP)
    for _ in range(1, 7):
        writing.say(Said(Kind.OBSERVATION, proofs.CONTENT, SENML_TYPE))
    return writing


def _wrong_receipts() -> dict[str, Proof]:
    fair = WHOLE.receipts[0]
    entry = [WAY.head.feed, WAY.head.size, WAY.head.root, []]
    other = Head(seed("another feed"), 7, seed("root"))
    wrong = {
        "a receipt record changed": replace(fair, signed=_flipped(fair.signed)),
        "a receipt record's body changed": replace(fair, body=_flipped(fair.body or b"")),
        "a receipt record's path changed": replace(fair, path=(seed("x"), *fair.path[1:])),
        "a receipt record by another": replace(
            fair, certificates=certificates(RUNS[AUDITOR].credentials)
        ),
        "a receipt record that is an observation": _said(Kind.OBSERVATION, [entry]),
        "a receipt record of another feed": _said(Kind.RECEIPT, [_row(other)]),
        "a receipt record without the body": _said(Kind.RECEIPT, [[*entry[:3], [[SHOWN, 5]]]]),
        "a receipt record that says nothing": _said(Kind.RECEIPT, []),
        "a receipt record in another group": _said(Kind.RECEIPT, [entry], clear=False),
    }
    return {name: replace(LEAN, journaled=None, receipts=(each,)) for name, each in wrong.items()}


def _row(head: Head) -> list[object]:
    """Write an entry that owes nothing."""
    return [head.feed, head.size, head.root, []]


def _said(kind: Kind, content: list[object], clear: bool = True) -> Receipt:
    """Have the buyer write something where its receipt should be."""
    buyers = begun(RUNS[BUYER], GROUP if clear else proofs.founded(clear=False))
    written = buyers.say(Said(kind, cbor.encode(content), CBOR_TYPE))
    return replace(WHOLE.receipts[0], signed=written.encoded, body=written.body)


def _wrong_members() -> dict[str, Proof]:
    makers, *more = WHOLE.membership
    strange = begun(RUNS[CARRIER], proofs.founded(clear=False)).written[0]
    observed = _chain().written[1]
    left = begun(run_of(BUYER, 1), GROUP)
    left.say(Said(Kind.MEMBERSHIP, membership.encode(Leave()), CBOR_TYPE))
    wrong: dict[str, tuple[Pair, ...]] = {
        "a record of members changed": (makers, (_flipped(more[0][0]), more[0][1]), *more[1:]),
        "a record of members with another's body": (makers, (more[0][0], more[1][1]), *more[1:]),
        "a record of members before its genesis": (*more, makers),
        "a record of members twice": (makers, more[0], *more),
        "a record of members in another group": (*WHOLE.membership, pair(strange)),
        "an observation among records of members": (makers, pair(observed), *more),
        "a record of members of a feed that is not shown": (
            *WHOLE.membership,
            pair(left.written[1]),
        ),
    }
    lean = replace(LEAN, journaled=None)
    return {name: replace(lean, membership=each) for name, each in wrong.items()}
