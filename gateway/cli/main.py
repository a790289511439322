"""The command line's front: global options, exit statuses, and errors told to people.

Exit status: 0 good, 1 degraded or a check failed, 2 not possible or bad usage.
"""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway import VERSION
from gateway.cli import asking, checking, place, running, setting_up, words
from gateway.errors import GatewayError

app = typer.Typer(
    name="hulian",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (setting_up, running, asking, checking):
    commands.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hulian {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[Optional[Path], typer.Option(help="the config file")] = None,  # noqa: UP045
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which")
    ] = False,
) -> None:
    """The agent on a factory's edge gateway."""
    place.choose(config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit; `--debug`, anywhere, shows the stack trace of an error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [one for one in given if one != "--debug"]
    try:
        app(given, prog_name="hulian")
    except GatewayError as fault:
        if debug:
            traceback.print_exc()
        print(words.tell(fault), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `hulian query | head`: whoever read has enough
        sys.stderr.close()
        sys.exit(0)
