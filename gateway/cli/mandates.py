"""`mandate`: what machines of others may ask of this gateway's, within bounds that a person signs.

In: who may ask what, how often and how much; or what was signed elsewhere. Out: a mandate that is
sent to the members of an activity's group; which there are; one that is withdrawn.
"""

import os
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from gateway.activities import mandate, sheet
from gateway.activities.approval import Verdict
from gateway.activities.mandate import Mandate
from gateway.activities.sheet import Sheet
from gateway.cli import order_told, orders, pen, place
from gateway.cli.pairing import AsJson, tell
from gateway.cli.pen import Confirmed, KeyFile, KeyPassphrase, Pen, SheetFile, SignedFile
from gateway.cli.words import language, pad, plain, say
from gateway.clock import random_bytes
from gateway.errors import PersonUncertified, UnknownParty, ValueMissing, WrongValue
from gateway.records.identity import Certificate
from gateway.store import activities, contacts, mandates, persons, state
from gateway.store.database import Connection
from gateway.store.state import State

_GRANT: Final = "hulian mandate grant"
_ID_BYTES: Final = 16
commands = typer.Typer(no_args_is_help=True, help="What machines of others may ask of ours.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="mandate")


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How far a mandate goes, as it was typed."""

    low: float | None
    high: float | None
    times: int
    per_ms: int
    in_all: int
    total: float | None
    depth: int
    until: str | None


# A command: its parameters are its command line.
@commands.command("grant")
def grant(
    activity: Annotated[str | None, typer.Argument(metavar="ACTIVITY")] = None,
    asking: Annotated[
        str | None, typer.Option("--from", metavar="GATEWAY", help="who may ask: a name or id")
    ] = None,
    device: Annotated[str | None, typer.Option(help="its device whose readings cause it")] = None,
    point: Annotated[str | None, typer.Option(help="what of this gateway may move")] = None,
    unit: Annotated[str, typer.Option(help="the point's unit")] = "",
    low: Annotated[float | None, typer.Option("--min", help="the least value")] = None,
    high: Annotated[float | None, typer.Option("--max", help="the greatest value")] = None,
    times: Annotated[int, typer.Option(min=1, help="at most so often in each --per")] = 1,
    per: Annotated[str, typer.Option(metavar="SPAN", help="as 90s, 30m, 8h or 2d")] = "1h",
    in_all: Annotated[int, typer.Option("--in-all", min=1, help="at most so often in all")] = 100,
    total: Annotated[
        float | None, typer.Option("--sum", help="the most that all values come to")
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="the longest chain of orders it may end")] = 1,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="as 2027-03-31, in UTC; absent: withdrawn")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="who signs, elsewhere")] = None,
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Let a device of another gateway ask for a point of this one, within bounds."""
    own = Pen(key, request_file, signed, passphrase_file, confirm)
    own.check(_GRANT)
    if activity is None:
        raise ValueMissing(command=_GRANT, option="ACTIVITY")
    if own.signed is not None:
        _send(activity, own.brought("mandate"), as_json)
        return
    if asking is None or device is None or point is None:
        raise ValueMissing(command=_GRANT, option="--from --device --point")
    bounds = _Bounds(
        low, high, times, orders.span_ms(per, _GRANT, "--per"), in_all, total, depth, until
    )
    held, db = place.opened()
    with closing(db):
        node = _node(db, activities.find(db, activity).group_id, asking)
    wanted = Sheet(
        "mandate",
        mandate.encode(_mandate(held, _giver(held, own, by), (node, device, point, unit), bounds)),
    )
    done = own.sign(wanted)
    if done is None:
        tell(*pen.carried(wanted, own.request), as_json)
        return
    _send(activity, done, as_json)


@commands.command("list")
def list_mandates(as_json: AsJson = False) -> None:
    """List the mandates held here, those of others too."""
    with closing(place.opened()[1]) as db:
        rows = [order_told.given(each) for each in mandates.load(db)]
    lines = [
        f"{each['mandate'][: order_told.SHORT]}  {pad(say(each['state']), 12)}"
        f"{plain(each['device'])} -> {plain(each['target_name'])} {plain(each['point'])}"
        for each in rows
    ]
    tell({"mandates": rows}, [*lines, say("{count} mandates", count=len(rows))], as_json)


@commands.command("show")
def show(
    which: Annotated[str, typer.Argument(metavar="MANDATE", help="the start of its number")],
    as_json: AsJson = False,
) -> None:
    """Show a mandate as whoever signed it was shown it."""
    with closing(place.opened()[1]) as db:
        told = order_told.given(mandates.load(db, mandates.hash_of(db, which))[0])
    lines = [*told["text"].splitlines(), say("state: {state}", state=say(told["state"]))]
    tell(told, lines, as_json)


@commands.command("revoke")
def revoke(
    which: Annotated[
        str | None, typer.Argument(metavar="MANDATE", help="the start of its number")
    ] = None,
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a mandate of this organisation: what was not started under it never is."""
    own = Pen(key, request_file, signed, passphrase_file, confirm)
    orders.speak(which, Verdict.CANCEL, own, as_json)


def _mandate(
    held: State, giver: Certificate, who: tuple[bytes, str, str, str], bounds: _Bounds
) -> Mandate:
    node, device, point, unit = who
    if (bounds.low is None) != (bounds.high is None):
        raise ValueMissing(command=_GRANT, option="--min --max")
    both = None
    if bounds.low is not None and bounds.high is not None:
        both = _as_typed(bounds.low), _as_typed(bounds.high)
    return Mandate(
        random_bytes(_ID_BYTES),
        giver.subject,
        node,
        device,
        held.node_id,
        held.own_contact.node.name,
        point,
        unit,
        bounds.times,
        max(1, bounds.per_ms // 1000),
        bounds.in_all,
        both,
        None if bounds.total is None else _as_typed(bounds.total),
        bounds.depth,
        None if bounds.until is None else _end_s(bounds.until),
        "zh" if language(dict(os.environ)) == "zh" else "en",
    )


def _as_typed(number: float) -> int | float:
    """Give 60 as 60 where somebody typed that, and not as 60.0."""
    return int(number) if number.is_integer() else number


def _giver(held: State, own: Pen, named: str | None) -> Certificate:
    """Say who signs: by the key, or by name where it is elsewhere."""
    known = persons.load(held.path, held.rosters)
    if own.key is None:
        if named is None:
            raise ValueMissing(command=_GRANT, option="--by NAME")
        return persons.find(known, named).certificate
    public = persons.read_public(own.key)
    for each in known:
        if each.certificate.key == public:
            return each.certificate
    raise PersonUncertified


def _node(db: Connection, group: bytes, named: str) -> bytes:
    """Find the gateway that may ask among those of a group; raise UnknownParty."""
    known = contacts.of_group(db, group)
    found = [node for node, one in known.items() if named in (node.hex(), one.node.name)]
    if len(found) != 1:
        names = ", ".join(sorted(one.node.name for one in known.values()))
        raise UnknownParty(who=named, known=names)
    return found[0]


def _end_s(typed: str) -> int:
    try:
        return int(datetime.strptime(typed, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        reason = "it is a date, as 2027-03-31"
        raise WrongValue(command=_GRANT, option="--until", reason=reason) from None


def _send(activity: str, done: sheet.Signature, as_json: bool) -> None:
    held = state.load(place.state_dir())
    told = {
        "mandate": b64encode(done.encoded).decode(),
        "certificate": b64encode(pen.certificate_of(held, done)).decode(),
    }
    sent = place.act("mandate.submit", activity=activity, **told)
    short = sent["mandate"][: order_told.SHORT]
    tell({"state": "sent", **sent}, [say("sent: {order}", order=short)], as_json)
