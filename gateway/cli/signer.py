"""How the organisation's root signs: here under its passphrase, or elsewhere, by files.

In: a request. Out: the root's answer; nothing, where the request was only written to a file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import desk, pairing as people
from gateway.cli.words import say
from gateway.errors import MalformedRequest
from gateway.records import request
from gateway.records.request import Answer, NodeRequest, Request, RevocationRequest, RosterRequest
from gateway.store import signing, state

RequestFile = Annotated[
    Path | None,
    typer.Option("--request", metavar="FILE", help="write what the root, elsewhere, must sign"),
]
SignedFile = Annotated[
    Path | None,
    typer.Option("--signed", metavar="FILE", help="what 'hulian org sign' wrote"),
]


@dataclass(frozen=True, slots=True)
class Signer:
    """The passphrase's file, where a request is to be written, where its answer is."""

    passphrase: Path | None
    request: Path | None
    signed: Path | None

    def sign(self, state_dir: Path, wanted: Request) -> Answer | None:
        """Have the root answer; None where the request was written for it to be carried."""
        if self.request is not None:
            people.write_file(self.request, request.encode(wanted))
            return None
        if self.signed is not None:
            answer = request.decode_answer(people.read_file(self.signed))
            if answer.what != _what(wanted):
                raise MalformedRequest(reason="the file answers another request")
            return answer
        root = state.root_key(state_dir, people.passphrase(self.passphrase))
        return signing.answer(state_dir, root, wanted, desk.now_s())

    def carried(self) -> list[str]:
        """Say how the request goes to the root's computer and comes back."""
        path = self.request
        return [
            say("{path} is to be signed where the root key is:", path=path),
            say(
                "there 'hulian org sign {path} -o ANSWER'; then this again with --signed ANSWER",
                path=path,
            ),
        ]


def _what(wanted: Request) -> str:
    match wanted:
        case NodeRequest():
            return "node"
        case RevocationRequest():
            return "revocation"
        case RosterRequest():
            return "roster"
    return "person"
