"""What was seen, as JSON: the same words on the command line and over HTTP."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recognizer.preprocess.turns import Turn

WRITTEN = 0.6  # score of a region that is writing, also where it is not known


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
    """What a drawn scene shows at a place: known only for scenes drawn by code."""

    label: str
    box: Box


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source."""

    image_bgr: np.ndarray  # (H, W, 3) uint8
    index: int  # counts from 0 in each source
    time_s: float  # seconds since the source was opened, rising
    name: str  # of the source, or of the file where each frame is a file
    truth: tuple[Truth, ...] = ()
    notice: str | None = None  # one line for the person in front of the screen, such as "camera lost, reconnecting"


@dataclass(frozen=True, eq=False)
class Hand:
    """The joints of a hand, in MediaPipe's order: 0 the wrist, 1 to 4 the thumb, then each finger from root to tip."""

    landmarks: np.ndarray  # (21, 3) float32: x, y in pixels of the frame, z in pixels, negative towards the camera
    side: str  # "left" or "right": whose hand it is in a picture that is not mirrored
    score: float  # 0 to 1, how sure the finder is that this is a hand


@dataclass(frozen=True, eq=False)
class Region:
    """A place in the frame where something to be recognised was found."""

    box: Box
    crop: np.ndarray  # what preprocess takes: paper (h, w) uint8 ink, 0 none to 255 full; hand (h, w, 3) uint8 BGR
    contrast: float = 0.0  # how strongly it stands out from its ground, 0 to 255; 0 where that was not measured
    light: bool = False  # ink lighter than its ground
    hand: Hand | None = None  # None for paper, and where a hand's place was found but not its joints
    mirrored: Hand | None = None  # the same hand, where it was found in the picture's mirror image too
    score: float | None = None  # 0 to 1, how surely it is writing; None where nothing but its contrast speaks for it
    reading: np.ndarray | None = None  # (11,) how likely it is each digit, or other writing, as the picture shows it


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a classifier says of one region. `label` is None for "nothing I know"."""

    label: str | None
    confidence: float  # 0 to 1, of the best known label
    top: tuple[tuple[str, float], ...]  # up to three (label, probability), best first
    image: np.ndarray  # what the network saw; for paper (28, 28) uint8
    turn: "Turn | None" = None  # how a sheet that is not upright has to be turned to be read


@dataclass(frozen=True, eq=False)
class Observation:
    """One frame with all that was seen in it. `regions` and `predictions` go together, in reading order."""

    frame: Frame
    task: str
    regions: tuple[Region, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    text: str = ""  # the labels joined in reading order: a number a line, lines separated by a space
    stages_ms: dict[str, float] = field(default_factory=dict)  # milliseconds spent per stage, in order
    guide: Box | None = None  # where to hold something, while nothing is found by itself


DECIMALS = 4  # of a share: more would tell apart what no picture does


def as_json(observation: Observation) -> dict[str, Any]:
    """The text, and the regions in reading order."""
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
    return known if region.hand is None else {**known, "hand": region.hand.side}
