"""Records built, signed and checked a second, in one thread, beside Ed25519 alone.

A record is built as the agent does it: readings become a SenML body, the body's hashes and the
chain go into the signed bytes, and the feed's Merkle tree grows. It is checked as a peer does it:
signature, form, place in the chain, and the body against the record. Nothing is stored here.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import record
from gateway.records.record import Kind, Said
from gateway.records.run import Run, Written
from tests import oracle, people

ROUNDS = 7
_S = 0.5
_BATCH = 100
_SALT = bytes(range(32))


def run() -> list[str]:
    """Time records of one reading and of many, in turn with bare signatures."""
    who = people.party("press-shop")
    by, within = people.run_of(who), people.group_of(who, people.party("supplier"))
    opened = people.opened(by, within)
    rates: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        bare = _bare()
        found = {"bare sign": bare["sign"], "bare verify": bare["verify"]}
        for name, readings in (("single", _readings(1)), ("batch", _readings(_BATCH))):
            found[f"{name} sign"], written = _signed_each_s(by, opened, readings)
            found[f"{name} verify"] = _checked_each_s(opened, written)
        for name, rate in found.items():
            rates.setdefault(name, []).append(rate)
    return _told(rates)


def _bare() -> dict[str, float]:
    """Time the library `cryptography`, which is in the independent verifiers' environment."""
    command = [str(oracle.PYTHON), str(Path(__file__).with_name("_ed25519.py"))]
    said = subprocess.run(command, input=str(_S), capture_output=True, text=True, check=True)
    rates: dict[str, float] = json.loads(said.stdout)
    return rates


def _readings(count: int) -> list[Reading]:
    return [
        Reading(f"press-{each % 5}", "temperature", 20.5 + each, "Cel", 1_795_262_400_000 + each)
        for each in range(count)
    ]


def _signed_each_s(
    by: Run, opened: Written, readings: list[Reading]
) -> tuple[float, list[Written]]:
    """Build and sign records one after another; give the rate and what was written."""
    written = [opened]

    def sign() -> None:
        (pack,) = senml.encode(readings, Provenance.GATEWAY_ATTESTED)
        said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
        written.append(by.write(written[-1].feed, said, people.moment(), _SALT))

    return _each_s(sign), written[1:]


def _checked_each_s(opened: Written, written: list[Written]) -> float:
    """Check records as their feed's next, bodies too, in the order of the feed."""
    feed, coming = opened.feed, iter(written)

    def check() -> None:
        nonlocal feed, coming
        each = next(coming, None)
        if each is None:
            feed, coming = opened.feed, iter(written)
            return
        following, feed = feed.accept(each.encoded)
        record.check_body(following, each.body)

    return _each_s(check)


def _each_s(act: Callable[[], None]) -> float:
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < _S:
        act()
        count += 1
    return count / took


def _told(rates: dict[str, list[float]]) -> list[str]:
    def ratio(ours: str, bare: str) -> float:
        return statistics.median(
            mine / theirs for mine, theirs in zip(rates[ours], rates[bare], strict=True)
        )

    lines = [f"{ROUNDS} interleaved rounds of {_S} s each, medians, one thread"]
    for act in ("sign", "verify"):
        bare = f"bare {act}"
        lines.append(f"bare Ed25519 {act} by cryptography: {_median(rates[bare]):.0f}/s")
        for name, count in (("single", 1), ("batch", _BATCH)):
            ours = f"{name} {act}"
            done = "built and signed" if act == "sign" else "checked"
            lines.append(
                f"records of {count} readings {done}: {_median(rates[ours]):.0f}/s"
                f" ({_median(rates[ours]) * count:.0f} readings/s), {ratio(ours, bare):.2f} of bare"
            )
    lines.append("bound: one core; libsodium's Ed25519, then the encoding of readings")
    return lines


def _median(rates: list[float]) -> float:
    return statistics.median(rates)
