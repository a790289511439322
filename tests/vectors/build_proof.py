"""The vectors of proofs and of the ACKs in them: docs/protocol/proof.md."""

from dataclasses import replace

from gateway.errors import GatewayError
from gateway.groups import agreement, group, verdict
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import ActivityKind, Founding, Group, Role
from gateway.groups.verdict import Verdict
from gateway.records import cbor, merkle, proof
from gateway.records.feed import Credentials, Head
from gateway.records.merkle import leaf_hash
from gateway.records.proof import Certificates, Founded, Opening, Proof, Receipt
from gateway.records.record import SALT_BYTES, Kind, Said
from gateway.records.run import Run, Written
from tests import proofs
from tests.people import SENML_TYPE, Party, chain, moment, party, roster_of, run_of, seed
from tests.vectors import build_attestation, final_proofs

MAKER, BUYER, CARRIER, STRANGER = (party(name) for name in ("maker", "buyer", "carrier", "other"))
ROSTER = roster_of(MAKER, BUYER, CARRIER, STRANGER)
LONG, SHORT = 7, 4  # sizes of the heads that the buyer and the carrier have signed


def _group(*parties: Party, purpose: str = "pressing") -> Group:
    """Found a group of some of the roster's organisations."""
    founder = run_of(parties[0])
    members = tuple(each.member(Role.OBSERVER) for each in parties)
    founding = Founding(
        seed(purpose),
        ROSTER.hash,
        ROSTER.hash,
        purpose,
        ActivityKind.INDUSTRIAL,
        members,
        clear=True,
    )
    return group.found(founder.key, founder.credentials, founding, ROSTER)


GROUP, OTHER = _group(MAKER, BUYER, CARRIER), _group(MAKER, BUYER, purpose="painting")
RUN, BUYERS, CARRIERS, STRANGERS = (run_of(each) for each in (MAKER, BUYER, CARRIER, STRANGER))
CHAIN = chain(RUN, GROUP, LONG)


def certificates(of: Credentials) -> Certificates:
    """Give a run's three certificates as a proof carries them."""
    node, run, encryption = of.encoded()
    return node, run, encryption


def receipt(by: Run, seq: int, size: int, **change: object) -> Receipt:
    """Have a run sign for the first records of the chain, and show record `seq` below its head."""
    leaves = [each.id for each in CHAIN[:size]]
    head = CHAIN[size - 1].feed.head()
    said = {"entries": (Entry(head),), "group": GROUP.id, "path": None} | change
    path = merkle.inclusion(seq, size, merkle.subtrees_of(leaves)) if seq < size else ()
    entries, within = said["entries"], said["group"]
    assert isinstance(entries, tuple) and isinstance(within, bytes)
    ack = agreement.sign(by.key, Ack(within, MAKER.node.id, 1, entries))
    return Receipt(ack, certificates(by.credentials), path)


def whole(seq: int = 2, record: Written | None = None) -> Proof:
    """Give the proof of a record with all that a proof can have."""
    written = record or CHAIN[seq]
    receipts = (receipt(BUYERS, seq, LONG), receipt(CARRIERS, seq, SHORT)) if seq < SHORT else ()
    return Proof(
        written.encoded,
        Opening(written.body[:SALT_BYTES], written.body[SALT_BYTES:]),
        receipts,
        certificates(RUN.credentials),
        ROSTER.encoded,
        Founded(GROUP.encoded, certificates(GROUP.founder)),
    )


def expect(found: Verdict) -> dict[str, object]:
    """Give a verdict as JSON."""
    author = None if found.author is None else found.author.node.hex()
    return {
        "holds": found.holds,
        "record": None if found.record is None else found.record.id.hex(),
        "author": author,
        "holders": [each.node.hex() for each in found.holders],
        "statements": {each.name: each.held for each in found.statements},
        "agreeing": [each.organisation.hex() for each in found.parties if each.given],
        "cosigned": [each.organisation.hex() for each in found.witnesses if each.given],
    }


def refused(encoded: bytes, trusted: bytes) -> str:
    """Give the code by which a proof is refused, or that of the first statement that fails."""
    return refusal(encoded, trusted)["error"]


def refusal(encoded: bytes, trusted: bytes) -> dict[str, str]:
    """Say how a proof is refused: the first statement that fails, its code, and its words."""
    try:
        found = verdict.judge(encoded, {trusted})
    except GatewayError as fault:
        return {"statement": "format", "error": fault.code, "says": str(fault)}
    wrong = [each for each in found.statements if each.held is False]
    final = {each.name: each.held for each in found.statements}["final"]
    assert wrong and not found.holds and not final, "it was not refused"
    code, _, says = wrong[0].reasons[0].told.partition(": ")
    return {"statement": wrong[0].name, "error": code, "says": says}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = {name: (each, ROSTER.hash) for name, each in _good().items()}
    good |= {name: (each, proofs.ROSTER.hash) for name, each in final_proofs.good().items()}
    wrong = {name: (each, ROSTER.hash) for name, each in (_wrong() | _wrong_receipts()).items()}
    wrong |= {name: (each, proofs.ROSTER.hash) for name, each in final_proofs.wrong().items()}
    bad = {name: (each, ROSTER.hash) for name, each in _malformed().items()}
    bad |= {name: (proof.encode(each), trusted) for name, (each, trusted) in wrong.items()}
    bad |= {name: (each, proofs.ROSTER.hash) for name, each in final_proofs.malformed().items()}
    return {
        "noun": "proof",
        "chapter": "docs/protocol/proof.md",
        "good": [
            {
                **_vector(name, proof.encode(each), trusted),
                "expect": expect(verdict.judge(proof.encode(each), {trusted})),
            }
            for name, (each, trusted) in good.items()
        ],
        "bad": [
            {**_vector(name, encoded, trusted), **refusal(encoded, trusted)}
            for name, (encoded, trusted) in bad.items()
        ],
    }


def _vector(name: str, encoded: bytes, trusted: bytes) -> dict[str, object]:
    return {"name": name, "hex": encoded.hex(), "trusted": trusted.hex()}


def _good() -> dict[str, Proof]:
    known, strangers = whole(), chain(STRANGERS, GROUP, 2)[1]
    return {
        "nothing shows nothing": Proof(),
        "a record alone shows nothing": Proof(known.record),
        "all there is": known,
        "a genesis": whole(0),
        "nobody else has signed": whole(6),
        "the body stays closed": replace(known, opening=None),
        "members unknown": replace(known, founded=None),
        "no certificates, so no record": replace(known, certificates=None),
        "no record": replace(known, record=None),
        "no roster, so nothing": replace(known, roster=None),
        "a pack that its device signed": _observed(build_attestation.GOOD["one sample"]),
        "one node has signed twice": replace(
            known, receipts=(receipt(BUYERS, 2, LONG), receipt(BUYERS, 2, 3))
        ),
        "an author whom the founding does not name": replace(
            whole(record=strangers), certificates=certificates(STRANGERS.credentials), receipts=()
        ),
        "a receipt by whom the founding does not name": replace(
            known, receipts=(receipt(BUYERS, 2, LONG), receipt(STRANGERS, 2, LONG))
        ),
    }


def _observed(content: bytes) -> Proof:
    """Give the proof of a record that says this pack."""
    said = Said(Kind.OBSERVATION, content, SENML_TYPE)
    written = RUN.write(CHAIN[0].feed, said, moment(9), seed("salt of a pack"))
    return replace(whole(0, written), receipts=())


def _malformed() -> dict[str, bytes]:
    encoded = proof.encode(whole())
    said = cbor.decode(encoded, proof.PROOF_BYTES_MAX)
    assert isinstance(said, dict)
    path: list[object] = [bytes(32)] * 54
    signed = [said[5][0][0], said[9], []]
    wrong: dict[str, tuple[int | str, object]] = {
        "version 2": (0, 2),
        "version true": (0, True),
        "a path of the journal's": (3, []),
        "a head of the journal's": (4, [bytes(32), 1, bytes(32)]),
        "records of members that are no list": (12, b""),
        "an unknown member": (13, b""),
        "an unknown member by name": ("x", 1),
        "a record that is null": (1, None),
        "a record too long": (1, bytes(2049)),
        "an opening without its content": (2, [bytes(32)]),
        "a salt of 31 bytes": (2, [bytes(31), b"x"]),
        "a salt of 33 bytes": (2, [bytes(33), b"x"]),
        "no receipts, said": (5, []),
        "65 receipts": (5, [signed] * 65),
        "a receipt without its path": (5, [signed[:2]]),
        "a path of 54": (5, [[*signed[:2], path]]),
        "a path of 31 bytes": (5, [[*signed[:2], [bytes(31)]]]),
        "two certificates": (9, said[9][:2]),
        "rosters that are no list": (10, said[10][0]),
        "no roster in the list": (10, []),
        "a founding alone": (11, said[11][:1]),
    }
    changed = {name: cbor.encode({**said, key: value}) for name, (key, value) in wrong.items()}
    return {
        "empty": b"",
        "cut": encoded[:-1],
        "a byte more": encoded + b"\x00",
        "a list": cbor.encode([1]),
        "no version": cbor.encode({key: part for key, part in said.items() if key}),
        **changed,
    }


def _wrong() -> dict[str, Proof]:
    known, trusted = whole(), ROSTER.encoded
    assert known.record and known.opening and known.founded
    strangers = chain(STRANGERS, GROUP, 2)[1]
    opening, founded = known.opening, known.founded
    mixed = (*certificates(RUN.credentials)[:1], *certificates(BUYERS.credentials)[1:])
    return {
        "a roster of others": replace(known, roster=roster_of(MAKER, BUYER).encoded),
        "a roster changed": replace(known, roster=_flipped(trusted)),
        "certificates of two nodes": replace(known, certificates=(mixed[0], mixed[1], mixed[2])),
        "a certificate changed": replace(
            known, certificates=(mixed[0], _flipped(certificates(RUN.credentials)[1]), mixed[2])
        ),
        "a record changed": replace(known, record=_flipped(known.record)),
        "a record that another wrote": replace(known, record=strangers.encoded),
        "a run that wrote no such record": replace(
            known, certificates=certificates(BUYERS.credentials)
        ),
        "another content": replace(known, opening=replace(opening, content=opening.content + b"x")),
        "another salt": replace(known, opening=replace(opening, salt=bytes(32))),
        "a founding of another group": replace(
            known, founded=replace(founded, founding=OTHER.encoded)
        ),
        "a founding changed": replace(
            known, founded=replace(founded, founding=_flipped(founded.founding))
        ),
        "a founding by another run": replace(
            known, founded=replace(founded, certificates=certificates(BUYERS.credentials))
        ),
        "a value changed that its device signed": _observed(
            build_attestation.changed(
                build_attestation.GOOD["one sample"], lambda entries: entries[0].update({2: 91.5})
            )
        ),
    }


def _wrong_receipts() -> dict[str, Proof]:
    known, fair = whole(), receipt(BUYERS, 2, LONG)
    head = CHAIN[-1].feed.head()
    elsewhere = Entry(Head(seed("another feed"), LONG, head.root))
    unheld = Entry(head, ((0, 1), (2, 3)))
    untrue = Entry(replace(head, root=leaf_hash(b"something else")))
    wrong = {
        "a receipt changed": replace(fair, signed=_flipped(fair.signed)),
        "a receipt that is none": replace(fair, signed=known.record or b""),
        "a receipt by another run": replace(fair, certificates=certificates(CARRIERS.credentials)),
        "a receipt of another group": receipt(BUYERS, 2, LONG, group=OTHER.id),
        "a receipt of another feed": receipt(BUYERS, 2, LONG, entries=(elsewhere,)),
        "a receipt without the body": receipt(BUYERS, 2, LONG, entries=(unheld,)),
        "a receipt of another tree": receipt(BUYERS, 2, LONG, entries=(untrue,)),
        "a receipt of what was before": receipt(BUYERS, 2, 2),
        "a receipt with another's path": replace(fair, path=receipt(BUYERS, 1, LONG).path),
        "a receipt whose path is too long": replace(fair, path=(*fair.path, bytes(32))),
        "a receipt whose path is too short": replace(fair, path=fair.path[:-1]),
        "a wrong receipt by whom the founding does not name": receipt(STRANGERS, 2, 2),
        "a receipt of no known organisation": replace(
            fair, certificates=certificates(run_of(party("nobody")).credentials)
        ),
    }
    found = {name: replace(known, receipts=(each,)) for name, each in wrong.items()}
    both = (fair, wrong["a receipt changed"])
    return {**found, "one good receipt and a bad one": replace(known, receipts=both)}


def _flipped(signed: bytes) -> bytes:
    return signed[:-1] + bytes([signed[-1] ^ 1])
