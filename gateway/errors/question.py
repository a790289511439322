"""What is wrong with a question: whoever asks asks otherwise."""

from gateway.errors.tree import OperatorError


class QuestionError(OperatorError):
    """A question cannot be answered as it was put."""

    code = "query"


class UnknownRecord(QuestionError):
    """No record, or more than one, has such an id."""

    code = "query.record"
    what = "{count} record here begins with {record}"
    why = "a record is named by its id in hex digits, at least the first 4 of them"
    next = "see the ids with 'hulian query --format jsonl'"


class BeyondGap(QuestionError):
    """A record is held, and some of those before it are not yet."""

    code = "query.beyond-gap"
    what = "record {record} is number {seq} of its feed, and of those before it {missing} lack here"
    why = "a proof leads from a record to a root of its feed, and a root is made of all before it"
    next = "export it again when they have come; 'hulian status' says how long that takes"


class UnknownEntry(QuestionError):
    """The quarantine has no such entry."""

    code = "quarantine.entry"
    what = "the quarantine has no entry {entry}"
    why = "nothing was unreadable, or it was let go of since: the quarantine is bounded"
    next = "see what there is with 'hulian quarantine list'"


class BadQuestion(QuestionError):
    """An option of a question cannot be understood."""

    code = "query.option"
    what = "{option} cannot be '{found}'"
    why = "{reason}"
    next = "type 'hulian query --help'"


class UnknownEvidence(QuestionError):
    """There is no such evidence, or more than one."""

    code = "evidence.unknown"
    what = "no evidence, or more than one, has an id that begins with {evidence}"
    why = "it was not found or told of here, or another of an earlier record took its place"
    next = "see what there is with 'hulian evidence list'"
