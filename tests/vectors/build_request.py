"""The vectors of what a root is asked to sign, and of its answers: docs/protocol/identity.md."""

from gateway.records import cbor, cose, identity, request
from gateway.records.cose import SigningKey
from gateway.records.request import (
    Answer,
    NodeRequest,
    PersonRequest,
    Request,
    RevocationRequest,
    RosterRequest,
)
from tests.damage import refusal
from tests.vectors.build_cose import SMALL_ORDER
from tests.vectors.build_identity import MAKER, OTHER, PERSON
from tests.vectors.build_succession import FOUNDED, SECOND

MARK, ANSWER = "hulian/1/request", "hulian/1/answer"
NODE = request.ask_for_node(MAKER.node, "press-shop", MAKER.encryption_certificate)


def expect(encoded: bytes) -> dict[str, object]:
    """Give what a request or an answer says, as JSON."""
    if encoded[1:].startswith(cbor.encode(ANSWER)):
        answer = request.decode_answer(encoded)
        return {"answers": answer.what, "signed": [each.hex() for each in answer.signed]}
    match request.decode(encoded):
        case NodeRequest(name=name, public=public) as found:
            return {"what": "node", "node": found.node.hex(), "name": name, "key": public.hex()}
        case PersonRequest(person, counter, name, public):
            said = {"what": "person", "person": person.hex(), "counter": counter, "name": name}
            return said | {"key": public.hex()}
        case RevocationRequest(subject, counter, name):
            said = {"what": "revocation", "subject": subject.hex()}
            return said | {"counter": counter, "name": name}
        case RosterRequest(before, proposal, shown):
            every = {"before": before, "shown": shown}
            told: dict[str, object] = {"what": "roster", "proposal": proposal.hex()}
            return told | {name: [each.hex() for each in many] for name, many in every.items()}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "request",
        "chapter": "docs/protocol/identity.md",
        "good": [
            {"name": name, "hex": wire.hex(), "expect": expect(wire)}
            for name, wire in _good().items()
        ],
        "bad": [
            {"name": name, "hex": wire.hex(), "error": refusal(lambda wire=wire: expect(wire))}  # type: ignore[misc]
            for name, wire in _bad().items()
        ],
    }


def _good() -> dict[str, bytes]:
    asked: dict[str, Request] = {
        "a person": PersonRequest(PERSON.id, 1, "李明", PERSON.public),
        "a revocation": RevocationRequest(MAKER.node.id, 3, "press-shop"),
        "a roster": RosterRequest((FOUNDED.encoded,), SECOND.encoded, (SECOND.encoded,)),
        "a roster 0": RosterRequest((), FOUNDED.encoded),
    }
    answers = {
        "the answer to a node": Answer("node", (MAKER.node_certificate, FOUNDED.encoded)),
        "the answer to a roster": Answer("roster", (SECOND.encoded,)),
    }
    written = {name: request.encode(each) for name, each in asked.items()}
    signed = {name: request.encode_answer(each) for name, each in answers.items()}
    return {"a node": NODE} | written | signed


def _bad() -> dict[str, bytes]:
    person = [MARK, "person", PERSON.id, 1, "n", PERSON.public]
    lists: dict[str, list[object]] = {
        "another mark": ["hulian/2/request", *person[1:]],
        "an unknown kind": [MARK, "order", b""],
        "a person without a key": person[:5],
        "a person with a key of small order": [*person[:5], bytes.fromhex(SMALL_ORDER[0])],
        "an id of 15 bytes": [*person[:2], PERSON.id[:15], *person[3:]],
        "a counter below zero": [*person[:3], -1, *person[4:]],
        "a counter true": [*person[:3], True, *person[4:]],
        "a name of 65": [*person[:4], "n" * 65, PERSON.public],
        "a revocation of nobody": [MARK, "revocation", None, 1, "n"],
        "a revocation without a counter": [MARK, "revocation", PERSON.id, None, "n"],
        "a roster as text": [MARK, "roster", [], "roster", []],
        "rosters that are no list": [MARK, "roster", b"", b"", []],
        "rosters as text": [MARK, "roster", ["a"], b"", []],
        "too many rosters": [MARK, "roster", [b""] * 257, b"", []],
        "an answer to nothing": [ANSWER, "order", [b""]],
        "an answer to a node without rosters": [ANSWER, "node", [b""]],
        "an answer to a person with two certificates": [ANSWER, "person", [b"", b""]],
        "an empty answer": [ANSWER, "roster", []],
    }
    nodes = {
        "a node's request by another key": _node(OTHER.node, {}),
        "another node's encryption key": _node(MAKER.node, {3: OTHER.encryption_certificate}),
        "a node's request with more": _node(MAKER.node, {4: 0}),
        "a node's request of version 2": _node(MAKER.node, {0: 2}),
        "a node's request with a name of 65": _node(MAKER.node, {2: "n" * 65}),
        "a certificate as a request": cbor.encode([MARK, "node", MAKER.node_certificate]),
        "a run's certificate as an encryption key": _node(
            MAKER.node, {3: identity.issue_run(MAKER.node, MAKER.node.id, PERSON.public)}
        ),
        "empty": b"",
        "cut": NODE[:-1],
        "a byte more": NODE + b"\x00",
        "a bit flipped": NODE[:-1] + bytes([NODE[-1] ^ 1]),
    }
    return nodes | {name: cbor.encode(each) for name, each in lists.items()}


def _node(by: SigningKey, changed: dict[int, object]) -> bytes:
    said = {0: 1, 1: MAKER.node.public, 2: "press-shop", 3: MAKER.encryption_certificate}
    signed = cose.sign(by, "node-request", cbor.encode(said | changed))
    return cbor.encode([MARK, "node", signed])
