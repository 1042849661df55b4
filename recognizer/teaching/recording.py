"""State and helpers of recording samples: label keys, what to show next, and the region to record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.teaching.press import Demonstration, Press
from recognizer.values import Observation, Region

RECENT_THUMBNAILS = 30  # thumbnails of the last samples, to detect near-duplicates
RECENT_IN_WINDOW = 3  # the same in the window, where a person sees what is not recorded, and moves
SAME_LEVELS = (
    1.5  # of 255, mean difference of two thumbnails: a camera's noise alone is below, a hand held in the air above
)
SHOWN_SIDE = 64  # pixels of the pictures that the window shows of a label
SHOWN_PICTURES = 8  # of each label, the newest
ENOUGH = 10  # samples of a label: more make little difference
ENOUGH_MOVING = 5  # the same for movements
FEW = 4  # samples of a label to learn it, and to check with one that was not learned
COUNT_S, HANDS_FREE_S = 3.0, 5.0  # hands-free: the countdown 3, 2, 1, and the recording after it
RED_S = 0.6  # how long the window shows a recorded sample: keyboards repeat a held key after about half a second
EVENT_S = 1.5  # how long "+1" and the reason for a picture that is not recorded stay

WORD_KEYS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # keys of labels with more than one character


@dataclass
class Recording:
    """State of the recording mode. Times are in seconds of the Teacher's clock."""

    task: Task
    keys: dict[str, str]  # from key to label
    counts: dict[str, int]
    session: str
    known: tuple[str, ...] = ()  # the labels of the current model
    label: str | None = None  # the label whose samples are recorded
    chosen: str | None = None  # the label that the user wants to record next
    pressed_s: float = -1.0  # last press of its key
    until_s: float = -1.0  # recording goes on until then
    wanted: bool = False  # whether the key was just pressed: the next frame becomes a sample
    recorded_s: float = -1.0
    hands_free_s: float | None = None  # when the countdown began; None if it is off
    is_waiting: bool = False  # until the first frame of the task
    is_on: bool = False  # whether this frame is recorded, if it shows anything new
    is_red: bool = False  # whether the window shows that it records: longer, so that a short press is seen
    count: int | None = None  # of the countdown
    is_blurred: bool = False
    is_without_joints: bool = False
    is_duplicate: bool = False
    event: str = ""  # "+1", or why the picture is not recorded
    event_is_good: bool = True
    event_s: float = -1.0
    moving: dict[str, int] = field(default_factory=dict)  # of `counts`, how many are movements
    press: Press | None = None  # the key that is held, or was a moment ago
    demonstration: Demonstration | None = None  # the last movement that was recorded, while it is shown
    stills: list[tuple[Sample, bytes]] = field(default_factory=list)  # what it is if it is a still sign after all
    moved: list[Sample] = field(default_factory=list)  # its samples
    thumbnails: dict[str, list[np.ndarray]] = field(default_factory=dict)
    pictures: dict[str, list[np.ndarray]] = field(default_factory=dict)  # (64, 64, 3) uint8 BGR, newest last

    @property
    def labels(self) -> list[str]:
        """All labels, the background last."""
        labels = list(dict.fromkeys([*self.task.labels, *self.counts, *self.keys.values()]))
        return sorted(labels, key=lambda label: label == NOTHING)

    @property
    def asked(self) -> str:
        """The label to show now: the chosen one, else the first that has not enough samples."""
        if self.chosen is not None:
            return self.chosen
        return next((one for one in self.labels if not self.has_enough(one)), self.labels[0])

    def has_enough(self, label: str) -> bool:
        return self.counts.get(label, 0) >= self.enough(label)

    def enough(self, label: str) -> int:
        """How many samples of a label are enough."""
        return ENOUGH_MOVING if self.moving.get(label) else ENOUGH

    @property
    def is_enough(self) -> bool:
        """Whether every label but the background has enough samples."""
        return all(self.has_enough(label) for label in self.labels if label != NOTHING)

    @property
    def missing(self) -> str:
        """What is missing before training, in words; "" if nothing is."""
        return missing_samples(self.counts, self.known, self.moving)

    def key_of(self, label: str) -> str:
        return next((key for key, one in self.keys.items() if one == label), "")

    def say(self, event: str, is_good: bool, now_s: float) -> None:
        self.event, self.event_is_good, self.event_s = event, is_good, now_s

    def show(self, label: str, picture_bgr: np.ndarray) -> None:
        """Adds a picture to those that the window shows of a label."""
        self.pictures[label] = [*self.pictures.get(label, []), shown_picture(picture_bgr)][-SHOWN_PICTURES:]


def missing_samples(counts: Mapping[str, int], known: Collection[str] = (), moving: Collection[str] = ()) -> str:
    """What is missing to learn these labels and to check what was learned; "" if nothing is.

    `known` are the labels of the current model; `moving` those with movements, of which one is enough.
    """
    recorded = [label for label, count in counts.items() if count]
    if not recorded:
        return "no samples yet"
    still = [label for label in recorded if label not in moving]
    few = [f"{label} needs {FEW - counts[label]} more" for label in still if counts[label] < FEW]
    if still and len({*still, *known}) < 2:
        all_show = "all samples show" if len(recorded) == 1 else "all still samples show"
        return ", ".join([*few, f"{all_show} {still[0]}: record another label to tell it from"])
    return ", ".join(few)


def shown_picture(picture_bgr: np.ndarray) -> np.ndarray:
    """The middle square of a sample's picture, (64, 64, 3) uint8 BGR."""
    if picture_bgr.ndim == 2:
        picture_bgr = cv2.cvtColor(picture_bgr, cv2.COLOR_GRAY2BGR)
    height, width = picture_bgr.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    square = picture_bgr[y : y + side, x : x + side]
    return cv2.resize(square, (SHOWN_SIDE, SHOWN_SIDE), interpolation=cv2.INTER_AREA)


def label_keys(labels: Sequence[str]) -> dict[str, str]:
    """From key to label. A label of one character is its own key, others get a free digit or letter; background is 0 or -."""
    words = [label for label in labels if label != NOTHING]
    own_keys = _own_keys(words)
    free = [key for key in WORD_KEYS if key not in own_keys]
    others = [label for label in words if label not in own_keys.values()]
    return {**own_keys, **dict(zip(free, others, strict=False)), "-" if own_keys else "0": NOTHING}


def _own_keys(words: Sequence[str]) -> dict[str, str]:
    """The one-character labels, by key. Empty if two would share a key, such as a and A."""
    characters = [label for label in words if len(label) == 1 and label.isascii() and label != "-"]
    own = {label.upper(): label for label in characters}
    return own if len(own) == len(characters) else {}


def main_region(observation: Observation) -> Region | None:
    """The region that the user is showing: large and near the centre of the frame. None if there is no region."""
    height, width = observation.frame.image_bgr.shape[:2]

    def presence(region: Region) -> float:
        x, y = region.box.center_xy
        off = max(abs(x / width - 0.5), abs(y / height - 0.5))
        return region.box.height * (1.2 - off)

    return max(observation.regions, key=presence, default=None)
