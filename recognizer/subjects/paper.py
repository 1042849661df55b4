"""Ink on paper: what one character says about its neighbours, how digits make a number, and a sample's ink found again."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.finders.finder import RegionFinder
from recognizer.finders.text_lines import reading_order, text_lines
from recognizer.finders.writing import WritingFinder, writing_in
from recognizer.preprocess import pictures
from recognizer.preprocess.cut_out import box_in_cut_out, cut_out
from recognizer.preprocess.turns import Turn, turn_of
from recognizer.subjects.subject import Input, OpenFinder, Postprocessed, Postprocessor, Predictor, Subject
from recognizer.values import WRITING_SCORE, Box, Frame, Hand, Prediction, Region

SAME_INK = 0.3  # intersection over union: what is found in a paper sample lies where it was recorded
DIGITS = "0123456789"  # in the order of Region.digit_probabilities
UNKNOWN = "?"  # in a number, for what is written there and not known
MAX_UNKNOWN = 3  # of these in a row: more are a word, which parts numbers
NUMBER_GAP = 0.35  # of the height: what stands nearer to the end of a number belongs to it
NUMBER_HEIGHT = 0.6  # of the higher one: digits of a number are about equally high
FAINT_SHARE = 0.35  # of the contrast of larger writing
FAINT_REACH = 1.5  # of the larger writing's height
FAINT = 0.5  # of a digit's contrast: what stands beside it is of the same pen
MAX_OVERLAP = 0.5  # of the smaller box: slanting neighbours' boxes overlap by less, two readings of one thing by more
MAX_UNKNOWN_OVERLAP = 0.3  # of what is not known and lies in part on another: a piece of it, or of what is around it
MIN_LOG_ODDS = 4.5  # log odds, of the score and of the label together
MIN_LOG_ODDS_BESIDE_DIGIT = 0.0  # the same, beside a digit of that height: where one stands, others do
REJECTED_ODDS = -3.0  # log odds of a digit that the verifier reads and the classifier rejects, though it is in its top
READING_OFFSET = 0.02  # of what the picture says of the label: so often it is wrong, whatever it says
PROBABILITY_MARGIN = 0.0001  # from 0 or 1: no network is surer than that
CONFIDENT = 0.8  # confidence of a label: what is turned is taken for other digits with less
MAX_UPRIGHT_SHARE = 0.5  # of a sheet's regions: where no more are known, it is read turned, too
MIN_TURNED_SHARE = 0.75  # of them: known when it is held the right way up
MIN_CERTAINTY_GAIN = 1.2  # by as many digits' confidences together
MAX_TURNED_REGIONS = 24  # regions: a page full of letters is not read three times


class WritingPostprocessor(Postprocessor):
    """Reads a sheet as its characters stand together."""

    def __init__(self, classifier: Predictor | None = None) -> None:
        """With the classifier, writing that is not upright is read, too."""
        self._classifier = classifier

    def postprocess(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
        """Regions and predictions without what the rest of the picture speaks against.

        Where a sheet cannot be read as it is, it is read in every other Turn, too: its predictions then say so.
        """
        upright = _postprocessed(regions, predictions)
        known = _known(upright[1])
        if (
            self._classifier is None
            or not 2 <= len(upright[0]) <= MAX_TURNED_REGIONS
            or known > MAX_UPRIGHT_SHARE * len(upright[0])
        ):
            return upright
        pairs = [*zip(regions, predictions, strict=True)]
        found = max((self._turned(frame, pairs, turn) for turn in Turn if turn != Turn.UPRIGHT), key=_certainty)
        is_read = (
            _known(found[1]) >= MIN_TURNED_SHARE * len(found[1])
            and _certainty(found) >= _certainty(upright) + MIN_CERTAINTY_GAIN
        )
        return found if is_read else upright

    def _turned(self, frame: Frame, pairs: Sequence[tuple[Region, Prediction]], turn: Turn) -> Postprocessed:
        """What regions are in the turned picture; regions lie where they were, in the turned reading order."""
        assert self._classifier is not None
        height, width = frame.image_bgr.shape[:2]
        regions = [turn.region(region, (width, height)) for region, _ in pairs]
        turned = dict(zip(map(id, regions), (region for region, _ in pairs), strict=True))
        predicted = self._classifier.predict([turn.image(one.image) for _, one in pairs])
        of_region = dict(zip(map(id, regions), predicted, strict=True))
        regions = reading_order(regions)
        kept, predictions = _postprocessed(regions, [of_region[id(region)] for region in regions])
        return tuple(turned[id(region)] for region in kept), tuple(replace(one, turn=turn) for one in predictions)


def _postprocessed(regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
    pairs = zip(regions, predictions, strict=True)
    scored = suppress_overlaps(drop_unlikely([_scored_region(region, prediction) for region, prediction in pairs]))
    regions = tuple(one.region for one in scored)
    return regions, drop_faint_labels(regions, [one.prediction for one in scored])


def _known(predictions: Sequence[Prediction]) -> int:
    return sum(one.label is not None and one.confidence >= CONFIDENT for one in predictions)


def _certainty(found: Postprocessed) -> float:
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
    text = "".join(UNKNOWN if label is None else label for _, label in line[first : last + 1])
    return re.sub(rf"(\{UNKNOWN}){{{MAX_UNKNOWN + 1},}}", " ", text).strip()


def _touch(left: Box, right: Box) -> bool:
    """Whether two neighbours of a line stand as close and are as high as digits of one number are."""
    low, high = sorted((left.height, right.height))
    return right.x1 - left.x2 < NUMBER_GAP * high and low > NUMBER_HEIGHT * high


class ScoredRegion(NamedTuple):
    """A region, the label that both networks together find most likely, and the log odds of it: -inf without a label.

    The verifier sees the region in the picture: whether it is writing and which digit. The classifier sees its ink. Their
    log odds add up, as those of independent observations do.
    """

    region: Region
    prediction: Prediction
    log_odds: float


def _scored_region(region: Region, prediction: Prediction) -> ScoredRegion:
    score = _log_odds(1.0 if region.score is None else region.score)
    if region.digit_probabilities is None or not all(label in DIGITS for label, _ in prediction.top):
        is_known = prediction.label is not None
        return ScoredRegion(region, prediction, score + _log_odds(prediction.confidence) if is_known else -math.inf)
    if prediction.label is None:
        return _rejected(region, prediction, score)
    seen = {
        label: math.log(float(region.digit_probabilities[DIGITS.index(label)]) + READING_OFFSET)
        for label, _ in prediction.top
    }
    label, confidence = max(prediction.top, key=lambda one: _log_odds(one[1]) + seen[one[0]])
    prediction = replace(prediction, label=label, confidence=confidence)
    return ScoredRegion(region, prediction, score + _log_odds(confidence) + seen[label])


def _rejected(region: Region, prediction: Prediction, score: float) -> ScoredRegion:
    """The classifier rejects ink that a line runs through, too: the digit that the verifier reads may still be right."""
    assert region.digit_probabilities is not None
    digit = int(np.argmax(region.digit_probabilities[: len(DIGITS)]))
    confidence = dict(prediction.top).get(DIGITS[digit])
    if confidence is None:
        return ScoredRegion(region, prediction, -math.inf)
    prediction = replace(prediction, label=DIGITS[digit], confidence=confidence)
    return ScoredRegion(region, prediction, score + _log_odds(float(region.digit_probabilities[digit])) + REJECTED_ODDS)


def drop_unlikely(scored: Sequence[ScoredRegion]) -> list[ScoredRegion]:
    """Drops labels with little evidence, and the regions that are hardly writing then. Beside a digit less is enough."""
    sure = [one.region for one in scored if one.log_odds >= MIN_LOG_ODDS]
    kept = []
    for one in scored:
        region = one.region
        min_log_odds = (
            MIN_LOG_ODDS_BESIDE_DIGIT if any(_are_neighbours(region, other) for other in sure) else MIN_LOG_ODDS
        )
        if one.log_odds >= min_log_odds:
            kept.append(one)
        elif region.score is None or region.score >= WRITING_SCORE:
            kept.append(ScoredRegion(region, replace(one.prediction, label=None), -math.inf))
    return kept


def _log_odds(share: float) -> float:
    share = min(max(share, PROBABILITY_MARGIN), 1 - PROBABILITY_MARGIN)
    return math.log(share / (1 - share))


def drop_faint_labels(regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """Predictions without the labels of what is much fainter than larger known writing nearby.

    That is show-through, dirt, dents and lines of the paper. Only what is known outshines: a dark room behind the
    sheet does not.
    """
    known = [region for region, prediction in zip(regions, predictions, strict=True) if prediction.label is not None]
    return tuple(
        replace(prediction, label=None) if any(_makes_faint(other, region) for other in known) else prediction
        for region, prediction in zip(regions, predictions, strict=True)
    )


def _makes_faint(other: Region, region: Region) -> bool:
    if other.box.height <= region.box.height or region.contrast >= FAINT_SHARE * other.contrast:
        return False
    across = max(0, max(other.box.x1, region.box.x1) - min(other.box.x2, region.box.x2))
    down = max(0, max(other.box.y1, region.box.y1) - min(other.box.y2, region.box.y2))
    return max(across, down) < FAINT_REACH * other.box.height


def _are_neighbours(region: Region, digit: Region) -> bool:
    """Whether a region may stand in one number with a digit: of like height and ink, level, and not far apart."""
    box, other = region.box, digit.box
    if region.contrast < FAINT * digit.contrast:
        return False
    level = abs(box.center_xy[1] - other.center_xy[1]) < 0.5 * max(box.height, other.height)
    apart = max(box.x1, other.x1) - min(box.x2, other.x2)
    return level and 0.5 < box.height / other.height < 2 and apart < 2 * max(box.height, other.height)


def suppress_overlaps(scored: Sequence[ScoredRegion]) -> list[ScoredRegion]:
    """Of regions that cover each other, the one with the most evidence, in the order given.

    The ground inside a 0 may be taken for light ink, and a table's edge may go around a whole sheet: which of two
    readings holds only the classifier can tell.
    """
    kept: list[int] = []
    for index in sorted(range(len(scored)), key=lambda i: -scored[i].log_odds):
        most = MAX_OVERLAP if scored[index].prediction.label is not None else MAX_UNKNOWN_OVERLAP
        if all(_overlap(scored[index].region.box, scored[other].region.box) < most for other in kept):
            kept.append(index)
    return [scored[i] for i in sorted(kept)]


def _overlap(box: Box, other: Box) -> float:
    """Share of the smaller of two boxes that lies in the other."""
    return box.overlap(other) / max(1, min(box.area, other.area))


def ink_of(picture_bgr: np.ndarray, box: Box) -> np.ndarray | None:
    """The ink (h, w) uint8 that was recorded, found again in a sample's picture (h, w, 3) uint8; None where it is not.

    `box` is that of the frame it was found in.
    """
    regions = writing_in(picture_bgr)
    box = box_in_cut_out(box)
    if (box.width, box.height) == picture_bgr.shape[1::-1]:  # a whole picture, in which nothing was found before
        return max(regions, key=lambda region: region.box.area).crop if regions else None
    near = [region for region in regions if region.box.iou(box) > SAME_INK]
    return max(near, key=lambda region: region.box.iou(box)).crop if near else None


def largest_character_image(picture_bgr: np.ndarray) -> np.ndarray:
    """The largest character found in a picture (h, w, 3) BGR, framed (28, 28) uint8 as MNIST's; black where none is."""
    regions = writing_in(picture_bgr)
    if not regions:
        return np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
    return pictures.mnist_image(max(regions, key=lambda region: region.box.area).crop)


class PaperSubject(Subject):
    """Characters written on paper, any number of them."""

    name = "paper"
    word = "writing"
    studio_scene = "digits"
    input = Input.INK
    starting_task = "digits"
    grey_preprocess = pictures.VERSION
    edge_grey = 0  # no ink

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return WritingFinder(video=stream)

    def open_classifier(self, folder: Path, *, stream: bool = False) -> Classifier:
        """Raises ModelError for a folder that is not whole."""
        return Classifier(folder)

    def prepare(self, region: Region) -> np.ndarray:
        """The network's input, (28, 28) uint8."""
        return pictures.mnist_image(region.crop)

    def open_postprocessor(self, classifier: Predictor | None) -> WritingPostprocessor:
        return WritingPostprocessor(classifier)

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

    def warm_up_region(self) -> Region:
        """Without ink."""
        region = super().warm_up_region()
        return replace(region, crop=region.crop[..., 0])

    def sample_picture(self, frame_bgr: np.ndarray, region: Region) -> np.ndarray:
        """The frame around the region: its ink is to be found again, for which its ground is needed."""
        return cut_out(frame_bgr, region.box)

    def region_of(self, picture_bgr: np.ndarray, box: Box, hand: Hand | None) -> Region | None:
        """The ink found again; None where it is not."""
        ink = ink_of(picture_bgr, box)
        return None if ink is None else Region(box, ink)

    def grey_image(self, picture_bgr: np.ndarray) -> np.ndarray:
        """The largest character; black where there is none."""
        return largest_character_image(picture_bgr)

    def card_kind(self, kind: str) -> None:
        """Its classifier takes ink alone."""


PAPER = PaperSubject()
