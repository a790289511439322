"""Who listens on this LAN, and telling it that we do: multicast DNS (RFC 6762, RFC 6763).

In: a port to announce, or somebody to tell of what is found. Out: addresses within the networks of
this computer, as hosts and ports. What it needs is an extra, imported when it is asked for. Who
answers at an address proves that later, so a false announcement costs an attempt now and then.
docs/protocol/links.md.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Interface, ip_address
from typing import TYPE_CHECKING, Final

from gateway.errors import LanAbsent, LinkUnreachable

if TYPE_CHECKING:
    from zeroconf import Zeroconf

TYPE: Final = "_hulian._tcp.local."
# More than that on one LAN is somebody's joke, or a plant that should name its addresses.
FOUND_MAX: Final = 64
# Of one gateway: its networks, wired and not.
ADDRESSES_MAX: Final = 4
_RESOLVE_MS: Final = 3_000
_EVERYWHERE: Final = ("0.0.0.0", "::")

Places = tuple[tuple[str, int], ...]
Found = Mapping[str, Places]


def check_installed(link: str) -> None:
    """Raise LanAbsent where the extra is not installed that a link of the config needs."""
    try:
        import ifaddr  # noqa: F401
        import zeroconf  # noqa: F401
    except ImportError:
        raise LanAbsent(name=link, python=sys.executable) from None


def networks() -> tuple[IPv4Interface, ...]:
    """Give this computer's addresses and the networks they are in, those of its own apart."""
    from ifaddr import get_adapters  # What zeroconf itself asks.

    own = (
        IPv4Interface(f"{each.ip}/{each.network_prefix}")
        for adapter in get_adapters()
        for each in adapter.ips
        if isinstance(each.ip, str)
    )
    return tuple(sorted({each for each in own if not each.is_loopback}))


def hosts(listening: str) -> list[str]:
    """Give the addresses at which a listener is found; none if it is none of this computer's."""
    own = [str(each.ip) for each in networks()]
    return own if listening in _EVERYWHERE else [each for each in own if each == listening]


class Announcement:
    """That a gateway listens on a port of this computer, until it is withdrawn."""

    def __init__(self, name: str, port: int, at: Sequence[str]) -> None:
        from zeroconf import ServiceInfo

        self._zeroconf = _opened()
        self._said = ServiceInfo(
            TYPE,
            f"{name}.{TYPE}",
            port=port,
            parsed_addresses=list(at),
            server=f"{name}.local.",
        )
        self._zeroconf.register_service(self._said)

    def withdraw(self) -> None:
        """Take it back, and say so on the LAN."""
        self._zeroconf.unregister_service(self._said)
        self._zeroconf.close()


class Search:
    """Whoever announces that it listens, told as it comes and goes, in a thread of its own."""

    def __init__(self, told: Callable[[Found], None]) -> None:
        from zeroconf import ServiceBrowser

        self._told = told
        self._found: dict[str, Places] = {}
        self._within = [each.network for each in networks()]
        self._zeroconf = _opened()
        self._browser = ServiceBrowser(self._zeroconf, TYPE, handlers=[self._changed])

    def stop(self) -> None:
        """Listen no more."""
        self._browser.cancel()
        self._zeroconf.close()

    def _changed(self, **said: object) -> None:
        """Take in who came or went; zeroconf names what it says, by keyword alone."""
        from zeroconf import ServiceStateChange

        name = str(said["name"])
        if said["state_change"] is ServiceStateChange.Removed:
            self._found.pop(name, None)
        elif name in self._found or len(self._found) < FOUND_MAX:
            self._found[name] = self._places(name)
            if not self._found[name]:
                del self._found[name]
        self._told(dict(self._found))

    def _places(self, name: str) -> Places:
        """Ask where it is; nobody has us call beyond our own networks."""
        from zeroconf import IPVersion

        said = self._zeroconf.get_service_info(TYPE, name, timeout=_RESOLVE_MS)
        if said is None or not said.port:
            return ()
        at = (ip_address(each) for each in said.parsed_addresses(IPVersion.V4Only))
        near = [str(each) for each in at if any(each in network for network in self._within)]
        return tuple((host, said.port) for host in near[:ADDRESSES_MAX])


def _opened() -> "Zeroconf":
    """Open the sockets; raise LinkUnreachable."""
    from zeroconf import IPVersion, Zeroconf

    try:
        return Zeroconf(ip_version=IPVersion.V4Only)
    except OSError as fault:
        raise LinkUnreachable(reason=fault.strerror or fault) from fault
