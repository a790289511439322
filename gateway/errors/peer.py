"""What the party on the other side of a link sent that cannot be."""

from gateway.errors.tree import PeerError


class MalformedMessage(PeerError):
    """Bytes from a link are not a message of chapter 9."""

    code = "message.malformed"
    what = "not a message: {reason}"
    why = "it was damaged on the way, or its sender speaks another protocol"
    next = "nothing to do once; if it is repeated, check the peer's version"


class BadEnvelope(PeerError):
    """An envelope cannot be opened."""

    code = "message.envelope"
    what = "the envelope cannot be opened: {reason}"
    why = "it is not for this node, or was damaged on the way"
    next = "nothing to do once; if it is repeated, check who writes to the topic"


class BadControl(PeerError):
    """A control message is replayed, of another session, or signed by another run."""

    code = "message.control"
    what = "a control message was refused: {reason}"
    why = "it answers another session, so it may be replayed"
    next = "nothing to do: both sides greet again"


class BadAck(PeerError):
    """An acknowledgement does not verify or names what cannot be."""

    code = "message.ack"
    what = "an acknowledgement was refused: {reason}"
    why = "only a signed acknowledgement releases a record from the outbox"
    next = "nothing to do once; if it is repeated, ask the peer's operator"


class FloodingPeer(PeerError):
    """Too much that leads to nothing comes under one name: it is not heard for a while."""

    code = "peer.flooding"
    what = "what is said by {kind} {name} was dropped: too much of it led to nothing"
    why = "what floods would keep others waiting; what was asked for still passes"
    next = "nothing to do once; if 'hulian status' goes on naming it, ask that peer's operator"


class ClonedNode(PeerError):
    """Two runs of one node both go on: its state directory was copied and started twice."""

    code = "node.cloned"
    what = "two copies of gateway {node} of {organisation} run at once"
    why = "each answered after the other had, so its state directory or its disk was copied"
    next = "its operator: stop one copy for good; if nobody of yours made it, the keys are stolen"
