from collections import Counter, defaultdict

import numpy as np
import pytest

from recognizer.finders.hand_detector import NetworkDetector
from recognizer.finders.hand_networks import View, open_hand_networks
from recognizer.studio.scenes import Studio, _project
from tests.helpers.drawing import middle_of_card
from tests.helpers.machine import landmarker_path

SMALL = (640, 360)
SCENES = {"rps": {"rock", "paper", "scissors"}, "signs": set("BCDFILVWY")}


@pytest.mark.parametrize(("scene", "labels"), SCENES.items())
def test_all_signs_are_shown_in_turn_with_their_boxes(scene: str, labels: set[str]) -> None:
    studio = Studio(scene, SMALL, seed=1)
    found = []
    for card in range(len(labels)):
        (truth,) = studio.frame(middle_of_card(card)).truth
        found.append(truth.label)
        assert 0 <= truth.box.x1 < truth.box.x2 <= SMALL[0]
        assert 0.15 * SMALL[1] < truth.box.height < 0.95 * SMALL[1]
    assert sorted(found) == sorted(labels)


def test_a_sign_is_visible_for_most_of_its_turn() -> None:
    studio = Studio("rps", SMALL, seed=1)
    shown = [studio.frame(index).truth for index in range(round(2.4 * 30), round(4.8 * 30))]
    assert len({truth.label for frame in shown for truth in frame}) == 1
    assert sum(1 for frame in shown if frame) / len(shown) > 0.75
    assert not shown[0]
    assert not shown[-1]


@pytest.mark.parametrize("scene", SCENES)
def test_a_picture_depends_only_on_seed_and_index(scene: str) -> None:
    studio = Studio(scene, SMALL, seed=4)
    studio.frame(1000)
    again, fresh = studio.frame(100), Studio(scene, SMALL, seed=4).frame(100)
    np.testing.assert_array_equal(again.image_bgr, fresh.image_bgr)
    assert again.truth == fresh.truth


def test_a_hand_moves_slowly_while_it_is_shown() -> None:
    studio = Studio("signs", SMALL, seed=3)
    start = middle_of_card(1) - 15
    boxes = np.array([studio.frame(i).truth[0].box.xyxy for i in range(start, start + 30)])
    assert np.abs(np.diff(boxes, axis=0)).max() < 0.015 * SMALL[0]
    assert np.ptp(boxes, axis=0).max() > 2


def test_people_and_hands_change() -> None:
    studio = Studio("rps", SMALL)
    frames = [studio.frame(middle_of_card(card)) for card in range(14)]
    corners = [frame.image_bgr[:60, :60].mean() for frame in frames]
    assert len({round(corner) for corner in corners}) > 3
    sides = Counter(frame.truth[0].box.center_xy[0] > SMALL[0] / 2 for frame in frames)
    assert min(sides.values()) > 2  # each hand is on its own side of the head


@pytest.mark.parametrize("size_wh", [(320, 240), (480, 848), (1280, 720)])
def test_the_arm_ends_outside_of_the_picture(size_wh: tuple[int, int]) -> None:
    for seed in range(4):
        studio = Studio("rps", size_wh, seed=seed)
        card = studio._card(1)
        rows, columns = np.nonzero(card.before[0].image_bgra[..., 3] > 128)
        lowest = np.array([[columns[-1], rows[-1]]])
        assert _project(lowest, studio._pose(card, 1, 3.6))[0, 1] > size_wh[1]


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_the_hand_networks_find_the_hands(scene: str) -> None:
    """They were trained on photographs. What they detect in all skin tones is drawn realistically."""
    detector = NetworkDetector(open_hand_networks(landmarker_path()))
    found: dict[str, list[bool]] = defaultdict(list)
    size_wh = (960, 540)
    for seed in range(5):  # five seeds give five skin tones
        studio = Studio(scene, size_wh, seed=seed)
        for card in range(4):
            frame = studio.frame(middle_of_card(card))
            (truth,) = frame.truth
            hands = [
                hand.landmarks[:, :2]
                for hand in detector.detect(frame.image_bgr, View(), lambda _, doubtful: not doubtful)
            ]
            corners = np.array(truth.box.xyxy).reshape(2, 2)
            reach = 0.25 * max(truth.box.width, truth.box.height)
            near = [np.abs(np.array([hand.min(axis=0), hand.max(axis=0)]) - corners).max() < reach for hand in hands]
            found[truth.label].append(any(near))
    shares = {label: float(np.mean(hits)) for label, hits in found.items()}
    assert np.mean([hit for hits in found.values() for hit in hits]) >= 0.93, shares
