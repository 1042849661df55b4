"""Synthetic handwriting: digits and letters as pen strokes in many styles, and their rendering as ink."""

import string
from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np

# Control points of a smooth piece of a stroke. A stroke (Pen) is a list of pieces that meet in corners.
Piece = Sequence[tuple[float, float]]
Pen = Sequence[Piece]

LETTERS_LIKE_DIGITS = frozenset("OoDQIliSsZzBbGgqYy")
"""Letters that look like a digit when they stand alone."""

_JITTER = 0.017  # standard deviation of a control point, in heights of the character; more makes it illegible
_SAMPLES = 14  # points between two control points; looks smooth up to a height of 500 pixels
_MAX_SLANT = 0.25  # shear; with more, 1, 7 and / look the same


def digit_strokes(digit: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One handwritten digit in a style sampled by `rng`.

    Returns its strokes in writing order, each (N, 2) float32 points (x right, y down). The digit extends from y = 0 to
    about y = 1, and from x = 0 to its width, which varies.
    """
    return _varied_strokes(_DIGITS[digit](rng), rng)


def letter_strokes(letter: str, rng: np.random.Generator) -> list[np.ndarray]:
    """One handwritten letter A-Z or a-z, in the format of `digit_strokes`.

    Capitals extend from y = 0 to y = 1. Small letters have the same base line and their usual height relative to capitals;
    their tails reach down to about y = 1.4.
    """
    return _varied_strokes(_letter_styles()[letter][_pick(rng, len(_letter_styles()[letter]))], rng)


def placement_matrix(
    strokes: Sequence[np.ndarray], center_xy: tuple[float, float], height_px: float, angle_deg: float = 0.0
) -> np.ndarray:
    """The (2, 3) transform that scales strokes to `height_px` and centres their bounding box on `center_xy` in pixels.

    `angle_deg` turns them clockwise about that centre. Strokes wider than 1.6 times their height are scaled by width.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = height_px / max(high[1] - low[1], (high[0] - low[0]) / 1.6, 1e-3)
    angle = np.deg2rad(angle_deg)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = np.asarray(center_xy) - turn @ ((low + high) / 2)
    return np.column_stack([turn, offset])


def draw_strokes(
    strokes: Sequence[np.ndarray],
    size_wh: tuple[int, int],
    width_px: float,
    *,
    matrix: np.ndarray | None = None,
    pressure: float = 0.0,
    gaps: float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Renders the strokes as antialiased ink, (H, W) uint8, 0 for none, 255 for full ink.

    `matrix` (2, 3) maps stroke points to pixels; by default the strokes are centred, and three quarters of
    the picture's shorter side high. `width_px` is the mean pen width. `pressure` (0 to about 0.5) is the relative variation
    of the width along the stroke; it also thins the ends. `gaps` (0 to 1) is the mean number of gaps in a piece of stroke
    as long as the character is high; each gap is about as long as the pen is wide. Both need `rng`.
    """
    width, height = size_wh
    if matrix is None:
        matrix = placement_matrix(strokes, (width / 2, height / 2), 0.75 * min(width, height))
    # OpenCV draws integer widths only, so thin pens are drawn supersampled and then reduced.
    fine = 1 if width_px >= 24 else 2 if width_px >= 8 else 4
    ink = np.zeros((height * fine, width * fine), np.uint8)
    reach = float(np.hypot(matrix[0, 1], matrix[1, 1]))  # pixels of one stroke height
    for stroke in strokes:
        points = (stroke @ matrix[:, :2].T + matrix[:, 2]) * fine + (fine - 1) / 2
        fixed = np.rint(points * 16).astype(np.int32)  # four fractional bits: polylines' shift=4
        if rng is None or (pressure == 0 and gaps == 0):
            cv2.polylines(ink, [fixed.reshape(-1, 1, 2)], False, 255, int(_thickness(width_px * fine)), cv2.LINE_AA, 4)
            continue
        widths = width_px * fine * _pressure(stroke, pressure, rng)
        has_ink = _inked_spans(stroke, gaps, width_px / reach, rng)
        # Spans of the same width (0 for a gap) are drawn in one call, which is ten times faster.
        pens = np.where(has_ink, _thickness(widths), 0)
        for run in np.split(np.arange(len(pens)), np.flatnonzero(np.diff(pens)) + 1):
            if pens[run[0]]:
                line = fixed[run[0] : run[-1] + 2].reshape(-1, 1, 2)
                cv2.polylines(ink, [line], False, 255, int(pens[run[0]]), cv2.LINE_AA, 4)
    return ink if fine == 1 else cv2.resize(ink, size_wh, interpolation=cv2.INTER_AREA)


def _thickness(width: float | np.ndarray) -> np.ndarray:
    """The integer thickness for OpenCV that gives an antialiased line of this width.

    With fractional bits, OpenCV draws thickness 1 as 1.4 pixels. It draws an even thickness 1.4 pixels wider, and an odd
    one like the next even one.
    """
    return np.maximum(1, 2 * np.rint((np.asarray(width) - 1.4) / 2)).astype(int)


def _pressure(stroke: np.ndarray, pressure: float, rng: np.random.Generator) -> np.ndarray:
    """Relative pen width at each span of a stroke (N, 2): (N - 1,), with a mean of about 1."""
    along = np.linspace(0, 1, len(stroke) - 1)
    waves = sum(np.sin(along * rng.uniform(2, 12) + rng.uniform(0, 2 * np.pi)) for _ in range(3))
    ends = np.minimum(1.0, 0.5 + 6 * np.minimum(along + 0.02, 1.02 - along))
    return np.clip((1 + pressure * waves / 1.7) * (1 - pressure * (1 - ends)), 0.3, 2.0)


def _inked_spans(stroke: np.ndarray, gaps: float, pen_width: float, rng: np.random.Generator) -> np.ndarray:
    """Which spans of a stroke (N, 2) have ink: (N - 1,) bool. `pen_width` is in heights of the character."""
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    length_until = np.cumsum(steps)
    has_ink = np.ones(len(steps), bool)
    for _ in range(rng.poisson(gaps * length_until[-1])):
        gap_center = rng.uniform(0, length_until[-1])
        half = pen_width * rng.uniform(0.7, 1.1)  # round pen ends cover half a width at each side
        has_ink &= abs(length_until - gap_center) > half
    return has_ink


def _varied_strokes(pens: Sequence[Pen], rng: np.random.Generator) -> list[np.ndarray]:
    """Strokes from control points, in one person's handwriting: jittered, smoothed, slanted, stretched, moved to x = 0."""
    steady = rng.uniform(0.3, 1.3) * _JITTER
    moved: dict[tuple[float, float], np.ndarray] = {}  # two pieces that share a point get the same jittered point

    def jittered(point: tuple[float, float]) -> np.ndarray:
        if point not in moved:
            moved[point] = np.add(point, np.clip(rng.normal(0, steady, 2), -0.04, 0.04))
        return moved[point]

    strokes = [np.concatenate([_smooth(np.array([jittered(p) for p in piece])) for piece in pen]) for pen in pens]
    slant = float(np.clip(rng.normal(0.06, 0.12), -_MAX_SLANT, _MAX_SLANT))
    stretch = float(np.clip(rng.lognormal(0.08, 0.2), 0.72, 1.5))
    # A low-frequency distortion that depends on position only, so that it is the same for all strokes.
    waver = rng.uniform(0, 0.014)
    pace, phase = rng.uniform(3, 9, (2, 2)), rng.uniform(0, 2 * np.pi, 2)
    for stroke in strokes:
        stroke += waver * np.sin(stroke @ pace + phase)
        stroke[:, 0] = stretch * stroke[:, 0] - slant * stroke[:, 1]
    left = min(stroke[:, 0].min() for stroke in strokes)
    return [(stroke - (left, 0)).astype(np.float32) for stroke in strokes]


def _smooth(points: np.ndarray) -> np.ndarray:
    """A smooth polyline through control points (n, 2): a centripetal Catmull-Rom spline, which has no stray loops."""
    if len(points) == 1:
        return points
    spans = np.diff(points, axis=0)
    knots = np.maximum(np.hypot(spans[:, 0], spans[:, 1]), 1e-4)[:, None] ** 0.5
    speed = spans / knots
    inner = (speed[:-1] * knots[1:] + speed[1:] * knots[:-1]) / (knots[:-1] + knots[1:])
    if len(inner):
        tangents = np.concatenate([[1.5 * speed[0] - inner[0] / 2], inner, [1.5 * speed[-1] - inner[-1] / 2]])
    else:
        tangents = np.concatenate([speed, speed])
    t = np.linspace(0, 1, _SAMPLES, endpoint=False)[None, :, None]
    start, end = points[:-1, None], points[1:, None]
    out, into = (tangents[:-1] * knots)[:, None], (tangents[1:] * knots)[:, None]
    curve = (
        start * (2 * t**3 - 3 * t**2 + 1)
        + out * (t**3 - 2 * t**2 + t)
        + end * (3 * t**2 - 2 * t**3)
        + into * (t**3 - t**2)
    )
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _arc(
    cx: float, cy: float, rx: float, ry: float, start_deg: float, stop_deg: float, drift: float = 1.0
) -> list[tuple[float, float]]:
    """Control points along an ellipse, 0° right and 90° at the bottom. The radius changes linearly by the factor `drift`."""
    count = max(3, round(abs(stop_deg - start_deg) / 48) + 1)
    angles = np.deg2rad(np.linspace(start_deg, stop_deg, count))
    radii = np.linspace(1, drift, count)
    x, y = cx + rx * radii * np.cos(angles), cy + ry * radii * np.sin(angles)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _pick(rng: np.random.Generator, count: int) -> int:
    return int(rng.integers(count))


def _zero(rng: np.random.Generator) -> list[Pen]:
    start = rng.uniform(-130, -50)
    turn = 360 + rng.uniform(-14, 40)
    rx = rng.uniform(0.23, 0.42)
    direction = -1 if rng.random() < 0.85 else 1
    ring = _arc(rx, 0.5, rx, 0.5, start, start + direction * turn, rng.uniform(0.88, 1.06))
    if rng.random() < 0.25:  # a short stroke above the ring at the start
        ring.insert(0, (ring[0][0] + rng.uniform(0.03, 0.12), ring[0][1] - rng.uniform(0.0, 0.05)))
    return [[ring]]


def _one(rng: np.random.Generator) -> list[Pen]:
    top, foot = (0.0, 0.0), (rng.uniform(-0.06, 0.06), 1.0)
    bend = rng.normal(0, 0.015)
    stem = [top, (foot[0] / 2 + bend, 0.5), foot]
    style = rng.random()
    if style < 0.3:
        return [[stem]]
    # A shallow flag on a leaning stem must be short, or the digit would be a 7.
    down = np.deg2rad(rng.uniform(30, 68))
    length = rng.uniform(0.12, 0.44 if down < 0.87 else 0.66)
    tip = (-length * np.cos(down), length * np.sin(down))
    sag = rng.uniform(-0.01, 0.05)
    flag = [tip, (tip[0] / 2 + sag * 0.4, tip[1] / 2 + sag), top]
    if style < 0.7:
        if rng.random() < 0.2:
            return [[stem], [flag[::-1]]]
        return [[flag, stem]]
    half = rng.uniform(0.13, 0.5)
    middle = foot[0] + rng.normal(0, 0.04)
    height = 1.0 + rng.uniform(-0.01, 0.05)
    tilt = rng.normal(-0.02, 0.06)
    bar = [(middle - half, height - tilt * half), (middle + half, height + tilt * half)]
    if rng.random() < 0.25:
        bar.insert(1, (middle, height + rng.normal(0, 0.025)))
    return [[flag, stem], [bar]]


def _two(rng: np.random.Generator) -> list[Pen]:
    right = rng.uniform(0.48, 0.64)
    head = rng.uniform(0.2, 0.32)  # y at which the bow is widest
    start = (rng.uniform(-0.02, 0.08), rng.uniform(0.14, 0.3))
    bow = [start, (right * 0.24, 0.05), (right * 0.58, 0.0), (right * 0.95, head * 0.45), (right, head)]
    if rng.random() < 0.2:
        bow.insert(0, (start[0] + 0.07, start[1] + 0.08))  # curled start
    bow.append((right * rng.uniform(0.62, 0.74), rng.uniform(0.55, 0.64)))
    end_x = rng.uniform(0.5, 0.85)
    style = rng.random()
    if style < 0.4:  # flat base from a corner, sometimes slanted
        foot = (rng.uniform(-0.06, 0.06), rng.uniform(0.94, 1.0))
        bow += [(0.24, 0.78), foot]
        base = [foot, (end_x, foot[1] + rng.uniform(-0.06, 0.05))]
        return [[bow, base]]
    if style < 0.65:  # wavy base from a corner
        foot = (rng.uniform(-0.05, 0.04), rng.uniform(0.92, 0.98))
        bow += [(0.24, 0.77), foot]
        rise = rng.uniform(0.03, 0.1)
        base = [foot, (0.16, foot[1] - rise), (0.42, 1.0), (end_x, 1.0 - rng.uniform(0.0, 0.16))]
        return [[bow, base]]
    loop = rng.uniform(0.07, 0.16)
    bow += [(0.2, 0.88), (0.06, 0.985), (-0.03, 0.96 - loop * 0.4), (0.05, 0.96 - loop), (0.2, 0.975 - loop * 0.5)]
    bow += [(0.42, 0.99), (end_x, 0.96 - rng.uniform(0, 0.1))]
    return [[bow]]


def _three(rng: np.random.Generator) -> list[Pen]:
    waist = (rng.uniform(0.16, 0.28), rng.uniform(0.4, 0.5))
    right = rng.uniform(0.46, 0.62)
    end = (rng.uniform(-0.06, 0.06), rng.uniform(0.8, 0.94))
    low = [(right * 0.8, waist[1] + 0.05), (right + 0.03, 0.72), (right * 0.6, 0.99), (0.12, 0.97), end]
    style = rng.random()
    if style < 0.2:  # flat-topped
        corner = (right * rng.uniform(0.85, 1.0), rng.uniform(-0.02, 0.04))
        top = [(rng.uniform(-0.02, 0.08), rng.uniform(0.0, 0.06)), corner]
        return [[top, [corner, waist], [waist, *low]]]
    start = (rng.uniform(-0.02, 0.08), rng.uniform(0.08, 0.2))
    top = [start, (right * 0.45, 0.0), (right * 0.88, 0.1), (right * 0.9, 0.26)]
    if style < 0.65:  # pointed waist
        return [[[*top, (right * 0.7, waist[1] - 0.06), waist], [waist, *low]]]
    if style < 0.8:  # a little loop at the waist
        x, y = waist
        curl = [(x + 0.12, y - 0.03), (x - 0.01, y + 0.03), (x - 0.03, y - 0.03), (x + 0.06, y - 0.04)]
        return [[[*top, *curl, *low]]]
    return [[[*top, (waist[0] + 0.06, waist[1] - 0.02)], [(waist[0] + 0.06, waist[1] - 0.02), *low]]]


def _four(rng: np.random.Generator) -> list[Pen]:
    bar_y = rng.uniform(0.46, 0.72)
    stem_x = rng.uniform(0.34, 0.5)
    beyond = rng.uniform(0.06, 0.3)
    left = (0.0, bar_y + rng.uniform(-0.03, 0.05))
    bar = [left, (stem_x + beyond, bar_y + rng.uniform(-0.06, 0.05))]
    lean = rng.uniform(-0.08, 0.03)
    if rng.random() < 0.42:  # closed: the stem begins at the tip
        tip = (stem_x + rng.uniform(-0.04, 0.03), 0.0)
        side = [tip, (tip[0] * 0.52 + rng.uniform(-0.01, 0.03), bar_y * 0.5), left]
        above = rng.uniform(0.0, 0.12) if rng.random() < 0.5 else -rng.uniform(0.02, 0.07)
        stem = [(stem_x + 0.01, above), (stem_x + lean, 1.0)]
        if rng.random() < 0.3:
            return [[side, bar], [[tip, (stem_x + lean, 1.0)]]]
        return [[side, bar], [stem]]
    if rng.random() < 0.12:  # a loop at the corner
        loop = rng.uniform(0.08, 0.24)
        curl = [(stem_x * 0.5, bar_y * 0.62), (stem_x * 0.18, bar_y), (-0.03, bar_y - 0.35 * loop)]
        curl += [(0.02, bar_y - loop), (stem_x * 0.35, bar_y - 0.9 * loop), (stem_x * 0.8, bar_y - 0.02), bar[1]]
        start = (stem_x * rng.uniform(0.6, 1.0), rng.uniform(0.0, 0.12))
        return [[[start, *curl]], [[(stem_x + 0.02, rng.uniform(0.0, 0.2)), (stem_x + lean, 1.0)]]]
    top_x = rng.uniform(0.02, 0.14)
    bend = rng.uniform(-0.03, 0.03)
    side = [(top_x, rng.uniform(0.0, 0.1)), (top_x * 0.5 + bend, bar_y * 0.55), left]
    stem_top = rng.uniform(-0.02, 0.28) if bar_y > 0.56 else rng.uniform(-0.02, 0.16)
    stem = [(stem_x + rng.uniform(-0.01, 0.07), stem_top), (stem_x, 0.6), (stem_x + lean, 1.0)]
    if rng.random() < 0.25:  # rounded where side and bar meet
        round_side = [*side[:2], (0.015, bar_y - 0.06), (0.07, bar_y + 0.015), (stem_x * 0.7, bar_y), bar[1]]
        return [[round_side], [stem]]
    return [[side, bar], [stem]]


def _five(rng: np.random.Generator) -> list[Pen]:
    neck = (rng.uniform(0.0, 0.08), rng.uniform(0.36, 0.47))
    corner = (neck[0] + rng.uniform(0.0, 0.1), rng.uniform(0.0, 0.06))
    right = rng.uniform(0.48, 0.64)
    end = (rng.uniform(-0.08, 0.04), rng.uniform(0.82, 0.95))
    swell = rng.uniform(0.02, 0.1)
    belly = [neck, (0.26, neck[1] - swell), (right * 0.9, neck[1] + 0.08), (right, 0.7), (right * 0.62, 0.98)]
    belly += [(0.12, 0.99), end]
    reach = rng.uniform(0.36, 0.8)
    tip = (corner[0] + reach, corner[1] + rng.uniform(-0.08, 0.04))
    if rng.random() < 0.45:  # one stroke, from the right end of the cap
        return [[[tip, corner], [corner, neck], belly]]
    gap = (corner[0] + rng.uniform(-0.06, 0.09), corner[1] + rng.uniform(-0.06, 0.03))
    cap: Piece = [gap, tip]
    if rng.random() < 0.3:
        cap = [gap, ((gap[0] + tip[0]) / 2, (gap[1] + tip[1]) / 2 + rng.uniform(-0.01, 0.035)), tip]
    return [[[corner, neck], belly], [cap]]


def _six(rng: np.random.Generator) -> list[Pen]:
    ry = rng.uniform(0.17, 0.31)
    rx = rng.uniform(0.2, 0.31)
    cy = 1.0 - ry
    top = (rx * rng.uniform(0.8, 2.1), 0.0)
    if rng.random() < 0.5:  # straight stem
        stem = [top, (top[0] * 0.52 + 0.02, cy * 0.4), (top[0] * 0.14 + 0.01, cy * 0.76)]
    else:
        stem = [top, (top[0] * 0.42, cy * 0.2), (top[0] * 0.1, cy * 0.58)]
        if rng.random() < 0.3:
            stem.insert(0, (top[0] + 0.13, rng.uniform(0.02, 0.07)))
    close = rng.uniform(-30, 28)
    return [[[*stem, *_arc(rx, cy, rx, ry, 180, -180 - close, rng.uniform(0.85, 0.98))]]]


def _seven(rng: np.random.Generator) -> list[Pen]:
    right = (rng.uniform(0.5, 0.7), rng.uniform(-0.03, 0.03))
    start = (0.0, right[1] + rng.uniform(-0.02, 0.1))
    foot = (rng.uniform(0.04, 0.34) * right[0] / 0.57, 1.0)
    middle = ((right[0] + foot[0]) / 2, 0.5)
    style = rng.random()
    top: Piece = [start, right]
    if style < 0.22:  # a drop at the left
        pens = [[(start[0] - rng.uniform(-0.02, 0.05), start[1] + rng.uniform(0.08, 0.22)), start], top]
    elif style < 0.42:  # a wave
        dip = rng.uniform(0.02, 0.06)
        wave = [(start[0], start[1] + 0.08), (0.09, start[1]), (0.28, start[1] + dip), right]
        pens = [wave]
    else:
        pens = [top]
    bend = rng.uniform(0.02, 0.09) if rng.random() < 0.5 else 0.0
    stem: Piece = [right, (middle[0] - bend, middle[1] - bend * 0.3), foot]
    if style > 0.85:  # rounded where the bar turns down
        pens = [[start, (right[0] * 0.62, right[1]), (right[0], right[1] + 0.05), (middle[0] - bend, middle[1]), foot]]
    else:
        pens = [*pens, stem]
    strokes: list[Pen] = [pens]
    if rng.random() < 0.4:
        half = rng.uniform(0.12, 0.25)
        y = rng.uniform(0.42, 0.58)
        x = middle[0] - bend + (0.5 - y) * (right[0] - foot[0]) + rng.normal(0, 0.02)
        tilt = rng.uniform(-0.3, 0.15)
        strokes.append([[(x - half, y - half * tilt), (x + half, y + half * tilt)]])
    return strokes


def _eight(rng: np.random.Generator) -> list[Pen]:
    waist_y = rng.uniform(0.4, 0.52)
    upper, lower = rng.uniform(0.17, 0.27), rng.uniform(0.22, 0.33)
    x = max(upper, lower)
    if rng.random() < 0.22:  # two rings
        top = waist_y / 2
        start = rng.uniform(60, 120)
        ring = _arc(x + rng.normal(0, 0.02), top, upper, top, start, start + 360 + rng.uniform(-5, 20))
        half = (1 - waist_y) / 2
        begin = rng.uniform(-120, -60)
        below = _arc(x, 1 - half, lower, half + 0.01, begin, begin - 360 - rng.uniform(-5, 20))
        return [[ring], [below]]
    # One stroke: down in an S, up again on the other side.
    down = [(x + upper * 0.92, 0.16), (x + upper * 0.5, 0.02), (x - upper * 0.4, 0.01), (x - upper, waist_y * 0.45)]
    down += [(x - upper * 0.5, waist_y * 0.84), (x + lower * 0.4, waist_y + 0.1), (x + lower, 0.77)]
    up = [(x + lower * 0.5, 0.98), (x - lower * 0.45, 0.99), (x - lower, 0.78), (x - lower * 0.45, waist_y + 0.11)]
    up += [(x + upper * 0.45, waist_y * 0.8)]
    finish = rng.random()
    if finish < 0.55:
        up.append((x + upper * 0.95, waist_y * rng.uniform(0.38, 0.48)))
        up.append((x + upper * 0.88, 0.14))
    elif finish < 0.8:  # slightly open at the top
        up.append((x + upper * rng.uniform(0.9, 1.15), waist_y * rng.uniform(0.42, 0.55)))
    else:  # the end crosses the start
        up.append((x + upper * 1.05, 0.12))
        up.append((x + upper * rng.uniform(1.2, 1.5), rng.uniform(-0.06, 0.02)))
    stroke = down + up
    if rng.random() < 0.15:
        stroke = [(2 * x - px, py) for px, py in stroke]
    return [[stroke]]


def _nine(rng: np.random.Generator) -> list[Pen]:
    ry = rng.uniform(0.17, 0.3)
    rx = rng.uniform(0.19, 0.3)
    right = 2 * rx
    start = rng.uniform(-65, -5)
    turn = rng.uniform(-345, -315) if rng.random() < 0.3 else rng.uniform(-368, -345)
    ring = _arc(rx, ry, rx, ry, start, start + turn)
    shoulder = (right + rng.uniform(-0.03, 0.03), ry * rng.uniform(0.3, 0.9))
    ring.append(shoulder)
    style = rng.random()
    foot_x = right - rng.uniform(-0.02, 0.16)
    stem: Piece
    if style < 0.4:
        stem = [shoulder, ((shoulder[0] + foot_x) / 2 + rng.normal(0.005, 0.01), 0.6), (foot_x, 1.0)]
    elif style < 0.65:  # curved in
        foot_x = right * rng.uniform(0.25, 0.65)
        stem = [shoulder, (right - 0.005, ry * 2), (right * 0.85, 0.76), (foot_x, 1.0)]
    else:  # a hook to the left, short or long
        hook = rng.uniform(0.2, 0.62)
        rise = rng.uniform(0.02, 0.14)
        stem = [
            shoulder,
            (right + 0.01, 0.55),
            (right - 0.03, 0.84),
            (right - hook * 0.45, 1.0),
            (right - hook, 1.0 - rise),
        ]
    if rng.random() < 0.2:  # two strokes: the stem begins above the ring
        ring = _arc(rx, ry, rx, ry, -40, -40 - rng.uniform(335, 370))
        return [[ring], [[(right + rng.uniform(-0.03, 0.03), rng.uniform(-0.04, 0.1)), *stem[1:]]]]
    return [[ring, stem]]


_DIGITS: tuple[Callable[[np.random.Generator], list[Pen]], ...] = (
    _zero,
    _one,
    _two,
    _three,
    _four,
    _five,
    _six,
    _seven,
    _eight,
    _nine,
)

# The styles of each letter. Points in hundredths, ";" between strokes, "!" at a corner, "/" between styles.
_LETTER_TABLE = """
A 0,100 32,0! 62,100; 12,64 50,62 / 2,100 8,40 30,2 52,40 58,100; 4,60 56,58 / 0,100 30,0! 64,100! 50,60! 10,66
B 4,0 2,100; 4,2 40,4 46,24 34,44 6,48! 44,54 54,76 38,98 2,100 / 6,4 4,100! 6,4! 34,-2 48,20 8,48! 46,56 50,84 2,98
C 58,14 38,0 10,20 0,54 14,90 38,100 60,86 / 54,6 24,2 0,40 4,80 30,100 58,90
D 4,2 2,100; 2,2 38,8 56,44 44,84 2,100 / 8,0 6,98! 44,90 60,50 42,10 0,0
E 4,0 2,100! 54,98; 4,2 52,0; 4,50 42,48 / 52,0 4,2! 4,100! 54,98; 6,48 44,46 / 50,8 24,0 6,20 28,44! 2,72 26,100 54,90
F 4,0 2,100; 4,2 54,0; 4,48 42,46 / 56,0 6,4! 2,100; 6,48 40,44
G 58,14 36,0 8,20 0,56 16,92 40,100 58,84 60,58! 36,58 / 54,10 24,2 2,40 8,84 34,98 56,80! 56,58! 34,60; 56,58 58,100
H 2,0 0,100; 56,0 56,100; 2,50 56,48 / 4,2 4,98; 52,0 50,100; 4,54 50,46
I 20,0 20,100; 0,0 40,0; 0,100 40,100 / 10,0 8,100
J 44,0 46,70 32,98 10,98 0,78 / 40,0 42,74 24,100 2,84; 16,0 66,0
K 4,0 2,100; 54,0 6,56! 56,100 / 2,0 2,100; 52,2 4,50; 20,40 54,98
L 4,0 2,100! 52,98 / 8,0 2,84 6,98 52,96 / 30,8 20,0 12,30 10,80 2,96 10,92 30,98 54,92
M 0,100 8,0! 36,60! 64,0! 74,100 / 2,100 2,2! 34,54! 66,0! 66,100 / 0,98 10,10 18,10 34,80! 52,8 62,10 74,98
N 2,100 4,0! 54,98! 56,0 / 0,100 8,4 16,8 46,94! 56,0
O 30,0 6,20 0,60 18,96 44,94 58,56 48,14 28,0 / 34,2 4,26 6,80 34,100 60,70 54,20 30,2
P 4,0 2,100; 4,2 40,2 54,26 38,50 4,54 / 8,100 10,2! 44,2 52,34 10,50
Q 30,0 6,20 0,60 18,96 44,94 58,56 48,14 28,0; 30,66 70,108 / 34,2 4,26 6,80 34,98 60,70 54,20 30,2; 36,78 52,84 66,106
R 4,0 2,100; 4,2 40,2 52,26 36,48 4,52! 56,100 / 8,100 10,2! 44,2 50,34 10,50! 26,54 56,98
S 54,14 34,0 8,12 14,40 44,56 54,80 30,100 0,86 / 50,6 16,6 8,34 46,60 44,92 2,94
T 30,0 30,100; 0,2 62,0 / 34,4 28,98; -2,6 32,0 70,4
U 2,0 4,70 26,100 50,76 54,0 / 2,0 4,74 20,98 44,88 52,0! 54,100
V 0,0 28,100! 58,0 / 0,2 24,92 32,96 56,0
W 0,0 18,100! 36,30! 56,100! 74,0 / 0,2 10,80 22,98 36,40! 44,90 58,98 74,0
X 2,0 56,100; 54,0 0,100 / 0,2 60,96; 58,2 4,100
Y 0,0 28,50! 58,0; 28,50 28,100 / 0,0 28,48; 60,0 12,100
Z 2,2 54,0! 0,100! 58,98 / 2,4 52,2! 2,98! 56,100; 14,52 46,48
a 46,52 24,44 2,64 4,92 24,98 46,60 48,44! 48,96 58,98 / 8,52 30,44 44,58 46,98; 46,68 14,72 6,90 24,100 46,86
b 4,0 4,98; 4,70 26,50 48,64 44,92 20,100 4,92 / 8,0 2,80 20,100 46,86 42,58 22,52 4,74
c 46,54 24,44 2,62 4,90 26,100 48,90 / 42,48 12,48 0,74 14,98 44,94
d 46,54 24,46 2,66 6,94 28,98 46,74; 48,0 48,92 58,98 / 44,60 20,48 0,72 12,98 38,92 46,60 50,0! 50,98
e 4,72 46,68 42,48 20,44 2,64 6,92 26,100 50,90 / 4,78 40,64 36,46 12,50 0,78 18,100 48,88
f 48,8 32,0 22,20 22,100; 4,46 44,44 / 46,10 34,-2 24,20 20,90 10,128 0,120; 2,48 44,46
g 46,54 24,44 4,60 8,84 28,88 46,60! 48,44 46,110 28,136 4,126 / 44,50 20,44 4,66 20,88 44,60! 44,120 10,132
h 4,0 4,100! 8,66 26,46 44,58 46,100 / 10,0 4,100! 14,62 34,52 42,70 40,92 54,96
i 8,44 8,100; 8,18 9,22 / 8,46 6,90 18,98; 8,20 10,22
j 18,44 18,116 4,136 -12,124; 18,20 19,23 / 20,46 20,120 -4,134; 20,18 22,22
k 4,0 4,100; 40,46 8,74! 44,100 / 6,0 2,100! 8,66 30,46 34,62 8,74! 42,98
l 6,0 6,100 / 8,0 6,86 18,100 28,94 / 4,70 24,20 16,-2 8,20 8,84 24,98
m 2,46 2,100! 8,60 22,46 32,60 32,100! 38,60 54,46 64,60 64,100 / 0,48 4,98! 14,52 28,52 30,98! 42,52 56,54 58,92 70,96
n 2,46 2,100! 10,60 28,46 44,58 44,100 / 0,50 4,98! 16,54 34,50 38,90 50,96
o 22,44 2,60 2,88 24,100 46,84 42,54 20,45 / 26,46 4,56 2,86 28,98 46,76 38,50 22,46
p 4,46 2,138; 4,64 26,44 48,60 44,88 22,98 4,84 / 6,46 2,136! 6,70 30,46 48,66 34,96 4,88
q 46,52 24,44 2,64 6,92 26,96 46,70; 48,44 46,136 / 44,54 16,46 4,80 24,96 46,60! 46,132 60,122
r 4,46 4,100! 8,66 22,48 40,50 / 2,50 6,98! 10,64 30,48 38,56
s 38,52 20,44 4,56 14,70 36,78 36,94 14,100 0,92 / 40,46 10,48 10,68 38,80 28,98 0,96
t 16,10 14,84 26,100 42,92; 0,44 36,42 / 18,14 18,100; 0,46 38,44
u 2,46 4,86 18,100 38,86 42,46! 42,100 / 0,46 4,92 28,98 42,70 42,46! 44,94 54,96
v 0,46 20,100! 42,44 / 0,48 16,94 24,96 40,46
w 0,46 14,100! 28,58! 42,100! 58,44 / 0,48 8,92 20,96 28,62! 36,94 50,96 56,46
x 2,46 42,100; 42,46 0,100 / 0,50 14,48 30,96 46,98; 44,46 2,100
y 2,46 22,98; 46,44 20,112 2,136 / 2,46 6,84 26,92 44,70! 44,46 42,112 20,136 2,124
z 2,46 42,46! 2,100! 46,98 / 2,48 40,46! 4,98! 44,98; 10,72 36,70
"""


@cache
def _letter_styles() -> dict[str, list[list[Pen]]]:
    """The styles of each letter. A style is a list of strokes."""
    styles: dict[str, list[list[Pen]]] = {}
    for line in _LETTER_TABLE.strip().splitlines():
        letter, entries = line.split(" ", 1)
        styles[letter] = [[_pen(stroke) for stroke in style.split(";")] for style in entries.split("/")]
    assert set(styles) == set(string.ascii_letters)
    return styles


def _pen(text: str) -> Pen:
    """The stroke in one entry of _LETTER_TABLE."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for word in text.split():
        x, y = word.rstrip("!").split(",")
        pieces[-1].append((int(x) / 100, int(y) / 100))
        if word.endswith("!"):
            pieces.append([pieces[-1][-1]])
    return pieces
