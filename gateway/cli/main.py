"""The command line's front: global options, exit statuses, and errors told to people.

Exit status: 0 good, 1 degraded or a check failed, 2 not possible or bad usage.
"""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Annotated, Optional

import typer
from typer.main import get_command

from gateway import VERSION
from gateway.cli import (
    accused,
    activity,
    asking,
    carrying,
    checking,
    consortium,
    grouping,
    kept,
    mandates,
    nodes,
    orders,
    organising,
    pages,
    persons,
    place,
    running,
    scanning,
    setting_up,
    templates,
    trying,
    witness,
    words,
)
from gateway.errors import Defect, GatewayError
from gateway.store import database, state

app = typer.Typer(
    name="hulian",
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    setting_up,
    running,
    trying,
    scanning,
    asking,
    checking,
    carrying,
    kept,
    accused,
    grouping,
    activity,
    consortium,
    nodes,
    organising,
    persons,
    templates,
    orders,
    mandates,
    witness,
):
    commands.register(app)
pages.speak(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hulian {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[Optional[Path], typer.Option(metavar="FILE", help="the config file")] = None,  # noqa: UP045
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show every letter
            stream.reconfigure(errors="backslashreplace")
    if not debug:
        sys.excepthook = _tell_defect
    try:
        sys.exit(get_command(app).main(given, prog_name="hulian", standalone_mode=False) or 0)
    except BrokenPipeError:  # `hulian query | head`: whoever read has enough
        sys.stderr.close()
        sys.exit(0)
    except (GatewayError, database.Error, ExceptionGroup, typer.Abort, pages.Misread) as raised:
        if debug:
            traceback.print_exc()
        print(_told(raised, given), file=sys.stderr)
        sys.exit(2)


def _told(raised: Exception, given: list[str]) -> str:
    """Tell what was raised: help that was asked for, an error, or a defect of ours."""
    if type(raised).__name__ == "NoArgsIsHelpError":
        return str(raised)
    return words.tell(_error(raised, given))


def _error(raised: Exception, given: list[str]) -> GatewayError:
    match raised:
        case GatewayError():
            return raised
        case database.Error():  # of a store that is damaged where the command came to read it
            return database.named(raised, str(place.state_dir() / state.STORE_FILE))
        case ExceptionGroup(exceptions=[first, *_]):  # of the agent's tasks
            return _error(first, given)
        case typer.Abort():
            print(file=sys.stderr)
            return pages.unanswered(given)
    if isinstance(raised, pages.Misread):
        return pages.explained(raised)
    return _defect(raised)


def _defect(raised: BaseException) -> Defect:
    last = traceback.extract_tb(raised.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    return Defect(reason=f"{type(raised).__name__}: {raised}{where}")


def _tell_defect(
    kind: type[BaseException], raised: BaseException, trace: TracebackType | None
) -> None:
    """Tell what nobody foresaw without its stack trace, as the interpreter ends."""
    if not issubclass(kind, KeyboardInterrupt):
        print(words.tell(_defect(raised)), file=sys.stderr)
    sys.exit(2)
