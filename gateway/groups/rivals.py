"""Rosters of one number and attempt that one root signed: what shows it, wherever they meet.

In: rosters and proposals as they came, and the rosters that are held. Out: evidence against each
root that signed two. What does not verify shows nothing. Protocol: docs/protocol/evidence.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.errors import AuthorError
from gateway.groups import evidence
from gateway.groups.evidence import RosterTwice
from gateway.records import cose, roster
from gateway.records.cose import key_id
from gateway.records.feed import Rosters
from gateway.records.roster import Roster

# Of one place in a consortium so many are compared.
_COMPARED_MAX: Final = 16


def is_rival(encoded: bytes, held: Mapping[bytes, Roster]) -> bool:
    """Say whether this may be another roster in the place of one that is held, unverified."""
    try:
        name, previous = roster.place(encoded)
    except AuthorError:
        return False
    return name not in held and any(
        previous is not None and each.previous == previous for each in held.values()
    )


def signed_twice(encoded: Sequence[bytes], rosters: Rosters) -> list[RosterTwice]:
    """Give the evidence that is in these rosters and proposals after the rosters that are held."""
    found = []
    for before, payloads in _places(encoded, rosters):
        for by in before.organisations:
            signed = [
                (payload, line)
                for payload in sorted(payloads)[:_COMPARED_MAX]
                if (line := _signed(payload, payloads[payload], by.root)) is not None
            ]
            if len(signed) > 1:
                found.append(evidence.roster_twice(by.id, *signed[:2]))
    return found


def _places(
    encoded: Sequence[bytes], rosters: Rosters
) -> list[tuple[Roster, dict[bytes, set[bytes]]]]:
    """Put together what follows one roster by one attempt: signatures, by payload."""
    places: dict[tuple[bytes, int], dict[bytes, set[bytes]]] = {}
    for each in encoded:
        try:
            payload, signatures = roster.take_apart(each)
            before = rosters.get(roster.place(each)[1] or b"")
            if before is None:
                continue
            attempt = roster.read_next(payload, before).attempt
        except AuthorError:
            continue
        places.setdefault((before.hash, attempt), {}).setdefault(payload, set()).update(signatures)
    return [(rosters[name], payloads) for (name, _), payloads in places.items()]


def _signed(payload: bytes, signatures: set[bytes], root: bytes) -> bytes | None:
    for each in sorted(signatures):
        try:
            part = cose.decode(each, "roster", payload)
            if part.kid == key_id(root)[:8]:
                part.verify(root)
                return each
        except AuthorError:
            continue
    return None
