"""Temporal smoothing: tracks regions over frames and changes a label only after enough evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recognizer.values import Box, Prediction, Region

MAX_SHIFT = 0.6  # of the box's longer side: if the centre moves less between frames, it is the same region
MAX_SIZE_RATIO = 2.0  # of the longer sides between frames: above it, it is another region
# Frames that contradict a candidate label count threefold, so that two similar labels that alternate do not swap.
COUNTER_EVIDENCE_WEIGHT = 3.0


@dataclass
class _Track:
    """One region over time: its last box, the label shown, and the evidence for other labels."""

    box: Box
    seen_s: float
    shown: Prediction  # the latest prediction with the label shown
    # seconds in which the label was predicted
    evidence_by_label_s: dict[str | None, float] = field(default_factory=dict)


class Smoother:
    """Smooths labels over time. A new region gets its first label at once.

    Another label replaces the label shown after it was predicted for `switch_s` seconds; a rejection does so after
    `hold_s` seconds. A region that is lost for less than `hold_s` seconds keeps its label.
    """

    def __init__(
        self,
        hold_s: float = 0.4,  # shorter rejections and gaps come from motion blur or a passing finger
        switch_s: float = 0.15,  # two frames at 10 fps, so that a new digit appears within 0.3 s
    ) -> None:
        self.hold_s = hold_s
        self.switch_s = switch_s
        self._tracks: list[_Track] = []
        self._time_s = 0.0

    def update(
        self, time_s: float, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[Prediction, ...]:
        """Smoothed predictions, one for each region, in the same order.

        `time_s` is the frame's time in seconds. If it jumps back (a video that restarts), all tracks are dropped.
        If the smoothed label differs from the frame's own, `confidence` and `top` come from the latest frame that had
        the smoothed label.
        """
        if time_s < self._time_s:
            self._tracks.clear()
        elapsed_s = time_s - self._time_s
        self._time_s = time_s
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= self.hold_s]
        matches = match_boxes([track.box for track in self._tracks], [region.box for region in regions])

        smoothed = []
        for index, (region, prediction) in enumerate(zip(regions, predictions, strict=True)):
            if index in matches:
                track = self._tracks[matches[index]]
                track.box, track.seen_s = region.box, time_s
                self._add_evidence(track, prediction, elapsed_s)
            else:
                track = _Track(region.box, time_s, prediction)
                self._tracks.append(track)
            smoothed.append(_shown(track, prediction))
        return tuple(smoothed)

    def _add_evidence(self, track: _Track, prediction: Prediction, elapsed_s: float) -> None:
        """Adds the frame as evidence for its label and against all others. Changes the label once there is enough."""
        label = prediction.label
        for other in list(track.evidence_by_label_s):
            if other != label:
                left_s = track.evidence_by_label_s[other] - COUNTER_EVIDENCE_WEIGHT * elapsed_s
                track.evidence_by_label_s[other] = max(0.0, left_s)
        if label == track.shown.label:
            track.shown = prediction
            return
        evidence_s = track.evidence_by_label_s.get(label, 0.0) + elapsed_s
        track.evidence_by_label_s[label] = evidence_s
        if evidence_s >= (self.hold_s if label is None else self.switch_s):
            track.shown = prediction
            track.evidence_by_label_s.clear()


def _shown(track: _Track, prediction: Prediction) -> Prediction:
    """The frame's prediction with the label of its track."""
    if track.shown.label == prediction.label:
        return prediction
    if track.shown.label is None:
        return replace(prediction, label=None)
    return replace(track.shown, image=prediction.image)


def match_boxes(before: Sequence[Box], now: Sequence[Box]) -> dict[int, int]:
    """Matches boxes of this frame to boxes of the last one greedily, nearest pairs first: {index now: index before}.

    Uses the centre distance relative to the size, not IoU: a thin 1 that moves hardly overlaps its last box.
    """
    if not before or not now:
        return {}
    (centers, sides), (old_centers, old_sides) = _centers_and_sides(now), _centers_and_sides(before)
    larger = np.maximum(sides[:, None], old_sides)
    distances = np.linalg.norm(centers[:, None] - old_centers, axis=2) / larger
    fits = (distances < MAX_SHIFT) & (larger < MAX_SIZE_RATIO * np.minimum(sides[:, None], old_sides))
    pairs = np.argwhere(fits)
    matches: dict[int, int] = {}
    taken = set()
    for i, j in pairs[np.argsort(distances[fits], kind="stable")].tolist():
        if i not in matches and j not in taken:
            matches[i] = j
            taken.add(j)
    return matches


def _centers_and_sides(boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and longer sides (N,) in pixels."""
    corners = np.array([box.xyxy for box in boxes], np.float64)
    return (corners[:, :2] + corners[:, 2:]) / 2, np.maximum(1.0, (corners[:, 2:] - corners[:, :2]).max(axis=1))
