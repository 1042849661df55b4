"""What only writing on paper needs: which finds are no digits after all, and how digits make a number."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from recognizer import preprocess
from recognizer.regions.text_lines import reading_order, text_lines
from recognizer.turns import Turn, turn_of
from recognizer.values import WRITTEN, Box, Frame, Prediction, Region

if TYPE_CHECKING:
    from recognizer.pipeline import Labeller

UNKNOWN = "?"  # in a number, for what is written there and not known
MAX_UNKNOWN = 3  # of these in a row: more are a word, which parts numbers
NUMBER_GAP = 0.35  # of the height: what stands nearer to the end of a number belongs to it
NUMBER_HEIGHT = 0.6  # of the higher one: digits of a number are about equally high
FAINT_SHARE = 0.35  # of the contrast of larger writing
FAINT_REACH = 1.5  # of the larger writing's height
STICK = 0.24  # width to length, as the ink is spread: below this a 1 has neither flag nor foot
MAX_LEAN_DEG = 40.0  # from upright: a stick that leans further is no 1
BORDER = 0.015  # of the shorter side: sticks this near to the picture's border are a door, a sheet's edge, a sleeve
MAX_UNEVEN = 0.35  # of a stick's contrast: how much the ground to its sides may vary
STICK_CONTRAST = 28.0  # of 255: fainter sticks are creases and paper lines unless digits stand beside them
STICK_HEIGHT = 0.06  # of the frame's height
SMALL_STICK = 0.4  # of the tallest known digit's height: a 1 is not written that much smaller
FAINT_STICK = 0.5  # of a digit's contrast: the 1 beside it is of the same pen
RULED_WIDTH = 0.035  # width to height: no hand draws a line that thin and straight
MAX_OVERLAP = 0.5  # of the smaller box: slanting neighbours' boxes overlap by less, two readings of one thing by more
MAX_UNKNOWN_OVERLAP = 0.3  # of what is not known and lies in part on another: a piece of it, or of what is around it
LEAST_EVIDENCE = 4.0  # log odds, of the score and of the label together
LEAST_BESIDE = 1.0  # the same, beside a digit of that height: where one stands, others do
SURELY_WRITTEN = 0.99  # score of a stick that stands where writing does
SUREST = 0.0001  # from 0 or 1: no network is surer than that
POORLY = 0.5  # of a sheet's regions: where no more are known, it is read turned, too
WELL = 0.75  # of them: known when it is held the right way up
SURER = 1.2  # by as many digits' confidences together
MOST_TURNED = 24  # regions: a page full of letters is not read three times


class Writing:
    """The reading of regions that are ink on paper."""

    region = "paper"

    def __init__(self, classifier: "Labeller | None" = None) -> None:
        """With the classifier, writing that is not upright is read, too."""
        self._classifier = classifier

    def prepare(self, region: Region) -> np.ndarray:
        """The network's input, (28, 28) uint8."""
        return preprocess.mnist_image(region.crop)

    def judge(
        self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """Regions and predictions without what the rest of the picture speaks against.

        Where a sheet cannot be read as it is, it is read upside down and in the mirror, too: its predictions then say so.
        """
        upright = _judged(frame, regions, predictions)
        known = _known(upright[1])
        if self._classifier is None or not 2 <= len(upright[0]) <= MOST_TURNED or known > POORLY * len(upright[0]):
            return upright
        pairs = [*zip(regions, predictions, strict=True)]
        found = max((self._turned(frame, pairs, turn) for turn in Turn if turn != Turn.UPRIGHT), key=_certainty)
        is_read = _known(found[1]) >= WELL * len(found[1]) and _certainty(found) >= _certainty(upright) + SURER
        return found if is_read else upright

    def _turned(
        self, frame: Frame, pairs: Sequence[tuple[Region, Prediction]], turn: Turn
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """What regions are in the turned picture; regions lie where they were, in the turned reading order."""
        assert self._classifier is not None
        height, width = frame.image_bgr.shape[:2]
        regions = [turn.region(region, (width, height)) for region, _ in pairs]
        turned = dict(zip(map(id, regions), (region for region, _ in pairs), strict=True))
        said = self._classifier.predict([turn.image(one.image) for _, one in pairs])
        of_region = dict(zip(map(id, regions), said, strict=True))
        regions = reading_order(regions)
        kept, predictions = _judged(turn.frame(frame), regions, [of_region[id(region)] for region in regions])
        return tuple(turned[id(region)] for region in kept), tuple(replace(one, turn=turn) for one in predictions)

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """The labels in reading order: those of one line joined to a number, lines separated by a space.

        What stands among the known labels of a line and is not known is UNKNOWN: no digit is left out of a number in
        silence.
        """
        turn = turn_of(predictions) or Turn.UPRIGHT
        turned = [replace(region, box=turn.box(region.box)) for region in regions]
        labels = {id(region): prediction.label for region, prediction in zip(turned, predictions, strict=True)}
        lines = [[(region.box, labels[id(region)]) for region in line] for line in text_lines(turned)]
        return " ".join(filter(None, map(_line_text, lines)))


def _judged(
    frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
    regions, predictions = without_unlikely(regions, predictions)
    return without_overlaps(regions, without_doubtful(frame, regions, without_outshone(regions, predictions)))


def _known(predictions: Sequence[Prediction]) -> int:
    return sum(one.label is not None for one in predictions)


def _certainty(found: tuple[tuple[Region, ...], tuple[Prediction, ...]]) -> float:
    return sum(one.confidence for one in found[1] if one.label is not None)


def _line_text(line: list[tuple[Box, str | None]]) -> str:
    """The text of boxes with their labels, from left to right; empty where none is known."""
    known = [place for place, (_, label) in enumerate(line) if label is not None]
    if not known:
        return ""
    first, last = known[0], known[-1]
    while first and _touch(line[first - 1][0], line[first][0]):
        first -= 1
    while last + 1 < len(line) and _touch(line[last][0], line[last + 1][0]):
        last += 1
    said = "".join(UNKNOWN if label is None else label for _, label in line[first : last + 1])
    return re.sub(rf"(\{UNKNOWN}){{{MAX_UNKNOWN + 1},}}", " ", said).strip()


def _touch(left: Box, right: Box) -> bool:
    """Whether two neighbours of a line stand as close and are as high as digits of one number are."""
    low, high = sorted((left.height, right.height))
    return right.x1 - left.x2 < NUMBER_GAP * high and low > NUMBER_HEIGHT * high


def without_unlikely(
    regions: Sequence[Region], predictions: Sequence[Prediction]
) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
    """Regions and predictions without what is hardly writing, unless its label is the surer.

    Two networks look at a region: one sees it in the picture and says how surely it is writing, the other sees its ink and
    says which label it is. Their log odds add up, as if each judged by what the other does not see.
    """
    found = [*zip(regions, predictions, strict=True)]
    evidence = [
        _log_odds(1.0 if region.score is None else region.score) + _log_odds(prediction.confidence)
        if prediction.label is not None
        else -math.inf
        for region, prediction in found
    ]
    sure = [region for (region, _), odds in zip(found, evidence, strict=True) if odds >= LEAST_EVIDENCE]
    kept = []
    for (region, prediction), odds in zip(found, evidence, strict=True):
        least = LEAST_BESIDE if any(_are_neighbours(region, other) for other in sure) else LEAST_EVIDENCE
        if odds < least:
            prediction = replace(prediction, label=None)
        if odds >= least or region.score is None or region.score >= WRITTEN:
            kept.append((region, prediction))
    return tuple(region for region, _ in kept), tuple(prediction for _, prediction in kept)


def _log_odds(share: float) -> float:
    share = min(max(share, SUREST), 1 - SUREST)
    return math.log(share / (1 - share))


def without_outshone(regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """Predictions without the labels of what is much fainter than larger known writing nearby.

    That is show-through, dirt, dents and lines of the paper. Only what is known outshines: a dark room behind the
    sheet does not.
    """
    known = [region for region, prediction in zip(regions, predictions, strict=True) if prediction.label is not None]
    return tuple(
        replace(prediction, label=None) if any(_outshines(other, region) for other in known) else prediction
        for region, prediction in zip(regions, predictions, strict=True)
    )


def _outshines(other: Region, region: Region) -> bool:
    if other.box.height <= region.box.height or region.contrast >= FAINT_SHARE * other.contrast:
        return False
    across = max(0, max(other.box.x1, region.box.x1) - min(other.box.x2, region.box.x2))
    down = max(0, max(other.box.y1, region.box.y1) - min(other.box.y2, region.box.y2))
    return max(across, down) < FAINT_REACH * other.box.height


def without_doubtful(
    frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
) -> tuple[Prediction, ...]:
    """Predictions without the labels of sticks that nothing speaks for.

    A 1 may be a bare stick, and so may a paper line, a finger's edge or a window frame. A stick counts that is surely
    written, or beside a known digit of its size; alone, when it is strong, not tiny, not ruled, stands on an even ground,
    and has no other sticks but on its own line.
    """
    height, width = frame.image_bgr.shape[:2]
    known = [i for i, prediction in enumerate(predictions) if prediction.label is not None]
    leans = {i: stick_lean_deg(regions[i].crop) for i in known}
    sticks = [i for i in known if leans[i] is not None and (regions[i].score or 0) < SURELY_WRITTEN]
    digits = [regions[i] for i in known if i not in sticks]
    alone = [i for i in sticks if not any(_are_neighbours(regions[i], other) for other in digits)]
    tallest = max((digit.box.height for digit in digits), default=0)
    strong = [
        i
        for i in alone
        if _is_strong_stick(regions[i], (width, height))
        and regions[i].box.height > SMALL_STICK * tallest
        and _stands_on_even_ground(regions[i], frame)
    ]
    if len(text_lines([regions[i] for i in strong])) > 1:
        strong = []
    doubtful = (set(alone) - set(strong)) | {i for i in sticks if (leans[i] or 0) > MAX_LEAN_DEG}
    return tuple(replace(p, label=None) if i in doubtful else p for i, p in enumerate(predictions))


def stick_lean_deg(ink: np.ndarray) -> float | None:
    """How far a bare stick leans from upright, 0 to 90 degrees; None when (h, w) uint8 ink is more than a stick.

    From the second moments of the ink: a stick is long in one direction and has next to no width in the other.
    """
    moments = cv2.moments(ink)
    xx, yy, xy = moments["mu20"], moments["mu02"], moments["mu11"]
    spread = float(np.hypot(xx - yy, 2 * xy))
    if xx + yy - spread > STICK**2 * (xx + yy + spread):
        return None
    axis_deg = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2  # of the long direction, 0 for level
    return 90.0 - abs(float(axis_deg))


def _are_neighbours(region: Region, digit: Region) -> bool:
    """Whether a region may stand in one number with a digit: of like height and ink, level, and not far apart."""
    box, other = region.box, digit.box
    if region.contrast < FAINT_STICK * digit.contrast:
        return False
    level = abs(box.center_xy[1] - other.center_xy[1]) < 0.5 * max(box.height, other.height)
    apart = max(box.x1, other.x1) - min(box.x2, other.x2)
    return level and 0.5 < box.height / other.height < 2 and apart < 2 * max(box.height, other.height)


def _is_strong_stick(region: Region, size_wh: tuple[int, int]) -> bool:
    box, margin, frame_height = region.box, BORDER * min(size_wh), size_wh[1]
    return (
        box.x1 > margin
        and box.y1 > margin
        and box.x2 < size_wh[0] - margin
        and box.y2 < size_wh[1] - margin
        and region.contrast >= STICK_CONTRAST
        and box.height >= STICK_HEIGHT * frame_height
        and box.width >= RULED_WIDTH * box.height
    )


def _stands_on_even_ground(region: Region, frame: Frame) -> bool:
    """Whether what lies to both sides of a region is one surface, such as paper."""
    box, reach = region.box, round(0.6 * region.box.height)
    sides = [
        frame.image_bgr[box.y1 : box.y2, max(0, box.x1 - reach) : max(0, box.x1 - 2)],
        frame.image_bgr[box.y1 : box.y2, box.x2 + 2 : box.x2 + reach],
    ]
    grays = [cv2.cvtColor(side, cv2.COLOR_BGR2GRAY).ravel() for side in sides if side.size]
    # another digit's strokes, or a few lines, cover less than a tenth
    low, high = np.percentile(np.concatenate(grays), [10, 90]) if grays else (0, 255)
    return bool(high - low < MAX_UNEVEN * max(region.contrast, 1.0) + 4)


def without_overlaps(
    regions: Sequence[Region], predictions: Sequence[Prediction]
) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
    """Of regions that cover each other, the one that is known best, in the order given.

    The ground inside a 0 may be taken for light ink, and a table's edge may go around a whole sheet: which of two
    readings holds only the classifier can tell.
    """
    order = sorted(range(len(regions)), key=lambda i: (predictions[i].label is None, -predictions[i].confidence))
    kept: list[int] = []
    for index in order:
        most = MAX_OVERLAP if predictions[index].label is not None else MAX_UNKNOWN_OVERLAP
        if all(_overlap(regions[index].box, regions[other].box) < most for other in kept):
            kept.append(index)
    kept.sort()
    return tuple(regions[i] for i in kept), tuple(predictions[i] for i in kept)


def _overlap(box: Box, other: Box) -> float:
    """Share of the smaller of two boxes that lies in the other."""
    return box.overlap(other) / max(1, min(box.area, other.area))
