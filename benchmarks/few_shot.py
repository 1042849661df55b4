"""Few-shot accuracy on hand signs: this project's training compared with common baselines on the same pictures.

python -m benchmarks.few_shot DIR                the LABEL/PICTURE folders of one person or source
python -m benchmarks.few_shot DIR --ours-only    without the networks that need TensorFlow

Neighbouring pictures, in order of file name, form bursts. A burst is used for training or for testing, never for both.
All methods use the same hand crops. Pictures without a detected hand are left out; the first line prints the detection rate.
If DIR is a source of photos/letters, the feature extractor is trained again without it, so that no test picture trained it.
"""

import argparse
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.report import table
from recognizer.classifiers.network import Network
from recognizer.errors import SamplesError, SettingsError
from recognizer.finders.hands import HandFinder
from recognizer.preprocess import appearance, pose
from recognizer.preprocess.appearance import AppearanceExtractor
from recognizer.preprocess.pictures import hand_image
from recognizer.registry.assets import find_asset
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.sources.decoding import read_image
from recognizer.system import files, paths
from recognizer.system.native import silent_stderr
from recognizer.system.terminal import exit_on_error
from recognizer.teaching.import_pictures import folder_labels
from recognizer.teaching.label_folders import pictures_below
from recognizer.values import Frame
from training.datasets import hand_photographs, hand_variations
from training.datasets.hand_photographs import Hands
from training.networks.backbones import WEIGHTS, find_weights
from training.networks.tensorflow import configure_tensorflow
from training.user_tasks import hand_feature_extractor, linear_head
from training.user_tasks.hand_feature_extractor import TASK
from training.user_tasks.training_run import COPIES, COPIES_RANGE

COUNTS = (1, 3, 5, 10, 20)  # pictures a label
REPORTED_COUNTS = (1, 5, 10)  # the counts that the report shows
REPORTED = {"rps": "rock, paper, scissors", TASK: "24 letters"}  # folder of photographs: title in the report
DRAWS = 5  # random training sets for each count
BURST = 5  # neighbouring pictures
SIDES = {"MobileNetV2": 224, "VGG16": 128}  # input side in pixels; Teachable Machine's image models use MobileNetV2
CHUNK = 64  # batch size, in pictures

Directions = tuple[np.ndarray, np.ndarray]  # as training.user_tasks.hand_feature_extractor.directions returns them
# (training features, training labels, test features, rng) -> predicted labels
Method = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_shot", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that contains LABEL/PICTURE")
    parser.add_argument("--ours-only", action="store_true", help="skip the baselines that need TensorFlow")
    parser.add_argument(
        "--draws", type=int, default=DRAWS, help=f"random training sets for each count (default: {DRAWS})"
    )
    parser.add_argument("--models", type=open_models, default=default_models(), help="folder of trained models")
    parser.add_argument("--runs", type=Path, default=paths.runs() / "fewshot", help="cache folder for features")
    options = parser.parse_args()
    with exit_on_error():
        run(options.folder, options.models, options.runs, options.draws, with_networks=not options.ours_only)


def run(folder: Path, models: ModelStore, runs: Path, draws: int, *, with_networks: bool) -> None:
    """Compare the methods on one folder and print a table of accuracies. Raises SamplesError."""
    found = compare(folder, models, runs, draws, with_networks=with_networks)
    print(f"{folder}: {found.pictures} pictures, {found.labels} labels, hand detected in {100 * found.found:.1f} %")
    print(f"{'accuracy, %':24}" + "".join(f"{count:>8}" for count in COUNTS))
    for name, shares in found.shares.items():
        print(f"{name:24}" + "".join(f"{100 * share:8.1f}" if np.isfinite(share) else f"{'-':>8}" for share in shares))


def report(draws: int = DRAWS) -> str:
    """The few-shot section in Markdown: accuracy of each method on each person, for REPORTED_COUNTS pictures a label."""
    title = "## Few-shot accuracy\n\n"
    tables = [people_table(name, signs, draws) for name, signs in REPORTED.items()]
    if not any(tables):
        return f"{title}Skipped: {paths.DATA_VARIABLE} names no folder that contains photos/rps/PERSON/LABEL/.\n"
    return (
        f"{title}`python -m benchmarks.few_shot DIR`: accuracy in percent on the same person's other pictures, after "
        f"training on {', '.join(map(str, REPORTED_COUNTS))} pictures a label. Mean of {draws} random draws.\n\n"
        + "\n".join(filter(None, tables))
    )


def people_table(name: str, signs: str, draws: int) -> str:
    """A Markdown table with a row for each person or collection in photos/<name>; "" if there are none."""
    folders = [found for folder in paths.data_folders() for found in sorted((folder / "photos" / name).glob("*/"))]
    models, runs = default_models(), paths.runs() / "fewshot"
    rows, methods = [], []
    for folder in folders:
        one = compare(folder, models, runs, draws, REPORTED_COUNTS, with_networks=True)
        methods = list(one.shares)
        shares = [" / ".join(map(format_percent, shares)) for shares in one.shares.values()]
        rows.append((f"{folder.name} ({one.pictures} pictures)", f"{100 * one.found:.1f} %", *shares))
    return table([signs, "hand detected", *methods], rows) if rows else ""


def format_percent(share: float) -> str:
    return f"{100 * share:.1f}" if np.isfinite(share) else "-"


@dataclass(frozen=True)
class Comparison:
    """Accuracy (0 to 1) of each method, for each number of training pictures a label."""

    pictures: int
    labels: int
    found: float  # share of the pictures with a detected hand, 0 to 1
    shares: dict[str, list[float]]  # method: accuracy for each count; NaN if a label has too few pictures


def compare(
    folder: Path, models: ModelStore, runs: Path, draws: int, counts: Sequence[int] = COUNTS, *, with_networks: bool
) -> Comparison:
    """Train each method on some of the folder's pictures and test it on the others. Raises SamplesError."""
    photographs = pictures(folder)
    crops, hands = hands_in(photographs, runs)
    found = hands.jointed[:, 0]
    labels = np.array([file.parent.name for file in photographs])[found]
    if len(set(labels)) < 2:
        raise SamplesError(
            f"Hands were detected for {len(set(labels))} labels in {folder}. Add pictures of at least two labels."
        )
    directions = unseen_directions(folder, models)
    hand_crops = [crop for crop, is_hand in zip(crops, found, strict=True) if is_hand]
    methods: dict[str, tuple[np.ndarray, Method]] = {
        "landmarks and appearance": (np.arange(len(labels)), by_signs(hands[found], directions)),
        "k-NN on pixels": (np.stack([hand_image(crop).ravel() for crop in hand_crops]) / 255.0, nearest),
    }
    if with_networks:
        for name in SIDES:
            methods[f"{name} + logistic regression"] = features_of(name, hand_crops, runs), regression
    shares = {
        name: [accuracy(features, labels, method, count, draws) for count in counts]
        for name, (features, method) in methods.items()
    }
    return Comparison(len(photographs), len(set(labels)), float(found.mean()), shares)


def pictures(folder: Path) -> list[Path]:
    """The files LABEL/PICTURE in `folder`, sorted by label and number. Raises SamplesError if there are none."""
    folder_labels(folder)
    photographs = [path for path in pictures_below(folder) if path.parent.parent == folder]
    return sorted(photographs, key=lambda path: (path.parent.name, in_order(path.name)))


def in_order(name: str) -> list[tuple[int, str]]:
    """Sort key that places 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def accuracy(features: np.ndarray, labels: np.ndarray, method: Method, count: int, draws: int) -> float:
    """Mean accuracy (0 to 1) over `draws` draws of `count` pictures a label; NaN if a label has too few pictures."""
    shares = []
    for learned, tested in drawn(labels, count, draws):
        predicted = method(features[learned], labels[learned], features[tested], np.random.default_rng(0))
        shares.append(float((predicted == labels[tested]).mean()))
    return float(np.mean(shares)) if shares else float("nan")


def drawn(labels: np.ndarray, count: int, draws: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs (training rows, test rows) that share no burst. `labels` (N,) are in chronological order.

    Yields nothing if a label has too few pictures.
    """
    bursts = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        bursts[label] = [rows[start : start + BURST] for start in range(0, len(rows), BURST)]
        if len(rows) <= count + BURST:
            return
    for draw in range(draws):
        rng = np.random.default_rng([draw, count])
        training: list[int] = []
        testing: list[int] = []
        for own_bursts in bursts.values():
            order = rng.permutation(len(own_bursts))
            drawn_rows: list[int] = []
            number = 0
            while len(drawn_rows) < count:
                drawn_rows += own_bursts[order[number]].tolist()
                number += 1
            first = int(rng.integers(len(drawn_rows) - count + 1))
            training += drawn_rows[first : first + count]
            testing += [row for burst in order[number:] for row in own_bursts[burst].tolist()]
        yield np.array(training), np.array(testing)


def unseen_directions(folder: Path, models: ModelStore) -> Directions:
    """The hand feature extractor's linear map: the published one, or one trained without the people in `folder`.

    Raises SettingsError if no extractor is published.
    """
    names = [name for name, task in hand_photographs.TASK_OF_FOLDER.items() if task == TASK]
    collections = [(root / "photos" / name).resolve() for root in paths.data_folders() for name in names]
    if folder.resolve().parent in collections:
        there = [name for name in hand_photographs.folders_of_signs() if name in names]
        parts = [hand_photographs.read_hands(name, paths.runs() / "hands") for name in there]
        others = hand_photographs.concatenate(parts)
        return hand_feature_extractor.directions(others[(others.sources != folder.name) & others.jointed[:, 0]])
    path = hand_feature_extractor.newest(models)
    if path is None:
        raise SettingsError(
            f"{models.folder / TASK} has no {hand_feature_extractor.FILE}. Train it: {hand_feature_extractor.TRAIN}"
        )
    network = Network(path)
    zero, *units = network.run_all(np.eye(pose.SIZE + appearance.SIZE + 1, k=-1, dtype=np.float32)[:, :-1])[1]
    return (np.stack(units) - zero)[pose.SIZE :, pose.SIZE :], zero[pose.SIZE :]


def by_signs(found: Hands, directions: Directions) -> Method:
    """This project's training of a new hand task as a Method; its "features" are row numbers in `found`."""
    kernel, bias = directions
    appearance_features = found.appearance_features[:, 0].astype(np.float32) @ kernel + bias
    landmarks, left = found.landmarks[:, 0].astype(np.float64), found.left[:, 0]

    def features_of_rows(posed: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.concatenate([posed, appearance_features[rows, chosen]], axis=1)

    def method(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        copies = int(np.clip(COPIES // counts.min(), *COPIES_RANGE))
        joints, is_left, first_crop = landmarks[learned], left[learned], np.zeros(len(learned), int)
        features = [features_of_rows(pose.batch_features(joints, is_left), learned, first_crop)]
        for _ in range(copies):
            posed = pose.batch_features(*hand_variations.augmented(joints, is_left, rng))
            features.append(
                features_of_rows(posed, learned, rng.integers(hand_variations.CROPS_A_VIEW, size=len(learned)))
            )
        head = linear_head.discriminant_head(np.concatenate(features), np.tile(classes, 1 + copies), len(names))
        posed = pose.batch_features(landmarks[tested], left[tested])
        return names[head.probabilities(features_of_rows(posed, tested, np.zeros(len(tested), int))).argmax(axis=1)]

    return method


def regression(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns if a label has one picture
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(learned, labels).predict(tested)


def nearest(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return labels[cdist(tested, learned).argmin(axis=1)]


def hands_in(photographs: list[Path], runs: Path) -> tuple[list[np.ndarray], Hands]:
    """The most confident hand in each picture: its crop, (H, W, 3) uint8 BGR, and its landmarks and appearance features.

    A picture without a detected hand gets an empty crop. The result is cached in `runs`.
    """
    asset = find_asset("hand_landmarker")
    key = json.dumps([(str(path), path.stat().st_size) for path in photographs]) + hand_photographs.code_digest(
        *hand_photographs.CODE
    )
    cache = runs / f"hands-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if not cache.is_file():
        extractor, rng = AppearanceExtractor(asset), np.random.default_rng(0)
        boxes = np.zeros((len(photographs), 4), np.int64)
        parts = []
        with HandFinder(asset, video=False) as finder:
            for row, path in enumerate(photographs):
                regions = finder.find(Frame(read_image(path), 0, 0.0, path.name))
                region = max(regions, key=lambda region: region.hand.score if region.hand else 0.0, default=None)
                parts.append(hand_photographs.hands_of_region(region, path.parent.name, "", extractor, rng))
                if region is not None:
                    boxes[row] = region.box.xyxy
        found = hand_photographs.concatenate(parts)
        save(cache, boxes=boxes, **vars(found))
    with np.load(cache) as arrays:
        boxes = arrays["boxes"]
        found = Hands(**{name: arrays[name] for name in arrays.files if name != "boxes"})
    crops = [read_image(path)[y1:y2, x1:x2] for path, (x1, y1, x2, y2) in zip(photographs, boxes, strict=True)]
    return crops, found


def features_of(name: str, crops: list[np.ndarray], runs: Path) -> np.ndarray:
    """Pooled features (N, D) float32 of the crops from an ImageNet network. Raises SettingsError without weights."""
    side = SIDES[name]
    images = np.stack([cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops])
    cache = runs / f"{name}-{hashlib.sha256(images.tobytes()).hexdigest()[:12]}.npz"
    if not cache.is_file():
        configure_tensorflow()
        weights = find_weights(name)
        if weights is None:
            places = ", ".join(map(str, paths.data_folders()))
            raise SettingsError(f"{WEIGHTS[name]} was not found in {places}. Copy it there, or add --ours-only.")
        with silent_stderr():
            import keras

        options = {"alpha": 0.35} if name == "MobileNetV2" else {}
        constructor = getattr(keras.applications, name)
        network = constructor(
            weights=str(weights), include_top=False, pooling="avg", input_shape=(side, side, 3), **options
        )
        preprocess = sys.modules[constructor.__module__].preprocess_input
        parts = [
            np.asarray(
                network.predict_on_batch(preprocess(images[start : start + CHUNK, ..., ::-1].astype(np.float32)))
            )
            for start in range(0, len(images), CHUNK)
        ]
        save(cache, features=np.concatenate(parts))
    with np.load(cache) as arrays:
        return arrays["features"]


def save(path: Path, **arrays: np.ndarray) -> None:
    with files.atomic_file(path) as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main()
