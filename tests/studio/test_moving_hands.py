import numpy as np
import pytest

from recognizer.motion.segmenter import movements_in
from recognizer.studio.movements import (
    EVERYDAY,
    SCRIPTS,
    Performance,
    Style,
    detected,
    everyday,
    joints_px,
    random_style,
)
from recognizer.studio.moving_hands import TURN_S, MovingHands
from recognizer.studio.scenes import Studio

SMALL = (320, 180)
RIGHT = Style()


def performance(label: str, style: Style = RIGHT, version: int = 0) -> Performance:
    return Performance(SCRIPTS[label][version], style, np.random.default_rng(0), enters=False)


def palm_path(label: str, style: Style = RIGHT) -> np.ndarray:
    """Where the palm of the signing hand is during the movement, (9, 2) in pixels."""
    one = performance(label, style)
    shown = [one.hands(time_s)[0] for time_s in np.linspace(*one.moves_s, 9)]
    return np.stack([joints_px(hand, one, (1280, 720))[[0, 5, 9, 13, 17], :2].mean(axis=0) for hand in shown])


def test_each_movement_goes_where_its_name_says() -> None:
    assert (
        palm_path("swipe left")[-1, 0] > palm_path("swipe left")[0, 0] + 200
    )  # the person's left is the camera's right
    assert palm_path("swipe right")[-1, 0] < palm_path("swipe right")[0, 0] - 200
    assert palm_path("J")[-1, 1] > palm_path("J")[0, 1] + 30
    strokes = np.sign(np.diff(palm_path("Z")[[0, 2, 6, 8], 0]))
    assert strokes.tolist() == [-1, 1, -1]  # a Z as its writer sees it
    circle = palm_path("circle")
    assert np.linalg.norm(circle[-1] - circle[0]) < 0.3 * np.ptp(circle, axis=0).max()


def test_the_left_hand_makes_the_mirror_image_but_swipes_to_the_same_side() -> None:
    left = Style(side="left")
    assert (palm_path("Z", left)[:, 0] - 640 + palm_path("Z")[:, 0] - 640).std() < 40
    for label in ("swipe left", "swipe right"):
        assert np.sign(np.diff(palm_path(label, left)[[0, -1], 0])) == np.sign(np.diff(palm_path(label)[[0, -1], 0]))


@pytest.mark.parametrize("label", SCRIPTS)
def test_the_segmenter_finds_each_movement(label: str) -> None:
    rng = np.random.default_rng(1)
    style = random_style(rng)
    one = Performance(SCRIPTS[label][0], style, rng)
    found = movements_in(detected(one, rng))
    middle_s = sum(one.moves_s) / 2
    (movement,) = [movement for movement in found if movement.times_s[0] < middle_s < movement.times_s[-1]]
    assert movement.sides[0] == style.side or label == "clap"
    assert movement.has_two_hands == (label == "clap")


@pytest.mark.parametrize("what", EVERYDAY)
def test_people_do_other_things_too(what: str) -> None:
    rng = np.random.default_rng(2)
    one = Performance(everyday(what, rng), random_style(rng), rng)
    places = np.array([one.hands(time_s)[0].place for time_s in np.linspace(*one.moves_s, 20)])
    assert np.isfinite(places).all()
    assert one.duration_s > one.moves_s[1]


def test_the_scene_shows_all_movements_in_turn_with_their_boxes() -> None:
    moving, shown = MovingHands(SMALL, 1), []
    for number in range(len(SCRIPTS)):
        turn = moving.turn(number * TURN_S + 0.1)
        start_s, end_s = turn.performance.moves_s
        assert end_s < TURN_S
        assert moving.truth(turn.starts_s + start_s - 0.1) == ()
        truths = [moving.truth(turn.starts_s + at_s) for at_s in np.linspace(start_s, end_s, 7)]
        shown += [truth.label for each in truths for truth in each]
        for truth in (truth for each in truths for truth in each):
            assert 0 <= truth.box.x1 < truth.box.x2 <= SMALL[0]
            assert 0 <= truth.box.y1 < truth.box.y2 <= SMALL[1]
    assert set(shown) == set(SCRIPTS)


def test_a_frame_of_the_scene_depends_only_on_seed_and_index() -> None:
    studio = Studio("moves", SMALL, seed=2)
    studio.frame(300)
    again, fresh = studio.frame(40), Studio("moves", SMALL, seed=2).frame(40)
    np.testing.assert_array_equal(again.image_bgr, fresh.image_bgr)
    assert again.truth == fresh.truth
    assert np.abs(again.image_bgr.astype(int) - studio.frame(44).image_bgr).max() > 20
