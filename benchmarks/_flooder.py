"""A device that publishes as fast as a broker takes it: `python -m benchmarks._flooder PORT STATE`.

It runs ahead of the agent by a bounded backlog, so that the broker always has something to give and
its memory stays bounded. It stops when its standard input ends, and says how many it published.
"""

import select
import sys
import time
from pathlib import Path

from benchmarks._device import Device, encode
from benchmarks._door import ask_door

_CHUNK = 5_000
_AHEAD_MAX = 60_000


def main(port: int, state_dir: Path) -> None:
    """Publish until told to stop."""
    chunk = encode(
        (f"loud/press-{each % 20:02}/state", b'{"n": %d}' % each) for each in range(_CHUNK)
    )
    device = Device(port, "flooder")
    before = _received(state_dir)
    while not select.select([sys.stdin], [], [], 0)[0]:
        if device.sent - (_received(state_dir) - before) < _AHEAD_MAX:
            device.publish_all(chunk, _CHUNK)
        else:
            time.sleep(0.1)
    device.close()
    print(device.sent, flush=True)


def _received(state_dir: Path) -> int:
    """Say how many readings of the loud source the agent has stored."""
    sources = ask_door(state_dir)["sources"]
    (loud,) = (each for each in sources if each["name"] == "loud")
    return int(loud["counts"].get("received", 0))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
