"""Framing: where an instrument's telegrams begin and end in the bytes of a line.

In: bytes as they come, cut anywhere, and the word that nothing came for a while. Out: whole
telegrams whose checksum is good, and what was none, with the reason. What is not known to be whole
is never given: not what was heard of a telegram begun before us, not what broke off, not what
followed it. The same bytes give the same telegrams, however they were cut. At most one telegram's
bytes are kept. Chapter: docs/devices/serial.md.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

from gateway.config.serial import Framing, SerialSource
from gateway.errors import BadLength, BegunAgain, BrokenOff, Garbage, LongTelegram
from gateway.readings.checksums import width
from gateway.readings.telegram import Piece, Shape, Spoilt, Telegram

# What stands between telegrams and says nothing.
_BLANK: Final = b"\r\n \t\0"


class Splitter(Protocol):
    """Cuts a line's bytes into telegrams."""

    @property
    def pending(self) -> bool:
        """Say whether a silence would mean something now."""

    def feed(self, heard: bytes) -> Iterator[Piece]:
        """Take the next bytes; give each telegram, and what is none, as it ends."""

    def quiet(self) -> Iterator[Piece]:
        """Take note that nothing came for longer than a telegram may pause."""


def splitter(source: SerialSource) -> Splitter:
    """Make what cuts the telegrams of a source, whose line was just opened."""
    shape = Shape.of(source)
    if source.framing.by in ("fixed", "length"):
        return _Sized(source.framing, shape)
    return _Marked(shape)


class _Lost:
    """Bytes outside of telegrams: counted until it is clear that they are."""

    def __init__(self) -> None:
        self._size, self.heard = 0, False

    def add(self, gone: bytes) -> None:
        """Count bytes that say something."""
        self.heard = self.heard or bool(gone)
        self._size += len(gone.translate(None, _BLANK))

    def told(self) -> Iterator[Piece]:
        """Give them, if there were any, and begin anew."""
        if self._size:
            yield Spoilt(b"", Garbage(size=self._size))
        self._size, self.heard = 0, False


class _Marked:
    """Telegrams with a mark at their end, and perhaps one at their beginning."""

    def __init__(self, shape: Shape) -> None:
        self._shape, self._lost = shape, _Lost()
        self._kept = bytearray()
        self._at = 0  # up to here there is no mark
        self._inside = self._ended = False
        # Whether what comes can be the rest of a telegram; None while nothing was heard at all.
        self._beheaded: bool | None = None if not shape.begin else False
        # Whether the next byte can be the second half of an escape that nobody heard.
        self._unsure = bool(shape.escape)
        marks = [re.escape(shape.end), re.escape(shape.begin)]
        marks = [mark for mark in marks if mark]
        if shape.escape:
            marks.append(re.escape(shape.escape) + b".")
        self._marks = re.compile(b"|".join(b"(%s)" % mark for mark in marks), re.DOTALL)
        self._longest = max(len(shape.end), len(shape.begin), 2 if shape.escape else 1)

    @property
    def pending(self) -> bool:
        """Say whether a silence would mean something now."""
        untold = self._lost.heard or self._unsure or (self._beheaded is None)
        return bool(self._kept) or (not self._inside and untold)

    def feed(self, heard: bytes) -> Iterator[Piece]:
        """Take the next bytes; give each telegram, and what is none, as it ends."""
        self._kept += heard
        more = True
        while more:
            before = (len(self._kept), self._at, self._inside, self._ended)
            if not self._inside:
                yield from self._look()
            elif not self._ended:
                yield from self._scan()
            else:
                yield from self._finish()
            more = before != (len(self._kept), self._at, self._inside, self._ended)

    def quiet(self) -> Iterator[Piece]:
        """Take note that nothing came for longer than a telegram may pause."""
        shape, size = self._shape, len(self._kept)
        if self._inside and size:
            yield Spoilt(b"", BrokenOff(size=size))
            self._away(size)
        elif not self._inside:
            heard = self._lost.heard or bool(size)
            self._drop(size)
            yield from self._lost.told()
            if heard:
                self._beheaded = not shape.begin
            else:
                self._unsure = False
                self._inside = self._beheaded is None

    def _away(self, count: int) -> None:
        """Go out of a telegram that is none."""
        del self._kept[:count]
        self._at, self._inside, self._ended = 0, False, False
        self._unsure = bool(self._shape.escape)
        self._beheaded = not self._shape.begin

    def _drop(self, count: int) -> None:
        self._lost.add(bytes(self._kept[:count]))
        del self._kept[:count]

    def _look(self) -> Iterator[Piece]:
        """Look for where a telegram begins."""
        shape = self._shape
        if self._unsure and not self._settle():
            return
        found = self._find(shape.begin or shape.end)
        if found is None:
            return
        self._drop(found)
        if not shape.begin:
            del self._kept[: len(shape.end)]
        yield from self._lost.told()
        self._at, self._inside = len(shape.begin), True

    def _settle(self) -> bool:
        """Pass over what may be half an escape; say whether that is done."""
        count = len(self._kept) - len(self._kept.lstrip(self._shape.escape))
        if count == len(self._kept):
            self._drop(count)
            return False
        self._drop(count + 1)
        self._unsure = False
        return True

    def _find(self, mark: bytes) -> int | None:
        """Find a mark that is not escaped; drop what cannot be part of one."""
        at = 0
        while found := self._marks.search(self._kept, at):
            if found[0] == mark:
                return found.start()
            at = found.end()
        self._drop(max(at, len(self._kept) - self._longest + 1))
        return None

    def _scan(self) -> Iterator[Piece]:
        """Look for where a telegram ends."""
        shape, bytes_max = self._shape, self._shape.bytes_max
        stop = min(len(self._kept), bytes_max)
        found = self._marks.search(self._kept, self._at, stop)
        if found is None:
            self._at = max(self._at, stop - self._longest + 1)
            if len(self._kept) >= bytes_max:
                yield Spoilt(b"", LongTelegram(size_max=bytes_max))
                self._away(bytes_max)
        elif found[0] == shape.end:
            self._at, self._ended = found.end(), True
        elif found[0] == shape.begin:
            start = found.start()
            yield Spoilt(b"", BegunAgain(size=start))
            del self._kept[:start]
            self._at = len(shape.begin)
        else:
            self._at = found.end()

    def _finish(self) -> Iterator[Piece]:
        """Wait for what follows the end, and give the telegram."""
        shape, stop = self._shape, self._at + self._shape.tail
        if len(self._kept) < stop:
            return
        raw = bytes(self._kept[:stop])
        del self._kept[:stop]
        self._at, self._ended, self._inside = 0, False, not shape.begin
        if len(raw) > len(shape.end) or shape.begin:
            yield shape.open(raw)


class _Sized:
    """Telegrams whose length is fixed, or stands within them."""

    def __init__(self, framing: Framing, shape: Shape) -> None:
        self._framing, self._shape, self._lost = framing, shape, _Lost()
        self._kept = bytearray()
        self._aligned = False  # whether a telegram begins at the first byte kept
        self._torn = False  # whether the rest of one that broke off may still come
        # Bytes that look like a beginning are believed only if a checksum says so.
        self._can_look = bool(shape.begin) and shape.checksum is not None
        self._header = max(len(shape.begin), framing.offset + framing.width)
        if framing.by == "fixed":
            self._header = len(shape.begin)
        self._size_min = self._header + len(shape.end) + width(shape.checksum)

    @property
    def pending(self) -> bool:
        """Say whether a silence would mean something now."""
        untold = self._lost.heard or not self._torn
        return bool(self._kept) or (not self._aligned and untold)

    def feed(self, heard: bytes) -> Iterator[Piece]:
        """Take the next bytes; give each telegram, and what is none, as it ends."""
        self._kept += heard
        more = True
        while more:
            before = (len(self._kept), self._aligned)
            yield from self._cut() if self._aligned else self._look()
            more = before != (len(self._kept), self._aligned)

    def quiet(self) -> Iterator[Piece]:
        """Take note that nothing came for longer than a telegram may pause."""
        size = len(self._kept)
        if self._aligned and size:
            yield Spoilt(b"", BrokenOff(size=size))
            self._kept.clear()
            self._aligned, self._torn = False, True
        elif not self._aligned:
            self._drop(size)
            self._aligned = self._lost.heard or not self._torn
            yield from self._lost.told()

    def _drop(self, count: int) -> None:
        self._lost.add(bytes(self._kept[:count]))
        del self._kept[:count]

    def _look(self) -> Iterator[Piece]:
        """Look for what may be a beginning; without one, only a silence shows it."""
        begin = self._shape.begin
        if not self._can_look:
            self._drop(len(self._kept))
            return
        found = self._kept.find(begin)
        if found < 0:
            self._drop(max(0, len(self._kept) - len(begin) + 1))
            return
        self._drop(found)
        yield from self._lost.told()
        self._aligned, self._torn = True, False

    def _cut(self) -> Iterator[Piece]:
        """Cut off the telegram that begins here, if it does and all of it is there."""
        shape, kept = self._shape, self._kept
        if not kept.startswith(shape.begin[: len(kept)]):
            self._aligned = False
            return
        if len(kept) < self._header:
            return
        size = self._size()
        if not self._size_min <= size <= shape.bytes_max:
            bounds = {"size_min": self._size_min, "size_max": shape.bytes_max}
            yield Spoilt(b"", BadLength(size=size, **bounds))
            self._misaligned(self._header)
            return
        if len(kept) < size:
            return
        piece = shape.open(bytes(kept[:size]))
        yield piece
        if isinstance(piece, Telegram):
            del kept[:size]
        else:
            self._misaligned(size)

    def _misaligned(self, count: int) -> None:
        """Go on after what is no telegram: after its first byte, if a beginning can be found."""
        del self._kept[: 1 if self._can_look else count]
        self._aligned = False

    def _size(self) -> int:
        framing = self._framing
        if framing.by == "fixed":
            return framing.size or 0
        at, stop = framing.offset, framing.offset + framing.width
        adjust = stop if framing.adjust is None else framing.adjust
        return int.from_bytes(self._kept[at:stop], framing.order) + adjust
