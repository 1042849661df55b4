"""The verifier network: training views, targets, network and loss.

It is trained on the finder's proposals in synthetic rooms: true characters and false positives.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.finders.characters import NETWORKS, WORK_SIDES, CharacterNetwork
from recognizer.finders.contrast import DigitFinder
from recognizer.finders.ink import PATCH, STEPS, Corners
from recognizer.finders.verifier import (
    CLOSE_UP_SHARE,
    OTHER,
    OUTPUTS,
    Verification,
    VerifierNetwork,
    image_pyramid,
    verifier_input,
)
from recognizer.studio.handwriting import LETTERS_LIKE_DIGITS
from recognizer.values import Box, Frame
from training.datasets import rooms
from training.finders.characters import separable

if TYPE_CHECKING:
    import keras

MIN_SCORE = 0.04  # of a proposal; lower than that of the live finder
MAX_BOXES = 10  # limit per scene, for boxes with a character and for boxes without one
LEAST_WEIGHT = 0.1  # sampling weight of a box without error; the network's error is added
RIM = 0.08  # of a box's longer side, added to boxes before the IoU
MATCH_IOU, MISS_IOU = 0.5, 0.3  # a box shows a character from MATCH_IOU on; below MISS_IOU it shows none, or a part
UNCLEAR = -1  # ignored in the loss
DIGIT_LIKE = frozenset((*LETTERS_LIKE_DIGITS, "circle"))
JITTER = 0.07  # standard deviation of the random shift of each side of a box, relative to its longer side
ASIDE = 2  # largest random shift of a training view, pixels


class Proposals:
    """Proposals of character boxes, from the detector network and from contrast."""

    def __init__(self) -> None:
        self._characters = [CharacterNetwork(NETWORKS / "characters.tflite", side) for side in WORK_SIDES]
        self._by_contrast = DigitFinder()

    def of(self, picture_bgr: np.ndarray) -> list[Corners]:
        """Proposed boxes in a picture (H, W, 3) uint8 BGR, in pixels."""
        found = [one.box_xyxy for network in self._characters for one in network.find(picture_bgr, MIN_SCORE)]
        for region in self._by_contrast.find(Frame(picture_bgr, 0, 0.0, "drawn")):
            x1, y1, x2, y2 = region.box.xyxy
            found.append((float(x1), float(y1), float(x2), float(y2)))
        return found


def training_crop(
    scene: rooms.Scene, proposed: list[Corners], previous: VerifierNetwork | None, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Views (PATCH, PATCH, 6) int8 of some boxes of a scene, each with its target (6,) float32 as in `target_of`.

    Hard example mining: boxes on which the `previous` network, if there is one, makes errors are sampled more often.
    """
    boxes = [*proposed, *_jittered_boxes(scene.written, rng)]
    targets = [target_of(box, scene.written) for box in boxes]
    weights = np.full(len(boxes), LEAST_WEIGHT)
    if previous:
        weights += _errors(previous.verify(scene.picture_bgr, boxes), targets)
    pairs, pyramid = [], image_pyramid(scene.picture_bgr)
    for shows, count in ((1, MAX_BOXES), (0, MAX_BOXES), (UNCLEAR, MAX_BOXES // 4)):
        rows = np.flatnonzero([one[0] == shows for one in targets])
        if rows.size:
            shares = weights[rows] / weights[rows].sum()
            chosen = rng.choice(rows, min(count, rows.size), replace=False, p=shares)
            pairs += [(verifier_input(pyramid, boxes[index]), targets[index]) for index in chosen]
    return pairs


def _errors(found: Verification, targets: list[np.ndarray]) -> np.ndarray:
    """Error of a network on boxes, (N,), 0 to 2: that of the character score plus that of the class."""
    is_character, classes = np.array(targets).reshape(-1, 6)[:, :2].T
    missed = np.where(is_character == UNCLEAR, 0, np.abs(found.scores - is_character))
    misread = 1 - found.digit_probabilities[np.arange(len(classes)), np.maximum(classes, 0).astype(int)]
    return np.asarray(missed + np.where(classes == UNCLEAR, 0, misread))


def _jittered_boxes(written: tuple[rooms.Written, ...], rng: np.random.Generator) -> list[Corners]:
    """The true boxes with random errors like those of proposals, so that characters without a proposal are included."""
    found = []
    for one in written:
        x1, y1, x2, y2 = one.box_xyxy
        shift = rng.normal(0, JITTER * max(x2 - x1, y2 - y1), 4)
        found.append((x1 + shift[0], y1 + shift[1], x2 + shift[2], y2 + shift[3]))
    return found


def target_of(box: Corners, written: tuple[rooms.Written, ...]) -> np.ndarray:
    """Training target of a box, (6,) float32.

    [0] whether it shows a character: 1, 0 or UNCLEAR. [1] its class: 0 to 9, OTHER or UNCLEAR. [2:] offsets from the box's
    sides to the character's, right and down positive, in units of the box's longer side; 0 without a character.
    """
    ious = ious_with(Box(*(round(side) for side in box)), written)
    best = max(ious, default=0.0)
    found = np.zeros(6, np.float32)
    found[:2] = UNCLEAR
    if best < MISS_IOU:
        if not any(iou > 0.02 and one.ambiguous for iou, one in zip(ious, written, strict=True)):
            found[0] = 0
        return found
    one = written[ious.index(best)]
    if one.ambiguous:
        return found
    longer = max(box[2] - box[0], box[3] - box[1])
    found[2:] = np.clip((np.array(one.box_xyxy) - box) / longer, -1, 1)
    if best >= MATCH_IOU:
        found[:2] = 1, class_of(one)
    return found


def class_of(one: rooms.Written) -> int:
    """0 to 9, OTHER, or UNCLEAR for characters that are struck through and letters that look like digits."""
    if one.label is not None:
        return int(one.label)
    return UNCLEAR if one.character.isdigit() or one.character in DIGIT_LIKE else OTHER


def ious_with(box: Box, written: tuple[rooms.Written, ...]) -> list[float]:
    """Intersection over union of a box with each character, both expanded."""
    proposed = expanded(box)
    return [proposed.iou(expanded(rooms.box_of(one))) for one in written]


def expanded(box: Box) -> Box:
    """The box grown by RIM, because two boxes of a thin 1 one pixel apart hardly overlap."""
    rim = max(1, round(RIM * max(box.width, box.height)))
    return Box(box.x1 - rim, box.y1 - rim, box.x2 + rim, box.y2 + rim)


def network() -> "keras.Model":
    """Network from normalised pixels (PATCH, PATCH, 6) to (16,).

    The logit of a character, the logits of 0 to 9 and OTHER, and the offsets of the four sides of the box.
    """
    import keras
    from keras import layers

    def encode(x: Any, channels: tuple[int, int, int]) -> Any:
        x = layers.Conv2D(channels[0] // 2, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = separable(separable(x, channels[0]), channels[1], stride=2)
        x = layers.Add()([x, separable(x, channels[1])])
        x = separable(layers.Add()([x, separable(x, channels[1])]), channels[2], stride=2)
        return layers.Add()([x, separable(x, channels[2])])

    pixels = keras.Input((PATCH, PATCH, 6))
    near = separable(encode(pixels[..., :3], (40, 64, 96)), 96, stride=2)
    far = encode(pixels[..., 3:], (32, 48, 80))
    pooled = [layers.GlobalAveragePooling2D()(far), layers.GlobalMaxPooling2D()(far)]
    features = layers.Concatenate()([layers.Flatten()(near), *pooled])
    features = layers.Dropout(0.2)(layers.Dense(128, activation="relu")(features))
    return keras.Model(pixels, layers.Dense(OUTPUTS)(features))


def loss(target: Any, found: Any) -> Any:
    """Cross entropy of the character score and of the class, plus the absolute error of the box."""
    import tensorflow as tf

    target = tf.cast(target, tf.float32)
    is_clear = tf.cast(target[:, 0] > UNCLEAR, tf.float32)
    score = is_clear * tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(target[:, 0], 0), found[:, 0])
    has_class = tf.cast(target[:, 1] > UNCLEAR, tf.float32)
    one_hot = tf.one_hot(tf.cast(tf.maximum(target[:, 1], 0), tf.int32), OTHER + 1)
    label = has_class * tf.nn.softmax_cross_entropy_with_logits(one_hot, found[:, 1 : OTHER + 2])
    has_box = tf.cast(tf.reduce_any(target[:, 2:] != 0, axis=1), tf.float32)
    box = has_box * tf.reduce_sum(tf.abs(target[:, 2:] - found[:, OTHER + 2 :]), axis=1)
    return score + 0.5 * label + box


def augmented(shown: Any, target: Any) -> tuple[Any, Any]:
    """Augment views and their target: brightness, colour, and a shift of the near view.

    Some views are rotated or flipped, because people hold sheets that way. These train the character score, not the class.
    """
    import tensorflow as tf

    shown = normalised(shown) * tf.exp(tf.random.uniform([1, 1, 6], -0.15, 0.15)) + tf.random.uniform(
        [1, 1, 6], -0.2, 0.2
    )
    near = tf.pad(shown[..., :3], [[ASIDE, ASIDE], [ASIDE, ASIDE], [0, 0]], "SYMMETRIC")
    start = tf.random.uniform([2], 0, 2 * ASIDE + 1, tf.int32)
    near = tf.slice(near, tf.concat([start, [0]], 0), [PATCH, PATCH, 3])
    box = target[2:] - tf.tile(tf.cast(start[::-1] - ASIDE, tf.float32) / (CLOSE_UP_SHARE * PATCH), [2])
    box = tf.where(tf.reduce_any(target[2:] != 0), box, target[2:])
    shown = tf.concat([near, shown[..., 3:]], axis=-1)
    draw, transpose = tf.random.uniform([]), tf.random.uniform([]) < 0.3
    flip_x, flip_y = draw < 0.1, (draw > 0.05) & (draw < 0.15)
    transpose = (
        transpose & (flip_x | flip_y) & (target[1] >= 0) & (target[1] != 1)
    )  # a 1 that lies on its side is any line
    shown = tf.where(flip_x, shown[:, ::-1], shown)
    box = tf.where(flip_x, -tf.gather(box, [2, 1, 0, 3]) * [1.0, -1.0, 1.0, -1.0], box)
    shown = tf.where(flip_y, shown[::-1], shown)
    box = tf.where(flip_y, -tf.gather(box, [0, 3, 2, 1]) * [-1.0, 1.0, -1.0, 1.0], box)
    shown = tf.where(transpose, tf.transpose(shown, [1, 0, 2]), shown)
    box = tf.where(transpose, tf.gather(box, [1, 0, 3, 2]), box)
    label = tf.where(flip_x | flip_y, float(UNCLEAR), target[1])
    return shown, tf.concat([target[:1], label[None], box], axis=0)


def normalised(shown: Any) -> Any:
    """Scale int8 pixels of views to the network's input range."""
    import tensorflow as tf

    return tf.cast(shown, tf.float32) / STEPS
