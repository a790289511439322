"""The house as modules: where each stands, what it may know, and what it is made of."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# The order of thought: each may import itself and what stands before it.
THOUGHT = (
    "errors",
    "config",
    "readings",
    "records",
    "groups",
    "activities",
    "exchange",
    "sync",
    "completeness",
    "query",
)
WIRING = frozenset(
    {
        "agent",
        "company",
        "acts",
        "activity_acts",
        "asked",
        "binding",
        "order_acts",
        "executing",
        "ruling",
        "carrying",
        "upkeep",
        "journalling",
        "clock",
        "demo",
        "cli",
        "__main__",
    }
)
TREES = ("gateway", "tests", "benchmarks")
# Not Python of ours: what a build puts there, or a compiler of other files.
FOREIGN = ("gateway/web/static/", "_pb2.py", "__pycache__")


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: its path below the root, its dotted name and what it says."""

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Give the dotted name under which it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def zone(self) -> str:
        """Name the part of gateway/ it belongs to; empty for gateway itself."""
        return zone_of(self.name)

    @property
    def is_package(self) -> bool:
        """Say whether it is the front of a folder."""
        return self.path.endswith("__init__.py")

    def at(self, node: ast.AST, said: str) -> str:
        """Make the sentence that reports a breach."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {said}"


def zone_of(name: str) -> str:
    """Name the part of gateway/ that a dotted name belongs to."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def modules(root: Path, *trees: str) -> Iterator[Module]:
    """Read every Python file of these trees, in order."""
    for tree in trees or TREES:
        for path in sorted((root / tree).rglob("*.py")):
            below = path.relative_to(root).as_posix()
            if not any(foreign in below for foreign in FOREIGN):
                text = path.read_text("utf-8")
                yield Module(below, text, _parse(text))


def thought(root: Path) -> Iterator[Module]:
    """Read every module of thought."""
    return (module for module in modules(root, "gateway") if module.zone in THOUGHT)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[tuple[Function, bool]]:
    """Find every function, with whether its first parameter is the object or class it is of."""
    methods = {
        id(node)
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, Function) and "staticmethod" not in decorators(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node, id(node) in methods


def decorators(node: Function | ast.ClassDef) -> list[str]:
    """Name the decorators by their last word."""
    said = (ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list)
    return [name.rsplit(".", 1)[-1] for name in said]
