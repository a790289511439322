"""What a gateway is told: frozen settings, each default with its reason. Reference: docs/config.md.

In: values that `load` has checked. Out: the same, by name. No password is ever in here: the
config names files that hold them, and an address with a password in it is refused.
The types bound what a key can be; `description` says it to a person.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.config.addresses import (
    LAN,
    Broker,
    Far,
    Listen,
    SerialLine,
    Submission,
    broker,
    far,
    listen,
    serial_line,
    submission,
)
from gateway.config.devices import STALE_MS, Bind, Equipment, StaleMs
from gateway.config.modbus import ModbusSource
from gateway.config.names import ClientId, Name, Sha256, Short, Text, Unit
from gateway.config.points import FramedPoint, MqttPoint
from gateway.config.publish import Publish
from gateway.config.rules import Rule
from gateway.config.serial import SerialSource
from gateway.config.sparkplug import SparkplugSource

SourceType = Literal["mqtt", "framed", "sparkplug", "modbus", "replay", "serial"]
Format = Literal["json", "text", "senml-json", "senml-cbor", "cbor"]
TimeUnit = Literal["auto", "s", "ms", "us", "ns"]


class Gateway(Struct, frozen=True, kw_only=True):
    """This gateway itself."""

    name: Name
    state_dir: Text
    # Long enough that many readings share one fsync, short enough that nobody sees the delay.
    commit_ms: Annotated[int, Meta(ge=1, le=10_000, description="from 1 to 10000")] = 200
    # One note a minute, however many groups: what witnesses are asked for costs them little.
    journal_s: Annotated[int, Meta(ge=1, le=3600, description="from 1 to 3600")] = 60
    # "": many gateways serve one plant, whose people know where they stand.
    equipment: Equipment = ""


class Link(Struct, frozen=True, kw_only=True):
    """A way to peers: exactly one of `url` and `listen`."""

    name: Name
    # None: it listens, and others come.
    url: Text | None = None
    # None: it dials. To be reached from outside is for the site's people to decide.
    listen: Text | None = None
    # Only beside `listen`: whoever is on the LAN then learns that a gateway is there.
    announce: bool | None = None
    # None: many brokers inside a plant know no users.
    username: Short | None = None
    # None: no password. Never the password itself, so that a config can be shown to anyone.
    password_file: Text | None = None
    # None: the authorities that the system trusts.
    ca_file: Text | None = None
    # "" until loaded, then hulian-GATEWAY-link-LINK: a broker's operator sees whose it is.
    client_id: ClientId = ""

    @property
    def kind(self) -> Literal["mqtt", "https", "listen", "lan"]:
        """Say what it is: a broker's, one that dials a gateway or all on the LAN, or listens."""
        if self.url is None:
            return "listen"
        if self.url == LAN:
            return "lan"
        return "https" if self.url.lower().startswith("https://") else "mqtt"

    @property
    def broker(self) -> Broker:
        """Where the broker is: host, port, and whether under TLS; for `mqtt`."""
        return broker(self.url or "")

    @property
    def far(self) -> Far:
        """Where the other gateway listens; for `https`."""
        return far(self.url or "")

    @property
    def here(self) -> Listen:
        """Where this gateway listens; for `listen`."""
        return listen(self.listen or "")


class Metric(Struct, frozen=True, kw_only=True):
    """One metric of a source: where it is in a payload, and what it is called."""

    name: Short
    # "" in text payloads only, which are one value.
    path: Text = ""
    # "": a count, a state or a text has none.
    unit: Unit = ""
    # None: the value as it is, an integer stays an integer.
    scale: Annotated[int | float | None, Meta(description="a number other than 0")] = None


class MqttSource(Struct, frozen=True, kw_only=True, tag_field="type", tag="mqtt"):
    """Machines behind one broker."""

    name: Name
    url: Text
    topics: Annotated[tuple[Text, ...], Meta(min_length=1, description="at least one topic")]
    username: Short | None = None
    password_file: Text | None = None
    ca_file: Text | None = None
    # "" until loaded, then hulian-GATEWAY-SOURCE: fixed, because the broker keeps what comes while
    # we are away under this name.
    client_id: ClientId = ""
    # Above what one commit gathers at 10,000 a second; brokers allow at most 65,535.
    in_flight_max: Annotated[int, Meta(ge=1, le=65_535, description="from 1 to 65535")] = 2000
    # 256 KiB: far above any machine's message, far below what would hurt a small gateway.
    payload_bytes_max: Annotated[
        int, Meta(ge=1, le=16_777_216, description="from 1 to 16777216")
    ] = 262_144
    # Most machines and all bridges to MQTT can publish JSON.
    format: Format = "json"
    # None: the source's own name, for one machine behind one broker.
    device: Text | None = None
    # (): the devices are named by `device`, whoever they are.
    bind: tuple[Bind, ...] = ()
    # None: the machines do not say in their payloads who they are.
    claim: Text | None = None
    # None: a payload is of one moment.
    each: Text | None = None
    # None: the time of arrival.
    time: Text | None = None
    # auto: told by the size of the number, which is sure for all times from 1973 to 5138.
    time_unit: TimeUnit = "auto"
    # None: a time that does not say its zone is refused, for a guess could be hours off.
    time_zone: (
        Annotated[
            str,
            Meta(
                pattern=r"\A(Z|[+-](0\d|1[0-4]):[0-5]\d)\Z",
                description="Z, or an offset such as +08:00",
            ),
        ]
        | None
    ) = None
    # (): every number in the payload, under its own name.
    metric: tuple[Metric, ...] = ()
    # (): nothing is ever published to its machines.
    point: tuple[MqttPoint, ...] = ()
    stale_ms: StaleMs = STALE_MS
    equipment: Equipment = ""

    @property
    def broker(self) -> Broker:
        """Where the broker is: host, port, and whether under TLS."""
        return broker(self.url)


class FramedSource(Struct, frozen=True, kw_only=True, tag_field="type", tag="framed"):
    """A device on a serial line that speaks firmware_bridge's protocol; it names its metrics."""

    name: Name
    url: Text
    # None: most lines are inside a cabinet, and a key has to be brought to the device first.
    key_file: Text | None = None
    # None: the device does not sign. Otherwise only what it signed is heard.
    public_key: (
        Annotated[
            str,
            Meta(
                pattern=r"\A[0-9a-fA-F]{64}\Z",
                description="an Ed25519 public key, 64 hexadecimal digits",
            ),
        ]
        | None
    ) = None
    # (): the device is never told to do anything.
    point: tuple[FramedPoint, ...] = ()
    stale_ms: StaleMs = STALE_MS
    equipment: Equipment = ""

    @property
    def serial_line(self) -> SerialLine:
        """Which line it is, and how it is set up."""
        return serial_line(self.url)


Source = MqttSource | FramedSource | ModbusSource | SparkplugSource | SerialSource


class Route(Struct, frozen=True, kw_only=True):
    """Which readings go to which group, by shell patterns."""

    group: Name
    # *: all of them, so that a route can be about metrics only, or about devices only.
    devices: Annotated[tuple[Short, ...], Meta(min_length=1, description="at least one")] = ("*",)
    metrics: Annotated[tuple[Short, ...], Meta(min_length=1, description="at least one")] = ("*",)


class Accept(Struct, frozen=True, kw_only=True):
    """Whose invitations to groups need no person here, by shell patterns."""

    organisation: Short
    # *: who is trusted to invite is mostly trusted for all of it.
    purposes: Annotated[tuple[Short, ...], Meta(min_length=1, description="at least one")] = ("*",)
    # (): a group says what it is for, and each activity in it says by which template.
    templates: tuple[Sha256, ...] = ()


class Witness(Struct, frozen=True, kw_only=True):
    """A witness to which this gateway shows how far its journal goes."""

    name: Name
    url: Text

    @property
    def submission(self) -> Submission:
        """Where it takes checkpoints."""
        return submission(self.url)


class Web(Struct, frozen=True, kw_only=True):
    """The page and the API."""

    # This computer only: a page open to the network needs a password first.
    listen: Text = "127.0.0.1:8470"


class Config(Struct, frozen=True, kw_only=True):
    """All of it; the names of the fields are those of the tables."""

    gateway: Gateway
    link: tuple[Link, ...] = ()
    source: tuple[Source, ...] = ()
    route: tuple[Route, ...] = ()
    # (): every invitation waits for a person.
    accept: tuple[Accept, ...] = ()
    # (): no machine here asks for anything by itself.
    rule: tuple[Rule, ...] = ()
    publish: tuple[Publish, ...] = ()
    # (): nothing becomes final by this gateway's own doing.
    witness: tuple[Witness, ...] = ()
    web: Web = Web()
