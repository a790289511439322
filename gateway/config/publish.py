"""Where what was stored is told to others in the plant: plain JSON, or Sparkplug as an edge node.

In: values that `load` has checked. Out: the same, by name. Reference: docs/config.md.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.config.addresses import Broker, broker
from gateway.config.names import ClientId, Name, Short, Text
from gateway.config.sparkplug import SparkplugId

GROUP_ID: Final = "hulian"
TOPIC: Final = "hulian/{gateway}/{device}/{metric}"


class Publish(Struct, frozen=True, kw_only=True):
    """A local broker that is told what was stored; live data, never the record itself."""

    name: Name
    url: Text
    # What every dashboard and script can read.
    format: Literal["json", "sparkplug"] = "json"
    topic: Text = TOPIC
    # A plant that has groups of its own names one.
    group_id: SparkplugId = GROUP_ID
    # "" until loaded, then the gateway's name.
    node_id: Annotated[
        str,
        Meta(
            pattern=r"\A[^+#/\x00-\x1f\x7f]{0,63}\Z",
            description="at most 63 letters, none of them + # / or a control character",
        ),
    ] = ""
    devices: Annotated[tuple[Short, ...], Meta(min_length=1, description="at least one")] = ("*",)
    metrics: Annotated[tuple[Short, ...], Meta(min_length=1, description="at least one")] = ("*",)
    username: Short | None = None
    password_file: Text | None = None
    ca_file: Text | None = None
    # "" until loaded, then hulian-GATEWAY-publish-NAME.
    client_id: ClientId = ""
    # Some seconds of a busy plant; beyond it the oldest are dropped, and counted.
    queue_max: Annotated[int, Meta(ge=1, le=1_000_000, description="from 1 to 1000000")] = 10_000

    @property
    def broker(self) -> Broker:
        """Where the broker is: host, port, and whether under TLS."""
        return broker(self.url)
