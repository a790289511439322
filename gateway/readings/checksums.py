"""Checksums of instruments: what a telegram's last bytes must be. Chapter: docs/devices/serial.md.

In: what of a telegram is covered. Out: the bytes or digits that must stand there. CRCs are named as
the catalogue of parametrised CRC algorithms names them, and computed by fastcrc; sums are ours.
"""

from collections.abc import Callable
from typing import Final

from fastcrc import crc8, crc16, crc32

from gateway.config.serial import Checksum

Compute = Callable[[bytes], int]


def _lrc(said: bytes) -> int:
    return -sum(said) & 0xFF


def _toledo(said: bytes) -> int:
    return -sum(said) & 0x7F


def _xor(said: bytes) -> int:
    """Fold a number of so many bytes in halves: quick however long it is."""
    number, size = int.from_bytes(said), len(said)
    while size > 1:
        size = (size + 1) // 2
        number = (number >> 8 * size) ^ (number & ((1 << 8 * size) - 1))
    return number


# Of each: how to compute it, how many bytes it has, and whether its lowest byte is sent first.
_KINDS: Final[dict[str, tuple[Compute, int, bool]]] = {
    "crc-8/smbus": (crc8.smbus, 1, False),
    "crc-8/maxim-dow": (crc8.maxim_dow, 1, False),
    "crc-8/sae-j1850": (crc8.sae_j1850, 1, False),
    "crc-16/arc": (crc16.arc, 2, True),
    "crc-16/modbus": (crc16.modbus, 2, True),
    "crc-16/ibm-3740": (crc16.ibm_3740, 2, False),
    "crc-16/xmodem": (crc16.xmodem, 2, False),
    "crc-16/kermit": (crc16.kermit, 2, True),
    "crc-16/ibm-sdlc": (crc16.ibm_sdlc, 2, True),
    "crc-16/spi-fujitsu": (crc16.spi_fujitsu, 2, False),
    "crc-16/dnp": (crc16.dnp, 2, True),
    "crc-32/iso-hdlc": (crc32.iso_hdlc, 4, True),
    "crc-32/bzip2": (crc32.bzip2, 4, False),
    "crc-32/mpeg-2": (crc32.mpeg_2, 4, False),
    "lrc": (_lrc, 1, False),
    "xor": (_xor, 1, False),
    "sum": (lambda said: sum(said) & 0xFF, 1, False),
    "sum-16": (lambda said: sum(said) & 0xFFFF, 2, False),
    "toledo": (_toledo, 1, False),
    "nmea": (_xor, 1, False),
}


def width(checksum: Checksum | None) -> int:
    """Give how many bytes of a telegram a checksum takes."""
    if checksum is None:
        return 0
    if checksum.type == "nmea":
        return 3  # an asterisk and two digits
    return _KINDS[checksum.type][1] * (2 if checksum.hex else 1)


def matches(checksum: Checksum, covered: bytes, said: bytes) -> bool:
    """Say whether what stands in a checksum's place is the one of what it covers."""
    compute, size, low_first = _KINDS[checksum.type]
    order = checksum.order or ("little" if low_first else "big")
    if checksum.type == "nmea":
        # A sentence's first letter, $ or !, says only that it begins.
        covered = covered[1:] if covered[:1] in (b"$", b"!") else covered
        return said.upper() == b"*%02X" % compute(covered)
    wanted = compute(covered).to_bytes(size, order)
    if checksum.hex:
        return said.upper() == wanted.hex().upper().encode()
    return said == wanted
