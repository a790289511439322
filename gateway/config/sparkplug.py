"""A Sparkplug source: edge nodes and their devices behind one broker, heard as a host application.

In: values that `load` has checked. Out: the same, by name. Reference: docs/devices/sparkplug.md.
"""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.config.addresses import Broker, broker
from gateway.config.devices import STALE_MS, Equipment, StaleMs
from gateway.config.names import ClientId, Name, Short, Text
from gateway.config.points import SparkplugPoint

# An id is one level of a topic.
SparkplugId = Annotated[
    str,
    Meta(
        pattern=r"\A[^+#/\x00-\x1f\x7f]{1,63}\Z",
        description="1 to 63 letters, none of them + # / or a control character",
    ),
]
Group = Annotated[
    str,
    Meta(
        pattern=r"\A(\+|[^+#/\x00-\x1f\x7f]{1,63})\Z",
        description="+, or 1 to 63 letters, none of them + # / or a control character",
    ),
]


class SparkplugSource(Struct, frozen=True, kw_only=True, tag_field="type", tag="sparkplug"):
    """All edge nodes of some groups; they name their devices and metrics themselves."""

    name: Name
    url: Text
    # +: all groups that the broker lets us hear.
    groups: Annotated[tuple[Group, ...], Meta(min_length=1, description="at least one")] = ("+",)
    # "" until loaded, then the gateway's name: under it edge nodes see whether we are there.
    host_id: Annotated[
        str,
        Meta(
            pattern=r"\A[^+#/\x00-\x1f\x7f]{0,63}\Z",
            description="at most 63 letters, none of them + # / or a control character",
        ),
    ] = ""
    username: Short | None = None
    password_file: Text | None = None
    ca_file: Text | None = None
    # "" until loaded, then hulian-GATEWAY-SOURCE, as of an MQTT source.
    client_id: ClientId = ""
    # Two seconds, what the specification gives as usual; 0: one broker keeps the order anyway.
    reorder_ms: Annotated[int, Meta(ge=0, le=60_000, description="from 0 to 60000")] = 2000
    # true: without certificates nothing can be read, and every edge node has to answer this.
    rebirth: bool = True
    # Messages that wait for their commit; beyond it we stop reading, as from an MQTT source.
    in_flight_max: Annotated[int, Meta(ge=1, le=65_535, description="from 1 to 65535")] = 2000
    # 256 KiB: a certificate of some 5,000 metrics.
    payload_bytes_max: Annotated[
        int, Meta(ge=1, le=16_777_216, description="from 1 to 16777216")
    ] = 262_144
    # (): no command is ever sent but the request for a certificate.
    point: tuple[SparkplugPoint, ...] = ()
    stale_ms: StaleMs = STALE_MS
    equipment: Equipment = ""

    @property
    def broker(self) -> Broker:
        """Where the broker is: host, port, and whether under TLS."""
        return broker(self.url)
