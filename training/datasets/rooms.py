"""Synthetic webcam pictures of people who hold up handwriting, with ground truth.

The background is a photograph without writing, or drawn. In front are sheets (paper, card, notebook page, board, tablet)
with characters, lines, frames and print, hands that hold them, and other objects. Light and camera noise are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from recognizer.sources.decoding import read_image
from recognizer.system import paths
from recognizer.teaching.label_folders import pictures_below
from recognizer.values import Box
from training.datasets import paper_scenes
from training.datasets.mnist import has_mnist, load_mnist
from training.datasets.sheets import (
    LEGIBLE_CONTRAST,
    Digits,
    Sheet,
    Writer,
    blank,
    choose,
    colour_bgr,
    log_uniform,
    print_lines,
    print_words,
    tint,
    word,
)

LEGIBLE_HEIGHT = 6.0  # pixels; a smaller character is ambiguous
LEAST_COVERED, MOST_COVERED = (
    0.02,
    0.6,
)  # share of a character's box that is hidden; between them the character is ambiguous
HELD_OUT = ("jasmina", "himanshu253", "kingdavid", "signflow-user10", "sarmitha", "t32rahman", "prtm1908", "jack")
"""Sources of photographs that are held out from training."""


@dataclass(frozen=True, eq=False)
class Written:
    """A character in a scene, with its ground truth."""

    label: str | None  # a digit, or None for another character
    box_xyxy: tuple[float, float, float, float]  # pixels of the picture, around the ink
    light: bool  # the ink is lighter than its background
    line: int  # number of the text line; characters of a line are ordered left to right
    ink: np.ndarray  # (h, w) uint8, 255 where there is ink, before the perspective transform
    to_picture: np.ndarray  # (3, 3) homography from pixels of `ink` to pixels of the picture
    ambiguous: bool = False  # cut off, covered or too faint: ignored in training and evaluation
    character: str = ""  # a digit, even if struck through; a letter; or the name of a mark


@dataclass(frozen=True, eq=False)
class Scene:
    picture_bgr: np.ndarray  # (H, W, 3) uint8
    written: tuple[Written, ...]
    kinds: dict[str, str] = field(default_factory=dict)  # the random choices: light, sheet, layout …


@dataclass(frozen=True, eq=False)
class SceneSources:
    """The data that scenes are composed from."""

    digits: Digits
    rooms: Sequence[Path] = ()  # photographs without writing
    hands: Sequence[Path] = ()  # photographs of hands on black


def photographs(*, held_out: bool) -> tuple[list[Path], list[Path]]:
    """Photographs of rooms, and of hands on black, from the held-out sources or from the others. Empty if there are none."""
    rooms: list[Path] = []
    hands: list[Path] = []
    for root in paths.data_folders():
        for name in ("nothing", "rps", "letters", "letters-more"):
            for path in pictures_below(root / "photos" / name):
                source = path.relative_to(root / "photos" / name).parts[0]
                if (source in HELD_OUT) == held_out:
                    (hands if source == "massey" else rooms).append(path)
    if held_out:  # the fifth of the five people in these photographs
        hands = [
            path for root in paths.data_folders() for path in sorted((root / "photos/letters/massey").rglob("hand5*"))
        ]
    else:
        hands = [path for path in hands if not path.name.startswith("hand5")]
    return rooms, hands


def scene_sources(*, held_out: bool) -> SceneSources:
    """Load MNIST's test or training digits, and the photographs of the held-out sources or of the others."""
    found, hands = photographs(held_out=held_out)
    if not has_mnist():
        return SceneSources(Digits(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)), found, hands)
    mnist = load_mnist()
    images, labels = (mnist.test_images, mnist.test_labels) if held_out else (mnist.train_images, mnist.train_labels)
    return SceneSources(Digits(images, labels), found, hands)


def draw(scene_sources: SceneSources, rng: np.random.Generator, size_wh: tuple[int, int], **fixed: str) -> Scene:
    """Draw one scene. `fixed` sets choices that are otherwise random: layout, sheet, light."""
    layout = fixed.get("layout") or choose(rng, LAYOUTS)
    light = fixed.get("light") or choose(rng, {"bright": 0.4, "middle": 0.35, "dim": 0.25})
    distance = fixed.get("sheet") or choose(rng, {"far": 0.3, "middle": 0.25, "near": 0.2, "close up": 0.25})
    picture = _room(scene_sources, rng, size_wh)
    written: list[Written] = []
    if layout != "nothing":
        count = 1 if "layout" in fixed or distance == "close up" or rng.random() < 0.85 else 2
        for number in range(count):
            found, hidden = _lay_sheet(picture, scene_sources, rng, layout, distance, number)
            written = _uncovered(written, hidden) + found
    if rng.random() < 0.35 and distance != "close up":
        _draw_caption(picture, rng)
    picture, written = _photographed(picture, written, light, rng)
    return Scene(picture, tuple(written), {"layout": layout, "light": light, "sheet": distance})


def draw_page(
    scene_sources: SceneSources,
    rng: np.random.Generator,
    size_wh: tuple[int, int],
    text: str,
    share: float,
    lines: str = "",
) -> Scene:
    """Draw a number on a sheet that fills the picture.

    Its height is given as a share of the picture's height; `lines` is one of sheets.LINES, or "".
    """
    width, height = size_wh
    size = min(share * height, 1.4 * width / (1 + len(text)))
    sheet = blank(size_wh, rng)
    writer = Writer(sheet, scene_sources.digits, rng)
    x, y = rng.uniform(0.2, 0.8) * (width - 0.85 * size * len(text)), rng.uniform(0.2, 0.8) * (height - size)
    writer.number(text, (x, y), size, width)
    if lines and sheet.characters:
        writer.add_lines(lines, size)
    written = _truth(sheet, np.eye(3), np.zeros((height, width), np.uint8), size_wh, 0)
    picture, written = _photographed(sheet.image_bgr, written, choose(rng, {"bright": 0.6, "middle": 0.4}), rng)
    return Scene(picture, tuple(written), {"layout": lines or "page"})


def box_of(one: Written) -> Box:
    """The box of a character, rounded to whole pixels."""
    x1, y1, x2, y2 = one.box_xyxy
    return Box(int(x1), int(y1), int(np.ceil(x2)), int(np.ceil(y2)))


LAYOUTS = {"number": 0.3, "pens": 0.2, "lines": 0.15, "single": 0.15, "marks": 0.1, "empty": 0.05, "nothing": 0.05}


def shrunk(scene: Scene, factor: int) -> Scene:
    """The scene at 1 / `factor` of its resolution."""
    height, width = scene.picture_bgr.shape[:2]
    small = cv2.resize(scene.picture_bgr, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    scale = np.diag([1 / factor, 1 / factor, 1.0])
    written = []
    for one in scene.written:
        x1, y1, x2, y2 = (side / factor for side in one.box_xyxy)
        written.append(replace(one, box_xyxy=(x1, y1, x2, y2), to_picture=scale @ one.to_picture))
    return Scene(small, tuple(written), scene.kinds)


def _room(scene_sources: SceneSources, rng: np.random.Generator, size_wh: tuple[int, int]) -> np.ndarray:
    """A background without writing, (H, W, 3) float32, 0 to 255."""
    width, height = size_wh
    if len(scene_sources.rooms) and rng.random() < 0.7:
        photo = read_image(scene_sources.rooms[int(rng.integers(len(scene_sources.rooms)))])
        share = rng.uniform(0.45, 1.0)
        h, w = (max(8, int(side * share)) for side in photo.shape[:2])
        top, left = rng.integers(photo.shape[0] - h + 1), rng.integers(photo.shape[1] - w + 1)
        room = cv2.resize(photo[top : top + h, left : left + w], size_wh, interpolation=cv2.INTER_LINEAR)
        room = np.ascontiguousarray(room[:, ::-1]) if rng.random() < 0.5 else room
    elif rng.random() < 0.2:
        room = cv2.resize(paper_scenes.draw_texture(rng), size_wh)
    else:
        room = np.empty((height, width, 3), np.uint8)
        room[:] = np.clip(rng.uniform(20, 235) * tint(rng, 0.12), 0, 255)
        for _ in range(int(rng.integers(0, 5))):
            _draw_furniture(room, rng)
    for _ in range(int(rng.integers(0, 3))):
        rng.choice([_books, _window, _keys, _cables, _stripes, _poster])(room, rng)  # type: ignore[arg-type]
    if rng.random() < 0.6:
        _person(room, rng)
    return room.astype(np.float32) * np.float32(rng.uniform(0.5, 1.15))


def _part(image: np.ndarray, rng: np.random.Generator, low: float = 0.15, high: float = 0.7) -> np.ndarray:
    """A view of a random part of the image; its height and width are shares `low` to `high` of the image's."""
    height, width = image.shape[:2]
    h, w = int(height * rng.uniform(low, high)), int(width * rng.uniform(low, high))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return image[y : y + h, x : x + w]


def _draw_furniture(room: np.ndarray, rng: np.random.Generator) -> None:
    """A door, picture, lamp or piece of furniture: a box, ellipse or line of another shade."""
    part = _part(room, rng)
    height, width = part.shape[:2]
    kind = int(rng.integers(4))
    if kind == 0:
        part[:] = colour_bgr(rng)
    elif kind == 1:
        cv2.ellipse(
            part, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, colour_bgr(rng), -1, cv2.LINE_AA
        )
    elif kind == 2:
        cv2.rectangle(part, (2, 2), (width - 3, height - 3), colour_bgr(rng), int(rng.integers(1, 12)))
    else:
        cv2.line(
            part,
            (0, 0),
            (width, height if rng.random() < 0.5 else 0),
            colour_bgr(rng),
            int(rng.integers(1, 12)),
            cv2.LINE_AA,
        )


def _books(room: np.ndarray, rng: np.random.Generator) -> None:
    part = _part(room, rng, 0.2, 0.6)
    height, width = part.shape[:2]
    x = 0
    while x < width:
        wide = int(rng.uniform(0.01, 0.05) * room.shape[1]) + 2
        part[int(height * rng.uniform(0, 0.25)) :, x : x + wide] = colour_bgr(rng)
        if rng.random() < 0.4:
            print_words(part, word(rng), (x + 1, int(height * 0.7)), 0.6 * wide, colour_bgr(rng), rng)
        x += wide + int(rng.integers(0, 3))


def _window(room: np.ndarray, rng: np.random.Generator) -> None:
    part = _part(room, rng, 0.3, 0.9)
    height, width = part.shape[:2]
    part[:] = colour_bgr(rng, 120, 255)
    bar, frame = max(1, int(rng.uniform(0.004, 0.03) * width)), colour_bgr(rng)
    rows, columns = int(rng.integers(1, 12)), int(rng.integers(1, 5))  # with many rows it looks like a Venetian blind
    for row in range(rows + 1):
        cv2.line(part, (0, row * height // rows), (width, row * height // rows), frame, bar)
    for column in range(columns + 1):
        cv2.line(part, (column * width // columns, 0), (column * width // columns, height), frame, bar)


def _keys(room: np.ndarray, rng: np.random.Generator) -> None:
    """A keyboard, or any grid of small printed fields."""
    part = _part(room, rng, 0.15, 0.5)
    part[:] = colour_bgr(rng)
    size = max(6, int(rng.uniform(0.015, 0.06) * room.shape[1]))
    field_colour, print_colour = colour_bgr(rng), colour_bgr(rng)
    for y in range(2, part.shape[0] - size, size + 2):
        for x in range(2, part.shape[1] - size, size + 2):
            part[y : y + size, x : x + size] = field_colour
            print_words(part, word(rng)[0], (x + size // 4, y + 3 * size // 4), 0.5 * size, print_colour, rng)


def _cables(room: np.ndarray, rng: np.random.Generator) -> None:
    height, width = room.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        points = rng.uniform((0, 0), (width, height), (4, 2))
        t = np.linspace(0, 1, 40)[:, None]
        curve = (
            (1 - t) ** 3 * points[0]
            + 3 * t * (1 - t) ** 2 * points[1]
            + 3 * t * t * (1 - t) * points[2]
            + t**3 * points[3]
        )
        cv2.polylines(
            room,
            [np.rint(curve).astype(np.int32)],
            False,
            colour_bgr(rng),
            max(1, int(rng.uniform(0.001, 0.012) * width)),
            cv2.LINE_AA,
        )


def _stripes(room: np.ndarray, rng: np.random.Generator) -> None:
    """A curtain, or a checked shirt."""
    part = _part(room, rng, 0.2, 0.7)
    y, x = np.mgrid[0 : part.shape[0], 0 : part.shape[1]].astype(np.float32)
    waves = np.zeros(part.shape, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        angle, pace = rng.uniform(0, np.pi), log_uniform(rng, 0.03, 0.8)
        wave = np.sin(pace * (x * np.cos(angle) + y * np.sin(angle)))
        waves += (rng.uniform(8, 60) * np.clip(wave * rng.uniform(1, 8), -1, 1))[..., None] * tint(rng, 0.5)
    part[:] = np.clip(part + waves, 0, 255)


def _poster(room: np.ndarray, rng: np.random.Generator) -> None:
    """Something printed on the wall."""
    part = _part(room, rng, 0.15, 0.5)
    part[:] = colour_bgr(rng)
    print_lines(part, rng, float(rng.uniform(0.01, 0.06) * room.shape[1]), colour_bgr(rng))


def _person(room: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a head and a torso behind the sheet."""
    height, width = room.shape[:2]
    x, top = rng.uniform(0.25, 0.75) * width, rng.uniform(0.1, 0.5) * height
    size = rng.uniform(0.15, 0.3) * height
    shirt, skin = np.array(colour_bgr(rng, 5, 220)), _skin(rng)
    shape = [(x - 1.6 * size, height), (x - 1.3 * size, top + 1.5 * size), (x - 0.4 * size, top + 1.05 * size)]
    shape += [(x + 0.4 * size, top + 1.05 * size), (x + 1.3 * size, top + 1.5 * size), (x + 1.6 * size, height)]
    cv2.fillPoly(room, [np.rint(shape).astype(np.int32)], shirt.tolist(), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 6))):  # folds
        start = rng.uniform((x - size, top + 1.4 * size), (x + size, height))
        end = start + rng.normal(0, 0.5 * size, 2)
        cv2.line(
            room,
            *np.rint([start, end]).astype(int).tolist(),
            (shirt * rng.uniform(0.6, 1.3)).tolist(),
            max(1, int(0.03 * size)),
            cv2.LINE_AA,
        )
    cv2.ellipse(
        room,
        (int(x), int(top)),
        (int(0.62 * size), int(0.85 * size)),
        0,
        0,
        360,
        (skin * 0.25).tolist(),
        -1,
        cv2.LINE_AA,
    )
    cv2.ellipse(
        room,
        (int(x), int(top + 0.15 * size)),
        (int(0.55 * size), int(0.75 * size)),
        0,
        0,
        360,
        skin.tolist(),
        -1,
        cv2.LINE_AA,
    )
    for side in (-0.2, 0.2):
        cv2.circle(
            room, (int(x + side * size), int(top)), max(1, int(0.06 * size)), (skin * 0.2).tolist(), -1, cv2.LINE_AA
        )
    cv2.ellipse(
        room,
        (int(x), int(top + 0.45 * size)),
        (int(0.18 * size), int(0.06 * size)),
        0,
        0,
        180,
        (skin * 0.5).tolist(),
        max(1, int(0.03 * size)),
    )


def _skin(rng: np.random.Generator) -> np.ndarray:
    return np.array([0.55, 0.7, 1.0]) * rng.uniform(60, 235) * tint(rng, 0.1)


def _lay_sheet(
    picture: np.ndarray, scene_sources: SceneSources, rng: np.random.Generator, layout: str, distance: str, place: int
) -> tuple[list[Written], np.ndarray]:
    """Draw one sheet into the picture. Returns its characters and the mask of what the sheet and hands cover."""
    height, width = picture.shape[:2]
    share = {"far": (0.12, 0.3), "middle": (0.3, 0.55), "near": (0.55, 0.95), "close up": (1.15, 2.2)}[distance]
    sheet_w = rng.uniform(*share) * width
    aspect = log_uniform(rng, 0.5, 1.7)
    if distance == "close up":
        aspect = rng.uniform(0.6, 1.0)
    elif distance == "near":
        sheet_w = min(sheet_w, 1.05 * height / aspect)
    sheet_wh = max(16, round(sheet_w)), max(16, round(sheet_w * aspect))
    sheet = blank(sheet_wh, rng)
    view = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (np.array(sheet_wh) - 1)
    if distance == "close up":
        shown = width * rng.uniform(0.9, 1.0), height * rng.uniform(0.9, 1.0)
        left, top = rng.uniform(0.02, 0.98, 2) * (np.array(sheet_wh) - shown)
        area = np.array([left, top, left + shown[0], top + shown[1]])
    else:
        area = np.array([0, 0, *sheet_wh], np.float64)
    inset = np.minimum(area[2:] - area[:2], 400) * 0.03
    area += [*inset, *-inset]
    Writer(sheet, scene_sources.digits, rng).fill(area, layout, printed=distance != "close up")
    corners = _perspective(view, rng, 0.12 if distance == "close up" else 1.0)
    if distance == "close up":
        middle = (area[:2] + area[2:]) / 2
        corners += np.array([width / 2, height / 2]) - (
            middle * (corners.max(0) - corners.min(0)) / sheet_wh + corners.min(0)
        )
    else:
        low, high = corners.min(axis=0), corners.max(axis=0)
        free = np.array([width, height]) - (high - low)
        overhang = 0.08 * (high - low) * (rng.random() < 0.25)  # cut off by the picture's edge
        corners += rng.uniform(np.minimum(0, free) - overhang, np.maximum(0, free) + overhang) - low
    to_picture = cv2.getPerspectiveTransform(view.astype(np.float32), corners.astype(np.float32))
    cover = cv2.warpPerspective(
        np.full(sheet_wh[::-1], 255, np.uint8), to_picture, (width, height), flags=cv2.INTER_AREA
    )
    _cast_shadow(picture, cover, rng)
    laid = cv2.warpPerspective(
        sheet.image_bgr, to_picture, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    alpha = (cover.astype(np.float32) / 255)[..., None]
    before_hands = picture * (1 - alpha) + laid * alpha
    picture[:] = before_hands
    has_hands = distance != "close up" or rng.random() < 0.15
    hidden = _hold(picture, scene_sources, corners, rng) if has_hands else np.zeros((height, width), np.uint8)
    return _truth(sheet, to_picture, hidden, (width, height), line_from=1000 * place), np.maximum(cover, hidden)


def _perspective(corners: np.ndarray, rng: np.random.Generator, most: float) -> np.ndarray:
    """Rotate corners (4, 2) of a flat sheet in 3D and project them."""
    centre = corners.mean(axis=0)
    flat = corners - centre
    size = np.linalg.norm(flat, axis=1).max()
    yaw, pitch = np.clip(rng.normal(0, 0.22, 2), -0.5, 0.5) * most
    roll = np.clip(rng.normal(0, 0.12), -0.5, 0.5) * (1.0 if most == 1.0 else 0.8)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    flat = flat @ turn.T
    depth = 1 + (flat[:, 0] * np.sin(yaw) + flat[:, 1] * np.sin(pitch)) / (3.5 * size)
    return flat * [np.cos(yaw), np.cos(pitch)] / depth[:, None] + centre


def _cast_shadow(picture: np.ndarray, cover: np.ndarray, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        shift = rng.normal(0, 0.015 * picture.shape[1], 2)
        shadow = cv2.warpAffine(cover, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), cover.shape[::-1])
        shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(1, 8))
        picture *= (1 - rng.uniform(0.1, 0.6) * shadow.astype(np.float32) / 255)[..., None]


@cache
def _cut_out(path: Path) -> np.ndarray:
    """A hand (h, w, 4) uint8 BGRA from its photograph on black."""
    photo = read_image(path)
    mask = np.where(photo.max(axis=2) > 28, 255, 0).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    x, y, width, height = cv2.boundingRect(mask)
    mask = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return np.dstack([photo, mask])[y : y + height, x : x + width]


def _hold(
    picture: np.ndarray, scene_sources: SceneSources, corners: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw hands at the sheet's edge into the picture. Returns their mask (H, W) uint8."""
    height, width = picture.shape[:2]
    hidden = np.zeros((height, width), np.uint8)
    diagonal = float(np.linalg.norm(corners[0] - corners[2]))
    size = min(max(diagonal * rng.uniform(0.18, 0.4), 0.06 * width), 0.45 * width)
    for _ in range(int(rng.integers(0, 3))):
        side = int(rng.integers(4))
        along = rng.uniform(0.1, 0.9)
        at = corners[side] * (1 - along) + corners[(side + 1) % 4] * along
        inward = corners.mean(axis=0) - at
        inward /= np.linalg.norm(inward) + 1e-6
        if len(scene_sources.hands) and rng.random() < 0.6:
            _lay_hand(
                picture,
                hidden,
                _cut_out(scene_sources.hands[int(rng.integers(len(scene_sources.hands)))]),
                at,
                inward,
                size,
                rng,
            )
        else:
            _draw_fingers(picture, hidden, at, inward, size, rng)
    return hidden


def _lay_hand(
    picture: np.ndarray, hidden: np.ndarray, hand_bgra: np.ndarray, at: np.ndarray, inward: np.ndarray, size: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Paste a photographed hand over the sheet's edge, fingers pointing inwards."""
    height, width = hand_bgra.shape[:2]
    scale = size / max(height, width) * 1.4
    angle = np.arctan2(inward[0], -inward[1]) + rng.normal(0, 0.4)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    flip = -1.0 if rng.random() < 0.5 else 1.0
    matrix = np.array([[cos * flip, -sin, 0.0], [sin * flip, cos, 0.0]])
    tip = np.array([width / 2, rng.uniform(0.05, 0.45) * height])
    matrix[:, 2] = at - matrix[:, :2] @ tip
    laid = cv2.warpAffine(hand_bgra, matrix, hidden.shape[::-1], flags=cv2.INTER_LINEAR)
    alpha = laid[..., 3:].astype(np.float32) / 255
    picture *= 1 - alpha
    picture += laid[..., :3] * alpha * rng.uniform(0.5, 1.1)
    np.maximum(hidden, laid[..., 3], out=hidden)


def _draw_fingers(
    picture: np.ndarray, hidden: np.ndarray, at: np.ndarray, inward: np.ndarray, size: float, rng: np.random.Generator
) -> None:
    """Draw a thumb, or a fist with its fingers, and the arm."""
    skin = _skin(rng)
    across = np.array([-inward[1], inward[0]])
    count = int(rng.integers(1, 5))
    wide = size * rng.uniform(0.14, 0.22)
    limbs = [(at - inward * size * 2, at - inward * 0.35 * size, wide * 2.6)]
    for number in range(count):
        root = at + across * (number - (count - 1) / 2) * wide * 1.02 - inward * 0.35 * size
        limbs.append((root, root + inward * size * rng.uniform(0.3, 0.65), wide))
    mask = np.zeros(hidden.shape, np.uint8)
    for start, end, thick in limbs:
        ends = np.rint([start, end]).astype(int).tolist()
        for step in range(4):
            tone = skin * (0.72 + 0.09 * step)
            cv2.line(picture, *ends, tone.tolist(), max(1, round(thick * (1 - step / 5))), cv2.LINE_AA)
        cv2.line(mask, *ends, 255, max(1, round(thick)))
        if thick == wide and rng.random() < 0.5:  # a nail
            cv2.circle(picture, ends[1], max(1, round(0.25 * thick)), (skin * 1.15).tolist(), -1, cv2.LINE_AA)
    np.maximum(hidden, mask, out=hidden)


def _truth(
    sheet: Sheet, to_picture: np.ndarray, hidden: np.ndarray, size_wh: tuple[int, int], line_from: int
) -> list[Written]:
    """The sheet's characters with their place in the picture, without those that are mostly cut off or covered.

    `hidden` (H, W) uint8 is the mask of what covers the sheet.
    """
    found = []
    for one in sheet.characters:
        points = cv2.perspectiveTransform(one.outline[None], to_picture)[0]
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        clipped = max(0.0, x1), max(0.0, y1), min(size_wh[0] - 1.0, x2), min(size_wh[1] - 1.0, y2)
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            continue
        inside = (clipped[2] - clipped[0]) * (clipped[3] - clipped[1]) / max(1.0, (x2 - x1) * (y2 - y1))
        covered = _covered(clipped, hidden)
        if inside < 0.3 or covered > MOST_COVERED:
            continue
        x, y = one.left_top
        placed = to_picture @ np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])
        ambiguous = inside < 0.97 or covered > LEAST_COVERED or one.faint
        found.append(
            Written(one.label, clipped, one.light, line_from + one.line, one.ink, placed, ambiguous, one.character)
        )
    return found


def _uncovered(written: list[Written], hidden: np.ndarray) -> list[Written]:
    """The characters that stay visible under a mask (H, W) uint8; partly hidden ones become ambiguous."""
    shares = [_covered(one.box_xyxy, hidden) for one in written]
    visible = [(one, share) for one, share in zip(written, shares, strict=True) if share < MOST_COVERED]
    return [replace(one, ambiguous=one.ambiguous or share > LEAST_COVERED) for one, share in visible]


def _covered(box_xyxy: tuple[float, float, float, float], hidden: np.ndarray) -> float:
    """The share of the box, 0 to 1, that the mask (H, W) uint8 covers."""
    x1, y1, x2, y2 = (int(side) for side in box_xyxy)
    return float(hidden[y1 : y2 + 1, x1 : x2 + 1].mean()) / 255


def _draw_caption(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Draw text and frames at the picture's edge, as video programs do."""
    height, width = picture.shape[:2]
    words = " ".join(
        word(rng) if rng.random() < 0.6 else str(rng.integers(0, 100)) for _ in range(int(rng.integers(1, 4)))
    )
    where = int(rng.uniform(0, 0.5) * width), int(rng.choice([0.06, 0.97]) * height)
    print_words(picture, words, where, rng.uniform(9, 22) * width / 640, colour_bgr(rng, 60, 255), rng)


GAINS = {"bright": (0.75, 1.1), "middle": (0.4, 0.75), "dim": (0.16, 0.4)}


def _photographed(
    picture: np.ndarray, written: list[Written], light: str, rng: np.random.Generator
) -> tuple[np.ndarray, list[Written]]:
    """Add camera effects. Returns the picture (H, W, 3) uint8 and its characters; illegible ones become ambiguous."""
    height, width = picture.shape[:2]
    unit = width / 640
    small = max(2, height // 16), max(2, width // 16)
    shade = cv2.resize(paper_scenes.light(*small, rng), (width, height), interpolation=cv2.INTER_LINEAR)
    picture = picture * (shade * rng.uniform(*GAINS[light]))[..., None]
    if rng.random() < 0.5:
        picture *= tint(rng, 0.15)
    if rng.random() < 0.1:  # glare
        spot = rng.uniform((0, 0), (width, height))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        far = np.hypot(x - spot[0], y - spot[1]) / (width * rng.uniform(0.1, 0.4))
        picture += (rng.uniform(20, 120) * np.exp(-(far**2)))[..., None]
    blur = rng.uniform(0.3, 0.8) if rng.random() < 0.75 else rng.uniform(0.8, 1.8)
    picture = cv2.GaussianBlur(picture, (0, 0), blur * unit)
    if rng.random() < 0.12:  # motion blur
        length = int(rng.uniform(2, 7) * unit) | 1
        picture = cv2.blur(picture, (length, 1) if rng.random() < 0.5 else (1, length))
    noise = {"bright": 3.0, "middle": 5.0, "dim": 8.0}[light] * rng.uniform(0.1, 1.0)
    grain = rng.normal(0, noise, (height // 2, width // 2, 3)).astype(np.float32)
    picture += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return picture, [_checked_legible(one, picture, noise) for one in written]


def _checked_legible(one: Written, picture: np.ndarray, noise: float) -> Written:
    """The character, marked ambiguous if it is too small or its contrast too low to read."""
    x1, y1, x2, y2 = (round(value) for value in one.box_xyxy)
    step = max(1, (y2 - y1) // 24)
    part = np.sort(picture[y1 : y2 + 1 : step, x1 : x2 + 1 : step].reshape(-1, 3), axis=0).astype(np.int16)
    spread = (part[int(0.97 * len(part))] - part[int(0.03 * len(part))]).max() if len(part) else 0
    faint = spread < LEGIBLE_CONTRAST * (1 if noise < 4 else noise / 4)
    small = max(x2 - x1, y2 - y1) < LEGIBLE_HEIGHT
    return replace(one, ambiguous=True) if faint or small else one
