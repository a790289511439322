"""TLS 1.3 without authorities: what it hides it hides, and who is there is proved inside it.

In: random bytes, sockets. Out: contexts of both sides, with a certificate made in memory; the
SHA-256 of the certificate that a connection showed. It never trusts and never names anybody, and
no key of it is ever on a disk. Protocol: docs/protocol/links.md.
"""

import os
import socket
import ssl
from asyncio import StreamWriter
from contextlib import suppress
from hashlib import sha256
from typing import Final

from gateway.transport.certificate import self_signed

HANDSHAKE_S_MAX: Final = 10.0
# A connection of which nothing is acknowledged for so long has no other end any more.
_UNACKNOWLEDGED_MS_MAX: Final = 30_000
_KEEPALIVE_S: Final = 10
_PROBES: Final = 3


def listening_context(seed: bytes) -> tuple[ssl.SSLContext, bytes]:
    """Make the listener's side, and give the SHA-256 of the certificate that it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # who comes back proves itself anew
    pem = self_signed(seed)
    file = os.memfd_create("certificate")  # Python's ssl reads a key from a file and from no bytes
    try:
        os.write(file, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIVATE")])
    return context, sha256(der).digest()


def dialling_context() -> ssl.SSLContext:
    """Make the dialler's side: any certificate will do, since a proof has to name it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def seen_certificate(writer: StreamWriter) -> bytes:
    """Give the SHA-256 of the certificate that the other end showed."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return sha256(shown or b"").digest()


def watch(sock: socket.socket) -> None:
    """Have the system notice an other end that is gone without a word."""
    options = (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _KEEPALIVE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _KEEPALIVE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", _PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _UNACKNOWLEDGED_MS_MAX),
    )
    for level, name, value in options:
        with suppress(OSError, AttributeError):  # gone already, or a system that has it not
            sock.setsockopt(level, getattr(socket, name), value)
