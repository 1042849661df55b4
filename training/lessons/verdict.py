"""Whether a new model may replace the current one: held-out metrics of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recognizer.samples.sample import Sample

HELD_OUT = 0.25  # of a label's samples, the last in time, where all are of one session
GAP = 0.1  # of a label's samples, before those held out: neighbours in time are nearly the same picture
MAX_LOSS = 0.003  # of what was known


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the proof showed. Shares of held-out samples read right; None where there was nothing to read them with."""

    before: float | None
    after: float | None
    known_before: float | None
    known_after: float | None
    per_label: dict[str, dict[str, Any]]
    confused: list[tuple[str, str, int]]
    held_out: int
    passed: bool
    why: str


def judged(
    before: float | None, after: float, known_before: float | None, known_after: float | None, labels: int
) -> tuple[bool, str]:
    """Whether a version may be published, and why."""
    if known_before is not None and known_after is not None and known_after < known_before - MAX_LOSS:
        return (
            False,
            f"of what was known {percent(known_after)} would be read right, and {percent(known_before)} is now",
        )
    if before is None:
        enough = after > 1 / max(2, labels)
        return enough, f"{percent(after)} of held-out samples are read right" + (
            "" if enough else ": no better than luck"
        )
    if after > before or before == after == 1.0:
        return True, f"{percent(after)} of held-out samples are read right, and {percent(before)} before"
    return (
        False,
        f"{percent(after)} of held-out samples would be read right, and {percent(before)} are now",
    )


def split(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out: of each label its last session, or where it has one, its last part in time.

    A label with a single sample has none to hold out.
    """
    fitted: list[int] = []
    held_out: list[int] = []
    for label in dict.fromkeys(row.label for row in samples):
        rows = [i for i, row in enumerate(samples) if row.label == label]
        sessions = list(dict.fromkeys(samples[i].session for i in rows))
        if len(sessions) > 1:
            last = [i for i in rows if samples[i].session == sessions[-1]]
            first = [i for i in rows if i not in set(last)]
        elif len(rows) > 1:
            count = max(1, round(HELD_OUT * len(rows)))
            gap = round(GAP * len(rows)) if len(rows) > count + 1 else 0
            last, first = rows[-count:], rows[: len(rows) - count - gap]
        else:
            last, first = [], rows
        fitted += first
        held_out += last
    return np.array(fitted, int), np.array(held_out, int)


def percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.2f} %"
