"""The contract of every finder: `find(frame)` returns a tuple of regions inside the frame, empty if there are none."""

from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import cv2
import numpy as np
import pytest

from recognizer.finders.contrast import DigitFinder
from recognizer.finders.finder import RegionFinder
from recognizer.finders.guide_box import BoxFinder
from recognizer.finders.hands import HandFinder
from recognizer.finders.still_hand import StillHandFinder
from recognizer.finders.writing import WritingFinder
from recognizer.studio.scenes import Studio
from recognizer.values import Frame, Region
from tests.contracts.implementations import classes_with
from tests.helpers.machine import landmarker_path

SIZE_WH = (640, 360)
HUGE_WH = (4096, 3000)

Find = Callable[[Frame], tuple[Region, ...]]

# each finder, and a scene of the studio in which it finds something
FINDERS: dict[str, tuple[Callable[[], Any], str]] = {
    "DigitFinder": (DigitFinder, "digits"),
    "WritingFinder": (WritingFinder, "digits"),
    "WritingFinder of a stream": (lambda: WritingFinder(video=True), "digits"),
    "BoxFinder": (BoxFinder, "rps"),
    "HandFinder": (lambda: HandFinder(landmarker_path(), video=False), "rps"),
    "HandFinder of a stream": (lambda: HandFinder(landmarker_path(), video=True, guide=True), "rps"),
    "StillHandFinder": (lambda: StillHandFinder(HandFinder(landmarker_path(), video=True, guide=True)), "rps"),
}


@pytest.fixture(scope="module", params=FINDERS)
def finder_of(request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    """The finder, opened once for all tests, and the scene."""
    make, scene = FINDERS[request.param]
    finder = make()
    yield finder, scene
    finder.close()


@pytest.fixture
def find(finder_of: tuple[Any, str]) -> Find:
    method: Find = finder_of[0].find
    return method


times_s = iter(range(1_000_000))


def as_frame(image: np.ndarray) -> Frame:
    """A frame with a later time than all frames before, because a stream needs increasing times."""
    time_s = next(times_s)
    return Frame(image, time_s, float(time_s), "test")


def shown(scene: str) -> np.ndarray:
    """A picture of a scene in which the sheet or the hand does not move, (H, W, 3) uint8 BGR."""
    return Studio(scene, SIZE_WH).frame(36).image_bgr


def check_regions(regions: tuple[Region, ...], size_wh: tuple[int, int]) -> None:
    assert isinstance(regions, tuple)
    for region in regions:
        x1, y1, x2, y2 = region.box.xyxy
        assert 0 <= x1 < x2 <= size_wh[0]
        assert 0 <= y1 < y2 <= size_wh[1]
        assert all(isinstance(side, int) for side in region.box.xyxy)
        assert region.crop.dtype == np.uint8
        assert region.crop.size > 0
        assert region.crop.ndim in (2, 3)
        assert region.score is None or 0 <= region.score <= 1
        if region.hand is not None:
            assert region.hand.landmarks.shape == (21, 3)
            assert region.hand.landmarks.dtype == np.float32


def test_every_finder_is_listed() -> None:
    finders = [cls for cls in classes_with("find") if get_type_hints(cls.find).get("return") == tuple[Region, ...]]
    finders.remove(RegionFinder)
    assert sorted(cls.__name__ for cls in finders) == sorted({name.split()[0] for name in FINDERS})


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_uniform_frame_gives_no_region(find: Find, shade: int) -> None:
    assert find(as_frame(np.full((360, 640, 3), shade, np.uint8))) == ()


def test_the_region_of_a_visible_subject_lies_inside_the_frame(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    image_bgr = shown(scene)
    for _ in range(4):  # a stream needs some frames to find a hand
        regions = finder.find(as_frame(image_bgr))
        check_regions(regions, SIZE_WH)
    assert regions


def test_a_region_at_the_border_lies_inside_the_frame(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    image_bgr = shown(scene)
    height, width = image_bgr.shape[:2]
    for part in (image_bgr[:, : width // 2], image_bgr[:, width // 2 :], image_bgr[height // 3 :], image_bgr[:-90]):
        check_regions(finder.find(as_frame(np.ascontiguousarray(part))), part.shape[1::-1])


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 480), (640, 1), (2, 3), (7, 7), (8, 8), (33, 31)], ids=str)
def test_tiny_frames_are_accepted(find: Find, size_wh: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    check_regions(find(as_frame(rng.integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8))), size_wh)


def test_huge_frames_are_accepted(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    image_bgr = cv2.resize(shown(scene), HUGE_WH, interpolation=cv2.INTER_LINEAR)
    check_regions(finder.find(as_frame(image_bgr)), HUGE_WH)


def test_a_frame_without_colours_is_accepted(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    gray = cv2.cvtColor(shown(scene), cv2.COLOR_BGR2GRAY)
    check_regions(finder.find(as_frame(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))), SIZE_WH)


def test_noise_and_a_view_that_is_not_contiguous_are_accepted(find: Find) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
    check_regions(find(as_frame(noise)), SIZE_WH)
    check_regions(find(as_frame(noise[:, ::-1])), SIZE_WH)
    check_regions(find(as_frame(noise[::2, ::2])), (320, 180))


def test_the_frame_is_not_modified_and_crops_do_not_share_its_memory(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    image_bgr = shown(scene)
    before = image_bgr.copy()
    image_bgr.setflags(write=False)
    regions = finder.find(as_frame(image_bgr))
    assert np.array_equal(image_bgr, before)
    crops = [region.crop.copy() for region in regions]
    image_bgr.setflags(write=True)
    image_bgr[:] = 0  # as a camera that reuses its buffer does
    assert all(np.array_equal(region.crop, crop) for region, crop in zip(regions, crops, strict=True))


def test_the_same_frames_give_the_same_regions(finder_of: tuple[Any, str]) -> None:
    finder, scene = finder_of
    if scene == "rps" and not isinstance(finder, BoxFinder) and finder.video:
        pytest.skip("the tracking of hands in a stream depends on earlier frames")
    image_bgr = shown(scene)
    finder.find(as_frame(np.zeros_like(image_bgr)))
    first, second = (finder.find(as_frame(image_bgr)) for _ in range(2))
    assert [region.box for region in first] == [region.box for region in second]
