"""Segments the ink of each character with a small network, and leaves out paper lines, drawn frames and neighbours."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.classifier import DynamicNetwork
from recognizer.finders.characters import Character
from recognizer.values import Box, Region

PATCH = 48  # pixels: side of the network's square input patch
SHARE = 0.66  # of the patch: the character's longer side
STEPS = 32.0  # int8 levels per standard deviation: patches are normalised to mean 0 and deviation 1
MIN_SPREAD = 4.0  # grey levels: least divisor of the normalisation, since a smaller one would amplify noise
INK_THRESHOLD = 127  # of 255: probability 0.5
BOX_MARGIN = 0.1  # of the longer side, added around the box, since detected boxes may be too small
EDGE_THRESHOLD = 40  # of 255: ink at the antialiased edge of a stroke
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the frame


def patch_matrix(box_xyxy: Corners, share: float = SHARE) -> np.ndarray:
    """The (2, 3) affine matrix from frame to patch pixels. It centres the box; its longer side takes `share` of the patch."""
    x1, y1, x2, y2 = box_xyxy
    scale = share * PATCH / max(x2 - x1, y2 - y1, 1.0)
    middle = (PATCH - 1) / 2
    return np.array([[scale, 0, middle - scale * (x1 + x2) / 2], [0, scale, middle - scale * (y1 + y2) / 2]])


def extract_patch(frame_bgr: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The normalised patch (PATCH, PATCH, 3) int8 of a frame (H, W, 3) uint8 BGR, in STEPS per standard deviation."""
    return _normalised(frame_bgr, matrix)[0]


def _normalised(frame_bgr: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """The normalised patch, and its int8 levels per grey level."""
    scale = float(matrix[0, 0])
    if scale < 1:  # resize, since warpAffine has no area averaging
        span = PATCH / scale
        left, top = -matrix[0, 2] / scale - 0.5 * (1 / scale - 1), -matrix[1, 2] / scale - 0.5 * (1 / scale - 1)
        x1, y1, x2, y2 = round(left), round(top), round(left + span), round(top + span)
        height, width = frame_bgr.shape[:2]
        part = frame_bgr[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
        borders = max(0, -y1), max(0, y2 - height), max(0, -x1), max(0, x2 - width)
        if any(borders):
            part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_REPLICATE)
        patch = cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_AREA)
    else:
        patch = cv2.warpAffine(
            frame_bgr, matrix, (PATCH, PATCH), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    mean, spread = cv2.meanStdDev(patch)
    factor = STEPS / max(MIN_SPREAD, float(np.sqrt((spread**2).mean())))
    return np.clip((patch - mean.T) * factor, -127, 127).astype(np.int8), factor


class InkNetwork:
    """Segments ink with the network that `training.finders.inks` trains. Raises ModelError for a damaged file."""

    def __init__(self, path: Path):
        self._network = DynamicNetwork(path)

    def ink(self, patches: np.ndarray) -> np.ndarray:
        """Ink probability of patches (N, PATCH, PATCH, 3) int8 as (N, PATCH, PATCH) uint8, 255 for probability 1."""
        logits = self._network.run(patches.astype(np.float32) / STEPS)[..., 0]
        return (255 / (1 + np.exp(-logits))).astype(np.uint8)

    def cut_out(self, frame_bgr: np.ndarray, characters: Sequence[Character]) -> list[Region]:
        """A Region for each character with ink in a frame (H, W, 3) uint8 BGR. Its crop is the ink, (h, w) uint8."""
        if not characters:
            return []
        matrices = [patch_matrix(character.box_xyxy) for character in characters]
        patches, factors = zip(*(_normalised(frame_bgr, matrix) for matrix in matrices), strict=True)
        inks = self.ink(np.stack(patches))
        regions = []
        for ink, patch, factor, matrix, character in zip(inks, patches, factors, matrices, characters, strict=True):
            ink = _without_neighbours(ink, matrix, character.box_xyxy)
            box = _ink_box(ink, matrix, frame_bgr.shape[1::-1])
            if box is not None:
                contrast = _contrast(ink, patch) / factor
                regions.append(
                    Region(
                        box,
                        _crop(ink),
                        contrast,
                        character.light,
                        score=character.score,
                        digit_probabilities=character.digit_probabilities,
                    )
                )
        return regions


def _without_neighbours(ink: np.ndarray, matrix: np.ndarray, box_xyxy: Corners) -> np.ndarray:
    """The ink (PATCH, PATCH) uint8 of one character, without that of its neighbours and of drawn frames.

    Removes ink outside the enlarged box, and all connected components but the largest that touch its border.
    """
    x1, y1, x2, y2 = box_xyxy
    margin = BOX_MARGIN * max(x2 - x1, y2 - y1)
    low = matrix[:, :2] @ (x1 - margin, y1 - margin) + matrix[:, 2]
    high = matrix[:, :2] @ (x2 + margin, y2 + margin) + matrix[:, 2]
    left, top = np.maximum(0, np.floor(low)).astype(int)
    right, bottom = np.ceil(high).astype(int) + 1
    part = ink[top:bottom, left:right]
    own = np.zeros_like(ink)
    own[top:bottom, left:right] = part
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(cv2.compare(part, EDGE_THRESHOLD, cv2.CMP_GT))
    if count > 2:
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        rims = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
        own[top:bottom, left:right][np.isin(pieces, list(set(rims.tolist()) - {0, largest}))] = 0
    return own


def _ink_box(ink: np.ndarray, matrix: np.ndarray, size_wh: tuple[int, ...]) -> Box | None:
    """The bounding box of a patch's ink (PATCH, PATCH) uint8, in pixels of the frame; None without ink."""
    x, y, width, height = cv2.boundingRect(cv2.compare(ink, INK_THRESHOLD, cv2.CMP_GT))
    if not width:
        return None
    ends = (np.array([[x, y], [x + width, y + height]]) - 0.5 - matrix[:, 2]) / matrix[0, 0] + 0.5
    (x1, y1), (x2, y2) = np.clip(np.rint(ends), 0, size_wh).astype(int).tolist()
    return Box(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _crop(ink: np.ndarray) -> np.ndarray:
    """The patch cropped to its ink, including the antialiased edge."""
    x, y, width, height = cv2.boundingRect(cv2.compare(ink, EDGE_THRESHOLD, cv2.CMP_GT))
    crop = ink[y : y + height, x : x + width]
    return np.where(crop > EDGE_THRESHOLD, crop, 0).astype(np.uint8)


def _contrast(ink: np.ndarray, patch: np.ndarray) -> float:
    """Difference of the mean levels of the ink and of the background around it, in int8 levels of the patch."""
    near = cv2.dilate(ink, np.ones((5, 5), np.uint8))
    inside, around = ink > INK_THRESHOLD, (near > INK_THRESHOLD) & (ink < EDGE_THRESHOLD)
    if not around.any():
        return 0.0
    return float(np.abs(patch[inside].mean(axis=0) - patch[around].mean(axis=0)).max())
