"""Patterns of the config that no text of a machine can make slow.

In: a regular expression from the config. Out: the same compiled so that no repeat gives back what
it took, or ValueError with the reason. Ordinary repeats try all ways to share a text among them,
and a machine that says the right nonsense would hold up everybody; these take as much as they can,
once. So `[0-9.]+ *kg` matches, and `.+kg` never could: it is refused.
"""

import re
from typing import Final

PATTERN_LETTERS_MAX: Final = 512

_PIECE: Final = re.compile(
    r"(?P<other>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?P<\w+>|\?:)?|[)|^$.]|[^\\\[\]()|*+?{}^$.])"
    r"(?P<repeat>[*+?]|\{\d*,?\d*\})?",
    re.DOTALL,
)


def compiled(said: str) -> re.Pattern[str]:
    """Compile a pattern; raise ValueError with the reason if it cannot be, or could be slow."""
    if len(said) > PATTERN_LETTERS_MAX:
        raise ValueError(f"it is longer than {PATTERN_LETTERS_MAX} letters")
    at, written = 0, ""
    while at < len(said):
        piece = _PIECE.match(said, at)
        if piece is None:
            raise ValueError(f"'{said[at : at + 8]}' is none of what a pattern may have")
        at = piece.end()
        written += _possessive(piece["other"], piece["repeat"], said[at:])
    try:
        return re.compile(written, re.ASCII | re.DOTALL)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(str(fault)) from None


def _possessive(other: str, repeat: str | None, rest: str) -> str:
    if other[0] == "\\" and other[1].isalnum() and other[1] not in "dDsSwWnrtx":
        raise ValueError(f"'{other}' is none of what a pattern may have")
    if repeat is None:
        return other
    if rest[:1] in ("+", "?", "*", "{") and rest:
        raise ValueError("a repeat is repeated; repeats never give back what they took")
    if other in ("^", "$", "|") or other[0] == "(":
        raise ValueError(f"'{other}{repeat}' is none of what a pattern may have")
    if other != ".":
        return f"{other}{repeat}+"
    if rest.strip(")") and not re.fullmatch(r"\{\d+\}", repeat):
        raise ValueError("'.' with a repeat takes all that follows; name the letters that it takes")
    return f"{other}{repeat}"
