"""The vectors of evidence: docs/protocol/evidence.md."""

from hashlib import sha256

from gateway.groups import evidence
from gateway.groups.evidence import (
    Author,
    Evidence,
    Finding,
    JournalFork,
    RecordFork,
    Rewrite,
    RosterTwice,
    WitnessFork,
    WrongBody,
)
from gateway.records import (
    cbor,
    checkpoint,
    cose,
    feed,
    journal,
    merkle,
    note,
    record,
    roster,
    sealing,
)
from gateway.records.journal import Entry
from gateway.records.record import Kind, Place, Record, Said
from gateway.records.run import Origin, Run, Written
from gateway.records.sealing import Sealing
from tests.damage import refusal
from tests.people import (
    Party,
    admitted,
    after,
    chain,
    group_of,
    moment,
    observation,
    party,
    roster_of,
    run_of,
    seed,
    witnessed,
)

MAKER, BUYER, STRANGER = party("maker"), witnessed(party("buyer")), party("stranger")
NEWCOMER, OTHER = party("newcomer"), party("carrier")
ROSTER = roster_of(MAKER, BUYER)
GROUP, ELSEWHERE = group_of(MAKER, BUYER), group_of(MAKER, BUYER, purpose="milling")
RUN = run_of(MAKER)
KNOWN = {ROSTER.hash: ROSTER}
SENDER_KEY = seed("a sender key")


def author(run: Run = RUN) -> Author:
    """Give the certificates by which a run is known."""
    return Author(run.credentials.node.encoded, run.credentials.run.encoded)


def read(encoded: bytes) -> Finding:
    """Read and verify evidence under the rosters that are known; raise an AuthorError."""
    return evidence.verify(evidence.decode(encoded), KNOWN)


def whole_file() -> bytes:
    """Give an evidence file."""
    return evidence.encode_file([ROSTER.encoded], _good()["one number, two records"])


def expect(found: Finding) -> dict[str, object]:
    """Give what evidence shows, as JSON."""
    return {
        "kind": int(found.kind),
        "organisation": found.organisation.hex(),
        "node": None if found.node is None else found.node.hex(),
        "group": None if found.group is None else found.group.hex(),
        "thing": found.thing.hex(),
        "seq": found.seq,
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [{**_vector(name, each), "expect": expect(read(each))} for name, each in _good().items()]
    bad = [{**_vector(name, each), "error": _error(each)} for name, each in _bad().items()]
    return {"noun": "evidence", "chapter": "docs/protocol/evidence.md", "good": good, "bad": bad}


def _vector(name: str, encoded: bytes) -> dict[str, object]:
    return {"name": name, "hex": encoded.hex(), "rosters": [ROSTER.encoded.hex()]}


def _error(encoded: bytes) -> str:
    return refusal(lambda: read(encoded))


def parsed(written: Written) -> Record:
    """Give a written record as it is read."""
    return record.parse(written.encoded)


def forked(run: Run = RUN) -> RecordFork:
    """Give two records that a run signed under one number."""
    one = chain(run, GROUP, 3)
    other = after(run, one[1].feed, 77)
    return evidence.record_fork(author(run), parsed(one[2]), parsed(other))


def misbodied(run: Run, place: Place) -> tuple[bytes, bytes]:
    """Sign a record at a place that commits to another content than its body's; give both."""
    signed, body = record.sign(run.key, place, observation(), moment(), seed("salt"))
    payload = cbor.decode(cose.decode(signed, "record").payload, 2048)
    assert isinstance(payload, dict)
    payload[11][2] = sha256(b"something else").digest()
    return cose.sign(run.key, "record", cbor.encode(payload)), body


def wrong_body(is_sealed: bool = False) -> WrongBody:
    """Give a record that commits to another content than its body's."""
    name = feed.feed_id(RUN.key.public, GROUP.id)
    under = Sealing(1, SENDER_KEY, seed("a nonce")[:24]) if is_sealed else None
    signed, body = misbodied(RUN, Place(name, 1, seed("before"), GROUP.id, under))
    own = sealing.record_key(SENDER_KEY, GROUP.id, name, 1, 1) if is_sealed else None
    return WrongBody(author(), signed, body, own)


def _checkpoints(run: Run, sizes: tuple[int, int] = (5, 5)) -> tuple[bytes, bytes]:
    """Give two checkpoints of a run, in order."""
    one, other = (
        checkpoint.sign(run.key, size, seed(f"root {size} {at}")) for at, size in enumerate(sizes)
    )
    return (min(one, other), max(one, other)) if sizes[0] == sizes[1] else (one, other)


def journal_fork(run: Run = RUN) -> JournalFork:
    """Give two checkpoints of one size that a run signed."""
    return JournalFork(author(run), *_checkpoints(run))


def witness_fork(by: Party = BUYER) -> WitnessFork:
    """Give two checkpoints of one size that a witness cosigned."""
    texts = [checkpoint.read(each)[0].text for each in _checkpoints(RUN)]
    notes = sorted(note.assemble(text, [by.cosign(text, 1_795_000_000)]) for text in texts)
    return WitnessFork(by.root.id, notes[0], notes[1])


def rewrite(index: int = 2, is_changed: bool = True) -> Rewrite:
    """Give two journals of a run, of 5 and 9 heads, in which one head differs."""
    heads = [feed.Head(seed("a feed"), number + 1, seed(f"head {number}")) for number in range(9)]
    others = list(heads)
    if is_changed:
        others[index] = feed.Head(seed("a feed"), index + 1, seed("rewritten"))
    first, one = _journal(heads[:5], index)
    second, other = _journal(others, index)
    return Rewrite(author(), first, second, (one, other))


def _journal(heads: list[feed.Head], index: int) -> tuple[bytes, Entry]:
    leaves = [journal.leaf(each) for each in heads]
    served = merkle.subtrees_of(leaves)
    signed = checkpoint.sign(RUN.key, len(heads), merkle.frontier(len(heads), served).root())
    return signed, Entry(index, heads[index], merkle.inclusion(index, len(heads), served))


def _payloads() -> tuple[bytes, bytes]:
    """Give two rosters that may follow the one known, of one number and attempt."""
    rows = [each.organisation for each in (MAKER, BUYER)]
    found = [roster.compose_next(ROSTER, [*rows, each.organisation]) for each in (NEWCOMER, OTHER)]
    return found[0], found[1]


def signed_twice(by: Party = MAKER, whose: Party = MAKER) -> RosterTwice:
    """Give two rosters of one number, signed by one root."""
    one, other = ((each, roster.sign(by.root, each)) for each in _payloads())
    return evidence.roster_twice(whose.root.id, one, other)


def _good() -> dict[str, bytes]:
    one = chain(RUN, GROUP, 4)
    other = after(RUN, after(RUN, one[1].feed, 77).feed, 78)
    geneses = [_genesis(number) for number in (0, 1)]
    said: dict[str, Evidence] = {
        "one number, two records": forked(),
        "a record that follows another": evidence.record_fork(
            author(), parsed(one[2]), parsed(other)
        ),
        "two geneses": evidence.record_fork(author(), *map(parsed, geneses)),
        "a clear body that was not committed to": wrong_body(),
        "a sealed body that was not committed to": wrong_body(is_sealed=True),
        "a root that signed two rosters of one number": signed_twice(),
        "a run that signed two journals of one size": journal_fork(),
        "a journal in which a head was rewritten": rewrite(),
        "a witness that cosigned two journals of one size": witness_fork(),
    }
    return {name: evidence.encode(each) for name, each in said.items()}


def _genesis(number: int) -> Written:
    origin = Origin((), feed.View(ROSTER.hash))
    return RUN.begin(GROUP.id, origin, moment(number), seed(f"salt {number}"))


def _bad() -> dict[str, bytes]:
    whole, mine = evidence.encode(forked()), _mine(RUN)
    return {
        "nothing": b"",
        "cut": whole[:-1],
        "a byte more": whole + b"\x00",
        "a bit of a signature flipped": whole[:-1] + bytes([whole[-1] ^ 1]),
        "more than 48,000 bytes": cbor.encode([0, mine, bytes(48_000), forked().second]),
        **{
            name: cbor.encode(each)
            for name, each in (
                _misshapen() | _no_fork() | _right_bodies() | _right_rosters() | _right_journals()
            ).items()
        },
    }


def _mine(run: Run) -> list[bytes]:
    return [author(run).node, author(run).run]


def _misshapen() -> dict[str, object]:
    fork, body, mine = forked(), wrong_body(), _mine(RUN)
    payload = signed_twice().first[0]
    return {
        "an unknown kind": [9, mine, fork.first, fork.second],
        "a field more": [0, mine, fork.first, fork.second, None],
        "no certificates": [0, [], fork.first, fork.second],
        "a record of 2,049 bytes": [0, mine, bytes(2049), fork.second],
        "a body of 40,961 bytes": [5, mine, body.record, bytes(40_961), None],
        "a key of 31 bytes": [5, mine, body.record, body.body, bytes(31)],
        "a roster without signature": [4, MAKER.root.id, [payload], [payload]],
    }


def _no_fork() -> dict[str, object]:
    fork, mine, again = forked(), _mine(RUN), run_of(MAKER, 1)
    one = chain(RUN, GROUP, 5)
    elsewhere, other_run = chain(RUN, ELSEWHERE, 3), chain(again, GROUP, 3)
    not_certified = [mine[0], run_of(BUYER).credentials.run.encoded]
    return {
        "one record twice": [0, mine, fork.first, fork.first],
        "the later one first": [0, mine, fork.second, fork.first],
        "two records of one history": [0, mine, one[2].encoded, one[3].encoded],
        "two records far apart": [0, mine, one[1].encoded, one[3].encoded],
        "of two groups": [0, mine, *sorted((one[2].encoded, elsewhere[2].encoded))],
        "of two runs of one node": [0, mine, *sorted((one[2].encoded, other_run[2].encoded))],
        "by the node's other run": [0, _mine(again), fork.first, fork.second],
        "by a run that its node did not certify": [0, not_certified, fork.first, fork.second],
        "by a stranger": _of(forked(run_of(STRANGER))),
        "of a feed that is not its run's": [0, mine, *_misplaced()],
    }


def _right_bodies() -> dict[str, object]:
    mine, clear, sealed = _mine(RUN), wrong_body(), wrong_body(is_sealed=True)
    right = chain(RUN, GROUP, 2)[1]
    return {
        "a body that was committed to": [5, mine, right.encoded, right.body, None],
        "a body that is another's": [5, mine, right.encoded, clear.body, None],
        "a sealed body without its key": [5, mine, sealed.record, sealed.body, None],
        "a sealed body with another key": [5, mine, sealed.record, sealed.body, bytes(32)],
        "a clear body with a key": [5, mine, clear.record, clear.body, bytes(32)],
    }


def _right_rosters() -> dict[str, object]:
    said, root = signed_twice(), MAKER.root.id
    rows = [each.organisation for each in (MAKER, BUYER, OTHER)]
    later = roster.compose_next(ROSTER, rows, attempt=1)
    grown = admitted(ROSTER, NEWCOMER, by=(MAKER, BUYER))
    beyond = roster.compose_next(grown, rows[:2])
    first = [roster.compose(name, [MAKER.organisation]) for name in ("one", "two")]
    return {
        "one roster twice": [4, root, [*said.first], [*said.first]],
        "rosters not in order": [4, root, [*said.second], [*said.first]],
        "rosters of two attempts": _twice(said.first[0], later),
        "a roster after one that is not known": _twice(said.first[0], beyond),
        "two first rosters": _twice(*first),
        "rosters signed by another root": _of(signed_twice(BUYER, MAKER)),
        "rosters of an organisation that is in none": _of(signed_twice(STRANGER, STRANGER)),
    }


def _right_journals() -> dict[str, object]:
    mine, (one, other), changed = _mine(RUN), _checkpoints(RUN), rewrite()
    grown, cosigned = _checkpoints(RUN, (5, 6)), witness_fork()
    rows = cbor.decode(evidence.encode(changed), evidence.EVIDENCE_BYTES_MAX)
    assert isinstance(rows, list)
    elsewhere = [rows[-1][0] + 1, *rows[-1][1:]]
    return {
        "one checkpoint twice": [1, mine, one, one],
        "checkpoints not in order": [1, mine, other, one],
        "checkpoints of two sizes": [1, mine, *grown],
        "checkpoints of another run": [1, _mine(run_of(MAKER, 1)), one, other],
        "a checkpoint of 16,385 bytes": [1, mine, bytes(16_385), other],
        "a kind that is false": [False, mine, forked().first, forked().second],
        "a kind that is true": [True, mine, one, other],
        "a journal that only grew": _of(rewrite(is_changed=False)),
        "leaves of two numbers": [*rows[:-1], elsewhere],
        "journals in the wrong order": [2, mine, rows[3], rows[2], rows[5], rows[4]],
        "a leaf under another journal": [*rows[:-2], rows[-1], rows[-2]],
        "a leaf without its path": [*rows[:-1], rows[-1][:2]],
        "checkpoints that nobody cosigned": [3, BUYER.root.id, one, other],
        "cosigned by another's witness": [3, MAKER.root.id, cosigned.first, cosigned.second],
        "cosigned by nobody's witness": [3, STRANGER.root.id, cosigned.first, cosigned.second],
        "one cosigned checkpoint twice": [3, BUYER.root.id, cosigned.first, cosigned.first],
    }


def _twice(one: bytes, other: bytes) -> object:
    said = [(each, roster.sign(MAKER.root, each)) for each in (one, other)]
    return _of(evidence.roster_twice(MAKER.root.id, *said))


def _of(said: Evidence) -> object:
    return cbor.decode(evidence.encode(said), evidence.EVIDENCE_BYTES_MAX)


def _misplaced() -> list[bytes]:
    """Give two records of one number that a run signed for a feed that is nobody's."""
    said = [Said(Kind.OBSERVATION, content, "text/plain") for content in (b"one", b"two")]
    place = Place(seed("a feed"), 3, seed("before"), GROUP.id)
    signed = [record.sign(RUN.key, place, each, moment(), seed("salt"))[0] for each in said]
    return sorted(signed)
