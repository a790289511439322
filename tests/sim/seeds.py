"""The seeds that ever failed: in `seeds.txt`, a line each with what it found, and run first."""

from pathlib import Path

_PATH = Path(__file__).with_name("seeds.txt")


def kept() -> list[int]:
    """Give them, in the order in which they were found."""
    lines = _PATH.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]
