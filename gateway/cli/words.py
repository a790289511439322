"""English or Chinese, by the environment: the English sentence is the key.

In: a sentence with fields in braces, or an error. Out: what to print. Codes, JSON and logs are
never translated; a sentence without a translation stays English.
"""

import os
from functools import cache
from importlib import resources

from babel.messages.pofile import read_po

from gateway.errors import ConfigFaults, GatewayError


def language(environment: dict[str, str]) -> str:
    """Give "zh" or "en", by LC_ALL, LC_MESSAGES and LANG in their order."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    return "en"


def say(sentence: str, **facts: object) -> str:
    """Give a sentence in the reader's language with its facts filled in."""
    return _translated(sentence).format(**{name: _fact(fact) for name, fact in facts.items()})


def what(fault: GatewayError) -> str:
    """Say what happened; of a config, every fault in a line of its own."""
    facts = dict(fault.facts)
    if isinstance(fault, ConfigFaults):
        facts["faults"] = "\n".join(f"  {_told(one)}" for one in fault.faults)
    return say(fault.what, **facts)


def tell(fault: GatewayError) -> str:
    """Tell an error as a person reads it: what, why, what next, and its stable code."""
    lines = [f"{what(fault)}  [{fault.code}]"]
    if fault.why:
        lines.append(f"  {say('why')}: {say(fault.why, **fault.facts)}")
    if fault.next:
        lines.append(f"  {say('next')}: {say(fault.next, **fault.facts)}")
    return "\n".join(lines)


def _told(fault: GatewayError) -> str:
    return f"{say(fault.what, **fault.facts)}  [{fault.code}]; {say(fault.next, **fault.facts)}"


def _fact(fact: object) -> object:
    return what(fact) if isinstance(fact, GatewayError) else fact


def _translated(sentence: str) -> str:
    return _chinese().get(sentence, sentence) if language(dict(os.environ)) == "zh" else sentence


@cache
def _chinese() -> dict[str, str]:
    path = resources.files("gateway.cli").joinpath("locales/zh/LC_MESSAGES/hulian.po")
    with path.open("rb") as file:
        catalogue = read_po(file, locale="zh")
    return {str(one.id): str(one.string) for one in catalogue if one.id and one.string}
