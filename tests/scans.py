"""`hulian scan` as a child process: what it says, and that what it proposes is a config."""

import json
import subprocess
import sys
from typing import Any

from gateway.config import load

HULIAN = (sys.executable, "-m", "gateway.cli")
HEAD = '[gateway]\nname = "press-shop"\nstate_dir = "/var/lib/hulian"\n\n'


def said(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any]]:
    """Give a command's status and facts; what it proposes must be a config."""
    out, error = process.communicate(timeout=60)
    assert "Traceback" not in error, error
    facts: dict[str, Any] = json.loads(out) if out.strip() else {"error": error}
    if facts.get("proposal"):
        load(HEAD + facts["proposal"])
    return process.returncode, facts


def hulian(*words: object) -> "subprocess.Popen[str]":
    """Start a command."""
    command = (*HULIAN, *map(str, words))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
