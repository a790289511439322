"""What stops two sides from meeting at a mailbox: the address, the link, or a person's word."""

from gateway.errors.tree import OperatorError, PeerError


class PairingError(OperatorError):
    """An organisation or a gateway cannot join yet, or not this way."""

    code = "pairing"


class BadAddress(PairingError):
    """The address of an invitation was mistyped, or is none."""

    code = "pairing.address"
    what = "this is not the address of an invitation: {reason}"
    why = "an address has check letters, so that a mistyped one leads nowhere"
    next = "paste it whole, from 'hulian:1:' on, or ask for it again"


class OtherInvitation(PairingError):
    """An address for organisations was given to a gateway's command, or the reverse."""

    code = "pairing.other"
    what = "this address invites {invited}, which '{command}' is not for"
    why = "an organisation joins a consortium, and a gateway joins its own organisation"
    next = "type '{instead}'"


class NoInvitation(PairingError):
    """Nothing lies at the address."""

    code = "pairing.unknown"
    what = "nobody invites at this address, as far as {link} shows"
    why = "the invitation was withdrawn or cleared away, or lies at another broker"
    next = "compare the brokers in both configs, or ask for a new invitation"


class InvitationUsed(PairingError):
    """Somebody else, or an earlier joining, has used the invitation."""

    code = "pairing.used"
    what = "this invitation is used already"
    why = "an invitation admits one, so that an address that went astray admits nobody else"
    next = "ask for a new invitation; if nobody of yours used it, tell whoever sent it"


class InvitationExpired(PairingError):
    """The invitation is too old."""

    code = "pairing.expired"
    what = "this invitation has expired"
    why = "an old address may have been seen by many"
    next = "ask for a new invitation"


class JoiningRefused(PairingError):
    """The other side said no."""

    code = "pairing.refused"
    what = "the other side has refused"
    why = "somebody there decided so, or the fingerprints were not the same"
    next = "ask them by telephone; a new try needs a new invitation"


class NotTheSame(PairingError):
    """The person did not confirm the fingerprint."""

    code = "pairing.fingerprint"
    what = "the fingerprint was not confirmed, so nothing was signed"
    why = "whoever stands between the two sides would have another fingerprint"
    next = "compare it again by telephone; if it differs, do not use this address"


class NobodyWaits(PairingError):
    """Nobody of that name waits for an approval."""

    code = "pairing.nobody"
    what = "nobody called '{name}' waits for approval"
    why = "what waits: {waiting}"
    next = "see it with '{command}'; the other side types 'join' first"


class NothingToResume(PairingError):
    """No joining was begun here that could go on."""

    code = "pairing.nothing"
    what = "no joining was begun here"
    why = "without an address only an interrupted joining can go on"
    next = "type '{command} ADDRESS'"


class NoLink(PairingError):
    """The config has no link over a broker, so there is none to meet at."""

    code = "pairing.link"
    what = "the config {path} has no [[link]] over a broker"
    why = "both sides meet at a broker that both can reach"
    next = "add the broker as a [[link]]; docs/config.md shows how"


class MailboxUnusable(PairingError):
    """The broker does not do what a mailbox needs."""

    code = "pairing.mailbox"
    what = "{url} cannot be used as a mailbox: {reason}"
    why = "invitations and answers lie there until the other side takes them"
    next = "check the link, and that its user may read and write 'hl/1/i/#' and keep messages there"


class ManyConsortia(PairingError):
    """It is not clear which consortium is meant."""

    code = "consortium.which"
    what = "there are several consortia here: {names}"
    why = "a guess could show one consortium to another"
    next = "name one with --consortium"


class UnknownConsortium(PairingError):
    """No consortium here has that name."""

    code = "consortium.unknown"
    what = "there is no consortium '{name}' here"
    why = "what there is: {names}"
    next = "see them with 'hulian consortium show'"


class ApplicationOld(PairingError):
    """Who waits signed for a roster that is not the next one any more."""

    code = "pairing.old"
    what = "{name} signed for an earlier roster"
    why = "the consortium has changed since, and everybody signs the same document"
    next = "ask them to type 'hulian consortium join' once more, then approve again"


class ChangePending(PairingError):
    """Another change of the same roster waits for its quorum."""

    code = "consortium.pending"
    what = "another change is not decided yet: {names}"
    why = "a root signs one roster of a number, so two changes at once keep each other back"
    next = "approve or refuse that one first; or add --instead, and both begin anew"


class AlreadyMember(PairingError):
    """The organisation is in the roster already."""

    code = "consortium.member"
    what = "{name} is a member already"
    why = "there is nothing to join or to approve"
    next = "see the members with 'hulian consortium show'"


class UnknownMember(PairingError):
    """Nobody of that name is in the roster or among the gateways."""

    code = "consortium.nobody"
    what = "there is no member called '{name}'"
    why = "there are: {names}"
    next = "type the name as shown there, or the id"


class MalformedDocument(PeerError):
    """What lies in a mailbox is no document of pairing, or does not verify."""

    code = "pairing.document"
    what = "what lies in the mailbox cannot be used: {reason}"
    why = "it was damaged, or its author speaks another version"
    next = "ask the other side to type its command again; if that does not help, invite anew"
