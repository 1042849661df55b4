"""Exports samples to a zip archive with a samples.csv, and imports such an archive."""

import hashlib
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.samples.png import PICTURE_LIMIT, decode_png
from recognizer.samples.sample import Sample, file_name, folder_name
from recognizer.samples.store import CARD, TABLE, Samples
from recognizer.samples.table import CARD_LIMIT, as_card, as_table, parse_table, read_card
from recognizer.system import files

ZIP_LIMIT = 1 << 33  # bytes unpacked: about 100,000 crops; guards against zip bombs
TABLE_LIMIT = 1 << 28  # bytes of a samples.csv: 400,000 rows
BATCH = 100  # pictures stored while the lock is held once: other programs wait about 0.1 s
STORE_FILE_NAME = re.compile(r"[0-9a-z-]{1,60}\.png")  # names that the store gives its files; other names are replaced


@dataclass(frozen=True)
class ImportResult:
    """Result of an import."""

    added: list[Sample]
    duplicates: int
    refused: list[str]  # one message for each row or picture that was skipped


def export_zip(store: Samples, path: Path, tasks: Sequence[str] | None = None) -> list[str]:
    """Write the given tasks (default: all) into a zip archive. Return one message for each skipped sample.

    The file appears at `path` only when it is complete. Raises SamplesError.
    """
    chosen = store.tasks() if tasks is None else [store.task(name) for name in tasks]
    if not chosen:
        raise SamplesError(f"There is no task in {store.folder} to export.")
    names = {task.name for task in chosen}
    written, skipped = [], []
    try:
        with files.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:  # PNG data is already compressed
            for task in chosen:
                archive.writestr(f"{task.name}/{CARD}", as_card(task))
            for sample in store.read():
                if sample.task not in names:
                    continue
                try:
                    archive.writestr(sample.path, (store.folder / sample.path).read_bytes())
                    written.append(sample)
                except FileNotFoundError:
                    skipped.append(f"{sample.path} is missing and was not exported.")
            archive.writestr(TABLE, as_table(written), zipfile.ZIP_DEFLATED)
    except OSError as error:
        reason = error.strerror or error
        raise SamplesError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
    return skipped


def import_zip(store: Samples, path: Path) -> ImportResult:
    """Import an archive that `export_zip` wrote. Samples that the store already has are skipped.

    An interrupted import leaves only complete samples; importing again adds the rest. Paths inside the archive are never
    used for writing: each sample's path is built from its task, session and label. Raises SamplesError if the file is not
    such an archive, is damaged, or unpacks to more than 8 GiB.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if sum(info.file_size for info in infos.values()) > ZIP_LIMIT:
                raise SamplesError(
                    f"{path} unpacks to more than {ZIP_LIMIT >> 30} GiB, the limit. Export fewer tasks at a time."
                )
            if TABLE not in infos:
                raise SamplesError(
                    f"{path} contains no {TABLE}, so it is not an export of samples. Unpack it and import the folder: "
                    "python -m recognizer samples import TASK DIR"
                )
            rows = parse_table(_member(archive, infos[TABLE], TABLE_LIMIT))
            samples = [row for row in rows if isinstance(row, Sample)]
            refused = [f"skipped a row of {TABLE}: {row}" for row in rows if isinstance(row, str)]
            for name in dict.fromkeys([*(sample.task for sample in samples), *_task_names_in_zip(infos)]):
                labels = [sample.label for sample in samples if sample.task == name]
                _ensure_task(store, archive, infos.get(f"{name}/{CARD}"), name, labels)
            count_before = len(refused)
            added = add_batches(store, _pictures(archive, infos, samples, refused))
    except OSError as error:
        raise SamplesError(
            f"{path} cannot be read: {error.strerror or error}. Check its name and permissions."
        ) from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise SamplesError(f"{path} is not a readable zip file ({error}). Export it again.") from error
    return ImportResult(added, len(samples) - len(added) - (len(refused) - count_before), refused)


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


def _ensure_task(
    store: Samples, archive: zipfile.ZipFile, card: zipfile.ZipInfo | None, name: str, labels: Sequence[str]
) -> None:
    """Create the task, or add the labels to an existing one. Raises SamplesError if their subjects differ."""
    existing = next((task for task in store.tasks() if task.name == name), None)
    if card is None and existing is None:
        raise SamplesError(
            f"{archive.filename} does not give the subject of the task {name}. "
            f'Make the task first: python -m recognizer tasks new "{name}" --subject hand|paper|box --labels WORDS'
        )
    if card is not None:
        archived = read_card(name, _member(archive, card, CARD_LIMIT), f"{archive.filename}: {card.filename}")
        if existing is not None and existing.subject != archived.subject:
            raise SamplesError(
                f"The task {name} has the subject {existing.subject} here and {archived.subject} in {archive.filename}. "
                "Rename one of the two tasks."
            )
        labels = [*archived.labels, *labels]
        if existing is None:
            store.create_task(name, archived.subject, labels)
            return
    store.add_labels(name, labels)


def _task_names_in_zip(infos: Iterable[str]) -> list[str]:
    """Names of the tasks whose task.json is in the archive. Folders that are not valid task names are ignored."""
    names = [name.removesuffix(f"/{CARD}") for name in infos if name.endswith(f"/{CARD}")]
    return [name for name in names if name == folder_name(name)]


def _pictures(
    archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], samples: Sequence[Sample], refused: list[str]
) -> Iterator[tuple[Sample, bytes]]:
    for sample in samples:
        info = infos.get(sample.path)
        if info is None:
            refused.append(f"{sample.path} is listed in samples.csv but not in the zip.")
            continue
        try:
            png = _member(archive, info, PICTURE_LIMIT)
            decode_png(png, sample.path)
        except SamplesError as error:
            refused.append(str(error))
            continue
        name = file_name(sample.path)
        if not STORE_FILE_NAME.fullmatch(name):
            name = f"{content_name(sample.path, png)}.png"
        folders = (sample.task, sample.session, folder_name(sample.label))
        yield replace(sample, path="/".join((*folders, name))), png


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """The bytes of an archive member. Raises SamplesError if its size exceeds `limit`.

    zipfile never unpacks more than the size in the member's entry.
    """
    if info.file_size > limit:
        raise SamplesError(
            f"{info.filename!r} in {archive.filename} unpacks to {info.file_size >> 20} MiB, the limit is {limit >> 20} MiB."
        )
    return archive.read(info)
