"""What can be wrong with telling others in the plant what was stored."""

from gateway.errors.operator import ConfigFault


class BadPublishTopic(ConfigFault):
    """A topic to publish under that is none, or that tells nobody what is said."""

    code = "config.publish"
    what = "line {line}: nobody can publish under {key}: {reason}"
    why = "each value has a topic of its own, so that a dashboard can find it"
    next = "see [[publish]] in docs/config.md; the default suits most"


class HeardAgain(ConfigFault):
    """What is published is heard by a source of the same gateway."""

    code = "config.loop"
    what = "line {line}: what {key} tells is heard by the source '{source}'"
    why = "each reading would come back as a new one, for ever"
    next = "publish under other topics or another group, or let the source hear fewer"
