"""What a machine said that cannot be read."""

from gateway.errors.tree import DeviceError


class FrameError(DeviceError):
    """What stood between two delimiters of a serial line is not a frame."""

    code = "frame"


class FrameNoise(FrameError):
    """It fails before its version is known: the line, not the device, is the likely cause."""

    code = "frame.noise"


class LongFrame(FrameNoise):
    """Too many bytes without a delimiter."""

    code = "frame.long"
    what = "{size} bytes between two delimiters where at most {size_max} are allowed"
    why = "noise, another protocol or another baud rate is on this line"
    next = "compare baud and parity of the source with the device's"


class BadCobs(FrameNoise):
    """The bytes are not COBS."""

    code = "frame.cobs"
    what = "not COBS: {reason}"
    why = "bytes were lost or changed on the line; the device repeats what was not acknowledged"
    next = "nothing to do once; if the count grows, check the cable and its earth"


class ShortFrame(FrameNoise):
    """Fewer bytes than any frame has."""

    code = "frame.short"
    what = "{size} bytes where a frame has at least {size_min}"
    why = "bytes were lost on the line; the device repeats what was not acknowledged"
    next = "nothing to do once; if the count grows, check the cable and its earth"


class BadCrc(FrameNoise):
    """The checksum differs."""

    code = "frame.crc"
    what = "the checksum of a frame of {size} bytes differs"
    why = "bytes were changed on the line; the device repeats what was not acknowledged"
    next = "nothing to do once; if the count grows, check the cable and its earth"


class UnknownFrameVersion(FrameError):
    """A frame of a version that we do not speak."""

    code = "frame.version"
    what = "a frame of version {version}"
    why = "this gateway speaks version 1 of docs/protocol/frame.md"
    next = "update the gateway, or the device's firmware"


class UnknownFrameType(FrameError):
    """A frame of a type that we do not know."""

    code = "frame.type"
    what = "a frame of unknown type {kind}"
    why = "its checksum is good, so the device meant it"
    next = "compare the firmware with docs/protocol/frame.md"


class MalformedFrame(FrameError):
    """A frame whose body is not what its type says."""

    code = "frame.body"
    what = "a frame of type {kind} is malformed: {reason}"
    why = "its checksum is good, so the device meant it"
    next = "compare the firmware with docs/protocol/frame.md"


class UnknownMetric(FrameError):
    """A sample names a metric outside the device's table."""

    code = "frame.metric"
    what = "a sample of metric {metric}, and the device's table has {total}"
    why = "nobody knows what the number means"
    next = "mend the device's table of metrics"


class UnknownQuality(FrameError):
    """A sample has a quality that is none."""

    code = "frame.quality"
    what = "a sample of metric {metric} has quality {quality}"
    why = "0 is good, 1 uncertain, 2 bad, and nothing else is known"
    next = "compare the firmware with docs/protocol/frame.md"


class ReusedBoot(FrameError):
    """A device started again under the boot id of an earlier start."""

    code = "frame.boot"
    what = "the device counts from {next} under a boot id of which {heard} were heard"
    why = "repeats are known by boot id and number, so a fresh reading could be taken for one"
    next = "let the firmware draw a new boot id at each start"
