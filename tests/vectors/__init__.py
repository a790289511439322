"""The test vectors, a JSON file a noun, and the builders that make the same bytes again.

In: the modules `build_<noun>` of this folder, each with `build()`. Out: `<noun>.json` beside it,
which C, Python and any other implementation read. Never: chance, clocks or real keys.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent


def builders() -> Iterator[tuple[str, ModuleType]]:
    """Name every noun that has a builder, with its module."""
    for path in sorted(FOLDER.glob("build_*.py")):
        yield path.stem.removeprefix("build_"), import_module(f"{__name__}.{path.stem}")


def render(vectors: dict[str, object]) -> str:
    """Give the one text that these vectors have as a file."""
    return json.dumps(vectors, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True) + "\n"


def load(noun: str) -> dict[str, list[dict[str, Any]]]:
    """Read the committed vectors of a noun: its `good` and its `bad` ones."""
    vectors = json.loads((FOLDER / f"{noun}.json").read_text("utf-8"))
    return {"good": vectors["good"], "bad": vectors["bad"]}
