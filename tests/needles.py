"""What is searched for where it may not be: on a gateway's disk, and in all that its keys open.

In: agents, and what crossed the broker between them. Out: the haystacks, and which needles are in
them, in any form in which bytes are written.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress

from gateway.errors import BadEnvelope
from gateway.groups import seal
from gateway.records import record
from gateway.records.record import Record
from gateway.store import database, keyring, state
from gateway.sync import envelope
from gateway.sync.envelope import Seal
from tests.agents import AgentProcess
from tests.operator import Operator

Needles = dict[str, bytes]


def of_values(values: Iterable[float]) -> Needles:
    """Name values that nobody would guess, as text and as floats are written."""
    found = {}
    for value in values:
        found[f"text {value!r}"] = repr(value).encode()
        found[f"float {value!r}"] = struct.pack(">d", value)
    return found


def of_keys(agent: AgentProcess, group: bytes, records: set[str] | None = None) -> Needles:
    """Name the keys that open the sealed records of a group, or some of them."""
    found = {}
    for said, _, key in sealed(agent, group):
        if records is None or said.id.hex() in records:
            assert key is not None
            found[f"sender key {key.hex()}"] = key
            found[f"key of record {said.id.hex()}"] = seal.own_key(said, key)
    return found


def sealed(agent: AgentProcess, group: bytes) -> Iterator[tuple[Record, bytes, bytes | None]]:
    """Give the sealed records of a group that are held, with their bodies and sender keys."""
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        for encoded, body in db.execute("SELECT encoded, body FROM records ORDER BY place"):
            said = record.parse(encoded)
            if said.group == group and said.key_number:
                yield said, body, keyring.find(db, said.feed, said.key_number)


def opened(agent: AgentProcess, heard: Iterable[tuple[str, bytes]]) -> tuple[int, bytes]:
    """Give what the keys of a gateway open of all that crossed the broker, and of how many."""
    held = state.load(agent.state_dir)
    by_tag = {each.tag: each for each in held.groups.values()}
    found = []
    for topic, payload in heard:
        if not topic.startswith("hl/1/"):
            continue
        with suppress(BadEnvelope):
            said = envelope.decode(payload)
            within = by_tag.get(said.tag or "")
            match said.seal:
                case Seal.NODE:
                    found.append(seal.open_sealed(held.encryption_key, said.content))
                case Seal.GROUP if within is not None:
                    found.append(envelope.open_in(within.secret, within.id, said))
                case Seal.NONE:
                    found.append(said.content)
    return len(found), b"\n".join(found)


def crossed(heard: Iterable[tuple[str, bytes]]) -> bytes:
    """Give all that crossed the broker."""
    return b"\n".join(topic.encode() + b" " + said for topic, said in heard)


def found_in(haystack: bytes, needles: Mapping[str, bytes]) -> list[str]:
    """Name the needles that are in there, in any form in which bytes are written."""
    return [what for what, each in needles.items() if Operator.forms_found(haystack, each)]


def control(agent: AgentProcess, group: bytes, answers: object) -> bytes:
    """Give all that a member has: its disk, its answers, and what its keys open."""
    parts = [agent.disk(), repr(answers).encode()]
    for said, body, key in sealed(agent, group):
        if key is not None:
            parts += [seal.open_body(said, body, key), seal.own_key(said, key)]
    return b"\n".join(parts)
