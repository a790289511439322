"""Malformed input to every decoder: mutated vectors, and nothing escapes.

What must hold: each input ends in the decoder's noun, or in an error of its own branch. Frames have
a campaign of their own (`frames`), which compares them with the device's code too.
To add a decoder, add a row to DECODERS.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from io import BytesIO
from multiprocessing import get_context
from typing import Any

from gateway import config
from gateway.activities import activity, approval, execution, mandate, order, template
from gateway.config import SerialSource
from gateway.errors import (
    AuthorError,
    ConfigFaults,
    DeviceError,
    FrameError,
    GatewayError,
    GroupError,
    LineError,
    MalformedApproval,
    MalformedExecution,
    MalformedMandate,
    MalformedOrder,
    MalformedSparkplug,
    OperatorError,
    PayloadError,
    PeerError,
)
from gateway.errors.activity import MalformedActivity
from gateway.errors.author import (
    MalformedCbor,
    MalformedCheckpoint,
    MalformedGap,
    MalformedNote,
    MalformedPack,
    MalformedProof,
    MalformedTemplate,
)
from gateway.errors.bundle import DamagedBundle
from gateway.errors.group import MalformedMembership
from gateway.errors.peer import BadAck, BadControl
from gateway.groups import (
    agreement,
    announcement,
    evidence,
    group,
    membership,
    pairing,
    seal,
    witnessing,
)
from gateway.readings import command, senml, testimony
from gateway.readings.fields import Read
from gateway.readings.frame import OUTCOMES, Result, Samples, Signed
from gateway.readings.framing import splitter
from gateway.readings.mapping import Mapping
from gateway.readings.reading import Arrival, Provenance
from gateway.readings.sparkplug import Host
from gateway.readings.telegram import Spoilt
from gateway.records import (
    attestation,
    cbor,
    checkpoint,
    cose,
    feed,
    gap,
    identity,
    note,
    proof,
    record,
    request,
    roster,
)
from gateway.records.record import SALT_BYTES, Kind
from gateway.sync import bundle, control, envelope, link, message
from tests import mutate
from tests.test_fields import reading_of
from tests.test_framing import source
from tests.test_mapping import mapping
from tests.test_registers import decode_any
from tests.vectors import build_command, build_evidence, build_sealing, build_signed
from tests.vectors.build_sparkplug import DEVICE, MS, NODE, births
from tests.vectors.build_succession import FOUNDED

COUNT, COUNT_LONG, SEED = 200_000, 20_000_000, 20_262
# The long column ends after this time, whatever it has reached, and says what that was.
LONG_S_MAX = 3_600
PROCESSES = 2
PORTION = 10_000
# Larger vectors are about size alone, and mutating them is slow.
KNOWN_BYTES_MAX = 4_096
TOPICS = (
    *(NODE.format(verb) for verb in ("NBIRTH", "NDATA", "NDEATH")),
    *(DEVICE.format(verb) for verb in ("DBIRTH", "DDATA", "DDEATH")),
)


@dataclass(frozen=True, slots=True)
class Decoder:
    """What is called, which branch of errors it may raise, and what is mutated for it."""

    decode: Callable[[bytes], object]
    branch: type[GatewayError]
    known: Callable[[], list[bytes]]


def _link(kind: str) -> Callable[[], list[bytes]]:
    every = mutate.vectors("link")
    return lambda: [bytes.fromhex(each["hex"]) for each in every if each["kind"] == kind]


def _said(what: str) -> Callable[[], list[bytes]]:
    """Give those of the vectors of orders that are of one kind."""
    every = mutate.vectors("order")
    return lambda: [bytes.fromhex(each["hex"]) for each in every if each["what"] == what]


def _known(noun: str) -> Callable[[], list[bytes]]:
    return lambda: mutate.known(noun)


def _configs() -> list[bytes]:
    return [text.encode() for text in mutate.known_text("config", "toml")]


def _templates() -> list[bytes]:
    return [text.encode() for text in mutate.known_text("template", "toml")]


def _bodies() -> list[bytes]:
    """Give the bodies of geneses, as the vectors of feeds have them."""
    feeds = (vector["records"] for vector in mutate.vectors("feed"))
    bodies = (bytes.fromhex(pair[1] or "") for records in feeds for pair in records[:1])
    return [body[SALT_BYTES:] for body in bodies if len(body) > SALT_BYTES]


def _introductions() -> list[bytes]:
    """Give what runs show of themselves to witnesses."""
    every: list[Any] = [each.get("expect") for each in mutate.vectors("witness")]
    return [bytes.fromhex(said["introduction"]) for said in every if said]


def _answer(said: bytes) -> object:
    """Read what follows the number of a RESULT: its outcome, and what that carries."""
    return command.read(Result(bytes(8), 1, said[0] % len(OUTCOMES) if said else 0, said[1:]))


def _answers() -> list[bytes]:
    return [bytes((it.outcome,)) + it.said for it in build_command.RESULTS.values()]


def _testimonies() -> list[bytes]:
    """Give what devices sign, as the vectors of signed samples have it."""
    signed = (said.frame for said in build_signed.GOOD.values() if isinstance(said, Signed))
    return [build_signed.message_of(said) for said in signed if isinstance(said, Samples)]


@cache
def _mappings(noun: str) -> tuple[Mapping, ...]:
    every = sorted({vector["settings"] for vector in mutate.vectors(noun)})
    return tuple(mapping(settings) for settings in every)


def _map(noun: str) -> Callable[[bytes], object]:
    """Map under settings of these vectors, chosen by the payload, so that a fall is repeated."""

    def read(payload: bytes) -> object:
        mappings = _mappings(noun)
        chosen = mappings[sum(payload) % len(mappings)]
        return chosen.read("factory/press-1/telemetry", payload, Arrival(None, 815))

    return read


def _host(said: bytes) -> object:
    """Have a host hear it under a topic chosen by the bytes, after births, and wait its turn."""
    host = Host(2_000, True, 65_536)
    for _, topic, _, birth, _ in births():
        host.hear(topic, birth, Arrival(MS, 815))
    chosen = TOPICS[sum(said) % len(TOPICS)]
    host.hear(chosen, said, Arrival(MS, 815))
    host.turn(10_000)
    heard = host.take()
    assert all(type(one.value) in (bool, int, float, str) for one in heard.readings)
    if heard.unreadable:
        assert {one.payload for one in heard.unreadable} == {said}
        raise MalformedSparkplug(reason=heard.unreadable[0].reason)
    senml.encode(heard.readings, Provenance.GATEWAY_ATTESTED)
    return heard


def _streams() -> list[bytes]:
    """Give the bytes of the streams of framing's vectors."""
    streams = (vector["stream"].split() for vector in mutate.vectors("framing"))
    return [bytes.fromhex("".join(word for word in words if word != "quiet")) for words in streams]


@cache
def _sources() -> tuple[list[SerialSource], list[Read]]:
    framings = sorted({vector["settings"] for vector in mutate.vectors("framing")})
    fields = sorted({vector["settings"] for vector in mutate.vectors("fields")})
    return [source(settings) for settings in framings], [reading_of(one) for one in fields]


def _split(said: bytes) -> object:
    """Cut a stream, after a silence or in the middle of something; raise what is none of it."""
    chosen = _sources()[0][sum(said) % len(_sources()[0])]
    cutter = splitter(chosen)
    first = cutter.quiet() if len(said) % 2 else ()
    pieces = [*first, *cutter.feed(said), *cutter.quiet(), *cutter.quiet()]
    for piece in pieces:
        if isinstance(piece, Spoilt):
            raise piece.error
    return pieces


def _fields(said: bytes) -> object:
    """Read a telegram under settings chosen by it, so that a fall can be run again."""
    readers = _sources()[1]
    return readers[sum(said) % len(readers)](said, Arrival(None, 815))


def _receipts() -> list[bytes]:
    entries = [[bytes(32), 1, bytes(32), []], [b"f" * 32, 9, bytes(32), [[0, 3], [5, 9]]]]
    return [cbor.encode(entries), cbor.encode(entries[1:])]


def _announcements() -> list[bytes]:
    every = mutate.vectors("sealing")
    return [bytes.fromhex(each["hex"]) for each in every if "record" not in each]


def _share(said: bytes) -> object:
    """Read an announcement and open in it what is for the buyer's key."""
    keys = [build_sealing.BUYER.encryption]
    return announcement.open_share(announcement.decode(said), build_sealing.GROUP, keys)


def _act(said: bytes) -> object:
    """Read it as what each kind of an activity's records says; give what any takes it for."""
    fault: Exception | None = None
    for kind in (Kind.ACTIVITY_OPEN, Kind.ACTIVITY_UPDATE, Kind.CORRECTION, Kind.ATTACHMENT):
        try:
            return activity.decode(kind, said)
        except MalformedActivity as found:
            fault = found
    assert fault is not None
    raise fault


def _sealed(body: bytes) -> object:
    """Open a body that its own record says is its: length and hash are not what is tried."""
    wire, _ = build_sealing.sign()
    said = record.parse(wire)
    assert said.body is not None
    named = replace(said.body, hash=sha256(body).digest(), length=len(body))
    return seal.open_body(replace(said, body=named), body, build_sealing.KEY)


DECODERS = {
    "cbor": Decoder(lambda said: cbor.decode(said, 65_536), MalformedCbor, _known("cbor")),
    "cose": Decoder(lambda said: cose.decode(said, "record"), AuthorError, _known("cose")),
    "certificate": Decoder(
        lambda said: identity.decode(said, "node"), AuthorError, _known("identity")
    ),
    "evidence": Decoder(
        lambda said: evidence.verify(evidence.decode(said), build_evidence.KNOWN),
        AuthorError,
        _known("evidence"),
    ),
    "evidence-file": Decoder(
        evidence.decode_file, AuthorError, lambda: [build_evidence.whole_file()]
    ),
    "witness": Decoder(witnessing.decode, AuthorError, _known("witness")),
    "introduction": Decoder(lambda said: witnessing.admit(said, ()), AuthorError, _introductions),
    "roster": Decoder(roster.decode, AuthorError, _known("roster")),
    "roster-next": Decoder(
        lambda said: roster.decode_next(said, FOUNDED), AuthorError, _known("succession")
    ),
    "person": Decoder(
        lambda said: identity.decode(said, "person"), AuthorError, _known("identity")
    ),
    "revocation": Decoder(
        lambda said: identity.decode(said, "revocation"), AuthorError, _known("identity")
    ),
    "request": Decoder(request.decode, AuthorError, _known("request")),
    "answer": Decoder(request.decode_answer, AuthorError, _known("request")),
    "announcement": Decoder(announcement.decode, AuthorError, _announcements),
    "share": Decoder(_share, AuthorError, _announcements),
    "sealed body": Decoder(_sealed, AuthorError, lambda: [build_sealing.sign()[1]]),
    "record": Decoder(record.parse, AuthorError, _known("record")),
    "genesis": Decoder(feed.decode_genesis, AuthorError, _bodies),
    "note": Decoder(note.parse, MalformedNote, _known("note")),
    "checkpoint": Decoder(checkpoint.read, MalformedCheckpoint, _known("note")),
    "proof": Decoder(proof.decode, MalformedProof, _known("proof")),
    "group file": Decoder(group.decode_file, GroupError, _known("group")),
    "message": Decoder(message.decode, PeerError, _known("message")),
    "envelope": Decoder(envelope.decode, PeerError, _known("envelope")),
    "bundle": Decoder(
        lambda said: bundle.survey(BytesIO(said).read), DamagedBundle, _known("bundle")
    ),
    "control": Decoder(control.decode, BadControl, _known("control")),
    "link": Decoder(link.decode, PeerError, _link("proof")),
    "link challenge": Decoder(link.decode_challenge, PeerError, _link("challenge")),
    "link batch": Decoder(link.decode_batch, PeerError, _link("batch")),
    "link heard": Decoder(link.decode_heard, PeerError, _link("heard")),
    "ack": Decoder(agreement.decode, BadAck, _known("ack")),
    "pairing": Decoder(pairing.decode, PeerError, _known("pairing")),
    "address": Decoder(
        lambda said: pairing.decode_address(said.decode(errors="replace")),
        OperatorError,
        lambda: [text.encode() for text in mutate.known_text("pairing", "address")],
    ),
    "membership": Decoder(membership.decode, MalformedMembership, _known("membership")),
    "receipt": Decoder(agreement.decode_receipt, BadAck, _receipts),
    "order": Decoder(order.decode, MalformedOrder, _said("order")),
    "approval": Decoder(approval.decode, MalformedApproval, _said("approval")),
    "mandate": Decoder(mandate.decode, MalformedMandate, _known("mandate")),
    "start": Decoder(execution.decode_start, MalformedExecution, _said("start")),
    "end": Decoder(execution.decode_end, MalformedExecution, _said("end")),
    "gap": Decoder(gap.decode, MalformedGap, _known("gap")),
    "pack": Decoder(senml.decode, MalformedPack, _known("senml")),
    "attestation": Decoder(attestation.check, AuthorError, _known("attestation")),
    "testimony": Decoder(testimony.decode, FrameError, _testimonies),
    "command": Decoder(_answer, FrameError, _answers),
    "telegram": Decoder(_split, LineError, _streams),
    "field": Decoder(_fields, PayloadError, _known("fields")),
    "payload": Decoder(_map("mapping"), PayloadError, _known("mapping")),
    "payload-cbor": Decoder(_map("payload"), PayloadError, _known("payload")),
    "payload-senml": Decoder(_map("pack"), PayloadError, _known("pack")),
    "registers": Decoder(decode_any, DeviceError, _known("registers")),
    "sparkplug": Decoder(
        _host, DeviceError, lambda: mutate.known("sparkplug") + mutate.known("sparkplug_values")
    ),
    "activity": Decoder(_act, MalformedActivity, _known("activity")),
    "template": Decoder(
        lambda said: template.parse(said.decode(errors="replace")), MalformedTemplate, _templates
    ),
    "config": Decoder(
        lambda said: config.load(said.decode(errors="replace")), ConfigFaults, _configs
    ),
}


def feed_one(noun: str, seed: int, count: int) -> tuple[str, int, int]:
    """Feed one decoder a portion; give how many inputs it took for good, and how many in all."""
    decoder = DECODERS[noun]
    known = [said for said in decoder.known() if len(said) <= KNOWN_BYTES_MAX]
    good = 0
    for place, said in enumerate(mutate.mutations(known, count, seed)):
        try:
            decoder.decode(said)
            good += 1
        except decoder.branch:
            pass
        except BaseException as escaped:
            fell = f"{noun}: seed {seed}, input {place}, {said.hex()}: {escaped!r}"
            raise AssertionError(fell) from escaped
    return noun, good, count


def _portions(long: bool) -> Iterator[tuple[str, int]]:
    """Give portions turn and turn about, so that time that ends early ends for all alike."""
    for seed in range(SEED, SEED + (COUNT_LONG if long else COUNT) // PORTION):
        for noun in DECODERS:
            yield noun, seed


def run(long: bool) -> str:
    """Feed every decoder; raise at the first that lets something out."""
    reached = {noun: [0, 0] for noun in DECODERS}
    portions = _portions(long)
    ends = time.monotonic() + LONG_S_MAX
    open_portions: set[Future[tuple[str, int, int]]] = set()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        while True:
            wanted = 0 if long and time.monotonic() > ends else 2 * PROCESSES - len(open_portions)
            for noun, seed in itertools.islice(portions, wanted):
                open_portions.add(pool.submit(feed_one, noun, seed, PORTION))
            if not open_portions:
                break
            done, open_portions = wait(open_portions, return_when=FIRST_COMPLETED)
            for portion in done:
                noun, good, count = portion.result()
                reached[noun][0] += good
                reached[noun][1] += count
    least = min(count for _, count in reached.values())
    kinds = ", ".join(f"{noun} {good} good" for noun, (good, _) in reached.items())
    return f"{len(reached)} decoders, {least} inputs each, 0 escapes: {kinds}"
