"""Numbers with lines around them or a decimal point, as in results, sums and forms."""

import itertools

import cv2
import numpy as np
import pytest

from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.store import ModelStore
from recognizer.samples.synced import default_samples
from recognizer.values import Box
from tests.helpers.drawing import as_frame, paper, write

NUMBERS = ["58", "583", "2479", "936"]


@pytest.fixture
def digits(published_models: ModelStore) -> Pipeline:
    return open_pipeline("digits", published_models, default_samples(), smooth=False)


def written(number: str, height: int) -> tuple[np.ndarray, list[Box]]:
    """A sheet (540, 960) uint8 with a number, and the boxes of its digits."""
    gray = paper((960, 540))
    return gray, [
        write(gray, int(digit), (240 + 0.95 * height * place, 250), height, seed=11 * int(digit))
        for place, digit in enumerate(number)
    ]


def around(boxes: list[Box], room: int) -> tuple[int, int, int, int]:
    """The sides (x1, y1, x2, y2) around all boxes, with a margin of `room` pixels."""
    sides = np.array([box.xyxy for box in boxes])
    x1, y1 = sides[:, :2].min(axis=0) - room
    x2, y2 = sides[:, 2:].max(axis=0) + room
    return int(x1), int(y1), int(x2), int(y2)


def stroke(gray: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> None:
    cv2.line(gray, start, end, 40, 5, cv2.LINE_AA)


def underline(gray: np.ndarray, boxes: list[Box], height: int) -> None:
    x1, _, x2, y2 = around(boxes, round(0.15 * height))
    stroke(gray, (x1, y2), (x2, y2 + 3))


def underline_twice(gray: np.ndarray, boxes: list[Box], height: int) -> None:
    underline(gray, boxes, height)
    x1, _, x2, y2 = around(boxes, round(0.32 * height))
    stroke(gray, (x1, y2), (x2, y2 - 3))


def frame(gray: np.ndarray, boxes: list[Box], height: int) -> None:
    x1, y1, x2, y2 = around(boxes, round(0.3 * height))
    cv2.rectangle(gray, (x1, y1), (x2, y2), 40, 4, cv2.LINE_AA)


def cells(gray: np.ndarray, boxes: list[Box], height: int) -> None:
    frame(gray, boxes, height)
    _, y1, _, y2 = around(boxes, round(0.3 * height))
    for left, right in itertools.pairwise(boxes):
        x = (left.x2 + right.x1) // 2
        stroke(gray, (x, y1), (x, y2))


def bar_at_the_left(gray: np.ndarray, boxes: list[Box], height: int) -> None:
    x1, y1, _, y2 = around(boxes, round(0.45 * height))
    stroke(gray, (x1, y1), (x1, y2))


LINES = [underline, underline_twice, frame, cells, bar_at_the_left]


def test_lines_around_a_number_do_not_hide_its_digits(digits: Pipeline) -> None:
    texts = {}
    for lines, number, height in itertools.product(LINES, NUMBERS, (60, 110, 160)):
        gray, boxes = written(number, height)
        lines(gray, boxes, height)
        texts[lines.__name__, number, height] = digits.step(as_frame(gray)).text
    wrong = {key: text for key, text in texts.items() if text != key[1]}
    assert len(wrong) <= 0.05 * len(texts), wrong


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize(("size", "text"), [(0, "358"), (0.03, "358"), (0.1, "3?58"), (0.16, "3?58")])
def test_a_decimal_point_splits_a_number_and_a_speck_does_not(
    digits: Pipeline, size: float, text: str, seed: int
) -> None:
    gray = paper((960, 540))
    boxes = [write(gray, int(digit), (x, 250), 140, seed=seed) for digit, x in zip("358", (240, 420, 550), strict=True)]
    if size:
        cv2.circle(gray, ((boxes[0].x2 + boxes[1].x1) // 2, boxes[0].y2 - 8), round(70 * size), 40, -1, cv2.LINE_AA)
    assert digits.step(as_frame(gray)).text == text
