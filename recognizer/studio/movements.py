"""Signs that move, as people perform them: scripts of keyframes, and the joints of the hands that follow them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.studio.drawn_hands import SIGNS, Sign, perspective, posed_joints, rotation
from recognizer.values import Hand

PALM_MM = 92.0  # from the wrist to the middle finger's root
ENTER_S = 0.45  # duration in which the hand comes into the picture or leaves it
TIMES = tuple[float, float]


@dataclass(frozen=True)
class Key:
    """Where a right hand is at one moment of a movement."""

    at: float  # share of the movement's duration, 0 to 1
    place: tuple[float, float]  # of the palm, in palm lengths from where the hand rests; x to the picture's right, y up
    turn: tuple[float, float, float] = (
        0.0,
        0.0,
        0.0,
    )  # yaw, pitch, roll in degrees; 0: upright, the palm to the camera
    sign: str = "open"  # a key of SIGNS


@dataclass(frozen=True)
class Script:
    """A movement of one hand or of both. A left hand makes its mirror image."""

    keys: tuple[Key, ...]
    other_keys: tuple[Key, ...] = ()  # of the other hand, in its own mirror image; () if it takes no part
    duration_s: float = 1.0  # at a middling tempo
    has_corners: bool = False  # the hand stops at each key and goes straight to the next; otherwise its path is round
    in_picture: bool = False  # the path has a direction in the picture, whichever hand makes it
    apart: float = 0.0  # of two hands: half of the distance between their places of rest, in palm lengths


def _swings(places: Sequence[float], roll_deg: float, sign: str) -> tuple[Key, ...]:
    """Keys of a hand that leans from side to side."""
    steps = len(places) - 1
    return tuple(Key(step / steps, (0.55 * x, 0.0), (0, 0, -roll_deg * x), sign) for step, x in enumerate(places))


def _claps(count: int) -> tuple[Key, ...]:
    """Keys of the right hand of somebody who claps: inwards and back."""
    keys = [Key(0, (0, 0), (55, 0, 0))]
    for number in range(count):
        keys += [Key((number + 0.5) / count, (1.05, 0.1), (72, 0, -8)), Key((number + 1) / count, (0, 0), (60, 0, 0))]
    return tuple(keys)


def _circle(turns: float) -> tuple[Key, ...]:
    steps = round(8 * turns)
    angles = np.linspace(0, 2 * np.pi * turns, steps + 1)
    return tuple(
        Key(step / steps, (float(np.sin(angle)), float(np.cos(angle)) - 1), (0, -18, 0), "point")
        for step, angle in enumerate(angles)
    )


def _swipe(direction: float) -> tuple[Key, ...]:
    """Keys of an open hand that swipes to the right of the picture (1) or to the left (-1)."""
    return (
        Key(0, (-1.5 * direction, 0), (0, 0, 0)),
        Key(0.5, (0, 0.25), (18 * direction, 0, -8 * direction)),
        Key(1, (1.6 * direction, 0), (30 * direction, 0, -14 * direction)),
    )


# Left and right are the person's, who sees the picture as in a mirror. Each movement has several scripts: people differ.
SCRIPTS: dict[str, tuple[Script, ...]] = {
    "J": (
        Script(
            (
                Key(0, (0, 0), (0, 0, 0), "I"),
                Key(0.4, (0.0, -0.75), (15, -5, 4), "I"),
                Key(0.7, (0.3, -1.0), (70, -5, -22), "I"),
                Key(1, (0.75, -0.65), (130, 0, -30), "I"),
            ),
        ),
        Script(
            (
                Key(0, (0, 0), (0, 0, 8), "I"),
                Key(0.45, (0.05, -0.5), (10, -5, -10), "I"),
                Key(0.75, (0.3, -0.75), (35, -5, -60), "I"),
                Key(1, (0.6, -0.5), (50, 0, -100), "I"),
            ),
        ),
    ),
    "Z": (
        Script(
            (
                Key(0, (0, 0), (0, -20, 0), "point"),
                Key(0.3, (-1.5, 0.05), (-6, -22, 10), "point"),
                Key(0.65, (0.05, -1.25), (4, -28, -8), "point"),
                Key(1, (-1.5, -1.3), (-6, -26, 8), "point"),
            ),
            duration_s=1.2,
            has_corners=True,
        ),
    ),
    "wave": (
        Script(_swings((0, 1, -1, 1, -1, 0), 24, "open"), duration_s=1.3),
        Script(_swings((0, 1, -1, 1, -1, 1, -1, 0), 20, "open"), duration_s=1.6),
    ),
    "swipe left": (Script(_swipe(1), duration_s=0.6, in_picture=True),),
    "swipe right": (Script(_swipe(-1), duration_s=0.6, in_picture=True),),
    "circle": (Script(_circle(1), duration_s=1.1), Script(_circle(1.25), duration_s=1.3)),
    "clap": (
        Script(_claps(2), _claps(2), duration_s=1.0, apart=1.15),
        Script(_claps(3), _claps(3), duration_s=1.3, apart=1.15),
    ),
}


@dataclass(frozen=True)
class Style:
    """How one person moves, and how the camera sees it."""

    side: str = "right"  # of the hand that makes the signs
    size: float = 1.0  # of the path
    aspect: float = 1.0  # width of the path by its height
    slant_deg: float = 0.0
    tempo: float = 1.0  # 2: twice as fast
    wrist: float = 1.0  # how much of the script's turns
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw, pitch, roll in degrees that are added to all turns
    fingers: tuple[float, ...] = (1.0,) * 5  # lengths of the fingers
    bends_deg: tuple[float, ...] = (0.0,) * 12  # added to the bends of the fingers' joints
    unsteady: float = 1.0  # how much one performance differs from the next
    depth: float = 1.0  # scale of the depth that the networks guess
    px_per_mm: float = 1.0
    place_xy: tuple[float, float] = (0.5, 0.5)  # where the hand rests, as a share of the picture
    fps: float = 30.0
    jitter: float = 0.012  # of the joints that the networks find, in palm lengths
    lost: float = 0.01  # share of the frames in which a hand is not found; more while it is fast


def random_style(rng: np.random.Generator, size_wh: tuple[int, int] = (1280, 720), variety: float = 1.0) -> Style:
    """A person and a camera. `variety`: how much they differ from others; 1 for careful people."""
    side = "right" if rng.random() < 0.6 else "left"
    return Style(
        side=side,
        size=float(np.exp(variety * rng.normal(0, 0.22))),
        aspect=float(np.exp(variety * rng.normal(0, 0.15))),
        slant_deg=float(variety * rng.normal(0, 9)),
        tempo=float(np.exp(rng.uniform(-0.4, 0.4))),
        wrist=float(1 + variety * rng.uniform(-0.25, 0.2)),
        lean=tuple((variety * rng.normal(0, 1, 3) * (8, 8, 6)).tolist()),
        fingers=tuple(np.exp(variety * rng.normal(0, 0.06, 5)).tolist()),
        bends_deg=tuple((variety * rng.normal(0, 5, 12)).tolist()),
        unsteady=variety,
        depth=float(np.exp(variety * rng.normal(0, 0.15))),
        px_per_mm=float(size_wh[1] / 720 * rng.uniform(0.85, 1.5)),
        place_xy=(float(rng.uniform(0.36, 0.5) if side == "right" else rng.uniform(0.5, 0.64)), float(rng.uniform(0.45, 0.6))),
        fps=float(rng.choice([10, 15, 20, 24, 30, 30, 60])),
        jitter=float(rng.uniform(0.008, 0.02)),
    )  # fmt: skip


@dataclass(frozen=True)
class PosedHand:
    """One hand at one moment."""

    sign: Sign  # its pose and turn, as a right hand
    place: tuple[float, float]  # of the palm, in palm lengths from the middle of the performance; x right, y up
    side: str


class Performance:
    """Somebody makes a movement once: the hand comes into the picture, rests, moves, rests and leaves.

    A function of the time alone, so frames can be requested in any order.
    """

    def __init__(self, script: Script, style: Style, rng: np.random.Generator, *, enters: bool = True) -> None:
        self.style = style
        self.pose_seed = int(rng.integers(1 << 32))
        self._script = script
        rest_s = rng.uniform(0.45, 0.8, 2)
        duration_s = script.duration_s / style.tempo * float(np.exp(rng.normal(0, 0.08)))
        start_s = float(rest_s[0]) + (ENTER_S if enters else 0)
        self.moves_s: TIMES = (start_s, start_s + duration_s)  # ground truth: when the movement begins and ends
        self.duration_s = self.moves_s[1] + float(rest_s[1]) + (ENTER_S if enters else 0)
        self._enters = enters
        self._keys = [_performed(keys, script, style, rng) for keys in (script.keys, script.other_keys) if keys]
        self._sway = rng.normal(0, 0.012, (2, 2, 3)), rng.uniform(1.2, 5, (2, 2, 3)), rng.uniform(0, 7, (2, 2, 3))

    def hands(self, time_s: float) -> tuple[PosedHand, ...]:
        """The hands `time_s` seconds after the performance began."""
        start_s, end_s = self.moves_s
        at = float(np.clip((time_s - start_s) / (end_s - start_s), 0, 1))
        away = 0.0
        if self._enters:
            away = max(0.0, 1 - time_s / ENTER_S, 1 - (self.duration_s - time_s) / ENTER_S)
        size, pace, phase = self._sway
        sway = (size * np.sin(pace * time_s + phase)).sum(axis=2)
        hands = []
        for number, keys in enumerate(self._keys):
            values = _between(keys, at, self._script.has_corners)
            (x, y), turn, pose = values[:2], values[2:5], values[5:]
            is_left = (self.style.side == "left") != (number == 1)
            x = (x - self._script.apart) if self._script.apart else x
            x, y = (-x if is_left else x) + sway[number, 0], y + sway[number, 1] - 5.0 * away**2
            if self._script.in_picture and is_left:
                x, turn = -x, turn * (-1, 1, -1)
            hands.append(PosedHand(_sign(pose, turn), (float(x), float(y)), "left" if is_left else "right"))
        return tuple(hands)


def joints_px(hand: PosedHand, performance: Performance, size_wh: tuple[int, int]) -> np.ndarray:
    """The joints (21, 3) float32 of a hand in pixels of a picture, as ground truth."""
    style = performance.style
    rng = np.random.default_rng(performance.pose_seed)
    joints, _ = posed_joints(hand.sign, rng)
    for finger, length in enumerate(style.fingers):
        chain = slice(1 + 4 * finger, 5 + 4 * finger)
        joints[chain] = joints[chain.start] + length * (joints[chain] - joints[chain.start])
    seen = perspective(joints @ rotation(hand.sign.turn, hand.side, rng).T)[0] * style.px_per_mm
    x, y = place_px(hand, style, size_wh)
    middle = seen[[0, 5, 9, 13, 17], :2].mean(axis=0)
    flat = seen[:, :2] - middle
    return np.column_stack([x + flat[:, 0], y - flat[:, 1], -style.depth * seen[:, 2]]).astype(np.float32)


def place_px(hand: PosedHand, style: Style, size_wh: tuple[int, int]) -> tuple[float, float]:
    """Where a hand's palm is in a picture, in pixels."""
    (width, height), palm_px = size_wh, PALM_MM * style.px_per_mm
    return style.place_xy[0] * width + palm_px * hand.place[0], style.place_xy[1] * height - palm_px * hand.place[1]


def detected(
    performance: Performance,
    rng: np.random.Generator,
    size_wh: tuple[int, int] = (1280, 720),
    start_s: float = 0.0,
    end_s: float = np.inf,
) -> Iterator[tuple[float, tuple[Hand, ...]]]:
    """The time and the hands of each frame, as hand networks find them: with jitter, lost frames and uneven times.

    A hand outside the picture is not found; of two hands that overlap, at times only one is.
    """
    style = performance.style
    palm_px = PALM_MM * style.px_per_mm
    time_s = start_s
    before: dict[str, np.ndarray] = {}
    while time_s < min(end_s, performance.duration_s):
        hands: list[Hand] = []
        for posed in performance.hands(time_s):
            joints = joints_px(posed, performance, size_wh)
            middle = joints[:, :2].mean(axis=0)
            speed = float(np.linalg.norm(middle - before.get(posed.side, middle))) / palm_px * style.fps
            before[posed.side] = middle
            inside = ((joints[:, :2] >= 0) & (joints[:, :2] < size_wh)).all(axis=1).sum() >= 12
            covered = any(
                float(np.linalg.norm(hand.landmarks[:, :2].mean(axis=0) - middle)) < 0.9 * palm_px for hand in hands
            )
            chance = style.lost + 0.012 * max(0.0, speed - 4) + (0.45 if covered else 0.0)
            if inside and rng.random() >= chance:
                blur = 1 + 0.25 * min(speed, 8)
                noise = rng.normal(0, 1, (21, 3)) * (1, 1, 2) + rng.normal(0, 1, (1, 3)) * (1, 1, 0)
                joints = (joints + noise * style.jitter * blur * palm_px * 0.6).astype(np.float32)
                hands.append(Hand(joints, posed.side, 0.9))
        yield time_s, tuple(hands)
        time_s += float(np.clip(rng.normal(1, 0.12), 0.5, 2)) / style.fps


def _performed(
    keys: tuple[Key, ...], script: Script, style: Style, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Times (K,) and values (K, 30) of the keys as a person performs them: place, turn and pose."""
    at = np.array([key.at for key in keys])
    steps = np.diff(at) * np.exp(style.unsteady * rng.normal(0, 0.12, len(at) - 1))
    at = np.concatenate([[0], np.cumsum(steps) / steps.sum()])
    slant = np.deg2rad(style.slant_deg + rng.normal(0, 2.5))
    turning = np.array([[np.cos(slant), -np.sin(slant)], [np.sin(slant), np.cos(slant)]])
    width, height = style.size * np.sqrt(style.aspect), style.size / np.sqrt(style.aspect)
    loose = style.unsteady
    places = np.array([key.place for key in keys]) * [width, height] * np.exp(loose * rng.normal(0, 0.06, 2))
    places = places @ turning.T + loose * rng.normal(0, 0.04, (len(keys), 2)) * style.size
    turns = np.array([key.turn for key in keys]) * style.wrist + np.array(style.lean)
    turns = turns + loose * rng.normal(0, 3, (len(keys), 3))
    poses = np.stack([_pose(SIGNS[key.sign]) for key in keys])
    poses[:, :12] = np.maximum(poses[:, :12] + np.array(style.bends_deg) + loose * rng.normal(0, 2, 12), 0)
    poses[:, 16:] += loose * rng.normal(0, 2, 9)
    return at, np.column_stack([places, turns, poses])


def _pose(sign: Sign) -> np.ndarray:
    """The fingers' angles and the thumb's places as numbers (25,)."""
    return np.concatenate([np.ravel(sign.fingers), sign.spread, np.ravel(sign.thumb)]).astype(np.float64)


def _sign(pose: np.ndarray, turn: np.ndarray) -> Sign:
    fingers, thumb = pose[:12].reshape(4, 3), pose[16:].reshape(3, 3)
    return Sign(
        tuple((float(a), float(b), float(c)) for a, b, c in fingers),
        tuple(pose[12:16].tolist()),
        tuple((float(a), float(b), float(c)) for a, b, c in thumb),
        (float(turn[0]), float(turn[1]), float(turn[2])),
    )


def _between(keys: tuple[np.ndarray, np.ndarray], at: float, has_corners: bool) -> np.ndarray:
    """The values at a share of the movement: a cubic Hermite spline through the keys, at rest at both ends.

    With corners it is at rest at each key. A spline of Catmull and Rom 1974 otherwise, with the keys' own times.
    """
    times, values = keys
    after = int(np.clip(np.searchsorted(times, at), 1, len(times) - 1))
    before = after - 1
    step = times[after] - times[before]
    t = (at - times[before]) / step
    slopes = np.zeros((2, values.shape[1]))
    if not has_corners:
        for end, index in enumerate((before, after)):
            if 0 < index < len(times) - 1:
                slopes[end] = (values[index + 1] - values[index - 1]) / (times[index + 1] - times[index - 1]) * step
    one = (2 * t**3 - 3 * t**2 + 1) * values[before] + (t**3 - 2 * t**2 + t) * slopes[0]
    return one + (3 * t**2 - 2 * t**3) * values[after] + (t**3 - t**2) * slopes[1]


def everyday(what: str, rng: np.random.Generator) -> Script:
    """A random movement that is no sign: one of EVERYDAY."""
    return EVERYDAY[what](rng)


def _talking(rng: np.random.Generator) -> Script:
    """Both hands go here and there while somebody speaks."""

    def wandering() -> tuple[Key, ...]:
        count = int(rng.integers(5, 10))
        return tuple(
            Key(
                i / (count - 1),
                (float(rng.normal(0, 0.6)), float(rng.normal(0, 0.5))),
                (float(rng.normal(40, 25)), float(rng.normal(-15, 15)), float(rng.normal(0, 20))),
                str(rng.choice(["relaxed", "relaxed", "open", "C"])),
            )
            for i in range(count)
        )

    other = wandering() if rng.random() < 0.6 else ()
    return Script(wandering(), other, duration_s=float(rng.uniform(1.5, 4)), apart=1.4 if other else 0.0)


def _scratching(rng: np.random.Generator) -> Script:
    """A hand goes to the head and scratches it."""
    x, y = float(rng.uniform(0.6, 1.4)), float(rng.uniform(1.0, 2.0))
    turn = (float(rng.normal(60, 25)), 0.0, float(rng.normal(-25, 10)))
    strokes = int(rng.integers(3, 6))
    keys = [Key(0, (0, 0), (20, 0, 0), "relaxed"), Key(0.35, (x, y), turn, "relaxed")]
    for number in range(strokes):
        at = 0.35 + 0.4 * (number + 0.5) / strokes
        keys += [Key(at, (x, y - 0.3), turn, "C"), Key(at + 0.2 / strokes, (x, y), turn, "relaxed")]
    keys.append(Key(1, (0, 0), (20, 0, 0), "relaxed"))
    return Script(tuple(keys), duration_s=float(rng.uniform(1.5, 3)))


def _fetching(rng: np.random.Generator) -> Script:
    """A hand reaches for a cup, takes it and brings it to the mouth."""
    x, y = float(rng.uniform(-2.5, -1)), float(rng.uniform(-1.5, 0))
    keys = (
        Key(0, (0, 0), (20, 0, 0), "relaxed"),
        Key(0.3, (x, y), (60, 0, 10), "C"),
        Key(0.45, (x, y), (70, 0, 10), "C"),
        Key(0.75, (0.9, 1.1), (75, 0, -25), "C"),
        Key(1, (0.9, 1.1), (75, 0, -30), "C"),
    )
    return Script(keys, duration_s=float(rng.uniform(1.5, 3)))


def _spelling(rng: np.random.Generator) -> Script:
    """A hand goes from one still letter to the next."""
    first, second = rng.choice(list("ABCDFILSVWY"), 2, replace=False)
    place = (float(rng.normal(0, 0.25)), float(rng.normal(0, 0.2)))
    keys = (Key(0, (0, 0), (0, 0, 0), str(first)), Key(1, place, (float(rng.normal(0, 12)), 0, 0), str(second)))
    return Script(keys, duration_s=float(rng.uniform(0.35, 0.7)))


EVERYDAY: dict[str, Callable[[np.random.Generator], Script]] = {
    "talking": _talking,
    "scratching": _scratching,
    "fetching a cup": _fetching,
    "spelling": _spelling,
}
