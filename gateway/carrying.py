"""What the agent does for a file carried by hand: it greets, signs, and takes in; the file is ours.

In: a request as JSON from the door: which nodes and groups, or envelopes. Out: envelopes, a signed
trailer, or what came of those that were taken in. A command reads and writes the file, as whoever
typed it; only the run's key is needed here. It decides nothing. docs/protocol/bundle.md.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import AskedWrongly
from gateway.peers.exchange import Brought
from gateway.peers.letters import Letters
from gateway.records.run import Run
from gateway.sync import bundle
from gateway.sync.bundle import Entry, Trailer

PREFIX: Final = "bundle."
Asked = Mapping[str, object]
Facts = dict[str, object]
Write = Callable[[Letters], Iterable[Entry]]


@dataclass(frozen=True, slots=True)
class Ways:
    """How an exchange is reached from any thread: to take in, to write, to follow invitations."""

    carry: Callable[[Sequence[bytes]], Brought]
    letters: Callable[[Write], Sequence[Entry]]
    follow: Callable[[], None]


class Carrying:
    """The acts of bundles, by name."""

    def __init__(self, run: Run, ways: Ways) -> None:
        self._run, self._ways = run, ways
        self._known: dict[str, Callable[[Asked], Facts]] = {
            "bundle.greet": self._greet,
            "bundle.receipts": self._receipts,
            "bundle.sign": self._sign,
            "bundle.take": self._take,
        }

    def do(self, asked: Asked) -> Facts:
        """Do what is asked; raise a GatewayError."""
        act = self._known.get(str(asked.get("act")))
        if act is None:
            raise AskedWrongly(reason="an unknown act")
        return act(asked)

    def _greet(self, asked: Asked) -> Facts:
        """Introduce this run to nodes, with the rosters and invitations that they need."""
        nodes, groups = _ids(asked, "nodes"), _ids(asked, "groups")
        return _told(self._ways.letters(lambda letters: letters.greetings(nodes, groups)))

    def _receipts(self, asked: Asked) -> Facts:
        """Sign to a node for what is held of a group."""
        (node,), (group,) = _ids(asked, "nodes"), _ids(asked, "groups")
        return _told(self._ways.letters(lambda letters: letters.receipts(node, group)))

    def _sign(self, asked: Asked) -> Facts:
        """Sign what a file is bound by."""
        count, (digest,) = asked.get("count"), _ids(asked, "digests")
        if type(count) is not int or count < 0 or len(digest) != bundle.HASH_BYTES:
            raise AskedWrongly(reason="a trailer needs a count and a digest")
        said = Trailer(count, digest, asked.get("more") is True)
        return {"trailer": b64encode(bundle.sign(self._run.key, said)).decode()}

    def _take(self, asked: Asked) -> Facts:
        """Take in envelopes, as if a link had brought them; wait for their commit."""
        brought = self._ways.carry(_envelopes(asked))
        self._ways.follow()
        return {"stored": brought.stored, "counts": dict(brought.counts)}


def _told(entries: Sequence[Entry]) -> Facts:
    rows = [
        [each.receiver.hex() if each.receiver else None, b64encode(each.envelope).decode()]
        for each in entries
    ]
    return {"letters": rows}


def _envelopes(asked: Asked) -> list[bytes]:
    said = asked.get("envelopes")
    try:
        return [b64decode(each, validate=True) for each in said]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise AskedWrongly(reason="envelopes that are no list of base64") from None


def _ids(asked: Asked, key: str) -> list[bytes]:
    said = asked.get(key)
    try:
        found = [bytes.fromhex(each) for each in said]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        found = []
    if not found:
        raise AskedWrongly(reason=f"{key} is missing")
    return found
