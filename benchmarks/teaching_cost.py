"""Duration of teaching, from the key press to the first prediction of the new model, and its effect on accuracy.

python -m benchmarks.teaching_cost                   hand, paper and box: seconds from Enter, slowest frame
python -m benchmarks.teaching_cost --subjects paper  only that subject
python -m benchmarks.teaching_cost --digits [DIR]    accuracy after adding "+" to the digits, and on each series in
                                                     DIR/series/digit/picture

It runs in a temporary folder and does not change your samples or models.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.report import table
from recognizer.classifiers.classifier import Classifier
from recognizer.errors import SamplesError
from recognizer.hot_swap import LivePipeline
from recognizer.pipeline import open_pipeline
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.sample import new_session
from recognizer.samples.store import Samples
from recognizer.sources.decoding import read_image
from recognizer.studio.scenes import Studio
from recognizer.subjects.box import BOX
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.system import paths
from recognizer.system.keyboard import ENTER
from recognizer.system.terminal import exit_on_error
from recognizer.teaching.label_folders import pictures_below
from recognizer.teaching.recording import main_region
from recognizer.teaching.teacher import SAMPLE_EVERY_S, Teacher
from recognizer.values import Frame, Observation
from training.datasets.mnist import has_mnist, load_mnist
from training.settings import LearnSettings
from training.user_tasks import learn

SIZE_WH = (1280, 720)
FPS = 30.0
EACH = 10  # samples a label
CARD_S = 2.4  # how long the studio shows each sheet or sign
BEFORE = 60  # frames measured before Enter; their median is the normal time per frame
PATIENCE_S = 300.0  # time limit for a training run
TESTED = 100  # test pictures of the new label
NEW = "+"  # the new label


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.teaching_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--subjects", nargs="+", choices=SCENES, default=[*SCENES])
    parser.add_argument("--digits", nargs="?", type=Path, const=Path(), metavar="DIR")
    parser.add_argument("--models", type=open_models, default=default_models())
    options = parser.parse_args()
    with exit_on_error():
        if options.digits is None:
            for subject in options.subjects:
                print(measure(subject, options.models).as_text())
        else:
            print(train_new_class(options.models).as_text())
            if options.digits != Path():
                for own in train_on_series(options.digits, options.models):
                    print(own.as_text())


def report() -> str:
    """The section in Markdown: duration for each subject, and accuracy after teaching a new class and own digits."""
    models = default_models()
    costs = [measure(subject, models) for subject in SCENES]
    gains = [train_new_class(models)]
    folder = next((found for found in paths.data_folders() if (found / "photos" / "digits").is_dir()), None)
    if folder is not None:
        gains += train_on_series(folder / "photos" / "digits", models)
    return (
        "## Teaching\n\n"
        f"`python -m benchmarks.teaching_cost`: {EACH} samples a label, from the key press to the first live prediction of "
        "the new model. Time per frame: median before training, and maximum during training.\n\n"
        + table(
            ["subject", "labels", "seconds", "ms a frame, before", "ms a frame, maximum"],
            [(cost.subject, cost.labels, cost.seconds, cost.before_ms, cost.worst_ms) for cost in costs],
        )
        + "\n`python -m benchmarks.teaching_cost --digits DIR`: accuracy in percent on the pictures not used for "
        "training, and on MNIST's test set.\n\n"
        + table(
            ["trained on", "samples", "tested", "before", "after", "MNIST before", "MNIST after"],
            [(one.name, one.learned, one.tested, *map(percent, one.shares)) for one in gains],
        )
    )


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


@dataclass(frozen=True)
class Cost:
    """Duration of one teaching run."""

    subject: str
    labels: int
    seconds: float
    before_ms: float  # median time per frame
    worst_ms: float  # maximum time per frame during training

    def as_text(self) -> str:
        return (
            f"{self.subject}: {self.labels} labels of {EACH} samples, {self.seconds:.1f} s from the key press to the new "
            f"model; {self.before_ms:.1f} ms a frame before, at most {self.worst_ms:.0f} ms during training"
        )


@dataclass(frozen=True)
class Gain:
    """Accuracies (0 to 1) on pictures not used for training and on MNIST's test set; None if not measured."""

    name: str
    learned: int  # samples
    tested: int
    before: float | None
    after: float
    mnist_before: float | None
    mnist_after: float | None

    @property
    def shares(self) -> tuple[float | None, ...]:
        return self.before, self.after, self.mnist_before, self.mnist_after

    def as_text(self) -> str:
        before, after, mnist_before, mnist_after = map(percent, self.shares)
        return (
            f"{self.name}: trained on {self.learned}, tested on {self.tested}: {before} % right before, {after} % after; "
            f"MNIST test: {mnist_before} % before, {mnist_after} % after"
        )


class TemporaryWorkspace:
    """A temporary project folder with copies of some models and no samples; deleted when closed."""

    def __init__(self, models: ModelStore, *tasks: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.models, self.store = ModelStore(folder / "models"), Samples(folder / "captures")
        for task in tasks:
            shutil.copytree(models.folder / task, self.models.folder / task)
        self._environment = {name: paths.chosen(name) for name in (paths.CAPTURES_VARIABLE, paths.ASSETS_VARIABLE)}
        os.environ[paths.CAPTURES_VARIABLE] = str(self.store.folder)

    def hide_assets(self) -> None:
        """Hide the downloaded files and what was built from them."""
        os.environ[paths.ASSETS_VARIABLE] = str(self.models.folder.parent / "assets")

    def learn(self, task: str) -> None:
        learn.learn(LearnSettings(task, samples=self.store, models=self.models, force=True), lambda *_: None)

    def record(self, task: str, label: str, frames: Iterator[Frame]) -> None:
        """Record a sample of the region found in each frame."""
        with subject_of(self.store.task(task).subject).finding(stream=False) as finder:
            session = new_session()
            for frame in frames:
                region = main_region(Observation(frame, task, tuple(finder.find(frame))))
                if region is not None:
                    self.store.add(task, label, region, frame, session, frame.name)

    def __enter__(self) -> "TemporaryWorkspace":
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        self._folder.cleanup()


@dataclass(frozen=True)
class Scene:
    """Drawn frames for one subject."""

    task: str
    known: Sequence[str]  # labels of the task before teaching
    labels: Sequence[str]  # labels to record
    frames: Sequence[tuple[str, Frame]]  # (label, frame)
    needs_assets: bool = True  # False: downloaded files are hidden

    @property
    def pictures(self) -> list[np.ndarray]:
        """The frames, each (H, W, 3) uint8 BGR."""
        return [frame.image_bgr for _, frame in self.frames]


class Camera:
    """Passes pictures to the live pipeline and the teacher at a camera's frame rate, and measures the time per frame."""

    def __init__(self, live: LivePipeline, teacher: Teacher, pictures: Sequence[np.ndarray]) -> None:
        self.times_ms: list[float] = []
        self._live, self._teacher, self._pictures = live, teacher, pictures
        self._began_s = time.perf_counter()

    def look(self, frames: int = 1) -> None:
        for _ in range(frames):
            number = len(self.times_ms)
            time.sleep(max(0.0, self._began_s + number / FPS - time.perf_counter()))
            start_s = time.perf_counter()
            frame = Frame(self._pictures[number % len(self._pictures)], number, start_s - self._began_s, "drawn")
            self._teacher.write(self._live.step(frame))
            self.times_ms.append(1000 * (time.perf_counter() - start_s))


def measure(subject: str, models: ModelStore) -> Cost:
    """Time from Enter to the new model's first prediction, and the maximum time per frame after the first sample.

    This is a first training run: the backbone for objects is not built yet. Enter is pressed as soon as enough samples exist.
    """
    scene = SCENES[subject]()
    with TemporaryWorkspace(models, "digits", "letters") as place:
        if not scene.needs_assets:
            place.hide_assets()
        record_scene(place, scene, subject)
        with (
            LivePipeline(scene.task, place.models, place.store) as live,
            Teacher(live, place.models, place.store) as teacher,
        ):
            camera = Camera(live, teacher, scene.pictures)
            camera.look(BEFORE)
            teacher.start_recording()
            camera.look(round(len(scene.labels) * EACH * SAMPLE_EVERY_S * FPS))
            took_s = train_live(live, teacher, camera)
            camera.look()
        before_ms = statistics.median(camera.times_ms[10:BEFORE])
        return Cost(subject, len(scene.labels), took_s, before_ms, max(camera.times_ms[BEFORE:]))


def record_scene(place: TemporaryWorkspace, scene: Scene, subject: str) -> None:
    """Create the scene's task and record its samples. Raises SamplesError if a label is not found in any frame."""
    place.store.create_task(scene.task, subject, [*scene.known, *scene.labels])
    for label in scene.labels:
        place.record(scene.task, label, (frame for shown, frame in scene.frames if shown == label))
    recorded = [label for label, count in place.store.counts(scene.task).items() if count]
    if len(recorded) < len(scene.labels):
        raise SamplesError(
            f"The drawn frames must show {', '.join(scene.labels)}. Found: {', '.join(recorded) or 'none'}."
        )


def train_live(live: LivePipeline, teacher: Teacher, camera: Camera) -> float:
    """Seconds from Enter until the live loop uses the new model. Raises SamplesError if it is not published."""
    before, pressed_s = live.folder, time.perf_counter()
    teacher.key(ENTER)
    while live.folder == before:
        camera.look()
        is_refused = teacher.result is not None and teacher.result.get("published") is None
        if is_refused or time.perf_counter() - pressed_s > PATIENCE_S:
            raise SamplesError(f"The model was not published: {teacher.result}")
    return time.perf_counter() - pressed_s


def hand_scene() -> Scene:
    """The studio's hand with two signs."""
    studio = Studio("rps", SIZE_WH, FPS)
    middles = [round((CARD_S * card + CARD_S / 2) * FPS) for card in range(2 * EACH)]
    shown = [studio.frame(middle) for middle in middles]
    labels = sorted({frame.truth[0].label for frame in shown})[:2]
    frames = {label: [frame for frame in shown if frame.truth[0].label == label][:EACH] for label in labels}
    return Scene("mine", [], labels, [(label, frame) for label in labels for frame in (frames[label] * EACH)[:EACH]])


def paper_scene() -> Scene:
    """Plus signs, added to the digits."""
    rng = np.random.default_rng(0)
    return Scene("digits", [*"0123456789"], [NEW], [(NEW, a_frame(a_plus(rng, SIZE_WH))) for _ in range(EACH)])


def box_scene() -> Scene:
    """Striped cards of two colours in the guide box."""
    labels, rng = ["red", "blue"], np.random.default_rng(0)
    frames = [(label, a_frame(a_card(label, rng))) for label in labels for _ in range(EACH)]
    return Scene("mine", [], labels, frames, needs_assets=False)


SCENES = {HAND.name: hand_scene, PAPER.name: paper_scene, BOX.name: box_scene}


def a_frame(image_bgr: np.ndarray) -> Frame:
    return Frame(image_bgr, 0, 0.0, "drawn")


def a_plus(rng: np.random.Generator, size_wh: tuple[int, int] = (640, 480)) -> np.ndarray:
    """A + on paper, (H, W, 3) uint8 BGR."""
    width, height = size_wh
    sheet = np.full((height, width, 3), 225, np.uint8)
    middle = rng.integers((150, 130), (width - 190, height - 150))
    half, lean = int(rng.integers(40, 90)), rng.normal(0, 0.08, 2)
    thickness = int(rng.integers(8, 15))
    for along in (np.array([1.0, lean[0]]), np.array([lean[1], 1.0])):
        start, end = (np.round(middle + sign * half * along).astype(int).tolist() for sign in (-1, 1))
        cv2.line(sheet, start, end, (40, 40, 40), thickness, cv2.LINE_AA)
    return sheet


def a_card(color: str, rng: np.random.Generator) -> np.ndarray:
    """A striped card in the guide box on a grey background, (H, W, 3) uint8 BGR."""
    width, height = SIZE_WH
    wall = np.full((height, width, 3), 150, np.uint8)
    center = (width / 2 + rng.normal(0, 15), height / 2 + rng.normal(0, 15))
    corners = cv2.boxPoints((center, (260 + rng.normal(0, 15), 180), float(rng.normal(0, 8)))).astype(np.int32)
    cv2.fillPoly(wall, [corners], (40, 40, 200) if color == "red" else (200, 90, 40))
    for stripe in range(3):
        x, y = int(center[0]) - 80 + 60 * stripe, int(center[1])
        cv2.line(wall, (x, y - 60), (x + 20, y + 60), (240, 240, 240), 10, cv2.LINE_AA)
    return np.clip(wall + rng.normal(0, 3, wall.shape), 0, 255).astype(np.uint8)


def train_new_class(models: ModelStore) -> Gain:
    """Accuracy on "+" after training on 10 samples, and the change in MNIST accuracy."""
    with TemporaryWorkspace(models, "digits") as place:
        before = mnist_accuracy(place.models)
        rng = np.random.default_rng(0)
        place.store.create_task("digits", PAPER.name, [*"0123456789", NEW])
        place.record("digits", NEW, (a_frame(a_plus(rng)) for _ in range(EACH)))
        place.learn("digits")
        with open_pipeline("digits", place.models, place.store, smooth=False) as pipeline:
            read = [pipeline.step(a_frame(a_plus(rng))).text for _ in range(TESTED)]
        return Gain(NEW, EACH, TESTED, None, read.count(NEW) / TESTED, before, mnist_accuracy(place.models))


def train_on_series(folder: Path, models: ModelStore) -> Iterator[Gain]:
    """Accuracy before and after training on each series.

    Two thirds of the pictures of a label, at most EACH, are for training, the others for testing.
    """
    for series in sorted(path for path in folder.iterdir() if path.is_dir()):
        training, testing = split_data_set(series)
        with TemporaryWorkspace(models, "digits") as place:
            before, mnist_before = accuracy_on(testing, place.models, place.store), mnist_accuracy(place.models)
            place.store.create_task("digits", PAPER.name, [*"0123456789"])
            for label in sorted({label for label, _ in training}):
                frames = (a_frame(read_image(path)) for shown, path in training if shown == label)
                place.record("digits", label, frames)
            place.learn("digits")
            after = accuracy_on(testing, place.models, place.store)
            yield Gain(
                series.name, len(training), len(testing), before, after, mnist_before, mnist_accuracy(place.models)
            )


def split_data_set(series: Path) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """The training pictures and the test pictures of a series, with their labels."""
    training: list[tuple[str, Path]] = []
    testing: list[tuple[str, Path]] = []
    for label in sorted(path for path in series.iterdir() if path.is_dir()):
        pictures = pictures_below(label)
        count = min(EACH, 2 * len(pictures) // 3)
        training += [(label.name, path) for path in pictures[:count]]
        testing += [(label.name, path) for path in pictures[count:]]
    return training, testing


def accuracy_on(pictures: list[tuple[str, Path]], models: ModelStore, samples: Samples) -> float:
    with open_pipeline("digits", models, samples, smooth=False) as pipeline:
        right = [pipeline.step(a_frame(read_image(path))).text == label for label, path in pictures]
    return sum(right) / max(1, len(right))


def mnist_accuracy(models: ModelStore) -> float | None:
    """Accuracy (0 to 1) of the current digits model on MNIST's 10,000 test digits; None if MNIST is missing."""
    if not has_mnist():
        return None
    mnist = load_mnist()
    classifier = Classifier(models.current("digits"))
    predicted = [classifier.run(image)[0][: len(classifier.labels)].argmax() for image in mnist.test_images]
    return float(np.mean(np.array(predicted) == mnist.test_labels))


if __name__ == "__main__":
    main()
