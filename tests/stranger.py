"""A program of strangers that goes on running: lines of JSON to it and from it."""

import json
import queue
import subprocess
import threading
from typing import Any

from tests.oracle import PYTHON, ROOT


class Stranger:
    """One of the programs of tests/oracle as a child process."""

    def __init__(self, program: str, *arguments: object) -> None:
        command = [str(PYTHON), "-m", f"tests.oracle.{program}", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self.heard: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(json.loads(line))

    def tell(self, **order: object) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def do(self, order: str, **more: object) -> None:
        """Give it an order, and wait until it is carried out."""
        self.tell(do=order, **more)
        self.until("did", order)

    def until(self, key: str, value: object = None, seconds: float = 10) -> dict[str, Any]:
        """Wait until it says this; what it says before is kept in `heard`."""
        while True:
            said = self._said.get(timeout=seconds)
            self.heard.append(said)
            if key in said and value in (None, said[key]):
                return said

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        """End it."""
        self.kill()
