"""The config: every vector, all faults at once with their lines, no secret shown, no escape."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.config import (
    Checksum,
    Config,
    FramedPoint,
    FramedSource,
    Framing,
    ModbusMetric,
    ModbusPoint,
    ModbusSource,
    MqttPoint,
    MqttSource,
    Publish,
    SerialMetric,
    SerialSource,
    SparkplugPoint,
    SparkplugSource,
    load,
    show,
)
from gateway.config.devices import Bind
from gateway.config.lines import Lines
from gateway.config.settings import Gateway, Link, Metric, Route, Web
from gateway.errors import ConfigFaults
from tests.mutate import known_text, mutations
from tests.vectors import load as load_vectors

ROOT = Path(__file__).parent.parent
VECTORS = load_vectors("config")
EXAMPLE = (ROOT / "configs" / "gateway.toml").read_text("utf-8")
TABLES = {
    "gateway": Gateway,
    "link": Link,
    "source": MqttSource,
    "source ": FramedSource,
    "source  ": ModbusSource,
    "source   ": SparkplugSource,
    "source    ": SerialSource,
    "source.bind": Bind,
    "source.framing": Framing,
    "source.checksum": Checksum,
    "source.metric": Metric,
    "source.metric ": ModbusMetric,
    "source.metric  ": SerialMetric,
    "source.point": MqttPoint,
    "source.point ": ModbusPoint,
    "source.point  ": SparkplugPoint,
    "source.point   ": FramedPoint,
    "route": Route,
    "publish": Publish,
    "web": Web,
}
KEYS = sorted(
    {(table.strip(), key) for table, kind in TABLES.items() for key in kind.__struct_fields__}
    - {("source", key) for key in ("metric", "bind", "framing", "checksum", "point")}
    | {("source", "type")}
)
_UNIT = """
[gateway]
name = "press-shop"
state_dir = "state"
[[source]]
name = "press-1"
type = "modbus"
url = "serial:///dev/ttyUSB0"
[[source.metric]]
name = "strokes"
register = "holding:100"
"""
_POINT = """
[[source.point]]
name = "speed"
register = "holding:200"
min = 0
"""


def faults_of(text: str) -> ConfigFaults:
    """Load a config that must not load."""
    with pytest.raises(ConfigFaults) as refused:
        load(text)
    return refused.value


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_load(vector: dict[str, Any]) -> None:
    """A config comes to what its vector shows, and what is shown loads to the same."""
    config = load(vector["toml"])
    assert show(config) == vector["expect"]["effective"]
    assert load(show(config)) == config


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """A config is refused with every fault it has, each with its code, line and key."""
    found = faults_of(vector["toml"]).faults
    said = [[fault.code, fault.facts["line"], fault.facts["key"]] for fault in found]
    assert sorted(said) == sorted(vector["faults"])
    for fault in found:
        assert str(fault) and fault.why.format(**fault.facts) and fault.next.format(**fault.facts)


def test_the_nearest_key_is_named() -> None:
    """A misspelt key, type or format is answered with the one that was likely meant."""
    text = VECTORS["bad"][-1]["toml"].replace("commit_ms", "comit_ms")
    advice = [fault.next.format(**fault.facts) for fault in faults_of(text).faults]
    assert any("'commit_ms'" in one for one in advice)
    assert any("'modbus'" in one for one in advice)
    assert any("'state_dir'" in one for one in advice)


def test_no_secret_is_repeated() -> None:
    """A password that was written where none belongs is in no message, nor in what is shown."""
    text = EXAMPLE.replace("mqtts://", "mqtts://me:hunter2@") + 'password = "hunter2"\n'
    refused = faults_of(text)
    said = str(refused) + repr(refused) + "".join(str(vars(one)) for one in refused.faults)
    assert "hunter2" not in said
    assert " password=" not in repr(load(EXAMPLE))


def test_a_page_opens_to_the_network_only_under_a_password() -> None:
    """The same config loads once somebody has a password."""
    text = VECTORS["good"][0]["toml"] + '[web]\nlisten = "0.0.0.0:8470"\n'
    assert faults_of(text).faults[0].code == "config.listen"
    assert load(text, web_password=True).web.listen == "0.0.0.0:8470"


def test_addresses_are_read_once_for_all() -> None:
    """Host, port, TLS and the set-up of a line are read from the url by the settings themselves."""
    config = load(EXAMPLE)
    link, dialled, listener = config.link
    assert (link.broker.host, link.broker.port, link.broker.tls) == ("broker.example", 8883, True)
    assert (dialled.far.host, dialled.far.port) == ("peer.example", 8471)
    assert (listener.here.host, listener.here.port) == ("0.0.0.0", 8471)
    assert [each.kind for each in config.link] == ["mqtt", "https", "listen"]
    framed = [one for one in config.source if isinstance(one, FramedSource)]
    assert framed[0].serial_line.baud == 115_200


def test_settings_cannot_be_changed() -> None:
    """A config is the same from its load to the end."""
    config = load(EXAMPLE)
    with pytest.raises(AttributeError):
        config.gateway.commit_ms = 1  # type: ignore[misc]


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_explained(table: str, key: str) -> None:
    """docs/config.md has a row for every key, and configs/gateway.toml shows every one."""
    chapter = (ROOT / "docs" / "config.md").read_text("utf-8")
    section = chapter.partition(f"## `[{table}]`")[2] or chapter.partition(f"## `[[{table}]]`")[2]
    assert f"| `{key}` |" in section.partition("\n## ")[0]
    header = re.escape(f"[{table}]")
    assert re.search(rf"{header}[^\[]*?^#? ?{key} = ", _shown(EXAMPLE), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("table", "kind"), TABLES.items())
def test_every_default_is_the_documented_one(table: str, kind: type[msgspec.Struct]) -> None:
    """The default that docs/config.md gives for a key is the one that is used."""
    chapter = (ROOT / "docs" / "config.md").read_text("utf-8")
    for field in msgspec.structs.fields(kind):
        if not isinstance(field.default, str | int) or field.default == "":
            continue
        rows = re.findall(rf"^\| `{field.name}` \| (.*?) \|", chapter, re.MULTILINE)
        assert rows, field.name
        default = str(field.default)
        if isinstance(field.default, bool):
            default = default.lower()
        # A key of several kinds of source may have a default of each.
        assert any(default in row.replace(",", "") for row in rows)


def _shown(example: str) -> str:
    """Take values and comments out of the way of a search for table headers."""
    return re.sub(r"= .*", "= ", example)


def test_the_example_loads_as_it_is_and_with_all_it_mentions() -> None:
    """configs/gateway.toml loads; and so it does with every key that it only mentions."""
    assert isinstance(load(EXAMPLE), Config)
    told = re.sub(r"^# (\w+ = )", r"\1", EXAMPLE, flags=re.MULTILINE)
    assert told != EXAMPLE
    assert isinstance(load(told), Config)


@given(st.integers() | st.booleans() | st.floats())
def test_values_of_a_wrong_type_are_faults_at_their_line(value: object) -> None:
    """Whatever a key is given, its fault stands at the key's line."""
    written = str(value).lower()
    text = f'[gateway]\nname = "x"\n\nstate_dir = {written}\n'
    assert [fault.facts["line"] for fault in faults_of(text).faults] == [4]


def test_lines_of_keys_under_every_kind_of_value() -> None:
    """Strings, lists and comments that look like TOML do not move the lines of what follows."""
    text = (
        "a = '''\n[x]\nb = 1\n'''\n"
        'c = """\n\\"""\n#"""\n'
        "d = [ # ]\n  '[e]',\n  \"]\", {f = 1},\n]\n"
        "[g.h]\ni.j = 1\n[[k]]\n[[k]]\n[k.l]\nm = 1 # n = 2\n[[k.o]]\np = 1\n"
    )
    tomllib.loads(text)
    lines = Lines(text)
    expected: dict[tuple[str | int, ...], int] = {
        ("a",): 1,
        ("c",): 5,
        ("d",): 8,
        ("g", "h"): 12,
        ("g", "h", "i", "j"): 13,
    }
    expected |= {("k", 0): 14, ("k", 1): 15, ("k", 1, "l", "m"): 17, ("k", 1, "o", 0, "p"): 19}
    assert {path: lines.of(path) for path in expected} == expected
    assert lines.of(("k", 1, "nothing", "here")) == 15


def test_no_text_escapes() -> None:
    """Mutated configs load, or are refused with faults that have a line of the text."""
    known = [text for text in known_text("config", "toml") if len(text) < 2_000]
    for text in mutations([*known, EXAMPLE], 4_000, seed=8):
        try:
            config = load(text)
        except ConfigFaults as refused:
            assert refused.faults
            for fault in refused.faults:
                assert 1 <= int(str(fault.facts["line"])) <= text.count("\n") + 1
        else:
            assert load(show(config)) == config


@given(st.text())
def test_no_noise_escapes(text: str) -> None:
    """Noise is refused with a line."""
    assert faults_of(text).faults


@pytest.mark.parametrize(
    "line",
    [
        *("scale = {}", "min = {}", "max = -{}"),
        *(_POINT + each for each in ("max = {}", "max = 1\nscale = {}", "max = 1\nstep = {}")),
    ],
)
def test_a_number_of_400_digits_is_a_fault_and_no_defect(line: str) -> None:
    """No number of floating point is as large: what compares it must not convert it."""
    with pytest.raises(ConfigFaults) as told:
        load(_UNIT + line.format("1" * 400))
    assert [each.code for each in told.value.faults] == ["config.range"]
