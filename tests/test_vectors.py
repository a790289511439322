"""The vectors as a whole: rebuilt to the same bytes, half of them bad, all of one form."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import GatewayError
from tests.vectors import FOLDER, builders, render

ROOT = Path(__file__).parent.parent
NOUNS = sorted(path.stem for path in FOLDER.glob("*.json"))


def _codes(error: type[GatewayError]) -> set[str]:
    """Every code of this error and of those below it."""
    return {error.code}.union(*(_codes(below) for below in error.__subclasses__()))


def _committed(noun: str) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((FOLDER / f"{noun}.json").read_text("utf-8"))
    return vectors


def test_every_file_has_a_builder_and_every_builder_a_file() -> None:
    """No vector was written by hand."""
    assert NOUNS == [noun for noun, _ in builders()]


@pytest.mark.parametrize("noun", NOUNS)
def test_rebuilding_gives_the_committed_bytes(noun: str) -> None:
    """A builder is deterministic, and its file is what it builds today."""
    built = render(dict(builders())[noun].build())
    assert built == (FOLDER / f"{noun}.json").read_text("utf-8"), "type: make vectors"


@pytest.mark.parametrize("noun", NOUNS)
def test_at_least_half_of_the_vectors_are_bad(noun: str) -> None:
    """Refusing is specified as carefully as accepting."""
    vectors = _committed(noun)
    assert len(vectors["bad"]) >= len(vectors["good"]) > 0


@pytest.mark.parametrize("noun", NOUNS)
def test_vectors_have_the_agreed_form(noun: str) -> None:
    """Names are unique, bad ones have a code of the tree or say what they must not be."""
    vectors = _committed(noun)
    names = [vector["name"] for vector in vectors["good"] + vectors["bad"]]
    assert vectors.keys() == {"noun", "chapter", "good", "bad"}
    assert vectors["noun"] == noun
    assert (ROOT / vectors["chapter"]).is_file()
    assert len(names) == len(set(names))
    codes = {vector["error"] for vector in vectors["bad"] if "error" in vector}
    assert codes <= _codes(GatewayError)
    assert all(("error" in vector) != ("expect" in vector) for vector in vectors["bad"])
    assert all("expect" in vector for vector in vectors["good"])
