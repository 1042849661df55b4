"""Finds the pictures in folders named by label. Import, training and evaluation all read such folders through this."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.samples.sample import clean_label
from recognizer.sources.pictures import is_system_file, left_out_line, why_not_a_picture

TRAINING_PARTS = ("train", "training")
TEST_PARTS = ("test", "testing", "val", "valid", "validation")
_PARTS = (*TRAINING_PARTS, *TEST_PARTS)
_LABEL_WORDS = {
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "nothing", "rock", "paper", "scissors",
}  # fmt: skip
_SERIES_NAME = re.compile(
    r"(person|people|subject|user|signer|writer|participant|volunteer|session|series|take|day|p|s)[-_ ]?\d+"
    r"|(person|subject|user|signer|writer|participant|volunteer|session|series)[-_ ].+"
    r"|\d{4}-?\d\d-?\d\d.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LabelledPicture:
    path: Path
    label: str
    series: str  # the person or session, such as "anna"; "" if there is none
    folders: str  # all folders that it is in but the label's, such as "train/anna"; "" if there is none
    for_testing: bool  # whether it is in a folder such as test or validation


@dataclass(frozen=True)
class LabelFolders:
    """The pictures in a folder's label folders, in the order of their paths, and one line on each thing left out."""

    pictures: tuple[LabelledPicture, ...]
    notes: tuple[str, ...]


def read_label_folders(folder: Path, known_labels: Collection[str] = ()) -> LabelFolders:
    """Find the pictures in label/picture, series/label/picture or label/series/picture, where a series is a person or session.

    Folders named as in TRAINING_PARTS and TEST_PARTS, or as training_set and seg_test, may be above or between them, and
    are then no labels. Which of two levels holds the labels is told by their names, first of all by `known_labels`; if they
    tell nothing, the inner one, with a note. Hidden and system folders and files are left out; all other files that are no
    pictures, and empty folders, with a note. Raises SamplesError if a label is not allowed, or if there are no pictures.
    """
    files, notes = _files_below(folder)
    left_out: dict[str, list[str]] = defaultdict(list)
    placed: list[tuple[Path, list[str]]] = []  # pictures, with their folders below `folder`
    for path in files:
        folders = [*path.relative_to(folder).parts[:-1]]
        reason = why_not_a_picture(path)
        if reason or not folders:
            left_out["/".join(folders) or str(folder)].append(reason or "in no label's folder")
        else:
            placed.append((path, folders))
    notes += [left_out_line(reasons, where) for where, reasons in left_out.items()]
    if not placed:
        raise SamplesError(
            " ".join([f"{folder} contains no pictures in folders named by label, such as {folder / 'seven'}.", *notes])
        )
    parts_found = _parts_of([folders for _, folders in placed])
    names_and_parts = [_names_and_parts(folders, parts_found) for _, folders in placed]
    names_of_all = [names for names, _ in names_and_parts]
    if all(names[-1].lower() in _PARTS or names[-1] in parts_found for names in names_of_all):
        raise SamplesError(f"{folder} has no folders named by label, such as {folder / names_of_all[0][0] / 'seven'}.")
    label_first, note = _label_first(folder, names_of_all, frozenset(known_labels))
    pictures = []
    for (path, folders), (names, parts) in zip(placed, names_and_parts, strict=True):
        place = folders.index(names[0]) if label_first(names) else len(folders) - 1 - folders[::-1].index(names[-1])
        others = folders[:place] + folders[place + 1 :]
        series = "/".join(name for name in others if name not in parts)
        for_testing = any(parts_found.get(part, part.lower()) in TEST_PARTS for part in parts)
        label = _label(folder.joinpath(*folders[: place + 1]))
        pictures.append(LabelledPicture(path, label, series, "/".join(others), for_testing))
    return LabelFolders(tuple(pictures), tuple(notes + note))


def pictures_below(folder: Path) -> list[Path]:
    """All picture files below a folder, sorted, without hidden and system ones."""
    return [path for path in _files_below(folder)[0] if not why_not_a_picture(path)]


def _files_below(folder: Path) -> tuple[list[Path], list[str]]:
    """All files below a folder, sorted, without hidden and system ones, and a line on each folder that cannot be read."""
    files: list[Path] = []
    notes: list[str] = []

    def unreadable(error: OSError) -> None:
        notes.append(f"{error.filename} cannot be read: {error.strerror or error}.")

    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if _leads_in_a_circle(folder, Path(parent)):
            folders[:] = []
            continue
        folders[:] = [name for name in folders if not is_system_file(Path(name))]
        inside = [Path(parent) / name for name in names if not is_system_file(Path(name))]
        if not folders and not inside and Path(parent) != folder:
            notes.append(f"{parent} is empty.")
        files += inside
    return sorted(files), notes


def _leads_in_a_circle(folder: Path, inside: Path) -> bool:
    """Whether a folder inside the other one is, through a link, one of those that contain it."""
    above = [inside.parents[index] for index in range(len(inside.relative_to(folder).parts))]
    return os.path.realpath(inside) in map(os.path.realpath, above)


def _label(folder: Path) -> str:
    """The label that a folder is named by. Raises SamplesError that names the folder."""
    try:
        return clean_label(folder.name)
    except SamplesError as error:
        raise SamplesError(f"The folder {folder} cannot be a label. {error}") from error


def _parts_of(placed: Sequence[Sequence[str]]) -> dict[str, str]:
    """The word of TRAINING_PARTS or TEST_PARTS in each folder name such as training_set, seg_test or Test-Images.

    They count where all folders of a level have such a word, some for training and some for testing: a label may be called
    bullet train.
    """
    found: dict[str, str] = {}
    for depth in range(max(map(len, placed)) - 1):
        names = {folders[depth] for folders in placed if len(folders) > depth + 1}
        words = {name: _part_in(name) for name in names}
        if {word in TEST_PARTS for word in words.values()} == {True, False} and all(words.values()):
            found.update(words)
    return found


def _part_in(name: str) -> str:
    return next((word for word in re.split(r"[^a-z]+", name.lower()) if word in _PARTS), "")


def _names_and_parts(folders: Sequence[str], parts_found: Container[str]) -> tuple[list[str], list[str]]:
    """The folders with labels and series, and those that name a part of a data set.

    The innermost folder is a part only in label/train/picture, as a label may be called train.
    """
    parts = [name for name in folders[:-1] if name.lower() in _PARTS or name in parts_found]
    names = [name for name in folders[:-1] if name not in parts]
    if names and folders[-1].lower() in _PARTS:
        return names, [*parts, folders[-1]]
    return [*names, folders[-1]], parts


def _label_first(
    folder: Path, placed: Iterable[Sequence[str]], known: frozenset[str]
) -> tuple[Callable[[Sequence[str]], bool], list[str]]:
    """Whether the label is the first of a picture's folders, not the last, and a note if that was not clear."""
    labels_above = {names[0] for names in placed if len(names) == 1}  # they hold pictures, so what they hold are series
    nested = [names for names in placed if len(names) > 1 and names[0] not in labels_above]
    outer = list(dict.fromkeys(names[0] for names in nested))
    inner = list(dict.fromkeys(names[-1] for names in nested))
    evidence = _likeness_to_labels(outer, known) - _likeness_to_labels(inner, known)
    outer_is_label = evidence > 0 or (evidence == 0 and len(inner) == 1 < len(outer))
    note = []
    if evidence == 0 and len(outer) > 1:
        labels, series = (outer, inner) if outer_is_label else (inner, outer)
        order = "label/series" if outer_is_label else "series/label"
        note = [
            f"{folder} was read as {order}/picture, with the labels {_some(labels)}. If the labels are {_some(series)}, "
            f"rename the folders {labels[0]} and so on to person-{labels[0]} and so on."
        ]
    return lambda names: names[0] in labels_above or (outer_is_label and len(names) > 1), note


def _likeness_to_labels(names: Sequence[str], known: frozenset[str]) -> float:
    """How much names look like labels, up to 1, and not like those of people or sessions, down to -1."""

    def likeness(name: str) -> int:
        name = unicodedata.normalize("NFC", name.strip())
        if name in known or len(name) == 1 or (name.isdecimal() and len(name) == 2) or name.lower() in _LABEL_WORDS:
            return 1
        return -1 if _SERIES_NAME.fullmatch(name) else 0

    return sum(map(likeness, names)) / len(names) if names else 0.0


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
