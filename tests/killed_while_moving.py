"""A gateway that is killed while it tells its machine: `python -m tests.killed_while_moving STORE`.

In: a store in which an approved order waits, and the number of the run that the order quotes. Out:
a line once the machine is told; then SIGKILL, as a power cut ends a process.
"""

import os
import signal
import sys
from dataclasses import replace

from gateway.readings.reading import Value
from gateway.sources.source import Moved
from tests.ordering import BUYER, MAKER, Machine, Side, press
from tests.people import group_of


class Deadly(Machine):
    """A machine during whose move the power goes."""

    async def move(self, point: str, value: Value) -> Moved:
        """Say that it is told, and die."""
        os.write(1, f"moving {value}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
        return Moved(None)


def main(path: str, number: int) -> None:
    """Carry out what waits in a store."""
    side = Side(MAKER, group_of(BUYER, MAKER), path)
    side.runs = number
    side.start(Deadly(press().points))
    side.moment = replace(side.moment)
    side.execute()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
