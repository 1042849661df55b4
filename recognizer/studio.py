"""Scenes drawn by code: somebody holds handwriting or a hand sign to a webcam. A camera for machines that have none."""

import string
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from recognizer.errors import SettingsError
from recognizer.hand_drawing import draw_hand
from recognizer.strokes import LETTERS_LIKE_DIGITS, digit_strokes, draw_strokes, letter_strokes, placing
from recognizer.values import Box, Frame, Truth

SCENES: dict[str, str] = {
    "digits": "one sheet after another, each with a number of one to four digits",
    "numbers": "sheets with several lines of numbers",
    "crowd": "one sheet full of digits, fifty unless told otherwise",
    "letters": "sheets with letters that nobody takes for digits",
    "blank": "sheets with nothing on them",
    "rps": "a hand that shows rock, paper and scissors in turn",
    "signs": "a hand that shows letters of the finger alphabet that nobody confuses",
}

_CARD_S = 2.4  # how long a sheet is shown: time to read it, and a minute of watching shows 25 of them
_THUMB_MM = 28  # how far a thumb reaches onto the sheet: nothing is written there
_COME_S = 0.3  # the time in which a sheet comes into the picture, and goes
_MAX_CROWD = 50
_SIDE_PX = (160, 4096)  # smallest and largest side of a picture that the scenes are drawn for

# What a hand shows in the scenes without paper: for each label the ways to hold it.
_SIGNS: dict[str, dict[str, tuple[str, ...]]] = {
    "rps": {"rock": ("S",), "paper": ("open",), "scissors": ("V",)},
    "signs": {letter: (letter,) for letter in "BCDFILVWY"},
}
_HAND_MM = 190  # from the wrist to the tip of the longest finger
_SITTING = 6  # so many signs are shown by one person in one place, then comes another

_Draw = Callable[[np.random.Generator], list[np.ndarray]]


@dataclass(frozen=True)
class _Paper:
    """What is written on. Colours are BGR, 0 to 255."""

    name: str
    size_mm: tuple[float, float]
    color: tuple[int, int, int]
    pens: tuple[str, ...]
    lines: str = ""  # "", "ruled" or "squared"
    frame: tuple[int, int, int] | None = None  # colour of the rim, where there is one
    rim_mm: float = 0.0


@dataclass(frozen=True)
class _Pen:
    """What is written with. Widths are in heights of a digit."""

    width: tuple[float, float]
    colors: tuple[tuple[int, int, int], ...]
    opacity: tuple[float, float]
    grain: float = 0.0  # how much of the paper's tooth shows through
    gaps: float = 0.0


_PENS = {
    "pencil": _Pen((0.022, 0.042), ((70, 66, 66), (88, 84, 82)), (0.7, 0.92), grain=0.5, gaps=0.05),
    "ballpoint": _Pen(
        (0.022, 0.045), ((120, 50, 28), (38, 32, 32), (150, 60, 20)), (0.82, 0.97), grain=0.12, gaps=0.08
    ),
    "felt": _Pen((0.045, 0.085), ((30, 26, 26), (130, 40, 20), (30, 30, 150), (50, 90, 20)), (0.9, 1.0)),
    "marker": _Pen((0.085, 0.15), ((26, 22, 22), (120, 30, 16), (24, 22, 160)), (0.92, 1.0)),
    "board marker": _Pen((0.05, 0.1), ((36, 30, 30), (150, 50, 20), (40, 36, 190), (60, 120, 20)), (0.85, 0.97), 0.15),
    "chalk": _Pen((0.05, 0.1), ((225, 230, 232), (190, 225, 235)), (0.75, 0.95), grain=0.55, gaps=0.03),
    "stylus": _Pen((0.03, 0.08), ((240, 240, 240), (110, 225, 250), (240, 200, 120)), (0.95, 1.0)),
    "dark stylus": _Pen((0.03, 0.08), ((30, 28, 28), (150, 60, 20)), (0.95, 1.0)),
}
_BY_HAND = ("pencil", "ballpoint", "felt", "marker", "marker")
_PAPERS = (
    _Paper("plain", (297, 210), (232, 236, 238), _BY_HAND),
    _Paper("plain", (210, 200), (224, 234, 240), _BY_HAND),
    _Paper("plain", (148, 105), (206, 226, 236), _BY_HAND),  # an index card, a little yellow
    _Paper("ruled", (210, 160), (232, 237, 238), _BY_HAND, "ruled"),
    _Paper("squared", (210, 148), (232, 236, 237), _BY_HAND, "squared"),
    _Paper("whiteboard", (300, 210), (236, 236, 234), ("board marker",), "", (150, 146, 142), 7),
    _Paper("blackboard", (280, 200), (52, 56, 50), ("chalk",), "", (62, 104, 146), 12),
    _Paper("tablet", (250, 175), (34, 31, 30), ("stylus",), "", (24, 22, 22), 9),
    _Paper("tablet", (250, 175), (244, 244, 242), ("dark stylus",), "", (24, 22, 22), 9),
)


@dataclass(frozen=True, eq=False)
class _Glyph:
    label: str
    points: np.ndarray  # (N, 2) float32 on the sheet, in its pixels
    half_width: float  # of the pen, in pixels of the sheet


@dataclass(frozen=True, eq=False)
class _Sprite:
    """A picture with soft edges."""

    image_bgra: np.ndarray  # (h, w, 4) uint8, the colours already multiplied by alpha
    to_sheet: np.ndarray  # (3, 3), from its pixels to the sheet's


@dataclass(frozen=True, eq=False)
class _Card:
    """One sheet, or one hand, with all that stays the same while it is held up."""

    room: np.ndarray  # (H, W, 4) uint8, what is behind it
    sheet_bgra: np.ndarray | None  # (h, w, 4) uint8, None where a hand holds no sheet
    size_wh: tuple[int, int]  # of the sheet or the hand's picture
    center_xy: tuple[float, float]  # what of it is held before the camera, in its pixels
    glyphs: tuple[_Glyph, ...]
    behind: tuple[_Sprite, ...]  # hands behind the sheet
    before: tuple[_Sprite, ...]  # thumbs on it, or the hand that shows a sign
    light: np.ndarray  # (H, W, 3) uint8, 255 for full light
    rest: np.ndarray  # (6,) x, y in picture heights off the middle, growth, and yaw, pitch, roll in radians
    swing: np.ndarray  # (6, 3) how far each of these moves, at three frequencies
    pace: np.ndarray  # (6, 3) radians per second
    phase: np.ndarray  # (6, 3)


class Studio:
    """A webcam that looks at a hand-held sheet, or at a hand that shows a sign, drawn by code.

    A picture depends on `seed` and its index alone, so that any frame can be asked for at any time. Its `truth` holds
    each character that is wholly in the picture, in writing order, with the box around its ink in pixels; or the sign,
    with the box around the hand, once all of the hand is in the picture.
    Raises SettingsError for an unknown scene and for sizes and rates that no picture can have.
    """

    def __init__(
        self,
        scene: str = "digits",
        size_wh: tuple[int, int] = (1280, 720),
        fps: float = 30.0,
        seed: int = 0,
        count: int = _MAX_CROWD,
    ) -> None:
        """`count` is the number of digits on a sheet of the scene "crowd", 1 to 50; other scenes do not use it."""
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
        self._skin = _SKINS[rng.integers(len(_SKINS))]
        self._sleeve = _SLEEVES[rng.integers(len(_SLEEVES))]
        self._room = _room(size_wh, self._skin, self._sleeve, rng)
        self._noise = _sensor_noise(size_wh, rng)
        # weak: a studio that its own caches held would keep its pictures long after another scene is shown
        me, make = weakref.proxy(self), Studio._make_sign if scene in _SIGNS else Studio._make_card
        self._card = lru_cache(maxsize=3)(lambda card_index: make(me, card_index))
        self._sitting = lru_cache(maxsize=2)(lambda sitting: Studio._make_sitting(me, sitting))

    def frame(self, index: int) -> Frame:
        """The picture with this index, 0 or above, at the time index / fps."""
        time_s = index / self.fps
        card_index = int(time_s / _CARD_S)
        card = self._card(card_index)
        to_picture = self._pose(card, card_index, time_s)
        layers = card.room.copy()  # with a fourth channel that only fills up: OpenCV warps four faster than three
        for sprite in card.behind:
            _blend(layers, sprite, to_picture)
        if card.sheet_bgra is not None:
            _lay(layers, card.sheet_bgra, to_picture)
        for sprite in card.before:
            _blend(layers, sprite, to_picture)
        image = cv2.cvtColor(layers, cv2.COLOR_BGRA2BGR)
        self._smear(image, card, to_picture, self._pose(card, card_index, time_s - 0.4 / self.fps))
        image = cv2.multiply(image, card.light, scale=1 / 255)
        image = cv2.GaussianBlur(image, (3, 3), 0.7)  # the lens
        image = self._with_noise(image, index)
        return Frame(image, index, time_s, f"studio:{self.scene}", _truth(card.glyphs, to_picture, self.size_wh))

    def _pose(self, card: _Card, card_index: int, time_s: float) -> np.ndarray:
        """The (3, 3) projection from the sheet's pixels to the picture's."""
        width, height = self.size_wh
        swing = (card.swing * np.sin(card.pace * time_s + card.phase)).sum(axis=1)
        x, y, growth, yaw, pitch, roll = card.rest + swing
        shown_s = time_s - card_index * _CARD_S
        coming = 1 - shown_s / _COME_S if card_index else 0.0  # the first sheet is there from the start
        going = 1 - (_CARD_S - shown_s) / _COME_S
        away = max(coming, going, 0.0)
        y += 1.25 * away * away
        roll += 0.2 * away * away
        (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        turn = turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        focal = 1.1 * width  # a webcam sees about 50 degrees
        scale = 1 + growth  # the sheet is drawn as large as it is seen when held straight
        centre = _from(*card.center_xy)
        flat = np.column_stack([turn[:, 0] * scale, turn[:, 1] * scale, [x * height, y * height, focal]])
        lens = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return lens @ flat @ centre

    def _smear(self, image: np.ndarray, card: _Card, now: np.ndarray, before: np.ndarray) -> None:
        """Blurs the sheet along its way while the shutter was open, in place."""
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
        # Any numbers without a pattern to the eye; steps of 8 keep the blocks of the camera's JPEG where they belong.
        x, y = index * 5 * 8 % spare_w // 8 * 8, index * 11 * 8 % spare_h // 8 * 8
        return cv2.addWeighted(image, 1, self._noise[y : y + height, x : x + width], 1, -_NOISE_ZERO)

    def _make_card(self, card_index: int) -> _Card:
        rng = np.random.default_rng([self._seed, 1, card_index])
        width, height = self.size_wh
        paper = _PAPERS[rng.integers(len(_PAPERS))]
        crowded = self.scene in ("crowd", "numbers")
        share = rng.uniform(0.8, 0.95) if crowded else rng.uniform(0.56, 1.0)
        # Held so that about this share of the picture's height is the sheet, and its sides stay in the picture.
        sheet_h = round(min(share * height, 0.98 * width * paper.size_mm[1] / paper.size_mm[0]))
        sheet_w = round(sheet_h * paper.size_mm[0] / paper.size_mm[1])
        mm = sheet_h / paper.size_mm[1]
        sheet = _blank(paper, (sheet_w, sheet_h), mm, rng)
        glyphs = self._write(sheet, paper, mm, rng)
        sharpness = rng.uniform(0.35, 1.0) * height / 720
        sheet = cv2.GaussianBlur(sheet, (0, 0), sharpness)
        behind, before = _hands(paper.size_mm, mm, self._skin, self._sleeve, rng)
        rest = rng.normal(
            [0, 0.0 if crowded else 0.44 - 0.42 * share, 0, 0, 0, 0], [0.02, 0.015, 0.01, 0.09, 0.07, 0.06]
        ).clip(-0.17, 0.2)
        moves = _moves([0.01, 0.008, 0.008, 0.02, 0.018, 0.008], rng)
        light = _light(self.size_wh, rng)
        sheet = cv2.cvtColor(sheet, cv2.COLOR_BGR2BGRA)
        center = sheet_w / 2, sheet_h / 2
        return _Card(self._room, sheet, (sheet_w, sheet_h), center, glyphs, behind, before, light, rest, *moves)

    def _make_sign(self, card_index: int) -> _Card:
        rng = np.random.default_rng([self._seed, 1, card_index])
        height = self.size_wh[1]
        labels = sorted(_SIGNS[self.scene])
        label = labels[(card_index * 7 + self._seed) % len(labels)]  # all in turn, and not in the alphabet's order
        ways = _SIGNS[self.scene][label]
        skin, sleeve, room = self._sitting(card_index // _SITTING)
        share = rng.uniform(0.44, 0.7)
        mm = share * min(height, self.size_wh[0]) / _HAND_MM
        side = "left" if rng.random() < 0.5 else "right"
        arm_mm = 0.75 * height / mm - 30  # out of the picture, however the hand moves
        way = ways[rng.integers(len(ways))]
        hand = draw_hand(way, side=side, skin_bgr=skin, sleeve_bgr=sleeve, px_per_mm=mm, rng=rng, arm_mm=arm_mm)
        joints = hand.joints[:, :2]
        sheet_h, sheet_w = hand.image_bgra.shape[:2]
        center = (joints.min(axis=0) + joints.max(axis=0)) / 2
        beside = 0.3 if side == "left" else -0.3  # of the head, seen from the camera
        rest = rng.normal([beside, 0, 0, 0, 0, 0], [0.12, 0.03, 0.01, 0.05, 0.04, 0.05]).clip(-0.45, 0.45)
        room_x = max(0.0, (self.size_wh[0] - 1.2 * float(np.ptp(joints[:, 0])) - 40 * mm) / 2 / height)
        rest[0] = rest[0].clip(-room_x, room_x)
        moves = _moves([0.022, 0.018, 0.022, 0.05, 0.04, 0.03], rng)
        sharpness = rng.uniform(0.3, 0.9) * height / 720
        picture = _Sprite(cv2.GaussianBlur(hand.image_bgra, (0, 0), sharpness), np.eye(3))
        glyphs = (_Glyph(label, joints, 8 * mm),)
        light = _exposed(_light(self.size_wh, rng), self.size_wh[0] / 2 + rest[0] * height)
        return _Card(
            room, None, (sheet_w, sheet_h), tuple(center.tolist()), glyphs, (), (picture,), light, rest, *moves
        )

    def _make_sitting(self, sitting: int) -> tuple[tuple[int, int, int], tuple[int, int, int], np.ndarray]:
        """Skin and sleeve of a person who shows signs, and what the camera sees behind the hand, (H, W, 4) uint8."""
        rng = np.random.default_rng([self._seed, 2, sitting])
        skin = _SKINS[(self._seed + 2 * sitting) % len(_SKINS)]
        sleeve = _SLEEVES[rng.integers(len(_SLEEVES))]
        room = _room(self.size_wh, skin, sleeve, rng) if rng.random() < 0.6 else _wall(self.size_wh, rng)
        return skin, sleeve, room

    def _write(self, sheet: np.ndarray, paper: _Paper, mm: float, rng: np.random.Generator) -> tuple[_Glyph, ...]:
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
        pen = _PENS[paper.pens[rng.integers(len(paper.pens))]]
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
                matrix = placing(strokes, center, max(box_h, 1.0), np.rad2deg(slope) + rng.normal(0, 1.5))
                _ink(sheet, strokes, matrix, pen_px, color, opacity, pen, rng)
                glyphs.append(_Glyph(label, _placed(points, matrix), pen_px / 2))
                x += (span * size + gap) * fit
        return tuple(glyphs)

    def _text(self, rng: np.random.Generator) -> list[list[tuple[str, _Draw]]]:
        """What is written on one sheet: lines of characters, each with its label and how it is drawn."""
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


def _moves(reach: list[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Swing, pace and phase of a card that moves about as far as `reach` in each of the six ways."""
    swing = rng.uniform(0.2, 1, (6, 3)) * np.array(reach)[:, None]
    pace = 2 * np.pi * rng.uniform([0.15, 0.4, 0.9], [0.35, 0.8, 1.6], (6, 3))
    return swing * np.array([1, 0.5, 0.15]), pace, rng.uniform(0, 2 * np.pi, (6, 3))


def _placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def _project(points: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """(N, 2) points through a (3, 3) projection."""
    moved = points @ projection[:, :2].T + projection[:, 2]
    return moved[:, :2] / moved[:, 2:]


def _bounds(shape: tuple[int, ...], projection: np.ndarray, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of the picture that a projected image of this shape reaches: x1, y1, x2, y2, empty where x1 >= x2."""
    height, width = shape[:2]
    corners = _project(np.array([[0, 0], [width, 0], [width, height], [0, height]]), projection)
    x1, y1 = np.floor(corners.min(axis=0)).astype(int)
    x2, y2 = np.ceil(corners.max(axis=0)).astype(int) + 1
    return max(int(x1), 0), max(int(y1), 0), min(int(x2), size_wh[0]), min(int(y2), size_wh[1])


def _from(x: float, y: float) -> np.ndarray:
    """The transform that makes (x, y) the origin."""
    return np.array([[1.0, 0, -x], [0, 1.0, -y], [0, 0, 1.0]])


def _lay(layers: np.ndarray, sheet_bgra: np.ndarray, projection: np.ndarray) -> None:
    """Projects the sheet into the (H, W, 4) picture, in place."""
    x1, y1, x2, y2 = _bounds(sheet_bgra.shape, projection, (layers.shape[1], layers.shape[0]))
    if x1 < x2 and y1 < y2:
        part, moved = layers[y1:y2, x1:x2], _from(x1, y1) @ projection
        cv2.warpPerspective(sheet_bgra, moved, (x2 - x1, y2 - y1), part, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def _blend(layers: np.ndarray, sprite: _Sprite, to_picture: np.ndarray) -> None:
    """Puts a sprite into the (H, W, 4) picture, in place."""
    projection = to_picture @ sprite.to_sheet
    x1, y1, x2, y2 = _bounds(sprite.image_bgra.shape, projection, (layers.shape[1], layers.shape[0]))
    if x1 < x2 and y1 < y2:
        part, moved = layers[y1:y2, x1:x2], _from(x1, y1) @ projection
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


def _ink(
    sheet: np.ndarray,
    strokes: list[np.ndarray],
    matrix: np.ndarray,
    pen_px: float,
    color: tuple[int, int, int],
    opacity: float,
    pen: _Pen,
    rng: np.random.Generator,
) -> None:
    """Writes one character on the sheet, in place."""
    points = _placed(np.concatenate(strokes), matrix)
    edge = int(pen_px) + 3
    x1, y1 = np.maximum(np.floor(points.min(axis=0)).astype(int) - edge, 0)
    x2, y2 = np.minimum(np.ceil(points.max(axis=0)).astype(int) + edge, (sheet.shape[1], sheet.shape[0]))
    moved = matrix - np.array([[0, 0, x1], [0, 0, y1]])
    size = int(x2 - x1), int(y2 - y1)
    ink = draw_strokes(strokes, size, pen_px, matrix=moved, pressure=rng.uniform(0.05, 0.3), gaps=pen.gaps, rng=rng)
    cover = ink.astype(np.float32) * (opacity / 255)
    if pen.grain:
        tooth = cv2.GaussianBlur(rng.standard_normal(ink.shape, np.float32), (0, 0), rng.uniform(0.6, 1.2))
        cover *= np.clip(1 - pen.grain * (0.3 + 0.4 * tooth / tooth.std()), 0, 1)
    part = sheet[y1:y2, x1:x2]
    part[:] = (part + cover[..., None] * (np.array(color, np.float32) - part)).astype(np.uint8)


def _blank(paper: _Paper, size_wh: tuple[int, int], mm: float, rng: np.random.Generator) -> np.ndarray:
    """A sheet without ink, (h, w, 3) uint8. `mm` is pixels for a millimetre."""
    width, height = size_wh
    # Slow unevenness of the surface: how it bends, and what many hands and sponges left on it.
    uneven = {"blackboard": 0.05, "tablet": 0.006, "whiteboard": 0.012}.get(paper.name, 0.018)
    coarse = rng.normal(0, uneven, (7, 10)).astype(np.float32)
    if paper.name == "blackboard":
        coarse = cv2.resize(coarse, (40, 28)) + rng.normal(0, 0.05, (28, 40)).astype(np.float32)
    shade = cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC)
    bend = rng.normal(0, 0.05)
    shade += 1 + bend * np.sin(np.linspace(0, np.pi, width, dtype=np.float32) * rng.uniform(0.6, 1.6))
    if paper.name != "tablet":
        shade += rng.standard_normal((height, width), np.float32) * np.float32(0.008)
    sheet = np.empty((height, width, 3), np.uint8)
    for channel, value in enumerate(paper.color):
        np.copyto(sheet[..., channel], np.minimum(shade * value, 255), casting="unsafe")
    if paper.lines:
        _rule(sheet, paper, mm, rng)
    if paper.name == "plain" and rng.random() < 0.35:  # folded once
        x = round(width / 2 + rng.normal(0, 3))
        cv2.line(
            sheet, (x, 0), (x + round(rng.normal(0, 2)), height), (200, 203, 205), max(1, round(0.5 * mm)), cv2.LINE_AA
        )
        cv2.line(sheet, (x + 2, 0), (x + 2, height), (243, 245, 246), 1, cv2.LINE_AA)
    if paper.frame is not None:
        rim = round(paper.rim_mm * mm)
        cv2.rectangle(sheet, (0, 0), (width - 1, height - 1), paper.frame, 2 * rim)
        lit = tuple(min(255, int(1.35 * value) + 8) for value in paper.frame)
        cv2.rectangle(sheet, (rim, rim), (width - rim, height - rim), lit, max(1, round(0.5 * mm)), cv2.LINE_AA)
        cv2.rectangle(sheet, (1, 1), (width - 2, height - 2), lit, max(1, round(0.5 * mm)), cv2.LINE_AA)
    return sheet


def _rule(sheet: np.ndarray, paper: _Paper, mm: float, rng: np.random.Generator) -> None:
    """Prints the paper's lines, in place."""
    height, width = sheet.shape[:2]
    ink = np.zeros((height, width), np.uint8)
    step = (rng.uniform(7, 9) if paper.lines == "ruled" else 5) * mm
    thick = 0.3 * mm  # printed lines are thinner than a pixel of most webcams: they come out pale rather than thin
    strength = min(255.0, 255 * thick)

    def line(x1: float, y1: float, x2: float, y2: float) -> None:
        start, end = (round(x1 * 16), round(y1 * 16)), (round(x2 * 16), round(y2 * 16))
        cv2.line(ink, start, end, strength, max(1, round(thick)), cv2.LINE_AA, 4)

    for y in np.arange(step * (2.5 if paper.lines == "ruled" else 0.6), height, step):
        line(0, y, width, y)
    if paper.lines == "squared":
        for x in np.arange(step * 0.6, width, step):
            line(x, 0, x, height)
    colors = [(196, 168, 140), (190, 186, 184), (200, 180, 150)]
    color = np.array(colors[rng.integers(len(colors))], np.float32)
    cover = ink.astype(np.float32)[..., None] * np.float32(rng.uniform(0.6, 1.0) / 255)
    np.copyto(sheet, sheet + cover * (color - sheet), casting="unsafe")
    if paper.lines == "ruled" and rng.random() < 0.6:
        x = round(28 * mm)
        cv2.line(sheet, (x, 0), (x, height), (150, 150, 222), max(1, round(0.4 * mm)), cv2.LINE_AA)


_SKINS = ((150, 182, 226), (130, 165, 212), (96, 130, 186), (70, 100, 150), (48, 70, 108))
_SLEEVES = ((90, 70, 58), (60, 60, 64), (120, 116, 112), (58, 62, 120), (76, 92, 60))


def _hands(
    size_mm: tuple[float, float],
    mm: float,
    skin: tuple[int, int, int],
    sleeve: tuple[int, int, int],
    rng: np.random.Generator,
) -> tuple[tuple[_Sprite, ...], tuple[_Sprite, ...]]:
    """The hands that hold the sheet: what is behind it and what is before it."""
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
) -> tuple[_Sprite, _Sprite]:
    """One hand, with its thumb on the sheet at `grip` (x, y in mm on the sheet), pointing `inward`."""
    side = np.array([0.0, -1.0])
    arm = -rng.uniform(0.15, 0.5) * inward - 0.9 * side
    wrist = grip - 30 * inward - 48 * side
    elbow = wrist + 330 * arm
    under = _Canvas(np.array([grip, wrist, elbow]), 45, mm / 2)
    under.tube([wrist + 42 * arm, elbow], 37, 52, sleeve)
    under.tube([wrist + 55 * arm, wrist], 27, 25, skin)
    under.tube([wrist, grip - 14 * inward - 6 * side, grip - 4 * inward + 12 * side], 27, 18, skin)
    for k in range(3):  # the fingers behind the sheet show where they bend around its edge
        knuckle = grip - (15 - 3 * k) * inward + (12 - 15 * k) * side
        under.tube([knuckle - 6 * inward, knuckle + 14 * inward], 9.5, 9, skin)
    over = _Canvas(np.array([grip - 26 * inward, grip + 18 * inward]), 24, mm)
    turn = float(np.clip(rng.normal(0, 0.25), -0.4, 0.4))
    tip = grip + rng.uniform(6, 12) * inward + 18 * turn * side + 4 * side
    over.tube([grip - 24 * inward - 8 * side, grip - 6 * inward + 1 * side, tip], 12, 9, skin)
    nail = tuple(min(255, int(value * 0.35 + 150)) for value in skin)
    over.tube([tip + 0.5 * inward, tip + 4.5 * inward], 4.6, 4.2, nail, alpha=150)
    over.fade(grip - 22 * inward, grip - 6 * inward)
    return under.sprite(1.6, mm), over.sprite(1.0, mm)


class _Canvas:
    """A sprite in the making, around points given in mm on the sheet."""

    def __init__(self, around_mm: np.ndarray, margin_mm: float, px_per_mm: float) -> None:
        self._low = around_mm.min(axis=0) - margin_mm
        size = np.ceil((around_mm.max(axis=0) + margin_mm - self._low) * px_per_mm).astype(int)
        self._px = px_per_mm
        self._color = np.zeros((size[1], size[0], 3), np.uint8)
        self._alpha = np.zeros((size[1], size[0]), np.uint8)

    def tube(
        self, way_mm: list[np.ndarray], start_mm: float, end_mm: float, color: tuple[int, ...], alpha: int = 255
    ) -> None:
        """Draws a round limb along a way, its radius going from start to end, lit from the upper left."""
        knots = np.linspace(0, 1, len(way_mm))
        along = np.linspace(0, 1, 28)
        way = np.column_stack([np.interp(along, knots, np.array(way_mm)[:, axis]) for axis in (0, 1)])
        radii = start_mm + (end_mm - start_mm) * along
        for step in range(9):
            rim = 1 - step / 9
            shade = 0.7 + 0.3 * np.sqrt(1 - rim * rim)
            offset = np.array([-0.25, -0.35]) * (1 - rim)
            if alpha < 255 and step:
                break
            tone = tuple(int(value * (shade if alpha == 255 else 1)) for value in color)
            for center, radius in zip(way, radii, strict=True):
                spot = (center + offset * radius - self._low) * self._px
                at = (round(float(spot[0]) * 16), round(float(spot[1]) * 16))
                cv2.circle(self._color, at, round(float(radius * rim * self._px) * 16), tone, -1, cv2.LINE_8, 4)
                if step == 0 and alpha == 255:
                    cv2.circle(self._alpha, at, round(float(radius * self._px) * 16), 255, -1, cv2.LINE_8, 4)

    def fade(self, nothing_mm: np.ndarray, full_mm: np.ndarray) -> None:
        """Lets what was drawn come up softly from nothing at one point to all of it at another."""
        way = full_mm - nothing_mm
        rows, columns = np.indices(self._alpha.shape, np.float32) / self._px
        done = ((columns + self._low[0] - nothing_mm[0]) * way[0] + (rows + self._low[1] - nothing_mm[1]) * way[1]) / (
            way @ way
        )
        part = np.clip(done, 0, 1)
        self._alpha = (self._alpha * part).astype(np.uint8)
        self._color = (self._color * part[..., None]).astype(np.uint8)

    def sprite(self, blur_mm: float, sheet_px_per_mm: float) -> _Sprite:
        color = cv2.GaussianBlur(self._color, (0, 0), blur_mm * self._px)
        alpha = cv2.GaussianBlur(self._alpha, (0, 0), max(0.6 * blur_mm * self._px, 0.5))
        # Blurred colour has darkened towards the outside by the blurred alpha: it is multiplied already.
        scale, (x, y) = sheet_px_per_mm / self._px, self._low * sheet_px_per_mm
        return _Sprite(np.dstack([color, alpha]), np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]]))


def _light(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How light falls on the picture, (H, W, 3) uint8: brighter to one side, often with a shadow."""
    across, down = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-0.5625, 0.5625, 54))
    angle = rng.uniform(0, 2 * np.pi)
    light = 1.02 + rng.uniform(0.03, 0.16) * (across * np.cos(angle) + down * np.sin(angle))
    light -= rng.uniform(0.04, 0.12) * (across**2 + down**2)
    if rng.random() < 0.55:
        angle = rng.uniform(0, 2 * np.pi)
        distance = across * np.cos(angle) + down * np.sin(angle) - rng.uniform(-0.1, 0.5)
        distance += 0.06 * np.sin(3 * (across * np.sin(angle) - down * np.cos(angle)) + rng.uniform(0, 6))
        dark = rng.uniform(0.2, 0.5)
        light *= 1 - dark / (1 + np.exp(-distance / rng.uniform(0.012, 0.1)))
    light *= rng.uniform(0.84, 1.06)
    warm = rng.normal(0, 0.035)
    tint = np.array([1 - warm, 1, 1 + warm]) * 255
    small = np.clip(light[..., None] * tint, 0, 255).astype(np.uint8)
    return cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)


def _exposed(light: np.ndarray, x: float) -> np.ndarray:
    """The light as a camera takes it whose exposure follows the hand that is held at column x."""
    height = light.shape[0]
    part = light[height // 4 : -height // 4, max(0, round(x - height / 4)) : round(x + height / 4)]
    return cv2.convertScaleAbs(light, alpha=float(np.clip(0.92 * 255 / part.mean(), 1, 1.5)))


_NOISE_ZERO = 32  # what stands for no noise in a picture of noise


def _sensor_noise(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise as it is after a webcam's denoising and JPEG, larger than a picture, uint8 about 32."""
    tile_px = 512
    tile = np.zeros((tile_px, tile_px, 3), np.float32)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (tile_px, tile_px)).astype(np.float32), (0, 0), 0.7)
    tile += 1.9 * grain[..., None] / grain.std()
    for cells, strength in ((8, 0.7), (16, 0.9)):  # JPEG's blocks of brightness, and of colour
        shape = (tile_px // cells, tile_px // cells, 1 if cells == 8 else 3)
        blocks = rng.normal(0, strength, shape).astype(np.float32)
        tile += blocks.repeat(cells, axis=0).repeat(cells, axis=1)
    small = np.clip(np.rint(tile + _NOISE_ZERO), 0, 2 * _NOISE_ZERO).astype(np.uint8)
    width, height = size_wh
    times = (height + 128) // tile_px + 1, (width + 128) // tile_px + 1
    return np.ascontiguousarray(np.tile(small, (*times, 1))[: height + 128, : width + 128])


def _room(
    size_wh: tuple[int, int], skin: tuple[int, int, int], shirt: tuple[int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """The dim room behind the sheet, out of focus, with somebody sitting in it, (H, W, 4) uint8."""
    width, height = 640, 360  # all of it is soft
    wall = np.array([(158, 168, 176), (140, 150, 152), (164, 162, 152), (128, 146, 166)][rng.integers(4)], np.float32)
    fall = (
        np.linspace(1.08, 0.62, width, dtype=np.float32)[None, :]
        * np.linspace(1.05, 0.8, height, dtype=np.float32)[:, None]
    )
    if rng.random() < 0.5:
        fall = fall[:, ::-1]
    room = (fall[..., None] * wall).astype(np.uint8)
    left = rng.random() < 0.5
    for draw, at in ((_window, 0.02), (_shelf, 0.66)) if left else ((_shelf, 0.02), (_window, 0.7)):
        draw(room, round(at * width), rng)
    if rng.random() < 0.6:
        x = round(rng.uniform(0.36, 0.6) * width)  # a door
        cv2.rectangle(room, (x, 60), (x + 92, height), tuple(int(v) for v in wall * 0.78), -1)
        cv2.rectangle(room, (x, 60), (x + 92, height), tuple(int(v) for v in wall * 0.55), 3)
    room = cv2.GaussianBlur(room, (0, 0), 5.5)
    _person(room, np.array(skin) * 0.85, np.array(shirt) * 0.85, rng)
    return cv2.cvtColor(cv2.resize(room, size_wh, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2BGRA)


def _wall(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A wall close behind the hand, (H, W, 4) uint8: plaster, an edge or a picture on it."""
    width, height = 640, 360
    color = np.array(
        [(196, 204, 208), (176, 190, 202), (170, 176, 170), (112, 120, 130), (150, 172, 190)][rng.integers(5)]
    )
    coarse = cv2.resize(rng.normal(1, 0.035, (5, 8)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, 0.012, (height, width)).astype(np.float32)
    begin, end = rng.permutation([0.8, 1.06])
    fall = np.linspace(begin, end, width, dtype=np.float32)[None, :]
    wall = np.clip(((coarse + cv2.GaussianBlur(fine, (0, 0), 0.8)) * fall)[..., None] * color, 0, 255).astype(np.uint8)
    which = rng.random()
    if which < 0.35:  # a picture in its frame
        x, y = int(rng.integers(30, 420)), int(rng.integers(20, 90))
        cv2.rectangle(wall, (x, y), (x + 170, y + 120), (44, 56, 66), 7)
        cv2.rectangle(wall, (x + 4, y + 4), (x + 166, y + 116), tuple(int(v) for v in rng.integers(110, 190, 3)), -1)
        cv2.ellipse(wall, (x + 85, y + 90), (60, 26), 0, 180, 360, tuple(int(v) for v in rng.integers(80, 150, 3)), -1)
    elif which < 0.7:  # the corner of the room
        x = int(rng.integers(60, 580))
        wall[:, x:] = (wall[:, x:] * 0.82).astype(np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 1.8)
    return cv2.cvtColor(cv2.resize(wall, size_wh, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2BGRA)


def _window(room: np.ndarray, x: int, rng: np.random.Generator) -> None:
    top, wide, high = rng.integers(20, 50), rng.integers(100, 150), rng.integers(150, 190)
    cv2.rectangle(room, (x, top), (x + wide, top + high), (96, 104, 108), 7)
    cv2.rectangle(room, (x, top), (x + wide, top + high), (214, 208, 198), -1)
    cv2.line(room, (x + wide // 2, top), (x + wide // 2, top + high), (110, 116, 120), 5)
    cv2.line(room, (x, top + high // 2), (x + wide, top + high // 2), (110, 116, 120), 4)


def _shelf(room: np.ndarray, x: int, rng: np.random.Generator) -> None:
    wide, colors = (
        190,
        np.array([(60, 60, 140), (130, 90, 50), (70, 120, 90), (60, 130, 170), (120, 120, 124), (50, 48, 46)]),
    )
    for top in (70, 165, 260):
        cv2.rectangle(room, (x, top), (x + wide, top + 82), (48, 58, 70), -1)
        at = x + 4
        while at < x + wide - 16:
            thick, tall = int(rng.integers(6, 17)), int(rng.integers(46, 74))
            if rng.random() < 0.88:
                color = colors[rng.integers(len(colors))] * rng.uniform(0.6, 1.05)
                cv2.rectangle(room, (at, top + 82 - tall), (at + thick, top + 82), tuple(int(v) for v in color), -1)
            at += thick + 1
        cv2.rectangle(room, (x - 4, top + 82), (x + wide + 4, top + 90), (78, 100, 124), -1)


def _person(room: np.ndarray, skin: np.ndarray, shirt: np.ndarray, rng: np.random.Generator) -> None:
    """Somebody behind the sheet, soft, in place: shoulders, neck, head and hair."""
    height, width = room.shape[:2]
    body = room.copy()
    cover = np.zeros((height, width), np.uint8)
    x = round(width * rng.uniform(0.4, 0.6))
    hair = np.array([(24, 28, 36), (34, 52, 78), (60, 62, 66), (28, 40, 62)][rng.integers(4)]) * 0.8

    def spot(center: tuple[int, int], axes: tuple[int, int], color: np.ndarray) -> None:
        cv2.ellipse(body, center, axes, 0, 0, 360, tuple(int(v) for v in color), -1, cv2.LINE_AA)
        cv2.ellipse(cover, center, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)

    spot((x, 92), (66, 84), hair)
    spot((x, 372), (168, 152), shirt)
    spot((x, 205), (30, 50), skin * 0.8)
    spot((x, 116), (54, 76), skin)
    spot((x, 52), (55, 28), hair)
    for eye in (x - 21, x + 21):
        spot((eye, 106), (9, 4), skin * 0.45)
        spot((eye, 94), (13, 3), hair * 0.8 + skin * 0.2)
    spot((x + 3, 132), (8, 5), skin * 0.8)
    spot((x, 156), (19, 5), skin * np.array([0.75, 0.65, 0.85]))
    body = cv2.GaussianBlur(body, (0, 0), 3.2)
    soft = cv2.GaussianBlur(cover, (0, 0), 3.2).astype(np.float32)[..., None] / 255
    room[:] = (room + soft * (body.astype(np.float32) - room)).astype(np.uint8)
