"""From a movement to its features. Pure functions, which training and the live loop share.

The features do not depend on the hands' place and size in the frame, on which hand moves, on the tempo and the rate of the
frames, and hardly on how long the hands rest before and after the movement.
"""

import numpy as np

from recognizer.motion.movement import LEFT, Movement, mirrored, resampled
from recognizer.preprocess import pose

VERSION = "hand-motion-1"  # written into each model's card; change it whenever a feature changes

STEPS = 16  # of the movement at which the hands are described
FINE_STEPS = 64  # of the movement before its resting ends are cut off
SMOOTHING_S = 0.03  # standard deviation of the Gaussian that removes the networks' jitter
RESTING = 0.12  # share of the highest speed below which the hands rest at the beginning and the end
MIN_RADIUS = 0.3  # palm lengths: a shorter path is not enlarged, since its form is mostly jitter
MAX_PALMS = 8.0  # palm lengths: places are clipped to this
PALM = [0, 5, 9, 13, 17]  # joints of the wrist and the roots of the fingers: the palm
TIPS, ROOTS = [4, 8, 12, 16, 20], [1, 5, 9, 13, 17]
NUMBERS = 8  # features of the whole movement

# Slices of the features, in order
BLOCKS: dict[str, slice] = {}
for _name, _size in (
    ("path", 2 * STEPS),  # x, y of the palm, its mean 0 and its root mean square 1
    ("turn", 3 * STEPS),  # the palm's direction (x, y) and how much its front shows
    ("bend", 5 * STEPS),  # how straight each finger is, 0 to 1
    ("shape", 60),  # joints in the palm's axes, the mean over the movement
    ("other_place", 2 * STEPS),  # x, y of the other palm from the main one, in palm lengths; 0 without it
    ("other_turn", 3 * STEPS),
    ("other_bend", 5),
    (
        "whole",
        NUMBERS,
    ),  # logarithms of size, duration, length and speed, displacement, area, whether there are two hands
):
    _start = max((block.stop for block in BLOCKS.values()), default=0)
    BLOCKS[_name] = slice(_start, _start + _size)
SIZE = BLOCKS["whole"].stop
# Features that change their sign with the left and right of the picture: x of path and directions, displacement and area
_ACROSS = np.concatenate(
    [
        np.arange(BLOCKS["path"].start, BLOCKS["path"].stop, 2),
        np.arange(BLOCKS["turn"].start, BLOCKS["turn"].stop, 3),
        np.arange(BLOCKS["other_place"].start, BLOCKS["other_place"].stop, 2),
        np.arange(BLOCKS["other_turn"].start, BLOCKS["other_turn"].stop, 3),
        BLOCKS["whole"].start + np.array([4, 6]),
    ]
)


def movement_features(movement: Movement) -> np.ndarray:
    """The features (SIZE,) float32 of a movement. All are finite.

    A left main hand has the features of its mirror image.
    """
    if movement.sides[0] == LEFT:
        movement = mirrored(movement)
    hands = _smoothed(resampled(movement, FINE_STEPS), movement.duration_s)
    palm_px = _palm_length(hands[:, 0])
    hands = hands / max(palm_px, 1e-6)
    with_other = movement.has_two_hands and bool(np.isfinite(hands).all())
    step_s = movement.duration_s / (FINE_STEPS - 1)
    moved = _travel(hands if with_other else hands[:, :1])
    first, last = _active(moved)
    places = _even_places(moved, first, last)
    main, other = (_at(hands[:, hand], places) for hand in (0, 1))

    path = main[:, PALM, :2].mean(axis=1)
    centred = path - path.mean(axis=0)
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    form = centred / max(radius, MIN_RADIUS)
    parts = [form, turns(main), bends(main), _shape(main)]
    if with_other:
        apart = other[:, PALM, :2].mean(axis=1) - path
        parts += [np.clip(apart, -MAX_PALMS, MAX_PALMS), turns(other), bends(other).mean(axis=0)]
    else:
        parts += [np.zeros(2 * STEPS + 3 * STEPS + 5)]
    duration_s = max((last - first) * step_s, 0.05)
    steps = np.diff(form, axis=0)
    length = float(np.linalg.norm(steps, axis=1).sum())
    area = float((form[:-1, 0] * steps[:, 1] - form[:-1, 1] * steps[:, 0]).sum()) / 2
    speed = float(moved[first : last + 1].sum()) / duration_s
    whole = [np.log(radius + 0.05), np.log(duration_s), np.log(length + 0.1), np.log(speed + 0.05)]
    parts += [np.array([*whole, *(form[-1] - form[0]), area, float(with_other)])]
    return np.nan_to_num(np.concatenate([np.ravel(part) for part in parts])).astype(np.float32)


def reflected(features: np.ndarray) -> np.ndarray:
    """The features (..., SIZE) of the same hand on the mirror image of its path."""
    turned = features.copy()
    turned[..., _ACROSS] *= -1
    return turned


def turns(hand: np.ndarray) -> np.ndarray:
    """How a hand (N, 21, 3) is turned, (N, 3): its palm's direction in the picture, and how much of the palm's front shows.

    All are about -1 to 1. The direction is short where the hand points towards the camera.
    """
    along = hand[:, pose.MIDDLE_ROOT] - hand[:, pose.WRIST]
    index, little = (hand[:, root, :2] - hand[:, pose.WRIST, :2] for root in (pose.INDEX_ROOT, pose.LITTLE_ROOT))
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    front = (index[:, 0] * little[:, 1] - index[:, 1] * little[:, 0])[:, None] / length**2
    return np.concatenate([along[:, :2] / length, np.clip(1.5 * front, -2, 2)], axis=1)


def bends(hand: np.ndarray) -> np.ndarray:
    """How straight the five fingers of a hand (N, 21, 3) are, (N, 5): 1 straight, about 0.2 curled."""
    bones = np.linalg.norm(np.diff(hand[:, pose.FINGERS], axis=2), axis=3).sum(axis=2)
    return np.linalg.norm(hand[:, TIPS] - hand[:, ROOTS], axis=2) / np.maximum(bones, 1e-6)


def joint_speed(before: np.ndarray, after: np.ndarray, elapsed_s: float) -> float:
    """The speed of a hand between two frames, (21, 3) each in pixels: palm lengths per second, the mean of all joints."""
    palm_px = _palm_length(np.stack([before, after]))
    return float(np.linalg.norm(after[:, :2] - before[:, :2], axis=1).mean()) / max(palm_px * elapsed_s, 1e-6)


def _palm_length(hand: np.ndarray) -> float:
    """The length from the wrist to the fingers' roots of a hand (N, 21, 3), the median over its steps."""
    rays = hand[:, [pose.INDEX_ROOT, pose.MIDDLE_ROOT, pose.LITTLE_ROOT]] - hand[:, :1]
    return float(np.median(np.linalg.norm(rays, axis=2).mean(axis=1)))


def _smoothed(hands: np.ndarray, duration_s: float) -> np.ndarray:
    """Hands (FINE_STEPS, 2, 21, 3) after a Gaussian over time."""
    sigma = SMOOTHING_S * (FINE_STEPS - 1) / max(duration_s, 1e-3)
    reach = int(np.clip(np.ceil(2.5 * sigma), 1, FINE_STEPS // 2))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    padded = np.concatenate([hands[:1].repeat(reach, axis=0), hands, hands[-1:].repeat(reach, axis=0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return windows @ (weights / weights.sum())


def _travel(hands: np.ndarray) -> np.ndarray:
    """How far the joints of hands (N, hands, 21, 3) move up to each step, (N,): 0, then the mean over the joints."""
    moves = np.linalg.norm(np.diff(hands[..., :2], axis=0), axis=3).mean(axis=2).max(axis=1)
    return np.concatenate([[0.0], moves])


def _active(moved: np.ndarray) -> tuple[int, int]:
    """The first and the last step between which the hands do not rest."""
    high = float(np.quantile(moved, 0.9))
    active = np.flatnonzero(moved > RESTING * high)
    if high <= 0 or len(active) < 2:
        return 0, len(moved) - 1
    return max(int(active[0]) - 1, 0), max(int(active[-1]), int(active[0]) + 1)


def _even_places(moved: np.ndarray, first: int, last: int) -> np.ndarray:
    """STEPS places between two steps, (STEPS,), even both in time and in the way travelled: their mean is even.

    Time alone would shift what follows a short pause, and the way alone would pack all places into the fastest part.
    """
    way = np.cumsum(moved[first : last + 1])
    way = (way - way[0]) / max(way[-1] - way[0], 1e-9)
    progress = (way + np.linspace(0, 1, len(way))) / 2
    return first + np.interp(np.linspace(0, 1, STEPS), progress, np.arange(len(progress)))


def _at(hand: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A hand (N, 21, 3) at places between its steps."""
    before = np.minimum(places.astype(int), len(hand) - 2)
    share = (places - before)[:, None, None]
    return (1 - share) * hand[before] + share * hand[before + 1]


def _shape(hand: np.ndarray) -> np.ndarray:
    """The joints of a right hand (N, 21, 3) in its palm's axes, the mean over its steps: (60,) in palm lengths."""
    points = pose.normalised(hand, np.zeros(len(hand), bool))
    return (points[:, 1:] @ pose.palm_frame(points)).mean(axis=0).ravel()
