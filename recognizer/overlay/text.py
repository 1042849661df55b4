"""Draws a line of text in any script: by OpenCV where its face has the letters, else by Pillow with the system's fonts."""

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np

Color = tuple[int, int, int]  # blue, green, red, each 0 to 255

CAP_HEIGHT = 0.75  # of the font size: measured on OpenCV's built-in sans
WEIGHT = 400
INVISIBLE = "\u200c\u200d\ufe0e\ufe0f"  # join letters or choose an emoji's colours, and have no shape of their own
MISSING = "\N{WHITE SQUARE}"  # stands for what no font has
BITMAP_SIZES = (109, 128, 136, 160, 96, 64, 48)  # pixels; colour emoji fonts often have one size, which is then scaled


def draw_text_any(picture_bgr: np.ndarray, text: str, xy: tuple[int, int], size_px: int, color: Color) -> str:
    """One line whose capitals are centred on row y and whose first letter starts at column x; what is outside is cut.

    The picture, (H, W, 3) uint8, is drawn on. Returns the characters that no font here has, "" where all were drawn: a
    square stands in their place. The first line in a script that OpenCV does not have takes up to some seconds, in
    which the system's fonts are looked through; `characters_without_font` does that beforehand.
    """
    drawn, missing = _drawable(text)
    x, y = xy
    if opencv_has(drawn):
        baseline = y + round(CAP_HEIGHT * size_px / 2)
        cv2.putText(picture_bgr, drawn, (x, baseline), color, _face(), size_px, WEIGHT)
    else:
        _blend(picture_bgr, _rendered(drawn, size_px, color), x, y)
    return missing


def text_width_any(text: str, size_px: int) -> int:
    """Pixels that the line takes as `draw_text_any` draws it."""
    drawn, _ = _drawable(text)
    if not opencv_has(drawn):
        return _rendered(drawn, size_px, (255, 255, 255)).shape[1]
    x, _, width, _ = cv2.getTextSize((0, 0), drawn, (0, 0), _face(), size_px, WEIGHT)
    return x + width


def characters_without_font(text: str) -> str:
    """The characters of the text that no font here has, "" where all can be drawn."""
    return _drawable(text)[1]


def missing_fonts(characters: Iterable[str]) -> str:
    """One line on what to install so that the characters can be drawn, "" where there are none."""
    scripts = sorted({_script(character) for character in characters})
    if not scripts:
        return ""
    return f"No font here draws {', '.join(scripts)}. Install one, such as Noto Sans (apt install fonts-noto)."


@lru_cache(maxsize=512)
def _drawable(text: str) -> tuple[str, str]:
    """The text with squares for what cannot be drawn, and what that is."""
    missing = []
    drawn = ""
    for character in text:
        if character in INVISIBLE or _opencv_has_letter(character) or _find_font(character) is not None:
            drawn += character
        else:
            missing.append(character)
            drawn += "" if unicodedata.category(character).startswith("M") else MISSING
    if _is_right_to_left(drawn) and not _has_raqm():
        missing += [character for character in drawn if _is_right_to_left(character)]
    return drawn, "".join(dict.fromkeys(missing))


def opencv_has(text: str) -> bool:
    """Whether OpenCV draws the text as it is read. It knows no other direction than from left to right."""
    if _is_right_to_left(text) and _has_raqm():
        return False
    return all(_opencv_has_letter(character) for character in text)


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


@cache
def _face() -> "cv2.FontFace":
    return cv2.FontFace("sans")


@lru_cache(maxsize=4096)
def _opencv_has_letter(character: str) -> bool:
    """OpenCV draws "?" for a letter that its face lacks."""
    if character in INVISIBLE:
        return False  # it would draw a gap or a "?"
    return character == "?" or not np.array_equal(_rendered_by_opencv(character), _rendered_by_opencv("?"))


def _rendered_by_opencv(character: str) -> np.ndarray:
    canvas = np.zeros((32, 48, 3), np.uint8)
    cv2.putText(canvas, character, (8, 24), (255, 255, 255), _face(), 20, WEIGHT)
    return canvas


@cache
def _has_raqm() -> bool:
    """Whether Pillow can order and shape letters; without it, text from right to left is told as missing."""
    from PIL import features

    return bool(features.check("raqm"))


@cache
def _fonts() -> dict[str, Any]:
    """matplotlib's view of each of the system's font files, plain upright ones first."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    faces = {}
    for path in sorted(font_manager.findSystemFonts()):
        try:
            faces[path] = FT2Font(path)
        except (OSError, RuntimeError):  # a file that is no font, or is damaged
            continue
    return dict(sorted(faces.items(), key=lambda item: item[1].style_name not in ("Regular", "Book", "Roman")))


@lru_cache(maxsize=4096)
def _find_font(character: str) -> str | None:
    """The file of a font that has the character."""
    return next((path for path in _fonts() if _font_has(path, character)), None)


@lru_cache(maxsize=1 << 16)
def _font_has(path: str, character: str) -> bool:
    """Whether the font has the character and Pillow draws it: of some colour fonts it shows nothing."""
    if not _fonts()[path].get_char_index(ord(character)):
        return False
    return character.isspace() or bool(_rendered_run(character, path, 24, (255, 255, 255)).any())


def _runs(text: str) -> list[tuple[str, str]]:
    """The text in pieces with the font of each: one font for all where there is one, so that letters join."""
    for path in _fonts():
        if all(character in INVISIBLE or _font_has(path, character) for character in text):
            return [(text, path)]
    runs: list[tuple[str, str]] = []
    for character in text:
        if runs and (character in INVISIBLE or _font_has(runs[-1][1], character)):
            runs[-1] = (runs[-1][0] + character, runs[-1][1])
        elif (path_of := _find_font(character)) is not None:
            runs.append((character, path_of))
    return runs


@lru_cache(maxsize=256)
def _rendered(text: str, size_px: int, color: Color) -> np.ndarray:
    """The line by Pillow as (h, w, 4) uint8 BGRA; capitals stand in the middle of its height."""
    pieces = [_rendered_run(run, font, size_px, color) for run, font in _runs(text)]
    if not pieces:
        return np.zeros((1, 1, 4), np.uint8)
    if _is_right_to_left(text):
        pieces.reverse()
    height = max(piece.shape[0] for piece in pieces)
    tops = [(height - piece.shape[0]) // 2 for piece in pieces]
    padded = [
        np.pad(piece, ((top, height - piece.shape[0] - top), (0, 0), (0, 0)))
        for top, piece in zip(tops, pieces, strict=True)
    ]
    return np.concatenate(padded, axis=1)


def _rendered_run(text: str, path: str, size_px: int, color: Color) -> np.ndarray:
    """Text in one font as (h, w, 4) BGRA, h odd and the middle of the capitals in its middle row."""
    from PIL import Image, ImageDraw

    font, size = _pillow_font(path, size_px)
    half = 2 * size  # room for marks above and below, at any script's heights
    left = size // 2  # and for letters that begin before their place
    width = max(1, round(font.getlength(text)))
    image = Image.new("RGBA", (width + 2 * left, 2 * half + 1))
    baseline = half + round(CAP_HEIGHT * size / 2)
    blue, green, red = color
    ImageDraw.Draw(image).text((left, baseline), text, (red, green, blue), font, anchor="ls", embedded_color=True)
    rgba = np.asarray(image)[:, left : left + width]
    if size != size_px:
        shrink = size_px / size
        wh = max(1, round(rgba.shape[1] * shrink)), 2 * round(half * shrink) + 1
        rgba = cv2.resize(rgba, wh, interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR)
    return rgba[..., [2, 1, 0, 3]]


@lru_cache(maxsize=64)
def _pillow_font(path: str, size_px: int) -> tuple[Any, int]:
    """The font and the size that it is drawn at: fonts of bitmaps refuse all but their own."""
    from PIL import ImageFont

    for size in (size_px, *BITMAP_SIZES):
        try:
            return ImageFont.truetype(path, size), size
        except OSError:
            continue
    return ImageFont.load_default(size_px), size_px


def _blend(picture_bgr: np.ndarray, line_bgra: np.ndarray, x: int, y: int) -> None:
    """Lay the line onto the picture with its left edge at x and its middle row at y."""
    top, left = y - line_bgra.shape[0] // 2, x
    y1, x1 = max(0, top), max(0, left)
    y2 = min(picture_bgr.shape[0], top + line_bgra.shape[0])
    x2 = min(picture_bgr.shape[1], left + line_bgra.shape[1])
    if y1 >= y2 or x1 >= x2:
        return
    line = line_bgra[y1 - top : y2 - top, x1 - left : x2 - left].astype(np.uint16)
    under = picture_bgr[y1:y2, x1:x2]
    opaque = line[..., 3:]
    under[:] = ((line[..., :3] * opaque + under * (255 - opaque) + 127) // 255).astype(np.uint8)


def _script(character: str) -> str:
    """The script's name as Unicode has it, such as "Devanagari"; "emoji" for pictures, a code where it has none."""
    if unicodedata.category(character) in ("So", "Sk"):
        return "emoji"
    name = unicodedata.name(character, "")
    return name.split()[0].title() if name else f"U+{ord(character):04X}"
