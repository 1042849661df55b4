"""Reads signs that move, in the hands of one stream: each movement gets a label or none when it has ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.motion.classifier import MotionClassifier
from recognizer.motion.movement import Movement
from recognizer.motion.segmenter import Segmenter
from recognizer.preprocess import pictures
from recognizer.subjects.subject import MotionReader, WithMotion
from recognizer.values import Box, Frame, Hand, Prediction, Region

SHOWN_S = 1.0  # how long the label of a movement stays after it was read
SAME_HAND = 1.0  # of the hand's size: a hand that is further away from where it was in the last frame is another one
MOVING_S = 0.3  # a movement that has gone on for so long may become a sign: until it ends, no still sign is read
BOTH = "both"


@dataclass
class _Shown:
    """The label of the last movement, and where its hands are."""

    prediction: Prediction
    until_s: float
    boxes: list[Box]  # of the main hand, then of the other one if it belongs to the movement
    has_moved_again: bool = False

    def is_over(self, time_s: float, has_hands: bool, is_moving: bool) -> bool:
        """Whether the hands may make still signs again. To be asked for each frame."""
        self.has_moved_again = self.has_moved_again or is_moving
        return time_s >= self.until_s and (not has_hands or (self.has_moved_again and not is_moving))


class MovingSigns(MotionReader):
    """Labels the main hand of a movement for SHOWN_S seconds. If it has gone, a region without joints stands where it was.

    While the hands that made a sign rest, they make no other one: no still sign is read until one of them moves again.
    """

    def __init__(self, classifier: MotionClassifier | None) -> None:
        """Without a classifier, movements are found but not labelled."""
        self._classifier = classifier
        self._segmenter = Segmenter()
        self._shown: _Shown | None = None
        self._time_s = 0.0

    def step(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> WithMotion:
        hands = [region.hand for region in regions if region.hand is not None]
        movement = self._segmenter.step(frame.time_s, hands)
        if movement is not None:
            self._shown = self._read(movement, frame.time_s) or self._shown
        is_moving = self._segmenter.is_moving
        if frame.time_s < self._time_s or (
            self._shown is not None and self._shown.is_over(frame.time_s, bool(hands), is_moving)
        ):
            self._shown = None
        self._time_s = frame.time_s
        if self._classifier is not None and self._segmenter.moving_s > MOVING_S:
            predictions = [replace(prediction, label=None) for prediction in predictions]
        shown = (tuple(regions), tuple(predictions))
        if self._shown is not None:
            shown = _labelled(frame, *shown, self._shown)
        return WithMotion(*shown, movement, is_moving)

    def predict(self, movement: Movement) -> Prediction:
        blank = np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
        if self._classifier is None:
            return Prediction(None, 0.0, (), blank)
        found = self._classifier.predict(movement)
        made_by = BOTH if movement.has_two_hands else movement.sides[0]
        return Prediction(found.label, found.confidence, found.top, blank, hand=made_by, moves=True)

    def _read(self, movement: Movement, time_s: float) -> _Shown | None:
        """The label of a movement that has just ended; None if it is none of the signs."""
        prediction = self.predict(movement)
        if prediction.label is None:
            return None
        hands = (0, 1) if movement.has_two_hands else (0,)
        return _Shown(prediction, time_s + SHOWN_S, [box_of_joints(_last_seen(movement, hand)) for hand in hands])


def box_of_joints(landmarks: np.ndarray) -> Box:
    """The box around the joints (21, 3) of a hand."""
    (x1, y1), (x2, y2) = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return Box(int(x1), int(y1), int(np.ceil(x2)) + 1, int(np.ceil(y2)) + 1)


def _last_seen(movement: Movement, hand: int) -> np.ndarray:
    seen: np.ndarray = movement.joints[np.flatnonzero(movement.seen[:, hand])[-1], hand]
    return seen


def _labelled(
    frame: Frame, regions: tuple[Region, ...], predictions: tuple[Prediction, ...], shown: _Shown
) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
    """The regions and predictions with the label of the movement, as long as it is shown. Follows its hands."""
    found = list(predictions)
    places = [_nearest(box, regions) for box in shown.boxes]
    for number, place in enumerate(places):
        if place is not None:
            hand = regions[place].hand
            assert hand is not None, "_nearest returns regions with a hand"
            shown.boxes[number] = box_of_joints(hand.landmarks)
            found[place] = replace(found[place], label=None)
    if frame.time_s >= shown.until_s:
        return regions, tuple(found)
    main = places[0]
    if main is not None:
        found[main] = replace(shown.prediction, image=predictions[main].image)
        return regions, tuple(found)
    box = _inside(shown.boxes[0], frame)
    if box is None:
        return regions, tuple(found)
    gone = Region(box, frame.image_bgr[box.y1 : box.y2, box.x1 : box.x2])
    return (*regions, gone), (*found, replace(shown.prediction, image=pictures.hand_image(gone.crop)))


def _nearest(box: Box, regions: Sequence[Region]) -> int | None:
    """Index of the region whose hand is where one was in the last frame; None if there is none."""
    distances = {index: _apart(box, region.hand) for index, region in enumerate(regions) if region.hand is not None}
    nearest = min(distances, key=lambda index: distances[index], default=None)
    return nearest if nearest is not None and distances[nearest] < SAME_HAND else None


def _apart(box: Box, hand: Hand) -> float:
    """The distance of a hand's box from a box, as a share of the box's longer side."""
    (x, y), (other_x, other_y) = box.center_xy, box_of_joints(hand.landmarks).center_xy
    return float(np.hypot(other_x - x, other_y - y)) / max(1, box.width, box.height)


def _inside(box: Box, frame: Frame) -> Box | None:
    """The part of a box that lies in the frame; None if there is hardly any."""
    height, width = frame.image_bgr.shape[:2]
    inside = Box(max(0, box.x1), max(0, box.y1), min(width, box.x2), min(height, box.y2))
    return inside if inside.width > 1 and inside.height > 1 else None
