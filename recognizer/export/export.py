"""Writes an export: a folder, or a zip archive of one, with a model and what is needed to use it without this program."""

import importlib.util
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recognizer.errors import ExportError, SettingsError
from recognizer.export import manifest
from recognizer.export.contents import Contents, contents_of
from recognizer.export.golden import COUNT, GOLDEN, golden_inputs, write_answers, write_golden
from recognizer.export.int8 import add_int8
from recognizer.export.targets import TARGETS, Target
from recognizer.pipeline import open_pipeline
from recognizer.registry.card import read_checked_card
from recognizer.registry.store import ModelStore, title_of
from recognizer.samples.store import Samples
from recognizer.system import files
from recognizer.system.zip_files import new_entry


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    title: str  # of the version, for users
    golden: int  # number of golden inputs
    size_bytes: int
    int8_cost: str = ""  # what an 8-bit network costs, in one line; "" without one


def export_folder(
    task: str,
    target: str,
    folder: Path,
    models: ModelStore,
    samples: Samples,
    golden: str = "studio",
    golden_count: int = COUNT,
    int8: Path | None = None,
) -> Exported:
    """Write the task's current model for a runtime, a key of TARGETS, into a new folder.

    `golden` says where the golden inputs come from: "studio" or "samples". `int8` is a folder that `python -m training int8`
    wrote, whose 8-bit network is added. The folder appears only when it is complete.
    Raises SettingsError for an unknown name, ExportError if the folder cannot be written or a package is missing, and
    ModelError or AssetError if a file of the model is damaged or missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} exists and is not an empty folder. Name a new one with --out.")
    with (
        _draft(task, target, folder.parent, models, samples, golden, golden_count, int8) as (draft, exported),
        _write_errors(folder),
    ):
        files.sync_tree(draft)
        draft.chmod(0o755)
        if folder.is_dir():
            folder.rmdir()
        os.rename(draft, folder)
    return exported


def export_zip(
    task: str,
    target: str,
    path: Path,
    models: ModelStore,
    samples: Samples,
    golden: str = "studio",
    golden_count: int = COUNT,
    int8: Path | None = None,
) -> Exported:
    """The same as `export_folder`, as a zip archive that contains the folder TASK-TARGET. Replaces a file of that name."""
    with (
        _draft(task, target, path.parent, models, samples, golden, golden_count, int8) as (draft, exported),
        _write_errors(path),
    ):
        _write_zip(draft, f"{task}-{target}", path)
    return exported


def _write_zip(folder: Path, name: str, path: Path) -> None:
    """Write a zip archive whose one folder `name` has the files of `folder`. Raises OSError."""
    with files.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for each in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = new_entry(f"{name}/{each.relative_to(folder).as_posix()}", zipfile.ZIP_DEFLATED)
            archive.writestr(entry, each.read_bytes())


@contextmanager
def _draft(
    task: str,
    target: str,
    parent: Path,
    models: ModelStore,
    samples: Samples,
    golden: str,
    golden_count: int,
    int8: Path | None,
) -> Iterator[tuple[Path, Exported]]:
    """An export in a temporary folder in `parent`, which is deleted at the end if it was not renamed."""
    if target not in TARGETS:
        raise SettingsError(f"There is no export to {target!r}. Choose one of {', '.join(TARGETS)}.")
    _check_packages(TARGETS[target])
    with _write_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".export-", dir=parent))
    try:
        with _write_errors(parent):
            exported = _write(task, TARGETS[target], draft, models, samples, golden, golden_count, int8)
        yield draft, exported
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_packages(target: Target) -> None:
    missing = [name for name in target.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"An export to {target.name} needs the package {missing[0]}, which is not installed. "
            f"Install it: pip install {target.install}"
        )


def _write(
    task: str,
    target: Target,
    draft: Path,
    models: ModelStore,
    samples: Samples,
    golden: str,
    golden_count: int,
    int8: Path | None,
) -> Exported:
    folder = models.current(task)
    card = replace(read_checked_card(folder), task=task)  # the task may have been renamed
    if not card.labels:
        raise ExportError(
            f"All signs of {task} move, and exports read still signs. Record a sign that is held still, too."
        )
    with open_pipeline(task, models, samples, smooth=False) as pipeline:
        inputs = golden_inputs(golden, pipeline.subject, task, samples, golden_count)
        answers = write_golden(inputs, pipeline, draft / GOLDEN)
    contents = contents_of(folder, card)
    (draft / manifest.NETWORKS).mkdir()
    networks = _write_networks(target, contents, folder, draft)
    content = manifest.manifest(
        card,
        folder.name,
        target.name,
        contents,
        networks,
        manifest.write_arrays(contents.arrays, draft),
        {"count": len(answers), "source": golden},
        target.runtime,
    )
    write_answers(draft / GOLDEN, _answers(content, answers))
    int8_cost = "" if int8 is None else add_int8(int8, draft, task)
    target.write_program(draft, content)
    manifest.write_manifest(content, draft)
    size_bytes = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    return Exported(title_of(folder), len(answers), size_bytes, int8_cost)


def _write_networks(target: Target, contents: Contents, version: Path, draft: Path) -> dict[str, manifest.NetworkFile]:
    networks = {}
    for name, content in contents.networks.items():
        suffix, data = target.convert(name, content, version)
        file = f"{manifest.NETWORKS}/{name}{suffix}"
        files.write_file(draft / file, data, sync=False)
        networks[name] = manifest.describe_network(name, content, file, contents)
    return networks


def _answers(content: Mapping[str, Any], answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The file of the golden answers. It repeats what decides about them, so that a changed model.json is noticed."""
    return {
        "labels": content["labels"],
        "rejection": content["rejection"],
        "preprocessing": content["preprocessing"]["version"],
        "inputs": answers,
    }


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into an ExportError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"{path} cannot be written: {reason}. Choose another folder or free some space.") from error
