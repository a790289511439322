"""What the person who runs this gateway must mend: config, keys, files, disk."""

from gateway.errors.tree import OperatorError


class SerialError(OperatorError):
    """A serial line cannot be used."""

    code = "serial"


class BadSerialUrl(SerialError):
    """The address of a serial line cannot be read."""

    code = "serial.url"
    what = "'{url}' is not a serial address: {reason}"
    why = "a wrong speed or parity turns every frame into noise"
    next = "write it like serial:///dev/ttyUSB0?baud=115200&parity=N"


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
