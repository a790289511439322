"""What things may be called: no empty words, and every noun of thought in the glossary."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.house import Module, modules, thought

EMPTY_WORDS = frozenset(
    "manager handler util helper common misc data info base abstract impl wrapper service".split()
)
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
TERM = re.compile(r"\*\*(.+?)\*\*")


def words(name: str) -> list[str]:
    """Split a name into its words, in lower case."""
    return [word.lower() for word in WORD.findall(name)]


def names_are_not_empty_words(root: Path) -> list[str]:
    """No module, class, function, argument or constant is named by a word that says nothing."""
    return [
        module.at(node, f"'{name}' has an empty word")
        for module in modules(root)
        for node, name in _named(module)
        if any({word, word.removesuffix("s")} & EMPTY_WORDS for word in words(name))
    ]


def _named(module: Module) -> Iterator[tuple[ast.AST, str]]:
    yield module.tree, module.name.replace(".", "_")
    for node in ast.walk(module.tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield node, name
            case ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
                yield node, name
            case ast.Module(body=body):
                yield from _assigned(body)
        if isinstance(node, ast.ClassDef):
            yield from _assigned(node.body)


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[ast.AST, str]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=targets):
                yield from ((it, it.id) for it in targets if isinstance(it, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name) as target):
                yield target, name


def nouns_are_in_the_glossary(root: Path) -> list[str]:
    """Each module and each public class of thought, errors apart, has an entry in the glossary."""
    text = (root / "docs" / "glossary.md").read_text("utf-8")
    entries = (line for line in text.splitlines() if line.startswith("- **"))
    told = {term.lower() for line in entries for term in TERM.findall(line)}
    return [
        module.at(node, f"the glossary has no '{noun}'")
        for module in thought(root)
        if module.zone != "errors"
        for node, noun in _nouns(module)
        if noun not in told
    ]


def _nouns(module: Module) -> Iterator[tuple[ast.AST, str]]:
    if not module.is_package:
        yield module.tree, module.name.rsplit(".", 1)[-1].replace("_", " ")
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node, " ".join(words(node.name))
