"""`init` and `check`: from nothing to a config that is known to be good."""

import json
import os
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from mnemonic import Mnemonic

from gateway.cli import place
from gateway.cli.words import language, say
from gateway.clock import KernelClock, random_bytes
from gateway.config import load, show
from gateway.errors import ConfigFaults, FileUnusable, GatewayError, WrongValue
from gateway.peers.searching import check_installed
from gateway.readings.names import is_name
from gateway.records import identity
from gateway.store import state
from gateway.store.state import Names, State

_DIGITS = 40
_STATE_DIR = "/var/lib/hulian"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command()(check)


def fingerprint(identity_: bytes) -> dict[str, str]:
    """Give an id in the three ways in which people compare it on two screens."""
    digits = str(int.from_bytes(identity_, "big")).zfill(_DIGITS)
    return {
        "id": identity.show_id(identity_),
        "words": Mnemonic("english").to_mnemonic(identity_),
        "digits": " ".join(digits[at : at + 5] for at in range(0, _DIGITS, 5)),
    }


def shown(identity_: bytes) -> list[str]:
    """Give a fingerprint in the lines in which a person reads it out, in the person's language."""
    facts = fingerprint(identity_)
    if language(dict(os.environ)) == "zh":
        facts["words"] = Mnemonic("chinese_simplified").to_mnemonic(identity_)
    return [f"  {facts['id']}", f"  {facts['words']}", f"  {facts['digits']}"]


# A command: its parameters are its command line.
def init(
    name: Annotated[str, typer.Option(prompt="This gateway's name", help="e.g. press-shop")],
    org: Annotated[str, typer.Option(prompt="The organisation's name", help="e.g. Alpha Ltd")],
    state_dir: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", prompt="The folder for keys and records", help="its own folder"
        ),
    ] = Path(_STATE_DIR),
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Make keys and a commented gateway.toml, and print the fingerprint."""
    text = _config_text(name, state_dir)
    _check_names(name, org, text)  # what would be refused later is refused before any key is made
    moment = KernelClock().now()
    issued_s = moment.unix_ms // 1000 or None
    passphrase = Mnemonic("english").to_mnemonic(random_bytes(16))
    path = place.config_path()
    written = _write_config(path, text)
    try:
        made = state.create(state_dir, Names(name, org), random_bytes, issued_s, passphrase)
    except GatewayError:
        if written:
            path.unlink()
        raise
    facts = _facts(made, name, org) | {
        "config": str(path),
        "config_written": written,
        "passphrase": passphrase,
    }
    print(json.dumps(facts, ensure_ascii=False) if as_json else _told(facts, made))


def check(
    effective: Annotated[
        bool, typer.Option("--show", help="print the config that is in effect")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Check the config alone; nothing is changed."""
    path = place.config_path()
    try:
        found = place.config()
    except ConfigFaults as faults:
        if as_json:
            print(json.dumps({"ok": False, "config": str(path), "faults": _faults(faults)}))
        raise
    check_installed(found.link)
    if effective:
        print(show(found))
    elif as_json:
        sources = [source.name for source in found.source]
        good = {"ok": True, "config": str(path), "sources": sources, "faults": []}
        print(json.dumps(good))
    else:
        print(say("{path} is good: {count} source(s)", path=path, count=len(found.source)))


def _faults(found: ConfigFaults) -> list[dict[str, object]]:
    """Give each fault of a config to a program."""
    return [
        {
            "code": fault.code,
            "line": fault.facts["line"],
            "key": fault.facts["key"],
            "reason": str(fault),
        }
        for fault in found.faults
    ]


def _check_names(name: str, org: str, text: str) -> None:
    """Refuse a name that the config or a certificate cannot hold."""
    command = "hulian init"
    try:
        load(text)
    except ConfigFaults as faults:
        reason = faults.faults[0].facts.get("expected", faults.faults[0])
        found = str(faults.faults[0].facts["key"])
        option = "--name" if found == "gateway.name" else "--state-dir"
        raise WrongValue(command=command, option=option, reason=reason) from None
    if not is_name(org):
        reason = "1 to 128 letters without control characters"
        raise WrongValue(command=command, option="--org", reason=reason)


def _config_text(name: str, state_dir: Path) -> str:
    template = resources.files("gateway.cli").joinpath("gateway.toml").read_text("utf-8")
    folder = json.dumps(str(state_dir.absolute()), ensure_ascii=False)
    return template.replace("@NAME@", json.dumps(name)).replace("@STATE_DIR@", folder)


def _write_config(path: Path, text: str) -> bool:
    if path.is_file():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise FileUnusable(path=path, reason=fault.strerror) from fault
    return True


def _facts(made: State, name: str, org: str) -> dict[str, object]:
    return {
        "gateway": name,
        "organisation": org,
        "node": made.node_id.hex(),
        "org": made.organisation.hex(),
        "roster": made.roster.hash.hex(),
        "state_dir": str(made.path),
        "fingerprint": fingerprint(made.organisation),
    }


def _told(facts: dict[str, object], made: State) -> str:
    config = say(
        "config: {path} written" if facts["config_written"] else "config: {path} kept as it was",
        path=facts["config"],
    )
    lines = [
        say("{gateway} of {organisation} is ready, in {state_dir}", **facts),
        config,
        "",
        say("The organisation's fingerprint, to compare by telephone:"),
        *shown(made.organisation),
        "",
        say("Its roster's hash, which a proof is checked against:"),
        f"  {facts['roster']}",
        "",
        say("The passphrase of the organisation's keys, shown once; write it on paper:"),
        f"  {facts['passphrase']}",
        "",
        say("Next: add a source to the config, then 'hulian check' and 'hulian run'"),
    ]
    return "\n".join(lines)
