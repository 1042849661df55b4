"""A movement on its way to a sample: the pictures of the last seconds, and the strip that is made of them."""

import cv2
import numpy as np

from recognizer.motion.drawing import STRIP_PICTURES
from recognizer.motion.movement import Movement
from recognizer.values import Box, Frame, Observation

PICTURE_WIDTH = 640  # pixels of the pictures that are kept
PICTURES_LIMIT = 48  # of them, about 40 kB each: every second one is dropped when there are more
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)
STRIP_HEIGHT = 160  # pixels
MARGIN = 0.12  # around the joints, as a share of their box
KEPT_S = 3.2  # seconds of pictures that are kept: of the longest movement


class StripPictures:
    """Small pictures of the last seconds of a stream. They are kept only while something is recorded."""

    def __init__(self) -> None:
        self._pictures: list[tuple[float, np.ndarray]] = []  # time, the bytes of a JPEG picture
        self._gap_s = 0.0

    def clear(self) -> None:
        self._pictures.clear()
        self._gap_s = 0.0

    def add(self, frame: Frame) -> None:
        """Keeps a frame, unless it is close in time to the one before."""
        if self._pictures and frame.time_s < self._pictures[-1][0]:
            self.clear()
        if self._pictures and frame.time_s - self._pictures[-1][0] < self._gap_s:
            return
        height, width = frame.image_bgr.shape[:2]
        size = PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width))
        _, jpeg = cv2.imencode(".jpg", cv2.resize(frame.image_bgr, size, interpolation=cv2.INTER_AREA), JPEG)
        self._pictures.append((frame.time_s, jpeg))
        self._pictures = [one for one in self._pictures if frame.time_s - one[0] <= KEPT_S]
        if len(self._pictures) > PICTURES_LIMIT:
            self._pictures = self._pictures[::2]
            self._gap_s = 1.5 * (self._pictures[-1][0] - self._pictures[-2][0]) / 2

    def strip(self, movement: Movement, size_wh: tuple[int, int]) -> tuple[np.ndarray, Box]:
        """STRIP_PICTURES pictures of the movement beside each other, (h, w, 3) uint8 BGR, and the part of the frame that
        each shows. `size_wh` is the size of the frames.
        """
        box = box_around(movement, size_wh)
        scale = PICTURE_WIDTH / size_wh[0]
        tile_wh = (
            min(3 * STRIP_HEIGHT, max(STRIP_HEIGHT // 3, round(STRIP_HEIGHT * box.width / box.height))),
            STRIP_HEIGHT,
        )
        tiles = []
        for at_s in np.linspace(movement.times_s[0], movement.times_s[-1], STRIP_PICTURES):
            _, jpeg = min(self._pictures, key=lambda one: abs(one[0] - at_s))
            picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
            rows = slice(int(scale * box.y1), max(int(scale * box.y1) + 1, round(scale * box.y2)))
            columns = slice(int(scale * box.x1), max(int(scale * box.x1) + 1, round(scale * box.x2)))
            tiles.append(cv2.resize(picture[rows, columns], tile_wh, interpolation=cv2.INTER_LINEAR))
        return np.hstack(tiles), box


def box_around(movement: Movement, size_wh: tuple[int, int]) -> Box:
    """The part of the frame in which the hands moved, with a margin."""
    points = movement.joints[..., :2]
    first, last = np.nanmin(points, axis=(0, 1, 2)), np.nanmax(points, axis=(0, 1, 2))
    margin = MARGIN * float((last - first).max())
    x1, y1 = np.clip(first - margin, 0, np.array(size_wh) - 2).astype(int)
    x2, y2 = np.clip(np.ceil(last + margin), (x1 + 2, y1 + 2), size_wh).astype(int)
    return Box(int(x1), int(y1), int(x2), int(y2))


def size_of(observation: Observation) -> tuple[int, int]:
    """Width and height of the frame."""
    height, width = observation.frame.image_bgr.shape[:2]
    return width, height
