"""Checks that rows, pictures and tasks of the captured samples are consistent, and moves invalid ones aside."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.samples.sample import Sample, printable
from recognizer.samples.store import CARD, Samples
from recognizer.samples.table import TABLE
from recognizer.system import files
from recognizer.system.names import is_group_name

ASIDE = ".set-aside"
SET_ASIDE = "python -m recognizer samples verify --set-aside"


@dataclass(frozen=True)
class Problem:
    """An inconsistency and its remedy."""

    # "task", "label", "foreign row", "missing picture", "unreadable picture", "picture without a row" or "foreign file"
    kind: str
    what: str
    remedy: str
    line: bytes | None = None  # of samples.csv
    path: str | None = None  # of a picture, relative to the captures folder

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}. {self.remedy}"


def verify(store: Samples) -> list[Problem]:
    """All inconsistencies of the store, in the order of samples.csv. Changes nothing. Raises SamplesError."""
    store.refresh()
    return [*_of_tasks(store), *_of_rows(store), *_of_pictures(store), *_of_foreign_files(store)]


def set_aside(store: Samples, problems: list[Problem]) -> Path:
    """Move pictures that are unreadable or have no row, and rows that are invalid or have no usable picture, to the folder
    .set-aside/. Return that folder. Nothing is deleted. Raises SamplesError.
    """
    aside = store.folder / ASIDE
    with store.locked():
        lines = [problem.line for problem in problems if problem.line is not None]
        if lines:
            aside.mkdir(exist_ok=True)
            files.append(aside / TABLE, b"".join(line + b"\n" for line in lines))
        for problem in problems:
            if problem.path is not None and (store.folder / problem.path).exists():
                files.replace(store.folder / problem.path, aside / problem.path)
        if lines:
            store.drop_rows(lines)
    return aside


def _of_tasks(store: Samples) -> Iterator[Problem]:
    names = {path.parent.name for path in store.folder.glob(f"[!.]*/{CARD}")}
    used = dict.fromkeys((found.task, found.label) for _, found in store.scan() if isinstance(found, Sample))
    for name in sorted(names | {task for task, _ in used}):
        if name not in names:
            remedy = f'Create it again: python -m recognizer tasks new "{name}" --subject hand|paper|box --labels WORDS'
            yield Problem("task", f"{name} has samples and no {CARD}", remedy)
            continue
        if not is_group_name(name):
            remedy = f"Rename the folder, or move its {CARD} aside: {SET_ASIDE}"
            yield Problem("task", f"{name!a} is not the name of a task", remedy, path=f"{name}/{CARD}")
            continue
        try:
            labels = store.task(name).labels
        except SamplesError as error:
            remedy = f"Repair it, restore it from an export, or move it aside: {SET_ASIDE}"
            yield Problem("task", str(error).rstrip("."), remedy, path=f"{name}/{CARD}")
            continue
        for label in [label for task, label in used if task == name and label not in labels]:
            remedy = f'Rename it: python -m recognizer samples relabel "{name}" "{label}" WORD'
            yield Problem("label", f"{name} has samples of {label}, which is not one of its labels", remedy)


def _of_rows(store: Samples) -> Iterator[Problem]:
    remedy = f"Repair it in {store.table_path}, or move it aside: {SET_ASIDE}"
    for number, (line, found) in enumerate(store.scan(), start=1):
        if isinstance(found, str):
            yield Problem("foreign row", f"row {number} of {TABLE}: {found}", remedy, line)
            continue
        try:
            store.check(found)
        except SamplesError:
            exists = (store.folder / found.path).exists()
            kind = "unreadable picture" if exists else "missing picture"
            picture_remedy = f"Restore it, or move its row aside: {SET_ASIDE}"
            yield Problem(kind, found.path, picture_remedy, line, found.path if exists else None)


def _of_pictures(store: Samples) -> Iterator[Problem]:
    known = {found.path for _, found in store.scan() if isinstance(found, Sample)}
    for path in _png_files(store.folder):
        if unicodedata.normalize("NFC", path) not in known:
            yield Problem("picture without a row", path, f"Move it aside: {SET_ASIDE}", path=path)


def _of_foreign_files(store: Samples) -> Iterator[Problem]:
    for name in store.ignored():
        remedy = "It is ignored. Delete it at the URL if nobody needs it"
        yield Problem("foreign file", f"{printable(name)} at the URL holds no sample or task of this program", remedy)


def _png_files(folder: Path) -> list[str]:
    """Paths of the PNG files below the folder, relative to it, with "/". Hidden folders are skipped."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(parent) / name).relative_to(folder).as_posix() for name in names if name.lower().endswith(".png")
        ]
    return sorted(found)
