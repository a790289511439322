"""How long, how wide and how deep code may be, and what it must say of itself."""

import ast
from pathlib import Path

from tests.tidy.house import Function, Module, decorators, functions, modules, thought

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_AIM = 30
AIM_SHARE = 0.9
FILE_LINES_MAX = 400
PARAMETERS_MAX = 5
NESTING_MAX = 3
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def _lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def functions_are_short(root: Path) -> list[str]:
    """No function has more than 60 lines."""
    return [
        module.at(function, f"{function.name} has {_lines(function)} lines")
        for module in modules(root)
        for function, _ in functions(module.tree)
        if _lines(function) > FUNCTION_LINES_MAX
    ]


def most_functions_are_very_short(root: Path) -> list[str]:
    """Nine of ten functions of gateway/ have at most 30 lines."""
    lengths = [
        _lines(function)
        for module in modules(root, "gateway")
        for function, _ in functions(module.tree)
    ]
    short = sum(length <= FUNCTION_LINES_AIM for length in lengths)
    if short >= AIM_SHARE * len(lengths):
        return []
    return [f"only {short} of {len(lengths)} functions have at most {FUNCTION_LINES_AIM} lines"]


def files_are_short(root: Path) -> list[str]:
    """No file has more than 400 lines."""
    return [
        f"{module.path}:1: {count} lines; split the noun"
        for module in modules(root)
        if (count := len(module.text.splitlines())) > FILE_LINES_MAX
    ]


def parameters_are_few(root: Path) -> list[str]:
    """No function takes more than five parameters, the object it is of not counted."""
    return [
        module.at(function, f"{function.name} takes {count} parameters")
        for module in modules(root)
        for function, is_method in functions(module.tree)
        if not _is_command(module, function)
        if (count := _parameters(function) - is_method) > PARAMETERS_MAX
    ]


def _parameters(function: Function) -> int:
    taken = function.args
    rest = (taken.vararg is not None) + (taken.kwarg is not None)
    return len(taken.posonlyargs) + len(taken.args) + len(taken.kwonlyargs) + rest


def _is_command(module: Module, function: Function) -> bool:
    """The parameters of a command are its command line, which interface rules fix."""
    return module.zone == "cli" and not {"command", "callback"}.isdisjoint(decorators(function))


def nesting_is_shallow(root: Path) -> list[str]:
    """No block stands in more than two others of its function."""
    return [
        module.at(function, f"{function.name} nests {depth} deep")
        for module in modules(root)
        for function, _ in functions(module.tree)
        if (depth := max(map(_depth, function.body))) > NESTING_MAX
    ]


def _depth(node: ast.AST) -> int:
    if isinstance(node, (Function, ast.ClassDef)):
        return 0
    inside = [_depth(child) for child in ast.iter_child_nodes(node)]
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        # An elif is as deep as its if.
        return max(1 + max(map(_depth, node.body)), _depth(node.orelse[0]))
    return isinstance(node, BLOCKS) + max(inside, default=0)


def modules_say_what_they_are(root: Path) -> list[str]:
    """Every module begins with a docstring."""
    return [
        f"{module.path}:1: no docstring"
        for module in modules(root)
        if not ast.get_docstring(module.tree)
    ]


def tests_say_their_property(root: Path) -> list[str]:
    """Every test's docstring states the property that it holds."""
    return [
        module.at(function, f"{function.name} states no property")
        for module in modules(root, "tests")
        for function, _ in functions(module.tree)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]


def one_broad_except(root: Path) -> list[str]:
    """Exactly the agent's supervisor may catch everything, once."""
    found = [
        (module, node)
        for module in modules(root, "gateway")
        for node in ast.walk(module.tree)
        if _is_broad(node)
    ]
    breaches = [
        module.at(node, "catches everything") for module, node in found if module.zone != "agent"
    ]
    if len(found) - len(breaches) > 1:
        breaches.append(f"agent.py catches everything {len(found) - len(breaches)} times")
    return breaches


def _is_broad(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(type=caught):
            return caught is None or _names_all(caught)
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=caught):
            return any(map(_names_all, caught))
    return False


def _names_all(caught: ast.expr) -> bool:
    everything = ("Exception", "BaseException")
    return any(isinstance(node, ast.Name) and node.id in everything for node in ast.walk(caught))


def nouns_are_frozen(root: Path) -> list[str]:
    """A dataclass of thought has slots, and is frozen unless it is one module's own tally."""
    return [
        module.at(node, f"{node.name} is not frozen and slotted")
        for module in thought(root)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and "dataclass" in decorators(node)
        if not _wanted_options(node) <= _dataclass_options(node)
    ]


def _wanted_options(node: ast.ClassDef) -> set[str]:
    return {"slots=True"} if node.name.startswith("_") else {"frozen=True", "slots=True"}


def _dataclass_options(node: ast.ClassDef) -> set[str]:
    return {
        ast.unparse(keyword)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
    }


def skips_have_reasons(root: Path) -> list[str]:
    """A test that skips, or may fail, says why."""
    return [
        module.at(node, "skips without a reason")
        for module in modules(root, "tests")
        for node in ast.walk(module.tree)
        if _skips_silently(node)
    ]


def _skips_silently(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="skip" | "xfail" as name, value=owner)):
            reasons = [*(node.args if _is_pytest(owner) else ()), *_reasons(node)]
            return _is_skipping(owner, name) and not any(map(_says_something, reasons))
        case ast.Call(func=ast.Attribute(attr="skipif" | "importorskip")):
            return not any(map(_says_something, _reasons(node)))
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            bare = (ast.unparse(it) for it in node.decorator_list if isinstance(it, ast.Attribute))
            return any(it.endswith(("mark.skip", "mark.xfail")) for it in bare)
    return False


def _is_pytest(owner: ast.expr) -> bool:
    return ast.unparse(owner) == "pytest"


def _is_skipping(owner: ast.expr, name: str) -> bool:
    return _is_pytest(owner) or ast.unparse(owner).endswith("mark") or name == "xfail"


def _reasons(node: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in node.keywords if keyword.arg in ("reason", "msg")]


def _says_something(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and not node.value)
