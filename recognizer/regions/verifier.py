"""Whether what was found is a handwritten character: a small network looks at it again, near and with its surroundings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifier import open_interpreter
from recognizer.regions.ink import STEPS, patch_matrix, prepared

NEAR, FAR = 0.66, 0.16  # of a view's side: a character's longer side
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the frame


def views(frame_bgr: np.ndarray, box_xyxy: Corners) -> np.ndarray:
    """A character (PATCH, PATCH, 6) int8 of a frame (H, W, 3) uint8: from near, and with what is around it."""
    return np.dstack([prepared(frame_bgr, patch_matrix(box_xyxy, share)) for share in (NEAR, FAR)])


class VerifierNetwork:
    """How sure it is that boxes show characters, by a network of `training.finder`. Raises ModelError for a damaged file."""

    def __init__(self, path: Path):
        self._network = open_interpreter(path)
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]
        self._count = 0

    def scores(self, frame_bgr: np.ndarray, boxes_xyxy: Sequence[Corners]) -> np.ndarray:
        """(N,) float32, 0 to 1, for boxes in a frame (H, W, 3) uint8."""
        if not boxes_xyxy:
            return np.zeros(0, np.float32)
        shown = np.stack([views(frame_bgr, box) for box in boxes_xyxy])
        if len(shown) != self._count:
            self._count = len(shown)
            self._network.resize_tensor_input(self._input, shown.shape)
            self._network.allocate_tensors()
        self._network.set_tensor(self._input, shown.astype(np.float32) / STEPS)
        self._network.invoke()
        logits = self._network.get_tensor(self._output)[:, 0]
        return 1 / (1 + np.exp(-logits))
