import numpy as np
import pytest

from recognizer.motion.movement import Movement, exchanged, interpolated, mirrored, resampled
from tests.helpers.movements import a_movement, circle, swipe


def one_handed(times_s: list[float], xs: list[float]) -> Movement:
    """All joints of the main hand at the same x; NaN where it was not seen."""
    joints = np.full((len(xs), 2, 21, 3), np.nan, np.float32)
    joints[:, 0] = np.array(xs, np.float32)[:, None, None]
    return Movement(np.array(times_s), joints, ("right", "left"))


def test_a_hand_that_was_lost_for_some_frames_is_filled_in() -> None:
    movement = one_handed([0, 0.1, 0.2, 0.3], [0, np.nan, np.nan, 3])
    np.testing.assert_allclose(resampled(movement, 4)[:, 0, 0, 0], [0, 1, 2, 3], atol=1e-5)
    assert not movement.has_two_hands
    assert np.isnan(resampled(movement, 4)[:, 1]).all()


def test_uneven_times_are_resampled_evenly() -> None:
    movement = one_handed([0, 0.1, 0.4, 1.0], [0, 1, 4, 10])
    np.testing.assert_allclose(resampled(movement, 11)[:, 0, 0, 0], np.arange(11), atol=1e-4)
    assert movement.duration_s == 1


def test_a_hand_seen_once_stays_where_it_was() -> None:
    joints = one_handed([0, 0.1, 0.2], [np.nan, 5, np.nan]).joints[:, 0]
    np.testing.assert_array_equal(interpolated(np.array([0, 0.1, 0.2]), joints, np.array([0, 1.0]))[:, 0, 0], [5, 5])


@pytest.mark.parametrize("path", [circle, swipe])
def test_mirrored_and_exchanged_twice_are_the_movement_itself(path) -> None:  # type: ignore[no-untyped-def]
    movement = a_movement(path)
    for change in (mirrored, exchanged):
        again = change(change(movement))
        assert again.sides == movement.sides
        np.testing.assert_array_equal(again.joints, movement.joints)
    assert mirrored(movement).sides == ("left", "right")
