"""The two ends of a LAN in a process of their own: `announce NAME PORT`, `search`, `stranger PORT`.

Each says on standard output what it does or finds, and ends when its standard input does.
"""

import os
import sys

from gateway.peers.listening import Listener
from gateway.transport import lan
from gateway.transport.http_server import Listening
from gateway.transport.lan import Announcement, Found, Search
from tests.linked import Known, guests_of, own_of, started
from tests.people import group_of, party

PARTY = party("stranger")


def main(said: list[str]) -> None:
    """Be one end until the other side of the pipe is gone."""
    match said:
        case ["announce", name, port]:
            announcement = Announcement(name, int(port), lan.hosts("0.0.0.0"))
            print("announced", flush=True)
            sys.stdin.read()
            announcement.withdraw()
        case ["stranger", port]:
            own = own_of(PARTY, Known(guests_of(PARTY, group_of(PARTY))))
            listener = Listener("door", Listening("0.0.0.0", int(port), os.urandom(32)), own, True)
            with started(listener):
                print("listens", flush=True)
                sys.stdin.read()
        case ["search"]:
            search = Search(_tell)
            sys.stdin.read()
            search.stop()


def _tell(found: Found) -> None:
    print(sorted(place for places in found.values() for place in places), flush=True)


main(sys.argv[1:])
