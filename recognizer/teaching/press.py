"""One press of a label's key: what it records is a still sign, or a movement if the hands moved for a good part of it."""

from dataclasses import dataclass, field

import numpy as np

from recognizer.motion.movement import Movement
from recognizer.samples.sample import Sample
from recognizer.teaching.demonstration import StripPictures, size_of
from recognizer.values import Box, Observation

MOVING_SHARE = 1 / 3  # of the time in which a key is held: if the hands moved for less, it shows a still sign
HELD_SHARE = 0.5  # of a movement that lies in that time; of another movement, the hand comes or goes
STILLS_LIMIT = 10  # still samples that are kept while the hands move


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A movement, with the strip of its pictures and the part of the frame that each shows."""

    movement: Movement
    strip_bgr: np.ndarray  # (h, w, 3) uint8
    box: Box

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
    found: list[Demonstration] = field(default_factory=list)
    stored: list[Sample] = field(default_factory=list)  # still samples, on disk
    waiting: list[tuple[Sample, bytes]] = field(default_factory=list)  # still samples with their PNG data, not yet
    _pictures: StripPictures = field(default_factory=StripPictures)

    def see(self, observation: Observation, is_on: bool) -> None:
        """Takes the next frame. `is_on` says that the key is held."""
        time_s, self.source = observation.frame.time_s, observation.frame.name
        if self.is_hands_free and self.started_s is None and not is_on:
            return  # it still counts 3, 2, 1
        if self.started_s is None or time_s < self.started_s:
            self.started_s, self.held_until_s = time_s, time_s
        if is_on:
            self.held_until_s = time_s
        self._pictures.add(observation.frame)
        movement = observation.movement
        if movement is not None and self._is_inside(movement):
            self.found.append(Demonstration(movement, *self._pictures.strip(movement, size_of(observation))))

    def _is_inside(self, movement: Movement) -> bool:
        assert self.started_s is not None, "see() sets it"
        first, last = max(self.started_s, movement.times_s[0]), min(self.held_until_s, movement.times_s[-1])
        return bool(last - first >= HELD_SHARE * movement.duration_s)

    def keep(self, sample: Sample, png: bytes) -> None:
        """Keeps a still sample that was seen while the hands moved."""
        self.waiting = [*self.waiting, (sample, png)][-STILLS_LIMIT:]

    @property
    def demonstrations(self) -> list[Demonstration]:
        """The movements that the press shows: the longest one, or all of a hands-free recording. () if the sign is still."""
        held_s = self.held_until_s - (self.started_s or 0.0)
        moving_s = sum(one.movement.duration_s for one in self.found)
        if not self.found or not (self.is_held or self.is_hands_free) or moving_s < MOVING_SHARE * held_s:
            return []
        return self.found if self.is_hands_free else [max(self.found, key=lambda one: one.movement.duration_s)]
