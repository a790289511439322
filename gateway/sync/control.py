"""A directed message, signed by a run within a session. Protocol: docs/protocol/message.md.

In: a run key, both sides' HELLOs by hash, a counter and a message; or bytes from anywhere. Out:
signed bytes; or their parts, whose signature the session verifies. Without the right pair of
HELLOs it says nothing, so it cannot be replayed into another session.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import BadControl, MalformedCbor, MalformedSignature
from gateway.groups.agreement import is_number
from gateway.records import cbor, cose
from gateway.records.cose import Signed, SigningKey

CONTROL_BYTES_MAX: Final = 64 * 1024
MARK: Final = b"\xd2"  # tag 18: no message begins with it


@dataclass(frozen=True, slots=True)
class Pair:
    """A session: SHA-256 of the sender's HELLO and of the receiver's, as they were sealed."""

    sender: bytes
    receiver: bytes


@dataclass(frozen=True, slots=True)
class Control:
    """What was said in which session, with the number it has there; not yet verified."""

    counter: int
    pair: Pair
    message: bytes
    signed: Signed


def sign(key: SigningKey, counter: int, pair: Pair, message: bytes) -> bytes:
    """Sign a message within a session."""
    return cose.sign(key, "control", cbor.encode([counter, pair.sender, pair.receiver, message]))


def decode(encoded: bytes) -> Control:
    """Read a control message, not yet verified; raise BadControl."""
    if len(encoded) > CONTROL_BYTES_MAX:
        raise BadControl(reason=f"longer than {CONTROL_BYTES_MAX} bytes")
    try:
        signed = cose.decode(encoded, "control")
        said = cbor.decode(signed.payload, CONTROL_BYTES_MAX)
    except (MalformedSignature, MalformedCbor) as fault:
        raise BadControl(reason=fault) from None
    match said:
        case [int() as counter, bytes() as sender, bytes() as receiver, bytes() as message] if (
            is_number(counter, 1) and len(sender) == len(receiver) == 32
        ):
            return Control(counter, Pair(sender, receiver), message, signed)
    raise BadControl(reason="fields are missing or of the wrong type")
