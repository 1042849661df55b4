import cv2
import numpy as np
import pytest

from recognizer.finders.guide_box import BoxFinder, guide_box
from recognizer.values import Box, Frame


def a_frame(image_bgr: np.ndarray) -> Frame:
    return Frame(image_bgr, 0, 0.0, "drawn")


def a_room(noise: float = 4.0) -> np.ndarray:
    """A wall in uneven light, with sensor noise, (480, 640, 3) uint8."""
    wall = np.linspace(150, 172, 640)[None, :, None] * np.ones((480, 1, 3))
    return np.clip(wall + np.random.default_rng(0).normal(0, noise, wall.shape), 0, 255).astype(np.uint8)


def a_mug(image_bgr: np.ndarray) -> np.ndarray:
    """The picture with a mug in the guide box."""
    image = image_bgr.copy()
    cv2.rectangle(image, (260, 170), (370, 320), (40, 60, 190), cv2.FILLED)
    cv2.ellipse(image, (370, 245), (40, 50), 0, -90, 90, (40, 60, 190), 16)
    return image


def test_an_object_in_the_guide_box_is_found() -> None:
    finder = BoxFinder()
    (region,) = finder.find(a_frame(a_mug(a_room())))
    assert region.box == guide_box(640, 480) == Box(176, 96, 464, 384)
    assert region.crop.shape == (288, 288, 3)
    assert finder.guide_box is None


@pytest.mark.parametrize("noise", [0.0, 4.0, 8.0])
def test_an_empty_guide_box_gives_no_region_and_is_shown_to_the_user(noise: float) -> None:
    finder = BoxFinder()
    assert finder.find(a_frame(a_room(noise))) == ()
    assert finder.guide_box == guide_box(640, 480)


def test_a_blurred_object_gives_no_region() -> None:
    assert BoxFinder().find(a_frame(cv2.blur(a_mug(a_room(0.0)), (80, 80)))) == ()


def test_a_tiny_picture_gives_no_region() -> None:
    assert BoxFinder().find(a_frame(a_mug(a_room())[::16, ::16])) == ()
