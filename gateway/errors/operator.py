"""What the person who runs this gateway must mend: config, keys, files, disk."""

from gateway.errors.tree import OperatorError


class SerialError(OperatorError):
    """A serial line cannot be used."""

    code = "serial"


class SerialAbsent(SerialError):
    """The device file does not exist, or nothing is behind it."""

    code = "serial.absent"
    what = "there is no serial line at {path}"
    why = "it is unplugged, or has another name; the gateway goes on looking for it"
    next = "plug it in, or see /dev/serial/by-id for a name that stays"


class SerialBusy(SerialError):
    """Another process owns the line."""

    code = "serial.busy"
    what = "the serial line {path} belongs to another process"
    why = "two readers of one line each get a part of every frame"
    next = "see who it is with 'fuser {path}', and stop it"


class SerialPermission(SerialError):
    """We may not open the line."""

    code = "serial.permission"
    what = "no permission to open {path}"
    why = "serial lines belong to a group, on Debian 'dialout'"
    next = "add the gateway's user to that group and start it again"


class SerialUnsuitable(SerialError):
    """The file exists and is no serial line, or cannot do what the address asks."""

    code = "serial.unsuitable"
    what = "{path} cannot be set up as a serial line: {reason}"
    why = "it is no serial line, or does not have this speed or mode"
    next = "correct the source's url"


class SerialGone(SerialError):
    """The line went away while it was open."""

    code = "serial.gone"
    what = "the serial line {path} went away"
    why = "it was unplugged; the gateway goes on looking for it, and the device keeps its readings"
    next = "plug it in again"


class StoreError(OperatorError):
    """The store cannot be written or read."""

    code = "store"


class StoreFull(StoreError):
    """The disk is full."""

    code = "store.full"
    what = "there is no space left for {path}"
    why = "nothing more can be acknowledged; what was acknowledged is safe"
    next = "free space on that disk; work goes on by itself"


class StoreDamaged(StoreError):
    """The store's bytes are not what was written."""

    code = "store.damaged"
    what = "{path} is damaged: {reason}"
    why = "the disk, or something that wrote to it, changed what was stored"
    next = "type 'hulian fsck --deep', and keep a copy of the file"


class StoreUnwritable(StoreError):
    """The store cannot be opened, read or written."""

    code = "store.unwritable"
    what = "{path} cannot be used: {reason}"
    why = "nothing can be acknowledged that is not stored"
    next = "check the disk, the folder's owner and its permissions"


class StoreNewer(StoreError):
    """The store has another schema than this program knows."""

    code = "store.version"
    what = "{path} has schema {found}, and this program knows {known}"
    why = "a store is upgraded when the agent starts, and never taken back"
    next = "run the newer program, or start the agent once to upgrade the store"


class StoreClosed(StoreError):
    """Something was to be stored while the agent stops."""

    code = "store.closed"
    what = "the store is closed"
    why = "the agent is stopping; what is not acknowledged will be sent again"
    next = "start the agent again"


class ConfigFault(OperatorError):
    """One fault of the config; its facts hold at least `line` and `key`."""

    code = "config"


class ConfigSyntax(ConfigFault):
    """The file is not TOML."""

    code = "config.toml"
    what = "line {line}: not TOML: {reason}"
    why = "nothing of the file can be used until all of it can be read"
    next = "correct this line; https://toml.io shows how TOML is written"


class UnknownKey(ConfigFault):
    """A key that nobody reads."""

    code = "config.unknown-key"
    what = "line {line}: there is no key {key}"
    why = "a misspelt key would be ignored in silence, and its default used"
    next = "{advice} (docs/config.md lists every key)"


class MissingKey(ConfigFault):
    """A key that must be there is not."""

    code = "config.missing"
    what = "line {line}: {key} is missing"
    why = "it has no default that would be right for everyone"
    next = "add it; docs/config.md shows an example"


class WrongType(ConfigFault):
    """A value of another type than its key takes."""

    code = "config.type"
    what = "line {line}: {key} is {found}, not {expected}"
    why = "a guess at what was meant could be wrong"
    next = "write {expected}"


class OutOfRange(ConfigFault):
    """A value of the right type that its key cannot have."""

    code = "config.range"
    what = "line {line}: {key} must be {expected}"
    why = "other values cannot work, or would exhaust the gateway"
    next = "choose a value within the bounds that docs/config.md gives with their reasons"


class WrongChoice(ConfigFault):
    """A value that is none of those a key can have."""

    code = "config.choice"
    what = "line {line}: {key} cannot be '{found}'"
    why = "it must be one of: {choices}"
    next = "{advice}"


class BadUrl(ConfigFault):
    """An address that cannot be used; it is not repeated, because it may hold a password."""

    code = "config.url"
    what = "line {line}: {key} is not an address that can be used: {reason}"
    why = "nothing can be reached under it"
    next = "write it like {example}"


class DuplicateKey(ConfigFault):
    """Two entries share what must be each one's own."""

    code = "config.duplicate-name"
    what = "line {line}: {key} is '{found}', as in line {first}"
    why = "{reason}"
    next = "give one of the two another"


class UnavailableChoice(ConfigFault):
    """A choice of the contract that this version does not have yet."""

    code = "config.unavailable"
    what = "line {line}: {key} = '{found}' is not available in this version"
    why = "it is part of the contract and comes with a later version"
    next = "use one of: {choices}"


class BadExpression(ConfigFault):
    """A path is not JMESPath."""

    code = "config.path"
    what = "line {line}: {key} is not a JMESPath expression: {reason}"
    why = "it would find nothing in any payload"
    next = "https://jmespath.org shows how paths are written; env.temp_c is one"


class UnknownUnit(ConfigFault):
    """A unit that is neither of the SenML registry nor of UCUM."""

    code = "config.unit"
    what = "line {line}: {key} is no unit that is known: '{found}'"
    why = "who reads the number must know what it is in; names differ, so the registry's are used"
    next = "{advice}"


class BadTopic(ConfigFault):
    """A topic filter that MQTT does not know."""

    code = "config.topic"
    what = "line {line}: {key} is not an MQTT topic filter: {reason}"
    why = "the broker would refuse it, or close the connection"
    next = "write it like factory/+/telemetry or factory/#"


class NoEffect(ConfigFault):
    """A key that can have no effect beside the others."""

    code = "config.no-effect"
    what = "line {line}: {key} has no effect here: {reason}"
    why = "what is written and does nothing misleads whoever reads it"
    next = "remove it, or correct what stands beside it"


class OpenListen(ConfigFault):
    """The page would be shown to a network without a password."""

    code = "config.listen"
    what = "line {line}: {key} listens beyond this computer, and nobody has a password"
    why = "anyone on the network could read and change what the gateway does"
    next = "listen on 127.0.0.1: this version has no users yet, so nobody has a password"


class ConfigFaults(OperatorError):
    """A config that cannot be used, with all its faults at once."""

    code = "config.faults"
    what = "the config has {count} fault(s):\n{faults}"
    why = "the gateway does not start on a config that it would have to guess at"
    next = "correct these lines and type 'hulian check'"

    def __init__(self, faults: tuple[ConfigFault, ...]) -> None:
        said = "\n".join(str(fault) for fault in faults)
        super().__init__(count=len(faults), faults=said)
        self.faults = faults


class PasswordUnreadable(OperatorError):
    """The file that holds a password cannot be read."""

    code = "config.password-file"
    what = "the password file {path} cannot be read: {reason}"
    why = "without it the broker refuses us"
    next = "write the password into that file, readable by the agent's user only"


class KeyUnusable(OperatorError):
    """The file that holds a device's key cannot be used."""

    code = "config.key-file"
    what = "the key file {path} cannot be used: {reason}"
    why = "without the key nobody can tell the device from another on its line"
    next = "write the device's key into it, 64 hexadecimal digits, and type: chmod 600 {path}"


class PublicKeyUnusable(OperatorError):
    """What should be a device's public key is none."""

    code = "config.public-key"
    what = "the public key of source {source} cannot be used: {reason}"
    why = "under a key that is not the device's alone, a signature proves nothing"
    next = "write the device's Ed25519 public key there, 64 hexadecimal digits"


class ConfigUnreadable(OperatorError):
    """The config file cannot be read."""

    code = "config.unreadable"
    what = "the config {path} cannot be read: {reason}"
    why = "a gateway without a config does not know what to listen to"
    next = "type 'hulian init', or name the file with --config"


class NotRunning(OperatorError):
    """No agent answers on the state directory."""

    code = "agent.not-running"
    what = "no agent answers on {state_dir}"
    why = "readings are heard only while the agent runs"
    next = "type 'hulian run', or start its service"


class FileUnusable(OperatorError):
    """A file named on the command line cannot be read or written."""

    code = "file.unusable"
    what = "{path} cannot be used: {reason}"
    why = "the command has nothing to work on"
    next = "check the file's name and permissions"


class NoBroker(OperatorError):
    """The demo has no broker to start."""

    code = "demo.broker"
    what = "mosquitto is not installed, or does not start"
    why = "the demo's machine speaks to its gateway through a broker"
    next = "type 'sudo apt-get install mosquitto', then 'make demo' again"
