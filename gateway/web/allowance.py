"""How often each may ask: a bucket for each name, that fills with time. Bounded in names too.

In: names, and the time. Out: whether one may ask now, or after how many seconds it may.
"""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many at once, and one more each so many seconds."""

    burst: int
    each_s: float


class Allowance:
    """The buckets of all names that asked lately; the longest silent is forgotten first."""

    def __init__(self, limit: Limit, names_max: int) -> None:
        self._limit, self._names_max = limit, names_max
        self._full: OrderedDict[str, float] = OrderedDict()  # when each bucket is full again

    def wait_s(self, name: str, now_s: float) -> float:
        """Take one for a name and give 0; or, where there is none, in how many seconds there is."""
        full_s = max(self._full.pop(name, now_s), now_s)
        waiting_s = full_s + self._limit.each_s - now_s - self._limit.burst * self._limit.each_s
        self._full[name] = full_s if waiting_s > 0 else full_s + self._limit.each_s
        if len(self._full) > self._names_max:
            self._full.popitem(last=False)
        return max(waiting_s, 0.0)
