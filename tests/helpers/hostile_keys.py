"""Keys of objects at a URL of models that would lead out of a version, or are no version's."""

from pathlib import Path

LINE = b'{"labels": ["a"]}'
HOSTILE_KEYS = (
    "digits/v1/../../../../../PWNED.sh",
    "digits/v1/..\\..\\PWNED.sh",
    "../x/card.json",
    "digits/../card.json",
    "digits//card.json",
    "digits/nul/card.json",
    "digits/.hidden/card.json",
    "digits/v3/.DS_Store",
    "digits/current.json/card.json",
    "assets/v1/card.json",
    "BACKBONES/v1/card.json",
    "assets/current.json",
    ".mirror.json/v1/card.json",
    "/digits/v2/card.json",
    "-x/v1/card.json",
    "notes.txt",
)


def files_below(folder: Path) -> set[str]:
    """Paths of the files in the folder, without hidden ones."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix() for path in paths}
