"""A file carried by hand: written whole or not at all, read with nothing followed or waited for.

In: entries to write and who signs; or a path that somebody names. Out: files, one a part; or a way
to read one from its beginning, or BundleUnwritable, BundleUnreadable. It holds one entry in memory.
Nothing is opened or judged here. docs/protocol/bundle.md.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from gateway.errors import BundleUnreadable, BundleUnwritable
from gateway.groups.group import Group
from gateway.peers import enclosing
from gateway.records.sealing import NONCE_BYTES
from gateway.store import bodies, feeds
from gateway.store.carried import Span
from gateway.store.database import Connection
from gateway.sync import bundle, message
from gateway.sync.bundle import Binding, Entry, Head, Trailer
from gateway.sync.message import PIECE_BYTES, RECORDS_MAX, Body, Carried, Recs

PART: Final = ".part"  # what a file is called until it is whole
BYTES_MIN: Final = 256 * 1024
# Of records and bodies in one message; with what CBOR and the envelope add it is below 64 KiB.
_RECORDS_BYTES_MAX: Final = 56 * 1024
_TRAILER_BYTES: Final = 1024
_ORDINARY: Final = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Frame:
    """What all parts have: the head but for its number, what each begins with, and who signs."""

    head: Head
    preamble: Sequence[Entry]
    sign: Callable[[Trailer], bytes]


class Parts:
    """The files of one bundle, as they are written."""

    def __init__(self, path: Path, frame: Frame, bytes_max: int | None) -> None:
        self._path, self._frame, self._bytes_max = path, frame, bytes_max
        self.written: list[Path] = []
        self.bytes = 0
        self._file: BinaryIO | None = None
        self._binding = Binding()
        self._begun = 0

    def add(self, entry: Entry) -> None:
        """Write an entry, into a further part where this one is full."""
        size = len(entry.envelope) + _TRAILER_BYTES
        is_full = self._bytes_max is not None and self._binding.size + size > self._bytes_max
        if self._file is not None and is_full and self._binding.size > self._begun:
            self._finish(True)
        with self._explained():
            if self._file is None:
                self._begin()
            self._put(self._binding.entry(entry))

    def __enter__(self) -> "Parts":
        """Write the parts; the last is finished at the end, and what is not whole is let go of."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.abandon()

    def close(self) -> None:
        """Finish the last part."""
        with self._explained():
            if self._file is None:
                self._begin()
        self._finish(False)

    def abandon(self) -> None:
        """Let go of the part that is not whole."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                _part(self._current).unlink()
            self._file = None

    @property
    def _current(self) -> Path:
        number = len(self.written) + 1
        if number == 1:
            return self._path
        return self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}")

    def _begin(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _ORDINARY
        opened = os.open(_part(self._current), flags, 0o600)
        self._file, self._binding = os.fdopen(opened, "wb"), Binding()
        head = self._frame.head
        number = len(self.written) + 1
        self._put(self._binding.head(Head(head.name, head.sender, head.receivers, number)))
        for entry in self._frame.preamble:
            self._put(self._binding.entry(entry))
        self._begun = self._binding.size

    def _finish(self, has_more: bool) -> None:
        signed = bundle.enclose(self._frame.sign(self._binding.close(has_more)))
        with self._explained():
            assert self._file is not None
            self._put(signed)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            path = self._current
            _part(path).replace(path)
            _sync_folder(path.parent)
        self._file = None
        self.written.append(path)
        self.bytes += self._binding.size + len(signed)

    def _put(self, content: bytes) -> None:
        assert self._file is not None
        self._file.write(content)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise BundleUnwritable(path=self._current, reason=fault.strerror) from fault


def records(
    read: Connection, group: Group, span: Span, random: Callable[[int], bytes]
) -> Iterator[tuple[int, Entry]]:
    """Put a span of records into envelopes for all members; give each with its count.

    The pieces of bodies that travel apart follow the message with their records.
    """
    start = span.start
    while start < span.stop:
        stop = min(span.stop, start + RECORDS_MAX)
        held = feeds.slice_of(read, span.feed, start, stop, _RECORDS_BYTES_MAX)
        if not held:
            return
        carried = tuple(Carried(each.encoded, each.body) for each in held)
        following = Span(span.feed, start, start + len(held), span.covers)
        count = len(held)
        recs = Recs(span.feed, start, carried)
        for said in chain[Recs | Body]((recs,), _pieces(read, group, following)):
            enclosed = enclosing.enclose(group, message.encode(said), random(NONCE_BYTES))
            yield count, Entry(None, enclosed)
            count = 0
        start = following.stop


def _pieces(read: Connection, group: Group, span: Span) -> Iterator[Body]:
    """Give the bodies of records that travel apart and are lacked, a piece of the grid each."""
    for seq, name in bodies.held_in(read, span.feed, span.start, span.stop):
        offset = 0
        while span.lacks(seq) and (piece := bodies.part(read, group.id, name, offset, PIECE_BYTES)):
            yield Body(name, offset, piece)
            offset += len(piece)


@contextmanager
def opened(path: Path) -> Iterator["Opened"]:
    """Open a file that somebody names: a plain one, no link, nothing that waits; or raise."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _ORDINARY)
    except OSError as fault:
        raise BundleUnreadable(path=path, reason=fault.strerror) from fault
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise BundleUnreadable(path=path, reason="it is no ordinary file")
    with os.fdopen(number, "rb") as file:
        yield Opened(path, file)


class Opened:
    """An open file: `read` gives its bytes in order."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    @property
    def at(self) -> int:
        """Say how far it was read."""
        return self._file.tell()

    def rewind(self) -> None:
        """Begin again."""
        self._file.seek(0)

    def read(self, size: int) -> bytes:
        """Give so many bytes, fewer at the end; raise BundleUnreadable."""
        try:
            return self._file.read(size)
        except OSError as fault:
            raise BundleUnreadable(path=self._path, reason=fault.strerror) from fault


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Not every file system of a stick can.
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
