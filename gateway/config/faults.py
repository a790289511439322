"""The list of faults that a config grows while it is read: one each, with line and key.

In: what is wrong, and the path of the key. Out: all of it at once. It never stops at the first.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from gateway.config.lines import Lines, Path
from gateway.errors import ConfigFault, UnknownKey, WrongChoice

_FAULTS_MAX = 100  # A person mends a few at a time; a file that is no config has thousands.


class Faults:
    """Faults so far, in the order of their lines when asked for."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._found: list[ConfigFault] = []

    def add(self, kind: type[ConfigFault], path: Path, **facts: object) -> None:
        """Remember a fault of the key under this path."""
        self._found.append(kind(line=self.line(path), key=_dotted(path), **facts))

    def unknown(self, path: Path, valid: Iterable[str]) -> None:
        """Remember a key that nobody reads, with the nearest that somebody does."""
        self.add(UnknownKey, path, advice=_advice(str(path[-1]), valid))

    def choice(self, path: Path, said: str, valid: Iterable[str]) -> None:
        """Remember a value that is none of the valid ones, with the nearest of them."""
        valid = tuple(valid)
        found, choices = said[:40], ", ".join(valid)
        self.add(WrongChoice, path, found=found, choices=choices, advice=_advice(said, valid))

    def line(self, path: Path) -> int:
        """Give the line of a key."""
        return self._lines.of(path)

    def all(self) -> tuple[ConfigFault, ...]:
        """Give the faults by line."""
        by_line = sorted(self._found, key=lambda fault: int(str(fault.facts["line"])))
        return tuple(by_line[:_FAULTS_MAX])


def _advice(said: str, valid: Iterable[str]) -> str:
    """Say which valid word was likely meant."""
    near = get_close_matches(said[:80].lower(), tuple(valid), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else "remove it, or choose another"


def _dotted(path: Path) -> str:
    """Write a path as source[0].metric[1].name; quote what is not a bare key."""
    said = ""
    for part in path:
        if isinstance(part, int):
            said += f"[{part}]"
        else:
            bare = part.replace("-", "").replace("_", "").isalnum()
            said += f".{part}" if bare else f".{part[:40]!a}"
    return said.removeprefix(".")[:200]
