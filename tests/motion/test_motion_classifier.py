from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import ModelError
from recognizer.motion import classifier as classifiers
from recognizer.motion.classifier import FILE, MotionClassifier
from recognizer.motion.movement import mirrored
from tests.helpers.movements import a_movement, circle, swipe, wave

PATHS = {"circle": circle, "swipe": swipe, "wave": wave}


def swipe_back(at: np.ndarray) -> np.ndarray:
    return swipe(at) * [-1, 1]


@pytest.fixture(scope="module")
def classifier() -> MotionClassifier:
    demonstrations = [a_movement(path, seed=index) for index, path in enumerate(PATHS.values())]
    return MotionClassifier.fit(demonstrations, list(PATHS), np.random.default_rng(0))


@pytest.mark.parametrize("name", PATHS)
def test_a_movement_is_learned_from_one_demonstration(classifier: MotionClassifier, name: str) -> None:
    shown = a_movement(PATHS[name], duration_s=0.8, size=1.4, place=(300, 50), fps=17, seed=10)
    prediction = classifier.predict(shown)
    assert prediction.label == name
    assert prediction.confidence == prediction.top[0][1] > 0.5
    assert classifier.predict(mirrored(shown)).label == name


def test_another_movement_gets_no_label(classifier: MotionClassifier) -> None:
    def zigzag(at: np.ndarray) -> np.ndarray:
        return np.column_stack([np.abs((6 * at) % 2 - 1), -2.5 * at])

    assert classifier.predict(a_movement(zigzag, sign="five", duration_s=1.4)).label is None


def test_a_hand_that_drops_is_not_its_sign(classifier: MotionClassifier) -> None:
    def drop(at: np.ndarray) -> np.ndarray:
        return np.column_stack([0 * at, 4.5 * at])

    assert classifier.predict(a_movement(drop, duration_s=0.5)).label is None


def test_a_movement_shown_as_no_sign_gets_no_label() -> None:
    demonstrations = [a_movement(circle), a_movement(swipe)]
    classifier = MotionClassifier.fit(demonstrations, ["circle", None], np.random.default_rng(0))
    assert classifier.labels == ("circle",)
    assert classifier.predict(a_movement(swipe, seed=5)).label is None


def test_labels_that_are_mirror_images_have_a_direction_in_the_picture() -> None:
    shown = {"to the right": a_movement(swipe), "to the left": a_movement(swipe_back)}
    classifier = MotionClassifier.fit(list(shown.values()), list(shown), np.random.default_rng(0))
    assert classifier.predict(a_movement(swipe, seed=3)).label == "to the right"
    assert classifier.predict(mirrored(a_movement(swipe, seed=3))).label == "to the left"
    alone = MotionClassifier.fit([shown["to the right"]], ["to the right"], np.random.default_rng(0))
    assert alone.predict(mirrored(a_movement(swipe, seed=3))).label == "to the right"


def test_the_hands_can_mean_different_things() -> None:
    rng, movement = np.random.default_rng(0), a_movement(circle)
    classifier = MotionClassifier.fit([movement, mirrored(movement)], ["yes", "no"], rng, sides_differ=True)
    assert classifier.predict(a_movement(circle, seed=2)).label == "yes"
    assert classifier.predict(mirrored(a_movement(circle, seed=2))).label == "no"


def test_a_saved_classifier_predicts_the_same(classifier: MotionClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / FILE)
    loaded = MotionClassifier.load(tmp_path / FILE)
    shown = a_movement(wave, seed=4)
    assert loaded.labels == classifier.labels
    np.testing.assert_allclose(loaded.probabilities(shown), classifier.probabilities(shown), atol=0.02)


def test_a_file_of_another_version_is_refused(
    classifier: MotionClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers.embedding, "VERSION", "an older one")
    classifier.save(tmp_path / FILE)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="an older one.*Retrain"):
        MotionClassifier.load(tmp_path / FILE)


@pytest.mark.parametrize("name", ["points", "classes", "labels"])
def test_a_damaged_file_is_refused(classifier: MotionClassifier, tmp_path: Path, name: str) -> None:
    classifier.save(tmp_path / FILE)
    with np.load(tmp_path / FILE) as arrays:
        content = dict(arrays)
    np.savez(tmp_path / FILE, **{**content, name: content[name][:1]})
    with pytest.raises(ModelError, match="damaged"):
        MotionClassifier.load(tmp_path / FILE)
    (tmp_path / FILE).write_bytes(b"no archive")
    with pytest.raises(ModelError, match="damaged"):
        MotionClassifier.load(tmp_path / FILE)
