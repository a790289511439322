"""What people's signatures lack: sheets, keys, and what is named that there is not."""

from gateway.errors.tree import AuthorError, OperatorError


class MalformedSheet(AuthorError):
    """A file is no sheet, or what it shows is not what would be signed."""

    code = "sheet.malformed"
    what = "nothing here can be signed: {reason}"
    why = "a person signs exactly what is shown, and nothing else"
    next = "have the gateway write the file again with --request FILE"


class SheetError(OperatorError):
    """What is to be signed, or was, cannot be used here."""

    code = "sheet"


class NotConfirmed(SheetError):
    """The digits beside the text were not typed as they are shown."""

    code = "sheet.unconfirmed"
    what = "nothing was signed: the digits are not those that are shown"
    why = "they say that this very text was read, just now"
    next = "read the text again, then type the six digits below it"


class KeyOnGateway(SheetError):
    """A person's key lies in the gateway's own folder."""

    code = "sheet.key-here"
    what = "{path} lies in the folder of this gateway, {state_dir}"
    why = "whoever runs the gateway could order in that person's name"
    next = "move the key to that person's own computer; sign there with 'hulian order sign'"


class PersonUncertified(SheetError):
    """Nobody whom this organisation certifies has the key that signed."""

    code = "sheet.uncertified"
    what = "no certificate here is of the key that signed"
    why = "only people whom this organisation certifies order and approve from its gateways"
    next = "see 'hulian person list'; certify the key with 'hulian person add'"


class OtherSheet(SheetError):
    """A signed file is of another kind than the command sends."""

    code = "sheet.other"
    what = "the file is a signed {found}, and not a signed {expected}"
    why = "each is sent by a command of its own"
    next = "send it with the command that wrote the request"


class UnknownOrder(SheetError):
    """An order is named that is not here, or more than one by the beginning that was typed."""

    code = "order.unknown"
    what = "there is {count} order here that begins with {order}"
    why = "what came over a link may not be here yet"
    next = "see 'hulian order list'"


class UnknownMandate(SheetError):
    """A mandate is named that is not here, or more than one by the beginning that was typed."""

    code = "mandate.unknown"
    what = "there is {count} mandate here that begins with {mandate}"
    why = "what came over a link may not be here yet"
    next = "see 'hulian mandate list'"


class OrderOver(SheetError):
    """Something is said of an order that has come to its end."""

    code = "order.over"
    what = "the order has ended already: {outcome}"
    why = "its machine's gateway has said what became of it, and nothing changes that"
    next = "see 'hulian order show {order}'; what is still wanted is a fresh order"


class NothingToQuote(SheetError):
    """An order has no record of its target's present run to quote."""

    code = "order.nothing-to-quote"
    what = "no fresh record of {target} is here that an order could quote: {reason}"
    why = "by such a record the machine's gateway knows that the order is not an old one"
    next = (
        "write an update to the activity ('hulian activity update'): its gateway answers with a"
        " receipt, which is a fresh record; without a link carry one by 'hulian export bundle'"
    )
