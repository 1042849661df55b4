"""A still hand in the guide box is found without joints, in a stream in which MediaPipe finds no hand."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from recognizer.finders.guide_box import guide_box
from recognizer.finders.still_hand import MAX_HELD_S, StillHandFinder, illuminant_bgr, is_skin
from recognizer.values import Hand, Region
from tests.helpers.still_hands import FPS, HEIGHT, LIGHTS, SKINS, WIDTH, BlindHands, Picture, Stream, a_room, with_hand

HAND = Hand(np.zeros((21, 3), np.float32), "right", 0.9)


@pytest.mark.parametrize("skin", SKINS.values(), ids=SKINS)
def test_a_hand_held_still_in_the_guide_box_is_one_region_without_joints(skin):
    room = a_room()
    picture, box = with_hand(room, skin)
    stream = Stream()
    assert not any(stream.show(room, 2))
    assert stream.finder.guide_box == guide_box(WIDTH, HEIGHT)
    found = stream.show(picture, 1.5)
    assert not any(found[: FPS // 5]), "not before the hand is still"
    assert all(len(regions) == 1 for regions in found[FPS:])
    (region,) = found[-1]
    assert region.hand is None
    assert region.box.iou(box) > 0.6
    assert region.crop.shape == (region.box.height, region.box.width, 3)
    assert region.box.height == region.box.width
    assert stream.finder.guide_box is None, "a found hand needs no guide box"


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
@pytest.mark.parametrize("skin", ["light", "olive", "brown"])
def test_a_hand_is_found_in_coloured_light(skin, light):
    room = a_room(1)
    picture, box = with_hand(room, SKINS[skin])
    stream = Stream()
    stream.show(room * light, 2)
    (region,) = stream.show(picture * light, 1.5)[-1]
    assert region.box.iou(box) > 0.5


@pytest.mark.parametrize("at", [(0.3, 0.3), (0.7, 0.72), (0.36, 0.78)])
def test_the_crop_never_leaves_the_frame(at):
    room = a_room()
    stream = Stream()
    stream.show(room, 2)
    for regions in stream.show(with_hand(room, at=at)[0], 1.5):
        for region in regions:
            x1, y1, x2, y2 = region.box.xyxy
            assert 0 <= x1 < x2 <= WIDTH
            assert 0 <= y1 < y2 <= HEIGHT
            assert region.crop.shape == (y2 - y1, x2 - x1, 3)


def test_the_light_may_change_while_a_hand_is_held():
    room = a_room()
    picture, box = with_hand(room)
    stream = Stream()
    stream.show(room, 2)
    stream.show(picture, 1)
    found = stream.show(lambda s: picture * (1 + 0.15 * min(1, s)), 2)
    assert found[-1]
    assert found[-1][0].box.iou(box) > 0.6


def a_passing_hand(seconds: float) -> np.ndarray:
    return with_hand(a_room(), at=(0.1 + 0.8 * seconds, 0.5))[0]


def an_object(colour: tuple[float, float, float], at_s: Callable[[float], int] = lambda s: 0) -> Picture:
    def picture(seconds: float) -> np.ndarray:
        image = a_room()
        x = 250 + at_s(seconds)
        cv2.rectangle(image, (x, 150), (x + 140, 330), colour, -1)
        return image

    return picture


def a_person(x: int = 320, y: int = 215, size: float = 1.0) -> np.ndarray:
    """Head, hair and shirt of a person in front of the camera."""
    image = a_room()
    hair, skin, shirt = (30.0, 36.0, 48.0), tuple(map(float, SKINS["tan"])), (90.0, 60.0, 50.0)
    for down, axes, colour in ((265, (190, 190), shirt), (-25, (92, 120), hair), (0, (68, 92), skin)):
        place = x, y + round(size * down)
        cv2.ellipse(image, place, (round(size * axes[0]), round(size * axes[1])), 0, 0, 360, colour, -1)
    return image


@pytest.mark.slow
@pytest.mark.parametrize(
    "scene",
    [
        lambda s: a_room(),
        lambda s: a_room() * (1 + 0.25 * np.sin(3 * s)),
        lambda s: a_room() * (1.0 if s < 1 else 1.35),
        lambda s: a_room() * (1.0 if s < 1 else np.array([0.8, 1.0, 1.15])),
        lambda s: a_room(int(s > 1)),
        a_passing_hand,
        an_object((190.0, 90.0, 40.0)),
        an_object((40.0, 140.0, 60.0)),
        an_object((90.0, 90.0, 90.0)),
        an_object((190.0, 90.0, 40.0), lambda s: round(60 * np.sin(4 * s))),
        lambda s: a_person(),
        lambda s: a_person(x=290, y=250, size=1.2),
        lambda s: a_person(x=320 + round(min(1, s) * 80)),
    ],
    ids=[
        "empty and noisy",
        "pulsating light",
        "exposure",
        "white balance",
        "the camera was turned",
        "a hand passing through",
        "a blue mug",
        "a plant",
        "a grey book",
        "a moving blue object",
        "a person sits down",
        "a person sits close to the camera",
        "a person sits down and leans aside",
    ],
)
def test_an_object_that_is_not_a_hand_gives_no_region(scene):
    stream = Stream()
    assert not any(stream.show(a_room(), 2))
    assert not any(stream.show(scene, 5 if scene is not a_passing_hand else 1))
    assert stream.finder.guide_box is not None


def test_an_object_in_the_box_from_the_start_is_background():
    stream = Stream()
    assert not any(stream.show(a_person(x=440, size=0.6), 3))
    picture, box = with_hand(a_person(x=440, size=0.6), at=(0.4, 0.5))
    (region,) = stream.show(picture, 1.5)[-1]
    assert region.box.iou(box) > 0.5, "a hand beside the object is found"


def test_a_hand_removed_from_the_background_is_not_found_again():
    wall = np.full((HEIGHT, WIDTH, 3), (120.0, 150.0, 190.0))  # wood, whose colour is similar to skin
    stream = Stream()
    assert not any(stream.show(with_hand(wall, SKINS["brown"])[0], 3))
    assert not any(stream.show(wall, 5))


@pytest.mark.slow
def test_an_object_that_stays_too_long_becomes_background():
    stream = Stream()
    stream.show(a_room(), 2)
    picture, _ = with_hand(a_room())
    assert stream.show(picture, MAX_HELD_S)[-1]
    assert not any(stream.show(picture, 3)[FPS:])


def test_hands_found_by_the_inner_finder_are_returned_unchanged():
    stream = Stream()
    stream.show(a_room(), 2)
    picture, box = with_hand(a_room())
    assert stream.show(picture, 1)[-1]
    stream.hands.found = (Region(box, np.zeros((9, 9, 3), np.uint8), hand=HAND),)
    assert all(regions is stream.hands.found for regions in stream.show(picture, 1))
    assert stream.finder.guide_box is None
    stream.hands.found = ()
    found = stream.show(picture, 1)
    assert not found[0], "the detection starts again"
    assert found[-1], "the background was remembered meanwhile"


def test_without_a_guide_box_the_still_hand_detector_does_not_run():
    stream = Stream()
    stream.show(a_room(), 2)
    stream.hands.find = lambda frame: ()  # type: ignore[method-assign]
    stream.hands.guide_box = None
    assert not any(stream.show(with_hand(a_room())[0], 2))


def test_a_restarted_source_or_a_new_frame_size_resets_the_background():
    stream = Stream()
    stream.show(a_room(), 2)
    stream.now_s = 0.0
    assert not any(stream.show(a_room(), 1))
    for shape in ((240, 320, 3), (120, 90, 3), (16, 16, 3), (200, 300), (200, 300, 4)):
        assert not any(stream.show(np.full(shape, 120.0), 1))


def test_closing_also_closes_the_inner_finder():
    hands = BlindHands()
    with StillHandFinder(hands):
        pass
    assert hands.closed


def test_skin_of_all_tones_is_separated_from_other_colours_in_any_light():
    white = np.full((20, 3), 200.0)
    others = np.array([[200, 90, 40], [40, 140, 60], [120, 120, 120], [240, 240, 240], [60, 60, 220], [5, 6, 9]], float)
    skins = np.array(list(SKINS.values()), float)
    for light in (np.ones(3), *map(np.array, LIGHTS.values())):
        assert is_skin(skins[None] * light, illuminant_bgr(white * light)).all()
        assert not is_skin(others[None] * light, illuminant_bgr(white * light)).any()
