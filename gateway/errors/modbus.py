"""What can be wrong with a Modbus unit's answer, and with the way to a bus."""

from gateway.errors.tree import DeviceError, OperatorError


class AnswerError(DeviceError):
    """A unit did not answer a question as it must; nothing of the answer is used."""

    code = "modbus"


class NoAnswer(AnswerError):
    """Nothing came in time."""

    code = "modbus.timeout"
    what = "unit {unit} did not answer within {timeout_ms} ms"
    why = "the unit is off, has another number, or the line does not reach it"
    next = "check the unit's power and number, and baud, parity and wiring of the line"


class ShortAnswer(AnswerError):
    """Fewer bytes than the answer must have."""

    code = "modbus.short"
    what = "unit {unit} answered with {size} bytes of {wanted}"
    why = "bytes were lost on the line"
    next = "nothing to do once; if the count grows, check the cable, its ends and its earth"


class LongAnswer(AnswerError):
    """More bytes than the answer may have."""

    code = "modbus.long"
    what = "unit {unit} answered with more than the {wanted} bytes expected"
    why = "another unit, an echo or noise speaks at the same time, so no byte can be trusted"
    next = "see that each number is on the bus once, and that the adapter does not echo"


class WrongCrc(AnswerError):
    """The checksum of an RTU answer differs."""

    code = "modbus.crc"
    what = "the checksum of an answer of {size} bytes to a question to unit {unit} differs"
    why = "bytes were changed on the line"
    next = "nothing to do once; if the count grows, check the cable, its ends and its earth"


class WrongUnit(AnswerError):
    """Another unit answered."""

    code = "modbus.unit"
    what = "unit {found} answered a question to unit {unit}"
    why = "a value belongs to the unit that was asked"
    next = "compare the unit's number with unit_id; a slow unit needs a larger timeout_ms"


class WrongFunction(AnswerError):
    """An answer is of another function than the question."""

    code = "modbus.function"
    what = "unit {unit} answered function {function} with function {found}"
    why = "it is the answer to another question, or no answer"
    next = "see that nobody else asks on this bus; a slow unit needs a larger timeout_ms"


class WrongCount(AnswerError):
    """An answer has more or fewer values than were asked for."""

    code = "modbus.count"
    what = "unit {unit} answered with {size} bytes of values where {wanted} were asked for"
    why = "it is the answer to another question, or no answer"
    next = "see that nobody else asks on this bus; a slow unit needs a larger timeout_ms"


class WrongEcho(AnswerError):
    """A unit confirmed another write than it was told."""

    code = "modbus.echo"
    what = "unit {unit} confirmed another write than it was told"
    why = "nobody can say what was written"
    next = "look at the machine; see that nobody else writes on this bus"


class WrongHeader(AnswerError):
    """What came over TCP does not begin as Modbus does."""

    code = "modbus.header"
    what = "what unit {unit} answered is not Modbus over TCP"
    why = "another protocol is spoken there, and nothing after it can be read"
    next = "compare the url with the device: tcp:// or rtu+tcp://, and its port"


class ExceptionAnswer(AnswerError):
    """A unit says that it cannot answer, and why."""

    code = "modbus.exception"
    what = "unit {unit} answered with exception {exception} ({meaning})"
    why = "the unit refuses the question, so there is no value"
    next = "compare the source's registers with the unit's table of registers"


class BadRegister(DeviceError):
    """Registers hold no value of the type that the config names."""

    code = "modbus.value"
    what = "the registers of {name} hold no {type}: {reason}"
    why = "a value is never guessed"
    next = "compare type, word_order and byte_order of this metric with the unit's table"


class BusUnreachable(OperatorError):
    """A Modbus bus behind TCP cannot be reached."""

    code = "modbus.unreachable"
    what = "the Modbus bus at {host}:{port} cannot be used: {reason}"
    why = "none of its units can be read"
    next = "check the address, the cable, and whether the device allows another connection"
