"""Worlds in which disks fail, processes die, clocks are wrong, and one member lies.

In: options. Out: as of any world. All of it is drawn beforehand, from the seed alone.
"""

import random
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import apsw

from tests.sim import disk
from tests.sim.consortium import DAY_MS, Consortium, Figures
from tests.sim.gateway import Gateway
from tests.sim.liar import Liar
from tests.sim.options import HOUR_MS, Options, options_of
from tests.sim.safety import sizes

_STEP_MS_MAX = 10 * 365 * DAY_MS
_FULL_MS_MAX = 120_000
_RELENTLESS = 10
_RELENTLESS_MS = HOUR_MS // 2


class Mishaps(Consortium):
    """A consortium in which anything may fail."""

    def __init__(self, options: Options) -> None:
        self.fate = random.Random(f"fate {options.seed}")
        super().__init__(options)

    def befall(self, span_ms: int) -> None:
        """Draw what fails beside the ways, and when somebody lies."""
        super().befall(span_ms)
        options = self.options
        for _ in range(options.crashes):
            end = self.fate.choice((disk.LOST, disk.KEPT))
            self._sometime(span_ms, partial(_fails, self._somebody(), end))
        for _ in range(options.tears):
            self._sometime(span_ms, partial(_fails, self._somebody(), disk.TORN))
        for _ in range(options.fills):
            self._fill(self._somebody(), span_ms)
        for _ in range(options.restores):
            self._plan_restore(self._somebody(), span_ms)
        for _ in range(options.clock_steps):
            self._sometime(span_ms, partial(self._step, self._somebody()))
        for liar in self.gateways:
            if isinstance(liar, Liar):
                self._plan_lies(liar, span_ms)

    def _somebody(self) -> Gateway:
        return self.fate.choice(self.honest)

    def _sometime(self, span_ms: int, event: Callable[[], None]) -> None:
        self.clock.at(self.fate.randrange(span_ms), event)

    def _fill(self, gateway: Gateway, span_ms: int) -> None:
        start_ms = self.fate.randrange(span_ms)
        stop_ms = start_ms + self.fate.randrange(1_000, _FULL_MS_MAX)

        def fill(is_full: bool) -> None:
            gateway.desk.is_full = is_full

        self.clock.at(start_ms, partial(fill, True))
        self.clock.at(stop_ms, partial(fill, False))

    def _plan_restore(self, gateway: Gateway, span_ms: int) -> None:
        """Copy a store at some moment, and later put the copy in its place."""
        copied_ms = self.fate.randrange(span_ms // 2)
        backup: list[apsw.Connection] = []
        self.clock.at(copied_ms, lambda: backup.append(disk.copy_of(gateway.db)))
        restored_ms = self.fate.randrange(copied_ms + 1, span_ms)
        self.clock.at(restored_ms, lambda: self._restore(gateway, backup[0]))

    def _restore(self, gateway: Gateway, backup: apsw.Connection) -> None:
        """End the run that there is, and begin another over the copy."""
        failing = gateway.desk.failing
        gateway.hold(disk.copy_of(backup))
        gateway.desk.failing = failing
        self.safety.replaced(gateway)
        self.finals.replaced(gateway)
        gateway.start()
        held = sizes(self.honest, self.groups)
        self.ledger.replaced(held)
        self.finals.let_go(held)

    def _step(self, gateway: Gateway) -> None:
        step_ms = self.fate.randint(-_STEP_MS_MAX, _STEP_MS_MAX)
        gateway.step_ms = self.fate.choice((None, 0, step_ms, step_ms))

    def _plan_lies(self, liar: Liar, span_ms: int) -> None:
        """Have it lie while things fail; and perhaps for half an hour when they are mended."""
        words = random.Random(f"words of {self.options.seed}")
        for _ in range(self.options.wordings):
            lie = words.choice(self.options.words)
            self.clock.at(words.randrange(span_ms), partial(liar.lie, lie, self.honest))
        for _ in range(self.options.lyings):
            lie = self.fate.choice(self.options.lies)
            self._sometime(span_ms, partial(liar.lie, lie, self.honest))
        if not self.options.is_relentless:
            return
        start_ms = span_ms + self.options.days_down * DAY_MS
        for _ in range(_RELENTLESS):
            lie = self.fate.choice(self.options.lies)
            at_ms = start_ms + self.fate.randrange(_RELENTLESS_MS)
            self.clock.at(at_ms, partial(liar.lie, lie, self.honest))


def _fails(gateway: Gateway, end: str) -> None:
    """Have the next commit end so."""
    gateway.desk.coming.append(end)


def live(seed: int) -> Figures:
    """Run the world of a seed; an AssertionError says how to run it again."""
    options = options_of(seed)
    try:
        return Mishaps(options).live()
    except AssertionError as fault:
        raise AssertionError(f"{fault}\nmake worlds SEED={seed}: {asdict(options)}") from fault
