"""What a group's founding or membership forbids."""

from gateway.errors.tree import GroupError


class MalformedFounding(GroupError):
    """Bytes are not a founding of chapter 5."""

    code = "group.founding"
    what = "not a group's founding: {reason}"
    why = "the founding says who is a member and what is agreed"
    next = "ask the group's founder for the group file again"


class MalformedGroupFile(GroupError):
    """A group file is damaged or incomplete."""

    code = "group.file"
    what = "the group file cannot be used: {reason}"
    why = "without founding, certificates, roster and secret nobody can take part"
    next = "ask the group's founder for the group file again"


class NotAMember(GroupError):
    """A node that is no member wrote, or asked for, something of a group."""

    code = "group.not-a-member"
    what = "node {node} is not a member of group {group}"
    why = "only members write to a group and read from it"
    next = "the group's admins must add it first"


class BeyondCut(GroupError):
    """A node that is no member any more wrote more than is kept of what counts for nothing."""

    code = "group.beyond-cut"
    what = "a record of node {node} in group {group} was refused: it counts for nothing"
    why = "the node was removed, and of what it writes from then on only a little is kept"
    next = "nothing to do; its operator may stop it, and the broker's may lock it out"


class AdditionUnproven(GroupError):
    """A node of which a proof does not show that it is a member: it may be so, or not."""

    code = "group.addition-unproven"
    what = "that node {node} counts as a member of group {group} was not shown"
    why = "its founding does not name it, and no record that adds it was shown; or it was removed"
    next = "ask a member of the group whether, and by whom, it was added"


class NotAgreed(GroupError):
    """A proof does not show that all who must have receipted a record: it may be so, or not."""

    code = "group.not-agreed"
    what = "that the record is agreed was not shown: {reason}"
    why = "every organisation with a role that the founding names must have receipted it"
    next = "ask for the proof again once they have; 'hulian record show ID' says who has"


class TooFewWitnesses(GroupError):
    """A proof does not show enough cosignatures: there may be more, or not."""

    code = "group.too-few-witnesses"
    what = "{count} of {total} witnesses of the group cosigned, and {needed} must"
    why = "with fewer, those who cosigned might all be at fault"
    next = "ask for the proof again once more witnesses have cosigned"


class UnknownGroup(GroupError):
    """A group is named that this gateway does not have."""

    code = "group.unknown"
    what = "there is no group {group} here"
    why = "records belong to a group of which this gateway is a member"
    next = "see the groups in 'hulian status', or correct the name"


class InvitationTooLarge(GroupError):
    """A group has too much of a past to be told in one message."""

    code = "group.invitation-too-large"
    what = "an invitation to group {group} is of {size} bytes where at most {size_max} are allowed"
    why = "it holds the rosters and every change of members, and one message carries it"
    next = "found a new group with the members of today, which begins without that past"


class HistoryNotShared(GroupError):
    """A group's policy does not give newcomers what was before them."""

    code = "group.history"
    what = "group {group} does not share with newcomers what was said before they joined"
    why = "its founding says so, and whoever wrote it relied on that"
    next = "let each author share its own, which it may"


class MalformedMembership(GroupError):
    """Bytes are not an act of chapter 5 upon a group's membership."""

    code = "group.membership"
    what = "not a membership record: {reason}"
    why = "what cannot be read changes no membership"
    next = "its author must write it by docs/protocol/membership.md"


class NotAllowed(GroupError):
    """A local person asks for an act that the group does not let this node do."""

    code = "group.not-allowed"
    what = "this node cannot do that in group {group}: {reason}"
    why = "every member would judge the record by the same rules, and leave it out"
    next = "see who may with 'hulian group show', and ask one of them"
