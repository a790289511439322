"""JMESPath into a payload, and plain dotted names without its interpreter. Protocol: mapping.md.

In: an expression of the config, then payloads. Out: what it finds, None for nothing. A plain
path such as env.temp_c is followed directly: 0.15 us instead of 3.6 us, with the same result.
"""

from collections.abc import Callable
from typing import Final

import jmespath
import jmespath.exceptions

from gateway.errors import BadPath

Find = Callable[[object], object]

# What jmespath's functions let out beside its own errors, when a payload has odd types.
_ESCAPES: Final = (
    *(jmespath.exceptions.JMESPathError, TypeError, ValueError, ArithmeticError),
    *(AttributeError, LookupError, RecursionError),
)


def find(expression: str, name: str) -> Find:
    """Compile an expression that `config` has accepted; `name` says in faults whose path it is."""
    keys = plain(expression)
    if keys is None:
        return _interpreted(expression, name)
    if len(keys) == 1:
        return _one(keys[0])
    return _dotted(keys)


def plain(expression: str) -> tuple[str, ...] | None:
    """Give the keys of a path that is nothing but keys with dots between; None for all others."""
    return _keys(jmespath.compile(expression).parsed)


def literal(expression: str) -> str | None:
    """Give the text of an expression that is nothing but one, such as 'press-1' in quotes."""
    match jmespath.compile(expression).parsed:
        case {"type": "literal", "value": str() as text}:
            return text
    return None


def _keys(node: object) -> tuple[str, ...] | None:
    match node:
        case {"type": "field", "value": str() as key}:
            return (key,)
        case {"type": "subexpression", "children": list() as steps}:
            keys = [_keys(step) for step in steps]
            return tuple(key for some in keys if some for key in some) if all(keys) else None
    return None


def _one(key: str) -> Find:
    def found(payload: object) -> object:
        return payload.get(key) if isinstance(payload, dict) else None

    return found


def _dotted(keys: tuple[str, ...]) -> Find:
    def found(payload: object) -> object:
        for key in keys:
            if not isinstance(payload, dict):
                return None
            payload = payload.get(key)
        return payload

    return found


def _interpreted(expression: str, name: str) -> Find:
    compiled = jmespath.compile(expression)

    def found(payload: object) -> object:
        try:
            result: object = compiled.search(payload)
        except _ESCAPES as fault:
            reason = (str(fault).splitlines() or [type(fault).__name__])[0][:120]
            raise BadPath(name=name, reason=reason) from None
        return result

    return found
