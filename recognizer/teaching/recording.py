"""Records what is shown as samples of a label."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.values import Observation, Region

RECENT_THUMBNAILS = 30  # thumbnails of the last samples, for the hint that a new one shows nothing new


WORD_KEYS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of labels that are no single character


@dataclass
class Recording:
    """What capture mode has done so far."""

    task: Task
    keys: dict[str, str]  # the key of each label
    counts: dict[str, int]
    session: str
    label: str | None = None  # that is being recorded
    pressed_s: float = -1.0  # when its key came last
    until_s: float = -1.0  # recorded until then
    wanted: bool = False  # a sample of the next frame, for the key that was just pressed
    recorded_s: float = -1.0
    burst: list[Sample] = field(default_factory=list)
    crop: np.ndarray | None = None  # the last sample kept, or what would be
    is_blurred: bool = False
    is_without_joints: bool = False
    is_duplicate: bool = False
    thumbnails: list[np.ndarray] = field(default_factory=list)


def label_keys(labels: Sequence[str]) -> dict[str, str]:
    """The key of each label: the character that it is, else a digit or letter that is free; 0 or - is "nothing"."""
    words = [label for label in labels if label != NOTHING]
    own = _own_keys(words)
    free = [key for key in WORD_KEYS if key not in own]
    others = [label for label in words if label not in own.values()]
    return {**own, **dict(zip(free, others, strict=False)), "-" if own else "0": NOTHING}


def _own_keys(words: Sequence[str]) -> dict[str, str]:
    """The labels that are a key themselves; none where two of them would share it, such as a and A."""
    characters = [label for label in words if len(label) == 1 and label.isascii() and label != "-"]
    own = {label.upper(): label for label in characters}
    return own if len(own) == len(characters) else {}


def main_region(observation: Observation) -> Region | None:
    """What is being held to the camera: the largest region that was found, the nearer to the middle the better."""
    height, width = observation.frame.image_bgr.shape[:2]

    def presence(region: Region) -> float:
        x, y = region.box.center_xy
        off = max(abs(x / width - 0.5), abs(y / height - 0.5))
        return region.box.height * (1.2 - off)

    return max(observation.regions, key=presence, default=None)
