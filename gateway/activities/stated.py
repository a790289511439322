"""What stands in the body of an order, an approval or a mandate: signed bytes beside a certificate.

In: what a person or a run signed, and by which certificate; or a body's content from anywhere. Out:
the one as the other. It verifies nothing: the certificate's own root, and the signature beneath it,
are for who keeps it. Protocol: docs/protocol/order.md.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import AuthorError, MalformedApproval, MalformedMandate, MalformedOrder
from gateway.records import cbor
from gateway.records.identity import CERTIFICATE_BYTES_MAX
from gateway.records.record import Kind

CONTENT_TYPE: Final = "application/cbor"
_SIGNED_BYTES_MAX: Final = 8 * 1024
_FAULTS: Final[dict[Kind, type[AuthorError]]] = {
    Kind.ORDER: MalformedOrder,
    Kind.APPROVAL: MalformedApproval,
    Kind.MANDATE: MalformedMandate,
}


@dataclass(frozen=True, slots=True)
class Stated:
    """Signed bytes, and the certificate of the person who signed; None where a run did.

    Beside an order under a mandate stands that mandate.
    """

    signed: bytes
    certificate: bytes | None
    mandate: bytes | None = None


def encode(kind: Kind, stated: Stated) -> bytes:
    """Write the content of the body."""
    parts = [stated.signed, stated.certificate]
    return cbor.encode([*parts, stated.mandate] if kind is Kind.ORDER else parts)


def decode(kind: Kind, content: bytes) -> Stated:
    """Read the content of a body of one of these kinds; raise its fault: order.malformed, say."""
    fault = _FAULTS[kind]
    try:
        said = cbor.decode(content, _SIGNED_BYTES_MAX + 2 * CERTIFICATE_BYTES_MAX)
    except AuthorError as wrong:
        raise fault(reason=wrong) from None
    match said:
        case [bytes() as signed, bytes() as person] if kind is not Kind.ORDER:
            return Stated(signed, person)
        case [bytes() as signed, bytes() as person, None] if kind is Kind.ORDER:
            return Stated(signed, person)
        case [bytes() as signed, None, bytes() as mandate] if kind is Kind.ORDER:
            return Stated(signed, None, mandate)
    raise fault(reason="it is no list of what was signed and by whom")
