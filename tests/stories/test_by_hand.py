"""By hand: three organisations that never have a network after their pairing share a group.

Real agents, and the commands that people type, carry bundles there and back: too early, twice,
late, with a bit changed, and with the import killed as a power cut would, again and again. In the
end all hold the same, every outbox is empty under signed ACKs, and all of it verifies.
"""

import os
import random
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli import courier, place
from gateway.clock import random_bytes
from gateway.peers import enclosing
from gateway.peers.bundle import BYTES_MIN
from gateway.store import feeds, state
from gateway.sync import bundle, message
from gateway.sync.bundle import Binding, Entry, Head
from gateway.sync.message import Carried, Recs
from tests.agents import HULIAN
from tests.paired import pair, standing, until
from tests.sites import GROUP, Site

# As a story of its own it is told at length.
_AT_LENGTH = "STORY_FIGURES" in os.environ
_RECORDS, _ZONES = (6_000, 16) if _AT_LENGTH else (360, 64)
_KILLS, _SPOILT = (6, 4) if _AT_LENGTH else (1, 1)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[Site]]:
    """Give three sites that were paired, and end what still runs."""
    (tmp_path / "stick").mkdir()
    made = [Site(tmp_path, name) for name in ("acme", "best", "cast")]
    pair(*(each.agent for each in made))
    yield made
    for each in made:
        each.agent.end()


def killed(site: Site, file: Path, seed: int) -> int:
    """Import in a process that is killed as soon as it has stored a part; give what it stored."""
    before = sum(site.holds().values())
    line = [*HULIAN, "--config", str(site.agent.config), "import", "bundle", str(file)]
    wanted = before + random.Random(seed).randrange(1, _RECORDS // 2)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_s = time.monotonic() + 120
    while process.poll() is None and sum(site.holds().values()) < wanted:
        assert time.monotonic() < until_s
        time.sleep(0.005)
    process.kill()
    process.wait(30)
    return sum(site.holds().values()) - before


def spoilt(file: Path, seed: int) -> Path:
    """Give a copy of a file with one bit changed."""
    content = bytearray(file.read_bytes())
    bit = random.Random(seed).randrange(len(content) * 8)
    content[bit // 8] ^= 1 << bit % 8
    copy = file.with_name(f"spoilt-{seed}.hulian")
    copy.write_bytes(content)
    return copy


def joined(site: Site) -> None:
    """Wait until a running agent is in the group and has opened its own feed there."""
    until(site.agent, lambda: standing(site.agent, GROUP).get("members"))
    until(site.agent, lambda: len(site.holds()) > 1)


def began(sites: Sequence[Site]) -> None:
    """Found the group at one site and bring the others in by the stick alone, agents running."""
    acme, *others = sites
    for each in sites:
        each.agent.start()
    partners = [part for each in others for part in ("--with", each.name)]
    assert acme.type("group", "create", GROUP, *partners)[0] == 0
    until(acme.agent, lambda: standing(acme.agent, "consortium").get("members") == len(sites))
    first = acme.export("first.hulian")
    for each in others:
        each.take(*first)
        joined(each)
    for each in sites:
        each.agent.stop()


def settled(sites: Sequence[Site]) -> int:
    """Carry the stick round until nobody lacks anything; give how many bundles that took."""
    bundles = 0
    while sum(each.lacking(sites) for each in sites):
        assert bundles < 4 * len(sites), [each.lacking(sites) for each in sites]
        for one in sites:
            file = one.export(f"round-{bundles}.hulian")
            bundles += 1
            for other in (each for each in sites if each is not one):
                other.take(*file)
    return bundles


def lie(author: Site, victim: Site, out: Path) -> Path:
    """Write a whole bundle, signed by its author's run, with a record that its author changed."""
    held, to = state.load(author.agent.state_dir), state.load(victim.agent.state_dir).node_id
    group = held.groups[GROUP]
    with courier.acting() as act, author.read() as db:
        greeted = act("bundle.greet", nodes=[to.hex()], groups=[group.id.hex()])["letters"]
        entries = [Entry(bytes.fromhex(n) if n else None, b64decode(e)) for n, e in greeted]
        head = max(feeds.heads(db, group.id), key=lambda each: each.size)
        held_here = feeds.slice_of(db, head.feed, 0, 8, 40_000)
        rows = [Carried(each.encoded, each.body) for each in held_here]
        changed = bytes((rows[-1].record[-1] ^ 1,))
        rows[-1] = replace(rows[-1], record=rows[-1].record[:-1] + changed)
        said = message.encode(Recs(head.feed, 0, tuple(rows)))
        entries.append(Entry(None, enclosing.enclose(group, said, random_bytes(24))))
        binding = Binding()
        written = [binding.head(Head(random_bytes(16), held.node_id, (to,)))]
        written += [binding.entry(each) for each in entries]
        digest = binding.close(False).digest.hex()
        trailer = act("bundle.sign", count=len(entries), digests=[digest])["trailer"]
    out.write_bytes(b"".join([*written, bundle.enclose(b64decode(trailer))]))
    return out


@pytest.mark.timeout(900)
def test_sites_without_a_network_come_to_hold_the_same(
    sites: list[Site], figures: Callable[..., None]
) -> None:
    """Bundles lost, spoilt, killed, repeated and in any order: all converge under signed ACKs."""
    acme, best, cast = sites
    began(sites)
    started = time.monotonic()
    acme.say(_RECORDS, _ZONES)
    whole = acme.export("whole.hulian", "--for", "best")
    parts = acme.export(
        "parts.hulian",
        "--for",
        "cast",
        "--max-bytes",
        str(max(BYTES_MIN, whole[0].stat().st_size // 3)),
    )
    assert len(parts) > 1 and len(whole) == 1
    codes = {best.refused(spoilt(whole[0], seed)) for seed in range(_SPOILT)}
    assert codes <= {"bundle.damaged", "bundle.refused"}
    assert cast.refused(whole[0]) == "bundle.not-for-us"
    status, early, _ = cast.type("import", "bundle", str(parts[1]))
    assert (status, early["left"].keys(), early["records"]) == (1, {"bundle.gap"}, 0)
    assert cast.take(*parts) >= _RECORDS

    place.choose(acme.agent.config)
    lied = lie(acme, best, acme.stick / "lie.hulian")
    assert best.refused(lied) == "bundle.refused"

    stored = [killed(best, whole[0], seed) for seed in range(_KILLS)]
    assert any(0 < each < _RECORDS for each in stored), stored
    before = sum(best.holds().values())
    best.take(*whole)
    assert sum(best.holds().values()) - before + sum(stored) >= _RECORDS
    assert best.take(*whole) == 0

    best.say(200, _ZONES)
    best.agent.start()  # From here on it is the running agent that signs and takes in.
    answer = best.export("answer.hulian")
    assert acme.take(*answer) >= 200
    assert acme.lacking([best]) == 0
    best.agent.stop()
    rounds = settled(sites)
    seconds = time.monotonic() - started

    assert best.take(*whole) == 0
    assert acme.holds() == best.holds() == cast.holds()
    for each in sites:
        status, facts, said = each.type("verify", "--all")
        assert status == 0 and facts["invalid"] == 0 and facts["checked"] > _RECORDS, said
    figures(
        sites=len(sites),
        records=sum(acme.holds().values()),
        bytes_carried=sum(each.carried for each in sites),
        refused=_SPOILT + 2,
        kills=_KILLS,
        rounds_of_bundles=rounds,
        seconds=round(seconds, 1),
    )
