"""The runners of campaigns and of tests tell the truth about what they ran."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests import campaigns

ROOT = Path(__file__).parent.parent


def _ask(module: ModuleType) -> Sequence[str]:
    return [module.run()]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make a package with a campaign that holds and one that does not."""
    folder = tmp_path / f"planted_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").write_text("", "utf-8")
    (folder / "holds.py").write_text("def run() -> str:\n    return 'lost 0'\n", "utf-8")
    (folder / "breaks.py").write_text("def run() -> str:\n    raise ValueError('3')\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return import_module(folder.name)


def test_a_failed_campaign_fails_the_run_and_stops_no_other(
    package: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every campaign runs, each says its figures, and one failure is counted."""
    assert 1 == campaigns.run_all(package, [], _ask)
    said = capsys.readouterr().out
    assert "breaks: FAILED" in said
    assert "holds: lost 0" in said
    assert said.endswith("1 passed, 1 failed\n")


def test_a_run_of_nothing_is_no_success(package: ModuleType) -> None:
    """Neither an empty folder nor an unknown name passes."""
    assert campaigns.run_all(package, ["unheard-of"], _ask) > 0
    (Path(str(package.__file__)).parent / "holds.py").unlink()
    (Path(str(package.__file__)).parent / "breaks.py").unlink()
    assert campaigns.run_all(package, [], _ask) > 0


@pytest.mark.parametrize(("option", "status"), [([], 0), (["--no-skips"], 1)])
def test_a_skip_fails_a_run_that_may_not_skip(
    option: list[str], status: int, tmp_path: Path
) -> None:
    """`make test` as root can say that it skipped nothing."""
    path = tmp_path / "test_planted.py"
    path.write_text("import pytest\ndef test_x():\n    pytest.skip('planted')\n", "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "--rootdir",
        str(tmp_path),
    ]
    ended = subprocess.run([*command, *option, str(path)], cwd=ROOT, capture_output=True)
    assert status == ended.returncode
