"""The two ends of a LAN in a process of their own: `announce NAME PORT`, or `search`.

Each says on standard output what it does or finds, and ends when its standard input does.
"""

import sys

from gateway.transport.lan import Announcement, Search


def main(said: list[str]) -> None:
    """Be one end until the other side of the pipe is gone."""
    match said:
        case ["announce", name, port]:
            announcement = Announcement(name, int(port))
            print("announced", flush=True)
            sys.stdin.read()
            announcement.withdraw()
        case ["search"]:
            search = Search(lambda found: print(sorted(found), flush=True))
            sys.stdin.read()
            search.stop()


main(sys.argv[1:])
