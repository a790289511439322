"""Every failure we expect, one tree, a stable code each.

A branch is *who must act*: the operator of this gateway, the device, the author of a record, the
admins of a group, or the peer on the other side of a link. Each class gives three sentences with
fields in braces: `what` happened, `why` it matters, and `next`, what to do. The sentences are
also the keys of the translations. Anything else that is raised is a defect of ours.
Raising means that nothing changed.
"""

from gateway.errors.author import (
    BadBody as BadBody,
    BadSignature as BadSignature,
    BrokenChain as BrokenChain,
    ForkedFeed as ForkedFeed,
    MalformedCbor as MalformedCbor,
    MalformedCertificate as MalformedCertificate,
    MalformedGenesis as MalformedGenesis,
    MalformedPack as MalformedPack,
    MalformedProof as MalformedProof,
    MalformedRecord as MalformedRecord,
    MalformedRoster as MalformedRoster,
    MalformedSignature as MalformedSignature,
    ProofFails as ProofFails,
    RecordTooLarge as RecordTooLarge,
    UnknownOrganisation as UnknownOrganisation,
    UnknownRoster as UnknownRoster,
    WeakKey as WeakKey,
    WrongFeed as WrongFeed,
    WrongIssuer as WrongIssuer,
)
from gateway.errors.device import (
    BadCobs as BadCobs,
    BadCrc as BadCrc,
    BadMetricName as BadMetricName,
    BadNumber as BadNumber,
    BadPath as BadPath,
    BadText as BadText,
    BadTime as BadTime,
    BadType as BadType,
    DuplicateName as DuplicateName,
    FrameError as FrameError,
    FrameNoise as FrameNoise,
    LongFrame as LongFrame,
    MalformedFrame as MalformedFrame,
    NoDevice as NoDevice,
    NoMetric as NoMetric,
    PayloadError as PayloadError,
    PayloadNotJson as PayloadNotJson,
    PayloadNotUtf8 as PayloadNotUtf8,
    PayloadTooDeep as PayloadTooDeep,
    PayloadTooLarge as PayloadTooLarge,
    ReusedBoot as ReusedBoot,
    ShortFrame as ShortFrame,
    UnknownFrameType as UnknownFrameType,
    UnknownFrameVersion as UnknownFrameVersion,
    UnknownMetric as UnknownMetric,
    UnknownQuality as UnknownQuality,
)
from gateway.errors.group import (
    MalformedFounding as MalformedFounding,
    MalformedGroupFile as MalformedGroupFile,
    NotAMember as NotAMember,
    UnknownGroup as UnknownGroup,
)
from gateway.errors.operator import (
    BadExpression as BadExpression,
    BadTopic as BadTopic,
    BadUrl as BadUrl,
    ConfigFault as ConfigFault,
    ConfigFaults as ConfigFaults,
    ConfigSyntax as ConfigSyntax,
    DuplicateKey as DuplicateKey,
    MissingKey as MissingKey,
    NoEffect as NoEffect,
    OpenListen as OpenListen,
    OutOfRange as OutOfRange,
    PasswordUnreadable as PasswordUnreadable,
    SerialAbsent as SerialAbsent,
    SerialBusy as SerialBusy,
    SerialError as SerialError,
    SerialGone as SerialGone,
    SerialPermission as SerialPermission,
    SerialUnsuitable as SerialUnsuitable,
    StoreClosed as StoreClosed,
    StoreDamaged as StoreDamaged,
    StoreError as StoreError,
    StoreFull as StoreFull,
    StoreNewer as StoreNewer,
    StoreUnwritable as StoreUnwritable,
    UnavailableChoice as UnavailableChoice,
    UnknownKey as UnknownKey,
    WrongChoice as WrongChoice,
    WrongType as WrongType,
)
from gateway.errors.peer import (
    BadAck as BadAck,
    BadControl as BadControl,
    BadEnvelope as BadEnvelope,
    MalformedMessage as MalformedMessage,
)
from gateway.errors.tree import (
    AuthorError as AuthorError,
    DeviceError as DeviceError,
    GatewayError as GatewayError,
    GroupError as GroupError,
    OperatorError as OperatorError,
    PeerError as PeerError,
)
