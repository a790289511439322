"""Run the benchmarks: `make bench`, or `python -m benchmarks NAME...`."""

import os
import platform
import sys

import benchmarks
from tests import campaigns

machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
print(f"machine: {machine}, Python {platform.python_version()}")
sys.exit(1 if campaigns.run_all(benchmarks, sys.argv[1:], lambda it: it.run()) else 0)
