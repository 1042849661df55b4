"""Verifies proposed characters with a small network that sees each one close up and in context."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.classifier import DynamicNetwork
from recognizer.finders.ink import PATCH, STEPS, Corners, extract_patch, patch_matrix

CLOSE_UP_SHARE, CONTEXT_SHARE = 0.66, 0.16  # of the patch's side: longer side of the character in each of the two views
OTHER = 10  # class index of every character that is not a digit
OUTPUTS = 1 + OTHER + 1 + 4  # network outputs: one score, the classes, and four box offsets


def image_pyramid(frame_bgr: np.ndarray) -> list[np.ndarray]:
    """The frame (H, W, 3) uint8 at full size, half, quarter and so on, down to at least PATCH pixels."""
    levels = [frame_bgr]
    while min(levels[-1].shape[:2]) >= 2 * PATCH:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def verifier_input(pyramid: Sequence[np.ndarray], box_xyxy: Corners) -> np.ndarray:
    """The network's input for one box, (PATCH, PATCH, 6) int8: the close-up patch and the context patch."""
    return np.dstack([_view(pyramid, box_xyxy, share) for share in (CLOSE_UP_SHARE, CONTEXT_SHARE)])


def _view(pyramid: Sequence[np.ndarray], box_xyxy: Corners, share: float) -> np.ndarray:
    """The patch (PATCH, PATCH, 3) int8 in which the box takes `share` of the side."""
    reduction = 1 / patch_matrix(box_xyxy, share)[0, 0]
    level = min(max(0, int(np.log2(reduction)) - 1), len(pyramid) - 1)  # extract_patch shrinks by the rest
    x1, y1, x2, y2 = (side / 2**level for side in box_xyxy)
    return extract_patch(pyramid[level], patch_matrix((x1, y1, x2, y2), share))


@dataclass(frozen=True, eq=False)
class Verification:
    """The verifier's outputs for N boxes."""

    scores: np.ndarray  # (N,) float32, 0 to 1: probability that the box shows a handwritten character
    digit_probabilities: np.ndarray  # (N, OTHER + 1) float32: probability of each digit and of OTHER
    boxes_xyxy: np.ndarray  # (N, 4) float32: refined boxes in pixels of the frame


class VerifierNetwork:
    """Scores, classifies and refines boxes. `training.finders.fitting` trains it. Raises ModelError for a damaged file."""

    def __init__(self, path: Path):
        self._network = DynamicNetwork(path)

    def verify(self, frame_bgr: np.ndarray, boxes_xyxy: Sequence[Corners]) -> Verification:
        """Verify N boxes in a frame (H, W, 3) uint8 BGR."""
        boxes = np.array(boxes_xyxy, np.float32).reshape(-1, 4)
        if not len(boxes):
            return Verification(np.zeros(0, np.float32), np.zeros((0, OTHER + 1), np.float32), boxes)
        pyramid = image_pyramid(frame_bgr)
        inputs = np.stack([verifier_input(pyramid, box) for box in boxes_xyxy])
        outputs = self._network.run(inputs.astype(np.float32) / STEPS)
        logits = outputs[:, 1 : OTHER + 2]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
        return Verification(
            1 / (1 + np.exp(-outputs[:, 0])),
            exponentials / exponentials.sum(axis=1, keepdims=True),
            boxes + longer * outputs[:, OTHER + 2 :],
        )
