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
        self._frame_count = 0
        self._stored: list[np.ndarray] = []

    def __enter__(self) -> Self:
        """Create the folder. Raises SinkError."""
        with one_line_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, observation: Observation) -> None:
        """Store every stride-th frame. At twice the number of cells, drop every second one and double the stride."""
        if self._frame_count % self._stride == 0:
            if len(self._stored) == 2 * self._cells:
                self._stored = self._stored[::2]
                self._stride *= 2
            if self._frame_count % self._stride == 0:
                self._stored.append(self._cell(observation))
        self._frame_count += 1

    def close(self) -> None:
        """Write the file, unless the run had no frames. Raises SinkError."""
        if not self._stored:
            return
        count = min(self._cells, len(self._stored))
        chosen = [self._stored[round(i)] for i in np.linspace(0, len(self._stored) - 1, count)]
        self._stored = []
        height, width = chosen[0].shape[:2]
        columns = min(COLUMNS, count)
        sheet = np.full((-(-count // columns) * height, columns * width, 3), INK, np.uint8)
        for index, cell in enumerate(chosen):
            top, left = index // columns * height, index % columns * width
            sheet[top : top + height, left : left + width] = letterboxed(cell, (width, height))
        write_png(self._path, sheet)

    def _cell(self, observation: Observation) -> np.ndarray:
        """The annotated frame, scaled to CELL_WIDTH, above a caption that identifies it."""
        picture = self._overlay.draw(observation)
        height, width = picture.shape[:2]
        # limited, because a very tall frame would fill the memory
        cell_height = min(max(1, round(height * CELL_WIDTH / width)), 2 * CELL_WIDTH)
        picture = letterboxed(picture, (CELL_WIDTH, cell_height))
        caption = np.full((32, CELL_WIDTH, 3), INK, np.uint8)
        frame = observation.frame
        draw_text(caption, f"{frame.name}   frame {frame.index}   {frame.time_s:.1f} s", 10, 15, 16, MUTED)
        return np.vstack([picture, caption])
