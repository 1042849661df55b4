"""An observation in the coordinates of a picture of another size."""

from dataclasses import replace

import cv2
import numpy as np

from recognizer.values import Box, Hand, Observation


def resized(observation: Observation, size_wh: tuple[int, int]) -> Observation:
    """The observation with its frame, boxes and joints scaled to that size, in pixels."""
    frame = observation.frame
    height, width = frame.image_bgr.shape[:2]
    if size_wh == (width, height):
        return observation
    across, down = size_wh[0] / width, size_wh[1] / height
    shrinks = across < 1 and down < 1
    image_bgr = cv2.resize(frame.image_bgr, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def box(one: Box) -> Box:
        return Box(round(across * one.x1), round(down * one.y1), round(across * one.x2), round(down * one.y2))

    def hand(one: Hand | None) -> Hand | None:
        return one and replace(one, landmarks=one.landmarks * np.array([across, down, across], np.float32))

    regions = tuple(replace(one, box=box(one.box), hand=hand(one.hand)) for one in observation.regions)
    guide = observation.guide and box(observation.guide)
    return replace(observation, frame=replace(frame, image_bgr=image_bgr), regions=regions, guide=guide)
