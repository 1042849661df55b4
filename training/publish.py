"""From a finished run to a model that can be held to the camera.

python -m training.publish runs/mnist-cnn-0
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer import preprocess, registry
from recognizer.classifier import FEATURES, INPUT, NEIGHBOURS, Classifier, Rejection
from recognizer.mirror import folder_of
from recognizer.system.terminal import exit_on_error
from training import sets
from training.fit import KEEP_CONFIDENCE, NETWORK_FILE, Split, read_metrics, split_of, write_metrics
from training.networks import EMBEDDING
from training.sets import DataSet
from training.tf_settings import import_tensorflow
from training.versions import write_network

if TYPE_CHECKING:
    import keras

KEEP_DISTANCE = 0.9985  # share of held-out pictures whose features lie within the calibrated distance
STATISTICS = 20000  # pictures are plenty to say where a label's features lie
TIMED = 100  # pictures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.publish", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("run", type=Path)
    parser.add_argument("--models", type=folder_of, default=registry.models_folder())
    options = parser.parse_args()
    with exit_on_error():
        publish(options.run, options.models)


def publish(run: Path, models: Path) -> Path:
    """Calibrate what the run learned on its held-out pictures and make it the current model of <data>-<network>."""
    metrics = read_metrics(run)
    source = metrics["data_source"]
    colour_side = source["side"] if metrics["input_shape"][2] == 3 else None
    data = sets.limited(sets.load(source["option"], colour_side, source["region"]), metrics["limit"], metrics["seed"])
    split = split_of(data, metrics["seed"])
    task = f"{data.name}-{metrics['network']}"
    keep = metrics.get("keep", KEEP_CONFIDENCE)
    if metrics["network"] == "knn":
        ready = _neighbours(metrics["k"], metrics["measure"], data, split, keep)
    else:
        ready = _network(run, task, data, split, keep)
    card: dict[str, Any] = {
        "task": task,
        "labels": data.labels,
        "region": data.region,
        **({} if data.region == "paper" else {"kind": "colour" if colour_side else "pixels"}),
        "input": {"shape": list(data.input_shape), "dtype": "float32", "range": [0, 255]},
        "preprocess": _preprocess(data.region, colour_side),
        **ready.said,
        "parameters": metrics["parameters"],
        "rejection": {"min_confidence": ready.min_confidence, "max_distance": ready.max_distance},
        "data": [{"name": data.name, "sha256": data.sha256, "used": metrics["fitted"]}],
        "command": metrics["command"],
        "git_commit": metrics["commit"],
        "versions": metrics["versions"],
        "metrics": {"test_accuracy": metrics["accuracy"]},
    }
    with registry.publishing(models, task) as draft:
        ready.write(draft)
        (draft / registry.CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        classifier = Classifier(draft, card["preprocess"])
        milliseconds = _time_ms(classifier, data.test_images[:TIMED])
    folder = registry.current(models, task)
    write_metrics(run, {**metrics, "published": str(folder), "ms_a_picture": round(milliseconds, 3)})
    print(f"Published {folder}")
    return folder


@dataclass(frozen=True)
class Ready:
    """What a run learned, calibrated."""

    write: Callable[[Path], None]  # its files into a version's folder
    said: dict[str, Any]  # of it in the card
    min_confidence: float
    max_distance: float


def _network(run: Path, task: str, data: DataSet, split: Split, keep: float) -> Ready:
    import_tensorflow()
    import keras

    whole = two_outputs(keras.saving.load_model(run / NETWORK_FILE, compile=False), task)
    rejection, *thresholds = calibrated(whole, data, split, keep)
    said = ["probabilities of the labels, then of nothing known, which this network never says", "embedding"]
    return Ready(partial(write_network, whole, rejection), {"outputs": said}, *thresholds)


def _neighbours(k: int, measure: str, data: DataSet, split: Split, keep: float) -> Ready:
    from training import knn

    chosen = _of_statistics(data, split)
    rejection = Rejection.of_features(knn.flat(data.train_images[chosen]), data.train_labels[chosen], len(data.labels))
    # those held out are among the pictures that it is published with: without them it says how sure it is of new ones
    held_out = data.train_images[split.held_out]
    probabilities = knn.answers(knn.fitted(data, split.fitted, k, measure), held_out)
    thresholds = _thresholds(rejection, probabilities, knn.flat(held_out), keep)

    def write(draft: Path) -> None:
        knn.by_heart(data, k, measure).save(draft / NEIGHBOURS)
        rejection.save(draft / FEATURES)

    said = ["shares of the neighbours' votes for the labels, then for nothing known, which has none"]
    return Ready(write, {"outputs": said, "features": INPUT}, *thresholds)


def calibrated(whole: "keras.Model", data: DataSet, split: Split, keep: float) -> tuple[Rejection, float, float]:
    """Where the features of the labels lie, the least confidence that a share `keep` of the held-out pictures reaches,
    and the largest distance."""
    chosen = _of_statistics(data, split)
    _, features = answers_of(whole, data.train_images[chosen])
    rejection = Rejection.of_features(features, data.train_labels[chosen], len(data.labels))
    probabilities, features = answers_of(whole, data.train_images[split.held_out])
    return rejection, *_thresholds(rejection, probabilities[:, : len(data.labels)], features, keep)


def _of_statistics(data: DataSet, split: Split) -> np.ndarray:
    """Places of training pictures that say where each label's features lie."""
    chosen = split.fitted[:: max(1, len(split.fitted) // STATISTICS)]
    return chosen if len(np.unique(data.train_labels[chosen])) == len(data.labels) else split.fitted


def _thresholds(
    rejection: Rejection, probabilities: np.ndarray, features: np.ndarray, keep: float
) -> tuple[float, float]:
    """The least confidence and the largest distance, of held-out pictures."""
    return (
        float(np.quantile(probabilities.max(axis=1), 1 - keep)),
        float(np.quantile(rejection.distances(features).min(axis=1), KEEP_DISTANCE)),
    )


def two_outputs(model: "keras.Model", name: str) -> "keras.Model":
    """The network with the two outputs that the recognizer takes: probabilities with a last 0 for "nothing known",
    and an embedding, padded with zeros where it would not be the longer one.
    """
    from keras import Model, layers

    answers = model.outputs[0]
    if model.layers[-1].name == "logits":
        answers = layers.Softmax()(answers)
    classes = answers.shape[-1]
    embedding = model.get_layer(EMBEDDING).output
    return Model(
        model.inputs,
        [_padded(answers, classes + 1), _padded(embedding, max(embedding.shape[-1], classes + 2))],
        name=name.replace("-", "_"),
    )


def _padded(values: "keras.KerasTensor", size: int) -> "keras.KerasTensor":
    from keras import layers

    have = values.shape[-1]
    if have == size:
        return values
    return layers.Reshape((size,))(layers.ZeroPadding1D((0, size - have))(layers.Reshape((have, 1))(values)))


def _preprocess(region: str, colour_side: int | None) -> str:
    if colour_side:
        return preprocess.COLOUR_VERSION
    return preprocess.VERSION if region == "paper" else preprocess.HAND_VERSION


def answers_of(whole: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and embedding of pictures (N, …) uint8."""
    probabilities, features = whole.predict(images.astype(np.float32), batch_size=256, verbose=0)
    return probabilities, features


def _time_ms(classifier: Any, images: np.ndarray) -> float:
    """Median milliseconds for one picture as the live loop gives it."""
    times_s = []
    for image in images:
        began_s = time.perf_counter()
        classifier.run(image)
        times_s.append(time.perf_counter() - began_s)
    return 1000 * float(np.median(times_s))


if __name__ == "__main__":
    main()
