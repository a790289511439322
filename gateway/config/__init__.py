"""The config: TOML in, validated and frozen settings out. Reference: docs/config.md.

`load` gives all faults at once, each with its line, its key and the nearest valid one; `show` gives
back the effective config with every default. Neither opens a file, so neither ever sees a password.
"""

from gateway.config.addresses import (
    Broker as Broker,
    Bus as Bus,
    HalfDuplex as HalfDuplex,
    Listen as Listen,
    SerialLine as SerialLine,
    Submission as Submission,
    TcpBus as TcpBus,
    broker as broker,
    listen as listen,
    serial_line as serial_line,
)
from gateway.config.devices import Bind as Bind, joined as joined
from gateway.config.load import load as load
from gateway.config.modbus import (
    ModbusMetric as ModbusMetric,
    ModbusPoint as ModbusPoint,
    ModbusSource as ModbusSource,
)
from gateway.config.points import (
    FramedPoint as FramedPoint,
    MqttPoint as MqttPoint,
    Point as Point,
    SparkplugPoint as SparkplugPoint,
)
from gateway.config.publish import Publish as Publish
from gateway.config.serial import (
    Checksum as Checksum,
    Framing as Framing,
    SerialMetric as SerialMetric,
    SerialSource as SerialSource,
)
from gateway.config.settings import (
    Accept as Accept,
    Config as Config,
    FramedSource as FramedSource,
    Gateway as Gateway,
    Link as Link,
    Metric as Metric,
    MqttSource as MqttSource,
    Route as Route,
    Source as Source,
    Web as Web,
    Witness as Witness,
)
from gateway.config.show import show as show
from gateway.config.sparkplug import SparkplugSource as SparkplugSource
