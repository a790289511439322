"""What may be written to a machine: points by name, each with its limits and who may ask.

In: values that `load` has checked. Out: the same, by name. Reference: docs/config.md. Without a
point nothing is ever written, and a point that names nobody in `orders_from` obeys nobody. Limits
here keep a wrong order from a machine; what keeps people safe stays in its own controller.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.config.names import Name, Short, Text, Unit

# A truth is switched; a number is set within limits.
PointType = Literal["number", "integer", "bool"]
Limit = Annotated[int | float | None, Meta(description="a number")]


class Point(Struct, frozen=True, kw_only=True):
    """One thing that may be moved: what it is called, how far it may go, and who may ask."""

    name: Name
    # "": a state or a count has none.
    unit: Unit = ""
    # None: only of a truth. Beyond them nothing is written, whoever ordered it.
    min: Limit = None
    max: Limit = None
    # None: from anywhere to anywhere within the limits.
    step: Limit = None
    # (): nobody. To be moved by another company is for this one to allow, by name.
    orders_from: tuple[Short, ...] = ()
    # One beside who orders: four eyes.
    approvals: Annotated[int, Meta(ge=0, le=16, description="from 0 to 16")] = 1
    organisations: Annotated[int, Meta(ge=1, le=16, description="from 1 to 16")] = 1
    # None: what was written is looked for where it was written.
    readback: Short | None = None
    # Machines take a cycle or two to show what they were told; then somebody should look.
    wait_ms: Annotated[int, Meta(ge=100, le=600_000, description="from 100 to 600000")] = 5000

    @property
    def kind(self) -> str:
        """Give the type of its values; `bool` is a truth, all others are numbers."""
        return "number"


class MqttPoint(Point, frozen=True, kw_only=True):
    """A point that is set by a message to a broker."""

    type: PointType = "number"
    topic: Text
    # JSON's number, true or false, as it stands.
    payload: Text = "{value}"
    # None: the source's own name; only beside `readback`.
    device: Short | None = None
    # A command that comes back as a reading is mostly a mistake.
    heard: bool = False

    @property
    def kind(self) -> str:
        """Give the type of its values."""
        return self.type


class SparkplugPoint(Point, frozen=True, kw_only=True):
    """A metric of an edge node or a device that is set by a command."""

    type: PointType = "number"
    device: Annotated[
        str,
        Meta(
            pattern=r"\A[^+#/\x00-\x1f\x7f]{1,63}(/[^+#/\x00-\x1f\x7f]{1,63}){1,2}\Z",
            description="GROUP/NODE or GROUP/NODE/DEVICE",
        ),
    ]
    metric: Short

    @property
    def kind(self) -> str:
        """Give the type of its values."""
        return self.type


class FramedPoint(Point, frozen=True, kw_only=True):
    """A command of a device that speaks firmware_bridge's protocol, by its number."""

    type: PointType = "number"
    command: Annotated[int, Meta(ge=0, le=65_535, description="from 0 to 65535")]
    # Without a key whoever can write to the line could move the machine, and did perhaps.
    unkeyed: bool = False

    @property
    def kind(self) -> str:
        """Give the type of its values."""
        return self.type
