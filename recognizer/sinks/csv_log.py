"""A sink that writes one CSV row for each region."""

import csv
from pathlib import Path
from typing import Self, TextIO

from recognizer.sinks.png import one_line_errors
from recognizer.sinks.sink import _ClosingSink
from recognizer.values import Observation


class CsvLog(_ClosingSink):
    """Writes one row for each region; a frame without regions gets one row with empty fields."""

    COLUMNS = (
        "frame",
        "time_s",
        "name",
        "region",
        "label",
        "confidence",
        "x1",
        "y1",
        "x2",
        "y2",
        "text",
        "turn",
        "hand",
    )

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the file and write the header. Raises SinkError."""
        with one_line_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A file name that is not valid UTF-8 is written with escapes instead of raising an error.
            self._file = open(self._path, "w", newline="", encoding="utf-8", errors="backslashreplace")
            csv.writer(self._file).writerow(self.COLUMNS)
            self._file.flush()
        return self

    def write(self, observation: Observation) -> None:
        """Write the rows of one frame. Raises SinkError, for example if the disk is full."""
        frame = observation.frame
        first, text = [frame.index, f"{frame.time_s:.3f}", frame.name], observation.text
        rows = [
            [
                *first,
                number,
                prediction.label,
                f"{prediction.confidence:.4f}",
                *region.box.xyxy,
                text,
                prediction.turn and prediction.turn.display_name,
                prediction.hand,
            ]
            for number, (region, prediction) in enumerate(
                zip(observation.regions, observation.predictions, strict=True)
            )
        ]
        assert self._file is not None, "write() was called outside of the with block"
        with one_line_errors(self._path):
            csv.writer(self._file).writerows(rows or [[*first, *[None] * 7, text, None, None]])
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            with one_line_errors(self._path):
                self._file.close()
            self._file = None
