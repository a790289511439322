"""Who listens on this LAN, and telling it that we do: multicast DNS (RFC 6762, RFC 6763).

In: a port to announce, or somebody to tell of what is found. Out: addresses, as hosts and ports.
A name is drawn anew at each start and says nothing of whose gateway it is: who answers at an
address proves that later, so a false announcement costs one attempt. docs/protocol/links.md.
"""

from collections.abc import Callable
from typing import Final

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

TYPE: Final = "_hulian._tcp.local."
# More than that on one LAN is somebody's joke, or a plant that should name its addresses.
FOUND_MAX: Final = 64
_RESOLVE_MS: Final = 3_000


class Announcement:
    """That a gateway listens on a port of this computer, until it is withdrawn."""

    def __init__(self, name: str, port: int) -> None:
        self._zeroconf = Zeroconf(ip_version=IPVersion.V4Only)
        where = f"{name}.{TYPE}"
        self._said = ServiceInfo(
            TYPE, where, port=port, parsed_addresses=_addresses(), server=f"{name}.local."
        )
        self._zeroconf.register_service(self._said)

    def withdraw(self) -> None:
        """Take it back, and say so on the LAN."""
        self._zeroconf.unregister_service(self._said)
        self._zeroconf.close()


class Search:
    """Whoever announces that it listens, told as it comes and goes, in a thread of its own."""

    def __init__(self, told: Callable[[frozenset[tuple[str, int]]], None]) -> None:
        self._told = told
        self._found: dict[str, frozenset[tuple[str, int]]] = {}
        self._zeroconf = Zeroconf(ip_version=IPVersion.V4Only)
        self._browser = ServiceBrowser(self._zeroconf, TYPE, handlers=[self._changed])

    def stop(self) -> None:
        """Listen no more."""
        self._browser.cancel()
        self._zeroconf.close()

    def _changed(self, **said: object) -> None:
        """Take in who came or went; zeroconf names what it says, by keyword alone."""
        name = str(said["name"])
        if said["state_change"] is ServiceStateChange.Removed:
            self._found.pop(name, None)
        elif name in self._found or len(self._found) < FOUND_MAX:
            found = self._zeroconf.get_service_info(TYPE, name, timeout=_RESOLVE_MS)
            if found is None or not found.port:
                return
            hosts = found.parsed_addresses(IPVersion.V4Only)
            self._found[name] = frozenset((host, found.port) for host in hosts)
        self._told(frozenset().union(*self._found.values()))


def _addresses() -> list[str]:
    """Give this computer's addresses, those that lead nowhere else apart."""
    from ifaddr import get_adapters  # What zeroconf itself asks.

    found = (ip.ip for adapter in get_adapters() for ip in adapter.ips if isinstance(ip.ip, str))
    return sorted({ip for ip in found if not ip.startswith("127.")})
