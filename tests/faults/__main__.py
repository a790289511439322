"""Run the campaigns: `make fault`, `make fault-long`; `python -m tests.faults NAME` runs one."""

import argparse
import sys

from tests import campaigns, faults

parser = argparse.ArgumentParser(prog="python -m tests.faults")
parser.add_argument("--long", action="store_true", help="the long column of the promises")
parser.add_argument("name", nargs="*", help="the campaigns to run; none: all")
asked = parser.parse_args()
sys.exit(1 if campaigns.run_all(faults, asked.name, lambda it: [it.run(asked.long)]) else 0)
