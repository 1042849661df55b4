"""Draws what was seen on a copy of the frame. Mirroring for display happens here and nowhere else."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np

from recognizer.text import draw_text_any, opencv_has, text_width_any
from recognizer.turns import Turn, note_of
from recognizer.values import Box, Hand, Observation, Prediction

Color = tuple[int, int, int]  # blue, green, red, each 0 to 255

INK: Color = (34, 28, 24)  # panels, and text on bright pills
PAPER: Color = (250, 248, 246)  # text on panels
MUTED: Color = (196, 188, 180)  # second text on panels
FAINT: Color = (112, 104, 98)  # empty bars, edges of insets
UNKNOWN: Color = (138, 134, 130)  # boxes without a label
KNOWN: Color = (142, 222, 62)  # what was recognised: a green that shows on paper, skin and blackboard
ALERT: Color = (60, 184, 255)  # notices: amber

PANEL_OPACITY = 0.74  # the least at which small text keeps its contrast over white paper
REGULAR, BOLD = 400, 700  # font weights
CAP_HEIGHT = 0.75  # of the font size: measured on OpenCV's built-in sans

BARS_LIMIT = 3  # more regions than this leave no room for bars beside each: only the leading one has them, at its input
LEADING_SHARE = (
    0.7  # of the largest box's area: the first region in reading order that reaches it leads, so it stays put
)
COVERING_SHARE = 0.1  # of the frame: an inset larger than this is left out of a small picture rather than hide a box
BONES = ((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17), *((k, k + 1) for k in range(1, 20) if k % 4))
GUIDE_CAPTION = "hold it here"
RATE_MEMORY_S = 1.0  # the shown frame rate and times are means over about this long, so that the figures can be read
RATE_PAUSE_S = 2.0  # a longer gap between two frames is a pause, not a frame rate


def several(*extras: "Extra") -> "Extra":
    """Extras that are drawn one after the other, each keeping clear of those before."""

    def draw(picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]) -> list[Box]:
        places: list[Box] = []
        for extra in extras:
            places += extra(picture, scale, boxes, [*panels, *places])
        return places

    return draw


@dataclass(frozen=True)
class Scale:
    """All lengths of the overlay in pixels, from the size of the frame."""

    width: int
    height: int
    text: int  # font size of labels and bars
    small: int  # font size of help, captions and times
    big: int  # font size of the number read
    pad: int
    line: int

    @classmethod
    def of(cls, width: int, height: int) -> "Scale":
        # Portrait pictures are scaled by their width, as if they were 4:3, so that panels fit side by side.
        unit = min(height, 0.75 * width) / 720
        return cls(
            width,
            height,
            text=max(11, round(10 + 14 * unit)),
            small=max(10, round(8 + 11 * unit)),
            big=max(14, round(62 * unit)),
            pad=max(3, round(10 * unit)),
            line=max(1, round(2.5 * unit)),
        )


# Takes the picture, its scale, the boxes in it and the panels so far; returns its own panels' places: all later ones
# keep clear of them.
Extra = Callable[[np.ndarray, Scale, Sequence[Box], Sequence[Box | None]], list[Box]]


class Overlay:
    """Draws observations; the switches are plain attributes that the window's keys change.

    Give each sink an overlay of its own: the frame rate is that of the pictures this one has drawn.
    """

    def __init__(
        self,
        mirror: bool = False,
        show_stages: bool = False,
        help_line: str = "",
        clock: Callable[[], float] = time.perf_counter,
        extra: Extra | None = None,
    ) -> None:
        """`help_line` holds the keys and what they do, such as "q quit · p timings"; `clock` counts seconds.

        `extra` draws panels of its own, such as a game's score, into the picture.
        """
        self.mirror = mirror
        self.show_stages = show_stages
        self.help_line = help_line
        self.notice = ""  # one line from the window, such as where a screenshot went
        self.fps: float | None = None  # of the pictures drawn; None until there were two
        self._clock = clock
        self.extra = extra
        self._drawn: Observation | None = None
        self._drawn_s = 0.0
        self._stages_ms: dict[str, float] = {}

    def draw(self, observation: Observation) -> np.ndarray:
        """A new (H, W, 3) uint8 BGR picture; the frame's own is not touched."""
        self._keep_time(observation)
        frame_bgr = observation.frame.image_bgr
        picture = cv2.flip(frame_bgr, 1) if self.mirror else frame_bgr.copy()
        height, width = picture.shape[:2]
        scale = Scale.of(width, height)
        boxes = [region.box for region in observation.regions]
        if self.mirror:
            boxes = [mirrored(box, width) for box in boxes]
        predictions = observation.predictions

        for region, prediction in zip(observation.regions, predictions, strict=True):
            if region.hand is not None:
                draw_skeleton(picture, joints_xy(region.hand, width if self.mirror else None), prediction, scale)
        for box, prediction in zip(boxes, predictions, strict=True):
            draw_box(picture, box, prediction, scale)
        panels = [
            draw_reading(picture, observation.text, scale),
            draw_figures(picture, self._figures(), scale),
            draw_help(picture, self.help_line, scale),
        ]
        if self.extra is not None:
            panels += self.extra(picture, scale, boxes, panels)
        if observation.guide is not None:
            guide = mirrored(observation.guide, width) if self.mirror else observation.guide
            panels.append(draw_guide(picture, guide, scale))
        notice = observation.frame.notice or note_of(observation.predictions)
        panels.append(draw_notice(picture, notice, scale, panels))
        panels.append(draw_notice(picture, self.notice, scale, panels, PAPER))

        bars = place_bars(boxes, predictions, scale, panels)
        lead = leading(boxes, predictions)
        if lead is not None:
            taken = [*panels, *bars.values()]
            inset = draw_inset(picture, predictions[lead], not bars, scale, boxes, taken)
            panels.append(inset or draw_inset(picture, predictions[lead], False, scale, boxes, [*taken, *boxes]))
        draw_tags(picture, boxes, predictions, scale, [*panels, *bars.values()])
        for index, place in bars.items():
            draw_panel(picture, place, scale)
            draw_bars(picture, predictions[index], place, scale)
        return picture

    def _keep_time(self, observation: Observation) -> None:
        """Follow frame rate and stage times, unless the same frame is drawn again."""
        if observation is self._drawn:
            return
        now_s = self._clock()
        elapsed_s = now_s - self._drawn_s
        if self._drawn is not None and 0 < elapsed_s < RATE_PAUSE_S:
            share = min(1.0, elapsed_s / RATE_MEMORY_S)
            before_s = 1 / self.fps if self.fps else elapsed_s
            self.fps = 1 / (before_s + share * (elapsed_s - before_s))
        else:
            share = 1.0
        self._drawn, self._drawn_s = observation, now_s
        self._stages_ms = {
            name: (before_ms := self._stages_ms.get(name, ms)) + share * (ms - before_ms)
            for name, ms in observation.stages_ms.items()
        }

    def _figures(self) -> list[tuple[str, str]]:
        """Rows of name and figure: the frame rate, and with `show_stages` what each stage takes and their sum."""
        rows = [("", f"{self.fps:.0f} fps")] if self.fps is not None else []
        if self.show_stages and self._stages_ms:
            rows += [(name, f"{ms:.1f} ms") for name, ms in self._stages_ms.items()]
            rows += [("all stages", f"{sum(self._stages_ms.values()):.1f} ms")]
        return rows


def mirrored(box: Box, width: int) -> Box:
    """Where a box lies in a picture of that width when it is flipped left to right."""
    return Turn.MIRRORED.box(box, (width, 0))


def joints_xy(hand: Hand, mirrored_width: int | None) -> np.ndarray:
    """(21, 2) int32: where the joints lie in the picture, flipped left to right where its width is given."""
    points = np.nan_to_num(hand.landmarks[:, :2].astype(np.float64)).clip(-30000, 30000)  # what OpenCV's lines can take
    if mirrored_width is not None:
        points[:, 0] = mirrored_width - 1 - points[:, 0]
    return points.round().astype(np.int32)


def leading(boxes: Sequence[Box], predictions: Sequence[Prediction]) -> int | None:
    """The region whose input is shown: a large known one, else a large unknown one; None where there is none."""
    indices = [i for i, p in enumerate(predictions) if p.label is not None] or list(range(len(predictions)))
    if not indices:
        return None
    areas = {i: boxes[i].width * boxes[i].height for i in indices}
    return next(i for i in indices if areas[i] >= LEADING_SHARE * max(areas.values()))


@cache
def font() -> "cv2.FontFace":
    """OpenCV's built-in face; recognizer/text.py draws the scripts that it does not have."""
    return cv2.FontFace("sans")


@lru_cache(maxsize=512)
def text_width(text: str, size: int, weight: int = REGULAR) -> int:
    """Pixels that a line takes."""
    if not opencv_has(text):
        return text_width_any(text, size)
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font(), size, weight)
    return x + width


@lru_cache(maxsize=512)
def shortened(text: str, limit: int, size: int, weight: int = REGULAR) -> str:
    """The line itself, or as much of its beginning as fits into `limit` pixels with an ellipsis."""
    if text_width(text, size, weight) <= limit:
        return text
    end = len(text)
    while end and text_width(text[:end].rstrip() + "…", size, weight) > limit:
        end -= 1
    return text[:end].rstrip() + "…" if end else ""


def draw_text(
    picture: np.ndarray, text: str, x: int, y: int, size: int, color: Color = PAPER, weight: int = REGULAR
) -> None:
    """One line whose capitals are centred on row y and whose first letter starts at column x."""
    if not opencv_has(text):
        draw_text_any(picture, text, (x, y), size, color)
        return
    baseline = y + round(CAP_HEIGHT * size / 2)
    cv2.putText(picture, text, (x, baseline), color, font(), size, weight)


@lru_cache(maxsize=128)
def rounded_mask(width: int, height: int, radius: int) -> np.ndarray:
    """(height, width) uint8, 255 inside a rectangle with rounded corners."""
    mask = np.zeros((height, width), np.uint8)
    radius = min(radius, (width - 1) // 2, (height - 1) // 2)
    cv2.rectangle(mask, (radius, 0), (width - 1 - radius, height - 1), 255, cv2.FILLED)
    cv2.rectangle(mask, (0, radius), (width - 1, height - 1 - radius), 255, cv2.FILLED)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 255, cv2.FILLED)
    return mask


def draw_panel(picture: np.ndarray, box: Box, scale: Scale, color: Color = INK, opacity: float = PANEL_OPACITY) -> None:
    """A rounded half-transparent rectangle; only its own part of the picture is touched."""
    part = picture[box.y1 : box.y2, box.x1 : box.x2]
    tinted = cv2.addWeighted(part, 1 - opacity, np.full_like(part, color), opacity, 0)
    cv2.copyTo(tinted, rounded_mask(box.width, box.height, scale.pad), part)


def fits(box: Box, scale: Scale) -> bool:
    """Whether a panel has its place in the frame; what does not fit into a tiny frame is left out."""
    return box.x1 >= 0 and box.y1 >= 0 and box.x2 <= scale.width and box.y2 <= scale.height


def touches(box: Box, others: Sequence[Box | None]) -> bool:
    """Whether a box overlaps any of the others; None among them is a panel that was not drawn."""
    x1, y1, x2, y2 = box.xyxy
    return any(o is not None and x1 < o.x2 and o.x1 < x2 and y1 < o.y2 and o.y1 < y2 for o in others)


def percent(probability: float) -> str:
    return f"{100 * probability:.0f}%"


def draw_box(picture: np.ndarray, box: Box, prediction: Prediction, scale: Scale) -> None:
    """A thin grey frame, or for what is known a bright one with strong corners and dark edges."""
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
    """The (21, 2) joints of a hand and the bones between them, with dark edges so that they show on any skin."""
    reach = float(np.ptp(joints, axis=0).max())
    line = max(1, min(scale.line, round(reach / 90)))  # a small hand keeps its shape under its skeleton
    bones = [joints[[start, end]] for start, end in BONES]
    cv2.polylines(picture, bones, False, INK, line + 2, cv2.LINE_AA)
    cv2.polylines(picture, bones, False, PAPER if prediction.label is not None else MUTED, line, cv2.LINE_AA)
    for joint in joints.tolist():
        cv2.circle(picture, joint, 2 * line + 1, INK, cv2.FILLED, cv2.LINE_AA)
        color = KNOWN if prediction.label is not None else UNKNOWN
        cv2.circle(picture, joint, max(1, 2 * line - 1), color, cv2.FILLED, cv2.LINE_AA)


def draw_guide(picture: np.ndarray, guide: Box, scale: Scale) -> Box | None:
    """A dashed frame with a line under its upper edge that says what it is for; returns the line's place."""
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
    if not line or not fits(place, scale):
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, line, x + scale.pad, y + height // 2, size)
    return place


def draw_tags(
    picture: np.ndarray,
    boxes: Sequence[Box],
    predictions: Sequence[Prediction],
    scale: Scale,
    panels: Sequence[Box | None],
) -> None:
    """Label and confidence on a bright pill at each known box: all side by side, all stacked, or the labels alone."""
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
    """Width and height of a pill with label and percentage `beside` it or `stacked` under it, or the label `alone`."""
    inset, row = scale.pad // 2 + 1, scale.text + scale.pad // 2
    label_width = text_width(tag_label(prediction, scale), scale.text, BOLD)
    sure_width = text_width(percent(prediction.confidence), scale.small)
    if form == "beside":
        return label_width + sure_width + 3 * inset, row
    if form == "stacked":
        return max(label_width, sure_width) + 2 * inset, row + scale.small
    return label_width + 2 * inset, row


def tag_label(prediction: Prediction, scale: Scale) -> str:
    return shortened(prediction.label or "", scale.width // 3, scale.text, BOLD)


def place_tags(
    wanted: Sequence[tuple[Box, tuple[int, int]]], boxes: Sequence[Box], panels: Sequence[Box | None], scale: Scale
) -> list[Box] | None:
    """For each box and pill size a free place: above, in a large box's corners, or below; None if one has none."""
    cores = [(box, core(box)) for box in boxes]
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
        tag = next((tag for tag in tags if fits(tag, scale) and not touches(tag, obstacles)), None)
        if tag is None:
            return None
        placed.append(tag)
    return placed


def core(box: Box) -> Box:
    """The part of a box that nothing should cover: neighbours' tags may touch the margin around the ink."""
    across, down = box.width // 6, box.height // 6
    return Box(box.x1 + across, box.y1 + down, box.x2 - across, box.y2 - down)


def draw_tag(picture: np.ndarray, place: Box, prediction: Prediction, form: str, scale: Scale) -> None:
    """The pill of tag_size at its place."""
    inset, row = scale.pad // 2 + 1, scale.text + scale.pad // 2
    label, sure = tag_label(prediction, scale), percent(prediction.confidence)
    draw_panel(picture, place, scale, KNOWN, opacity=1)
    draw_text(picture, label, place.x1 + inset, place.y1 + row // 2, scale.text, INK, BOLD)
    if form == "beside":
        x = place.x2 - inset - text_width(sure, scale.small)
        draw_text(picture, sure, x, place.y1 + row // 2, scale.small, INK)
    elif form == "stacked":
        draw_text(picture, sure, place.x1 + inset, place.y1 + row + scale.small // 3, scale.small, INK)


def draw_label(picture: np.ndarray, box: Box, prediction: Prediction, scale: Scale) -> None:
    """The label alone at the box's upper edge, as small as the box is narrow: for pictures full of boxes."""
    size = min(scale.text, max(scale.small // 2, box.width))
    label = shortened(prediction.label or "", max(box.width, scale.text), size, BOLD)
    x, y = max(box.x1, 0), max(box.y1 - size - 2, 0)
    place = Box(x, y, x + text_width(label, size, BOLD) + 2, y + size + 2)
    if label and fits(place, scale):
        draw_panel(picture, place, scale, KNOWN, opacity=1)
        draw_text(picture, label, x + 1, y + size // 2 + 1, size, INK, BOLD)


def bars_size(prediction: Prediction, scale: Scale) -> tuple[int, int]:
    """Width and height of the panel that draw_bars fills."""
    return bars_label_width(prediction, scale) + 7 * scale.text, 2 * scale.pad + len(prediction.top) * bars_row(scale)


def bars_row(scale: Scale) -> int:
    """Pixels from one bar to the next."""
    return round(1.4 * scale.text)


def bars_label_width(prediction: Prediction, scale: Scale) -> int:
    """Pixels of the widest label, at most as much as leaves the bars their room."""
    widest = max((text_width(label, scale.text, BOLD) for label, _ in prediction.top), default=0)
    return min(widest, 8 * scale.text)


def place_bars(
    boxes: Sequence[Box], predictions: Sequence[Prediction], scale: Scale, taken: Sequence[Box | None]
) -> dict[int, Box]:
    """Free places beside the known boxes, by index: for all of them, or for none where one finds no room."""
    known = [i for i, prediction in enumerate(predictions) if prediction.label is not None and prediction.top]
    if len(known) > BARS_LIMIT:
        return {}
    places: dict[int, Box] = {}
    for index in known:
        box, (width, height) = boxes[index], bars_size(predictions[index], scale)
        y = min(max(box.y1 - scale.line, 0), max(0, scale.height - height))
        lefts = (box.x2 + scale.pad, box.x1 - scale.pad - width)
        choices = [Box(x, y, x + width, y + height) for x in lefts]
        occupied = [*boxes, *taken, *places.values()]
        free = [place for place in choices if fits(place, scale) and not touches(place, occupied)]
        if not free:
            return {}
        places[index] = free[0]
    return places


def draw_bars(picture: np.ndarray, prediction: Prediction, place: Box, scale: Scale) -> None:
    """The best labels with their probabilities as bars; the panel is the caller's where it holds more than them."""
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
    picture: np.ndarray,
    prediction: Prediction,
    with_bars: bool,
    scale: Scale,
    boxes: Sequence[Box],
    panels: Sequence[Box | None],
) -> Box | None:
    """What the network sees of the leading region, enlarged, in the first corner where it covers no box.

    Returns its place, None where the frame has none.
    """
    seen = enlarged(prediction.image, max(28, round(0.2 * min(scale.height, 0.75 * scale.width))))
    height, width = seen.shape[:2]
    caption = "network input"
    caption_height = scale.small + scale.pad // 2
    bars_wh = bars_size(prediction, scale) if with_bars and prediction.label is not None else (0, scale.pad)
    panel_width = max(width + 2 * scale.pad, text_width(caption, scale.small) + 2 * scale.pad, bars_wh[0])
    panel_height = scale.pad + caption_height + height + bars_wh[1]
    place = place_inset((panel_width, panel_height), scale, boxes, panels)
    if place is None:
        return None
    draw_panel(picture, place, scale)
    draw_text(picture, caption, place.x1 + scale.pad, place.y1 + scale.pad + scale.small // 2, scale.small, MUTED)
    top, left = place.y1 + scale.pad + caption_height, place.x1 + (panel_width - width) // 2
    picture[top : top + height, left : left + width] = seen
    edge = KNOWN if prediction.label is not None else UNKNOWN
    cv2.rectangle(picture, (left - 1, top - 1), (left + width, top + height), edge, 1)
    if bars_wh[0]:
        draw_bars(picture, prediction, Box(place.x1, top + height, place.x2, place.y2), scale)
    return place


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """The (h, w) or (h, w, 3) picture as BGR about `side` pixels high: whole steps up, so that its pixels are seen."""
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    height, width = image.shape[:2]
    if height <= side:
        factor = max(1, round(side / height))
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(image, (max(1, round(width * side / height)), side), interpolation=cv2.INTER_AREA)


def place_inset(
    size_wh: tuple[int, int], scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
) -> Box | None:
    """The first corner where a panel covers no box, else, unless it is large, the first that is free of panels."""
    width, height = size_wh
    left, right = scale.pad, scale.width - scale.pad - width
    bottom = scale.height - scale.pad - height
    tops = [p.y2 + scale.pad for p in panels if p is not None and p.y1 == scale.pad]
    bottoms = [p.y1 - scale.pad - height for p in panels if p is not None and p.y2 == scale.height - scale.pad]
    corners = [(right, bottom), *((x, y) for y in bottoms for x in (right, left)), (left, bottom)]
    corners += [(x, y) for y in sorted(tops) for x in (right, left)]
    places = [Box(x, y, x + width, y + height) for x, y in corners]
    places = [place for place in places if fits(place, scale) and not touches(place, panels)]
    free = [place for place in places if not touches(place, boxes)]
    if not free and width * height > COVERING_SHARE * scale.width * scale.height:
        return None
    return next(iter(free or places), None)


def draw_reading(picture: np.ndarray, text: str, scale: Scale) -> Box | None:
    """Top left, big: the number read."""
    limit = round(0.6 * scale.width)
    size = scale.big
    while size > scale.text and text_width(text, size, BOLD) > limit:
        size -= max(1, size // 10)
    text = shortened(text, limit, size, BOLD)
    corner = scale.pad
    panel = Box(corner, corner, corner + text_width(text, size, BOLD) + 3 * scale.pad, corner + size + scale.pad)
    if not text or not fits(panel, scale):
        return None
    draw_panel(picture, panel, scale)
    draw_text(picture, text, panel.x1 + round(1.5 * scale.pad), (panel.y1 + panel.y2) // 2, size, PAPER, BOLD)
    return panel


def draw_figures(picture: np.ndarray, rows: Sequence[tuple[str, str]], scale: Scale) -> Box | None:
    """Top right: rows of name and figure, figures flush right; the last of several rows is their sum."""
    if not rows:
        return None
    gap = 2 * scale.pad if any(name for name, _ in rows) else 0
    names = max(text_width(name, scale.small) if name else 0 for name, _ in rows)
    figures = max(text_width(figure, scale.small) for _, figure in rows)
    row = round(1.4 * scale.small)
    right = scale.width - scale.pad
    width, height = names + gap + figures + 2 * scale.pad, len(rows) * row + scale.pad
    panel = Box(right - width, scale.pad, right, scale.pad + height)
    if not fits(panel, scale):
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
    """Bottom left: the keys, bright, and what they do; entries that do not fit are left out from the end."""
    gap = 2 * scale.pad
    entries = []
    x = 2 * scale.pad
    for entry in help_line.split(" · ") if help_line else []:
        key, _, action = entry.partition(" ")
        key_width = text_width(key + " ", scale.small, BOLD)
        end = x + key_width + text_width(action, scale.small)
        if end > scale.width - 2 * scale.pad:
            break
        entries.append((x, key, x + key_width, action))
        x = end + gap
    if not entries:
        return None
    bottom = scale.height - scale.pad
    panel = Box(scale.pad, bottom - round(1.7 * scale.small), x - gap + scale.pad, bottom)
    if not fits(panel, scale):
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
    """One line on a banner in the middle of the top, below the panels that it would touch there."""
    line = shortened(notice, scale.width - 6 * scale.pad, scale.text)
    width, height = text_width(line, scale.text) + 4 * scale.pad, scale.text + 2 * scale.pad
    banner = place_banner((width, height), scale, panels)
    if not line or not fits(banner, scale):
        return None
    draw_panel(picture, banner, scale, color, opacity=0.95)
    draw_text(picture, line, banner.x1 + 2 * scale.pad, banner.y1 + height // 2, scale.text, INK)
    return banner


def place_banner(size_wh: tuple[int, int], scale: Scale, panels: Sequence[Box | None]) -> Box:
    """The middle of the top, below the panels that would be touched there; it may lie outside of a tiny frame."""
    width, height = size_wh
    x, y = (scale.width - width) // 2, scale.pad
    for panel in sorted((panel for panel in panels if panel is not None), key=lambda panel: panel.y2):
        if touches(Box(x, y, x + width, y + height), [panel]):
            y = panel.y2 + scale.pad
    return Box(x, y, x + width, y + height)
