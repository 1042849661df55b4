"""Paper scenes for training: digits drawn into pictures, found and cropped by the very code that runs live.

What the finder hands on of a digit becomes a training picture of that digit; whatever else it hands on (paper lines,
letters, scribbles, pieces of digits, textures) becomes a picture of nothing.
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.preprocess import BOX, mnist_image, trim
from recognizer.regions.digits import DigitFinder
from recognizer.strokes import LETTERS_LIKE_DIGITS, digit_strokes, draw_strokes, letter_strokes
from recognizer.values import Box, Frame

NOTHING = 10  # the class after the ten digits
SIZE_WH = (640, 480)  # pixels of a scene
MATCH_IOU = 0.6  # a region that covers a digit this well shows the digit
MISS_COVER = 0.15  # a region of which less than this share lies on a digit shows none
NOTHING_SHARE = 0.3  # of the crops: what a camera sees is mostly no digit
STICK = 0.3  # width to height: an upright stick that is a paper line looks like a 1, and teaching it as nothing hurts
LETTERS = sorted(set(string.ascii_letters) - LETTERS_LIKE_DIGITS)


@dataclass(frozen=True)
class Placed:
    """A character in a scene. `label` is 0 to 9, or NOTHING."""

    label: int
    box: Box


def crops(
    digits: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`count` network inputs (N, 28, 28) uint8 and their classes (N,) int64, 0 to 9 or NOTHING, from scenes.

    `digits` (M, 28, 28) uint8 and `labels` (M,) are MNIST's training set; half of the digits drawn are of these, half
    written as pen strokes in styles that MNIST's writers did not have. NOTHING_SHARE of the crops come from pictures
    without any digit.
    """
    images: list[np.ndarray] = []
    classes: list[int] = []
    finder = DigitFinder()
    from_nothing = 0
    while len(images) < count:
        nothing = from_nothing < NOTHING_SHARE * len(images)
        picture, placed = (draw_nothing(rng), []) if nothing else draw_scene(digits, labels, rng)
        for image, label in found_crops(finder, picture, placed):
            images.append(image)
            classes.append(label)
            from_nothing += nothing
    return np.array(images[:count], np.uint8), np.array(classes[:count], np.int64)


def found_crops(finder: DigitFinder, picture: np.ndarray, placed: list[Placed]) -> Iterator[tuple[np.ndarray, int]]:
    """What the finder sees in a scene: (28, 28) pictures with the class that each shows; the unclear are left out."""
    for region in finder.find(Frame(picture, 0, 0.0, "scene")):
        overlaps = [(region.box.iou(item.box), item.label) for item in placed]
        best_iou, label = max(overlaps, default=(0.0, NOTHING))
        covered = sum(region.box.overlap(item.box) for item in placed if item.label != NOTHING)
        if best_iou >= MATCH_IOU:
            yield mnist_image(region.crop), label
        elif covered < MISS_COVER * region.box.area and region.box.width > STICK * region.box.height:
            yield mnist_image(region.crop), NOTHING


def draw_scene(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Placed]]:
    """A picture (480, 640, 3) uint8 BGR of writing on some ground, and the characters in it with their boxes."""
    width, height = SIZE_WH
    ink = np.zeros((height, width), np.uint8)
    placed: list[Placed] = []
    size = float(np.exp(rng.uniform(np.log(22), np.log(420))))
    column = size * rng.uniform(0.9, 1.4)
    pen = float(np.exp(rng.uniform(np.log(0.025), np.log(0.2))))
    only_letters = rng.random() < 0.12
    y = rng.uniform(0.02, 0.3) * size
    while y + size < height and len(placed) < 40:
        x = rng.uniform(0.02, 0.5) * size
        while x + size * 0.8 < width:
            own_size = size * rng.uniform(0.8, 1.0)
            label, stamp = _character(digits, labels, own_size, max(1.0, pen * own_size), only_letters, rng)
            box = _stamp(ink, stamp, round(x), round(y + rng.uniform(0, size - own_size + 1)))
            if box is not None:
                placed.append(Placed(label, box))
            x += max(column, stamp.shape[1] + 0.25 * size)
        y += size * rng.uniform(1.25, 1.7)
    if rng.random() < 0.15:
        _scribble(ink, rng)
    picture = photograph(ink, size, rng)
    return picture, placed


def draw_nothing(rng: np.random.Generator) -> np.ndarray:
    """A picture (480, 640, 3) uint8 BGR without any digit: a photograph, a texture, or shapes and scribbles on paper."""
    kind = rng.random()
    if kind < 0.2:
        return _photo_part(rng)
    if kind < 0.35:
        return draw_texture(rng)
    if kind < 0.42:
        return photograph(np.zeros(SIZE_WH[::-1], np.uint8), rng.uniform(20, 300), rng)
    if kind < 0.65:
        return draw_hand(rng)
    return draw_shapes(rng, int(rng.integers(2, 14)))


def draw_shapes(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` shapes and scribbles on paper, (480, 640, 3) uint8 BGR."""
    width, height = SIZE_WH
    ink = np.zeros((height, width), np.uint8)
    for _ in range(count):
        if rng.random() < 0.35:
            _scribble(ink, rng)
        else:
            _shape(ink, rng)
    return photograph(ink, rng.uniform(30, 200), rng)


def draw_hand(rng: np.random.Generator) -> np.ndarray:
    """A hand's shape, shaded, with some fingers stretched, before a plain wall or a window: (480, 640, 3) uint8 BGR."""
    width, height = SIZE_WH
    picture = np.full((height, width), rng.uniform(30, 235), np.float32)
    if rng.random() < 0.3:
        picture[:, int(rng.uniform(0, width)) :] = rng.uniform(30, 235)
    skin = rng.uniform(40, 220)
    size = rng.uniform(80, 330)
    middle = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.35, 0.9) * height])
    turn = rng.normal(-np.pi / 2, 0.5)
    spread = rng.uniform(0.12, 0.4)
    arm = middle - 3 * size * np.array([np.cos(turn), np.sin(turn)])
    limbs = [(middle, arm, 0.62 * size)]
    for finger in range(5):
        angle = turn + (finger - 2) * spread
        root = middle + 0.45 * size * np.array([np.cos(angle), np.sin(angle)])
        length = size * (rng.uniform(0.6, 1.1) if rng.random() < 0.6 else rng.uniform(0.05, 0.3))
        bend = angle + rng.normal(0, 0.15)
        limbs.append((root, root + length * np.array([np.cos(bend), np.sin(bend)]), size * rng.uniform(0.17, 0.24)))
    limbs.append((middle, middle + 0.1, size))
    shade = rng.uniform(0.55, 1.0)  # of the skin's grey at a limb's rim
    for start, end, thickness in limbs:
        ends = [tuple(int(value) for value in np.round(point)) for point in (start, end)]
        for step in range(8):  # from the rim to the middle, which faces the light
            tone = skin * (shade + (1 - shade) * step / 7)
            cv2.line(picture, *ends, tone, max(1, round(thickness * (1 - step / 9))), cv2.LINE_AA)
    picture *= light(height, width, rng)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3))
    picture += rng.normal(0, rng.uniform(0.3, 5), picture.shape).astype(np.float32)
    return cv2.cvtColor(np.clip(picture, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


@cache
def _photos() -> list[np.ndarray]:
    """Photographs that come with the installed libraries: a temple, a flower, a portrait."""
    from matplotlib import cbook
    from sklearn.datasets import load_sample_images

    photos = [image[..., ::-1] for image in load_sample_images().images]
    portrait = cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return [np.ascontiguousarray(photo) for photo in [*photos, portrait] if photo is not None]


def _photo_part(rng: np.random.Generator) -> np.ndarray:
    photos = _photos()
    photo = photos[rng.integers(len(photos))]
    side = rng.uniform(0.15, 1.0)
    height, width = max(40, int(photo.shape[0] * side)), max(40, int(photo.shape[1] * side))
    top, left = rng.integers(photo.shape[0] - height + 1), rng.integers(photo.shape[1] - width + 1)
    part = photo[top : top + height, left : left + width]
    part = np.rot90(part, int(rng.integers(4)))
    part = cv2.resize(part, SIZE_WH, interpolation=cv2.INTER_LINEAR)
    return cv2.convertScaleAbs(part, alpha=rng.uniform(0.5, 1.2), beta=rng.uniform(-20, 30))


def draw_texture(rng: np.random.Generator) -> np.ndarray:
    """Noise at one or several scales, or stripes."""
    width, height = SIZE_WH
    picture = np.full((height, width), rng.uniform(40, 220), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cell = float(np.exp(rng.uniform(np.log(1), np.log(80))))
        shape = max(2, int(height / cell)), max(2, int(width / cell))
        picture += cv2.resize(rng.normal(0, rng.uniform(3, 50), shape).astype(np.float32), SIZE_WH)
    if rng.random() < 0.3:
        angle = rng.uniform(0, np.pi)
        y, x = np.mgrid[0:height, 0:width]
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.03, 0.5))
        picture += rng.uniform(10, 80) * wave
    return cv2.cvtColor(np.clip(picture, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def _shape(ink: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a polygon, star, arrow, cross, filled blot, level or slanting line, or squiggle into the ink."""
    height, width = ink.shape
    size = float(np.exp(rng.uniform(np.log(15), np.log(200))))
    center = rng.uniform((size / 2, size / 2), (width - size / 2, height - size / 2))
    pen = max(1, round(size * rng.uniform(0.03, 0.15)))
    kind = int(rng.integers(7))
    corners = int(rng.integers(3, 7))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * size / 2

    def draw(points: np.ndarray, closed: bool = False) -> None:
        fixed = np.round((points + center) * 16).astype(np.int32)
        cv2.polylines(ink, [fixed], closed, 255, pen, cv2.LINE_AA, 4)

    if kind == 0 and corners < 6:
        draw(ring, closed=True)
    elif kind == 1:
        for point in ring:
            draw(np.array([[0, 0], point]))
    elif kind == 2:
        cv2.fillPoly(ink, [np.round(ring * rng.uniform(0.4, 1, (corners, 1)) + center).astype(np.int32)], 255)
    elif kind == 3:
        angle = rng.uniform(-0.6, 0.6)  # no steeper than a person would take for a 1
        draw(np.array([[-np.cos(angle), -np.sin(angle)], [np.cos(angle), np.sin(angle)]]) * size / 2)
    elif kind == 4:
        tip = ring[0]
        side = np.array([-tip[1], tip[0]])
        draw(np.array([-tip, tip]))
        draw(np.array([0.5 * tip + 0.4 * side, tip, 0.5 * tip - 0.4 * side]))
    elif kind == 5:
        x = np.linspace(-1, 1, 60)
        draw(np.stack([x, 0.3 * np.sin(x * rng.uniform(6, 20) + rng.uniform(0, 6))], axis=1) * size / 2)
    else:
        draw(np.array([[-1, -1], [1, 1]]) * size / 3)
        draw(np.array([[-1, 1], [1, -1]]) * size / 3)


def touching_pairs(digits: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Pictures (N, 28, 28) uint8 of two MNIST digits (M, 28, 28) that touch: no digit, and better not read as one."""
    pairs = []
    for left, right in digits[rng.integers(len(digits), size=(count, 2))]:
        left, right = trim(left), trim(right)
        overlap = int(rng.integers(0, 4))
        ink = np.zeros((BOX, left.shape[1] + right.shape[1] - overlap), np.uint8)
        ink[: left.shape[0], : left.shape[1]] = left
        view = ink[: right.shape[0], -right.shape[1] :]
        np.maximum(view, right, out=view)
        pairs.append(mnist_image(ink))
    return np.array(pairs)


def _character(
    digits: np.ndarray, labels: np.ndarray, size: float, pen_px: float, only_letters: bool, rng: np.random.Generator
) -> tuple[int, np.ndarray]:
    draw = rng.random()
    if only_letters or draw < 0.12:
        letter = LETTERS[rng.integers(len(LETTERS))]
        if rng.random() < 0.3:
            return NOTHING, _printed(letter, size, rng)
        return NOTHING, stroke_stamp(letter_strokes(letter, rng), size, pen_px, rng)
    if draw < 0.16:
        label = int(rng.integers(10))
        return label, _printed(str(label), size, rng)
    if draw < 0.52:
        label = int(rng.integers(10))
        return label, stroke_stamp(digit_strokes(label, rng), size, pen_px, rng)
    index = int(rng.integers(len(digits)))
    return int(labels[index]), mnist_stamp(digits[index], size, pen_px, rng)


def stroke_stamp(strokes: list[np.ndarray], size: float, pen_px: float, rng: np.random.Generator) -> np.ndarray:
    angle = np.radians(rng.normal(0, 6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * max(8.0, size - pen_px)
    points = np.concatenate(strokes) @ turn.T
    low, high = points.min(axis=0) - pen_px, points.max(axis=0) + pen_px
    matrix = np.column_stack([turn, -low])
    wh = int(np.ceil(high[0] - low[0])) + 1, int(np.ceil(high[1] - low[1])) + 1
    gaps = rng.uniform(0.2, 1.0) if rng.random() < 0.1 else 0.0
    ink = draw_strokes(strokes, wh, pen_px, matrix=matrix, pressure=rng.uniform(0, 0.45), gaps=gaps, rng=rng)
    return trim(ink)


@cache
def _fonts() -> list[Any]:
    """The fonts that matplotlib brings, at 96 pixels."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    names = [f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")]
    names += [f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique")]
    names += [f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic")]
    names += ["STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmss10", "cmr10", "cmtt10"]
    folder = Path(get_data_path()) / "fonts" / "ttf"
    return [ImageFont.truetype(str(folder / f"{name}.ttf"), 96) for name in names]


def _printed(character: str, size: float, rng: np.random.Generator) -> np.ndarray:
    """A character of a printed font, `size` pixels high."""
    from PIL import Image, ImageDraw

    fonts = _fonts()
    canvas = Image.new("L", (160, 180))
    ImageDraw.Draw(canvas).text((20, 20), character, fill=255, font=fonts[rng.integers(len(fonts))])
    ink = trim(np.array(canvas))
    scale = size / max(ink.shape)
    wh = max(2, round(ink.shape[1] * scale)), max(2, round(ink.shape[0] * scale))
    return cv2.resize(ink, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def mnist_stamp(digit: np.ndarray, size: float, pen_px: float, rng: np.random.Generator) -> np.ndarray:
    """An MNIST digit (28, 28) at `size` pixels high with smooth rims, thinned towards the pen's width."""
    big = cv2.resize(trim(digit), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    big = cv2.GaussianBlur(cv2.copyMakeBorder(big, 16, 16, 16, 16, cv2.BORDER_CONSTANT), (0, 0), 3)
    # the grey level that a stroke is cut at decides its width: MNIST's blurred rims allow for this much thinning
    level = rng.uniform(90, 170)
    mask = np.clip((big.astype(np.float32) - level) * 8 + 128, 0, 255).astype(np.uint8)
    thinner = int(rng.integers(0, 7))
    if thinner and pen_px < 0.1 * size:
        thinned = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thinner + 1, thinner + 1)))
        # a stroke that erosion would break stays as it was
        if cv2.connectedComponents(thinned)[0] == cv2.connectedComponents(mask)[0]:
            mask = thinned
    mask = trim(mask)
    if mask.size == 0:
        mask = np.full((8, 4), 255, np.uint8)
    scale = size / max(mask.shape)
    wh = max(2, round(mask.shape[1] * scale)), max(2, round(mask.shape[0] * scale))
    return cv2.resize(mask, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _stamp(ink: np.ndarray, stamp: np.ndarray, x: int, y: int) -> Box | None:
    """Lay a character into the ink, cut off at the right and bottom border; None when too little of it is inside."""
    height, width = stamp.shape
    x2, y2 = min(ink.shape[1], x + width), min(ink.shape[0], y + height)
    if x2 - x < 0.97 * width or y2 - y < 0.97 * height:
        return None
    view = ink[y:y2, x:x2]
    np.maximum(view, stamp[: y2 - y, : x2 - x], out=view)
    return Box(x, y, x2, y2)


def _scribble(ink: np.ndarray, rng: np.random.Generator) -> None:
    height, width = ink.shape
    points = np.cumsum(rng.normal(0, rng.uniform(8, 40), (int(rng.integers(4, 60)), 2)), axis=0)
    points += (rng.uniform(0, width), rng.uniform(0, height))
    cv2.polylines(ink, [np.round(points).astype(np.int32)], False, 255, int(rng.integers(1, 8)), cv2.LINE_AA)


def photograph(ink: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Ink (H, W) as a camera sees it on paper, board or tablet: (H, W, 3) uint8 BGR."""
    height, width = ink.shape
    light_ink = rng.random() < 0.2
    ground = rng.uniform(15, 90) if light_ink else np.exp(rng.uniform(np.log(90), np.log(252)))
    paper = np.full((height, width), ground, np.float32)
    tooth = cv2.resize(rng.normal(0, 1, (height // 4, width // 4)).astype(np.float32), (width, height))
    paper *= 1 + rng.uniform(0, 0.02) * tooth
    _rule(paper, size, rng, lighter=light_ink)
    strength = float(np.exp(rng.uniform(np.log(0.18), np.log(0.95))))
    tone = (255 - paper) * strength if light_ink else -paper * strength
    picture = paper + tone * (ink.astype(np.float32) / 255)
    picture *= light(height, width, rng)
    blur = rng.uniform(0.3, 0.3 + min(3.0, 0.02 * size))
    picture = cv2.GaussianBlur(picture, (0, 0), blur)
    picture += rng.normal(0, rng.uniform(0.3, 5), picture.shape).astype(np.float32)
    gray = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, coded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        gray = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)


def _rule(paper: np.ndarray, size: float, rng: np.random.Generator, lighter: bool) -> None:
    """Draw the lines of ruled or squared paper, or nothing, into `paper`."""
    kind = rng.random()
    if kind < 0.45:
        return
    height, width = paper.shape
    lines = np.zeros_like(paper)
    step = size * rng.uniform(0.5, 2.2) + 6
    angle = np.radians(rng.normal(0, 4))
    thickness = int(rng.integers(1, 3))
    for horizontal in (True,) if kind < 0.75 else (True, False):
        length = height if horizontal else width
        for at in np.arange(rng.uniform(-step, step) - 0.2 * length, 1.2 * length, step):
            drift = np.tan(angle) * (width if horizontal else height)
            ends = ((0, at), (width, at + drift)) if horizontal else ((at, 0), (at - drift, height))
            fixed = [tuple(round(16 * value) for value in end) for end in ends]
            cv2.line(lines, fixed[0], fixed[1], 1.0, thickness, cv2.LINE_AA, 4)
    strength = rng.uniform(0.05, 0.45)
    paper += lines * strength * ((255 - paper) if lighter else -paper)


def light(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, (H, W) float32 around 0.4 to 1: a slope, sometimes with a shadow's edge or dark corners."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / np.hypot(height, width)
    light = 1 + rng.uniform(0, 0.5) * along
    if rng.random() < 0.3:
        edge = (along - rng.uniform(-0.3, 0.6)) / rng.uniform(0.01, 0.2)
        light *= 1 - rng.uniform(0.1, 0.5) / (1 + np.exp(np.clip(-edge, -30, 30)))
    if rng.random() < 0.3:
        distance = np.hypot(x / width - 0.5, y / height - 0.5)
        light *= 1 - rng.uniform(0, 1.0) * distance**2
    return (light / light.max()).astype(np.float32)
