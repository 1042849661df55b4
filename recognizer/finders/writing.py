"""Finds handwritten characters with three small networks: one proposes boxes, one verifies them, one segments the ink.

The verifier needs context, which a digit that fills the picture lacks. `DigitFinder` therefore searches for large
characters, and for all characters if the networks find none.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from recognizer.finders.characters import NETWORKS, WORK_SIDES, Character, CharacterNetwork, merge_overlapping
from recognizer.finders.contrast import DigitFinder, has_single_polarity
from recognizer.finders.finder import RegionFinder
from recognizer.finders.ink import InkNetwork
from recognizer.finders.points import points
from recognizer.finders.text_lines import reading_order
from recognizer.finders.verifier import VerifierNetwork
from recognizer.values import WRITING_SCORE, Frame, Region

MIN_PROPOSAL_SCORE = 0.1  # of a proposed box
MIN_SCORE = 0.1  # of a verified box; between this and WRITING_SCORE, the confidence of the label decides
LARGE = 0.25  # of the picture's shorter side: the networks may find only parts of larger characters
PART = 0.1  # of the shorter side: a smaller region is not a part of a large character
LARGE_SCORE = 0.5  # least score of large ink, which the verifier was not trained on
LARGER = 1.3  # times the area of a part: least area of the character that contains it
MIN_SIDE = 8  # pixels of a frame; smaller ones are not searched
MIN_CHARACTER_SIDE = 11.0  # pixels of the longer side; smaller characters look like noise
COMPARED_SIDE = 160  # pixels: longer side of the thumbnail in which frames of a stream are compared
CHANGED = 6.0  # grey levels: if no pixel of the thumbnails differs by more, the difference is camera noise


class WritingFinder(RegionFinder):
    """Finds handwritten characters. Each Region's crop is the ink, (h, w) uint8, 255 for ink with probability 1.

    `video` says that the frames belong to one stream. An unchanged frame then returns the last regions, and the two
    proposal networks alternate between frames.
    """

    def __init__(self, *, video: bool = False):
        self.video = video
        self._networks = [CharacterNetwork(NETWORKS / "characters.tflite", side) for side in WORK_SIDES]
        self._proposals: list[list[Character]] = [[] for _ in WORK_SIDES]
        self._turn = 0
        self._shape: tuple[int, ...] = ()
        self._verifier = VerifierNetwork(NETWORKS / "verifier.tflite")
        self._ink = InkNetwork(NETWORKS / "ink.tflite")
        self._by_contrast = DigitFinder()
        self._compared_image: np.ndarray | None = None
        self._found: tuple[Region, ...] = ()

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions in reading order; `()` for a picture without writing."""
        image = frame.image_bgr
        if min(image.shape[:2]) < MIN_SIDE:
            return ()
        if not self.video or self._has_changed(image):
            found = self._ink.cut_out(image, self.characters(image, MIN_PROPOSAL_SCORE, MIN_SCORE))
            found += self._find_large(frame, found)
            self._found = tuple(reading_order(found + points(frame, found)))
        return self._found

    def characters(self, image_bgr: np.ndarray, min_proposal_score: float, min_score: float) -> list[Character]:
        """The verified characters in a picture (H, W, 3) uint8 BGR. Both scores are lower limits, 0 to 1."""
        for number in self._networks_to_run(image_bgr):
            self._proposals[number] = self._networks[number].find(image_bgr, min_proposal_score)
        found = [character for proposals in self._proposals for character in proposals]
        boxes = [character.box_xyxy for character in found]
        result = self._verifier.verify(image_bgr, boxes)
        light = np.array([character.light for character in found], bool)
        is_large = (result.boxes_xyxy[:, 2:] - result.boxes_xyxy[:, :2]).max(axis=1, initial=0) >= MIN_CHARACTER_SIDE
        accepted = (result.scores >= min_score) & is_large
        return list(
            merge_overlapping(
                result.boxes_xyxy[accepted],
                result.scores[accepted],
                light[accepted],
                result.digit_probabilities[accepted],
            )
        )

    def _networks_to_run(self, image_bgr: np.ndarray) -> Sequence[int]:
        """The indices of the proposal networks that run on this frame.

        In a stream they alternate. The proposals that the other network made in the last frame are verified in this one.
        """
        numbers = range(len(self._networks))
        if not self.video or self._shape != image_bgr.shape:
            self._shape = image_bgr.shape
            return numbers
        self._turn = (self._turn + 1) % len(numbers)
        return [self._turn]

    def _find_large(self, frame: Frame, found: list[Region]) -> list[Region]:
        """Characters that the networks missed, or of which they found only parts. It takes as long as the networks do."""
        image = frame.image_bgr
        short = min(image.shape[:2])
        if any(one.score and one.score >= WRITING_SCORE for one in found):
            if max(max(one.box.width, one.box.height) for one in found) < PART * short:
                return []
            if self.video and not has_single_polarity(image):
                return []
            regions = [one for one in self._by_contrast.find(frame) if _is_whole(one, found, LARGE * short)]
        else:
            regions = list(self._by_contrast.find(frame))
        verified = self._verifier.verify(image, [one.box.xyxy for one in regions])
        scored = [
            replace(one, score=max(LARGE_SCORE, float(score)))
            if max(one.box.width, one.box.height) > LARGE * short
            else replace(one, score=float(score), digit_probabilities=probabilities)
            for one, score, probabilities in zip(regions, verified.scores, verified.digit_probabilities, strict=True)
        ]
        return [one for one in scored if one.score and one.score >= MIN_SCORE]

    def _has_changed(self, image_bgr: np.ndarray) -> bool:
        """Whether a frame differs from the last one that was searched."""
        height, width = image_bgr.shape[:2]
        factor = COMPARED_SIDE / max(height, width)
        size_wh = max(1, round(width * factor)), max(1, round(height * factor))
        thumbnail = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
        last = self._compared_image
        if last is not None and last.shape == thumbnail.shape and cv2.norm(last, thumbnail, cv2.NORM_INF) < CHANGED:
            return False
        self._compared_image = thumbnail
        return True


def _is_whole(region: Region, parts: list[Region], least: float) -> bool:
    """Whether a region is longer than `least` pixels and contains one of `parts`, which it may replace.

    Both are classified, and the postprocessor keeps the likelier one.
    """
    box = region.box
    return max(box.width, box.height) > least and any(
        box.overlap(part.box) > 0.5 * part.box.area and box.area > LARGER * part.box.area for part in parts
    )


_of_thread = threading.local()


def writing_in(picture_bgr: np.ndarray) -> tuple[Region, ...]:
    """The regions of a single picture (H, W, 3) uint8 BGR. Each thread opens the networks once, since opening is slow."""
    if not hasattr(_of_thread, "finder"):
        _of_thread.finder = WritingFinder()
    return _of_thread.finder.find(Frame(picture_bgr, 0, 0.0, "picture"))
