"""Long bodies carried by hand: in pieces, checked whole before anything is stored, and signed for.

The first test of all is the one that people care about: a file there, a file back, nothing owed.
"""

import os
import tracemalloc
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from gateway.cli import courier, place
from gateway.clock import random_bytes
from gateway.peers import bundle as files, enclosing
from gateway.peers.bundle import BYTES_MIN
from gateway.store import bodies, carried, state
from gateway.store.carried import Wanted
from gateway.sync import bundle, envelope, message
from gateway.sync.bundle import Binding, Entry, Head
from gateway.sync.message import PIECE_BYTES, Body
from tests.agents import introduce
from tests.sites import GROUP, Site

SIZE = 1024 * 1024


def _sites(folder: Path) -> tuple[Site, Site]:
    (folder / "stick").mkdir()
    maker, buyer = Site(folder, "maker"), Site(folder, "buyer")
    introduce(maker.agent, buyer.agent, name=GROUP)
    buyer.say(1, 1)  # It has opened its feed.
    return maker, buyer


def _owed(site: Site) -> int:
    with site.read() as db:
        return bodies.count_owed(db)


def _pieces(site: Site) -> int:
    with site.read() as db:
        return int(db.execute("SELECT count(*) FROM pieces").get)


def test_a_long_body_is_carried_and_the_ack_of_it_comes_back(tmp_path: Path) -> None:
    """Nothing is owed after one file; the file that goes back lets go of all; then none goes."""
    maker, buyer = _sites(tmp_path)
    names = [maker.attach(os.urandom(size)) for size in (SIZE, 10, PIECE_BYTES + 1)]
    (there,) = maker.export("there.hulian")
    assert SIZE < there.stat().st_size < SIZE + 4 * PIECE_BYTES
    status, facts, said = buyer.type("import", "bundle", str(there))
    assert (status, facts["bodies"], facts["owed"], facts["left"]) == (0, 2, 0, {}), said
    assert [buyer.body(name) for name in names] == [maker.body(name) for name in names]
    assert (_owed(buyer), _pieces(buyer)) == (0, 0)
    assert maker.lacking([buyer]) > 0
    maker.take(*buyer.export("back.hulian"))
    assert maker.lacking([buyer]) == 0
    (again,) = maker.export("again.hulian")
    assert again.stat().st_size < PIECE_BYTES
    status, facts, _ = buyer.type("import", "bundle", str(there))
    assert (status, facts["records"], facts["bodies"], facts["left"]) == (0, 0, 0, {})
    assert buyer.type("verify", "--all")[0] == 0


def test_a_body_goes_over_parts_and_what_is_had_was_kept(tmp_path: Path) -> None:
    """A part too early is told as a gap; in order they make the body, whatever a link had given."""
    maker, buyer = _sites(tmp_path)
    name = maker.attach(os.urandom(SIZE))
    parts = maker.export("part.hulian", "--max-bytes", str(BYTES_MIN))
    assert len(parts) > 4
    status, early, _ = buyer.type("import", "bundle", str(parts[1]))
    assert (status, early["left"], early["records"]) == (1, {"bundle.gap": 1}, 0)
    buyer.take(*parts[:2])
    assert _pieces(buyer) > 5 and _owed(buyer) == 1
    status, early, _ = buyer.type("import", "bundle", str(parts[3]))
    assert (status, early["left"]) == (1, {"bundle.gap": 1})
    had = _pieces(buyer)
    buyer.take(parts[1])
    assert _pieces(buyer) == had
    with closing(buyer.write()) as db:  # As of a liar over a link, which only the whole shows.
        db.execute("UPDATE pieces SET piece = zeroblob(length(piece)) WHERE number = 1")
    buyer.take(*parts)
    assert buyer.body(name) == maker.body(name) and (_owed(buyer), _pieces(buyer)) == (0, 0)
    maker.take(*buyer.export("back.hulian"))
    assert maker.lacking([buyer]) == 0


Change = Callable[[list[Body]], Sequence[Body]]
WRONG: dict[str, Change] = {
    "a changed bit": lambda said: [
        *said[:3],
        Body(said[3].hash, said[3].offset, _bit(said[3].piece)),
        *said[4:],
    ],
    "one left out": lambda said: [*said[:3], *said[4:]],
    "two in the other order": lambda said: [*said[:3], said[4], said[3], *said[5:]],
    "one twice": lambda said: [*said[:3], said[3], *said[3:]],
    "the last one missing": lambda said: said[:-1],
    "one cut short": lambda said: [
        *said[:-1],
        Body(said[-1].hash, said[-1].offset, said[-1].piece[1:]),
    ],
}


def _bit(piece: bytes) -> bytes:
    return piece[:-1] + bytes((piece[-1] ^ 1,))


def _signed(author: Site, victim: Site, change: Change) -> Path:
    """Write a whole bundle, signed by its author's run, with other pieces than its body has."""
    held, to = state.load(author.agent.state_dir), state.load(victim.agent.state_dir).node_id
    group, out = held.groups[GROUP], author.stick / "wrong.hulian"
    place.choose(author.agent.config)
    with courier.acting() as act, author.read() as db:
        greeted = act("bundle.greet", nodes=[to.hex()], groups=[group.id.hex()])["letters"]
        entries = [Entry(bytes.fromhex(n) if n else None, b64decode(e)) for n, e in greeted]
        spans = carried.spans(db, group.id, [to], Wanted())
        pieces: list[Body] = []
        rows = (row for span in spans for row in files.records(db, group, span, random_bytes))
        for _, entry in rows:
            said = message.decode(enclosing.opened(group, envelope.decode(entry.envelope)))
            if isinstance(said, Body):
                pieces.append(said)
            else:
                entries.append(entry)
        for each in change(pieces):
            payload = enclosing.enclose(group, message.encode(each), random_bytes(24))
            entries.append(Entry(None, payload))
        binding = Binding()
        written = [binding.head(Head(random_bytes(16), held.node_id, (to,)))]
        written += [binding.entry(each) for each in entries]
        digest = binding.close(False).digest.hex()
        trailer = act("bundle.sign", count=len(entries), digests=[digest])["trailer"]
    out.write_bytes(b"".join([*written, bundle.enclose(b64decode(trailer))]))
    return out


def test_pieces_that_make_another_body_are_refused_before_anything_is_stored(
    tmp_path: Path,
) -> None:
    """Whoever signed the file: it is looked through first; and as it was said, it is taken."""
    maker, buyer = _sites(tmp_path)
    maker.attach(os.urandom(10 * PIECE_BYTES))
    for name, change in WRONG.items():
        assert buyer.refused(_signed(maker, buyer, change)) == "bundle.refused", name
        assert (_owed(buyer), _pieces(buyer)) == (0, 0), name
    lacking = _signed(maker, buyer, lambda said: said[1:3])
    status, facts, _ = buyer.type("import", "bundle", str(lacking))
    assert (status, facts["left"], _owed(buyer)) == (1, {"bundle.gap": 1}, 1)
    buyer.take(_signed(maker, buyer, lambda said: said))
    assert _owed(buyer) == 0


def test_a_long_body_is_looked_through_in_bounded_memory(tmp_path: Path) -> None:
    """Eight megabytes cost the reader some elements, and the writer too."""
    maker, buyer = _sites(tmp_path)
    maker.attach(bytes(8 * SIZE))
    (file,) = maker.export("large.hulian")
    assert file.stat().st_size > 8 * SIZE
    place.choose(buyer.agent.config)
    held, db = place.opened()
    with closing(db), files.opened(file) as opened:
        tracemalloc.start()
        _, found = courier.examine(opened, db, held)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.bodies == 1 and peak < 2 * 1024 * 1024
