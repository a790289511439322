"""Ways that can be made bad: network namespaces, one a gateway, and what their packets suffer.

In: names of gateways; root, `ip`, `tc` and `nft`. Out: a broker's namespace in the middle, to which
each gateway has two ways: one to its peers, which suffers, and one to its machines, which never
does. Nothing outside the namespaces is touched, and they are gone afterwards, whatever happened.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_CLONE_NEWNET = 0x40000000
_SLOW = "tbf rate 64kbit burst 4kb latency 400ms"
# What each fault drops, by the hook at the gateway's end; `slow` is the queue's work.
FAULTS = {
    "cut": {"input": "drop", "output": "drop"},
    "slow": {},
    "lossy": {
        "input": "numgen random mod 100 < 20 drop",
        "output": "numgen random mod 100 < 20 drop",
    },
    "half-open": {"input": "drop"},
}


def reason() -> str:
    """Say why there can be none here; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [name for name in ("ip", "tc", "nft") if shutil.which(name, path=_PATH) is None]
    if lacking:
        return f"without {', '.join(lacking)} no link can be made bad"
    name = f"hl{os.getpid():x}-try"
    tried = _tool("ip", "netns", "add", name)
    if tried.returncode:
        return f"no network namespace can be made: {tried.stderr.strip()}"
    try:
        rule = ("nft", "add rule inet t in numgen random mod 100 < 20 drop")
        steps = [
            ("nft", "add table inet t"),
            ("nft", "add chain inet t in { type filter hook input priority 0; }"),
            rule,
            ("tc", "qdisc", "add", "dev", "lo", "root", *_SLOW.split()),
        ]
        for step in steps:
            done = _tool("ip", "netns", "exec", name, *step)
            if done.returncode:
                return f"the kernel has no {step[0]} for it: {done.stderr.strip()}"
    finally:
        _tool("ip", "netns", "del", name)
    return ""


class Ways:
    """The namespaces of some gateways and their broker."""

    def __init__(self, names: Sequence[str]) -> None:
        self._prefix = f"hl{os.getpid():x}-"
        self._names = list(names)

    def outward(self, name: str) -> str:
        """Give the broker's address on a gateway's way to its peers."""
        return f"10.213.{self._names.index(name)}.1"

    def own(self, name: str) -> str:
        """Give a gateway's own address on its way to its peers."""
        return f"10.213.{self._names.index(name)}.2"

    def plant(self, name: str) -> str:
        """Give the broker's address on a gateway's way to its machines."""
        return f"10.214.{self._names.index(name)}.1"

    @contextmanager
    def within(self, name: str = "") -> Iterator[None]:
        """Be in a gateway's namespace, or the broker's: sockets and children begin there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            Path("/proc/thread-self/ns/net").open("rb") as before,
            Path(f"/run/netns/{self._space(name)}").open("rb") as there,
        ):
            assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(before.fileno(), _CLONE_NEWNET) == 0

    def hurt(self, name: str, fault: str) -> None:
        """Make a gateway's way to its peers bad."""
        if fault == "slow":
            self._in(name, "tc", "qdisc", "add", "dev", "out", "root", *_SLOW.split())
            self._in("", "tc", "qdisc", "add", "dev", f"out-{name}", "root", *_SLOW.split())
        self._in(name, "nft", "add table inet hurt")
        for hook, what in FAULTS[fault].items():
            face = "iifname" if hook == "input" else "oifname"
            self._in(
                name, "nft", f"add chain inet hurt {hook} {{ type filter hook {hook} priority 0; }}"
            )
            self._in(name, "nft", f"add rule inet hurt {hook} {face} out {what}")

    def shut(self, name: str, port: int) -> None:
        """Let nothing through to a gateway's port, and say so to nobody."""
        self._in(name, "nft", "add table inet hurt")
        self._in(name, "nft", "add chain inet hurt input { type filter hook input priority 0; }")
        self._in(name, "nft", f"add rule inet hurt input tcp dport {port} drop")

    def heal(self, name: str) -> None:
        """Make it good again."""
        _tool("ip", "netns", "exec", self._space(name), "nft", "delete table inet hurt")
        _tool("ip", "netns", "exec", self._space(name), *"tc qdisc del dev out root".split())
        hub = ("tc", "qdisc", "del", "dev", f"out-{name}", "root")
        _tool("ip", "netns", "exec", self._space(""), *hub)

    def make(self) -> None:
        """Make all of it."""
        for name in ("", *self._names):
            _must("ip", "netns", "add", self._space(name))
            _must("ip", "-n", self._space(name), "link", "set", "lo", "up")
        with self.within():  # What it says is of the namespace of who asks.
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "utf-8")
        for number, name in enumerate(self._names):
            for kind, net in (("out", 213), ("plant", 214)):
                self._wire(name, kind, f"10.{net}.{number}")
            _must(
                "ip", "-n", self._space(name), *f"route add default via 10.213.{number}.1".split()
            )

    def remove(self) -> None:
        """Remove what there is of it."""
        for name in ("", *self._names):
            _tool("ip", "netns", "del", self._space(name))

    def _wire(self, name: str, kind: str, net: str) -> None:
        hub, own = self._space(""), self._space(name)
        end = f"{kind}-{name}"
        pair = ("type", "veth", "peer", "name", kind, "netns", own)
        _must("ip", "link", "add", end, "netns", hub, *pair)
        for space, face, address in ((hub, end, f"{net}.1/30"), (own, kind, f"{net}.2/30")):
            _must("ip", "-n", space, "address", "add", address, "dev", face)
            _must("ip", "-n", space, "link", "set", face, "up")

    def _space(self, name: str) -> str:
        return self._prefix + (name or "hub")

    def _in(self, name: str, *command: str) -> None:
        _must("ip", "netns", "exec", self._space(name), *command)


@contextmanager
def ways(names: Sequence[str]) -> Iterator[Ways]:
    """Make namespaces for gateways and a broker; remove them afterwards."""
    made = Ways(names)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _tool(*command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": _PATH}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def _must(*command: str) -> None:
    done = _tool(*command)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
