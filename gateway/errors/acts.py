"""What is wrong with what people ask the running agent to do with groups."""

from gateway.errors.tree import OperatorError


class ActError(OperatorError):
    """The running agent cannot do what was asked; nothing changed."""

    code = "act"


class AskedWrongly(ActError):
    """A request at the agent's door lacks something, or names what there is not."""

    code = "act.request"
    what = "the agent cannot do that: {reason}"
    why = "it does nothing that was not asked for in full"
    next = "see 'hulian group --help', then ask again"


class GroupExists(ActError):
    """A group is to have a name that another has on this gateway."""

    code = "act.group-exists"
    what = "there is a group {group} on this gateway already"
    why = "routes and commands know groups by their names"
    next = "choose another name, or see the group with 'hulian group show {group}'"


class UnknownParty(ActError):
    """A party is named that no consortium of this gateway knows, or none of whose gateways is."""

    code = "act.unknown-party"
    what = "no gateway of {who} is known here; there are: {known}"
    why = "a group is made of nodes whose certificates are held, and of nobody else"
    next = "see 'hulian consortium show' for names; pair first with 'hulian consortium invite'"


class AmbiguousParty(ActError):
    """A name stands for more than one party."""

    code = "act.ambiguous-party"
    what = "{who} is the name of more than one"
    why = "what is shared with the wrong one cannot be taken back"
    next = "name it by its id, which 'hulian group show' and 'hulian node list' print"


class UnknownInvitation(ActError):
    """An invitation is named that does not wait here."""

    code = "act.unknown-invitation"
    what = "no invitation {invitation} waits here"
    why = "an invitation waits until it is accepted, and is sent again while its group lacks us"
    next = "see 'hulian group list'; ask whoever invites whether this gateway is a member"


class UnknownTemplate(ActError):
    """A template is named that does not come with the program, and is no file."""

    code = "template.unknown"
    what = "there is no template {which}, and no such file; there are: {known}"
    why = "an activity goes by its template"
    next = "see 'hulian template list', or name a file of yours"
