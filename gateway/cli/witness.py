"""`witness init, run, show, trust`: this organisation's witness, on whatever computer it is.

In: folders, an address. Out: a key for the roster, and a process that cosigns. What a person must
know of backups is said where the key is made. Guide: docs/witness.md.
"""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from gateway.agent import notify
from gateway.cli import place
from gateway.cli.pairing import AsJson, tell
from gateway.cli.words import say
from gateway.clock import KernelClock, random_bytes
from gateway.config.addresses import listen as read_listen
from gateway.errors import ValueMissing, WeakKey, WitnessMissing, WitnessRetired, WrongValue
from gateway.records import checkpoint
from gateway.records.cose import check_public
from gateway.records.roster import Organisation, Roster
from gateway.store import consortium, signing, witness
from gateway.transport.http_server import Listening
from gateway.web.witness import Clock, Door

_STATE = Path("/var/lib/hulian-witness")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
State = Annotated[
    Path, typer.Option("--state", metavar="FOLDER", help="its key, and what it cosigned")
]
Numbers = Annotated[
    Path | None,
    typer.Option("--number", metavar="FOLDER", help="never in a backup; else FOLDER-number"),
]
ConsortiumIds = Annotated[
    list[str] | None,
    typer.Option("--consortium", metavar="HASH", help="whom it cosigns for; may be repeated"),
]


commands = typer.Typer(no_args_is_help=True, help="This organisation's witness.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="witness")


@commands.command()
def init(
    state: State = _STATE,
    number: Numbers = None,
    org: Annotated[
        str | None, typer.Option("--org", metavar="ID", help="absent: of the gateway here")
    ] = None,
    consortia: ConsortiumIds = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="put a retired key aside and make a new one")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a witness' key, and print it for the roster."""
    numbers = _numbers(state, number)
    own, trusted = _whose(state, org, renew)
    if renew:
        with witness.occupy(state):
            witness.retire(state)
    said = [_hex(each, 32, "--consortium") for each in consortia or ()]
    public = witness.create(state, numbers, own, said or trusted, random_bytes)
    facts: dict[str, object] = {
        "name": checkpoint.witness_name(own),
        "key": public.hex(),
        "state": str(state),
        "number": str(numbers),
        "consortia": [each.hex() for each in said or trusted],
    }
    lines = [
        say("The witness' key: {key}", key=public.hex()),
        say("Next, at a gateway: 'hulian consortium witness {key}'", key=public.hex()),
        say("Never restore {state} from a backup, nor copy {number} anywhere", **facts),
        say("Then type 'hulian witness run'"),
    ]
    tell(facts, lines, as_json)


@commands.command()
def run(
    state: State = _STATE,
    number: Numbers = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="where gateways reach it")
    ] = "127.0.0.1:8480",
    plain: Annotated[
        bool, typer.Option("--plain", help="without TLS, behind a proxy that has it")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cosign what gateways show, until told to stop."""
    try:
        at = read_listen(listen)
    except ValueError as fault:
        raise WrongValue(command="hulian witness run", option="--listen", reason=fault) from None
    with ExitStack() as stack:
        stack.enter_context(witness.occupy(state))
        one = witness.load(state, _numbers(state, number))
        stack.callback(one.close)
        facts: dict[str, object] = {"state": "signing", "name": one.name, "key": one.public.hex()}
        lines = [say("{name} cosigns at {listen}", name=one.name, listen=listen)]
        clock = KernelClock()
        door = Door(one, Clock(lambda: clock.now().unix_ms // 1000, time.monotonic))
        seed = None if plain else random_bytes(32)

        def listening() -> None:
            tell(facts | {"listen": listen}, lines, as_json)
            notify("READY=1")

        asyncio.run(_until_stopped(door, Listening(at.host, at.port, seed), listening))


@commands.command()
def show(state: State = _STATE, number: Numbers = None, as_json: AsJson = False) -> None:
    """Say whether it may sign, what it cosigned, and for whom; exit status 1 where it may not."""
    try:
        one = witness.load(state, _numbers(state, number))
    except WitnessRetired as fault:
        reason = str(fault.facts["reason"])
        lines = [say("retired: {reason}", reason=reason), say(fault.next)]
        tell({"state": "retired", "reason": reason}, lines, as_json)
        raise typer.Exit(1) from None
    counted = one.counted()
    facts: dict[str, object] = {
        "state": "signing",
        "name": one.name,
        "key": one.public.hex(),
        "named": one.is_named(),
        "journals": counted.journals,
        "cosigned": counted.cosigned,
        "forks": [
            {"origin": origin, "first": first.decode(), "second": second.decode()}
            for origin, first, second in one.forks()
        ],
        "consortia": [each.hex() for each in one.consortia()],
    }
    one.close()
    lines = [
        one.name,
        say("key {key}", key=one.public.hex()),
        say("A roster names this key" if facts["named"] else "No roster here names this key yet"),
        say(
            "{journals} journals, {cosigned} cosigned, {forks} with two histories",
            **facts | {"forks": counted.forks},
        ),
    ]
    tell(facts, lines, as_json)


@commands.command()
def trust(
    consortium_id: Annotated[str, typer.Argument(metavar="HASH", help="of its first roster")],
    state: State = _STATE,
    number: Numbers = None,
    as_json: AsJson = False,
) -> None:
    """Cosign for the members of one consortium more."""
    one, named = witness.load(state, _numbers(state, number)), _hex(consortium_id, 32, "HASH")
    one.trust(named)
    one.close()
    _, trusted = witness.settled(state)
    facts = {"consortium": named.hex(), "consortia": [each.hex() for each in trusted]}
    tell(facts, [say("it cosigns for the members of {consortium}", **facts)], as_json)


def tell_witness(own: Organisation, within: Roster, as_json: bool) -> None:
    """Say which witness an organisation has, and how it makes one."""
    key = None if own.witness is None else own.witness.hex()
    command = f"hulian witness init --org {own.id.hex()} --consortium {within.consortium.hex()}"
    lines = [say("The witness' key: {key}", key=key)] if key else [say("No witness is named yet")]
    lines.append(say("On the witness' computer: {command}", command=command))
    tell({"key": key, "command": command}, lines, as_json)


def witness_key(said: str) -> bytes:
    """Read a witness' key; raise WrongValue."""
    key = _hex(said, 32, "KEY")
    try:
        check_public(key)
    except WeakKey:
        reason = "it is no Ed25519 public key"
        raise WrongValue(command="hulian consortium witness", option="KEY", reason=reason) from None
    return key


def _whose(state: Path, org: str | None, renew: bool) -> tuple[bytes, list[bytes]]:
    """Say for whom a new witness cosigns: whom it was told, else as before, else as here."""
    if org is not None:
        return _hex(org, 16, "--org"), []
    if renew:
        try:
            return witness.settled(state)
        except WitnessMissing:
            raise ValueMissing(command="hulian witness init --renew", option="--org ID") from None
    folder = place.state_dir()
    rosters = consortium.load_rosters(folder).values()
    return signing.own(folder).id, sorted({each.consortium for each in rosters})


async def _until_stopped(door: Door, at: Listening, listening: Callable[[], None]) -> None:
    serving = asyncio.ensure_future(door.serve(at, listening))
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        notify("STOPPING=1")


def _numbers(state: Path, said: Path | None) -> Path:
    return state.with_name(f"{state.name}-number") if said is None else said


def _hex(said: str, size: int, option: str) -> bytes:
    if len(said) != 2 * size or not _HEX.fullmatch(said):
        reason = f"it is not {2 * size} lower-case hexadecimal digits"
        raise WrongValue(command="hulian witness", option=option, reason=reason)
    return bytes.fromhex(said)
