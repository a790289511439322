"""Announcing a listener on the local network, for as long as it listens.

In: a name that says nothing, where it listens. Out: an announcement that follows the addresses of
this computer; a count of what failed. It tells nobody whose gateway it is. docs/protocol/links.md.
"""

import asyncio
from collections import Counter
from typing import Final

from gateway.errors import PeerError
from gateway.transport import lan

LOOK_S: Final = 5.0


async def announce(name: str, host: str, port: int, counts: Counter[str]) -> None:
    """Announce a listener until cancelled, anew when this computer has other addresses."""
    while True:
        try:
            await _once(name, host, port)
        except PeerError as fault:
            counts[fault.code] += 1
            await asyncio.sleep(LOOK_S)


async def _once(name: str, host: str, port: int) -> None:
    at, said = await asyncio.to_thread(lan.hosts, host), None
    try:
        if at:
            said = await asyncio.to_thread(lan.Announcement, name, port, at)
        while await asyncio.to_thread(lan.hosts, host) == at:
            await asyncio.sleep(LOOK_S)
    finally:
        if said is not None:
            await asyncio.to_thread(said.withdraw)
