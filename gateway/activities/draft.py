"""A template's text while it is read: every fault of it, with line and key. template.md.

In: values that tomllib read, and the path of each. Out: what they come to, None for what is wrong
and then a fault more. It never stops at the first.
"""

import re
from collections.abc import Iterable, Mapping as Table
from difflib import get_close_matches
from typing import Final, TypeVar

from gateway.activities import terms
from gateway.activities.terms import Title
from gateway.config.lines import Lines, Path
from gateway.errors import TemplateFault

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
TITLE_BYTES_MAX: Final = 256
_FAULTS_MAX: Final = 100
T = TypeVar("T")


class Draft:
    """The faults so far, and one value read at a time."""

    def __init__(self, text: str) -> None:
        self._lines = Lines(text)
        self._found: list[TemplateFault] = []

    @property
    def faults(self) -> tuple[TemplateFault, ...]:
        """Give the faults by line."""
        by_line = sorted(self._found, key=lambda fault: int(str(fault.facts["line"])))
        return tuple(by_line[:_FAULTS_MAX])

    def fault(self, path: Path, *, reason: str) -> None:
        """Remember what is wrong with the key under this path."""
        key = ".".join(str(part)[:40] for part in path)
        self._found.append(TemplateFault(line=self._lines.of(path), key=key, reason=reason))

    def known(self, at: Path, said: Table[str, object], keys: Iterable[str]) -> None:
        """Remember each key that nobody reads, with the nearest that somebody does."""
        keys = tuple(keys)
        for key in said:
            if key in keys:
                continue
            near = get_close_matches(key[:80].lower(), keys, n=1, cutoff=0.5)
            reason = "there is no such key"
            if near:
                reason = f"there is no such key; did you mean '{near[0]}'?"
            self.fault((*at, key), reason=reason)

    def word(self, path: Path, said: object, words: Table[str, T]) -> T | None:
        """Read one of several words, as what it stands for."""
        if isinstance(said, str) and said in words:
            return words[said]
        self.fault(path, reason=f"it must be one of: {', '.join(words)}")
        return None

    def name(self, path: Path, said: object) -> str:
        """Read a name."""
        if isinstance(said, str) and NAME.fullmatch(said):
            return said
        self.fault(path, reason="a name is at most 63 of a-z 0-9 _ -, a letter first")
        return ""

    def text(self, path: Path, said: object, bytes_max: int) -> str:
        """Read a text."""
        if isinstance(said, str) and terms.is_text(said, bytes_max):
            return said
        reason = f"it must be text of 1 to {bytes_max} bytes without control characters"
        self.fault(path, reason=reason)
        return ""

    def title(self, path: Path, said: object) -> Title:
        """Read a title: in English, Chinese or both."""
        match said:
            case dict() as found if found and found.keys() <= {"en", "zh"}:
                texts = {
                    key: self.text((*path, key), one, TITLE_BYTES_MAX) for key, one in found.items()
                }
                return Title(texts.get("en", ""), texts.get("zh", ""))
        self.fault(path, reason="it must be { en = '...', zh = '...' }, or one of the two")
        return Title("", "")

    def count(self, path: Path, said: object, least: int, most: int) -> int:
        """Read a whole number between bounds."""
        if isinstance(said, int) and not isinstance(said, bool) and least <= said <= most:
            return said
        self.fault(path, reason=f"it must be a whole number from {least} to {most}")
        return least

    def number(self, path: Path, said: object) -> int | float | None:
        """Read a number."""
        if isinstance(said, int | float) and terms.is_number(said):
            return said
        self.fault(path, reason="it must be a number within 2^53 of zero")
        return None
