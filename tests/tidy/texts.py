"""What no file of the tree may say, whatever its language."""

import re
from collections.abc import Iterator
from pathlib import Path

README_LINES_MAX = 130
# Written in pieces, so that this file does not breach its own rule.
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:" + "|".join(("work", "farm", "root", "home", "Users")) + r")/[\w.]"
)
REGISTRY_HOST = re.compile(
    "|".join(
        rf"\b{name}\.{end}\b"
        for name, end in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "(?:org|com)"),
            ("debian", "org"),
            ("golang", "org"),
            ("crates", "io"),
            ("npmmirror", "com"),
        )
    )
)
UNFINISHED = re.compile("|".join((r"\bTO" + "DO", r"\bFIX" + "ME", "NotImplemented" + "Error")))
MOCK = re.compile(r"^\s*(?:from|import) (?:unittest\.|unittest import )?moc" + "k", re.MULTILINE)
NOT_OURS = frozenset({"__pycache__", "node_modules", "static", "build", "dist"})


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """Read every text file of the tree; of the hidden folders only CI's."""
    pending = [root]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            hidden = path.name.startswith(".") and path.name not in (".ci", ".gitignore")
            if hidden or path.name in NOT_OURS or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                pending.append(path)
            elif b"\0" not in (said := path.read_bytes()):
                yield path.relative_to(root).as_posix(), said.decode("utf-8", "replace")


def _said(root: Path, pattern: re.Pattern[str], prefix: str = "") -> list[str]:
    return [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()!r}"
        for path, text in _texts(root)
        if path.startswith(prefix)
        for found in pattern.finditer(text)
    ]


def no_path_of_a_machine(root: Path) -> list[str]:
    """No file names a folder of somebody's machine."""
    return _said(root, MACHINE_PATH)


def no_host_of_a_registry(root: Path) -> list[str]:
    """No file names a host of a package registry: the reader's own client knows its own."""
    return _said(root, REGISTRY_HOST)


def nothing_is_unfinished(root: Path) -> list[str]:
    """What is there is finished; what is not there is an issue."""
    return _said(root, UNFINISHED)


def nothing_of_ours_is_mocked(root: Path) -> list[str]:
    """Tests use real parts, or simulators that speak the production interface."""
    return _said(root, MOCK, "tests/")


def locks_hold_no_address(root: Path) -> list[str]:
    """A lock names packages, versions and hashes only."""
    return [
        f"{path.name}:1: an address in a lock"
        for path in sorted(root.glob("*lock*"))
        if "://" in path.read_text("utf-8")
    ]


def the_readme_is_short(root: Path) -> list[str]:
    """The README has at most 130 lines."""
    readmes = sorted({root / "README.md", *root.glob("README*.md")})
    lines = {
        path: len(path.read_text("utf-8").splitlines()) if path.exists() else 0 for path in readmes
    }
    return [
        f"{path.name}:1: {count} lines"
        for path, count in lines.items()
        if not 0 < count <= README_LINES_MAX
    ]
