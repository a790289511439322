"""What the type of a key cannot say: addresses, topics, paths, and keys that exclude each other.

In: the values of one table that have the right types. Out: faults, added to the list. It looks at
no file, name or port: that is `hulian doctor`.
"""

import math
import re
from collections.abc import Mapping as Table
from typing import Final

import jmespath
import jmespath.exceptions

from gateway.config.addresses import broker, listen, serial_line
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.errors import (
    BadExpression,
    BadTopic,
    BadUrl,
    MissingKey,
    NoEffect,
    OpenListen,
    OutOfRange,
    UnavailableChoice,
)

# device = "topic[1]": a level of the topic, counted from 0, or from the end as topic[-1].
TOPIC_LEVEL: Final = re.compile(r"topic\[(-?[0-9]{1,3})\]")
EXPRESSION_BYTES_MAX: Final = 512
FORMATS_NOW: Final = ("json", "text")


def check_link(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a link's address and credentials."""
    if str(said.get("url", "")).startswith("https://"):
        faults.add(UnavailableChoice, (*at, "url"), found="https", choices="mqtt, mqtts")
    else:
        _check_broker(faults, at, said)


def check_mqtt(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a source's address, topics, format and paths."""
    _check_broker(faults, at, said)
    match said.get("topics"):
        case tuple() as topics:
            for topic in topics:
                if reason := topic_fault(topic):
                    faults.add(BadTopic, (*at, "topics"), reason=reason)
    form = said.get("format")
    if isinstance(form, str) and form not in FORMATS_NOW:
        choices = ", ".join(FORMATS_NOW)
        faults.add(UnavailableChoice, (*at, "format"), found=form, choices=choices)
    match said.get("device"):
        case str() as device if not TOPIC_LEVEL.fullmatch(device):
            _check_path(faults, (*at, "device"), device)
    match said.get("time"):
        case str() as time:
            _check_path(faults, (*at, "time"), time)
        case None:
            for key in ("time_unit", "time_zone"):
                if said.get(key) not in (None, "auto"):
                    faults.add(NoEffect, (*at, key), reason="there is no 'time' beside it")
    if form == "text":
        _check_text(faults, at, said)


def check_framed(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check the address of a serial line."""
    match said.get("url"):
        case str() as url:
            try:
                serial_line(url)
            except ValueError as fault:
                example = "serial:///dev/ttyUSB0?baud=115200&parity=N"
                faults.add(BadUrl, (*at, "url"), reason=str(fault), example=example)


def check_metric(faults: Faults, at: Path, said: Table[str, object], form: object) -> None:
    """Check one metric of a source of this format."""
    match said.get("path"):
        case "" if form == "json":
            faults.add(MissingKey, (*at, "path"))
        case str() as path if path and form != "text":
            _check_path(faults, (*at, "path"), path)
        case str() as path if path:
            reason = "a text payload is one value, without paths"
            faults.add(NoEffect, (*at, "path"), reason=reason)
    match said.get("scale"):
        case int() | float() as scale if (
            not math.isfinite(scale) or scale == 0 or abs(scale) > 1e30
        ):
            faults.add(OutOfRange, (*at, "scale"), expected="a number other than 0, nan and inf")


def check_web(faults: Faults, at: Path, said: Table[str, object], web_password: bool) -> None:
    """Check where the page listens: beyond this computer only under a password."""
    match said.get("listen"):
        case str() as where:
            try:
                if not listen(where).loopback and not web_password:
                    faults.add(OpenListen, (*at, "listen"))
            except ValueError as fault:
                reason, example = str(fault), "127.0.0.1:8470"
                faults.add(BadUrl, (*at, "listen"), reason=reason, example=example)


def topic_fault(topic: str) -> str:
    """Say what is wrong with an MQTT topic filter, "" for nothing (MQTT 5.0, 4.7)."""
    levels = topic.split("/")
    if len(topic.encode(errors="replace")) > 1024:
        return "it is longer than 1024 bytes"
    if "#" in topic and (levels[-1] != "#" or topic.count("#") > 1):
        return "'#' stands alone, as the last level"
    if any("+" in level and level != "+" for level in levels):
        return "'+' stands alone in its level"
    return ""


def _check_broker(faults: Faults, at: Path, said: Table[str, object]) -> None:
    tls = True
    match said.get("url"):
        case str() as url:
            try:
                tls = broker(url).tls
            except ValueError as fault:
                example = "mqtts://broker.example:8883"
                faults.add(BadUrl, (*at, "url"), reason=str(fault), example=example)
    if said.get("ca_file") is not None and not tls:
        faults.add(NoEffect, (*at, "ca_file"), reason="the url is mqtt, which has no TLS")
    if said.get("password_file") is not None and said.get("username") is None:
        faults.add(NoEffect, (*at, "password_file"), reason="there is no 'username' beside it")


def _check_path(faults: Faults, at: Path, said: str) -> None:
    if len(said.encode(errors="replace")) > EXPRESSION_BYTES_MAX:
        faults.add(OutOfRange, at, expected=f"at most {EXPRESSION_BYTES_MAX} bytes")
        return
    try:
        jmespath.compile(said)
    except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0][:120]
        faults.add(BadExpression, at, reason=reason)


def _check_text(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check what a payload without structure cannot have: paths, and more than one metric."""
    reason = "a text payload is one value, without paths"
    if said.get("time") is not None:
        faults.add(NoEffect, (*at, "time"), reason=reason)
    match said.get("device"):
        case str() as device if not TOPIC_LEVEL.fullmatch(device) and not device.startswith("'"):
            faults.add(NoEffect, (*at, "device"), reason=reason)
    match said.get("metric"):
        case [_, _, *_]:
            faults.add(NoEffect, (*at, "metric"), reason="a text payload is one value")
