"""The serial ports of this computer: their stable names, who holds them, and whether we may.

In: the folders whose links name ports. Out: what the kernel and /proc say of each. No port is
opened: that alone resets many a board, and disturbs whoever reads it.
"""

import grp
import os
import pwd
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

BY_ID: Final = Path("/dev/serial/by-id")
_BY_PATH: Final = Path("/dev/serial/by-path")
_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open."""

    pid: int
    program: str


@dataclass(frozen=True, slots=True)
class Access:
    """Whether this user may open a port; if not, through which group it could be."""

    allowed: bool
    user: str
    group: str
    group_may: bool
    listed: bool  # The user is of the group, by the group's list.
    active: bool  # This process is.


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A port: the name that stays, the one it has now, and what stands behind it."""

    path: str
    device: str
    product: str
    stable: bool
    holders: tuple[Holder, ...]
    access: Access


def seen(by_id: Path = BY_ID) -> tuple[PortSeen, ...]:
    """Look at all ports that are there; opens none of them."""
    ports = {os.path.realpath(one.device): one for one in list_ports.comports()}
    names = _links(by_id), _links(_BY_PATH)
    devices = sorted({*ports, *names[0]})
    held = _held(frozenset(devices))
    return tuple(
        PortSeen(
            name := next((links[device] for links in names if device in links), device),
            device,
            _product(ports.get(device)),
            name != device,
            held.get(device, ()),
            _access(device),
        )
        for device in devices
        if Path(device).exists()
    )


def stable(path: str, by_id: Path = BY_ID) -> str:
    """Give the name of a port that stays when it is plugged in elsewhere, else the same."""
    return _links(by_id).get(os.path.realpath(path), path)


def _links(folder: Path) -> dict[str, str]:
    """Give the links of a folder by what they lead to."""
    with suppress(OSError):
        return {
            os.path.realpath(link): str(link) for link in sorted(folder.iterdir(), reverse=True)
        }
    return {}


def _product(port: ListPortInfo | None) -> str:
    if port is None:
        return ""
    said = (port.manufacturer, port.product, port.serial_number)
    return " ".join(word for word in said if word)


def _held(devices: frozenset[str]) -> dict[str, tuple[Holder, ...]]:
    """Find the processes that have one of these open, as far as we may see them."""
    found: defaultdict[str, dict[int, Holder]] = defaultdict(dict)
    for process in _PROCESSES.iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        for opened in _opened(process):
            if opened in devices:
                program = _program(process)
                found[opened][int(process.name)] = Holder(int(process.name), program)
    return {device: tuple(held.values()) for device, held in found.items()}


def _opened(process: Path) -> Iterator[str]:
    with suppress(OSError):  # It is another user's, or has ended.
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _program(process: Path) -> str:
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().split(b"\0")
        return " ".join(word.decode(errors="replace") for word in words[:4]).strip()[:80]
    return ""


def _access(device: str) -> Access:
    status = Path(device).stat()
    user = str(os.geteuid())
    with suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    group, members = str(status.st_gid), []
    with suppress(KeyError):
        entry = grp.getgrgid(status.st_gid)
        group, members = entry.gr_name, entry.gr_mem
    return Access(
        allowed=os.access(device, os.R_OK | os.W_OK, effective_ids=True),
        user=user,
        group=group,
        group_may=status.st_mode & 0o060 == 0o060,
        listed=user in members,
        active=status.st_gid in {os.getegid(), *os.getgroups()},
    )
