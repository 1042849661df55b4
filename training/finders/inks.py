"""The ink segmentation network: training patches, network and loss."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from recognizer.finders.ink import PATCH, STEPS, extract_patch, patch_matrix
from training.datasets import rooms
from training.datasets.sheets import log_uniform
from training.finders.characters import separable

if TYPE_CHECKING:
    import keras

BoxXyxy = tuple[float, float, float, float]
FINE = 4  # supersampling factor of the ground truth
ASIDE = 3  # largest random shift of a training patch, pixels
JITTER = 0.06  # standard deviation of the random shift of each side of a box, relative to its longer side


def training_crop(scene: rooms.Scene, one: rooms.Written, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A patch (PATCH, PATCH, 3) int8 around a character, randomly shifted, and its ink mask (PATCH, PATCH, 1) uint8."""
    box = np.array(one.box_xyxy)
    size = max(box[2] - box[0], box[3] - box[1])
    box += rng.normal(0, JITTER * size, 4)
    matrix = patch_matrix((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    patch = extract_patch(scene.picture_bgr, matrix)
    fine = np.diag([FINE, FINE, 1.0]) @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    fine = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ fine
    to_fine = fine @ np.vstack([matrix, [0, 0, 1]]) @ one.to_picture
    shrink = max(1.0, max(one.ink.shape) / (PATCH * FINE))
    ink = one.ink
    if shrink > 1:
        ink = cv2.resize(ink, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        to_fine = to_fine @ np.diag([one.ink.shape[1] / ink.shape[1], one.ink.shape[0] / ink.shape[0], 1.0])
    drawn = cv2.warpPerspective(ink, to_fine, (PATCH * FINE, PATCH * FINE), flags=cv2.INTER_LINEAR)
    return patch, cv2.resize(drawn, (PATCH, PATCH), interpolation=cv2.INTER_AREA)[..., None]


def background_crops(scene: rooms.Scene, rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Up to `count` patches without a character, with empty ink masks, shaped as in `training_crop`."""
    height, width = scene.picture_bgr.shape[:2]
    found = []
    for _ in range(count):
        size = log_uniform(rng, 8, 0.8 * height)
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        box = (x - size * 0.35, y - size / 2, x + size * 0.35, y + size / 2)
        if not any(_meet(one.box_xyxy, box) for one in scene.written):
            found.append((extract_patch(scene.picture_bgr, patch_matrix(box)), np.zeros((PATCH, PATCH, 1), np.uint8)))
    return found


def _meet(one: BoxXyxy, other: BoxXyxy) -> bool:
    """Whether two boxes overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def network() -> "keras.Model":
    """U-Net (Ronneberger et al. 2015) from normalised pixels (PATCH, PATCH, 3) to ink logits (PATCH, PATCH, 1)."""
    import keras
    from keras import layers

    def convolved(x, channels, stride=1):  # type: ignore[no-untyped-def]
        x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    pixels = keras.Input((PATCH, PATCH, 3))
    fine = convolved(pixels, 12)
    middle = separable(convolved(fine, 24, stride=2), 24)
    x = convolved(middle, 48, stride=2)
    coarse = convolved(x, 64, stride=2)
    for dilation in (1, 2):
        coarse = layers.Add()([coarse, separable(coarse, 64, dilation=dilation)])
    x = layers.Concatenate()([x, layers.UpSampling2D(2)(layers.Conv2D(48, 1)(coarse))])
    x = layers.Concatenate()([middle, layers.UpSampling2D(2)(separable(x, 32))])
    x = layers.Concatenate()([fine, layers.UpSampling2D(2)(separable(x, 20))])
    x = separable(x, 16)
    return keras.Model(pixels, layers.Conv2D(1, 3, padding="same")(x))


def loss(target: Any, found: Any) -> Any:
    """Cross entropy plus Dice loss (Milletari et al. 2016) of the ink."""
    import tensorflow as tf

    target = tf.cast(target, tf.float32) / 255
    cross_entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, found), axis=(1, 2, 3))
    ink = tf.sigmoid(found)
    overlap = tf.reduce_sum(ink * target, axis=(1, 2, 3))
    dice = 1 - (2 * overlap + 5) / (tf.reduce_sum(ink * ink + target * target, axis=(1, 2, 3)) + 5)
    return cross_entropy + 0.3 * dice


def augmented(patch: Any, ink: Any) -> tuple[Any, Any]:
    """Augment a patch and its ink: brightness, colour, shift, flip."""
    import tensorflow as tf

    patch = normalised(patch) * tf.exp(tf.random.uniform([1, 1, 3], -0.15, 0.15)) + tf.random.uniform(
        [1, 1, 3], -0.2, 0.2
    )
    both = tf.concat([patch, tf.cast(ink, tf.float32)], axis=-1)
    both = tf.pad(both, [[ASIDE, ASIDE], [ASIDE, ASIDE], [0, 0]], "SYMMETRIC")
    both = tf.image.random_crop(both, [PATCH, PATCH, 4])
    both = tf.cond(tf.random.uniform([]) < 0.5, lambda: both[:, ::-1], lambda: both)
    return both[..., :3], both[..., 3:]


def normalised(patch: Any) -> Any:
    """Scale int8 pixels of a patch to the network's input range."""
    import tensorflow as tf

    return tf.cast(patch, tf.float32) / STEPS
