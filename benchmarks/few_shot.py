"""Signs learned from a few pictures a label, beside what others make of the same pictures.

python -m benchmarks.few_shot DIR                label/picture, of one person or source
python -m benchmarks.few_shot DIR --ours-only    without the networks that need TensorFlow

Pictures are taken in bursts of neighbours, by the order of their names: a burst is learned from or tested on, never both.
All methods see the hand's crop, and only pictures in which a hand was found; the share of these stands in the first line.
For DIR among the photographs of letters, what tells signs apart is learned anew from the other sources.
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
from recognizer.sources.decoding import PICTURE_SUFFIXES, read_image
from recognizer.system import files, paths
from recognizer.system.native import silent_stderr
from recognizer.system.terminal import exit_on_error
from recognizer.teaching.import_pictures import folder_labels
from recognizer.values import Frame
from training.datasets import hand_photographs, hand_variations
from training.datasets.hand_photographs import Hands
from training.networks.backbones import WEIGHTS, find_weights
from training.networks.tensorflow import configure_tensorflow
from training.user_tasks import hand_feature_extractor, linear_head
from training.user_tasks.hand_feature_extractor import TASK
from training.user_tasks.training_run import COPIES, COPIES_RANGE

COUNTS = (1, 3, 5, 10, 20)  # pictures a label
REPORTED_COUNTS = (1, 5, 10)  # of these in the report
REPORTED = {"rps": "rock, paper, scissors", TASK: "24 letters"}  # folders of photographs, and what they show
DRAWS = 5
BURST = 5  # pictures
SIDES = {"MobileNetV2": 224, "VGG16": 128}  # pixels; the first is what Teachable Machine's image models stand on
CHUNK = 64  # pictures through a network at once

# features of the pictures to learn from, their labels, and features to test on: the labels of these
Directions = tuple[np.ndarray, np.ndarray]  # training.user_tasks.hand_feature_extractor.directions
Method = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_shot", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--models", type=open_models, default=default_models())
    parser.add_argument("--runs", type=Path, default=paths.runs() / "fewshot", help="where features are kept")
    options = parser.parse_args()
    with exit_on_error():
        run(options)


def run(options: argparse.Namespace) -> None:
    found = compare(options.folder, options.models, options.runs, options.draws, with_networks=not options.ours_only)
    print(
        f"{options.folder}: {found.pictures} pictures, {found.labels} labels, a hand found in {100 * found.found:.1f} %"
    )
    print(f"{'right, %':24}" + "".join(f"{count:>8}" for count in COUNTS))
    for name, shares in found.shares.items():
        print(f"{name:24}" + "".join(f"{100 * share:8.1f}" if np.isfinite(share) else f"{'-':>8}" for share in shares))


def report(draws: int = DRAWS) -> str:
    """Markdown: what each method reads right of the people in the data folder's photographs, from TOLD pictures."""
    title = "## Learned from a few pictures\n\n"
    tables = [people_table(name, signs, draws) for name, signs in REPORTED.items()]
    if not any(tables):
        return f"{title}Skipped: no photos/rps/PERSON/LABEL/ in a folder that {paths.DATA_VARIABLE} names.\n"
    return (
        f"{title}`python -m benchmarks.few_shot DIR`: percent right of the same person's other pictures, from "
        f"{', '.join(map(str, REPORTED_COUNTS))} pictures a label; mean of {draws} draws.\n\n"
        + "\n".join(filter(None, tables))
    )


def people_table(name: str, signs: str, draws: int) -> str:
    """A table in Markdown of the people or collections in photos/<name>; "" where there are none."""
    folders = [found for folder in paths.data_folders() for found in sorted((folder / "photos" / name).glob("*/"))]
    models, runs = default_models(), paths.runs() / "fewshot"
    rows, methods = [], []
    for folder in folders:
        one = compare(folder, models, runs, draws, REPORTED_COUNTS, with_networks=True)
        methods = list(one.shares)
        shares = [" / ".join(map(format_percent, shares)) for shares in one.shares.values()]
        rows.append((f"{folder.name} ({one.pictures} pictures)", f"{100 * one.found:.1f} %", *shares))
    return table([signs, "a hand found in", *methods], rows) if rows else ""


def format_percent(share: float) -> str:
    return f"{100 * share:.1f}" if np.isfinite(share) else "-"


@dataclass(frozen=True)
class Comparison:
    """Shares read right by each method, for each count of pictures learned from."""

    pictures: int
    labels: int
    found: float  # share of the pictures in which a hand was found
    shares: dict[str, list[float]]


def compare(
    folder: Path, models: ModelStore, runs: Path, draws: int, counts: Sequence[int] = COUNTS, *, with_networks: bool
) -> Comparison:
    """Learn from some pictures of the folder's and read the others, by each method. Raises SamplesError."""
    photographs = pictures(folder)
    crops, seen = hands_in(photographs, runs)
    found = seen.jointed[:, 0]
    labels = np.array([file.parent.name for file in photographs])[found]
    if len(set(labels)) < 2:
        raise SamplesError(f"Hands of {len(set(labels))} labels were found in {folder}, and two are needed.")
    directions = unseen_directions(folder, models)
    chosen = [crop for crop, is_hand in zip(crops, found, strict=True) if is_hand]
    methods: dict[str, tuple[np.ndarray, Method]] = {
        "joints and looks": (np.arange(len(labels)), by_signs(seen[found], directions)),
        "k-NN on the pixels": (np.stack([hand_image(crop).ravel() for crop in chosen]) / 255.0, nearest),
    }
    if with_networks:
        for name in SIDES:
            methods[f"{name} + regression"] = features_of(name, chosen, runs), regression
    shares = {
        name: [accuracy(features, labels, method, count, draws) for count in counts]
        for name, (features, method) in methods.items()
    }
    return Comparison(len(photographs), len(set(labels)), float(found.mean()), shares)


def pictures(folder: Path) -> list[Path]:
    """Of label/picture, in the order of their numbers. Raises SamplesError where there are none."""
    folder_labels(folder)
    photographs = [path for path in folder.glob("*/*") if path.suffix.lower() in PICTURE_SUFFIXES]
    return sorted(photographs, key=lambda path: (path.parent.name, in_order(path.name)))


def in_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def accuracy(features: np.ndarray, labels: np.ndarray, method: Method, count: int, draws: int) -> float:
    """Mean share read right over draws of `count` pictures a label; NaN where a label has no more than those."""
    shares = []
    for learned, tested in drawn(labels, count, draws):
        predicted = method(features[learned], labels[learned], features[tested], np.random.default_rng(0))
        shares.append(float((predicted == labels[tested]).mean()))
    return float(np.mean(shares)) if shares else float("nan")


def drawn(labels: np.ndarray, count: int, draws: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to test on, burst by burst; `labels` (N,) are in the order of time."""
    bursts = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        bursts[label] = [rows[start : start + BURST] for start in range(0, len(rows), BURST)]
        if len(rows) <= count + BURST:
            return
    for draw in range(draws):
        rng = np.random.default_rng([draw, count])
        learned: list[int] = []
        tested: list[int] = []
        for own in bursts.values():
            order = rng.permutation(len(own))
            taken: list[int] = []
            number = 0
            while len(taken) < count:
                taken += own[order[number]].tolist()
                number += 1
            first = int(rng.integers(len(taken) - count + 1))
            learned += taken[first : first + count]
            tested += [row for place in order[number:] for row in own[place].tolist()]
        yield np.array(learned), np.array(tested)


def unseen_directions(folder: Path, models: ModelStore) -> Directions:
    """What a new task of hands is seen with: as published, or made anew where that has seen the folder's people."""
    if any(folder.resolve().parent == (root / "photos" / TASK).resolve() for root in paths.data_folders()):
        others = hand_photographs.read_hands(TASK, paths.runs() / "hands")
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
    """What a training does with a new task of hands; its "features" are row numbers."""
    kernel, bias = directions
    appearance_features = found.appearance_features[:, 0].astype(np.float32) @ kernel + bias
    landmarks, left = found.landmarks[:, 0].astype(np.float64), found.left[:, 0]

    def seen(posed: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.concatenate([posed, appearance_features[rows, chosen]], axis=1)

    def method(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        copies = int(np.clip(COPIES // counts.min(), *COPIES_RANGE))
        own, own_left, plain = landmarks[learned], left[learned], np.zeros(len(learned), int)
        features = [seen(pose.batch_features(own, own_left), learned, plain)]
        for _ in range(copies):
            posed = pose.batch_features(*hand_variations.augmented(own, own_left, rng))
            features.append(seen(posed, learned, rng.integers(hand_variations.CROPS_A_VIEW, size=len(learned))))
        head = linear_head.discriminant_head(np.concatenate(features), np.tile(classes, 1 + copies), len(names))
        posed = pose.batch_features(landmarks[tested], left[tested])
        return names[head.probabilities(seen(posed, tested, np.zeros(len(tested), int))).argmax(axis=1)]

    return method


def regression(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one picture a label is little
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(learned, labels).predict(tested)


def nearest(learned: np.ndarray, labels: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return labels[cdist(tested, learned).argmin(axis=1)]


def hands_in(photographs: list[Path], runs: Path) -> tuple[list[np.ndarray], Hands]:
    """Of each picture the surest hand: its square crop in colour, its joints and looks; nothing where none was found."""
    asset = find_asset("hand_landmarker")
    made_of = json.dumps([(str(path), path.stat().st_size) for path in photographs]) + hand_photographs.code_digest(
        *hand_photographs.CODE
    )
    kept = runs / f"hands-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.npz"
    if not kept.is_file():
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
        save(kept, boxes=boxes, **vars(found))
    with np.load(kept) as arrays:
        boxes = arrays["boxes"]
        found = Hands(**{name: arrays[name] for name in arrays.files if name != "boxes"})
    crops = [read_image(path)[y1:y2, x1:x2] for path, (x1, y1, x2, y2) in zip(photographs, boxes, strict=True)]
    return crops, found


def features_of(name: str, crops: list[np.ndarray], runs: Path) -> np.ndarray:
    """What a network that ImageNet taught makes of the crops, averaged over the picture: (N, D) float32."""
    side = SIDES[name]
    images = np.stack([cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops])
    kept = runs / f"{name}-{hashlib.sha256(images.tobytes()).hexdigest()[:12]}.npz"
    if not kept.is_file():
        configure_tensorflow()
        weights = find_weights(name)
        if weights is None:
            places = ", ".join(map(str, paths.data_folders()))
            raise SettingsError(f"{WEIGHTS[name]} is in none of {places}. Put it there, or add --ours-only.")
        with silent_stderr():
            import keras

        more = {"alpha": 0.35} if name == "MobileNetV2" else {}
        build = getattr(keras.applications, name)
        network = build(weights=str(weights), include_top=False, pooling="avg", input_shape=(side, side, 3), **more)
        prepare = sys.modules[build.__module__].preprocess_input
        parts = [
            np.asarray(network.predict_on_batch(prepare(images[start : start + CHUNK, ..., ::-1].astype(np.float32))))
            for start in range(0, len(images), CHUNK)
        ]
        save(kept, features=np.concatenate(parts))
    with np.load(kept) as arrays:
        return arrays["features"]


def save(path: Path, **arrays: np.ndarray) -> None:
    with files.atomic_file(path) as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main()
