"""Whether what was found is a handwritten character, and which: a small network looks at it again, from near and far."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.classifier import DynamicNetwork
from recognizer.finders.ink import PATCH, STEPS, Corners, patch_matrix, prepared

NEAR, FAR = 0.66, 0.16  # of a view's side: a character's longer side
OTHER = 10  # class of a character that is no digit; 0 to 9 are digits
VALUES = 1 + OTHER + 1 + 4  # that the network gives: whether it is a character, which, where its sides are


def image_pyramid(frame_bgr: np.ndarray) -> list[np.ndarray]:
    """A frame (H, W, 3) uint8, its half, its quarter and so on: views of large characters are cut out of small pictures."""
    found = [frame_bgr]
    while min(found[-1].shape[:2]) >= 2 * PATCH:
        found.append(cv2.resize(found[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return found


def views(pyramid: Sequence[np.ndarray], box_xyxy: Corners) -> np.ndarray:
    """A character (PATCH, PATCH, 6) int8 of a frame's `image_pyramid`: from near, and with what is around it."""
    return np.dstack([_view(pyramid, box_xyxy, share) for share in (NEAR, FAR)])


def _view(pyramid: Sequence[np.ndarray], box_xyxy: Corners, share: float) -> np.ndarray:
    shrunk = 1 / patch_matrix(box_xyxy, share)[0, 0]
    level = min(max(0, int(np.log2(shrunk)) - 1), len(pyramid) - 1)  # the rest is shrunk by areas
    x1, y1, x2, y2 = (side / 2**level for side in box_xyxy)
    return prepared(pyramid[level], patch_matrix((x1, y1, x2, y2), share))


@dataclass(frozen=True, eq=False)
class Verification:
    """What is outputs of N boxes."""

    scores: np.ndarray  # (N,) float32, 0 to 1: how surely each shows a character
    readings: np.ndarray  # (N, OTHER + 1) float32: how likely that is each digit, or OTHER
    boxes_xyxy: np.ndarray  # (N, 4) float32: where it is


class VerifierNetwork:
    """Scores proposed boxes and refines them. Raises ModelError for a damaged file."""

    def __init__(self, path: Path):
        self._network = DynamicNetwork(path)

    def verify(self, frame_bgr: np.ndarray, boxes_xyxy: Sequence[Corners]) -> Verification:
        """What boxes in a frame (H, W, 3) uint8 show."""
        boxes = np.array(boxes_xyxy, np.float32).reshape(-1, 4)
        if not len(boxes):
            return Verification(np.zeros(0, np.float32), np.zeros((0, OTHER + 1), np.float32), boxes)
        pyramid = image_pyramid(frame_bgr)
        shown = np.stack([views(pyramid, box) for box in boxes_xyxy])
        outputs = self._network.run(shown.astype(np.float32) / STEPS)
        logits = outputs[:, 1 : OTHER + 2]
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
        return Verification(
            1 / (1 + np.exp(-outputs[:, 0])),
            likely / likely.sum(axis=1, keepdims=True),
            boxes + longer * outputs[:, OTHER + 2 :],
        )
