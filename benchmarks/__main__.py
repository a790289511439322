"""Run the benchmarks: `make bench`, or `python -m benchmarks NAME...`."""

import sys

import benchmarks
from benchmarks import _machine
from tests import campaigns

print(f"machine: {_machine.described()}", flush=True)
sys.exit(1 if campaigns.run_all(benchmarks, sys.argv[1:], lambda it: it.run()) else 0)
