"""What one frame shows to somebody who spells: a letter, a number, a command, an open hand, or nothing."""

from dataclasses import dataclass

import numpy as np

from recognizer.preprocess import pose
from recognizer.values import Hand, Observation, Prediction, Region

SPACE_LABELS = ("space", "open")  # labels of a task that make a space …
DELETE_LABELS = ("del", "delete", "backspace", "swipe", "swipe left")  # … or take back what was typed last
NO_LABELS = ("nothing",)
DOUBTFUL = 0.25  # probability from which on a rejected hand that is held may be a letter
STRAIGHT = 1.6  # palm lengths from the wrist to the tip: a finger that reaches further is straight
LITTLE_STRAIGHT = 1.35  # of the little finger, which is shorter
THUMB_OUT = 0.5  # palm lengths from the thumb's tip to the index finger's root: the thumb stands off
SPREAD = 0.85  # palm lengths from the index finger's tip to the little finger's; of a B it is below 0.75

Shares = tuple[tuple[str, float], ...]  # (label, probability), best first


@dataclass(frozen=True)
class Shown:
    """What one frame shows. `text` is None for a hand that makes no known sign."""

    text: str | None
    shares: Shares = ()  # of the labels that it may be
    is_sure: bool = True  # False if the label was rejected: the word tells what it is
    is_open: bool = False  # an open hand, which makes a space


def shown_in(observation: Observation) -> Shown | None:
    """What the largest hand or object shows, or the number on a sheet. None if nothing is in view."""
    if not observation.regions:
        return None
    if all(region.crop.ndim == 2 for region in observation.regions):  # ink: a sheet of paper
        number = observation.text if observation.text.isdecimal() else None
        return Shown(number, ((number, 1.0),) if number else ())
    pairs = zip(observation.regions, observation.predictions, strict=True)
    shown = _shown_by(*max(pairs, key=lambda pair: pair[0].box.area))
    return Shown(None) if observation.is_moving and not shown.is_sure else shown


def _shown_by(region: Region, prediction: Prediction) -> Shown:
    label = prediction.label
    if label in SPACE_LABELS:
        return Shown(None, is_open=True)
    if label is not None and label not in NO_LABELS:
        return Shown(label, prediction.top)
    if region.hand is not None and is_open_hand(region.hand):
        return Shown(None, is_open=True)
    if label is None and region.hand is not None and prediction.top and prediction.top[0][1] >= DOUBTFUL:
        return Shown(prediction.top[0][0], prediction.top, is_sure=False)
    return Shown(None)


def is_open_hand(hand: Hand) -> bool:
    """Whether all five fingers are straight and spread, as no letter has them."""
    points = pose.normalised(hand.landmarks[None], np.array([hand.side == "left"]))[0]
    index, middle, ring, little = points[[8, 12, 16, 20]]
    thumb = points[4] - points[pose.INDEX_ROOT]
    return bool(
        min(np.linalg.norm(index), np.linalg.norm(middle), np.linalg.norm(ring)) > STRAIGHT
        and np.linalg.norm(little) > LITTLE_STRAIGHT
        and np.linalg.norm(thumb) > THUMB_OUT
        and np.linalg.norm(index - little) > SPREAD
    )
