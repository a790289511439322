"""`scan mqtt` and `scan sparkplug`: what is said behind a broker, and sources that would hear it.

In: a broker and how to log in. Out: topics with what their payloads are and how they could be
mapped; edge nodes and devices with their metrics; sources to paste. Both only listen; `--rebirth`
alone makes one ask.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import looking
from gateway.cli.words import pad, say
from gateway.clock import KernelClock
from gateway.config import Broker, broker
from gateway.config.checks import topic_fault
from gateway.config.proposal import Said, sparkplug
from gateway.errors import WrongValue
from gateway.readings.guess import Guess, Seen, guesses
from gateway.readings.reading import Arrival
from gateway.sources.scan_mqtt import Ear, Topics
from gateway.transport.mqtt import Endpoint

if TYPE_CHECKING:
    from gateway.sources.scan_sparkplug import Members

_LOCAL = "mqtt://127.0.0.1:1883"
_TEXT_LETTERS = 60
_METRICS_SHOWN = 20
_TOPICS_MAX, _MESSAGES_MAX = 1000, 100_000
commands = typer.Typer()

Url = Annotated[str, typer.Argument(help="mqtt://HOST:PORT or mqtts://HOST:PORT")]
Username = Annotated[str | None, typer.Option(help="who logs in")]
PasswordFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="the file that holds the password")
]
CaFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="whom to trust; absent: whom the system trusts")
]
Seconds = Annotated[float, typer.Option(min=0.1, max=86_400, help="listen for so long")]
AsJson = Annotated[bool, typer.Option("--json", help="facts for programs")]


@dataclass(frozen=True, slots=True)
class _Login:
    """A broker, and how to be let in; as keys of a source."""

    url: str
    where: Broker
    keys: Said

    def endpoint(self, topics: tuple[str, ...]) -> Endpoint:
        """Give a connection of its own: a clean session that ends with it."""
        return Endpoint(
            host=self.where.host,
            port=self.where.port,
            client_id=f"hulian-scan-{token_hex(8)}",
            topics=topics,
            tls=self.where.tls,
            persistent=False,
            qos=0,
            **self.keys,  # type: ignore[arg-type] # texts or None, as Endpoint has them
        )


def _login(
    command: str, url: str, username: str | None, password_file: str | None, ca_file: str | None
) -> _Login:
    try:
        where = broker(url)
    except ValueError as fault:
        raise WrongValue(command=command, option="URL", reason=str(fault)) from None
    keys: Said = {"username": username, "password_file": password_file, "ca_file": ca_file}
    return _Login(url, where, keys)


def _listen(ear: Ear, seconds: float, enough: Callable[[], bool], told: Callable[[], str]) -> None:
    """Listen with progress, until the time is over or somebody has enough."""
    began_s = monotonic()
    with looking.Shown() as shown:

        def look() -> bool:
            shown.tell(told(), monotonic() - began_s, seconds)
            return enough()

        with suppress(KeyboardInterrupt):
            asyncio.run(ear.listen(seconds, look))


@commands.command("mqtt")
def scan_mqtt(
    url: Url = _LOCAL,
    topic: Annotated[list[str] | None, typer.Option(help="a filter; absent: #")] = None,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    seconds: Seconds = 10.0,
    topics_max: Annotated[
        int, typer.Option(min=1, max=100_000, help="of how many at most")
    ] = _TOPICS_MAX,
    messages_max: Annotated[int, typer.Option(min=1, help="end after so many")] = _MESSAGES_MAX,
    as_json: AsJson = False,
) -> None:
    """Listen to a broker: its topics, what their payloads are, and how to map them."""
    login = _login("hulian scan mqtt", url, username, password_file, ca_file)
    filters = tuple(topic or ("#",))
    for one in filters:
        if reason := topic_fault(one):
            raise WrongValue(command="hulian scan mqtt", option="--topic", reason=reason)
    topics = Topics(topics_max, messages_max)
    ear = Ear(login.endpoint(filters), url, topics.take)
    _listen(ear, seconds, topics.enough, lambda: _counted(len(topics), topics.messages))
    seen = topics.seen()
    if ear.fault is not None and not seen:
        raise ear.fault
    taken = [each.name for each in looking.sources()]
    found = guesses({"url": url, **login.keys}, seen, taken, _now())
    proposals = [each.source for each in found]
    if groups := _groups(seen):
        names = {*taken, *(str(each["name"]) for each in proposals)}
        proposals.append(sparkplug(url, groups, login.keys, names))
    if as_json:
        facts = _topic_facts(topics, seen, found)
        said = {**facts, "proposal": looking.pasted(proposals)}
        print(json.dumps(said, ensure_ascii=False))
    else:
        _show_topics(topics, seen, found)
        looking.show(proposals)
    raise typer.Exit(0 if seen else 1)


def _counted(topics: int, messages: int) -> str:
    return say("{topics} topics, {messages} messages", topics=topics, messages=messages)


def _now() -> Arrival:
    moment = KernelClock().now()
    return Arrival(moment.unix_ms, moment.monotonic_ms)


def _groups(seen: tuple[Seen, ...]) -> list[str]:
    """Give the Sparkplug groups among topics."""
    levels = [one.topic.split("/") for one in seen if one.kind == "sparkplug"]
    return sorted({each[1] for each in levels if len(each) > 3 and each[1] != "STATE"})


def _topic_facts(topics: Topics, seen: tuple[Seen, ...], found: tuple[Guess, ...]) -> Said:
    return {
        "messages": topics.messages,
        "left_out": topics.left_out,
        "topics": [
            {
                "topic": one.topic,
                "count": one.count,
                "kind": one.kind,
                "retained": one.retained,
                "payload": _shown(one),
            }
            for one in seen
        ],
        "guesses": [
            {
                "name": each.source["name"],
                "topics": list(each.topics),
                "readings": [
                    {"device": one.device, "metric": one.metric, "value": one.value}
                    for one in each.readings
                ],
            }
            for each in found
        ],
    }


def _shown(one: Seen) -> str:
    """Give the newest payload as a person reads it: text, else hex; only its beginning."""
    payload = one.payloads[-1] if one.payloads else b""
    if one.kind in ("json", "senml-json", "text"):
        text = " ".join(payload.decode(errors="replace").split())
    else:
        text = payload.hex(" ")
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _TEXT_LETTERS else f"{text[: _TEXT_LETTERS - 3]}..."


def _show_topics(topics: Topics, seen: tuple[Seen, ...], found: tuple[Guess, ...]) -> None:
    for one in seen:
        kept = say("kept by the broker, perhaps old") if one.retained else ""
        name = "".join(letter if letter.isprintable() else "?" for letter in one.topic)
        print(f"{pad(name, 40)} {one.count:>6}  {one.kind:<10}  {_shown(one)}  {kept}".rstrip())
    print(_counted(len(seen), topics.messages))
    if topics.left_out:
        print(say("{count} messages of further topics were left out", count=topics.left_out))
    for each in found:
        print()
        print(say("source {name} would give:", name=each.source["name"]))
        for reading in each.readings[:_METRICS_SHOWN]:
            print(f"  {pad(reading.device, 20)} {pad(reading.metric, 24)} {reading.value}")
        if len(each.readings) > _METRICS_SHOWN:
            print(say("and {count} more", count=len(each.readings) - _METRICS_SHOWN))


@commands.command("sparkplug")
def scan_sparkplug(
    url: Url = _LOCAL,
    group: Annotated[list[str] | None, typer.Option(help="absent: all")] = None,
    rebirth: Annotated[
        bool, typer.Option("--rebirth", help="ask edge nodes whose certificate is lacking")
    ] = False,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    seconds: Seconds = 10.0,
    as_json: AsJson = False,
) -> None:
    """Listen for edge nodes: their devices, and the metrics of their birth certificates."""
    from gateway.readings import sparkplug_topic
    from gateway.sources.scan_sparkplug import Members  # It loads protobuf.

    login = _login("hulian scan sparkplug", url, username, password_file, ca_file)
    members = Members()
    now = KernelClock().now
    heard = sparkplug_topic.heard_by(group or ("+",), "none")[1:]

    def ask() -> Iterable[tuple[str, bytes]]:
        return members.requests(now().unix_ms) if rebirth else ()

    ear = Ear(login.endpoint(heard), url, members.take, ask)

    def told() -> str:
        return say("{count} edge nodes and devices", count=len(members))

    _listen(ear, seconds, lambda: False, told)
    if ear.fault is not None and not len(members):
        raise ear.fault
    taken = [each.name for each in looking.sources()]
    groups = members.groups()
    proposals = [sparkplug(url, groups, login.keys, taken)] if groups else []
    if as_json:
        print(json.dumps(_member_facts(members, looking.pasted(proposals)), ensure_ascii=False))
    else:
        _show_members(members, told(), rebirth)
        looking.show(proposals)
    raise typer.Exit(0 if groups else 1)


def _member_facts(members: "Members", proposal: str) -> Said:
    return {
        "messages": members.messages,
        "unreadable": members.unreadable,
        "left_out": members.left_out,
        "members": [
            {
                "group": one.group,
                "node": one.node,
                "device": one.device,
                "state": one.state,
                "messages": one.messages,
                "metrics": [
                    {"name": each.name, "type": each.type, "unit": each.unit}
                    for each in one.metrics
                ],
            }
            for one in members.all()
        ],
        "proposal": proposal,
    }


def _show_members(members: "Members", told: str, rebirth: bool) -> None:
    unborn = False
    for one in members.all():
        name = "/".join(filter(None, (one.group, one.node, one.device)))
        print(f"{pad(name, 40)} {pad(say(one.state), 10)} {one.messages:>6}")
        unborn = unborn or one.state == "unborn"
        for each in one.metrics[:_METRICS_SHOWN]:
            print(f"    {pad(each.name, 36)} {each.type:<10} {each.unit}".rstrip())
        if len(one.metrics) > _METRICS_SHOWN:
            print("    " + say("and {count} more", count=len(one.metrics) - _METRICS_SHOWN))
    print(told)
    if unborn and not rebirth:
        print(say("of the unborn no certificate came; --rebirth asks them for it"))
