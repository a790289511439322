"""The commands of pairing where no broker is needed: what is refused, and that nothing changes."""

import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.groups import pairing
from gateway.groups.pairing import Address, Invited
from gateway.store import pairing as kept_pairing
from tests.holding import Holding


class Desk:
    """Somebody at a gateway whose config has no link."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.held = Holding(folder)
        self.config, self._capture = folder / "gateway.toml", capture
        self.state_dir = folder / "state"
        told = f'[gateway]\nname = "press-shop"\nstate_dir = "{self.state_dir}"\n'
        self.config.write_text(told)

    def type(self, *command: str) -> tuple[int, str, str]:
        """Type a command; give its status, what it printed and its errors."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(self.config), *command])
        out, error = self._capture.readouterr()
        return int(ended.value.code or 0), out, error


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    """Give somebody who reads English."""
    monkeypatch.setenv("HULIAN_LANG", "en")
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize("what", ["consortium", "node"])
def test_without_a_link_nobody_is_invited_and_nothing_is_kept(desk: Desk, what: str) -> None:
    """An invitation that nobody could find is not made."""
    status, _, error = desk.type(what, "invite")
    assert (status, "pairing.link" in error) == (2, True)
    assert kept_pairing.load(desk.state_dir).invitations == ()


def test_who_is_alone_sees_its_own_fingerprint(desk: Desk) -> None:
    """Without a partner there is one member, no link is needed, and words and digits are shown."""
    status, out, _ = desk.type("consortium", "show", "--json")
    (alone,) = json.loads(out)["consortia"]
    assert (status, alone["roster"], alone["quorum"], alone["pending"]) == (0, 0, 1, [])
    (member,) = alone["members"]
    assert member["own"] and len(member["fingerprint"]["words"].split()) == 12
    assert member["fingerprint"]["digits"] in desk.type("consortium", "show")[1]


def test_words_are_in_the_readers_language(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Chinese the fingerprint has twelve Chinese words, and the same digits."""
    english = desk.type("consortium", "show")[1].splitlines()
    monkeypatch.setenv("HULIAN_LANG", "zh")
    chinese = desk.type("consortium", "show")[1].splitlines()
    differing = [line for line in chinese if line not in english]
    assert any(len(line.split()) == 12 and not line.isascii() for line in differing)
    assert [line for line in english if line.strip().replace(" ", "").isdigit()] == [
        line for line in chinese if line.strip().replace(" ", "").isdigit()
    ]


def test_commands_say_what_cannot_be(desk: Desk) -> None:
    """Unknown names, a gateway's address, and a mistyped one are refused by their codes."""
    node = pairing.encode_address(Address(Invited.NODE, bytes(16), bytes(8)))
    for command, code in (
        (("consortium", "join"), "pairing.nothing"),
        (("consortium", "join", "hulian:1:AAAA"), "pairing.address"),
        (("consortium", "join", node), "pairing.other"),
        (("consortium", "approve", "Nobody"), "pairing.nobody"),
        (("consortium", "expel", "Nobody"), "consortium.nobody"),
        (("consortium", "approve", "x", "--consortium", "Pumps"), "consortium.unknown"),
        (("node", "admit", "mill"), "pairing.nobody"),
        (("node", "revoke", "mill"), "consortium.nobody"),
    ):
        status, _, error = desk.type(*command)
        assert (status, f"[{code}]" in error) == (2, True), error


def test_gateways_are_listed_without_a_link(desk: Desk) -> None:
    """An organisation of one gateway lists it."""
    status, out, _ = desk.type("node", "list", "--json")
    (own,) = json.loads(out)["nodes"]
    assert (status, own["own"], own["revoked"]) == (0, True, False)
