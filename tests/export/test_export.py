"""`recognizer export`: what is written answers as the program does, and its check notices what was changed."""

import importlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from recognizer.cli import main
from recognizer.errors import AssetError, ExportError, SamplesError
from recognizer.export import export
from recognizer.export.bundle import Definition
from recognizer.export.export import export_folder, export_zip
from recognizer.export.litert_graph import read_graph
from recognizer.export.program_text import PROGRAM, predict_py
from recognizer.export.to_keras import to_keras
from recognizer.export.to_onnx import onnx_model
from recognizer.finders.characters import NETWORKS
from recognizer.registry.assets import find_asset
from recognizer.registry.card import ModelCard, write_card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.system import paths
from tests.export.own_models import publish_linear

COUNT = 2  # golden inputs of an export in these tests
Export = Callable[[str, str], Path]


@contextmanager
def program_of(folder: Path) -> Iterator[ModuleType]:
    """The module check.py of an export, which has imported its predict.py."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("check")
    finally:
        sys.path.remove(str(folder))
        for name in ("check", "predict"):
            sys.modules.pop(name, None)


def check(folder: Path) -> int:
    """What `python check.py` does in an export, in this process."""
    with program_of(folder) as program:
        return program.check(folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Exports of the shipped tasks and of two own ones, each written once."""
    folder = tmp_path_factory.mktemp("exports")
    models, samples = ModelStore(folder / "models", paths.ROOT / "models"), Samples(folder / "captures")
    publish_linear(models, "myhand", hand=True)
    publish_linear(models, "mybox")

    def write(task: str, target: str) -> Path:
        try:
            find_asset("hand_landmarker")
        except AssetError as error:
            if task not in ("digits", "mybox"):
                pytest.skip(str(error))
        written = folder / f"{task}-{target}"
        if not written.exists():
            assert export_folder(task, target, written, models, samples, golden_count=COUNT).golden == COUNT
        return written

    return write


@pytest.fixture
def copied(exported: Export, tmp_path: Path) -> Path:
    """An export that may be changed."""
    return shutil.copytree(exported("mybox", "litert"), tmp_path / "mybox")


def change(folder: Path, change_model: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of an export's model.json."""
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    change_model(model)
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")


@pytest.mark.parametrize(
    ("task", "target"),
    [(task, target) for target in ("litert", "onnx") for task in ("digits", "letters", "rps", "myhand", "mybox")]
    + [("digits", "keras")],
)
def test_an_export_answers_as_the_program(
    exported: Export, task: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported(task, target)
    assert check(folder) == 0
    assert f"The exported model answers the same on {COUNT} of {COUNT}" in capsys.readouterr().out
    golden = json.loads((folder / "golden" / "answers.json").read_text(encoding="utf-8"))
    assert any(one["regions"] for one in golden["inputs"])


def test_it_runs_in_a_folder_without_this_program(exported: Export, tmp_path: Path) -> None:
    folder = shutil.copytree(exported("mybox", "litert"), tmp_path / "elsewhere")
    program = (
        "import sys; sys.path.insert(0, '.'); import check; code = check.check(check.Path('.')); "
        "assert not [name for name in sys.modules if name.startswith(('recognizer', 'training'))]; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"The exported model answers the same on {COUNT} of {COUNT}\n")


def test_predict_reads_pictures_and_videos(
    exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported("mybox", "litert")
    golden = json.loads((folder / "golden" / "answers.json").read_text(encoding="utf-8"))["inputs"][0]
    picture = folder / "golden" / golden["file"]
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(2):
        video.write(cv2.imread(str(picture)))
    video.release()
    with program_of(folder) as program:
        predict = sys.modules["predict"]
        for words, code in (([str(picture), "missing.png"], 1), ([], 2), (["--watch", str(tmp_path / "clip.avi")], 0)):
            monkeypatch.setattr(sys, "argv", ["predict.py", *words])
            assert predict.main() == code
        monkeypatch.setattr(sys, "argv", ["predict.py", "--watch", "missing.avi"])
        with pytest.raises(SystemExit, match="missing.avi cannot be opened as a video or camera."):
            predict.main()
        assert program.TOLERANCE == 1e-3
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[0])["text"] == golden["text"]
    assert "python predict.py PICTURE" in out
    assert out.splitlines()[-1] == golden["text"]  # of both frames, once
    assert "missing.png cannot be read as a picture." in err


def test_the_check_names_a_damaged_file(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((copied / "arrays" / "kernel.float32").read_bytes())
    data[100] ^= 1
    (copied / "arrays" / "kernel.float32").write_bytes(data)
    (copied / "README.md").unlink()
    assert check(copied) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("README.md cannot be read")
    assert lines[1].startswith("arrays/kernel.float32 is damaged: its SHA-256 is ")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("change_model", "line"),
    [
        (
            lambda model: model["labels"].reverse(),
            "model.json: the labels are in another order than when the golden answers",
        ),
        (
            lambda model: model["labels"].__setitem__(0, "three"),
            "model.json: the labels are others than when the golden",
        ),
        (
            lambda model: model["rejection"].__setitem__("min_confidence", 0.9),
            "model.json: the threshold min_confidence is 0.9, and was 0.1 when the golden answers were made",
        ),
        (
            lambda model: model["preprocessing"].__setitem__("version", "colour-crop-0"),
            "model.json: the preprocessing is colour-crop-0, and was colour-crop-1",
        ),
    ],
)
def test_the_check_names_what_was_changed(
    copied: Path, change_model: Callable[[dict[str, Any]], object], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(copied, change_model)
    assert check(copied) == 1
    assert capsys.readouterr().out.startswith(line)


def test_the_check_refuses_an_unreadable_model_json(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "model.json").write_text("{")
    assert check(copied) == 1
    assert capsys.readouterr().out.startswith("model.json cannot be read: ")


def test_the_check_says_where_an_answer_differs(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files and their sums were changed together, so that only the answers show it."""
    kernel = np.fromfile(copied / "arrays" / "kernel.float32", "<f4")
    (-kernel).tofile(copied / "arrays" / "kernel.float32")
    change(copied, lambda model: model["files"].pop("arrays/kernel.float32"))
    cv2.imwrite(str(copied / "golden" / "01.png"), np.zeros((240, 320, 3), np.uint8))
    change(copied, lambda model: model["files"].pop("golden/01.png"))
    assert check(copied) == 1
    out = capsys.readouterr().out
    assert "for the same place: the classifier computes something else." in out
    assert "01.png: 0 places were found, and the program found 1." in out
    assert f"The exported model answers the same on 0 of {COUNT}" in out


def test_a_zip_holds_the_same_files(
    exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("recognizer.commands.export.COUNT", COUNT)
    models = exported("mybox", "litert").parent / "models"
    words = ["export", "mybox", "--to", "litert", "--out", str(tmp_path / "box.zip"), "--models", str(models)]
    assert main([*words, "--samples", str(tmp_path)]) == 0
    assert f"MB, {COUNT} golden inputs" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "box.zip") as archive:
        assert "mybox-litert/model.json" in archive.namelist()
    assert [path.name for path in tmp_path.iterdir()] == ["box.zip"]


def test_what_cannot_be_written_is_one_line(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, samples = ModelStore(exported("mybox", "litert").parent / "models"), Samples(tmp_path / "captures")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ExportError, match="exists and is not an empty folder"):
        export_folder("mybox", "litert", tmp_path / "full", models, samples)
    with pytest.raises(SamplesError, match="No task mybox"):
        export_folder("mybox", "litert", tmp_path / "new", models, samples, "samples")
    with pytest.raises(ExportError, match="cannot be written: "):
        export_zip("mybox", "litert", tmp_path / "full" / "file" / "box.zip", models, samples)
    with models.publishing("waving") as draft:
        write_card(ModelCard(task="waving", labels=(), subject="hand"), draft)
    with pytest.raises(ExportError, match="All signs of waving move"):
        export_folder("waving", "litert", tmp_path / "new", models, samples)
    models.delete_task("waving", "20260101-000000")
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="needs the package onnx, which is not installed"):
        export_folder("mybox", "onnx", tmp_path / "new", models, samples)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"], "nothing half-written is left"


def test_each_name_in_a_program_is_defined_once(tmp_path: Path) -> None:
    """A program is made of several modules, which may use a name for different things."""
    for subject, runtime, network in (
        ("hand", "litert", "LiteRtNetwork"),
        ("paper", "onnx", "OnnxNetwork"),
        ("box", "keras", "KerasNetwork"),
    ):
        model = {"subject": subject, "labels": ["a"], "task": "t", "target": runtime}
        text = predict_py(model, Definition(f"{PROGRAM}.{runtime}", network))
        assert "recognizer." not in "".join(line for line in text.splitlines() if "import" in line)
        (tmp_path / f"{subject}.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_an_operation_without_a_counterpart_is_named() -> None:
    content = (NETWORKS / "characters.tflite").read_bytes()
    with pytest.raises(ExportError, match="the operation SHAPE, which has no Keras layer here. Export to litert."):
        to_keras(content)
    graph = read_graph(content)
    strange = replace(graph.operations[0], name="FFT")
    with pytest.raises(ExportError, match="the operation FFT, which has no ONNX form here. Export to litert."):
        onnx_model(replace(graph, operations=(strange,)))
