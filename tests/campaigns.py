"""Run modules of one folder one after another, and say of each what it reached.

In: a package. Out: a line a module and a closing line. Never: a failure that ends the others.
"""

import pkgutil
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType


def names(package: ModuleType) -> list[str]:
    """List the package's modules that can be run."""
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def run_all(
    package: ModuleType, wanted: Sequence[str], run: Callable[[ModuleType], Sequence[str]]
) -> int:
    """Run the wanted modules, all where none is named; return how many failed.

    Having run nothing is a failure too.
    """
    known = names(package)
    chosen = list(wanted) or known
    if unknown := sorted(set(chosen) - set(known)):
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
        return len(unknown)
    failed = 0
    for name in chosen:
        started = time.monotonic()
        try:
            lines = run(import_module(f"{package.__name__}.{name}"))
        except Exception:
            traceback.print_exc()
            lines = ("FAILED",)
            failed += 1
        for line in lines:
            print(f"{name}: {line}", flush=True)
        print(f"{name}: took {time.monotonic() - started:.1f} s", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
    return failed if chosen else 1
