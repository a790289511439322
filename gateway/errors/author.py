"""What the author of a record, certificate or feed did wrong."""

from gateway.errors.tree import AuthorError


class MalformedCbor(AuthorError):
    """Bytes are not deterministic CBOR within the limits (I1)."""

    code = "cbor.malformed"
    what = "not deterministic CBOR: {reason}"
    why = "two encodings of one thing would have two hashes, so only one is accepted"
    next = "the sender must encode by docs/protocol/encoding.md"


class MalformedSignature(AuthorError):
    """Bytes are not a COSE_Sign1 of the shape we use."""

    code = "cose.malformed"
    what = "not a signed object: {reason}"
    why = "only COSE_Sign1 with our protected header is accepted"
    next = "the sender must encode by docs/protocol/encoding.md"


class BadSignature(AuthorError):
    """The signature does not verify under the key that must have signed."""

    code = "cose.signature"
    what = "the signature of this {what_is_it} does not verify"
    why = "its bytes were changed, or another key signed it"
    next = "ask its author for the original; do not use it"


class WeakKey(AuthorError):
    """A public key of small order or not canonical (I2)."""

    code = "identity.weak-key"
    what = "a public key is of small order or not canonically encoded"
    why = "under such a key one constant signature verifies for every message"
    next = "refuse the party that offers it"


class MalformedCertificate(AuthorError):
    """A CWT of ours lacks a claim, or has one of the wrong type."""

    code = "identity.certificate"
    what = "not a valid {kind} certificate: {reason}"
    why = "a record is only as good as the chain of certificates under it"
    next = "the organisation must issue it again by docs/protocol/identity.md"


class WrongIssuer(AuthorError):
    """A certificate was issued by somebody who may not."""

    code = "identity.issuer"
    what = "a {kind} certificate was issued by {issuer}, not by {expected}"
    why = "nobody can certify for another organisation or node"
    next = "check which roster this record is judged by"


class MalformedRequest(AuthorError):
    """Bytes are no request to an organisation's root, and no answer to one."""

    code = "request.malformed"
    what = "not a request for a signature, nor its answer: {reason}"
    why = "a root key signs only what can be told to a person first"
    next = "have the request written again on the machine that needs the signature"


class MalformedRoster(AuthorError):
    """A roster is not the numbered document of chapter 2."""

    code = "roster.malformed"
    what = "not a roster: {reason}"
    why = "the roster says whose signatures count"
    next = "get the roster again from a member of the consortium"


class ForkedRoster(AuthorError):
    """Two different rosters of one consortium have one number."""

    code = "roster.fork"
    what = "consortium {consortium} has two different rosters with number {number}"
    why = "somebody signed twice, and nobody could say any more who is a member"
    next = "keep both: together they are evidence; ask the other organisations which they hold"


class UnknownOrganisation(AuthorError):
    """The roster that judges a record does not have its organisation."""

    code = "roster.unknown-organisation"
    what = "organisation {organisation} is not in roster {roster}"
    why = "only organisations of the consortium are members of its groups"
    next = "the consortium must admit it first"


class UnknownRoster(AuthorError):
    """A genesis names a roster that is not held."""

    code = "roster.unknown"
    what = "roster {roster} is not held here"
    why = "a record is judged by the roster that its genesis names"
    next = "get the roster from a member of the consortium"


class MalformedRecord(AuthorError):
    """Bytes are not a record of chapter 3."""

    code = "record.malformed"
    what = "not a record: {reason}"
    why = "fields are missing, unknown, of the wrong type or out of bounds"
    next = "its author must write it by docs/protocol/record.md"


class RecordTooLarge(AuthorError):
    """A record or its body exceeds a limit of chapter 14."""

    code = "record.too-large"
    what = "{size} bytes where at most {size_max} are allowed"
    why = "everything is bounded, so that nobody can exhaust anybody"
    next = "its author must split what it says"


class BadBody(AuthorError):
    """A body is not the one its record commits to."""

    code = "record.body"
    what = "the body does not match its record: {reason}"
    why = "a record commits to one content, for every reader the same"
    next = "get the body from another member; keep both as evidence"


class MalformedAnnouncement(AuthorError):
    """The content of an announcement is not that of docs/protocol/sealing.md."""

    code = "announcement.malformed"
    what = "not an announcement: {reason}"
    why = "who holds which key must be readable for every member"
    next = "its author must write it by docs/protocol/sealing.md"


class BadShare(AuthorError):
    """A sender key was announced wrongly to this node."""

    code = "announcement.share"
    what = "the key sealed to this node is not the one announced: {reason}"
    why = "a key is announced as one and the same to every member"
    next = "keep the announcement as evidence; its author must announce another key"


class WrongFeed(AuthorError):
    """A record belongs to another feed, group or run than the one it is offered to."""

    code = "feed.wrong"
    what = "the record is of another {part}"
    why = "a feed is written by one run in one group"
    next = "the peer must send it under its own feed"


class BrokenChain(AuthorError):
    """A record does not follow the one before it."""

    code = "feed.chain"
    what = "record {seq} does not follow record {previous}"
    why = "a feed is a chain without gaps"
    next = "ask the peer for the records from {wanted} on"


class ForkedFeed(AuthorError):
    """Two different records have one feed and number."""

    code = "feed.fork"
    what = "two different records have number {seq} of feed {feed}"
    why = "its author, or a copy of it, signed two histories"
    next = "keep both: together they are evidence"


class MalformedGenesis(AuthorError):
    """A feed's first record does not say who writes it."""

    code = "feed.genesis"
    what = "the feed's genesis is not valid: {reason}"
    why = "a feed verifies from the roster and itself, with nothing else at hand"
    next = "its author must open a new feed"


class MalformedGap(AuthorError):
    """A gap record's body does not say what is missing."""

    code = "gap.malformed"
    what = "not a gap: {reason}"
    why = "a gap says which readings of which device there were and cannot be had"
    next = "its author must write it by docs/protocol/gap.md"


class MalformedNote(AuthorError):
    """Bytes are not a C2SP signed note."""

    code = "note.malformed"
    what = "not a signed note: {reason}"
    why = "a note is a text, an empty line, and lines of signatures"
    next = "the sender must write it by docs/protocol/note.md"


class BadNote(AuthorError):
    """A note is not signed by whom it must be."""

    code = "note.signature"
    what = "a note is not signed by {name}: {reason}"
    why = "its bytes were changed, or another key signed it"
    next = "ask its signer for the original; do not use it"


class MalformedCheckpoint(AuthorError):
    """A note is not the checkpoint of a journal."""

    code = "checkpoint.malformed"
    what = "not a checkpoint: {reason}"
    why = "a checkpoint says origin, size and root, each in one way only"
    next = "the sender must write it by docs/protocol/note.md"


class MalformedProof(AuthorError):
    """Bytes are not a proof bundle."""

    code = "proof.malformed"
    what = "not a proof: {reason}"
    why = "a proof is a CBOR map with known members"
    next = "export it again with 'hulian export proof ID -o FILE'"


class ProofFails(AuthorError):
    """A step of a proof does not hold."""

    code = "proof.fails"
    what = "the proof does not hold: {reason}"
    why = "some byte of it was changed, or it proves something else"
    next = "do not trust the record; ask for the proof again"


class MalformedEvidence(AuthorError):
    """Bytes are not evidence."""

    code = "evidence.malformed"
    what = "not evidence: {reason}"
    why = "evidence is a CBOR list of a kind that is known, with its fields"
    next = "ask for it again: 'hulian evidence show ID -o FILE' writes it"


class EvidenceFails(AuthorError):
    """What is shown as evidence shows nothing against anybody."""

    code = "evidence.fails"
    what = "it is no evidence: {reason}"
    why = "it accuses, and what it shows does not contradict itself, or was changed"
    next = "believe nothing of it; whoever made it may be the one to be asked"


class MalformedPack(AuthorError):
    """An observation's body is not the SenML pack of chapter 6."""

    code = "senml.malformed"
    what = "not a SenML pack: {reason}"
    why = "the readings in it cannot be understood by anyone"
    next = "its author must write it by docs/protocol/observation.md"


class UnprovenPack(AuthorError):
    """A pack says that a device signed it, and does not show it."""

    code = "attestation.fails"
    what = "the pack says that its device signed it, and does not prove it: {reason}"
    why = "its author changed what the device signed, or has no signature of it"
    next = "do not take these readings for the device's own; ask its author"


class RevokedNode(AuthorError):
    """A node greets under a certificate that its organisation revoked."""

    code = "identity.revoked"
    what = "the certificate of {subject} is revoked"
    why = "its organisation said so: the gateway was stolen, lost or taken out of use"
    next = "its organisation certifies it anew under a higher counter, if it is to go on"


class TemplateFault(AuthorError):
    """One fault of a template."""

    code = "template.fault"
    what = "line {line}: {key}: {reason}"
    why = "every member must read a template alike, so nothing in it is guessed at"
    next = "correct it; docs/protocol/template.md lists every key"


class MalformedTemplate(AuthorError):
    """A text is no template; it has all its faults at once."""

    code = "template.malformed"
    what = "the template has {count} fault(s):\n{faults}"
    why = "an activity goes by its template, so all of it must be understood"
    next = "correct these lines and type 'hulian template check FILE'"

    def __init__(self, faults: tuple[TemplateFault, ...]) -> None:
        said = "\n".join(str(fault) for fault in faults)
        super().__init__(count=len(faults), faults=said)
        self.faults = faults


class BadValue(AuthorError):
    """A field of an activity cannot have this value."""

    code = "activity.bad-value"
    what = "{field}: {reason}"
    why = "the activity's template says what each field may hold"
    next = "see 'hulian template show' for the fields and their bounds"
