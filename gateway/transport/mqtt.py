"""One MQTT connection, kept up: paho underneath, in a thread of its own.

In: where the broker is, topics, messages to publish, packets to acknowledge. Out: callbacks, all in
that thread: connected, a batch of deliveries, a turn of the loop, lost. Nothing is acknowledged by
itself. Back-pressure is not reading the socket: brokers ignore Receive Maximum (mosquitto 2.0.11).
MQTT 5, and 3.1.1 where the broker does not speak it.
"""

import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.errors import FileUnusable, PasswordUnreadable
from gateway.transport.endpoint import Endpoint as Endpoint, Will as Will, read_password
from gateway.transport.inbound import BulkClient, Delivery as Delivery, Inbound

_KEEPALIVE_S = 30
_CONNECT_S_MAX = 5.0
_SESSION_S = 0xFFFFFFFF  # MQTT 5: the session does not expire
_BATCH_MAX = 512  # messages read before the rest of the loop has its turn
_TURN_S_MAX = 0.5
_LEAVE_S_MAX = 2.0
_STOP_S_MAX = 10.0
_NOTSENT = "TCP_NOTSENT_LOWAT"  # of Linux
_NOBODY = 0x10  # MQTT 5: no matching subscribers
_NEVER_SUBSCRIBED = "hulian/barrier"


class Listener(Protocol):
    """Who is told; every call comes in the connection's thread."""

    def connected(self, resumed: bool, exact: bool) -> None:
        """Tell of a new connection: session resumed; broker known to mark repeats (MQTT 5)."""

    def subscribed(self) -> None:
        """Tell that the broker has taken the subscriptions: from now on nothing passes us by."""

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over what was read at once."""

    def turn(self) -> float:
        """Do what time asks for; give the seconds until the next turn is wanted."""

    def confirmed(self) -> None:
        """Tell that the broker has taken every acknowledgement before the last `confirm`."""

    def lost(self, reason: str) -> None:
        """Tell that there is no connection, or none yet."""


class Mqtt:
    """A connection that comes back by itself until it is stopped."""

    def __init__(self, endpoint: Endpoint, listener: Listener) -> None:
        self._endpoint, self._listener = endpoint, listener
        self._version = MQTTProtocolVersion.MQTTv5
        self._heard: list[Delivery] = []
        self._handed: dict[int, Callable[[str | None], None]] = {}
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._client: BulkClient | None = None
        self._subscribed = False
        self._connected = self._answered = False
        self._stopping = False
        self._failure = ""
        self.paused = False
        self._thread = threading.Thread(
            target=self._run, name=f"mqtt-{endpoint.client_id}", daemon=True
        )

    def start(self) -> None:
        """Begin to connect, and to call the listener."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end the thread; what is not acknowledged will be delivered again."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(_STOP_S_MAX)
        if not self._thread.is_alive():  # Else it still connects, and ends when that is over.
            self._wake_read.close()
            self._wake_write.close()

    def post(self, call: Callable[[], None]) -> None:
        """Have something called in the connection's thread, from any thread."""
        self._posted.append(call)
        self.wake()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Send PUBACKs, in this order; only in the connection's thread."""
        if self._client is not None:
            self._client.acknowledge([each.packet for each in deliveries if each.qos])

    def confirm(self) -> None:
        """Ask the broker to show that it has taken all acknowledgements so far.

        A broker takes packets in order, so the answer to any request behind them is the proof;
        leaving a topic that nobody subscribed to is a request that changes nothing.
        """
        if self._client is not None:
            self._client.unsubscribe(_NEVER_SUBSCRIBED)

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Send a message on this connection; False if there is none. Only in its thread."""
        if self._client is None or not self._connected:
            return False
        self._client.publish(topic, payload, qos=qos, retain=retain)
        return True

    def hand_over(self, topic: str, said: bytes, told: Callable[[str | None], None]) -> bool:
        """Publish at QoS 1, not retained, on this connection alone; False if there is none.

        `told` is called once the broker answers: with None when it took it, else with why not. It
        is not called if the connection is lost before: then nobody knows. Only in its thread.
        """
        if self._client is None or not self._connected:
            return False
        handed = self._client.publish(topic, said, qos=1, retain=False)
        self._handed[handed.mid] = told
        return handed.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def has_room(self) -> bool:
        """Say whether there is a connection and all that was published has gone into the socket."""
        return self._client is not None and self._connected and not self._client.want_write()

    def wake(self) -> None:
        """Have the listener's turn come now, from any thread."""
        try:
            self._wake_write.send(b"\0")
        except (BlockingIOError, OSError):  # It is awake already, or stopped.
            return

    def _run(self) -> None:
        pause_s = 0.2
        while not self._stopping:
            self._failure = ""
            client = self._new_client()
            if self._connect(client):
                self._bound(client)
                self._client, self._answered = client, False
                self._loop(client)
                self._client = None
                if not self._answered:
                    self._try_other_version()
            self._close(client)
            pause_s = 0.2 if self._connected else min(pause_s * 2, 5.0)
            self._connected = False
            self._heard.clear()  # Never handed over: the broker delivers it again.
            self._handed.clear()  # The next connection's numbers are its own.
            self._listener.lost(self._failure or "the broker closed the connection")
            self._wait_s(pause_s)

    def _loop(self, client: BulkClient) -> None:
        """Serve one connection until it ends."""
        while not self._stopping and client.socket() is not None:
            wait_s = min(self._listener.turn(), _TURN_S_MAX)
            readable = self._select(client, 0.0 if self._heard else wait_s)
            self._do_posted()
            if readable:
                self._read(client)
            if self._heard:
                heard, self._heard = self._heard, []
                self._listener.heard(heard)
            if client.want_write():
                client.loop_write()
            client.loop_misc()

    def _read(self, client: BulkClient) -> None:
        """Take a batch of what the socket has; what is beyond it waits in the client."""
        client.read()
        client.take(self._heard, _BATCH_MAX)
        if not self._endpoint.persistent and self._heard:  # Nobody acknowledges later.
            client.acknowledge([each.packet for each in self._heard if each.qos])

    def _select(self, client: BulkClient, wait_s: float) -> bool:
        sock = client.socket()
        if sock is None:
            return False
        read = [self._wake_read] if self.paused else [self._wake_read, sock]
        waits = not self.paused and _has_read_on(client, sock)
        if waits:
            wait_s = 0.0
        write = [sock] if client.want_write() else []
        ready, _, _ = select.select(read, write, [], wait_s)
        if self._wake_read in ready:
            self._drain()
        return waits or sock in ready

    def _drain(self) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            return

    def _do_posted(self) -> None:
        while self._posted:
            self._posted.popleft()()

    def _wait_s(self, seconds: float) -> None:
        """Wait before the next attempt, still doing what is posted."""
        until = monotonic() + seconds
        while not self._stopping and (left := until - monotonic()) > 0:
            turn_s = min(left, self._listener.turn())
            ready, _, _ = select.select([self._wake_read], [], [], max(turn_s, 0.001))
            if ready:
                self._drain()
            self._do_posted()

    def _new_client(self) -> BulkClient:
        endpoint = self._endpoint
        new = self._version == MQTTProtocolVersion.MQTTv5
        client = BulkClient(
            CallbackAPIVersion.VERSION2,
            client_id=endpoint.client_id,
            clean_session=None if new else not endpoint.persistent,
            protocol=self._version,
            manual_ack=True,
        )
        client.inbound = Inbound(properties=new)
        if endpoint.will is not None:
            will = endpoint.will()
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.connect_timeout = _CONNECT_S_MAX
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = lambda _client, _, mid, reason, __: self._on_publish(mid, reason)
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = lambda *_: self._listener.confirmed()
        # With a callback for writing paho queues packets until loop_write: many PUBACKs at once.
        client.on_socket_register_write = lambda *_: None
        return client

    def _read_files(self, client: BulkClient) -> None:
        """Take the password and who may sign for the broker, as the files have them now."""
        endpoint = self._endpoint
        if endpoint.username is not None:
            client.username_pw_set(endpoint.username, read_password(endpoint.password_file))
        if endpoint.tls:
            try:
                client.tls_set(ca_certs=endpoint.ca_file)
            except OSError as fault:
                raise FileUnusable(path=endpoint.ca_file, reason=fault.strerror) from fault

    def _connect(self, client: BulkClient) -> bool:
        endpoint = self._endpoint
        try:
            self._read_files(client)
            if self._version == MQTTProtocolVersion.MQTTv5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.ReceiveMaximum = min(endpoint.in_flight_max, 65_535)
                if endpoint.persistent:
                    properties.SessionExpiryInterval = _SESSION_S
                if endpoint.packet_bytes_max is not None:
                    properties.MaximumPacketSize = endpoint.packet_bytes_max
                client.connect(
                    endpoint.host,
                    endpoint.port,
                    _KEEPALIVE_S,
                    clean_start=not endpoint.persistent,
                    properties=properties,
                )
            else:
                client.connect(endpoint.host, endpoint.port, _KEEPALIVE_S)
        except (PasswordUnreadable, FileUnusable) as fault:  # Mended, it works without a restart.
            self._failure = str(fault)
            return False
        except (OSError, ValueError) as fault:
            self._failure = f"no connection: {fault}"
            return False
        return True

    def _bound(self, client: BulkClient) -> None:
        """Keep the kernel from taking more than goes out soon: what is new would wait behind it."""
        sock, most = client.socket(), self._endpoint.unsent_bytes_max
        if isinstance(sock, socket.socket) and most is not None and hasattr(socket, _NOTSENT):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, _NOTSENT), most)

    def _close(self, client: BulkClient) -> None:
        """Say what is left to be said, and leave; a broker that takes nothing is not waited for."""
        if client.socket() is None:
            return
        client.disconnect()
        until = monotonic() + _LEAVE_S_MAX
        while client.want_write() and monotonic() < until:
            sock = client.socket()
            if sock is None or not select.select([], [sock], [], until - monotonic())[1]:
                break
            client.loop_write()

    def _try_other_version(self) -> None:
        """Go to the other version: some brokers close on a CONNECT they do not understand."""
        old, new = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
        self._version = old if self._version == new else new

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answered = reason.getName() != "Unsupported protocol version"
        if reason.is_failure:
            self._failure = f"the broker refused: {reason}"
            return
        self._connected = True
        new = self._version == MQTTProtocolVersion.MQTTv5
        if self._endpoint.topics and not (self._subscribed and flags.session_present and not new):
            # Retained messages once for a session, not at each connection, where MQTT 5 allows it.
            if new:
                options = SubscribeOptions(
                    qos=self._endpoint.qos,
                    retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB,
                )
                client.subscribe([(topic, options) for topic in self._endpoint.topics])
            else:
                client.subscribe([(topic, self._endpoint.qos) for topic in self._endpoint.topics])
            self._subscribed = True
        self._listener.connected(flags.session_present, exact=new)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: object,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._failure = self._failure or f"the connection was lost: {reason}"

    def _on_subscribe(
        self,
        client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [
            topic
            for topic, reason in zip(self._endpoint.topics, reasons, strict=False)
            if reason.is_failure
        ]
        if refused:
            self._failure = f"the broker does not let us listen to {', '.join(refused)}"
            self._subscribed = self._connected = False
            client.disconnect()
            return
        self._listener.subscribed()

    def _on_publish(self, mid: int, reason: ReasonCode) -> None:
        if told := self._handed.pop(mid, None):
            told(_why_not(reason))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._heard.append(
            Delivery(
                message.topic,
                bytes(message.payload),
                message.mid,
                message.qos,
                bool(message.retain),
                bool(message.dup),
            )
        )


def _why_not(reason: ReasonCode) -> str | None:
    """Say why a broker did not pass on a message; None where it did, or does not say."""
    if reason.value == _NOBODY:
        return "nobody listens there, says the broker"
    return f"the broker refused: {reason}" if reason.is_failure else None


def _has_read_on(client: BulkClient, sock: object) -> bool:
    """Say whether bytes wait that select does not see: read already, or held by TLS."""
    pending = getattr(sock, "pending", None)
    return client.inbound.is_ready() or (pending is not None and pending() > 0)
