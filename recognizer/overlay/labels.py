"""Draws labels, probability bars and the inset, placed so that they cover no region."""

from collections.abc import Sequence

import cv2
import numpy as np

from recognizer.overlay.drawing import (
    BOLD,
    FAINT,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    UNKNOWN,
    Scale,
    draw_panel,
    draw_text,
    enlarged,
    fits_frame,
    overlaps_any,
    percent,
    shortened,
    text_width,
)
from recognizer.values import Box, Prediction

BARS, BARS_WIDTH = 3, 13  # the panel of bars: rows, and font sizes across
# Of the largest box's area. The first region in reading order above this is the leading one, so that it rarely changes.
LEADING_SHARE = 0.7


def leading_region(boxes: Sequence[Box], predictions: Sequence[Prediction]) -> int | None:
    """Index of the region whose network input is shown: a large labelled one, else a large rejected one, else None."""
    indices = [i for i, p in enumerate(predictions) if p.label is not None] or list(range(len(predictions)))
    if not indices:
        return None
    areas = {i: boxes[i].width * boxes[i].height for i in indices}
    return next(i for i in indices if areas[i] >= LEADING_SHARE * max(areas.values()))


def draw_tags(
    picture: np.ndarray,
    boxes: Sequence[Box],
    predictions: Sequence[Prediction],
    scale: Scale,
    panels: Sequence[Box | None],
) -> None:
    """Draws label and confidence at each labelled box: all side by side, all stacked, or the labels alone."""
    known = [(box, p) for box, p in zip(boxes, predictions, strict=True) if p.label is not None]
    for form in ("beside", "stacked", "alone"):
        wanted = [(box, tag_size(prediction, form, scale)) for box, prediction in known]
        places = place_tags(wanted, boxes, panels, scale)
        if places is not None:
            for place, (_, prediction) in zip(places, known, strict=True):
                draw_tag(picture, place, prediction, form, scale)
            return
    for box, prediction in known:
        draw_label(picture, box, prediction, scale)


def tag_size(prediction: Prediction, form: str, scale: Scale) -> tuple[int, int]:
    """Width and height of a tag: percentage `beside` the label, `stacked` under it, or the label `alone`."""
    inset, row = scale.pad // 2 + 1, scale.text + scale.pad // 2
    label_width = text_width(tag_label(prediction, scale), scale.text, BOLD)
    sure_width = text_width(sure_words(prediction), scale.small)
    if form == "beside":
        return label_width + sure_width + 3 * inset, row
    if form == "stacked":
        return max(label_width, sure_width) + 2 * inset, row + scale.small
    return label_width + 2 * inset, row


def sure_words(prediction: Prediction) -> str:
    """The confidence, and the hand that makes the sign."""
    return " ".join(filter(None, [percent(prediction.confidence), prediction.hand]))


def tag_label(prediction: Prediction, scale: Scale) -> str:
    return shortened(prediction.label or "", scale.width // 3, scale.text, BOLD)


def place_tags(
    wanted: Sequence[tuple[Box, tuple[int, int]]], boxes: Sequence[Box], panels: Sequence[Box | None], scale: Scale
) -> list[Box] | None:
    """A free place for each tag: above the box, in its corners if it is large, or below. None if any has no place."""
    cores = [(box, inner_box(box)) for box in boxes]
    placed: list[Box] = []
    gap = 2 * scale.line
    for box, (width, height) in wanted:
        left = min(max(box.x1 - scale.line, 0), scale.width - width)
        right = max(box.x2 + scale.line - width, 0)
        choices = [(left, box.y1 - gap - height), (right, box.y1 - gap - height)]
        if box.height > 4 * height and box.width > 2 * width:
            inside = [(left + gap, box.y1 + gap), (right - gap, box.y1 + gap)]
            inside += [(x, box.y2 - gap - height) for x, _ in inside]
        else:
            inside = []
        choices += [*inside[:2], (left, box.y2 + gap), *inside[2:]]
        obstacles = [*panels, *placed, *(inner for other, inner in cores if other != box)]
        tags = (Box(x, y, x + width, y + height) for x, y in choices)
        tag = next((tag for tag in tags if fits_frame(tag, scale) and not overlaps_any(tag, obstacles)), None)
        if tag is None:
            return None
        placed.append(tag)
    return placed


def inner_box(box: Box) -> Box:
    """The inner part of a box, which no tag may cover. Tags of neighbours may cover its margin."""
    across, down = box.width // 6, box.height // 6
    return Box(box.x1 + across, box.y1 + down, box.x2 - across, box.y2 - down)


def draw_tag(picture: np.ndarray, place: Box, prediction: Prediction, form: str, scale: Scale) -> None:
    """Draws a tag of `tag_size`, in place."""
    inset, row = scale.pad // 2 + 1, scale.text + scale.pad // 2
    label, sure = tag_label(prediction, scale), sure_words(prediction)
    draw_panel(picture, place, scale, KNOWN, opacity=1)
    draw_text(picture, label, place.x1 + inset, place.y1 + row // 2, scale.text, INK, BOLD)
    if form == "beside":
        x = place.x2 - inset - text_width(sure, scale.small)
        draw_text(picture, sure, x, place.y1 + row // 2, scale.small, INK)
    elif form == "stacked":
        draw_text(picture, sure, place.x1 + inset, place.y1 + row + scale.small // 3, scale.small, INK)


def draw_candidates(
    picture: np.ndarray, box: Box, prediction: Prediction, scale: Scale, panels: Sequence[Box | None]
) -> None:
    """Draws the candidates of a rejected input, small and grey, at the box's upper edge; nothing if they cover a panel."""
    if not prediction.candidates:
        return
    one, other = prediction.candidates
    text = shortened(f"{one} or {other}?", scale.width // 3, scale.small)
    left, top = max(box.x1, 0), max(box.y1 - scale.small - scale.pad, 0)
    place = Box(left, top, left + text_width(text, scale.small) + scale.pad, top + scale.small + scale.pad)
    if fits_frame(place, scale) and not overlaps_any(place, panels):
        draw_panel(picture, place, scale)
        draw_text(picture, text, place.x1 + scale.pad // 2, (place.y1 + place.y2) // 2, scale.small, MUTED)


def draw_label(picture: np.ndarray, box: Box, prediction: Prediction, scale: Scale) -> None:
    """Draws only the label at the upper edge, with a font size limited by the box's width, for crowded pictures."""
    size = min(scale.text, max(scale.small // 2, box.width))
    label = shortened(prediction.label or "", max(box.width, scale.text), size, BOLD)
    x, y = max(box.x1, 0), max(box.y1 - size - 2, 0)
    place = Box(x, y, x + text_width(label, size, BOLD) + 2, y + size + 2)
    if label and fits_frame(place, scale):
        draw_panel(picture, place, scale, KNOWN, opacity=1)
        draw_text(picture, label, x + 1, y + size // 2 + 1, size, INK, BOLD)


def bars_place(prediction: Prediction, scale: Scale) -> Box:
    """The place of the bars: always at the right edge, below the frame rate. In a tiny frame it may lie outside."""
    width, height = BARS_WIDTH * scale.text, 2 * scale.pad + BARS * bars_row(scale)
    right, top = scale.width - scale.pad, 2 * scale.pad + round(1.7 * scale.small) + scale.pad
    return Box(right - width, top, right, top + height)


def bars_row(scale: Scale) -> int:
    """Pixels from one bar to the next."""
    return round(1.4 * scale.text)


def bars_label_width(prediction: Prediction, scale: Scale) -> int:
    """Width in pixels of the widest label, limited so that the bars have room."""
    widest = max((text_width(label, scale.text, BOLD) for label, _ in prediction.top), default=0)
    return min(widest, (BARS_WIDTH - 6) * scale.text)


def draw_bars(picture: np.ndarray, prediction: Prediction, place: Box, scale: Scale) -> None:
    """Draws the most probable labels with bars, in place. The caller draws the panel if it holds more than the bars."""
    label_width, row = bars_label_width(prediction, scale), bars_row(scale)
    sure_width = text_width("100%", scale.small)
    start = place.x1 + scale.pad + label_width + scale.pad
    end = place.x2 - 2 * scale.pad - sure_width
    half = max(1, scale.text // 5)
    for rank, (label, probability) in enumerate(prediction.top):
        y = place.y1 + scale.pad + rank * row + row // 2
        color = KNOWN if rank == 0 else MUTED
        name = shortened(label, label_width, scale.text, BOLD)
        draw_text(picture, name, place.x1 + scale.pad, y, scale.text, PAPER if rank == 0 else MUTED, BOLD)
        if end > start:
            filled = start + round(min(1.0, max(0.0, probability)) * (end - start))
            cv2.rectangle(picture, (start, y - half), (end, y + half), FAINT, cv2.FILLED)
            if filled > start:
                cv2.rectangle(picture, (start, y - half), (filled, y + half), color, cv2.FILLED)
        sure = percent(probability)
        draw_text(picture, sure, place.x2 - scale.pad - text_width(sure, scale.small), y, scale.small)


def draw_inset(
    picture: np.ndarray, prediction: Prediction, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
) -> Box | None:
    """Draws the network input of the leading region, enlarged, at the lower right, if it covers no box and no panel.

    Returns its place; None if there is none.
    """
    seen = enlarged(prediction.image, max(28, round(0.2 * min(scale.height, 0.75 * scale.width))))
    height, width = seen.shape[:2]
    caption = "network input"
    caption_height = scale.small + scale.pad // 2
    panel_width = max(width, text_width(caption, scale.small)) + 2 * scale.pad
    panel_height = 2 * scale.pad + caption_height + height
    right = scale.width - scale.pad
    bottom = min((one.y1 for one in panels if one and one.y1 > 0.8 * scale.height), default=scale.height) - scale.pad
    place = Box(right - panel_width, bottom - panel_height, right, bottom)
    if not fits_frame(place, scale) or overlaps_any(place, [*boxes, *panels]):
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, caption, place.x1 + scale.pad, place.y1 + scale.pad + scale.small // 2, scale.small, MUTED)
    top, left = place.y1 + scale.pad + caption_height, place.x1 + (panel_width - width) // 2
    picture[top : top + height, left : left + width] = seen
    edge = KNOWN if prediction.label is not None else UNKNOWN
    cv2.rectangle(picture, (left - 1, top - 1), (left + width, top + height), edge, 1)
    return place
