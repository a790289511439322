"""What sealing costs: a record of a sealed group beside one of a clear group, and announcing.

Everything is said as the agent says it, `authoring.say` into a real store in memory, so that keys,
views and rings are read and kept; fsync is left out, because a commit holds many records and both
kinds share it. It is one thread, timed by the processor time it takes, all groups in short turns.
Announcing seals a fresh key to the members and their organisations' archives, each member of
another organisation. Rotating is all that a removal costs its author: writing it, folding the
members anew, and announcing to those who stay.
"""

import statistics
import time
from collections.abc import Callable
from typing import Final

from gateway.groups import membership as acts
from gateway.groups.group import Group
from gateway.groups.membership import Remove
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import record
from gateway.records.feed import CBOR_TYPE
from gateway.records.record import Kind, Said
from gateway.store import authoring, keyring, membership
from tests import people
from tests.sealed import Gateway

ROUNDS: Final = 60
_ANNOUNCED: Final = 7
_RECORDS: Final = 40
_S: Final = 0.3
_MEMBERS: Final = (2, 8, 50)


def run() -> list[str]:
    """Time records of sealed and clear groups in turn, then announcements to 2, 8 and 50."""
    gateways = {"clear group of 2": _gateway(2, clear=True)}
    for members in _MEMBERS:
        gateways[f"sealed group of {members}"] = _gateway(members, clear=False)
    took: dict[str, list[float]] = {name: [] for name in gateways}
    for _ in range(ROUNDS):
        for name, gateway in gateways.items():
            took[name].append(_said_s(gateway))
    lines = [_told(name, each, took["clear group of 2"]) for name, each in took.items()]
    lines += [_announced(members) for members in _MEMBERS]
    return [*lines, _rotated(_MEMBERS[-1]), *_opened()]


def _gateway(members: int, clear: bool) -> Gateway:
    """Give a gateway in a group of so many members, with one organisation each."""
    parties = [people.party(f"party {number}") for number in range(members)]
    return Gateway(parties[0], _group(parties, clear))


def _group(parties: list[people.Party], clear: bool) -> Group:
    return people.group_of(*parties, clear=clear)


def _said() -> Said:
    reading = Reading("press-1", "temperature", 20.5, "Cel", 1_795_262_400_000)
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
    return Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)


def _said_s(gateway: Gateway) -> float:
    """Say records in one commit; give the time of one. The first opens the feed and announces."""
    said = _said()
    gateway.say(said)
    started = time.process_time()
    with gateway.db:
        for _ in range(_RECORDS):
            authoring.say(gateway.db, gateway.author, gateway.venue, said)
    return (time.process_time() - started) / _RECORDS


def _told(name: str, took: list[float], clear: list[float]) -> str:
    rate, beside = 1 / statistics.median(took), statistics.median(clear) / statistics.median(took)
    least = min(clear) / min(took)
    return f"{name}: {rate:,.0f} records/s, {beside:.2f} of clear (fastest turns {least:.2f})"


def _announced(members: int) -> str:
    """Time the announcement of a fresh key, and say how large it is."""
    gateway = _gateway(members, clear=False)
    gateway.say(_said())

    def announce() -> None:
        authoring.announce(gateway.db, gateway.author, gateway.venue)

    took = []
    with gateway.db:
        for _ in range(_ANNOUNCED):
            started = time.process_time()
            announce()
            took.append(time.process_time() - started)
    last = gateway.records()[-1]
    size = len(last.encoded) + len(last.body or b"")
    ms = 1000 * statistics.median(took)
    told = f"{members} members and their archives: {ms:.1f} ms, {size:,} bytes"
    return f"a key announced to {told}"


def _rotated(members: int) -> str:
    """Time removals, one after another, each with the announcement that it asks for."""
    parties = [people.party(f"party {number}") for number in range(members)]
    gateway = Gateway(parties[0], _group(parties, clear=False))
    gateway.say(_said())
    took = []
    for gone in parties[-_ANNOUNCED:]:
        removal = Said(Kind.MEMBERSHIP, acts.encode(Remove(gone.node.id, ())), CBOR_TYPE)
        started = time.process_time()
        with gateway.db:
            authoring.say(gateway.db, gateway.author, gateway.venue, removal)
            membership.refold(gateway.db, gateway.group.id)
            authoring.announce(gateway.db, gateway.author, gateway.venue)
        took.append(time.process_time() - started)
    ms = 1000 * statistics.median(took)
    return f"a member removed from {members}, folded and announced: {ms:.1f} ms"


def _opened() -> list[str]:
    """Time the opening of bodies by a key that is kept, beside checking clear ones."""
    rates: dict[str, list[float]] = {}
    for clear in (True, False):
        gateway = _gateway(2, clear)
        gateway.say(_said())
        last = gateway.records()[-1]
        said, body = record.parse(last.encoded), last.body or b""
        opened = rates.setdefault("clear" if clear else "sealed", [])
        for _ in range(_ANNOUNCED):
            opened.append(_each_s(lambda: keyring.content(gateway.db, said, body)))  # noqa: B023
    told = {name: f"{statistics.median(each):,.0f}/s" for name, each in rates.items()}
    return [f"bodies opened, sealed {told['sealed']}, clear {told['clear']}"]


def _each_s(act: Callable[[], object]) -> float:
    count, started = 0, time.process_time()
    while (took := time.process_time() - started) < _S:
        act()
        count += 1
    return count / took
