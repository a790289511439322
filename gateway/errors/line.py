"""What can be wrong with what an instrument says on a serial line of its own protocol."""

from gateway.errors.device import PayloadError
from gateway.errors.tree import DeviceError


class LineError(DeviceError):
    """What an instrument said is not a telegram; nothing of it is used."""

    code = "line"


class LineNoise(LineError):
    """It is no whole telegram, so there is nothing to keep but the count."""

    code = "line.noise"


class Garbage(LineNoise):
    """Bytes outside of every telegram."""

    code = "line.garbage"
    what = "{size} bytes outside of every telegram"
    why = "where a telegram begins was not known yet, or something else speaks"
    next = "nothing to do once; if the count grows, compare baud, parity and framing"


class BrokenOff(LineNoise):
    """A telegram broke off: nothing more came in time."""

    code = "line.gap"
    what = "a telegram broke off after {size} bytes"
    why = "half a number is another number, so nothing of it is used"
    next = "nothing to do once; if the count grows, check the cable, or raise gap_ms"


class BegunAgain(LineNoise):
    """A telegram began within another."""

    code = "line.begun-again"
    what = "a telegram of {size} bytes had no end before the next began"
    why = "bytes were lost on the line, so nothing of it is used"
    next = "nothing to do once; if the count grows, check the cable, or compare the framing"


class LongTelegram(LineNoise):
    """More bytes than a telegram may have."""

    code = "line.long"
    what = "more than {size_max} bytes without the end of a telegram"
    why = "everything is bounded, and what has no end is not a telegram"
    next = "compare baud, parity and framing, or raise telegram_bytes_max"


class BadLength(LineNoise):
    """The length in a telegram cannot be one."""

    code = "line.length"
    what = "a telegram says that it has {size} bytes, where {size_min} to {size_max} are possible"
    why = "bytes were changed on the line, or the length is somewhere else"
    next = "if the count grows, compare offset, width, order and adjust with the protocol"


class NoEnd(LineError):
    """A telegram does not end as it must."""

    code = "line.end"
    what = "a telegram of {size} bytes does not end as it must"
    why = "bytes were lost or changed on the line"
    next = "nothing to do once; if the count grows, compare size and end with the protocol"


class BadEscape(LineError):
    """An escape is none."""

    code = "line.escape"
    what = "a telegram of {size} bytes has an escape that is none"
    why = "bytes were lost or changed on the line"
    next = "nothing to do once; if the count grows, compare the framing with the protocol"


class BadStuffing(LineError):
    """Bytes are not COBS."""

    code = "line.cobs"
    what = "not COBS: {reason}"
    why = "bytes were lost or changed on the line"
    next = "nothing to do once; if the count grows, check the cable and its earth"


class ChecksumDiffers(LineError):
    """The checksum of a telegram differs, or is not there."""

    code = "line.checksum"
    what = "the checksum of a telegram of {size} bytes differs"
    why = "bytes were changed on the line"
    next = "nothing to do once; if it is so of each, compare 'checksum' with the protocol"


class NoReply(LineError):
    """An instrument did not answer in time."""

    code = "line.timeout"
    what = "nothing came within {timeout_ms} ms of the question"
    why = "the instrument is off, does not know the question, or the line does not reach it"
    next = "check its power, 'ask', and baud, parity and wiring of the line"


class NoMatch(PayloadError):
    """A text is not as the source's pattern says."""

    code = "payload.pattern"
    what = "it does not match the source's pattern"
    why = "a value is taken only from where the config says it is"
    next = "compare the pattern with the bytes: 'hulian test' shows them"


class NoField(PayloadError):
    """A payload ends before a field."""

    code = "payload.field"
    what = "it ends before {name}"
    why = "a value is taken only from where the config says it is"
    next = "compare the field or offset of this metric with the bytes: 'hulian test' shows them"
