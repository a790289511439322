"""An approval: a person's signed word about an order, a mandate or an update, for or against it.

In: what it is about, the verdict, and the text that the person was shown; or signed bytes from
anywhere. Out: signed bytes; or an approval whose signer the caller verifies. It never says whether
enough have approved. Protocol: docs/protocol/order.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from gateway.activities import wording
from gateway.activities.wording import Language
from gateway.errors import AuthorError, MalformedApproval
from gateway.readings.reading import Value
from gateway.records import cbor, cose
from gateway.records.cose import Signed, SigningKey

APPROVAL_BYTES_MAX: Final = 512
_KIND: Final = "approval"
_UPDATE: Final[dict[Language, str]] = {
    "en": "Update {record}\nIn activity {activity}\n",
    "zh": "更新 {record}\n所属活动 {activity}\n",
}


class Verdict(IntEnum):
    """What a person says of it: that it be done, that it not be done, or that it be done no more.

    A refusal is another's; a cancellation is of whoever asked for it.
    """

    APPROVE = 0
    REFUSE = 1
    CANCEL = 2


_VERDICTS: Final[dict[Language, tuple[str, str, str]]] = {
    "en": ("I approve:", "I refuse:", "I cancel:"),
    "zh": ("我批准：", "我拒绝：", "我取消："),
}


@dataclass(frozen=True, slots=True)
class Approval:
    """A verdict on what a hash names: a signed order or mandate, or the record of an update."""

    about: bytes
    verdict: Verdict
    shown: bytes  # the hash of the text that was shown, the subject's under the verdict
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """An approval as it was signed; `verify` before believing that anybody did."""

    approval: Approval
    encoded: bytes
    signed: Signed

    @property
    def hash(self) -> bytes:
        """Name it: SHA-256 of the signed bytes."""
        return sha256(self.encoded).digest()

    def is_of(self, subject: str) -> bool:
        """Say whether the text that was shown is that of a subject, in the approval's language."""
        said = self.approval
        return said.shown == wording.digest(text(said.verdict, subject, said.language))

    def verify(self, public: bytes) -> None:
        """Check the signature under a person's key; raise BadSignature."""
        self.signed.verify(public)


def text(verdict: Verdict, subject: str, language: Language) -> str:
    """Write what is signed: the verdict, and the text of what it is about in the same language."""
    return f"{_VERDICTS[language][verdict]}\n{subject}"


def update_text(
    activity: bytes, record: bytes, fields: Mapping[str, Value | bytes], language: Language
) -> str:
    """Write what an update says, as whoever approves it is shown."""
    shown = {
        name: said.hex() if isinstance(said, bytes) else wording.value(said, "", language)
        for name, said in sorted(fields.items())
    }
    head = _UPDATE[language].format(record=record.hex(), activity=activity.hex())
    return head + "".join(f"{name} = {said}\n" for name, said in shown.items())


def encode(approval: Approval) -> bytes:
    """Write the payload that is to be signed."""
    return cbor.encode(
        {
            0: 1,
            1: approval.about,
            2: int(approval.verdict),
            3: approval.shown,
            4: approval.language,
        }
    )


def read(payload: bytes) -> Approval:
    """Read a payload that nobody has signed yet; raise MalformedApproval."""
    try:
        said = cbor.decode(payload, APPROVAL_BYTES_MAX)
    except AuthorError as fault:
        raise MalformedApproval(reason=fault) from None
    match said:
        case {
            0: version,
            1: bytes() as about,
            2: int() as verdict,
            3: bytes() as shown,
            4: ("en" | "zh") as language,
            **more,
        } if not more and type(version) is int and version == 1:
            known = type(verdict) is int and verdict in tuple(Verdict)
            if known and len(about) == len(shown) == 32:
                return Approval(about, Verdict(verdict), shown, language)
    raise MalformedApproval(reason="fields are missing, unknown, or of the wrong type or length")


def sign(key: SigningKey, approval: Approval) -> bytes:
    """Sign an approval with a person's key."""
    return cose.sign(key, _KIND, encode(approval))


def decode(encoded: bytes) -> SignedApproval:
    """Read a signed approval, not yet verified; raise MalformedApproval."""
    try:
        signed = cose.decode(encoded, _KIND)
    except AuthorError as fault:
        raise MalformedApproval(reason=fault) from None
    return SignedApproval(read(signed.payload), encoded, signed)
