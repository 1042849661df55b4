"""The strip with all keys of the window."""

from collections.abc import Sequence

from recognizer.overlay.drawing import BOLD, MUTED, PAPER, draw_text, shortened, text_width
from recognizer.window.strip import Key, Page

ALL_KEYS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    ("Watch", (("Tab", "next task"), ("Space", "freeze"), ("s", "screenshot"), ("m", "mirror the picture"))),
    (
        "Teach",
        (
            ("n", "new task"),
            ("c", "record"),
            ("k", "look at the samples"),
            ("e", "edit labels, task, trash"),
            ("t", "train"),
            ("u", "previous model"),
        ),
    ),
    ("Spell", (("w", "words from signs"),)),
    ("Play", (("g", "rock, paper, scissors"), ("a", "pause actions"))),
    ("Look inside", (("f", "what the network sees"), ("p", "times"), ("x", "flip a mirrored camera"))),
    ("Everywhere", (("Esc", "close what is open"), ("q", "quit"))),
)


class HelpStrip:
    """All keys, while it is open."""

    keys: Sequence[Key] = (("Esc", "close"),)

    def __init__(self) -> None:
        self.is_open = False

    def toggle(self) -> None:
        self.is_open = not self.is_open

    def draw(self, page: Page) -> None:
        scale, row = page.scale, round(1.4 * page.scale.small)
        longest = max(text_width(key, scale.small, BOLD) for _, keys in ALL_KEYS for key, _ in keys) + 2 * scale.pad
        lines = sum(1 + len(keys) for _, keys in ALL_KEYS)
        row = min(row, max(1, (page.bottom - page.y) // lines))
        for heading, keys in ALL_KEYS:
            draw_text(page.picture, heading, page.left, page.y + row // 2, scale.small, MUTED)
            page.y += row
            for key, action in keys:
                y = page.y + row // 2
                draw_text(page.picture, key, page.left, y, scale.small, PAPER, BOLD)
                action = shortened(action, page.width - longest, scale.small)
                draw_text(page.picture, action, page.left + longest, y, scale.small)
                page.y += row
