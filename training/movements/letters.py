"""The shipped J and Z: real hand shapes moved along written strokes, and real people's movements.

The shapes are the joints of people who hold an I, or point as for a D, in the tables of landmarks/. Each is moved as the
studio's people move, and along strokes as people write J and Z. Counterexamples are movements of other things: drawn people
who talk, scratch, fetch a cup and go from letter to letter, hands that make random movements, and real ones.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import Head
from recognizer.errors import SettingsError
from recognizer.motion import embedding
from recognizer.motion.classifier import FILE, NONE, MotionClassifier, point_of
from recognizer.motion.features import movement_features
from recognizer.motion.movement import LEFT, RIGHT, Movement
from recognizer.motion.segmenter import movements_in
from recognizer.preprocess import pose
from recognizer.registry.card import read_card, write_card
from recognizer.registry.store import ModelStore
from recognizer.studio.drawn_hands import perspective, rotation
from recognizer.studio.handwriting import letter_strokes
from recognizer.studio.movements import (
    EVERYDAY,
    PALM_MM,
    SCRIPTS,
    Key,
    Performance,
    PosedHand,
    Script,
    detected,
    everyday,
    joints_px,
    place_px,
    random_style,
)
from recognizer.system import paths
from recognizer.values import Hand
from training.datasets import signed_movements
from training.datasets.drawn_movements import performed, random_scripts
from training.datasets.signed_movements import SignedMovement

TASK = "letters"
SHAPE_OF = {"J": "I", "Z": "D"}  # the still letter whose hand shape each one moves
DRAWN = 50  # of each letter, by drawn people
SHAPES_A_PERSON = 8  # hand shapes of each person and letter
VARIETY = (0.8, 2.0)  # how much people differ: see random_style
WRITTEN_SHARE = 0.5  # share of the movements that follow written strokes; the others follow the studio's scripts
TAKEN_UP = 300  # counterexamples: hands of the tables that go from one letter to another
LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"
EVERYDAY_EACH, RANDOM = 20, 60  # counterexamples: of each everyday movement, and random movements
STUDIO_PEOPLE, EVERYDAY_S = 40, 45.0  # of the validation: people, and seconds of each thing that is no sign
C = 0.1  # inverse strength of the linear head's L2 regularization
SEED = 3
ASPECT = 4 / 3  # width by height of the tables' pictures, where x and y are shares of these
SIZE_WH = (1280, 720)


@dataclass(frozen=True, eq=False)
class Shape:
    """A hand as somebody held it: joints (21, 3) in palm lengths of a right hand, x right, y up, z towards the camera."""

    person: str
    joints: np.ndarray


def read_shapes(folder: Path, letter: str, rng: np.random.Generator) -> list[Shape]:
    """Some hands of each person who holds a letter, from the tables with depth. Raises SettingsError without any."""
    meta = folder / "meta.json"
    if not meta.is_file():
        raise SettingsError(f"{folder} has no meta.json. Name a data folder with landmarks/ in RECOGNIZER_DATA.")
    about = json.loads(meta.read_text(encoding="utf-8"))
    found = []
    for name, facts in about.items():
        if facts.get("dims") != 3:
            continue
        with np.load(folder / f"{name}.npz") as arrays:
            points = arrays["points"][arrays["labels"] == letter].astype(np.float64)
        chosen = points[rng.permutation(len(points))[:SHAPES_A_PERSON]] * np.array([ASPECT, 1, ASPECT])
        found += [Shape(name, _upright(joints)) for joints in chosen]
    return found


def _upright(joints: np.ndarray) -> np.ndarray:
    """Joints with y down as those of a right hand with y up, in palm lengths from the middle of the palm."""
    right = pose.normalised(joints[None], np.array([joints[4, 0] < joints[17, 0]]))[0]  # the thumb is on the right
    return (right - right[[0, 5, 9, 13, 17]].mean(axis=0)) * np.array([1, -1, -1])


def signed(letter: str, shape: Shape, rng: np.random.Generator) -> Movement | None:
    """A person's hand shape, moved as somebody signs a J or Z. None if the segmenter finds no movement."""
    scripts = SCRIPTS[letter]
    script = scripts[int(rng.integers(len(scripts)))]
    if rng.random() < WRITTEN_SHARE:
        script = _written(letter, script, rng)
    style = random_style(rng, SIZE_WH, variety=float(rng.uniform(*VARIETY)))
    performance = Performance(script, style, rng, enters=False)
    return _longest(movements_in(_frames(performance, shape, rng)))


def _written(letter: str, script: Script, rng: np.random.Generator) -> Script:
    """The script with the path of a written letter, as the person who writes it sees it; the camera sees it mirrored."""
    stroke = max(letter_strokes(letter, rng), key=len)
    steps = np.linspace(0, 1, 10)
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(stroke, axis=0), axis=1))])
    points = np.column_stack([np.interp(steps * way[-1], way, stroke[:, axis]) for axis in (0, 1)])
    places = (points - points[0]) * [-1, -1] * rng.uniform(1.2, 3.5)
    at, turns = [key.at for key in script.keys], np.array([key.turn for key in script.keys])
    keys = [
        Key(float(step), (float(x), float(y)), tuple(float(np.interp(step, at, turns[:, axis])) for axis in range(3)))  # type: ignore[arg-type]
        for step, (x, y) in zip(steps, places, strict=True)
    ]
    return replace(script, keys=tuple(keys), has_corners=False)


def _frames(
    performance: Performance, shape: Shape, rng: np.random.Generator
) -> Iterator[tuple[float, tuple[Hand, ...]]]:
    """The performance with another person's hand shape in place of the drawn one."""
    for time_s, hands in detected(performance, rng, SIZE_WH):
        posed = {hand.side: hand for hand in performance.hands(time_s)}
        moved = []
        for hand in hands:
            noise = hand.landmarks - joints_px(posed[hand.side], performance, SIZE_WH)
            joints = _moved(shape, posed[hand.side], performance) + noise
            moved.append(Hand(joints.astype(np.float32), hand.side, hand.score))
        yield time_s, tuple(moved)


def _moved(shape: Shape, hand: PosedHand, performance: Performance) -> np.ndarray:
    """The joints (21, 3) in pixels of a hand shape where a drawn hand is, turned as that is."""
    style = performance.style
    turn = rotation(hand.sign.turn, hand.side, np.random.default_rng(performance.pose_seed))
    seen = perspective(shape.joints * PALM_MM @ turn.T)[0] * style.px_per_mm
    x, y = place_px(hand, style, SIZE_WH)
    return np.column_stack([x + seen[:, 0], y - seen[:, 1], -style.depth * seen[:, 2]])


def taken_up(one: Shape, other: Shape, rng: np.random.Generator) -> Movement | None:
    """A hand that goes from one still letter to another, at another place and slant. None if it hardly moves."""
    fps, takes_s = float(rng.choice([10, 15, 20, 30])), float(rng.uniform(0.3, 1.0))
    palm_px, side = float(rng.uniform(50, 140)), rng.choice([-1, 1])
    lean, way = np.radians(rng.normal(0, 12)), rng.normal(0, rng.choice([0.1, 0.5, 1.0]), 2)
    jitter = float(rng.uniform(0.008, 0.03))
    frames = []
    for index in range(int((takes_s + 1.2) * fps)):
        done = np.clip((index / fps - 0.6) / takes_s, 0, 1)
        done = done * done * (3 - 2 * done)
        joints = (1 - done) * one.joints + done * other.joints + rng.normal(0, jitter, (21, 3))
        angle = done * lean
        turned = joints[:, :2] @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        x, y = (turned + done * way).T
        pixels = np.column_stack([640 + palm_px * side * x, 360 - palm_px * y, -palm_px * joints[:, 2]])
        frames.append((index / fps, (Hand(pixels.astype(np.float32), RIGHT if side > 0 else LEFT, 0.9),)))
    return _longest(movements_in(frames))


def letters_taken_up(rng: np.random.Generator) -> list[SignedMovement]:
    """Hands of the tables that go from letter to letter, each person with their own hands."""
    folder, found = landmarks_folder(), []
    shapes = [shape for letter in LETTERS for shape in read_shapes(folder, letter, rng)]
    people = {
        person: [shape for shape in shapes if shape.person == person] for person in {one.person for one in shapes}
    }
    names = sorted(people)
    for _ in range(TAKEN_UP):
        own = people[names[int(rng.integers(len(names)))]]
        one, other = (own[int(row)] for row in rng.integers(len(own), size=2))
        found.append(SignedMovement(one.person, None, taken_up(one, other, rng)))
    return found


def _longest(movements: Sequence[Movement]) -> Movement | None:
    return max(movements, key=lambda movement: movement.duration_s, default=None)


def other_movements(rng: np.random.Generator) -> list[Movement]:
    """Counterexamples that are drawn: what people do, and random movements."""
    found = []
    for what in EVERYDAY:
        for _ in range(EVERYDAY_EACH):
            performance = Performance(everyday(what, rng), random_style(rng, variety=float(rng.uniform(*VARIETY))), rng)
            found += movements_in(detected(performance, rng))
    for _ in range(RANDOM):
        movement = performed(random_scripts(rng), rng)
        found += [movement] if movement is not None else []
    return found


def moved_shapes(rng: np.random.Generator) -> list[SignedMovement]:
    """J and Z of all people in the tables: their hand shapes, moved. Raises SettingsError without tables."""
    folder = landmarks_folder()
    return [
        SignedMovement(shape.person, label, signed(label, shape, rng))
        for label, letter in SHAPE_OF.items()
        for shape in read_shapes(folder, letter, rng)
    ]


def drawn_letters(rng: np.random.Generator) -> list[SignedMovement]:
    """J and Z of drawn people, whose pointing hand is a fist, unlike that of a D."""
    found = []
    for label in SHAPE_OF:
        for _ in range(DRAWN):
            script = SCRIPTS[label][int(rng.integers(len(SCRIPTS[label])))]
            style = random_style(rng, SIZE_WH, variety=float(rng.uniform(*VARIETY)))
            performance = Performance(script, style, rng, enters=False)
            found.append(SignedMovement("drawn", label, _longest(movements_in(detected(performance, rng)))))
    return found


def fitted(movements: Sequence[SignedMovement]) -> MotionClassifier:
    """The classifier of J and Z from movements of both, and of others without a label."""
    labels = tuple(SHAPE_OF)
    known = [(one.movement, one.label) for one in movements if one.movement is not None]
    points = np.stack([point_of(movement) for movement, _ in known])
    classes = np.array([NONE if label is None else labels.index(label) for _, label in known], np.int64)
    features = np.stack([movement_features(movement) for movement, _ in known])
    return MotionClassifier(
        labels, points, classes, np.full(len(known), ""), linear_head(features, classes, len(labels)), labels
    )


def linear_head(features: np.ndarray, classes: np.ndarray, labels: int) -> Head:
    """Logistic regression on scaled features (N, features.SIZE); each class has the same weight. NONE is the last column."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=2000)
    model.fit((features - mean) / scale, np.where(classes == NONE, labels, classes))
    kernel = model.coef_.T / scale[:, None]
    return Head(kernel.astype(np.float32), (model.intercept_ - mean @ kernel).astype(np.float32))


def publish(models: ModelStore, classifier: MotionClassifier, metrics: dict[str, object], command: str) -> Path:
    """A new version of letters: the files of the current one, and J and Z. Raises ModelError."""
    current = models.current(TASK)
    card = read_card(current)
    with models.publishing(TASK) as draft:
        for path in current.iterdir():
            if path.is_file() and path.name not in (FILE, "card.json"):
                (draft / path.name).write_bytes(path.read_bytes())
        classifier.save(draft / FILE)
        moving = {
            "labels": list(classifier.labels),
            "features": embedding.VERSION,
            "metrics": metrics,
            "command": command,
        }
        write_card(replace(card, moving=moving, files=None), draft)
    return models.current(TASK)


def landmarks_folder() -> Path:
    """The folder of the tables. Raises SettingsError."""
    for folder in paths.data_folders():
        if (folder / "landmarks" / "meta.json").is_file():
            return folder / "landmarks"
    raise SettingsError(f"No data folder has landmarks/meta.json. Name one in {paths.DATA_VARIABLE}.")


def train_letters(models: ModelStore, command: str) -> None:
    """Fits J and Z, measures them on people left out and publishes them as a version of letters. Raises RecognizerError."""
    rng = np.random.default_rng(SEED)
    real = [one for folder in signed_movements.folders() for one in signed_movements.read_movements(folder)]
    others = [SignedMovement("drawn", None, movement) for movement in other_movements(rng)]
    movements = [*moved_shapes(rng), *drawn_letters(rng), *letters_taken_up(rng), *real, *others]
    metrics = validated(movements, list(dict.fromkeys(one.person for one in real)))
    for name, value in metrics.items():
        print(f"{name}: {value}")
    print(f"Published {publish(models, fitted(movements), metrics, command)}")


def validated(movements: Sequence[SignedMovement], people: Sequence[str]) -> dict[str, object]:
    """How people and studio people are read by classifiers that have seen neither their movements nor their hands."""
    metrics: dict[str, object] = {}
    for person in people:
        alike = person.split("-")[0].lower()  # the tables name their people with the repository, too
        classifier = fitted([one for one in movements if alike not in one.person.lower()])
        own = [one for one in movements if one.person == person]
        for label in SHAPE_OF:
            tested = [one for one in own if one.label == label]
            right = sum(one.movement is not None and classifier.predict(one.movement).label == label for one in tested)
            if tested:
                metrics[f"{person}, left out: {label}"] = f"{right} of {len(tested)}"
        held = [one.movement for one in own if one.label is None and one.movement is not None]
        if held:
            false = sum(classifier.predict(movement).label is not None for movement in held)
            metrics[f"{person}, left out: movements that are no J or Z and get a label"] = f"{false} of {len(held)}"
    classifier = fitted(movements)
    for label in SHAPE_OF:
        right, count = studio_reads(classifier, label)
        metrics[f"studio people: {label}"] = f"{right} of {count}"
    for what in EVERYDAY:
        false, minutes = false_labels(classifier, what)
        metrics[f"{what}: false labels"] = f"{false} in {minutes:.1f} minutes"
    return metrics


def studio_reads(classifier: MotionClassifier, label: str, people: int = STUDIO_PEOPLE) -> tuple[int, int]:
    """How many of the studio people's movements get their label, and of how many."""
    right = 0
    for person in range(people):
        rng = np.random.default_rng([SEED, 7, person])
        script = SCRIPTS[label][int(rng.integers(len(SCRIPTS[label])))]
        movements = movements_in(detected(Performance(script, random_style(rng), rng), rng))
        found = {classifier.predict(movement).label for movement in movements} - {None}
        right += found == {label}
    return right, people


def false_labels(classifier: MotionClassifier, what: str, seconds: float = EVERYDAY_S) -> tuple[int, float]:
    """How many labels drawn people get who do other things, and in how many minutes."""
    rng = np.random.default_rng([SEED, 8])
    false, shown_s = 0, 0.0
    while shown_s < seconds:
        performance = Performance(everyday(what, rng), random_style(rng), rng)
        false += sum(classifier.predict(one).label is not None for one in movements_in(detected(performance, rng)))
        shown_s += performance.duration_s
    return false, shown_s / 60
