"""Write every noun's vectors again: `make vectors`."""

from tests.vectors import FOLDER, builders, render


def main() -> None:
    """Build each noun's vectors and say what changed."""
    for noun, builder in builders():
        path, text = FOLDER / f"{noun}.json", render(builder.build())
        changed = not path.exists() or path.read_text("utf-8") != text
        if changed:
            path.write_text(text, "utf-8")
        print(f"{noun}: {'written' if changed else 'unchanged'}")


main()
