"""Vectors of the config: texts, and what they come to, or every fault with its line and key."""

from tests.vectors import links, points, rules, units

CHAPTER = "docs/config.md"

GATEWAY = '[gateway]\nname = "press-shop"\nstate_dir = "state"\n'
SOURCE = (
    GATEWAY
    + '[[source]]\nname = "meters"\ntype = "mqtt"\nurl = "mqtt://127.0.0.1"\ntopics = ["a/+"]\n'
)
METRIC = SOURCE + '[[source.metric]]\nname = "t"\npath = "t"\n'
SERIAL = GATEWAY + '[[source]]\nname = "mcu-7"\ntype = "framed"\nurl = "serial:///dev/ttyUSB0"\n'
ROUTE = GATEWAY + '[[route]]\ngroup = "supplier-b"\n'

SHOWN_GATEWAY = GATEWAY + "commit_ms = 200\njournal_s = 60\n\n"
SHOWN_SOURCE = """[[source]]
type = "mqtt"
name = "meters"
url = "mqtt://127.0.0.1"
topics = ["a/+"]
client_id = "hulian-press-shop-meters"
in_flight_max = 2000
payload_bytes_max = 262144
format = "json"
time_unit = "auto"
stale_ms = 60000

"""
SHOWN_SERIAL = """[[source]]
type = "framed"
name = "mcu-7"
url = "serial:///dev/ttyUSB0"
stale_ms = 60000

"""
SHOWN_ROUTE = '[[route]]\ngroup = "supplier-b"\ndevices = ["*"]\nmetrics = ["*"]\n\n'
SHOWN_WEB = '[web]\nlisten = "127.0.0.1:8470"\n'
BIND = '[[source.bind]]\ndevice = "press-1"\ntopics = ["a/1"]\n'
PLACED = (
    GATEWAY
    + 'equipment = "example/plant-1/pressing"\n'
    + SOURCE.removeprefix(GATEWAY)
    + 'format = "senml-cbor"\nclaim = "bn"\nstale_ms = 5000\nequipment = "line-2"\n'
    + BIND
    + 'equipment = "cell-7"\n[[source.metric]]\nname = "t"\nunit = "kN"\n'
)
PLACED_SHOWN = (
    SHOWN_GATEWAY.removesuffix("\n")
    + 'equipment = "example/plant-1/pressing"\n\n'
    + SHOWN_SOURCE.replace("json", "senml-cbor")
    .replace("time_unit", 'claim = "bn"\ntime_unit')
    .replace("60000\n", '5000\nequipment = "line-2"\n')
    + BIND
    + 'equipment = "cell-7"\n\n[[source.metric]]\nname = "t"\nunit = "kN"\n\n'
    + SHOWN_WEB
)

Faults = list[tuple[str, int, str]]


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "config",
        "chapter": CHAPTER,
        "good": [
            {"name": name, "toml": toml, "expect": {"effective": effective}}
            for name, toml, effective in _good_ones()
        ],
        "bad": [
            {"name": name, "toml": toml, "error": faults[0][0], "faults": faults}
            for name, toml, faults in _bad_ones()
        ],
    }


def _good_ones() -> list[tuple[str, str, str]]:
    metric = '[[source.metric]]\nname = "t"\npath = "t"\n\n'
    return [
        ("a gateway alone", GATEWAY, SHOWN_GATEWAY + SHOWN_WEB),
        ("an MQTT source", SOURCE, SHOWN_GATEWAY + SHOWN_SOURCE + SHOWN_WEB),
        (
            "a SenML source with devices of its own, and their places",
            PLACED,
            PLACED_SHOWN,
        ),
        ("a metric", METRIC, SHOWN_GATEWAY + SHOWN_SOURCE + metric + SHOWN_WEB),
        ("a serial line", SERIAL, SHOWN_GATEWAY + SHOWN_SERIAL + SHOWN_WEB),
        *units.good(),
        *links.good(),
        *points.good(),
        *rules.good(),
        ("a route", ROUTE, SHOWN_GATEWAY + SHOWN_ROUTE + SHOWN_WEB),
        (
            "a page on IPv6, and a commit as late as can be",
            GATEWAY + 'commit_ms = 10000\n[web]\nlisten = "[::1]:80"\n',
            GATEWAY + 'commit_ms = 10000\njournal_s = 60\n\n[web]\nlisten = "[::1]:80"\n',
        ),
        (
            "inline tables, dotted keys, comments and strings of every kind",
            "# [x]\n[gateway] # y = 1\nname = 'press-shop'\n\"state_dir\" = '''state'''\n"
            + '[[route]]\n  group = """\nsupplier-b"""\n  devices = [\n    "*", # ]\n  ]\n',
            SHOWN_GATEWAY + SHOWN_ROUTE + SHOWN_WEB,
        ),
    ]


def _bad_ones() -> list[tuple[str, str, Faults]]:
    return [
        *_of_text(),
        *_of_keys(),
        *_of_addresses(),
        *_of_sources(),
        *_of_devices(),
        *units.bad(),
        *links.bad(),
        *points.bad(),
        *rules.bad(),
        *_many(),
    ]


def _of_text() -> list[tuple[str, str, Faults]]:
    def toml(line: int) -> Faults:
        return [("config.toml", line, "")]

    return [
        ("nothing", "", [("config.missing", 1, "gateway")]),
        ("not TOML", "a = 1\nb = ", toml(2)),
        ("a value without quotes", "[gateway]\nname = press-shop\n", toml(2)),
        ("a table twice", GATEWAY + "[gateway]\n", toml(4)),
        ("a key twice", GATEWAY + 'name = "x"\n', toml(4)),
        ("a number of 5000 digits", "a = " + "1" * 5000, toml(1)),
        ("nested too deep", "a = " + "[" * 5000 + "]" * 5000, toml(1)),
    ]


def _of_keys() -> list[tuple[str, str, Faults]]:
    unknown, wrong, rng = "config.unknown-key", "config.type", "config.range"
    return [
        ("an unknown table", GATEWAY + "[gatewya]\n", [(unknown, 4, "gatewya")]),
        ("an unknown key", GATEWAY + "comit_ms = 5\n", [(unknown, 4, "gateway.comit_ms")]),
        (
            "an unknown key that must be quoted",
            GATEWAY + '"a b" = 5\n',
            [(unknown, 4, "gateway.'a b'")],
        ),
        (
            "a missing key",
            '\n[gateway]\nname = "x"\n',
            [("config.missing", 2, "gateway.state_dir")],
        ),
        ("a table that is a number", "gateway = 5\n", [(wrong, 1, "gateway")]),
        (
            "a number that is a text",
            GATEWAY + 'commit_ms = "5"\n',
            [(wrong, 4, "gateway.commit_ms")],
        ),
        (
            "a number that is true",
            GATEWAY + "commit_ms = true\n",
            [(wrong, 4, "gateway.commit_ms")],
        ),
        ("zero milliseconds", GATEWAY + "commit_ms = 0\n", [(rng, 4, "gateway.commit_ms")]),
        ("too many milliseconds", GATEWAY + "commit_ms = 10001\n", [(rng, 4, "gateway.commit_ms")]),
        (
            "a name with a blank",
            '[gateway]\nname = "press shop"\nstate_dir = "x"\n',
            [(rng, 2, "gateway.name")],
        ),
        (
            "a folder without a name",
            '[gateway]\nname = "x"\nstate_dir = ""\n',
            [(rng, 3, "gateway.state_dir")],
        ),
        ("one table where many are", GATEWAY + "[link]\n", [(wrong, 4, "link")]),
        (
            "a route without a group",
            GATEWAY + "[[route]]\n",
            [("config.missing", 4, "route[0].group")],
        ),
        ("a route of no device", ROUTE + "devices = []\n", [(rng, 6, "route[0].devices")]),
        ("a route of a number", ROUTE + "devices = [5]\n", [(wrong, 6, "route[0].devices[0]")]),
        (
            "a page open to the network",
            GATEWAY + '[web]\nlisten = "0.0.0.0:8470"\n',
            [("config.listen", 5, "web.listen")],
        ),
        (
            "a page without a port",
            GATEWAY + '[web]\nlisten = "127.0.0.1"\n',
            [("config.url", 5, "web.listen")],
        ),
    ]


def _changed(text: str, old: str, new: str, *fault: object) -> tuple[str, Faults]:
    code, line, key = fault
    return text.replace(old, new), [(str(code), int(str(line)), f"source[0].{key}")]


def _of_addresses() -> list[tuple[str, str, Faults]]:
    url, usb = "config.url", "/dev/ttyUSB0"
    named: list[tuple[str, tuple[str, Faults]]] = [
        ("no type", _changed(SOURCE, 'type = "mqtt"', "", "config.missing", 4, "type")),
        (
            "an unknown type",
            _changed(SOURCE, 'mqtt"\nurl', 'mqt"\nurl', "config.choice", 6, "type"),
        ),
        (
            "a type of later",
            _changed(SOURCE, 'mqtt"\nurl', 'replay"\nurl', "config.unavailable", 6, "type"),
        ),
        ("another scheme", _changed(SOURCE, "mqtt://", "http://", url, 7, "url")),
        ("a port beyond all", _changed(SOURCE, "127.0.0.1", "h:65536", url, 7, "url")),
        ("no host", _changed(SOURCE, "127.0.0.1", "", url, 7, "url")),
        ("two dots in a host", _changed(SOURCE, "127.0.0.1", "a..b", url, 7, "url")),
        ("a part of a host too long", _changed(SOURCE, "127.0.0.1", "a" * 64, url, 7, "url")),
        ("a password in the url", _changed(SOURCE, "127.0.0.1", "u:p@h", url, 7, "url")),
        ("a path in the url", _changed(SOURCE, "127.0.0.1", "h/x", url, 7, "url")),
        ("no topic", _changed(SOURCE, '["a/+"]', "[]", "config.range", 8, "topics")),
        ("# not last", _changed(SOURCE, "a/+", "#/a", "config.topic", 8, "topics")),
        ("+ not alone", _changed(SOURCE, "a/+", "a+/b", "config.topic", 8, "topics")),
        ("a serial line without a file", _changed(SERIAL, usb, "", url, 7, "url")),
        ("a serial line of odd speed", _changed(SERIAL, usb, usb + "?baud=9k6", url, 7, "url")),
        ("a serial line with an odd key", _changed(SERIAL, usb, usb + "?bits=7", url, 7, "url")),
    ]
    return [(name, *said) for name, said in named]


def _of_devices() -> list[tuple[str, str, Faults]]:
    none = "config.no-effect"
    named: list[tuple[str, tuple[str, Faults]]] = [
        (
            "six levels together",
            (
                GATEWAY
                + 'equipment = "a/b/c"\n'
                + SOURCE.removeprefix(GATEWAY)
                + 'equipment = "d/e/f"\n',
                [("config.range", 10, "source[0].equipment")],
            ),
        ),
        (
            "a SenML pack that is looked into",
            (
                SOURCE + 'format = "senml-json"\ntime = "ts"\neach = "@"\n',
                [(none, 10, "source[0].time"), (none, 11, "source[0].each")],
            ),
        ),
        (
            "devices that are named twice over",
            (SOURCE + 'device = "topic[1]"\n' + BIND, [(none, 9, "source[0].device")]),
        ),
        (
            "a device of two tables",
            (SOURCE + BIND + BIND, [("config.duplicate-name", 13, "source[0].bind[1].device")]),
        ),
        (
            "a device of no topic",
            (
                SOURCE + BIND.replace('"a/1"', ""),
                [("config.range", 11, "source[0].bind[0].topics")],
            ),
        ),
        (
            "a device of a topic that is none",
            (
                SOURCE + BIND.replace("a/1", "a/#/b"),
                [("config.topic", 11, "source[0].bind[0].topics")],
            ),
        ),
    ]
    return [(name, *said) for name, said in named]


def _of_sources() -> list[tuple[str, str, Faults]]:
    def source(line: str, code: str, key: str) -> tuple[str, Faults]:
        return SOURCE + line + "\n", [(code, 9, f"source[0].{key}")]

    def metric(line: str, code: str, key: str) -> tuple[str, Faults]:
        return METRIC + line + "\n", [(code, 12, f"source[0].metric[0].{key}")]

    none = "config.no-effect"
    named: list[tuple[str, tuple[str, Faults]]] = [
        ("a claim that is no path", source('claim = "a..b"', "config.path", "claim")),
        ("a list that is no path", source('each = "["', "config.path", "each")),
        ("a device that is never stale", source("stale_ms = 0", "config.range", "stale_ms")),
        ("six levels", source('equipment = "a/b/c/d/e/f"', "config.range", "equipment")),
        ("a level without a name", source('equipment = "a//b"', "config.range", "equipment")),
        ("an unknown format", source('format = "jso"', "config.choice", "format")),
        ("a device that is no path", source('device = "a..b"', "config.path", "device")),
        ("a time that is no path", source('time = "["', "config.path", "time")),
        ("a unit without a time", source('time_unit = "ms"', none, "time_unit")),
        ("a zone that is none", source('time_zone = "CET"', "config.range", "time_zone")),
        ("too many in flight", source("in_flight_max = 65536", "config.range", "in_flight_max")),
        ("a CA without TLS", source('ca_file = "ca.pem"', none, "ca_file")),
        ("a password of nobody", source('password_file = "p"', none, "password_file")),
        ("a password in the config", source('password = "p"', "config.unknown-key", "password")),
        ("a scale of zero", metric("scale = 0", "config.range", "scale")),
        ("a scale that is no number", metric("scale = nan", "config.range", "scale")),
        ("a unit with a blank", metric('unit = "deg C"', "config.unit", "unit")),
        ("a unit of another spelling", metric('unit = "Celsius"', "config.unit", "unit")),
        ("a unit that nobody knows", metric('unit = "strokes"', "config.unit", "unit")),
        ("a unit of 33 letters", metric(f'unit = "{"m" * 33}"', "config.range", "unit")),
        (
            "a text that is looked into",
            (SOURCE + 'format = "text"\ntime = "ts"\n', [(none, 10, "source[0].time")]),
        ),
        (
            "a metric without a path",
            (
                METRIC.replace('path = "t"\n', ""),
                [("config.missing", 9, "source[0].metric[0].path")],
            ),
        ),
        (
            "two metrics of one name",
            (
                METRIC + '[[source.metric]]\nname = "t"\npath = "u"\n',
                [("config.duplicate-name", 13, "source[0].metric[1].name")],
            ),
        ),
    ]
    return [(name, *said) for name, said in named]


def _many() -> list[tuple[str, str, Faults]]:
    toml = (
        '[gateway]\nname = "press-shop"\nstate = "state"\ncommit_ms = -1\n\n'
        '[[source]]\nname = "meters"\ntype = "mqtt"\nurl = "127.0.0.1"\ntopics = "a"\n\n'
        '[[source]]\nname = "meters"\ntype = "modbu"\n'
    )
    return [
        (
            "all faults at once",
            toml,
            [
                ("config.missing", 1, "gateway.state_dir"),
                ("config.unknown-key", 3, "gateway.state"),
                ("config.range", 4, "gateway.commit_ms"),
                ("config.url", 9, "source[0].url"),
                ("config.type", 10, "source[0].topics"),
                ("config.duplicate-name", 13, "source[1].name"),
                ("config.choice", 14, "source[1].type"),
            ],
        )
    ]
