"""A gateway that joins its organisation: keys first, certificate later, the root elsewhere."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.errors import (
    AuthorError,
    GatewayError,
    MalformedCertificate,
    RootElsewhere,
    StateDamaged,
    StateExists,
    StateMissing,
    StateUnfinished,
)
from gateway.records import identity, request, roster, run
from gateway.records.identity import Named
from gateway.records.request import NodeRequest
from gateway.store import consortium, folder, signing, state
from gateway.store.state import Names, State
from tests.people import party, roster_of

PASSPHRASE = "correct horse battery staple"
ISSUED_S = 1_790_000_000


def office(path: Path, seed: int = 1) -> Path:
    """Make the organisation's keys on a machine that is no gateway."""
    state.create_organisation(path, "Alpha", random.Random(seed).randbytes, PASSPHRASE)
    return path


def admitted(keys: Path, gateway: Path, seed: int = 5) -> State:
    """Have a gateway ask, the root sign, and the gateway be complete."""
    asked = state.prepare_node(gateway, "press-shop", random.Random(seed).randbytes)
    wanted = request.decode(asked)
    root = state.root_key(keys, PASSPHRASE)
    certificate, *rosters = signing.answer(keys, root, wanted, ISSUED_S).signed
    return state.complete_node(gateway, certificate, rosters)


def test_a_gateway_runs_without_its_organisations_root(tmp_path: Path) -> None:
    """With the root on another machine it loads and founds its group; only signing is refused."""
    held = admitted(office(tmp_path / "keys"), tmp_path / "gateway")
    draw = random.Random(3).randbytes
    assert identity.decode(held.node, "node").name == "press-shop"
    assert state.load(held.path).roster.organisation(held.organisation).name == "Alpha"
    started = run.start(held.node_key, held.node, held.encryption, draw(32))
    assert state.own_group(held, started, draw).roster == held.roster
    assert (state.has_root(held.path), state.has_root(tmp_path / "keys")) == (False, True)
    for key in (state.root_key, state.archive_key):
        with pytest.raises(RootElsewhere) as fault:
            key(held.path, PASSPHRASE)
        assert "org sign" in fault.value.next


def test_a_request_is_the_same_until_it_is_answered(tmp_path: Path) -> None:
    """Asked again, after any restart, the same keys ask; until the answer nothing can start."""
    draw = random.Random(5).randbytes
    first = state.prepare_node(tmp_path / "gateway", "press-shop", draw)
    assert state.prepare_node(tmp_path / "gateway", "press-shop", draw) == first
    wanted = request.decode(first)
    assert isinstance(wanted, NodeRequest) and wanted.name == "press-shop"
    with pytest.raises(StateUnfinished):
        state.load(tmp_path / "gateway")
    with pytest.raises(StateExists):
        state.create(tmp_path / "gateway", Names("a", "b"), draw, None, PASSPHRASE)


def test_an_answer_to_another_gateway_changes_nothing(tmp_path: Path) -> None:
    """A certificate of another key, of another organisation, or no rosters, is refused whole."""
    keys, gateway = office(tmp_path / "keys"), tmp_path / "gateway"
    state.prepare_node(gateway, "press-shop", random.Random(5).randbytes)
    other = admitted(keys, tmp_path / "other", seed=6)
    before = sorted((path, path.read_bytes()) for path in gateway.rglob("*") if path.is_file())
    asked = request.decode(state.prepare_node(gateway, "press-shop", random.Random(5).randbytes))
    assert isinstance(asked, NodeRequest)
    foreign = party("stranger")
    ids = (foreign.root.id, asked.node)
    forged = identity.issue_node(foreign.root, ids, asked.public, 1, Named("press-shop"))
    rosters = [other.roster.encoded]
    cases = [(other.node, rosters), (forged, rosters), (forged, []), (b"", rosters)]
    for certificate, given in cases:
        with pytest.raises(AuthorError):
            state.complete_node(gateway, certificate, given)
    after = sorted((path, path.read_bytes()) for path in gateway.rglob("*") if path.is_file())
    assert after == before
    with pytest.raises(StateMissing):
        state.complete_node(tmp_path / "nothing", other.node, rosters)
    with pytest.raises(StateExists):
        state.complete_node(other.path, other.node, rosters)


@pytest.mark.parametrize("allowed", range(4))
def test_completing_can_be_interrupted_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """Whatever file was the last one written, the same answer given again completes it."""
    keys, gateway = office(tmp_path / "keys"), tmp_path / "gateway"
    wanted = request.decode(state.prepare_node(gateway, "n", random.Random(5).randbytes))
    root = state.root_key(keys, PASSPHRASE)
    certificate, *rosters = signing.answer(keys, root, wanted, ISSUED_S).signed
    real, left = folder.keep, [allowed]

    def stop(path: Path, content: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(path, content)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(folder, "keep", stop)
        state.complete_node(gateway, certificate, rosters)
    if left[0] < 0:  # it needed more files than it was allowed to write
        with pytest.raises(StateUnfinished):
            state.load(gateway)
        state.complete_node(gateway, certificate, rosters)
    assert (left[0] < 0) == (allowed < 2)
    assert state.load(gateway).node == certificate


def test_a_root_that_was_renewed_certifies_the_next_gateway(tmp_path: Path) -> None:
    """The answer carries the organisation's own rosters, under the newest of which it verifies."""
    keys = office(tmp_path / "keys")
    old, renewed = state.root_key(keys, PASSPHRASE), party("renewed").root
    first = consortium.own_roster(keys)
    row = first.organisations[0]
    changed = roster.Organisation(row.id, row.name, renewed.public, row.archive)
    payload = roster.compose_next(first, [changed])
    signed = roster.assemble(payload, [roster.sign(each, payload) for each in (old, renewed)])
    second = roster.decode_next(signed, first)
    state.keep_roster(keys, second)
    gateway = tmp_path / "gateway"
    wanted = request.decode(state.prepare_node(gateway, "n", random.Random(5).randbytes))
    certificate, *rosters = signing.answer(keys, renewed, wanted, None).signed
    held = state.complete_node(gateway, certificate, rosters)
    assert held.newest(held.roster.hash) == second
    assert [each.number for each in held.chain(held.roster.hash)] == [0, 1]
    with pytest.raises(GatewayError):
        state.complete_node(gateway, certificate, rosters[:1])


def test_a_certificate_of_no_roster_here_is_damage(tmp_path: Path) -> None:
    """A gateway whose own roster was exchanged does not start."""
    held = admitted(office(tmp_path / "keys"), tmp_path / "gateway")
    foreign = roster_of(party("stranger")).encoded
    (held.path / "organisation" / "roster.cbor").write_bytes(foreign)
    with pytest.raises(StateDamaged):
        state.load(held.path)


def test_a_node_is_certified_under_its_own_id_only(tmp_path: Path) -> None:
    """What the root signs names the key that asked, and the organisation whose root it is."""
    keys = office(tmp_path / "keys")
    held = admitted(keys, tmp_path / "gateway")
    found = identity.decode(held.node, "node")
    assert found.subject == held.node_key.id
    assert found.issuer == signing.own(keys).id
    with pytest.raises(MalformedCertificate):
        identity.decode(held.node, "person")
