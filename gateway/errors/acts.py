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
    next = "see the command with --help, then ask again"


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


class UnknownActivity(ActError):
    """No activity, or more than one, has such an id."""

    code = "act.unknown-activity"
    what = "{count} activity here begins with {activity}"
    why = "an activity is named by the id of the record that opened it, at least 4 digits of it"
    next = "see the ids with 'hulian activity list'"


class NotReached(ActError):
    """Nobody acts on a record yet that the next step rests on."""

    code = "act.not-reached"
    what = "{step} cannot be said yet: {field} of record {record} waits for {lacking}"
    why = "the template says how far a record must be before anybody acts on what it says"
    next = "see how far it is with 'hulian activity show {activity}', then say it again"


class OtherTemplate(ActError):
    """A group was founded for activities by other templates."""

    code = "act.other-template"
    what = "the group {group} was not made for activities by the template {template}"
    why = "its founding names the templates by which its members agreed to act"
    next = "open it without naming a group: one is then made or found that fits"


class NoLinkedReading(ActError):
    """A reading is to be linked that the group of the activity does not hold."""

    code = "act.no-reading"
    what = "no reading of {metric} of {device} is in the group {group}"
    why = "what an update rests on must be there for all who read it"
    next = "bind the device to the activity, or route its readings to the group, and ask again"


class DeviceBound(ActError):
    """A device is to be bound whose readings belong to another activity."""

    code = "act.device-bound"
    what = "the readings of {device} belong to the activity {activity}"
    why = "a reading is said once, in one activity"
    next = "unbind it there with 'hulian activity update {activity} --unbind {device}'"


class NotAttached(ActError):
    """A file is asked for that is not here whole, or that nobody attached."""

    code = "act.not-attached"
    what = "the file {file} of the activity {activity} is not here whole"
    why = "what is given must have the hash that names it"
    next = "see with 'hulian activity show {activity}' how much of it has come"


class UnknownTemplate(ActError):
    """A template is named that does not come with the program, and is no file."""

    code = "template.unknown"
    what = "there is no template {which}, and no such file; there are: {known}"
    why = "an activity goes by its template"
    next = "see 'hulian template list', or name a file of yours"
