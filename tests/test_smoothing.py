import itertools
import random

import numpy as np
import pytest

from recognizer.smoothing import Smoother
from recognizer.values import Box, Prediction, Region

IMAGE_28 = np.zeros((28, 28), np.uint8)


def region(x: int = 100, y: int = 100, width: int = 60, height: int = 80) -> Region:
    return Region(Box(x, y, x + width, y + height), np.zeros((height, width), np.uint8))


def prediction(label: str | None, confidence: float = 0.9) -> Prediction:
    best = label or "8"
    return Prediction(label, confidence, ((best, confidence), ("0", 1 - confidence)), IMAGE_28)


def labels_shown(smoother: Smoother, labels: list[str | None], fps: float, start_s: float = 0.0) -> list[str | None]:
    """The smoothed label in each frame, of a region that does not move."""
    shown = []
    for index, label in enumerate(labels):
        (smoothed,) = smoother.update(start_s + index / fps, [region()], [prediction(label)])
        shown.append(smoothed.label)
    return shown


def test_a_new_region_shows_its_label_at_once():
    (smoothed,) = Smoother().update(0.0, [region()], [prediction("7")])
    assert smoothed.label == "7"


@pytest.mark.parametrize("fps", [30, 15, 10])
def test_a_changed_digit_shows_within_300_ms(fps):
    shown = labels_shown(Smoother(), ["3"] * fps + ["8"] * fps, fps)
    first_frame_with_8 = shown.index("8")
    # The change may have happened right after the last frame of the old digit.
    assert (first_frame_with_8 - (fps - 1)) / fps <= 0.3 + 1e-9
    assert set(shown[first_frame_with_8:]) == {"8"}


@pytest.mark.parametrize("fps", [30, 15, 10])
def test_a_misclassification_of_one_frame_is_not_shown(fps):
    labels = (["4"] * (fps // 2) + ["9"]) * 4
    assert set(labels_shown(Smoother(), labels, fps)) == {"4"}


def test_alternating_similar_labels_do_not_change_the_label():
    rng = random.Random(1)
    labels = ["1"] * 10 + [rng.choices(["1", "7"], [6, 4])[0] for _ in range(600)]
    shown = labels_shown(Smoother(), labels, 30)
    changes = sum(a != b for a, b in itertools.pairwise(shown))
    assert labels.count("7") > 200
    assert changes <= 6


@pytest.mark.parametrize("fps", [30, 15, 10])
def test_a_short_rejection_keeps_the_label(fps):
    rejected = [None] * int(0.3 * fps)
    assert set(labels_shown(Smoother(), ["5"] * fps + rejected + ["5"] * fps, fps)) == {"5"}


@pytest.mark.parametrize("fps", [30, 15, 10])
def test_a_long_rejection_removes_the_label(fps):
    shown = labels_shown(Smoother(hold_s=0.4), ["5"] * fps + [None] * fps, fps)
    removed_after_s = (shown.index(None) - fps) / fps
    assert 0.2 < removed_after_s < 0.5
    assert set(shown[shown.index(None) :]) == {None}


def test_a_single_label_between_rejections_is_not_shown():
    assert set(labels_shown(Smoother(), ([None] * 10 + ["6"]) * 5, 30)) == {None}


def test_a_smoothed_label_keeps_its_confidence_and_gets_the_new_image():
    smoother = Smoother()
    smoother.update(0.0, [region()], [prediction("4", 0.97)])
    new_image = np.ones((28, 28), np.uint8)
    flicker = Prediction("9", 0.6, (("9", 0.6), ("4", 0.3)), new_image)
    (smoothed,) = smoother.update(0.03, [region()], [flicker])
    assert (smoothed.label, smoothed.confidence, smoothed.top[0]) == ("4", 0.97, ("4", 0.97))
    assert smoothed.image is new_image


def test_predictions_are_in_the_order_of_the_regions():
    smoother = Smoother()
    left, right = region(x=100), region(x=400)
    smoother.update(0.0, [left, right], [prediction("1"), prediction("2")])
    swapped = smoother.update(0.03, [right, left], [prediction("2"), prediction("1")])
    assert [p.label for p in swapped] == ["2", "1"]
    assert smoother.update(0.06, [], []) == ()


def test_a_label_follows_its_moving_region():
    smoother = Smoother()
    shown = []
    for index in range(40):
        label = "6" if index % 8 == 7 else "0"
        moving, still = region(x=100 + 12 * index), region(x=900, y=400)
        shown.append(
            [p.label for p in smoother.update(index / 30, [moving, still], [prediction(label), prediction("3")])]
        )
    assert shown == [["0", "3"]] * 40


def test_a_region_far_away_is_a_new_one():
    smoother = Smoother()
    smoother.update(0.0, [region(x=100)], [prediction("1")])
    (smoothed,) = smoother.update(0.03, [region(x=600)], [prediction("2")])
    assert smoothed.label == "2"


def test_a_region_that_is_briefly_undetected_keeps_its_label():
    smoother = Smoother(hold_s=0.4)
    for index in range(10):
        smoother.update(index / 30, [region()], [prediction("5")])
    for index in range(10, 16):
        smoother.update(index / 30, [], [])
    (smoothed,) = smoother.update(16 / 30, [region()], [prediction("6")])
    assert smoothed.label == "5"
    (smoothed,) = smoother.update(16 / 30 + 1, [region()], [prediction("6")])
    assert smoothed.label == "6"


def test_the_smoother_resets_when_time_jumps_back():
    smoother = Smoother()
    labels_shown(smoother, ["2"] * 30, 30, start_s=10.0)
    (smoothed,) = smoother.update(0.0, [region()], [prediction("7")])
    assert smoothed.label == "7"
    assert labels_shown(smoother, ["7"] * 5, 30, start_s=0.0) == ["7"] * 5
