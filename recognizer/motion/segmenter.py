"""Finds where a movement begins and ends in the hands of consecutive frames."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recognizer.motion.features import joint_speed
from recognizer.motion.movement import MAX_GAP_S, RIGHT, Movement
from recognizer.values import Hand

MIN_DURATION_S, MAX_DURATION_S = 0.3, 2.5  # of a movement
KEPT_S = 3.2  # seconds of joints that are kept: the longest movement, and what lies around it
SPEED_OVER_S = 0.09  # the speed is measured over at least so long, since the joints tremble from frame to frame
START_SPEED = 1.0  # palm lengths a second: faster hands begin a movement
STILL_SPEED = 0.55  # … slower hands are still
STILL_S = 0.17  # hands that are still for this long have ended the movement; a Z's corner takes less
LEAD_S = 0.1  # kept before the first fast frame
SAME_HAND = 3.0  # palm lengths: a hand that is further away from where it was last seen is another one


@dataclass(frozen=True, eq=False)
class _Seen:
    """The hands of one frame, each in its slot."""

    time_s: float
    joints: np.ndarray  # (2, 21, 3) float32, NaN where a slot's hand was not seen
    sides: tuple[str | None, str | None]


class Segmenter:
    """Cuts the stream of hands into movements. One stream, one Segmenter; give it every frame, also those without hands.

        segmenter = Segmenter()
        movement = segmenter.step(frame.time_s, hands)   # once a frame
        if movement is not None: …                       # it ended STILL_S before this frame, or the hand has gone
        elif segmenter.is_moving: …                      # a movement is going on: no still sign is read

    A movement begins with the first fast frame and ends when all hands have been still for STILL_S seconds or were lost
    for MAX_GAP_S. It is returned once, if it took MIN_DURATION_S to MAX_DURATION_S; of a longer one nothing is returned.
    """

    def __init__(self) -> None:
        self._frames: deque[_Seen] = deque()
        self._last_seen: list[tuple[float, np.ndarray] | None] = [None, None]  # of each slot: time, joints
        self._started_s: float | None = None  # of the movement that is going on
        self._fast_s = 0.0  # time of the last frame in which a hand was not still
        self._hand_s = 0.0  # time of the last frame with a hand

    @property
    def is_moving(self) -> bool:
        """Whether a movement is going on. False for a hand that is held still, and without a hand."""
        return self._started_s is not None

    @property
    def moving_s(self) -> float:
        """How long the movement has been going on, in seconds; 0 without one."""
        return 0.0 if self._started_s is None else self._frames[-1].time_s - self._started_s

    def step(self, time_s: float, hands: Sequence[Hand]) -> Movement | None:
        """Takes the hands of the next frame, and returns the movement that has just ended.

        `time_s` is the frame's time. If it jumps back, or ahead by more than MAX_GAP_S, what was seen before is dropped.
        """
        if self._frames and not 0 < time_s - self._frames[-1].time_s <= MAX_GAP_S:
            self.__init__()  # type: ignore[misc]
        self._frames.append(self._assigned(time_s, hands))
        while time_s - self._frames[0].time_s > KEPT_S:
            self._frames.popleft()
        speed = self._speed()
        if self._started_s is None:
            if speed is not None and speed > START_SPEED:
                self._started_s = time_s - SPEED_OVER_S - LEAD_S
                self._fast_s = time_s
            return None
        if speed is not None and speed > STILL_SPEED:
            self._fast_s = time_s
        is_lost = time_s - self._hand_s > MAX_GAP_S
        is_still = speed is not None and time_s - self._fast_s >= STILL_S
        if not (is_lost or is_still):
            return None
        started_s, self._started_s = self._started_s, None
        return self._movement(started_s, min(self._fast_s, self._hand_s))

    def _assigned(self, time_s: float, hands: Sequence[Hand]) -> _Seen:
        """The hands in their slots: each in that of the nearest hand seen lately, or in a free one."""
        joints = np.full((2, 21, 3), np.nan, np.float32)
        sides: list[str | None] = [None, None]
        left = sorted(hands, key=lambda hand: -hand.score)[:2]
        if left:
            self._hand_s = time_s
        for slot in (0, 1):
            last = self._last_seen[slot]
            if last is not None and time_s - last[0] > MAX_GAP_S:
                self._last_seen[slot] = None
        pairs = sorted(
            (_apart(last[1], hand.landmarks), slot, index)
            for slot, last in enumerate(self._last_seen)
            if last is not None
            for index, hand in enumerate(left)
        )
        taken: dict[int, int] = {}
        for apart, slot, index in pairs:
            if apart < SAME_HAND and slot not in taken and index not in taken.values():
                taken[slot] = index
        for index in range(len(left)):
            free = [slot for slot in (0, 1) if slot not in taken]
            if index not in taken.values() and free:
                taken[min(free, key=lambda slot: self._last_seen[slot] is not None)] = index
        for slot, index in taken.items():
            joints[slot], sides[slot] = left[index].landmarks, left[index].side
            self._last_seen[slot] = time_s, joints[slot]
        return _Seen(time_s, joints, (sides[0], sides[1]))

    def _speed(self) -> float | None:
        """The speed of the faster hand, in palm lengths a second; None if no hand was seen now and a moment ago."""
        now = self._frames[-1]
        speeds = []
        for slot in (0, 1):
            if now.sides[slot] is None:
                continue
            earlier = (
                seen
                for seen in reversed(self._frames)
                if seen.sides[slot] is not None and now.time_s - seen.time_s >= SPEED_OVER_S - 1e-6
            )
            before = next(earlier, None)
            if before is not None and now.time_s - before.time_s <= MAX_GAP_S + SPEED_OVER_S:
                speeds.append(joint_speed(before.joints[slot], now.joints[slot], now.time_s - before.time_s))
        return max(speeds, default=None)

    def _movement(self, started_s: float, ended_s: float) -> Movement | None:
        """The frames between two times as a Movement; None if it was too short, too long, or hardly seen."""
        frames = [seen for seen in self._frames if started_s - 1e-6 <= seen.time_s <= ended_s + 1e-6]
        if len(frames) < 3 or not MIN_DURATION_S <= frames[-1].time_s - frames[0].time_s <= MAX_DURATION_S:
            return None
        joints = np.stack([seen.joints for seen in frames])
        travels = [_travelled(joints[:, slot]) for slot in (0, 1)]
        main = int(travels[1] > travels[0])
        order = (main, 1 - main)
        sides = [_most_frequent(seen.sides[slot] for seen in frames) for slot in order]
        return Movement(np.array([seen.time_s for seen in frames]), joints[:, order], (sides[0], sides[1]))


def _apart(joints: np.ndarray, other: np.ndarray) -> float:
    """The distance of two hands (21, 3) in palm lengths."""
    return joint_speed(joints, other, 1.0)


def _travelled(hand: np.ndarray) -> float:
    """How far a hand (T, 21, 3) has moved, in palm lengths; -1 if it was seen in fewer than two frames."""
    seen = hand[np.isfinite(hand).all(axis=(1, 2))]
    return sum(_apart(one, other) for one, other in pairwise(seen)) if len(seen) > 1 else -1.0


def _most_frequent(sides: Iterable[str | None]) -> str:
    """The side that most frames show, since the networks confuse left and right at times."""
    counts = Counter(side for side in sides if side is not None)
    return counts.most_common(1)[0][0] if counts else RIGHT
