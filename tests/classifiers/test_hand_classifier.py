"""How often a stream's hands are looked at."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.classifiers import hands
from recognizer.classifiers.hands import LOOK_EVERY
from recognizer.preprocess import appearance
from recognizer.values import Box, Hand, Region

POSED = np.zeros(8, np.float32)
HAND = Hand(np.zeros((21, 3), np.float32), "right", 0.9)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that MediaPipe's network looks at a hand."""
    times: list[int] = []

    def features(*_: object) -> np.ndarray:
        times.append(len(times))
        return np.full(4, len(times), np.float32)

    monkeypatch.setattr(hands, "find_asset", lambda name: Path("none.task"))
    monkeypatch.setattr(appearance, "Appearance", lambda path: SimpleNamespace(features=features))
    return times


def a_region(x: int) -> Region:
    return Region(Box(x, 0, x + 100, 100), np.zeros((4, 4, 3), np.uint8), hand=HAND)


def test_a_hand_that_is_held_still_is_looked_at_now_and_then(looked: list[int]) -> None:
    sight = hands._Sight(stream=True)
    for _ in range(3 * LOOK_EVERY):
        sight.next_frame()
        sight.look(a_region(0), HAND, POSED)
    assert len(looked) == 3


def test_two_hands_in_the_same_pose_are_looked_at_each_for_itself(looked: list[int]) -> None:
    sight = hands._Sight(stream=True)
    for _ in range(LOOK_EVERY):
        sight.next_frame()
        left, right = (sight.look(a_region(x), HAND, POSED) for x in (0, 300))
        assert left[0] != right[0]
    assert len(looked) == 2


def test_a_hand_that_moves_its_fingers_and_single_pictures_are_looked_at_each_time(looked: list[int]) -> None:
    for stream, change in ((True, 1.0), (False, 0.0)):
        sight = hands._Sight(stream=stream)
        for number in range(4):
            sight.next_frame()
            sight.look(a_region(0), HAND, POSED + change * number)
    assert len(looked) == 8
