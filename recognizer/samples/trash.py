"""The trash of the captured samples: what was deleted is kept in .trash/ENTRY/ until the trash is emptied.

An entry is a folder with the pictures, their rows in samples.csv, and entry.json, which is written last. While it is
filled, and while it is restored, it is the folder .unfinished/trash-ENTRY/. After a crash the next writer sees in
samples.csv whether its samples are deleted: then the entry goes to the trash, else it is removed. So a picture is never
in neither place.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.samples.sample import Sample, Task, file_name, now_utc
from recognizer.samples.table import TABLE, as_card, as_table, parse_table, read_card
from recognizer.system import files
from recognizer.system.names import is_folder_name

TRASH = ".trash"
DRAFT = "trash-"  # prefix of an entry's folder while it is filled or restored
ENTRY = "entry.json"
KINDS = ("samples", "label", "task")


@dataclass(frozen=True)
class TrashEntry:
    """Something that was deleted: samples, a label with its samples, or a task with its samples."""

    name: str  # begins with the UTC time of the deletion
    kind: str  # one of KINDS
    task: str
    card: Task | None  # of the task before the deletion; None if its task.json could not be read
    label: str  # that was deleted; "" if it is no label
    time: str  # ISO 8601, UTC
    samples: tuple[Sample, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its samples."""
        return tuple(dict.fromkeys(sample.label for sample in self.samples))


def new_entry_name() -> str:
    """A unique name, whose order is that of time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def write_draft(unfinished: Path, entry: TrashEntry) -> None:
    """Write an entry without its pictures, before its samples are deleted. Raises OSError."""
    draft = unfinished / f"{DRAFT}{entry.name}"
    draft.mkdir()
    files.write_file(draft / TABLE, as_table(entry.samples))
    _write_entry(draft, entry)


def read_entry(folder: Path) -> TrashEntry | None:
    """The entry in a folder; None if it is not whole."""
    try:
        content = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        task, kind = str(content["task"]), str(content["kind"])
        card = content["card"] and read_card(task, json.dumps(content["card"]).encode(), str(folder / ENTRY))
        samples = tuple(row for row in parse_table((folder / TABLE).read_bytes()) if isinstance(row, Sample))
        name = folder.name.removeprefix(DRAFT)
        found = TrashEntry(name, kind, task, card, str(content["label"]), str(content["time"]), samples)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SamplesError):
        return None
    return found if kind in KINDS and is_folder_name(task) else None


def entries(folder: Path) -> list[TrashEntry]:
    """All entries in the trash of a store's folder, oldest first."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = [read_entry(folder / TRASH / name) for name in sorted(os.listdir(folder / TRASH))]
        return [entry for entry in found if entry is not None]
    return []


def entry_named(folder: Path, name: str) -> TrashEntry:
    """The entry with this name. Raises SamplesError if there is none."""
    entry = read_entry(folder / TRASH / name) if is_folder_name(name) else None
    if entry is None:
        raise SamplesError(f"There is no {name!a} in the trash. See: python -m recognizer samples trash")
    return entry


def begin_restoring(folder: Path, unfinished: Path, entry: TrashEntry, known: Collection[str]) -> list[Sample]:
    """Move an entry out of the trash, and the pictures of its samples into `unfinished`.

    `known` are file names that the store has. Returns the samples that can be added again. Raises OSError.
    """
    draft = unfinished / f"{DRAFT}{entry.name}"
    os.rename(folder / TRASH / entry.name, draft)
    found = [one for one in entry.samples if (name := file_name(one.path)) not in known and (draft / name).exists()]
    for sample in found:
        files.replace(draft / file_name(sample.path), unfinished / file_name(sample.path))
    return found


def finish(draft: Path, entry: TrashEntry | None, folder: Path, stored: Collection[str], is_gone: bool) -> None:
    """Move a draft to the trash if its samples are not `stored` any more, else remove it. Raises OSError.

    `is_gone` says the same of an entry without samples. An entry of None was left half-written by a killed program.
    """
    deleted = [] if entry is None else [one for one in entry.samples if file_name(one.path) not in stored]
    if entry is None or not (deleted or (is_gone and not entry.samples)):
        remove(draft)
        return
    for sample in deleted:
        with contextlib.suppress(FileNotFoundError):
            os.replace(draft.parent / file_name(sample.path), draft / file_name(sample.path))
    (folder / TRASH).mkdir(exist_ok=True)
    os.rename(draft, folder / TRASH / entry.name)


def empty(folder: Path, names: Collection[str] | None = None) -> int:
    """Delete entries for good; without `names` all, also what a killed program left. Returns their number of samples.

    Raises OSError.
    """
    count = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in sorted(os.listdir(folder / TRASH)):
            if names is None or name in names:
                entry = read_entry(folder / TRASH / name)
                count += len(entry.samples) if entry is not None else 0
                remove(folder / TRASH / name)
    return count


def remove(entry_folder: Path) -> None:
    """Delete an entry's folder. What a kill leaves of it is no entry any more. Raises OSError."""
    (entry_folder / ENTRY).unlink(missing_ok=True)
    shutil.rmtree(entry_folder)


def rename_in_entries(folder: Path, task: str, *, to: str = "", label: tuple[str, str] | None = None) -> None:
    """Rename the task `task`, or one of its labels (old, new), in what was deleted of it, so that it is restored where
    it now belongs. Raises OSError.
    """
    for entry in entries(folder):
        if entry.task != task or entry.kind == "task":  # a task with that name is another one by now
            continue
        place = folder / TRASH / entry.name
        if to:
            card = entry.card and replace(entry.card, name=to)
            _write_entry(place, replace(entry, task=to, card=card))
        elif label is not None and entry.kind == "samples" and label[0] in entry.labels:
            rows = [replace(one, label=label[1]) if one.label == label[0] else one for one in entry.samples]
            with files.atomic_file(place / TABLE) as file:
                file.write(as_table(rows))


def entry_of(
    kind: str, task: str, card: Task | None, samples: Sequence[Sample], *, label: str = "", name: str | None = None
) -> TrashEntry:
    """What is deleted now."""
    return TrashEntry(name or new_entry_name(), kind, task, card, label, now_utc(), tuple(samples))


def _write_entry(folder: Path, entry: TrashEntry) -> None:
    card = None if entry.card is None else json.loads(as_card(entry.card))
    content = {"kind": entry.kind, "task": entry.task, "label": entry.label, "time": entry.time, "card": card}
    with files.atomic_file(folder / ENTRY) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
