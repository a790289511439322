"""What is wrong with the state directory: keys, certificates, rosters, passphrases."""

from gateway.errors.tree import OperatorError


class StateError(OperatorError):
    """The state directory cannot be used."""

    code = "state"


class StateMissing(StateError):
    """Nobody has initialised this gateway yet."""

    code = "state.missing"
    what = "there is no gateway in {path}"
    why = "without keys it can sign nothing, so it records nothing"
    next = "type 'hulian init'"


class StateExists(StateError):
    """There is a gateway already, whose keys nobody may overwrite."""

    code = "state.exists"
    what = "there is a gateway in {path} already"
    why = "its keys exist once; overwriting them would end its identity"
    next = "choose another --state-dir, or go on with 'hulian check' and 'hulian run'"


class StateOpen(StateError):
    """Others may read a secret file."""

    code = "state.permissions"
    what = "others may read {path} (mode {mode})"
    why = "whoever reads a key can sign in this gateway's name"
    next = "type 'chmod 600 {path}', and consider whether somebody has copied it"


class StateDamaged(StateError):
    """A file of the state directory is missing or not what was written."""

    code = "state.damaged"
    what = "{path} is damaged: {reason}"
    why = "keys, certificates and roster must belong together"
    next = "restore the state directory from its copy; keep the damaged one"


class StateUnwritable(StateError):
    """A file of the state directory cannot be read or written."""

    code = "state.unwritable"
    what = "{path} cannot be used: {reason}"
    why = "keys and groups live in the state directory"
    next = "check the folder's owner and permissions, and the disk"


class WrongPassphrase(StateError):
    """The passphrase does not open a key."""

    code = "state.passphrase"
    what = "the passphrase does not open {path}"
    why = "the organisation's own keys are kept only under it"
    next = "type the passphrase that 'hulian init' printed"


class StateUnfinished(StateError):
    """A gateway waits for its organisation to certify it."""

    code = "state.unfinished"
    what = "the gateway in {path} has no certificate yet"
    why = "its keys are made, and its organisation has not said yet that it is one of its gateways"
    next = "type 'hulian node join' again, or 'hulian org join --signed FILE' with the answer"


class RootElsewhere(StateError):
    """The organisation's root key is on another machine."""

    code = "state.root-elsewhere"
    what = "the organisation's root key is not in {path}"
    why = "only the root key signs for the organisation, and it is kept on another machine"
    next = "carry the request there as a file and type 'hulian org sign FILE -o FILE'"


class RosterSigned(OperatorError):
    """The organisation's root may not sign this roster."""

    code = "roster.signed"
    what = "roster {number} may not be signed with this root key: {reason}"
    why = "two signatures of one root for one number are evidence against the organisation"
    next = "ask who proposed it for the roster that was agreed, or for a new attempt with its proof"


class AlreadyRunning(OperatorError):
    """Another agent owns the state directory."""

    code = "state.in-use"
    what = "another agent runs on {state_dir}"
    why = "two agents on one state directory would both answer for one node"
    next = "stop it first, or see it with 'hulian status'"


class UnknownPerson(StateError):
    """A person is named whom the organisation has not certified, or several have the name."""

    code = "person.unknown"
    what = "{count} people here are called '{person}'"
    why = "the command is about exactly one person"
    next = "see names and ids in 'hulian person list', and name one by the beginning of the id"


class BadPersonKey(StateError):
    """A file holds no key under which a person could sign."""

    code = "person.key"
    what = "{path} holds no person's key"
    why = "the certificate names the key with which the person signs orders and approvals"
    next = "name a file of 'person add --new', an Ed25519 public key in PEM, or 64 hex digits"


class NotSigned(OperatorError):
    """Whoever was asked did not want it signed."""

    code = "request.refused"
    what = "nothing was signed"
    why = "you said that it should not be"
    next = "ask whoever wants the signature what it is for"
