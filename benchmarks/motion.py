"""Signs that move: learned from one to five demonstrations of one person, tested on others, beside two common methods.

python -m recognizer benchmark motion DIR    DIR has real sequences as in training/datasets/signed_movements.py; see there
python -m recognizer benchmark motion        the sequences in the data folders, if there are any

The methods get the same movements, which the segmenter cut out of the stream. "Dynamic time warping" gives the label of the
nearest demonstration by DTW over all joints of both hands (Sakoe and Chiba 1978). "Fingertip network" is the network of the
known webcam demo, over 16 places of the index finger's tip, trained with the same variations as this project's classifier.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import table
from recognizer.motion.classifier import COPIES, MotionClassifier
from recognizer.motion.movement import LEFT, Movement, mirrored, resampled
from recognizer.motion.segmenter import movements_in
from recognizer.motion.variations import varied
from recognizer.studio.movements import (
    EVERYDAY,
    SCRIPTS,
    Performance,
    detected,
    everyday,
    random_style,
)
from training.datasets import signed_movements
from training.datasets.signed_movements import SignedMovement

COUNTS = (1, 3, 5)  # demonstrations of each label
PEOPLE, TRAINERS = 12, 4  # studio people, and how many of them demonstrate in turn
REPETITIONS, TESTED = 5, 2  # demonstrations of each person and label, and how many of them are tested
DRAWS = 10  # of the demonstrations of a real person
EVERYDAY_S = 240.0  # seconds of hands that do other things
STEPS = 24  # of a movement for dynamic time warping
HISTORY = 16  # places of the fingertip
OVERLAP = 0.3  # intersection over union with the ground truth, above which the segmenter found a studio movement
SEED = 5

Method = Callable[[Sequence[Movement], Sequence[str], Sequence[Movement]], list[str]]


@dataclass(frozen=True)
class Result:
    """The accuracy (0 to 1) of each method, by the number of demonstrations."""

    of: str
    tested: int
    shares: dict[str, dict[int, float]]


def report(folder: str = "") -> str:
    """The section in Markdown. Raises SettingsError if `folder` has no sequences."""
    studio = studio_movements()
    results = [studio_result(studio)]
    folders = [Path(folder)] if folder else signed_movements.folders()
    signed = [one for each in folders for one in signed_movements.read_movements(each)]
    results += real_results(signed)
    header = ["tested on", "movements", "method", *(f"from {count}, %" for count in COUNTS)]
    rows = [
        (result.of, result.tested, name, *(f"{100 * shares[count]:.1f}" for count in COUNTS))
        for result in results
        for name, shares in result.shares.items()
    ]
    parts = [
        "## Signs that move\n",
        f"`python -m recognizer benchmark motion DIR`: accuracy on held-out people, after one person's demonstrations. "
        f"Studio people make {', '.join(SCRIPTS)}, each with other hands, tempo, slant and camera. Without real sequences the "
        "table has the studio alone.\n",
        table(header, rows),
        _with_rejection(studio, signed),
    ]
    return "\n".join(parts)


def studio_movements(people: int = PEOPLE, repetitions: int = REPETITIONS) -> list[SignedMovement]:
    """Movements of drawn people. One that the segmenter did not find is None."""
    found = []
    for person in range(people):
        rng = np.random.default_rng([SEED, person])
        style = random_style(rng)
        for label, scripts in SCRIPTS.items():
            script = scripts[int(rng.integers(len(scripts)))]
            for _ in range(repetitions):
                performance = Performance(script, style, rng)
                movements = movements_in(detected(performance, rng))
                best = max(movements, key=lambda one: _overlap(one, performance), default=None)
                is_found = best is not None and _overlap(best, performance) > OVERLAP
                found.append(SignedMovement(f"person {person + 1}", label, best if is_found else None))
    return found


def _overlap(movement: Movement, performance: Performance) -> float:
    """Intersection over union of a movement's time and the ground truth."""
    start_s, end_s = performance.moves_s
    first_s, last_s = float(movement.times_s[0]), float(movement.times_s[-1])
    return max(0.0, min(end_s, last_s) - max(start_s, first_s)) / (max(end_s, last_s) - min(start_s, first_s))


def studio_result(studio: Sequence[SignedMovement]) -> Result:
    people = list(dict.fromkeys(one.person for one in studio))
    shares: dict[str, dict[int, list[float]]] = {name: {count: [] for count in COUNTS} for name in METHODS}
    tested = 0
    for trainer in people[:TRAINERS]:
        rows = _tested([one for one in studio if one.person != trainer])
        tested += len(rows)
        for count in COUNTS:
            shown = [one for label in SCRIPTS for one in _of(studio, trainer, label)[:count]]
            for name, method in METHODS.items():
                shares[name][count].append(_accuracy(method, shown, rows))
    return Result("studio people", tested, _means(shares))


def _tested(studio: Sequence[SignedMovement]) -> list[SignedMovement]:
    """The first TESTED movements of each person and label."""
    counts: dict[tuple[str, str | None], int] = {}
    rows = []
    for one in studio:
        key = one.person, one.label
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= TESTED:
            rows.append(one)
    return rows


def real_results(signed: Sequence[SignedMovement]) -> list[Result]:
    """J and Z: each person who has signed both twice or more demonstrates, and each other person is tested."""
    people = list(dict.fromkeys(one.person for one in signed if one.label))
    results = []
    for trainer in people:
        labels = [label for label in signed_movements.MOVING if len(_of(signed, trainer, label)) > 1]
        if len(labels) < len(signed_movements.MOVING):
            continue
        for tested in people:
            rows = [one for one in signed if one.person == tested and one.label]
            if tested == trainer:
                continue
            shares: dict[str, dict[int, list[float]]] = {name: {count: [] for count in COUNTS} for name in METHODS}
            for draw in range(DRAWS):
                for count in COUNTS:
                    shown = _drawn(signed, trainer, labels, count, draw)
                    for name, method in METHODS.items():
                        shares[name][count].append(_accuracy(method, shown, rows))
            results.append(Result(f"{tested}, demonstrated by {trainer}", len(rows), _means(shares)))
    return results


def _drawn(
    signed: Sequence[SignedMovement], person: str, labels: Sequence[str], count: int, draw: int
) -> list[SignedMovement]:
    """`count` random demonstrations of each label by a person, or all if there are fewer."""
    rng = np.random.default_rng([SEED, draw, count])
    shown = []
    for label in labels:
        own = _of(signed, person, label)
        shown += [own[i] for i in rng.permutation(len(own))[:count]]
    return shown


def _of(signed: Iterable[SignedMovement], person: str, label: str) -> list[SignedMovement]:
    return [one for one in signed if one.person == person and one.label == label and one.movement is not None]


def _accuracy(method: Method, shown: Sequence[SignedMovement], tested: Sequence[SignedMovement]) -> float:
    """The share of the tested movements that get their label; one that was not found is wrong."""
    found = [one.movement for one in tested if one.movement is not None]
    labels = [one.label for one in tested if one.movement is not None]
    demonstrations = [one.movement for one in shown if one.movement is not None]
    predicted = method(demonstrations, [str(one.label) for one in shown], found)
    return sum(a == b for a, b in zip(predicted, labels, strict=True)) / len(tested)


def _means(shares: dict[str, dict[int, list[float]]]) -> dict[str, dict[int, float]]:
    return {name: {count: float(np.mean(found)) for count, found in each.items()} for name, each in shares.items()}


def this_project(shown: Sequence[Movement], labels: Sequence[str], tested: Sequence[Movement]) -> list[str]:
    classifier = MotionClassifier.fit(shown, labels, np.random.default_rng(0))
    return [classifier.labels[int(classifier.probabilities(one)[:-1].argmax())] for one in tested]


def dynamic_time_warping(shown: Sequence[Movement], labels: Sequence[str], tested: Sequence[Movement]) -> list[str]:
    known, new = np.stack([_joints(one) for one in shown]), np.stack([_joints(one) for one in tested])
    distances = np.stack([_warped_distances(new, one) for one in known], axis=1)
    return [labels[i] for i in distances.argmin(axis=1)]


def _joints(movement: Movement) -> np.ndarray:
    """x and y of all joints (STEPS, 84) as a right hand, from where the wrist began, in palm lengths."""
    movement = mirrored(movement) if movement.sides[0] == LEFT else movement
    hands = resampled(movement, STEPS).astype(np.float64)
    palm = float(np.median(np.linalg.norm(hands[:, 0, [5, 9, 17]] - hands[:, 0, :1], axis=2)))
    places = (hands - hands[0, 0, 0]) / palm
    return np.nan_to_num(places[..., :2]).reshape(STEPS, -1)


def _warped_distances(movements: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The DTW distance (N,) of movements (N, T, D) to another (T, D)."""
    costs = np.linalg.norm(movements[:, :, None] - other, axis=3)
    steps = costs.shape[1]
    total = np.full((len(movements), steps + 1, steps + 1), np.inf)
    total[:, 0, 0] = 0
    for i in range(1, steps + 1):
        for j in range(1, steps + 1):
            best = np.minimum(np.minimum(total[:, i - 1, j], total[:, i, j - 1]), total[:, i - 1, j - 1])
            total[:, i, j] = costs[:, i - 1, j - 1] + best
    return total[:, -1, -1]


def fingertip_network(shown: Sequence[Movement], labels: Sequence[str], tested: Sequence[Movement]) -> list[str]:
    import warnings

    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    copies = [(varied(one, rng), label) for one, label in zip(shown, labels, strict=True) for _ in range(COPIES)]
    movements = [*shown, *(movement for movement, _ in copies)]
    network = MLPClassifier((24, 10), max_iter=400, random_state=0)  # as in the demo
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not converge
        network.fit(np.stack([_history(one) for one in movements]), [*labels, *(label for _, label in copies)])
    return [str(label) for label in network.predict(np.stack([_history(one) for one in tested]))]


def _history(movement: Movement) -> np.ndarray:
    """The places (2 * HISTORY,) of the index finger's tip, from the first one, as a share of the largest."""
    movement = mirrored(movement) if movement.sides[0] == LEFT else movement
    places = resampled(movement, HISTORY)[:, 0, 8, :2].astype(np.float64)
    places -= places[0]
    return np.ravel(places / max(float(np.abs(places).max()), 1e-6))


METHODS: dict[str, Method] = {
    "this project": this_project,
    "dynamic time warping": dynamic_time_warping,
    "fingertip network": fingertip_network,
}


def _with_rejection(studio: Sequence[SignedMovement], signed: Sequence[SignedMovement]) -> str:
    """How many movements get a label at all, and how many false labels other things get, after five demonstrations."""
    trainers = list(dict.fromkeys(one.person for one in studio))[:TRAINERS]
    classifiers = []
    for trainer in trainers:
        shown = [one for label in SCRIPTS for one in _of(studio, trainer, label)]
        demonstrations = [one.movement for one in shown if one.movement is not None]
        classifiers.append(MotionClassifier.fit(demonstrations, [one.label for one in shown], np.random.default_rng(0)))
    tested = [_tested([one for one in studio if one.person != trainer]) for trainer in trainers]
    labels = [
        (None if one.movement is None else classifier.predict(one.movement).label, one.label)
        for classifier, rows in zip(classifiers, tested, strict=True)
        for one in rows
    ]
    right = np.mean([predicted == label for predicted, label in labels])
    wrong = np.mean([predicted not in (None, label) for predicted, label in labels])
    rows: list[tuple[str, ...]] = []
    for what in EVERYDAY:
        movements, minutes = everyday_movements(what)
        false = np.mean([sum(c.predict(one).label is not None for one in movements) for c in classifiers]) / minutes
        rows.append((what, str(len(movements)), f"{minutes:.1f}", f"{false:.2f}"))
    held = [one.movement for one in signed if one.label is None and one.movement is not None]
    if held:
        minutes = signed_movements.HELD_MINUTES
        false = np.mean([sum(c.predict(one).label is not None for one in held) for c in classifiers]) / minutes
        rows.append(("letters that real people take up and hold", str(len(held)), f"{minutes:.1f}", f"{false:.2f}"))
    return (
        f"With rejection, {100 * right:.1f} % of the studio people's movements get the right label after {REPETITIONS} "
        f"demonstrations and {100 * wrong:.1f} % a wrong one. Labels that hands get while they do other things:\n\n"
        + table(["what", "movements", "minutes", "false labels a minute"], rows)
    )


def everyday_movements(what: str, seconds: float = EVERYDAY_S) -> tuple[list[Movement], float]:
    """The movements of drawn people who do other things, and how many minutes they do them."""
    rng = np.random.default_rng([SEED, 99])
    found: list[Movement] = []
    shown_s = 0.0
    while shown_s < seconds:
        performance = Performance(everyday(what, rng), random_style(rng), rng)
        found += movements_in(detected(performance, rng))
        shown_s += performance.duration_s
    return found, shown_s / 60
