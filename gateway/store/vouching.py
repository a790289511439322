"""Whether a person's signature counts in a group, by what is known here now.

In: a person's certificate as it came with what was signed. Out: whether the root that the group's
newest roster has of that organisation signed it, and nothing known bars it. A signature beneath it
is checked by who keeps it. Protocol: docs/protocol/identity.md.
"""

from typing import Final

import apsw

from gateway.activities.standing import Vouched
from gateway.errors import AuthorError
from gateway.records.identity import Certificate
from gateway.records.record import ClockSource, Moment
from gateway.records.roster import Roster
from gateway.store import groups

# Who set the clock for it to be believed of an expiry; people and peers may be wrong together.
_TRUSTED: Final = frozenset({ClockSource.NTP, ClockSource.PTP, ClockSource.GNSS})


def judge(db: apsw.Connection, group: bytes, person: Certificate, now: Moment) -> Vouched:
    """Say what a person's certificate is worth in a group, now."""
    within = newest(db, group)
    if within is None:
        return Vouched.UNKNOWN
    try:
        person.verify(person.issuer, within.organisation(person.issuer).root)
    except AuthorError:
        return Vouched.UNKNOWN
    if groups.revoked(db).get((person.issuer, person.subject), 0) >= person.counter:
        return Vouched.REVOKED
    expires_s = person.validity.expires_s
    if expires_s is not None and now.source in _TRUSTED and now.unix_ms >= expires_s * 1000:
        return Vouched.EXPIRED
    return Vouched.GOOD


def newest(db: apsw.Connection, group: bytes) -> Roster | None:
    """Give the newest roster held of a group's consortium; None where the group is not here."""
    row = db.execute(
        "SELECT r.consortium FROM groups g JOIN rosters r ON r.hash = g.roster WHERE g.id = ?",
        (group,),
    ).fetchone()
    if row is None:
        return None
    return max(groups.rosters(db, bytes(row[0])).values(), key=lambda each: each.number)
