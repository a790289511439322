"""What others chose as a name is shown, and does nothing else to a terminal."""

import pytest

from gateway.cli import words

NAMES = ("\x1b[2K\rBeta", "Beta\nThe fingerprint: 1234", "\u202eateB", "Be\x9bta")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_moves_nothing_and_hides_nothing(name: str) -> None:
    """Letters that a terminal obeys, or that turn a line round, are shown as another."""
    told = words.say("{name} asks to be admitted. Its fingerprint, as they read it out:", name=name)
    for text in (told, words.pad(name, 40), words.plain(name)):
        assert text.isprintable()
        assert "\N{REPLACEMENT CHARACTER}" in text


def test_names_of_any_language_stay_as_they_are() -> None:
    """Nothing is taken from a name that can be printed."""
    for name in ("Müller & Söhne", "上海纺织 第二厂", "A-1 (press)"):
        assert words.plain(name) == name
        assert name in words.say("{name} is refused", name=name)
