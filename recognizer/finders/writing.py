"""Handwritten characters, by three small networks: one finds where there may be some, one verifies each, one cuts out
their ink.

A digit as large as the picture has nothing around it by which it could be known: there, and where the networks find
nothing, ink is looked for by its contrast, too.
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

MIN_PROPOSAL_SCORE = 0.1  # score of what may be a character
MIN_SCORE = 0.1  # of what was verified: whether less than WRITING_SCORE is enough, its label decides
LARGE = 0.25  # of a picture's shorter side: a character that the networks may find a part of
PART = 0.1  # of that side: what is smaller is no part of one
LARGE_SCORE = 0.5  # of such ink: the verifier does not know what fills the picture
LARGER = 1.3  # times the area of what they found
MIN_SIDE = 8  # pixels of a frame in which there may be a character
MIN_CHARACTER_SIDE = 11.0  # pixels of a character's longer side: smaller things look like anything
COMPARED_SIDE = 160  # pixels of the longer side of the small picture by which frames of a stream are compared
CHANGED = 6.0  # grey levels of any of that picture's pixels: less is the camera's noise


class WritingFinder(RegionFinder):
    """Finds handwritten characters. Each Region's crop is (h, w) uint8 ink: 0 for ground, 255 for what surely is ink.

    With `video`, frames belong to one stream, and nothing is looked for again where nothing has changed.
    """

    def __init__(self, *, video: bool = False):
        self.video = video
        self._networks = [CharacterNetwork(NETWORKS / "characters.tflite", side) for side in WORK_SIDES]
        self._proposed: list[list[Character]] = [[] for _ in WORK_SIDES]
        self._turn = 0
        self._shape: tuple[int, ...] = ()
        self._verifier = VerifierNetwork(NETWORKS / "verifier.tflite")
        self._ink = InkNetwork(NETWORKS / "ink.tflite")
        self._by_contrast = DigitFinder()
        self._compared_image: np.ndarray | None = None
        self._found: tuple[Region, ...] = ()

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """Regions in reading order, `()` for a picture without anything written."""
        image = frame.image_bgr
        if min(image.shape[:2]) < MIN_SIDE:
            return ()
        if not self.video or self._has_changed(image):
            found = self._ink.cut_out(image, self.characters(image, MIN_PROPOSAL_SCORE, MIN_SCORE))
            found += self._larger(frame, found)
            self._found = tuple(reading_order(found + points(frame, found)))
        return self._found

    def characters(self, image_bgr: np.ndarray, proposed: float, min_score: float) -> list[Character]:
        """Those in a picture (H, W, 3) uint8 that reach the first score when they are found, the other when verified."""
        for number in self._due(image_bgr):
            self._proposed[number] = self._networks[number].find(image_bgr, proposed)
        found = [one for some in self._proposed for one in some]
        boxes = [one.box_xyxy for one in found]
        seen = self._verifier.verify(image_bgr, boxes)
        light = np.array([one.light for one in found], bool)
        large = (seen.boxes_xyxy[:, 2:] - seen.boxes_xyxy[:, :2]).max(axis=1, initial=0) >= MIN_CHARACTER_SIDE
        sure = (seen.scores >= min_score) & large
        return list(merge_overlapping(seen.boxes_xyxy[sure], seen.scores[sure], light[sure], seen.readings[sure]))

    def _due(self, image_bgr: np.ndarray) -> Sequence[int]:
        """Which networks look at this frame: in a stream by turns, and what the others found in the frame before is verified
        in this one.
        """
        numbers = range(len(self._networks))
        if not self.video or self._shape != image_bgr.shape:
            self._shape = image_bgr.shape
            return numbers
        self._turn = (self._turn + 1) % len(numbers)
        return [self._turn]

    def _larger(self, frame: Frame, found: list[Region]) -> list[Region]:
        """Ink that the networks did not find, or of which they found parts. It takes as long again as they do."""
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
        seen = self._verifier.verify(image, [one.box.xyxy for one in regions])
        scored = [
            replace(one, score=max(LARGE_SCORE, float(score)))
            if max(one.box.width, one.box.height) > LARGE * short
            else replace(one, score=float(score), digit_probabilities=reading)
            for one, score, reading in zip(regions, seen.scores, seen.readings, strict=True)
        ]
        return [one for one in scored if one.score and one.score >= MIN_SCORE]

    def _has_changed(self, image_bgr: np.ndarray) -> bool:
        """Whether a frame differs from the last that was looked at."""
        height, width = image_bgr.shape[:2]
        factor = COMPARED_SIDE / max(height, width)
        size_wh = max(1, round(width * factor)), max(1, round(height * factor))
        seen = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
        before = self._compared_image
        if before is not None and before.shape == seen.shape and cv2.norm(before, seen, cv2.NORM_INF) < CHANGED:
            return False
        self._compared_image = seen
        return True


def _is_whole(region: Region, parts: list[Region], least: float) -> bool:
    """Whether a region has at least that long a side and what was found lies in it: the classifier then says which holds."""
    box = region.box
    return max(box.width, box.height) > least and any(
        box.overlap(part.box) > 0.5 * part.box.area and box.area > LARGER * part.box.area for part in parts
    )


_of_thread = threading.local()


def writing_in(picture_bgr: np.ndarray) -> tuple[Region, ...]:
    """What a single picture (H, W, 3) uint8 shows. Each thread opens the networks once, which takes longer than to look."""
    if not hasattr(_of_thread, "finder"):
        _of_thread.finder = WritingFinder()
    return _of_thread.finder.find(Frame(picture_bgr, 0, 0.0, "picture"))
