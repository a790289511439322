"""What every test may ask for, and what a whole run of them must keep."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run demand that nothing is skipped."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something where everything can be had."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and terminal and terminal.stats.get("skipped"):
        terminal.write_line("a test was skipped, and --no-skips was asked for", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def figures() -> Callable[..., None]:
    """Take what a story counted, by name: the runner of stories prints it at the end."""

    def tell(**counted: object) -> None:
        text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counted.items())
        path = os.environ.get("STORY_FIGURES")
        if path is None:
            print(text)
            return
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    return tell
