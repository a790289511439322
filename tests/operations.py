"""Write the tables of errors in the operations guides from the tree of errors: `make docs`.

In: the classes of gateway/errors and the Chinese catalogue, if there is one. Out: the part
between two markers in docs/operations.md and its Chinese counterpart. Never: the words around it.
"""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po

from gateway.errors import GatewayError

ROOT = Path(__file__).parent.parent
BEGIN = "<!-- errors: made by `make docs` -->\n"
END = "<!-- end of errors -->\n"

GUIDES = {
    "docs/operations.md": {
        "columns": "| code | what happened | why it matters | what to do |",
        "OperatorError": "Whoever runs this gateway must act",
        "DeviceError": "The device, or whoever owns it, must act",
        "AuthorError": "The author of a record or certificate must act",
        "GroupError": "The admins of the group must act",
        "PeerError": "The peer must act",
    },
    "docs/operations.zh.md": {
        "columns": "| 代码 | 发生了什么 | 为何重要 | 如何处理 |",
        "OperatorError": "由本网关的运维人员处理",
        "DeviceError": "由设备或其负责人处理",
        "AuthorError": "由记录或证书的作者处理",
        "GroupError": "由群组管理员处理",
        "PeerError": "由对方节点处理",
    },
}


def classes(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Give every error below this one."""
    for below in error.__subclasses__():
        yield below
        yield from classes(below)


def chinese() -> dict[str, str]:
    """Read what has been translated; the English sentences are the keys."""
    told: dict[str, str] = {}
    for path in sorted((ROOT / "gateway").rglob("zh*/**/*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file)
        told |= {str(it.id): str(it.string) for it in catalogue if it.id and it.string}
    return told


def table(guide: str) -> str:
    """Make one guide's tables, a branch after another, by code."""
    words, told = GUIDES[guide], chinese() if guide.endswith(".zh.md") else {}
    parts = []
    for branch in GatewayError.__subclasses__():
        rows = [
            f"| `{it.code}` | " + " | ".join(_cell(told, it, part) for part in PARTS) + " |"
            for it in sorted(classes(branch), key=lambda it: it.code)
            if "what" in vars(it)  # the others are branches of a branch, and never raised
        ]
        head = [f"### {words[branch.__name__]}", "", words["columns"], "|---|---|---|---|"]
        parts.append("\n".join([*head, *rows]) + "\n")
    return "\n".join(parts)


PARTS = ("what", "why", "next")
IN_A_CELL = str.maketrans({"|": "\\|", "\n": " ", "{": "‹", "}": "›"})


def _cell(told: dict[str, str], error: type[GatewayError], part: str) -> str:
    sentence: str = getattr(error, part)
    # A field in braces stands for what the error says at that place.
    return told.get(sentence, sentence).translate(IN_A_CELL)


def renewed(guide: str) -> str:
    """Give the guide as it must be, its words kept and its tables made again."""
    before, rest = (ROOT / guide).read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table(guide)}\n{END}{after}"


def main() -> None:
    """Write both guides."""
    for guide in GUIDES:
        (ROOT / guide).write_text(renewed(guide), "utf-8")
        print(f"{guide}: written")


if __name__ == "__main__":
    main()
