"""What must be each one's own: names, client ids, lines, listeners; a second owner is a fault.

In: keys with their paths, and connections as they were read. Out: faults, added to the list. Only
Modbus units share a url, and then all that it says. Reference: docs/config.md.
"""

from collections.abc import Callable
from typing import Final

from gateway.config.addresses import LAN, Bus, SerialLine
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.modbus import ModbusSource
from gateway.config.publish import Publish
from gateway.config.serial import SerialSource
from gateway.config.settings import FramedSource, Link, MqttSource, Source
from gateway.config.sparkplug import SparkplugSource
from gateway.errors import DuplicateKey

Connection = Link | Source | Publish
_SHARED: Final = {
    "name": "each is told from the others by its name",
    "device": "a device has one table, with all of its topics",
    "client_id": "a broker closes the older of two connections of one client id, for ever in turn",
    "listen": "one address has one listener",
    LAN: "one search of the local network finds all there are",
    "url": "a line has one owner; only Modbus units share a url, and then all of it",
}


class Claims:
    """Who claimed what first."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._owners: dict[tuple[str, ...], Path] = {}
        self._buses: dict[str, Bus] = {}

    def claim(self, key: str, at: Path, *claim: object) -> None:
        """Refuse a second owner of what must be each one's own."""
        if not isinstance(claim[-1], str):
            return
        path, said = (*at, key), tuple(map(str, claim))
        first = self._owners.setdefault((key, *said), path)
        if first != path:
            line, reason = self._faults.line(first), _SHARED.get(said[-1], _SHARED[key])
            self._faults.add(DuplicateKey, path, found=said[-1][:80], first=line, reason=reason)

    def connection(
        self, at: Path, made: Connection | None, named: Callable[[Connection], Connection]
    ) -> None:
        """Claim what two connections cannot share: a client id, a serial line."""
        if made is None:
            return
        try:
            match named(made):
                case FramedSource() | SerialSource() as framed:
                    self.claim("url", at, framed.serial_line.path)
                case ModbusSource() as unit:
                    self._bus(at, unit)
                case Link(kind="listen", listen=here):
                    self.claim("listen", at, here)
                case Link(kind="lan", url=url):
                    self.claim("url", at, url)
                case Link(kind="https"):
                    pass
                case Link() | MqttSource() | SparkplugSource() | Publish() as over_mqtt:
                    where = over_mqtt.broker
                    self.claim("client_id", at, where.host, where.port, over_mqtt.client_id)
        except ValueError:
            return  # Its address is a fault already.

    def _bus(self, at: Path, unit: ModbusSource) -> None:
        """Claim a bus for all units that say the same of it, and its line against all others."""
        bus = unit.bus
        where = bus.path if isinstance(bus, SerialLine) else f"{bus.host}:{bus.port}"
        if self._buses.get(where) != bus:
            self.claim("url", at, where)
            self._buses.setdefault(where, bus)
