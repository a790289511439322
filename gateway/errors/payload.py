"""What is wrong with a payload beyond JSON and text: CBOR, SenML, and whose name is on it."""

from gateway.errors.device import PayloadError


class PayloadNotCbor(PayloadError):
    """A payload is not CBOR."""

    code = "payload.cbor"
    what = "not CBOR: {reason}"
    why = "the source's format says that it is"
    next = "look at the bytes with 'hulian quarantine show', and correct the machine or the format"


class PayloadNotSenml(PayloadError):
    """A payload is not a SenML pack."""

    code = "payload.senml"
    what = "not a SenML pack: {reason}"
    why = "the source's format says that it is one (RFC 8428)"
    next = "look at the bytes with 'hulian quarantine show', and correct the machine or the format"


class WrongDevice(PayloadError):
    """A payload claims to be of another device than the one it came from."""

    code = "payload.claim"
    what = "it claims to be of {claimed}, and came as {device}"
    why = "a reading is never put under a device that did not say it"
    next = "see who may publish on this topic; then compare the source's 'claim' with the payload"


class UnboundTopic(PayloadError):
    """A message came on a topic that no device is bound to."""

    code = "payload.unbound"
    what = "no device is bound to its topic"
    why = "this source hears only the devices that its config names, each on its own topics"
    next = "see who published it, or add the topic to the [[source.bind]] of its device"


class OtherUnit(PayloadError):
    """A payload says another unit than the config."""

    code = "payload.unit"
    what = "{name} is in {found}, and the config says {unit}"
    why = "a number under a wrong unit is a wrong number"
    next = "correct the unit of this metric in the config, or leave it out"
