"""`person add`, `person list`, `person revoke`: people who may approve and order.

In: a name and the public half of a key, or a new key file to be made for that person. Out: a
certificate by the organisation's root, kept here. A person's key stays on that person's computer.
Where the root is on another machine, the request and its answer travel as files.
"""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import place
from gateway.cli.organising import check_name, new_passphrase, now_s
from gateway.cli.pairing import (
    AsJson,
    PassphraseFile,
    passphrase,
    read_file,
    shown,
    tell,
    write_file,
)
from gateway.cli.setting_up import fingerprint
from gateway.cli.words import pad, say
from gateway.clock import random_bytes
from gateway.errors import (
    BadPersonKey,
    FileUnusable,
    GatewayError,
    MalformedRequest,
    NotSigned,
    RootElsewhere,
    ValueMissing,
    WeakKey,
    WrongValue,
)
from gateway.records import identity, request
from gateway.records.cose import check_public, key_id
from gateway.records.identity import Certificate
from gateway.records.request import Answer, PersonRequest, RevocationRequest
from gateway.store import consortium, persons, signing, state
from gateway.store.persons import Person
from gateway.store.state import State

_ADD, _REVOKE = "hulian person add", "hulian person revoke"
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")
_ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, up to the 32 bytes of the key
_HEX = re.compile(rb"[0-9a-fA-F]{64}")

commands = typer.Typer(no_args_is_help=True, help="People who may approve and order.")
RequestFile = Annotated[
    Path | None,
    typer.Option("--request", metavar="FILE", help="write what the root, elsewhere, must sign"),
]
SignedFile = Annotated[
    Path | None,
    typer.Option("--signed", metavar="FILE", help="what 'hulian org sign' wrote"),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="person")


@dataclass(frozen=True, slots=True)
class Signer:
    """How the organisation's root signs: under a passphrase, or elsewhere by files."""

    passphrase_file: Path | None
    request_file: Path | None

    def sign(self, held: State, wanted: PersonRequest | RevocationRequest) -> Certificate | None:
        """Have it signed and kept; None where it was only asked for."""
        if self.request_file is not None:
            write_file(self.request_file, request.encode(wanted))
            return None
        if not state.has_root(held.path):  # before anybody is asked for a passphrase
            raise RootElsewhere(path=held.path)
        root = state.root_key(held.path, passphrase(self.passphrase_file))
        return _kept(held, signing.answer(held.path, root, wanted, now_s()))


@commands.command("add")
def add(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="as others know it")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="the person's key; the public half")
    ] = None,
    new: Annotated[
        Path | None, typer.Option("--new", metavar="FILE", help="make a key file for the person")
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="the person is known; this is a new key")
    ] = False,
    request_file: RequestFile = None,
    signed: SignedFile = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Certify a person of this organisation by the public half of the person's key."""
    held = state.load(place.state_dir())
    if signed is not None:
        _tell_added(_answered(held, signed), {}, as_json)
        return
    if name is None:
        raise ValueMissing(command=_ADD, option="NAME")
    if (key is None) == (new is None):
        raise ValueMissing(command=_ADD, option="--key FILE / --new FILE")
    signer = Signer(passphrase_file, request_file)
    if key is not None:
        _tell_added(signer.sign(held, _wanted(held, name, _public(key), renew)), {}, as_json)
    if new is not None:
        _tell_added(*_added_new(held, name, new, renew, signer), as_json)


@commands.command("list")
def list_persons(as_json: AsJson = False) -> None:
    """List the people of this organisation."""
    held = state.load(place.state_dir())
    known = persons.load(held.path, held.rosters)
    if as_json:
        print(json.dumps({"persons": [_facts(each) for each in known]}, ensure_ascii=False))
        return
    for each in known:
        word = say("revoked") if each.is_revoked else say("certified")
        shown_id = identity.show_id(each.certificate.subject)
        print(f"{pad(each.certificate.name, 24)} {shown_id}  {word}")
    print(say("{count} people are known here", count=len(known)))


@commands.command("revoke")
def revoke(
    who: Annotated[str | None, typer.Argument(metavar="NAME", help="a name, or an id")] = None,
    request_file: RequestFile = None,
    signed: SignedFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask: for scripts")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a person: nothing new under the certificates so far counts any more."""
    held = state.load(place.state_dir())
    if signed is not None:
        _tell_revoked(held, _answered(held, signed), as_json)
        return
    if who is None:
        raise ValueMissing(command=_REVOKE, option="NAME")
    found = persons.find(persons.load(held.path, held.rosters), who).certificate
    for line in (say("This revokes {name}:", name=found.name), *shown(found.subject)):
        typer.echo(line, err=True)
    if not yes and not typer.confirm(say("Is this the person?"), err=True):
        raise NotSigned
    wanted = RevocationRequest(found.subject, found.counter, found.name)
    _tell_revoked(held, Signer(passphrase_file, request_file).sign(held, wanted), as_json)


def _wanted(held: State, name: str, public: bytes, renew: bool) -> PersonRequest:
    """Give what is asked of the root: a first certificate, or the next one of somebody known."""
    known = persons.load(held.path, held.rosters)
    if renew:
        found = persons.find(known, name).certificate
        return PersonRequest(found.subject, found.counter + 1, found.name, public)
    check_name(name, _ADD, "NAME")
    taken = {each.certificate.name for each in known} | {each.certificate.subject for each in known}
    if name in taken or key_id(public) in taken:
        reason = "there is a person with this name or key already; --renew gives a new key"
        raise WrongValue(command=_ADD, option="NAME", reason=reason)
    return PersonRequest(key_id(public), signing.FIRST_COUNTER, name, public)


def _added_new(
    held: State, name: str, path: Path, renew: bool, signer: Signer
) -> tuple[Certificate | None, dict[str, object]]:
    """Make a key file, which is taken away again where its key is not certified."""
    if path.exists():
        raise FileUnusable(path=path, reason="it exists already")
    drawn = new_passphrase()
    public = persons.make_key_file(path, name, random_bytes, drawn)
    try:
        added = signer.sign(held, _wanted(held, name, public, renew))
    except (GatewayError, typer.Abort):
        path.unlink()
        raise
    return added, {"key_file": str(path), "key_passphrase": drawn}


def _public(path: Path) -> bytes:
    """Read the public half of a person's key; raise BadPersonKey."""
    content = read_file(path)
    found = persons.read_public(path)
    if (armoured := _PEM.search(content)) is not None:
        der = base64.b64decode(b"".join(armoured[1].split()))
        found = der.removeprefix(_ED25519) if der.startswith(_ED25519) else None
    elif _HEX.fullmatch(content.strip()):
        found = bytes.fromhex(content.decode())
    try:
        check_public(found or b"")
    except WeakKey:
        raise BadPersonKey(path=path) from None
    assert found is not None
    return found


def _answered(held: State, path: Path) -> Certificate:
    answer = request.decode_answer(read_file(path))
    return _kept(held, answer)


def _kept(held: State, answer: Answer) -> Certificate:
    """Verify what the root signed, and keep it; raise an AuthorError or MalformedRequest."""
    if answer.what not in ("person", "revocation"):
        raise MalformedRequest(reason="it is not about a person")
    found = identity.decode(answer.signed[0], answer.what)
    if found.issuer != held.organisation or not consortium.is_vouched(found, held.rosters):
        raise MalformedRequest(reason="another organisation signed it")
    for each in persons.load(held.path, held.rosters):
        known = each.certificate if answer.what == "person" else each.revocation
        if known and known.subject == found.subject and known.counter > found.counter:
            raise MalformedRequest(reason="it is older than what is known here")
    persons.keep(held.path, found)
    return found


def _facts(each: Person) -> dict[str, object]:
    found = each.certificate
    return {
        "person": found.subject.hex(),
        "name": found.name,
        "key": found.key.hex(),
        "counter": found.counter,
        "revoked": each.is_revoked,
        "fingerprint": fingerprint(found.subject),
    }


def _tell_added(added: Certificate | None, more: dict[str, object], as_json: bool) -> None:
    facts, lines = {"state": "asked"} | more, [_asked()]
    if added is not None:
        facts = _facts(Person(added)) | {"state": "certified"} | more
        lines = [say("{name} is certified:", name=added.name), *shown(added.subject)]
    if more:
        lines += [
            "",
            say(
                "The person's key is in {path}; move it to that person's computer",
                path=more["key_file"],
            ),
            say("Its passphrase, shown once, is for that person alone:"),
            f"  {more['key_passphrase']}",
        ]
    tell(facts, lines, as_json)


def _tell_revoked(held: State, found: Certificate | None, as_json: bool) -> None:
    if found is None:
        tell({"state": "asked"}, [_asked()], as_json)
        return
    known = persons.load(held.path, held.rosters)
    names = [each.certificate.name for each in known if each.certificate.subject == found.subject]
    facts: dict[str, object] = {"state": "revoked", "person": found.subject.hex()}
    name = names[0] if names else identity.show_id(found.subject)
    tell(facts, [say("{name} is revoked", name=name)], as_json)


def _asked() -> str:
    return say("Next: carry the request to the root key, and the answer back: --signed FILE")
