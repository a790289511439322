"""What strangers say of our bytes: programs for .venv-oracle, which know nothing of gateway/."""

import json
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parent.parent / ".venv-oracle" / "bin" / "python"


def ask(program: str, question: object) -> object:
    """Give one of this folder's programs a question as JSON, and return its answer."""
    command = [str(PYTHON), str(FOLDER / f"{program}.py")]
    ended = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    answer: object = json.loads(ended.stdout)
    return answer
