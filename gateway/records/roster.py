"""The consortium's roster: a numbered document that says whose signatures count.

In: organisations and their root keys, or bytes from anywhere. Out: a signed roster, or a verified
one. Roster 0 founds a consortium and is signed by every organisation in it; an organisation alone
is a consortium of one. Protocol: docs/protocol/roster.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import MalformedCbor, MalformedRoster, MalformedSignature, UnknownOrganisation
from gateway.records import cbor, cose
from gateway.records.cose import SigningKey, check_public, key_id
from gateway.records.identity import NAME_CHARS_MAX, check_exchange

ROSTER_BYTES_MAX = 40 * 1024
ORGANISATIONS_MAX = 64


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
    """A verified roster."""

    number: int
    name: str
    organisations: tuple[Organisation, ...]
    hash: bytes
    encoded: bytes

    def organisation(self, identity: bytes) -> Organisation:
        """Find an organisation by its id; raise UnknownOrganisation."""
        for organisation in self.organisations:
            if organisation.id == identity:
                return organisation
        raise UnknownOrganisation(organisation=identity.hex(), roster=self.hash.hex()[:16])


def compose(name: str, organisations: Sequence[Organisation]) -> bytes:
    """Write the payload of roster 0, which every organisation's root then signs."""
    rows = [[o.id, o.name, o.root, o.archive, o.witness] for o in organisations]
    return cbor.encode({0: 1, 1: 0, 2: 0, 3: None, 4: name, 5: sorted(rows), 6: {}})


def sign(root: SigningKey, payload: bytes) -> bytes:
    """Sign a roster's payload with one organisation's root."""
    return cose.sign_detached(root, "roster", payload)


def assemble(payload: bytes, signatures: Sequence[bytes]) -> bytes:
    """Join a payload and its signatures."""
    return cbor.encode([payload, sorted(signatures)])


def decode(encoded: bytes) -> Roster:
    """Verify roster 0 whole; raise MalformedRoster, BadSignature or WeakKey."""
    try:
        match cbor.decode(encoded, ROSTER_BYTES_MAX):
            case [bytes() as payload, list() as signatures]:
                roster = _read(encoded, payload, cbor.decode(payload, ROSTER_BYTES_MAX))
                _verify(roster, payload, signatures)
                return roster
    except (MalformedCbor, MalformedSignature) as fault:
        raise MalformedRoster(reason=fault) from None
    raise MalformedRoster(reason="not a payload and its signatures")


def roster_hash(payload: bytes) -> bytes:
    """Name a roster. The signatures are outside: any quorum signs the same document."""
    return sha256(b"hulian/1/roster" + payload).digest()


def _read(encoded: bytes, payload: bytes, said: object) -> Roster:
    match said:
        case {
            0: version,
            1: number,
            2: attempt,
            3: None,
            4: str() as name,
            5: list() as rows,
            6: {**policies},
            **more,
        } if (
            not more
            and not policies
            and all(type(value) is int for value in (version, number, attempt))
            and (version, number, attempt) == (1, 0, 0)
            and len(name) <= NAME_CHARS_MAX
            and 0 < len(rows) <= ORGANISATIONS_MAX
        ):
            organisations = tuple(_organisation(row) for row in rows)
            ids = [organisation.id for organisation in organisations]
            if ids != sorted(set(ids)):
                raise MalformedRoster(reason="organisations are not sorted, or one is there twice")
            return Roster(0, name, organisations, roster_hash(payload), encoded)
    raise MalformedRoster(reason="not the fields of a first roster")


def _organisation(row: object) -> Organisation:
    match row:
        case [bytes() as identity, str() as name, bytes() as root, bytes() as archive, witness] if (
            len(name) <= NAME_CHARS_MAX and (witness is None or isinstance(witness, bytes))
        ):
            check_public(root)
            check_exchange(archive)
            if witness is not None:
                check_public(witness)
            if identity != key_id(root):
                raise MalformedRoster(
                    reason="an id is not that of the organisation's first root key"
                )
            return Organisation(identity, name, root, archive, witness)
    raise MalformedRoster(reason="an organisation has missing fields or fields of the wrong type")


def _verify(roster: Roster, payload: bytes, signatures: list[object]) -> None:
    parts = []
    for signature in signatures:
        if not isinstance(signature, bytes):
            raise MalformedRoster(reason="a signature is no byte string")
        parts.append(cose.decode(signature, "roster", payload))
    roots = {organisation.id[:8]: organisation.root for organisation in roster.organisations}
    if sorted(part.kid for part in parts) != sorted(roots) or signatures != sorted(
        part for part in signatures if isinstance(part, bytes)
    ):
        raise MalformedRoster(reason="not one signature of each organisation, sorted")
    for part in parts:
        part.verify(roots[part.kid])
