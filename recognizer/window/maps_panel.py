"""The panel with live feature maps of each convolution for the leading region."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from recognizer.classifiers.feature_maps import FeatureMaps
from recognizer.errors import ModelError
from recognizer.hot_swap import LivePipeline
from recognizer.overlay.drawing import MUTED, Scale, draw_panel, draw_text, fits_frame, overlaps_any, text_width
from recognizer.overlay.labels import leading_region
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.sink import _ClosingSink
from recognizer.values import Box, Observation

CAPTION = "feature maps"
NO_MAPS = "read from the hand's joints"
BUDGET_S = 0.005  # per frame on average: slower networks are evaluated every few frames only


class MapsPanel(_ClosingSink):
    """A sink that computes feature maps, and an extra of the overlay that draws them while switched on."""

    def __init__(self, pipeline: LivePipeline, overlay: Overlay | None = None):
        """`overlay` shows the network's input, too, while the maps are shown."""
        self.shown = False
        self._overlay = overlay
        self._pipeline = pipeline
        self._folder: Path | None = None
        self._maps: FeatureMaps | None = None
        self._picture: np.ndarray | None = None
        self._frames_to_skip = 0  # frames until the maps are computed again

    def toggle(self) -> None:
        self.shown = not self.shown
        self._picture, self._frames_to_skip = None, 0
        if self._overlay is not None:
            self._overlay.show_details = self.shown

    def write(self, observation: Observation) -> None:
        if not self.shown:
            return
        lead = leading_region([region.box for region in observation.regions], observation.predictions)
        maps = self._current_maps()
        if lead is None or maps is None:
            return
        if self._frames_to_skip:
            self._frames_to_skip -= 1
            return
        began_s = perf_counter()
        self._picture = maps.draw(observation.predictions[lead].image)
        self._frames_to_skip = int((perf_counter() - began_s) / BUDGET_S)

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draws at the lower left above the help line, if there is room. Returns the places of its panels."""
        if not self.shown:
            return []
        has_maps = self._maps is not None and self._maps.has_any
        if has_maps and self._picture is None:
            return []
        caption = CAPTION if has_maps else NO_MAPS
        maps = self._picture if has_maps and self._picture is not None else np.zeros((0, 0, 3), np.uint8)
        height, width = maps.shape[:2]
        width = max(width, text_width(caption, scale.small)) + 2 * scale.pad
        height += scale.small + 2 * scale.pad
        bottom = min((panel.y1 for panel in panels if panel and panel.y1 > scale.height // 2), default=scale.height)
        place = Box(scale.pad, bottom - scale.pad - height, scale.pad + width, bottom - scale.pad)
        if not fits_frame(place, scale) or overlaps_any(place, panels):
            return []
        draw_panel(picture, place, scale)
        draw_text(picture, caption, place.x1 + scale.pad, place.y1 + scale.pad + scale.small // 2, scale.small, MUTED)
        top, left = place.y1 + scale.small + scale.pad + scale.pad // 2, place.x1 + scale.pad
        picture[top : top + maps.shape[0], left : left + maps.shape[1]] = maps
        return [place]

    def close(self) -> None:
        self._maps = None

    def _current_maps(self) -> FeatureMaps | None:
        folder = self._pipeline.folder
        if folder != self._folder:
            self._folder, self._maps, self._picture, self._frames_to_skip = folder, None, None, 0
            if folder is not None:
                try:
                    self._maps = FeatureMaps(folder)
                except ModelError:  # a model of hand joints has no convolutions
                    self._maps = None
        return self._maps
