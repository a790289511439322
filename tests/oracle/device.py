"""What devices signed in a pack, judged from docs/protocol/observation.md and frame.md alone.

In: a body's content. Out: None where nothing claims a device's signature, True where all claims
are proved; Refused otherwise. Nothing of gateway/ is imported.
"""

from fractions import Fraction
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.oracle.signed import Refused, check_signing_key, need

Entry = dict[Any, Any]
Sample = tuple[int, int, int, int, int, str, str]  # as in a frame, and the metric's name and unit
_DOMAIN = b"hulian/1/device"
_QUALITIES = ("good", "uncertain", "bad")


def check_device(content: bytes) -> bool | None:
    """Judge a pack."""
    try:
        pack = cbor2.loads(content)
    except cbor2.CBORError:
        return None
    if not isinstance(pack, list) or not all(isinstance(each, dict) for each in pack):
        return None
    lots: list[tuple[bytes, bytes, list[tuple[str, int | None, Entry]]]] = []
    name, start, provenance, key, is_open = "", 0, "", b"", False
    for entry in pack:
        name, start = entry.get(-2, name), entry.get(-3, start)
        provenance, key = entry.get("bp", provenance), entry.get("dk", key)
        is_signed = provenance == "device-signed"
        if "ds" in entry:
            need(is_signed)
            lots.append((key, entry["ds"], []))
        need(not is_signed or is_open or "ds" in entry)
        is_open = is_signed
        if is_signed:
            seconds = start + entry.get(6, 0)
            at_ms = round(seconds * 1000) if seconds else None
            lots[-1][2].append((name + entry[0], at_ms, entry))
    following: dict[tuple[bytes, bytes], int] = {}
    for public, signed, entries in lots:
        boot, first, count = _check_lot(public, signed, entries)
        need(first >= following.get((public, boot), 0))
        following[public, boot] = first + count
    return True if lots else None


def _check_lot(
    public: bytes, signed: bytes, entries: list[tuple[str, int | None, Entry]]
) -> tuple[bytes, int, int]:
    need(len(public) == 32 and len(signed) > 64 and len(signed) <= 64 + 512)
    check_signing_key(public)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed[:64], signed[64:])
    except InvalidSignature:
        raise Refused from None
    boot, first, name, samples = _testimony(signed[64:])
    said = [each for each in samples if each[1] <= 2]
    need(len(said) == len(entries))
    moments = set()
    for sample, (full, at_ms, entry) in zip(said, entries, strict=True):
        _, quality, exponent, mantissa, age_ms, metric, unit = sample
        need(full == f"urn:dev:hulian:{_escaped(name)}/{_escaped(metric, True)}")
        need(entry.get(1, "") == unit and not {3, 4, "r"} & set(entry))
        exact = Fraction(10) ** exponent * mantissa
        whole = exponent >= 0 and -(2**63) <= exact < 2**63
        need(type(entry[2]) is (int if whole else float))
        need(entry[2] == (int(exact) if whole else float(exact)))
        found = entry.get("q", "good")
        unplaced = age_ms == 2**32 - 1 or entry.get("m") == 0
        need(found == _QUALITIES[quality] or (unplaced and (quality, found) == (0, "uncertain")))
        if at_ms is not None:
            moments.add(("wall", at_ms + age_ms))
        elif entry.get("m"):
            moments.add(("boot", entry["m"] + age_ms))
    need(len(moments) <= 1)
    for clock, moment in moments:
        for sample, (_, at_ms, entry) in zip(said, entries, strict=True):
            due = moment - sample[4]
            if clock == "boot":
                need(at_ms is None and entry.get("m") == max(0, due))
            else:
                need("m" not in entry)
                need(at_ms == (due if 2**28 * 1000 <= due < 253_402_300_800_000 else None))
    return boot, first, len(samples)


def _testimony(message: bytes) -> tuple[bytes, int, str, list[Sample]]:
    need(message[:15] == _DOMAIN)
    end = 16 + message[15]
    frame, at = message[16:end], end
    need(len(frame) == message[15] and frame[:2] == b"\x03\x02")
    boot, numbers = frame[10:18], frame[18:46]
    oldest, following = int.from_bytes(numbers[:8]), int.from_bytes(numbers[8:16])
    first = int.from_bytes(numbers[20:28])
    count, rest = divmod(len(frame) - 46, 15)
    need(len(numbers) == 28 and rest == 0 and count >= 1 and following < 2**63)
    need(oldest <= first and first + count <= following)
    name, at = _text(message, at, 1, 32)
    samples = []
    for place in range(46, len(frame), 15):
        said = frame[place : place + 15]
        metric, at = _text(message, at, 1, 48)
        unit, at = _text(message, at, 0, 16)
        exponent = int.from_bytes(said[2:3], signed=True)
        mantissa = int.from_bytes(said[3:11], signed=True)
        samples.append(
            (said[0], said[1], exponent, mantissa, int.from_bytes(said[11:]), metric, unit)
        )
    need(at == len(message))
    return boot, first, name, samples


def _text(message: bytes, at: int, low: int, high: int) -> tuple[str, int]:
    need(at < len(message))
    size = message[at]
    said = message[at + 1 : at + 1 + size]
    need(low <= size <= high and len(said) == size and all(0x21 <= it <= 0x7E for it in said))
    return said.decode("ascii"), at + 1 + size


def _escaped(name: str, is_metric: bool = False) -> str:
    spelt = "".join(
        letter if letter.isalnum() or letter in "._-" else f":{ord(letter):02X}" for letter in name
    )
    if is_metric and spelt[0] in "._-":
        return f":{ord(spelt[0]):02X}{spelt[1:]}"
    return spelt
