"""What strangers say of our bytes: programs for .venv-oracle, which know nothing of gateway/."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-oracle" / "bin" / "python"


def ask(program: str, question: object) -> object:
    """Give one of this folder's programs a question as JSON, and return its answer."""
    command = [str(PYTHON), "-m", f"{__name__}.{program}"]
    given = json.dumps(question)
    ended = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    answer: object = json.loads(ended.stdout)
    return answer
