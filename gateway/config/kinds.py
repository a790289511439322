"""What the type of a key says to a person: which words it allows, and its bounds.

In: a type with its annotations. Out: texts.
"""

from typing import Literal, get_args, get_origin


def choices(kind: object) -> tuple[str, ...]:
    """Give the words that a type allows, where it is words, or words and nothing."""
    for one in (kind, *get_args(kind)):
        if get_origin(one) is Literal:
            return get_args(one)
    return ()


def descriptions(kind: object) -> list[str]:
    """Collect what the bounds of a type say to a person, from the outermost in."""
    said = [meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description]
    inner = get_args(kind)[:1] if hasattr(kind, "__metadata__") else get_args(kind)
    return said + [text for one in inner for text in descriptions(one)]
