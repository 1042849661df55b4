"""Rendered hands of several people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.values import Box, Hand, Region
from training.datasets import hand_photographs
from training.datasets.dataset import Images
from training.datasets.hand_photographs import LABELS, Hands
from training.shipped import sign_data

PEOPLE = ["anna", "ben", "cleo"]
TRAINED = PEOPLE[:2]  # the people of the training data: each is left out once
EACH = 8  # pictures of each sign and person


def posed(sign: str, rng: np.random.Generator) -> np.ndarray:
    """Landmarks (21, 3) float32 in pixels, with noise: the fingers of the sign are straight, the others bent."""
    straight = {"rock": (), "paper": (0, 1, 2, 3, 4), "scissors": (1, 2)}[sign]
    points = np.zeros((21, 3), np.float32)
    for finger in range(5):
        angle = np.radians(-150 + 30 * finger)
        for step in range(4):
            reach = 80 + (30 * step if finger in straight else 20 * min(step, 1) - 15 * max(0, step - 1))
            points[1 + 4 * finger + step] = reach * np.cos(angle), reach * np.sin(angle), -6 * step
    return points + rng.normal(0, 2, points.shape).astype(np.float32)


def drawn_region(sign: str, rng: np.random.Generator, side: int = 40) -> Region:
    """A square in the shade of grey of the sign, with the landmarks in the picture and in its mirror image."""
    crop = np.full((side, side, 3), 60 + 60 * LABELS["rps"].index(sign), np.uint8)
    plain, mirrored = (Hand((posed(sign, rng) + 200).astype(np.float32), "right", 0.9) for _ in range(2))
    return Region(Box(0, 0, side, side), crop, hand=plain, mirrored_hand=mirrored)


def drawn_hands(people: Sequence[str] = PEOPLE) -> Hands:
    """Hands of people who each make all signs, and two empty pictures.

    The sign determines both the appearance features and the pose.
    """
    rng = np.random.default_rng(0)
    parts = []
    for person in people:
        for sign in [sign for sign in LABELS["rps"] for _ in range(EACH)]:
            hand = hand_photographs.hands_of_region(drawn_region(sign, rng), sign, person, None, rng)
            hand.appearance_features[..., LABELS["rps"].index(sign)] = 1
            parts.append(hand)
    parts += [hand_photographs.hands_of_region(None, "", "room", None, rng) for _ in range(2)]
    return hand_photographs.concatenate(parts)


def drawn_sign_data(runs: Path, people: Sequence[str] = PEOPLE) -> sign_data.SignData:
    hands = drawn_hands(people)
    empty = hands.sources == "room"
    classes = hand_photographs.classes("rps", "rps", hands.labels)
    runs.mkdir(parents=True, exist_ok=True)
    return sign_data.SignData("rps", hands, classes, ~empty, empty, runs, 0)


def drawn_sign_mnist() -> Images:
    """Grey squares that replace Sign Language MNIST, with the labels rock, paper, scissors."""
    images = np.repeat(np.array([60, 120, 180], np.uint8), 40)[:, None, None] * np.ones((28, 28), np.uint8)
    labels = np.repeat(np.arange(3), 40).astype(np.int64)
    return Images(images, labels, images, labels, "", "")


# A few large batches: with these, compiling the networks into graphs takes longer than running them eagerly.
QUICK = {"POSE_ROUNDS": 4, "POSE_COPIES": 10, "PIXEL_EPOCHS": 1, "MIXED_EPOCHS": 1, "FUSED_ROUNDS": 3, "MEMBERS": 2,
         "BATCH": 1024, "FUSED_BATCH": 1024}  # fmt: skip
