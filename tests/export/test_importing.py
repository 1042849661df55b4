"""`models import` of an export: what is refused, and that a current model is only replaced by one that is no worse."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.cli import main
from recognizer.errors import ModelError
from recognizer.export.export import export_folder
from recognizer.export.importing import import_export
from recognizer.preprocess import pictures
from recognizer.registry.card import read_card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.values import Box, Frame, Region
from tests.export.own_models import SIDE, publish_linear


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a model of objects, beside the models that it is of."""
    folder = tmp_path_factory.mktemp("written")
    publish_linear(ModelStore(folder / "models"), "mybox")
    export_folder(
        "mybox", "litert", folder / "mybox", ModelStore(folder / "models"), Samples(folder / "none"), golden_count=1
    )
    return folder / "mybox"


@pytest.fixture
def export(written: Path, tmp_path: Path) -> Path:
    """A copy of the export, which may be changed."""
    return shutil.copytree(written, tmp_path / "export")


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path / "captures")


def record(samples: Samples, label: str, seeds: range) -> None:
    """Record samples of noise under a label."""
    if "mybox" not in samples.task_names():
        samples.create_task("mybox", "box", ["one", "two"])
    for seed in seeds:
        noise = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        samples.add("mybox", label, Region(Box(0, 0, SIDE, SIDE), noise), Frame(noise, 0, 0.0, "noise"), "s1", "noise")


def change(folder: Path, change_model: Callable[[dict[str, Any]], object]) -> None:
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    change_model(model)
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")


def test_an_export_comes_back_as_the_same_model(export: Path, models: ModelStore, samples: Samples) -> None:
    imported = import_export(models, samples, export)
    assert (imported.task, imported.figures.before, imported.figures.after) == ("mybox", None, None)
    before = ModelStore(export.parent.parent / "none")  # a store without this model
    assert not before.has("mybox")
    folder = models.current("mybox")
    assert read_card(folder).labels == ("one", "two")
    assert read_card(folder).rejection.max_distance == float("inf")
    picture = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    classifier = Classifier(folder, pictures.COLOUR_VERSION)
    kernel = np.fromfile(export / "arrays" / "kernel.float32", "<f4").reshape(-1, 3)
    logits = picture.reshape(-1).astype(np.float32) @ kernel
    assert classifier.run(picture)[0].argmax() == logits.argmax()


def test_a_zip_is_imported_under_another_name(
    export: Path, models: ModelStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "box.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in export.rglob("*"):
            archive.write(file, f"mybox-litert/{file.relative_to(export).as_posix()}")
    words = [
        "models",
        "import",
        "other",
        str(path),
        "--models",
        str(models.folder),
        "--samples",
        str(tmp_path / "none"),
    ]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{models.current('other').name} is now the current version of other\n"
    assert main(words) == 2
    assert "other has a model, and no samples here to compare both with" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert len(models.versions("other")) == 2


def test_a_model_is_only_replaced_by_one_that_is_no_worse(
    export: Path, models: ModelStore, samples: Samples, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_export(models, samples, export)
    classifier = Classifier(models.current("mybox"), pictures.COLOUR_VERSION)
    noise = [np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8) for seed in range(8)]
    labels = [classifier.predict_one(picture).label for picture in noise]
    for seed, label in enumerate(labels):
        record(samples, label or "nothing", range(seed, seed + 1))
    again = import_export(models, samples, export)
    assert (again.figures.before, again.figures.after, again.figures.samples) == (1.0, 1.0, 8)
    kernel = np.fromfile(export / "arrays" / "kernel.float32", "<f4")
    (-kernel).tofile(export / "arrays" / "kernel.float32")
    change(export, lambda model: model["files"].pop("arrays/kernel.float32"))
    words = ["models", "import", str(export), "--models", str(models.folder), "--samples", str(samples.folder)]
    assert main(words) == 2
    assert (
        "of the 8 samples of mybox, and the current model 100.0%. To replace it nevertheless" in capsys.readouterr().err
    )
    assert models.current("mybox").name == again.version
    assert main([*words, "--force"]) == 0
    assert "of the 8 samples are recognized, and 100.0% before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change_model", "error"),
    [
        (lambda model: model.update(format="zip"), "its format is not 'webcam-recognizer export'"),
        (lambda model: model.update(format_version=9), "is an export in format 9, and this program reads 1"),
        (lambda model: model.pop("labels"), "labels is missing; it should be a list of strings"),
        (lambda model: model.update(labels=["one"]), "has 3 outputs for 1 labels and the background"),
        (lambda model: model.update(rejection=3), "rejection is 3; it should be a dict"),
        (lambda model: model["rejection"].update(min_confidence="high"), "rejection is .*; it should be two numbers"),
        (lambda model: model["arrays"].pop("bias"), "lacks 'bias' among its arrays"),
        (lambda model: model["arrays"]["bias"].update(shape=[4]), "bias in .* has 12 bytes, and its shape needs 16"),
        (lambda model: model["arrays"]["bias"].update(dtype="object"), "the array bias is of 'object'"),
        (lambda model: model["arrays"]["bias"].update(file="../bias"), "lacks '../bias', which its model.json names"),
        (
            lambda model: model["networks"].update(classifier={"file": "a.onnx"}),
            "to litert with its classifier as a.onnx",
        ),
        (lambda model: model["files"].update(other="0"), "lacks 'other', which its model.json lists"),
        (lambda model: model["files"].update({"README.md": "0" * 64}), "README.md in .* is damaged: its SHA-256 is"),
        (lambda model: model["preprocessing"].update(version="colour-crop-0"), "trained with preprocess colour-crop-0"),
    ],
)
def test_what_does_not_fit_is_refused(
    export: Path, models: ModelStore, samples: Samples, change_model: Callable[[dict[str, Any]], object], error: str
) -> None:
    change(export, change_model)
    with pytest.raises(ModelError, match=error):
        import_export(models, samples, export)
    assert not models.has("mybox")


def test_a_model_json_that_is_no_json_is_refused(export: Path, models: ModelStore, samples: Samples) -> None:
    (export / "model.json").write_text("{")
    with pytest.raises(ModelError, match="model.json in .* cannot be read as JSON"):
        import_export(models, samples, export)


def test_an_export_by_hand_needs_only_what_is_used(export: Path, models: ModelStore, samples: Samples) -> None:
    used = (
        "format",
        "format_version",
        "task",
        "labels",
        "subject",
        "kind",
        "preprocessing",
        "rejection",
        "networks",
        "head",
    )
    change(export, lambda model: [model.pop(name) for name in [*model] if name not in (*used, "arrays")])
    assert import_export(models, samples, export).task == "mybox"


def test_a_file_that_names_no_task_needs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "version.zip", "w") as archive:
        archive.writestr("card.json", "{}")
    assert main(["models", "import", str(tmp_path / "version.zip")]) == 2
    assert "names no task. Give one: " in capsys.readouterr().err
