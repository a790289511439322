"""Knowing a message again: which deliveries of a resumed session were committed before (I8).

In: what was committed and perhaps not acknowledged, in order, and each delivery of the resumed
session. Out: whether it is a repeat. Two equal readings are two: where it cannot be told, a
delivery counts as new, so that nothing is lost. Protocol: docs/protocol/redelivery.md.
"""

from collections.abc import Sequence

from gateway.readings.reading import Delivered

DIGEST_BYTES = 16


class Redelivery:
    """The state of one resumed session: how much of what may be repeated has been."""

    def __init__(self, expected: Sequence[Delivered], exact: bool) -> None:
        """Take what may come again; `exact` says that this broker marks every repeat (MQTT 5)."""
        self._expected = [(each.packet, each.digest[:DIGEST_BYTES]) for each in expected]
        self._next = 0
        self._exact = self._marked = exact
        self._matching = False

    def repeats(self, packet: int, marked: bool, digest: bytes) -> bool:
        """Say whether a delivery was committed before; `marked` is its DUP flag."""
        if self._next >= len(self._expected):
            return False
        found = self._find_marked(packet, digest) if marked else self._find_plain(digest)
        if found is None:
            return False
        self._next = found + 1
        return True

    def _find_marked(self, packet: int, digest: bytes) -> int | None:
        """Find a repeat that says so: by packet id too, but for a broker that may renumber."""
        self._marked = True
        ahead = range(self._next, len(self._expected))
        same = [at for at in ahead if self._expected[at] == (packet, digest[:DIGEST_BYTES])]
        if same or self._exact:
            return same[0] if same else None
        alike = [at for at in ahead if self._expected[at][1] == digest[:DIGEST_BYTES]]
        return alike[0] if len(alike) == 1 else None

    def _find_plain(self, digest: bytes) -> int | None:
        """Find a repeat of a broker that clears DUP: repeats are an unbroken run up to the end.

        The first may start anywhere. Of several equal places the last is taken: that may store a
        repeat again, and never takes a new reading for a repeat.
        """
        if self._marked:
            return None
        wanted = digest[:DIGEST_BYTES]
        if self._matching:
            places = [self._next]
        else:
            places = [*range(len(self._expected) - 1, self._next - 1, -1)]
        found = next((at for at in places if self._expected[at][1] == wanted), None)
        self._matching = found is not None
        if found is None:
            self._next = len(self._expected)
        return found
