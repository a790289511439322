"""The vectors of certificates: docs/protocol/identity.md."""

from gateway.records import cbor, cose, identity
from gateway.records.cose import SigningKey
from gateway.records.identity import Certificate, Kind, Named, Validity
from tests.damage import refusal
from tests.people import party, run_of, seed
from tests.vectors.build_cose import NOT_CANONICAL, SMALL_ORDER

MAKER, OTHER, PERSON = party("maker"), party("buyer"), SigningKey(seed("a person"))
RUN = run_of(MAKER)
IDS = (MAKER.root.id, MAKER.node.id)
PERSON_IDS = (MAKER.root.id, PERSON.id)
DATES = Validity(1_795_262_400, 1_826_798_400)

BY_ROOT: tuple[Kind, ...] = ("node", "person", "revocation")

Row = tuple[Kind, bytes]


def read(kind: Kind, encoded: bytes) -> Certificate:
    """Read and verify as every reader does; raise an AuthorError."""
    found = identity.decode(encoded, kind)
    found.verify(*issuer(kind))
    return found


def issuer(kind: Kind) -> tuple[bytes, bytes]:
    """Give id and key of who must have issued a certificate of this kind."""
    by = MAKER.root if kind in BY_ROOT else MAKER.node
    return by.id, by.public


def expect(found: Certificate) -> dict[str, object]:
    """Give a certificate's claims as JSON."""
    return {
        "issuer": found.issuer.hex(),
        "subject": found.subject.hex(),
        "shown": identity.show_id(found.subject),
        "key": found.key.hex(),
        "counter": found.counter,
        "name": found.name,
        "issued": found.validity.issued_s,
        "expires": found.validity.expires_s,
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "identity",
        "chapter": "docs/protocol/identity.md",
        "good": [
            {**_vector(name, row), "expect": expect(read(*row))} for name, row in _good().items()
        ],
        "bad": [{**_vector(name, row), "error": _error(row)} for name, row in _bad().items()],
    }


def _vector(name: str, row: Row) -> dict[str, object]:
    kind, encoded = row
    by, public = issuer(kind)
    said: dict[str, object] = {"issuer": by.hex(), "public": public.hex()}
    return {"name": name, "hex": encoded.hex(), "kind": kind, **said}


def _error(row: Row) -> str:
    return refusal(lambda: read(*row))


def _good() -> dict[str, Row]:
    later = identity.issue_node(MAKER.root, IDS, OTHER.node.public, 2, Named("船 7", DATES))
    dated = identity.issue_encryption(MAKER.node, MAKER.node.id, MAKER.encryption.public, DATES)
    return {
        "run": ("run", RUN.credentials.run.encoded),
        "node": ("node", MAKER.node_certificate),
        "node with a renewed key and dates": ("node", later),
        "encryption": ("encryption", MAKER.encryption_certificate),
        "encryption with dates": ("encryption", dated),
        "person": ("person", _person()),
        "person with a renewed key and dates": (
            "person",
            identity.issue_person(MAKER.root, PERSON_IDS, OTHER.node.public, 2, Named("李", DATES)),
        ),
        "revocation of a node": ("revocation", identity.issue_revocation(MAKER.root, IDS, 1)),
        "revocation of a person with its date": (
            "revocation",
            identity.issue_revocation(MAKER.root, PERSON_IDS, 2, DATES.issued_s),
        ),
    }


def _person() -> bytes:
    return identity.issue_person(MAKER.root, PERSON_IDS, PERSON.public, 1, Named("李明"))


def _bad() -> dict[str, Row]:
    run, node = RUN.credentials.run.encoded, MAKER.node_certificate
    foreign = identity.issue_run(OTHER.node, OTHER.node.id, RUN.key.public)
    forged = identity.issue_run(OTHER.node, MAKER.node.id, RUN.key.public)
    return {
        "empty": ("run", b""),
        "cut": ("run", run[:-1]),
        "a byte more": ("run", run + b"\x00"),
        "a bit flipped": ("run", run[:-1] + bytes([run[-1] ^ 1])),
        "a node certificate as a run's": ("run", node),
        "issued by another node": ("run", foreign),
        "issued in another node's name": ("run", forged),
        **_bad_claims(),
        **_bad_of_roots(),
        **{f"weak key {weak}": _claim("run", _key(6, weak)) for weak in SMALL_ORDER},
        **{f"key not canonical {weak}": _claim("run", _key(6, weak)) for weak in NOT_CANONICAL},
        "encryption key zero": _claim("encryption", _key(4, "00" * 32)),
        "encryption key of small order": _claim("encryption", _key(4, "01" + "00" * 31)),
    }


def _bad_claims() -> dict[str, Row]:
    public = RUN.key.public
    shape: dict[int, object] = {1: {1: 1, -1: 6, -2: public, 4: b"x"}}
    return {
        "claims that are a list": ("run", _signed(MAKER.node, "run", [1])),
        "an expiry in a run certificate": _claim("run", {4: 1}),
        "an unknown claim": _claim("run", {99: 0}),
        "subject in upper-case hex": _claim("run", {2: RUN.key.id.hex().upper()}),
        "subject of 15 bytes": _claim("run", {2: RUN.key.id.hex()[:30]}),
        "subject with spaces": _claim("run", {2: RUN.key.id.hex(" ")}),
        "issuer as bytes": _claim("run", {1: MAKER.node.id}),
        "key on another curve": _claim("run", _key(4, public.hex())),
        "key of 31 bytes": _claim("run", _key(6, public.hex()[:62])),
        "key with another member": _claim("run", {8: shape}),
        "key type true": _claim("run", {8: {1: {1: True, -1: 6, -2: public}}}),
        "key type as a float": _claim("run", {8: {1: {1: 1.0, -1: 6, -2: public}}}),
        "no key": _claim("run", {8: {}}),
        "counter null": _claim("node", {-1: None}),
        "counter negative": _claim("node", {-1: -1}),
        "counter true": _claim("node", {-1: True}),
        "expiry null": _claim("node", {4: None}),
        "expiry as a float": _claim("node", {4: 1.5}),
        "name of 65": _claim("node", {-2: "n" * 65}),
        "name as bytes": _claim("node", {-2: b"n"}),
        "longer than 1,024 bytes": _claim("run", {2: "0" * 1100}),
    }


def _bad_of_roots() -> dict[str, Row]:
    node, person = MAKER.node_certificate, _person()
    foreign = identity.issue_person(OTHER.root, PERSON_IDS, PERSON.public, 1, Named("n"))
    other = (OTHER.root.id, MAKER.node.id)
    return {
        "a node certificate as a person's": ("person", node),
        "a person's certificate as a node's": ("node", person),
        "a person in another organisation's name": ("person", foreign),
        "a person without a name": ("person", _without("person", person, -2)),
        "a person without a counter": ("person", _without("person", person, -1)),
        "a person with an X25519 key": _claim("person", _key(4, PERSON.public.hex())),
        "a person with a key of small order": _claim("person", _key(6, SMALL_ORDER[0])),
        "a person as a revocation": ("revocation", person),
        "a revocation as a person": ("person", _good_revocation()),
        "a revocation by another organisation": (
            "revocation",
            identity.issue_revocation(OTHER.root, other, 1),
        ),
        "a revocation in another organisation's name": (
            "revocation",
            identity.issue_revocation(OTHER.root, IDS, 1),
        ),
        "a revocation with a key": _claim("revocation", _key(6, PERSON.public.hex())),
        "a revocation with a name": _claim("revocation", {-2: "n"}),
        "a revocation that expires": _claim("revocation", {4: 1}),
        "a revocation without a counter": (
            "revocation",
            _without("revocation", _good_revocation(), -1),
        ),
    }


def _good_revocation() -> bytes:
    return identity.issue_revocation(MAKER.root, IDS, 1)


def _without(kind: Kind, encoded: bytes, claim: int) -> bytes:
    claims = cbor.decode(cose.decode(encoded, kind).payload, 1024)
    assert isinstance(claims, dict)
    return _signed(MAKER.root, kind, {key: said for key, said in claims.items() if key != claim})


def _key(curve: int, public: str) -> dict[int, object]:
    return {8: {1: {1: 1, -1: curve, -2: bytes.fromhex(public)}}}


def _claim(kind: Kind, changed: dict[int, object]) -> Row:
    good: dict[Kind, bytes] = {
        "run": RUN.credentials.run.encoded,
        "node": MAKER.node_certificate,
        "encryption": MAKER.encryption_certificate,
        "person": _person(),
        "revocation": _good_revocation(),
    }
    claims = cbor.decode(cose.decode(good[kind], kind).payload, 1024)
    assert isinstance(claims, dict)
    return kind, _signed(MAKER.root if kind in BY_ROOT else MAKER.node, kind, {**claims, **changed})


def _signed(by: SigningKey, kind: Kind, claims: object) -> bytes:
    return cose.sign(by, kind, cbor.encode(claims))
