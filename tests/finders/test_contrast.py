import cv2
import numpy as np

from recognizer.finders.contrast import is_writing


def test_writing_has_thin_even_strokes_of_limited_length() -> None:
    stroke = np.zeros((100, 60), np.uint8)
    cv2.line(stroke, (10, 5), (50, 95), 255, 3)
    blot = np.full((60, 60), 255, np.uint8)
    thicket = np.zeros((100, 100), np.uint8)
    thicket[::6], thicket[:, ::6] = 255, 255
    on_a_stalk = stroke.copy()
    cv2.circle(on_a_stalk, (45, 85), 14, 255, -1)
    assert is_writing(stroke)
    assert not is_writing(blot)
    assert not is_writing(thicket)
    assert not is_writing(on_a_stalk)
