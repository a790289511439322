"""A running gateway and a running witness: what a crashed run left is cosigned by the next."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.groups import admission
from gateway.records import roster
from gateway.store import database, state
from tests.agents import AgentProcess
from tests.witnessed import WitnessProcess

CONFIG = 'journal_s = {}\n[[witness]]\nname = "own"\nurl = "{}"\n'


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[AgentProcess, WitnessProcess]]:
    """Give a gateway whose roster names its organisation's witness; both are ended."""
    agent = AgentProcess(tmp_path, "press-shop", "")
    held = state.load(agent.state_dir)
    consortium = held.roster.consortium
    witness = WitnessProcess(tmp_path / "witness", held.organisation, [consortium])
    root = state.root_key(agent.state_dir, "pass")
    payload = admission.naming_witness(held.roster, held.organisation, witness.public, 0)
    signed = roster.assemble(payload, [roster.sign(root, payload)])
    state.keep_roster(agent.state_dir, roster.decode_next(signed, held.roster))
    yield agent, witness
    agent.end()
    if witness.process is not None:
        witness.kill()


def _configure(agent: AgentProcess, witness: WitnessProcess, journal_s: int) -> None:
    before = agent.config.read_text("utf-8").split("journal_s")[0]
    agent.config.write_text(before + CONFIG.format(journal_s, witness.url), "utf-8")


def _feeds(agent: AgentProcess) -> list[tuple[int, int]]:
    """Give of each feed how far it goes, and up to where it is cosigned."""
    read = database.connect_to_read(str(agent.state_dir / "store.db"))
    try:
        return list(
            read.execute(
                "SELECT h.size, coalesce(s.cosigned, 0) FROM heads h"
                " LEFT JOIN standing s ON s.feed = h.feed ORDER BY h.feed"
            )
        )
    finally:
        read.close()


def _until(holds: Callable[[], bool], agent: AgentProcess) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, (_feeds(agent), agent.stands(), agent.log())
        time.sleep(0.1)


def test_what_a_crash_cut_off_is_cosigned_by_the_next_run(
    both: tuple[AgentProcess, WitnessProcess],
) -> None:
    """A run that was killed before its journal grew leaves nothing that witnesses never see."""
    agent, witness = both
    witness.start()
    _configure(agent, witness, 3_600)
    agent.start()
    _until(lambda: bool(_feeds(agent)), agent)
    agent.kill()
    ((size, cosigned),) = _feeds(agent)
    assert (size > 0, cosigned) == (True, 0)
    _configure(agent, witness, 1)
    agent.start()
    _until(lambda: all(a == b for a, b in _feeds(agent)), agent)
    (own,) = agent.stands()["witnesses"]
    assert own["name"] == "own"
