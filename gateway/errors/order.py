"""Orders, approvals and mandates: what is wrong with them, and why an order was not carried out.

The sentences of a refusal have no fields: its code stands in the record that ends the order, and
whoever reads that record anywhere is told the same.
"""

from gateway.errors.tree import AuthorError, OperatorError


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


class OrderRefused(OrderError):
    """An order is never carried out."""

    code = "order.never"


class MandateRefused(OrderRefused):
    """A mandate does not allow an order."""

    code = "mandate"


class TextDiffers(OrderRefused):
    """What was signed is not what was shown."""

    code = "order.text"
    what = "the text shown to whoever signed is not the text of this order"
    why = "a person answers for what was read, and for nothing else"
    next = "prepare the order again, with the programs of both sides up to date"


class WrongTarget(OrderRefused):
    """It is for another gateway."""

    code = "order.target"
    what = "the order is for another gateway, or for one of another name"
    why = "each machine obeys its own gateway only"
    next = "send it again, to the gateway at which the machine stands"


class EarlierRun(OrderRefused):
    """It quotes an earlier start of the gateway."""

    code = "order.earlier-run"
    what = "the order quotes a record that the gateway wrote before its last start"
    why = "what was asked before a restart or a restored backup may be done, or wanted no more"
    next = "send a fresh order, if it is still wanted"


class UnwrittenRecord(OrderRefused):
    """It quotes what was never written."""

    code = "order.unwritten"
    what = "the order quotes a record that the gateway has not written"
    why = "only a record that is there shows how fresh the order is"
    next = "send a fresh order; if it happens again, look who prepares them"


class StaleOrder(OrderRefused):
    """It is older than it is valid."""

    code = "order.stale"
    what = "the order is older than it is valid, by the gateway's own uptime"
    why = "an order that lay somewhere must not move a machine that nobody thinks of any more"
    next = "send a fresh order, if it is still wanted"


class OrderNotCounted(OrderRefused):
    """Its record does not count."""

    code = "order.not-counted"
    what = "the order's record does not count in the group"
    why = "its author is no member, or was removed before it was held by others"
    next = "ask the group's admins; 'hulian group show' says who is a member"


class OrderContested(OrderRefused):
    """Its record is contested."""

    code = "order.contested"
    what = "the order's record is beyond a fork of its author's feed, or answers what is"
    why = "two histories of its author are signed, and nobody knows which is meant"
    next = "see 'hulian evidence list', and send a fresh order from another gateway or run"


class RepeatedOrder(OrderRefused):
    """Its number was used before."""

    code = "order.repeated"
    what = "another order with the same number, of the same signer, was carried out"
    why = "a number stands for one order, so that none is carried out twice"
    next = "send a fresh order, which has a number of its own"


class UnsignedOrder(OrderRefused):
    """Nobody who may has signed it."""

    code = "order.signature"
    what = "whoever is said to have signed the order, a person or under a mandate a run, has not"
    why = "a machine moves only for who answers for it"
    next = "send it again, signed with the key that the certificate is for"


class ForeignOrder(OrderRefused):
    """Another organisation brought it."""

    code = "order.organisation"
    what = "a person's order was brought by a gateway of another organisation"
    why = "an organisation answers for the orders of its own people, at its own gateways"
    next = "send it at a gateway of the person's organisation"


class BarredPerson(OrderRefused):
    """The person may order no more."""

    code = "order.revoked"
    what = "the certificate of the person who ordered was revoked, or has expired"
    why = "who left, or lost the key, must not move machines"
    next = "have a person with a valid certificate order it"


class CancelledOrder(OrderRefused):
    """It was cancelled."""

    code = "order.cancelled"
    what = "a person of the organisation that ordered cancelled it before it was started"
    why = "the gateway's log says which came first"
    next = "nothing to do; send a fresh order, if it is wanted after all"


class RefusedOrder(OrderRefused):
    """A person refused it."""

    code = "order.refused"
    what = "a person who may approve refused the order"
    why = "one who says no is enough to stop a machine from being moved"
    next = "ask that person why; 'hulian order show ORDER' says who it was"


class NoSuchPoint(OrderRefused):
    """There is no such point."""

    code = "order.point"
    what = "the gateway has no point of that name that may be written"
    why = "what its owner did not name cannot be ordered"
    next = "ask the machine's owner what may be ordered, and under which name"


class PointNotAllowed(OrderRefused):
    """The point is not for that organisation."""

    code = "order.not-allowed"
    what = "the machine's owner does not take orders for this point from that organisation"
    why = "whose orders a machine obeys is for its owner to say, point by point"
    next = "ask the machine's owner to add the organisation to the point's orders_from"


class WrongPointType(OrderRefused):
    """The value is of another type."""

    code = "order.type"
    what = "the value is not of the type that the point takes"
    why = "a guess at what was meant could move the machine elsewhere"
    next = "send it again with a value of the point's type"


class WrongPointUnit(OrderRefused):
    """The value is in another unit."""

    code = "order.unit"
    what = "the value is not in the unit that the point takes"
    why = "180 of one unit may be harmless where 180 of another are not"
    next = "send it again in the point's unit"


class LimitsExceeded(OrderRefused):
    """The value is beyond the limits."""

    code = "order.limits"
    what = "the value is beyond the limits that the machine's owner set for the point"
    why = "limits hold for everybody, whoever approves"
    next = "send it again with a value within the limits, or ask the owner"


class ClosedActivity(OrderRefused):
    """The activity is closed."""

    code = "order.closed"
    what = "the activity to which the order belongs is closed"
    why = "what is closed asks for nothing more"
    next = "open an activity, and send a fresh order in it"


class MayNotOrder(OrderRefused):
    """The organisation may not order here."""

    code = "order.unauthorised"
    what = "the organisation has no role in the activity that may send orders"
    why = "the activity's template says who may, and all its parties agreed to that"
    next = "ask a party that may, or open an activity of a template in which you may"


class StateUnknown(OrderRefused):
    """An expected state is not known."""

    code = "order.state-unknown"
    what = "the gateway has no good and recent reading of a state that the order expects"
    why = "an order that depends on a state is not carried out blindly"
    next = "see that the device is heard, and send a fresh order"


class StateDiffers(OrderRefused):
    """An expected state is not so."""

    code = "order.state"
    what = "a state that the order expects is not what the machine shows"
    why = "whoever ordered wanted it only in that state"
    next = "look at the machine's readings, and send a fresh order"


class MandateGiver(MandateRefused):
    """Nobody who may gave the mandate."""

    code = "mandate.giver"
    what = "no person in good standing of the machine's own organisation gave the mandate as shown"
    why = "only who owns a machine may lend it to another one"
    next = "have a person of the machine's owner give a new mandate"


class MandateWithdrawn(MandateRefused):
    """The mandate was withdrawn."""

    code = "mandate.withdrawn"
    what = "a person of the machine's owner withdrew the mandate"
    why = "leave that was taken back is no leave"
    next = "ask the machine's owner for a new mandate"


class MandateElsewhere(MandateRefused):
    """The mandate is for something else."""

    code = "mandate.elsewhere"
    what = "the mandate is for another gateway to ask, another machine, point or unit"
    why = "what is allowed in one place is not allowed in another"
    next = "use the mandate that is for this order, or ask for one"


class MandateCause(MandateRefused):
    """Another device caused it."""

    code = "mandate.cause"
    what = "no reading of the device that the mandate names stands behind the order"
    why = "the mandate is that device's, and the reading shows why it asked"
    next = "see that the rule is about the device that the mandate names"


class MandateDepth(MandateRefused):
    """The chain is too deep."""

    code = "mandate.depth"
    what = "more orders led to this one than the mandate allows"
    why = "machines that cause one another's orders must come to an end"
    next = "see which rules answer each other; a person may order it"


class MandateBounds(MandateRefused):
    """The value is beyond the mandate."""

    code = "mandate.bounds"
    what = "the value is beyond the bounds of the mandate"
    why = "within them the machine's owner need not be asked, beyond them he must be"
    next = "correct the rule's value, or ask for a mandate with other bounds"


class MandateEnded(MandateRefused):
    """The mandate has ended."""

    code = "mandate.ended"
    what = "the mandate's time is over"
    why = "leave is given for a time, so that what is forgotten ends by itself"
    next = "ask the machine's owner for a new mandate"


class MandateSpent(MandateRefused):
    """The mandate is spent."""

    code = "mandate.spent"
    what = "all that the mandate allows was ordered already"
    why = "a budget bounds what a fault of a machine can cost"
    next = "look whether all those orders were right, and ask for a new mandate"


class MandateRate(MandateRefused):
    """It comes too soon after others."""

    code = "mandate.rate"
    what = "the mandate allows no more orders within so short a time"
    why = "a machine that asks too often is mostly at fault"
    next = "let the rule wait longer, or ask for a mandate with another rate"


class NoCause(OperatorError):
    """A rule's order would answer a reading that is not in the group of its mandate."""

    code = "rule.no-cause"
    what = "no reading of {device} by this gateway is in group {group}, where the mandate stands"
    why = "who is asked must hold the reading that led to the order"
    next = "route the device's readings to that group, or bind the device to the activity"
