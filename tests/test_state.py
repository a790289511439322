"""The state directory: keys, certificates, roster, group files."""

import random
from pathlib import Path

import pytest

from gateway.errors import (
    StateDamaged,
    StateError,
    StateExists,
    StateMissing,
    StateOpen,
    WrongPassphrase,
)
from gateway.records import cbor, identity, run
from gateway.store import state
from gateway.store.state import Names, State

PASSPHRASE = "correct horse battery staple"


def _made(folder: Path, seed: int = 1) -> State:
    draw = random.Random(seed).randbytes
    return state.create(
        folder / "state", Names("press-shop", "Alpha"), draw, 1_790_000_000, PASSPHRASE
    )


def test_what_was_created_is_loaded_again(tmp_path: Path) -> None:
    """A state loaded from its directory is the one that was created there."""
    made = _made(tmp_path)
    again = state.load(tmp_path / "state")
    assert again.node_key.public == made.node_key.public
    assert (again.node, again.encryption, again.roster) == (made.node, made.encryption, made.roster)
    assert again.roster.organisation(again.organisation).name == "Alpha"
    assert identity.decode(again.node, "node").name == "press-shop"
    assert again.groups == {}


def test_secrets_are_their_owners_alone(tmp_path: Path) -> None:
    """Nobody else may read any file of the state directory, and one that others may is refused."""
    made = _made(tmp_path)
    files = [path for path in made.path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    (made.path / "keys" / "node.key").chmod(0o640)
    with pytest.raises(StateOpen):
        state.load(made.path)


def test_a_gateway_is_never_overwritten(tmp_path: Path) -> None:
    """Creating where there is a gateway raises, and changes nothing."""
    made = _made(tmp_path)
    with pytest.raises(StateExists):
        _made(tmp_path, seed=2)
    assert state.load(made.path).node == made.node


def test_an_empty_directory_says_what_to_type(tmp_path: Path) -> None:
    """Where nobody has initialised, loading names the command that does."""
    with pytest.raises(StateMissing) as fault:
        state.load(tmp_path)
    assert "hulian init" in fault.value.next


def test_the_organisation_keys_open_under_the_passphrase_only(tmp_path: Path) -> None:
    """Root and archive keys are stored encrypted: only the passphrase opens them."""
    made = _made(tmp_path)
    organisation = made.roster.organisation(made.organisation)
    assert state.root_key(made.path, PASSPHRASE).public == organisation.root
    assert state.archive_key(made.path, PASSPHRASE).public == organisation.archive
    with pytest.raises(WrongPassphrase):
        state.root_key(made.path, "another")
    seed = random.Random(1).randbytes(32)
    assert seed not in (made.path / "organisation" / "root.key").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "keys/encryption.key",
        "certificates/node.cbor",
        "certificates/encryption.cbor",
        "organisation/roster.cbor",
    ],
)
def test_any_damage_is_noticed(tmp_path: Path, name: str) -> None:
    """A file that is changed in one bit, cut short, or gone is an error of the state, no other."""
    made = _made(tmp_path)
    path = made.path / name
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 16,)) + whole[at + 1 :])
        with pytest.raises(StateError):
            state.load(made.path)
        path.write_bytes(whole[:at])
        with pytest.raises(StateError):
            state.load(made.path)
    path.unlink()
    with pytest.raises(StateDamaged):
        state.load(made.path)


def test_the_own_group_is_founded_once(tmp_path: Path) -> None:
    """A second run takes part in the group that the first one founded."""
    draw = random.Random(3).randbytes
    made = _made(tmp_path)
    first = run.start(made.node_key, made.node, made.encryption, draw(32))
    own = state.own_group(made, first, draw)
    again = state.load(made.path)
    second = run.start(again.node_key, again.node, again.encryption, draw(32))
    assert state.own_group(again, second, draw) == own
    assert again.groups == {"own": own}
    assert (own.founding.clear, len(own.founding.members), len(own.secret)) == (True, 1, 32)


def test_a_damaged_group_file_is_refused(tmp_path: Path) -> None:
    """A group file that does not verify is damage, not a smaller number of groups."""
    draw = random.Random(3).randbytes
    made = _made(tmp_path)
    state.own_group(made, run.start(made.node_key, made.node, made.encryption, draw(32)), draw)
    path = made.path / "groups" / "own.cbor"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StateDamaged):
        state.load(made.path)


def test_a_key_file_that_would_exhaust_the_gateway_is_refused(tmp_path: Path) -> None:
    """What a passphrase costs to try is in the file, and has a limit; other nonsense is damage."""
    made = _made(tmp_path)
    path = made.path / "organisation" / "root.key"
    said = cbor.decode(path.read_bytes(), 1024)
    assert isinstance(said, dict)
    for key, value in ((2, 1 << 40), (3, 1 << 50), (2, 0), (3, -1), (4, "x"), (0, 2), (1, None)):
        path.write_bytes(cbor.encode(said | {key: value}))
        with pytest.raises(StateDamaged):
            state.root_key(made.path, PASSPHRASE)
    path.write_bytes(cbor.encode(said | {4: b"short"}))
    with pytest.raises(WrongPassphrase):
        state.root_key(made.path, PASSPHRASE)
