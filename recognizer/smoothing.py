"""Steady labels: regions are followed from frame to frame, and a label stays until another has proved itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recognizer.values import Box, Prediction, Region

SAME_PLACE = 0.6  # of a box's longer side: a region whose centre moved less in one frame is the same one
SAME_SIZE = 2.0  # ratio of the longer sides: a region that grew by more in one frame is another one
DOUBT = 3.0  # what speaks against a challenger counts threefold, so that look-alikes that take turns do not swap


@dataclass
class _Track:
    """One region over time: where it was last seen, what is shown for it, and what wants to be shown instead."""

    box: Box
    seen_s: float
    shown: Prediction  # the last prediction with the label that is shown
    challengers_s: dict[str | None, float] = field(default_factory=dict)  # seconds of evidence by label


class Smoother:
    """Gives each region the label that has lasted, and a new region its first label at once.

    Another label must be seen for `switch_s` seconds to replace the one that is shown, "nothing I know" for `hold_s`
    seconds. A region that disappears for less than `hold_s` keeps what it had.
    """

    def __init__(
        self,
        hold_s: float = 0.4,  # rejections and gaps shorter than this are blinks: motion blur, a finger passing
        switch_s: float = 0.15,  # at 10 frames a second two: a new digit shows within 0.3 s
    ) -> None:
        self.hold_s = hold_s
        self.switch_s = switch_s
        self._tracks: list[_Track] = []
        self._time_s = 0.0

    def update(
        self, time_s: float, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[Prediction, ...]:
        """One prediction per region, in the order given, with the label to show.

        `time_s` is the frame's time in seconds; when it jumps back (a video that starts again) all is forgotten.
        Where another label than the frame's own is shown, confidence and top come from the last frame that had it.
        """
        if time_s < self._time_s:
            self._tracks.clear()
        elapsed_s = time_s - self._time_s
        self._time_s = time_s
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= self.hold_s]
        matches = _match([track.box for track in self._tracks], [region.box for region in regions])

        steady = []
        for index, (region, prediction) in enumerate(zip(regions, predictions, strict=True)):
            if index in matches:
                track = self._tracks[matches[index]]
                track.box, track.seen_s = region.box, time_s
                self._weigh(track, prediction, elapsed_s)
            else:
                track = _Track(region.box, time_s, prediction)
                self._tracks.append(track)
            steady.append(_shown(track, prediction))
        return tuple(steady)

    def _weigh(self, track: _Track, prediction: Prediction, elapsed_s: float) -> None:
        """Let one frame speak for its label and against all others; the first with enough evidence takes over."""
        label = prediction.label
        for other in list(track.challengers_s):
            if other != label:
                track.challengers_s[other] = max(0.0, track.challengers_s[other] - DOUBT * elapsed_s)
        if label == track.shown.label:
            track.shown = prediction
            return
        evidence_s = track.challengers_s.get(label, 0.0) + elapsed_s
        track.challengers_s[label] = evidence_s
        if evidence_s >= (self.hold_s if label is None else self.switch_s):
            track.shown = prediction
            track.challengers_s.clear()


def _shown(track: _Track, prediction: Prediction) -> Prediction:
    """The frame's own prediction under the track's label."""
    if track.shown.label == prediction.label:
        return prediction
    if track.shown.label is None:
        return replace(prediction, label=None)
    return replace(track.shown, image=prediction.image)


def _match(before: list[Box], now: list[Box]) -> dict[int, int]:
    """For boxes of this frame the box of the last one that is most likely the same, nearest pairs first.

    Centre distance over size rather than overlap: a thin 1 overlaps its own last place too little to be found by it.
    """
    if not before or not now:
        return {}
    (middles, sides), (old_middles, old_sides) = _places(now), _places(before)
    larger = np.maximum(sides[:, None], old_sides)
    distances = np.linalg.norm(middles[:, None] - old_middles, axis=2) / larger
    fits = (distances < SAME_PLACE) & (larger < SAME_SIZE * np.minimum(sides[:, None], old_sides))
    pairs = np.argwhere(fits)
    matches: dict[int, int] = {}
    taken = set()
    for i, j in pairs[np.argsort(distances[fits], kind="stable")].tolist():
        if i not in matches and j not in taken:
            matches[i] = j
            taken.add(j)
    return matches


def _places(boxes: list[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and longer sides (N,) in pixels."""
    corners = np.array([box.xyxy for box in boxes], np.float64)
    return (corners[:, :2] + corners[:, 2:]) / 2, np.maximum(1.0, (corners[:, 2:] - corners[:, :2]).max(axis=1))
