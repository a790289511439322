"""Orders, approvals and mandates: what is wrong with them, and why an order was not carried out.

The sentences of a refusal have no fields: its code stands in the record that ends the order, and
whoever reads that record anywhere is told the same.
"""

from gateway.errors.tree import AuthorError


class OrderError(AuthorError):
    """An order is not what its author may write, or may not be carried out."""

    code = "order"


class MalformedOrder(OrderError):
    """Bytes are not an order."""

    code = "order.malformed"
    what = "not an order: {reason}"
    why = "a machine moves only for what can be read in one way"
    next = "it must be written by docs/protocol/order.md"


class MalformedApproval(OrderError):
    """Bytes are not an approval."""

    code = "approval.malformed"
    what = "not an approval: {reason}"
    why = "what cannot be read approves, refuses and cancels nothing"
    next = "it must be written by docs/protocol/order.md"


class MalformedMandate(OrderError):
    """Bytes are not a mandate."""

    code = "mandate.malformed"
    what = "not a mandate: {reason}"
    why = "a machine asks another one only within bounds that can be read in one way"
    next = "it must be written by docs/protocol/mandate.md"


class MalformedExecution(OrderError):
    """Bytes are not what a gateway says of carrying an order out."""

    code = "execution.malformed"
    what = "not the start or end of an execution: {reason}"
    why = "what became of the order is not known from it"
    next = "it must be written by docs/protocol/order.md"
