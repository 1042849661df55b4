"""Turns observations into events: the one place that decides when a label has appeared, is held, and has gone."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recognizer.event_detection.event import Event, Phase
from recognizer.samples.sample import NOTHING
from recognizer.smoothing import match_boxes
from recognizer.values import Observation, SeenObject


@dataclass(frozen=True)
class EventTimes:
    """When events fire, in seconds."""

    hold_s: float = 0.3  # until a label has appeared: longer than a hand shows one sign on its way to another
    release_s: float = 0.5  # until it has gone: a hand that turns is not recognized for a few frames
    cooldown_s: float = 0.5  # after it has gone, until the same label can appear again
    held_every_s: float = 1.0  # between two events of a label that is held


@dataclass
class _Track:
    """One object over time: which label it shows now, since when, and which label has appeared."""

    number: int
    seen: SeenObject
    label: str | None = None  # of the last frame; None if it was not recognized or not there
    since_s: float = 0.0  # when that label was first seen
    shown: SeenObject | None = None  # as it was last seen with the label that has appeared; None before one has
    shown_since_s: float = 0.0
    shown_at_s: float = 0.0  # when that label was last seen
    sent_s: float = 0.0  # when its last event was sent


class EventDetector:
    """Follows each object in view by its box, and returns the events of each frame.

    A label that flickers for less than `hold_s` does not appear, and one that is lost for less than `release_s` has not gone.
    A sign that moves appears as soon as it is recognized: its movement has ended then.
    """

    def __init__(self, times: EventTimes = EventTimes(), clock: Callable[[], float] = time.time) -> None:
        """`clock` counts seconds since 1970."""
        self._times = times
        self._clock = clock
        self._tracks: list[_Track] = []
        self._gone_s: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._task = ""
        self._time_s = 0.0
        self._text = ""

    def update(self, observation: Observation) -> tuple[Event, ...]:
        """The events of a frame. If the task changes, or a video starts again, all labels have gone."""
        time_s = observation.frame.time_s
        events = list(self.close()) if observation.task != self._task or time_s < self._time_s else []
        self._task, self._time_s, self._text = observation.task, time_s, observation.text
        for track, seen in self._matched(observation.objects):
            events += self._step(track, seen)
        self._tracks = [track for track in self._tracks if track.label is not None or track.shown is not None]
        return tuple(events)

    def close(self) -> tuple[Event, ...]:
        """Forget all objects: the events of the labels that have gone thereby."""
        events = [self._gone(track) for track in self._tracks if track.shown is not None]
        self._tracks.clear()
        self._gone_s.clear()
        return tuple(events)

    def _matched(self, objects: Sequence[SeenObject]) -> list[tuple[_Track, SeenObject | None]]:
        """Each track with its object in this frame, None if it is not there. New objects get a track."""
        matches = match_boxes([track.seen.box for track in self._tracks], [one.box for one in objects])
        left = [track for index, track in enumerate(self._tracks) if index not in matches.values()]
        pairs: list[tuple[_Track, SeenObject | None]] = []
        for index, seen in enumerate(objects):
            if index in matches:
                track = self._tracks[matches[index]]
            else:
                track = self._moved(seen, left) or _Track(next(self._numbers), seen)
            if track in left:
                left.remove(track)
            pairs.append((track, seen))
        self._tracks = [track for track, _ in pairs] + left
        return pairs + [(track, None) for track in left]

    def _moved(self, seen: SeenObject, left: Sequence[_Track]) -> _Track | None:
        """The track that has the object's label and lost its object: a hand that moved too fast to be followed."""
        return next((track for track in left if track.shown is not None and track.shown.label == seen.label), None)

    def _step(self, track: _Track, seen: SeenObject | None) -> list[Event]:
        label = None if seen is None or seen.label == NOTHING else seen.label
        if seen is not None:
            track.seen = seen
        if label != track.label:
            track.label, track.since_s = label, self._time_s
        if seen is not None and track.shown is not None and track.shown.label == label:
            return self._held(track, seen)
        events = []
        appears = label is not None and self._has_appeared(track, label)
        if track.shown is not None and (appears or self._time_s - track.shown_at_s >= self._times.release_s):
            events.append(self._gone(track))
        if appears:
            track.shown = track.seen
            track.shown_since_s, track.shown_at_s = track.since_s, self._time_s
            events.append(self._event(track, Phase.APPEARED))
        return events

    def _has_appeared(self, track: _Track, label: str) -> bool:
        gone_s = self._gone_s.get(label)
        is_cool = gone_s is None or self._time_s - gone_s >= self._times.cooldown_s
        hold_s = 0.0 if track.seen.moves else self._times.hold_s
        return is_cool and self._time_s - track.since_s >= hold_s

    def _held(self, track: _Track, seen: SeenObject) -> list[Event]:
        track.shown, track.shown_at_s = seen, self._time_s
        is_due = self._time_s - track.sent_s >= self._times.held_every_s
        return [self._event(track, Phase.HELD)] if is_due else []

    def _gone(self, track: _Track) -> Event:
        event = self._event(track, Phase.GONE)
        self._gone_s[event.label] = self._time_s
        track.shown = None
        return event

    def _event(self, track: _Track, phase: Phase) -> Event:
        track.sent_s = self._time_s
        shown = track.shown
        assert shown is not None, "only a label that has appeared has events"
        assert shown.label is not None
        return Event(
            phase,
            shown.label,
            shown.confidence,
            shown.hand,
            self._text,
            shown.box.xyxy,
            self._task,
            self._time_s,
            self._time_s - track.shown_since_s,
            track.number,
            self._clock(),
        )
