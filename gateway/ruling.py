"""Rules of the config: what a machine here asks for by itself, of another company's machine too.

In: each reading once it is committed. Out: for each rule that fires an order under its mandate,
signed by this run, or an activity that is opened; once for each crossing, and again only once it
could be said. What cannot be sent yet is tried each second for as long as the condition goes on.
It never judges a mandate: the gateway that is asked does. Protocol: docs/protocol/mandate.md.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from gateway.activities import order, rule, stated
from gateway.activities.order import Order
from gateway.activities.rule import Condition, Watch
from gateway.activities.stated import Stated
from gateway.config.rules import Opening, Rule
from gateway.errors import GatewayError, NoCause, UnknownGroup, UnknownTemplate
from gateway.order_acts import check_fresh
from gateway.readings.reading import Quality, Reading
from gateway.readings.repeats import Repeat
from gateway.records.record import ClockSource, Kind, Said
from gateway.store import activities, authoring, causing, mandates, quoting
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.writer import Writer

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_ID_BYTES: Final = 16
Act = Callable[[dict[str, object]], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, where, by which act of the door activities are opened, and whom to tell."""

    author: Author
    venues: Callable[[], Mapping[bytes, Venue]]  # of the groups that are here, by their ids
    act: Act
    written: Callable[[Sequence[bytes]], None]
    stale_ms: Callable[[str], int]


class Ruling:
    """One run's rules: what each has seen, and which of them has something to say."""

    def __init__(self, rules: Sequence[Rule], asking: Asking, writer: Writer) -> None:
        self._asking, self._writer = asking, writer
        self._rules = {each.name: each for each in rules}
        self._conditions = {each.name: condition_of(each) for each in rules}
        self._watches = {each.name: Watch() for each in rules}
        self._fired: dict[str, int] = {}  # rules that are to be followed, and when they fired
        self._told: dict[str, str] = {}

    def show(self, readings: Iterable[Reading]) -> None:
        """Take what was just committed, from the writer's thread; never wait."""
        if not self._rules:
            return
        now = self._asking.author.now()
        for each in readings:
            if each.quality is not Quality.GOOD or each.retained or isinstance(each, Repeat):
                continue
            known = each.time_ms is not None and now.source is not ClockSource.UNSET
            age_ms = now.unix_ms - each.time_ms if known and each.time_ms is not None else 0
            if age_ms <= self._asking.stale_ms(each.device):
                self._hear(each, now.monotonic_ms)

    def _hear(self, reading: Reading, now_ms: int) -> None:
        for name, condition in self._conditions.items():
            if (condition.device, condition.metric) != (reading.device, reading.metric):
                continue
            watch, fires = rule.hear(condition, self._watches[name], reading.value, now_ms)
            self._watches[name] = watch
            if fires:
                self._fired[name] = now_ms
            elif watch.fired_ms is None:
                self._fired.pop(name, None)  # It is over: nobody need be asked any more.

    async def run(self) -> None:
        """Follow what fired, each second, until cancelled."""
        while self._rules:
            await self.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """Follow each rule that fired and was not followed yet."""
        for name, fired_ms in list(self._fired.items()):
            each = self._rules[name]
            try:
                await asyncio.to_thread(self._follow, each)
            except GatewayError as fault:  # Nothing was said: it is tried again.
                if self._told.get(name) != fault.code:
                    _LOG.warning("rule %s waits: %s", name, fault)
                self._told[name] = fault.code
                continue
            self._told.pop(name, None)
            if self._fired.get(name) == fired_ms:
                del self._fired[name]

    def _follow(self, each: Rule) -> None:
        if each.open is not None:
            named = self._open(each, each.open)
            _LOG.info("rule %s opened activity %s", each.name, named)
            return
        group, named = self._writer.submit(lambda db: self._order(db, each)).result()
        self._asking.written([group])
        _LOG.info("rule %s sent order %s", each.name, named)

    def _order(self, db: Connection, each: Rule) -> tuple[bytes, str]:
        """Write the order of a rule, signed by this run; give its group, and its hash."""
        author, now = self._asking.author, self._asking.author.now()
        given = mandates.load(db, mandates.hash_of(db, each.mandate or ""))[0]
        allowed, group = given.said.mandate, activities.find(db, given.activity.hex()).group_id
        venue = self._asking.venues().get(group)
        if venue is None:
            raise UnknownGroup(group=group.hex()[:16])
        cause = causing.reading_of(db, group, author.run.node, each.device)
        if cause is None:
            raise NoCause(device=each.device, group=group.hex()[:16])
        newest, validity_ms = quoting.quotable(db, group, allowed.target), each.validity_s * 1000
        quoted = check_fresh(newest, allowed.target_name, now, validity_ms)
        assert each.value is not None, "the config has one beside a mandate"
        wanted = Order(
            author.random(_ID_BYTES),
            given.activity,
            allowed.target,
            allowed.target_name,
            allowed.point,
            each.value,
            (quoted.feed, quoted.seq),
            allowed.unit,
            (),
            validity_ms,
            allowed.language,
            given.said.hash,
            causing.depth(db, author.run.node, now) + 1,
        )
        signed = order.sign(author.run.key, wanted)
        content = stated.encode(Kind.ORDER, Stated(signed, None, given.said.encoded))
        quotes = quoting.id_at(db, quoted.feed, quoted.seq)
        deps = {given.activity, given.by.record.id, cause, *([quotes] if quotes else [])}
        told = stated.CONTENT_TYPE, given.activity, tuple(sorted(deps))
        said = Said(Kind.ORDER, content, *told)
        authoring.say(db, author, venue, said)
        return group, order.decode(signed).hash.hex()

    def _open(self, each: Rule, wanted: Opening) -> str:
        """Open the activity of a rule, and link the reading that led to it where it is there."""
        act = self._asking.act
        parties = [{"who": one.who, "roles": list(one.roles)} for one in wanted.party]
        opened = act(
            {
                "act": "activity.open",
                "template": _template(wanted.template),
                "purpose": wanted.purpose,
                "parties": parties,
                "fields": dict(wanted.fields or {}),
                **({} if wanted.group is None else {"group": wanted.group}),
            }
        )
        named = str(opened["activity"])
        linked = {"activity": named, "fields": {}, "readings": [[each.device, each.metric]]}
        try:
            act({"act": "activity.update", **linked})
        except GatewayError as fault:  # The activity is there: who is told can ask.
            _LOG.warning("rule %s: its reading is not linked: %s", each.name, fault)
        return named


def condition_of(each: Rule) -> Condition:
    """Give the condition of a rule of the config."""
    is_below = each.below is not None
    bound = each.below if each.below is not None else each.above
    assert bound is not None, "the config has one of the two"
    reset = bound if each.reset is None else each.reset
    times_ms = each.for_s * 1000, each.again_s * 1000
    return Condition(each.device, each.metric, bound, is_below, reset, *times_ms)


def _template(which: str) -> str:
    """Give the text of a template that comes with the program, or of a file."""
    shipped = {
        each.name.removesuffix(".toml"): each
        for each in resources.files("gateway.cli").joinpath("shipped").iterdir()
    }
    try:
        return (shipped.get(which) or Path(which)).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UnknownTemplate(which=which, known=", ".join(sorted(shipped))) from None
