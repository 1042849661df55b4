import string

import cv2
import numpy as np
import pytest

from recognizer.studio.handwriting import (
    LETTERS_LIKE_DIGITS,
    digit_strokes,
    draw_strokes,
    letter_strokes,
    placement_matrix,
)


def ink_of(digit: int, seed: int) -> np.ndarray:
    return draw_strokes(digit_strokes(digit, np.random.default_rng(seed)), (64, 64), 4)


@pytest.mark.parametrize("digit", range(10))
def test_digit_strokes_have_height_1_and_begin_at_x_0(digit: int) -> None:
    for seed in range(40):
        strokes = digit_strokes(digit, np.random.default_rng(seed))
        points = np.concatenate(strokes)
        assert all(stroke.dtype == np.float32 and stroke.shape[1] == 2 for stroke in strokes)
        assert 0.8 < np.ptp(points[:, 1]) < 1.2
        assert points[:, 0].min() == pytest.approx(0, abs=1e-6)
        assert np.ptp(points[:, 0]) < 1.7


@pytest.mark.parametrize("digit", range(10))
def test_the_same_seed_draws_the_same_digit_and_other_seeds_draw_others(digit: int) -> None:
    np.testing.assert_array_equal(ink_of(digit, 5), ink_of(digit, 5))
    assert len({ink_of(digit, seed).tobytes() for seed in range(20)}) == 20


def test_a_seven_has_a_wide_bar_at_the_top() -> None:
    """A 1 has none: its upstroke is steep."""
    for seed in range(200):
        seven = np.concatenate(digit_strokes(7, np.random.default_rng(seed)))
        top = seven[seven[:, 1] < 0.15]
        assert np.ptp(top[:, 0]) > 0.3


def test_eights_have_more_holes_than_zeros() -> None:
    holes = {0: 0, 8: 0}
    for digit in holes:
        for seed in range(30):
            ink = draw_strokes(digit_strokes(digit, np.random.default_rng(seed)), (200, 200), 9)
            holes[digit] += cv2.connectedComponents((ink < 128).astype(np.uint8))[0] - 2
    assert holes[8] > 1.5 * holes[0] > 20


@pytest.mark.parametrize("letter", string.ascii_letters)
def test_every_letter_is_drawn(letter: str) -> None:
    strokes = letter_strokes(letter, np.random.default_rng(1))
    assert draw_strokes(strokes, (48, 48), 3).max() == 255


def test_letters_like_digits_are_letters() -> None:
    assert set("OIlSZ") <= LETTERS_LIKE_DIGITS < set(string.ascii_letters)


def test_placement_gives_the_requested_height_and_centre() -> None:
    strokes = digit_strokes(5, np.random.default_rng(3))
    matrix = placement_matrix(strokes, (100, 50), 60)
    points = np.concatenate(strokes) @ matrix[:, :2].T + matrix[:, 2]
    assert np.ptp(points[:, 1]) == pytest.approx(60, rel=1e-5)
    np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, (100, 50), atol=1e-3)


@pytest.mark.parametrize("width_px", [1.5, 2.5, 4.0, 7.0, 12.0])
def test_a_stroke_has_the_requested_width(width_px: float) -> None:
    stick = [np.array([[0, 0], [0, 0.5], [0, 1]], np.float32)]
    matrix = placement_matrix(stick, (50, 50), 80)
    ink = draw_strokes(stick, (100, 100), width_px, matrix=matrix)
    assert ink[50].sum() / 255 == pytest.approx(width_px, abs=0.9)
    centre = (ink[50] * np.arange(100.0)).sum() / ink[50].sum()
    assert centre == pytest.approx(50, abs=0.6)


def test_gaps_break_a_stroke_and_pressure_changes_its_width() -> None:
    stick = [np.column_stack([np.zeros(200), np.linspace(0, 1, 200)]).astype(np.float32)]
    unbroken = draw_strokes(stick, (60, 200), 3)
    broken = draw_strokes(stick, (60, 200), 3, gaps=8, rng=np.random.default_rng(0))
    assert cv2.connectedComponents((unbroken > 0).astype(np.uint8))[0] == 2
    assert cv2.connectedComponents((broken > 60).astype(np.uint8))[0] > 3
    pressed = draw_strokes(stick, (60, 200), 8, pressure=0.5, rng=np.random.default_rng(0))
    assert np.ptp(pressed[60:140].sum(axis=1) / 255.0) > 1
