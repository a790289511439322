"""How much is kept of what counts for nothing: what who was removed goes on to write.

In: a membership, a feed, how much is held of its node's feeds. Out: the size up to which the feed
is taken from anybody; what a member says that it holds is taken beside it. Whoever is removed still
knows its group's secret: without a bound it would fill the members' disks. docs/protocol/sync.md.
"""

from collections.abc import Mapping

from gateway.groups.membership import ENDLESS, Membership
from gateway.records.feed import Feed

# Of one node in one group: records beyond its cuts, and feeds of which nothing counts.
BEYOND_MAX = 1024
UNCOUNTED_FEEDS_MAX = 16


def size_max(held: Membership, feed: Feed, others: Mapping[bytes, int]) -> int:
    """Say up to which size a feed is taken, beside other feeds of its node of these sizes.

    A member's is taken whole; of who is none, what counts, and what is left of its allowance.
    """
    if held.has(feed.node):
        return ENDLESS
    cut = held.cuts.get(feed.node, {})
    counted = cut.get(feed.id, 0)
    beyond = sum(max(size - cut.get(name, 0), 0) for name, size in others.items())
    uncounted = sum(not cut.get(name) for name in others)
    if not counted and uncounted >= UNCOUNTED_FEEDS_MAX:
        return 0
    return counted + max(BEYOND_MAX - beyond, 0)
