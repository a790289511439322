"""Who may know whom: the table of docs/architecture.md, held by reading every import."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.tidy.house import THOUGHT, WIRING, Module, modules, thought, zone_of

EVERYTHING = frozenset({*THOUGHT, "transport", "store", "sources", "peers", "web", *WIRING})
EDGES = ("sources", "peers", "web")
MAY_IMPORT = {
    **{zone: frozenset(THOUGHT[: place + 1]) for place, zone in enumerate(THOUGHT)},
    "transport": frozenset({"errors", "config", "transport"}),
    "store": frozenset({*THOUGHT, "store"}),
    **{zone: frozenset({*THOUGHT, "store", "transport", zone}) for zone in EDGES},
    **dict.fromkeys(WIRING, EVERYTHING),
    "": frozenset(),
}

# The world, as far as the standard library has it. urllib.parse and datetime are thought.
WORLD = frozenset(
    "asyncio atexit concurrent ctypes dbm fcntl fileinput ftplib getpass gettext glob http imaplib "
    "importlib locale logging mmap multiprocessing os pathlib platform pty queue random resource "
    "runpy sched secrets select selectors shelve shutil signal smtplib socket socketserver "
    "sqlite3 ssl subprocess sys syslog tempfile termios threading time tty urllib.request "
    "webbrowser xmlrpc".split()
)
# Third-party libraries that only compute. Chance in them is caught by name, below.
PURE = frozenset({"cbor2", "cobs", "fastcrc", "google", "jmespath", "mnemonic", "msgspec", "nacl"})
CHANCE_OR_CLOCK = frozenset(
    "generate crypto_box_seal crypto_box_keypair crypto_sign_keypair randombytes "
    "now utcnow today uuid1 uuid4".split()
)
WORLD_CALLS = frozenset({"open", "print", "input", "eval", "exec", "__import__", "breakpoint"})

# Outside thought, each part of the world has its place; wiring sees everything.
PLACE = {
    "apsw": {"store"},
    "sqlite3": {"store"},
    "paho": {"transport"},
    "serial": {"transport"},
    "httpx": {"transport"},
    "zeroconf": {"transport"},
    "ifaddr": {"transport"},
    "h11": {"transport"},
    "socket": {"transport", "web"},
    "ssl": {"transport", "web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "jinja2": {"web"},
    "asyncio": {"transport", "sources", "peers", "web"},
}


def _imports(module: Module, known: frozenset[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Resolve every import to the dotted names of the modules that it names."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node, alias.name) for alias in names)
            case ast.ImportFrom(module=said, names=names, level=level):
                base = _absolute(module, said, level)
                for alias in names:
                    whole = f"{base}.{alias.name}"
                    is_module = whole in known or (base == "gateway" and alias.name in EVERYTHING)
                    yield node, whole if is_module else base


def _absolute(module: Module, said: str | None, level: int) -> str:
    if level == 0:
        return said or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - level + module.is_package]
    return ".".join([*kept, *([said] if said else [])])


def _known(root: Path) -> frozenset[str]:
    return frozenset(module.name for module in modules(root, "gateway"))


def imports_follow_the_table(root: Path) -> list[str]:
    """Each part of gateway/ imports only what the table allows it."""
    known = _known(root)
    return [
        module.at(node, breach)
        for module in modules(root, "gateway")
        for node, name in [(module.tree, ""), *_imports(module, known)]
        if (breach := _import_breach(module.zone, name))
    ]


def _import_breach(zone: str, name: str) -> str:
    """Say what is wrong with a part's import, or, without a name, with the part itself."""
    if zone not in MAY_IMPORT:
        return "" if name else f"'{zone}' has no place in the rule"
    top, target = name.split(".")[0], zone_of(name)
    if top in ("tests", "benchmarks"):
        return f"the product imports {top}"
    if top == "gateway" and target and target not in MAY_IMPORT[zone]:
        return f"'{zone}' may not import '{target}'"
    return ""


def no_import_cycles(root: Path) -> list[str]:
    """No module of gateway/ needs itself by way of others."""
    known = _known(root)
    graph = {
        module.name: {name for _, name in _imports(module, known) if name in known} - {module.name}
        for module in modules(root, "gateway")
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return [f"a cycle of imports: {' <- '.join(found.args[1])}"]
    return []


def thought_knows_no_world(root: Path) -> list[str]:
    """Thought imports no clock, file, socket or chance, and of other libraries only pure ones."""
    breaches = []
    for module in thought(root):
        for node, name in _imports(module, frozenset({"urllib.request", "nacl.utils"})):
            top = name.split(".")[0]
            foreign = top not in sys.stdlib_module_names and top not in PURE | {"gateway"}
            if foreign or top in WORLD or name in WORLD or name == "nacl.utils":
                breaches.append(module.at(node, f"thought imports the world: {name}"))
    return breaches


def thought_calls_no_world(root: Path) -> list[str]:
    """Thought opens and prints nothing, and calls neither a clock nor a source of chance."""
    breaches = []
    for module in thought(root):
        own = {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in WORLD_CALLS - own:
                    breaches.append(module.at(node, f"thought calls {name}()"))
                case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)) if (
                    name in CHANCE_OR_CLOCK - own
                ):
                    breaches.append(module.at(node, f"thought calls {name}(): make it an argument"))
    return breaches


def thought_never_waits(root: Path) -> list[str]:
    """Nothing in thought is asynchronous."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [
        module.at(node, "thought is asynchronous")
        for module in thought(root)
        for node in ast.walk(module.tree)
        if isinstance(node, waiting)
    ]


def the_world_has_its_places(root: Path) -> list[str]:
    """SQLite is the store's, sockets and brokers are transport's, pages are web's."""
    return [
        module.at(node, f"'{module.zone}' imports {top}, which is for {', '.join(sorted(place))}")
        for module in modules(root, "gateway")
        if module.zone not in WIRING
        for node, name in _imports(module, frozenset())
        if (place := PLACE.get(top := name.split(".")[0])) and module.zone not in place
    ]
