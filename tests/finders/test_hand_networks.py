"""MediaPipe's hand networks on LiteRT: the geometry of their squares, and the same answers as MediaPipe's."""

import math
import os
import sys
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import hand_networks as compared
from recognizer.errors import AssetError
from recognizer.finders import hands
from recognizer.finders.hand_detector import HANDS, SURE, NetworkDetector
from recognizer.finders.hand_networks import (
    HAND_NETWORK,
    PALM_POINTS,
    HandNetworks,
    Palms,
    Reading,
    Square,
    View,
    open_hand_networks,
    same_hand,
    square_around,
)
from recognizer.finders.hands import STREAM_VIEWS, open_detector
from recognizer.finders.mediapipe_hands import Landmarker, MediaPipeDetector, transform
from recognizer.values import Hand
from tests.helpers.fakes import OPEN_HAND, a_hand
from tests.helpers.machine import landmarker_path, needs_mediapipe

WHOLE = Square(100.0, 100.0, 200.0)


@pytest.fixture(scope="module")
def task_path() -> Path:
    return landmarker_path()


@pytest.fixture(scope="module")
def networks(task_path: Path) -> HandNetworks:
    return open_hand_networks(task_path)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("RECOGNIZER_DATA", ""))
    if not (folder / "photos").is_dir() or not (folder / "videos").is_dir():
        pytest.skip("needs photographs and videos: RECOGNIZER_DATA names no folder that contains photos and videos")
    return folder


def accept_all(hand: Hand, doubtful: bool) -> bool:
    return True


@pytest.mark.parametrize("turn_deg", [0, 30, -100])
def test_a_square_is_cut_out_where_its_points_are(turn_deg: int) -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(picture, (90, 40), 4, (255, 255, 255), -1)
    square = Square(80.0, 60.0, 100.0, math.radians(turn_deg))
    rows, columns = np.nonzero(square.cut_out(picture, 200, cv2.BORDER_CONSTANT)[..., 0] > 127)
    place = square.to_picture(np.array([columns.mean(), rows.mean()]) / 200)
    np.testing.assert_allclose(place, (90, 40), atol=0.5)


def test_a_square_of_the_pictures_size_is_the_picture_and_reaches_beyond_it_with_the_border() -> None:
    picture = np.random.default_rng(0).integers(1, 255, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(Square(32.0, 32.0, 64.0).cut_out(picture, 64, cv2.BORDER_CONSTANT), picture)
    beyond = Square(64.0, 32.0, 64.0)
    assert not beyond.cut_out(picture, 64, cv2.BORDER_CONSTANT)[:, 33:].any()
    assert (beyond.cut_out(picture, 64, cv2.BORDER_REPLICATE)[:, 33:] == picture[:, -1:]).all()


def test_overlap_of_squares() -> None:
    assert WHOLE.iou(WHOLE) == 1
    assert WHOLE.iou(Square(200.0, 100.0, 200.0)) == pytest.approx(1 / 3)
    assert WHOLE.iou(Square(100.0, 100.0, 100.0)) == pytest.approx(1 / 4)
    assert WHOLE.iou(Square(301.0, 100.0, 200.0)) == 0


def palms(*boxes: tuple[float, float, float, float], scores: tuple[float, ...]) -> Palms:
    """Palms with the wrist below the middle of the box and the middle finger's root above it."""
    points = np.zeros((len(boxes), PALM_POINTS, 2))
    for number, (left, top, right, bottom) in enumerate(boxes):
        points[number] = ((left + right) / 2, bottom)
        points[number, 2] = ((left + right) / 2, top)
    return Palms(WHOLE, np.array(boxes), points, np.array(scores))


def test_candidates_of_one_palm_are_averaged_by_their_scores() -> None:
    found = palms((0.4, 0.4, 0.6, 0.6), (0.42, 0.4, 0.62, 0.6), (0.0, 0.0, 0.2, 0.2), scores=(0.9, 0.3, 0.5))
    one, other = found.hands(0.3)
    assert one.side == pytest.approx(2.6 * 40)
    alone, _ = palms((0.405, 0.4, 0.605, 0.6), (0.0, 0.0, 0.2, 0.2), scores=(0.9, 0.5)).hands(0.3)
    np.testing.assert_allclose((one.x, one.y, one.turn_rad), (alone.x, alone.y, alone.turn_rad), atol=1e-9)
    assert other.x < 100
    assert len(found.hands(0.6)) == 1
    assert found.hands(0.95) == []


def test_the_square_of_an_upright_palm_is_turned_by_mediapipes_27_degrees_and_moved_along_its_own_axis() -> None:
    (square,) = palms((0.4, 0.4, 0.6, 0.6), scores=(0.9,)).hands(0.5)
    assert square.turn_rad == pytest.approx(math.radians(26.6), abs=0.001)
    ahead = np.array([square.x - 100, square.y - 100])
    np.testing.assert_allclose(ahead, 20 * np.array([math.sin(square.turn_rad), -math.cos(square.turn_rad)]))


@pytest.mark.parametrize("turn_deg", [0, 45, 170])
def test_the_square_around_joints_turns_with_the_hand(turn_deg: int) -> None:
    joints = a_hand().landmarks * 200
    turn = np.radians(turn_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = np.column_stack([(joints[:, :2] - 100) @ matrix.T + 100, joints[:, 2]])
    one, other = square_around(joints), square_around(turned)
    assert other.side == pytest.approx(one.side, rel=1e-5)
    assert math.remainder(other.turn_rad - one.turn_rad - turn, 2 * math.pi) == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose((other.x, other.y), matrix @ (one.x - 100, one.y - 100) + 100, atol=1e-3)
    assert all(abs(one.x - x) < one.side / 2 and abs(one.y - y) < one.side / 2 for x, y, _ in joints)


def test_the_same_joints_are_one_hand_and_others_are_not() -> None:
    joints = a_hand().landmarks * 200
    assert same_hand(joints, joints + np.float32([3, 3, 0]))
    assert not same_hand(joints, joints + np.float32([60, 0, 0]))
    assert not same_hand(joints, joints * np.float32([0.3, 0.3, 1]))


class FakeNetworks:
    """Sees the given palms in every picture, and reads an open hand in each square if `presence` says so."""

    def __init__(self, *palms: tuple[Square, float], presence: Callable[[Square], float] = lambda square: 0.9) -> None:
        self.seen = palms
        self.presence = presence
        self.searches = 0
        self.read_squares: list[Square] = []

    def palms(self, image_bgr: np.ndarray, view: View) -> "FakeNetworks":
        self.searches += 1
        return self

    def hands(self, least: float) -> list[Square]:
        return [square for square, score in self.seen if score >= least]

    def read(self, image_bgr: np.ndarray, square: Square, view: View) -> Reading:
        self.read_squares.append(square)
        joints = np.zeros((21, 3), np.float32)
        joints[:, :2] = square.to_picture(0.25 + 0.5 * OPEN_HAND)
        return Reading(Hand(joints, "right", 0.9), self.presence(square), joints)


LEFT, RIGHT, FAR = Square(60.0, 100.0, 80.0), Square(160.0, 100.0, 80.0), Square(300.0, 100.0, 80.0)
PICTURE = np.zeros((200, 400, 3), np.uint8)


def test_sure_palms_come_first_and_a_doubtful_one_is_tried_without_them() -> None:
    sure = FakeNetworks((LEFT, 0.9), (RIGHT, 0.5), (FAR, 0.4))
    assert len(NetworkDetector(sure).detect(PICTURE, View(), accept_all)) == HANDS
    doubtful = FakeNetworks((LEFT, 0.2), (RIGHT, 0.15))
    asked = []
    found = NetworkDetector(doubtful).detect(PICTURE, View(), lambda hand, doubt: asked.append(doubt) or True)
    assert (len(found), asked) == (1, [True])


def test_a_square_without_a_hand_and_an_implausible_hand_are_not_returned() -> None:
    empty = FakeNetworks((LEFT, 0.9), presence=lambda square: 0.4)
    assert NetworkDetector(empty).detect(PICTURE, View(), accept_all) == []
    assert NetworkDetector(FakeNetworks((LEFT, 0.9))).detect(PICTURE, View(), lambda hand, doubtful: False) == []


def test_one_hand_in_two_squares_is_returned_once() -> None:
    twice = FakeNetworks((LEFT, 0.9), (Square(63.0, 100.0, 80.0), 0.8))
    assert len(NetworkDetector(twice).detect(PICTURE, View(), accept_all)) == 1


def test_a_followed_hand_is_read_without_a_search_for_palms_and_a_lost_one_is_searched_at_once() -> None:
    networks = FakeNetworks((LEFT, 0.9))
    detector = NetworkDetector(networks, search_every=4)
    for _ in range(3):
        assert len(detector.follow(PICTURE, View(), accept_all, 0.0)) == 1
    assert networks.searches == 1
    networks.presence = lambda square: 0.9 if square is LEFT else 0.1
    assert len(detector.follow(PICTURE, View(), accept_all, 0.0)) == 1
    assert networks.searches == 2


def test_a_second_hand_is_searched_in_every_fourth_frame_and_the_first_is_not_found_again() -> None:
    networks = FakeNetworks((LEFT, 0.9))
    detector = NetworkDetector(networks, search_every=4)
    counts = []
    for index in range(8):
        if index == 1:
            networks.seen = ((LEFT, 0.9), (RIGHT, 0.8))
        counts.append(len(detector.follow(PICTURE, View(), accept_all, index / 30)))
    assert counts == [1, 1, 1, 2, 2, 2, 2, 2]
    assert networks.searches == 2, "none while there are two hands"


def test_an_implausible_hand_is_not_followed() -> None:
    networks = FakeNetworks((LEFT, 0.9))
    detector = NetworkDetector(networks)
    assert detector.follow(PICTURE, View(), lambda hand, doubtful: False, 0.0) == []
    networks.read_squares.clear()
    assert len(detector.follow(PICTURE, View(), accept_all, 0.0)) == 1
    assert networks.read_squares == [LEFT]


def test_a_hand_is_read_again_in_the_square_around_its_joints() -> None:
    networks = FakeNetworks()
    detector = NetworkDetector(networks)
    hand = networks.read(PICTURE, RIGHT, View()).hand
    assert detector.read_again(PICTURE, hand, accept_all) is not None
    square, around = networks.read_squares[-1], square_around(hand.landmarks)
    assert (square.x, square.y, square.side) == (around.x, around.y, around.side)
    assert networks.searches == 0
    assert detector.read_again(PICTURE, hand, lambda hand, doubtful: False) is None


def test_an_asset_with_other_networks_is_refused_in_one_line(task_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "hand_landmarker.task"
    with zipfile.ZipFile(task_path) as archive, zipfile.ZipFile(other, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(HAND_NETWORK))
    with pytest.raises(AssetError, match="python -m recognizer assets") as caught:
        open_hand_networks(other)
    assert "\n" not in str(caught.value)


def test_mediapipe_runs_an_asset_that_litert_cannot_run(task_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_mediapipe()

    def refuse(path: Path, threads: int) -> HandNetworks:
        raise AssetError("a network has the shapes (1,)")

    monkeypatch.setattr(hands, "open_hand_networks", refuse)
    detector = open_detector(task_path, video=False)
    assert isinstance(detector, MediaPipeDetector)
    detector.close()
    monkeypatch.setattr(hands, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match="shapes"):
        open_detector(task_path, video=False)


def test_litert_runs_the_networks_and_imports_neither_mediapipe_nor_tensorflow(task_path: Path) -> None:
    before = {"mediapipe", "tensorflow"} & sys.modules.keys()
    assert isinstance(open_detector(task_path, video=True), NetworkDetector)
    assert {"mediapipe", "tensorflow"} & sys.modules.keys() == before


@pytest.mark.parametrize("view", dict.fromkeys(STREAM_VIEWS))
def test_a_transformed_picture_has_its_transform_back_and_shows_what_the_networks_are_shown(view: View) -> None:
    image = np.zeros((160, 240, 3), np.uint8)
    cv2.circle(image, (170, 50), 5, (255, 255, 255), -1)
    shown, back = transform(view, image)
    rows, columns = np.nonzero(shown[..., 0] > 127)
    np.testing.assert_allclose(back @ (columns.mean(), rows.mean(), 1), (170, 50), atol=1.5)
    square = view.square(image)
    seen = view.cut_out(image, square, 400, view.palm_border)[0]
    rows, columns = np.nonzero(seen[..., 0] > 0.5)
    np.testing.assert_allclose(square.to_picture(np.array([columns.mean(), rows.mean()]) / 400), (170, 50), atol=1.5)


def test_white_balance_removes_a_colour_cast_and_gamma_brightens() -> None:
    image = np.full((64, 64, 3), (40, 80, 120), np.uint8)
    assert np.ptp(View(white_balance=True).adjust(image, image)[0, 0].astype(int)) <= 2
    assert (View(gamma=0.5).adjust(image, image)[0, 0] > image[0, 0]).all()


def test_photographed_hands_have_the_same_joints_as_with_mediapipe(task_path: Path, data: Path) -> None:
    needs_mediapipe()
    agreement = compared.compared_pictures(task_path, compared.sample_photographs(data / "photos", 40))
    assert agreement.same_number == agreement.pictures == 40
    assert agreement.same_side == len(agreement.distances) > 30
    assert np.max(agreement.distances) < 0.01


def test_the_hand_of_a_video_is_followed_as_by_mediapipe(task_path: Path, data: Path) -> None:
    needs_mediapipe()
    frames = islice(compared.frames_of(data / "videos" / "mediapipe_open_palm_640x360.mp4"), 40)
    agreement = compared.compared_frames(task_path, frames)
    assert agreement.same_number == agreement.pictures == 40
    assert np.max(agreement.distances) < 0.01


def test_joints_in_3d_are_those_of_mediapipe(task_path: Path, networks: HandNetworks, data: Path) -> None:
    needs_mediapipe()
    image_bgr = compared.read(sorted((data / "photos" / "letters" / "massey" / "B").iterdir())[0])
    (reading,) = NetworkDetector(networks).search(image_bgr, View(), accept_all)
    landmarker = Landmarker(task_path, video=False, confidence=SURE, hands=HANDS)
    ((_, world),) = landmarker.detect_in_3d(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB))
    landmarker.close()
    assert np.abs(reading.world - world).max() < 0.001


def test_the_fallback_finds_a_hand_where_the_networks_do_in_each_view(
    task_path: Path, networks: HandNetworks, data: Path
) -> None:
    needs_mediapipe()
    image_bgr = compared.read(sorted((data / "photos" / "letters" / "massey" / "B").iterdir())[0])
    fallback, detector = MediaPipeDetector(task_path, video=False), NetworkDetector(networks)
    for view in dict.fromkeys(STREAM_VIEWS):
        (reference,), (hand,) = (one.detect(image_bgr, view, accept_all) for one in (fallback, detector))
        assert compared.distances(reference.landmarks, hand.landmarks).max() < 0.1
    fallback.close()


def test_frame_times_of_the_fallback_may_repeat_or_go_back(task_path: Path) -> None:
    needs_mediapipe()
    landmarker = Landmarker(task_path, video=True, confidence=0.5, hands=1)
    for time_s in (0.0, 0.0, 5.0, 1.0):
        assert landmarker.detect(np.zeros((64, 64, 3), np.uint8), time_s) == []
    landmarker.close()


def test_the_fallback_prints_nothing_and_does_not_import_tensorflow(
    task_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    needs_mediapipe()
    was_imported = "tensorflow" in sys.modules
    Landmarker(task_path, video=False, confidence=0.5, hands=1).close()
    assert capfd.readouterr() == ("", "")
    assert ("tensorflow" in sys.modules) == was_imported
