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
        scale, keys = page.scale, sum(len(keys) for _, keys in ALL_KEYS)
        room = page.bottom - page.y
        is_cramped = room < (keys + len(ALL_KEYS)) * scale.small  # then without headings, and in smaller letters
        row = min(round(1.4 * scale.small), max(1, room // (keys if is_cramped else keys + len(ALL_KEYS))))
        size = min(scale.small, row)
        longest = max(text_width(key, size, BOLD) for _, keys in ALL_KEYS for key, _ in keys) + 2 * scale.pad
        for heading, group in ALL_KEYS:
            if not is_cramped:
                draw_text(page.picture, heading, page.left, page.y + row // 2, size, MUTED)
                page.y += row
            for key, action in group:
                y = page.y + row // 2
                draw_text(page.picture, key, page.left, y, size, PAPER, BOLD)
                action = shortened(action, page.width - longest, size)
                draw_text(page.picture, action, page.left + longest, y, size)
                page.y += row
