"""`order`: a person asks a machine. What is signed is exactly what was shown, by a key of its own.

In: what is wanted, or what was signed elsewhere; a person's word about what others want. Out: an
order on its way; what became of those that are here. The person's key is never the gateway's.
"""

import os
import re
from base64 import b64decode, b64encode
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.activities import approval, sheet, wording
from gateway.activities.approval import Approval, Verdict
from gateway.activities.sheet import Sheet
from gateway.cli import order_told, pen, place
from gateway.cli.pairing import AsJson, read_file, tell, write_file
from gateway.cli.pen import Confirmed, KeyFile, KeyPassphrase, Pen, SheetFile, SignedFile
from gateway.cli.words import language, say
from gateway.errors import UnknownMandate, UnknownOrder, ValueMissing, WrongValue
from gateway.store import mandates, orders, questions, quoting, state
from gateway.store.database import Connection

_SEND: Final = "hulian order send"
_NEWEST: Final = 50
_EXPECTED: Final = re.compile(
    r"(?P<device>.+):(?P<metric>[^:]+?)(?P<is><=|>=|==|!=|<|>)(?P<value>.+)"
)
_SPAN: Final = re.compile(r"(?P<count>[1-9][0-9]{0,6})(?P<unit>s|m|h|d)")
_UNIT_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
Which = Annotated[str | None, typer.Argument(metavar="ORDER", help="the start of its number")]
commands = typer.Typer(no_args_is_help=True, help="A person asks a machine.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="order")


# A command: its parameters are its command line.
@commands.command("send")
def send(
    activity: Annotated[str | None, typer.Argument(metavar="ACTIVITY")] = None,
    target: Annotated[str | None, typer.Argument(metavar="TARGET", help="whose machine")] = None,
    point: Annotated[str | None, typer.Argument(metavar="POINT", help="what is to move")] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="and where to")] = None,
    unit: Annotated[
        str, typer.Option(help="the value's unit, as the machine's owner names it")
    ] = "",
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="DEVICE:METRIC<=VALUE", help="only while this holds; repeatable"),
    ] = None,
    valid: Annotated[str, typer.Option(metavar="SPAN", help="as 90s, 30m, 8h or 2d")] = "8h",
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Ask a machine for a value: shown, signed by a person, and sent."""
    by = Pen(key, request_file, signed, passphrase_file, confirm)
    by.check(_SEND)
    if by.signed is not None:
        _send(by.brought("order"), as_json)
        return
    if activity is None or target is None or point is None or value is None:
        raise ValueMissing(command=_SEND, option="ACTIVITY TARGET POINT VALUE")
    prepared = place.act(
        "order.prepare",
        activity=activity,
        target=target,
        point=point,
        value=_value(value),
        unit=unit,
        expected=[_expected(each) for each in expect or []],
        validity_ms=span_ms(valid, _SEND, "--valid"),
        language=language(dict(os.environ)),
    )
    wanted = Sheet("order", b64decode(prepared["order"]))
    done = by.sign(wanted)
    if done is None:
        tell(*pen.carried(wanted, by.request), as_json)
        return
    _send(done, as_json)


@commands.command("sign")
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what --request wrote")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="the person's own key")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="SIGNED")],
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Sign, on the person's own computer, what a gateway wrote: it is shown first."""
    pen.refuse_here(key)
    wanted = sheet.decode(read_file(file))
    done = pen.confirmed(wanted, key, (passphrase_file, confirm))
    write_file(output, sheet.encode_signature(done))
    told = say("signed: {path}; carry it back to the gateway", path=output)
    tell({"state": "signed", "what": done.what, "file": str(output)}, [told], as_json)


@commands.command("list")
def list_orders(
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = _NEWEST,
    as_json: AsJson = False,
) -> None:
    """List orders, the newest first: how each stands, what it waits for, why it was not done."""
    with closing(place.opened()[1]) as db:
        known = [orders.load(db, each) for each in orders.listed(db, limit)]
    rows = [order_told.facts(each) for each in known]
    lines = [order_told.row(each) for each in rows]
    tell({"orders": rows}, [*lines, say("{count} orders", count=len(rows))], as_json)


@commands.command("show")
def show(
    which: Annotated[str, typer.Argument(metavar="ORDER", help="the start of its number")],
    as_json: AsJson = False,
) -> None:
    """Show an order: its words, who said what of it, and what became of it."""
    with closing(place.opened()[1]) as db:
        told = order_told.facts(orders.load(db, orders.hash_of(db, which)))
    tell(told, list(order_told.lines(told)), as_json)


@commands.command("approve")
def approve(
    which: Which = None,
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Approve an order, or an update to an activity by its record; it is shown first."""
    by = Pen(key, request_file, signed, passphrase_file, confirm)
    speak(which, Verdict.APPROVE, by, as_json)


@commands.command("refuse")
def refuse(
    which: Which = None,
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Refuse an order, or an update to an activity by its record: one word is enough."""
    by = Pen(key, request_file, signed, passphrase_file, confirm)
    speak(which, Verdict.REFUSE, by, as_json)


@commands.command("cancel")
def cancel(
    which: Which = None,
    key: KeyFile = None,
    request_file: SheetFile = None,
    signed: SignedFile = None,
    passphrase_file: KeyPassphrase = None,
    confirm: Confirmed = None,
    as_json: AsJson = False,
) -> None:
    """Cancel an order of one's own organisation; once it was started, this comes too late."""
    by = Pen(key, request_file, signed, passphrase_file, confirm)
    speak(which, Verdict.CANCEL, by, as_json)


def speak(which: str | None, verdict: Verdict, by: Pen, as_json: bool) -> None:
    """Say a person's word about an order, a mandate or a record: shown, signed, and sent."""
    command = f"hulian order {verdict.name.lower()}"
    by.check(command)
    if by.signed is not None:
        done = by.brought("approval")
    else:
        if which is None:
            raise ValueMissing(command=command, option="ORDER")
        with closing(place.opened()[1]) as db:
            parts = quoting.subject_of(db, _about(db, which)).parts
        wanted = _sheet(parts, verdict)
        made = by.sign(wanted)
        if made is None:
            tell(*pen.carried(wanted, by.request), as_json)
            return
        done = made
    held = state.load(place.state_dir())
    told = {"signed": _text(done.encoded), "certificate": _text(pen.certificate_of(held, done))}
    sent = place.act("order.word", **told)
    tell({"state": "sent", **sent}, [say("sent; see 'hulian order list'")], as_json)


def _sheet(parts: tuple[bytes, ...], verdict: Verdict) -> Sheet:
    spoken: wording.Language = "zh" if language(dict(os.environ)) == "zh" else "en"
    named, text = sheet.subject(parts, spoken)
    shown = wording.digest(approval.text(verdict, text, spoken))
    return Sheet("approval", approval.encode(Approval(named, verdict, shown, spoken)), parts)


def _about(db: Connection, which: str) -> bytes:
    """Find what is meant: an order, else a mandate, else a record."""
    try:
        return orders.hash_of(db, which)
    except UnknownOrder as unknown:
        if unknown.facts["count"] != "no":
            raise
    try:
        return mandates.hash_of(db, which)
    except UnknownMandate as unknown:
        if unknown.facts["count"] != "no":
            raise
    return questions.find(db, which).record.id


def _send(done: sheet.Signature, as_json: bool) -> None:
    held = state.load(place.state_dir())
    told = {"order": _text(done.encoded), "certificate": _text(pen.certificate_of(held, done))}
    sent = place.act("order.submit", **told)
    short = sent["order"][: order_told.SHORT]
    lines = [say("sent: {order}", order=short), say("see 'hulian order show {order}'", order=short)]
    tell({"state": "sent", **sent}, lines, as_json)


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _value(typed: str) -> bool | int | float | str:
    """Read a value as it is typed: true, false, a number, or a word."""
    if typed in ("true", "false"):
        return typed == "true"
    for read in (int, float):
        try:
            return read(typed)
        except ValueError:
            continue
    return typed


def _expected(typed: str) -> list[object]:
    found = _EXPECTED.fullmatch(typed)
    if found is None:
        reason = "it is written as DEVICE:METRIC<=VALUE"
        raise WrongValue(command=_SEND, option="--expect", reason=reason)
    return [found["device"], found["metric"], found["is"], _value(found["value"])]


def span_ms(typed: str, command: str, option: str) -> int:
    """Read a span of time as it is typed; raise WrongValue."""
    found = _SPAN.fullmatch(typed)
    if found is None:
        reason = "it is a number with s, m, h or d, as 30m"
        raise WrongValue(command=command, option=option, reason=reason)
    return int(found["count"]) * _UNIT_MS[found["unit"]]
