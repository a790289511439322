"""What somebody typed that no command takes, and what no command can mend."""

from gateway.errors.tree import OperatorError


class UsageError(OperatorError):
    """A command line cannot be understood; nothing was done."""

    code = "usage"


class UnknownCommand(UsageError):
    """There is no such command."""

    code = "usage.command"
    what = "there is no command '{found}'"
    why = "nothing was done"
    next = "type '{command} --help' to see what there is; {advice}"


class UnknownOption(UsageError):
    """The command has no such option."""

    code = "usage.option"
    what = "'{command}' has no option {found}"
    why = "nothing was done"
    next = "type '{command} --help' to see what there is; {advice}"


class ValueMissing(UsageError):
    """What the command cannot do without was not said."""

    code = "usage.missing"
    what = "'{command}' lacks {option}"
    why = "it has no default that would be right for everyone"
    next = "type '{command} --help'"


class WrongValue(UsageError):
    """What was said of an option cannot be."""

    code = "usage.value"
    what = "{option}: {reason}"
    why = "a guess at what was meant could be wrong"
    next = "type '{command} --help'"


class ExtraValue(UsageError):
    """More was said than the command takes."""

    code = "usage.extra"
    what = "'{command}' does not take '{found}'"
    why = "nothing was done"
    next = "type '{command} --help'"


class Unanswered(UsageError):
    """Whoever typed the command did not answer its question."""

    code = "usage.unanswered"
    what = "a question of '{command}' was not answered"
    why = "nothing was done"
    next = "answer it, or give the answer as an option: '{command} --help' lists them"


class Defect(OperatorError):
    """Something was raised that is no expected failure: ours to mend."""

    code = "defect"
    what = "this program has a defect: {reason}"
    why = "nobody foresaw this; what was acknowledged is stored all the same"
    next = "report it to us with the output of the same command and --debug"
