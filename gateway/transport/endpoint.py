"""Where a broker is and as whom to connect to it: what a connection over MQTT is made of.

In: settings, and the file of a password. Out: the same as one value; the password as the file has
it now. It connects to nothing. Reference: docs/config.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import PasswordUnreadable


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us, once, if we go without taking leave."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and as whom to connect. A persistent session keeps what arrives while we are away.

    `will` is asked for anew before each CONNECT, in the connection's thread.
    """

    host: str
    port: int
    client_id: str
    topics: tuple[str, ...]
    tls: bool = False
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    persistent: bool = True
    in_flight_max: int = 2000
    qos: int = 1
    will: Callable[[], Will] | None = None
    packet_bytes_max: int | None = None  # larger ones an MQTT 5 broker does not send us
    unsent_bytes_max: int | None = None  # of what the kernel keeps for us beyond what is under way


def read_password(path: str | None) -> str | None:
    """Read a password from the file that holds it, its last line break apart."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except OSError as fault:
        raise PasswordUnreadable(path=path, reason=fault.strerror) from fault
    except UnicodeDecodeError as fault:
        raise PasswordUnreadable(path=path, reason=fault) from fault
