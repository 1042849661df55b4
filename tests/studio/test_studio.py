import gc
import weakref

import cv2
import numpy as np
import pytest

from recognizer.errors import SettingsError
from recognizer.studio.handwriting import LETTERS_LIKE_DIGITS
from recognizer.studio.scenes import SCENES, Studio
from recognizer.values import Box

SMALL = (640, 360)


def middle_of_card(studio: Studio, card: int) -> int:
    return round((2.4 * card + 1.2) * studio.fps)


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_gives_a_picture_of_the_requested_size(scene: str) -> None:
    frame = Studio(scene, (400, 300), fps=10, seed=2).frame(20)
    assert frame.image_bgr.shape == (300, 400, 3)
    assert frame.image_bgr.dtype == np.uint8
    assert (frame.index, frame.time_s, frame.name) == (20, 2.0, f"studio:{scene}")
    assert bool(frame.truth) == (scene != "blank")


def test_a_picture_depends_only_on_seed_and_index() -> None:
    studio = Studio(size_wh=SMALL, seed=4)
    studio.frame(500)
    again = studio.frame(7)
    fresh = Studio(size_wh=SMALL, seed=4).frame(7)
    np.testing.assert_array_equal(again.image_bgr, fresh.image_bgr)
    assert again.truth == fresh.truth
    other = Studio(size_wh=SMALL, seed=5).frame(7)
    assert np.any(other.image_bgr != fresh.image_bgr)


def test_a_box_encloses_the_ink_closely() -> None:
    studio = Studio("crowd", SMALL, seed=1, count=1)
    for card in range(8):
        frame = studio.frame(middle_of_card(studio, card))
        (truth,) = frame.truth
        x1, y1, x2, y2 = np.add(truth.box.xyxy, (-6, -6, 6, 6))
        part = cv2.GaussianBlur(frame.image_bgr[y1:y2, x1:x2], (3, 3), 0).astype(int)
        difference = abs(part - np.median(part[0], axis=0)).sum(axis=2)  # from the colour of the paper above the digit
        rows, columns = np.nonzero(difference > 0.5 * difference.max())
        inked = Box(x1 + columns.min(), y1 + rows.min(), x1 + columns.max() + 1, y1 + rows.max() + 1)
        assert difference.max() > 60
        assert inked.iou(truth.box) > 0.6


def test_a_sheet_moves_slowly_while_it_is_shown() -> None:
    studio = Studio(size_wh=SMALL, seed=3)
    start = middle_of_card(studio, 0) - 15
    centers = np.array([studio.frame(i).truth[0].box.center_xy for i in range(start, start + 30)])
    steps = np.hypot(*np.diff(centers, axis=0).T)
    assert steps.max() < 0.01 * SMALL[0]
    assert np.ptp(centers, axis=0).max() > 1


def test_consecutive_sheets_show_different_numbers() -> None:
    studio = Studio(size_wh=SMALL)
    numbers = [tuple(t.label for t in studio.frame(middle_of_card(studio, card)).truth) for card in range(8)]
    assert len(set(numbers)) >= 6
    assert all(1 <= len(number) <= 4 for number in numbers)


@pytest.mark.parametrize("count", [1, 20, 50])
def test_a_crowd_has_the_requested_number_of_digits(count: int) -> None:
    studio = Studio("crowd", SMALL, count=count)
    assert len(studio.frame(0).truth) == count


def test_the_letters_scene_has_no_letter_that_resembles_a_digit() -> None:
    studio = Studio("letters", SMALL)
    labels = {truth.label for card in range(6) for truth in studio.frame(middle_of_card(studio, card)).truth}
    assert len(labels) > 5
    assert all(label.isalpha() for label in labels)
    assert not labels & LETTERS_LIKE_DIGITS


def test_the_error_for_an_unknown_scene_lists_the_scenes() -> None:
    with pytest.raises(SettingsError, match="'beach'.*digits, numbers, crowd, letters, blank"):
        Studio("beach")


def test_impossible_settings_are_rejected() -> None:
    with pytest.raises(SettingsError, match="20x10"):
        Studio(size_wh=(20, 10))
    with pytest.raises(SettingsError, match="rate above 0"):
        Studio(fps=0)
    with pytest.raises(SettingsError, match="1 to 50"):
        Studio("crowd", count=51)


@pytest.mark.parametrize("scene", ["digits", "rps"])
def test_a_studio_is_freed_without_garbage_collection(scene: str) -> None:
    studio = Studio(scene, (160, 160))
    studio.frame(0)
    reference = weakref.ref(studio)
    gc.disable()
    try:
        del studio
        assert reference() is None
    finally:
        gc.enable()
