"""The vectors of pairing: docs/protocol/pairing.md."""

from functools import partial

from gateway.groups import pairing
from gateway.groups.pairing import (
    INVITER,
    JOINER,
    Address,
    Answer,
    Applicant,
    Document,
    Invited,
    Motion,
    Newcomer,
    Notice,
    Offer,
    Outcome,
    Paper,
)
from gateway.records import cbor, cose, identity, request, roster
from gateway.records.cose import SigningKey
from tests.damage import refusal
from tests.people import Party, party, roster_of, seed

MAKER, BUYER, CARRIER = party("maker"), party("buyer"), party("carrier")
FIRST = roster_of(MAKER)
PAYLOAD = roster.compose_next(FIRST, [MAKER.organisation, BUYER.organisation])
SECOND = roster.assemble(PAYLOAD, [roster.sign(each.root, PAYLOAD) for each in (MAKER, BUYER)])
SECRET = seed("invitation")[:16]
NONCE = seed("nonce")[:24]
ADDRESS = Address(Invited.ORGANISATION, SECRET, FIRST.hash[:8])
MADE_S = 1_795_262_400
NODE = SigningKey(seed("mill node"))


def applicant(who: Party, payload: bytes) -> Applicant:
    """Have an organisation ask to be in a roster."""
    return Applicant(who.organisation, payload, roster.sign(who.root, payload))


def signed(who: Party, said: Document) -> bytes:
    """Sign a document as a party's gateway."""
    certificates = (who.node_certificate, who.encryption_certificate)
    return pairing.encode(said, who.node, certificates)


def contact(who: Party) -> tuple[bytes, bytes]:
    """Give the certificates by which a party's gateway is reached."""
    return who.node_certificate, who.encryption_certificate


def asked() -> bytes:
    """Have a new gateway ask for its certificate."""
    encryption = identity.issue_encryption(NODE, NODE.id, MAKER.encryption.public)
    return request.ask_for_node(NODE, "mill", encryption)


def documents() -> dict[str, bytes]:
    """Give a document of each kind."""
    offer = Offer(Invited.ORGANISATION, (FIRST.encoded,), MADE_S, MADE_S + 604_800)
    admitted = Answer(
        Outcome.ADMITTED,
        BUYER.node.public,
        (),
        ((FIRST.encoded, SECOND),),
        ((FIRST.hash, seed("members")[:16]),),
        (contact(MAKER),),
    )
    proposal = roster.assemble(PAYLOAD, [roster.sign(BUYER.root, PAYLOAD)])
    gone = identity.issue_revocation(MAKER.root, (MAKER.root.id, NODE.id), 1, MADE_S)
    return {
        "an offer": signed(MAKER, offer),
        "an offer under an unset clock": signed(
            MAKER, Offer(Invited.NODE, (FIRST.encoded,), None, None, (proposal,))
        ),
        "an applicant": signed(BUYER, applicant(BUYER, PAYLOAD)),
        "a newcomer": asked(),
        "an answer: waiting": signed(
            MAKER, Answer(Outcome.WAITING, BUYER.node.public, ("maker", "水泵"))
        ),
        "an answer: admitted": signed(MAKER, admitted),
        "an answer: used": signed(MAKER, Answer(Outcome.USED, CARRIER.node.public)),
        "an answer: refused": signed(MAKER, Answer(Outcome.REFUSED)),
        "a notice": signed(
            MAKER, Notice((FIRST.encoded,), (Motion(proposal, SECRET, MADE_S),), (gone,))
        ),
        "a notice of nothing": signed(MAKER, Notice((FIRST.encoded, SECOND))),
    }


def expect(paper: Paper) -> dict[str, object]:
    """Give what a document says, as JSON."""
    said = paper.said
    told: dict[str, object] = {
        "type": type(said).__name__.lower(),
        "key": paper.author.key.hex(),
        "node": None if paper.author.node is None else paper.author.node.subject.hex(),
    }
    match said:
        case Offer():
            times = [said.made_s, said.expires_s]
            told |= {"invited": said.invited.name.lower(), "times": times}
            told |= {"rosters": _hex(said.rosters), "shown": _hex(said.shown)}
        case Applicant():
            told |= {"organisation": said.organisation.name, "payload": said.payload.hex()}
        case Newcomer():
            told |= {"name": said.request.name}
        case Answer():
            told |= {"outcome": said.outcome.name.lower(), "waiting": list(said.waiting)}
            told |= {"rosters": [_hex(each) for each in said.rosters]}
            told |= {"secrets": [_hex(each) for each in said.secrets]}
            told |= {"contacts": [_hex(each) for each in said.contacts]}
        case Notice():
            motions = [[each.proposal.hex(), each.since_s] for each in said.motions]
            told |= {"rosters": _hex(said.rosters), "motions": motions}
            told |= {"revocations": _hex(said.revocations)}
    return told


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    said = documents()
    box = pairing.mailbox(SECRET)
    place = {"secret": SECRET.hex(), "slot": INVITER}
    sealed = pairing.seal(box, INVITER, said["an offer"], NONCE)
    slot = pairing.slot(SECRET, MAKER.node.id)
    good: list[dict[str, object]] = [
        {"name": f"the address of {name}", "address": pairing.encode_address(one), "expect": one_of}
        for name, one, one_of in _addresses()
    ]
    good += [
        {
            "name": "what a secret opens",
            "secret": SECRET.hex(),
            "expect": {
                "tag": box.tag,
                "key": box.key.hex(),
                "node": MAKER.node.id.hex(),
                "slot": slot,
            },
        },
        {
            "name": "an offer, sealed",
            "hex": sealed.hex(),
            **place,
            "expect": said["an offer"].hex(),
        },
    ]
    good += [
        {"name": name, "hex": one.hex(), "expect": expect(pairing.decode(one))}
        for name, one in said.items()
    ]
    bad = [
        {
            "name": name,
            "address": one,
            "error": refusal(partial(pairing.decode_address, one)),
        }
        for name, one in _bad_addresses().items()
    ]
    bad += [
        {"name": name, "hex": one.hex(), **where, "error": refusal(partial(opened, one, where))}
        for name, (one, where) in _bad_seals(sealed, place).items()
    ]
    bad += [
        {"name": name, "hex": one.hex(), "error": refusal(partial(pairing.decode, one))}
        for name, one in (_bad_documents(said) | _bad_contents()).items()
    ]
    return {"noun": "pairing", "chapter": "docs/protocol/pairing.md", "good": good, "bad": bad}


def opened(sealed: bytes, where: dict[str, str]) -> bytes:
    """Open what a vector says is sealed for a slot under a secret."""
    box = pairing.mailbox(bytes.fromhex(where["secret"]))
    return pairing.open_sealed(box, where["slot"], sealed)


def _hex(said: tuple[bytes, ...]) -> list[str]:
    return [each.hex() for each in said]


def _addresses() -> list[tuple[str, Address, dict[str, str]]]:
    node = Address(Invited.NODE, SECRET, FIRST.hash[:8])
    return [
        (
            "an organisation" if one.invited is Invited.ORGANISATION else "a gateway",
            one,
            {
                "invited": one.invited.name.lower(),
                "secret": one.secret.hex(),
                "roster": one.roster.hex(),
            },
        )
        for one in (ADDRESS, node)
    ]


def _bad_addresses() -> dict[str, str]:
    good = pairing.encode_address(ADDRESS)
    letter = "A" if good[20] != "A" else "B"
    return {
        "an address that is empty": "",
        "another scheme": good.replace("hulian:1", "hulian:2"),
        "without its scheme": good.removeprefix("hulian:1:"),
        "a letter cut off": good[:-1],
        "a letter too many": good + "A",
        "eight letters too many": good[:-4] + "AAAAAAAA" + good[-4:],
        "a letter mistyped": good[:20] + letter + good[21:],
        "two letters exchanged": good[:20] + good[21] + good[20] + good[22:],
        "a check letter mistyped": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "a letter that base32 has not": good[:20] + "1" + good[21:],
    }


def _bad_seals(sealed: bytes, place: dict[str, str]) -> dict[str, tuple[bytes, dict[str, str]]]:
    return {
        "sealed for the other slot": (sealed, place | {"slot": JOINER}),
        "sealed under another secret": (sealed, place | {"secret": seed("other")[:16].hex()}),
        "a sealed bit flipped": (sealed[:-1] + bytes([sealed[-1] ^ 1]), place),
        "shorter than a nonce": (sealed[:20], place),
        "nothing sealed": (b"", place),
    }


def _bad_documents(said: dict[str, bytes]) -> dict[str, bytes]:
    offer, asks = said["an offer"], said["a newcomer"]
    strange = (MAKER.node_certificate, BUYER.encryption_certificate)
    nothing = Notice(())
    person = request.encode(request.PersonRequest(bytes(16), 1, "somebody", BUYER.node.public))
    return {
        "a document that is empty": b"",
        "a document cut short": offer[:-1],
        "a byte more": offer + b"\x00",
        "a bit of the signature flipped": offer[:-1] + bytes([offer[-1] ^ 1]),
        "signed by another gateway": pairing.encode(nothing, BUYER.node, contact(MAKER)),
        "an encryption certificate of another": pairing.encode(nothing, MAKER.node, strange),
        "a request cut short": asks[:-1],
        "the request of a person": person,
        "signed as something else": cose.sign(MAKER.node, "control", b""),
    }


def _bad_contents() -> dict[str, bytes]:
    author = list(contact(MAKER))
    row = [BUYER.root.id, "buyer", BUYER.root.public, BUYER.archive.public, None]
    weak = [*row[:2], bytes(32), *row[3:]]
    contents: dict[str, object] = {
        "not a map": [],
        "version 2": {0: 2, 1: 3, 2: author, 3: [[], [], []]},
        "a field too many": {0: 1, 1: 3, 2: author, 3: [[], [], []], 4: 0},
        "an unknown type": {0: 1, 1: 4, 2: author, 3: []},
        "an offer to nobody": {0: 1, 1: 0, 2: author, 3: [2, [], None, None, []]},
        "an offer to false": {0: 1, 1: 0, 2: author, 3: [False, [], None, None, []]},
        "an offer at a time below zero": {0: 1, 1: 0, 2: author, 3: [0, [], -1, None, []]},
        "an offer of texts": {0: 1, 1: 0, 2: author, 3: [0, ["roster"], None, None, []]},
        "an applicant under a weak root": {0: 1, 1: 1, 2: author, 3: [weak, b"", b""]},
        "an applicant without a name": {
            **{0: 1, 1: 1, 2: author},
            3: [[row[0], "", *row[2:]], b"", b""],
        },
        "an outcome that is none": {0: 1, 1: 2, 2: author, 3: [5, None, [], [], [], [], None]},
        "an answer to a text": {0: 1, 1: 2, 2: author, 3: [0, "me", [], [], [], [], None]},
        "a secret alone": {0: 1, 1: 2, 2: author, 3: [1, None, [], [], [[b""]], [], None]},
        "a motion with half a secret": {0: 1, 1: 3, 2: author, 3: [[], [[b"", b"x", None]], []]},
        "a notice without revocations": {0: 1, 1: 3, 2: author, 3: [[], []]},
    }
    return {
        name: cose.sign(MAKER.node, "pairing", cbor.encode(said)) for name, said in contents.items()
    }
