"""Hands in pictures and streams, with a fake MediaPipe, and with the real one if its model is installed."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import AssetError
from recognizer.finders import hands
from recognizer.finders.hands import (
    PICTURE_PASSES,
    STREAM_PASSES,
    DetectionPass,
    HandFinder,
    Landmarker,
    is_plausible,
    square_box,
)
from recognizer.values import Frame, Hand
from tests.helpers.fakes import FakeLandmarker, a_hand
from tests.helpers.machine import landmarker_path


def open_finder(monkeypatch, *, high_threshold=lambda image: [], low_threshold=lambda image: [], video=False):
    """A finder with two fake landmarkers; returns the finder and both landmarkers."""
    fakes = {False: FakeLandmarker(high_threshold), True: FakeLandmarker(low_threshold)}
    monkeypatch.setattr(hands, "open_landmarker", lambda path, *, video, low_threshold: fakes[low_threshold])
    return HandFinder(Path("none.task"), video=video), fakes[False], fakes[True]


def a_frame(shape=(200, 200, 3), index=0, level=120) -> Frame:
    return Frame(np.full(shape, level, np.uint8), index, index / 30, "drawn")


def test_joints_are_in_frame_pixels_after_padding(monkeypatch):
    finder, high_threshold, _ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand()])
    (region,) = finder.find(a_frame((200, 300, 3)))
    assert high_threshold.shown[0].shape[0] > 200
    np.testing.assert_allclose(region.hand.landmarks[:, :2].mean(axis=0), (149, 93), atol=8)
    assert (region.hand.side, region.hand.score) == ("right", 0.95)


@pytest.mark.parametrize("detection_pass", PICTURE_PASSES)
def test_every_detection_pass_returns_the_transform_back_to_the_picture(detection_pass):
    image = np.zeros((160, 240, 3), np.uint8)
    cv2.circle(image, (170, 50), 5, (255, 255, 255), -1)
    shown, back = detection_pass.transform(image)
    assert shown.dtype == np.uint8
    rows, columns = np.nonzero(shown[..., 0] > 127)
    np.testing.assert_allclose(back @ (columns.mean(), rows.mean(), 1), (170, 50), atol=1.5)


def test_white_balance_removes_a_colour_cast_and_gamma_brightens():
    image = np.full((64, 64, 3), (40, 80, 120), np.uint8)
    balanced, _ = DetectionPass(white_balance=True).transform(image)
    assert np.ptp(balanced[0, 0].astype(int)) <= 2
    brighter, _ = DetectionPass(gamma=0.5).transform(image)
    assert (brighter[0, 0] > image[0, 0, ::-1]).all()


def test_detection_passes_run_in_order_until_one_finds_a_hand(monkeypatch):
    monkeypatch.setattr(hands, "MAX_DISAGREEMENT", np.inf)
    finder, high_threshold, low_threshold = open_finder(
        monkeypatch, low_threshold=lambda image: [a_hand()] if image.shape[0] > 200 else []
    )
    assert len(finder.find(a_frame())) == 1
    assert len(high_threshold.shown) == 2, "the picture and its mirror image"
    assert len(low_threshold.shown) == 4, "the plain low-threshold pass, and the padded one that found it"


def test_a_picture_without_a_hand_gets_all_detection_passes(monkeypatch):
    finder, high_threshold, low_threshold = open_finder(monkeypatch)
    assert finder.find(a_frame()) == ()
    assert len(high_threshold.shown) + len(low_threshold.shown) == 2 * len(PICTURE_PASSES)


def test_a_hand_found_in_the_picture_and_in_its_mirror_image_is_one_region(monkeypatch):
    """The fake MediaPipe detects one hand: as a right hand, and in the mirror image as a left hand."""
    picture = a_frame((200, 300, 3)).image_bgr.copy()
    picture[:, :150] = 200  # lighter on the left, so that `see` recognizes a flipped picture

    def see(image):
        plain = image[100, 100, 0] > image[100, -100, 0]
        return [a_hand((0.4, 0.5), 0.3)] if plain else [a_hand((0.6, 0.52), 0.3, side="left", score=0.8)]

    finder, *_ = open_finder(monkeypatch, high_threshold=see)
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
    finder, *_ = open_finder(
        monkeypatch, high_threshold=lambda image: [a_hand()] if image[100, 100, 0] < image[100, -100, 0] else []
    )
    (region,) = finder.find(Frame(picture, 0, 0.0, "drawn"))
    assert region.hand.side == "left"
    assert region.mirrored_hand is None


def flipped(hand: Hand) -> Hand:
    """The hand as it is detected in the mirror image."""
    return Hand(hand.landmarks * np.float32([-1, 1, 1]) + np.float32([1, 0, 0]), "left", hand.score)


def two_tone(shape=(200, 200, 3)) -> tuple[Frame, Callable[[np.ndarray], bool]]:
    """A picture that is lighter on the left, and a function that says whether an image is its mirror image."""
    picture = a_frame(shape).image_bgr.copy()
    picture[:, : shape[1] // 2] = 200
    return Frame(picture, 0, 0.0, "drawn"), lambda image: image[100, 60, 0] < image[100, -60, 0]


def test_a_hand_that_one_view_lacks_is_detected_again_and_the_better_joints_win(monkeypatch):
    frame, is_mirrored = two_tone()
    whole, part = a_hand((0.5, 0.5), 0.5), a_hand((0.5, 0.4), 0.15)
    finder, *_ = open_finder(
        monkeypatch,
        high_threshold=lambda image: [] if is_mirrored(image) else [part],
        low_threshold=lambda image: [flipped(whole) if is_mirrored(image) else whole],
    )
    (region,) = finder.find(frame)
    np.testing.assert_allclose(region.hand.landmarks[:, :2], whole.landmarks[:, :2] * 200, atol=1)
    np.testing.assert_allclose(region.mirrored_hand.landmarks[:, :2], whole.landmarks[:, :2] * 200, atol=1.5)


def test_a_hand_seen_alike_in_both_views_is_not_detected_again(monkeypatch):
    frame, is_mirrored = two_tone()
    hand = a_hand((0.5, 0.5), 0.5)
    finder, high_threshold, low_threshold = open_finder(
        monkeypatch, high_threshold=lambda image: [flipped(hand) if is_mirrored(image) else hand]
    )
    (region,) = finder.find(frame)
    assert region.mirrored_hand is not None
    assert (len(high_threshold.shown), len(low_threshold.shown)) == (2, 0)


def test_a_hand_and_a_part_of_it_are_one_region(monkeypatch):
    finder, *_ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand(), a_hand((0.5, 0.42), 0.2, score=0.7)])
    assert len(finder.find(a_frame())) == 1


def test_a_stream_gets_one_detection_pass_per_frame(monkeypatch):
    finder, high_threshold, low_threshold = open_finder(monkeypatch, video=True)
    for index in range(len(STREAM_PASSES)):
        assert finder.find(a_frame(index=index)) == ()
        assert len(high_threshold.shown) + len(low_threshold.shown) == index + 1
    assert len(low_threshold.shown) <= len(high_threshold.shown) / 2, "the cheap passes run twice as often"


def test_the_pass_that_found_a_hand_is_repeated_while_the_hand_is_visible(monkeypatch):
    visible = [True]
    finder, high_threshold, _ = open_finder(
        monkeypatch, low_threshold=lambda image: [a_hand()] if visible[0] else [], video=True
    )
    indexes = iter(range(100))
    while not finder.find(a_frame(index=next(indexes))):
        pass
    before = len(high_threshold.shown)
    for _ in range(10):
        assert len(finder.find(a_frame(index=next(indexes)))) == 1
    assert len(high_threshold.shown) == before
    visible[0] = False
    for _ in range(4):
        assert finder.find(a_frame(index=next(indexes))) == ()
    assert len(high_threshold.shown) > before, "after the hand is lost, the search continues"


def test_an_implausible_hand_is_not_tracked(monkeypatch):
    finder, high_threshold, _ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand(size=0.01)], video=True)
    assert finder.find(a_frame()) == ()
    assert not high_threshold.shown[-1].any(), "a black picture ends MediaPipe's track"


def test_two_hands_are_sorted_from_left_to_right_without_duplicates(monkeypatch):
    two = [a_hand((0.7, 0.5), 0.3, "left"), a_hand((0.3, 0.5), 0.3), a_hand((0.31, 0.5), 0.3, score=0.7)]
    finder, *_ = open_finder(monkeypatch, high_threshold=lambda image: two)
    assert [region.hand.side for region in finder.find(a_frame())] == ["right", "left"]


@pytest.mark.parametrize("center_xy", [(0.5, 0.5), (0.3, 0.3), (0.66, 0.5), (0.5, 0.7)])
@pytest.mark.parametrize("shape", [(200, 200, 3), (120, 400, 3), (400, 120, 3)])
def test_the_crop_is_a_square_inside_the_frame(monkeypatch, center_xy, shape):
    finder, *_ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand(center_xy, 0.55)])
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
        assert is_plausible(Hand(turned, "right", 0.9), (200, 200), low_threshold=True)


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


def test_a_low_threshold_pass_needs_a_higher_hand_score():
    doubtful = Hand(in_pixels(a_hand()).landmarks, "right", 0.5)
    assert is_plausible(doubtful, (200, 200))
    assert not is_plausible(doubtful, (200, 200), low_threshold=True)
    small = in_pixels(a_hand(size=0.12))
    assert is_plausible(small, (200, 200))
    assert not is_plausible(small, (200, 200), low_threshold=True)


@pytest.mark.parametrize("shape", [(0, 0, 3), (1, 1, 3), (8, 300, 3), (20, 20), (0, 40, 3), (40, 40, 2)])
def test_pictures_that_are_too_small_or_have_a_wrong_type_give_no_region(monkeypatch, shape):
    finder, high_threshold, _ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand()])
    assert finder.find(a_frame(shape)) == ()
    assert not high_threshold.shown


@pytest.mark.parametrize("shape", [(200, 200), (200, 200, 1), (200, 200, 4)])
def test_grayscale_and_transparent_pictures_are_accepted(monkeypatch, shape):
    finder, *_ = open_finder(monkeypatch, high_threshold=lambda image: [a_hand()])
    (region,) = finder.find(a_frame(shape))
    assert region.crop.shape[2] == 3


def test_closing_closes_both_landmarkers(monkeypatch):
    finder, high_threshold, low_threshold = open_finder(monkeypatch)
    with finder:
        pass
    assert high_threshold.closed
    assert low_threshold.closed


@pytest.mark.parametrize("guide", [True, False])
def test_a_stream_without_a_hand_shows_the_guide_box(monkeypatch, guide):
    found = []
    monkeypatch.setattr(
        hands, "open_landmarker", lambda path, *, video, low_threshold: FakeLandmarker(lambda image: found)
    )
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


def test_frame_times_may_repeat_or_go_back(task_path):
    landmarker = Landmarker(task_path, video=True, confidence=0.5, hands=1)
    for time_s in (0.0, 0.0, 5.0, 1.0):
        assert landmarker.detect(np.zeros((64, 64, 3), np.uint8), time_s) == []
    landmarker.close()


def test_a_damaged_model_gives_a_one_line_error(task_path, tmp_path):
    damaged = tmp_path / "hand_landmarker.task"
    damaged.write_bytes(b"PK no model")
    for path in (damaged, tmp_path / "missing.task"):
        with pytest.raises(AssetError, match=r"python -m recognizer assets") as caught:
            HandFinder(path, video=False)
        assert "\n" not in str(caught.value)


def test_mediapipe_prints_nothing_and_does_not_import_tensorflow(task_path, capfd):
    import sys

    was_imported = "tensorflow" in sys.modules
    with HandFinder(task_path, video=False) as finder:
        finder.find(a_frame((120, 160, 3)))
    assert capfd.readouterr() == ("", "")
    assert ("tensorflow" in sys.modules) == was_imported


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
