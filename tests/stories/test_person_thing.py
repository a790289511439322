"""A person and a machine of another company: an order is asked, approved, done once, seen by all.

Four organisations of one consortium as real agents over a real broker: alder has a press on a
serial line, people of birch order, a regulator watches, an outsider is not in the group. The press
remembers every write; the people's keys are in no gateway's folder.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.groups.group import Group
from gateway.records.record import Kind
from gateway.store import state
from tests import needles, seen
from tests.agents import AgentProcess
from tests.broker import Broker
from tests.desk import Person, certified
from tests.needles import Needles
from tests.neighbours import Terminal
from tests.operator import Operator
from tests.paired import pair, standing, until
from tests.press import SOURCE, Press

PURPOSE: Final = "trim-of-the-hydraulics-4711"
_LINK: Final = """
[[link]]
name = "consortium"
url = "{url}"

[[accept]]
organisation = "birch"
"""
_TEMPLATE: Final = """
name = "trimming"
title = { en = "Trimming of a press", zh = "压力机微调" }
kind = "person-thing"
mode = "information"
version = 1

[field.note]
title = { en = "Note", zh = "备注" }
type = "text"
merge = "append"
write = ["initiator", "receiver"]

[close]
write = ["initiator"]

[order]
write = ["initiator"]
needs = "agreed"
approvals = 1
organisations = 1
"""
PEOPLE: Final = {"Anna Kjellgren": "birch", "Li Meihua": "birch", "Chen Dao": "alder"}
ANNA, LI, CHEN = PEOPLE


@dataclass
class Scene:
    """The agents, the broker between them and its operator, the press, the people's desk."""

    agents: dict[str, AgentProcess]
    between: Broker
    press: Press
    people: dict[str, Person]
    template: Path
    terminal: Terminal
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    hearing: ExitStack = field(default_factory=ExitStack)
    moved: list[float] = field(default_factory=list)  # what was to be done so far, in order
    dice: random.Random = field(default_factory=lambda: random.Random(4711))

    @property
    def members(self) -> list[AgentProcess]:
        """Give the gateways of the group."""
        return [self.agents[name] for name in ("alder", "birch", "regulator")]

    def hear(self) -> None:
        """Keep from now on every byte that crosses the broker."""
        operator = self.hearing.enter_context(Operator(self.between))
        operator.heard = self.heard

    @contextmanager
    def cut(self, is_cut: bool = True) -> Iterator[None]:
        """Stop the broker while something is done; meanwhile nothing may be written."""
        if not is_cut:
            yield
            return
        self.between.stop()
        self.hearing.close()
        yield
        assert self.press.written == self.moved
        # The operator is there before anybody can speak, and misses nothing.
        running = [each.process.pid for each in self.agents.values() if each.process]
        for pid in running:
            os.kill(pid, signal.SIGSTOP)
        self.between.start()
        self.hear()
        for pid in running:
            os.kill(pid, signal.SIGCONT)

    def rest(self) -> None:
        """Let the press be asked for what it shows some times more; nothing may be written."""
        enough = self.press.polled() + 4
        until(self.agents["alder"], lambda: self.press.polled() >= enough)
        assert self.press.written == self.moved

    def read(self, agent: AgentProcess, activity: str) -> list[float]:
        """Give what the press showed in an activity, as a gateway knows it."""
        return seen.values(self.terminal, agent, activity, "set_point")


@pytest.fixture
def scene(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """Give four organisations whose agents run, and three people with keys of their own."""
    (tmp_path / "between").mkdir()
    with ExitStack() as ending:
        press, between = Press(), Broker(tmp_path / "between")
        ending.callback(press.stop)
        ending.callback(between.stop)
        agents = {}
        for name in ("alder", "birch", "regulator", "outsider"):
            (tmp_path / name).mkdir()
            machine = SOURCE.format(url=press.slave.url) if name == "alder" else ""
            config = _LINK.format(url=between.url) + machine
            agents[name] = AgentProcess(tmp_path / name, name, config)
        pair(*agents.values())
        terminal = Terminal(capsys, monkeypatch)
        people = {name: certified(terminal, agents[of], name) for name, of in PEOPLE.items()}
        template = tmp_path / "template.toml"
        template.write_text(_TEMPLATE)
        made = Scene(agents, between, press, people, template, terminal)
        made.hear()
        ending.callback(made.hearing.close)
        for each in agents.values():
            each.start()
            ending.callback(each.end)
        yield made


# What people do.


def _open(scene: Scene) -> str:
    """Birch opens an activity with alder, which the regulator watches."""
    with_whom = ("--with", "alder:receiver", "--with", "regulator:supervisor")
    template = ("--template", str(scene.template), "--purpose", PURPOSE)
    told = scene.terminal.facts(scene.agents["birch"], "activity", "open", *template, *with_whom)
    return str(told["activity"])


def _bind(scene: Scene, activity: str) -> None:
    """Alder has what its press shows belong to the activity, once it heard of it."""
    alder = scene.agents["alder"]
    bind = ("activity", "update", activity, "--bind", "press-1")

    def is_so() -> bool:
        status, _, error = scene.terminal.type(alder, *bind)
        early = ("[act.unknown-activity]", "[act.device-bound]")
        assert status == 0 or any(each in error for each in early), error
        return status == 0

    until(alder, is_so)


def _ordering(activity: str, value: float) -> tuple[str, ...]:
    return ("order", "send", activity, "alder", "pressure", repr(value), "--unit", "kPa")


def _prepared(scene: Scene, activity: str, value: float) -> tuple[Path, str]:
    """Have birch write an order that Anna is to sign; give the file, and the text's digits."""
    wanted = scene.people[ANNA].home / f"{activity} {value}"
    asked = (*_ordering(activity, value), "--request", str(wanted))
    told = scene.terminal.facts(scene.agents["birch"], *asked)
    return wanted, told["digits"]


def _sent(scene: Scene, wanted: Path, digits: str) -> str:
    """Anna signs an order on a computer of her own, and birch sends it; give its hash."""
    signed = ("--signed", str(scene.people[ANNA].signs(wanted, digits)))
    return str(scene.terminal.facts(scene.agents["birch"], "order", "send", *signed)["order"])


def _ask(scene: Scene, activity: str, value: float) -> str:
    """Anna orders the press of alder to another pressure; give the order's hash."""
    return _sent(scene, *_prepared(scene, activity, value))


def _say(scene: Scene, who: str, verdict: str, order: str) -> None:
    """Have somebody approve or cancel an order, at the gateway of the own organisation."""
    scene.people[who].types(scene.agents[PEOPLE[who]], "order", verdict, order)


# What is seen.


def _waits(scene: Scene, order: str, reason: str, words: int = 0) -> None:
    """Wait until the order waits at alder for a reason, with so many words about it held there."""

    def is_so() -> bool:
        held = seen.held(scene.agents["alder"], order)
        return held is not None and held.waits == reason and len(held.words) == words

    until(scene.agents["alder"], is_so)


def _outcome(scene: Scene, order: str) -> dict[str, Any]:
    """Wait until all members know what became of an order, see that it is the same, give it."""
    for each in scene.members:
        until(each, lambda each=each: seen.ended(each, order))  # type: ignore[misc]
    first, *others = (seen.order(scene.terminal, each, order) for each in scene.members)
    assert others == [first, first]
    return first


def _done(scene: Scene, activity: str, order: str, value: float) -> None:
    """See an order executed once, the register at its value, and all members know both."""
    scene.moved.append(value)
    told = _outcome(scene, order)
    assert (told["state"], told["value"], told["read_back"]) == ("done", value, value)
    assert scene.press.written == scene.moved and scene.press.shows == value
    for each in scene.members:
        held = seen.held(each, order)
        assert held is not None and (len(held.starts), len(held.ends)) == (1, 1)
        assert held.end is not None and held.starts[0].by.record.id in held.end.by.record.deps
        until(each, lambda each=each: value in scene.read(each, activity))  # type: ignore[misc]


# The story.


def _round(scene: Scene, cut: str = "") -> tuple[str, str]:
    """An order from open to close, with the link cut at one step; give activity and order."""
    value = scene.dice.uniform(100, 250)
    with scene.cut(cut == "open"):
        activity = _open(scene)
    if not scene.moved:
        _until_quotable(scene, activity)
    with scene.cut(cut == "order"):
        order = _ask(scene, activity, value)
    _bind(scene, activity)
    if cut in ("approve", "before execution"):
        _waits(scene, order, "approvals")
    with scene.cut(cut in ("approve", "before execution")):
        # Where it is alder's own person who approves, its gateway holds all there is: and waits.
        _say(scene, CHEN if cut == "before execution" else LI, "approve", order)
        if cut == "before execution":
            _waits(scene, order, "agreed", words=1)
            scene.rest()
    if cut == "after execution":
        _cut_after(scene, order, value)
    _done(scene, activity, order, value)
    scene.terminal.facts(scene.agents["birch"], "activity", "close", activity)
    return activity, order


def _cut_after(scene: Scene, order: str, value: float) -> None:
    """Cut the link while the press, which has obeyed, has not answered yet."""
    alder, press = scene.agents["alder"], scene.press
    press.slave.writing.append("late")
    end = time.monotonic() + 60
    while press.written == scene.moved:
        assert time.monotonic() < end, alder.log()
        time.sleep(0.005)
    scene.moved.append(value)
    with scene.cut():
        until(alder, lambda: seen.ended(alder, order))
        assert not any(seen.ended(each, order) for each in scene.members if each is not alder)
    scene.moved.pop()


def _until_quotable(scene: Scene, activity: str) -> None:
    """Wait until birch holds something that alder's gateway wrote in their group."""
    birch = scene.agents["birch"]
    asked = (*_ordering(activity, 150.0), "--request", str(scene.people[ANNA].home / "unused"))

    def is_so() -> bool:
        status, _, error = scene.terminal.type(birch, *asked)
        assert status == 0 or "[order.nothing-to-quote]" in error, error
        return status == 0

    until(birch, is_so)


def _stopped(scene: Scene) -> list[tuple[str, str]]:
    """See what stops an order, on the live system; give each order with the state it ends in."""
    activity, value = _open(scene), scene.dice.uniform(100, 250)
    # Who ordered approves as well: that is one person, and not enough.
    cancelled = _ask(scene, activity, value)
    _say(scene, ANNA, "approve", cancelled)
    _waits(scene, cancelled, "approvals", words=1)
    scene.rest()
    # It is cancelled, and then approved, both before alder hears of either.
    with scene.cut():
        _say(scene, ANNA, "cancel", cancelled)
        _say(scene, LI, "approve", cancelled)
    told = _outcome(scene, cancelled)
    assert (told["state"], told["reason"]) == ("cancelled", "order.cancelled")
    # What was prepared before alder's gateway starts anew is void, however fresh it is.
    sheet = _prepared(scene, activity, value)
    scene.agents["alder"].kill()
    scene.agents["alder"].start()
    void = _sent(scene, *sheet)
    told = _outcome(scene, void)
    assert (told["state"], told["reason"]) == ("refused", "order.earlier-run")
    scene.rest()
    return [(activity, cancelled), (activity, void)]


def _until_equal(scene: Scene, done: Sequence[tuple[str, str]]) -> None:
    """Wait until all members hold the same records, agreed, and show the same of each activity."""
    for activity in {activity for activity, _ in done}:
        for each in scene.members:
            until(
                each,
                lambda each=each, activity=activity: (  # type: ignore[misc]
                    seen.records(each, activity) == seen.records(scene.agents["alder"], activity)
                    and seen.activity(scene.terminal, each, activity)
                    == seen.activity(scene.terminal, scene.agents["alder"], activity)
                ),
            )


def _group(scene: Scene) -> Group:
    held = state.load(scene.agents["birch"].state_dir)
    (found,) = [each for each in held.groups.values() if each.founding.templates]
    return found


def _needles(scene: Scene, done: Sequence[tuple[str, str]]) -> Needles:
    """Name what only the members know: the orders and words, the values, the keys."""
    birch, group = scene.agents["birch"], _group(scene)
    found = {"purpose": PURPOSE.encode(), "secret": group.secret, "group": group.id}
    found |= {f"name of {each}": each.encode() for each in PEOPLE}
    found |= needles.of_keys(birch, group.id) | needles.of_values(scene.moved)
    for _, order in done:
        held = seen.held(birch, order)
        assert held is not None
        found[f"order {order}"] = held.said.encoded
        found[f"hash of order {order}"] = held.said.hash
        found[f"number of order {order}"] = held.said.order.id
        for each in held.words:
            found[f"word {each.by.record.id.hex()}"] = each.said.encoded
    return found


@pytest.mark.timeout(600)
def test_an_order_is_done_once_and_seen_by_its_parties_alone(
    scene: Scene, figures: Callable[..., None]
) -> None:
    """With the link cut at any step a person's order is done once; others learn nothing of it."""
    regulator, outsider = scene.agents["regulator"], scene.agents["outsider"]
    steps = ("open", "order", "approve", "before execution", "after execution")
    done = [_round(scene, cut) for cut in ("", *steps)]
    stopped = _stopped(scene)
    done.append(_round(scene))  # after alder's gateway started anew
    _until_equal(scene, done + stopped)
    assert scene.press.written == scene.moved and len(set(scene.moved)) == len(done)
    kinds = list(seen.records(regulator, done[0][0]).values())
    executed = (Kind.ORDER, Kind.APPROVAL, Kind.EXECUTION_START, Kind.EXECUTION_END)
    assert [kinds.count(each) for each in executed] == [1, 1, 1, 1]
    assert scene.moved[0] in scene.read(regulator, done[0][0])
    # The outsider: nothing on its disk, nor under its keys. The regulator has all of it.
    sought = _needles(scene, done + stopped)
    until(outsider, lambda: standing(outsider, "consortium").get("members") == 4)
    count, opened = needles.opened(outsider, scene.heard)
    disk = outsider.disk()
    public = {"what is public": state.load(scene.agents["alder"].state_dir).node}
    assert count > 0 and needles.found_in(opened, public) and needles.found_in(disk, public)
    assert not needles.found_in(opened + disk, sought)
    crossed = needles.crossed(scene.heard)
    assert f"hl/1/g/{_group(scene).tag}/rec/".encode() in crossed
    assert not needles.found_in(crossed, sought)
    answers = [scene.read(regulator, activity) for activity, _ in done]
    control = needles.control(regulator, _group(scene).id, answers)
    assert needles.found_in(control, sought) == list(sought)
    figures(
        orders_done=len(done),
        writes_at_the_press=len(scene.press.written),
        links_cut=len(steps) + 1,
        orders_stopped=len(stopped),
        bytes_at_the_broker=len(crossed),
        bytes_of_the_outsider=len(opened) + len(disk),
        needles=len(sought),
        found_there=0,
        found_at_the_regulator=len(sought),
    )
