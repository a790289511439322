"""The addresses of a config: brokers, serial lines, and where the page listens.

In: text from the config. Out: its parts, or ValueError with the reason. It never looks a name up.
"""

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+(?:%\w+)?")
_PART_MAX: Final = 63  # of a name, between its dots (RFC 1035): what is longer is never looked up
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_BAUD_MIN, _BAUD_MAX = 50, 4_000_000
_MODBUS_PORT: Final = 502
_LINK_PORT: Final = 8471
# A link to whoever announces on the local network that it listens.
LAN: Final = "lan:"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where an MQTT broker is."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class HalfDuplex:
    """How the kernel switches a half-duplex driver by RTS: its level while we send, and pauses."""

    high_while_sending: bool
    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A serial line by its file, and how it is set up."""

    path: str
    baud: int
    parity: str
    stop_bits: int
    rs485: HalfDuplex | None = None
    letter_bits: int = 8


@dataclass(frozen=True, slots=True)
class TcpBus:
    """A Modbus device or converter behind TCP, and whether RTU frames are what it speaks."""

    host: str
    port: int
    rtu: bool


Bus = SerialLine | TcpBus


@dataclass(frozen=True, slots=True)
class Far:
    """Where another gateway listens for links."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Submission:
    """Where a witness takes checkpoints: host, port, whether under TLS, how paths begin."""

    host: str
    port: int
    tls: bool
    prefix: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the page and the API listen, or a link does."""

    host: str
    port: int
    loopback: bool


def broker(url: str) -> Broker:
    """Read mqtt://host[:port] or mqtts://host[:port]; raise ValueError with the reason."""
    parts = _split(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not mqtt or mqtts")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user; write username and password_file instead")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("something follows the host and the port")
    host = _host(parts.hostname or "")
    return Broker(host, parts.port or _PORTS[parts.scheme], parts.scheme == "mqtts")


def far(url: str) -> Far:
    """Read https://host[:8471]; raise ValueError with the reason."""
    parts = _split(url)
    if parts.scheme != "https":
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user, and gateways know each other by their certificates")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("something follows the host and the port")
    return Far(_host(parts.hostname or ""), parts.port or _LINK_PORT)


def submission(url: str) -> Submission:
    """Read https://host[:443][/path] or http://host[:80][/path]; raise ValueError."""
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not http or https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user, and witnesses know none")
    if parts.query or parts.fragment or not parts.path.isascii():
        raise ValueError("something follows the host, the port and the path")
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    return Submission(_host(parts.hostname or ""), port, is_tls, parts.path.rstrip("/"))


def listen(said: str) -> Listen:
    """Read host:port; raise ValueError with the reason."""
    if "/" in said or "@" in said:
        raise ValueError("it is not host:port")
    parts = _split(f"//{said}")
    if parts.port is None:
        raise ValueError("it has no port")
    host = _host(parts.hostname or "")
    loopback = host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
    return Listen(host, parts.port, loopback)


def serial_line(url: str) -> SerialLine:
    """Read serial:///FILE?baud=115200&parity=N&stop=1; raise ValueError with the reason."""
    parts = _split(url)
    if parts.scheme != "serial":
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not serial")
    said = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=8))
    if unknown := sorted(said.keys() - {"baud", "parity", "stop"}):
        raise ValueError(f"'{unknown[0][:20]}' is not one of baud, parity and stop")
    return _line(parts, said)


def bus(url: str) -> Bus:
    """Read a Modbus address; raise ValueError with the reason.

    serial:///FILE?baud=19200&parity=E&stop=1&rts=high&rts_before_ms=0&rts_after_ms=0,
    tcp://host[:502], or rtu+tcp://host[:502] for RTU frames over TCP.
    """
    parts = _split(url)
    if parts.scheme in ("tcp", "rtu+tcp"):
        if parts.username is not None or parts.password is not None:
            raise ValueError("it holds a user, and Modbus knows none")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("something follows the host and the port")
        host = _host(parts.hostname or "")
        return TcpBus(host, parts.port or _MODBUS_PORT, parts.scheme == "rtu+tcp")
    if parts.scheme != "serial":
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not serial, tcp or rtu+tcp")
    said = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=8))
    known = {"baud", "parity", "stop", "rts", "rts_before_ms", "rts_after_ms"}
    if unknown := sorted(said.keys() - known):
        raise ValueError(f"'{unknown[0][:20]}' is not one of {', '.join(sorted(known))}")
    # What the Modbus specification says for a line on which nothing else is agreed.
    line = _line(parts, {"baud": "19200", "parity": "E", **said})
    return replace(line, rs485=_rs485(said))


def instrument(url: str) -> SerialLine:
    """Read the address of an instrument on a line; raise ValueError with the reason.

    serial:///FILE?baud=9600&data=8&parity=N&stop=1, and rts, rts_before_ms, rts_after_ms.
    """
    parts = _split(url)
    if parts.scheme != "serial":
        raise ValueError(f"its scheme is '{parts.scheme[:20]}', not serial")
    said = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=8))
    known = {"baud", "data", "parity", "stop", "rts", "rts_before_ms", "rts_after_ms"}
    if unknown := sorted(said.keys() - known):
        raise ValueError(f"'{unknown[0][:20]}' is not one of {', '.join(sorted(known))}")
    if (bits := said.get("data", "8")) not in ("7", "8"):
        raise ValueError("data is not 7 or 8")
    # What most scales, meters and receivers are delivered with.
    line = _line(parts, {"baud": "9600", **said})
    return replace(line, rs485=_rs485(said), letter_bits=int(bits))


def _rs485(said: dict[str, str]) -> HalfDuplex | None:
    before, after = said.get("rts_before_ms", "0"), said.get("rts_after_ms", "0")
    if not all(re.fullmatch(r"[0-9]{1,2}|100", pause) for pause in (before, after)):
        raise ValueError("rts_before_ms or rts_after_ms is not a number from 0 to 100")
    match said.get("rts"):
        case None if said.keys() & {"rts_before_ms", "rts_after_ms"}:
            raise ValueError("rts_before_ms and rts_after_ms need rts beside them")
        case None:
            return None
        case "high" | "low" as level:
            return HalfDuplex(level == "high", int(before), int(after))
        case _:
            raise ValueError("rts is not high or low")


def _line(parts: SplitResult, said: dict[str, str]) -> SerialLine:
    if parts.netloc or not parts.path.removeprefix("/") or parts.fragment:
        raise ValueError("it does not name a file after serial://, beginning with /")
    baud, parity, stop = said.get("baud", "115200"), said.get("parity", "N"), said.get("stop", "1")
    if not re.fullmatch(r"[0-9]{2,7}", baud) or not _BAUD_MIN <= int(baud) <= _BAUD_MAX:
        raise ValueError(f"baud is not a number from {_BAUD_MIN} to {_BAUD_MAX}")
    if parity not in ("N", "E", "O"):
        raise ValueError("parity is not N, E or O")
    if stop not in ("1", "2"):
        raise ValueError("stop is not 1 or 2")
    return SerialLine(parts.path, int(baud), parity, int(stop))


def _split(url: str) -> SplitResult:
    """Split an address into its parts, its port among them checked."""
    if not url.isprintable() or " " in url:
        raise ValueError("it has blanks or letters that cannot be printed")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port cannot be read") from None
    if port == 0:
        raise ValueError("port 0 is none")
    return parts


def _host(host: str) -> str:
    parts = host.split(".")
    if not _HOST.fullmatch(host) or not all(0 < len(part) <= _PART_MAX for part in parts):
        raise ValueError("it names no host")
    return host
