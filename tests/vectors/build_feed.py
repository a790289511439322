"""The vectors of feeds: docs/protocol/feed.md."""

import dataclasses

from gateway.records import cbor, cose, feed, record, roster
from gateway.records.feed import CBOR_TYPE, Feed, Head, View
from gateway.records.record import NO_RECORD, Kind, Place, Said
from gateway.records.run import Origin, Run, Written
from tests.damage import refusal
from tests.people import after, chain, group_of, moment, opened, party, roster_of, run_of, seed

MAKER, BUYER, STRANGER = party("maker"), party("buyer"), party("stranger")
GROUP = group_of(MAKER, BUYER)
RUN, OTHER = run_of(MAKER), run_of(BUYER)
ROSTER = GROUP.roster
HEADS = tuple(sorted(Head(seed(f"feed {n}"), n + 1, seed(f"root {n}")) for n in range(2)))

Records = list[tuple[bytes, bytes]]


def read(encoded_roster: bytes, records: Records) -> Feed:
    """Read a feed from its roster and itself, as every reader does; raise an AuthorError."""
    within = roster.decode(encoded_roster)
    (first, body), *others = records
    _, grown, _ = feed.open_feed(first, body, {within.hash: within})
    for encoded, each in others:
        following, grown = grown.accept(encoded)
        record.check_body(following, each)
    return grown


def expect(found: Feed) -> dict[str, object]:
    """Give what a feed shows, as JSON."""
    return {
        "feed": found.id.hex(),
        "group": found.group.hex(),
        "node": found.node.hex(),
        "organisation": found.organisation.hex(),
        "size": found.size,
        "root": found.head().root.hex(),
        "last": found.last.hex(),
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "feed",
        "chapter": "docs/protocol/feed.md",
        "good": [
            {**_vector(name, records), "expect": expect(read(ROSTER.encoded, records))}
            for name, records in _good().items()
        ],
        "bad": [
            {**_vector(name, records), "error": _error(records)} for name, records in _bad().items()
        ],
    }


def _vector(name: str, records: Records) -> dict[str, object]:
    rows = [[encoded.hex(), body.hex()] for encoded, body in records]
    return {"name": name, "hex": rows[0][0], "roster": ROSTER.encoded.hex(), "records": rows}


def _error(records: Records) -> str:
    return refusal(lambda: read(ROSTER.encoded, records))


def _pairs(written: list[Written]) -> Records:
    return [(each.encoded, each.body) for each in written]


def _begun(by: Run, origin: Origin) -> Records:
    return _pairs([by.begin(GROUP.id, origin, moment(), seed("salt 0"))])


def _good() -> dict[str, Records]:
    view = View(ROSTER.hash)
    return {
        "a genesis": _pairs(chain(RUN, GROUP, 1)),
        "five records": _pairs(chain(RUN, GROUP, 5)),
        "another member": _pairs(chain(OTHER, GROUP, 3)),
        "a later run of a node with predecessors": _begun(run_of(MAKER, 1), Origin(HEADS, view)),
        "with the founding": _begun(RUN, Origin((), view, GROUP.encoded)),
        "with a membership in its view": _begun(RUN, Origin((), View(ROSTER.hash, (seed("m"),)))),
    }


def _bad() -> dict[str, Records]:
    whole = _pairs(chain(RUN, GROUP, 4))
    foreign = _pairs(chain(OTHER, GROUP, 4))
    elsewhere = _pairs(chain(RUN, group_of(MAKER, BUYER, purpose="cutting"), 4))
    return {
        "a record missing": [whole[0], *whole[2:]],
        "a record twice": [*whole[:2], whole[1]],
        "two records in wrong order": [whole[0], whole[2], whole[1]],
        "no genesis": whole[1:],
        "a record of another run": [*whole[:2], foreign[2]],
        "a record of another group by the same run": [*whole[:2], elsewhere[2]],
        "a record after another than the one before": [*whole[:2], _forked()],
        "a changed body": [*whole[:2], (whole[2][0], whole[2][1][:-1] + b"?")],
        "a genesis without its body": [(whole[0][0], b"")],
        "an organisation outside the roster": _begun(run_of(STRANGER), _origin()),
        "an unknown roster": _begun(RUN, Origin((), View(roster_of(MAKER).hash))),
        "a run certified by another node": _begun(_stolen(), _origin()),
        **{name: [_genesis(content)] for name, content in _bad_contents().items()},
        "a genesis under another feed's id": [_misplaced()],
    }


def _origin() -> Origin:
    return Origin((), View(ROSTER.hash))


def _forked() -> tuple[bytes, bytes]:
    """Number 2 of a second history, whose number 1 was another."""
    other = after(RUN, opened(RUN, GROUP).feed, 7)
    return _pairs([after(RUN, other.feed, 2)])[0]


def _stolen() -> Run:
    credentials = dataclasses.replace(RUN.credentials, run=OTHER.credentials.run)
    return Run(OTHER.key, credentials)


def _genesis(content: bytes) -> tuple[bytes, bytes]:
    place = Place(feed.feed_id(RUN.key.public, GROUP.id), 0, NO_RECORD, GROUP.id)
    said = Said(Kind.GENESIS, content, CBOR_TYPE)
    return record.sign(RUN.key, place, said, moment(), seed("salt 0"))


def _misplaced() -> tuple[bytes, bytes]:
    first = opened(RUN, GROUP)
    said = Said(Kind.GENESIS, first.body[32:], CBOR_TYPE)
    place = Place(seed("another feed"), 0, NO_RECORD, GROUP.id)
    return record.sign(RUN.key, place, said, moment(), seed("salt 0"))


def _bad_contents() -> dict[str, bytes]:
    said = cbor.decode(opened(RUN, GROUP).body[32:], 40_960)
    assert isinstance(said, dict)
    rows = [[head.feed, head.size, head.root] for head in HEADS]
    broken: dict[str, tuple[int, object]] = {
        "no node certificate": (0, None),
        "a node certificate in the place of the run's": (1, said[0]),
        "an empty encryption certificate": (2, b""),
        "predecessors not sorted": (3, rows[::-1]),
        "a predecessor twice": (3, [rows[0], rows[0]]),
        "a predecessor of size 0": (3, [[rows[0][0], 0, rows[0][2]]]),
        "a predecessor without a root": (3, [rows[0][:2]]),
        "a founding as text": (4, "founding"),
        "a view without membership": (5, [ROSTER.hash]),
        "a view of 16 bytes": (5, [ROSTER.hash[:16], []]),
        "a view with membership repeated": (5, [ROSTER.hash, [seed("m"), seed("m")]]),
        "an unknown field": (6, 0),
    }
    changed = {name: cbor.encode({**said, key: value}) for name, (key, value) in broken.items()}
    forged = cose.sign(OTHER.key, "run", cose.decode(said[1], "run").payload)
    return {
        **changed,
        "an empty genesis": b"",
        "a genesis that is no map": cbor.encode([]),
        "a run certificate signed by itself": cbor.encode({**said, 1: forged}),
    }
