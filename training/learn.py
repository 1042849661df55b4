"""The story of a taught model: read the samples, learn a head over features that stay, prove it, publish.

python -m training.learn --task signs
python -m training.learn --task signs --from DIR    from pictures in folders that are named by their label
"""

import argparse
import hashlib
import json
import platform
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import pose, preprocess, registry
from recognizer.classifier import FEATURES, HEAD, INPUT, NETWORK, Classifier, Head, Rejection
from recognizer.errors import ModelError, RecognizerError, SamplesError, SettingsError
from recognizer.pipeline import picture_finder
from recognizer.samples import NOTHING, REGIONS, Sample, Samples, Task
from recognizer.samples_exchange import import_folder, labels_in
from recognizer.sources import PICTURE_SUFFIXES, read_image
from recognizer.values import Frame
from training import heads
from training.datasets import MNIST_IDX, data_folders, load_mnist
from training.heads import KNOWLEDGE, Knowledge
from training.sampled import View, features_of, view_of
from training.versions import git_commit

ROOT = Path(__file__).resolve().parent.parent
DIGITS = [*"0123456789"]
BASE_TASK = "digits"  # whose network sees new tasks on paper
COPIES = 200  # changed ones for each label, and …
COPIES_RANGE = (10, 40)  # … for each sample
MOST_RUNS = 1000  # of a network over copies: as many take a second or two
HELD_OUT = 0.25  # of a label's samples, the last in time, where all are of one session
GAP = 0.1  # of a label's samples, before those held out: neighbours in time are nearly the same picture
MAX_LOSS = 0.003  # of what was known
NEW_COUNTS = 3.0  # times as much as a class that is rehearsed: a new label has to win its place
KNOWN_COUNTS = (1.0, 4.0, 16.0)  # what is rehearsed counts more where too much of it would be lost
KEPT = 0.95  # share of right readings that thresholds let pass
COPIES_KEPT = 0.98  # likewise of changed copies
LEEWAY = 1.3  # times the distance of changed copies: people change their signs by more than that in a day
MOST_CONFIDENT = 0.9  # a threshold above it would silence what is only a little different
MORE_NOTHING = 0.01  # more of what is known as nothing may get a label, at most
STEPS = 6  # between the thresholds that were and those that let enough pass
SHOWN_TO_TELL = 24  # pictures that are looked at to find out a task's region
KNOWN_TESTED = 500  # features drawn of each known class to test on
REAL_TESTED = 2000  # of MNIST's test digits, where they are at hand: all of them would take longer than to learn

Tell = Callable[..., None]


def main(words: Sequence[str] | None = None) -> None:
    options = parse(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cancelled by the window: nothing half-written stays
    try:
        learn(options, told_in_json() if options.json else told_in_words())
    except RecognizerError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.learn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--task", required=True, help="of python -m recognizer new, or a new one with --from")
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="first add its label/picture files")
    parser.add_argument("--region", choices=REGIONS, help="of a new task; found out from the pictures unless given")
    parser.add_argument("--full", action="store_true", help="fine-tune the whole network: minutes, and TensorFlow")
    parser.add_argument("--network", metavar="NAME", help="another network than the instant one, such as vgg16")
    parser.add_argument("--force", action="store_true", help="publish what did not prove itself as well")
    parser.add_argument("--json", action="store_true", help="tell the progress in one JSON object a line")
    parser.add_argument("--captures", type=Path, help="folder of the samples")
    parser.add_argument("--models", type=Path, default=registry.models_folder())
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


@dataclass(frozen=True, eq=False)
class Taught:
    """A head with all that it needs to be published."""

    labels: list[str]
    head: Head
    rejection: Rejection
    min_confidence: float
    max_distance: float

    def said(self, features: np.ndarray) -> np.ndarray:
        """The class shown for each of (N, D) features, (N,) int; the number of labels where none is."""
        known = self.head.probabilities(features)[:, : len(self.labels)]
        sure = known.max(axis=1) >= self.min_confidence
        near = self.rejection.distances(features).min(axis=1) <= self.max_distance
        return np.where(sure & near, known.argmax(axis=1), len(self.labels))

    def best(self, features: np.ndarray) -> np.ndarray:
        """The likeliest label of each of (N, D) features, (N,) int, whether it would be shown or not."""
        return self.head.probabilities(features)[:, : len(self.labels)].argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Base:
    """What the new head starts from."""

    folder: Path | None  # the version whose network is copied; None: the features are the inputs
    network: Classifier | None
    labels: list[str]  # those that are kept; none for a new task
    head: Head | None  # over these labels
    knowledge: Knowledge | None
    thresholds: tuple[float, float] | None  # least confidence and largest distance
    rejection: Rejection | None


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the proof showed. Shares of held-out samples read right; None where there was nothing to read them with."""

    before: float | None
    after: float | None
    known_before: float | None
    known_after: float | None
    per_label: dict[str, dict[str, Any]]
    confused: list[tuple[str, str, int]]
    held_out: int
    passed: bool
    why: str


def learn(options: argparse.Namespace, tell: Tell) -> Path | None:
    """The new version's folder, or None where it did not prove itself."""
    _refuse_what_is_not_there(options)
    began_s = time.perf_counter()
    tell("reading", 0.0)
    store = Samples(options.captures)
    if options.folder is not None:
        import_pictures(store, options)
    task = store.task(options.task)
    rows = store.read(task.name)
    current = current_version(options.models, task)
    _check_labels(task, rows, current)
    view = view_of(task.region, rows, store)
    if len(view.samples) < len(rows):
        missing = len(rows) - len(view.samples)
        tell(f"in {missing} of {len(rows)} samples no {task.region} is found again: they are left out", 0.1)
        _check_labels(task, view.samples, current)
    base = base_of(options.models, task, view, current)
    lesson = Lesson(task, view, base, current, options.seed, tell)
    verdict = lesson.prove()
    folder = None
    if verdict.passed or options.force:
        tell("publishing", 0.9)
        with registry.publishing(options.models, task.name) as draft:
            lesson.publish(verdict, draft)
        folder = registry.current(options.models, task.name)
    result = {
        "published": None if folder is None else folder.name,
        "before": {"accuracy": verdict.before, "known": verdict.known_before},
        "after": {"accuracy": verdict.after, "known": verdict.known_after},
        "per_label": verdict.per_label,
        "confused": verdict.confused,
        "why": verdict.why,
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    tell("done", 1.0, result)
    return folder


def _refuse_what_is_not_there(options: argparse.Namespace) -> None:
    if options.network is not None:
        raise SettingsError(
            f"--network {options.network} learns with training.train: "
            f'python -m training.train --data "captures/{options.task}" --network {options.network}'
        )
    if options.full:
        raise SettingsError("--full is not there yet. Leave it out: the head learns in seconds.")


def told_in_words() -> Tell:
    last = ""

    def tell(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        nonlocal last
        if result is None:
            if stage != last:
                print(f"{stage} …", flush=True)
            last = stage
            return
        before, after = result["before"], result["after"]
        print(f"Held-out samples read right: {_share(before['accuracy'])} before, {_share(after['accuracy'])} after")
        if after["known"] is not None:
            print(f"What was known read right:   {_share(before['known'])} before, {_share(after['known'])} after")
        for label, counts in result["per_label"].items():
            print(f"  {label}: {counts['after']} of {counts['of']} ({counts['before']} before)")
        for said, meant, count in result["confused"]:
            print(f"  {count} of {meant} read as {said}")
        version = result["published"]
        print(f"{'Published ' + version if version else 'Not published'} after {result['seconds']} s: {result['why']}")

    return tell


def told_in_json() -> Tell:
    began_s = time.perf_counter()

    def tell(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        elapsed_s = time.perf_counter() - began_s
        left_s = round(elapsed_s / progress * (1 - progress), 1) if progress else None
        line = {"stage": stage, "progress": round(progress, 3), "left_s": left_s} if result is None else result
        print(json.dumps(line, ensure_ascii=False), flush=True)

    return tell


def _share(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.2f} %"


def import_pictures(store: Samples, options: argparse.Namespace) -> None:
    """The folder's pictures become samples of the task, which is made where it is new."""
    if not options.folder.is_dir():
        raise SamplesError(
            f"{options.folder} is not a folder. Give one that holds a folder of pictures for each label."
        )
    labels = labels_in(options.folder)
    there = next((task for task in store.tasks() if task.name == options.task), None)
    region = there.region if there else options.region or region_of(options.folder)
    if options.region not in (None, region):
        raise SamplesError(f"The task {options.task} shows a {region}, not a {options.region}. Leave out --region.")
    with picture_finder(region) as find:
        if there is None:
            store.create_task(options.task, region, labels)
        imported = import_folder(store, options.folder, options.task, find)
    for line in imported.refused:
        print(line, file=sys.stderr)
    if imported.refused and not imported.added and not imported.already_there:
        if there is None:
            store.delete_task(options.task)
        raise SamplesError(f"None of the pictures in {options.folder} can be read.")


def region_of(folder: Path) -> str:
    """What the pictures show: hands in most, else ink in most, else things for the box. Raises AssetError."""
    paths = sorted(path for path in folder.glob("**/*/*") if path.suffix.lower() in PICTURE_SUFFIXES)
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, SHOWN_TO_TELL).astype(int))]
    frames = []
    for path in chosen:
        try:
            frames.append(Frame(read_image(path), 0, 0.0, path.name))
        except RecognizerError:  # told when it is imported
            continue
    for region in ("hand", "paper"):
        with picture_finder(region) as find:
            if find and 2 * sum(bool(find(frame)) for frame in frames) > len(frames):
                return region
    return "box"


def current_version(models: Path, task: Task) -> Path | None:
    """The task's current version; None where it has none. Raises ModelError for one that shows something else."""
    if not (models / task.name / registry.CURRENT).exists():
        return None
    folder = registry.current(models, task.name)
    region = registry.read_card(folder).get("region")
    if region != task.region:
        raise ModelError(f"The model of {task.name} looks at a {region}, and its samples show a {task.region}.")
    return folder


def _check_labels(task: Task, rows: Sequence[Sample], current: Path | None) -> None:
    """Raise SamplesError where there is nothing to tell apart."""
    labels = {row.label for row in rows}
    known = registry.read_card(current)["labels"] if current else []
    if not labels:
        raise SamplesError(
            f"The task {task.name} has no samples. Record some with c in the window, or give --from DIR."
        )
    if len(labels | set(known)) < 2:
        raise SamplesError(f"All samples of {task.name} show {labels.pop()}. Record another label to tell it from.")


def base_of(models: Path, task: Task, view: View, current: Path | None) -> Base:
    """The version that the new head starts from: that which was not taught, as long as the samples make up for the rest."""
    chosen = current
    lesson = registry.read_card(current).get("taught") if current else None
    if current and lesson:
        origin = models / task.name / lesson["from"] if lesson.get("from") else None
        kept = registry.read_card(origin)["labels"] if origin and origin.is_dir() else []
        made_up_for = {row.label for row in view.samples}.union(kept)
        if set(registry.read_card(current)["labels"]) <= made_up_for:
            chosen = origin if kept else None
    if chosen is not None:
        return _read_base(chosen, view)
    if task.region == "hand":
        return Base(None, None, [], None, None, None, None)
    digits = _read_base(registry.current(models, BASE_TASK), view)
    return Base(digits.folder, digits.network, [], None, None, None, None)


def _read_base(folder: Path, view: View) -> Base:
    kind = registry.read_card(folder).get("kind")
    if kind == "fused":
        folder = folder / "pose"
    elif kind not in (None, "pose"):
        raise ModelError(f"{folder} knows hands by their {kind}, and only joints can be taught in a moment.")
    network = Classifier(folder, view.prepared)
    embeds = network.card.get("features") != INPUT
    knowledge = (
        Knowledge.load(folder)
        if (folder / KNOWLEDGE).exists()
        else Knowledge.of_rejection(network.rejection, len(network.labels))
    )
    head = heads.head_of(folder, network, view.plain()[:5])
    thresholds = network.min_confidence, network.max_distance
    return Base(folder, network if embeds else None, network.labels, head, knowledge, thresholds, network.rejection)


class Lesson:
    """One run: the samples of a task, and what is made of them."""

    def __init__(self, task: Task, view: View, base: Base, current: Path | None, seed: int, tell: Tell):
        self.task, self.view, self.base, self.current, self.tell = task, view, base, current, tell
        self.rng = np.random.default_rng(seed)
        order = [*base.labels, *task.labels, *(row.label for row in view.samples)]
        recorded = {row.label for row in view.samples}
        self.labels = [
            label for label in dict.fromkeys(order) if label != NOTHING and (label in base.labels or label in recorded)
        ]
        self.names = [*self.labels, NOTHING]
        self.classes = np.array([self.names.index(row.label) for row in view.samples])
        self.inputs = view.plain()
        self.plain = features_of(self.inputs, base.network)
        self.copies = self._copies()
        self.known_counts = KNOWN_COUNTS[0]
        self.thresholds = 0.5, 0.0  # least confidence and largest distance; what the proof found

    def _copies(self) -> np.ndarray:
        """Features of changed copies, (C, N, D)."""
        each = COPIES // max(1, min(Counter(self.classes.tolist()).values()))
        count = int(np.clip(each, *COPIES_RANGE))
        if self.base.network is not None:
            count = min(count, max(COPIES_RANGE[0], MOST_RUNS // len(self.classes)))
        made = []
        for number in range(count):
            self.tell("looking", 0.1 + 0.5 * number / count)
            made.append(features_of(self.view.changed(self.rng), self.base.network))
        return np.stack(made)

    def prove(self) -> Verdict:
        """Learn from a part, and read the rest with the current version and with what was learned."""
        fitted, held_out = split(self.view.samples)
        self.tell("learning", 0.65)
        if not len(held_out):
            return self._unproved()
        taught, known_before, known_after = self._fit_carefully(fitted)
        taught = self._with_thresholds(taught, fitted, held_out)
        self.thresholds = taught.min_confidence, taught.max_distance
        meant = self.classes[held_out]
        said_before = self._said_before(held_out)
        said_after = taught.said(self.plain[held_out])
        before = None if said_before is None else float((said_before == meant).mean())
        after = float((said_after == meant).mean())
        per_label = {
            self.names[index]: {
                "of": int((meant == index).sum()),
                "before": 0 if said_before is None else int((said_before[meant == index] == index).sum()),
                "after": int((said_after[meant == index] == index).sum()),
            }
            for index in np.unique(meant)
        }
        wrong = Counter(
            (self.names[said], self.names[index])
            for said, index in zip(said_after, meant, strict=True)
            if said != index
        )
        confused = [(said, label, count) for (said, label), count in wrong.most_common()]
        passed, why = judged(before, after, known_before, known_after, len(self.labels))
        return Verdict(before, after, known_before, known_after, per_label, confused, len(held_out), passed, why)

    def _unproved(self) -> Verdict:
        """A sample of each label leaves none to prove it on: good enough for a task that has no model yet."""
        rows = np.arange(len(self.classes))
        taught, known_before, known_after = self._fit_carefully(rows)
        taught = self._with_thresholds(taught, rows, rows[:0])
        self.thresholds = taught.min_confidence, taught.max_distance
        passed = self.current is None
        why = "one sample a label: nothing is left to prove it on" + ("" if passed else ", so the current model stays")
        return Verdict(None, None, known_before, known_after, {}, [], 0, passed, why)

    def _fit_carefully(self, rows: np.ndarray) -> tuple[Taught, float | None, float | None]:
        """A head from some of the samples that loses little of what was known, if there is one, and what it does."""
        for self.known_counts in KNOWN_COUNTS:
            taught = self.fit(rows)
            before, after = self._known(taught)
            if before is None or after is None or after >= before - MAX_LOSS / 2:
                break
        return taught, before, after

    def fit(self, rows: np.ndarray) -> Taught:
        """A head from some of the samples, over all labels."""
        classes = self.classes[rows]
        features = np.concatenate([self.plain[rows], *self.copies[:, rows]])
        repeated = np.tile(classes, 1 + len(self.copies))
        count = len(self.names)
        if self.base.head is None:
            head = heads.discriminant_head(features, repeated, count)
            if self.classes.max() == len(self.labels):
                # what is to be left alone has many looks, which one mean does not tell
                targets = np.eye(count, dtype=np.float32)[repeated]
                head = heads.fit_head(features, targets, 1 / np.bincount(repeated)[repeated], head)
            spread = repeated < len(self.labels)
            rejection = Rejection.of_features(features[spread], repeated[spread], len(self.labels))
        else:
            head = self._joined_head(features, repeated)
            rejection = self._joined_rejection(features, repeated)
        return Taught(self.labels, head, rejection, *(self.base.thresholds or (0.5, np.inf)))

    @cached_property
    def _places(self) -> np.ndarray:
        """Where the base's classes are among the new ones; its last stays the last."""
        return np.array([*range(len(self.base.labels)), len(self.labels)])

    @cached_property
    def _rehearsed(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of what the base knows, and what it says of them as shares of the new classes."""
        assert self.base.knowledge is not None
        assert self.base.head is not None
        drawn, _ = self.base.knowledge.rehearse(heads.REHEARSED, self.rng, positive=self.base.network is not None)
        shares = np.zeros((len(drawn), len(self.names)), np.float32)
        shares[:, self._places] = self.base.head.probabilities(drawn)
        return drawn, shares

    def _joined_head(self, features: np.ndarray, classes: np.ndarray) -> Head:
        assert self.base.head is not None
        drawn, shares = self._rehearsed
        everything = np.concatenate([drawn, features])
        if self.base.network is None:
            return heads.discriminant_head(everything, np.append(shares.argmax(axis=1), classes), len(self.names))
        start = heads.widened(self.base.head, len(self.names), self._places)
        targets = np.concatenate([shares, np.eye(len(self.names), dtype=np.float32)[classes]])
        counts = np.maximum(np.bincount(classes, minlength=len(self.names)), 1)
        own = np.where(np.arange(len(counts)) < len(self.base.labels), 1.0, NEW_COUNTS)
        weights = np.concatenate([np.full(len(drawn), self.known_counts), heads.REHEARSED * (own / counts)[classes]])
        return heads.fit_head(everything, targets, weights, start)

    def _joined_rejection(self, features: np.ndarray, classes: np.ndarray) -> Rejection:
        """The base's, with a row for each new label, and one more for known labels as they were recorded."""
        assert self.base.rejection is not None
        kept = len(self.base.labels)
        means = self.base.rejection.means
        rows = [*means[:kept]]
        rows += [features[classes == index].mean(axis=0) for index in range(kept, len(self.labels))]
        rows += [
            *means[kept:],
            *(features[classes == index].mean(axis=0) for index in np.unique(classes) if index < kept),
        ]
        return Rejection(np.stack(rows).astype(np.float32), self.base.rejection.whitening)

    def _with_thresholds(self, taught: Taught, fitted: np.ndarray, held_out: np.ndarray) -> Taught:
        """Thresholds that let right readings pass, yet hardly more of what is known as nothing."""
        classes, plain = self.classes, self.plain
        if self.base.thresholds is None:
            near, sure = self._passing(taught, self.copies[:, fitted], classes[fitted], COPIES_KEPT)
            max_distance, min_confidence = LEEWAY * near, min(sure, MOST_CONFIDENT)
        else:
            min_confidence, max_distance = self.base.thresholds
        limits = min_confidence, max_distance
        if len(held_out):
            near, sure = self._passing(taught, plain[None, held_out], classes[held_out], KEPT)
            limits = min(min_confidence, sure), max(max_distance, near)
        return self._guarded(taught, (min_confidence, max_distance), limits)

    def _passing(self, taught: Taught, features: np.ndarray, classes: np.ndarray, share: float) -> tuple[float, float]:
        """The distance and the confidence that let `share` of right readings pass; features (C, N, D)."""
        meant = np.tile(classes, len(features))
        features = features.reshape(-1, features.shape[-1])
        probabilities = taught.head.probabilities(features)[:, : len(self.labels)]
        right = probabilities.argmax(axis=1) == meant
        if not right.any():
            return taught.max_distance if np.isfinite(taught.max_distance) else 0.0, taught.min_confidence
        distances = taught.rejection.distances(features[right]).min(axis=1)
        confidence = probabilities[right].max(axis=1)
        return (
            float(np.quantile(distances, share, method="higher")),
            float(np.quantile(confidence, 1 - share, method="lower")),
        )

    def _guarded(self, taught: Taught, before: tuple[float, float], wanted: tuple[float, float]) -> Taught:
        """As far from `before` to `wanted` as nothing known stays nothing."""
        steps = np.linspace(before, wanted, STEPS)
        found = [Taught(self.labels, taught.head, taught.rejection, *map(float, step)) for step in steps]
        if not len(self._nothing):
            return found[-1]
        labelled = [float((one.said(self._nothing) < len(self.labels)).mean()) for one in found]
        return [one for one, share in zip(found, labelled, strict=True) if share <= labelled[0] + MORE_NOTHING][-1]

    @cached_property
    def _nothing(self) -> np.ndarray:
        """Features of what the base knows as nothing, (M, D)."""
        knowledge = self.base.knowledge
        if knowledge is None:
            return self.plain[:0]
        drawn, classes = knowledge.rehearse(heads.REHEARSED, self.rng, positive=self.base.network is not None)
        return drawn[classes == len(self.base.labels)]

    def _said_before(self, rows: np.ndarray) -> np.ndarray | None:
        """What the current version shows for some of the samples, as the new classes are numbered."""
        if self.current is None:
            return None
        folder = self.current / "pose" if (self.current / "pose").is_dir() else self.current
        classifier = Classifier(folder, self.view.prepared)
        said = [classifier.predict_one(self.inputs[row]).label for row in rows]
        return np.array([self.names.index(label) if label in self.names else len(self.labels) for label in said])

    def _known(self, taught: Taught) -> tuple[float | None, float | None]:
        """Share of what the base knew that gets the right label, before and after; None without a base."""
        if self.base.head is None:
            return None, None
        features, classes = self._known_features
        before = self.base.head.probabilities(features)[:, : len(self.base.labels)].argmax(axis=1)
        return float((before == classes).mean()), float((taught.best(features) == classes).mean())

    @cached_property
    def _known_features(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and classes of MNIST's test digits, where they are at hand and the base reads digits, else drawn."""
        assert self.base.knowledge is not None
        if self.base.network is not None and self.base.labels[: len(DIGITS)] == DIGITS:
            real = mnist_features(self.base.network)
            if real is not None:
                return real
        positive = self.base.network is not None
        drawn, classes = self.base.knowledge.rehearse(KNOWN_TESTED, np.random.default_rng(1), positive=positive)
        known = classes < len(self.base.labels)
        return drawn[known], classes[known]

    def publish(self, verdict: Verdict, draft: Path) -> None:
        """Learn from all samples, and write the version."""
        rows = np.arange(len(self.classes))
        taught = self.fit(rows)
        min_confidence, max_distance = self.thresholds
        if self.base.folder is not None and self.base.network is not None:
            shutil.copyfile(self.base.folder / NETWORK, draft / NETWORK)
        taught.head.save(draft / HEAD)
        taught.rejection.save(draft / FEATURES)
        self._knowledge().save(draft)
        counts = Counter(row.label for row in self.view.samples)
        base_card = registry.read_card(self.base.folder) if self.base.folder else {}
        card = {
            "task": self.task.name,
            "labels": self.labels,
            "region": self.task.region,
            **({"kind": "pose"} if self.task.region == "hand" else {}),
            **({"features": INPUT} if self.base.network is None else {}),
            "input": base_card.get("input", {"shape": [pose.SIZE], "dtype": "float32"}),
            "preprocess": pose.VERSION if self.task.region == "hand" else preprocess.VERSION,
            "outputs": ["probabilities of the labels, then of nothing known", "embedding"],
            "parameters": int(taught.head.kernel.size + taught.head.bias.size),
            "rejection": {"min_confidence": min_confidence, "max_distance": max_distance},
            "taught": {
                "from": self._origin(),
                "samples": {label: counts[label] for label in self.names if counts[label]},
                "captures_sha256": digest(self.view.samples),
            },
            "metrics": {
                "held_out": verdict.held_out,
                "held_out_before": verdict.before,
                "held_out_after": verdict.after,
                "known_before": verdict.known_before,
                "known_after": verdict.known_after,
                "per_label": verdict.per_label,
            },
            "command": shlex.join(["python", "-m", "training.learn", *sys.argv[1:]]),
            "git_commit": git_commit(),
            "versions": {"python": platform.python_version(), "numpy": np.__version__},
        }
        text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
        (draft / registry.CARD).write_text(text, encoding="utf-8")

    def _origin(self) -> str | None:
        """The name of the version of this task that was started from."""
        if not self.base.labels or self.base.folder is None:
            return None
        return (self.base.folder.parent if self.base.folder.name == "pose" else self.base.folder).name

    def _knowledge(self) -> Knowledge:
        """The base's, with that of the new labels."""
        features = np.concatenate([self.plain, *self.copies])
        own = Knowledge.of_features(features, np.tile(self.classes, 1 + len(self.copies)), len(self.names))
        if self.base.knowledge is None:
            return own
        means, covariances = own.means.copy(), own.covariances.copy()
        kept = self.base.knowledge.classes
        means[self._places[kept]] = self.base.knowledge.means[kept]
        covariances[self._places[kept]] = self.base.knowledge.covariances[kept]
        return Knowledge(means, covariances)


def judged(
    before: float | None, after: float, known_before: float | None, known_after: float | None, labels: int
) -> tuple[bool, str]:
    """Whether a version may be published, and why."""
    if known_before is not None and known_after is not None and known_after < known_before - MAX_LOSS:
        return False, f"of what was known {_share(known_after)} would be read right, and {_share(known_before)} is now"
    if before is None:
        enough = after > 1 / max(2, labels)
        return enough, f"{_share(after)} of held-out samples are read right" + (
            "" if enough else ": no better than luck"
        )
    if after > before or before == after == 1.0:
        return True, f"{_share(after)} of held-out samples are read right, and {_share(before)} before"
    return False, f"{_share(after)} of held-out samples would be read right, and {_share(before)} are now"


def split(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out: of each label its last session, or where it has one, its last part in time.

    A label with a single sample has none to hold out.
    """
    fitted: list[int] = []
    held_out: list[int] = []
    for label in dict.fromkeys(row.label for row in samples):
        rows = [i for i, row in enumerate(samples) if row.label == label]
        sessions = list(dict.fromkeys(samples[i].session for i in rows))
        if len(sessions) > 1:
            last = [i for i in rows if samples[i].session == sessions[-1]]
            first = [i for i in rows if i not in set(last)]
        elif len(rows) > 1:
            count = max(1, round(HELD_OUT * len(rows)))
            gap = round(GAP * len(rows)) if len(rows) > count + 1 else 0
            last, first = rows[-count:], rows[: len(rows) - count - gap]
        else:
            last, first = [], rows
        fitted += first
        held_out += last
    return np.array(fitted, int), np.array(held_out, int)


def digest(samples: Sequence[Sample]) -> str:
    """Of the samples' paths and labels."""
    lines = sorted(f"{row.path}\t{row.label}" for row in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def mnist_features(network: Classifier) -> tuple[np.ndarray, np.ndarray] | None:
    """Features (REAL_TESTED, D) and labels of some of MNIST's test digits; None where MNIST is not at hand."""
    if not any((f / "mnist.npz").is_file() or all((f / name).is_file() for name in MNIST_IDX) for f in data_folders()):
        return None
    mnist = load_mnist()
    chosen = slice(None, None, len(mnist.test_labels) // REAL_TESTED)
    return features_of(list(mnist.test_images[chosen]), network), mnist.test_labels[chosen]


if __name__ == "__main__":
    main()
