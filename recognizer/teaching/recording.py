"""State and helpers of recording samples: label keys, and the region to record."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.values import Observation, Region

RECENT_THUMBNAILS = 30  # thumbnails of the last samples, to detect near-duplicates


WORD_KEYS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # keys of labels with more than one character


@dataclass
class Recording:
    """State of the recording mode. Times are in seconds of the Teacher's clock."""

    task: Task
    keys: dict[str, str]  # from key to label
    counts: dict[str, int]
    session: str
    label: str | None = None  # the label whose samples are recorded
    pressed_s: float = -1.0  # last press of its key
    until_s: float = -1.0  # recording goes on until then
    wanted: bool = False  # whether the key was just pressed: the next frame becomes a sample
    recorded_s: float = -1.0
    burst: list[Sample] = field(default_factory=list)
    crop: np.ndarray | None = None  # of the region that would be recorded now
    is_blurred: bool = False
    is_without_joints: bool = False
    is_duplicate: bool = False
    thumbnails: list[np.ndarray] = field(default_factory=list)


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
