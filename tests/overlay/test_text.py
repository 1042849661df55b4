import numpy as np
import pytest

from recognizer.overlay import text
from recognizer.overlay.text import characters_without_font, draw_text_any, missing_fonts, text_width_any

WHITE = (255, 255, 255)
TAMIL = "வணக்கம்"


def drawn(word: str, *, size_px: int = 32, xy: tuple[int, int] = (20, 40)) -> tuple[np.ndarray, str]:
    picture = np.zeros((80, 400, 3), np.uint8)
    missing = draw_text_any(picture, word, xy, size_px, WHITE)
    return picture, missing


def columns(picture: np.ndarray) -> tuple[int, int]:
    """The first column with a drawn pixel, and the column after the last one."""
    found = np.nonzero(picture.any(axis=(0, 2)))[0]
    return int(found.min()), int(found.max()) + 1


@pytest.mark.parametrize(
    "word", ["ok", "ä/ö", "хорошо", "中文", "?", "שלום", "ok שלום", "مرحبا", "😀", "a😀b", "नमस्ते", "ลุง"]
)
def test_a_line_has_the_requested_position_and_the_computed_width(word: str) -> None:
    picture, _ = drawn(word)
    left, right = columns(picture)
    assert abs(left - 20) <= 6
    assert abs(right - 20 - text_width_any(word, 32)) <= 8
    rows = np.nonzero(picture.any(axis=(1, 2)))[0]
    assert rows.min() < 40 < rows.max()


def test_missing_characters_are_reported_and_drawn_as_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_find_font", lambda character: None)
    text._drawable.cache_clear()
    picture, missing = drawn(TAMIL)
    squares, _ = drawn(text.MISSING * 5)
    text._drawable.cache_clear()
    assert missing == "".join(dict.fromkeys(TAMIL))
    assert picture.any()
    assert np.array_equal(picture, squares) or squares.any()
    assert (
        missing_fonts(missing)
        == "No installed font has Tamil. Install one, such as Noto Sans (apt install fonts-noto)."
    )
    assert missing_fonts("😀न").startswith("No installed font has Devanagari, emoji.")
    assert missing_fonts("") == ""


@pytest.mark.skipif(not text._has_raqm(), reason="Pillow without raqm does not order letters")
def test_hebrew_is_drawn_from_right_to_left() -> None:
    one, two = drawn("ש")[0], drawn("של")[0]
    if characters_without_font("של"):
        pytest.skip("no installed font has Hebrew")
    left, right = columns(one)
    shin = one[:, left:right]
    end = columns(two)[1]
    assert np.array_equal(two[:, end - shin.shape[1] : end], shin)  # the first letter is the rightmost


def test_text_is_clipped_at_the_picture_s_edges() -> None:
    for word in ("ok", "שלום", "😀"):
        for xy in ((-10, 40), (390, 40), (20, -5), (20, 85), (-500, 40), (900, 900)):
            picture, _ = drawn(word, xy=xy)
            assert picture.shape == (80, 400, 3)


def test_text_is_drawn_in_its_bgr_colour_on_the_picture() -> None:
    for word in ("ok", "שלום"):
        picture = np.full((80, 400, 3), 50, np.uint8)
        draw_text_any(picture, word, (20, 40), 40, (255, 50, 50))
        assert picture[..., 0].max() == 255
        assert picture[..., 1:].max() == 50


def test_an_empty_line_draws_nothing() -> None:
    picture, missing = drawn("")
    assert (picture.any(), missing, text_width_any("", 20)) == (False, "", 0)
