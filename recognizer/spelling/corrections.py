"""What to change on a hand so that it makes a sign: the finger that is furthest off, and which way it has to go."""

from dataclasses import dataclass

import numpy as np

from recognizer.spelling.shapes import FINGERS, HandShape, KnownSign, finger_distances, turn_distance
from recognizer.studio.drawn_hands import joints_of_bones

THUMB = 0
NEAR_SPREADS = 1.5  # spreads of the sign's hands: a finger that is nearer is right …
NEAR_RAD = 0.3  # … and one that is nearer than this, too
TURN_RAD = 0.8  # from which on the whole hand has to be turned first
BENDS_MORE = 0.7  # of the change: below this share the finger goes aside rather than bends
MM = 8.0  # a thumb's tip that is nearer needs no other direction

PALM_TO = {
    "z+": "to the camera",
    "z-": "away from the camera",
    "y+": "up",
    "y-": "down",
    "x+": "sideways",
    "x-": "sideways",
}
FINGERS_TO = {**PALM_TO, "z+": "towards the camera"}


@dataclass(frozen=True)
class Correction:
    """What to change first. `finger` counts from the thumb; None for the whole hand, or if all is right."""

    words: str = ""  # "" if all is right
    finger: int | None = None


def correction(hand: HandShape, sign: KnownSign) -> Correction:
    """What to change first on the hand: how it is turned if that is far off, else its worst finger."""
    if turn_distance(hand, sign.shape) > TURN_RAD:
        return Correction(_turn_words(hand, sign.shape))
    distances = finger_distances(hand, sign.shape)
    off = distances / np.maximum(NEAR_SPREADS * sign.spread, NEAR_RAD)
    worst = int(off.argmax())
    if off[worst] <= 1:
        return Correction()
    words = (
        _thumb_words(hand, sign.shape) if worst == THUMB else _finger_words(hand.bones[worst], sign.shape.bones[worst])
    )
    return Correction(f"{FINGERS[worst]}: {words}", worst)


def _turn_words(hand: HandShape, wanted: HandShape) -> str:
    """Where palm or fingers have to point: whichever is further off."""
    fingers_off, palm_off = (_angle(hand.turn[:, axis], wanted.turn[:, axis]) for axis in (1, 2))
    if palm_off > fingers_off:
        return f"turn the palm {PALM_TO[_main_direction(wanted.turn[:, 2])]}"
    return f"point the hand {FINGERS_TO[_main_direction(wanted.turn[:, 1])]}"


def _main_direction(vector: np.ndarray) -> str:
    axis = int(np.abs(vector).argmax())
    return "xyz"[axis] + ("+" if vector[axis] > 0 else "-")


def _thumb_words(hand: HandShape, wanted: HandShape) -> str:
    """Which way the thumb's tip has to go, in the palm's axes: across the palm, along it, or out of it."""
    here, there = (joints_of_bones(shape.bones)[0][4] for shape in (hand, wanted))
    across, along, forward = there - here
    if max(abs(across), abs(along), abs(forward)) < MM:
        return "bend it more" if _bend(wanted.bones[THUMB]) > _bend(hand.bones[THUMB]) else "straighten it"
    options = {
        abs(across): "further out" if across > 0 else "further in",
        abs(along): "further up" if along > 0 else "further down",
        abs(forward): "in front of the fingers" if forward > 0 else "closer to the palm",
    }
    return options[max(options)]


def _finger_words(bones: np.ndarray, wanted: np.ndarray) -> str:
    bend, aside = _bend(wanted) - _bend(bones), wanted[0, 0] - bones[0, 0]
    if abs(bend) >= BENDS_MORE * abs(aside):
        return "bend it more" if bend > 0 else "straighten it"
    return "towards the thumb" if aside > 0 else "away from the thumb"


def _bend(bones: np.ndarray) -> float:
    """Radians by which a finger's last two bones are bent, and its first one from the palm, on average."""
    first = np.arctan2(bones[0, 2], max(1e-6, float(np.hypot(bones[0, 0], bones[0, 1]))))
    return float(first + _angle(bones[0], bones[1]) + _angle(bones[1], bones[2])) / 2


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.arccos(np.clip(one @ other, -1, 1)))
