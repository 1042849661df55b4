"""The values that cross the stages: frame, region, prediction, observation, and the observation as JSON."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recognizer.motion.movement import Movement

CANDIDATES_SHARE = 0.7  # two labels with at least this probability together are candidates for a rejected input …
CANDIDATE_SHARE = 0.15  # … if each has at least this one
WRITING_SCORE = 0.6  # threshold: a region with this score is writing, even if its label is rejected


class Turn(Enum):
    """How to flip a picture so that its writing can be read: (horizontally, vertically)."""

    UPRIGHT = (False, False)
    UPSIDE_DOWN = (True, True)
    MIRRORED = (True, False)

    @property
    def display_name(self) -> str:
        """The name in JSON and CSV, such as "upside down"."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the frame, (x2, y2) exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        return self.y2 - self.y1

    @property
    def center_xy(self) -> tuple[float, float]:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        return self.x1, self.y1, self.x2, self.y2

    @property
    def area(self) -> int:
        return self.width * self.height

    def overlap(self, other: "Box") -> int:
        """Pixels that lie in both boxes."""
        across = min(self.x2, other.x2) - max(self.x1, other.x1)
        down = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(0, across) * max(0, down)

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box, 0 to 1."""
        overlap = self.overlap(other)
        return overlap / (self.area + other.area - overlap) if overlap else 0.0


@dataclass(frozen=True)
class Truth:
    """The ground truth of one object: its label and its box. Only rendered scenes have it."""

    label: str
    box: Box


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a source."""

    image_bgr: np.ndarray  # (H, W, 3) uint8
    index: int  # counts from 0 in each source
    time_s: float  # seconds since the source was opened; increases
    name: str  # of the source, or of the file if each frame is a file
    truth: tuple[Truth, ...] = ()
    notice: str | None = None  # one line for the user, such as "camera lost, reconnecting"


@dataclass(frozen=True, eq=False)
class Hand:
    """The joints of a hand, in MediaPipe's order: 0 the wrist, 1 to 4 the thumb, then each finger from root to tip."""

    landmarks: np.ndarray  # (21, 3) float32: x, y in pixels of the frame, z in pixels, negative towards the camera
    side: str  # "left" or "right" hand of the person, in a picture that is not flipped
    score: float  # 0 to 1, the finder's confidence that this is a hand


@dataclass(frozen=True, eq=False)
class Region:
    """A place in the frame that holds something to classify."""

    box: Box
    crop: np.ndarray  # paper: (h, w) uint8 ink, 0 none to 255 full; hand and box: (h, w, 3) uint8 BGR
    contrast: float = 0.0  # difference to the background, 0 to 255; 0 if not measured
    light: bool = False  # ink lighter than its background
    hand: Hand | None = None  # None for paper, and for a hand without joints
    mirrored_hand: Hand | None = None  # the same hand, as detected in the flipped picture; None if it was not
    score: float | None = None  # 0 to 1, the probability that it is writing; None without a verifier
    # (11,) float, computed from the frame and not the crop: probabilities of the digits 0 to 9, then of other writing
    digit_probabilities: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """The result of classifying one region. `label` is None if the input was rejected."""

    label: str | None
    confidence: float  # 0 to 1, probability of the best label
    top: tuple[tuple[str, float], ...]  # up to three (label, probability), best first
    image: np.ndarray  # the network's input; for paper (28, 28) uint8
    turn: Turn | None = None  # how the sheet must be turned or flipped to be read; None if it is upright
    # (labels + 1,) float32, the classifier's probabilities, the last of the background; None without a classifier
    probabilities: np.ndarray | None = None
    distance: float | None = None  # of the features to the nearest label; None without a classifier
    hand: str | None = None  # the hand that makes the sign: "left", "right", or "both" for a movement of two hands
    moves: bool = False  # whether the label is that of a movement

    @property
    def candidates(self) -> tuple[str, ...]:
        """The two labels of a rejected input that share nearly all of its probability; () if there are none."""
        best_two = self.top[:2]
        shares = [share for _, share in best_two]
        are_close = len(shares) == 2 and shares[1] >= CANDIDATE_SHARE and sum(shares) >= CANDIDATES_SHARE
        return tuple(label for label, _ in best_two) if self.label is None and are_close else ()


@dataclass(frozen=True)
class SeenObject:
    """One object in view: a hand, what is in the box, or all digits of one written number."""

    label: str | None  # of a number, its digits; None if it, or a digit of it, is not recognized
    confidence: float  # 0 to 1; of a number, that of its least certain digit
    box: Box  # around all its regions
    hand: str | None = None  # "left", "right" or "both" hands; None for paper, boxes and hands without joints
    moves: bool = False  # a sign that moves: it is recognized when its movement has ended


@dataclass(frozen=True, eq=False)
class Observation:
    """The result of one frame. `regions` and `predictions` have the same length and are in reading order."""

    frame: Frame
    task: str
    regions: tuple[Region, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    text: str = ""  # the labels joined in reading order: a number a line, lines separated by a space
    stages_ms: dict[str, float] = field(default_factory=dict)  # milliseconds per stage, in order
    guide: Box | None = None  # where to hold an object; None for subjects that are found anywhere in the frame
    objects: tuple[SeenObject, ...] = ()  # the regions, with the digits of one number as one object
    movement: "Movement | None" = None  # of hands, which has just ended
    is_moving: bool = False  # whether a movement of hands is going on


def hand_of(region: Region, prediction: Prediction) -> str | None:
    """The hand that makes the sign: "left", "right", or "both" for a movement of two hands. None where no hand is."""
    return prediction.hand or (None if region.hand is None else region.hand.side)


DECIMALS = 4  # of a probability; further digits are noise


def as_json(observation: Observation) -> dict[str, Any]:
    """The observation as a JSON object: `text`, and `regions` in reading order."""
    regions = zip(observation.regions, observation.predictions, strict=True)
    return {"text": observation.text, "regions": [_region_as_json(*both) for both in regions]}


def _region_as_json(region: Region, prediction: Prediction) -> dict[str, Any]:
    known = {
        "label": prediction.label,
        "confidence": round(prediction.confidence, DECIMALS),
        "top": [[label, round(share, DECIMALS)] for label, share in prediction.top],
        "box": list(region.box.xyxy),
    }
    if prediction.turn is not None:
        known["turn"] = prediction.turn.display_name
    if prediction.moves:
        known["moves"] = True
    hand = hand_of(region, prediction)
    return known if hand is None else {**known, "hand": hand}
