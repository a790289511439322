"""Ask a running agent at its door, without the start of a command in between."""

import json
import socket
from pathlib import Path
from typing import Any

from gateway.web.local import SOCKET


def ask_door(state_dir: Path) -> dict[str, Any]:
    """Give its status; raise OSError where nobody answers."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(30)
        door.connect(str(state_dir / SOCKET))
        door.sendall(b'{"ask": "status"}\n')
        with door.makefile("r", encoding="utf-8") as answer:
            said: dict[str, Any] = json.loads(answer.readline())
    return said
