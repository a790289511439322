"""`consortium show`: the members, their fingerprints, and who waits for what.

In: what is kept here and what lies in the mailboxes, where a broker can be reached. Out: the same
for people and programs; which consortium is meant where a command names none.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import typer

from gateway.cli import desk, pairing as people, place
from gateway.cli.desk import Desk
from gateway.cli.inviting import when
from gateway.cli.pairing import AsJson
from gateway.cli.setting_up import fingerprint
from gateway.cli.words import say, tell
from gateway.errors import (
    GatewayError,
    MailboxUnusable,
    ManyConsortia,
    NoLink,
    UnknownConsortium,
)
from gateway.groups.admission import Open
from gateway.groups.pairing import Applicant, Invited
from gateway.records.roster import Roster, quorum
from gateway.store import pairing as kept_pairing, state
from gateway.store.pairing import Invitation, Stage
from gateway.store.state import State


def chosen(held: State, name: str | None) -> Roster:
    """Give the newest roster of the consortium that is meant; raise where that is not clear.

    The organisation's own, alone, is meant only where there is no other.
    """
    newest = every(held)
    if name is not None:
        found = [each for each in newest if each.name == name or _begins(each, name)]
        if not found:
            names = ", ".join(each.name for each in newest)
            raise UnknownConsortium(name=name, names=names)
    else:
        others = [each for each in newest if each.consortium != held.roster.hash or each.number]
        found = others or newest
    if len(found) > 1:
        raise ManyConsortia(names=", ".join(f"{each.name} ({_short(each)})" for each in found))
    return found[0]


def every(held: State) -> list[Roster]:
    """Give the newest roster of each consortium, the organisation's own first."""
    ids = {each.consortium for each in held.rosters.values()}
    return [held.newest(each) for each in sorted(ids, key=lambda it: (it != held.roster.hash, it))]


def applicants(at: Desk, consortium: bytes) -> Iterator[tuple[Invitation, Applicant]]:
    """Give the organisations that answered an invitation made here and are not members yet."""
    members = [each.id for each in at.standings[consortium].newest.organisations]
    for invitation in at.kept.invitations:
        paper = at.paper(invitation)
        if paper is None or invitation.consortium != consortium:
            continue
        said, is_open = paper.said, invitation.stage is Stage.OPEN
        if is_open and isinstance(said, Applicant) and said.organisation.id not in members:
            yield invitation, said


def show(
    as_json: AsJson = False,
) -> None:
    """Show members, fingerprints, and who waits for what since when."""
    fault: GatewayError | None = None
    with ExitStack() as stack:
        try:
            at = stack.enter_context(desk.attended())
        except (MailboxUnusable, NoLink) as raised:  # What is known here is shown all the same.
            held = state.load(place.state_dir())
            at, fault = Desk(held, kept_pairing.load(held.path), None), raised
        found = [_facts(at, each) for each in every(at.held)]
        open_ = [_joining(each) for each in at.kept.joinings if each.stage is Stage.OPEN]
        unread = [each.code for each in at.faults]
    facts: dict[str, object] = {"consortia": found, "joining": open_, "unread": unread}
    facts["mailbox"] = None if fault is None else fault.code
    lines = [line for each in found for line in _lines(each)]
    if open_:
        lines += [say("A joining was begun here; type 'hulian consortium join' to go on")]
    if unread:
        told = say("{count} document(s) in the mailboxes could not be used", count=len(unread))
        lines += [f"{told}: {', '.join(sorted(set(unread)))}"]
    people.tell(facts, lines, as_json)
    if fault is not None:
        typer.echo(tell(fault), err=True)
        raise typer.Exit(1)


def pending(at: Desk, within: Roster) -> list[dict[str, object]]:
    """Give who waits: for what, since when, for whom, and what is to be typed here."""
    standing, found = at.standings[within.consortium], []
    moved: set[bytes] = set()
    for each in standing.open_motions():
        moved |= {one.id for one in each.change.joining}
        found.append(_moved(at, each))
    for invitation, said in applicants(at, within.consortium):
        if said.organisation.id not in moved:
            name = said.organisation.name
            found.append(_row("joining", name, invitation.heard_s, [at.own_name]) | _do(name))
    for invitation in at.kept.invitations:
        is_unused = invitation.stage is Stage.OPEN and invitation.paper is None
        if is_unused and (invitation.invited, invitation.consortium) == (
            Invited.ORGANISATION,
            within.consortium,
        ):
            until = when(invitation.expires_s)
            row = _row("invitation", None, invitation.made_s, [])
            found.append(row | {"until": until, "expired": invitation.has_expired(at.now_s)})
    return found


def _moved(at: Desk, one: Open) -> dict[str, object]:
    what = "joining" if one.change.joining else "leaving" if one.change.leaving else "changing"
    missing = [*one.missing.must, *one.missing.among]
    name = ", ".join(one.change.names)
    row = _row(what, name, one.motion.since_s, [])
    row |= {"waiting": [each.name for each in missing], "more": one.missing.more}
    return row | (_do(name) if at.held.organisation in [each.id for each in missing] else {})


def _row(
    what: str, name: str | None, since_s: int | None, waiting: Sequence[str]
) -> dict[str, object]:
    found: dict[str, object] = {"what": what, "name": name, "since": when(since_s)}
    return found | {"waiting": list(waiting), "do": None}


def _do(name: str) -> dict[str, object]:
    return {"do": f'hulian consortium approve "{name}"'}


def _facts(at: Desk, within: Roster) -> dict[str, object]:
    members = [
        {
            "name": each.name,
            "org": each.id.hex(),
            "fingerprint": fingerprint(each.id),
            "own": each.id == at.held.organisation,
            "witness": None if each.witness is None else each.witness.hex(),
        }
        for each in within.organisations
    ]
    return {
        "name": within.name,
        "consortium": within.consortium.hex(),
        "roster": within.number,
        "hash": within.hash.hex(),
        "quorum": quorum(len(members)),
        "members": members,
        "pending": pending(at, within),
    }


def _joining(one: kept_pairing.Joining) -> dict[str, object]:
    return {"what": one.invited.name.lower(), "posted": one.paper is not None}


def _lines(facts: dict[str, object]) -> Iterator[str]:
    members, waiting = facts["members"], facts["pending"]
    assert isinstance(members, list) and isinstance(waiting, list)
    count = len(members)
    yield say(
        "{name}: roster {roster}, {count} member(s), {quorum} decide", **facts | {"count": count}
    )
    for each in members:
        yield f"  {each['name']}" + (f"  ({say('this organisation')})" if each["own"] else "")
        yield from (f"  {line}" for line in people.shown(bytes.fromhex(each["org"])))
    for each in waiting:
        yield from _told(each)
    yield ""


def _told(row: dict[str, object]) -> Iterator[str]:
    names = row["waiting"]
    assert isinstance(names, list)
    facts = {"name": row["name"], "since": row["since"] or "-", "names": ", ".join(names) or "-"}
    match row["what"]:
        case "joining":
            yield say("  {name} asks to be admitted, since {since}; it waits for {names}", **facts)
        case "leaving":
            yield say("  {name} is to leave, since {since}; it waits for {names}", **facts)
        case "changing":
            yield say("  {name} changes its keys, since {since}; it waits for {names}", **facts)
        case _:
            until = row["until"] or "-"
            told = say("  an invitation that nobody has used, until {time}", time=until)
            yield told if not row["expired"] else say("  an invitation that nobody used, expired")
    if row["do"]:
        yield f"    {say('Next:')} {row['do']}"


def _begins(each: Roster, name: str) -> bool:
    return len(name) >= 4 and each.consortium.hex().startswith(name.lower())


def _short(each: Roster) -> str:
    return each.consortium.hex()[:16]
