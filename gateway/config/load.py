"""TOML to settings: all faults at once, each with its line, its key and the nearest valid one.

In: the text of a config. Out: a `Config`, or `ConfigFaults`. It opens no file: a password file that
is missing shows when its owner opens it.
"""

import re
import tomllib
from collections.abc import Mapping as Table
from typing import Final, TypeVar, get_args

import msgspec

from gateway.config import checks, devices, modbus, outward, point_checks, serial_checks, units
from gateway.config.claims import Claims
from gateway.config.devices import Bind
from gateway.config.faults import Faults
from gateway.config.kinds import choices as choices_of, descriptions
from gateway.config.lines import Lines, Path
from gateway.config.modbus import ModbusMetric, ModbusPoint, ModbusSource
from gateway.config.points import FramedPoint, MqttPoint, Point, SparkplugPoint
from gateway.config.publish import Publish
from gateway.config.rules import Concerned, Opening, Rule, check_rule
from gateway.config.serial import Checksum, Framing, SerialMetric, SerialSource
from gateway.config.settings import (
    Accept,
    Config,
    FramedSource,
    Gateway,
    Link,
    Metric,
    MqttSource,
    Route,
    Source,
    SourceType,
    Web,
    Witness,
)
from gateway.config.sparkplug import SparkplugSource
from gateway.errors import (
    ConfigFaults,
    ConfigSyntax,
    MissingKey,
    OutOfRange,
    UnavailableChoice,
    UnknownUnit,
    WrongType,
)

TEXT_BYTES_MAX: Final = 1_048_576
_KINDS: Final = ("mqtt", "framed", "modbus", "sparkplug", "serial")
_TYPES: Final[tuple[str, ...]] = get_args(SourceType)
_WORDS: Final = {
    "str": "a text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a time",
    "date": "a date",
    "time": "a time of day",
}
Kind = TypeVar("Kind", bound=msgspec.Struct)
Named = TypeVar("Named", bound=Link | Source | Publish)
Placed = TypeVar("Placed", bound=Point)


def load(text: str, web_password: bool = False) -> Config:
    """Read a config; raise ConfigFaults with all that is wrong.

    `web_password` says that somebody has a password for the page, so that it may be open to others.
    """
    table = _parse(text)
    reader = _Reader(Faults(Lines(text)))
    config = reader.config(table, web_password)
    if config is None:
        raise ConfigFaults(reader.faults.all())
    return config


def _parse(text: str) -> dict[str, object]:
    reason, line = "", 1
    try:
        if len(text) <= TEXT_BYTES_MAX:
            return tomllib.loads(text)
        reason = f"more than {TEXT_BYTES_MAX} letters"
    except tomllib.TOMLDecodeError as fault:
        reason, _, place = str(fault).partition(" (at ")
        number = place.partition(" ")[2].partition(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
    except RecursionError:
        reason = "nested too deep"
    except ValueError as fault:  # tomllib lets through what int() says of 5,000 digits.
        reason = str(fault).partition(";")[0]
    raise ConfigFaults((ConfigSyntax(line=line, key="", reason=reason[:120]),)) from None


class _Reader:
    """Read table by table, and collect what is wrong instead of stopping at it."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._claims = Claims(faults)

    def config(self, table: Table[str, object], web_password: bool) -> Config | None:
        """Read the whole; None where anything is wrong."""
        known = Config.__struct_fields__
        for key in table:
            if key not in known:
                self.faults.unknown((key,), known)
        gateway = self._table(("gateway",), table.get("gateway"), Gateway)
        links = [self._link(at, one) for at, one in self._tables((), table, "link")]
        sources = [self._source(at, one) for at, one in self._tables((), table, "source")]
        routes = [self._make(at, one, Route) for at, one in self._tables((), table, "route")]
        accepts = [self._make(at, one, Accept) for at, one in self._tables((), table, "accept")]
        rules = [self._rule(at, one) for at, one in self._tables((), table, "rule")]
        told = [self._publish(at, one) for at, one in self._tables((), table, "publish")]
        witnesses = [self._witness(at, one) for at, one in self._tables((), table, "witness")]
        web = self._table(("web",), table.get("web", {}), Web)
        checks.check_web(self.faults, ("web",), web, web_password)
        name = str(gateway.get("name", ""))
        for key, all_made in (("link", links), ("source", sources), ("publish", told)):
            for place, made in enumerate(all_made):
                self._claims.connection((key, place), made, lambda one: _named(one, name))
        for place, publish in enumerate(told):
            outward.check_loop(self.faults, ("publish", place), publish, sources)
        devices.check_depth(self.faults, gateway, sources)
        point_checks.check_all(self.faults, sources)
        if self.faults.all():
            return None
        return Config(
            gateway=Gateway(**gateway),  # type: ignore[arg-type]
            link=tuple(_named(one, name) for one in links if isinstance(one, Link)),
            source=tuple(_named(one, name) for one in sources if one is not None),
            route=tuple(one for one in routes if one is not None),
            accept=tuple(one for one in accepts if one is not None),
            rule=tuple(one for one in rules if one is not None),
            publish=tuple(_named(one, name) for one in told if one is not None),
            witness=tuple(one for one in witnesses if one is not None),
            web=Web(**web),  # type: ignore[arg-type]
        )

    def _link(self, at: Path, table: Table[str, object]) -> Link | None:
        said = self._values(at, table, Link)
        self._claims.claim("name", at, "link", said.get("name"))
        checks.check_link(self.faults, at, said)
        return _built(Link, said)

    def _witness(self, at: Path, table: Table[str, object]) -> Witness | None:
        said = self._values(at, table, Witness)
        self._claims.claim("name", at, "witness", said.get("name"))
        checks.check_witness(self.faults, at, said)
        return _built(Witness, said)

    def _source(self, at: Path, table: Table[str, object]) -> Source | None:
        """Read one source by its type; of a type that is none, at least its name."""
        self._claims.claim("name", at, "source", table.get("name"))
        match table.get("type"):
            case None:
                self.faults.add(MissingKey, (*at, "type"))
            case str() as kind if kind not in _TYPES:
                self.faults.choice((*at, "type"), kind, _TYPES)
            case str() as kind if kind not in _KINDS:
                choices = ", ".join(_KINDS)
                self.faults.add(UnavailableChoice, (*at, "type"), found=kind, choices=choices)
            case "framed":
                said = self._values(at, table, FramedSource, "type", "point")
                said["point"] = self._points(at, table, FramedPoint)
                checks.check_framed(self.faults, at, said)
                return _built(FramedSource, said)
            case "modbus":
                return self._modbus(at, table)
            case "serial":
                return self._serial(at, table)
            case "sparkplug":
                said = self._values(at, table, SparkplugSource, "type", "point")
                said["point"] = self._points(at, table, SparkplugPoint)
                checks.check_broker(self.faults, at, said)
                return _built(SparkplugSource, said)
            case str():
                return self._mqtt(at, table)
            case other:
                self._wrong_type((*at, "type"), type(other).__name__, "a text")
        return None

    def _mqtt(self, at: Path, table: Table[str, object]) -> MqttSource | None:
        said = self._values(at, table, MqttSource, "type", "metric", "bind", "point")
        said["point"] = self._points(at, table, MqttPoint)
        binds: list[Bind] = []
        for place, one in self._tables(at, table, "bind"):
            bind = self._make(place, one, Bind)
            self._claims.claim("device", place, *map(str, at), "bind", one.get("device"))
            binds += [bind] if bind is not None else []
        said["bind"] = tuple(binds)
        metrics: list[Metric] = []
        for place, one in self._tables(at, table, "metric"):
            found = self._values(place, one, Metric)
            checks.check_metric(self.faults, place, found, said.get("format"))
            self._claims.claim("name", place, *map(str, at), "metric", found.get("name"))
            if (metric := _built(Metric, found)) is not None:
                metrics.append(metric)
        said["metric"] = tuple(metrics)
        checks.check_mqtt(self.faults, at, said)
        return _built(MqttSource, said)

    def _modbus(self, at: Path, table: Table[str, object]) -> ModbusSource | None:
        said = self._values(at, table, ModbusSource, "type", "metric", "point")
        said["point"] = self._points(at, table, ModbusPoint)
        metrics: list[ModbusMetric] = []
        for place, one in self._tables(at, table, "metric"):
            found = self._values(place, one, ModbusMetric)
            modbus.check_metric(self.faults, place, found, said.get("count_max"))
            self._claims.claim("name", place, *map(str, at), "metric", found.get("name"))
            if (metric := _built(ModbusMetric, found)) is not None:
                metrics.append(metric)
        said["metric"] = tuple(metrics)
        if not table.get("metric"):
            self.faults.add(MissingKey, (*at, "metric"))
        modbus.check_source(self.faults, at, said)
        return _built(ModbusSource, said)

    def _serial(self, at: Path, table: Table[str, object]) -> SerialSource | None:
        said = self._values(at, table, SerialSource, "type", "framing", "checksum", "metric")
        there = (*at, "framing")
        framing = _built(Framing, self._table(there, table.get("framing"), Framing))
        checksum = None
        if "checksum" in table:
            values = self._table((*at, "checksum"), table["checksum"], Checksum)
            checksum = _built(Checksum, values)
        if framing is not None:
            serial_checks.check_framing(self.faults, there, framing, checksum)
        said |= {"framing": framing, "checksum": checksum}
        metrics: list[SerialMetric] = []
        for place, one in self._tables(at, table, "metric"):
            found = self._values(place, one, SerialMetric)
            self._claims.claim("name", place, *map(str, at), "metric", found.get("name"))
            if (metric := _built(SerialMetric, found)) is not None:
                serial_checks.check_metric(self.faults, place, metric, said)
                metrics.append(metric)
        said["metric"] = tuple(metrics)
        serial_checks.check_source(self.faults, at, said)
        return None if framing is None else _built(SerialSource, said)

    def _points(
        self, at: Path, table: Table[str, object], kind: type[Placed]
    ) -> tuple[Placed, ...]:
        """Read the points of a source; orders name them without it, so names are one gateway's."""
        made: list[Placed] = []
        for place, one in self._tables(at, table, "point"):
            found = self._values(place, one, kind)
            self._claims.claim("name", place, "point", found.get("name"))
            if (point := _built(kind, found)) is not None:
                point_checks.check(self.faults, place, point)
                made.append(point)
        return tuple(made)

    def _publish(self, at: Path, table: Table[str, object]) -> Publish | None:
        said = self._values(at, table, Publish)
        self._claims.claim("name", at, "publish", said.get("name"))
        outward.check_publish(self.faults, at, table, said)
        return _built(Publish, said)

    def _rule(self, at: Path, table: Table[str, object]) -> Rule | None:
        said = self._values(at, table, Rule, "open")
        self._claims.claim("name", at, "rule", said.get("name"))
        said["open"] = None
        if "open" in table:
            there = (*at, "open")
            inner = self._table(there, table["open"], Opening, "party")
            rows = table["open"] if isinstance(table["open"], dict) else {}
            parties = [self._make(*one, Concerned) for one in self._tables(there, rows, "party")]
            inner["party"] = tuple(one for one in parties if one is not None)
            said["open"] = _built(Opening, inner)
        check_rule(self.faults, at, said, table)
        return _built(Rule, said)

    def _make(self, at: Path, table: Table[str, object], kind: type[Kind]) -> Kind | None:
        return _built(kind, self._values(at, table, kind))

    def _table(
        self, at: Path, found: object, kind: type[msgspec.Struct], *beside: str
    ) -> dict[str, object]:
        """Read a table that is there once."""
        if isinstance(found, dict):
            return self._values(at, found, kind, *beside)
        if found is None:
            self.faults.add(MissingKey, at)
            return {}
        self._wrong_type(at, type(found).__name__, f"a table, written [{at[-1]}]")
        return {}

    def _tables(
        self, at: Path, around: Table[str, object], key: str
    ) -> list[tuple[Path, dict[str, object]]]:
        """Give the tables of an array of tables, each with its path."""
        path = (*at, key)
        match around.get(key, []):
            case list() as found if all(isinstance(one, dict) for one in found):
                return [((*path, place), one) for place, one in enumerate(found)]
            case other:
                written = ".".join(part for part in path if isinstance(part, str))
                expected = f"a list of tables, each written [[{written}]]"
                self._wrong_type(path, type(other).__name__, expected)
                return []

    def _values(
        self, at: Path, table: Table[str, object], kind: type[msgspec.Struct], *beside: str
    ) -> dict[str, object]:
        """Convert every key of a table by itself; leave out those that are wrong or unknown."""
        fields = msgspec.structs.fields(kind)
        known = dict.fromkeys([*(field.name for field in fields), *beside])
        for key in table:
            if key not in known:
                self.faults.unknown((*at, key), known)
        values: dict[str, object] = {}
        for field in fields:
            path = (*at, field.name)
            if field.name in beside:
                continue
            if field.name in table:
                self._convert(values, path, table[field.name], field.type)
            elif field.required:
                self.faults.add(MissingKey, path)
            else:
                values[field.name] = field.default
        self._check_unit(at, values.get("unit"))
        return values

    def _check_unit(self, at: Path, unit: object) -> None:
        """Refuse a unit that nobody else knows, with the nearest that everybody does."""
        if isinstance(unit, str) and unit and not units.is_unit(unit):
            near = units.nearest(unit)
            advice = f"did you mean '{near}'?" if near else "remove it, or choose another"
            self.faults.add(UnknownUnit, (*at, "unit"), found=unit[:20], advice=advice)

    def _convert(self, values: dict[str, object], path: Path, said: object, kind: object) -> None:
        """Put one value among the values, or say what is wrong with it."""
        try:
            values[str(path[-1])] = msgspec.convert(said, kind)
        except msgspec.ValidationError as fault:
            reason, _, inside = str(fault).partition(" - at ")
            if place := re.search(r"\$\[(\d+)\]", inside):
                path = (*path, int(place[1]))
            expected, got, found = reason.partition(", got `")
            if got:
                words = expected.split("`")[1].split(" | ")
                expected = " or ".join(_WORDS.get(word, word) for word in words if word != "null")
                self._wrong_type(path, found.rstrip("`"), expected)
            elif (choices := choices_of(kind)) and isinstance(said, str):
                self.faults.choice(path, said, choices)
            else:
                phrases = descriptions(kind)
                self.faults.add(OutOfRange, path, expected=phrases[-1 if inside else 0])

    def _wrong_type(self, path: Path, found: str, expected: str) -> None:
        found = _WORDS.get({"list": "array", "dict": "object"}.get(found, found), found)
        self.faults.add(WrongType, path, found=found, expected=expected)


def _built(kind: type[Kind], said: dict[str, object]) -> Kind | None:
    """Make the settings of a table of which every key is right."""
    return kind(**said) if said.keys() == set(kind.__struct_fields__) else None


def _named(made: Named, gateway: str) -> Named:
    """Give a connection over MQTT its ids, where the config leaves them to us."""
    if isinstance(made, FramedSource | ModbusSource | SerialSource):
        return made
    if isinstance(made, Link) and made.kind != "mqtt":
        return made
    if isinstance(made, SparkplugSource) and not made.host_id:
        made = msgspec.structs.replace(made, host_id=gateway)
    if isinstance(made, Publish) and made.format == "sparkplug" and not made.node_id:
        made = msgspec.structs.replace(made, node_id=gateway)
    if made.client_id:
        return made
    kinds: dict[type, str] = {Link: "link-", Publish: "publish-"}
    between = kinds.get(type(made), "")
    return msgspec.structs.replace(made, client_id=f"hulian-{gateway}-{between}{made.name}")
