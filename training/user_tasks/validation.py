"""Decides whether a new model may replace the current one, by the held-out metrics of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recognizer.samples.sample import Sample

HELD_OUT = 0.25  # share of a label's samples, the last in time, if all are from one session
GAP = 0.1  # share of a label's samples, before the held-out ones, that is not used: neighbours in time are alike
MAX_LOSS = 0.003  # allowed loss of accuracy on the old labels


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """Accuracy before and after the training, 0 to 1: on held-out samples, and on the old labels (`known_`).

    None if there was no model, no held-out sample or no old label.
    """

    before: float | None
    after: float | None
    known_before: float | None
    known_after: float | None
    per_label: dict[str, dict[str, Any]]
    confused: list[tuple[str, str, int]]
    held_out: int
    passed: bool
    reason: str


def may_replace(
    before: float | None, after: float, known_before: float | None, known_after: float | None, labels: int
) -> tuple[bool, str]:
    """Whether the new model may be published, and the reason as text for the user."""
    if known_before is not None and known_after is not None and known_after < known_before - MAX_LOSS:
        return (
            False,
            f"accuracy on the labels that it had before would fall to {percent(known_after)} from {percent(known_before)}",
        )
    if before is None:
        enough = after > 1 / max(2, labels)
        return enough, f"{percent(after)} of held-out samples are recognized" + (
            "" if enough else ": no better than guessing"
        )
    if after > before or before == after == 1.0:
        return True, f"{percent(after)} of held-out samples are recognized, and {percent(before)} before"
    return (
        False,
        f"{percent(after)} of held-out samples would be recognized, and {percent(before)} are now",
    )


def split(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training samples and of the held-out samples, two int arrays.

    The last session of each label is held out, or its last samples in time if it has one session. If a label has one sample,
    none is held out.
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
