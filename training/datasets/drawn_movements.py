"""Random movements of drawn hands, each made by many people: what the embedding of movements is fitted on.

A class is one movement: a path with corners or bows, a swing, an arc, or fingers and a wrist that move on the spot, of one
hand or both. The movements that the studio shows are not among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.motion.movement import LEFT, RIGHT, Movement
from recognizer.studio.drawn_hands import SIGNS
from recognizer.studio.movements import Key, Performance, Script, Style, detected, random_style

VARIETY = (0.8, 1.5)  # how much people differ; real ones differ more than the studio's
RATES_FPS = (10.0, 15.0, 20.0, 25.0, 30.0)
JITTER = (0.008, 0.022)  # of the joints, in palm lengths
REST_S = (-0.05, 0.25)  # seconds before and after the movement that belong to the stretch; negative: it begins late
MIN_FRAMES = 3
TWO_HANDS = 0.3  # share of the classes that both hands make
NAMES = sorted(SIGNS)
Keys = tuple[Key, ...]


@dataclass(frozen=True)
class RandomMovement:
    """The main hand's keys in one or two versions, such as two swings and three, since people differ."""

    versions: tuple[Keys, ...]
    duration_s: float
    has_corners: bool = False


def random_scripts(rng: np.random.Generator) -> tuple[Script, ...]:
    """One class: the versions of one random movement."""
    main = _random_movement(rng)
    others: Sequence[Keys] = [()]
    apart = 0.0
    if rng.random() < TWO_HANDS:
        apart = float(rng.uniform(0.7, 1.8))
        way = rng.choice(["alike", "still", "different"])
        if way == "alike":
            others = main.versions
        elif way == "still":
            still = Key(0, _pair(rng.normal(0, 0.4, 2)), _turn(rng, 1.0), _sign(rng))
            others = [(still, replace(still, at=1.0))]
        else:
            others = _random_movement(rng).versions
    return tuple(
        Script(keys, others[min(number, len(others) - 1)], main.duration_s, main.has_corners, False, apart)
        for number, keys in enumerate(main.versions)
    )


def performed(scripts: Sequence[Script], rng: np.random.Generator, style: Style | None = None) -> Movement | None:
    """A movement as a random person makes it and hand networks see it. None if they hardly see it."""
    if style is None:
        style = replace(
            random_style(rng, variety=float(rng.uniform(*VARIETY))),
            fps=float(rng.choice(RATES_FPS)),
            jitter=float(rng.uniform(*JITTER)),
        )
    performance = Performance(scripts[int(rng.integers(len(scripts)))], style, rng, enters=False)
    start_s, end_s = performance.moves_s[0] - rng.uniform(*REST_S), performance.moves_s[1] + rng.uniform(*REST_S)
    frames = list(detected(performance, rng, start_s=start_s, end_s=end_s))
    joints = np.full((len(frames), 2, 21, 3), np.nan, np.float32)
    for row, (_, hands) in enumerate(frames):
        for hand in hands:
            joints[row, int(hand.side != style.side)] = hand.landmarks
    sides = (style.side, LEFT if style.side == RIGHT else RIGHT)
    movement = Movement(np.array([time_s for time_s, _ in frames]), joints, sides)
    return movement if movement.seen[:, 0].sum() >= MIN_FRAMES else None


def _random_movement(rng: np.random.Generator) -> RandomMovement:
    make = [_strokes, _strokes, _swing, _arc, _on_the_spot][rng.integers(5)]
    return make(rng)


def _strokes(rng: np.random.Generator) -> RandomMovement:
    """Two to five places, with corners or bows between them; the hand may turn, and change its shape once."""
    count = int(rng.integers(2, 6))
    places, turns = [np.zeros(2)], [_base(rng)]
    angle, turning = rng.uniform(0, 2 * np.pi), rng.random() < 0.5
    for _ in range(count - 1):
        places.append(places[-1] + rng.uniform(0.5, 2.2) * np.array([np.cos(angle), np.sin(angle)]))
        turns.append(turns[-1] + np.array(_turn(rng, 1.2)) * turning)
        angle += rng.uniform(0.6, 2.6) * rng.choice([-1, 1])
    at = np.concatenate([[0], np.cumsum(rng.uniform(0.6, 1.4, count - 1))])
    first = _sign(rng)
    last, changes = _sign(rng) if rng.random() < 0.25 else first, rng.integers(1, count)
    keys = tuple(
        Key(float(at[i] / at[-1]), _pair(places[i]), _triple(turns[i]), first if i < changes else last)
        for i in range(count)
    )
    return RandomMovement((keys,), float(rng.uniform(0.5, 1.5)), has_corners=bool(rng.random() < 0.5))


def _swing(rng: np.random.Generator) -> RandomMovement:
    """To and fro, two to four times, to one side or both; some people swing once more than others."""
    angle = rng.uniform(0, 2 * np.pi)
    reach = float(rng.choice([0, 0.4, 0.9]) * rng.uniform(0.7, 1.2)) * np.array([np.cos(angle), np.sin(angle)])
    leans = np.array(_turn(rng, 1.0)) * (rng.random() < 0.7 or not reach.any())
    base, first, other = _base(rng), _sign(rng), _sign(rng)
    other = other if rng.random() < 0.25 else first
    start, to_one_side = rng.choice([-1, 1]), rng.random() < 0.4
    fewest = int(rng.integers(2, 4))
    versions = []
    for count in (fewest, fewest + 1):
        ways = [0.0, *([start, 0.0] * count if to_one_side else [*([start, -start] * count), 0.0])]
        steps = len(ways) - 1
        versions.append(
            tuple(
                Key(i / steps, _pair(reach * way), _triple(base + leans * way), first if way <= 0 else other)
                for i, way in enumerate(ways)
            )
        )
    return RandomMovement(tuple(versions), float(rng.uniform(0.55, 1.65)))


def _arc(rng: np.random.Generator) -> RandomMovement:
    """Part of an ellipse or up to two rounds; some people go further than others."""
    rounds, start = rng.uniform(0.6, 2.0) * rng.choice([-1, 1]), rng.uniform(0, 2 * np.pi)
    axes, tilt = rng.uniform(0.6, 1.3) * np.array([1, rng.uniform(0.4, 1.2)]), rng.uniform(0, np.pi)
    tilted = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    base, sign = _triple(_base(rng)), _sign(rng)
    versions = []
    for more in (1.0, rng.uniform(1.05, 1.3)):
        steps = max(4, round(8 * abs(rounds * more)))
        angles = start + np.linspace(0, 2 * np.pi * rounds * more, steps + 1)
        places = (np.column_stack([np.cos(angles), np.sin(angles)]) * axes) @ tilted.T
        versions.append(tuple(Key(i / steps, _pair(p - places[0]), base, sign) for i, p in enumerate(places)))
    return RandomMovement(tuple(versions), float(rng.uniform(0.5, 1.5)))


def _on_the_spot(rng: np.random.Generator) -> RandomMovement:
    """The wrist turns, or the fingers move, or both; the hand hardly travels."""
    count, fingers_move = int(rng.integers(2, 4)), rng.random() < 0.6
    first, other, drift = _sign(rng), _sign(rng), rng.normal(0, 0.25, 2)
    turns = [_base(rng)]
    for _ in range(count - 1):
        turns.append(turns[-1] + np.array(_turn(rng, 1.6)) * (not fingers_move or rng.random() < 0.4))
    keys = tuple(
        Key(i / (count - 1), _pair(drift * i), _triple(turns[i]), other if fingers_move and i % 2 else first)
        for i in range(count)
    )
    return RandomMovement((keys,), float(rng.uniform(0.4, 1.2)))


def _sign(rng: np.random.Generator) -> str:
    return str(rng.choice(NAMES))


def _base(rng: np.random.Generator) -> np.ndarray:
    """The turn with which a movement begins."""
    return np.array(_turn(rng, 0.6)) * (rng.random() < 0.5)


def _turn(rng: np.random.Generator, scale: float) -> tuple[float, float, float]:
    """A random yaw, pitch and roll in degrees."""
    return _triple(rng.normal(0, 1, 3) * (30, 18, 30) * scale)


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
