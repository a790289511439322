"""The house is tidy, and each rule is seen to fail on a breach planted in a copy of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tidy import imports, names, shape, texts
from tests.tidy.house import TREES

ROOT = Path(__file__).parent.parent

Check = Callable[[Path], list[str]]

CHECKS: tuple[Check, ...] = (
    imports.imports_follow_the_table,
    imports.no_import_cycles,
    imports.thought_knows_no_world,
    imports.thought_calls_no_world,
    imports.thought_never_waits,
    imports.the_world_has_its_places,
    shape.functions_are_short,
    shape.most_functions_are_very_short,
    shape.files_are_short,
    shape.parameters_are_few,
    shape.nesting_is_shallow,
    shape.modules_say_what_they_are,
    shape.tests_say_their_property,
    shape.one_broad_except,
    shape.nouns_are_frozen,
    shape.skips_have_reasons,
    names.names_are_not_empty_words,
    names.nouns_are_in_the_glossary,
    texts.no_path_of_a_machine,
    texts.no_host_of_a_registry,
    texts.nothing_is_unfinished,
    texts.nothing_of_ours_is_mocked,
    texts.locks_hold_no_address,
    texts.the_readme_is_short,
)
LONG = "def f() -> None:\n" + "    f()\n" * 60
DEEP = "def f(a):\n for b in a:\n  if b:\n   with b:\n    while b:\n     pass\n"
WIDE = "def f(a, b, c, d, e, *, g): ...\n"
CYCLE = '"""X."""\nfrom gateway.records.planted_{} import x\n'

# Each rule, and what breaks it: one file with its text, or several.
Files = dict[str, str]


def _thought(text: str, path: str = "gateway/records/planted.py") -> Files:
    return {path: f'"""Planted."""\n\n{text}\n'}


BREACHES: list[tuple[Check, Files]] = [
    (imports.imports_follow_the_table, _thought(said, f"gateway/{folder}/planted.py"))
    for folder, said in (
        ("errors", "import gateway.config"),
        ("readings", "from gateway.records import cbor"),
        ("records", "from gateway.groups import group"),
        ("records", "from ..sync import decide"),
        ("records", "from gateway import agent"),
        ("groups", "def f() -> None:\n    from gateway.sync import session"),
        ("groups", "import gateway.store"),
        ("groups", "from gateway.transport import mqtt"),
        ("transport", "from gateway.readings import reading"),
        ("transport", "from gateway.sources import intake"),
        ("store", "from gateway.transport import mqtt"),
        ("store", "from gateway.peers import mqtt"),
        ("sources", "from gateway.peers import mqtt"),
        ("peers", "from gateway import web"),
        ("web", "from gateway.sources import intake"),
        ("web", "from gateway import clock"),
        ("elsewhere", ""),
        ("cli", "from tests import mutate"),
    )
]
BREACHES += [
    (imports.thought_knows_no_world, _thought(said))
    for said in (
        "import asyncio",
        "import sqlite3",
        "import apsw",
        "import os.path",
        "from time import time",
        "from urllib import request",
        "import nacl.utils",
        "from nacl import utils",
        "import logging",
        "from pathlib import Path",
        "import threading",
        "import somebodys_library",
    )
]
BREACHES += [
    (imports.thought_calls_no_world, _thought(said))
    for said in (
        "x = open('x')",
        "print('x')",
        "from datetime import datetime\nx = datetime.now()",
        "from nacl.public import PrivateKey\nx = PrivateKey.generate()",
        "from nacl.bindings import crypto_box_seal\nx = crypto_box_seal(b'', b'')",
    )
]
BREACHES += [
    (shape.one_broad_except, _thought(said, path))
    for path, said in (
        ("gateway/store/planted.py", "try: ...\nexcept Exception: ..."),
        ("gateway/store/planted.py", "try: ...\nexcept: ..."),
        ("gateway/store/planted.py", "try: ...\nexcept (ValueError, BaseException): ..."),
        ("gateway/store/planted.py", "import contextlib\nx = contextlib.suppress(Exception)"),
        ("gateway/agent.py", "try: ...\nexcept Exception: ...\ntry: ...\nexcept Exception: ..."),
    )
]
BREACHES += [
    (names.names_are_not_empty_words, _thought(said, path))
    for path, said in (
        ("gateway/store/row_util.py", ""),
        ("gateway/store/helpers/planted.py", ""),
        ("gateway/store/planted.py", "class StoreManager: ..."),
        ("gateway/store/planted.py", "class IOHandlers: ..."),
        ("gateway/store/planted.py", "def read_data() -> None: ..."),
        ("gateway/store/planted.py", "async def misc() -> None: ..."),
        ("gateway/store/planted.py", "def f(*, info: str) -> None: ..."),
        ("gateway/store/planted.py", "BASE_URL = ''"),
        ("gateway/store/planted.py", "class A:\n    impl: int = 0"),
        ("tests/planted.py", "def make_service() -> None: ..."),
    )
]
BREACHES += [
    (shape.skips_have_reasons, _thought(said, "tests/planted.py"))
    for said in (
        "import pytest\npytest.skip()",
        "import pytest\npytest.skip('')",
        "import pytest\n@pytest.mark.skip\ndef test_x() -> None: ...",
        "import pytest\n@pytest.mark.skip()\ndef test_x() -> None: ...",
        "import pytest\n@pytest.mark.skipif(True)\ndef test_x() -> None: ...",
        "import pytest\n@pytest.mark.xfail\ndef test_x() -> None: ...",
        "import pytest\nx = pytest.importorskip('x')",
    )
]
BREACHES += [
    (
        imports.no_import_cycles,
        {
            "gateway/records/planted_a.py": CYCLE.format("b"),
            "gateway/records/planted_b.py": CYCLE.format("a"),
        },
    ),
    (imports.thought_never_waits, _thought("async def f() -> None: ...")),
    (imports.the_world_has_its_places, _thought("import apsw", "gateway/sources/planted.py")),
    (imports.the_world_has_its_places, _thought("import asyncio", "gateway/store/planted.py")),
    (imports.the_world_has_its_places, _thought("import paho.mqtt", "gateway/peers/planted.py")),
    (shape.functions_are_short, _thought(LONG)),
    (shape.functions_are_short, _thought(LONG, "tests/planted.py")),
    (shape.most_functions_are_very_short, _thought(LONG * 1000)),
    (shape.files_are_short, _thought("\n" * 400)),
    (shape.parameters_are_few, _thought(WIDE)),
    (shape.parameters_are_few, _thought("class A:\n    def f(self, a, b, c, d, *e, **g): ...")),
    (shape.nesting_is_shallow, _thought(DEEP)),
    (shape.modules_say_what_they_are, {"gateway/records/planted.py": "x = 1\n"}),
    (
        shape.tests_say_their_property,
        _thought("def test_x() -> None: ...", "tests/test_planted.py"),
    ),
    (shape.nouns_are_frozen, _thought("@dataclass(frozen=True)\nclass Planted: ...")),
    (shape.nouns_are_frozen, _thought("@dataclasses.dataclass\nclass Planted: ...")),
    (names.nouns_are_in_the_glossary, _thought("class PlantedNoun: ...")),
    (names.nouns_are_in_the_glossary, _thought("", "gateway/readings/planted_noun.py")),
    (texts.no_path_of_a_machine, {"docs/planted.md": "see /" + "home/somebody/file\n"}),
    (texts.no_host_of_a_registry, {"planted.toml": "url = 'https://pypi." + "org/simple'\n"}),
    (texts.nothing_is_unfinished, _thought("# TO" + "DO: the rest")),
    (texts.nothing_of_ours_is_mocked, _thought("from unittest import moc" + "k", "tests/x.py")),
    (texts.locks_hold_no_address, {"planted.lock": "a @ https://example.org/a.whl\n"}),
    (texts.the_readme_is_short, {"README.planted.md": "\n" * 131}),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_is_tidy(check: Check) -> None:
    """Each rule of docs/architecture.md holds everywhere."""
    breaches = check(ROOT)
    assert not breaches, "\n".join(breaches)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of what the rules read."""
    root = tmp_path_factory.mktemp("house")
    for tree in (*TREES, "docs"):
        shutil.copytree(ROOT / tree, root / tree, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*lock*")):
        shutil.copy(path, root)
    return root


@pytest.fixture(scope="module")
def before(copy: Path) -> dict[Check, set[str]]:
    """Give what each rule says of the copy with nothing planted."""
    return {check: set(check(copy)) for check in CHECKS}


@pytest.fixture
def planted(copy: Path, before: object, request: pytest.FixtureRequest) -> Iterator[Files]:
    """Plant files into the copy, once it was judged without, and take them out again."""
    files: Files = request.param
    was = {path: _read(copy / path) for path in files}
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text((was[path] or "") + text, "utf-8")
    yield files
    for path, text_was in was.items():
        if text_was is None:
            (copy / path).unlink()
        else:
            (copy / path).write_text(text_was, "utf-8")


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


@pytest.mark.parametrize(
    ("check", "planted"),
    BREACHES,
    ids=[f"{check.__name__}-{number}" for number, (check, _) in enumerate(BREACHES)],
    indirect=["planted"],
)
def test_a_planted_breach_is_seen(
    check: Check, planted: Files, before: dict[Check, set[str]], copy: Path
) -> None:
    """Every rule fails on its breach, and on nothing that was there before."""
    new = set(check(copy)) - before[check]
    assert new
    assert any(Path(path).stem in breach for path in planted for breach in new) or len(new) == 1


def test_every_rule_has_its_breach() -> None:
    """No rule is trusted that was never seen to fail."""
    assert set(CHECKS) == {check for check, _ in BREACHES}


@pytest.mark.parametrize(
    "said",
    [
        "def f(a):\n if a: ...\n elif a: ...\n elif a: ...\n elif a: ...\n elif a: ...\n",
        "def f(a):\n for b in a:\n  if b:\n   while b: ...\n",
        "def f(a, b, c, d, e): ...\n",
        "class A:\n @classmethod\n def f(cls, a, b, c, d, e): ...\n",
        "from urllib.parse import urlsplit\nfrom datetime import datetime\n",
        "import cbor2\nfrom nacl.bindings import crypto_sign\n",
        "def open(a):\n return open(a)\n",
        "database = dataset = 1\n",
    ],
)
def test_what_is_allowed_is_not_refused(said: str, tmp_path: Path) -> None:
    """The rules refuse what they name and no more."""
    (tmp_path / "gateway" / "records").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "glossary.md").write_text("- **a**: x\n- **plain**: x\n", "utf-8")
    (tmp_path / "README.md").write_text("x\n", "utf-8")
    (tmp_path / "gateway" / "records" / "plain.py").write_text(f'"""X."""\n{said}', "utf-8")
    assert [] == [breach for check in CHECKS for breach in check(tmp_path)]
