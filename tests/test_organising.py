"""`org` and `person`: what is signed is told first, and files carry it between machines."""

import base64
import json
from pathlib import Path

import pytest

from gateway.records import cose, identity, request, roster
from gateway.records.cose import SigningKey
from gateway.records.request import RosterRequest
from gateway.store import consortium, persons, signing, state
from tests.people import party, roster_of, seed
from tests.test_cli import Said, Terminal
from tests.vectors.build_succession import FOUNDED, NEWCOMER, ROWS, STRANGER, signed

NAME = "Alpha Ltd"


class Office:
    """A terminal, an organisation whose root is elsewhere, and one gateway of it."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.folder = terminal, folder
        self.keys, self.passphrase = folder / "keys", folder / "passphrase"
        said = terminal.type("org", "create", "--org", NAME, "--out", str(self.keys), "--json")
        assert said.status == 0
        self.facts = said.facts
        self.passphrase.write_text(said.facts["passphrase"] + "\n")

    def file(self, name: str, content: bytes | None = None) -> str:
        """Name a file of this test, and write it."""
        if content is not None:
            (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def sign(self, asked: str, answer: str, *more: str) -> Said:
        """Have the root sign, on the machine where it is."""
        where = ("--keys", str(self.keys), "--passphrase-file", str(self.passphrase))
        return self.terminal.type("org", "sign", asked, "-o", answer, *where, *(more or ("--yes",)))

    def gateway(self) -> None:
        """Make the gateway whose config the terminal has, by files alone."""
        asked, answer = self.file("node.request"), self.file("node.answer")
        assert self.terminal.type("org", "join", "--request", asked).status == 0
        assert self.sign(asked, answer).status == 0
        assert self.terminal.type("org", "join", "--signed", answer, "--yes").status == 0


@pytest.fixture
def office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    """Give an organisation made on a machine that is no gateway, before an English terminal."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Office(Terminal(tmp_path, capsys), tmp_path)


def _own(office: Office) -> SigningKey:
    return state.root_key(office.keys, office.facts["passphrase"])


def test_an_organisation_is_made_without_a_gateway(office: Office) -> None:
    """Its root opens under the passphrase that was printed; made again, nothing is changed."""
    assert _own(office).id.hex() == office.facts["org"]
    shown = office.terminal.type("org", "show", "--keys", str(office.keys), "--json").facts
    assert (shown["name"], shown["org"], shown["root"]) == (NAME, office.facts["org"], "here")
    assert shown["fingerprint"] == office.facts["fingerprint"]
    assert shown["roster"]["hash"] == office.facts["roster"]
    before = (office.keys / "organisation" / "root.key").read_bytes()
    again = office.terminal.type("org", "create", "--org", "B", "--out", str(office.keys))
    assert (again.status, "state.exists" in again.error) == (2, True)
    assert (office.keys / "organisation" / "root.key").read_bytes() == before
    name = "n" * 65
    bad = office.terminal.type("org", "create", "--org", name, "--out", office.file("b"))
    assert (bad.status, "usage.value" in bad.error) == (2, True)
    assert not (office.folder / "b").exists()


def test_a_gateway_shows_that_its_root_is_elsewhere(office: Office) -> None:
    """Such a gateway is good; what needs the root is refused, and says what to type instead."""
    office.gateway()
    shown = office.terminal.type("org", "show", "--json")
    assert (shown.status, shown.facts["root"]) == (0, "elsewhere")
    assert "another machine" in office.terminal.type("org", "show").out
    asked = office.file("node.request")
    refused = office.terminal.type("org", "sign", asked, "-o", office.file("x"), "--yes")
    assert (refused.status, "state.root-elsewhere" in refused.error) == (2, True)
    assert "hulian org sign FILE -o FILE" in refused.error
    added = office.terminal.type("person", "add", "Li", "--new", office.file("li.key"))
    assert (added.status, "state.root-elsewhere" in added.error) == (2, True)
    assert not (office.folder / "li.key").exists()
    assert office.terminal.type("check").status == 0


def test_a_gateway_joins_by_files_and_shows_whom_it_joins(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway shows the fingerprint that the root's words show, and joins no organisation that
    the person does not confirm; asked again it asks the same."""
    asked, answer = office.file("n.request"), office.file("n.answer")
    told = office.terminal.type("org", "join", "--request", asked, "--json").facts
    first = Path(asked).read_bytes()
    assert office.terminal.type("org", "join", "--request", asked).status == 0
    assert Path(asked).read_bytes() == first
    waiting = office.terminal.type("status")
    assert (waiting.status, "state.unfinished" in waiting.error) == (2, True)
    assert told["fingerprint"]["digits"] in office.sign(asked, answer).error
    monkeypatch.setattr("sys.stdin", _Answers("n\n"))
    refused = office.terminal.type("org", "join", "--signed", answer)
    assert (refused.status, "request.refused" in refused.error) == (2, True)
    assert office.facts["fingerprint"]["digits"] in refused.error
    assert "state.unfinished" in office.terminal.type("status").error
    for content in (b"", _foreign_answer()):
        wrong = office.file("wrong", content)
        said = office.terminal.type("org", "join", "--signed", wrong, "--yes")
        assert (said.status, "request.malformed" in said.error) == (2, True)
    joined = office.terminal.type("org", "join", "--signed", answer, "--yes", "--json").facts
    assert (joined["org"], joined["node"]) == (office.facts["org"], told["node"])
    assert office.terminal.type("status").status == 1
    assert "usage.missing" in office.terminal.type("org", "join").error
    again = office.terminal.type("org", "join", "--request", asked)
    assert (again.status, "state.exists" in again.error) == (2, True)


def test_what_will_be_signed_is_told_first(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words name the gateway and its fingerprint; who says no has signed nothing."""
    asked = state.prepare_node(office.folder / "state", "press-shop", lambda n: seed("node")[:n])
    wanted = request.decode(asked)
    assert isinstance(wanted, request.NodeRequest)
    monkeypatch.setattr("sys.stdin", _Answers("n\n"))
    where = ("--keys", str(office.keys), "--passphrase-file", str(office.passphrase))
    file, answer = office.file("a.request", asked), office.file("a.answer")
    said = office.terminal.type("org", "sign", file, "-o", answer, *where)
    assert (said.status, "request.refused" in said.error) == (2, True)
    assert "press-shop" in said.error and identity.show_id(wanted.node) in said.error
    assert not Path(answer).exists()
    wrong = office.file("wrong", b"another passphrase\n")
    told = office.terminal.type(
        "org", "sign", file, "-o", answer, *where[:2], "--passphrase-file", wrong, "--yes"
    )
    assert (told.status, "state.passphrase" in told.error) == (2, True)
    assert not Path(answer).exists()


class _Answers:
    """What a person types."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)

    def readline(self, _size: int = -1) -> str:
        """Give the next line."""
        return self._lines.pop(0) if self._lines else ""

    def isatty(self) -> bool:
        """Say that it is no terminal."""
        return False


def _admitting(office: Office, *, attempt: int = 0) -> RosterRequest:
    """Give the request of a consortium of four to admit this organisation."""
    own = consortium.own_roster(office.keys).organisations[0]
    payload = roster.compose_next(FOUNDED, (*ROWS, own), attempt)
    return RosterRequest((FOUNDED.encoded,), roster.assemble(payload, []))


def test_a_roster_is_signed_by_files(office: Office) -> None:
    """The words say who is admitted; the answer has one good signature more, and only one is made
    of each number."""
    wanted = _admitting(office)
    asked, answer = office.file("r.request", request.encode(wanted)), office.file("r.answer")
    said = office.sign(asked, answer)
    assert said.status == 0
    assert f"admit {NAME}" in said.error and "roster 1 of the consortium 'ring'" in said.error
    signed_roster = request.decode_answer(Path(answer).read_bytes()).signed[0]
    payload, signatures = roster.take_apart(signed_roster)
    assert len(signatures) == 1 and not roster.missing(payload, signatures, FOUNDED).must
    assert office.sign(asked, answer).status == 0
    own = consortium.own_roster(office.keys).organisations[0]
    rival = roster.compose_next(FOUNDED, (*ROWS, own, NEWCOMER.organisation))
    other = RosterRequest((FOUNDED.encoded,), roster.assemble(rival, []))
    file = office.file("o.request", request.encode(other))
    refused = office.sign(file, office.file("o.answer"))
    assert (refused.status, "roster.signed" in refused.error) == (2, True)
    assert not (office.folder / "o.answer").exists()


def test_the_words_say_every_change_of_a_roster(office: Office) -> None:
    """Who is admitted and expelled, and each key and name that changes, is told by name."""
    own = consortium.own_roster(office.keys).organisations[0]
    rows = [own, NEWCOMER.organisation, party("bank").organisation]
    both = roster_of(NEWCOMER, party("bank"), name="ring")
    before = roster.decode_next(
        signed(
            roster.compose_next(both, rows),
            *(NEWCOMER.root, party("bank").root, _own(office)),
        ),
        both,
    )
    changed = [
        roster.Organisation(own.id, "Alpha AG", STRANGER.root.public, STRANGER.archive.public,
                            party("witness").root.public),
        NEWCOMER.organisation,
        party("fifth").organisation,
    ]  # fmt: skip
    payload = roster.compose_next(before, changed)
    chain = (both.encoded, before.encoded)
    wanted = RosterRequest(chain, roster.assemble(payload, []))
    file = office.file("r.request", request.encode(wanted))
    said = office.sign(file, office.file("r.answer")).error
    for told in (
        "admit fifth",
        "expel bank",
        f"from '{NAME}'",
        "renew the root key of Alpha AG",
        "renew the archive key of Alpha AG",
        "change the witness of Alpha AG",
    ):
        assert told in said


def test_a_root_signs_no_roster_without_its_organisation(office: Office) -> None:
    """A roster in which this organisation has no part, or a file that is none, is not signed."""
    payload = roster.compose_next(FOUNDED, (*ROWS, NEWCOMER.organisation))
    wanted = RosterRequest((FOUNDED.encoded,), roster.assemble(payload, []))
    file = office.file("r.request", request.encode(wanted))
    said = office.sign(file, office.file("a"))
    assert (said.status, "roster.signed" in said.error) == (2, True)
    for content, code in ((b"", "request.malformed"), (FOUNDED.encoded, "request.malformed")):
        said = office.sign(office.file("bad", content), office.file("a"))
        assert (said.status, code in said.error) == (2, True)
    assert not (office.folder / "a").exists()


def _person(office: Office, *command: str) -> Said:
    return office.terminal.type("person", *command)


def test_a_person_is_certified_renewed_and_revoked(
    terminal_with_root: tuple[Terminal, str], tmp_path: Path
) -> None:
    """The key file opens under its own passphrase alone; a renewal counts up under the same id;
    after the revocation the person is listed as revoked, and stays so."""
    terminal, secret = terminal_with_root
    where, file = ("--passphrase-file", secret), str(tmp_path / "li.key")
    made = terminal.type("person", "add", "李明", "--new", file, *where, "--json").facts
    assert (made["name"], made["counter"], made["state"]) == ("李明", 1, "certified")
    key = persons.open_key(Path(file), made["key_passphrase"])
    assert (key.public.hex(), key.id.hex()) == (made["key"], made["person"])
    assert Path(file).stat().st_mode & 0o777 == 0o600
    again = terminal.type("person", "add", "李明", "--new", str(tmp_path / "b.key"), *where)
    assert (again.status, (tmp_path / "b.key").exists()) == (2, False)
    new = ("--new", str(tmp_path / "c.key"), "--renew", "--json")
    renewed = terminal.type("person", "add", "李明", *new, *where).facts
    assert (renewed["person"], renewed["counter"]) == (made["person"], 2)
    assert renewed["key"] != made["key"]
    assert [one["revoked"] for one in _listed(terminal)] == [False]
    assert terminal.type("person", "revoke", "李明", "--yes", *where).status == 0
    assert [(one["revoked"], one["counter"]) for one in _listed(terminal)] == [(True, 2)]
    assert "revoked" in terminal.type("person", "list").out
    nobody = terminal.type("person", "revoke", "Wang", "--yes", *where)
    assert (nobody.status, "person.unknown" in nobody.error) == (2, True)


def _listed(terminal: Terminal) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = terminal.type("person", "list", "--json").facts["persons"]
    return listed


@pytest.fixture
def terminal_with_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Terminal, str]:
    """Give a gateway made by init, and the file with its passphrase."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    terminal = Terminal(tmp_path, capsys)
    names = ("--name", "press-shop", "--org", NAME, "--state-dir", str(tmp_path / "state"))
    said = terminal.type("init", *names, "--json")
    (tmp_path / "passphrase").write_text(said.facts["passphrase"])
    return terminal, str(tmp_path / "passphrase")


def test_a_persons_key_may_come_from_elsewhere(
    terminal_with_root: tuple[Terminal, str], tmp_path: Path
) -> None:
    """A PEM public key, hex digits and a key file name the same key; anything else is refused."""
    terminal, secret = terminal_with_root
    public = SigningKey(seed("somebody")).public
    der = bytes.fromhex("302a300506032b6570032100") + public
    armoured = base64.encodebytes(der).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{armoured}-----END PUBLIC KEY-----\n"
    where = ("--passphrase-file", secret, "--json")
    (tmp_path / "a.pem").write_text(pem)
    made = terminal.type("person", "add", "A", "--key", str(tmp_path / "a.pem"), *where).facts
    assert made["key"] == public.hex()
    (tmp_path / "b.hex").write_text(public.hex())
    same = terminal.type("person", "add", "B", "--key", str(tmp_path / "b.hex"), *where)
    assert (same.status, "usage.value" in same.error) == (2, True)
    weak = "01" + "00" * 31
    rsa = pem.replace(armoured[:8], "MIIBIjAN")
    for bad in (b"", b"\xff" * 90, weak.encode(), rsa.encode(), b"-----BEGIN PUBLIC KEY-----"):
        (tmp_path / "bad").write_bytes(bad)
        said = terminal.type("person", "add", "C", "--key", str(tmp_path / "bad"), *where)
        assert (said.status, "person.key" in said.error) == (2, True), bad
    for options in ([], ["--key", "a", "--new", "b"]):
        said = terminal.type("person", "add", "C", *options)
        assert (said.status, "usage.missing" in said.error) == (2, True)


def test_people_are_certified_and_revoked_by_files(office: Office) -> None:
    """With the root elsewhere, request and answer travel; an answer that is older, of another
    organisation or about something else changes nothing."""
    office.gateway()
    key, asked, answer = office.file("li.key"), office.file("p.request"), office.file("p.answer")
    added = _person(office, "add", "Li", "--new", key, "--request", asked, "--json").facts
    assert added["state"] == "asked"
    said = office.sign(asked, answer)
    assert (said.status, "certify Li, certificate 1" in said.error) == (0, True)
    assert _person(office, "add", "--signed", answer, "--json").facts["name"] == "Li"
    renewing = ("--new", office.file("c.key"), "--renew", "--request", office.file("q.request"))
    assert _person(office, "add", "Li", *renewing).status == 0
    assert office.sign(office.file("q.request"), office.file("q.answer")).status == 0
    assert _person(office, "add", "--signed", office.file("q.answer")).status == 0
    gone = _person(office, "revoke", "Li", "--yes", "--request", office.file("r.request"))
    assert gone.status == 0
    said = office.sign(office.file("r.request"), office.file("r.answer"))
    assert "revoke all certificates of 'Li' up to 2" in said.error
    for wrong in (answer, office.file("node.answer"), _foreign(office)):
        refused = _person(office, "add", "--signed", wrong)
        assert (refused.status, "request.malformed" in refused.error) == (2, True)
    assert [one["revoked"] for one in _listed(office.terminal)] == [False]
    assert _person(office, "revoke", "--signed", office.file("r.answer")).status == 0
    assert [one["revoked"] for one in _listed(office.terminal)] == [True]


def _foreign(office: Office) -> str:
    return office.file("foreign.answer", _foreign_answer())


def _foreign_answer() -> bytes:
    by, person = STRANGER.root, SigningKey(seed("a person"))
    named = identity.Named("Li")
    signed_one = identity.issue_person(by, (by.id, person.id), person.public, 9, named)
    return request.encode_answer(request.Answer("person", (signed_one,)))


def test_a_persons_file_that_was_changed_is_noticed(office: Office) -> None:
    """A certificate or revocation that is damaged, or under another's name, is not believed."""
    office.gateway()
    key = SigningKey(seed("a person"))
    by = signing.own(office.keys).id
    named = identity.Named("Li")
    certified = identity.issue_person(_own(office), (by, key.id), key.public, 1, named)
    persons.keep(office.folder / "state", identity.decode(certified, "person"))
    path = next((office.folder / "state" / "persons").iterdir())
    assert [one["name"] for one in _listed(office.terminal)] == ["Li"]
    forged = identity.issue_person(STRANGER.root, (by, key.id), key.public, 2, named)
    other = cose.sign(_own(office), "node", b"")
    for wrong in (certified[:-1], forged, other, b""):
        path.write_bytes(wrong)
        said = _person(office, "list")
        assert (said.status, "state.damaged" in said.error) == (2, True)
    path.write_bytes(certified)
    path.rename(path.with_name(f"{bytes(16).hex()}.person.cbor"))
    assert "state.damaged" in _person(office, "list").error


def test_a_chinese_reader_is_told_in_chinese(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of a fingerprint, questions and answers are in the reader's language, JSON is not."""
    monkeypatch.setenv("HULIAN_LANG", "zh")
    shown = office.terminal.type("org", "show", "--keys", str(office.keys))
    assert "根密钥" in shown.out and office.facts["fingerprint"]["words"] not in shown.out
    assert office.facts["fingerprint"]["digits"] in shown.out
    file = office.file("r.request", request.encode(_admitting(office)))
    assert f"接纳 {NAME}" in office.sign(file, office.file("a")).error
    facts = office.terminal.type("org", "show", "--keys", str(office.keys), "--json").out
    assert json.loads(facts)["fingerprint"] == office.facts["fingerprint"]
