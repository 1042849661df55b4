"""Words that can be clicked, and text that is typed, in the strip."""

from collections.abc import Callable, Sequence

from recognizer.overlay.drawing import BOLD, FAINT, draw_panel, draw_text, shortened, text_width
from recognizer.values import Box
from recognizer.window.strip import Page

CURSOR = "|"


def chip_rows(page: Page, words: Sequence[str]) -> int:
    """How many rows the words need."""
    rows, x = 1, 0
    for one in words:
        width = text_width(one, page.scale.small) + 3 * page.scale.pad
        if x and x + width > page.width:
            rows, x = rows + 1, 0
        x += width
    return rows


def draw_chips(page: Page, chips: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Draws words that can be clicked, in as many rows as they need, while there is room."""
    scale = page.scale
    row, x = round(1.9 * scale.small), page.left
    for words, action in chips:
        width = text_width(words, scale.small) + 2 * scale.pad
        if x > page.left and x + width > page.left + page.width:
            page.y, x = page.y + row, page.left
        place = Box(x, page.y, min(x + width, page.left + page.width), page.y + row - 3)
        if not page.has_room(row):
            return
        draw_panel(page.picture, place, scale, FAINT, 1)
        line = shortened(words, place.width - 2 * scale.pad, scale.small)
        draw_text(page.picture, line, x + scale.pad, (place.y1 + place.y2) // 2, scale.small)
        page.on_click(place, action)
        x += width + scale.pad
    page.y += row + 2


def around_cursor(before: str, after: str, page: Page) -> str:
    """The text with its cursor; if it is too long for a line, the part around the cursor."""
    limit, size = page.width, page.scale.text
    while before and text_width(before + CURSOR, size, BOLD) > limit:
        before = before[1:]
    return shortened(f"{before}{CURSOR}{after}", limit, size, BOLD).replace(" ", "\u00a0")
