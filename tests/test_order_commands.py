"""`order` and `mandate` as people type them, on a running agent with a press on a serial line."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.activities import activity, approval, order, sheet
from gateway.activities.activity import Mode, Open, Party
from gateway.activities.approval import Approval, Verdict
from gateway.activities.sheet import Sheet
from gateway.clock import KernelClock, random_bytes
from gateway.errors import MalformedSheet
from gateway.groups.group import ActivityKind, Role
from gateway.records import identity, run
from gateway.records.cose import key_id
from gateway.records.identity import Named
from gateway.records.record import Kind, Said
from gateway.store import authoring, database, groups, orders, persons, state
from gateway.store.authoring import Author, Venue
from tests.agents import AgentProcess
from tests.modbus_slave import Slave
from tests.neighbours import typed
from tests.ordering import BUYER, TEMPLATE, human, sides

NAME = "press-shop"
_SOURCE = """
[[source]]
name = "press-1"
type = "modbus"
url = "{url}"
unit_id = 1
poll_ms = 200
[[source.metric]]
name = "pressure"
register = "holding:40"
[[source.point]]
name = "pressure"
register = "holding:40"
unit = "kPa"
min = 100
max = 250
wait_ms = 2000
orders_from = ["press-shop"]
"""


@pytest.fixture(scope="module")
def press() -> Iterator[Slave]:
    """Give a unit on a pty, which answers in a thread of its own."""
    slave, loop = Slave("rtu", 1, 0.0), asyncio.new_event_loop()
    loop.run_until_complete(slave.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield slave
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(slave.stop())
    loop.close()


@pytest.fixture(scope="module")
def shop(press: Slave, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """Give a running gateway with two people, an open activity, and the press."""
    folder = tmp_path_factory.mktemp("shop")
    agent = AgentProcess(folder, NAME, _SOURCE.format(url=press.url))
    root = state.root_key(agent.state_dir, "pass")
    for name in ("ann", "ben"):
        public = persons.make_key_file(folder / f"{name}.key", name, random_bytes, "secret")
        ids = root.id, key_id(public)
        certified = identity.issue_person(root, ids, public, 1, Named(name))
        persons.keep(agent.state_dir, identity.decode(certified, "person"))
    persons.make_key_file(folder / "eve.key", "eve", random_bytes, "secret")
    (folder / "passphrase").write_text("secret\n")
    (folder / "activity").write_text(_opened(agent.state_dir).hex())
    agent.start()
    agent.listen()
    yield agent
    agent.end()


def _opened(folder: Path) -> bytes:
    """Open an activity in the organisation's own group, in an earlier run of the gateway."""
    held = state.load(folder)
    author = Author(
        run.start(held.node_key, held.node, held.encryption, random_bytes(32)),
        KernelClock().now,
        random_bytes,
    )
    own = state.own_group(held, author.run, random_bytes)
    parties = (Party(held.organisation, (Role.INITIATOR,)),)
    said = Open(ActivityKind.INDUSTRIAL, Mode.INFORMATION, "pressing", parties, TEMPLATE)
    content = activity.encode(said)
    db = database.connect(str(folder / state.STORE_FILE))
    with db:
        groups.register(db, state.OWN, own)
        venue = Venue(own.id, own.roster.hash, own.encoded)
        told = Said(Kind.ACTIVITY_OPEN, content, activity.CONTENT_TYPE)
        place = authoring.say(db, author, venue, told)
    opened = orders.by_of(db, place).record.id
    db.close()
    return opened


class Desk:
    """Whoever types at the gateway, and on the persons' own computers."""

    def __init__(self, shop: AgentProcess, capsys: pytest.CaptureFixture[str], path: Path) -> None:
        self.folder, self._capsys, self.path = shop.folder, capsys, path
        self.activity = (shop.folder / "activity").read_text()

    def type(self, *words: object) -> dict[str, Any]:
        """Type a command that must do what it says; give its facts."""
        status, out, error = typed(self._capsys, *map(str, words), "--json")
        assert status == 0, error
        facts: dict[str, Any] = json.loads(out)
        return facts

    def refused(self, *words: object) -> str:
        """Type a command that must not; give what it says."""
        status, _, error = typed(self._capsys, *map(str, words))
        assert status == 2
        return error

    def sign(self, who: str, *command: object) -> dict[str, Any]:
        """Have a person sign, by files, what a command of the gateway wants."""
        asked, signed = self.path / "asked", self.path / "signed"
        told = self.type(*command, "--request", asked)
        key, words = self.folder / f"{who}.key", self.folder / "passphrase"
        sign = "order", "sign", asked, "--key", key, "-o", signed, "--passphrase-file", words
        assert self.type(*sign, "--confirm", told["digits"])["state"] == "signed"
        return self.type(*command[:3], "--signed", signed)

    def send(self, value: int, *more: object) -> str:
        """Have Ann send an order."""
        found: str = self.sign("ann", *self.wanted(value), *more)["order"]
        return found

    def wanted(self, value: int) -> tuple[object, ...]:
        """Give the command that asks for a pressure."""
        return "order", "send", self.activity, NAME, "pressure", value, "--unit", "kPa"

    def comes_to(self, named: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until an order stands so."""
        until = time.monotonic() + 60
        while True:
            row = self.type("order", "show", named)
            if is_so(row):
                return row
            assert time.monotonic() < until, row
            time.sleep(0.1)


@pytest.fixture
def desk(
    shop: AgentProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    """Give somebody who types, in English."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("HULIAN_CONFIG", str(shop.config))
    return Desk(shop, capsys, tmp_path)


def test_a_person_moves_the_press_once_another_approves(desk: Desk, press: Slave) -> None:
    """Sent, approved and done: the register holds the value, and it was read back."""
    named = desk.send(180)
    assert desk.comes_to(named, lambda row: row["waits"] is not None)["waits"] == "approvals"
    assert press.held.get((1, "holding", 40)) is None
    desk.sign("ben", "order", "approve", named[:12])
    done = desk.comes_to(named, lambda row: row["state"] == "done")
    assert (done["read_back"], done["by"], done["reason"]) == (180, "ann", None)
    assert 180 in press.held.values()
    shown = desk.type("order", "show", named[:12])
    assert [(each["by"], each["verdict"]) for each in shown["words"]] == [("ben", "approve")]
    assert "Set pressure to 180 kPa" in shown["text"]
    over = desk.path / "over"
    desk.type("order", "cancel", named, "--request", over)
    signed = desk.path / "cancelled"
    words = "--passphrase-file", desk.folder / "passphrase"
    digits = sheet.decode(over.read_bytes()).digits
    key = desk.folder / "ann.key"
    desk.type("order", "sign", over, "--key", key, "-o", signed, *words, "--confirm", digits)
    assert "order.over" in desk.refused("order", "cancel", "--signed", signed)


def test_what_may_not_be_done_says_why(desk: Desk) -> None:
    """An order beyond the limits, a refused one and a cancelled one each end under their code."""
    beyond, refused, cancelled = desk.send(400), desk.send(150), desk.send(151)
    desk.sign("ben", "order", "refuse", refused)
    desk.sign("ben", "order", "cancel", cancelled)
    for named, told in (
        (beyond, ("refused", "order.limits")),
        (refused, ("refused", "order.refused")),
        (cancelled, ("cancelled", "order.cancelled")),
    ):
        row = desk.comes_to(named, lambda row: row["reason"] is not None)
        assert (row["state"], row["reason"]) == told


def test_no_key_is_read_that_lies_with_the_gateway(desk: Desk) -> None:
    """A person's key in the state directory signs nothing; one nobody certified orders nothing."""
    here = desk.folder / "state" / "ann.key"
    shutil.copy(desk.folder / "ann.key", here)
    here.chmod(0o600)
    assert "sheet.key-here" in desk.refused(*desk.wanted(150), "--key", here)
    here.unlink()
    asked, signed = desk.path / "asked", desk.path / "signed"
    digits = desk.type(*desk.wanted(150), "--request", asked)["digits"]
    words = "--passphrase-file", desk.folder / "passphrase", "--confirm", digits
    desk.type("order", "sign", asked, "--key", desk.folder / "eve.key", "-o", signed, *words)
    assert "sheet.uncertified" in desk.refused("order", "send", "--signed", signed)
    wrong = "order", "sign", asked, "--key", desk.folder / "ann.key", "-o", signed, *words[:2]
    assert "sheet.unconfirmed" in desk.refused(*wrong, "--confirm", "12345")
    assert "sheet.other" in desk.refused("order", "approve", "--signed", signed)
    assert "usage.value" in desk.refused(*desk.wanted(150), "--valid", "soon", "--key", "k")
    assert "order.unknown" in desk.refused("order", "show", "00000000")


def test_a_mandate_is_given_listed_and_withdrawn(desk: Desk) -> None:
    """What a device may ask is shown in words, signed by a person, and taken back by one."""
    grant = "mandate", "grant", desk.activity, "--from", NAME, "--device", "tank-1"
    bounds = "--point", "pressure", "--unit", "kPa", "--min", 100, "--max", 200, "--by", "ann"
    named = desk.sign("ann", *grant, *bounds)["mandate"]
    (row,) = desk.type("mandate", "list")["mandates"]
    assert (row["mandate"], row["state"], row["by"]) == (named, "valid", "ann")
    assert "to values from 100 kPa to 200 kPa\n" in desk.type("mandate", "show", named[:8])["text"]
    desk.sign("ben", "mandate", "revoke", named)
    assert desk.type("mandate", "list")["mandates"][0]["state"] == "withdrawn"


def test_a_sheet_shows_what_is_signed_or_nothing() -> None:
    """A file whose payload says one thing and shows another is refused, and bytes are no file."""
    maker, buyer = sides()
    wanted = buyer.order(bytes(32), maker, 180)
    named = sheet.Sheet("approval", b"", ()).digits
    assert len(named) == 6 and named.isdigit()
    ann = human("ann", BUYER)

    signed = order.sign(ann.key, wanted)
    said = Approval(order.decode(signed).hash, Verdict.APPROVE, bytes(32))
    bad = [
        Sheet("order", order.encode(wanted)[:-1] + b"\x00"),
        Sheet("approval", approval.encode(said), (signed,)),
        Sheet("approval", approval.encode(said), ()),
        Sheet("approval", approval.encode(said), (b"x", b"y")),
        Sheet("mandate", order.encode(wanted)),
    ]
    for each in bad:
        with pytest.raises(MalformedSheet):
            sheet.decode(sheet.encode(each))
    with pytest.raises(MalformedSheet):
        sheet.decode_signature(sheet.encode(Sheet("order", order.encode(wanted))))
    assert sheet.decode(sheet.encode(Sheet("order", order.encode(wanted)))).what == "order"
