"""How often appearance features are extracted in a stream."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.classifiers import hands
from recognizer.classifiers.hands import EXTRACT_EVERY
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
