"""What is wrong with a file that somebody carried by hand."""

from gateway.errors.tree import OperatorError, PeerError


class BundleError(PeerError):
    """A bundle cannot be what whoever made it should have made; nothing was stored of it."""

    code = "bundle"


class DamagedBundle(BundleError):
    """The file is cut short or was changed: its digest is not the one in its trailer."""

    code = "bundle.damaged"
    what = "not a whole bundle: {reason}"
    why = "nothing of it was stored: a file that was cut short or changed on the way proves nothing"
    next = "carry it again; export it again if it stays so"


class RefusedBundle(BundleError):
    """A whole bundle says what cannot be: who made it lies, or is not who it seems to be."""

    code = "bundle.refused"
    what = "the bundle is refused at entry {entry}: {reason}"
    why = "nothing of it was stored: it is whole, so whoever made it put that in"
    next = "ask whoever made it, and on which gateway"


class ForeignBundle(BundleError):
    """A bundle has no greeting for this gateway, so nothing in it can be checked here."""

    code = "bundle.not-for-us"
    what = "this bundle of gateway {node} is not for this gateway"
    why = "only those whom it greets can tell who made it"
    next = "carry it to them; or have it made with '--for' and this gateway's name"


class BundleUnreadable(OperatorError):
    """A bundle's file cannot be read, or is no ordinary file."""

    code = "bundle.unreadable"
    what = "{path} cannot be read: {reason}"
    why = "a bundle is an ordinary file; what was stored of it so far stays"
    next = "mend that and type the same command again: it goes on where it was"


class BundleUnwritable(OperatorError):
    """A bundle's file cannot be written."""

    code = "bundle.unwritable"
    what = "{path} cannot be written: {reason}"
    why = "it has its name only when it is whole, so there is none"
    next = "make room or choose another place, and type the same command again"


class NobodyToCarryTo(OperatorError):
    """No group of this gateway has another member for whom a bundle could be."""

    code = "bundle.nobody"
    what = "there is nobody to carry anything to"
    why = "a bundle is for members of the groups of this gateway, and for nobody else"
    next = "see 'hulian group list' and 'hulian group show GROUP'; pair and make a group first"
