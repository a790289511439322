"""Run one story and end with its figures: `make story S=NAME`."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent


def main(name: str) -> int:
    """Run the story of that name; its last line is `story NAME: ` and the figures."""
    path = FOLDER / f"test_{name}.py"
    if not path.is_file():
        stories = sorted(found.stem.removeprefix("test_") for found in FOLDER.glob("test_*.py"))
        print(f"no story '{name}'; there are: {', '.join(stories) or 'none yet'}")
        return 2
    with TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        command = [sys.executable, "-m", "pytest", "-q", "-s", "--no-skips", str(path)]
        ended = subprocess.run(command, env={**os.environ, "STORY_FIGURES": str(figures)})
        told = ", ".join(figures.read_text("utf-8").splitlines()) if figures.exists() else ""
    status = ended.returncode or (0 if told else 1)
    print(f"story {name}: {'' if status == 0 else 'FAILED '}{told or 'told no figures'}")
    return status


sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
