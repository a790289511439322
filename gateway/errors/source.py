"""What stands between a source of the config and its machines, as `hulian test` finds it."""

from gateway.errors.operator import SerialError
from gateway.errors.tree import OperatorError


class SourceError(OperatorError):
    """A source cannot be tried, or says nothing."""

    code = "source"


class UnknownSource(SourceError):
    """The config has no source of this name."""

    code = "source.unknown"
    what = "the config has no source '{name}'"
    why = "only what the config names can be tried"
    next = "name one of: {choices}"


class NoSources(SourceError):
    """The config has no source at all."""

    code = "source.none"
    what = "the config {path} has no source"
    why = "without one the gateway hears nothing"
    next = "add a [[source]] to it; docs/config.md shows how"


class SourceUnreachable(SourceError):
    """A source's broker does not let us in."""

    code = "source.unreachable"
    what = "{url} cannot be used: {reason}"
    why = "nothing of this source can be heard"
    next = "check that the broker runs, and the source's url, username and password_file"


class SourceSilent(SourceError):
    """Nothing came while we listened."""

    code = "source.silent"
    what = "nothing was heard in {seconds} s"
    why = "the machine is silent, or speaks elsewhere"
    next = "see that the machine speaks, compare the source's address and topics, or wait longer"


class SerialOwned(SerialError):
    """The running agent reads this line itself."""

    code = "serial.agent"
    what = "the running agent reads {path} itself"
    why = "two readers of one line each get a part of every frame"
    next = "see its readings with 'hulian live {device}', or stop the agent and try again"
