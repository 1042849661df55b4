"""The panel that shows which action has fired, and that actions are paused."""

from collections.abc import Sequence

import numpy as np

from recognizer.actions.runner import ActionRunner
from recognizer.overlay.drawing import (
    ALERT,
    INK,
    KNOWN,
    Scale,
    draw_panel,
    draw_text,
    fits_frame,
    overlaps_any,
    shortened,
    text_width,
)
from recognizer.values import Box

PAUSED = "actions paused: press a"
WIDEST = 0.5  # share of the picture


class FiredPanel:
    """An extra of the overlay, at the lower right above the keys."""

    def __init__(self, runner: ActionRunner) -> None:
        self._runner = runner

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        paused = self._runner.paused
        fired = self._runner.fired
        line = PAUSED if paused else f"{'would do: ' if self._runner.dry_run else ''}{fired}" if fired else ""
        line = shortened(line, round(WIDEST * scale.width), scale.text)
        if not line:
            return []
        width, height = text_width(line, scale.text) + 2 * scale.pad, scale.text + 2 * scale.pad
        bottom = min((panel.y1 for panel in panels if panel and panel.y1 > scale.height // 2), default=scale.height)
        right = scale.width - scale.pad
        place = Box(right - width, bottom - scale.pad - height, right, bottom - scale.pad)
        if not fits_frame(place, scale) or overlaps_any(place, panels):
            return []
        draw_panel(picture, place, scale, ALERT if paused else KNOWN, opacity=0.95)
        draw_text(picture, line, place.x1 + scale.pad, (place.y1 + place.y2) // 2, scale.text, INK)
        return [place]
