"""A sink that writes one picture with a grid of frames of the run."""

from pathlib import Path
from typing import Self

import numpy as np

from recognizer.errors import SinkError
from recognizer.overlay.drawing import INK, MUTED, draw_text, letterboxed
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.png import one_line_errors, write_png
from recognizer.sinks.sink import _ClosingSink
from recognizer.values import Observation

CELL_WIDTH = 640  # pixels of a picture in the contact sheet: three fill a full-HD screen
COLUMNS = 3


class ContactSheet(_ClosingSink):
    """Writes one PNG with annotated frames at even intervals of the run."""

    def __init__(self, path: Path, overlay: Overlay, cells: int = 12) -> None:
        if cells < 1:
            raise SinkError(f"A contact sheet of {cells} pictures is empty. Ask for 1 or more.")
        self._path = path
        self._overlay = overlay
        self._cells = cells
        self._stride = 1
        self._seen = 0
        self._kept: list[np.ndarray] = []

    def __enter__(self) -> Self:
        """Raises SinkError if the folder cannot be created."""
        with one_line_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, observation: Observation) -> None:
        """Stores every stride-th frame. At twice the number of cells, drops every second one and doubles the stride."""
        if self._seen % self._stride == 0:
            if len(self._kept) == 2 * self._cells:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._kept.append(self._cell(observation))
        self._seen += 1

    def close(self) -> None:
        """Raises SinkError if the file cannot be written. A run without frames writes no file."""
        if not self._kept:
            return
        count = min(self._cells, len(self._kept))
        chosen = [self._kept[round(i)] for i in np.linspace(0, len(self._kept) - 1, count)]
        self._kept = []
        height, width = chosen[0].shape[:2]
        columns = min(COLUMNS, count)
        sheet = np.full((-(-count // columns) * height, columns * width, 3), INK, np.uint8)
        for index, cell in enumerate(chosen):
            top, left = index // columns * height, index % columns * width
            sheet[top : top + height, left : left + width] = letterboxed(cell, (width, height))
        write_png(self._path, sheet)

    def _cell(self, observation: Observation) -> np.ndarray:
        """The annotated frame, reduced, above a caption that identifies it."""
        picture = self._overlay.draw(observation)
        height, width = picture.shape[:2]
        cell_height = min(
            max(1, round(height * CELL_WIDTH / width)), 2 * CELL_WIDTH
        )  # a very tall frame would fill the memory
        picture = letterboxed(picture, (CELL_WIDTH, cell_height))
        caption = np.full((32, CELL_WIDTH, 3), INK, np.uint8)
        frame = observation.frame
        draw_text(caption, f"{frame.name}   frame {frame.index}   {frame.time_s:.1f} s", 10, 15, 16, MUTED)
        return np.vstack([picture, caption])
