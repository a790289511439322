"""What a machine said that cannot be read."""

from gateway.errors.tree import DeviceError


class FrameError(DeviceError):
    """What stood between two delimiters of a serial line is not a frame."""

    code = "frame"


class FrameNoise(FrameError):
    """Counted and not kept: the line, or who else is on it, is the likely cause, not the device."""

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
    why = "version 2 of docs/protocol/frame.md needs a key_file, version 3 a public_key"
    next = "give the source the device's key, or update the gateway or the device's firmware"


class BadTag(FrameNoise):
    """A frame without the tag that the source's key gives it: nobody knows who said it."""

    code = "frame.tag"
    what = "a frame of {size} bytes has no tag under the source's key"
    why = "the device has another key or none, or somebody else speaks on this line"
    next = "compare the source's key_file with the device's key, and see who can reach the line"


class UnsignedFrame(FrameError):
    """A frame without the signature that the source's public key wants; kept, as evidence."""

    code = "frame.signature"
    what = "a frame is not signed by the device: {reason}"
    why = "the device has another key or none, or somebody else speaks on this line"
    next = "compare the source's public_key with the device's key, and see who can reach the line"


class WrongDeviceName(FrameError):
    """A device signs under another name than its source has."""

    code = "frame.name"
    what = "the device signs as {found}, and its source is called {name}"
    why = "the name is in what the device signs, and nobody may change that"
    next = "call the source as the device calls itself"


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


class PayloadError(DeviceError):
    """What a machine published cannot be read; its bytes are quarantined."""

    code = "payload"


class PayloadTooLarge(PayloadError):
    """A payload exceeds the source's bound."""

    code = "payload.too-large"
    what = "{size} bytes where at most {size_max} are allowed"
    why = "everything is bounded, so that no machine can exhaust the gateway"
    next = "let the machine say less at once, or raise the source's payload_bytes_max"


class PayloadNotUtf8(PayloadError):
    """Text is not UTF-8."""

    code = "payload.utf8"
    what = "not UTF-8: {reason}"
    why = "JSON and text are UTF-8; other encodings cannot be told apart safely"
    next = "let the machine write UTF-8, or correct the source's format"


class PayloadNotJson(PayloadError):
    """A payload is not JSON."""

    code = "payload.json"
    what = "not JSON: {reason}"
    why = "the source's format is json"
    next = "look at the bytes with 'hulian quarantine show', and correct the machine or the format"


class PayloadTooDeep(PayloadError):
    """JSON is nested deeper than any machine needs."""

    code = "payload.depth"
    what = "nested more than {depth_max} deep"
    why = "everything is bounded, so that no machine can exhaust the gateway"
    next = "let the machine nest less"


class DuplicateName(PayloadError):
    """One payload gives two values under one name."""

    code = "payload.duplicate-name"
    what = "{name} is there twice"
    why = "nobody can say which of the two values is meant"
    next = "let the machine use each name once, or name the metrics by their paths"


class NoDevice(PayloadError):
    """A message does not say which device it is of."""

    code = "payload.device"
    what = "the device cannot be named: {reason}"
    why = "a reading belongs to a device, and is never put under a guessed one"
    next = "compare the source's 'device' with the topic and the payload"


class BadTime(PayloadError):
    """A payload's time is none."""

    code = "payload.time"
    what = "its time cannot be read: {reason}"
    why = "a reading is never put at a guessed time"
    next = "compare the source's 'time', 'time_unit' and 'time_zone' with the payload"


class NoMetric(PayloadError):
    """None of the metrics is in a payload."""

    code = "payload.path"
    what = "nothing to read in it: {reason}"
    why = "a message that says nothing is more likely a wrong path than silence"
    next = "compare the paths of the source's metrics with the payload"


class BadPath(PayloadError):
    """A path fails on a payload."""

    code = "payload.expression"
    what = "the path of {name} fails on it: {reason}"
    why = "a function of the path was given what it cannot take"
    next = "correct the path of this metric"


class BadType(PayloadError):
    """A value is neither number, text nor true or false."""

    code = "payload.type"
    what = "{name} is {found}, not a single value"
    why = "a reading is one number, text, true or false"
    next = "let the path of this metric lead to one value"


class BadNumber(PayloadError):
    """A number is not finite, or beyond 64 bits."""

    code = "payload.number"
    what = "{name} is no number that can be kept: {reason}"
    why = "infinity, not-a-number and integers beyond 64 bits are not read alike by everyone"
    next = "let the machine leave out a value that it does not have"


class BadText(PayloadError):
    """A text is too long, or not printable."""

    code = "payload.text"
    what = "the text of {name} cannot be kept: {reason}"
    why = "texts are short and printable, so that no page or terminal is led astray"
    next = "let the path lead to a state or a short text"


class BadMetricName(PayloadError):
    """A name found in a payload cannot name a metric."""

    code = "payload.name"
    what = "a name in it cannot name a metric: {reason}"
    why = "names are at most 128 bytes of printable text"
    next = "name the metrics of this source by their paths"
