"""Draws text in any script: with OpenCV if its font has the letters, else with Pillow and the system's fonts."""

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np

from recognizer.system.fonts import font_files

Color = tuple[int, int, int]  # blue, green, red, each 0 to 255

CAP_HEIGHT = 0.75  # of the font size: measured on OpenCV's built-in sans
WEIGHT = 400
INVISIBLE = "\u200c\u200d\ufe0e\ufe0f"  # joiners and variation selectors, which have no glyph
MISSING = "\N{WHITE SQUARE}"  # drawn for characters that no font has
# pixels; colour emoji fonts often have only one size, which is then scaled
BITMAP_SIZES = (109, 128, 136, 160, 96, 64, 48)


def draw_text_any(picture_bgr: np.ndarray, text: str, xy: tuple[int, int], size_px: int, color: Color) -> str:
    """Draws one line of text: capital letters are centred on row y, the text begins at column x. Clipped at the edges.

    Draws into the (H, W, 3) uint8 picture, in place. Returns the characters that no installed font has, which are
    drawn as squares; "" if there are none. The first line in a script that OpenCV lacks takes up to some seconds,
    since the system's fonts are scanned. Call `characters_without_font` in advance to avoid the delay.
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
    """Width in pixels of the line as drawn by `draw_text_any`."""
    drawn, _ = _drawable(text)
    if not opencv_has(drawn):
        return _rendered(drawn, size_px, (255, 255, 255)).shape[1]
    x, _, width, _ = cv2.getTextSize((0, 0), drawn, (0, 0), _face(), size_px, WEIGHT)
    return x + width


def characters_without_font(text: str) -> str:
    """The characters of the text that no installed font has; "" if all can be drawn."""
    return _drawable(text)[1]


def missing_fonts(characters: Iterable[str]) -> str:
    """A message that says which fonts to install for these characters; "" if there are none."""
    scripts = sorted({_script(character) for character in characters})
    if not scripts:
        return ""
    return f"No installed font has {', '.join(scripts)}. Install one, such as Noto Sans (apt install fonts-noto)."


@lru_cache(maxsize=512)
def _drawable(text: str) -> tuple[str, str]:
    """The text with squares for missing characters, and the missing characters."""
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
    """Whether OpenCV can draw the text. It supports left-to-right text only."""
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
    """Whether OpenCV's font has the character; it draws "?" for others."""
    if character in INVISIBLE:
        return False  # it would draw a gap or a "?"
    return character == "?" or not np.array_equal(_rendered_by_opencv(character), _rendered_by_opencv("?"))


def _rendered_by_opencv(character: str) -> np.ndarray:
    canvas = np.zeros((32, 48, 3), np.uint8)
    cv2.putText(canvas, character, (8, 24), (255, 255, 255), _face(), 20, WEIGHT)
    return canvas


@cache
def _has_raqm() -> bool:
    """Whether Pillow can order and shape letters; without it, right-to-left text counts as missing."""
    from PIL import features

    return bool(features.check("raqm"))


@cache
def _fonts() -> dict[str, Any]:
    """The system's fonts by path, as FreeType's faces, regular styles first."""
    import freetype

    faces = {}
    for path in map(str, font_files()):
        try:
            faces[path] = freetype.Face(path)
        except (freetype.FT_Exception, OSError):  # a file that is no font, or is damaged
            continue
    return dict(sorted(faces.items(), key=lambda item: item[1].style_name not in (b"Regular", b"Book", b"Roman")))


@lru_cache(maxsize=4096)
def _find_font(character: str) -> str | None:
    """The file of a font that has the character."""
    return next((path for path in _fonts() if _font_has(path, character)), None)


@lru_cache(maxsize=1 << 16)
def _font_has(path: str, character: str) -> bool:
    """Whether the font has the character and Pillow draws it; Pillow draws nothing for some colour fonts."""
    if not _fonts()[path].get_char_index(character):
        return False
    return character.isspace() or bool(_rendered_run(character, path, 24, (255, 255, 255)).any())


def _runs(text: str) -> list[tuple[str, str]]:
    """Splits the text into runs, each with its font. One font for the full text if possible, so that letters join."""
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
    """The line drawn by Pillow, (h, w, 4) uint8 BGRA, capitals centred vertically."""
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
    """A run in one font, (h, w, 4) BGRA with odd h, capitals centred on the middle row."""
    from PIL import Image, ImageDraw

    font, size = _pillow_font(path, size_px)
    half = 2 * size  # room for marks above and below, at any script's heights
    left = size // 2  # for letters that extend to the left of their origin
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
    """The font and its size; bitmap fonts only have the size that they were made for."""
    from PIL import ImageFont

    for size in (size_px, *BITMAP_SIZES):
        try:
            return ImageFont.truetype(path, size), size
        except OSError:
            continue
    return ImageFont.load_default(size_px), size_px


def _blend(picture_bgr: np.ndarray, line_bgra: np.ndarray, x: int, y: int) -> None:
    """Alpha-blends the line into the picture, in place, with its left edge at x and its middle row at y."""
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
    """The script's Unicode name, such as "Devanagari"; "emoji" for emoji; the code point if it has no name."""
    if unicodedata.category(character) in ("So", "Sk"):
        return "emoji"
    name = unicodedata.name(character, "")
    return name.split()[0].title() if name else f"U+{ord(character):04X}"
