import numpy as np
import pytest

from recognizer.studio.drawn_hands import SIGNS, DrawnHand, draw_hand

SKIN, SLEEVE = (130, 165, 212), (60, 60, 64)
TIPS = [8, 12, 16, 20]


def drawn(sign: str, side: str = "right", seed: int = 0, **others) -> DrawnHand:
    rng = np.random.default_rng(seed)
    return draw_hand(sign, side=side, skin_bgr=SKIN, sleeve_bgr=SLEEVE, px_per_mm=1.0, rng=rng, **others)


@pytest.mark.parametrize("sign", SIGNS)
def test_all_joints_lie_on_the_hand(sign: str) -> None:
    hand = drawn(sign)
    assert hand.image_bgra.dtype == np.uint8
    assert hand.joints.shape == (21, 3)
    x, y = np.rint(hand.joints[:, :2]).astype(int).T
    assert (hand.image_bgra[y, x, 3] > 100).all()


@pytest.mark.parametrize("sign", SIGNS)
def test_colours_are_multiplied_by_alpha(sign: str) -> None:
    image = drawn(sign).image_bgra.astype(int)
    assert (image[image[..., 3] == 0] == 0).all()
    rim = (image[..., 3] > 0) & (image[..., 3] < 128)
    assert image[rim][:, :3].max() < 160


def test_a_left_hand_is_a_flipped_right_hand() -> None:
    right, left = drawn("open"), drawn("open", "left")
    assert right.joints[4, 0] > right.joints[20, 0]  # palm to the camera: the thumb is on the picture's right
    assert left.joints[4, 0] < left.joints[20, 0]
    from_wrist = [hand.joints - hand.joints[0] for hand in (right, left)]
    np.testing.assert_allclose(from_wrist[0] * [-1, 1, 1], from_wrist[1], atol=0.01)


def test_each_sign_stretches_the_right_fingers() -> None:
    def stretched(sign: str) -> list[bool]:
        joints = drawn(sign).joints
        reach = np.linalg.norm(joints[TIPS] - joints[0], axis=1) / np.linalg.norm(joints[9] - joints[0])
        return (reach > 1.45).tolist()

    assert stretched("open") == [True] * 4
    assert stretched("S") == [False] * 4
    assert stretched("V") == [True, True, False, False]
    assert stretched("I") == [False, False, False, True]


def test_near_joints_have_a_smaller_z() -> None:
    hand = drawn("S")
    assert hand.joints[6, 2] < hand.joints[5, 2] - 20  # a fist's fingers point at the camera before they fold


def test_the_same_seed_draws_the_same_hand() -> None:
    np.testing.assert_array_equal(drawn("V", seed=3).image_bgra, drawn("V", seed=3).image_bgra)
    assert np.abs(drawn("V", seed=3).joints[8] - drawn("V", seed=4).joints[8]).max() > 0.5


def test_the_skin_has_the_requested_tone() -> None:
    def brightness(skin: tuple[int, int, int]) -> float:
        hand = draw_hand(
            "open", side="right", skin_bgr=skin, sleeve_bgr=SLEEVE, px_per_mm=1.0, rng=np.random.default_rng(0)
        )
        return float(hand.image_bgra[hand.image_bgra[..., 3] == 255][:, :3].mean())

    assert brightness((48, 70, 108)) + 15 < brightness((96, 130, 186)) < brightness((150, 182, 226)) - 15


def test_the_arm_has_the_requested_length() -> None:
    short, long = drawn("open", arm_mm=40), drawn("open", arm_mm=240)
    assert short.image_bgra.shape[0] + 150 < long.image_bgra.shape[0]
