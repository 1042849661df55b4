"""What the network that verifies characters learns from, and the network.

It learns of what the finder proposes in drawn rooms: characters, and all that the finder takes for one.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.regions.characters import NETWORKS, CharacterNetwork
from recognizer.regions.digits import DigitFinder
from recognizer.regions.ink import PATCH, STEPS
from recognizer.regions.verifier import Corners, halves, views
from recognizer.values import Box, Frame
from training import rooms
from training.characters import separable

if TYPE_CHECKING:
    import keras

MIN_SCORE = 0.04  # of a proposal: less than live
EACH = 8  # proposals of a scene that show characters, and as many of those that do not
RIM = 0.08  # of a box's longer side, by which boxes are compared
MATCH_IOU, MISS_IOU = 0.5, 0.3  # a box that covers a character this well shows it; one below shows a part, or none
ASIDE = 2  # pixels by which views to learn from are moved, at most


class Proposals:
    """What may be characters in pictures: by the network that finds them, and by contrast."""

    def __init__(self) -> None:
        self._characters = CharacterNetwork(NETWORKS / "characters.tflite")
        self._by_contrast = DigitFinder()

    def of(self, picture_bgr: np.ndarray) -> list[Corners]:
        """Boxes in a picture (H, W, 3) uint8."""
        found = [one.box_xyxy for one in self._characters.find(picture_bgr, MIN_SCORE)]
        for region in self._by_contrast.find(Frame(picture_bgr, 0, 0.0, "drawn")):
            x1, y1, x2, y2 = region.box.xyxy
            found.append((float(x1), float(y1), float(x2), float(y2)))
        return found


def cut(scene: rooms.Scene, proposed: list[Corners], rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Views (PATCH, PATCH, 6) int8 of some proposals, and whether they show a character: (1,) uint8, 0 or 1."""
    shown = [(box, shows_character(box, scene.written)) for box in proposed]
    found, pyramid = [], halves(scene.picture_bgr)
    for wanted in (True, False):
        boxes = [box for box, shows in shown if shows is wanted]
        chosen = rng.permutation(len(boxes))[:EACH]
        found += [(views(pyramid, boxes[index]), np.array([wanted], np.uint8)) for index in chosen]
    return found


def shows_character(box: Corners, written: tuple[rooms.Written, ...]) -> bool | None:
    """Whether a box of a scene shows a character; None where that is not clear."""
    ious = overlaps(Box(*(round(side) for side in box)), written)
    best = max(ious, default=0.0)
    if best < MISS_IOU:
        doubtful = any(iou > 0.02 and one.in_doubt for iou, one in zip(ious, written, strict=True))
        return None if doubtful else False
    if best < MATCH_IOU or written[ious.index(best)].in_doubt:
        return None
    return True


def overlaps(box: Box, written: tuple[rooms.Written, ...]) -> list[float]:
    """Intersection over union of a box with each character, all a little grown."""
    proposed = grown(box)
    return [proposed.iou(grown(rooms.box_of(one))) for one in written]


def grown(box: Box) -> Box:
    """A little larger: the boxes of a thin 1 that is found a pixel aside hardly overlap."""
    rim = max(1, round(RIM * max(box.width, box.height)))
    return Box(box.x1 - rim, box.y1 - rim, box.x2 + rim, box.y2 + rim)


def network() -> "keras.Model":
    """(PATCH, PATCH, 6) normalised pixels to the logit of a character, (1,)."""
    import keras
    from keras import layers

    def seen_from(x: Any) -> Any:
        x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = separable(separable(x, 32), 48, stride=2)
        x = separable(layers.Add()([x, separable(x, 48)]), 80, stride=2)
        x = layers.Add()([x, separable(x, 80)])
        return layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])

    pixels = keras.Input((PATCH, PATCH, 6))
    both = layers.Concatenate()([seen_from(pixels[..., :3]), seen_from(pixels[..., 3:])])
    both = layers.Dropout(0.2)(layers.Dense(64, activation="relu")(both))
    return keras.Model(pixels, layers.Dense(1)(both))


def loss(target: Any, found: Any) -> Any:
    import tensorflow as tf

    return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(target, tf.float32), found)[..., 0]


def varied(shown: Any, wanted: Any) -> tuple[Any, Any]:
    """Views to learn from in other light and colours, a little aside."""
    import tensorflow as tf

    shown = seen(shown) * tf.exp(tf.random.uniform([1, 1, 6], -0.15, 0.15)) + tf.random.uniform([1, 1, 6], -0.2, 0.2)
    shown = tf.pad(shown, [[ASIDE, ASIDE], [ASIDE, ASIDE], [0, 0]], "SYMMETRIC")
    return tf.image.random_crop(shown, [PATCH, PATCH, 6]), wanted


def seen(shown: Any) -> Any:
    """Steps as the network takes them."""
    import tensorflow as tf

    return tf.cast(shown, tf.float32) / STEPS
