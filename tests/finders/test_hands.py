"""Hands in pictures and streams, with a fake detector, and with the real one if the hand model is installed."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import AssetError
from recognizer.finders import hands
from recognizer.finders.hands import (
    BRIGHT,
    PADDED,
    PLAIN,
    SECOND_LOOKS,
    STREAM_VIEWS,
    HandFinder,
    is_plausible,
    square_box,
)
from recognizer.values import Frame, Hand
from tests.helpers.fakes import Answer, FakeDetector, a_hand
from tests.helpers.machine import landmarker_path


def open_finder(
    monkeypatch: pytest.MonkeyPatch, answer: Answer = lambda image: [], *, video: bool = False, **options
) -> tuple[HandFinder, FakeDetector]:
    """A finder with a fake detector, and that detector."""
    detector = FakeDetector(answer, **options)
    monkeypatch.setattr(hands, "open_detector", lambda path, **_: detector)
    return HandFinder(Path("none.task"), video=video), detector


def a_frame(shape=(200, 200, 3), index=0, level=120) -> Frame:
    return Frame(np.full(shape, level, np.uint8), index, index / 30, "drawn")


def flipped_hand(hand: Hand) -> Hand:
    """The hand as it is detected in the mirror image."""
    return Hand(hand.landmarks * np.float32([-1, 1, 1]) + np.float32([1, 0, 0]), "left", hand.score)


def two_tone(shape=(200, 200, 3)) -> tuple[Frame, Callable[[np.ndarray], bool]]:
    """A picture that is lighter on the left, and a function that says whether an image is its mirror image."""
    picture = a_frame(shape).image_bgr.copy()
    picture[:, : shape[1] // 2] = 200
    return Frame(picture, 0, 0.0, "drawn"), lambda image: image[100, 60, 0] < image[100, -60, 0]


def test_the_first_view_is_enough_if_it_shows_a_hand_on_both_sides(monkeypatch):
    frame, is_mirrored = two_tone()
    finder, detector = open_finder(
        monkeypatch, lambda image: [flipped_hand(a_hand()) if is_mirrored(image) else a_hand()]
    )
    (region,) = finder.find(frame)
    assert detector.views == [PADDED, PADDED]
    assert (region.hand.side, region.hand.score) == ("right", 0.95)
    np.testing.assert_allclose(region.hand.landmarks[:, :2], a_hand().landmarks[:, :2] * 200, atol=0.01)


@pytest.mark.parametrize("number", range(len(SECOND_LOOKS)))
def test_second_looks_are_taken_in_order_until_one_shows_a_hand_and_then_its_other_side(monkeypatch, number):
    frame, is_mirrored = two_tone()
    look = SECOND_LOOKS[number]

    def see(image):
        if len(detector.views) <= 2 + number:
            return []
        return [flipped_hand(a_hand()) if is_mirrored(image) else a_hand()]

    finder, detector = open_finder(monkeypatch, doubtful=see)
    (region,) = finder.find(frame)
    assert detector.views == [PADDED, PADDED, *(view for view, _ in SECOND_LOOKS[: number + 1]), look[0]]
    sides = [is_mirrored(image) for image in detector.shown]
    assert sides == [False, True, *(mirrored for _, mirrored in SECOND_LOOKS[: number + 1]), not look[1]]
    for hand in (region.hand, region.mirrored_hand):
        assert hand.side == "right"
        np.testing.assert_allclose(hand.landmarks[:, :2], a_hand().landmarks[:, :2] * 200, atol=1.01)


def test_an_empty_picture_costs_one_search_a_second_look(monkeypatch):
    finder, detector = open_finder(monkeypatch)
    assert finder.find(a_frame()) == ()
    assert detector.views == [PADDED, PADDED, *(view for view, _ in SECOND_LOOKS)]


def test_a_hand_found_in_the_picture_and_in_its_mirror_image_is_one_region(monkeypatch):
    """The fake detector detects one hand: as a right hand, and in the mirror image as a left hand."""
    picture = a_frame((200, 300, 3)).image_bgr.copy()
    picture[:, :150] = 200  # lighter on the left, so that `see` recognizes a flipped picture

    def see(image):
        plain = image[100, 100, 0] > image[100, -100, 0]
        return [a_hand((0.4, 0.5), 0.3)] if plain else [flipped_hand(a_hand((0.4, 0.52), 0.3, score=0.8))]

    finder, _ = open_finder(monkeypatch, see)
    (plain,) = finder.find(Frame(picture, 0, 0.0, "plain"))
    (flipped,) = finder.find(Frame(np.ascontiguousarray(picture[:, ::-1]), 0, 0.0, "mirrored"))
    assert plain.mirrored_hand is not None
    assert (plain.hand.side, plain.mirrored_hand.side) == ("right", "right")
    assert (flipped.hand.side, flipped.mirrored_hand.side) == ("left", "left")
    np.testing.assert_allclose(plain.mirrored_hand.landmarks[:, 0], 299 - flipped.hand.landmarks[:, 0], atol=0.01)
    np.testing.assert_allclose(plain.hand.landmarks[:, 0], 299 - flipped.mirrored_hand.landmarks[:, 0], atol=0.01)
    assert abs(plain.box.x1 - (300 - flipped.box.x2)) <= 1


def test_a_hand_found_only_in_the_mirror_image_is_returned(monkeypatch):
    picture = a_frame((200, 300, 3)).image_bgr.copy()
    picture[:, :150] = 200
    finder, _ = open_finder(monkeypatch, lambda image: [a_hand()] if image[100, 100, 0] < image[100, -100, 0] else [])
    (region,) = finder.find(Frame(picture, 0, 0.0, "drawn"))
    assert region.hand.side == "left"
    assert region.mirrored_hand is None


def test_a_hand_that_one_side_lacks_is_detected_again_and_the_better_joints_win(monkeypatch):
    frame, is_mirrored = two_tone()
    whole, part = a_hand((0.5, 0.5), 0.5), a_hand((0.5, 0.4), 0.15)

    def see(image):
        if len(detector.shown) <= 2:
            return [] if is_mirrored(image) else [part]
        return [flipped_hand(whole) if is_mirrored(image) else whole]

    finder, detector = open_finder(monkeypatch, see)
    (region,) = finder.find(frame)
    np.testing.assert_allclose(region.hand.landmarks[:, :2], whole.landmarks[:, :2] * 200, atol=1)
    np.testing.assert_allclose(region.mirrored_hand.landmarks[:, :2], whole.landmarks[:, :2] * 200, atol=1.5)


def test_the_other_side_of_a_hand_is_read_without_a_search_if_the_mirror_image_shows_no_palm(monkeypatch):
    frame, is_mirrored = two_tone()
    finder, detector = open_finder(monkeypatch, lambda image: [] if is_mirrored(image) else [a_hand()])
    detector.reads_again = True
    (region,) = finder.find(frame)
    assert region.mirrored_hand.side == "right"
    np.testing.assert_allclose(region.mirrored_hand.landmarks, region.hand.landmarks, atol=0.01)


def test_a_hand_and_a_part_of_it_are_one_region(monkeypatch):
    finder, _ = open_finder(monkeypatch, lambda image: [a_hand(), a_hand((0.5, 0.42), 0.2, score=0.7)])
    assert len(finder.find(a_frame())) == 1


def test_each_frame_of_an_empty_stream_is_searched_once_and_at_most_every_fifth_in_a_second_view(monkeypatch):
    finder, detector = open_finder(monkeypatch, video=True)
    for index in range(2 * len(STREAM_VIEWS)):
        assert finder.find(a_frame(index=index)) == ()
        assert len(detector.views) == index + 1
    second = [index for index, view in enumerate(detector.views) if view not in (PLAIN, PADDED)]
    assert set(detector.views) == set(STREAM_VIEWS)
    assert min(np.diff(second)) >= 5


def test_the_view_that_showed_a_hand_is_repeated_while_the_hand_is_visible(monkeypatch):
    visible = [True]
    finder, detector = open_finder(
        monkeypatch,
        doubtful=lambda image: [a_hand()] if visible[0] and detector.views[-1] == BRIGHT else [],
        video=True,
    )
    indexes = iter(range(100))
    while not finder.find(a_frame(index=next(indexes))):
        pass
    for _ in range(10):
        assert len(finder.find(a_frame(index=next(indexes)))) == 1
    visible[0] = False
    before = len(detector.views)
    for _ in range(4):
        assert finder.find(a_frame(index=next(indexes))) == ()
    assert detector.views[before] == BRIGHT
    assert BRIGHT not in detector.views[before + 2 :], "after the hand is lost, the search continues"


def test_two_hands_are_sorted_from_left_to_right_without_duplicates(monkeypatch):
    two = [a_hand((0.7, 0.5), 0.3, "left"), a_hand((0.3, 0.5), 0.3), a_hand((0.31, 0.5), 0.3, score=0.7)]
    finder, _ = open_finder(monkeypatch, lambda image: two)
    assert [region.hand.side for region in finder.find(a_frame())] == ["right", "left"]


@pytest.mark.parametrize("center_xy", [(0.5, 0.5), (0.3, 0.3), (0.66, 0.5), (0.5, 0.7)])
@pytest.mark.parametrize("shape", [(200, 200, 3), (120, 400, 3), (400, 120, 3)])
def test_the_crop_is_a_square_inside_the_frame(monkeypatch, center_xy, shape):
    finder, _ = open_finder(monkeypatch, lambda image: [a_hand(center_xy, 0.55)])
    for region in finder.find(a_frame(shape)):
        box = region.box
        assert box.width == box.height
        assert box.x1 >= 0
        assert box.y1 >= 0
        assert box.x2 <= shape[1]
        assert box.y2 <= shape[0]
        assert region.crop.shape == (box.height, box.width, 3)


def test_the_square_has_a_margin_where_there_is_room():
    box = square_box(np.float32([[80, 90], [120, 150]]), (300, 300))
    assert box.width > 1.3 * 60
    assert box.center_xy == pytest.approx((100, 120), abs=1)


def in_pixels(hand: Hand, scale: float = 200) -> Hand:
    return Hand(hand.landmarks * np.float32(scale), hand.side, hand.score)


def test_a_tilted_hand_is_plausible():
    joints = in_pixels(a_hand()).landmarks
    for angle in np.radians(range(0, 360, 30)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = joints.copy()
        turned[:, :2] = (joints[:, :2] - 100) @ turn.T + 100
        assert is_plausible(Hand(turned, "right", 0.9), (200, 200), doubtful=True)


def test_scattered_flat_tiny_and_infinite_joints_are_implausible():
    rng = np.random.default_rng(0)
    good = in_pixels(a_hand()).landmarks
    scattered = rng.uniform(20, 180, (21, 3)).astype(np.float32)
    flat = good * np.float32([1, 0.05, 0]) + np.float32([0, 95, 0])
    broken = good.copy()
    broken[8] = np.nan
    outside = good + np.float32([150, 0, 0])
    for joints in (scattered, flat, good * np.float32(0.01), broken, outside, np.zeros((21, 3), np.float32)):
        assert not is_plausible(Hand(joints, "right", 0.9), (200, 200))


def test_the_hand_of_a_doubtful_palm_needs_a_higher_score_and_size():
    doubtful = Hand(in_pixels(a_hand()).landmarks, "right", 0.5)
    assert is_plausible(doubtful, (200, 200))
    assert not is_plausible(doubtful, (200, 200), doubtful=True)
    small = in_pixels(a_hand(size=0.12))
    assert is_plausible(small, (200, 200))
    assert not is_plausible(small, (200, 200), doubtful=True)


@pytest.mark.parametrize(
    "shape", [(0, 0, 3), (1, 1, 3), (8, 300, 3), (20, 20), (0, 40, 3), (40, 40, 2), (40, 40_000, 3)]
)
def test_pictures_that_are_too_small_or_too_large_or_have_a_wrong_type_give_no_region(monkeypatch, shape):
    finder, detector = open_finder(monkeypatch, lambda image: [a_hand()])
    assert finder.find(a_frame(shape)) == ()
    assert not detector.shown


@pytest.mark.parametrize("shape", [(200, 200), (200, 200, 1), (200, 200, 4)])
def test_grayscale_and_transparent_pictures_are_accepted(monkeypatch, shape):
    finder, _ = open_finder(monkeypatch, lambda image: [a_hand()])
    (region,) = finder.find(a_frame(shape))
    assert region.crop.shape[2] == 3


def test_closing_closes_the_detector(monkeypatch):
    finder, detector = open_finder(monkeypatch)
    with finder:
        pass
    assert detector.closed


@pytest.mark.parametrize("guide", [True, False])
def test_a_stream_without_a_hand_shows_the_guide_box(monkeypatch, guide):
    found = []
    monkeypatch.setattr(hands, "open_detector", lambda path, **_: FakeDetector(lambda image: found))
    finder = HandFinder(Path("none.task"), video=True, guide=guide)
    finder.find(a_frame(index=0))
    assert finder.guide_box is None, "not at once"
    finder.find(a_frame(index=90))
    assert (finder.guide_box is not None) == guide
    found.append(a_hand())
    finder.find(a_frame(index=91))
    assert finder.guide_box is None


@pytest.fixture(scope="module")
def task_path() -> Path:
    return landmarker_path()


def test_the_largest_picture_can_be_searched(task_path):
    with HandFinder(task_path, video=False) as finder:
        assert finder.find(a_frame((hands.MIN_SIDE, hands.MAX_SIDE, 3))) == ()


def test_a_damaged_model_gives_a_one_line_error(task_path, tmp_path):
    damaged = tmp_path / "hand_landmarker.task"
    damaged.write_bytes(b"PK no model")
    for path in (damaged, tmp_path / "missing.task"):
        with pytest.raises(AssetError, match=r"python -m recognizer assets") as caught:
            HandFinder(path, video=False)
        assert "\n" not in str(caught.value)


def test_the_networks_print_nothing(task_path, capfd):
    with HandFinder(task_path, video=False) as finder:
        finder.find(a_frame((120, 160, 3)))
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def photographs() -> Path:
    folder = Path(os.environ.get("RECOGNIZER_DATA", "")) / "photos"
    if "RECOGNIZER_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs photographs: RECOGNIZER_DATA names no folder that contains photos")
    return folder


def read(path: Path, *, mirrored: bool = False) -> Frame:
    image = cv2.imread(str(path))
    assert image is not None
    return Frame(np.ascontiguousarray(image[:, ::-1]) if mirrored else image, 0, 0.0, path.name)


def test_photographed_hands_are_found_and_flipping_swaps_left_and_right(task_path, photographs):
    paths = sorted((photographs / "letters" / "massey").glob("[BCLVWY]/*right*"))[::40]
    assert paths
    with HandFinder(task_path, video=False) as finder:
        for path in paths:
            assert [region.hand.side for region in finder.find(read(path))] == ["right"], path
            assert [region.hand.side for region in finder.find(read(path, mirrored=True))] == ["left"], path


@pytest.mark.slow
def test_close_up_hands_are_found_and_empty_rooms_give_no_hand(task_path, photographs):
    close_ups = sorted((photographs / "rps").glob("*/*/*"))[::48]
    empty = sorted((photographs / "nothing").glob("*/*"))[::12]
    with HandFinder(task_path, video=False) as finder:
        assert sum(bool(finder.find(read(path))) for path in close_ups) >= 0.9 * len(close_ups)
        assert [path for path in empty if finder.find(read(path))] == []


def test_a_hand_is_tracked_through_a_stream(task_path, photographs):
    path = sorted((photographs / "letters" / "massey").glob("B/*right*"))[0]
    image = read(path).image_bgr
    with HandFinder(task_path, video=True) as finder:
        found = [bool(finder.find(Frame(image, index, index / 30, "held"))) for index in range(12)]
    assert all(found[3:])
