"""Exports samples to a zip archive with a samples.csv, and imports such an archive or the folder it was unpacked to."""

import hashlib
import itertools
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.samples.exported import ExportedFiles, open_export
from recognizer.samples.movement_png import movement_in
from recognizer.samples.png import PICTURE_LIMIT, decode_png
from recognizer.samples.sample import Sample, file_name, folder_name
from recognizer.samples.store import CARD, Samples
from recognizer.samples.table import (
    CARD_LIMIT,
    TABLE,
    as_card,
    as_spreadsheet,
    as_table,
    from_spreadsheet,
    parse_table,
    read_card,
)
from recognizer.system import files
from recognizer.system.names import is_group_name, is_safe
from recognizer.system.zip_files import ZIP_ERRORS, new_entry

TABLE_LIMIT = 1 << 28  # bytes of a samples.csv: 400,000 rows
TASKS_LIMIT = 100  # of one archive
BATCH = 100  # pictures stored per acquisition of the lock, so that other programs wait about 0.1 s at most
STORE_FILE_NAME = re.compile(r"[0-9a-z-]{1,60}\.png")  # names that the store gives its files; other names are replaced
SPREADSHEET_NOTE = "for-spreadsheets.txt"  # marks an export with as_spreadsheet's table
SPREADSHEET_NOTE_TEXT = (
    "In samples.csv, cells that a spreadsheet would take for a formula have an apostrophe before them.\n"
    "python -m recognizer samples import takes it away again.\n"
)


@dataclass(frozen=True)
class ImportResult:
    """Result of an import."""

    added: list[Sample]
    duplicates: int
    refused: list[str]  # one message for each row or picture that was skipped


def export_zip(
    store: Samples, path: Path, tasks: Sequence[str] | None = None, *, for_spreadsheets: bool = False
) -> list[str]:
    """Write the given tasks (default: all) into a zip archive. Return one message for each skipped sample.

    `for_spreadsheets` writes samples.csv so that no cell is a formula; an import undoes that. Of the samples' sources only
    the file names are exported. The file appears at `path` only when it is complete. Raises SamplesError.
    """
    chosen = store.tasks() if tasks is None else [store.task(name) for name in tasks]
    if not chosen:
        raise SamplesError(f"There is no task in {store.folder} to export.")
    names = {task.name for task in chosen}
    written, skipped = [], []
    try:
        with files.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:  # PNG data is already compressed
            for task in chosen:
                archive.writestr(new_entry(f"{task.name}/{CARD}"), as_card(task))
            for sample in store.read():
                if sample.task not in names:
                    continue
                try:
                    archive.writestr(new_entry(sample.path), (store.folder / sample.path).read_bytes())
                    written.append(replace(sample, source=_without_folders(sample.source)))
                except FileNotFoundError:
                    skipped.append(f"{sample.path} is missing and was not exported.")
            table = as_spreadsheet(as_table(written)) if for_spreadsheets else as_table(written)
            archive.writestr(new_entry(TABLE, zipfile.ZIP_DEFLATED), table)
            if for_spreadsheets:
                archive.writestr(new_entry(SPREADSHEET_NOTE), SPREADSHEET_NOTE_TEXT)
    except OSError as error:
        reason = error.strerror or error
        raise SamplesError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
    return skipped


def import_zip(store: Samples, path: Path, task: str | None = None) -> ImportResult:
    """Import an archive that `export_zip` wrote, or the folder it was unpacked to. `task` selects one of its tasks.

    Samples that the store already has are skipped. An interrupted import leaves only complete samples; importing again
    adds the rest. Paths inside the archive are never used for writing: each sample's path is built from its task, session
    and label. Raises SamplesError if the file is not such an archive, is damaged, or unpacks to more than 8 GiB.
    """
    try:
        with open_export(path) as exported:
            samples, refused = _read_table(exported)
            names = list(dict.fromkeys([*(sample.task for sample in samples), *_task_names(exported)]))
            if task is not None:
                if task not in names:
                    raise SamplesError(f"{path} holds no task {task}. It holds: {', '.join(names) or 'none'}.")
                names, samples = [task], [sample for sample in samples if sample.task == task]
            if len(names) > TASKS_LIMIT:
                raise SamplesError(
                    f"{path} holds {len(names)} tasks, the limit is {TASKS_LIMIT}. Export fewer at a time."
                )
            for name in names:
                _ensure_task(store, exported, name, [sample.label for sample in samples if sample.task == name])
            count_before = len(refused)
            added = add_batches(store, _pictures(store, exported, samples, refused))
    except OSError as error:
        raise SamplesError(
            f"{path} cannot be read: {error.strerror or error}. Check its name and permissions."
        ) from error
    except ZIP_ERRORS as error:
        raise SamplesError(f"{path} is not a readable zip file ({error}). Export it again.") from error
    return ImportResult(added, len(samples) - len(added) - (len(refused) - count_before), refused)


def _read_table(exported: ExportedFiles) -> tuple[list[Sample], list[str]]:
    """The samples of samples.csv, and one message for each row that is none."""
    data = exported.read(TABLE, TABLE_LIMIT)
    rows = parse_table(from_spreadsheet(data) if SPREADSHEET_NOTE in exported.opened else data)
    refused = [f"skipped a row of {TABLE}: {row}" for row in rows if isinstance(row, str)]
    return [row for row in rows if isinstance(row, Sample)], refused


def add_batches(store: Samples, pictures: Iterator[tuple[Sample, bytes]]) -> list[Sample]:
    """Store samples in batches. The lock is released between batches, so other programs can write."""
    added = []
    while batch := list(itertools.islice(pictures, BATCH)):
        added += store.place(batch)
    return added


def content_name(*parts: str | bytes) -> str:
    """A file name derived from the content, so that importing the same picture again gives the same name."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part if isinstance(part, bytes) else part.encode()).digest())
    return f"import-{digest.hexdigest()[:16]}"


def _ensure_task(store: Samples, exported: ExportedFiles, name: str, labels: Sequence[str]) -> None:
    """Create the task, or add the labels to an existing one. Raises SamplesError if their subjects differ."""
    existing = next((task for task in store.tasks() if task.name == name), None)
    card = f"{name}/{CARD}"
    if card not in exported.opened:
        if existing is None:
            raise SamplesError(
                f"{exported.source} does not give the subject of the task {name}. "
                f'Make the task first: python -m recognizer tasks new "{name}" --subject hand|paper|box --labels WORDS'
            )
        store.add_labels(name, labels)
        return
    archived = read_card(name, exported.read(card, CARD_LIMIT), f"{exported.source}: {card}")
    if existing is None:
        store.create_task(name, archived.subject, [*archived.labels, *labels], sides=archived.sides)
        return
    if existing.subject != archived.subject:
        raise SamplesError(
            f"The task {name} has the subject {existing.subject} here and {archived.subject} in {exported.source}. "
            "Rename one of the two tasks."
        )
    store.add_labels(name, [*archived.labels, *labels])


def _task_names(exported: ExportedFiles) -> list[str]:
    """Names of the tasks whose task.json is there. Folders that are not valid task names are ignored."""
    names = [name.removesuffix(f"/{CARD}") for name in exported.opened if name.endswith(f"/{CARD}")]
    return [name for name in names if is_group_name(name)]


def _pictures(
    store: Samples, exported: ExportedFiles, samples: Sequence[Sample], refused: list[str]
) -> Iterator[tuple[Sample, bytes]]:
    """The samples with their pictures. A name that another picture has is replaced by one that follows from the content."""
    there = {file_name(sample.path): sample.path for sample in store.read()}
    taken: dict[str, str] = {}  # from file name to path in the archive
    for sample in samples:
        path = exported.find(sample.path)
        if path is None:
            refused.append(f"{sample.path} is listed in samples.csv but not in {exported.source}.")
            continue
        try:
            png = exported.read(path, PICTURE_LIMIT)
            decode_png(png, sample.path)
            if sample.moving_s is not None:
                movement_in(png, sample.path)
        except SamplesError as error:
            refused.append(str(error))
            if exported.left < 0:
                raise
            continue
        name = file_name(sample.path)
        is_free = taken.setdefault(name, sample.path) == sample.path and _is_same(store, there.get(name), png)
        if not (is_free and STORE_FILE_NAME.fullmatch(name) and is_safe(name)):
            name = f"{content_name(sample.path, png)}.png"
        folders = (sample.task, sample.session, folder_name(sample.label))
        yield replace(sample, path="/".join((*folders, name))), png


def _is_same(store: Samples, path: str | None, png: bytes) -> bool:
    """Whether the store has no picture of that name, the same one, or none that can be read."""
    try:
        return path is None or (store.folder / path).read_bytes() == png
    except OSError:
        return True


def _without_folders(source: str) -> str:
    """The name of a sample's source without the folders of the person who imported it."""
    is_path = source.startswith(("/", "\\")) or source[1:3] in (":\\", ":/")
    return re.split(r"[/\\]", source)[-1] if is_path else source
