"""The vectors of what the two ends of an HTTPS link say to each other: docs/protocol/links.md."""

from gateway.records import cbor, cose
from gateway.records.run import Run
from gateway.sync import envelope, link
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.link import Heard, Meeting, Parcel, Side
from tests.damage import refusal
from tests.people import run_of, seed
from tests.vectors.build_message import BUYER, GROUP, MAKER

RUN = run_of(BUYER)
MEETING = Meeting(seed("certificate"), seed("listener's challenge"), seed("dialler's challenge"))
TOKEN = seed("token")[:16]
TOPIC = f"hl/1/g/{GROUP.tag}/head/{BUYER.node.id.hex()}"
TO_NODE = f"hl/1/n/{MAKER.node.id.hex()}"
SEALED = envelope.encode(Envelope(Seal.NONE, GROUP.tag, b"\x82\x02\x80"))
KINDS = ("challenge", "proof", "batch", "heard")


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "link",
        "chapter": "docs/protocol/links.md",
        "good": [
            {**_vector(name, kind, said), "expect": take(kind, said)}
            for kind in KINDS
            for name, said in _good(kind).items()
        ],
        "bad": [
            {**_vector(name, kind, said), "error": _error(kind, said)}
            for kind in KINDS
            for name, said in _bad(kind).items()
        ],
    }


def take(kind: str, said: bytes) -> object:
    """Read one as its receiver does, and give it as JSON; raise a PeerError.

    A proof must be of the side that its vector says, in the meeting of all vectors.
    """
    match kind:
        case "challenge":
            return link.decode_challenge(said).hex()
        case "batch":
            return _rows(link.decode_batch(said))
        case "heard":
            heard = link.decode_heard(said)
            return {
                "present": [each.hex() for each in heard.present],
                "parcels": _rows(heard.parcels),
            }
    proof = link.decode(said)
    proof.check(proof.side, MEETING)
    proof.verify()
    node, run = proof.credentials.node.subject.hex(), proof.credentials.run.subject.hex()
    return {"side": int(proof.side), "node": node, "run": run, "token": proof.token.hex()}


def _rows(parcels: tuple[Parcel, ...]) -> list[object]:
    return [[each.topic, each.envelope.hex(), each.is_backlog, each.is_carried] for each in parcels]


def _vector(name: str, kind: str, said: bytes) -> dict[str, object]:
    shown: dict[str, object] = {"name": f"{kind}: {name}", "kind": kind, "hex": said.hex()}
    if kind != "proof":
        return shown
    meeting = [each.hex() for each in (MEETING.certificate, MEETING.listener, MEETING.dialler)]
    return {**shown, "meeting": meeting}


def _error(kind: str, said: bytes) -> str:
    return refusal(lambda: take(kind, said))


def _good(kind: str) -> dict[str, bytes]:
    parcels = [Parcel(TOPIC, SEALED), Parcel(TO_NODE, SEALED, is_backlog=True)]
    match kind:
        case "challenge":
            return {"of a listener": link.encode_challenge(MEETING.listener)}
        case "proof":
            return {
                "of a dialler": link.sign(RUN, Side.DIALLER, MEETING),
                "of a listener": link.sign(RUN, Side.LISTENER, MEETING, TOKEN),
            }
        case "batch":
            return {"of two": link.encode_batch(parcels), "of none": link.encode_batch(())}
    carried = Parcel(TOPIC, SEALED, is_carried=True)
    nodes = tuple(sorted((BUYER.node.id, MAKER.node.id)))
    return {
        "one, and who is there": link.encode_heard(Heard(nodes, (carried,))),
        "nothing": link.encode_heard(Heard((), ())),
    }


def _bad(kind: str) -> dict[str, bytes]:
    match kind:
        case "challenge":
            return {
                "nothing": b"",
                "version 2": cbor.encode([2, MEETING.listener]),
                "31 bytes": cbor.encode([1, MEETING.listener[1:]]),
                "a field more": cbor.encode([1, MEETING.listener, None]),
            }
        case "proof":
            return _bad_proofs()
    rows = [[TOPIC, 0, SEALED]]
    wrong: dict[str, list[object]] = {
        "a topic of nobody": [["hl/1/i/x/a", 0, SEALED]],
        "a node in capitals": [[TO_NODE.upper().replace("HL", "hl").replace("/N/", "/n/"), 0, b""]],
        "an unknown flag": [[TOPIC, 4, SEALED]],
        "a flag that is true": [[TOPIC, True, SEALED]],
        "a field less": [[TOPIC, SEALED]],
    }
    if kind == "batch":
        wrong["carried, by a dialler"] = [[TOPIC, 2, SEALED]]
        return {name: cbor.encode(each) for name, each in wrong.items()}
    node = BUYER.node.id
    heard: dict[str, object] = {name: [[], each] for name, each in wrong.items()}
    heard |= {
        "a node of 15 bytes": [[node[1:]], rows],
        "a node twice": [[node, node], rows],
        "no nodes": [None, rows],
        "parcels alone": rows,
    }
    return {name: cbor.encode(each) for name, each in heard.items()}


def _bad_proofs() -> dict[str, bytes]:
    good = link.sign(RUN, Side.DIALLER, MEETING)
    certificate, listener, dialler = MEETING.certificate, MEETING.listener, MEETING.dialler
    own, other = RUN.credentials.encoded(), seed("another")
    fields: dict[str, list[object]] = {
        "version 2": [2, 0, certificate, listener, dialler, own, b""],
        "of a third end": [1, 2, certificate, listener, dialler, own, b""],
        "an end that is false": [1, False, certificate, listener, dialler, own, b""],
        "a hash of 31 bytes": [1, 0, certificate[1:], listener, dialler, own, b""],
        "a dialler's token": [1, 0, certificate, listener, dialler, own, TOKEN],
        "a listener without a token": [1, 1, certificate, listener, dialler, own, b""],
        "two certificates": [1, 0, certificate, listener, dialler, own[:2], b""],
        "a certificate in another's place": [1, 0, certificate, listener, dialler, own[::-1], b""],
        "a field less": [1, 0, certificate, listener, dialler, own],
    }
    signed = {name: cose.sign(RUN.key, "link", cbor.encode(each)) for name, each in fields.items()}
    return {
        "nothing": b"",
        "cut": good[:-1],
        "changed": good[:-1] + bytes([good[-1] ^ 1]),
        "too long": good + bytes(link.PROOF_BYTES_MAX),
        "of another certificate": _sign(Meeting(other, listener, dialler)),
        "of another challenge of the listener": _sign(Meeting(certificate, other, dialler)),
        "of another challenge of the dialler": _sign(Meeting(certificate, listener, other)),
        "signed by another run": _sign(MEETING, Run(run_of(BUYER, 1).key, RUN.credentials)),
        "signed as something else": cose.sign(
            RUN.key, "control", cose.decode(good, "link").payload
        ),
        **signed,
    }


def _sign(meeting: Meeting, run: Run = RUN) -> bytes:
    return link.sign(run, Side.DIALLER, meeting)
