"""Live through seeded worlds again: `make worlds SEED=7`, or a hundred of them without a seed.

Without a seed, those that ever failed come first. A seed's options are printed, expanded.
"""

import sys
from dataclasses import asdict

from tests.sim.mishaps import live
from tests.sim.options import options_of
from tests.sim.seeds import kept

_MANY = 100


def main(arguments: list[str]) -> int:
    """Run the worlds that are named; give the exit status."""
    seeds = [int(each) for each in arguments] or [*kept(), *range(_MANY)]
    failed = 0
    for seed in seeds:
        if arguments:
            print(f"world {seed}: {asdict(options_of(seed))}", flush=True)
        try:
            print(f"world {seed}: {asdict(live(seed))}", flush=True)
        except AssertionError as fault:
            failed += 1
            print(fault, flush=True)
    print(f"{len(seeds) - failed} worlds converged, {failed} did not")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
