"""The command line: what each command prints, its exit status, and how errors are told."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main, words
from gateway.query import show_time
from gateway.readings.reading import Reading
from gateway.records import proof
from gateway.store import state
from tests.holding import T0, Holding, strokes


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    status: int
    out: str
    error: str

    @property
    def facts(self) -> Any:
        """Read what it said as JSON."""
        return json.loads(self.out)


class Terminal:
    """Somebody who types commands in a folder with a config."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.config, self._capture = folder / "gateway.toml", capture
        self.config.write_text(f'[gateway]\nname = "press-shop"\nstate_dir = "{folder}/state"\n')

    def type(self, *command: str) -> Said:
        """Run one command."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(self.config), *command])
        out, error = self._capture.readouterr()
        return Said(int(ended.value.code or 0), out, error)


@pytest.fixture
def terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """Give an English terminal."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Terminal(tmp_path, capsys)


@pytest.fixture
def held(tmp_path: Path) -> Holding:
    """Give a gateway at rest with ten readings."""
    made = Holding(tmp_path)
    for at in range(5):
        made.say(strokes(2, at * 2))
    return made


def _init(terminal: Terminal, folder: Path, *more: str) -> Said:
    options = ["--name", "press-shop", "--org", "Alpha", "--state-dir", str(folder / "state")]
    return terminal.type("init", *options, *more)


def test_init_makes_a_gateway_that_checks_and_loads(terminal: Terminal, tmp_path: Path) -> None:
    """Init needs no questions, and its config and state are good; the passphrase opens the root."""
    terminal.config.unlink()
    said = _init(terminal, tmp_path, "--json")
    assert said.status == 0
    made = state.load(tmp_path / "state")
    assert said.facts["org"] == made.organisation.hex()
    assert said.facts["roster"] == made.roster.hash.hex()
    root = state.root_key(made.path, said.facts["passphrase"])
    assert root.public == made.roster.organisations[0].root
    shown = said.facts["fingerprint"]
    assert len(shown["words"].split()) == 12
    assert [len(group) for group in shown["digits"].split()] == [5] * 8
    assert terminal.type("check").status == 0
    assert "#" in terminal.config.read_text()


def test_init_twice_changes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    """A config that exists is kept, and so is a gateway that exists."""
    before = terminal.config.read_text()
    assert _init(terminal, tmp_path).status == 0
    assert terminal.config.read_text() == before
    node = state.load(tmp_path / "state").node
    again = _init(terminal, tmp_path)
    assert (again.status, "state.exists" in again.error) == (2, True)
    assert state.load(tmp_path / "state").node == node


def test_a_fault_of_the_config_is_told_with_its_line(terminal: Terminal) -> None:
    """Check tells every fault with line, code and the nearest key, and ends with 2, traceless."""
    terminal.config.write_text('[gateway]\nnaem = "a"\nstate_dir = "s"\n')
    said = terminal.type("check")
    assert said.status == 2
    assert "line 2" in said.error and "config.unknown-key" in said.error and "name" in said.error
    assert "Traceback" not in said.error
    assert "Traceback" in terminal.type("check", "--debug").error
    told = terminal.type("check", "--json")
    assert (told.status, told.facts["ok"]) == (2, False)
    found = [(each["code"], each["line"], each["key"]) for each in told.facts["faults"]]
    assert ("config.unknown-key", 2, "gateway.naem") in found


def test_without_a_gateway_the_next_command_is_told(terminal: Terminal) -> None:
    """Each command that needs a gateway says to type init where there is none."""
    for command in (["run"], ["status"], ["query"], ["verify", "--all"], ["fsck"]):
        said = terminal.type(*command)
        assert (said.status, "hulian init" in said.error) == (2, True)


def test_asking_makes_no_file(terminal: Terminal, tmp_path: Path) -> None:
    """Before the first run every question finds nothing, and leaves the store to the agent: a file
    that root made while it asked would be one that the agent's own user cannot write."""
    _init(terminal, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    asked = (["status"], ["query"], ["verify", "--all"], ["fsck"], ["record", "show", "abcd"])
    assert [terminal.type(*each).status for each in asked] == [1, 0, 1, 0, 2]
    assert sorted(tmp_path.rglob("*")) == before


def test_query_writes_every_reading_in_each_format(terminal: Terminal, held: Holding) -> None:
    """Json lines, JSON, CSV and the table all hold the same readings, the oldest first."""
    lines = terminal.type("query", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["value"] for line in lines] == list(range(10))
    facts = terminal.type("query", "--json").facts
    assert [row["value"] for row in facts["rows"]] == list(range(10))
    assert (facts["more"], facts["bodies_missing"]) == (False, 0)
    assert len(terminal.type("query", "--format", "csv").out.splitlines()) == 11
    assert len(terminal.type("query").out.splitlines()) == 11


def test_zero_and_no_are_values_in_every_format(terminal: Terminal, held: Holding) -> None:
    """A machine that stands still says 0 and false: a table shows them, and CSV as JSON does."""
    values: list[float | bool] = [0, 0.0, False, True]
    held.say([Reading("press-2", f"m{at}", one, "", T0 + at) for at, one in enumerate(values)])
    table = terminal.type("query", "--device", "press-2").out.splitlines()
    assert [line.split()[3] for line in table[1:]] == ["0", "0.0", "false", "true"]
    lines = terminal.type("query", "--device", "press-2", "--format", "csv").out.splitlines()
    rows = list(csv.DictReader(lines))
    assert [row["value"] for row in rows] == ["0", "0.0", "false", "true"]
    assert {(row["retained"], row["activity"]) for row in rows} == {("false", "")}


def test_query_filters_and_refuses_nonsense(terminal: Terminal, held: Holding) -> None:
    """Filters reach the question; an option that cannot be understood ends with 2."""
    asked = ("query", "--format", "jsonl", "--limit", "3", "--device", "press-*")
    assert len(terminal.type(*asked).out.splitlines()) == 3
    assert terminal.type("query", "--format", "jsonl", "--device", "nobody").out == ""
    for option, said in (("--from", "soon"), ("--org", "zz"), ("--min-status", "perhaps")):
        answer = terminal.type("query", option, said)
        assert (answer.status, "query.option" in answer.error) == (2, True)
    answer = terminal.type("query", "--group", "nobody")
    assert (answer.status, "group.unknown" in answer.error) == (2, True)


def test_verify_all_counts_what_it_checked(terminal: Terminal, held: Holding) -> None:
    """A good store is valid record by record; an empty one is a failure."""
    said = terminal.type("verify", "--all", "--json")
    assert said.status == 0
    expected = {"checked": 6, "valid": 6, "invalid": 0, "unknown": 0, "ok": True}
    assert expected.items() <= said.facts.items()
    for table in ("records", "heads", "tiles", "observations", "feeds"):
        held.db.execute(f"PRAGMA foreign_keys=off; DELETE FROM {table}")
    empty = terminal.type("verify", "--all", "--json")
    assert (empty.status, empty.facts["ok"], empty.facts["checked"]) == (1, False, 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET encoded = (SELECT encoded FROM records WHERE place & 15 = 4)"
        " WHERE place & 15 = 2",
        "UPDATE records SET body = (SELECT body FROM records WHERE place & 15 = 4)"
        " WHERE place & 15 = 2",
        "DELETE FROM records WHERE place & 15 = 3",
        "DELETE FROM records WHERE place & 15 = 5",
        "UPDATE heads SET frontier = zeroblob(64)",
    ],
)
def test_a_changed_store_is_noticed(terminal: Terminal, held: Holding, change: str) -> None:
    """A record exchanged, taken away, or with another's body, or a false head, fails verify."""
    held.db.execute(change)
    said = terminal.type("verify", "--all", "--json")
    assert (said.status, said.facts["ok"]) == (1, False)
    assert terminal.type("fsck", "--deep").status == 1


def test_a_proof_is_checked_under_the_roster_alone(
    terminal: Terminal, held: Holding, tmp_path: Path
) -> None:
    """An exported proof holds under its roster, and neither under another nor when changed."""
    row = json.loads(terminal.type("query", "--format", "jsonl", "--limit", "1").out)
    file = tmp_path / "record.proof"
    said = terminal.type("export", "proof", row["record"], "-o", str(file), "--json")
    roster = said.facts["roster"]
    terminal.config.unlink()
    good = terminal.type("verify", str(file), "--roster", roster, "--json")
    assert (good.status, good.facts["ok"], good.facts["checked"]) == (0, True, 5)
    assert good.facts["record"] == row["record"]
    assert (good.facts["author"]["node"], good.facts["held_by"]) == (row["node"], [])
    told = terminal.type("verify", str(file), "--roster", roster).out
    assert "who else holds it was not shown" in told and row["record"] in told
    other = terminal.type("verify", str(file), "--roster", "00" * 32)
    assert (other.status, "no record was shown to be anybody's" in other.out) == (1, True)
    nothing = tmp_path / "nothing.proof"
    nothing.write_bytes(proof.encode(proof.Proof()))
    empty = terminal.type("verify", str(nothing), "--roster", roster, "--json")
    assert (empty.status, empty.facts["ok"], empty.facts["checked"]) == (1, False, 0)
    file.write_bytes(file.read_bytes()[:-1])
    assert terminal.type("verify", str(file), "--roster", roster).status == 2


def test_a_record_tells_its_story(terminal: Terminal, held: Holding) -> None:
    """Record show says who wrote it, how many readings it has, and who holds it."""
    row = json.loads(terminal.type("query", "--format", "jsonl", "--limit", "1").out)
    facts = terminal.type("record", "show", row["record"][:16], "--json").facts
    assert (facts["record"], facts["readings"], facts["kind"]) == (row["record"], 2, "observation")
    assert facts["held_by"] == [held.state.node_id.hex()]
    assert terminal.type("record", "show", "0" * 64).status == 2


def test_fsck_and_status_at_rest(terminal: Terminal, held: Holding) -> None:
    """A good store passes fsck; without an agent status says so, counts, and ends with 1."""
    assert terminal.type("fsck", "--deep", "--json").facts["ok"]
    said = terminal.type("status", "--json")
    assert (said.status, said.facts["state"]) == (1, "stopped")
    assert said.facts["store"]["readings"] == 10
    assert [one["last_reading"] for one in said.facts["devices"]] == [show_time(T0 + 9)]
    assert terminal.type("live").status == 2
    held.db.execute("UPDATE totals SET value = 7 WHERE name = 'readings'")
    assert terminal.type("fsck").status == 1


def test_errors_are_told_in_chinese(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a Chinese LANG an error is Chinese with the same code; JSON stays English."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    said = terminal.type("query")
    assert "没有网关" in said.error and "state.missing" in said.error


def test_nothing_is_left_in_english(
    terminal: Terminal, held: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under HULIAN_LANG=zh no command, page of help or error prints an English sentence."""
    row = json.loads(terminal.type("query", "--format", "jsonl", "--limit", "1").out)
    file, record = str(tmp_path / "record.proof"), str(row["record"])
    terminal.type("export", "proof", record, "-o", file)
    monkeypatch.setenv("HULIAN_LANG", "zh")
    commands = [
        *([name, "--help"] for name in ("init", "check", "run", "status", "live", "query", "test")),
        *([name, "--help"] for name in ("verify", "fsck", "demo", "record", "export")),
        *([], ["status"], ["query"], ["record", "show", record], ["verify", "--all"], ["verify"]),
        *(["verify", file], ["verify", file, "--roster", "00" * 32], ["verify", "--roster", "z"]),
        *(["export", "proof", record, "-o", file], ["export", "proof", "0" * 64, "-o", file]),
        *(["fsck", "--deep"], ["live"], ["test"], ["check"], ["nope"], ["query", "--limit", "x"]),
        *(["query", "--nope"], ["query", "x"], ["record", "show"], ["query", "--from", "soon"]),
    ]
    for command in commands:
        said = terminal.type(*command)
        told = re.sub("'[^']*'|hulian [a-z ]+", "", f"{said.out}{said.error}")  # what to type
        left = re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", told)
        assert left is None, (command, left)
        assert said.out or said.error


def test_init_that_fails_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    """No key is made that its passphrase is not shown of, and no config of no gateway."""
    terminal.config.unlink()
    for name, org in (("bad name", "Alpha"), ("good", ""), ("good", "\n")):
        said = terminal.type(
            "init", "--name", name, "--org", org, "--state-dir", str(tmp_path / "s")
        )
        assert (said.status, "usage.value" in said.error) == (2, True)
    blocked = tmp_path / "file"
    blocked.write_text("")
    said = terminal.type("init", "--name", "a", "--org", "A", "--state-dir", str(blocked / "s"))
    assert (said.status, "state.unwritable" in said.error) == (2, True)
    terminal.config = blocked / "gateway.toml"
    said = terminal.type("init", "--name", "a", "--org", "A", "--state-dir", str(tmp_path / "s"))
    assert (said.status, "file.unusable" in said.error) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["nope"], "usage.command"),
        (["query", "--nope"], "usage.option"),
        (["query", "extra"], "usage.extra"),
        (["record", "show"], "usage.missing"),
        (["query", "--limit", "-1"], "usage.value"),
        (["query", "--limit"], "usage.value"),
        (["live", "--limit", "x"], "usage.value"),
        (["verify"], "usage.value"),
        (["verify", "x", "--all"], "usage.value"),
        (["verify", "nothing.proof"], "file.unusable"),
    ],
)
def test_a_wrong_command_line_has_a_code_and_advice(
    terminal: Terminal, held: Holding, command: list[str], code: str
) -> None:
    """Whatever is typed, the answer is a code, what it means, and what to do; status 2."""
    said = terminal.type(*command)
    assert (said.status, f"[{code}]" in said.error, said.out) == (2, True, "")
    assert "why: " in said.error and "next: " in said.error and "Traceback" not in said.error


def test_the_language_follows_the_environment() -> None:
    """HULIAN_LANG goes first, then LC_ALL, LC_MESSAGES, LANG; all but Chinese is English."""
    assert words.language({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert words.language({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) == "en"
    assert words.language({"LC_ALL": "C", "HULIAN_LANG": "zh"}) == "zh"
    assert words.language({"LANG": "de_DE"}) == words.language({}) == "en"
