"""Writing on paper: combines the scores of neighbouring characters, joins digits to numbers, finds the ink of samples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.network import read_network
from recognizer.finders.characters import NETWORKS
from recognizer.finders.finder import RegionFinder
from recognizer.finders.text_lines import reading_order, text_lines
from recognizer.finders.writing import WritingFinder, writing_in
from recognizer.preprocess import pictures
from recognizer.preprocess.cut_out import box_in_cut_out, cut_out
from recognizer.preprocess.turns import turn_of, turned_box, turned_image, turned_region
from recognizer.subjects.subject import Input, OpenFinder, Postprocessed, Postprocessor, Predictor, Subject
from recognizer.values import WRITING_SCORE, Box, Frame, Hand, Prediction, Region, SeenObject, Turn

SAME_INK = 0.3  # IoU above which ink found in a stored sample is the ink that was recorded
DIGITS = "0123456789"  # in the order of Region.digit_probabilities
UNKNOWN = "?"  # stands for a rejected character inside a number
MAX_UNKNOWN = 3  # in a row: more of them are a word, which separates two numbers
NUMBER_GAP = 0.35  # share of the height: a closer character belongs to the same number
NUMBER_HEIGHT = 0.6  # share of the taller one: digits of one number have about the same height
FAINT_SHARE = 0.35  # share of the contrast of larger writing nearby: fainter ink loses its label
FAINT_REACH = 1.5  # distance that counts as nearby, in heights of the larger writing
FAINT = 0.5  # share of a digit's contrast: fainter ink beside it is from another pen
MAX_OVERLAP = 0.5  # share of the smaller box: slanting neighbours overlap less, duplicate detections more
MAX_UNKNOWN_OVERLAP = 0.3  # the same for a rejected region: it is usually a part of the other one
MIN_LOG_ODDS = 4.5  # log odds of the score plus those of the label
MIN_LOG_ODDS_BESIDE_DIGIT = 0.0  # the same next to a digit of similar height, where more digits are likely
REJECTED_ODDS = -3.0  # log odds added where the classifier rejects the digit that the verifier reads
READING_OFFSET = 0.02  # the verifier's error rate, added to each of its probabilities
PROBABILITY_MARGIN = 0.0001  # probabilities are clipped to this distance from 0 and 1
CONFIDENT = 0.8  # confidence of a label: digits that are turned get wrong labels with less
MAX_UPRIGHT_SHARE = 0.5  # share of regions with a confident label: up to this, other orientations are tried
MIN_TURNED_SHARE = 0.75  # share of regions that need a confident label in the other orientation
MIN_CERTAINTY_GAIN = 1.2  # how much higher the sum of confidences must be in the other orientation
MAX_TURNED_REGIONS = 24  # more regions are a page of text, which would take too long in three orientations


class WritingPostprocessor(Postprocessor):
    """Combines the predictions of all characters on a sheet."""

    def __init__(self, classifier: Predictor | None = None) -> None:
        """With `classifier`, writing that is upside down or mirrored is also read."""
        self._classifier = classifier

    def postprocess(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
        """Drops regions and labels that the other regions make unlikely.

        If too few regions get a confident label, the other values of Turn are tried. Predictions then carry the turn.
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
        """Rotates or flips each crop and classifies it. Boxes stay in frame coordinates; regions are in the reading order of
        the rotated or flipped sheet.
        """
        assert self._classifier is not None
        height, width = frame.image_bgr.shape[:2]
        regions = [turned_region(region, turn, (width, height)) for region, _ in pairs]
        turned = dict(zip(map(id, regions), (region for region, _ in pairs), strict=True))
        predicted = self._classifier.predict([turned_image(one.image, turn) for _, one in pairs])
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


def text_of(regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
    """The labels in reading order. Those of one line are joined to numbers; lines are separated by a space.

    A rejected character between labels of a line becomes UNKNOWN, so that a number never silently lacks a digit.
    """
    return " ".join(
        "".join(predictions[index].label or UNKNOWN for index in number)
        for number in _written_numbers(regions, predictions)
    )


def _numbers(line: Sequence[tuple[Box, str | None]]) -> list[range]:
    """The places in the line of the characters of each number; none if all characters are rejected.

    `line` has (box, label) pairs from left to right. Rejected characters that touch a number belong to it; a run of more
    than MAX_UNKNOWN of them separates two numbers.
    """
    known = [place for place, (_, label) in enumerate(line) if label is not None]
    if not known:
        return []
    first, last = known[0], known[-1]
    while first and _touch(line[first - 1][0], line[first][0]):
        first -= 1
    while last + 1 < len(line) and _touch(line[last][0], line[last + 1][0]):
        last += 1
    numbers, start = [], first
    for is_unknown, run in groupby(range(first, last + 1), key=lambda place: line[place][1] is None):
        places = list(run)
        if is_unknown and len(places) > MAX_UNKNOWN:
            numbers.append(range(start, places[0]))
            start = places[-1] + 1
    return [number for number in (*numbers, range(start, last + 1)) if number]


def _written_numbers(regions: Sequence[Region], predictions: Sequence[Prediction]) -> list[list[int]]:
    """The numbers in reading order, each as the indices of its regions from left to right."""
    turn = turn_of(predictions) or Turn.UPRIGHT
    turned = [replace(region, box=turned_box(region.box, turn)) for region in regions]
    index_of = {id(region): index for index, region in enumerate(turned)}
    lines = [[index_of[id(region)] for region in line] for line in text_lines(turned)]
    return [
        [line[place] for place in number]
        for line in lines
        for number in _numbers([(turned[index].box, predictions[index].label) for index in line])
    ]


def _number(regions: Sequence[Region], predictions: Sequence[Prediction]) -> SeenObject:
    """The number that these regions are, from left to right."""
    labels = [prediction.label for prediction in predictions if prediction.label is not None]
    boxes = np.array([region.box.xyxy for region in regions])
    box = Box(*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    confidence = min(prediction.confidence for prediction in predictions)
    return SeenObject("".join(labels) if len(labels) == len(regions) else None, confidence, box)


def _touch(left: Box, right: Box) -> bool:
    """Whether two neighbours in a line are close and similar in height, as digits of one number are."""
    low, high = sorted((left.height, right.height))
    return right.x1 - left.x2 < NUMBER_GAP * high and low > NUMBER_HEIGHT * high


class ScoredRegion(NamedTuple):
    """A region, its most likely label by verifier and classifier together, and its log odds (-inf without a label).

    The verifier sees the frame around the region, the classifier only its ink. Their log odds are added as if the two were
    independent.
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
    """Uses the verifier's digit, since the classifier also rejects digits that a line crosses."""
    assert region.digit_probabilities is not None
    digit = int(np.argmax(region.digit_probabilities[: len(DIGITS)]))
    confidence = dict(prediction.top).get(DIGITS[digit])
    if confidence is None:
        return ScoredRegion(region, prediction, -math.inf)
    prediction = replace(prediction, label=DIGITS[digit], confidence=confidence)
    return ScoredRegion(region, prediction, score + _log_odds(float(region.digit_probabilities[digit])) + REJECTED_ODDS)


def drop_unlikely(scored: Sequence[ScoredRegion]) -> list[ScoredRegion]:
    """Drops labels with low log odds, then rejected regions with a low score. The threshold is lower next to a digit."""
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
    """Rejects regions that are much fainter than larger labelled writing nearby.

    Those are show-through, dirt, dents and lines of the paper. Only labelled regions count as larger writing, so that
    a dark room behind the sheet does not.
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
    """Whether a region can be part of the same number as a digit: similar height and contrast, level, and close."""
    box, other = region.box, digit.box
    if region.contrast < FAINT * digit.contrast:
        return False
    level = abs(box.center_xy[1] - other.center_xy[1]) < 0.5 * max(box.height, other.height)
    apart = max(box.x1, other.x1) - min(box.x2, other.x2)
    return level and 0.5 < box.height / other.height < 2 and apart < 2 * max(box.height, other.height)


def suppress_overlaps(scored: Sequence[ScoredRegion]) -> list[ScoredRegion]:
    """Non-maximum suppression: of overlapping regions, the one with the highest log odds stays. The order is kept.

    The inside of a 0 may be detected as light ink, and a table's edge as ink around the sheet. Only the classifier
    can decide between such overlapping regions.
    """
    kept: list[int] = []
    for index in sorted(range(len(scored)), key=lambda i: -scored[i].log_odds):
        most = MAX_OVERLAP if scored[index].prediction.label is not None else MAX_UNKNOWN_OVERLAP
        if all(_overlap(scored[index].region.box, scored[other].region.box) < most for other in kept):
            kept.append(index)
    return [scored[i] for i in sorted(kept)]


def _overlap(box: Box, other: Box) -> float:
    """Intersection over the area of the smaller box, 0 to 1."""
    return box.overlap(other) / max(1, min(box.area, other.area))


def ink_of(picture_bgr: np.ndarray, box: Box) -> np.ndarray | None:
    """The ink (h, w) uint8 of a stored sample, detected again in its image (h, w, 3) uint8 BGR. None if it is not found.

    `box` is in coordinates of the frame that the sample was cut from.
    """
    regions = writing_in(picture_bgr)
    box = box_in_cut_out(box)
    if (box.width, box.height) == picture_bgr.shape[
        1::-1
    ]:  # an imported image, stored whole since no writing was found in it
        return max(regions, key=lambda region: region.box.area).crop if regions else None
    near = [region for region in regions if region.box.iou(box) > SAME_INK]
    return max(near, key=lambda region: region.box.iou(box)).crop if near else None


def largest_character_image(picture_bgr: np.ndarray) -> np.ndarray:
    """The largest character in an image (h, w, 3) uint8 BGR, as (28, 28) uint8 in MNIST's format. Black if none is found."""
    regions = writing_in(picture_bgr)
    if not regions:
        return np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
    return pictures.mnist_image(max(regions, key=lambda region: region.box.area).crop)


class PaperSubject(Subject):
    """Any number of characters written on paper."""

    name = "paper"
    word = "writing"
    description = "writing on paper"
    studio_scene = "digits"
    prompt = "hold up a sheet"
    summary = "It finds the characters in a picture, classifies each, and joins digits to numbers."
    is_mirrored = False
    input = Input.INK
    starting_task = "digits"
    grey_preprocess = pictures.VERSION
    edge_grey = 0  # no ink

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return WritingFinder(video=stream)

    def open_classifier(self, folder: Path, *, stream: bool = False) -> Classifier:
        """Raises ModelError if a file in `folder` is missing or damaged."""
        return Classifier(folder)

    def prepare(self, region: Region) -> np.ndarray:
        """The network's input, (28, 28) uint8."""
        return pictures.mnist_image(region.crop)

    def open_postprocessor(self, classifier: Predictor | None) -> WritingPostprocessor:
        return WritingPostprocessor(classifier)

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        return text_of(regions, predictions)

    def objects(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[SeenObject, ...]:
        """Each number is an object. One with a rejected character has no label."""
        return tuple(
            _number([regions[index] for index in number], [predictions[index] for index in number])
            for number in _written_numbers(regions, predictions)
        )

    def finder_networks(self, kind: str | None) -> Mapping[str, bytes]:
        """The networks that propose boxes, verify them, and segment the ink."""
        return {name: read_network(NETWORKS / f"{name}.tflite") for name in ("characters", "verifier", "ink")}

    def warm_up_region(self) -> Region:
        """A blank region without ink, (h, w) uint8."""
        region = super().warm_up_region()
        return replace(region, crop=region.crop[..., 0])

    def sample_picture(self, frame_bgr: np.ndarray, region: Region) -> np.ndarray:
        """The region with a margin, since detecting its ink again needs the paper around it."""
        return cut_out(frame_bgr, region.box)

    def region_of(self, picture_bgr: np.ndarray, box: Box, hand: Hand | None) -> Region | None:
        """The region with its ink, detected again. None if no ink is found."""
        ink = ink_of(picture_bgr, box)
        return None if ink is None else Region(box, ink)

    def grey_image(self, picture_bgr: np.ndarray) -> np.ndarray:
        """The largest character as (28, 28) uint8. Black if none is found."""
        return largest_character_image(picture_bgr)

    def card_kind(self, kind: str) -> None:
        """None: ink is the only input."""


PAPER = PaperSubject()
