"""What became of a move that did not simply happen: surely nothing moved, or nobody knows."""

from gateway.errors.operator import ConfigFault
from gateway.errors.tree import OperatorError


class BadPayload(ConfigFault):
    """A payload of a point that has no place for its value, or several."""

    code = "config.payload"
    what = "line {line}: {key} does not have 'value' in braces exactly once"
    why = "there the value stands that was ordered"
    next = "see [[source.point]] in docs/config.md; the default is the value alone"


class HeardCommand(ConfigFault):
    """What a point publishes is heard by a source of the same gateway."""

    code = "config.heard"
    what = "line {line}: what is published to {key} is heard by the source '{source}'"
    why = "a command would be signed and stored as if a machine had said it"
    next = "let the source hear other topics; where it is meant, say heard = true"


class MoveError(OperatorError):
    """A point was not moved as it was asked."""

    code = "move"


class NotMoved(MoveError):
    """Surely nothing moved: nothing was said to the machine, or it refused."""

    code = "move.not"


class UnknownPoint(NotMoved):
    """No source has a point of this name."""

    code = "move.unknown"
    what = "no point is called '{point}'"
    why = "only what the config names can be moved"
    next = "name one of: {choices}"


class BeyondLimits(NotMoved):
    """A value that the point may not take, whoever ordered it."""

    code = "move.limits"
    what = "{point} is not moved to {value}: {reason}"
    why = "limits hold for everybody, so that no order brings a machine where it must not be"
    next = "order another value, or have who runs the machine change its limits in the config"


class MachineAway(NotMoved):
    """Nobody could be told."""

    code = "move.away"
    what = "{point} was not moved: {reason}"
    why = "nothing was said to the machine, and nothing will be later"
    next = "see that its source is connected, and order it anew"


class MachineRefused(NotMoved):
    """The machine, or the broker before it, says that it did not do it."""

    code = "move.refused"
    what = "{point} was not moved to {value}: {reason}"
    why = "whoever was told says that it was not done"
    next = "compare the point with the machine's manual, and order it anew"


class UnprotectedLine(NotMoved):
    """Anybody who reaches the line could command its device."""

    code = "move.unkeyed"
    what = "{point} was not moved: its line has no key"
    why = "on a line without a key the device obeys whoever can write to it"
    next = "give device and source a key_file; where nobody can reach the line, say unkeyed = true"


class Unsure(MoveError):
    """It may have moved: it was told, and what came of it was not seen."""

    code = "move.unsure"
    what = "{point} may have moved to {value}, or not: {reason}"
    why = "it was told, and it is never told twice by itself"
    next = "look at the machine, and only then order it anew"


class OtherValue(Unsure):
    """It was told, and shows another value."""

    code = "move.differs"
    what = "{point} was told {value}, and shows {found}"
    why = "the machine limits it, or somebody else moves it too"
    next = "look at the machine, and only then order it anew"
