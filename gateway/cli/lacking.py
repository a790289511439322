"""What an answer is known to lack, in words: of whom it was heard, and who was not heard.

In: what is missing from an answer. Out: lines for standard error, and a file for programs.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway.cli.pairing import write_file
from gateway.cli.words import say
from gateway.completeness import Extent, Hearing
from gateway.query import Missing, show_time
from gateway.store.state import State

# Tips are said every 300 s: who was not heard for so long may have said more.
SILENT_MS: Final = 750_000
LINES_MAX: Final = 10


def keep(path: Path, facts: Mapping[str, object]) -> None:
    """Write facts to a file for programs; raise FileUnusable."""
    write_file(path, f"{json.dumps(facts, ensure_ascii=False)}\n".encode())


def told_of(missing: Missing, held: State, now_ms: int) -> Iterator[str]:
    """Say in words what is known to be missing from an answer, and who was not heard lately."""
    if missing.more:
        yield say("older readings were left out; --limit says how many")
    if missing.bodies:
        yield say(
            "{count} records could not answer: their bodies are not held here",
            count=missing.bodies,
        )
    if missing.sealed:
        yield say(
            "{count} records are sealed here: the keys to them were not given to this gateway",
            count=missing.sealed,
        )
    yield from _gaps(missing)
    for extent in missing.extents:
        yield from _absent(extent, _names(held, extent))
    for extent in missing.extents:
        yield from _unheard(extent, _names(held, extent), now_ms)
    if missing.complete:
        yield say("nothing is known to be missing")


def _gaps(missing: Missing) -> Iterator[str]:
    for each in missing.gaps:
        yield say(
            "{count} readings of {device} are missing for good, after {after} and before {before}:"
            " {reason}",
            **{name: fact or "-" for name, fact in each.shown().items()},
        )


def _names(held: State, extent: Extent) -> dict[bytes, str]:
    """Name each member's node by its organisation and the beginning of its id."""
    rosters = sorted(held.rosters.values(), key=lambda each: each.number)
    named = {one.id: one.name for each in rosters for one in each.organisations}
    return {
        each.node: f"{named.get(each.organisation, each.organisation.hex()[:8])}"
        f" {each.node.hex()[:8]}"
        for each in extent.members
    }


def _absent(extent: Extent, names: Mapping[bytes, str]) -> Iterator[str]:
    """Say how many records are missing, and on whose word."""
    if not extent.absent:
        return
    yield say(
        "{group}: {records} records of {feeds} feeds are known to be missing here",
        group=extent.group,
        records=extent.missing,
        feeds=len(extent.absent),
    )
    said_by = sorted(extent.said_by().items(), key=lambda each: -each[1])
    for node, records in said_by[:LINES_MAX]:
        yield say(
            "{group}: {who} signed that it holds {records} of them",
            group=extent.group,
            who=names.get(node, node.hex()[:8]),
            records=records,
        )
    if named := extent.named():
        yield say(
            "{group}: {records} of them are in earlier feeds that later ones name",
            group=extent.group,
            records=named,
        )


def _unheard(extent: Extent, names: Mapping[bytes, str], now_ms: int) -> Iterator[str]:
    """Say of whom nothing was heard lately: what they said since is not known here."""
    unheard = [each for each in extent.members if _is_silent(each, now_ms)]
    for each in unheard[:LINES_MAX]:
        if each.heard_ms is None:
            yield say(
                "{group}: nothing was heard of {who} yet; what it says is not known here",
                group=extent.group,
                who=names[each.node],
            )
            continue
        yield say(
            "{group}: {who} was last heard {heard}; what it said since is not known here",
            group=extent.group,
            who=names[each.node],
            heard=show_time(each.heard_ms),
        )
    if len(unheard) > LINES_MAX:
        yield say(
            "{group}: {count} more members were not heard lately",
            group=extent.group,
            count=len(unheard) - LINES_MAX,
        )


def _is_silent(member: Hearing, now_ms: int) -> bool:
    return member.heard_ms is None or now_ms - member.heard_ms > SILENT_MS
