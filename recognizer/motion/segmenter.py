"""Finds where a movement begins and ends in the hands of consecutive frames."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recognizer.motion.features import joint_speed
from recognizer.motion.movement import LEFT, MAX_GAP_S, RIGHT, Movement, between, interpolated
from recognizer.values import Hand

MIN_DURATION_S, MAX_DURATION_S = 0.3, 2.5  # of a movement
KEPT_S = 3.2  # seconds of joints that are kept: the longest movement, and what lies around it
SPEED_OVER_S = 0.09  # the speed is measured over at least so long, since the joints tremble from frame to frame
START_SPEED = 1.0  # palm lengths a second: faster hands begin a movement
STILL_SPEED = 0.55  # … slower hands are still; joints of hands seen from the side tremble more, so also those that are
STILL_SHARE = 0.2  # … slower than this share of the movement's speed so far (its upper quartile)
STILL_S = 0.17  # hands that are still for this long have ended the movement; a Z's corner takes less
MIN_FRAMES = 3  # of a movement
DIP = 0.45  # share of the speeds before and after, below which the hands are slow for a moment
DIPS = 3  # such moments at which a movement is cut, at most
LEAD_S = 0.1  # kept before the first fast frame
SAME_HAND, HAND_SPEED = 1.5, 20.0  # palm lengths, and those a second: a hand that is further away is another one
BOTH_SHARE = 0.1  # of the frames: if two hands are seen together in fewer, they are one that was lost and found again


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
    for MAX_GAP_S. It is returned once, if it took at least MIN_DURATION_S. A hand that goes on for longer than
    MAX_DURATION_S has its movement cut where it was slowest, so somebody who signs without a rest is followed, too.
    """

    def __init__(self) -> None:
        self._frames: deque[_Seen] = deque()
        self._last_seen: list[tuple[float, np.ndarray] | None] = [None, None]  # of each slot: time, joints
        self._started_s: float | None = None  # of the movement that is going on
        self._speeds: list[tuple[float, float]] = []  # times and speeds of the movement that is going on
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
                self._speeds = [(time_s, speed)]
            return None
        if speed is not None:
            self._speeds.append((time_s, speed))
            usual = float(np.quantile([speed for _, speed in self._speeds], 0.75))
            if speed > max(STILL_SPEED, STILL_SHARE * usual):
                self._fast_s = time_s
        is_lost = time_s - self._hand_s > MAX_GAP_S
        is_still = speed is not None and time_s - self._fast_s >= STILL_S
        started_s = self._started_s
        if is_lost or is_still:
            self._started_s = None
            return self._movement(started_s, min(self._fast_s, self._hand_s))
        if time_s - started_s > MAX_DURATION_S:
            self._started_s = self._slowest_s(started_s + MIN_DURATION_S, time_s - MIN_DURATION_S)
            self._speeds = [(at_s, speed) for at_s, speed in self._speeds if at_s >= self._started_s]
            return self._movement(started_s, self._started_s)
        return None

    def _slowest_s(self, first_s: float, last_s: float) -> float:
        """When the hands were slowest between two times, in the middle of the time over which a speed is measured."""
        inside = [(speed, at_s) for at_s, speed in self._speeds if first_s <= at_s <= last_s]
        return min(inside)[1] - SPEED_OVER_S / 2 if inside else last_s

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
            (_apart(last[1], hand.landmarks) - HAND_SPEED * (time_s - last[0]), slot, index)
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
        """The frames between two times as a Movement; None if it was too short or hardly seen."""
        frames = [seen for seen in self._frames if started_s - 1e-6 <= seen.time_s <= ended_s + 1e-6]
        if len(frames) < MIN_FRAMES or frames[-1].time_s - frames[0].time_s < MIN_DURATION_S:
            return None
        joints = np.stack([seen.joints for seen in frames])
        times_s = np.array([seen.time_s for seen in frames])
        found = np.isfinite(joints).all(axis=(2, 3))
        if found.all(axis=1).mean() < BOTH_SHARE:
            one = np.where(found[:, :1, None], joints[:, 0], joints[:, 1])
            joints = np.stack([one, np.full_like(one, np.nan)], axis=1)
            side = _most_frequent(side for seen in frames for side in seen.sides)
            return Movement(times_s, joints, (side, LEFT if side == RIGHT else RIGHT))
        travels = [_travelled(joints[:, slot]) for slot in (0, 1)]
        main = int(travels[1] > travels[0])
        order = (main, 1 - main)
        sides = [_most_frequent(seen.sides[slot] for seen in frames) for slot in order]
        return Movement(times_s, joints[:, order], (sides[0], sides[1]))


def movements_in(frames: Iterable[tuple[float, Sequence[Hand]]]) -> list[Movement]:
    """The movements in the times and hands of all frames of a stream; the last one ends with the stream."""
    segmenter, found, last_s = Segmenter(), [], 0.0
    for time_s, hands in frames:
        found.append(segmenter.step(time_s, hands))
        last_s = time_s
    found += [segmenter.step(last_s + share * MAX_GAP_S, ()) for share in (0.75, 1.5)]
    return [movement for movement in found if movement is not None]


def pieces(movement: Movement) -> tuple[Movement, ...]:
    """Parts of a movement from one moment in which the hands were slow to another, the longest first; not the whole.

    Somebody who raises a hand, makes a sign at once and drops the hand makes one long movement. The sign is a part of it.
    """
    times_s, speeds = _speeds_of(movement)
    low = [
        index
        for index in range(1, len(speeds) - 1)
        if speeds[index] <= speeds[index - 1] and speeds[index] < speeds[index + 1]
        if speeds[index] < DIP * min(speeds[:index].max(), speeds[index + 1 :].max())
    ]
    deepest = sorted(low, key=lambda index: float(speeds[index]))[:DIPS]
    cuts_s = sorted(
        [float(movement.times_s[0]), float(movement.times_s[-1]), *(float(times_s[index]) for index in deepest)]
    )
    spans = [(start, end) for i, start in enumerate(cuts_s) for end in cuts_s[i + 1 :] if end - start >= MIN_DURATION_S]
    parts = [between(movement, *span) for span in sorted(spans, key=lambda span: span[0] - span[1])[1:]]
    return tuple(part for part in parts if part.seen[:, 0].sum() >= MIN_FRAMES)


def _speeds_of(movement: Movement) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) and speeds (N,) of the main hand, smoothed over SPEED_OVER_S."""
    seen = movement.seen[:, 0]
    times_s, joints = movement.times_s[seen], movement.joints[seen, 0]
    if len(times_s) < MIN_FRAMES:
        return times_s[:0], np.zeros(0)
    at_s = np.arange(times_s[0], times_s[-1], SPEED_OVER_S / 2)
    even = interpolated(times_s, joints, at_s)
    speeds = [joint_speed(one, other, SPEED_OVER_S) for one, other in zip(even, even[2:], strict=False)]
    return at_s[1:-1], np.array(speeds)


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
