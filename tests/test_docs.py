"""What the documents say is so: bytes, codes, targets and links."""

import re
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from tests import operations

ROOT = Path(__file__).parent.parent
# Folders without documents of ours.
ELSEWHERE = ("node_modules", "build", "dist")
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in ELSEWHERE for part in path.relative_to(ROOT).parts)
)
CHAPTERS = sorted((ROOT / "docs" / "protocol").glob("*.md"))
VECTORS = sorted((ROOT / "tests" / "vectors").glob("*.json"))
HEX_BLOCK = re.compile(r"^```hex\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
TESTS = re.compile(r"`(tests/[a-z_0-9/]+\.py)`")
INVARIANT = re.compile(r"^\| \*\*I(\d+)\*\* \|(.*)\|(.*)\|$", re.MULTILINE)
FENCED = re.compile(r"^(```.*?^```$|    .*?$)", re.MULTILINE | re.DOTALL)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _bytes(block: str) -> str:
    """Take the hex of an annotated block: what stands before two spaces, `#` or `;`."""
    lines = (re.split(r" {2,}|[#;]", line.strip())[0] for line in block.splitlines())
    return re.sub(r"\s", "", "".join(lines)).lower()


def _headings(path: Path) -> set[str]:
    text = FENCED.sub("", path.read_text("utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=_name)
def test_the_examples_of_a_chapter_are_vectors(chapter: Path) -> None:
    """Every byte shown in a chapter is checked by a decoder, because it occurs in a vector."""
    vectors = "\n".join(path.read_text("utf-8") for path in VECTORS)
    for block in HEX_BLOCK.findall(chapter.read_text("utf-8")):
        said = _bytes(block)
        assert re.fullmatch(r"([0-9a-f]{2})+", said), f"not hex: {block}"
        assert said in vectors, f"in no vector: {said}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=_name)
def test_a_chapter_names_only_codes_of_the_tree(chapter: Path) -> None:
    """A chapter's section of errors lists codes that can really be raised."""
    text = chapter.read_text("utf-8")
    _, _, section = text.partition("\n## Errors\n")
    said = set(re.findall(r"`([a-z]+\.[a-z-]+)`", section))
    assert said <= {error.code for error in operations.classes(GatewayError)}


@pytest.mark.parametrize("guide", operations.GUIDES)
def test_the_guides_list_every_error(guide: str) -> None:
    """Whoever sees a code finds it in the operations guide of either language."""
    assert operations.renewed(guide) == (ROOT / guide).read_text("utf-8"), "type: make docs"


def test_no_two_errors_share_a_code() -> None:
    """A code names one error, and every error has its own."""
    codes = [error.code for error in operations.classes(GatewayError)]
    assert sorted(set(codes)) == sorted(codes)


def test_every_target_named_in_a_document_exists() -> None:
    """Nobody is told to type what make does not know."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    phony = set(re.sub(r"\\\n", "", makefile).split(".PHONY:")[1].split("\n")[0].split())
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        named = set(re.findall(r"(?:^ {4}|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
        assert named <= targets, f"{_name(path)} names {named - targets}"
    assert phony == targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_relative_link_resolves(document: Path) -> None:
    """A link within the repository leads to a file, and to a heading where it names one."""
    for link in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), f"{_name(document)}: {link}"
        if heading and target.suffix == ".md":
            assert heading in _headings(target), f"{_name(document)}: {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_test_named_in_a_document_exists(document: Path) -> None:
    """Whoever looks for the test that holds something finds it."""
    for path in TESTS.findall(document.read_text("utf-8")):
        assert (ROOT / path).exists(), f"{_name(document)}: {path}"


def test_every_invariant_has_tests_that_hold_it() -> None:
    """All invariants of the chapters are listed, with their tests, in either language alike."""
    pages = [
        (ROOT / "docs" / name).read_text("utf-8") for name in ("security.md", "security.zh.md")
    ]
    tables = [INVARIANT.findall(page) for page in pages]
    for page, rows in zip(pages, tables, strict=True):
        assert [int(number) for number, _, _ in rows] == list(range(1, 12))
        # Orders, and so the last of them, are for a later version.
        assert all(TESTS.findall(held) for _, _, held in rows[:-1])
        assert TESTS.findall(page) == TESTS.findall(pages[0])
    said = {each for path in CHAPTERS for each in re.findall(r"\*\*I(\d+)\*\*", path.read_text())}
    assert said and said <= {number for number, _, _ in tables[0]}


def test_the_readme_shows_its_two_commands() -> None:
    """The README begins where a newcomer begins: the demo and the tests."""
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "make demo" in text, name
        assert "make test" in text, name
