"""Publishes the network of a finished run as a model for the live loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import INPUT, NEIGHBOURS
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics, Rejection
from recognizer.preprocess import pictures
from recognizer.registry.card import ModelCard, write_card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from training.datasets import catalogue, dataset
from training.datasets.dataset import DataSet, Split, split_of
from training.networks.litert import two_outputs
from training.networks.tensorflow import import_tensorflow
from training.publishing.calibration import CONFIDENCE_COVERAGE, calibrate, calibrate_on, statistics_rows
from training.publishing.card import write_network
from training.workshop import knn
from training.workshop.run import NETWORK_FILE, read_metrics, write_metrics

TIMED = 100  # pictures on which inference is timed


def publish(run: Path, models: ModelStore, samples: Samples) -> Path:
    """Calibrate the run's model on its held-out pictures and publish it as the current model of <data>-<network>."""
    metrics = read_metrics(run)
    source = metrics["data_source"]
    colour_side = source["side"] if metrics["input_shape"][2] == 3 else None
    data = dataset.limited(
        catalogue.load(source["option"], samples, colour_side, source["region"]), metrics["limit"], metrics["seed"]
    )
    split = split_of(data, metrics["seed"])
    task = f"{data.name}-{metrics['network']}"
    coverage = metrics.get("keep", CONFIDENCE_COVERAGE)
    ready = (
        _neighbours(metrics["k"], metrics["measure"], data, split, coverage)
        if metrics["network"] == "knn"
        else _network(run, task, data, split, coverage)
    )
    card = ModelCard(
        task=task,
        labels=tuple(data.labels),
        subject=data.subject,
        kind=subject_of(data.subject).card_kind("colour" if colour_side else "pixels"),
        features=ready.features,
        input={"shape": list(data.input_shape), "dtype": "float32", "range": [0, 255]},
        preprocess=_preprocess(data.subject, colour_side),
        outputs=ready.outputs,
        parameters=metrics["parameters"],
        rejection=ready.rejection.thresholds,
        data=[{"name": data.name, "sha256": data.sha256, "used": metrics["fitted"]}],
        command=metrics["command"],
        git_commit=metrics["commit"],
        versions=metrics["versions"],
        metrics={"test_accuracy": metrics["accuracy"]},
    )
    with models.publishing(task) as draft:
        ready.write(draft)
        write_card(card, draft)
        classifier = Classifier(draft, _preprocess(data.subject, colour_side))
        milliseconds = _time_ms(classifier, data.test_images[:TIMED])
    folder = models.current(task)
    write_metrics(run, {**metrics, "published": str(folder), "ms_a_picture": round(milliseconds, 3)})
    print(f"Published {folder}")
    return folder


@dataclass(frozen=True)
class Ready:
    """A calibrated model that is ready to be written."""

    write: Callable[[Path], None]  # writes its files into a version's folder
    outputs: list[str]  # description of each output
    features: str | None  # INPUT if it has no network
    rejection: Rejection


def _network(run: Path, task: str, data: DataSet, split: Split, keep: float) -> Ready:
    import_tensorflow()
    import keras

    network = two_outputs(keras.saving.load_model(run / NETWORK_FILE, compile=False), task)
    rejection = calibrate(network, data, split, keep)
    outputs_text = [
        "probabilities of the labels, then of the background, which this network never predicts",
        "embedding",
    ]
    return Ready(partial(write_network, network, rejection.statistics), outputs_text, None, rejection)


def _neighbours(k: int, measure: str, data: DataSet, split: Split, keep: float) -> Ready:
    chosen = statistics_rows(data, split)
    statistics = FeatureStatistics.of_features(
        knn.flat(data.train_images[chosen]), data.train_labels[chosen], len(data.labels)
    )
    # the published model includes the held-out pictures; without them the confidences are those of unseen pictures
    held_out = data.train_images[split.held_out]
    probabilities = knn.predict_probabilities(knn.fitted(data, split.fitted, k, measure), held_out)
    rejection = calibrate_on(statistics, probabilities, knn.flat(held_out), keep)

    def write(draft: Path) -> None:
        knn.all_neighbours(data, k, measure).save(draft / NEIGHBOURS)
        statistics.save(draft / FEATURES)

    outputs_text = ["shares of the neighbours' votes for the labels, then for the background, which has none"]
    return Ready(write, outputs_text, INPUT, rejection)


def _preprocess(subject: str, colour_side: int | None) -> str:
    return pictures.COLOUR_VERSION if colour_side else subject_of(subject).grey_preprocess


def _time_ms(classifier: Any, images: np.ndarray) -> float:
    """Median milliseconds per picture, one at a time."""
    times_s = []
    for image in images:
        began_s = time.perf_counter()
        classifier.run(image)
        times_s.append(time.perf_counter() - began_s)
    return 1000 * float(np.median(times_s))
