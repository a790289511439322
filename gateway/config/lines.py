"""Where in a TOML text each key stands: tomllib reads values and forgets their lines.

In: a text that tomllib accepted. Out: the line of every key and table, by its path. It never
judges: what it cannot place has the line of the table around it.
"""

import re
from typing import Final

Path = tuple[str | int, ...]

_KEY: Final = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*(\.?)""")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
# One piece of a value: a string of any kind, a comment, a bracket, a line's end, or plain text.
_PIECE: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*'
    r"|[\[\]{}\n]|[^\[\]{}\n\"'#]+|.",
    re.DOTALL,
)


class Lines:
    """The lines of a text's keys."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}
        self._table: Path = ()
        self._at, self._line, self._counted = 0, 1, 0
        while self._at < len(text):
            self._statement()

    def of(self, path: Path) -> int:
        """Give the line of a key, or of the nearest table around it."""
        while path not in self._found:
            path = path[:-1]
        return self._found[path]

    def _statement(self) -> None:
        """Read a table's header, or a key and its value."""
        if blank := _BLANK.match(self._text, self._at):
            self._at = blank.end()
        elif self._text.startswith("[[", self._at):
            self._at += 2
            *outer, last = self._key() or [""]
            array = (*self._resolve(outer), last)
            self._counts[array] = self._counts.get(array, -1) + 1
            self._table = (*array, self._counts[array])
            self._found.setdefault(array, self._number())
            self._found[self._table] = self._number()
            self._skip_value()
        elif self._text.startswith("[", self._at):
            self._at += 1
            self._table = self._resolve(self._key())
            self._found[self._table] = self._number()
            self._skip_value()
        else:
            path = self._table
            for part in self._key():
                path = (*path, part)
                self._found.setdefault(path, self._number())
            self._skip_value()

    def _number(self) -> int:
        """Count the lines up to here, going on from the last count."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _key(self) -> list[str]:
        """Read a dotted key."""
        parts = []
        while found := _KEY.match(self._text, self._at):
            self._at = found.end()
            parts.append(found[1].strip("\"'"))
            if not found[2]:
                break
        return parts

    def _resolve(self, parts: list[str]) -> Path:
        """Put into a header's path the numbers of the array elements that it is about."""
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _skip_value(self) -> None:
        """Go to the end of a value, which may have many lines, or of a header."""
        depth = 0
        while piece := _PIECE.match(self._text, self._at):
            self._at = piece.end()
            match piece[0]:
                case "[" | "{":
                    depth += 1
                case "]" | "}":
                    depth -= 1
                case "\n" if depth <= 0:
                    return
