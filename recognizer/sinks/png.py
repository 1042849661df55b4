"""Atomic writing of PNG files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import SinkError
from recognizer.system import files


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write an (h, w, 3) uint8 BGR picture to a temporary file, then rename it to `path`. Raises SinkError."""
    _, data = cv2.imencode(".png", picture)
    with one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_file(temporary_path(path), data.tobytes(), sync=False)
        files.replace(temporary_path(path), path)


def temporary_path(path: Path) -> Path:
    """The temporary file in the same folder. It has the same suffix, because OpenCV chooses the format by it."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a SinkError of one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise SinkError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
