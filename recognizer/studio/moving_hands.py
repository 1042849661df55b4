"""Draws the hands of somebody who makes movements in turn, for the studio's scene of moving signs."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from recognizer.studio.drawn_hands import draw_pose
from recognizer.studio.holding_hands import Sprite
from recognizer.studio.movements import PALM_MM, SCRIPTS, Performance, PosedHand, joints_px, place_px, random_style
from recognizer.values import Box, Truth

TURN_S = 4.6  # from the beginning of one performance to that of the next
FINEST = 1.1  # pixels per millimetre of a drawn hand; a larger one is enlarged, since movement blurs it
EXPOSURE_S = 0.012  # of a frame: a fast hand is blurred
PALM = [0, 5, 9, 13, 17]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Turn:
    """One performance of the scene."""

    label: str
    performance: Performance
    starts_s: float  # in the scene's time


class MovingHands:
    """People who make all of SCRIPTS in turn. What it draws depends on the seed and the time only."""

    def __init__(self, size_wh: tuple[int, int], seed: int) -> None:
        self._size_wh = size_wh
        self._seed = seed
        # no bound method: a cache that refers to its object would keep it alive
        self._turn = lru_cache(maxsize=3)(lambda number: _turn_of(size_wh, seed, number))

    def turn(self, time_s: float) -> Turn:
        """The performance at a time of the scene."""
        return self._turn(int(time_s / TURN_S))

    def truth(self, time_s: float) -> tuple[Truth, ...]:
        """The movement that is going on, with the box around its hands; () while they rest or are outside the picture."""
        turn = self.turn(time_s)
        start_s, end_s = turn.performance.moves_s
        since_s = time_s - turn.starts_s
        if not start_s <= since_s <= end_s:
            return ()
        hands = turn.performance.hands(since_s)
        joints = np.concatenate([joints_px(hand, turn.performance, self._size_wh) for hand in hands])[:, :2]
        margin = 8 * turn.performance.style.px_per_mm
        low, high = np.floor(joints.min(axis=0) - margin).astype(int), np.ceil(joints.max(axis=0) + margin).astype(int)
        inside = low.min() >= 0 and (high < self._size_wh).all()
        return (Truth(turn.label, Box(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1)),) if inside else ()

    def sprites(self, time_s: float, skin_bgr: Color, sleeve_bgr: Color) -> tuple[Sprite, ...]:
        """The pictures of the hands, the one in front last; their `to_sheet` leads to the frame's pixels."""
        turn = self.turn(time_s)
        since_s = time_s - turn.starts_s
        now = turn.performance.hands(since_s)
        before = turn.performance.hands(since_s - EXPOSURE_S)
        colors = skin_bgr, sleeve_bgr
        drawn = [
            self._sprite(hand, earlier, turn.performance, colors) for hand, earlier in zip(now, before, strict=True)
        ]
        return tuple(sprite for sprite in reversed(drawn) if sprite is not None)

    def _sprite(
        self, hand: PosedHand, earlier: PosedHand, performance: Performance, colors: tuple[Color, Color]
    ) -> Sprite | None:
        style, height = performance.style, self._size_wh[1]
        x, y = place_px(hand, style, self._size_wh)
        if y > height + 1.5 * PALM_MM * style.px_per_mm:
            return None
        scale = max(1.0, style.px_per_mm / FINEST)
        finest = style.px_per_mm / scale
        drawn = draw_pose(
            hand.sign,
            side=hand.side,
            colors=colors,
            px_per_mm=finest,
            rng=np.random.default_rng(performance.pose_seed),
            arm_mm=max(60.0, (height - y) / style.px_per_mm + 40),
            arm_turns=False,
        )
        at = drawn.joints[PALM, :2].mean(axis=0)
        earlier_x, earlier_y = place_px(earlier, style, self._size_wh)
        image = _moved(drawn.image_bgra, (x - earlier_x) / scale, (y - earlier_y) / scale)
        return Sprite(image, np.array([[scale, 0, x - scale * at[0]], [0, scale, y - scale * at[1]], [0, 0, 1]]))


def _moved(image_bgra: np.ndarray, across: float, down: float) -> np.ndarray:
    """A picture with the motion blur of a way in pixels."""
    size = 2 * int(max(abs(across), abs(down)) / 2) + 1
    if size < 3:
        return image_bgra
    kernel = np.zeros((size, size), np.float32)
    middle = np.array([size // 2, size // 2])
    way = np.array([across, down]) / 2
    cv2.line(kernel, tuple((middle - way).astype(int).tolist()), tuple((middle + way).astype(int).tolist()), 1.0)
    return cv2.filter2D(image_bgra, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT)


def _turn_of(size_wh: tuple[int, int], seed: int, number: int) -> Turn:
    rng = np.random.default_rng([seed, 3, number])
    labels = list(SCRIPTS)
    label = labels[(number * 3 + seed) % len(labels)]
    scripts = SCRIPTS[label]
    script = scripts[rng.integers(len(scripts))]
    style = random_style(rng, size_wh)
    wide = 4.2 * PALM_MM * style.px_per_mm * style.size / size_wh[0]  # as far as a swipe reaches, as a share
    middle = 0.5 if script.other_keys else float(np.clip(style.place_xy[0], min(0.5, wide / 2), max(0.5, 1 - wide / 2)))
    style = replace(style, tempo=float(np.clip(style.tempo, 0.8, 1.4)), place_xy=(middle, style.place_xy[1]))
    return Turn(label, Performance(script, style, rng), number * TURN_S)
