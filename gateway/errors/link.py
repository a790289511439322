"""What goes wrong on a link by HTTPS: who is there, how it speaks, and whether it answers."""

from gateway.errors.tree import OperatorError, PeerError


class MalformedLink(PeerError):
    """Bytes on a link by HTTPS are not a challenge, a proof or a batch."""

    code = "link.malformed"
    what = "not what links say to each other: {reason}"
    why = "it was damaged on the way, or something else than a gateway is at the other end"
    next = "check that the address is that of a gateway, and of a version that speaks this protocol"


class BadProof(PeerError):
    """A proof is of another conversation, or not signed by the run that it names."""

    code = "link.proof"
    what = "the other end does not prove who it is: {reason}"
    why = "a proof counts once, in its own conversation, under the key that it names"
    next = "check the link's address; if it is right, somebody may be imitating that gateway"


class LinkIntercepted(PeerError):
    """The two ends see different TLS certificates: somebody sits between them."""

    code = "link.intercepted"
    what = "somebody sits in between: the two ends do not see the same TLS certificate"
    why = "whoever ends the encryption could read on; so nothing was said over this link"
    next = "have the proxy or firewall on the way pass this address through untouched"


class ExpiredCertificate(PeerError):
    """The certificate of the node at the other end has expired, by a clock that is set."""

    code = "link.expired"
    what = "the certificate of node {node} has expired"
    why = "its organisation vouched for it until then"
    next = "its organisation must certify it anew"


class LinkChanged(PeerError):
    """Another TLS certificate is shown than a moment ago; once, that is a new start."""

    code = "link.changed"
    what = "another TLS certificate is shown than a moment ago"
    why = "the gateway there began anew; were it somebody in between, it would not show just once"
    next = "nothing to do: it is tried again at once"


class LinkUnreachable(PeerError):
    """There is no connection to the other end."""

    code = "link.unreachable"
    what = "no connection: {reason}"
    why = "without it nothing reaches whoever is behind this link; it waits in the store"
    next = "nothing to do: it is tried again; if it lasts, check the address and the network"


class LinkSlow(PeerError):
    """The other end was too slow, or said nothing at all."""

    code = "link.slow"
    what = "the other end took longer than {seconds} s"
    why = "a connection that may be dead is given up, so that it holds up nothing else"
    next = "nothing to do: it is tried again; if it lasts, check the network"


class LinkTooLarge(PeerError):
    """A head or a body is longer than it may be; it was not read."""

    code = "link.large"
    what = "a {part} of more than {size_max} bytes was not read"
    why = "limits come before parsing, so that nobody can fill this gateway's memory"
    next = "nothing to do once; if it is repeated, see who speaks to this address"


class BadHttp(PeerError):
    """Bytes on a link are not HTTP, or not as links speak it."""

    code = "link.http"
    what = "not HTTP as links speak it: {reason}"
    why = "it was damaged on the way, or something else than a gateway is at the other end"
    next = "check that the address is that of a gateway"


class LinkRefused(PeerError):
    """The other end refuses, and says why by a code of its own."""

    code = "link.refused"
    what = "the other end refuses: {said}"
    why = "it decides whom it speaks with, by what it knows of its groups"
    next = "ask its operator; it is tried again by itself"


class LinkDoubled(PeerError):
    """Another link of this gateway leads to the same listener."""

    code = "link.doubled"
    what = "another link of this gateway leads to the same listener already"
    why = "a listener knows one place for each run; two links would take it from each other"
    next = "nothing to do: this link is used when the other one goes down"


class LinkUnmet(PeerError):
    """Somebody who announces on the local network that it listens is not linked."""

    code = "link.unmet"
    what = "{address}, found on the local network, is not linked: {said}"
    why = "anybody may announce a gateway there; what is none of ours is tried again only seldom"
    next = "nothing to do if it is none of yours; else look that code up in docs/operations.md"


class LanAbsent(OperatorError):
    """The config asks for the local network, and what that needs is not installed."""

    code = "link.lan"
    what = "link {name} needs what finds gateways on the local network, and it is not installed"
    why = "it is an extra: most gateways are told the addresses of their peers"
    next = "type '{python} -m pip install zeroconf ifaddr', or take the link out of the config"


class LinkUnbindable(OperatorError):
    """The address of a listening link cannot be had."""

    code = "link.listen"
    what = "cannot listen at {address}: {reason}"
    why = "nobody can reach this gateway there; its other links go on"
    next = "end what uses the address, or change 'listen' in the config"
