"""The consortium's roster: a numbered document that says whose signatures count.

In: organisations and their root keys, or bytes from anywhere. Out: a signed roster, or a verified
one. Roster 0 founds a consortium and is signed by every organisation in it; an organisation alone
is a consortium of one. Each later one names the one before it and is signed by that one's quorum.
What a root may sign is `succession`'s. Protocol: docs/protocol/roster.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from gateway.errors import MalformedCbor, MalformedRoster, MalformedSignature, UnknownOrganisation
from gateway.records import cbor, cose
from gateway.records.cose import SigningKey, check_public, key_id
from gateway.records.identity import NAME_CHARS_MAX, check_exchange

ROSTER_BYTES_MAX = 40 * 1024
ORGANISATIONS_MAX = 64
NUMBER_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Organisation:
    """A member of the consortium: its id, what people call it, and its public keys."""

    id: bytes
    name: str
    root: bytes
    archive: bytes
    witness: bytes | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """A verified roster; `attempt` is how often its number was tried anew, `previous` a hash."""

    number: int
    attempt: int
    previous: bytes | None
    name: str
    organisations: tuple[Organisation, ...]
    hash: bytes
    encoded: bytes
    consortium: bytes

    def organisation(self, identity: bytes) -> Organisation:
        """Find an organisation by its id; raise UnknownOrganisation."""
        for organisation in self.organisations:
            if organisation.id == identity:
                return organisation
        raise UnknownOrganisation(organisation=identity.hex(), roster=self.hash.hex()[:16])


@dataclass(frozen=True, slots=True)
class Missing:
    """Who has still to sign: all of `must`, each under the root given, and `more` of `among`."""

    must: tuple[Organisation, ...]
    more: int
    among: tuple[Organisation, ...]

    def __bool__(self) -> bool:
        return bool(self.must) or self.more > 0


def quorum(count: int) -> int:
    """Give how many of so many organisations decide: any two quorums share an honest one."""
    return (count + (count - 1) // 3) // 2 + 1


def compose(name: str, organisations: Sequence[Organisation]) -> bytes:
    """Write the payload of roster 0, which every organisation's root then signs."""
    return _compose((0, 0, None), name, organisations)


def compose_next(before: Roster, organisations: Sequence[Organisation], attempt: int = 0) -> bytes:
    """Write the payload of the roster after `before`; raise MalformedRoster where none can be."""
    place = (before.number + 1, attempt, before.hash)
    payload = _compose(place, before.name, organisations)
    read_next(payload, before)
    return payload


def sign(root: SigningKey, payload: bytes) -> bytes:
    """Sign a roster's payload with one organisation's root."""
    return cose.sign_detached(root, "roster", payload)


def assemble(payload: bytes, signatures: Iterable[bytes]) -> bytes:
    """Join a payload and its signatures, of which one may be there twice."""
    return cbor.encode([payload, sorted(set(signatures))])


def decode(encoded: bytes) -> Roster:
    """Verify roster 0 whole; raise MalformedRoster, BadSignature or WeakKey."""
    payload, signatures = take_apart(encoded)
    found = replace(read_first(payload), encoded=encoded)
    roots = {organisation.id[:8]: organisation.root for organisation in found.organisations}
    if verify(payload, signatures, roots.values()) != frozenset(roots.values()):
        raise MalformedRoster(reason="not one signature of each organisation")
    return found


def decode_next(encoded: bytes, before: Roster) -> Roster:
    """Verify the roster after `before` whole; raise MalformedRoster, BadSignature or WeakKey."""
    payload, signatures = take_apart(encoded)
    if missing(payload, signatures, before):
        raise MalformedRoster(reason="not signed by the quorum and by whoever it changes")
    return replace(read_next(payload, before), encoded=encoded)


def decode_chain(encoded: Sequence[bytes]) -> tuple[Roster, ...]:
    """Verify the rosters of a consortium from number 0 on; raise as `decode_next`."""
    chain: list[Roster] = []
    for each in encoded:
        chain.append(decode_next(each, chain[-1]) if chain else decode(each))
    return tuple(chain)


def read_first(payload: bytes) -> Roster:
    """Read a payload that may be a roster 0, signed by nobody yet; raise MalformedRoster."""
    found = _read(payload)
    if (found.number, found.attempt, found.previous) != (0, 0, None):
        raise MalformedRoster(reason="not the fields of a first roster")
    for organisation in found.organisations:
        _check_first(organisation)
    return found


def read_next(payload: bytes, before: Roster) -> Roster:
    """Read a payload that may follow `before`, signed by nobody yet; raise MalformedRoster."""
    found = replace(_read(payload), consortium=before.consortium)
    if found.number != before.number + 1 or found.previous != before.hash:
        raise MalformedRoster(reason="it does not follow the roster before it")
    if found.name != before.name:
        raise MalformedRoster(reason="a consortium keeps its name")
    known = {organisation.id for organisation in before.organisations}
    for organisation in found.organisations:
        if organisation.id not in known:
            _check_first(organisation)
    _signers(found, before)
    return found


def missing(payload: bytes, signatures: Sequence[bytes], before: Roster) -> Missing:
    """Say who must still sign the roster after `before`; raise where a signature is not good."""
    found = read_next(payload, before)
    must, others = _signers(found, before)
    signed = verify(payload, signatures, [each.root for each in (*must, *others)])
    count = sum(organisation.root in signed for organisation in before.organisations)
    return Missing(
        tuple(each for each in must if each.root not in signed),
        max(0, quorum(len(before.organisations)) - count),
        tuple(each for each in before.organisations if each.root not in signed),
    )


def roster_hash(payload: bytes) -> bytes:
    """Name a roster. The signatures are outside: any quorum signs the same document."""
    return sha256(b"hulian/1/roster" + payload).digest()


def take_apart(encoded: bytes) -> tuple[bytes, list[bytes]]:
    """Give payload and signatures, neither of them verified; raise MalformedRoster."""
    try:
        match cbor.decode(encoded, ROSTER_BYTES_MAX):
            case [bytes() as payload, list() as said]:
                signatures = [each for each in said if isinstance(each, bytes)]
                if said != sorted(set(signatures)):
                    raise MalformedRoster(reason="signatures are no byte strings, or not sorted")
                return payload, signatures
    except MalformedCbor as fault:
        raise MalformedRoster(reason=fault) from None
    raise MalformedRoster(reason="not a payload and its signatures")


def place(encoded: bytes) -> tuple[bytes, bytes | None]:
    """Give a roster's hash and that of the one before it, neither verified; raise as `decode`."""
    payload, _ = take_apart(encoded)
    return roster_hash(payload), _read(payload).previous


def verify(payload: bytes, signatures: Sequence[bytes], roots: Iterable[bytes]) -> frozenset[bytes]:
    """Give the roots that signed; raise where one signature is a stranger's, double or bad."""
    by_kid = {key_id(root)[:8]: root for root in roots}
    signed = set()
    for signature in signatures:
        try:
            part = cose.decode(signature, "roster", payload)
        except MalformedSignature as fault:
            raise MalformedRoster(reason=fault) from None
        root = by_kid.get(part.kid)
        if root is None or root in signed:
            raise MalformedRoster(reason="a stranger's signature, or two of one root")
        part.verify(root)
        signed.add(root)
    return frozenset(signed)


def _signers(
    found: Roster, before: Roster
) -> tuple[tuple[Organisation, ...], tuple[Organisation, ...]]:
    """Give who must sign, each with the root that does, and who else may."""
    old = {organisation.id: organisation for organisation in before.organisations}
    must = []
    for organisation in found.organisations:
        was = old.get(organisation.id)
        if was is None:
            must.append(organisation)
        elif was != organisation:
            must.append(was)  # What changes of an organisation, changes under the root it had.
            must += [organisation] if organisation.root != was.root else []
    bound = {organisation.root for organisation in must}
    others = [each for each in before.organisations if each.root not in bound]
    kids = [key_id(organisation.root)[:8] for organisation in (*must, *others)]
    if len(set(kids)) != len(kids):
        raise MalformedRoster(reason="two organisations have one root key")
    return tuple(must), tuple(others)


def _compose(
    place: tuple[int, int, bytes | None], name: str, organisations: Sequence[Organisation]
) -> bytes:
    rows = [[o.id, o.name, o.root, o.archive, o.witness] for o in organisations]
    number, attempt, previous = place
    return cbor.encode({0: 1, 1: number, 2: attempt, 3: previous, 4: name, 5: sorted(rows), 6: {}})


def _read(payload: bytes) -> Roster:
    try:
        said = cbor.decode(payload, ROSTER_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedRoster(reason=fault) from None
    match said:
        case {
            0: version,
            1: int() as number,
            2: int() as attempt,
            3: None | bytes() as previous,
            4: str() as name,
            5: list() as rows,
            6: {**policies},
            **more,
        } if (
            not more
            and not policies
            and all(type(value) is int for value in (version, number, attempt))
            and version == 1
            and 0 <= number < NUMBER_MAX
            and 0 <= attempt < NUMBER_MAX
            and len(name) <= NAME_CHARS_MAX
            and 0 < len(rows) <= ORGANISATIONS_MAX
        ):
            found, hash_ = _organisations(rows), roster_hash(payload)
            return Roster(number, attempt, previous, name, found, hash_, b"", hash_)
    raise MalformedRoster(reason="not the fields of a roster")


def _organisations(rows: Sequence[object]) -> tuple[Organisation, ...]:
    found = tuple(_organisation(row) for row in rows)
    ids = [organisation.id for organisation in found]
    if ids != sorted(set(ids)):
        raise MalformedRoster(reason="organisations are not sorted, or one is there twice")
    if len({key_id(organisation.root)[:8] for organisation in found}) != len(found):
        raise MalformedRoster(reason="two organisations have one root key")
    # A cosignature does not say whose it is: one key under two names would be counted twice.
    witnesses = [each.witness for each in found if each.witness is not None]
    if len(set(witnesses)) != len(witnesses):
        raise MalformedRoster(reason="two organisations have one witness key")
    return found


def _organisation(row: object) -> Organisation:
    match row:
        case [bytes() as identity, str() as name, bytes() as root, bytes() as archive, witness] if (
            len(identity) == 16
            and len(name) <= NAME_CHARS_MAX
            and (witness is None or isinstance(witness, bytes))
        ):
            check_public(root)
            check_exchange(archive)
            if witness is not None:
                check_public(witness)
            return Organisation(identity, name, root, archive, witness)
    raise MalformedRoster(reason="an organisation has missing fields or fields of the wrong type")


def _check_first(organisation: Organisation) -> None:
    if organisation.id != key_id(organisation.root):
        raise MalformedRoster(reason="an id is not that of the organisation's first root key")
