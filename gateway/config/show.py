"""The effective config as TOML: what was written, and every default that fills the rest.

In: a `Config`. Out: text that `load` reads to the same config. No secret is in it, because none is
in a config.
"""

import json
from collections.abc import Iterator

import msgspec

from gateway.config.settings import Config


def show(config: Config) -> str:
    """Write a config with all its defaults."""
    lines = [*_table("[gateway]", config.gateway)]
    for link in config.link:
        lines += _table("[[link]]", link)
    for source in config.source:
        lines += _table("[[source]]", source)
    for route in config.route:
        lines += _table("[[route]]", route)
    for accept in config.accept:
        lines += _table("[[accept]]", accept)
    for rule in config.rule:
        lines += _table("[[rule]]", rule)
    for publish in config.publish:
        lines += _table("[[publish]]", publish)
    for witness in config.witness:
        lines += _table("[[witness]]", witness)
    lines += _table("[web]", config.web)
    return "\n".join(lines)


def _table(header: str, settings: msgspec.Struct) -> Iterator[str]:
    """Write one table, its tables within last."""
    yield header
    if tag := settings.__struct_config__.tag:
        yield f"type = {_value(tag)}"
    inner: list[str] = []
    for field in msgspec.structs.fields(settings):
        match getattr(settings, field.name):
            case tuple() as many if many and isinstance(many[0], msgspec.Struct):
                outer = header.strip("[]")
                for one in many:
                    inner += _table(f"[[{outer}.{field.name}]]", one)
            case msgspec.Struct() as one:
                inner += _table(f"[{header.strip('[]')}.{field.name}]", one)
            case None | ():
                pass
            case "" if not field.required:
                pass
            case said:
                yield f"{field.name} = {_value(said)}"
    yield ""
    yield from inner


def _value(said: object) -> str:
    """Write a text, number or list; JSON's texts are TOML's, but for one letter."""
    match said:
        case bool():
            return repr(said).lower()
        case dict():
            return (
                f"{{ {', '.join(f'{_value(key)} = {_value(one)}' for key, one in said.items())} }}"
            )
        case tuple():
            return f"[{', '.join(_value(one) for one in said)}]"
        case str():
            return json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return repr(said)
