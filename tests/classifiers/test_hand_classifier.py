"""What a hand classifier keeps over the frames of a stream: appearance features and evidence."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.classifiers import hands
from recognizer.classifiers.classifier import Scores
from recognizer.classifiers.hands import EVIDENCE_FRAMES, EXTRACT_EVERY
from recognizer.preprocess import appearance
from recognizer.values import Box, Hand, Region

POSED = np.zeros(8, np.float32)
HAND = Hand(np.zeros((21, 3), np.float32), "right", 0.9)


@pytest.fixture
def extractions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each extraction of a hand's appearance features."""
    times: list[int] = []

    def features(*_: object) -> np.ndarray:
        times.append(len(times))
        return np.full(4, len(times), np.float32)

    monkeypatch.setattr(hands, "find_asset", lambda name: Path("none.task"))
    monkeypatch.setattr(appearance, "AppearanceExtractor", lambda path: SimpleNamespace(features=features))
    return times


def a_region(x: int) -> Region:
    return Region(Box(x, 0, x + 100, 100), np.zeros((4, 4, 3), np.uint8), hand=HAND)


def test_features_of_a_still_hand_are_reused_for_some_frames(extractions: list[int]) -> None:
    cache = hands._AppearanceCache(stream=True)
    for _ in range(3 * EXTRACT_EVERY):
        cache.next_frame()
        cache.features(a_region(0), HAND, POSED)
    assert len(extractions) == 3


def test_two_hands_in_the_same_pose_get_separate_features(extractions: list[int]) -> None:
    cache = hands._AppearanceCache(stream=True)
    for _ in range(EXTRACT_EVERY):
        cache.next_frame()
        left, right = (cache.features(a_region(x), HAND, POSED) for x in (0, 300))
        assert left[0] != right[0]
    assert len(extractions) == 2


def test_a_moving_hand_and_single_pictures_get_new_features_each_time(extractions: list[int]) -> None:
    for stream, change in ((True, 1.0), (False, 0.0)):
        cache = hands._AppearanceCache(stream=stream)
        for number in range(4):
            cache.next_frame()
            cache.features(a_region(0), HAND, POSED + change * number)
    assert len(extractions) == 8


def scores(*probabilities: float) -> Scores:
    return Scores(np.array(probabilities, np.float32), 1.0)


def averages(evidence: hands.Evidence, frames: list[tuple[Region, np.ndarray, Scores]]) -> list[np.ndarray]:
    """The mean probabilities after each of these frames, which show one hand each."""
    found = []
    for region, pose_features, seen in frames:
        evidence.next_frame()
        found.append(evidence.add(region.box, pose_features, seen).probabilities)
    return found


def test_a_still_hand_is_judged_by_the_mean_of_its_last_frames() -> None:
    one, other = (a_region(0), POSED, scores(0.9, 0.1)), (a_region(3), POSED + 0.01, scores(0.3, 0.7))
    found = averages(hands.Evidence(), [one, one, other, one] + [other] * EVIDENCE_FRAMES)
    np.testing.assert_allclose(found[2], [0.7, 0.3], atol=1e-6)  # a single frame for the other label changes nothing
    np.testing.assert_allclose(found[-1], [0.3, 0.7], atol=1e-6)


@pytest.mark.parametrize(
    ("region", "pose_features"), [(a_region(0), POSED + 1), (a_region(300), POSED)], ids=["new pose", "new place"]
)
def test_evidence_ends_when_the_pose_or_the_place_changes(region: Region, pose_features: np.ndarray) -> None:
    *_, found = averages(
        hands.Evidence(), [(a_region(0), POSED, scores(0.9, 0.1))] * 3 + [(region, pose_features, scores(0.3, 0.7))]
    )
    np.testing.assert_allclose(found, [0.3, 0.7])


def test_evidence_of_two_still_hands_is_kept_apart() -> None:
    evidence = hands.Evidence()
    for _ in range(EVIDENCE_FRAMES):
        evidence.next_frame()
        left = evidence.add(a_region(0).box, POSED, scores(0.9, 0.1))
        right = evidence.add(a_region(300).box, POSED, scores(0.2, 0.8))
    np.testing.assert_allclose([left.probabilities, right.probabilities], [[0.9, 0.1], [0.2, 0.8]], atol=1e-6)
