"""A project: one zip file with a task's samples and its current model, to save and to load elsewhere.

It holds project.json with the task's name, samples.zip as `samples export` writes it, and model.zip as `models export`
writes it; a task without samples, or without a model, lacks one of the two.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recognizer.errors import RecognizerError, SamplesError, SamplesStorageError
from recognizer.registry import archive as model_archive
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.samples import archive as sample_archive
from recognizer.samples.archive import ImportResult
from recognizer.samples.sample import checked_task_name
from recognizer.samples.store import Samples
from recognizer.system import files
from recognizer.system.zip_files import COMPRESSIONS, ZIP_ERRORS, new_entry

CARD, SAMPLES, MODEL = "project.json", "samples.zip", "model.zip"
CARD_LIMIT = 1 << 16  # bytes of project.json
UNPACKED_LIMIT = 1 << 33  # bytes of samples.zip and model.zip together: guards against zip bombs
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class LoadedProject:
    """What `load` has taken from a project."""

    task: str
    samples: ImportResult = field(default_factory=lambda: ImportResult([], 0, []))
    model: str | None = None  # the version that is now the current one; None if the file holds no model
    is_new_model: bool = False  # False if the task had this model already
    accuracy: float | None = None  # of the model on held-out samples, where it was trained


def save(task: str, models: ModelStore, samples: Samples, path: Path) -> list[str]:
    """Write the task's samples and current model to `path`. Return one message for each sample that is left out.

    The file appears only when it is complete. Raises RecognizerError, also if the task has neither.
    """
    left_out: list[str] = []
    with _write_errors(path), tempfile.TemporaryDirectory(prefix=".project-", dir=_made(path.parent)) as scratch:
        parts = []
        if task in samples.task_names():
            left_out = sample_archive.export_zip(samples, Path(scratch, SAMPLES), [task])
            parts.append(SAMPLES)
        if models.has(task):
            models.export(task, Path(scratch, MODEL))
            parts.append(MODEL)
        if not parts:
            raise SamplesError(f"{task} has no samples and no model to save. Record some samples first.")
        with files.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:  # the parts are compressed already
            archive.writestr(new_entry(CARD), json.dumps({"task": task}, ensure_ascii=False))
            for name in parts:
                with Path(scratch, name).open("rb") as part, archive.open(new_entry(name), "w") as entry:
                    shutil.copyfileobj(part, entry)
    return left_out


def load(path: Path, models: ModelStore, samples: Samples) -> LoadedProject:
    """Add the samples of a project to its task, and make its model the task's current one.

    A task that is not there is created; samples and a model that are there already are skipped. The model is checked before
    anything is stored, and published after the samples. Raises RecognizerError.
    """
    with _reading(path), tempfile.TemporaryDirectory(prefix="project-") as scratch:
        with zipfile.ZipFile(path) as archive:
            task = _task_in(archive, path)
            parts = _unpacked(archive, Path(scratch))
        if not parts:
            raise _no_project(path)
        try:
            return _load_parts(task, parts, models, samples)
        except RecognizerError as error:  # names the file that the user knows
            error.args = (str(error).replace(f"{scratch}{os.sep}", f"{path}: "),)
            raise


def _load_parts(task: str, parts: Mapping[str, Path], models: ModelStore, samples: Samples) -> LoadedProject:
    loaded = ImportResult([], 0, [])
    is_new_model = MODEL in parts and not model_archive.is_current(models, task, parts[MODEL])
    with contextlib.ExitStack() as stack:
        if is_new_model:
            stack.enter_context(model_archive.importing(models, task, parts[MODEL]))
        if SAMPLES in parts:
            loaded = sample_archive.import_zip(samples, parts[SAMPLES], task)
    if MODEL not in parts:
        return LoadedProject(task, loaded)
    folder = models.current(task)
    return LoadedProject(task, loaded, folder.name, is_new_model, held_out_accuracy(registry_card.read_card(folder)))


def held_out_accuracy(card: registry_card.ModelCard) -> float | None:
    """The share of held-out samples that the model recognized when it was trained; None if there were none."""
    accuracy: Any = (card.metrics or {}).get("held_out_after")
    return float(accuracy) if isinstance(accuracy, int | float) else None


def _task_in(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of the project's task. Raises SamplesError if the file is no project."""
    if CARD not in archive.namelist():
        raise _no_project(path)
    with archive.open(CARD) as file:
        text = file.read(CARD_LIMIT)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    task = content.get("task") if isinstance(content, dict) else None
    if not isinstance(task, str):
        raise SamplesError(f"{path} has a damaged {CARD}. Save the project again.")
    return checked_task_name(task)


def _unpacked(archive: zipfile.ZipFile, folder: Path) -> dict[str, Path]:
    """Unpack samples.zip and model.zip into the folder. Raises SamplesError if they are too large."""
    parts, left_bytes = {}, UNPACKED_LIMIT
    for name in (SAMPLES, MODEL):
        if name not in archive.namelist():
            continue
        if archive.getinfo(name).compress_type not in COMPRESSIONS:
            raise SamplesError(f"{archive.filename} is compressed in a way that is not used here. Save it again.")
        parts[name] = folder / name
        with archive.open(name) as entry, parts[name].open("wb") as file:
            while chunk := entry.read(CHUNK_BYTES):
                left_bytes -= len(chunk)
                if left_bytes < 0:
                    raise SamplesError(
                        f"{archive.filename} unpacks to more than {UNPACKED_LIMIT >> 30} GiB, the limit. "
                        "Save fewer samples in one project."
                    )
                file.write(chunk)
    return parts


def _no_project(path: Path) -> SamplesError:
    return SamplesError(
        f"{path} is not a project. Give a file that was saved on the page, or by: python -m recognizer tasks export"
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SamplesStorageError(
            f"Cannot write {path}: {error.strerror or error}. Choose another folder or free some space."
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of reading the file, and of unpacking it, into errors of ours."""
    try:
        yield
    except RecognizerError:
        raise
    except OSError as error:
        raise SamplesStorageError(
            f"{path} cannot be loaded: {error.strerror or error}. Check its name, and free some space."
        ) from error
    except ZIP_ERRORS as error:
        raise SamplesError(f"{path} is not a readable project ({error}). Save it again.") from error
