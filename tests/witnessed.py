"""A real witness as a child process, and the journals of runs that are shown to it."""

import json
import ssl
import subprocess
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

from gateway.clock import random_bytes
from gateway.groups import admission, witnessing
from gateway.records import checkpoint, merkle, roster
from gateway.records.roster import Roster
from gateway.records.run import Run
from gateway.store import witness
from tests.agents import HULIAN
from tests.linked import HOST, free_port
from tests.people import Party

WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Tree:
    """A run's journal; `salt` makes it another one from leaf `since` on."""

    run: Run
    salt: bytes = b""
    since: int = 0

    def subtree(self, size: int) -> merkle.Subtree:
        """Serve its subtrees."""
        leaves = [
            merkle.leaf_hash(b"%d" % at + (self.salt if at >= self.since else b""))
            for at in range(size)
        ]
        return merkle.subtrees_of(leaves)

    def note(self, size: int) -> bytes:
        """Sign its checkpoint at a size."""
        root = merkle.frontier(size, self.subtree(size)).root()
        return checkpoint.sign(self.run.key, size, root)

    def shown(self, old: int, size: int) -> bytes:
        """Give the request to cosign it, from an old size."""
        proof = merkle.consistency(old, size, self.subtree(size)) if 0 < old < size else ()
        return witnessing.encode(old, proof, self.note(size))


def naming(before: Roster, who: Party, public: bytes, *others: Party) -> Roster:
    """Make the roster after another, in which somebody's witness has a key."""
    payload = admission.naming_witness(before, who.root.id, public, 0)
    signatures = [roster.sign(each.root, payload) for each in (who, *others)]
    return roster.decode_next(roster.assemble(payload, signatures), before)


def shows(run: Run) -> bytes:
    """Give what a run's gateway shows of itself."""
    return witnessing.introduce(run.credentials.node.encoded, run.credentials.run.encoded)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class WitnessProcess:
    """One witness; start it, kill it, ask it."""

    folder: Path
    organisation: bytes
    consortia: list[bytes]
    plain: bool = True
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    public: bytes = b""

    def __post_init__(self) -> None:
        """Make its key, unless it has one."""
        self.state, self.number = self.folder / "witness", self.folder / "witness-number"
        if not self.state.exists():
            self.folder.mkdir(exist_ok=True)
            made = (self.state, self.number, self.organisation, self.consortia, random_bytes)
            self.public = witness.create(*made)

    @property
    def url(self) -> str:
        """Give the address by which gateways are told of it."""
        return f"{'http' if self.plain else 'https'}://{HOST}:{self.port}"

    def start(self, *command: str) -> dict[str, Any]:
        """Start it, and give what it says once it listens."""
        words = command or (*HULIAN, "witness", "run")
        options = ["--state", str(self.state), "--listen", f"{HOST}:{self.port}", "--json"]
        options += ["--plain"] if self.plain else []
        self.process = subprocess.Popen(
            [*words, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        """Kill it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """Ask it to stop; give its exit status."""
        assert self.process is not None
        self.process.terminate()
        self.process.communicate(timeout=WAIT_S)
        return self.process.returncode

    def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask it over a connection of its own."""
        if self.plain:
            near = HTTPConnection(HOST, self.port, timeout=WAIT_S)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            near = HTTPSConnection(HOST, self.port, timeout=WAIT_S, context=context)
        try:
            near.request(method, path, body)
            heard = near.getresponse()
            return Answer(heard.status, heard.read(), dict(heard.getheaders()))
        finally:
            near.close()

    def cosign(self, tree: Tree, old: int, size: int) -> Answer:
        """Show it a journal."""
        return self.ask("POST", "/add-checkpoint", tree.shown(old, size))

    def health(self) -> dict[str, Any]:
        """Ask how it is."""
        said: dict[str, Any] = json.loads(self.ask("GET", "/health").body)
        return said
