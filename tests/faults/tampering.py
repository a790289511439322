"""Every bit of proofs, receipts, checkpoints and cosignatures flipped, and each cut at every byte.

What must hold: each is refused, and the reader is told what it is that does not hold: of a proof,
one of the statements that rest on the part in which the bit was flipped, or that it is no proof at
all; of anything else, the code of its own errors. And as it is, each holds.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.errors import (
    BadAck,
    BadBody,
    BadNote,
    BadSignature,
    GatewayError,
    MalformedCheckpoint,
    MalformedNote,
    MalformedProof,
    MalformedRecord,
    MalformedSignature,
    RecordTooLarge,
)
from gateway.groups import agreement, verdict
from gateway.groups.agreement import Ack, Entry
from gateway.records import cbor, checkpoint, note, proof, record
from gateway.records.proof import Proof
from gateway.records.record import Kind, Said
from tests import proofs
from tests.damage import refusal
from tests.people import moment, seed
from tests.vectors import build_note, build_proof
from tests.vectors.build_proof import BUYERS, CHAIN, GROUP, MAKER, ROSTER

# What each member of a proof may be said to break: its own statement, or one that rests on it.
BROKEN = {
    1: {"record"},
    2: {"body", "device"},
    **{key: {"journal"} for key in (3, 4, 6, 7)},
    5: {"receipts"},
    8: {"witnesses"},
    9: {"certificates"},
    10: {"roster"},
    11: {"group"},
    12: {"group"},
}
# A final proof is long, and each of its bits takes a whole verdict: only some, if it is short.
FINAL_EVERY = 61


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes that hold as they are, what reads them, and by which codes they may be refused."""

    name: str
    whole: bytes
    read: Callable[[bytes], object]
    codes: frozenset[str]


def codes(*errors: type[GatewayError]) -> frozenset[str]:
    """Give the codes of errors."""
    return frozenset(each.code for each in errors)


def _samples() -> Iterator[Sample]:
    head = CHAIN[-1].feed.head()
    ack = agreement.sign(BUYERS.key, Ack(GROUP.id, MAKER.node.id, 1, (Entry(head),)))
    yield Sample(
        "ACK",
        ack,
        lambda said: agreement.decode(said).verify(BUYERS.key.public),
        codes(BadAck),
    )
    opened = CHAIN[0].feed
    content = cbor.encode([[head.feed, head.size, head.root, []]])
    written = BUYERS.write(
        opened, Said(Kind.RECEIPT, content, "application/cbor"), moment(9), seed("salt")
    )
    said = record.decode(written.encoded, BUYERS.key.public)
    yield Sample(
        "receipt record",
        written.encoded,
        lambda each: record.decode(each, BUYERS.key.public),
        codes(MalformedRecord, MalformedSignature, BadSignature, RecordTooLarge),
    )
    yield Sample(
        "receipt record's body",
        written.body,
        lambda each: record.check_body(said, each),
        codes(BadBody),
    )
    yield Sample(
        "checkpoint",
        build_note.SIGNED,
        lambda each: checkpoint.verify(each, build_note.KEY.public),
        codes(MalformedCheckpoint, BadNote),
    )
    yield Sample(
        "cosignature",
        build_note.COSIGNED.encode(),
        _cosigned,
        codes(MalformedNote, BadNote),
    )


def _cosigned(line: bytes) -> int:
    name, public = build_note.NAME, build_note.WITNESS.public
    return note.check_cosignature(build_note.TEXT, line.decode(errors="replace"), name, public)


def run(long: bool) -> str:
    """Flip every bit of each sample, and cut each at every byte; of final proofs, only if long."""
    return campaign(1, 1 if long else FINAL_EVERY)


def campaign(every: int, final_every: int) -> str:
    """Flip one of so many bits; raise AssertionError at the first that is not told of rightly."""
    told = [_tried(each, every) for each in _samples()]
    told.append(_judged("a proof with receipts", build_proof.whole(), ROSTER.hash, every))
    for name, whole in (("clear", proofs.complete()), ("sealed", proofs.complete(clear=False))):
        told.append(_judged(f"a final proof, {name}", whole, proofs.ROSTER.hash, final_every))
    return "; ".join(told)


def _tried(sample: Sample, every: int) -> str:
    sample.read(sample.whole)
    found = Counter[str]()
    for damaged in _damaged(sample.whole, every):
        found[refusal(lambda damaged=damaged: sample.read(damaged))] += 1  # type: ignore[misc]
    assert found.keys() <= sample.codes, f"{sample.name}: {found}"
    return f"{sample.name}: {found.total()} refused"


def _damaged(whole: bytes, every: int) -> Iterator[bytes]:
    for at in range(0, 8 * len(whole), every):
        yield _flipped(whole, at)
    for length in range(0, len(whole), every):
        yield whole[:length]


def _flipped(whole: bytes, at: int) -> bytes:
    changed = bytearray(whole)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def _judged(name: str, whole: Proof, trusted: bytes, every: int) -> str:
    """Flip bits of a proof, and see that what is told to fail is of the part that was changed."""
    encoded = proof.encode(whole)
    assert verdict.judge(encoded, {trusted}).holds, name
    told = Counter[str]()
    for key, start, end in _parts(encoded):
        for at in range(8 * start + start % every, 8 * end, every):
            wrong = _wrong(_flipped(encoded, at), trusted)
            assert wrong == {"malformed"} or wrong & BROKEN[key], f"{name}, bit {at}: {wrong}"
            told.update(wrong)
    for length in range(0, len(encoded), every):
        assert _wrong(encoded[:length], trusted) == {"malformed"}, f"{name}, cut at {length}"
        told["cut"] += 1
    return f"{name}: {sum(told.values())} refused, {dict(sorted(told.items()))}"


def _wrong(damaged: bytes, trusted: bytes) -> set[str]:
    """Give what is told not to hold; nothing of it may be without a reason."""
    try:
        found = verdict.judge(damaged, {trusted})
    except GatewayError as fault:
        assert fault.code == MalformedProof.code, fault
        return {"malformed"}
    assert not found.holds
    failed = [each for each in found.statements if each.held is False]
    assert all(each.reason for each in failed)
    return {each.name for each in failed}


def _parts(encoded: bytes) -> Iterator[tuple[int, int, int]]:
    """Give each member of a proof but the version: its key, and from where to where it is."""
    said = cbor.decode(encoded, proof.PROOF_BYTES_MAX)
    assert isinstance(said, dict)
    start = 1
    for key, part in said.items():
        end = start + 1 + len(cbor.encode(part))
        assert isinstance(key, int) and encoded[start] == key
        if key:
            yield key, start, end
        start = end
    assert start == len(encoded)
