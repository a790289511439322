"""English or Chinese, by the environment: the English sentence is the key.

In: a sentence with fields in braces, or an error. Out: what to print. Codes, JSON and logs are
never translated; a sentence without a translation stays English. What an error tells as its reason
was written elsewhere, perhaps with something filled in: it is known again by its pattern.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from unicodedata import east_asian_width

from babel.messages.pofile import read_po

from gateway.errors import ConfigFaults, GatewayError, MalformedTemplate

_NAMES = ("HULIAN_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
# The context of a sentence in the catalogue that only ever fills a field of another.
_REASON = "reason"
_TOLD = ("reason", "expected", "advice", "found", "count", "part", "kind", "what_is_it")
# Facts of our own that may have lines; a name that others chose may not.
_LINES = (*_TOLD, "faults", "told", "next", "lines")
_DEEP_MAX = 4


def language(environment: dict[str, str]) -> str:
    """Give "zh" or "en", by HULIAN_LANG, LC_ALL, LC_MESSAGES and LANG in their order."""
    for name in _NAMES:
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    return "en"


def say(sentence: str, **facts: object) -> str:
    """Give a sentence in the reader's language with its facts filled in."""
    told = {name: _fact(name, fact) for name, fact in facts.items()}
    return (_chinese("").get(sentence, sentence) if _is_chinese() else sentence).format(**told)


def what(fault: GatewayError) -> str:
    """Say what happened; of a config or template, every fault in a line of its own."""
    facts = dict(fault.facts)
    if isinstance(fault, ConfigFaults | MalformedTemplate):
        facts["faults"] = "\n".join(f"  {_told(one)}" for one in fault.faults)
    return say(fault.what, **facts)


def tell(fault: GatewayError) -> str:
    """Tell an error as a person reads it: what, why, what next, and its stable code."""
    first, *more = what(fault).split("\n")
    lines = [f"{first}  [{fault.code}]", *more]
    if fault.why:
        lines.append("  " + titled("why", say(fault.why, **fault.facts)))
    if fault.next:
        lines.append("  " + titled("next", say(fault.next, **fault.facts)))
    return "\n".join(lines)


def titled(title: str, told: str) -> str:
    """Put a title, itself a sentence of ours, before what it is about."""
    return say("{title}: {told}", title=say(title), told=told)


def retell(said: str, deep: int = 0) -> str:
    """Give in the reader's language what was already said in English, as far as it is known."""
    if not _is_chinese() or deep > _DEEP_MAX:
        return said
    reasons = _chinese(_REASON)
    if said in reasons:
        return reasons[said]
    code, _, rest = said.partition(": ")
    if (error := _errors().get(code)) and (found := _pattern(error.what).fullmatch(rest)):
        facts = {name: retell(text, deep + 1) for name, text in found.groupdict().items()}
        return f"{_chinese('').get(error.what, error.what).format(**facts)}  [{code}]"
    for english in _filled():
        if found := _pattern(english).fullmatch(said):
            told = (retell(text, deep + 1) for text in found.groups())
            return reasons[english].format(*told)
    return said


def error(code: str, facts: dict[str, str]) -> GatewayError:
    """Make an error again of what another process told of it."""
    made = _errors().get(code, GatewayError)(**facts)
    try:
        str(made)
    except KeyError:  # of another version of the agent
        return GatewayError(**facts)
    return made


def wide(text: str) -> int:
    """Give how many columns of a terminal a text takes: a Chinese letter takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def pad(text: str, columns: int) -> str:
    """Fill a text up to so many columns of a terminal."""
    return plain(text) + " " * (columns - wide(text))


def plain(text: str) -> str:
    """Show what others named so that it moves nothing on a terminal and hides no fingerprint."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _told(fault: GatewayError) -> str:
    facts = fault.facts
    return say(
        "{told}  [{code}]; {next}",
        **{"told": say(fault.what, **facts), "code": fault.code, "next": say(fault.next, **facts)},
    )


def _fact(name: str, fact: object) -> object:
    match fact:
        case GatewayError():
            return what(fact)
        case OSError(strerror=str() as reason):
            return retell(reason)
        case str() | Exception() if name in _TOLD:
            return retell(str(fact))
        case str() if name not in _LINES:
            return plain(fact)
    return fact


def _is_chinese() -> bool:
    return language(dict(os.environ)) == "zh"


def _below(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for one in error.__subclasses__():
        yield one
        yield from _below(one)


@cache
def _errors() -> dict[str, type[GatewayError]]:
    return {error.code: error for error in _below(GatewayError)}


@cache
def _filled() -> list[str]:
    """Give the reasons with fields in them, those first that say the most beside their fields."""
    return sorted((each for each in _chinese(_REASON) if "{0}" in each), key=len, reverse=True)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Know a sentence again whose fields are filled in: named fields, or numbered ones."""
    parts = re.split(r"\{(\w+)\}", template)
    fields = [f"(?P<{name}>.*)" if name.isidentifier() else "(.*)" for name in parts[1::2]]
    texts = [re.escape(text) for text in parts[::2]]
    whole = [piece for pair in zip(texts, [*fields, ""], strict=True) for piece in pair]
    return re.compile("".join(whole), re.DOTALL)


@cache
def _chinese(context: str) -> dict[str, str]:
    path = resources.files("gateway.cli").joinpath("locales/zh/LC_MESSAGES/hulian.po")
    with path.open("rb") as file:
        catalogue = read_po(file, locale="zh")
    return {
        str(one.id): str(one.string)
        for one in catalogue
        if one.id and one.string and (one.context or "") == context
    }
