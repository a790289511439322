"""A machine that says seeded readings."""

import random

from gateway.readings.reading import Reading

T0_MS = 1_795_262_400_000


class Device:
    """One machine with two metrics."""

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name, self._dice = name, dice
        self._strokes = 0

    def say(self, now_ms: int) -> list[Reading]:
        """Give what it says at a time."""
        readings = []
        for _ in range(self._dice.choice((1, 1, 2, 8))):
            self._strokes += self._dice.randint(0, 9)
            warm = round(self._dice.uniform(15, 95), 1)
            readings.append(Reading(self.name, "strokes", self._strokes, "1", T0_MS + now_ms))
            readings.append(Reading(self.name, "temperature", warm, "Cel", T0_MS + now_ms))
        return readings
