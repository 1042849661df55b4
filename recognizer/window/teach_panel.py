"""An overlay `extra` that draws the state of a Teacher: counts and hints, the form, progress, the result."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recognizer.overlay.drawing import (
    ALERT,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    Color,
    Scale,
    draw_panel,
    enlarged,
    fits_frame,
    percent,
)
from recognizer.overlay.text import draw_text_any, text_width_any
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.teaching.recording import Recording
from recognizer.teaching.teacher import FormLine, NewTaskForm, Teacher
from recognizer.values import Box

COLUMN_ROWS = 13  # labels per column
CAPTURE_HELP = "hold a key to record · Backspace deletes the last · Enter trains · Esc closes"
NO_JOINTS = "not recorded: show all fingers of the hand"
Row = tuple[str, str, Color]  # left, right, colour


class TeachPanel:
    """The panels of one Teacher."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draws into the (H, W, 3) uint8 BGR picture, in place; returns the places of its panels."""
        teacher = self._teacher
        drawn: list[Box | None] = []
        if teacher.form is not None:
            drawn.append(draw_form(picture, teacher.form, scale))
        elif teacher.recording is not None:
            drawn.append(draw_recording(picture, teacher.recording, scale))
        elif teacher.result is not None:
            drawn.append(draw_result(picture, teacher.result, scale))
        if teacher.training is not None:
            drawn.append(draw_progress(picture, teacher.progress, scale))
        return [place for place in drawn if place is not None]


def draw_recording(picture: np.ndarray, recording: Recording, scale: Scale) -> Box | None:
    """Draws each label with its key and count, the crop, hints, and the keys."""
    key_of = {label: key for key, label in recording.keys.items()}
    labels = [*recording.counts, *(label for label in key_of if label not in recording.counts)]
    rows = [
        (
            f"{key_of.get(label, ' ')}  {label}",
            str(recording.counts.get(label, 0)),
            KNOWN if label == recording.label else PAPER,
        )
        for label in labels
    ]
    crop_hints = (("blurred", recording.is_blurred), ("seen before", recording.is_duplicate))
    hints = [hint for hint, applies in crop_hints if applies]
    if recording.is_without_joints:
        hints = [NO_JOINTS]
    title = f"recording {recording.task.name}"
    place = _draw_table(picture, title, rows, ", ".join(hints), CAPTURE_HELP, scale)
    if place is not None and recording.crop is not None:
        side = place.height - scale.text - 6 * scale.pad
        room = (scale.width - place.x2 - 2 * scale.pad, place.height)
        crop = enlarged(recording.crop, max(1, side))
        height, width = crop.shape[:2]
        if width <= room[0] and height <= room[1]:
            x, y = place.x2 + scale.pad, place.y1
            picture[y : y + height, x : x + width] = crop
    return place


def draw_form(picture: np.ndarray, form: NewTaskForm, scale: Scale) -> Box | None:
    """Draws the form of a new task. The line being typed has a cursor."""
    rows = []
    for line, typed in form.typed.items():
        cursor = "_" if line == form.line else ""
        rows.append((f"{line}:  {typed}{cursor}", "", KNOWN if cursor else PAPER))
    return _draw_table(picture, "a new task", rows, "", f"{_form_help(form.line)}, then Enter · Esc closes", scale)


def _form_help(line: FormLine) -> str:
    if line == FormLine.SUBJECT:
        return " · ".join(f"{subject.key} {subject.name}" for subject in SUBJECTS.values())
    return "the new task's name" if line == FormLine.NAME else "labels separated by commas"


def draw_result(picture: np.ndarray, result: dict[str, Any], scale: Scale) -> Box | None:
    """Draws the accuracy before and after training, also per label, and confusions; or why the model is not used."""
    if "error" in result:
        return _draw_table(picture, "training failed", [], str(result["error"]), "Esc closes", scale)
    title = "trained" if result["published"] else "not published"
    rows: list[Row] = [("", "before  after", MUTED)]
    before, after = result.get("before", {}), result.get("after", {})
    for name, row_name in (("accuracy", "held-out samples"), ("known", "known before")):
        if name in after:
            rows.append((row_name, f"{_share(before.get(name))}  {_share(after[name])}", PAPER))
    for label, counts in result.get("per_label", {}).items():
        shares = [_share(counts[when] / counts["of"]) if counts.get("of") else "–" for when in ("before", "after")]
        rows.append((label, "  ".join(shares), PAPER))
    confused = [f"{actual} read as {predicted}" for predicted, actual, *_ in result.get("confused", [])][:3]
    notes = str(result["why"]) if result.get("why") else ", ".join(confused)
    return _draw_table(picture, title, rows, notes, "u restores the previous model · Esc closes", scale)


def draw_progress(picture: np.ndarray, progress: dict[str, Any], scale: Scale) -> Box | None:
    """Draws a progress bar at the top with the stage and the time left."""
    width, height = scale.width // 2, scale.text + 2 * scale.pad
    x, y = (scale.width - width) // 2, scale.pad
    place = Box(x, y, x + width, y + height)
    if not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    done = float(np.clip(progress.get("progress") or 0.0, 0.0, 1.0))
    bar = Box(x, y + height - scale.pad // 2 - 1, x + max(1, round(done * width)), y + height)
    picture[bar.y1 : bar.y2, bar.x1 : bar.x2] = KNOWN
    left_s = progress.get("left_s")
    words = f"training: {progress.get('stage', '')}  {percent(done)}"
    words += f", {left_s:.0f} s left" if isinstance(left_s, int | float) else ""
    draw_text_any(
        picture, f"{words} · Esc cancels", (x + scale.pad, y + scale.pad // 2 + scale.text // 2), scale.small, PAPER
    )
    return place


def _share(value: object) -> str:
    return percent(value) if isinstance(value, int | float) else "–"


def _draw_table(
    picture: np.ndarray, title: str, rows: Sequence[Row], note: str, help_line: str, scale: Scale
) -> Box | None:
    """Draws a panel at the left centre: title, rows in columns, a note and the keys."""
    pad, step = scale.pad, round(1.35 * scale.small) + 1
    columns = [rows[start : start + COLUMN_ROWS] for start in range(0, len(rows), COLUMN_ROWS)]
    widths = [
        max(_width(left, scale) + _width(right, scale) for left, right, _ in column) + 3 * pad for column in columns
    ]
    footer = [line for line in (note, help_line) if line]
    width = max([sum(widths), text_width_any(title, scale.text), *(_width(line, scale) for line in footer)]) + 3 * pad
    width = min(width, scale.width - 2 * pad)
    most_rows = max((len(column) for column in columns), default=0)
    height = scale.text + 2 * pad + (most_rows + len(footer)) * step + pad
    x, y = pad, max(pad, (scale.height - height) // 2)
    place = Box(x, y, x + width, y + height)
    if not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale, INK, 0.8)
    draw_text_any(picture, title, (x + pad, y + pad + scale.text // 2), scale.text, PAPER)
    top, left_x = y + 2 * pad + scale.text, x + pad
    for column, column_width in zip(columns, widths, strict=True):
        for index, (left, right, color) in enumerate(column):
            y_middle = top + index * step + step // 2
            draw_text_any(picture, left, (left_x, y_middle), scale.small, color)
            draw_text_any(
                picture, right, (left_x + column_width - pad - _width(right, scale), y_middle), scale.small, color
            )
        left_x += column_width
    for index, line in enumerate(footer):
        y_middle = top + (most_rows + index) * step + step // 2
        draw_text_any(picture, line, (x + pad, y_middle), scale.small, ALERT if line is note else MUTED)
    return place


def _width(text: str, scale: Scale) -> int:
    return text_width_any(text, scale.small) if text else 0
