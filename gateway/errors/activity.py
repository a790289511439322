"""What the author of an activity's record did that the activity does not take."""

from gateway.errors.tree import AuthorError


class MalformedActivity(AuthorError):
    """The content of an activity's record is not that of docs/protocol/activity.md."""

    code = "activity.malformed"
    what = "not what an activity's record says: {reason}"
    why = "every member must read it alike, so only one form is taken"
    next = "its author must write it by docs/protocol/activity.md"


class NotEntitled(AuthorError):
    """The organisation is no party, or has no role that may say this."""

    code = "activity.unauthorised"
    what = "{organisation} may not write {subject} in this activity"
    why = "the activity's parties and its template say who writes what"
    next = "let a party that has the role write it; 'hulian activity show' names the parties"


class UnknownField(AuthorError):
    """A field is not in the template, or not in the record that is corrected."""

    code = "activity.unknown-field"
    what = "there is no field {field} to write"
    why = "an activity has the fields of its template; a correction, those of what it corrects"
    next = "see 'hulian template show' for the fields"


class GuardForbids(AuthorError):
    """A guard of the template does not hold for what is written."""

    code = "activity.guard"
    what = "{subject} cannot be written yet: {reason}"
    why = "the activity's template says what must hold first"
    next = "see to what the guard asks for, then write it again"


class SlotTaken(AuthorError):
    """A slot has its one outcome."""

    code = "activity.slot-taken"
    what = "{field} was decided before, by record {record}"
    why = "a slot has one outcome at most, and it is never corrected"
    next = "open a new activity if it must be decided anew"


class ActivityClosed(AuthorError):
    """The activity was closed before this."""

    code = "activity.closed"
    what = "the activity was closed before, by record {record}"
    why = "after the close only corrections and approvals count"
    next = "correct what was said, or open a new activity"


class NotYours(AuthorError):
    """A correction of what another organisation wrote, or of nothing that counts."""

    code = "activity.not-yours"
    what = "record {record} is not this organisation's to correct"
    why = "only the organisation that wrote something that counts may correct it"
    next = "ask the organisation that wrote it"
