"""What the type of a key cannot say: addresses, topics, paths, and keys that exclude each other.

In: the values of one table that have the right types. Out: faults, added to the list. It looks at
no file, name or port: that is `hulian doctor`.
"""

import re
from collections.abc import Mapping as Table
from typing import Final

import jmespath
import jmespath.exceptions

from gateway.config.addresses import LAN, broker, far, listen, serial_line, submission
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
)

# device = "topic[1]": a level of the topic, counted from 0, or from the end as topic[-1].
TOPIC_LEVEL: Final = re.compile(r"topic\[(-?[0-9]{1,3})\]")
EXPRESSION_BYTES_MAX: Final = 512
SENML: Final = ("senml-json", "senml-cbor")


def check_link(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a link's address and what stands beside it: exactly one of url and listen."""
    url, here = said.get("url"), said.get("listen")
    if url is None and here is None and {"url", "listen"} <= said.keys():
        faults.add(MissingKey, (*at, "url"))
    elif url is not None and here is not None:
        reason = "a link either dials its 'url' or listens"
        faults.add(NoEffect, (*at, "listen"), reason=reason)
    elif isinstance(here, str):
        _check_gateways(faults, at, said, "listen")
    elif isinstance(url, str) and url.lower().startswith(("https:", "lan:")):
        _check_gateways(faults, at, said, "url")
    else:
        check_broker(faults, at, said)
    if said.get("announce") and url is not None:
        faults.add(NoEffect, (*at, "announce"), reason="only a link that listens can be announced")


def _check_gateways(faults: Faults, at: Path, said: Table[str, object], key: str) -> None:
    """Check a link between two gateways, which prove who they are by their certificates."""
    where = str(said[key])
    try:
        if key == "listen" and listen(where).loopback and said.get("announce"):
            reason = "nobody beyond this computer can reach it"
            faults.add(NoEffect, (*at, "announce"), reason=reason)
        elif key == "url" and where.lower().startswith("lan:"):
            if where != LAN:
                raise ValueError("something follows lan:, or it is not in small letters")
        else:
            listen(where) if key == "listen" else far(where)
    except ValueError as fault:
        example = "0.0.0.0:8471" if key == "listen" else "https://peer.example:8471"
        faults.add(BadUrl, (*at, key), reason=str(fault), example=example)
    for other in ("username", "password_file", "ca_file", "client_id"):
        if said.get(other):
            reason = "two gateways know each other by their own certificates"
            faults.add(NoEffect, (*at, other), reason=reason)


def check_witness(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a witness' address."""
    if isinstance(url := said.get("url"), str):
        try:
            submission(url)
        except ValueError as fault:
            example = "https://witness.example:8480"
            faults.add(BadUrl, (*at, "url"), reason=str(fault), example=example)


def check_mqtt(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a source's address, topics, format and paths."""
    check_broker(faults, at, said)
    match said.get("topics"):
        case tuple() as topics:
            for topic in topics:
                if reason := topic_fault(topic):
                    faults.add(BadTopic, (*at, "topics"), reason=reason)
    match said.get("device"):
        case str() as device if not TOPIC_LEVEL.fullmatch(device):
            check_path(faults, (*at, "device"), device)
    for key in ("time", "claim", "each"):
        match said.get(key):
            case str() as path:
                check_path(faults, (*at, key), path)
    if said.get("time") is None:
        for key in ("time_unit", "time_zone"):
            if said.get(key) not in (None, "auto"):
                faults.add(NoEffect, (*at, key), reason="there is no 'time' beside it")
    _check_bind(faults, at, said)
    if said.get("format") == "text":
        _check_text(faults, at, said)
    if said.get("format") in SENML:
        for key in ("time", "each"):
            if said.get(key) is not None:
                reason = "a SenML pack says its times and its entries itself"
                faults.add(NoEffect, (*at, key), reason=reason)


def _check_bind(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check the topics of devices, and that nothing else names these."""
    binds = said.get("bind")
    if not isinstance(binds, tuple) or not binds:
        return
    if said.get("device") is not None:
        reason = "the tables [[source.bind]] name the devices; 'claim' is what a payload says"
        faults.add(NoEffect, (*at, "device"), reason=reason)
    for place, bind in enumerate(binds):
        for topic in bind.topics:
            if reason := topic_fault(topic):
                faults.add(BadTopic, (*at, "bind", place, "topics"), reason=reason)


def check_framed(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check the address of a serial line, and that a device is known in one way."""
    if said.get("public_key") is not None and said.get("key_file") is not None:
        faults.add(NoEffect, (*at, "key_file"), reason="the device signs, as 'public_key' says")
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
        case "" if form in ("json", "cbor"):
            faults.add(MissingKey, (*at, "path"))
        case str() as path if path and form in SENML:
            pass  # a name of SenML, which is no expression
        case str() as path if path and form != "text":
            check_path(faults, (*at, "path"), path)
        case str() as path if path:
            reason = "a text payload is one value, without paths"
            faults.add(NoEffect, (*at, "path"), reason=reason)
    match said.get("scale"):
        # nan is never so, and an integer of 400 digits is compared exactly
        case int() | float() as scale if not 0 < abs(scale) <= 1e30:
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


def check_broker(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a broker's address, and what stands beside it."""
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


def check_path(faults: Faults, at: Path, said: str) -> None:
    """Check that a path is JMESPath, and not endless."""
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
    for key in ("time", "claim", "each"):
        if said.get(key) is not None:
            faults.add(NoEffect, (*at, key), reason=reason)
    match said.get("device"):
        case str() as device if not TOPIC_LEVEL.fullmatch(device) and not device.startswith("'"):
            faults.add(NoEffect, (*at, "device"), reason=reason)
    match said.get("metric"):
        case [_, _, *_]:
            faults.add(NoEffect, (*at, "metric"), reason="a text payload is one value")
