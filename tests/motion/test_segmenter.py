from itertools import pairwise

import numpy as np
import pytest

from recognizer.motion.segmenter import MAX_DURATION_S, Segmenter, movements_in, pieces
from recognizer.values import Hand
from tests.helpers.movements import FPS, circle, frames, stay, swipe, wave

REST_S = 0.6


@pytest.mark.parametrize("path", [circle, swipe, wave])
@pytest.mark.parametrize("fps", [10.0, 24.0, 60.0])
def test_beginning_and_end_are_found_at_any_rate(path, fps: float) -> None:  # type: ignore[no-untyped-def]
    (movement,) = movements_in((time_s, [hand]) for time_s, hand in frames(path, fps=fps, rest_s=REST_S))
    assert movement.times_s[0] == pytest.approx(REST_S, abs=0.25)
    assert movement.times_s[-1] == pytest.approx(REST_S + 1, abs=0.25)


def test_the_end_is_reported_within_a_third_of_a_second() -> None:
    segmenter = Segmenter()
    reported = [time_s for time_s, hand in frames(swipe) if segmenter.step(time_s, [hand])]
    assert reported == [pytest.approx(REST_S + 1, abs=0.3)]


def test_a_hand_that_is_held_still_does_not_move() -> None:
    segmenter = Segmenter()
    for time_s, hand in frames(stay):
        assert segmenter.step(time_s, [hand]) is None
        assert not segmenter.is_moving
        assert segmenter.moving_s == 0


def test_a_movement_is_announced_while_it_goes_on() -> None:
    segmenter = Segmenter()
    moving = []
    for time_s, hand in frames(circle):
        segmenter.step(time_s, [hand])
        moving.append((time_s, segmenter.is_moving))
    assert {is_moving for time_s, is_moving in moving if REST_S + 0.25 < time_s < REST_S + 0.9} == {True}
    assert not moving[-1][1]


def lossy(lost_s: float):  # type: ignore[no-untyped-def]
    """A circle whose hand is lost in its middle for so long."""
    for time_s, hand in frames(circle):
        yield time_s, [] if 0 <= time_s - REST_S - 0.4 < lost_s else [hand]


def test_a_movement_goes_on_over_a_short_gap_and_ends_at_a_long_one() -> None:
    (movement,) = movements_in(lossy(0.2))
    assert movement.duration_s > 0.8
    assert not movement.seen[:, 0].all()
    assert all(movement.duration_s < 0.6 for movement in movements_in(lossy(0.5)))


def test_two_hands_stay_themselves_and_the_one_that_moves_is_the_main_one() -> None:
    shown = []
    for (time_s, moving), (_, still) in zip(frames(circle), frames(stay, place=(700, 0)), strict=True):
        hands = [moving, Hand(still.landmarks, "left", 0.95)]
        shown.append((time_s, hands[::-1] if round(time_s * FPS) % 2 else hands))
    (movement,) = movements_in(shown)
    assert movement.has_two_hands
    assert movement.sides == ("right", "left")
    assert np.ptp(movement.joints[:, 0, 0, 0]) > 5 * np.ptp(movement.joints[:, 1, 0, 0])


def test_somebody_who_never_rests_is_cut_where_the_hand_is_slow() -> None:
    shown, start_s = [], 0.0
    for _ in range(5):
        part = list(frames(circle, rest_s=0.04))
        shown += [(start_s + time_s, [hand]) for time_s, hand in part]
        start_s += part[-1][0] + 1 / FPS
    found = movements_in(shown)
    assert len(found) >= 2
    assert all(movement.duration_s <= MAX_DURATION_S for movement in found)
    assert all(one.times_s[-1] <= other.times_s[0] + 0.1 for one, other in pairwise(found))


def test_the_parts_of_a_long_movement_begin_and_end_where_it_is_slow() -> None:
    first = list(frames(swipe, rest_s=0.03, duration_s=0.6))
    second = frames(lambda at: swipe(1 - at), rest_s=0.03, duration_s=0.6)
    shown = [*first, *((first[-1][0] + 1 / FPS + time_s, hand) for time_s, hand in second)]
    (movement,) = movements_in((time_s, [hand]) for time_s, hand in shown)
    parts = pieces(movement)
    assert any(abs(part.times_s[0] - 0.66) < 0.15 or abs(part.times_s[-1] - 0.66) < 0.15 for part in parts)
    assert all(part.duration_s < movement.duration_s for part in parts)


def test_a_stream_that_starts_again_drops_what_it_showed_before() -> None:
    segmenter = Segmenter()
    shown = list(frames(circle))
    for time_s, hand in shown[: len(shown) // 2]:
        segmenter.step(time_s, [hand])
    assert segmenter.is_moving
    assert segmenter.step(0.0, [shown[0][1]]) is None
    assert not segmenter.is_moving
