import cv2
import numpy as np

from recognizer.finders.contrast import is_writing


def test_writing_has_thin_even_strokes_of_limited_length() -> None:
    stroke = np.zeros((100, 60), np.uint8)
    cv2.line(stroke, (10, 5), (50, 95), 255, 3)
    blot = np.full((60, 60), 255, np.uint8)
    grid = np.zeros((100, 100), np.uint8)
    grid[::6], grid[:, ::6] = 255, 255
    with_blot = stroke.copy()
    cv2.circle(with_blot, (45, 85), 14, 255, -1)
    assert is_writing(stroke)
    assert not is_writing(blot)
    assert not is_writing(grid)
    assert not is_writing(with_blot)
