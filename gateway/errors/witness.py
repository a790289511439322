"""What goes wrong between a gateway and a witness, and with a witness' own state."""

from gateway.errors.state import StateError
from gateway.errors.tree import AuthorError, PeerError


class MalformedSubmission(AuthorError):
    """Bytes posted to a witness are not what it takes."""

    code = "witness.malformed"
    what = "not what a witness takes: {reason}"
    why = "it takes an old size, a proof, and a checkpoint, each written in one way only"
    next = "the sender must write it by docs/protocol/witness.md"


class UnknownJournal(AuthorError):
    """A witness was never told of the run whose journal this is."""

    code = "witness.unknown"
    what = "the witness does not know {origin}"
    why = "it cosigns for runs of its consortium only, and was shown no certificates of this one"
    next = "nothing to do: a gateway shows them when it is told so"


class StrangeRun(AuthorError):
    """No roster that a witness trusts vouches for a run."""

    code = "witness.stranger"
    what = "no roster that the witness holds vouches for this run: {reason}"
    why = "it cosigns for members of its consortium only"
    next = "tell the witness of the consortium with 'hulian witness trust', or ask its operator"


class TooManyRuns(AuthorError):
    """An organisation has shown a witness more runs than it keeps journals of."""

    code = "witness.runs"
    what = "the witness keeps {count} journals of organisation {organisation}, and no more"
    why = "who makes up runs without end would fill it, and no other could be cosigned"
    next = "find out why its gateways start so often; a new witness key begins anew"


class StrangeRoster(AuthorError):
    """A roster is of a consortium that a witness was not told to trust."""

    code = "witness.consortium"
    what = "the witness does not trust the consortium {consortium}"
    why = "whom it cosigns for, its operator decides"
    next = "ask its operator to type 'hulian witness trust' with that number"


class OtherSize(AuthorError):
    """A proof begins at another size than the witness cosigned last."""

    code = "witness.size"
    what = "the witness cosigned this journal last at {size}"
    why = "only a proof from there shows that nothing was changed"
    next = "nothing to do: a gateway sends the proof from that size"


class JournalForked(AuthorError):
    """A journal shows another root for a size that was cosigned."""

    code = "witness.fork"
    what = "{origin} shows two roots at {size}"
    why = "a journal that has two histories shows each to somebody else"
    next = "treat that gateway as compromised; the witness keeps both checkpoints"


class JournalRewritten(AuthorError):
    """The proof does not lead from what was cosigned to what is shown."""

    code = "witness.inconsistent"
    what = "the proof does not lead from {old} to {size} of {origin}: {reason}"
    why = "what was cosigned once must be the beginning of all that follows"
    next = "see whether that gateway's store was restored or damaged"


class WitnessBusy(PeerError):
    """More is asked of a witness than it answers."""

    code = "witness.busy"
    what = "more is asked than the witness answers to one {who}"
    why = "a limit for each keeps it there for all"
    next = "nothing to do: it is tried again after {seconds} s"


class WitnessClockUnset(PeerError):
    """A witness does not know the time that it would sign."""

    code = "witness.clock"
    what = "the witness' clock is not set"
    why = "a cosignature says when it was made"
    next = "set the clock of the witness' computer"


class BadWitness(PeerError):
    """A witness answered what it may not."""

    code = "witness.answer"
    what = "the witness' answer is of no use: {reason}"
    why = "a cosignature counts only under the key that the roster names, over what was shown"
    next = "check the address, and the key with 'hulian consortium witness'"


class WitnessRefused(PeerError):
    """A witness refuses, and says why by a code of its own."""

    code = "witness.refused"
    what = "the witness refuses: {said}"
    why = "without its cosignature it does not count towards finality"
    next = "look that code up in docs/operations.md; it is tried again by itself"


class WitnessUnnamed(PeerError):
    """No roster held names a key for this witness."""

    code = "witness.unnamed"
    what = "no roster here names the key with which this witness signs"
    why = "a cosignature of a key that nobody named counts nothing"
    next = "have its organisation type 'hulian consortium witness' with the key"


class WitnessMissing(StateError):
    """There is no witness in a folder."""

    code = "witness.missing"
    what = "there is no witness in {path}"
    why = "without its key it can sign nothing"
    next = "type 'hulian witness init'"


class WitnessExists(StateError):
    """There is a witness already, whose key nobody may overwrite."""

    code = "witness.exists"
    what = "there is a witness in {path} already"
    why = "its key is in a roster, and what it cosigned binds it"
    next = "go on with 'hulian witness run'; for a new key type 'hulian witness init --renew'"


class WitnessRetired(StateError):
    """A witness' database is older than what it signed, or gone: its key may sign no more."""

    code = "witness.retired"
    what = "the key in {path} is retired: {reason}"
    why = "a witness that forgot what it cosigned could cosign something else beside it"
    next = (
        "type 'hulian witness init --renew' and then, at a gateway, 'hulian consortium witness' "
        "with the new key"
    )
