"""Takes an export back: checked, without running code of it, and compared with the current model before it replaces that."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import ModelError
from recognizer.export.contents import CLASSIFIER
from recognizer.export.manifest import FORMAT, FORMAT_VERSION, MANIFEST
from recognizer.registry.archive import FILES_LIMIT, ZIP_LIMIT, contains, read_files
from recognizer.registry.card import ModelCard, write_card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import NOTHING
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of

ADVICE = "Export it again."
LEFT_OUT = ("files", "moving")  # of a card: an export has other files, and no signs that move
ARRAY_TYPES = ("float32", "uint8", "int32")


@dataclass(frozen=True)
class Figures:
    """The shares of the user's samples, 0 to 1, that the current model and the imported one recognize.

    None without samples; `before` is also None without a current model.
    """

    before: float | None
    after: float | None
    samples: int


@dataclass(frozen=True)
class Imported:
    """An export that is now the current version of a task."""

    task: str
    version: str
    figures: Figures


def is_export(path: Path) -> bool:
    """Whether a folder or zip archive is an export, by its model.json. Raises ModelError for a zip that cannot be read."""
    return (path / MANIFEST).is_file() if path.is_dir() else contains(path, MANIFEST)


def import_export(
    models: ModelStore, samples: Samples, path: Path, task: str | None = None, *, force: bool = False
) -> Imported:
    """Import the export at `path`, a folder or zip, as the current version of `task` (default: the task that it names).

    Files that model.json lists must have their SHA-256. The current model is only replaced if the new one recognizes at
    least as many of the task's samples, or with `force`. Raises ModelError; then nothing changes.
    """
    contents = _files_of_folder(path) if path.is_dir() else read_files(path, MANIFEST)
    manifest = _manifest(contents, path)
    task = task or _field(manifest, "task", str, path)
    card = _card(manifest, path)
    has_model = models.has(task)
    with models.publishing(task) as draft:
        _write_version(draft, manifest, contents, card, path)
        figures = _figures(models, samples, task, card, draft)
        if has_model and not force:
            _check_figures(figures, task, path)
    return Imported(task, models.current(task).name, figures)


def _files_of_folder(folder: Path) -> dict[str, bytes]:
    """The files of an export in a folder. Links are left out: they may lead anywhere."""
    contents, left_bytes = {}, ZIP_LIMIT
    try:
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        if len(paths) > FILES_LIMIT:
            raise ModelError(f"{folder} contains {len(paths)} files, and an export has few. Give another folder.")
        for path in paths:
            left_bytes -= path.stat().st_size
            if left_bytes < 0:
                raise ModelError(f"{folder} has more than {ZIP_LIMIT >> 30} GiB, the limit. Give another folder.")
            contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror or error}. Check its files.") from error
    return contents


def _manifest(contents: Mapping[str, bytes], path: Path) -> dict[str, Any]:
    """The content of model.json, after the check of the files that it lists. Raises ModelError."""
    try:
        manifest = json.loads(contents[MANIFEST].decode())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{MANIFEST} in {path} cannot be read as JSON ({error}). {ADVICE}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{MANIFEST} in {path} is not that of an export: its format is not {FORMAT!r}. {ADVICE}")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"{path} is an export in format {manifest.get('format_version')}, and this program reads {FORMAT_VERSION}. "
            "Update the program, or export it again."
        )
    for name, expected in _field(manifest, "files", dict, path, {}).items():
        if name not in contents:
            raise ModelError(f"{path} lacks {name!r}, which its {MANIFEST} lists. {ADVICE}")
        found = hashlib.sha256(contents[name]).hexdigest()
        if found != expected:
            raise ModelError(
                f"{name} in {path} is damaged: its SHA-256 is {found[:12]}…, and {MANIFEST} says {str(expected)[:12]}…. "
                f"{ADVICE}"
            )
    return manifest


def _field(content: Mapping[str, Any], name: str, kind: type, path: Path, default: Any = None) -> Any:
    """A field of model.json, which must be of this type. Raises ModelError."""
    value = content.get(name, default)
    if not isinstance(value, kind):
        raise ModelError(f"{MANIFEST} in {path}: {name} is {json.dumps(value)[:60]}; it should be a {kind.__name__}.")
    return value


def _card(manifest: Mapping[str, Any], path: Path) -> ModelCard:
    """The card of the new version. What model.json says about labels and thresholds replaces what its card says."""
    limits = _field(manifest, "rejection", dict, path)
    preprocessing = _field(manifest, "preprocessing", dict, path)
    has_network = CLASSIFIER in _field(manifest, "networks", dict, path)
    distance = limits.get("max_distance")
    fields = {
        **{name: value for name, value in _field(manifest, "card", dict, path, {}).items() if name not in LEFT_OUT},
        "labels": manifest.get("labels"),
        "region": manifest.get("subject"),
        "kind": manifest.get("kind"),
        "sides": manifest.get("sides"),
        "features": None if has_network else INPUT,
        "preprocess": preprocessing.get("version"),
        "input": preprocessing.get("input"),
        "rejection": {**limits, "max_distance": math.inf if distance is None else distance},
    }
    return ModelCard.from_json(fields, f"{MANIFEST} in {path}", ADVICE)


def _write_version(
    draft: Path, manifest: Mapping[str, Any], contents: Mapping[str, bytes], card: ModelCard, path: Path
) -> None:
    """Write the files of a version, and open it to see whether they belong together. Raises ModelError."""
    write_card(card, draft)
    if CLASSIFIER in manifest["networks"]:
        file = _field(_field(manifest["networks"], CLASSIFIER, dict, path), "file", str, path)
        target = manifest.get("target", "litert")  # the networks of other targets were changed for their runtime
        if target != "litert" or not file.endswith(".tflite"):
            raise ModelError(
                f"{path} is an export to {target} with its classifier as {file}. Export it again with --to litert: only that "
                "has the network as this program runs it."
            )
        (draft / NETWORK).write_bytes(_content(contents, file, path))
    described = _field(manifest, "arrays", dict, path)
    arrays = {name: _array(name, _field(described, name, dict, path), contents, path) for name in described}
    try:
        FeatureStatistics(arrays["means"], arrays["whitening"]).save(draft / FEATURES)
        if manifest.get("head") == "linear":
            Head(arrays["kernel"], arrays["bias"]).save(draft / HEAD)
        elif manifest.get("head") == "neighbours":
            near = _field(manifest, "neighbours", dict, path)
            classes = len(card.labels) + 1
            Neighbours(arrays["samples"], arrays["votes"], int(near["k"]), str(near["measure"]), classes).save(
                draft / NEIGHBOURS
            )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{MANIFEST} in {path} lacks {error} among its arrays. {ADVICE}") from error
    try:
        subject_of(card.subject).open_classifier(draft)
    except ModelError as error:
        reason = str(error).replace(f"{draft}{os.sep}", "").replace(str(draft), str(path))
        raise ModelError(f"{path} is not imported: {reason}") from error


def _array(name: str, described: Mapping[str, Any], contents: Mapping[str, bytes], path: Path) -> np.ndarray:
    """An array of the export. Raises ModelError if its bytes do not fit its shape."""
    data = _content(contents, _field(described, "file", str, path), path)
    shape, dtype = _field(described, "shape", list, path), described.get("dtype")
    if dtype not in ARRAY_TYPES or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ModelError(f"{MANIFEST} in {path}: the array {name} is of {dtype!r} and shape {shape}. {ADVICE}")
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise ModelError(f"The array {name} in {path} has {len(data)} bytes, and its shape needs {expected}. {ADVICE}")
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


def _content(contents: Mapping[str, bytes], name: str, path: Path) -> bytes:
    if name not in contents:
        raise ModelError(f"{path} lacks {name!r}, which its {MANIFEST} names. {ADVICE}")
    return contents[name]


def _figures(models: ModelStore, samples: Samples, task: str, card: ModelCard, draft: Path) -> Figures:
    """What the current model and the one in `draft` recognize of the task's samples."""
    rows = samples.read(task) if task in samples.task_names() else []
    subject = subject_of(card.subject)
    regions = [subject.region_of(samples.picture(row), row.box, row.hand) for row in rows]
    expected = [None if row.label == NOTHING else row.label for row in rows]

    def accuracy(folder: Path) -> float | None:
        classifier = subject.open_classifier(folder)
        inputs = [subject.prepare(region) for region in regions if region is not None]
        predicted = iter(classifier.predict(inputs))
        labels = [None if region is None else next(predicted).label for region in regions]
        return float(np.mean([label == other for label, other in zip(labels, expected, strict=True)])) if rows else None

    before = accuracy(models.current(task)) if models.has(task) else None
    return Figures(before, accuracy(draft), len(rows))


def _check_figures(figures: Figures, task: str, path: Path) -> None:
    """Raise ModelError unless the new model recognizes at least as many samples as the current one."""
    if figures.before is None or figures.after is None:
        raise ModelError(
            f"{path} is not imported: {task} has a model, and no samples here to compare both with. "
            "Record some, or give --force."
        )
    if figures.after < figures.before:
        raise ModelError(
            f"{path} is not imported: it recognizes {figures.after:.1%} of the {figures.samples} samples of {task}, and the "
            f"current model {figures.before:.1%}. To replace it nevertheless, give --force."
        )
