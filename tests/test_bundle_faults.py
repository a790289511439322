"""What goes wrong while a bundle is taken in: no room on the disk, the agent killed; then again."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store import bodies
from tests.agents import introduce
from tests.sites import GROUP, Site

SIZE = 3 * 1024 * 1024
_PATIENCE_S = 60


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[Site]]:
    """Give two sites, the second of which has only a small disk: a real one to the kernel."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    for name in ("stick", "small"):
        (tmp_path / name).mkdir()
    disk = tmp_path / "small"
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk), check=True)
    (disk / "stick").mkdir()
    made = [Site(tmp_path, "maker"), Site(disk, "buyer")]
    introduce(*(each.agent for each in made), name=GROUP)
    yield made
    for each in made:
        each.agent.end()
    subprocess.run(("umount", "-l", disk), check=True)


def _filled(maker: Site, buyer: Site) -> tuple[bytes, Path]:
    """Write records and a body that is longer than the disk; carry them."""
    buyer.say(1, 1)
    maker.say(50, 8)
    name = maker.attach(os.urandom(SIZE))
    maker.say(50, 8)
    (file,) = maker.export("there.hulian")
    return name, file


def _grow(site: Site) -> None:
    folder = site.stick.parent
    subprocess.run(("mount", "-o", "remount,size=60m", folder), check=True)


def _whole(maker: Site, buyer: Site, name: bytes) -> None:
    """See that the buyer holds all, once, and that what it signs lets go of all."""
    assert buyer.body(name) == maker.body(name)
    held = maker.holds()
    assert {feed: size for feed, size in buyer.holds().items() if feed in held} == held
    with buyer.read() as db:
        assert bodies.count_owed(db) == 0
        assert db.execute("SELECT count(*) FROM pieces").get == 0
        assert db.execute("SELECT count(*) - count(DISTINCT id) FROM records").get == 0
    assert buyer.type("verify", "--all")[0] == 0
    maker.take(*buyer.export("back.hulian"))
    assert maker.lacking([buyer]) == 0


def test_a_disk_that_fills_is_said_and_the_import_goes_on_with_room(sites: list[Site]) -> None:
    """It says store.full, signs for nothing that is not held, and is whole when done again."""
    maker, buyer = sites
    name, file = _filled(maker, buyer)
    for _ in range(2):
        status, _, said = buyer.type("import", "bundle", str(file))
        assert status != 0 and "[store.full]" in said
    assert buyer.body(name) is None
    _grow(buyer)
    assert buyer.type("verify", "--all")[0] == 0
    held = sum(buyer.holds().values())
    maker.take(*buyer.export("early.hulian"))
    assert maker.lacking([buyer]) >= sum(maker.holds().values()) - held
    assert maker.lacking([buyer]) > 0
    buyer.take(file)
    _whole(maker, buyer, name)


def test_an_agent_killed_while_it_takes_in_loses_and_doubles_nothing(sites: list[Site]) -> None:
    """The command says that the agent is gone; with the next agent the same file makes it whole."""
    maker, buyer = sites
    name, file = _filled(maker, buyer)
    _grow(buyer)
    buyer.agent.start()

    done: list[tuple[int, str]] = []

    def take() -> None:
        status, _, said = buyer.type("import", "bundle", str(file))
        done.append((status, said))

    taking = threading.Thread(target=take)
    taking.start()
    end_s = time.monotonic() + _PATIENCE_S
    while not _begun(buyer) and taking.is_alive():
        assert time.monotonic() < end_s, buyer.agent.log()
        time.sleep(0.002)
    buyer.agent.kill()
    taking.join(_PATIENCE_S)
    ((status, said),) = done
    assert status != 0 and said and buyer.body(name) is None
    buyer.agent.start()
    buyer.take(file)
    _whole(maker, buyer, name)
    assert buyer.take(file) == 0
    buyer.agent.stop()


def _begun(site: Site) -> bool:
    """Say whether a commit of the import is there."""
    with site.read() as db:
        return bool(db.execute("SELECT count(*) FROM pieces").get)
