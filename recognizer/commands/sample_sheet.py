"""Draws a contact sheet of a task's samples: a row of thumbnails per label, with the samples' ids."""

from collections.abc import Sequence

import numpy as np

from recognizer.errors import SamplesError
from recognizer.motion.drawing import with_path
from recognizer.overlay.drawing import ALERT, INK, MUTED, PAPER, letterboxed
from recognizer.overlay.text import characters_without_font, draw_text_any
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples

CELL = 128  # pixels, side of a thumbnail
CAPTION = 20  # pixels, height of the id below it
TITLE = 40  # pixels, height of the title above a label's samples
COLUMNS = 8
STRIPS_IN_A_ROW = 2  # of moving samples
PER_LABEL = 16  # samples of a label by default: two rows
GAP = 8


def contact_sheet(
    store: Samples, task: str, *, label: str | None = None, each: int = PER_LABEL
) -> tuple[np.ndarray, str]:
    """Return the sheet, (h, w, 3) uint8 BGR, and the characters that no installed font has.

    It shows up to `each` samples per label, evenly spaced over the recording order. Raises SamplesError if there is no
    sample.
    """
    counts = store.counts(task)
    if label is not None and label not in counts:
        raise SamplesError(f"The task {task} has no label {label}. It has: {', '.join(counts)}.")
    samples = [sample for sample in store.read(task) if label in (None, sample.label)]
    if not samples:
        raise SamplesError(f"The task {task} has no samples yet. Record some, or import a folder or a zip file.")
    bands = []
    for word in counts if label is None else [label]:
        own = [sample for sample in samples if sample.label == word]
        still = [sample for sample in own if sample.moving_s is None]
        moving = [sample for sample in own if sample.moving_s is not None]
        bands += [_title(word, len(own)), *_rows(store, _spread(still, each)), *_strips(store, _spread(moving, each))]
    words = "".join(counts if label is None else [label])
    return np.vstack(bands), characters_without_font(words)


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    places = np.linspace(0, len(samples) - 1, min(count, len(samples)))
    return [samples[round(place)] for place in places]


def _title(word: str, count: int) -> np.ndarray:
    band = np.full((TITLE, _width(), 3), INK, np.uint8)
    draw_text_any(band, word, (GAP, TITLE // 2), 22, PAPER)
    draw_text_any(band, str(count), (_width() - 60, TITLE // 2), 16, MUTED)
    return band


def _rows(store: Samples, samples: Sequence[Sample]) -> list[np.ndarray]:
    rows = []
    for start in range(0, len(samples), COLUMNS):
        row = np.full((CELL + CAPTION, _width(), 3), INK, np.uint8)
        for column, sample in enumerate(samples[start : start + COLUMNS]):
            left = GAP + column * (CELL + GAP)
            try:
                row[:CELL, left : left + CELL] = letterboxed(store.picture(sample), (CELL, CELL))
            except SamplesError:
                draw_text_any(row, "no picture", (left + GAP, CELL // 2), 16, ALERT)
            draw_text_any(row, sample.short_id[:16], (left, CELL + CAPTION // 2), 12, MUTED)
        rows.append(row)
    return rows


def _strips(store: Samples, samples: Sequence[Sample]) -> list[np.ndarray]:
    """Rows of moving samples: the strip of each with its path."""
    rows = []
    strip_width = COLUMNS // STRIPS_IN_A_ROW * (CELL + GAP) - GAP
    for start in range(0, len(samples), STRIPS_IN_A_ROW):
        row = np.full((CELL + CAPTION, _width(), 3), INK, np.uint8)
        for column, sample in enumerate(samples[start : start + STRIPS_IN_A_ROW]):
            left = GAP + column * (strip_width + GAP)
            try:
                strip = with_path(store.picture(sample), store.movement(sample), sample.box)
                row[:CELL, left : left + strip_width] = letterboxed(strip, (strip_width, CELL))
            except SamplesError:
                draw_text_any(row, "no movement", (left + GAP, CELL // 2), 16, ALERT)
            caption = f"{sample.short_id[:16]}  {sample.moving_s:.1f} s"
            draw_text_any(row, caption, (left, CELL + CAPTION // 2), 12, MUTED)
        rows.append(row)
    return rows


def _width() -> int:
    return COLUMNS * (CELL + GAP) + GAP
