"""Renders the hands that hold a sheet."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture with an alpha channel and its place on the sheet."""

    image_bgra: np.ndarray  # (h, w, 4) uint8 BGRA, premultiplied alpha
    to_sheet: np.ndarray  # (3, 3), from its pixels to the sheet's pixels


SKINS = ((150, 182, 226), (130, 165, 212), (96, 130, 186), (70, 100, 150), (48, 70, 108))
SLEEVES = ((90, 70, 58), (60, 60, 64), (120, 116, 112), (58, 62, 120), (76, 92, 60))


def draw_holding_hands(
    size_mm: tuple[float, float],
    mm: float,
    skin: tuple[int, int, int],
    sleeve: tuple[int, int, int],
    rng: np.random.Generator,
) -> tuple[tuple[Sprite, ...], tuple[Sprite, ...]]:
    """The hands that hold the sheet: the parts behind it, and the parts in front of it.

    `mm` is the number of pixels per millimetre. Colours are BGR, 0 to 255.
    """
    width, height = size_mm
    low = height * rng.uniform(0.62, 0.86)
    grips = [
        (np.array([0, low]), np.array([1.0, 0.0])),
        (np.array([width, low + rng.normal(0, 6)]), np.array([-1.0, 0])),
    ]
    which = rng.random()
    if which < 0.3:
        grips = grips[:1]
    elif which < 0.6:
        grips = grips[1:]
    behind, before = [], []
    for grip, inward in grips:
        under, over = _hand(grip, inward, mm, skin, sleeve, rng)
        behind.append(under)
        before.append(over)
    return tuple(behind), tuple(before)


def _hand(
    grip: np.ndarray,
    inward: np.ndarray,
    mm: float,
    skin: tuple[int, int, int],
    sleeve: tuple[int, int, int],
    rng: np.random.Generator,
) -> tuple[Sprite, Sprite]:
    """One hand, with its thumb on the sheet at `grip` (x, y in mm on the sheet), pointing `inward`."""
    side = np.array([0.0, -1.0])
    arm = -rng.uniform(0.15, 0.5) * inward - 0.9 * side
    wrist = grip - 30 * inward - 48 * side
    elbow = wrist + 330 * arm
    under = _Canvas(np.array([grip, wrist, elbow]), 45, mm / 2)
    under.draw_limb([wrist + 42 * arm, elbow], 37, 52, sleeve)
    under.draw_limb([wrist + 55 * arm, wrist], 27, 25, skin)
    under.draw_limb([wrist, grip - 14 * inward - 6 * side, grip - 4 * inward + 12 * side], 27, 18, skin)
    for k in range(3):  # the fingers behind the sheet are visible at its edge
        knuckle = grip - (15 - 3 * k) * inward + (12 - 15 * k) * side
        under.draw_limb([knuckle - 6 * inward, knuckle + 14 * inward], 9.5, 9, skin)
    over = _Canvas(np.array([grip - 26 * inward, grip + 18 * inward]), 24, mm)
    turn = float(np.clip(rng.normal(0, 0.25), -0.4, 0.4))
    tip = grip + rng.uniform(6, 12) * inward + 18 * turn * side + 4 * side
    over.draw_limb([grip - 24 * inward - 8 * side, grip - 6 * inward + 1 * side, tip], 12, 9, skin)
    nail = tuple(min(255, int(value * 0.35 + 150)) for value in skin)
    over.draw_limb([tip + 0.5 * inward, tip + 4.5 * inward], 4.6, 4.2, nail, alpha=150)
    over.fade(grip - 22 * inward, grip - 6 * inward)
    return under.sprite(1.6, mm), over.sprite(1.0, mm)


class _Canvas:
    """A canvas for a sprite, in mm of the sheet."""

    def __init__(self, around_mm: np.ndarray, margin_mm: float, px_per_mm: float) -> None:
        self._low = around_mm.min(axis=0) - margin_mm
        size = np.ceil((around_mm.max(axis=0) + margin_mm - self._low) * px_per_mm).astype(int)
        self._px = px_per_mm
        self._color = np.zeros((size[1], size[0], 3), np.uint8)
        self._alpha = np.zeros((size[1], size[0]), np.uint8)

    def draw_limb(
        self, way_mm: list[np.ndarray], start_mm: float, end_mm: float, color: tuple[int, ...], alpha: int = 255
    ) -> None:
        """Draws a round limb along a path with a tapering radius, lit from the upper left."""
        knots = np.linspace(0, 1, len(way_mm))
        along = np.linspace(0, 1, 28)
        path = np.column_stack([np.interp(along, knots, np.array(way_mm)[:, axis]) for axis in (0, 1)])
        radii = start_mm + (end_mm - start_mm) * along
        for step in range(9):
            rim = 1 - step / 9
            shade = 0.7 + 0.3 * np.sqrt(1 - rim * rim)
            offset = np.array([-0.25, -0.35]) * (1 - rim)
            if alpha < 255 and step:
                break
            tone = tuple(int(value * (shade if alpha == 255 else 1)) for value in color)
            for center, radius in zip(path, radii, strict=True):
                spot = (center + offset * radius - self._low) * self._px
                at = (round(float(spot[0]) * 16), round(float(spot[1]) * 16))
                cv2.circle(self._color, at, round(float(radius * rim * self._px) * 16), tone, -1, cv2.LINE_8, 4)
                if step == 0 and alpha == 255:
                    cv2.circle(self._alpha, at, round(float(radius * self._px) * 16), 255, -1, cv2.LINE_8, 4)

    def fade(self, nothing_mm: np.ndarray, full_mm: np.ndarray) -> None:
        """Fades alpha from 0 at one point to 1 at another."""
        direction = full_mm - nothing_mm
        rows, columns = np.indices(self._alpha.shape, np.float32) / self._px
        done = (
            (columns + self._low[0] - nothing_mm[0]) * direction[0]
            + (rows + self._low[1] - nothing_mm[1]) * direction[1]
        ) / (direction @ direction)
        part = np.clip(done, 0, 1)
        self._alpha = (self._alpha * part).astype(np.uint8)
        self._color = (self._color * part[..., None]).astype(np.uint8)

    def sprite(self, blur_mm: float, sheet_px_per_mm: float) -> Sprite:
        color = cv2.GaussianBlur(self._color, (0, 0), blur_mm * self._px)
        alpha = cv2.GaussianBlur(self._alpha, (0, 0), max(0.6 * blur_mm * self._px, 0.5))
        # Blurred colour is already premultiplied by the blurred alpha.
        scale, (x, y) = sheet_px_per_mm / self._px, self._low * sheet_px_per_mm
        return Sprite(np.dstack([color, alpha]), np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]]))
