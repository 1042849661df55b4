"""Trains the shipped digits network: load, train, calibrate, evaluate, publish."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from recognizer.classifiers.rejection import FeatureStatistics, Rejection
from recognizer.preprocess import pictures as preprocess_pictures
from recognizer.registry import card as registry_card
from recognizer.registry.card import ModelCard, Thresholds
from recognizer.subjects.paper import PAPER
from recognizer.system import files, paths
from training.datasets import paper_scenes
from training.datasets.catalogue import FINDER_CODE
from training.datasets.dataset import Images
from training.datasets.mnist import load_mnist
from training.finders import crops
from training.networks.image_networks import cnn_bn
from training.networks.litert import with_features
from training.networks.tensorflow import import_tensorflow
from training.processes import fresh_processes
from training.publishing.calibration import SUB_CLUSTERS, max_distance_of
from training.publishing.card import write_card_with_origin, write_network
from training.publishing.last_layer import KERAS_NETWORK
from training.settings import DigitsSettings
from training.user_tasks.feature_replay import FeatureDistributions

if TYPE_CHECKING:
    import keras

LABELS = [*"0123456789"]
VALIDATION = 3000  # of MNIST's training digits, held out to choose weights and thresholds
SCENE_PARTS = 12  # independent random streams, so that scenes do not depend on the number of processes
LEAST_HELD_OUT = 60  # crops
PAIRS_SHARE = 0.06  # touching pairs of digits, as a share of the scene crops
SCENE_CODE = (  # the files that determine the scenes and the detections in them
    "recognizer/preprocess/pictures.py",
    *FINDER_CODE,
    "recognizer/studio/handwriting.py",
    "training/finders/crops.py",
    "training/datasets/rooms.py",
    "training/datasets/paper_scenes.py",
    "training/datasets/sheets.py",
)
BATCH = 128
ELASTIC_PX = 0.9  # standard deviation of the elastic distortion, in pixels of 28


MIN_CONFIDENCE = 0.25  # low: live, the verifier rejects most other characters, and a correct 1 may resemble a slash
FINE_TUNED_SHARE = 0.7  # weight of the fine-tuned network in the average with --start (Wortsman et al. 2022)


@dataclass(frozen=True)
class Stage:
    """A stage of training. The first stages have the strongest augmentation, to generalise beyond MNIST's writers."""

    share: float  # of all epochs
    rate: float  # the highest learning rate
    affine: bool  # random rotation, shift, zoom and shear
    elastic: bool  # random elastic distortion


STAGES = (
    Stage(0.77, 2e-3, affine=True, elastic=True),
    Stage(0.13, 6e-4, affine=True, elastic=False),
    Stage(0.1, 3e-4, affine=False, elastic=False),
)


@dataclass(frozen=True, eq=False)
class Crops:
    """Network inputs (N, 28, 28) uint8 with their classes (N,) int64, 0 to 9 or scenes.NOTHING."""

    images: np.ndarray
    classes: np.ndarray


def train_digits(settings: DigitsSettings) -> None:
    """Train the network and publish it as the current digits model. Raises DataError if MNIST is missing."""
    mnist = load_mnist()
    chosen = np.random.default_rng(settings.seed).permutation(len(mnist.train_images))[: settings.limit]
    split = max(1, min(VALIDATION, len(chosen) // 5))
    held_out, fitted = chosen[:split], chosen[split:]
    run = settings.runs / "digits"
    run.mkdir(parents=True, exist_ok=True)
    drawn = draw_crops(mnist, fitted, settings.scenes, settings.seed, run)
    drawn_held_out = draw_crops(mnist, held_out, max(LEAST_HELD_OUT, settings.scenes // 9), settings.seed + 1, run)
    model = fit(mnist, fitted, held_out, drawn, drawn_held_out, settings, run)
    with settings.models.publishing("digits") as draft:
        publish(model, mnist, fitted, held_out, drawn, drawn_held_out, settings, draft)
    folder = settings.models.current("digits")
    print(f"Published {folder}")
    print(json.dumps(registry_card.read_card(folder).metrics, indent=1))


def draw_crops(mnist: Images, chosen: np.ndarray, count: int, seed: int, run: Path) -> Crops:
    """Crops from synthetic scenes, cached in the run folder until SCENE_CODE changes."""
    name = f"scenes-{_digest(*SCENE_CODE)}-{seed}-{len(chosen)}-{count}.npz"
    path = run / name
    if not path.is_file():
        print(f"Drawing scenes for {count} crops …", flush=True)
        share = -(-count // SCENE_PARTS)
        digits, labels = mnist.train_images[chosen], mnist.train_labels[chosen]
        with fresh_processes() as pool:
            jobs = [pool.submit(_draw_part, digits, labels, share, seed, part) for part in range(SCENE_PARTS)]
            parts = [job.result() for job in jobs]
        images, classes = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        with files.atomic_file(path) as file:
            np.savez_compressed(file, images=images, classes=classes)
    with np.load(path) as arrays:
        return Crops(arrays["images"], arrays["classes"])


def _draw_part(
    digits: np.ndarray, labels: np.ndarray, count: int, seed: int, part: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, part])
    images, classes = crops.crops(digits, labels, count, rng)
    pairs = paper_scenes.touching_pairs(digits, max(1, round(PAIRS_SHARE * count)), rng)
    return np.concatenate([images, pairs]), np.concatenate([classes, np.full(len(pairs), paper_scenes.NOTHING)])


@cache
def _digest(*names: str) -> str:
    """Digest of files of the project. It is computed once, so that edits during a run do not change it."""
    return hashlib.sha256(b"".join((paths.ROOT / name).read_bytes() for name in names)).hexdigest()[:8]


def fit(
    mnist: Images,
    fitted: np.ndarray,
    held_out: np.ndarray,
    drawn: Crops,
    drawn_held_out: Crops,
    settings: DigitsSettings,
    run: Path,
) -> "keras.Model":
    """Fit the network on augmented MNIST digits and scene crops; Ctrl-C keeps the best weights so far.

    The same command resumes an interrupted run after its last complete epoch.
    """
    import_tensorflow()
    import keras

    images = np.concatenate([mnist.train_images[fitted], drawn.images])[..., None]
    classes = np.concatenate([mnist.train_labels[fitted], drawn.classes])
    validation = (
        np.concatenate([mnist.train_images[held_out], drawn_held_out.images])[..., None],
        np.concatenate([mnist.train_labels[held_out], drawn_held_out.classes]),
    )
    model = cnn_bn(len(LABELS) + 1, settings.seed)
    print(f"{model.count_params():,} parameters, {len(images):,} pictures an epoch", flush=True)
    key_parts: list[Any] = [
        mnist.sha256,
        _digest(*SCENE_CODE, "training/networks/image_networks.py", "training/shipped/digits.py"),
    ]
    key_parts += [settings.seed, settings.epochs, len(images)]
    stages: Sequence[Stage] = STAGES
    weights: list[np.ndarray] = []
    if settings.start:
        weights = keras.models.load_model(settings.start / KERAS_NETWORK).get_weights()
        model.set_weights(weights)
        key_parts.append(hashlib.sha256(b"".join(part.tobytes() for part in weights)).hexdigest())
        stages = STAGES[1:]  # the starting point was trained with the first stage
    name = hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:8]
    best = None
    for number, (stage, epochs) in enumerate(zip(stages, stage_epochs(settings.epochs, stages), strict=True)):
        path = run / f"best-{name}-{number}.weights.h5"
        done = path.with_suffix(".done")
        if done.exists():
            model.load_weights(path)
        elif epochs:
            try:
                _fit_stage(model, stage, epochs, (images, classes), validation, path, settings.seed)
            except KeyboardInterrupt:
                best = path if path.exists() else best
                if best is None:
                    raise
                print("\nStopped: keeping the best weights so far.")
                model.load_weights(best)
                return model
            model.load_weights(path)
            done.touch()
        best = path if epochs else best
    if settings.start:
        _average_weights(model, weights, 1 - FINE_TUNED_SHARE)
    return model


def _average_weights(model: "keras.Model", weights: list[np.ndarray], share: float) -> None:
    """Average the model's weights with `weights`, in place; `share` is the weight of the latter."""
    model.set_weights([(1 - share) * new + share * old for new, old in zip(model.get_weights(), weights, strict=True)])


def stage_epochs(epochs: int, stages: Sequence[Stage] = STAGES) -> list[int]:
    """Epochs of each stage by its share; the first gets the remainder."""
    total = sum(stage.share for stage in stages)
    later = [round(stage.share / total * epochs) for stage in stages[1:]]
    return [epochs - sum(later), *later]


def _fit_stage(
    model: "keras.Model",
    stage: Stage,
    epochs: int,
    pictures: tuple[np.ndarray, np.ndarray],
    check: tuple[np.ndarray, np.ndarray],
    path: Path,
    seed: int,
) -> None:
    """Train one stage. The weights that are best on `check` are saved to `path`."""
    import keras
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    turned: dict[str, Any] = {
        "rotation_range": 12, "width_shift_range": 0.06, "height_shift_range": 0.06, "zoom_range": 0.12, "shear_range": 10,
    }  # fmt: skip
    # no horizontal flip: a flipped 2 is not a 2
    augment = ImageDataGenerator(
        **(turned if stage.affine else {}), preprocessing_function=elastic if stage.elastic else None
    )
    batches = augment.flow(*pictures, batch_size=BATCH, shuffle=True, seed=seed)
    steps = epochs * len(batches)
    warmup = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        stage.rate / 10, max(1, steps - warmup), alpha=0.0, warmup_target=stage.rate, warmup_steps=warmup
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    callbacks = [
        keras.callbacks.BackupAndRestore(path.with_suffix(".backup")),
        _best_weights(model, path, check),
    ]
    print(
        f"{epochs} epochs, {'affine and elastic' if stage.elastic else 'affine' if stage.affine else 'no'} augmentation",
        flush=True,
    )
    model.fit(batches, epochs=epochs, validation_data=check, callbacks=callbacks, verbose=_verbosity())


def elastic(image: np.ndarray) -> np.ndarray:
    """Elastic distortion of an image (28, 28, 1) (Simard et al. 2003)."""
    bend = ELASTIC_PX * np.random.standard_normal((2, 4, 4)).astype(np.float32)  # seeded by the ImageDataGenerator
    across, down = (cv2.resize(field, (28, 28), interpolation=cv2.INTER_CUBIC) for field in bend)
    y, x = np.mgrid[0:28, 0:28].astype(np.float32)
    return cv2.remap(image, x + across, y + down, cv2.INTER_LINEAR)[..., None]


def _best_weights(
    model: "keras.Model", path: Path, check: tuple[np.ndarray, np.ndarray]
) -> "keras.callbacks.ModelCheckpoint":
    """A callback that saves the weights with the best accuracy on `check`, also compared with those of an interrupted run."""
    import keras

    best_accuracy = None
    if path.exists():
        current = model.get_weights()
        model.load_weights(path)
        best_accuracy = model.evaluate(*check, verbose=0)[1]
        model.set_weights(current)
    return keras.callbacks.ModelCheckpoint(
        path, "val_accuracy", save_best_only=True, save_weights_only=True, initial_value_threshold=best_accuracy
    )


def _verbosity() -> int:
    return 1 if sys.stdout.isatty() else 2  # a progress bar, or a line an epoch in a log


def publish(
    model: "keras.Model",
    mnist: Images,
    fitted: np.ndarray,
    held_out: np.ndarray,
    drawn: Crops,
    drawn_held_out: Crops,
    settings: DigitsSettings,
    draft: Path,
) -> None:
    """Write the network, its feature statistics and its card into the draft folder."""
    whole = with_features(model, "digits")
    # of MNIST and of the scenes, whose generated pen strokes have styles that MNIST lacks
    is_digit = drawn.classes != paper_scenes.NOTHING
    _, features = _run(whole, np.concatenate([mnist.train_images[fitted], drawn.images[is_digit]]))
    classes = np.concatenate([mnist.train_labels[fitted], drawn.classes[is_digit]])
    statistics = FeatureStatistics.of_features(features, classes, len(LABELS), SUB_CLUSTERS)
    write_network(whole, statistics, draft)
    _, background_features = _run(whole, drawn.images[~is_digit])
    of_all = np.concatenate([features, background_features]), np.concatenate([classes, drawn.classes[~is_digit]])
    FeatureDistributions.of_features(*of_all, len(LABELS) + 1).save(draft)

    is_held_out_digit = drawn_held_out.classes != paper_scenes.NOTHING
    digit_images = np.concatenate([mnist.train_images[held_out], drawn_held_out.images[is_held_out_digit]])
    _, features = _run(whole, digit_images)
    max_distance = max_distance_of(statistics.distances(features))
    rejection = Rejection(statistics, Thresholds(MIN_CONFIDENCE, max_distance))

    def coverage(probabilities: np.ndarray, features: np.ndarray) -> float:
        return float((rejection.labels(probabilities, features) < len(LABELS)).mean())

    tested = _run(whole, mnist.test_images)
    digits_tested = _run(whole, drawn_held_out.images[is_held_out_digit])
    background_tested = _run(whole, drawn_held_out.images[~is_held_out_digit])
    card = ModelCard(
        task="digits",
        labels=tuple(LABELS),
        subject=PAPER.name,
        input={"shape": [28, 28, 1], "dtype": "float32", "range": [0, 255], "ink": "light on dark"},
        preprocess=preprocess_pictures.VERSION,
        outputs=["probabilities of the labels, then of the background", "embedding"],
        parameters=model.count_params(),
        rejection=rejection.thresholds,
        data=[
            {"name": "MNIST", "sha256": mnist.sha256, "used": len(fitted), "licence": "CC BY-SA 3.0"},
            {
                "name": "rooms drawn by training/datasets/rooms.py",
                "used": settings.scenes,
                "code": _digest(*SCENE_CODE),
            },
        ],
        metrics={
            "mnist_test_accuracy": _accuracy(tested[0], mnist.test_labels),
            "mnist_test_kept": coverage(*tested),
            "scene_digits_accuracy": _accuracy(digits_tested[0], drawn_held_out.classes[is_held_out_digit]),
            "scene_digits_kept": coverage(*digits_tested),
            "scene_nothing_labelled": coverage(*background_tested),
        },
        start={"version": settings.start.name, "share": round(1 - FINE_TUNED_SHARE, 2)} if settings.start else None,
    )
    write_card_with_origin(card, settings.command, draft)


def _run(whole: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probabilities, features = whole.predict(images[..., None].astype(np.float32), batch_size=512, verbose=0)
    return probabilities, features


def _accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of pictures whose most probable digit is the right one; probabilities are (N, 11), labels (N,)."""
    return float((probabilities[:, : len(LABELS)].argmax(axis=1) == labels).mean())
