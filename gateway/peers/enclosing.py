"""Envelopes of a group: sealed under its secret, or clear where its founding says so.

In: a group and what is said in it, or an envelope from anywhere. Out: the envelope, or what is in
it, or BadEnvelope. It keeps nothing. docs/protocol/message.md.
"""

from gateway.errors import BadEnvelope
from gateway.groups.group import Group
from gateway.sync import envelope
from gateway.sync.envelope import Envelope, Seal


def enclose(group: Group, content: bytes, nonce: bytes) -> bytes:
    """Seal under the group's secret, unless the founding says that bodies are clear."""
    if group.founding.clear:
        return envelope.encode(Envelope(Seal.NONE, group.tag, content))
    return envelope.encode(envelope.seal_for(group.secret, group.id, group.tag, nonce, content))


def opened(group: Group, enveloped: Envelope) -> bytes:
    """Give what is in an envelope of a group; raise BadEnvelope."""
    match enveloped.seal:
        case Seal.GROUP:
            return envelope.open_in(group.secret, group.id, enveloped)
        case Seal.NONE if group.founding.clear:
            return enveloped.content
    raise BadEnvelope(reason="it is not sealed as its group asks for")
