"""`group`: who shares what. Acts are the running agent's; what is shown comes from the store."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.cli import place
from gateway.cli.words import pad, say, wide
from gateway.errors import UnknownGroup
from gateway.groups.finality import Witnesses
from gateway.groups.group import Role
from gateway.groups.membership import Membership, Pending
from gateway.groups.parties import Contact
from gateway.store import checkpoints, contacts, council, groups, heard, noted, projections
from gateway.store.database import Connection
from gateway.store.state import State

COLUMNS = ("name", "purpose", "bodies", "members", "state")
# What the facts say of groups in one word each, in English; people read it in their language.
WORDS = (
    *("clear", "sealed", "member", "joining", "removed", "add", "roles"),
    *(each.name.lower() for each in Role),
)
Json = Annotated[bool, typer.Option("--json", help="facts for programs")]
Name = Annotated[str, typer.Argument(metavar="GROUP", help="its name on this gateway")]
Who = Annotated[str, typer.Argument(metavar="WHO", help="an organisation or a gateway, by name")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="initiator, receiver, supervisor or observer; may be repeated"),
]
commands = typer.Typer(no_args_is_help=True, help="Who shares what.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="group")


@commands.command("list")
def list_groups(as_json: Json = False) -> None:
    """List the groups of this gateway, and the invitations that wait for a person."""
    held, db = place.opened()
    with closing(db):
        rows = [_facts(db, held, each.name, each.id) for each in groups.registered(db)]
    waiting = [
        {"name": each.name, "id": each.group.id.hex(), "organisation": each.organisation}
        for each in council.waiting(held.path)
    ]
    if as_json:
        print(json.dumps({"groups": rows, "invitations": waiting}, ensure_ascii=False))
        return
    for line in _table(rows):
        print(line)
    for each in waiting:
        print(
            say(
                "{organisation} invites to {name}: type 'hulian group accept {id}'",
                **{**each, "id": each["id"][:16]},
            )
        )


@commands.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show a group: its members and their roles, what waits, how far the removed count."""
    held, db = place.opened()
    with closing(db):
        known = {each.name: each.id for each in groups.registered(db)}
        if name not in known:
            raise UnknownGroup(group=name)
        facts = _facts(db, held, name, known[name])
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    for line in _lines(facts):
        print(line)


@commands.command()
def create(
    name: Name,
    partners: Annotated[
        list[str], typer.Option("--with", help="an organisation or gateway, NAME or NAME=ROLE")
    ],
    purpose: Annotated[str, typer.Option(help="what it is for; else its name")] = "",
    kind: Annotated[
        str, typer.Option(help="person-thing, thing-thing or industrial")
    ] = "industrial",
    role: Roles = None,
    clear: Annotated[bool, typer.Option("--clear", help="bodies are not sealed")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="members may share what was before a newcomer")
    ] = False,
    approvals: Annotated[
        int, typer.Option(min=0, help="organisations whose word an addition needs; 0: the quorum")
    ] = 0,
    succeeds: Annotated[
        str | None, typer.Option(metavar="GROUP", help="the group it takes the place of")
    ] = None,
    receipts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE",
            help="a role whose organisations must receipt; else initiator, receiver, supervisor",
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="an organisation whose witness counts; none: those of all members",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Found a group with partners; one that is just so already is given instead."""
    done = place.act(
        "group.create",
        group=name,
        purpose=purpose or name,
        kind=kind,
        roles=role or ["initiator"],
        parties=[_party(each) for each in partners],
        clear=clear,
        history=history,
        approvals=approvals,
        succeeds=succeeds,
        receipts=receipts or [],
        witnesses=witness or [],
    )
    told = (
        say("the group {group} has just these members already; nothing was founded", **done)
        if done["reused"]
        else say("{group} is founded; its members are invited as they can be reached", **done)
    )
    _tell(done, told, as_json)


@commands.command()
def accept(
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="its name or id")],
    name: Annotated[str, typer.Option(help="what to call the group here")] = "",
    as_json: Json = False,
) -> None:
    """Follow an invitation to a group."""
    done = place.act("group.accept", invitation=invitation, name=name)
    _tell(done, say("joined {group}; what its members share comes by itself", **done), as_json)


@commands.command()
def decline(
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="its name or id")],
    as_json: Json = False,
) -> None:
    """Decline an invitation to a group; it does not come back."""
    done = place.act("group.decline", invitation=invitation)
    told = say("declined {group}, to which {organisation} invited; it does not come back", **done)
    _tell(done, told, as_json)


@commands.command()
def add(name: Name, who: Who, role: Roles = None, as_json: Json = False) -> None:
    """Propose a member; others may have to approve."""
    done = place.act("group.add", group=name, who=who, roles=role or ["receiver"])
    _tell(done, _proposed(done), as_json)


@commands.command("role")
def change_roles(
    name: Name,
    who: Who,
    role: Annotated[list[str], typer.Option("--role", help="may be repeated")],
    as_json: Json = False,
) -> None:
    """Propose what a member is from now on."""
    done = place.act("group.roles", group=name, who=who, roles=role)
    _tell(done, _proposed(done), as_json)


@commands.command()
def approve(
    name: Name,
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="the start of its id")],
    as_json: Json = False,
) -> None:
    """Give this organisation's word for a proposal."""
    done = place.act("group.approve", group=name, proposal=proposal)
    _tell(done, say("approved in {group}", **done), as_json)


@commands.command()
def remove(name: Name, who: Who, as_json: Json = False) -> None:
    """Remove a member at once; what it read stays read, what it says from now on counts nothing."""
    done = place.act("group.remove", group=name, who=who)
    _tell(done, say("removed from {group}: new keys are made without it", **done), as_json)


@commands.command()
def leave(name: Name, as_json: Json = False) -> None:
    """Be no member any more."""
    done = place.act("group.leave", group=name)
    _tell(done, say("left {group}; what is held stays held", **done), as_json)


@commands.command()
def share(name: Name, who: Who, as_json: Json = False) -> None:
    """Let a member read what was said before it came."""
    done = place.act("group.share", group=name, who=who)
    _tell(done, say("{keys} keys of {group} are shared, each by a record", **done), as_json)


def _proposed(done: dict[str, Any]) -> str:
    ids = ", ".join(each[:16] for each in done["proposals"])
    return say("proposed in {group}: {ids}; 'group show' tells what it lacks", ids=ids, **done)


def _tell(done: dict[str, Any], told: str, as_json: bool) -> None:
    print(json.dumps(done, ensure_ascii=False) if as_json else told)


def _party(said: str) -> dict[str, object]:
    who, _, role = said.rpartition("=")
    names = {each.name.lower() for each in Role}
    if who and role in names:
        return {"who": who, "roles": [role]}
    return {"who": said, "roles": ["receiver"]}


def _facts(db: Connection, held: State, name: str, identity: bytes) -> dict[str, Any]:
    known = groups.load(db, identity)
    found, near = heard.hear(db, identity).fold(), contacts.of_group(db, identity)
    named = {
        each.id: each.name for one in council.newest_rosters(db, held) for each in one.organisations
    }
    return {
        "name": name,
        "id": identity.hex(),
        "purpose": known.founding.purpose,
        "kind": known.founding.kind.name.lower().replace("_", "-"),
        "bodies": "clear" if known.founding.clear else "sealed",
        "state": _state(found, held.node_id),
        "members": [
            {
                **_node(near, each.node),
                "organisation": named.get(each.organisation, each.organisation.hex()),
                "roles": [role.name.lower() for role in each.roles],
            }
            for each in found.members
        ],
        "pending": [_proposal(near, each) for each in found.pending],
        "removed": [_node(near, node) for node in sorted(found.cuts)],
        "unread": [
            {**_node(near, node), "records": count}
            for node, count in projections.unread(db, identity).items()
        ],
        "standing": asdict(noted.tally(db, identity)),
        "witnesses": _witnesses(checkpoints.witnesses(db, identity), named),
        "has_required_supervisor": found.has_required_supervisor,
    }


def _witnesses(found: Witnesses, named: Mapping[bytes, str]) -> dict[str, Any]:
    names = sorted(named.get(each, each.hex()) for each in found.keys)
    return {"organisations": names, "quorum": found.quorum if names else None}


def _state(found: Membership, node: bytes) -> str:
    if found.has(node):
        return "member"
    return "removed" if node in found.cuts else "joining"


def _node(near: Mapping[bytes, Contact], node: bytes) -> dict[str, Any]:
    return {"node": node.hex(), "name": near[node].node.name if node in near else ""}


def _proposal(near: Mapping[bytes, Contact], one: Pending) -> dict[str, Any]:
    return {
        "id": one.id.hex()[:16],
        "act": type(one.act).__name__.lower(),
        **_node(near, one.node),
        "approved": len(one.approved),
        "needed": one.needed,
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    yield say("{name}: {purpose}, {bodies}, id {id}", **{**facts, "bodies": say(facts["bodies"])})
    rows = [
        [each["organisation"], _called(each), ", ".join(say(role) for role in each["roles"])]
        for each in facts["members"]
    ]
    yield from (f"  {line}" for line in _aligned(rows))
    for each in facts["pending"]:
        told = {**each, "act": say(each["act"]), "name": _called(each)}
        yield say("  proposal {id}: {act} {name}, for it {approved} of {needed}", **told)
    for each in facts["removed"]:
        yield say("  removed: {node}", node=_called(each))
    for each in facts["unread"]:
        told = {"name": _called(each), "count": each["records"]}
        yield say(
            "  {count} record(s) of {name}: their keys were not given to this gateway", **told
        )
    yield say(
        "  of {records} records {agreed} are agreed, {cosigned} cosigned, {final} final",
        **facts["standing"],
    )
    if facts["witnesses"]["organisations"]:
        told = {**facts["witnesses"], "names": ", ".join(facts["witnesses"]["organisations"])}
        yield say("  witnesses: {names}; {quorum} must cosign", **told)
    else:
        yield say("  no organisation of it has a witness: nothing can be final")
    if not facts["has_required_supervisor"]:
        yield say("  its supervisor is gone: nothing can be agreed in it any more")


def _called(row: dict[str, Any]) -> str:
    return str(row["name"] or row["node"])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [[say(column) for column in COLUMNS]]
    for row in rows:
        members = ", ".join(sorted({each["organisation"] for each in row["members"]}))
        said = {**row, "members": members, "bodies": say(row["bodies"]), "state": say(row["state"])}
        lines.append([str(said[column]) for column in COLUMNS])
    return _aligned(lines)


def _aligned(lines: list[list[str]]) -> list[str]:
    """Give rows of cells as lines whose columns stand below one another."""
    widths = [max(map(wide, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(pad(cell, columns) for cell, columns in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
