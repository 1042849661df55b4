"""Rendered scenes: a person shows handwriting or a hand sign to a webcam. For machines without a camera, and tests."""

import string
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from recognizer.errors import SettingsError
from recognizer.studio.drawn_hands import draw_hand
from recognizer.studio.handwriting import LETTERS_LIKE_DIGITS, digit_strokes, letter_strokes, placement_matrix
from recognizer.studio.holding_hands import SKINS, SLEEVES, Sprite, draw_holding_hands
from recognizer.studio.moving_hands import TURN_S, MovingHands
from recognizer.studio.room import NOISE_OFFSET, draw_light, draw_room, draw_sensor_noise, draw_wall, exposed_for_hand
from recognizer.studio.stationery import PAPERS, PENS, Paper, blank_sheet, draw_ink, placed_points
from recognizer.values import Box, Frame, Truth

SCENES: dict[str, str] = {
    "digits": "one sheet after another, each with a number of one to four digits",
    "numbers": "sheets with several lines of numbers",
    "crowd": "one sheet full of digits, fifty by default",
    "letters": "sheets with letters that do not look like digits",
    "blank": "sheets with nothing on them",
    "rps": "a hand that shows rock, paper and scissors in turn",
    "signs": "a hand that shows clearly different letters of the finger alphabet",
    "moves": "hands that sign J and Z, wave, swipe, draw a circle and clap",
}

_CARD_S = 2.4  # duration of a sheet: long enough to read it; 25 sheets per minute
_THUMB_MM = 28  # margin covered by a thumb, without writing
_ENTER_S = 0.3  # duration in which a sheet enters or leaves the picture
_MAX_CROWD = 50
_SIDE_PX = (160, 4096)  # smallest and largest side of a frame

# Scenes of hands: for each label its variants in drawn_hands.SIGNS.
_SIGNS: dict[str, dict[str, tuple[str, ...]]] = {
    "rps": {"rock": ("S",), "paper": ("open",), "scissors": ("V",)},
    "signs": {letter: (letter,) for letter in "BCDFILVWY"},
}
_HAND_MM = 190  # from the wrist to the tip of the longest finger
_SIGNS_PER_PERSON = 6  # then another person in another place

_Draw = Callable[[np.random.Generator], list[np.ndarray]]


@dataclass(frozen=True, eq=False)
class _Glyph:
    label: str
    points: np.ndarray  # (N, 2) float32 on the sheet, in its pixels
    half_width: float  # of the pen, in pixels of the sheet


@dataclass(frozen=True, eq=False)
class _Card:
    """One sheet or one hand, with everything that is constant while it is shown."""

    room: np.ndarray  # (H, W, 4) uint8, the background
    sheet_bgra: np.ndarray | None  # (h, w, 4) uint8, None for a hand without a sheet
    size_wh: tuple[int, int]  # of the sheet or the hand's picture
    center_xy: tuple[float, float]  # the point that is shown at the centre of the view, in its pixels
    glyphs: tuple[_Glyph, ...]
    behind: tuple[Sprite, ...]  # hands behind the sheet
    before: tuple[Sprite, ...]  # thumbs on it, or the hand that shows a sign
    light: np.ndarray  # (H, W, 3) uint8, 255 for full light
    rest: np.ndarray  # (6,) mean pose: x, y in picture heights, relative scale; yaw, pitch, roll in radians
    swing: np.ndarray  # (6, 3) amplitude of each pose parameter at three frequencies
    pace: np.ndarray  # (6, 3) angular frequencies, radians per second
    phase: np.ndarray  # (6, 3) radians


class Studio:
    """A rendered webcam view of a hand-held sheet or of a hand that shows a sign.

    A frame depends on `seed` and its index only, so frames can be requested in any order. The `truth` of a frame holds
    each character that is fully visible, in writing order, with the box around its ink in pixels; or the sign with the
    box around the hand, if the hand is fully visible; in the scene "moves", the movement while it is going on.
    Raises SettingsError for an unknown scene and for sizes, rates and counts out of range.
    """

    def __init__(
        self,
        scene: str = "digits",
        size_wh: tuple[int, int] = (1280, 720),
        fps: float = 30.0,
        seed: int = 0,
        count: int = _MAX_CROWD,
    ) -> None:
        """`count`, 1 to 50, is the number of digits on a sheet of the scene "crowd". Other scenes ignore it."""
        if scene not in SCENES:
            raise SettingsError(f"There is no studio scene {scene!r}. Scenes: {', '.join(SCENES)}.")
        low, high = _SIDE_PX
        if not all(low <= side <= high for side in size_wh):
            raise SettingsError(
                f"The studio cannot draw {size_wh[0]}x{size_wh[1]}. Give sides of {low} to {high} pixels."
            )
        if not 0 < fps <= 1000:
            raise SettingsError(f"The studio cannot run at {fps} frames per second. Give a rate above 0, up to 1000.")
        if not 1 <= count <= _MAX_CROWD:
            raise SettingsError(f"A crowd of {count} digits does not fit on a sheet. Give 1 to {_MAX_CROWD}.")
        self.scene = scene
        self.size_wh = size_wh
        self.fps = fps
        self._seed = seed
        self._count = count
        rng = np.random.default_rng([seed, 0])
        self._skin = SKINS[rng.integers(len(SKINS))]
        self._sleeve = SLEEVES[rng.integers(len(SLEEVES))]
        self._room = draw_room(size_wh, self._skin, self._sleeve, rng)
        self._noise = draw_sensor_noise(size_wh, rng)
        # weak: a cache that refers to its studio would keep its pictures in memory after the studio is dropped
        self._moving = MovingHands(size_wh, seed) if scene == "moves" else None
        me, make = weakref.proxy(self), Studio._make_sign if scene in _SIGNS else Studio._make_card
        self._card = lru_cache(maxsize=3)(lambda card_index: make(me, card_index))
        self._light = lru_cache(maxsize=2)(
            lambda number: exposed_for_hand(
                draw_light(size_wh, np.random.default_rng([seed, 4, number])), size_wh[0] / 2
            )
        )
        self._person = lru_cache(maxsize=2)(lambda person: Studio._make_person(me, person))

    def frame(self, index: int) -> Frame:
        """The frame with this index, from 0, at the time index / fps."""
        time_s = index / self.fps
        if self._moving is not None:
            return self._moving_frame(self._moving, index, time_s)
        card_index = int(time_s / _CARD_S)
        card = self._card(card_index)
        to_picture = self._pose(card, card_index, time_s)
        layers = card.room.copy()  # the fourth channel is padding: OpenCV warps four channels faster than three
        for sprite in card.behind:
            _blend(layers, sprite, to_picture)
        if card.sheet_bgra is not None:
            _warp_onto(layers, card.sheet_bgra, to_picture)
        for sprite in card.before:
            _blend(layers, sprite, to_picture)
        image = cv2.cvtColor(layers, cv2.COLOR_BGRA2BGR)
        self._add_motion_blur(image, card, to_picture, self._pose(card, card_index, time_s - 0.4 / self.fps))
        image = self._photographed(image, card.light, index)
        return Frame(image, index, time_s, f"studio:{self.scene}", _truth(card.glyphs, to_picture, self.size_wh))

    def _moving_frame(self, moving: MovingHands, index: int, time_s: float) -> Frame:
        number = int(time_s / TURN_S)
        skin, sleeve, room = self._person(number // _SIGNS_PER_PERSON)
        layers = room.copy()
        for sprite in moving.sprites(time_s, skin, sleeve):
            _blend(layers, sprite, np.eye(3))
        image = self._photographed(cv2.cvtColor(layers, cv2.COLOR_BGRA2BGR), self._light(number), index)
        return Frame(image, index, time_s, f"studio:{self.scene}", moving.truth(time_s))

    def _photographed(self, image: np.ndarray, light: np.ndarray, index: int) -> np.ndarray:
        """The picture (H, W, 3) in its light (H, W, 3), through the camera's lens and sensor."""
        image = cv2.multiply(image, light, scale=1 / 255)
        image = cv2.GaussianBlur(image, (3, 3), 0.7)  # lens blur
        return self._with_noise(image, index)

    def _pose(self, card: _Card, card_index: int, time_s: float) -> np.ndarray:
        """The (3, 3) projection from the sheet's pixels to the picture's."""
        width, height = self.size_wh
        swing = (card.swing * np.sin(card.pace * time_s + card.phase)).sum(axis=1)
        x, y, growth, yaw, pitch, roll = card.rest + swing
        shown_s = time_s - card_index * _CARD_S
        entering = 1 - shown_s / _ENTER_S if card_index else 0.0  # the first sheet is visible from the start
        leaving = 1 - (_CARD_S - shown_s) / _ENTER_S
        out_of_view = max(entering, leaving, 0.0)
        y += 1.25 * out_of_view * out_of_view
        roll += 0.2 * out_of_view * out_of_view
        (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        turn = turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        focal = 1.1 * width  # a webcam sees about 50 degrees
        scale = 1 + growth  # the sheet is rendered at its size without rotation
        centre = _origin_at(*card.center_xy)
        flat = np.column_stack([turn[:, 0] * scale, turn[:, 1] * scale, [x * height, y * height, focal]])
        lens = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return lens @ flat @ centre

    def _add_motion_blur(self, image: np.ndarray, card: _Card, now: np.ndarray, before: np.ndarray) -> None:
        """Adds motion blur to the sheet for the exposure time, in place."""
        middle = np.array([card.center_xy])
        across, down = (_project(middle, now) - _project(middle, before))[0]
        kernel = 1 + int(abs(across)), 1 + int(abs(down))
        if max(kernel) < 3:
            return
        x1, y1, x2, y2 = _bounds(card.size_wh[::-1], now, self.size_wh)
        if x1 < x2 and y1 < y2:
            image[y1:y2, x1:x2] = cv2.blur(image[y1:y2, x1:x2], (min(kernel[0], 31), min(kernel[1], 31)))

    def _with_noise(self, image: np.ndarray, index: int) -> np.ndarray:
        width, height = self.size_wh
        spare_h, spare_w = self._noise.shape[0] - height, self._noise.shape[1] - width
        # Offsets without a visible pattern; multiples of 8 keep the JPEG blocks aligned.
        x, y = index * 5 * 8 % spare_w // 8 * 8, index * 11 * 8 % spare_h // 8 * 8
        return cv2.addWeighted(image, 1, self._noise[y : y + height, x : x + width], 1, -NOISE_OFFSET)

    def _make_card(self, card_index: int) -> _Card:
        rng = np.random.default_rng([self._seed, 1, card_index])
        width, height = self.size_wh
        paper = PAPERS[rng.integers(len(PAPERS))]
        crowded = self.scene in ("crowd", "numbers")
        share = rng.uniform(0.8, 0.95) if crowded else rng.uniform(0.56, 1.0)
        # The sheet's share of the picture's height, limited so that its sides stay in the picture.
        sheet_h = round(min(share * height, 0.98 * width * paper.size_mm[1] / paper.size_mm[0]))
        sheet_w = round(sheet_h * paper.size_mm[0] / paper.size_mm[1])
        mm = sheet_h / paper.size_mm[1]
        sheet = blank_sheet(paper, (sheet_w, sheet_h), mm, rng)
        glyphs = self._write_text(sheet, paper, mm, rng)
        sharpness = rng.uniform(0.35, 1.0) * height / 720
        sheet = cv2.GaussianBlur(sheet, (0, 0), sharpness)
        behind, before = draw_holding_hands(paper.size_mm, mm, self._skin, self._sleeve, rng)
        rest = rng.normal(
            [0, 0.0 if crowded else 0.44 - 0.42 * share, 0, 0, 0, 0], [0.02, 0.015, 0.01, 0.09, 0.07, 0.06]
        ).clip(-0.17, 0.2)
        moves = _random_motion([0.01, 0.008, 0.008, 0.02, 0.018, 0.008], rng)
        light = draw_light(self.size_wh, rng)
        sheet = cv2.cvtColor(sheet, cv2.COLOR_BGR2BGRA)
        center = sheet_w / 2, sheet_h / 2
        return _Card(self._room, sheet, (sheet_w, sheet_h), center, glyphs, behind, before, light, rest, *moves)

    def _make_sign(self, card_index: int) -> _Card:
        rng = np.random.default_rng([self._seed, 1, card_index])
        height = self.size_wh[1]
        labels = sorted(_SIGNS[self.scene])
        label = labels[(card_index * 7 + self._seed) % len(labels)]  # all labels in turn, but not in alphabetical order
        variants = _SIGNS[self.scene][label]
        skin, sleeve, room = self._person(card_index // _SIGNS_PER_PERSON)
        share = rng.uniform(0.44, 0.7)
        mm = share * min(height, self.size_wh[0]) / _HAND_MM
        side = "left" if rng.random() < 0.5 else "right"
        arm_mm = 0.75 * height / mm - 30  # ends outside of the picture for any motion
        variant = variants[rng.integers(len(variants))]
        hand = draw_hand(variant, side=side, skin_bgr=skin, sleeve_bgr=sleeve, px_per_mm=mm, rng=rng, arm_mm=arm_mm)
        joints = hand.joints[:, :2]
        sheet_h, sheet_w = hand.image_bgra.shape[:2]
        center = (joints.min(axis=0) + joints.max(axis=0)) / 2
        beside = 0.3 if side == "left" else -0.3  # of the head, seen from the camera
        rest = rng.normal([beside, 0, 0, 0, 0, 0], [0.12, 0.03, 0.01, 0.05, 0.04, 0.05]).clip(-0.45, 0.45)
        room_x = max(0.0, (self.size_wh[0] - 1.2 * float(np.ptp(joints[:, 0])) - 40 * mm) / 2 / height)
        rest[0] = rest[0].clip(-room_x, room_x)
        moves = _random_motion([0.022, 0.018, 0.022, 0.05, 0.04, 0.03], rng)
        sharpness = rng.uniform(0.3, 0.9) * height / 720
        picture = Sprite(cv2.GaussianBlur(hand.image_bgra, (0, 0), sharpness), np.eye(3))
        glyphs = (_Glyph(label, joints, 8 * mm),)
        light = exposed_for_hand(draw_light(self.size_wh, rng), self.size_wh[0] / 2 + rest[0] * height)
        return _Card(
            room, None, (sheet_w, sheet_h), tuple(center.tolist()), glyphs, (), (picture,), light, rest, *moves
        )

    def _make_person(self, person: int) -> tuple[tuple[int, int, int], tuple[int, int, int], np.ndarray]:
        """Skin and sleeve colours of a person, BGR, and the background, (H, W, 4) uint8."""
        rng = np.random.default_rng([self._seed, 2, person])
        skin = SKINS[(self._seed + 2 * person) % len(SKINS)]
        sleeve = SLEEVES[rng.integers(len(SLEEVES))]
        room = draw_room(self.size_wh, skin, sleeve, rng) if rng.random() < 0.6 else draw_wall(self.size_wh, rng)
        return skin, sleeve, room

    def _write_text(self, sheet: np.ndarray, paper: Paper, mm: float, rng: np.random.Generator) -> tuple[_Glyph, ...]:
        """Writes the scene's text on the sheet, in place."""
        if self.scene == "blank":
            return ()
        lines = self._text(rng)
        margin_x, margin_y = (paper.rim_mm + _THUMB_MM) * mm, (paper.rim_mm + 12) * mm
        sheet_h, sheet_w = sheet.shape[:2]
        room_w, room_h = sheet_w - 2 * margin_x, sheet_h - 2 * margin_y
        longest = max(len(line) for line in lines)
        largest = min(room_w / (longest * 0.82), room_h / (len(lines) * 1.3))
        char_h = largest * (rng.uniform(0.5, 1.0) if len(lines) == 1 else rng.uniform(0.85, 1.0))
        line_h = min(room_h / len(lines), char_h * 1.5)
        pen = PENS[paper.pens[rng.integers(len(paper.pens))]]
        pen_px = max(char_h * rng.uniform(*pen.width), 1.6 * sheet_h / 720)
        color = pen.colors[rng.integers(len(pen.colors))]
        opacity = rng.uniform(*pen.opacity)
        slope = rng.normal(0, 0.02)
        spare_y = room_h - line_h * len(lines)
        top = margin_y + rng.uniform(0.2, 0.8) * spare_y
        shift = rng.uniform(0.3, 0.7)
        glyphs: list[_Glyph] = []
        for number, line in enumerate(lines):
            drawn = [(label, draw(rng)) for label, draw in line]
            sizes = [char_h * rng.uniform(0.9, 1.06) for _ in drawn]
            spans = [max(float(np.ptp(np.concatenate(strokes)[:, 0])), 0.12) for _, strokes in drawn]
            gaps = [char_h * rng.uniform(0.2, 0.34) + pen_px for _ in drawn]
            total = sum(span * size for span, size in zip(spans, sizes, strict=True)) + sum(gaps[:-1])
            fit = min(1.0, room_w / total)
            x = margin_x + shift * (room_w - total * fit)
            for (label, strokes), size, span, gap in zip(drawn, sizes, spans, gaps, strict=True):
                points = np.concatenate(strokes)
                lowest, middle = points[:, 1].max(), float(points[:, 1].min() + points[:, 1].max()) / 2
                base = (
                    top
                    + (number + 0.5) * line_h
                    + char_h / 2
                    + slope * (x - sheet_w / 2)
                    + rng.normal(0, 0.015) * char_h
                )
                box_h = float(np.ptp(points[:, 1])) * size * fit
                center = x + span * size * fit / 2, base - (min(float(lowest), 1.0) - middle) * size * fit
                matrix = placement_matrix(strokes, center, max(box_h, 1.0), np.rad2deg(slope) + rng.normal(0, 1.5))
                draw_ink(sheet, strokes, matrix, pen_px, color, opacity, pen, rng)
                glyphs.append(_Glyph(label, placed_points(points, matrix), pen_px / 2))
                x += (span * size + gap) * fit
        return tuple(glyphs)

    def _text(self, rng: np.random.Generator) -> list[list[tuple[str, _Draw]]]:
        """The text of one sheet: lines of characters, each with its label and a function that draws it."""
        if self.scene == "letters":
            letters = sorted(set(string.ascii_letters) - LETTERS_LIKE_DIGITS)
            return [
                [_letter(letters[i]) for i in rng.integers(len(letters), size=rng.integers(2, 6))] for _ in range(2)
            ]
        if self.scene == "crowd":
            across = int(np.ceil(np.sqrt(self._count * 1.7)))
            digits = [_digit(int(d)) for d in rng.integers(10, size=self._count)]
            return [digits[i : i + across] for i in range(0, self._count, across)]
        rows = int(rng.integers(2, 5)) if self.scene == "numbers" else 1
        longest = 6 if self.scene == "numbers" else 4
        return [[_digit(int(d)) for d in rng.integers(10, size=rng.integers(1, longest + 1))] for _ in range(rows)]


def _digit(digit: int) -> tuple[str, _Draw]:
    return str(digit), lambda rng: digit_strokes(digit, rng)


def _letter(letter: str) -> tuple[str, _Draw]:
    return letter, lambda rng: letter_strokes(letter, rng)


def _random_motion(reach: list[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplitude, angular frequency and phase, (6, 3) each, of a motion of about `reach` in each pose parameter."""
    swing = rng.uniform(0.2, 1, (6, 3)) * np.array(reach)[:, None]
    pace = 2 * np.pi * rng.uniform([0.15, 0.4, 0.9], [0.35, 0.8, 1.6], (6, 3))
    return swing * np.array([1, 0.5, 0.15]), pace, rng.uniform(0, 2 * np.pi, (6, 3))


def _project(points: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """(N, 2) points through a (3, 3) projection."""
    moved = points @ projection[:, :2].T + projection[:, 2]
    return moved[:, :2] / moved[:, 2:]


def _bounds(shape: tuple[int, ...], projection: np.ndarray, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The bounding box of a projected image of this shape, clipped to the picture: x1, y1, x2, y2, empty where x1 >= x2."""
    height, width = shape[:2]
    corners = _project(np.array([[0, 0], [width, 0], [width, height], [0, height]]), projection)
    x1, y1 = np.floor(corners.min(axis=0)).astype(int)
    x2, y2 = np.ceil(corners.max(axis=0)).astype(int) + 1
    return max(int(x1), 0), max(int(y1), 0), min(int(x2), size_wh[0]), min(int(y2), size_wh[1])


def _origin_at(x: float, y: float) -> np.ndarray:
    """The transform that makes (x, y) the origin."""
    return np.array([[1.0, 0, -x], [0, 1.0, -y], [0, 0, 1.0]])


def _warp_onto(layers: np.ndarray, sheet_bgra: np.ndarray, projection: np.ndarray) -> None:
    """Projects the sheet into the (H, W, 4) picture, in place."""
    x1, y1, x2, y2 = _bounds(sheet_bgra.shape, projection, (layers.shape[1], layers.shape[0]))
    if x1 < x2 and y1 < y2:
        part, moved = layers[y1:y2, x1:x2], _origin_at(x1, y1) @ projection
        cv2.warpPerspective(sheet_bgra, moved, (x2 - x1, y2 - y1), part, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def _blend(layers: np.ndarray, sprite: Sprite, to_picture: np.ndarray) -> None:
    """Alpha-blends a sprite into the (H, W, 4) picture, in place."""
    projection = to_picture @ sprite.to_sheet
    x1, y1, x2, y2 = _bounds(sprite.image_bgra.shape, projection, (layers.shape[1], layers.shape[0]))
    if x1 < x2 and y1 < y2:
        part, moved = layers[y1:y2, x1:x2], _origin_at(x1, y1) @ projection
        over = cv2.warpPerspective(sprite.image_bgra, moved, (x2 - x1, y2 - y1))
        clear = cv2.bitwise_not(cv2.extractChannel(over, 3))
        behind = cv2.multiply(part, cv2.merge([clear] * 4), scale=1 / 255)
        cv2.add(behind, over, dst=part)


def _truth(glyphs: tuple[_Glyph, ...], to_picture: np.ndarray, size_wh: tuple[int, int]) -> tuple[Truth, ...]:
    found = []
    for glyph in glyphs:
        points = _project(glyph.points, to_picture)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = float((high - low).max() / max(np.ptp(glyph.points, axis=0).max(), 1))
        reach = glyph.half_width * scale
        x1, y1 = np.floor(low - reach).astype(int)
        x2, y2 = np.ceil(high + reach).astype(int) + 1
        if x1 >= 0 and y1 >= 0 and x2 <= size_wh[0] and y2 <= size_wh[1]:
            found.append(Truth(glyph.label, Box(int(x1), int(y1), int(x2), int(y2))))
    return tuple(found)


STUDIO_SCENES = {"digits": "digits", "letters": "signs", "rps": "rps"}  # the scene of each shipped task
