"""Frames of a rendered room, with or without a hand in the guide box."""

import functools
from collections.abc import Callable

import cv2
import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.finders.guide_box import guide_box
from recognizer.finders.hands import square_box
from recognizer.finders.still_hand import StillHandFinder
from recognizer.studio.drawn_hands import draw_hand
from recognizer.values import Box, Frame, Region

WIDTH, HEIGHT = 640, 480
FPS = 15
Picture = Callable[[float], np.ndarray]  # an image (H, W, 3) by seconds since it was first shown
SKINS = {
    "light": (150, 182, 226),
    "tan": (130, 165, 212),
    "olive": (96, 130, 186),
    "brown": (70, 100, 150),
    "dark": (48, 70, 108),
}


LIGHTS = {"warm": (0.65, 0.9, 1.15), "cool": (1.15, 1.0, 0.82), "dim": (0.6, 0.6, 0.6)}


class BlindHands(RegionFinder):
    """Replaces HandFinder. It finds the regions in `found`; it has a guide box if there are none."""

    video = True

    def __init__(self) -> None:
        self.guide_box: Box | None = None
        self.found: tuple[Region, ...] = ()
        self.closed = False

    def find(self, frame: Frame) -> tuple[Region, ...]:
        height, width = frame.image_bgr.shape[:2]
        self.guide_box = None if self.found else guide_box(width, height)
        return self.found

    def close(self) -> None:
        self.closed = True


@functools.cache
def noises() -> np.ndarray:
    """(16, HEIGHT, WIDTH, 3) float32. Drawing new random numbers for each frame would take longer than the detection."""
    return np.random.default_rng(0).normal(0, 4, (16, HEIGHT, WIDTH, 3)).astype(np.float32)


class Stream:
    """A noisy camera, and a still-hand finder on top of a hand finder that detects no landmarks."""

    def __init__(self) -> None:
        self.hands = BlindHands()
        self.finder = StillHandFinder(self.hands)
        self.now_s = 0.0
        self._rng = np.random.default_rng(0)

    def show(self, picture: np.ndarray | Picture, seconds: float) -> list[tuple[Region, ...]]:
        """Show a picture for so many seconds. Return the regions found in each frame."""
        found = []
        for number in range(round(seconds * FPS)):
            image = picture(number / FPS) if callable(picture) else picture
            noisy = np.clip(image + self._noise(image.shape), 0, 255).astype(np.uint8)
            found.append(self.finder.find(Frame(noisy, 0, self.now_s, "drawn")))
            self.now_s += 1 / FPS
        return found

    def _noise(self, shape: tuple[int, ...]) -> np.ndarray:
        if shape != (HEIGHT, WIDTH, 3):
            return self._rng.normal(0, 4, shape)
        number, down, across = self._rng.integers(len(noises())), *self._rng.choice([1, -1], 2)
        return noises()[number, ::down, ::across]


def a_room(seed: int = 0) -> np.ndarray:
    """A wall with objects, (HEIGHT, WIDTH, 3) float32."""
    return _room(seed).copy()


@functools.cache
def _room(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    room = np.full((HEIGHT, WIDTH, 3), (170.0, 176.0, 180.0)) * np.linspace(1.1, 0.8, WIDTH)[None, :, None]
    for _ in range(8):
        x, y = (int(rng.integers(limit)) for limit in (WIDTH, HEIGHT))
        colour = tuple(float(value) for value in rng.integers(40, 220) * rng.uniform(0.85, 1.1, 3))
        cv2.rectangle(room, (x, y), (x + int(rng.integers(30, 160)), y + int(rng.integers(30, 160))), colour, -1)
    return cv2.GaussianBlur(room, (0, 0), 3).astype(np.float32)


def with_hand(
    room: np.ndarray, skin: tuple[int, int, int] = SKINS["tan"], at: tuple[float, float] = (0.5, 0.5), seed: int = 0
) -> tuple[np.ndarray, Box]:
    """The room with a drawn hand, (HEIGHT, WIDTH, 3) float32, and the square box around its landmarks.

    `at` is the centre of the landmarks, relative to the sides of the picture.
    """
    drawn = draw_hand(
        "B", side="right", skin_bgr=skin, sleeve_bgr=(120, 70, 50), px_per_mm=1.15, rng=np.random.default_rng(seed)
    )
    joints = drawn.joints[:, :2]
    shift = np.array([at[0] * WIDTH, at[1] * HEIGHT]) - (joints.min(axis=0) + joints.max(axis=0)) / 2
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    layer = cv2.warpAffine(drawn.image_bgra, move, (WIDTH, HEIGHT)).astype(np.float32)
    return room * (1 - layer[..., 3:] / 255) + layer[..., :3], square_box(joints + shift, (HEIGHT, WIDTH))
