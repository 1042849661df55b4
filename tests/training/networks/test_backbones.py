"""Training on the features of a pretrained backbone, which is built once: of objects, and of pictures of hands."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from recognizer.classifiers.network import Network
from recognizer.errors import ModelError, SettingsError
from recognizer.finders.guide_box import guide_box
from recognizer.pipeline import open_pipeline
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.subjects.box import BOX
from recognizer.system import paths
from recognizer.values import Box, Frame, Region
from tests.helpers.networks import tiny_vgg
from training.__main__ import main
from training.commands import backbones as commands_backbones
from training.networks import backbones, transfer
from training.networks.backbones import backbone_file, export_backbone, find_weights
from training.settings import LearnSettings
from training.user_tasks import learn, sample_inputs, starting_point

COLOURS = {"red mug": (40, 40, 200), "नीला": (200, 90, 40), "green": (60, 180, 60)}


def object_picture(label: str, rng: np.random.Generator) -> np.ndarray:
    """A frame with an object in the guide box, (480, 640, 3) uint8 BGR."""
    picture = np.full((480, 640, 3), 150, np.uint8)
    x, y = np.round(rng.normal((320, 240), 8)).astype(int).tolist()
    cv2.circle(picture, (x, y), 80, COLOURS[label], cv2.FILLED)
    cv2.circle(picture, (x, y), 30, (240, 240, 240), cv2.FILLED)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def backbone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace VGG16 with a tiny network. Return the list that records the requested backbones."""
    requested: list[str] = []

    def pretrained(name: str, weights: str, side: int):  # type: ignore[no-untyped-def]
        requested.append(f"{name} {weights}")
        return tiny_vgg(name, weights, side)

    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path_factory.mktemp("assets")))
    monkeypatch.setattr(transfer, "pretrained", pretrained)
    monkeypatch.setattr(backbones, "find_weights", lambda name: None)
    return requested


def record(store: Samples, task: str, counts: dict[str, int], seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    box = guide_box(640, 480)
    for label, count in counts.items():
        for _ in range(count):
            image = object_picture(label, rng)
            region = Region(box, image[box.y1 : box.y2, box.x1 : box.x2])
            store.add(task, label, region, Frame(image, 0, 0.0, "drawn"), "first", "drawn")


def train_objects(tmp_path: Path, **more: Any) -> dict:
    """Train a model. Return its result."""
    results: list[dict] = []
    settings = LearnSettings("objects", models=ModelStore(tmp_path / "models"), **more)
    learn.learn(settings, lambda stage, progress, result=None: results.append(result))
    return results[-1]


@pytest.mark.slow
def test_objects_are_trained_recognised_and_extended_by_a_label(tmp_path: Path, backbone: list[str]) -> None:
    store = default_samples()
    store.create_task("objects", "box", [*COLOURS])
    first, second, third = COLOURS
    record(store, "objects", {first: 6, second: 6})
    assert train_objects(tmp_path)["after"]["accuracy"] == 1
    assert backbone == ["VGG16 imagenet"]
    rng = np.random.default_rng(5)
    with open_pipeline("objects", open_models(tmp_path / "models"), default_samples(), smooth=False) as pipeline:
        assert pipeline.subject is BOX
        assert [
            pipeline.step(Frame(object_picture(label, rng), 0, 0.0, "drawn")).text for label in (first, second)
        ] == [
            first,
            second,
        ]
        empty = pipeline.step(Frame(np.full((480, 640, 3), 150, np.uint8), 0, 0.0, "drawn"))
        assert (empty.text, empty.regions) == ("", ())
        assert empty.guide == Box(176, 96, 464, 384)
    store.delete([sample for sample in store.read("objects") if sample.label == first])
    record(store, "objects", {third: 6})
    assert train_objects(tmp_path, force=True)["published"]
    assert backbone == ["VGG16 imagenet"]  # the backbone was built once
    with open_pipeline("objects", open_models(tmp_path / "models"), default_samples(), smooth=False) as pipeline:
        predictions = [
            pipeline.step(Frame(object_picture(label, rng), 0, 0.0, "drawn")).predictions[0] for label in COLOURS
        ]
    assert [prediction.top[0][0] for prediction in predictions] == [*COLOURS]


def test_a_backbone_computes_features_of_a_picture(tmp_path: Path, backbone: list[str]) -> None:
    name, path = backbone_file(None, ModelStore(tmp_path))
    assert (name, path) == ("VGG16", paths.assets() / "backbones" / f"VGG16-96-{backbones.EXPORT}-imagenet.tflite")
    network = Network(path)
    assert (network.classes, network.size) == (0, 8)
    probabilities, features = network.run(np.zeros((96, 96, 3), np.uint8))
    assert probabilities is None
    assert features.shape == (8,)
    backbone_file("VGG16", ModelStore(tmp_path / "other"))
    assert len(backbone) == 1


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the export. Return the list that records the names of exported backbones."""
    names: list[str] = []

    def write(name: str, weights: str) -> bytes:
        names.append(name)
        return weights.encode()

    monkeypatch.setattr(backbones, "export_backbone", write)
    monkeypatch.setattr(backbones, "find_weights", lambda name: None)
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path / "assets"))
    return names


def test_two_concurrent_requests_build_a_backbone_once(tmp_path: Path, exported: list[str]) -> None:
    with ThreadPoolExecutor() as pool:
        paths_of_backbone = list(pool.map(lambda _: backbone_file("VGG16", ModelStore(tmp_path))[1], range(8)))
    assert exported == ["VGG16"]
    assert {path.read_bytes() for path in paths_of_backbone} == {b"imagenet"}


def test_a_backbone_is_saved_with_the_models_if_the_assets_folder_is_not_writable(
    tmp_path: Path, exported: list[str]
) -> None:
    (tmp_path / "assets").touch()  # a file, so that no folder can be created there
    paths_of_backbone = [backbone_file("VGG16", ModelStore(tmp_path / "models"))[1] for _ in range(2)]
    assert paths_of_backbone[0] == paths_of_backbone[1]
    assert paths_of_backbone[0].parent == tmp_path / "models" / backbones.FOLDER
    assert exported == ["VGG16"]
    (tmp_path / "full").touch()
    with pytest.raises(ModelError, match="Choose another folder with --models"):
        backbone_file("VGG16", ModelStore(tmp_path / "full"))


def test_different_weights_make_a_different_backbone_but_weights_from_the_keras_cache_do_not(
    tmp_path: Path, exported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.h5"
    monkeypatch.setattr(backbones, "find_weights", lambda name: weights if weights.is_file() else None)

    def fetch(name: str, source: str) -> bytes:
        exported.append(source)
        if source == "imagenet":
            weights.write_bytes(b"fetched")
        return b"network"

    monkeypatch.setattr(backbones, "export_backbone", fetch)
    first = backbone_file("VGG16", ModelStore(tmp_path))
    assert backbone_file("VGG16", ModelStore(tmp_path)) == first
    assert exported == ["imagenet"]
    weights.write_bytes(b"others")
    assert backbone_file("VGG16", ModelStore(tmp_path)) != first
    assert exported == ["imagenet", str(weights)]


def test_the_command_builds_a_backbone_and_prints_its_path(
    tmp_path: Path, exported: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_backbones.signal, "signal", lambda *_: None)
    main(["backbones", "--models", str(tmp_path / "models")])
    assert Path(capsys.readouterr().out.splitlines()[-1]).read_bytes() == b"imagenet"
    assert exported == ["VGG16"]


@pytest.mark.slow
def test_training_on_a_saved_backbone_needs_no_tensorflow(tmp_path: Path, backbone: list[str]) -> None:
    store = default_samples()
    store.create_task("objects", "box", [*COLOURS])
    record(store, "objects", dict.fromkeys(COLOURS, 6))
    backbone_file(None, ModelStore(tmp_path / "models"))
    program = "import sys; from training.__main__ import main; from training.networks import backbones; "
    program += "backbones.find_weights = lambda name: None; main(); sys.exit('tensorflow' in sys.modules)"
    words = ["learn", "objects", "--models", str(tmp_path / "models")]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Published" in done.stdout


def test_weights_are_searched_in_the_data_folder_and_the_keras_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert find_weights("VGG16") is None
    for path in (tmp_path / "keras" / "models" / backbones.KERAS_WEIGHTS["VGG16"],
                 tmp_path / "data" / backbones.WEIGHTS["VGG16"]):  # fmt: skip
        path.parent.mkdir(parents=True)
        path.touch()
        assert find_weights("VGG16") == path
    assert find_weights("ResNet50") is None


def test_an_unknown_backbone_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Keras has no backbone VGG61"):
        export_backbone("VGG61", "imagenet")


def test_a_backbone_is_an_error_for_ink_and_optional_for_hands(tmp_path: Path) -> None:
    store = default_samples()
    paper = store.create_task("notes", "paper", ["a"])
    settings = LearnSettings("notes", network="vgg16")
    with pytest.raises(SettingsError, match="which has no colour"):
        starting_point.uses_colour_pictures(paper, None, settings)
    hand = store.create_task("signs", "hand", ["a", "b"])
    assert starting_point.uses_colour_pictures(hand, None, settings)
    assert not starting_point.uses_colour_pictures(hand, None, LearnSettings("signs"))


def test_augmentation_changes_pictures_moderately() -> None:
    rng = np.random.default_rng(0)
    image = cv2.resize(object_picture("red mug", rng), (96, 96))
    copies = [sample_inputs.augmented_picture(image, rng) for _ in range(5)]
    assert all(copy.shape == image.shape and copy.dtype == np.uint8 for copy in copies)
    assert all(not np.array_equal(copy, image) for copy in copies)
    assert max(float(np.abs(copy.astype(float) - image).mean()) for copy in copies) < 60
