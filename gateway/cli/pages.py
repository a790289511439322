"""The pages of help and the faults of a command line, in the reader's language.

In: Typer's commands and what it raises. Out: a page for --help, and our own errors for what cannot
be understood. Commands made of these classes ask their questions in that language too.
"""

import re
from difflib import get_close_matches
from enum import Enum
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from gateway.cli.words import pad, say, titled, wide
from gateway.errors import (
    ExtraValue,
    Unanswered,
    UnknownCommand,
    UnknownOption,
    UsageError,
    ValueMissing,
    WrongValue,
)

# What Typer raises at a command line that it cannot understand; it exports only this child of it.
Misread = cast(type[Exception], typer.BadParameter.__mro__[1])

_REASONS = (
    ("Input should be a valid integer", "it takes an integer"),
    ("Input should be a valid number", "it takes a number"),
    ("requires an argument.", "it takes a value"),
    ("does not take a value.", "it takes no value"),
)


class Command(TyperCommand):
    """A command whose page, questions and faults are in the reader's language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page of --help."""
        formatter.write(page(self, ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; raise ExtraValue for what the command does not take."""
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.prompt:
                parameter.prompt = say(parameter.prompt)
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise ExtraValue(command=ctx.command_path, found=rest[0][:80])
        return rest


class Group(TyperGroup):
    """A command of commands, likewise."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page of --help."""
        formatter.write(page(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; raise UnknownCommand with the nearest one."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            advice = _advice(args[0], list(self.commands))
            raise UnknownCommand(command=ctx.command_path, found=args[0][:80], advice=advice)
        return super().resolve_command(ctx, args)


def speak(app: typer.Typer) -> None:
    """Make all of these commands speak the reader's language."""
    app.info.cls = Group
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            speak(group.typer_instance)


def page(command: Any, ctx: Any) -> str:
    """Write a page of help: how to type it, what it does, what it takes."""
    params = command.get_params(ctx)
    arguments = [each for each in params if each.param_type_name == "argument"]
    options = [each for each in params if each.param_type_name == "option"]
    below = getattr(command, "commands", {})
    usage = [ctx.command_path, say("[OPTIONS]"), *map(_argument, arguments)]
    usage += [say("COMMAND ...")] if below else []
    parts = [
        say("Usage: {usage}", usage=" ".join(usage)) + "\n",
        say(command.help or "") + "\n",
        _section("Arguments", [(_argument(each), _told(each, ctx)) for each in arguments]),
        _section("Options", [(_option(each, ctx), _told(each, ctx)) for each in options]),
        _section("Commands", [(name, say(each.help or "")) for name, each in below.items()]),
    ]
    return "\n".join(part for part in parts if part)


def explained(fault: Any) -> UsageError:
    """Make our error of what Typer raised."""
    command = "hulian" if fault.ctx is None else fault.ctx.command_path
    option = _options_of(fault)
    match type(fault).__name__:
        case "NoSuchOption":
            advice = _advice(fault.option_name, list(fault.possibilities or ()))
            return UnknownOption(command=command, found=fault.option_name[:80], advice=advice)
        case "MissingParameter":
            return ValueMissing(command=command, option=option)
    return WrongValue(command=command, option=option or command, reason=_reason(fault.message))


def unanswered(arguments: list[str]) -> UsageError:
    """Make our error of a question that nobody answered."""
    typed = [each for each in arguments if not each.startswith("-")]
    return Unanswered(command=" ".join(("hulian", *typed[:1])))


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    column = max(wide(name) for name, _ in rows) + 2
    lines = [f"  {pad(name, column)}{told}".rstrip() for name, told in rows]
    return "\n".join((titled(title, "").rstrip(), *lines)) + "\n"


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option(option: Any, ctx: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    if option.is_flag:
        return names
    default = option.get_default(ctx, call=False)
    if isinstance(default, Enum):
        return f"{names} {'|'.join(each.value for each in type(default))}"
    return f"{names} {option.metavar or option.opts[-1].strip('-').upper()}"


def _told(parameter: Any, ctx: Any) -> str:
    """Say what a parameter is, whether it must be there, and what it is otherwise."""
    told = say(parameter.help or "")
    default = parameter.get_default(ctx, call=False)
    if parameter.required:
        return f"{told}  [{say('required')}]"
    if default is None or isinstance(default, bool) or parameter.name == "help":
        return told
    value = default.value if isinstance(default, Enum) else default
    return f"{told}  [{say('default: {value}', value=value)}]"


def _options_of(fault: Any) -> str:
    """Name the option or argument that a fault is about, as a person types it."""
    if parameter := getattr(fault, "param", None):
        if parameter.param_type_name == "argument":
            return str(parameter.metavar or parameter.name.upper())
        return str(parameter.opts[-1])
    return str(getattr(fault, "option_name", ""))


def _reason(said: str) -> str:
    """Say in our words what Typer has against a value."""
    for beginning, reason in _REASONS:
        if said.startswith(beginning) or said.endswith(beginning):
            return reason
    if found := re.search(r"greater than or equal to (\S+)", said):
        return f"it takes a number from {found[1]} on"
    return said.removeprefix("Value error, ").removesuffix(".")


def _advice(said: str, valid: list[str]) -> str:
    near = get_close_matches(said[:80], valid, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else "correct it"
