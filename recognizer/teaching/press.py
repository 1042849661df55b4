"""One press of a label's key: what it records is a still sign, or a movement if the hands moved for a good part of it."""

import math
from dataclasses import dataclass, field

import numpy as np

from recognizer.motion.movement import Movement
from recognizer.samples.sample import Sample
from recognizer.teaching.demonstration import StripPictures, size_of
from recognizer.values import Box, Observation

MOVING_SHARE = 1 / 3  # of the time in which hands are seen: if they moved for less, they show a still sign
COMING_SHARE = 2 / 3  # the same if they only came into the picture or left it
COMING_S = 0.3  # a movement that begins so soon after the hands were first seen brings them into the picture
HELD_SHARE = 0.5  # of a movement that lies in that time; of another movement, the hand comes or goes
STILLS_LIMIT = 10  # still samples that are kept while the hands move


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A movement, with the strip of its pictures and the part of the frame that each shows."""

    movement: Movement
    strip_bgr: np.ndarray  # (h, w, 3) uint8
    box: Box
    is_on_the_way: bool  # whether the hands came into the picture, or left it

    @property
    def words(self) -> str:
        return f"moving, {self.movement.duration_s:.1f} s"


@dataclass(eq=False)
class Press:
    """What was seen since a label's key was pressed. Times are those of the frames."""

    label: str
    is_hands_free: bool
    is_held: bool = False  # whether the keyboard has repeated the key: a tap records what is shown at that moment
    source: str = ""  # name of the frames
    started_s: float | None = None
    held_until_s: float = 0.0
    seen_s: float = 0.0  # in which hands were seen while the key was held
    found: list[Demonstration] = field(default_factory=list)
    stored: list[Sample] = field(default_factory=list)  # still samples, on disk
    waiting: list[tuple[Sample, bytes]] = field(default_factory=list)  # still samples with their PNG data, not yet
    _hands_since_s: float | None = None
    _seen_s: float = 0.0
    _before_s: float = 0.0  # time of the last frame
    _pictures: StripPictures = field(default_factory=StripPictures)

    def see(self, observation: Observation, is_on: bool) -> None:
        """Takes the next frame. `is_on` says that the key is held."""
        time_s, self.source = observation.frame.time_s, observation.frame.name
        if self.is_hands_free and self.started_s is None and not is_on:
            return  # it still counts 3, 2, 1
        if self.started_s is None or time_s < self.started_s:
            self.started_s, self.held_until_s, self._before_s = time_s, time_s, time_s
            self._hands_since_s = -math.inf if observation.regions else None  # they were there before
        if not observation.regions:
            self._hands_since_s = None
        elif self._hands_since_s is None:
            self._hands_since_s = time_s
        else:
            self._seen_s += max(0.0, time_s - self._before_s)
        self._before_s = time_s
        if is_on:  # a keyboard pauses before it repeats a key
            self.held_until_s, self.seen_s = time_s, self._seen_s
        self._pictures.add(observation.frame)
        movement = observation.movement
        if movement is not None and self._is_inside(movement):
            is_on_the_way = self._hands_since_s is None or movement.times_s[0] - self._hands_since_s < COMING_S
            strip_bgr, box = self._pictures.strip(movement, size_of(observation))
            self.found.append(Demonstration(movement, strip_bgr, box, bool(is_on_the_way)))

    def _is_inside(self, movement: Movement) -> bool:
        assert self.started_s is not None, "see() sets it"
        first, last = max(self.started_s, movement.times_s[0]), min(self.held_until_s, movement.times_s[-1])
        return bool(last - first >= HELD_SHARE * movement.duration_s)

    def keep(self, sample: Sample, png: bytes) -> None:
        """Keeps a still sample that was seen while the hands moved."""
        self.waiting = [*self.waiting, (sample, png)][-STILLS_LIMIT:]

    @property
    def demonstrations(self) -> list[Demonstration]:
        """The movements that the press shows: the longest one, or all of a hands-free recording. () if the sign is still.

        How the hands come into the picture and leave it is none of them, unless it is nearly all that they do.
        """
        chosen = [one for one in self.found if not one.is_on_the_way]
        share = MOVING_SHARE if chosen else COMING_SHARE
        chosen = chosen or self.found
        moving_s = sum(one.movement.duration_s for one in chosen)
        if not chosen or not (self.is_held or self.is_hands_free) or moving_s < share * self.seen_s:
            return []
        return chosen if self.is_hands_free else [max(chosen, key=lambda one: one.movement.duration_s)]
