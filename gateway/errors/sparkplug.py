"""What an edge node said over Sparkplug that cannot be read; the host's half stands beside it."""

from gateway.errors.tree import DeviceError


class SparkplugError(DeviceError):
    """A Sparkplug message, or one metric of it, cannot be read; its bytes are quarantined."""

    code = "sparkplug"


class BadSparkplugTopic(SparkplugError):
    """The topic is in the namespace, and none that Sparkplug has."""

    code = "sparkplug.topic"
    what = "its topic is none of Sparkplug's: {reason}"
    why = "the topic says of which edge node and device a message is, and nothing else does"
    next = "mend the ids of the group, the edge node and the device in the machine's settings"


class MalformedSparkplug(SparkplugError):
    """The bytes are not a payload, or one that breaks the specification's rules."""

    code = "sparkplug.payload"
    what = "not a Sparkplug B payload: {reason}"
    why = "what is not written as the specification says may mean anything"
    next = "look at the bytes with 'hulian quarantine show', and update the edge node's software"


class UnbornMetric(SparkplugError):
    """No birth certificate that holds says what a metric is."""

    code = "sparkplug.unborn"
    what = "no birth certificate says what {metric} is: {reason}"
    why = "a message with an alias alone, or a number without its type, is never guessed at"
    next = "nothing, where rebirths are allowed: the edge node was asked for its certificates"


class BadSparkplugValue(SparkplugError):
    """The value of a metric is not of its type."""

    code = "sparkplug.value"
    what = "{metric} is no {datatype}: {reason}"
    why = "a value that its own type cannot hold was garbled, or is of another type"
    next = "compare the types of the machine's birth certificate with what it sends"


class LargeSparkplugValue(SparkplugError):
    """A value that is carried as text is too long for one."""

    code = "sparkplug.large"
    what = "{metric}, {datatype}, would be {size} bytes of text, and a text has at most {size_max}"
    why = "data sets, templates, arrays, bytes and files are carried as texts, and texts are short"
    next = "let the machine say less at once; its bytes are in the quarantine"


class RetainedSparkplug(SparkplugError):
    """A broker handed out a message that it had kept."""

    code = "sparkplug.retained"
    what = "a retained message"
    why = "edge nodes may retain nothing; nobody knows whether what a broker kept still holds"
    next = "clear the broker's retained messages below spBv1.0, and see who leaves them there"


class SparkplugFull(SparkplugError):
    """More edge nodes, devices or metrics than are kept in mind."""

    code = "sparkplug.full"
    what = "more than {count_max} {what}"
    why = "everything is bounded, so that no machine can exhaust the gateway"
    next = "let the source hear fewer groups, or see who invents ids"
