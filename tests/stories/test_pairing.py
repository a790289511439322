"""Pairing: organisations and gateways come together by an address and a telephone, nothing else.

The commands are the real ones, as processes, over a real broker; its operator listens to all of it.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import random_bytes
from gateway.groups import pairing
from gateway.groups.pairing import Address, Invited
from gateway.records import identity
from gateway.store import pairing as kept_pairing, state
from gateway.store.pairing import Invitation
from tests.broker import Broker
from tests.operator import Operator

_HULIAN = [sys.executable, "-m", "gateway.cli"]
_ENGLISH = {**os.environ, "HULIAN_LANG": "en"}
_LINK = '\n[[link]]\nname = "partners"\nurl = "{url}"\n'
_GUIDE = Path(__file__).parent.parent.parent / "docs" / "operations.md"


class Office:
    """Where somebody types commands: one gateway's config, and the passphrase on paper."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.name, self.folder = name, folder
        folder.mkdir()
        self.config, self.state_dir = folder / "gateway.toml", folder / "state"
        self.paper = folder / "passphrase"
        self._url = url

    def init(self) -> None:
        """Begin with an organisation of one's own."""
        options = ["--name", f"{self.folder.name}-gw", "--org", self.name]
        made = self.json("init", *options, "--state-dir", str(self.state_dir))
        self.paper.write_text(made["passphrase"] + "\n")
        self.config.write_text(self.config.read_text() + _LINK.format(url=self._url))

    def run(self, *command: str, said: str = "", **more: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.line(*command), capture_output=True, text=True, input=said, env=_ENGLISH, **more
        )

    def line(self, *command: str) -> list[str]:
        """Give a command as it is typed here."""
        return [*_HULIAN, "--config", str(self.config), *command]

    def json(self, *command: str, said: str = "") -> Any:
        """Run a command that must succeed, and read its facts."""
        done = self.run(*command, "--json", said=said)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def sign(self, *command: str) -> Any:
        """Run a command for which the root signs, its fingerprint confirmed."""
        return self.json(*command, "--yes", "--passphrase-file", str(self.paper))

    def refused(self, *command: str, said: str = "") -> str:
        """Run a command that cannot succeed, and give its code."""
        done = self.run(*command, said=said)
        assert done.returncode == 2, done.stdout + done.stderr
        found = re.search(r"\[([a-z.-]+)\]", done.stderr)
        assert found is not None and "Traceback" not in done.stderr, done.stderr
        return found[1]

    def invite(self, what: str = "consortium") -> str:
        """Make an invitation and give its address."""
        return str(self.json(what, "invite")["address"])

    def pending(self) -> list[dict[str, Any]]:
        """Give who waits in the consortium that has most members."""
        told = self.json("consortium", "show")["consortia"]
        rows: list[dict[str, Any]] = max(told, key=lambda it: len(it["members"]))["pending"]
        return rows

    def roster(self) -> tuple[str, list[str]]:
        """Give the hash and the members of the largest consortium."""
        told = self.json("consortium", "show")["consortia"]
        largest = max(told, key=lambda it: len(it["members"]))
        return largest["hash"], sorted(each["name"] for each in largest["members"])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a broker."""
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    yield started
    started.stop()


def offices(tmp_path: Path, broker: Broker, *names: str) -> list[Office]:
    """Give offices in which `init` was typed."""
    made = [Office(tmp_path / name.split()[0].lower(), name, broker.url) for name in names]
    for each in made:
        each.init()
    return made


def secrets_of(*offices: Office) -> dict[str, bytes]:
    """Give what the broker's operator must never see: names, keys, certificates, ids."""
    found: dict[str, bytes] = {"our own protocol": b"hulian/1/"}
    for office in offices:
        held = state.load(office.state_dir)
        own = held.roster.organisation(held.organisation)
        named = {
            "name": office.name.encode(),
            "gateway": identity.decode(held.node, "node").name.encode(),
            "root": own.root,
            "archive": own.archive,
            "node key": held.node_key.public,
            "encryption key": held.encryption_key.public,
            "node certificate": held.node[-64:],
            "organisation": own.id,
            "node": held.node_id,
        }
        found |= {f"{what} of {office.name}": content for what, content in named.items()}
    return found


def test_two_companies_pair_by_the_guide(
    tmp_path: Path, broker: Broker, figures: Callable[..., None]
) -> None:
    """The guide's commands, with a person's answers, make one consortium out of two organisations.

    The joining is interrupted at several moments; the operator learns nothing.
    """
    with Operator(broker) as operator:
        started = time.monotonic()
        acme, best = offices(tmp_path, broker, "Acme Presses", "Best Foundry")
        address = acme.invite()
        assert best.refused("consortium", "join", address, said="n\n") == "pairing.fingerprint"
        assert acme.pending()[0]["what"] == "invitation"
        interrupted = interrupt(best, address, operator)
        waiting = best.sign("consortium", "join")
        assert (waiting["state"], waiting["waiting"]) == ("waiting", ["Acme Presses"])
        (row,) = acme.pending()
        assert (row["what"], row["name"], row["waiting"]) == (
            ("joining", "Best Foundry", ["Acme Presses"])
        )
        assert row["since"] and row["do"] == 'hulian consortium approve "Best Foundry"'
        done = acme.run(
            *("consortium", "approve", "Best Foundry"),
            "--passphrase-file",
            str(acme.paper),
            said="y\n",
        )
        assert done.returncode == 0, done.stderr
        assert waiting["fingerprint"]["words"] in done.stderr
        assert waiting["fingerprint"]["digits"] in done.stderr
        assert best.json("consortium", "join")["state"] == "admitted"
        assert best.json("consortium", "join")["state"] == "admitted"
        assert acme.roster() == best.roster()
        assert acme.roster()[1] == ["Acme Presses", "Best Foundry"]
        for one, other in ((acme, best), (best, acme)):
            known = state.load(one.state_dir).contacts
            assert list(known) == [state.load(other.state_dir).node_id]
        seconds = time.monotonic() - started
    bytes_ = operator.check(secrets_of(acme, best))
    figures(paired_s=round(seconds, 1), interrupted=interrupted, operator_bytes=bytes_)


def interrupt(office: Office, address: str, operator: Operator) -> int:
    """Kill a joining as it starts, when the person has confirmed, and when its wish was posted."""
    folder = office.state_dir / "pairing"
    moments: list[Callable[[], bool]] = [
        lambda: True,
        lambda: any(folder.glob("joining-*.cbor")),
        lambda: any(topic.endswith("/b") for topic, _ in operator.heard),
    ]
    for has_come in moments:
        command = ("consortium", "join", address, "--yes", "--wait", "60")
        line = office.line(*command, "--passphrase-file", str(office.paper))
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not has_come():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        process.kill()
        process.wait(10)
    return len(moments)


def test_addresses_that_lead_nowhere_say_why(
    tmp_path: Path, broker: Broker, figures: Callable[..., None]
) -> None:
    """Mistyped, unknown, for a gateway, expired, taken back, used and used twice: each its code."""
    acme, best, cast = offices(tmp_path, broker, "Acme Presses", "Best Foundry", "Cast Works")
    codes = {}
    good = acme.invite()
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    codes["mistyped"] = best.refused("consortium", "join", wrong)
    codes["unknown"] = best.refused("consortium", "join", some_address(random_bytes(16)))
    codes["of a gateway"] = best.refused("consortium", "join", acme.invite("node"))
    codes["nothing begun"] = best.refused("consortium", "join")
    codes["expired"] = best.refused("consortium", "join", expired(acme))
    assert best.sign("consortium", "join", good)["state"] == "waiting"
    codes["used by another who waits"] = cast.refused("consortium", "join", good, "--yes")
    acme.sign("consortium", "approve", "Best Foundry")
    codes["used, not yet taken"] = cast.refused("consortium", "join", good, "--yes")
    best.json("consortium", "join")
    acme.pending()
    codes["used up"] = cast.refused("consortium", "join", good, "--yes")
    codes["nobody waits"] = acme.refused("consortium", "approve", "Cast Works", "--yes")
    again = acme.invite()
    assert acme.json("consortium", "invite", "--withdraw")["withdrawn"] >= 1
    codes["taken back"] = cast.refused("consortium", "join", again, "--yes")
    third = acme.invite()
    assert cast.sign("consortium", "join", third)["state"] == "waiting"
    broker.stop()
    codes["broker away"] = cast.refused("consortium", "join", good, "--yes")
    shown = acme.run("consortium", "show", "--json")
    assert shown.returncode == 1 and json.loads(shown.stdout)["mailbox"] == "pairing.mailbox"
    broker.start()  # it kept nothing on a disk: both sides say it again
    assert cast.json("consortium", "join")["state"] == "waiting"
    assert [row["name"] for row in acme.pending() if row["do"]] == ["Cast Works"]
    assert codes == {
        "mistyped": "pairing.address",
        "unknown": "pairing.unknown",
        "of a gateway": "pairing.other",
        "nothing begun": "pairing.nothing",
        "expired": "pairing.expired",
        "used by another who waits": "pairing.used",
        "used, not yet taken": "pairing.used",
        "used up": "pairing.used",
        "nobody waits": "pairing.nobody",
        "taken back": "pairing.refused",
        "broker away": "pairing.mailbox",
    }
    figures(refusals=len(codes))


def some_address(secret: bytes) -> str:
    """Give an address under which nothing lies."""
    return pairing.encode_address(Address(Invited.ORGANISATION, secret, bytes(8)))


def expired(office: Office) -> str:
    """Make an invitation whose time is over, as `invite` made it eight days ago."""
    held = state.load(office.state_dir)
    now_s, secret = int(time.time()), random_bytes(16)
    made = Invitation(
        secret, Invited.ORGANISATION, held.roster.hash, now_s - 691_200, now_s - 86_400
    )
    kept_pairing.keep(held.path, made)
    office.pending()  # any command posts what an invitation says now
    hash_ = held.roster.hash[:8]
    return pairing.encode_address(Address(Invited.ORGANISATION, secret, hash_))


@pytest.mark.timeout(600)
def test_a_consortium_grows_by_its_quorum_and_expels_by_it(
    tmp_path: Path, broker: Broker, figures: Callable[..., None]
) -> None:
    """A third and a fourth join only when the quorum signed, whoever invited; then one must go."""
    names = ("Acme Presses", "Best Foundry", "Cast Works", "Dies Ltd")
    with Operator(broker) as operator:
        acme, best, cast, dies = everybody = offices(tmp_path, broker, *names)
        best.sign("consortium", "join", acme.invite())
        acme.sign("consortium", "approve", "Best Foundry")
        best.json("consortium", "join")
        # Of two members two sign; the second of them lets the third in, without the first.
        cast.sign("consortium", "join", acme.invite())
        signed = acme.sign("consortium", "approve", "Cast Works")
        assert (signed["state"], signed["waiting"]) == ("waiting", ["Best Foundry"])
        assert cast.json("consortium", "join")["waiting"] == ["Best Foundry"]
        (row,) = best.pending()
        assert (row["name"], row["more"], bool(row["do"])) == ("Cast Works", 1, True)
        assert best.sign("consortium", "approve", "Cast Works")["state"] == "decided"
        assert cast.json("consortium", "join")["state"] == "admitted"
        # The newest member invites the fourth; of three members two sign.
        dies.sign("consortium", "join", cast.invite())
        assert cast.sign("consortium", "approve", "Dies Ltd")["state"] == "waiting"
        assert acme.sign("consortium", "approve", "Dies Ltd")["state"] == "decided"
        assert dies.json("consortium", "join")["state"] == "admitted"
        assert {each.roster()[0] for each in everybody} == {acme.roster()[0]}
        assert acme.roster()[1] == sorted(names)
        # Of four members three sign that the fourth must go.
        signers = [best.sign("consortium", "expel", "Dies Ltd")["state"]]
        assert [row["what"] for row in acme.pending()] == ["leaving"]
        signers += [acme.sign("consortium", "approve", "Dies Ltd")["state"]]
        signers += [cast.sign("consortium", "approve", "Dies Ltd")["state"]]
        assert signers == ["waiting", "waiting", "decided"]
        assert {each.roster()[0] for each in everybody[:3]} == {cast.roster()[0]}
        assert cast.roster()[1] == sorted(names[:3])
        roster = state.load(cast.state_dir).newest(state.load(acme.state_dir).roster.hash)
    bytes_ = operator.check(secrets_of(*everybody))
    figures(roster=roster.number, admitted=3, expelled=1, grown_operator_bytes=bytes_)


def test_a_second_gateway_joins_its_organisation_and_is_revoked(
    tmp_path: Path, broker: Broker, figures: Callable[..., None]
) -> None:
    """A gateway without `init` gets its certificate and what the others know; then it ends."""
    acme, best = offices(tmp_path, broker, "Acme Presses", "Best Foundry")
    best.sign("consortium", "join", acme.invite())
    acme.sign("consortium", "approve", "Best Foundry")
    best.json("consortium", "join")
    mill = Office(tmp_path / "mill", "mill", broker.url)
    told = f'[gateway]\nname = "mill"\nstate_dir = "{mill.state_dir}"\n'
    mill.config.write_text(told + _LINK.format(url=broker.url))
    address = acme.invite("node")
    waiting = mill.json("node", "join", address, "--yes")
    assert (waiting["state"], waiting["waiting"]) == ("waiting", ["Acme Presses"])
    assert mill.refused("consortium", "show") == "state.unfinished"
    assert [row["name"] for row in acme.json("node", "list")["pending"]] == ["mill"]
    assert best.refused("node", "join", address, "--yes") == "pairing.used"
    acme.sign("node", "admit", "mill")
    assert mill.json("node", "join")["state"] == "admitted"
    held = state.load(mill.state_dir)
    assert held.organisation == state.load(acme.state_dir).organisation
    assert mill.roster() == acme.roster()
    names = [each["name"] for each in acme.json("node", "list")["nodes"]]
    assert names == ["acme-gw", "mill"]
    best.pending()
    assert held.node_id in state.load(best.state_dir).contacts
    acme.sign("node", "revoke", "mill")
    assert [each["revoked"] for each in acme.json("node", "list")["nodes"]] == [False, True]
    best.pending()
    (revocation,) = kept_pairing.load_revocations(best.state_dir)
    assert identity.decode(revocation, "revocation").subject == held.node_id
    figures(second_gateway="joined and revoked")


def test_the_guide_takes_under_fifteen_commands() -> None:
    """From nothing to two companies sharing a group, the guide's chapter types few commands."""
    text = _GUIDE.read_text("utf-8")
    chapter = text.split("## Two companies share\n")[1].split("\n## ")[0]
    typed = re.findall(r"^    (hulian .*)$", chapter.split("| what happens |")[0], re.MULTILINE)
    assert 8 <= len(typed) + 1 < 15, typed  # 'hulian run' is typed on both sides
    wanted = ["init", "init", "invite", "join", "approve", "join", "run"]
    wanted += ["create", "accept", "query"]
    verbs = [line.split()[1] for line in typed]
    words = [
        line.split()[2] if verb in ("consortium", "group") else verb
        for line, verb in zip(typed, verbs, strict=True)
    ]
    assert words == wanted


def test_what_is_searched_for_would_be_found() -> None:
    """The search of the operator's bytes finds a name however it is written."""
    name = b"Acme Presses"
    for written in (
        name,
        name.hex().encode(),
        base64.b64encode(b"x" + name),
        base64.b32encode(name),
    ):
        assert Operator.forms_found(b"before" + written + b"after", name)
    assert not Operator.forms_found(b"nothing of it", name)


def test_a_root_on_another_computer_signs_by_files(
    tmp_path: Path, broker: Broker, figures: Callable[..., None]
) -> None:
    """Into a consortium of its own name comes an organisation whose root no gateway holds."""
    acme, best = offices(tmp_path, broker, "Acme Presses", "Best Foundry")
    founded = ("consortium", "create", "Pumps", "--passphrase-file", str(acme.paper))
    assert acme.json(*founded)["name"] == "Pumps"
    vault, asked, answer = tmp_path / "vault", tmp_path / "asked", tmp_path / "answer"
    vault.mkdir(mode=0o700)
    (best.state_dir / "organisation").rename(vault / "organisation")
    (best.state_dir / "organisation").mkdir(mode=0o700)
    shutil.copy2(vault / "organisation" / "roster.cbor", best.state_dir / "organisation")
    address = acme.invite()
    confirmed = ("consortium", "join", address, "--yes", "--passphrase-file", str(best.paper))
    assert best.refused(*confirmed) == "state.root-elsewhere"
    best.json("consortium", "join", "--request", str(asked))
    signing = ("org", "sign", str(asked), "-o", str(answer), "--keys", str(vault), "--yes")
    done = best.run(*signing, "--passphrase-file", str(best.paper))
    assert done.returncode == 0 and "Best Foundry" in done.stderr, done.stderr
    assert best.json("consortium", "join", "--signed", str(answer))["state"] == "waiting"
    acme.sign("consortium", "approve", "Best Foundry")
    assert best.json("consortium", "join")["state"] == "admitted"
    assert acme.roster()[1] == best.roster()[1] == ["Acme Presses", "Best Foundry"]
    assert not (best.state_dir / "organisation" / "root.key").exists()
    figures(root_elsewhere="signed by files")
