"""The root of the tree and its five branches: who must act."""

from typing import ClassVar


class GatewayError(Exception):
    """The root: `code` is stable, `facts` fill the sentences; says what, why and what next."""

    code: ClassVar[str] = "gateway"
    what: ClassVar[str] = "something expected to be possible was not"
    why: ClassVar[str] = ""
    next: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        super().__init__()
        self.facts = facts

    def __str__(self) -> str:
        """Give the code and what happened, in English, for logs and quarantine."""
        return f"{self.code}: {self.what.format(**self.facts)}"


class OperatorError(GatewayError):
    """The person who runs this gateway must act."""

    code = "operator"


class DeviceError(GatewayError):
    """A machine said what cannot be read; its owner must act."""

    code = "device"


class AuthorError(GatewayError):
    """A record, certificate or feed is not what its author may write."""

    code = "author"


class GroupError(GatewayError):
    """A group's founding or membership forbids it; its admins must act."""

    code = "group"


class PeerError(GatewayError):
    """The party on the other side of a link sent what cannot be."""

    code = "peer"
