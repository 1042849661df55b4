"""Hand signs without landmarks are classified by the task's pixel model, in the complete live pipeline."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers.hands import HandClassifier
from recognizer.classifiers.heads import Head
from recognizer.classifiers.rejection import FeatureStatistics
from recognizer.finders.still_hand import StillHandFinder
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline
from recognizer.preprocess import pictures, pose
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.smoothing import Smoother
from recognizer.subjects.hands import HAND, HandPostprocessor
from recognizer.values import Box, Frame, Hand, Prediction, Region, as_json
from recognizer.window.game import held_sign
from tests.helpers.still_hands import FPS, BlindHands, Stream, a_room, with_hand

LABELS = [*"ABCDEFGHIK"]
ACCEPT_ALL = {"min_confidence": 0.0, "max_distance": 1e9}  # thresholds that reject nothing
RNG = np.random.default_rng(0)
CROP = RNG.integers(0, 255, (90, 90, 3), np.uint8)
WITHOUT_JOINTS = Region(Box(0, 0, 90, 90), CROP)
WITH_JOINTS = Region(Box(0, 0, 90, 90), CROP, hand=Hand(RNG.normal(45, 20, (21, 3)).astype(np.float32), "left", 0.9))


def publish(models: Path, name: str, kind: str, input_version: str, **card: object) -> Path:
    """A version of the task letters that has only a card."""
    folder = models / "letters" / name
    folder.mkdir(parents=True)
    card = {
        "labels": LABELS,
        "kind": kind,
        "preprocess": input_version,
        "rejection": ACCEPT_ALL,
        "region": "hand",
        **card,
    }
    (folder / registry_card.CARD).write_text(json.dumps(card))
    return folder


def publish_joints(models: Path) -> Path:
    """A pose model that always predicts A. Its version is current."""
    folder = publish(models, "2", "pose", pose.VERSION, features="input")
    Head(np.zeros((pose.SIZE, len(LABELS) + 1), np.float32), np.eye(len(LABELS) + 1, dtype=np.float32)[0]).save(
        folder / "head.npz"
    )
    FeatureStatistics(np.zeros((len(LABELS), pose.SIZE), np.float32), np.eye(pose.SIZE, dtype=np.float32)).save(
        folder / "features.npz"
    )
    open_models(models).set_current("letters", "2")
    return folder


def publish_pixels(models: Path, digits: Path, name: str = "1", **card: object) -> Path:
    """A pixel model: the network of digits with other labels."""
    folder = publish(models, name, "pixels", pictures.HAND_VERSION, **card)
    for file in ("model.tflite", "features.npz"):
        shutil.copy(digits / file, folder)
    return folder


@pytest.fixture
def digits(published_models: ModelStore) -> Path:
    return published_models.current("digits")


def test_a_hand_without_landmarks_is_classified_by_the_pixel_model(tmp_path, digits):
    folder = publish_joints(tmp_path)
    pixel_folder = publish_pixels(tmp_path, digits)
    (prediction,) = HandClassifier(folder).predict([WITHOUT_JOINTS])
    (by_pixels,) = HandClassifier(pixel_folder).predict([WITHOUT_JOINTS])
    assert prediction.label == by_pixels.label
    assert prediction.label in LABELS
    assert prediction.top == by_pixels.top
    np.testing.assert_array_equal(prediction.image, pictures.hand_image(CROP))
    both = HandClassifier(folder).predict([WITH_JOINTS, WITHOUT_JOINTS])
    assert both[0].label == "A", "a hand with landmarks is classified by the pose model"
    assert both[1].label == by_pixels.label


def test_a_hand_without_landmarks_has_no_label_without_a_pixel_model(tmp_path):
    (prediction,) = HandClassifier(publish_joints(tmp_path)).predict([WITHOUT_JOINTS])
    assert (prediction.label, prediction.top) == (None, ())
    assert prediction.image.shape == (28, 28)


BROKEN = {
    "no network": lambda folder: (folder / "model.tflite").unlink(),
    "half a network": lambda folder: (folder / "model.tflite").write_bytes(b"half"),
    "no statistics": lambda folder: (folder / "features.npz").unlink(),
    "a damaged card": lambda folder: (folder / "card.json").write_text("{"),
}


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
def test_a_damaged_pixel_model_does_not_stop_the_pose_model_from_loading(tmp_path, digits, breaks):
    folder = publish_joints(tmp_path)
    breaks(publish_pixels(tmp_path, digits))
    predictions = HandClassifier(folder).predict([WITHOUT_JOINTS, WITH_JOINTS])
    assert [prediction.label for prediction in predictions] == [None, "A"]


@pytest.mark.parametrize(
    "card",
    [{"labels": [*"ABCDEFGHIZ"]}, {"labels": LABELS[:3]}, {"preprocess": "another"}, {"rejection": None}],
    ids=["an unknown label", "labels of another network", "another preprocess", "no thresholds"],
)
def test_a_pixel_model_with_other_labels_is_not_used(tmp_path, digits, card):
    folder = publish_joints(tmp_path)
    publish_pixels(tmp_path, digits, **card)
    assert HandClassifier(folder).predict([WITHOUT_JOINTS])[0].label is None


def test_newest_version_returns_the_newest_model_with_that_input(tmp_path, digits):
    assert open_models(tmp_path).newest_version("letters", "pixels") is None
    publish_pixels(tmp_path, digits, "1")
    newer = publish_pixels(tmp_path, digits, "3")
    publish_joints(tmp_path)
    publish_pixels(tmp_path, digits, ".draft-4")
    (publish_pixels(tmp_path, digits, "5") / "card.json").write_text("no card")
    assert open_models(tmp_path).newest_version("letters", "pixels") == newer
    assert open_models(tmp_path).newest_version("rps", "pixels") is None


def test_a_hand_in_the_box_is_labelled_end_to_end(tmp_path, digits):
    folder = publish_joints(tmp_path)
    publish_pixels(tmp_path, digits)
    stream, room = Stream(), a_room()
    picture, box = with_hand(room)
    pipeline = Pipeline("letters", HAND, stream.finder, HandClassifier(folder, stream=True), Smoother())
    seen = []
    for number in range(4 * FPS):
        noisy = np.clip((room if number < 2 * FPS else picture) + RNG.normal(0, 3, room.shape), 0, 255)
        seen.append(pipeline.step(Frame(noisy.astype(np.uint8), number, number / FPS, "drawn")))
    assert all(observation.text == "" and observation.guide is not None for observation in seen[: 2 * FPS])
    last = seen[-1]
    assert last.text in LABELS
    assert last.guide is None
    assert last.regions[0].box.iou(box) > 0.6
    region = as_json(last)["regions"][0]
    assert region["label"] == last.text
    assert "hand" not in region
    assert held_sign(last) is None, "a letter is not a throw of the game"
    for mirror in (False, True):
        drawn = Overlay(mirror=mirror).draw(last)
        assert (drawn != last.frame.image_bgr).any()
    with pipeline:
        pass
    assert stream.hands.closed


def test_hands_with_and_without_landmarks_are_labelled_from_left_to_right():
    frame = Frame(np.zeros((90, 200, 3), np.uint8), 0, 0.0, "drawn")
    right = Region(Box(100, 0, 190, 90), CROP)
    unsorted = [Prediction(label, 0.9, (), CROP) for label in ("B", "A")]
    regions, predictions = HandPostprocessor().postprocess(frame, (right, WITH_JOINTS), unsorted)
    assert regions == (WITH_JOINTS, right)
    assert [prediction.label for prediction in predictions] == ["A", "B"]


def test_the_pipeline_of_a_stream_uses_the_still_hand_finder(monkeypatch):
    from recognizer.subjects import hands

    monkeypatch.setattr(hands, "find_asset", lambda name: Path("none.task"))
    monkeypatch.setattr(hands, "HandFinder", lambda path, *, video, guide: BlindHands())
    assert isinstance(HAND.open_finder(stream=True), StillHandFinder)
    assert isinstance(HAND.open_finder(stream=False), BlindHands)
