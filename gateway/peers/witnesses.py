"""The witnesses of the config: each is shown how far this run's journal goes, and its word kept.

In: a ledger, which gives checkpoints and proofs and keeps cosignatures. Out: requests by HTTP, in a
thread of its own; how it stands with each witness. One request catches up with any outage. What a
witness answers is verified under the rosters' keys before it is kept; what is no use is counted,
and delays nothing else. Protocol: docs/protocol/witness.md.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.config import Submission, Witness
from gateway.errors import (
    BadNote,
    BadWitness,
    GatewayError,
    MalformedNote,
    WitnessBusy,
    WitnessRefused,
    WitnessUnnamed,
)
from gateway.groups import witnessing
from gateway.peers.https import Thread, code_in
from gateway.records import checkpoint, note
from gateway.records.roster import Roster
from gateway.records.run import Run
from gateway.sync.retry import NEVER_TRIED, Pace, Retry
from gateway.transport.http import Request, Response
from gateway.transport.http_client import Address, connected

ADD: Final = "/add-checkpoint"
RUN: Final = "/hl/1/run"
ROSTER: Final = "/hl/1/roster/"
SIZE_TYPE: Final = "text/x.tlog.size"
ANSWER_BYTES_MAX: Final = 16 * 1024
PATIENCE_S: Final = 10.0
# All of one attempt: it may have to show many rosters first.
ATTEMPT_S_MAX: Final = 60.0
LOOK_S: Final = 1.0
PACE: Final = Pace(1_000, 300_000)
_ASKED_MAX: Final = 4
_SIZE = re.compile(r"(0|[1-9][0-9]{0,15})\n")


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """How it stands with a witness: up to which size it cosigned this run's journal, and when."""

    name: str
    state: str = "waiting"
    reason: str = ""
    size: int = 0
    cosigned_s: int | None = None


class Ledger(Protocol):
    """What is shown, and where answers are kept; asked from the thread of the witnesses alone."""

    def newest(self) -> bytes | None:
        """Give this run's newest checkpoint, signed; None where there is none yet."""

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the journal at one size extends it at another; raise ProofFails."""

    def keep(self, size: int, line: str) -> None:
        """Keep a cosignature of the checkpoint of a size, which was verified."""

    def chains(self) -> Sequence[Sequence[Roster]]:
        """Give the rosters held, a consortium after another."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What witnesses are shown, by which run, and how long an answer may take."""

    run: Run
    ledger: Ledger
    random: Callable[[int], bytes]
    patience_s: float = PATIENCE_S


class Witnesses:
    """All of the config; `status` and `reachable` may be asked from any thread."""

    def __init__(self, settings: Sequence[Witness], shown: Shown) -> None:
        self.counts: Counter[str] = Counter()
        self._followed = [_Followed(one, shown, self.counts) for one in settings]
        self._thread = Thread("witnesses", self._main)

    def start(self) -> None:
        """Begin, where the config names any."""
        if self._followed:
            self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._thread.stop()

    @property
    def reachable(self) -> bool:
        """Say whether some witness answered when it was asked last, or was not asked yet."""
        return any(one.status.state != "failing" for one in self._followed)

    def status(self) -> list[WitnessStatus]:
        """Say how it stands with each."""
        return [one.status for one in self._followed]

    async def _main(self) -> None:
        await asyncio.gather(*(one.follow() for one in self._followed))


class _Followed:
    """One witness."""

    def __init__(self, settings: Witness, shown: Shown, counts: Counter[str]) -> None:
        self._at: Submission = settings.submission
        self._run, self._ledger, self._random = shown.run, shown.ledger, shown.random
        self._patience_s, self._counts = shown.patience_s, counts
        self._retry: Retry = NEVER_TRIED
        self._old = 0
        self._rosters: set[bytes] = set()  # that it was shown
        self.status = WitnessStatus(settings.name)

    async def follow(self) -> None:
        """Show it whatever is new, until cancelled."""
        while True:
            signed = self._ledger.newest()
            if signed is None or checkpoint.read(signed)[1].size <= self.status.size:
                await asyncio.sleep(LOOK_S)
                continue
            try:
                await self._attempt(signed)
                self._retry = NEVER_TRIED
            except GatewayError as fault:
                await asyncio.sleep(self._failed(fault))

    async def _attempt(self, signed: bytes) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_S_MAX):
                await self._show(signed)
        except TimeoutError:
            raise BadWitness(reason=f"it took longer than {ATTEMPT_S_MAX:g} s") from None

    def _failed(self, fault: GatewayError) -> float:
        """Note why not; give for how many seconds to leave it alone."""
        self._counts[fault.code] += 1
        self._rosters.clear()  # It may have refused them, and be told by now whom to trust.
        self.status = replace(self.status, state="failing", reason=str(fault))
        now_ms = time.monotonic_ns() // 1_000_000
        chance = int.from_bytes(self._random(4), "big") / (1 << 32)
        self._retry = self._retry.again(now_ms, PACE, chance)
        wait_s = (self._retry.due_ms - now_ms) / 1000
        match fault:
            case WitnessBusy(facts={"seconds": int() as seconds}):
                return max(wait_s, min(seconds, PACE.longest_ms // 1000))
        return wait_s

    async def _show(self, signed: bytes) -> None:
        """Show one checkpoint until it is cosigned; raise why it is not."""
        _, shown = checkpoint.read(signed)
        await self._show_news(self._ledger.chains())
        is_introduced = False
        for _ in range(_ASKED_MAX):
            proof = self._ledger.consistency(self._old, shown.size)
            answer = await self._post(ADD, witnessing.encode(self._old, proof, signed))
            match answer.status:
                case 200:
                    self._cosigned(shown.text, shown.size, answer.body)
                    return
                case 409 if answer.header("content-type").partition(";")[0] == SIZE_TYPE:
                    self._old = _size(answer.body, shown.size)
                case 403 | 404 if not is_introduced:
                    await self._introduce()
                    is_introduced = True
                case _:
                    raise _refused(answer)
        raise BadWitness(reason="it names another size each time")

    def _cosigned(self, text: str, size: int, body: bytes) -> None:
        """Verify what it answered, and keep it; raise BadWitness or WitnessUnnamed."""
        keys = [
            (checkpoint.witness_name(row.id), row.witness)
            for chain in self._ledger.chains()
            for row in chain[-1].organisations
            if row.witness is not None
        ]
        try:
            lines = body.decode().removesuffix("\n").split("\n")
            names = {note.parse_line(line).name for line in lines}
        except (UnicodeDecodeError, MalformedNote):
            raise BadWitness(reason="it is no line of a signature") from None
        named = [each for each in keys if each[0] in names]
        if not named:
            raise WitnessUnnamed
        at_s = [_kept for line in lines for _kept in self._times(text, line, named)]
        if not at_s:
            raise BadWitness(reason="no cosignature in it holds")
        for line in lines:
            if self._times(text, line, named):
                self._ledger.keep(size, line)
        self._old = size
        self.status = replace(
            self.status, state="cosigned", reason="", size=size, cosigned_s=max(at_s)
        )

    @staticmethod
    def _times(text: str, line: str, keys: Sequence[tuple[str, bytes]]) -> list[int]:
        """Give when a line says that it was made, if it holds under one of these keys."""
        found = []
        for name, key in keys:
            try:
                found.append(note.check_cosignature(text, line, name, key))
            except BadNote:
                continue
        return found

    async def _introduce(self) -> None:
        """Show who this run is."""
        held = self._run.credentials
        answer = await self._post(RUN, witnessing.introduce(held.node.encoded, held.run.encoded))
        if answer.status != 200:
            raise _refused(answer)
        self._old = 0

    async def _show_news(self, chains: Sequence[Sequence[Roster]]) -> None:
        """Show the rosters of each consortium, once after each that is new here."""
        for chain in chains:
            if chain[-1].hash not in self._rosters:
                await self._show_rosters(chain)
                self._rosters.add(chain[-1].hash)

    async def _show_rosters(self, chain: Sequence[Roster]) -> None:
        """Show a consortium's rosters from where the witness is; nothing where it does not care."""
        path, wanted = f"{ROSTER}{chain[0].consortium.hex()}", len(chain) - 1
        for _ in range(len(chain) + 1):
            answer = await self._post(path, chain[wanted].encoded)
            found = _SIZE.fullmatch(answer.body.decode("ascii", "replace"))
            if answer.status != 200 or found is None or int(found[1]) >= len(chain):
                return
            wanted = int(found[1])
        raise BadWitness(reason="it asks for rosters that it was given")

    async def _post(self, path: str, body: bytes) -> Response:
        """Ask once, over a connection of its own; raise a PeerError, or WitnessBusy."""
        async with connected(Address(self._at.host, self._at.port, self._at.tls), None) as near:
            asked = Request("POST", self._at.prefix + path, {}, body)
            answer = await near.ask(asked, self._patience_s, ANSWER_BYTES_MAX)
        if answer.status == 429:
            said = answer.header("retry-after")
            seconds = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 1
            raise WitnessBusy(who="run", seconds=seconds)
        return answer


def _size(body: bytes, size_max: int) -> int:
    """Read up to where a witness says that it cosigned; raise BadWitness where that cannot be."""
    found = _SIZE.fullmatch(body.decode("ascii", "replace"))
    if found is None or int(found[1]) > size_max:
        raise BadWitness(reason="it names a size that this journal never had")
    return int(found[1])


def _refused(answer: Response) -> WitnessRefused:
    return WitnessRefused(said=code_in(answer.status, answer.body.rstrip(b"\n")))
