"""What the state directory keeps of pairing, so that every command can be typed again.

In: invitations made here, joinings begun here, and what a consortium's members share. Out: the same
after a restart. All of it is secret: 0600. Protocol: docs/protocol/pairing.md.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Final

from gateway.errors import AuthorError, MalformedCbor, StateDamaged, StateUnwritable
from gateway.groups.pairing import SECRET_BYTES, Invited, Motion, mailbox
from gateway.records import cbor, identity
from gateway.records.identity import Certificate
from gateway.store import folder

_FOLDER: Final = "pairing"
_REVOCATIONS: Final = "revocations"


class Stage(IntEnum):
    """How far an invitation or a joining is."""

    OPEN = 0
    ADMITTED = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class Invitation:
    """One that was made here; `paper` is what the first who answered it has signed."""

    secret: bytes
    invited: Invited
    consortium: bytes
    made_s: int | None
    expires_s: int | None
    stage: Stage = Stage.OPEN
    paper: bytes | None = None
    heard_s: int | None = None
    certificate: bytes | None = None

    @property
    def file(self) -> str:
        """Name its file."""
        return f"invitation-{mailbox(self.secret).tag}.cbor"

    def has_expired(self, now_s: int | None) -> bool:
        """Say whether nobody may use it any more, as far as the clock says."""
        if now_s is None or self.expires_s is None:
            return False
        return now_s >= self.expires_s


@dataclass(frozen=True, slots=True)
class Joining:
    """One that was begun here; `inviter` is the organisation whose fingerprint was confirmed."""

    secret: bytes
    invited: Invited
    roster: bytes
    stage: Stage = Stage.OPEN
    inviter: bytes | None = None
    payload: bytes | None = None
    paper: bytes | None = None

    @property
    def file(self) -> str:
        """Name its file."""
        return f"joining-{mailbox(self.secret).tag}.cbor"


@dataclass(frozen=True, slots=True)
class Shared:
    """What members of a consortium share: the secret of its mailbox, and what is moved."""

    consortium: bytes
    secret: bytes
    motions: tuple[Motion, ...] = ()

    @property
    def file(self) -> str:
        """Name its file."""
        return f"consortium-{self.consortium.hex()[:32]}.cbor"


@dataclass(frozen=True, slots=True)
class Kept:
    """All of it."""

    invitations: tuple[Invitation, ...]
    joinings: tuple[Joining, ...]
    shared: dict[bytes, Shared]


def load(state_dir: Path) -> Kept:
    """Read everything; raise StateDamaged or StateOpen."""
    invitations, joinings, shared = [], [], {}
    for path in sorted((state_dir / _FOLDER).glob("*.cbor")):
        try:
            said = cbor.decode(folder.read_own(path), folder.FILE_BYTES_MAX)
        except MalformedCbor as fault:
            raise StateDamaged(path=path, reason=fault) from None
        found = _read(said)
        if found is None or found.file != path.name:
            raise StateDamaged(path=path, reason="it is not what its name says")
        match found:
            case Invitation():
                invitations.append(found)
            case Joining():
                joinings.append(found)
            case Shared():
                shared[found.consortium] = found
    return Kept(tuple(invitations), tuple(joinings), shared)


def share(state_dir: Path, consortium: bytes, secret: bytes) -> None:
    """Have a mailbox of a consortium's members, under this secret where there is none yet."""
    if consortium not in load(state_dir).shared:
        keep(state_dir, Shared(consortium, secret))


def keep(state_dir: Path, kept: Invitation | Joining | Shared) -> None:
    """Keep one of them, whole or not at all."""
    folder.make(state_dir / _FOLDER)
    folder.keep(state_dir / _FOLDER / kept.file, cbor.encode(_said(kept)))


def forget(state_dir: Path, kept: Invitation | Joining) -> None:
    """Forget one that is over."""
    path = state_dir / _FOLDER / kept.file
    try:
        path.unlink(missing_ok=True)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault


def keep_revocation(state_dir: Path, encoded: bytes) -> None:
    """Keep a revocation whose signature the caller has verified, unless a later one is there."""
    said = identity.decode(encoded, "revocation")
    path = state_dir / _REVOCATIONS / f"{said.issuer.hex()}-{said.subject.hex()}.cbor"
    if path.exists() and _revocation(path).counter >= said.counter:
        return
    folder.make(path.parent)
    folder.keep(path, encoded)


def load_revocations(state_dir: Path) -> tuple[bytes, ...]:
    """Read every revocation known; raise StateDamaged."""
    paths = sorted((state_dir / _REVOCATIONS).glob("*.cbor"))
    return tuple(sorted(_revocation(each).encoded for each in paths))


def _revocation(path: Path) -> Certificate:
    try:
        return identity.decode(folder.read_own(path), "revocation")
    except AuthorError as fault:
        raise StateDamaged(path=path, reason=fault) from None


def _said(kept: Invitation | Joining | Shared) -> object:
    match kept:
        case Invitation():
            times = [kept.made_s, kept.expires_s, kept.heard_s]
            where = [kept.secret, int(kept.invited), kept.consortium, int(kept.stage)]
            return {0: 1, 1: where, 2: times, 3: kept.paper, 4: kept.certificate}
        case Joining():
            where = [kept.secret, int(kept.invited), kept.roster, int(kept.stage)]
            return {0: 1, 5: where, 6: kept.inviter, 7: kept.payload, 3: kept.paper}
        case Shared():
            motions = [[each.proposal, each.secret, each.since_s] for each in kept.motions]
            return {0: 1, 8: kept.consortium, 9: kept.secret, 10: motions}


def _read(said: object) -> Invitation | Joining | Shared | None:
    match said:
        case {
            0: 1,
            1: [bytes() as secret, int() as invited, bytes() as consortium, int() as stage],
            2: [None | int() as made_s, None | int() as expires_s, None | int() as heard_s],
            3: None | bytes() as paper,
            4: None | bytes() as certificate,
        } if _is_known(secret, invited, stage):
            known = Invitation(secret, Invited(invited), consortium, made_s, expires_s)
            return replace(
                known, stage=Stage(stage), paper=paper, heard_s=heard_s, certificate=certificate
            )
        case {
            0: 1,
            5: [bytes() as secret, int() as invited, bytes() as roster, int() as stage],
            6: None | bytes() as inviter,
            7: None | bytes() as payload,
            3: None | bytes() as paper,
        } if _is_known(secret, invited, stage):
            begun = Joining(secret, Invited(invited), roster, Stage(stage))
            return replace(begun, inviter=inviter, payload=payload, paper=paper)
        case {0: 1, 8: bytes() as consortium, 9: bytes() as secret, 10: list() as rows}:
            motions = [each for each in map(_motion, rows) if each is not None]
            if len(motions) == len(rows) and len(secret) == SECRET_BYTES:
                return Shared(consortium, secret, tuple(motions))
    return None


def _is_known(secret: bytes, invited: int, stage: int) -> bool:
    return len(secret) == SECRET_BYTES and invited in list(Invited) and stage in list(Stage)


def _motion(row: object) -> Motion | None:
    match row:
        case [bytes() as proposal, None | bytes() as secret, None | int() as since_s]:
            return Motion(proposal, secret, since_s)
    return None
