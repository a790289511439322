"""What people and strangers are told of a device's signature: verify, query, an exported proof."""

import json
from pathlib import Path

import pytest

from gateway.readings import senml
from gateway.readings.reading import Batch, Provenance, Reading
from gateway.records import attestation
from tests.holding import Holding, strokes
from tests.oracle import ask
from tests.station import Station
from tests.test_cli import Terminal
from tests.vectors import load
from tests.vectors.build_attestation import lot
from tests.vectors.build_frame import STROKE, WARM
from tests.vectors.build_signed import DEVICE, NAME

KEY = DEVICE.public.hex()


@pytest.fixture
def terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """Give an English terminal."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Terminal(tmp_path, capsys)


def _rows(terminal: Terminal) -> list[dict[str, object]]:
    lines = terminal.type("query", "--format", "jsonl").out.splitlines()
    return [json.loads(line) for line in lines]


def test_verify_and_query_say_who_stands_for_a_reading(terminal: Terminal, tmp_path: Path) -> None:
    """By which key it was signed, and of other readings who vouches for them."""
    held = Holding(tmp_path)
    held.say(strokes(1))
    held.attest([lot((WARM, STROKE)), lot((STROKE,), 2)])
    told = terminal.type("verify", "--all")
    assert told.status == 0, told.out
    assert f"device-signed by key {KEY}: 3 samples" in told.out
    assert terminal.type("verify", "--all", "--json").facts["devices"] == [
        {"key": KEY, "samples": 3}
    ]
    stood_for = {(row["device"], row["provenance"]) for row in _rows(terminal)}
    assert stood_for == {("press-1", "gateway-attested"), (NAME, "device-signed")}


def test_a_proof_shows_the_device_to_who_has_only_the_roster(
    terminal: Terminal, tmp_path: Path
) -> None:
    """`verify FILE` names the key; a stranger who knows only the chapters says the same."""
    held, file = Holding(tmp_path), tmp_path / "record.proof"
    held.attest([lot((WARM, STROKE))])
    record = str(_rows(terminal)[0]["record"])
    said = terminal.type("export", "proof", record, "-o", str(file), "--json")
    roster = said.facts["roster"]
    terminal.config.unlink()
    told = terminal.type("verify", str(file), "--roster", roster)
    assert told.status == 0, told.out
    assert f"device-signed by key {KEY}: 2 samples" in told.out
    answers = ask("proof_by_cwt", [(file.read_bytes().hex(), roster)])
    assert isinstance(answers, list) and answers[0]["statements"]["device"] is True


def test_a_gateway_that_altered_a_value_is_found(terminal: Terminal, tmp_path: Path) -> None:
    """Signed by the gateway as it is, stored and indexed; and verify and query say it is not so."""
    held, file = Holding(tmp_path), tmp_path / "record.proof"
    attested, (warm, stroke) = lot((WARM, STROKE))
    hotter = Reading(warm.device, warm.metric, 91.5, warm.unit, warm.time_ms)
    held.attest([(attested, [hotter, stroke])])
    told = terminal.type("verify", "--all")
    assert (told.status, "attestation.fails" in told.out) == (1, True)
    assert "device-signed by" not in told.out
    rows = _rows(terminal)
    assert {row["provenance"] for row in rows} == {"unproven"}
    terminal.type("export", "proof", str(rows[0]["record"]), "-o", str(file))
    shown = terminal.type("verify", str(file))
    assert (shown.status, "attestation.fails" in shown.out) == (1, True)


def test_a_stranger_judges_packs_as_we_do() -> None:
    """Written from the chapters alone, it takes every good vector and no bad one."""
    vectors = load("attestation")
    good = [vector["hex"] for vector in vectors["good"]]
    bad = [vector["hex"] for vector in vectors["bad"] if vector["error"] == "attestation.fails"]
    assert len(bad) > 20
    assert ask("packs", good + bad) == [True] * len(good) + [False] * len(bad)


def test_what_is_divided_between_groups_claims_less(tmp_path: Path) -> None:
    """Nobody gets another's values for a signature's sake, and nobody is told of one not shown."""
    station = Station(tmp_path)
    try:
        whole, divided = lot((WARM, WARM)), lot((WARM, STROKE), 2)
        batch = Batch((*whole[1], *divided[1]), attestations=(whole[0], divided[0]))
        station.intake(NAME, "strokes").submit(batch).result()
        told = [one for pack in station.packs() for one in senml.decode_attested(pack)]
        assert sorted(one.provenance.value for one in told) == sorted(
            [Provenance.DEVICE_SIGNED.value] * 2 + [Provenance.DEVICE_AUTHENTICATED.value] * 2
        )
        assert sorted(len(attestation.check(pack)) for pack in station.packs()) == [0, 0, 1]
    finally:
        station.close()
