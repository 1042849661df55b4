"""Time to list, count, add and train on 10 to 10,000 captured samples, compared with pandas and scikit-learn.

python -m benchmarks.sample_cost
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import table
from recognizer.preprocess import pose
from recognizer.registry.store import ModelStore
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample, new_sample
from recognizer.samples.store import Samples
from recognizer.subjects.hands import HAND
from recognizer.system import machine
from recognizer.system.terminal import exit_on_error
from recognizer.values import Box, Frame, Hand, Region
from training.settings import LearnSettings
from training.user_tasks import learn
from training.user_tasks.sample_inputs import hand_inputs

COUNTS = (10, 100, 1000, 10_000)
TASK, LABELS = "signs", ("left", "middle", "right")
ROUNDS = 3


def main() -> None:
    with exit_on_error():
        print(machine.description())
        print(report())


def report() -> str:
    """The section in Markdown: time to list, count, add and train for each number of samples."""
    listed: list[tuple[float, ...]] = []
    learned: list[tuple[float, ...]] = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as name:
            models = ModelStore(Path(name) / "models")
            store = filled(Path(name) / "captures", count)
            read, by_pandas = seconds(store.read, TASK), seconds(by_hand, store)
            counted, added = seconds(store.counts, TASK), seconds(add_one, store)
            listed.append((count, 1000 * read, 1000 * counted, 1000 * added, 1000 * by_pandas, read / by_pandas))
            if not learned:
                learn_all(store, models)  # warm-up: imports are not measured
                logistic_regression(store)
            ours = seconds(learn_all, store, models, rounds=1)
            theirs = seconds(logistic_regression, store, rounds=1)
            learned.append((count, ours, theirs, ours / theirs))
    return (
        "## Scaling with captured samples\n\n`python -m benchmarks.sample_cost`: hands with their landmarks. "
        "pandas: `pandas.read_csv` of the same samples.csv, with the landmarks parsed from its cells.\n\n"
        + table(["samples", "ms to list", "ms to count", "ms to add one", "ms with pandas", "list / pandas"], listed)
        + "\nTraining includes validation and publishing. scikit-learn: LogisticRegression on the same features, without "
        "validation and without saving.\n\n"
        + table(["samples", "s to train", "s with scikit-learn", "train / scikit-learn"], learned)
    )


def filled(folder: Path, count: int) -> Samples:
    """A sample store with `count` random hands of three signs."""
    store, rng = Samples(folder), np.random.default_rng(0)
    store.create_task(TASK, HAND.name, LABELS)
    png = encode_png(np.zeros((8, 8, 3), np.uint8))
    shapes = rng.normal(0, 1, (len(LABELS), pose.JOINTS, 3))

    def samples() -> Iterator[tuple[Sample, bytes]]:
        for number in range(count):
            points = 60 * (shapes[number % len(LABELS)] + rng.normal(0, 0.1, (pose.JOINTS, 3))) + [200, 200, 0]
            hand = Hand(points.astype(np.float32), "right", 0.9)
            yield new_sample(TASK, LABELS[number % len(LABELS)], "first", "drawn", Box(1, 1, 400, 400), hand=hand), png

    store.place(samples())
    return store


def add_one(store: Samples) -> None:
    hand = Hand(np.ones((pose.JOINTS, 3), np.float32), "right", 0.9)
    region = Region(Box(0, 0, 8, 8), np.zeros((8, 8, 3), np.uint8), hand=hand)
    store.add(TASK, LABELS[0], region, Frame(np.zeros((20, 20, 3), np.uint8), 0, 0.0, "drawn"), "first", "drawn")


def by_hand(store: Samples) -> np.ndarray:
    """The landmarks of all samples, (N, JOINTS, 3) float32, parsed without validation."""
    cells = pd.read_csv(store.table_path)["landmarks"]
    return np.array([np.array(cell.split(), np.float32) for cell in cells]).reshape(-1, pose.JOINTS, 3)


def learn_all(store: Samples, models: ModelStore) -> None:
    learn.learn(LearnSettings(TASK, samples=store, models=models, force=True), lambda *_: None)
    assert models.current(TASK).is_dir()


def logistic_regression(store: Samples) -> object:
    from sklearn.linear_model import LogisticRegression

    view = hand_inputs(store.read(TASK), store)
    return LogisticRegression(max_iter=300).fit(np.array(view.inputs()), [sample.label for sample in view.samples])


def seconds(work: Callable[..., object], *arguments: object, rounds: int = ROUNDS) -> float:
    """Shortest wall time of `rounds` rounds, in seconds: other load on the machine only adds time."""
    shortest_s = float("inf")
    for _ in range(rounds):
        start_s = time.perf_counter()
        work(*arguments)
        shortest_s = min(shortest_s, time.perf_counter() - start_s)
    return shortest_s


if __name__ == "__main__":
    main()
