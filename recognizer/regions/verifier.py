"""Whether what was found is a handwritten character: a small network looks at it again, near and with its surroundings."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifier import SizedNetwork
from recognizer.regions.ink import PATCH, STEPS, patch_matrix, prepared

NEAR, FAR = 0.66, 0.16  # of a view's side: a character's longer side
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the frame


def halves(frame_bgr: np.ndarray) -> list[np.ndarray]:
    """A frame (H, W, 3) uint8, its half, its quarter and so on: views of large characters are cut out of small pictures."""
    found = [frame_bgr]
    while min(found[-1].shape[:2]) >= 2 * PATCH:
        found.append(cv2.resize(found[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return found


def views(pyramid: Sequence[np.ndarray], box_xyxy: Corners) -> np.ndarray:
    """A character (PATCH, PATCH, 6) int8 of a frame's `halves`: from near, and with what is around it."""
    return np.dstack([_view(pyramid, box_xyxy, share) for share in (NEAR, FAR)])


def _view(pyramid: Sequence[np.ndarray], box_xyxy: Corners, share: float) -> np.ndarray:
    shrunk = 1 / patch_matrix(box_xyxy, share)[0, 0]
    level = min(max(0, int(np.log2(shrunk)) - 1), len(pyramid) - 1)  # the rest is shrunk by areas
    x1, y1, x2, y2 = (side / 2**level for side in box_xyxy)
    return prepared(pyramid[level], patch_matrix((x1, y1, x2, y2), share))


class VerifierNetwork:
    """How sure it is that boxes show characters, by a network of `training.finder`. Raises ModelError for a damaged file."""

    def __init__(self, path: Path):
        self._network = SizedNetwork(path)

    def scores(self, frame_bgr: np.ndarray, boxes_xyxy: Sequence[Corners]) -> np.ndarray:
        """(N,) float32, 0 to 1, for boxes in a frame (H, W, 3) uint8."""
        if not boxes_xyxy:
            return np.zeros(0, np.float32)
        pyramid = halves(frame_bgr)
        shown = np.stack([views(pyramid, box) for box in boxes_xyxy])
        logits = self._network.run(shown.astype(np.float32) / STEPS)[:, 0]
        return 1 / (1 + np.exp(-logits))
