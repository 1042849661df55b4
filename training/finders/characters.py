"""The character detector: training crops, targets, network and loss.

An anchor-free detector (FCOS, Tian et al. 2019). For each cell of CELL pixels it predicts whether a character has its
centre there, the distances to the sides of its box, and whether its ink is light. It detects characters of SIZES pixels;
an image pyramid covers larger ones.
"""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from recognizer.finders.characters import BOX_UNIT, CELL, DARK, EDGE, LEVELS, SIZES, TONE_MEAN, TONE_SPREAD, level_size
from training.datasets import rooms

if TYPE_CHECKING:
    import keras

SIDE = 160  # pixels of a training crop
DOUBTFUL = 1.35  # characters up to this factor beyond SIZES are ignored in the loss
MIDDLE = 0.2  # cells up to this share of a box's size from its centre have a positive target
VALUES = 6  # per cell: score (1, 0, or -1 to ignore it), left, top, right, bottom, light
LEVEL_SHARES = (
    0.4,
    0.25,
    0.15,
    0.1,
    0.06,
    0.04,
)  # probability of each pyramid level for crops without a character in the centre


def training_crop(scene: rooms.Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A crop (SIDE, SIDE, 3) uint8 BGR of the scene at a pyramid level, and its target as in `target_of`.

    Three in four crops contain a character that is chosen at random.
    """
    height, width = scene.picture_bgr.shape[:2]
    clear = [one for one in scene.written if not one.ambiguous]
    level, middle = int(rng.choice(LEVELS, p=LEVEL_SHARES)), None
    if clear and rng.random() < 0.75:
        one = clear[rng.integers(len(clear))]
        x1, y1, x2, y2 = one.box_xyxy
        size = max(x2 - x1, y2 - y1)
        fits = [number for number in range(LEVELS) if SIZES[0] <= size / 2**number < SIZES[1]]
        if fits:
            level = fits[rng.integers(len(fits))]
            middle = np.array([x1 + x2, y1 + y2]) / 2
    wh = level_size((width, height), level)
    scale = np.array(wh) / (width, height)
    small = cv2.resize(scene.picture_bgr, wh, interpolation=cv2.INTER_AREA) if level else scene.picture_bgr
    if middle is None:
        middle = rng.uniform(0, 1, 2) * (width, height)
    start = np.rint(middle * scale - rng.uniform(0.1, 0.9, 2) * SIDE).astype(int)
    start = np.clip(start, -EDGE, np.maximum(-EDGE, np.array(wh) - SIDE + EDGE))
    before, after = np.maximum(0, -start), np.maximum(0, start + SIDE - wh)
    crop = small[max(0, start[1]) : start[1] + SIDE, max(0, start[0]) : start[0] + SIDE]
    padding = np.minimum(before, EDGE), np.minimum(after, EDGE)
    crop = cv2.copyMakeBorder(crop, padding[0][1], padding[1][1], padding[0][0], padding[1][0], cv2.BORDER_REPLICATE)
    rest = SIDE - np.array(crop.shape[1::-1])  # the finder pads by repeating the edge; the rest stays empty
    crop = cv2.copyMakeBorder(crop, 0, rest[1], 0, rest[0], cv2.BORDER_CONSTANT)
    boxes = np.array([one.box_xyxy for one in scene.written]).reshape(-1, 2, 2) * scale - start
    return crop, target_of(
        boxes.reshape(-1, 4), [one.ambiguous for one in scene.written], [one.light for one in scene.written]
    )


def target_of(boxes: np.ndarray, ambiguous: list[bool], light: list[bool]) -> np.ndarray:
    """Target (SIDE // CELL, SIDE // CELL, VALUES) of the cells, for boxes (N, 4) in pixels of the crop."""
    cells = SIDE // CELL
    target = np.zeros((cells, cells, VALUES), np.float32)
    centres = (np.arange(cells) + 0.5) * CELL
    best = np.full((cells, cells), np.inf)
    for (x1, y1, x2, y2), is_ambiguous, is_light in zip(boxes, ambiguous, light, strict=True):
        size = max(x2 - x1, y2 - y1)
        if not SIZES[0] / DOUBTFUL <= size < SIZES[1] * DOUBTFUL:
            continue
        half = np.maximum(np.array([x2 - x1, y2 - y1]) * MIDDLE, 0.52 * CELL)
        distance_x, distance_y = np.abs(centres - (x1 + x2) / 2), np.abs(centres - (y1 + y2) / 2)
        near = (distance_x <= half[0])[None, :] & (distance_y <= half[1])[:, None]
        inside = (distance_x <= (x2 - x1) / 2)[None, :] & (distance_y <= (y2 - y1) / 2)[:, None]
        if is_ambiguous or not SIZES[0] <= size < SIZES[1]:
            target[..., 0] = np.where((near | inside) & (target[..., 0] == 0), -1, target[..., 0])
            continue
        ring = (distance_x <= half[0] + CELL)[None, :] & (distance_y <= half[1] + CELL)[:, None] & inside & ~near
        target[..., 0] = np.where(ring & (target[..., 0] == 0), -1, target[..., 0])
        distance = distance_x[None, :] ** 2 + distance_y[:, None] ** 2
        cells_of_box = near & (distance < best)
        best[cells_of_box] = distance[cells_of_box]
        target[cells_of_box, 0] = 1
        sides = np.stack(
            np.broadcast_arrays(
                (centres - x1)[None, :], (centres - y1)[:, None], (x2 - centres)[None, :], (y2 - centres)[:, None]
            ),
            axis=-1,
        )
        target[cells_of_box, 1:5] = sides[cells_of_box] / BOX_UNIT
        target[cells_of_box, 5] = is_light
    return target


def separable(x: Any, channels: int, stride: int = 1, dilation: int = 1) -> Any:
    """A depthwise separable convolution (Howard et al. 2017)."""
    from keras import layers

    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", dilation_rate=dilation, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def network() -> "keras.Model":
    """Network from (H, W, 3) to (H // CELL, W // CELL, VALUES): logits of score and light, box distances in BOX_UNIT."""
    import keras
    from keras import layers

    pixels = keras.Input((None, None, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(pixels)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    fine = separable(separable(x, 32, stride=2), 32)
    wide = separable(fine, 80, stride=2)
    for dilation in (1, 2, 4, 1, 2):  # the receptive field covers several character heights
        wide = layers.Add()([wide, separable(wide, 80, dilation=dilation)])
    wide = layers.UpSampling2D(2)(layers.Conv2D(32, 1)(wide))
    x = separable(layers.Add()([fine, wide]), 32)
    scores = layers.Conv2D(2, 1, bias_initializer=keras.initializers.Constant(-4.0))(x)
    sides = layers.Activation("softplus")(layers.Conv2D(4, 1)(x))
    return keras.Model(pixels, layers.Concatenate()([scores[..., :1], sides, scores[..., 1:]]))


def loss(target: Any, found: Any) -> Any:
    """Focal loss of the scores (Lin et al. 2017), IoU loss of the boxes (Yu et al. 2016), cross entropy of light."""
    import tensorflow as tf

    target = tf.cast(target, tf.float32)
    is_positive = tf.cast(target[..., 0] > 0.5, tf.float32)
    is_used = tf.cast(target[..., 0] > -0.5, tf.float32)
    error = tf.abs(is_positive - tf.sigmoid(found[..., 0]))
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(is_positive, found[..., 0])
    score = is_used * (0.4 * is_positive + 0.6 * (1 - is_positive)) * error**2 * cross_entropy
    predicted, expected = (
        found[..., 1:5],
        tf.maximum(target[..., 1:5], 0.0),
    )  # a thin stroke may miss the centre of its cell
    least = tf.minimum(predicted, expected)
    overlap = (least[..., 0] + least[..., 2]) * (least[..., 1] + least[..., 3])
    areas = [(one[..., 0] + one[..., 2]) * (one[..., 1] + one[..., 3]) for one in (predicted, expected)]
    box = is_positive * -tf.math.log((overlap + 0.05) / (areas[0] + areas[1] - overlap + 0.05))
    light = is_positive * tf.nn.sigmoid_cross_entropy_with_logits(target[..., 5], found[..., 5])
    # normalised per image: one large digit weighs as much as a page of small ones
    number = tf.reduce_sum(is_positive, axis=(1, 2)) + 1.0
    return tf.reduce_sum(4 * score + box + 0.2 * light, axis=(1, 2)) / number


def augmented(picture: Any, target: Any) -> tuple[Any, Any]:
    """Augment a crop and its target: brightness, flips."""
    import tensorflow as tf

    picture = tf.cast(picture, tf.float32)
    gain = tf.exp(tf.random.uniform([1, 1, 3], -0.12, 0.12) + tf.random.uniform([], -0.5, 0.35))
    picture = tf.clip_by_value((picture + tf.random.uniform([], -6, 6)) * gain, 0, 255)
    flip_x, flip_y = tf.random.uniform([]) < 0.5, tf.random.uniform([]) < 0.2
    picture = tf.cond(flip_x, lambda: picture[:, ::-1], lambda: picture)
    target = tf.cond(flip_x, lambda: tf.gather(target[:, ::-1], [0, 3, 2, 1, 4, 5], axis=-1), lambda: target)
    picture = tf.cond(flip_y, lambda: picture[::-1], lambda: picture)
    target = tf.cond(flip_y, lambda: tf.gather(target[::-1], [0, 1, 4, 3, 2, 5], axis=-1), lambda: target)
    return normalised(picture), target


def normalised(picture: Any) -> Any:
    """Scale pixel values, 0 to 255, to the network's input, with TONE_MEAN and TONE_SPREAD of the live finder."""
    import tensorflow as tf

    return (tf.math.log(tf.cast(picture, tf.float32) + DARK) - TONE_MEAN) / TONE_SPREAD
