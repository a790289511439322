"""Making, showing and taking back invitations, of organisations and of gateways alike.

In: whom to invite, for how long. Out: an address to paste, kept before anybody sees it.
"""

from dataclasses import replace
from typing import Annotated

import segno
import typer

from gateway.cli import desk, pairing as people
from gateway.cli.words import say
from gateway.clock import random_bytes
from gateway.groups import pairing
from gateway.groups.pairing import ROSTER_BYTES, SECRET_BYTES, Address, Invited
from gateway.query import show_time
from gateway.records.roster import Roster
from gateway.store import pairing as kept_pairing
from gateway.store.pairing import Invitation, Stage
from gateway.store.state import State

Days = Annotated[int, typer.Option(min=1, max=365, metavar="DAYS", help="for so many days")]
Qr = Annotated[bool, typer.Option("--qr", help="show it for a camera, too")]
Withdraw = Annotated[
    bool, typer.Option("--withdraw", help="take back every invitation that nobody has used")
]
_DAY_S = 24 * 3600
_JOIN = {
    Invited.ORGANISATION: "hulian consortium join",
    Invited.NODE: "hulian node join",
}


def offered(held: State, invited: Invited, within: Roster, days: int) -> Invitation:
    """Make an invitation and keep it, with a mailbox for the members who come by it."""
    desk.links()  # without one nothing is made
    made_s = desk.now_s()
    expires_s = None if made_s is None else made_s + days * _DAY_S
    made = Invitation(random_bytes(SECRET_BYTES), invited, within.consortium, made_s, expires_s)
    kept_pairing.share(held.path, within.consortium, random_bytes(SECRET_BYTES))
    kept_pairing.keep(held.path, made)
    with desk.attended():
        return made


def withdrawn(invited: Invited, as_json: bool) -> None:
    """Take back the invitations of a kind that nobody has used."""
    count = 0
    with desk.attended() as at:
        for each in at.kept.invitations:
            if each.invited is invited and each.stage is Stage.OPEN and each.paper is None:
                at.update(replace(each, stage=Stage.REFUSED))
                count += 1
    told = say("{count} invitation(s) taken back", count=count)
    people.tell({"withdrawn": count}, [told], as_json)


def tell_address(invitation: Invitation, within: Roster, qr: bool, as_json: bool) -> None:
    """Print an invitation's address, on request as a QR code too."""
    hash_ = within.hash[:ROSTER_BYTES]
    address = pairing.encode_address(Address(invitation.invited, invitation.secret, hash_))
    until = when(invitation.expires_s)
    lines = [
        address,
        "",
        say("For one other side, which types:"),
        f"  {_JOIN[invitation.invited]} {address}",
        say("It admits one, after your approval, until {time}", time=until or "-"),
    ]
    people.tell({"address": address, "expires": until}, lines, as_json)
    if qr and not as_json:
        segno.make(address.upper(), error="l", micro=False).terminal(compact=True)


def when(seconds: int | None) -> str | None:
    """Write a moment, nothing where the clock was not set."""
    return None if seconds is None else show_time(seconds * 1000)
