"""What all scans share: progress on a terminal, what the config has already, what to paste.

In: what a scan did so far; the config, where there is one. Out: one line that grows, only on a
terminal and never among the facts; names that are taken; proposals as they are printed.
"""

from collections.abc import Sequence
from contextlib import suppress
from os.path import realpath
from types import TracebackType
from typing import Self

from gateway.cli import place
from gateway.cli.words import say
from gateway.config import FramedSource, ModbusSource, SerialLine, SerialSource, Source
from gateway.config.proposal import Said, written
from gateway.errors import GatewayError

# A source has its line in these; of one that is silent the machine says nothing on it.
_OPEN = ("connected", "waiting", "silent", "degraded")


class Shown:
    """Progress as a line on the terminal; without one, nothing."""

    def __init__(self) -> None:
        # Here and not above: the agent starts by the same front, and needs none of it.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), TimeElapsedColumn()),
        )
        self._bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: object, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, told: str, done: float, total: float) -> None:
        """Say how far it is."""
        self._bar.update(self._task, description=told, completed=done, total=total)


def sources() -> tuple[Source, ...]:
    """Give the sources of the config; none where there is no config that can be read."""
    with suppress(GatewayError):
        return place.config().source
    return ()


def line_owner(device: str) -> Source | None:
    """Find the source of the config that is about this port, by whatever name."""
    for each in sources():
        line: object = None
        if isinstance(each, FramedSource | SerialSource):
            line = each.serial_line
        elif isinstance(each, ModbusSource):
            line = each.bus
        if isinstance(line, SerialLine) and realpath(line.path) == realpath(device):
            return each
    return None


def is_heard_by_agent(name: str) -> bool:
    """Say whether the running agent has the source's line open."""
    with suppress(GatewayError):
        for status in place.ask_agent(place.state_dir(), "status", place.PATIENCE_S):
            return any(
                each["name"] == name and each["state"] in _OPEN
                for each in status.get("sources", ())
            )
    return False


def pasted(proposals: Sequence[Said]) -> str:
    """Write proposals as they are pasted."""
    return "\n".join(map(written, proposals))


def show(proposals: Sequence[Said]) -> None:
    """Print what to paste."""
    if proposals:
        print()
        print(say("to paste into the config, then type 'hulian check':"))
        print()
        print(pasted(proposals), end="")
