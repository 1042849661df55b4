"""Parts of synthetic pictures: characters as ink, shapes, scribbles, textures, light and camera noise."""

import string

import cv2
import numpy as np

from recognizer.preprocess.pictures import BOX, mnist_image, trim
from recognizer.studio.handwriting import LETTERS_LIKE_DIGITS, draw_strokes

NOTHING = 10  # class index of background, after the ten digits
SIZE_WH = (640, 480)  # pixels
LETTERS = sorted(set(string.ascii_letters) - LETTERS_LIKE_DIGITS)


def draw_shapes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw `count` shapes or scribbles on paper: (480, 640, 3) uint8 BGR."""
    width, height = SIZE_WH
    ink = np.zeros((height, width), np.uint8)
    for _ in range(count):
        if rng.random() < 0.35:
            _scribble(ink, rng)
        else:
            _shape(ink, rng)
    return photograph(ink, rng.uniform(30, 200), rng)


def draw_texture(rng: np.random.Generator) -> np.ndarray:
    """Noise at one or several scales, sometimes with stripes: (480, 640, 3) uint8 BGR."""
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
    """Draw a random polygon, star, arrow, cross, filled blot, line or squiggle into the ink, in place."""
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
        angle = rng.uniform(-0.6, 0.6)  # radians; a steeper line could be read as a 1
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
    """Pictures (N, 28, 28) uint8 of two touching MNIST digits each, from (M, 28, 28). They are background."""
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


def stroke_stamp(strokes: list[np.ndarray], size: float, pen_px: float, rng: np.random.Generator) -> np.ndarray:
    """The ink (h, w) uint8 of pen strokes, without margin: about `size` pixels high and slightly rotated."""
    angle = np.radians(rng.normal(0, 6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * max(8.0, size - pen_px)
    points = np.concatenate(strokes) @ turn.T
    low, high = points.min(axis=0) - pen_px, points.max(axis=0) + pen_px
    matrix = np.column_stack([turn, -low])
    wh = int(np.ceil(high[0] - low[0])) + 1, int(np.ceil(high[1] - low[1])) + 1
    gaps = rng.uniform(0.2, 1.0) if rng.random() < 0.1 else 0.0
    ink = draw_strokes(strokes, wh, pen_px, matrix=matrix, pressure=rng.uniform(0, 0.45), gaps=gaps, rng=rng)
    return trim(ink)


def mnist_stamp(digit: np.ndarray, size: float, pen_px: float, rng: np.random.Generator) -> np.ndarray:
    """The ink (h, w) uint8 of an MNIST digit (28, 28), without margin: smooth edges, `size` pixels on its longer side.

    For a thin pen, its strokes are thinned.
    """
    big = cv2.resize(trim(digit), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    big = cv2.GaussianBlur(cv2.copyMakeBorder(big, 16, 16, 16, 16, cv2.BORDER_CONSTANT), (0, 0), 3)
    # a higher threshold makes strokes thinner; MNIST's blurred edges limit by how much
    level = rng.uniform(90, 170)
    mask = np.clip((big.astype(np.float32) - level) * 8 + 128, 0, 255).astype(np.uint8)
    thinner = int(rng.integers(0, 7))
    if thinner and pen_px < 0.1 * size:
        thinned = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thinner + 1, thinner + 1)))
        # undo an erosion that breaks a stroke
        if cv2.connectedComponents(thinned)[0] == cv2.connectedComponents(mask)[0]:
            mask = thinned
    mask = trim(mask)
    if mask.size == 0:
        mask = np.full((8, 4), 255, np.uint8)
    scale = size / max(mask.shape)
    wh = max(2, round(mask.shape[1] * scale)), max(2, round(mask.shape[0] * scale))
    return cv2.resize(mask, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _scribble(ink: np.ndarray, rng: np.random.Generator) -> None:
    height, width = ink.shape
    points = np.cumsum(rng.normal(0, rng.uniform(8, 40), (int(rng.integers(4, 60)), 2)), axis=0)
    points += (rng.uniform(0, width), rng.uniform(0, height))
    cv2.polylines(ink, [np.round(points).astype(np.int32)], False, 255, int(rng.integers(1, 8)), cv2.LINE_AA)


def photograph(ink: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Render ink (H, W) uint8 as a photograph of paper, a board or a tablet, (H, W, 3) uint8 BGR.

    `size` is the height of the characters in pixels.
    """
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
    """Draw the lines of ruled or squared paper, or nothing, into `paper` in place."""
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
    """Uneven illumination, (H, W) float32, about 0.4 to 1: a gradient, sometimes a shadow edge or vignetting."""
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
