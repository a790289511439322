"""`activity list` and `activity show` on a real store: what two members said, as it is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.activities.activity import Update
from gateway.clock import random_bytes
from gateway.store import state
from gateway.store.state import Names
from tests.neighbours import typed
from tests.people import group_of
from tests.sealed import Gateway
from tests.test_activities import ACE, BOLT, opening, say


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the id of an activity in the store of a gateway at rest, whose config is in force."""
    monkeypatch.setenv("HULIAN_LANG", "en")
    monkeypatch.setenv("HULIAN_CONFIG", str(tmp_path / "gateway.toml"))
    config = f'[gateway]\nname = "ace"\nstate_dir = "{tmp_path}/state"\n'
    (tmp_path / "gateway.toml").write_text(config)
    state.create(tmp_path / "state", Names("ace", "Ace"), random_bytes, 1, "pass")
    within = group_of(ACE, BOLT, clear=False)
    ace, bolt = (Gateway(who, within) for who in (ACE, BOLT))
    activity = say(ace, opening(quantity=5))
    bolt.hear(ace)
    say(bolt, Update({"made": 3}), activity, [activity])
    say(bolt, Update({"quantity": 9}), activity, [activity])
    ace.hear(bolt)
    ace.db.execute("VACUUM INTO ?", (str(tmp_path / "state" / state.STORE_FILE),))
    return activity.hex()


def _facts(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    status, out, _ = typed(capsys, "activity", *words, "--json")
    assert status == 0
    return json.loads(out)  # type: ignore[no-any-return]


def test_an_activity_is_listed_and_shown_from_the_store(
    named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the start of its id: what counts, and what does not with its reason."""
    (row,) = _facts(capsys, "list")["activities"]
    assert (row["activity"], row["state"], row["records"]) == (named, "open", 3)
    facts = _facts(capsys, "show", named[:10])
    fields = {one["name"]: one for one in facts["fields"]}
    assert [one["value"] for one in fields["quantity"]["values"]] == [5]
    assert fields["made"]["total"] == 3
    assert [one["code"] for one in facts["rejected"]] == ["activity.unauthorised"]
    status, out, _ = typed(capsys, "activity", "show", named[:10])
    assert status == 0 and "lot 1: A lot, open" in out and "rejected: record" in out


def test_what_cannot_be_is_told_before_the_agent_is_asked(
    named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such activity, no such field, no such value: each with its code; then who is missing."""
    for words, code in (
        (("show", "ffff"), "act.unknown-activity"),
        (("update", named, "--set", "colour=red"), "activity.unknown-field"),
        (("update", named, "--set", "quantity=many"), "activity.bad-value"),
        (("update", named, "--reading", "scale-3"), "usage.value"),
        (("close", named), "agent.not-running"),
        (("open", "--template", "delivery", "--purpose", "x"), "agent.not-running"),
    ):
        status, _, err = typed(capsys, "activity", *words)
        assert status == 2 and code in err, err
