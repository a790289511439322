"""What others' records say to this node: bodies checked, opened where it has the key, and read.

In: verified records with their bodies; then, in the commit that stores them, their places. Out: an
index of the devices they speak of, the sender keys they share with this node, what they revoke.
What its author signed is kept, whether it is understood or not.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.errors import AuthorError, BadBody, DeviceError
from gateway.readings.spans import Span
from gateway.records import identity, record
from gateway.records.identity import EncryptionKey
from gateway.records.record import Kind, Record
from gateway.records.roster import Roster
from gateway.store import groups, keyring, observations, projections
from gateway.store.database import Connection


def reads_apart(said: Record) -> bool:
    """Say whether a body that travels apart is looked into once it is whole."""
    return said.kind is Kind.REVOCATION or projections.reads(said)


def check(said: Record, body: bytes | None) -> None:
    """Check that a body is the one its record commits to, as far as it is clear; raise BadBody.

    One that travels apart must not come with its record.
    """
    if (said.body is None or said.is_apart) != (body is None):
        raise BadBody(reason="it owes a body that is not there, or has one that it must not")
    if body is None:
        return
    if said.key_number == 0:
        record.check_body(said, body)
    else:
        record.check_stored(said, body)


class Reader:
    """What this node can read: by its own keys, and judged by the roster of now."""

    def __init__(
        self, keys: Sequence[EncryptionKey], newest: Callable[[bytes], Roster], counts: Counter[str]
    ) -> None:
        self._keys, self._newest, self._counts = keys, newest, counts
        self._found: list[tuple[int, Span]] = []
        # Records of evidence, with what they say where it can be read; and bodies that are not
        # those that their records, which are stored, commit to.
        self.evidence: list[tuple[int, bytes | None]] = []
        self.misbodied: list[tuple[bytes, bytes]] = []

    def finish(self, db: Connection) -> None:
        """Index what was found in the bodies that were read."""
        found, self._found = self._found, []
        observations.keep_all(db, found)

    def read(self, db: Connection, place: int, said: Record, body: bytes) -> None:
        """Read a body that was just stored, before `finish`; what is not understood is counted."""
        if said.is_apart and not reads_apart(said):
            return
        try:
            match said.kind:
                case Kind.ANNOUNCEMENT:
                    self._take_key(db, place, said, body)
                case Kind.REVOCATION:
                    self._bar(db, said, body)
                case Kind.EVIDENCE:
                    self.evidence.append((place, keyring.content(db, said, body)))
                case _:
                    spans = projections.find(db, place, said, body)
                    self._found += [(place, span) for span in spans]
        except (AuthorError, DeviceError) as fault:
            self._counts[fault.code] += 1
            if isinstance(fault, BadBody):
                self.misbodied.append((said.encoded, body))

    def _take_key(self, db: Connection, place: int, said: Record, body: bytes) -> None:
        """Keep the key that an announcement shares with this node, and read what it opens."""
        taken = keyring.take(db, place, said, body, self._keys)
        if taken.fault is not None:
            self._counts[taken.fault.code] += 1
        projections.index_opened(db, taken.readable)

    def _bar(self, db: Connection, said: Record, body: bytes) -> None:
        """Keep what bars a node or person: the word of its own organisation's root."""
        content = keyring.content(db, said, body)
        if content is not None:
            revoked = identity.decode(content, "revocation")
            organisation = self._newest(said.group).organisation(revoked.issuer)
            revoked.verify(organisation.id, organisation.root)
            groups.keep_revocation(db, revoked)
