"""Draws an observation on a copy of the frame. This is the only place that flips the picture for display."""

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from recognizer.overlay.drawing import (
    ALERT,
    BOLD,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    UNKNOWN,
    Color,
    Extra,
    Scale,
    draw_panel,
    draw_text,
    fits_frame,
    overlaps_any,
    shortened,
    text_width,
    wrapped,
)
from recognizer.overlay.labels import (
    bars_place,
    draw_bars,
    draw_candidates,
    draw_inset,
    draw_tags,
    leading_region,
)
from recognizer.overlay.resized import resized
from recognizer.preprocess.turns import turn_note, turned_box
from recognizer.values import WRITING_SCORE, Box, Hand, Observation, Prediction, Region, Turn

BONES = ((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17), *((k, k + 1) for k in range(1, 20) if k % 4))
GUIDE_CAPTION = "hold it here"
NOTICE_LINES = 3  # at most
RATE_AVERAGE_S = 1.0  # frame rate and times are averaged over about this long, so that the numbers can be read
RATE_PAUSE_S = 2.0  # a longer gap between frames is a pause and does not count for the frame rate


class Overlay:
    """Draws observations. Its public attributes are switches that the window's keys change.

    Use one overlay per sink: its frame rate counts the pictures that it has drawn.
    """

    def __init__(
        self,
        mirror: bool = False,
        show_stages: bool = False,
        help_line: str = "",
        clock: Callable[[], float] = time.perf_counter,
        extra: Extra | None = None,
        show_details: bool = True,
    ) -> None:
        """`help_line` lists the keys, such as "q quit · p timings". `clock` counts seconds.

        `extra` draws further panels, such as a game's score. `show_details` adds the network's input, and boxes around
        what was found and is probably nothing.
        """
        self.mirror = mirror
        self.show_stages = show_stages
        self.show_details = show_details
        self.help_line = help_line
        self.title = ""  # the task, such as "Digits"
        self.prompt = (
            ""  # what to do, such as "hold up a sheet": small after the title, and large while nothing is seen
        )
        self.notice = ""  # one line from the window, such as the path of a screenshot
        self.fps: float | None = None  # of the pictures drawn; None before the second one
        self._clock = clock
        self.extra = extra
        self._drawn: Observation | None = None
        self._drawn_s = 0.0
        self._stages_ms: dict[str, float] = {}

    def draw(self, observation: Observation, size_wh: tuple[int, int] | None = None) -> np.ndarray:
        """Returns a new (H, W, 3) uint8 BGR picture of that size (default: the frame's). The frame is not changed.

        Lines and text are drawn at that size, so that they are as sharp in a small window as in a large one.
        """
        self._update_timings(observation)
        if size_wh is not None:
            observation = resized(observation, size_wh)
        frame_bgr = observation.frame.image_bgr
        picture = cv2.flip(frame_bgr, 1) if self.mirror else frame_bgr.copy()
        height, width = picture.shape[:2]
        scale = Scale.of(width, height)
        shown = [
            (region, prediction)
            for region, prediction in zip(observation.regions, observation.predictions, strict=True)
            if self.show_details or is_worth_a_box(region, prediction)
        ]
        regions, predictions = [region for region, _ in shown], [prediction for _, prediction in shown]
        boxes = [region.box for region in regions]
        if self.mirror:
            boxes = [mirrored(box, width) for box in boxes]

        for region, prediction in shown:
            if region.hand is not None:
                draw_skeleton(picture, joints_xy(region.hand, width if self.mirror else None), prediction, scale)
        for box, prediction in zip(boxes, predictions, strict=True):
            draw_box(picture, box, prediction, scale)
        title = draw_title(picture, " · ".join(words for words in (self.title, self.prompt) if words), scale)
        panels = [
            title,
            draw_result_text(picture, observation.text, scale, scale.pad if title is None else title.y2 + scale.pad),
            draw_timings(picture, self._timing_rows(), scale),
            draw_help(picture, self.help_line, scale),
        ]
        if not shown and not observation.text:
            panels.append(draw_hint(picture, self.prompt[:1].upper() + self.prompt[1:], scale, panels))
        if self.extra is not None:
            panels += self.extra(picture, scale, boxes, panels)
        if observation.guide is not None:
            guide = mirrored(observation.guide, width) if self.mirror else observation.guide
            panels.append(draw_guide(picture, guide, scale))
        notice = observation.frame.notice or turn_note(observation.predictions)
        panels.append(draw_notice(picture, notice, scale, panels))
        panels.append(draw_notice(picture, self.notice, scale, panels, PAPER))

        lead = leading_region(boxes, predictions)
        if lead is not None and predictions[lead].label is not None:
            place = bars_place(predictions[lead], scale)
            if fits_frame(place, scale) and not overlaps_any(place, [*boxes, *panels]):
                draw_panel(picture, place, scale)
                draw_bars(picture, predictions[lead], place, scale)
                panels.append(place)
        if lead is not None and self.show_details and regions[lead].hand is None:  # a hand is read from its joints
            panels.append(draw_inset(picture, predictions[lead], scale, boxes, panels))
        draw_tags(picture, boxes, predictions, scale, panels)
        for region, box, prediction in zip(regions, boxes, predictions, strict=True):
            if region.hand is not None:  # two digits that look alike are a scrawl; two signs are a hand to be turned
                draw_candidates(picture, box, prediction, scale, panels)
        return picture

    def _update_timings(self, observation: Observation) -> None:
        """Updates frame rate and stage times, unless the same frame is drawn again."""
        if observation is self._drawn:
            return
        now_s = self._clock()
        elapsed_s = now_s - self._drawn_s
        if self._drawn is not None and 0 < elapsed_s < RATE_PAUSE_S:
            share = min(1.0, elapsed_s / RATE_AVERAGE_S)
            before_s = 1 / self.fps if self.fps else elapsed_s
            self.fps = 1 / (before_s + share * (elapsed_s - before_s))
        else:
            share = 1.0
        self._drawn, self._drawn_s = observation, now_s
        self._stages_ms = {
            name: (before_ms := self._stages_ms.get(name, ms)) + share * (ms - before_ms)
            for name, ms in observation.stages_ms.items()
        }

    def _timing_rows(self) -> list[tuple[str, str]]:
        """Rows of name and value: the frame rate and, with `show_stages`, the time of each stage and their sum."""
        rows = [("", f"{self.fps:.0f} fps")] if self.fps is not None else []
        if self.show_stages and self._stages_ms:
            rows += [(name, f"{ms:.1f} ms") for name, ms in self._stages_ms.items()]
            rows += [("all stages", f"{sum(self._stages_ms.values()):.1f} ms")]
        return rows


def is_worth_a_box(region: Region, prediction: Prediction) -> bool:
    """Whether a region is surely a hand or writing. The others are often window frames, shelves and faces."""
    is_writing = region.score is not None and region.score >= WRITING_SCORE
    return prediction.label is not None or region.hand is not None or is_writing


def mirrored(box: Box, width: int) -> Box:
    """The box in the horizontally flipped picture of that width."""
    return turned_box(box, Turn.MIRRORED, (width, 0))


def joints_xy(hand: Hand, mirrored_width: int | None) -> np.ndarray:
    """(21, 2) int32 joints in pixels, flipped horizontally if the picture's width is given."""
    # clipped to the range of OpenCV's line drawing
    points = np.nan_to_num(hand.landmarks[:, :2].astype(np.float64)).clip(-30000, 30000)
    if mirrored_width is not None:
        points[:, 0] = mirrored_width - 1 - points[:, 0]
    return points.round().astype(np.int32)


def draw_box(picture: np.ndarray, box: Box, prediction: Prediction, scale: Scale) -> None:
    """Draws a bright box with thick corners for a label, and a thin grey box for a rejection."""
    first, last = (box.x1, box.y1), (box.x2 - 1, box.y2 - 1)
    if prediction.label is None:
        cv2.rectangle(picture, first, last, UNKNOWN, scale.line)
        return
    side = max(2, min(box.width, box.height) // 5)
    for color, edge in ((INK, 2), (KNOWN, 0)):
        cv2.rectangle(picture, first, last, color, scale.line + edge)
        for x, inward_x in ((first[0], side), (last[0], -side)):
            for y, inward_y in ((first[1], side), (last[1], -side)):
                corner = np.array([(x + inward_x, y), (x, y), (x, y + inward_y)], np.int32)
                cv2.polylines(picture, [corner], False, color, 2 * scale.line + edge)


def draw_skeleton(picture: np.ndarray, joints: np.ndarray, prediction: Prediction, scale: Scale) -> None:
    """Draws the (21, 2) joints and the bones between them, with dark edges for contrast on any skin."""
    reach = float(np.ptp(joints, axis=0).max())
    line = max(1, min(scale.line, round(reach / 90)))  # thin on a small hand, so that it stays visible
    bones = [joints[[start, end]] for start, end in BONES]
    cv2.polylines(picture, bones, False, INK, line + 2, cv2.LINE_AA)
    cv2.polylines(picture, bones, False, PAPER if prediction.label is not None else MUTED, line, cv2.LINE_AA)
    for joint in joints.tolist():
        cv2.circle(picture, joint, 2 * line + 1, INK, cv2.FILLED, cv2.LINE_AA)
        color = KNOWN if prediction.label is not None else UNKNOWN
        cv2.circle(picture, joint, max(1, 2 * line - 1), color, cv2.FILLED, cv2.LINE_AA)


def draw_guide(picture: np.ndarray, guide: Box, scale: Scale) -> Box | None:
    """Draws the dashed guide box with a caption; returns the caption's box."""
    corners = [(guide.x1, guide.y1), (guide.x2 - 1, guide.y1), (guide.x2 - 1, guide.y2 - 1), (guide.x1, guide.y2 - 1)]
    dashes = []
    for start, end in zip(np.array(corners, float), np.array([*corners[1:], corners[0]], float), strict=True):
        count = max(1, round(float(np.abs(end - start).sum()) / (3 * scale.pad)))
        ends = start + (end - start) * ((np.arange(2 * count + 2) / (2 * count + 1))[:, None])
        dashes += [ends[k : k + 2].round().astype(np.int32) for k in range(0, 2 * count + 1, 2)]
    cv2.polylines(picture, dashes, False, INK, scale.line + 2, cv2.LINE_AA)
    cv2.polylines(picture, dashes, False, PAPER, scale.line, cv2.LINE_AA)
    limit = guide.width - 4 * scale.pad
    size = scale.text if text_width(GUIDE_CAPTION, scale.text) <= limit else scale.small
    line = shortened(GUIDE_CAPTION, limit, size)
    width, height = text_width(line, size) + 2 * scale.pad, size + scale.pad
    x, y = (guide.x1 + guide.x2 - width) // 2, guide.y1 + 2 * scale.pad
    place = Box(x, y, x + width, y + height)
    if not line or not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, line, x + scale.pad, y + height // 2, size)
    return place


def draw_title(picture: np.ndarray, title: str, scale: Scale) -> Box | None:
    """Draws the task and what to do, small, at the top left."""
    line = shortened(title, round(0.6 * scale.width), scale.small)
    place = Box(
        scale.pad,
        scale.pad,
        3 * scale.pad + (text_width(line, scale.small) if line else 0),
        scale.pad + round(1.7 * scale.small),
    )
    if not line or not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, line, 2 * scale.pad, (place.y1 + place.y2) // 2, scale.small)
    return place


def draw_hint(picture: np.ndarray, hint: str, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draws what to do in the lower half, above any panels there."""
    line = shortened(hint, scale.width - 4 * scale.pad, scale.text)
    width, height = (text_width(line, scale.text) if line else 0) + 4 * scale.pad, scale.text + 2 * scale.pad
    bottom = min((one.y1 for one in panels if one and one.y1 > scale.height // 2), default=scale.height) - scale.pad
    x = (scale.width - width) // 2
    place = Box(x, bottom - height, x + width, bottom)
    if not line or not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, line, x + 2 * scale.pad, place.y1 + height // 2, scale.text)
    return place


def draw_result_text(picture: np.ndarray, text: str, scale: Scale, top: int) -> Box | None:
    """Draws the recognized text, large, at the left, from row `top` on."""
    limit = round(0.6 * scale.width)
    size = scale.big
    while size > scale.text and text_width(text, size, BOLD) > limit:
        size -= max(1, size // 10)
    text = shortened(text, limit, size, BOLD)
    left = scale.pad
    panel = Box(left, top, left + text_width(text, size, BOLD) + 3 * scale.pad, top + size + scale.pad)
    if not text or not fits_frame(panel, scale):
        return None
    draw_panel(picture, panel, scale)
    draw_text(picture, text, panel.x1 + round(1.5 * scale.pad), (panel.y1 + panel.y2) // 2, size, PAPER, BOLD)
    return panel


def draw_timings(picture: np.ndarray, rows: Sequence[tuple[str, str]], scale: Scale) -> Box | None:
    """Draws rows of name and value at the top right. The last of several rows is their sum."""
    if not rows:
        return None
    gap = 2 * scale.pad if any(name for name, _ in rows) else 0
    names = max(text_width(name, scale.small) if name else 0 for name, _ in rows)
    figures = max(text_width(figure, scale.small) for _, figure in rows)
    row = round(1.4 * scale.small)
    right = scale.width - scale.pad
    width, height = names + gap + figures + 2 * scale.pad, len(rows) * row + scale.pad
    panel = Box(right - width, scale.pad, right, scale.pad + height)
    if not fits_frame(panel, scale):
        return None
    draw_panel(picture, panel, scale)
    for index, (name, figure) in enumerate(rows):
        y = panel.y1 + scale.pad // 2 + index * row + row // 2
        strong = index in (0, len(rows) - 1)
        draw_text(picture, name, panel.x1 + scale.pad, y, scale.small, PAPER if strong else MUTED)
        x = right - scale.pad - text_width(figure, scale.small)
        draw_text(picture, figure, x, y, scale.small, PAPER if strong else MUTED)
    return panel


def draw_help(picture: np.ndarray, help_line: str, scale: Scale) -> Box | None:
    """Draws the keys and their actions at the bottom left. The last entry always stands there; those before it that do not
    fit are left out.
    """
    gap = 2 * scale.pad
    keys = [entry.partition(" ")[::2] for entry in help_line.split(" · ")] if help_line else []
    widths = [text_width(key + " ", scale.small, BOLD) + text_width(action, scale.small) + gap for key, action in keys]
    room = scale.width - 4 * scale.pad + gap
    while len(keys) > 1 and sum(widths) > room:
        del keys[-2], widths[-2]
    entries = []
    x = 2 * scale.pad
    if sum(widths) <= room:
        for (key, action), width in zip(keys, widths, strict=True):
            entries.append((x, key, x + text_width(key + " ", scale.small, BOLD), action))
            x += width
    if not entries:
        return None
    bottom = scale.height - scale.pad
    panel = Box(scale.pad, bottom - round(1.7 * scale.small), x - gap + scale.pad, bottom)
    if not fits_frame(panel, scale):
        return None
    draw_panel(picture, panel, scale)
    y = (panel.y1 + panel.y2) // 2
    for key_x, key, action_x, action in entries:
        draw_text(picture, key, key_x, y, scale.small, PAPER, BOLD)
        draw_text(picture, action, action_x, y, scale.small, MUTED)
    return panel


def draw_notice(
    picture: np.ndarray, notice: str, scale: Scale, panels: Sequence[Box | None], color: Color = ALERT
) -> Box | None:
    """Draws a message on a banner at the top centre, below any panels there; in several lines if it is long."""
    lines = wrapped(notice, scale.width - 6 * scale.pad, scale.text)[:NOTICE_LINES]
    row = round(1.3 * scale.text)
    width = max((text_width(line, scale.text) for line in lines), default=0) + 4 * scale.pad
    banner = place_banner((width, row * len(lines) + scale.pad), scale, panels)
    if not lines or not fits_frame(banner, scale):
        return None
    draw_panel(picture, banner, scale, color, opacity=0.95)
    for number, line in enumerate(lines):
        y = banner.y1 + scale.pad // 2 + row * number + row // 2
        draw_text(picture, line, banner.x1 + 2 * scale.pad, y, scale.text, INK)
    return banner


def place_banner(size_wh: tuple[int, int], scale: Scale, panels: Sequence[Box | None]) -> Box:
    """A place at the top centre, below any panels there. In a tiny frame it may lie outside."""
    width, height = size_wh
    x, y = (scale.width - width) // 2, scale.pad
    for panel in sorted((panel for panel in panels if panel is not None), key=lambda panel: panel.y2):
        if overlaps_any(Box(x, y, x + width, y + height), [panel]):
            y = panel.y2 + scale.pad
    return Box(x, y, x + width, y + height)
