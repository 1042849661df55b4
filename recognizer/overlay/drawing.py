"""Drawing primitives of the overlay: colours, sizes, text and panels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np

from recognizer.overlay.text import draw_text_any, opencv_has, text_width_any
from recognizer.values import Box

Color = tuple[int, int, int]  # blue, green, red, each 0 to 255

INK: Color = (34, 28, 24)  # panels, and text on bright pills
PAPER: Color = (250, 248, 246)  # text on panels
MUTED: Color = (196, 188, 180)  # secondary text on panels
FAINT: Color = (112, 104, 98)  # empty bars
UNKNOWN: Color = (138, 134, 130)  # boxes without a label
KNOWN: Color = (142, 222, 62)  # labelled regions: a green that is visible on paper, skin and blackboard
ALERT: Color = (60, 184, 255)  # notices: amber

PANEL_OPACITY = 0.74  # lower values make small text unreadable over white paper
REGULAR, BOLD = 400, 700  # font weights
CAP_HEIGHT = 0.75  # of the font size: measured on OpenCV's built-in sans


def combined(*extras: "Extra") -> "Extra":
    """An extra that draws several extras in order. Each avoids the panels of those before it."""

    def draw(picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]) -> list[Box]:
        places: list[Box] = []
        for extra in extras:
            places += extra(picture, scale, boxes, [*panels, *places])
        return places

    return draw


@dataclass(frozen=True)
class Scale:
    """All sizes of the overlay in pixels, derived from the frame's size."""

    width: int
    height: int
    text: int  # font size of labels and bars
    small: int  # font size of help, captions and times
    big: int  # font size of the recognized text
    pad: int
    line: int

    @classmethod
    def of(cls, width: int, height: int) -> "Scale":
        # Portrait pictures are scaled by their width, as if they were 4:3, so that panels fit side by side.
        unit = min(height, 0.75 * width) / 720
        return cls(
            width,
            height,
            text=max(11, round(10 + 14 * unit)),
            small=max(10, round(8 + 11 * unit)),
            big=max(14, round(62 * unit)),
            pad=max(3, round(10 * unit)),
            line=max(1, round(2.5 * unit)),
        )


# Takes the picture, its scale, the boxes of the regions and the panels drawn so far. Returns the boxes of its own
# panels, which later panels avoid.
Extra = Callable[[np.ndarray, Scale, Sequence[Box], Sequence[Box | None]], list[Box]]


@cache
def font() -> "cv2.FontFace":
    """OpenCV's built-in face; recognizer/overlay/text.py draws the scripts that it does not have."""
    return cv2.FontFace("sans")


@lru_cache(maxsize=512)
def text_width(text: str, size: int, weight: int = REGULAR) -> int:
    """Width of a line in pixels."""
    if not opencv_has(text):
        return text_width_any(text, size)
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font(), size, weight)
    return x + width


@lru_cache(maxsize=512)
def shortened(text: str, limit: int, size: int, weight: int = REGULAR) -> str:
    """The line, cut with an ellipsis if it is wider than `limit` pixels."""
    if text_width(text, size, weight) <= limit:
        return text
    end = len(text)
    while end and text_width(text[:end].rstrip() + "…", size, weight) > limit:
        end -= 1
    return text[:end].rstrip() + "…" if end else ""


def wrapped(words: str, limit: int, size: int, weight: int = REGULAR) -> list[str]:
    """The words in lines of at most `limit` pixels. A single word that is longer is shortened."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, weight) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, limit, size, weight) for line in lines]


def draw_text(
    picture: np.ndarray, text: str, x: int, y: int, size: int, color: Color = PAPER, weight: int = REGULAR
) -> None:
    """Draws one line, in place: capitals centred on row y, the first letter at column x."""
    if not opencv_has(text):
        draw_text_any(picture, text, (x, y), size, color)
        return
    baseline = y + round(CAP_HEIGHT * size / 2)
    cv2.putText(picture, text, (x, baseline), color, font(), size, weight)


@lru_cache(maxsize=128)
def rounded_mask(width: int, height: int, radius: int) -> np.ndarray:
    """(height, width) uint8, 255 inside a rectangle with rounded corners."""
    mask = np.zeros((height, width), np.uint8)
    radius = min(radius, (width - 1) // 2, (height - 1) // 2)
    cv2.rectangle(mask, (radius, 0), (width - 1 - radius, height - 1), 255, cv2.FILLED)
    cv2.rectangle(mask, (0, radius), (width - 1, height - 1 - radius), 255, cv2.FILLED)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 255, cv2.FILLED)
    return mask


def draw_panel(picture: np.ndarray, box: Box, scale: Scale, color: Color = INK, opacity: float = PANEL_OPACITY) -> None:
    """Draws a rounded, half-transparent rectangle, in place."""
    part = picture[box.y1 : box.y2, box.x1 : box.x2]
    tinted = cv2.addWeighted(part, 1 - opacity, np.full_like(part, color), opacity, 0)
    cv2.copyTo(tinted, rounded_mask(box.width, box.height, scale.pad), part)


def fits_frame(box: Box, scale: Scale) -> bool:
    """Whether a panel lies inside the frame. Panels that do not are left out of tiny frames."""
    return box.x1 >= 0 and box.y1 >= 0 and box.x2 <= scale.width and box.y2 <= scale.height


def overlaps_any(box: Box, others: Sequence[Box | None]) -> bool:
    """Whether a box overlaps any of the others; None stands for a panel that was not drawn."""
    x1, y1, x2, y2 = box.xyxy
    return any(o is not None and x1 < o.x2 and o.x1 < x2 and y1 < o.y2 and o.y1 < y2 for o in others)


def percent(probability: float) -> str:
    return f"{100 * probability:.0f}%"


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """The (h, w) or (h, w, 3) picture as BGR, about `side` px high. Scaled up by whole factors to show its pixels."""
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    height, width = image.shape[:2]
    if height <= side:
        factor = max(1, round(side / height))
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(image, (max(1, round(width * side / height)), side), interpolation=cv2.INTER_AREA)


def letterboxed(picture: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The (H, W, 3) picture scaled to fit into that size, centred, with dark margins."""
    width, height = size_wh
    if picture.shape[:2] == (height, width):
        return picture
    shrink = min(width / picture.shape[1], height / picture.shape[0])
    inner_wh = (max(1, round(picture.shape[1] * shrink)), max(1, round(picture.shape[0] * shrink)))
    small = cv2.resize(picture, inner_wh, interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), INK, np.uint8)
    left, top = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
    canvas[top : top + inner_wh[1], left : left + inner_wh[0]] = small
    return canvas
