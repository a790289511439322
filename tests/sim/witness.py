"""An organisation's witness in a world: the production one over SQLite in memory, good or bad.

In: requests as a gateway posts them, while the network lets them through. Out: answers, or None
where one was lost. Of the bad ones some stall, some cosign whatever they are shown, some lose their
database, and some go on from an old copy of the whole machine, number outside included.
"""

import random
from typing import Final

import apsw

from gateway.errors import GatewayError, WitnessRetired
from gateway.groups import witnessing
from gateway.groups.group import Group
from gateway.records import note
from gateway.records.checkpoint import witness_name
from gateway.records.cose import SigningKey
from gateway.store import witness as store
from gateway.store.database import MEMORY
from gateway.transport.http import Request, Response
from gateway.web import witness as door
from tests.people import Party
from tests.sim.clock import Clock
from tests.sim.device import T0_MS

HONEST: Final = "honest"
STALLS: Final = "stalls"
SIGNS_ANYTHING: Final = "signs anything"
FORGETS: Final = "loses its database"
GOES_BACK: Final = "is restored whole"
NATURES: Final = (HONEST, STALLS, SIGNS_ANYTHING, FORGETS, GOES_BACK)
# By these alone two histories could come to be cosigned: there may be f of them in a group.
FALSE: Final = frozenset({SIGNS_ANYTHING, GOES_BACK})
_GONE: Final = Response(503)


class Number:
    """The number that is kept outside the database."""

    def __init__(self, number: int | None = 0) -> None:
        self.number = number

    def read(self) -> int | None:
        """Give it."""
        return self.number

    def write(self, number: int) -> None:
        """Keep it."""
        self.number = number


class Witness:
    """One organisation's witness."""

    def __init__(self, who: Party, groups: list[Group], nature: str, clock: Clock) -> None:
        self.who, self.nature, self._clock = who, nature, clock
        self._number = Number()
        self._db = store.new_database(MEMORY, who.root.id, self.key.public)
        self._copy: tuple[apsw.Connection, int | None] | None = None
        self._door: door.Door | None = self._opened()
        self.cosigned = 0
        for each in groups:
            self._store.trust(each.founding.consortium)

    @property
    def key(self) -> SigningKey:
        """Give its key."""
        return self.who.witness

    @property
    def is_false(self) -> bool:
        """Say whether two histories could come to be cosigned by it."""
        return self.nature in FALSE

    def post(self, target: str, body: bytes, dice: random.Random) -> Response | None:
        """Answer a request; None for never."""
        if self._door is None:
            return _GONE
        if self.nature == STALLS and dice.random() < 0.8:
            return None
        request = Request("POST", target, body=body)
        try:
            if self.nature == SIGNS_ANYTHING and target == door.ADD:
                return self._sign(body)
            answer = self._door._answered(request, self.who.name)
        except GatewayError as fault:
            return door.refusal(fault)
        self.cosigned += target == door.ADD
        return answer

    def copy(self) -> None:
        """Take a copy of the machine."""
        if self._door is not None:
            self._copy = _copy_of(self._db), self._number.number

    def fail(self) -> None:
        """Have the database gone, or the copy in its place; then be started again."""
        if self.nature == FORGETS:
            db = self._copy[0] if self._copy else _copy_of(apsw.Connection(MEMORY))
            self._begin(db)
        elif self.nature == GOES_BACK and self._copy is not None:
            db, self._number.number = self._copy
            self._begin(_copy_of(db))

    def _begin(self, db: apsw.Connection) -> None:
        self._db = db
        try:
            self._door = self._opened()
        except (WitnessRetired, apsw.SQLError):
            self._door = None

    def _opened(self) -> door.Door:
        self._store = store.Witness(self._db, self.key, self._number)
        return door.Door(self._store, door.Clock(self._unix_s, self._monotonic_s))

    def _sign(self, body: bytes) -> Response:
        """Cosign whatever is shown, whether or not it follows from anything."""
        said = witnessing.decode(body)
        name = witness_name(self.who.root.id)
        line = note.cosign(name, self.key, said.note.text, self._unix_s())
        return Response(200, f"{line}\n".encode())

    def _unix_s(self) -> int:
        return (T0_MS + self._clock.now_ms) // 1000

    def _monotonic_s(self) -> float:
        return self._clock.now_ms / 1000


def _copy_of(db: apsw.Connection) -> apsw.Connection:
    copied = apsw.Connection(MEMORY)
    with copied.backup("main", db, "main") as backup:
        while not backup.done:
            backup.step()
    return copied
