import cv2
import numpy as np
import pytest

from recognizer.finders.paper_lines import are_line_remnants, erase_lines
from tests.helpers.drawing import paper, write

WIDTH, HEIGHT = 640, 360


def blank() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def line(mask: np.ndarray, start_xy: tuple[int, int], end_xy: tuple[int, int], width: int = 3) -> None:
    cv2.line(mask, start_xy, end_xy, 255, width)


def erased(mask: np.ndarray, *, close_up: bool) -> np.ndarray:
    """The mask without its lines and their remnants."""
    cleaned, corridor = erase_lines(mask, close_up=close_up)
    if corridor is None:
        return cleaned
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cleaned)
    return np.where(are_line_remnants(labels, stats, corridor)[labels], 0, cleaned).astype(np.uint8)


def remaining_share(cleaned: np.ndarray, of: np.ndarray) -> float:
    """The share of the pixels of `of` that are still in the cleaned mask."""
    return np.count_nonzero(cleaned & of) / np.count_nonzero(of)


def test_an_empty_mask_stays_empty() -> None:
    assert not erased(blank(), close_up=True).any()


@pytest.mark.parametrize(
    ("start_xy", "end_xy"),
    [((0, 180), (639, 180)), ((300, 0), (300, 359)), ((0, 120), (639, 200)), ((0, 300), (400, 0))],
    ids=["level", "upright", "slanting", "across a corner"],
)
def test_a_line_between_two_borders_of_the_picture_is_erased(
    start_xy: tuple[int, int], end_xy: tuple[int, int]
) -> None:
    mask = blank()
    line(mask, start_xy, end_xy)
    assert remaining_share(erased(mask, close_up=True), mask) < 0.05


@pytest.mark.parametrize(
    ("start_xy", "end_xy"), [((320, 40), (320, 320)), ((340, 40), (290, 320)), ((80, 180), (500, 180))]
)
def test_a_single_line_that_ends_on_the_paper_is_not_erased(start_xy: tuple[int, int], end_xy: tuple[int, int]) -> None:
    mask = blank()
    line(mask, start_xy, end_xy)
    np.testing.assert_array_equal(erased(mask, close_up=True), mask)


def test_parallel_ruled_lines_that_end_inside_the_picture_are_erased() -> None:
    mask = blank()
    for y in range(60, 320, 40):
        line(mask, (100, y), (540, y + 8), 2)
    assert remaining_share(erased(mask, close_up=False), mask) < 0.2


def test_three_upright_strokes_side_by_side_are_not_erased() -> None:
    mask = blank()
    for x in (220, 320, 420):
        line(mask, (x, 60), (x, 300), 4)
    np.testing.assert_array_equal(erased(mask, close_up=True), mask)


def test_the_grid_of_squared_paper_is_erased() -> None:
    mask = blank()
    for y in range(10, HEIGHT, 50):
        line(mask, (0, y), (WIDTH, y), 2)
    for x in range(20, WIDTH, 50):
        line(mask, (x, 0), (x, HEIGHT), 2)
    assert remaining_share(erased(mask, close_up=True), mask) < 0.05


@pytest.mark.parametrize("digit", range(10))
def test_a_stroke_that_crosses_a_line_is_not_erased(digit: int) -> None:
    ink = paper((WIDTH, HEIGHT), shade=0)
    write(ink, digit, (320, 180), 200, width_px=14, shade=255, seed=1)
    _, ink = cv2.threshold(ink, 127, 255, cv2.THRESH_BINARY)
    mask = ink.copy()
    for y in (130, 230):
        line(mask, (0, y), (WIDTH, y), 3)
    cleaned = erased(mask, close_up=True)
    assert remaining_share(cleaned, ink) > 0.8  # a 2's foot may lie on the line
    assert remaining_share(cleaned, mask & ~ink) < 0.1


def test_a_broad_band_is_erased_only_when_paper_fills_the_picture() -> None:
    mask = blank()
    mask[170:190] = 255
    np.testing.assert_array_equal(erased(mask, close_up=False), mask)
    assert not erased(mask, close_up=True).any()


def test_the_input_mask_is_not_modified() -> None:
    mask = blank()
    line(mask, (0, 180), (639, 180))
    before = mask.copy()
    erased(mask, close_up=True)
    np.testing.assert_array_equal(mask, before)
