"""Run the campaigns: `make fault`, `make fault-long`; `python -m tests.faults NAME` runs one.

Several run two at a time, each in a process of its own: most wait for disks and clocks. The one
that weighs delays runs when nothing else does.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests import campaigns, faults

# The longest begin first, so that both lanes end at about the same time.
_LONGEST = ("worlds", "kill", "decoders", "copies", "removals")
_ALONE = ("links",)


def main() -> int:
    """Run what is asked for; give how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--long", action="store_true", help="the long column of the promises")
    parser.add_argument("name", nargs="*", help="the campaigns to run; none: all")
    asked = parser.parse_args()
    wanted = list(asked.name) or campaigns.names(faults)
    if len(wanted) == 1:
        return campaigns.run_all(faults, wanted, lambda it: [it.run(asked.long)])
    together = sorted(set(wanted) - set(_ALONE), key=_turn)
    options = ["--long"] if asked.long else []
    with ThreadPoolExecutor(2) as lanes:
        failed = sum(lanes.map(lambda name: _run(name, options), together))
    failed += sum(_run(name, options) for name in _ALONE if name in wanted)
    print(f"{len(wanted) - failed} of {len(wanted)} campaigns passed", flush=True)
    return failed


def _turn(name: str) -> tuple[int, str]:
    return (_LONGEST.index(name) if name in _LONGEST else len(_LONGEST)), name


def _run(name: str, options: Sequence[str]) -> bool:
    """Run one campaign in a process of its own, and print what it said; say whether it failed."""
    command = [sys.executable, "-m", "tests.faults", name, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="", flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
