"""Markdown tables, and files that are replaced atomically."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from recognizer.system import files


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_text(path: Path, text: str) -> None:
    """Write the file in UTF-8; an existing file is replaced atomically."""
    with files.atomic_file(path) as file:
        file.write(text.encode())
