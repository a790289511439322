"""How a person signs at the command line: here with a key file, or elsewhere, by files.

In: a sheet, and the options that say where the key is. Out: the signature with the certificate that
belongs to it; nothing, where the sheet was only written to be carried. The text is shown and six
digits are asked for before a passphrase is: what is signed was read, just now. No key is read that
lies in the gateway's own folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.activities import sheet
from gateway.activities.sheet import Sheet, Signature
from gateway.cli import place
from gateway.cli.pairing import read_file, write_file
from gateway.cli.words import say
from gateway.errors import (
    AuthorError,
    GatewayError,
    KeyOnGateway,
    NotConfirmed,
    OtherSheet,
    PersonUncertified,
    ValueMissing,
)
from gateway.records import cose
from gateway.store import persons
from gateway.store.state import State

KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="the person's own key, to sign here")
]
SheetFile = Annotated[
    Path | None,
    typer.Option("--request", metavar="FILE", help="write what the person, elsewhere, must sign"),
]
SignedFile = Annotated[
    Path | None, typer.Option("--signed", metavar="FILE", help="what 'hulian order sign' wrote")
]
Confirmed = Annotated[
    str | None, typer.Option("--confirm", metavar="DIGITS", help="those beside the text: scripts")
]
KeyPassphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="the key's passphrase: for scripts"),
]


@dataclass(frozen=True, slots=True)
class Pen:
    """Where a person's key is: a file here, or somewhere else, reached by files."""

    key: Path | None = None
    request: Path | None = None
    signed: Path | None = None
    passphrase: Path | None = None
    digits: str | None = None

    def check(self, command: str) -> None:
        """See that exactly one way to sign is meant; raise ValueMissing."""
        if [self.key, self.request, self.signed].count(None) != 2:
            raise ValueMissing(command=command, option="--key / --request / --signed FILE")

    def sign(self, wanted: Sheet) -> Signature | None:
        """Have a sheet signed here; None where it was written to be carried."""
        if self.request is not None:
            write_file(self.request, sheet.encode(wanted))
            return None
        assert self.key is not None, "check() saw that there is a way"
        refuse_here(self.key)
        return confirmed(wanted, self.key, (self.passphrase, self.digits))

    def brought(self, what: str) -> Signature:
        """Read what was signed elsewhere; raise OtherSheet where it is of another kind."""
        assert self.signed is not None, "asked for only where there is a file"
        found = sheet.decode_signature(read_file(self.signed))
        if found.what != what:
            raise OtherSheet(found=found.what, expected=what)
        return found


def confirmed(wanted: Sheet, key: Path, said: tuple[Path | None, str | None]) -> Signature:
    """Show what is signed, have the digits below it typed, and sign; raise NotConfirmed."""
    passphrase_file, digits = said
    typer.echo(wanted.text, err=True)
    if digits is None:
        typer.echo(say("The digits of this text: {digits}", digits=wanted.digits), err=True)
        digits = str(typer.prompt(say("Type them to sign it"), err=True))
    if "".join(digits.split()) != wanted.digits:
        raise NotConfirmed
    if passphrase_file is None:
        asked = say("The passphrase of the person's key")
        opened = persons.open_key(key, str(typer.prompt(asked, hide_input=True, err=True)))
    else:
        opened = persons.open_key(
            key, read_file(passphrase_file).decode("utf-8", "replace").strip()
        )
    return sheet.sign(opened, wanted)


def refuse_here(key: Path) -> None:
    """See that a person's key does not lie in this gateway's folder; raise KeyOnGateway."""
    try:
        folder = place.state_dir().resolve()
    except GatewayError:  # A person's own computer has no gateway, and no config.
        return
    if folder in key.resolve().parents:
        raise KeyOnGateway(path=key, state_dir=folder)


def certificate_of(held: State, signed: Signature) -> bytes:
    """Give the certificate of whoever signed, of this organisation; raise PersonUncertified."""
    told = cose.decode(signed.encoded, signed.what)
    for each in persons.load(held.path, held.rosters):
        try:
            told.verify(each.certificate.key)
        except AuthorError:
            continue
        if not each.is_revoked:
            return each.certificate.encoded
    raise PersonUncertified


def carried(wanted: Sheet, path: Path | None) -> tuple[dict[str, object], list[str]]:
    """Tell how a sheet goes to the person and comes back."""
    facts: dict[str, object] = {"state": "asked", "text": wanted.text, "digits": wanted.digits}
    lines = [
        wanted.text,
        say("{path} is to be signed on the person's own computer:", path=path),
        say("there 'hulian order sign {path} --key KEY -o SIGNED'", path=path),
        say("then here the same command with --signed SIGNED alone"),
    ]
    return facts, lines
