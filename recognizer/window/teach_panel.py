"""Draws the state of a Teacher: beside the picture what is asked and what was recorded, on it what happens now."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from recognizer.motion.drawing import draw_moving_hand
from recognizer.overlay.drawing import (
    ALERT,
    BOLD,
    FAINT,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    Color,
    Scale,
    draw_panel,
    draw_text,
    fits_frame,
    shortened,
    text_width,
)
from recognizer.overlay.overlay import place_banner
from recognizer.samples.sample import NOTHING
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.teaching.messages import Report, stage_in_words
from recognizer.teaching.new_task_form import QUESTIONS, FormLine, NewTaskForm
from recognizer.teaching.recording import EVENT_S, Recording
from recognizer.teaching.review import Review
from recognizer.teaching.teacher import Teacher
from recognizer.values import Box
from recognizer.window.chips import around_cursor, chip_rows, draw_chips
from recognizer.window.editor_panel import draw_editor
from recognizer.window.strip import Key, Page

RED: Color = (60, 60, 235)  # while it records
PLAYED_ROWS = 7  # height of the movement that is played, in font sizes
PLAYED_PAUSE_S = 0.5  # between its end and its next beginning


class TeachPanel:
    """The strip and the marks of one Teacher."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher

    @property
    def is_open(self) -> bool:
        teacher = self._teacher
        parts = (teacher.form, teacher.editor, teacher.recording, teacher.review, teacher.result)
        return any(one is not None for one in parts)

    @property
    def keys(self) -> Sequence[Key]:
        return self._teacher.keys

    def draw(self, page: Page) -> None:
        """Draws the strip beside the picture."""
        teacher = self._teacher
        if teacher.form is not None:
            draw_form(page, teacher.form)
        elif teacher.editor is not None:
            draw_editor(page, teacher.editor, teacher.edit)
        elif teacher.recording is not None:
            draw_recording(page, teacher.recording, teacher.now_s)
        elif teacher.review is not None:
            draw_review(page, teacher.review, teacher)
        elif teacher.report is not None:
            draw_report(page, teacher.report)

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draws on the (H, W, 3) uint8 BGR picture, in place, what happens now; returns the places of its panels."""
        teacher = self._teacher
        drawn: list[Box | None] = []
        if teacher.training is not None:
            drawn.append(draw_progress(picture, teacher.progress, scale, panels))
        if teacher.recording is not None:
            drawn.append(draw_red_frame(picture, teacher.recording, scale, panels))
        return [place for place in drawn if place is not None]


def draw_form(page: Page, form: NewTaskForm) -> None:
    """Draws the form of a new task: the questions so far, and the cursor in the line that is typed."""
    scale = page.scale
    page.text("New task", scale.text, PAPER, BOLD)
    for line, field in form.fields.items():
        page.gap()
        is_asked = line == form.line
        if not is_asked and not field.text:
            continue
        page.text(QUESTIONS[line], scale.small, PAPER if is_asked else MUTED)
        if line == FormLine.SUBJECT:
            for subject in SUBJECTS.values():
                is_chosen = subject.name == field.text
                mark = ">" if is_chosen else " "
                if is_asked or is_chosen:
                    words = f"{mark} {subject.key}  {subject.description}"
                    page.text(words, scale.small, KNOWN if is_chosen else PAPER, BOLD)
        elif is_asked:
            page.text(around_cursor(field.before, field.after, page), scale.text, KNOWN, BOLD)
        else:
            page.text(field.text, scale.text, PAPER, BOLD)
    if form.error:
        page.gap()
        page.text(form.error, scale.small, ALERT)


def draw_recording(page: Page, recording: Recording, now_s: float) -> None:
    """Draws what to show now, whether the last picture is recorded, and each label with its samples."""
    scale = page.scale
    words = [label for label in recording.labels if label != NOTHING]
    asked = recording.asked
    number = f"{words.index(asked) + 1} of {len(words)}" if asked in words else "and"
    page.text(recording.task.name, scale.small, MUTED)
    if recording.hands_free_s is not None:
        count = recording.count
        page.text(
            f"show {recording.label} in {count}" if count else f"recording {recording.label}", scale.text, PAPER, BOLD
        )
    elif recording.is_enough and recording.chosen is None:
        page.text("Enough samples: press Enter", scale.text, KNOWN, BOLD)
    else:
        page.text(f"{number} · show {asked}", scale.text, PAPER, BOLD)
        page.text(f"hold {recording.key_of(asked)}", scale.text, KNOWN, BOLD)
    _draw_event(page, recording, now_s)
    _draw_demonstration(page, recording, now_s)
    page.gap()
    _draw_labels(page, recording)
    if recording.missing:
        page.text(f"Before training: {recording.missing}", scale.small, MUTED)


def _draw_event(page: Page, recording: Recording, now_s: float) -> None:
    """Draws "+1", or why the picture is not recorded, in a row that is always there."""
    scale, row = page.scale, round(1.5 * page.scale.small)
    if recording.event and now_s - recording.event_s < EVENT_S:
        color = KNOWN if recording.event_is_good else ALERT
        mark = "" if recording.event_is_good else "not kept: "
        line = shortened(mark + recording.event, page.width, scale.small, BOLD)
        draw_text(page.picture, line, page.left, page.y + row // 2, scale.small, color, BOLD)
    page.y += row


def _draw_demonstration(page: Page, recording: Recording, now_s: float) -> None:
    """Plays the last movement that was recorded, as a drawn hand, again and again."""
    side = PLAYED_ROWS * page.scale.small
    if recording.demonstration is None or not page.has_room(side):
        return
    movement = recording.demonstration.movement
    at_s = (now_s - recording.event_s) % (movement.duration_s + PLAYED_PAUSE_S)
    place = Box(page.left, page.y, page.left + page.width, page.y + side)
    draw_moving_hand(page.picture, place, movement, min(at_s, movement.duration_s))
    page.y += side


def _draw_labels(page: Page, recording: Recording) -> None:
    """Draws each label: its key, count, a bar that is full when there is enough, and its newest pictures."""
    scale, labels = page.scale, recording.labels
    text_row, bar = round(1.4 * scale.small), max(3, scale.small // 3)
    room = (page.bottom - page.y - 3 * text_row) // max(1, len(labels))
    side = min(room - text_row - bar - scale.pad, 3 * scale.small)
    is_below = side >= text_row  # else the pictures stand beside the label
    row = text_row + bar + (side if is_below else 0) + scale.pad
    if row > room:  # many labels: only those around the one that is recorded
        shown = max(1, (page.bottom - page.y - text_row) // row)
        at = labels.index(recording.label) if recording.label in labels else labels.index(recording.asked)
        first = min(max(0, at - shown // 2), max(0, len(labels) - shown))
        labels = labels[first : first + shown]
    for label in labels:
        if not page.has_room(row):
            return
        is_now = recording.is_red and label == recording.label
        color = KNOWN if label == (recording.label if recording.is_red else recording.asked) else PAPER
        count = recording.counts.get(label, 0)
        name = f"{'●' if is_now else ' '} {recording.key_of(label)}  {label}"
        y, right = page.y + text_row // 2, page.left + page.width
        number = str(count)
        name = shortened(name, page.width - 3 * scale.small, scale.small)
        draw_text(page.picture, name, page.left, y, scale.small, color)
        draw_text(page.picture, number, right - text_width(number, scale.small), y, scale.small, color)
        pictures = recording.pictures.get(label, [])[::-1]
        if not is_below:
            start, end = page.left + text_width(name, scale.small) + scale.pad, right - 2 * scale.small
            _draw_row(page.picture, pictures, Box(start, page.y, end, page.y + text_row - 2))
        page.y += text_row
        end = page.left + round(min(1.0, count / recording.enough(label)) * page.width)
        cv2.rectangle(page.picture, (page.left, page.y), (right, page.y + bar - 2), FAINT, cv2.FILLED)
        if end > page.left:
            cv2.rectangle(page.picture, (page.left, page.y), (end, page.y + bar - 2), KNOWN, cv2.FILLED)
        page.y += bar
        if is_below:
            _draw_row(page.picture, pictures, Box(page.left, page.y, right, page.y + side))
            page.y += side
        page.y += scale.pad


def _draw_row(strip: np.ndarray, pictures: Sequence[np.ndarray], place: Box) -> None:
    """Draws as many of the pictures as fit into the place, from left to right."""
    side = place.height
    for number, picture in enumerate(pictures[: max(0, place.width) // (side + 2)]):
        x = place.x1 + number * (side + 2)
        strip[place.y1 : place.y2, x : x + side] = _scaled(picture, side)


def draw_review(page: Page, review: Review, teacher: Teacher) -> None:
    """Draws the samples of one label, the chosen one framed, and what a click does with it."""
    scale = page.scale
    samples = review.shown
    page.text(review.task, scale.small, MUTED)
    page.text(f"{review.label} · {len(samples)}", scale.text, PAPER, BOLD)
    others = [label for label in review.labels if label != review.label]
    draw_chips(page, [(f"see {label}", partial(_turn_to, review, label)) for label in others])
    if not samples:
        page.text("no samples", scale.small, MUTED)
        return
    chips: list[tuple[str, Callable[[], None]]] = [("× delete", teacher.delete_chosen)]
    chips += [(f"is {label}", partial(teacher.relabel_chosen, label)) for label in others]
    below = chip_rows(page, [words for words, _ in chips]) * round(1.9 * scale.small) + scale.pad
    side = max(16, min(4 * scale.small, page.width // 3))
    columns = max(1, page.width // (side + 3))
    rows = max(1, (page.bottom - page.y - below) // (side + 3))
    first = max(0, review.index // columns - rows + 1) * columns
    for place, sample in enumerate(samples[first : first + rows * columns]):
        x, y = page.left + place % columns * (side + 3), page.y + place // columns * (side + 3)
        if y + side > page.picture.shape[0]:
            break
        page.picture[y : y + side, x : x + side] = _scaled(review.picture(sample), side)
        if first + place == review.index:
            cv2.rectangle(page.picture, (x - 1, y - 1), (x + side, y + side), KNOWN, 3)
        page.on_click(Box(x, y, x + side, y + side), partial(review.choose, first + place))
    used = -(-min(len(samples) - first, rows * columns) // columns)
    page.y += used * (side + 3) + scale.pad
    draw_chips(page, chips)


def _turn_to(review: Review, label: str) -> None:
    review.turn(review.labels.index(label) - review.labels.index(review.label))


def draw_report(page: Page, report: Report) -> None:
    """Draws what a training run has led to, what to do next, and how many samples of each label were read right."""
    scale = page.scale
    page.text(report.title, scale.text, KNOWN if report.is_good else ALERT, BOLD)
    page.gap()
    page.text(report.advice, scale.small)
    page.gap()
    row = round(1.4 * scale.small)
    for label, words, is_bad in report.rows:
        if not page.has_room(row):
            return
        words = f"! {words}" if is_bad else words
        y, color = page.y + row // 2, ALERT if is_bad else PAPER
        width = text_width(words, scale.small)
        name = shortened(label, page.width - width - scale.pad, scale.small)
        draw_text(page.picture, name, page.left, y, scale.small, color)
        draw_text(page.picture, words, page.left + page.width - width, y, scale.small, color)
        page.y += row


def draw_progress(
    picture: np.ndarray, progress: dict[str, Any], scale: Scale, panels: Sequence[Box | None]
) -> Box | None:
    """Draws a progress bar at the top, with the stage."""
    line = f"training: {stage_in_words(str(progress.get('stage', '')))}"
    width = max(scale.width // 3, text_width(line, scale.small) + 2 * scale.pad)
    place = place_banner((width, scale.text + 2 * scale.pad), scale, panels)
    if not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    done = float(np.clip(progress.get("progress") or 0.0, 0.0, 1.0))
    end = place.x1 + max(1, round(done * width))
    picture[place.y2 - scale.pad // 2 - 1 : place.y2, place.x1 : end] = KNOWN
    draw_text(picture, line, place.x1 + scale.pad, place.y1 + scale.pad // 2 + scale.text // 2, scale.small)
    return place


def draw_red_frame(picture: np.ndarray, recording: Recording, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draws a red frame, a dot and the label while it records; before that the countdown."""
    if recording.count:
        size, words = scale.big, str(recording.count)
    elif recording.is_red and recording.label is not None:
        height, width = picture.shape[:2]
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), RED, 4 * scale.line)
        size, words = scale.text, recording.label
    else:
        return None
    dot = size // 3
    words = shortened(words, scale.width // 2, size, BOLD)
    wide = text_width(words, size, BOLD) + 3 * dot + 3 * scale.pad
    place = place_banner((wide, round(1.5 * size)), scale, panels)
    if not fits_frame(place, scale):
        return None
    middle = (place.y1 + place.y2) // 2
    draw_panel(picture, place, scale, INK, 0.9)
    cv2.circle(picture, (place.x1 + scale.pad + dot, middle), dot, RED, cv2.FILLED, cv2.LINE_AA)
    draw_text(picture, words, place.x1 + 2 * scale.pad + 2 * dot, middle, size, PAPER, BOLD)
    return place


def _scaled(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
