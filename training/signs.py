"""The story of hand signs: fit on joints and on pixels, judge on people left out, publish all kinds, point to the best.

A left-out source is one person or collection of photos/letters or photos/rps. What each fold said of it is kept in the
run folder, so that a run that was cut off goes on with the next fold.
"""

import argparse
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer import appearance, pose, registry
from recognizer.classifier import Rejection
from recognizer.hand_signs import PREPARED
from recognizer.system import files
from training import hands as photos
from training import new_signs
from training.datasets import Images, load_sign_mnist, rps_subset
from training.hands import LABELS, Hands
from training.networks import EMBEDDING, cnn_bn
from training.tf_settings import import_tensorflow
from training.tuning import AS_EVER, Tuning
from training.versions import with_features, write_card, write_network

if TYPE_CHECKING:
    import keras

KINDS = ("pose", "pixels", "fused")
DECIDES = "decides"  # name of each member's last layer, before its number
CODE = (*photos.CODE, "recognizer/pose.py", "training/signs.py")
MEMBERS = 3  # small networks whose answers are averaged: each errs in its own way
POSE_ROUNDS, POSE_COPIES = 10, 8  # augmented anew each round, so many other hands for each photographed one
FUSED_ROUNDS = 20
FUSED_BATCH = 64
FUSED_WIDTH = 128  # of each member's two halves: joints, and how they look
FUSED_DECAY = 1e-2
FUSED_SMOOTHING = 0.1
POSE_SHARE = 0.3  # of what a fused network says comes from members that see joints alone, which err in other ways
PIXEL_EPOCHS = 10  # on Sign Language MNIST alone, from which every fold goes on
MIXED_EPOCHS = 5  # on Sign Language MNIST together with real crops
BATCH = 256
RATE = 2e-3
SMOOTHING = 0.05  # of the labels: photographs of one person are sure of too much
UNKNOWN_SHARE = 0.25  # mixed poses, for each known hand of letters
KEEP_CONFIDENCE = 0.996  # share of right readings of people left out that each of the two thresholds lets pass: what
KEEP_DISTANCE = 0.998  # is no hand is told by its confidence, and …
SURE = 0.9  # of the labels that pixels alone give are right: no joints say there that this is a hand at all
LEEWAY = 1.3  # times that distance: … people whom nobody has seen, and their cameras, lie further away


@dataclass(frozen=True, eq=False)
class Answers:
    """What one kind of network says of N hands. NaN where it has nothing to look at."""

    probabilities: np.ndarray  # (N, labels + 1)
    distances: np.ndarray  # (N,) Mahalanobis, to the nearest label

    def save(self, path: Path) -> None:
        with files.new_file(path) as file:
            np.savez_compressed(file, probabilities=self.probabilities, distances=self.distances)

    @classmethod
    def load(cls, path: Path) -> "Answers":
        with np.load(path) as arrays:
            return cls(arrays["probabilities"], arrays["distances"])


@dataclass(frozen=True, eq=False)
class Reader:
    """A fitted network with its two outputs, and where the features of its labels lie."""

    kind: str  # of KINDS
    whole: "keras.Model"
    rejection: Rejection

    def read(self, hands: Hands) -> Answers:
        """As the live classifier does: the mean of what is said of both views, and the smaller distance."""
        seen = hands.found[:, None] if self.kind == "pixels" else hands.jointed
        probabilities = np.full((*seen.shape, self.whole.outputs[0].shape[-1]), np.nan, np.float32)
        distances = np.full(seen.shape, np.nan, np.float32)
        if seen.any():
            inputs = _inputs(self.kind, hands, *np.nonzero(seen))
            probabilities[seen], features = self.whole.predict(inputs, batch_size=512, verbose=0)
            distances[seen] = self.rejection.distances(features).min(axis=1)
        any_seen = seen.any(axis=1)
        mean = np.full((len(hands), probabilities.shape[2]), np.nan, np.float32)
        least = np.full(len(hands), np.nan, np.float32)
        mean[any_seen] = np.nanmean(probabilities[any_seen], axis=1)
        least[any_seen] = np.nanmin(distances[any_seen], axis=1)
        return Answers(mean, least)


@dataclass(frozen=True, eq=False)
class Material:
    """All hands that a task learns from or is judged on, with their classes; sources are people."""

    task: str
    hands: Hands
    classes: np.ndarray  # (N,) int64, the number of labels for "nothing known", -1 for what is not learned from
    judged: np.ndarray  # (N,) bool: of the task's own photographs
    empty: np.ndarray  # (N,) bool: of photos/nothing, which no network learns from
    runs: Path
    seed: int
    tuning: Tuning = AS_EVER

    @cached_property
    def sign_mnist(self) -> Images:
        """Sign Language MNIST with the task's labels, for networks that look at pixels. Raises DataError."""
        signs = load_sign_mnist()
        return rps_subset(signs) if self.task == "rps" else signs

    @property
    def labels(self) -> list[str]:
        return LABELS[self.task]

    @cached_property
    def people(self) -> list[str]:
        """The sources that are left out in turn."""
        return sorted(set(self.hands.sources[self.judged]))

    def others(self, person: str | None) -> np.ndarray:
        """(N,) bool: what a network learns from that is to be judged on the person."""
        return (self.classes >= 0) & self.hands.found & (self.hands.sources != person)


def gather(task: str, runs: Path, seed: int) -> Material:
    """Read photos/letters, photos/rps and photos/nothing. Raises DataError and AssetError."""
    parts, classes, judged, empty = [], [], [], []
    for name in ("letters", "rps", "nothing"):
        found = photos.read_hands(name, runs / "hands")
        parts.append(found)
        classes.append(photos.classes(task, name, found.labels))
        judged.append(np.full(len(found), name == task))
        empty.append(np.full(len(found), name == "nothing"))
    return Material(
        task,
        photos.together(parts),
        np.concatenate(classes),
        np.concatenate(judged),
        np.concatenate(empty),
        runs / task,
        seed,
    )


def train_signs(options: argparse.Namespace) -> None:
    """Judge every kind on people left out, fit each on all, publish them, and make the best of them the current one."""
    material = replace(gather(options.task, options.runs, options.seed), tuning=Tuning.of(options))
    wanted = [options.kind] if options.kind else list(KINDS)
    material.runs.mkdir(parents=True, exist_ok=True)
    verdicts = judge(material, wanted)
    print_table(material, verdicts)
    versions = {}
    for kind in wanted:
        reader = fit(material, kind, None)
        with registry.publishing(options.models, material.task) as draft:
            _publish(material, kind, reader, verdicts[kind], draft)
        versions[kind] = registry.current(options.models, material.task)
        print(f"Published {versions[kind]}: {kind}")
    best = max(wanted, key=lambda kind: verdicts[kind].average)
    if versions[best] != registry.current(options.models, material.task):
        registry.point_to(options.models, material.task, versions[best].name)
    print(f"Current: {versions[best]}, {best}, {verdicts[best].average:.4f} on people left out")


@dataclass(frozen=True, eq=False)
class Verdict:
    """How a kind does on the people left out, with the thresholds that this was measured with."""

    min_confidence: float
    max_distance: float
    right: dict[str, float]  # share of each person's pictures that get the right label; not found is wrong
    nothing_labelled: float  # share of photos/nothing that gets a label
    strict: "Verdict | None" = None  # with the thresholds to run with, where these are stricter

    @property
    def average(self) -> float:
        return float(np.mean(list(self.right.values())))


def judge(material: Material, wanted: list[str]) -> dict[str, Verdict]:
    """Leave each person out in turn."""
    verdicts = {}
    for kind in wanted:
        answers = _answers_of_others(material, kind)
        strict = verdict_of(material, answers, sure=SURE) if kind == "pixels" and not material.tuning.keep else None
        verdicts[kind] = replace(verdict_of(material, answers), strict=strict)
    return verdicts


def _answers_of_others(material: Material, kind: str) -> Answers:
    """The task's own hands, each read by a network that did not see its person, and photos/nothing, by the first."""
    count = len(material.hands)
    probabilities = np.full((count, len(material.labels) + 1), np.nan, np.float32)
    distances = np.full(count, np.nan, np.float32)
    for person in material.people:
        rows = material.judged & (material.hands.sources == person)
        rows |= material.empty & (person == material.people[0])
        path = material.runs / f"{kind}-without-{person}-{_digest(material, kind)}.npz"
        if not path.is_file():
            print(f"{material.task}, {kind}: without {person} …", flush=True)
            fit(material, kind, person).read(material.hands[rows]).save(path)
        kept = Answers.load(path)
        probabilities[rows], distances[rows] = kept.probabilities, kept.distances
    return Answers(probabilities, distances)


def _digest(material: Material, kind: str) -> str:
    hands = material.hands
    seen = (hands.landmarks, hands.images, hands.looks[:, :, :1], material.classes)
    data = hashlib.sha256(b"".join(array.tobytes() for array in seen)).hexdigest()
    made_of = [data, photos.code_digest(*CODE), material.seed, kind, *material.tuning.learned_with()]
    if kind == "pixels":
        made_of += [photos.code_digest("training/networks.py"), material.sign_mnist.sha256]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]


def verdict_of(material: Material, answers: Answers, sure: float | None = None) -> Verdict:
    """Thresholds that let pass what was read right, or with `sure` labels of which that share is right, and how the
    kind does with them.
    """
    hands, distances = material.hands, answers.distances
    known = answers.probabilities[:, : len(material.labels)]
    confidence = np.nan_to_num(known.max(axis=1), nan=0.0)
    best = np.nan_to_num(known, nan=0.0).argmax(axis=1)
    right = material.judged & (confidence > 0) & (best == material.classes)
    if sure:
        asked = (material.judged | material.empty) & (confidence > 0)
        min_confidence = _confidence_when_sure(confidence[asked], right[asked], sure)
    else:
        min_confidence = float(np.quantile(confidence[right], 1 - (material.tuning.keep or KEEP_CONFIDENCE)))
    max_distance = LEEWAY * float(np.quantile(distances[right], KEEP_DISTANCE))
    said = np.where((confidence >= min_confidence) & (distances <= max_distance), best, -1)
    right &= said == best
    of_person = {person: right[material.judged & (hands.sources == person)] for person in material.people}
    return Verdict(
        min_confidence,
        max_distance,
        {person: float(their.mean()) for person, their in of_person.items()},
        float((said[material.empty] >= 0).mean()) if material.empty.any() else 0.0,
    )


def _confidence_when_sure(confidence: np.ndarray, right: np.ndarray, sure: float) -> float:
    """The lowest confidence from which on that share of the labels is right; the highest where none is."""
    values = np.unique(confidence)[::-1]
    shares = (right[confidence >= value].mean() for value in values)
    return float(min((value for value, share in zip(values, shares, strict=True) if share >= sure), default=values[0]))


def print_table(material: Material, verdicts: dict[str, Verdict]) -> None:
    """The share read right of each person left out, end to end: what was not found or got no label is wrong."""
    print(f"{material.task:10}" + "".join(f"{person[:12]:>13}" for person in material.people), end="")
    print(f"{'average':>10}{'nothing':>10}")
    for kind, verdict in verdicts.items():
        line = "".join(f"{verdict.right[person]:13.4f}" for person in material.people)
        print(f"{kind:10}{line}{verdict.average:10.4f}{verdict.nothing_labelled:10.4f}")


def fit(material: Material, kind: str, person: str | None) -> Reader:
    """A network of the kind that has not seen the person; None: it has seen all."""
    import_tensorflow()
    fitters = {"pose": _fit_pose, "pixels": _fit_pixels, "fused": _fit_fused}
    return fitters[kind](material, material.others(person))


def _inputs(kind: str, hands: Hands, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
    """What a network of the kind takes of each of (M,) views of hands as they are."""
    if kind == "pixels":
        return hands.images[rows, :, :, None].astype(np.float32)
    posed = pose.batch_features(hands.landmarks[rows, views], hands.left[rows, views])
    if kind == "pose":
        return posed
    return np.concatenate([posed, hands.looks[rows, views, 0].astype(np.float32)], axis=1)


@dataclass(frozen=True, eq=False)
class _Lessons:
    """What a network of joints learns from: views of hands, and mixed poses that are no sign."""

    landmarks: np.ndarray  # (M, 21, 3) float64
    left: np.ndarray  # (M,) bool
    classes: np.ndarray  # (M,) int64
    weights: np.ndarray  # (M,)
    places: tuple[np.ndarray, np.ndarray]  # row and view (M,) of the hand that each looks like


def _lessons(material: Material, rows: np.ndarray, rng: np.random.Generator) -> _Lessons:
    hands = material.hands
    where, views = np.nonzero(hands.jointed & rows[:, None])
    landmarks, left = hands.landmarks[where, views].astype(np.float64), hands.left[where, views]
    classes, weights = material.classes[where], _weights(hands.sources[where])
    if material.task == "letters":
        nothing = len(material.labels)
        known = np.flatnonzero(classes < nothing)
        points = pose.normalised(landmarks[known], left[known])
        wanted = round(UNKNOWN_SHARE * len(known))
        mixed, palms = photos.mixed_poses(points, classes[known], 3 * wanted, rng)
        mixed, palms = mixed[:wanted], known[palms[:wanted]]
        landmarks, left = np.concatenate([landmarks, mixed]), np.concatenate([left, np.zeros(len(mixed), bool)])
        classes = np.concatenate([classes, np.full(len(mixed), nothing)])
        weights = np.concatenate([weights, np.ones(len(mixed))])
        where, views = np.concatenate([where, where[palms]]), np.concatenate([views, views[palms]])
    return _Lessons(landmarks, left, classes, weights, (where, views))


def _fit_pose(material: Material, rows: np.ndarray) -> Reader:
    rng = np.random.default_rng(material.seed)
    lessons = _lessons(material, rows, rng)
    landmarks, left, classes = lessons.landmarks, lessons.left, lessons.classes
    count = len(material.labels) + 1
    tuning = material.tuning
    members, normalise = pose_net(count, material.seed, tuning.width)
    normalise.adapt(pose.batch_features(*tuning.changed(landmarks, left, rng)))
    _compile(members, POSE_ROUNDS * POSE_COPIES * -(-len(classes) // BATCH), tuning.rate or RATE)
    targets = np.eye(count, dtype=np.float32)[np.tile(classes, POSE_COPIES)]
    for _ in range(POSE_ROUNDS):
        others = [pose.batch_features(*tuning.changed(landmarks, left, rng)) for _ in range(POSE_COPIES)]
        members.fit(
            np.concatenate(others),
            [targets] * MEMBERS,
            sample_weight=[np.tile(lessons.weights, POSE_COPIES)] * MEMBERS,
            batch_size=BATCH,
            verbose=0,
        )
    return _reader_of_views(material, "pose", _joined(members, material.task), rows)


def _fit_fused(material: Material, rows: np.ndarray) -> Reader:
    """Joints and looks of the same hand, both changed, in one network; people with few pictures are shown more often."""
    rng = np.random.default_rng(material.seed)
    lessons = _lessons(material, rows, rng)
    looks, tuning = material.hands.looks, material.tuning
    count = len(material.labels) + 1
    chances = lessons.weights / lessons.weights.sum()

    def batch(chosen: np.ndarray) -> np.ndarray:
        posed = pose.batch_features(*tuning.changed(lessons.landmarks[chosen], lessons.left[chosen], rng))
        where, views = (places[chosen] for places in lessons.places)
        seen = looks[where, views, rng.integers(photos.LOOKS, size=len(chosen))]
        return np.concatenate([posed, seen.astype(np.float32)], axis=1)

    size = len(lessons.classes)
    members = fused_net(count, material.seed, batch(np.arange(size)), tuning.width)
    steps = FUSED_ROUNDS * -(-size // FUSED_BATCH)
    _compile(members, steps, tuning.rate or RATE, FUSED_DECAY, FUSED_SMOOTHING)
    for _ in range(FUSED_ROUNDS):
        chosen = rng.choice(size, size, p=chances)
        targets = np.eye(count, dtype=np.float32)[lessons.classes[chosen]]
        members.fit(batch(chosen), [targets] * 2 * MEMBERS, batch_size=FUSED_BATCH, verbose=0)
    for number in range(2 * MEMBERS):
        layer = members.get_layer(f"{DECIDES}_{number}")
        share = 1 - POSE_SHARE if number < MEMBERS else POSE_SHARE
        layer.set_weights([2 * share * part for part in layer.get_weights()])
    return _reader_of_views(material, "fused", _joined(members, material.task), rows)


def _joined(members: "keras.Model", name: str) -> "keras.Model":
    """The members as one network: the mean of what they say, and their embeddings side by side."""
    import keras

    logits = keras.layers.Average(name="logits")(members.outputs)
    embeddings = [members.get_layer(f"{EMBEDDING}_{member}").output for member in range(len(members.outputs))]
    joined = keras.layers.Concatenate(name=EMBEDDING)(embeddings)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    return keras.Model(members.inputs, [probabilities, joined], name=name)


def fused_net(classes: int, seed: int, typical: np.ndarray, width: float = 1.0) -> "keras.Model":
    """Small networks side by side, (pose.SIZE + appearance.SIZE,) to `classes` logits of each.

    MEMBERS of them see joints and looks, and as many joints alone. `typical` (N, pose.SIZE + appearance.SIZE) are inputs,
    from which the network takes its normalisation.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE + appearance.SIZE,), name="pose_and_appearance")
    spread = np.maximum(typical.std(axis=0), new_signs.LEAST_SPREAD)
    x = layers.Normalization(mean=typical.mean(axis=0), variance=spread**2)(inputs)
    posed, seen = x[:, : pose.SIZE], x[:, pose.SIZE :]
    logits = []
    for member in range(MEMBERS):
        halves = [
            layers.Dropout(0.3)(
                layers.Dense(round(width * FUSED_WIDTH), activation="relu")(layers.Dropout(dropped)(half))
            )
            for half, dropped in ((posed, 0.1), (seen, 0.4))
        ]
        embedding = layers.Concatenate(name=f"{EMBEDDING}_{member}")(halves)
        logits.append(layers.Dense(classes, name=f"{DECIDES}_{member}")(embedding))
    logits += _pose_members(posed, classes, MEMBERS, width)
    return keras.Model(inputs, logits)


def pose_net(classes: int, seed: int, width: float = 1.0) -> tuple["keras.Model", "keras.layers.Normalization"]:
    """MEMBERS small networks side by side, (pose.SIZE,) to a list of `classes` logits, and their normalisation."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE,), name="pose")
    normalise = layers.Normalization()
    return keras.Model(inputs, _pose_members(normalise(inputs), classes, 0, width)), normalise


def _pose_members(posed: "keras.KerasTensor", classes: int, first: int, width: float) -> "list[keras.KerasTensor]":
    """The logits of MEMBERS networks of joints alone, which are numbered from `first`."""
    from keras import layers

    x = layers.Dropout(0.1)(posed)
    logits = []
    for member in range(first, first + MEMBERS):
        hidden = layers.Dropout(0.4)(layers.Dense(round(width * 256), activation="relu")(x))
        embedding = layers.Dense(round(width * 64), activation="relu", name=f"{EMBEDDING}_{member}")(hidden)
        logits.append(layers.Dense(classes, name=f"{DECIDES}_{member}")(layers.Dropout(0.4)(embedding)))
    return logits


def _compile(
    model: "keras.Model", steps: int, rate: float = RATE, decay: float = 1e-3, smoothing: float = SMOOTHING
) -> None:
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, max(1, steps - steps // 20), warmup_target=rate, warmup_steps=max(1, steps // 20)
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=decay), loss)


def _weights(sources: np.ndarray) -> np.ndarray:
    """(N,) so that a person with four times as many pictures counts twice as much."""
    names, places, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights = (1 / np.sqrt(counts))[places]
    return weights / weights.mean() if len(names) else weights


def _reader_of_views(material: Material, kind: str, whole: "keras.Model", rows: np.ndarray) -> Reader:
    where, views = np.nonzero(material.hands.jointed & rows[:, None])
    inputs = _inputs(kind, material.hands, where, views)
    return _reader(kind, whole, inputs, material.classes[where], len(material.labels))


def _reader(kind: str, whole: "keras.Model", inputs: np.ndarray, classes: np.ndarray, labels: int) -> Reader:
    known = classes < labels
    _, features = whole.predict(inputs[known], batch_size=512, verbose=0)
    return Reader(kind, whole, Rejection.of_features(features, classes[known], labels))


def _fit_pixels(material: Material, rows: np.ndarray) -> Reader:
    """Sign Language MNIST first, once for all folds; then it and the real crops in equal parts."""
    signs, count = material.sign_mnist, len(material.labels) + 1
    hands, classes = material.hands[rows], material.classes[rows]
    model = cnn_bn(count, material.seed)
    rng = np.random.default_rng(material.seed)
    made_of = [signs.sha256, material.seed, photos.code_digest("training/networks.py", "training/signs.py")]
    name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
    first = material.runs / f"sign-mnist-{name}.weights.h5"
    if first.is_file():
        model.load_weights(first)
    else:
        print(f"{material.task}: Sign Language MNIST …", flush=True)
        _fit_on_batches(model, signs.train_images, signs.train_labels, None, PIXEL_EPOCHS, material, RATE)
        model.save_weights(first)
    for epoch in range(MIXED_EPOCHS):
        chosen = rng.permutation(len(signs.train_labels))[: len(classes)]
        images = np.concatenate([hands.images, signs.train_images[chosen]])
        weights = np.concatenate([_weights(hands.sources), np.ones(len(chosen))])
        mixed = np.concatenate([classes, signs.train_labels[chosen]])
        rate = RATE / 2 * (1 - epoch / MIXED_EPOCHS)
        _fit_on_batches(model, images, mixed, weights, 1, material, rate)
    own = hands.images[..., None].astype(np.float32)
    inputs = np.concatenate([own, signs.train_images[::4, ..., None].astype(np.float32)])
    known = np.concatenate([classes, signs.train_labels[::4]])
    return _reader("pixels", with_features(model, material.task), inputs, known, count - 1)


def _fit_on_batches(
    model: "keras.Model",
    images: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray | None,
    epochs: int,
    material: Material,
    rate: float,
) -> None:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    # a flip is welcome here: a left hand signs the same letters
    augment = ImageDataGenerator(
        rotation_range=12, width_shift_range=0.08, height_shift_range=0.08, zoom_range=0.12, shear_range=8,
        horizontal_flip=True, preprocessing_function=relit,
    )  # fmt: skip
    targets = np.eye(len(material.labels) + 1, dtype=np.float32)[classes]
    batches = augment.flow(images[..., None], targets, BATCH // 2, sample_weight=weights, seed=material.seed)
    _compile(model, epochs * len(batches), rate)
    model.fit(batches, epochs=epochs, verbose=0)


def relit(image: np.ndarray) -> np.ndarray:
    """A picture (28, 28, 1) 0 to 255 in other light, by a camera with other contrast and noise."""
    gamma, contrast = np.exp(np.random.normal(0, 0.25, 2))  # seeded by the ImageDataGenerator
    lit = 255 * (np.clip(image, 0, 255) / 255) ** gamma
    lit = (lit - 128) * contrast + 128 + np.random.normal(0, 15)
    return np.clip(lit + np.random.normal(0, np.random.uniform(0, 6), image.shape), 0, 255)


def _publish(material: Material, kind: str, reader: Reader, verdict: Verdict, draft: Path) -> None:
    """Write a version of the kind into the draft folder."""
    whole, used = reader.whole, verdict.strict or verdict
    card: dict[str, Any] = {
        "task": material.task,
        "labels": material.labels,
        "region": "hand",
        "kind": kind,
        "preprocess": PREPARED[kind],
        "input": {"shape": list(whole.input_shape[1:]), "dtype": "float32"},
        "outputs": ["probabilities of the labels, then of nothing known", "embedding"],
        "parameters": whole.count_params(),
        "rejection": {"min_confidence": used.min_confidence, "max_distance": used.max_distance},
        "data": _data_of(material, kind),
        "metrics": {
            "people_left_out": verdict.right,
            "people_left_out_average": verdict.average,
            "nothing_labelled": verdict.nothing_labelled,
        },
    }
    if verdict.strict:
        card["metrics"]["with_strict_thresholds"] = {
            "people_left_out_average": verdict.strict.average,
            "nothing_labelled": verdict.strict.nothing_labelled,
        }
    if kind == "pixels":
        card["metrics"]["sign_mnist_test_accuracy"] = sign_mnist_accuracy(reader, material.sign_mnist)
    write_network(whole, reader.rejection, draft)
    if kind == "fused" and material.task == new_signs.TASK:
        seen = new_signs.network(letters_of(material, None))
        seen.export(draft / new_signs.FILE, format="litert", verbose=False)
    write_card(card, draft)


def letters_of(material: Material, person: str | None) -> Hands:
    """The hands of the task's own photographs whose joints were found, without those of the person."""
    rows = material.others(person) & material.judged
    return material.hands[rows & material.hands.jointed[:, 0]]


def sign_mnist_accuracy(reader: Reader, signs: Images) -> float:
    """Share of the official test pictures whose best label is the right one."""
    probabilities, _ = reader.whole.predict(signs.test_images[..., None].astype(np.float32), 512, verbose=0)
    return float((probabilities[:, :-1].argmax(axis=1) == signs.test_labels).mean())


def _data_of(material: Material, kind: str) -> list[dict[str, Any]]:
    rows = material.others(None) & (material.hands.jointed.any(axis=1) | (kind == "pixels"))
    names, counts = np.unique(material.hands.sources[rows], return_counts=True)
    used = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    data = [{"name": f"photos/{name}", "list_sha256": photos.list_sha256(name)} for name in ("letters", "rps")]
    data.append({"name": "hands used, by source", **used})
    if kind == "pixels":
        signs = material.sign_mnist
        data.append(
            {"name": "Sign Language MNIST", "sha256": signs.sha256, "used": len(signs.train_labels), "licence": "CC0"}
        )
    return data
