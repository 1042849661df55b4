"""A run of the workshop: load, augment, fit, evaluate, publish."""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import SettingsError
from recognizer.samples.store import Samples
from recognizer.system import machine, packages
from training.datasets import catalogue, dataset
from training.datasets.dataset import DataSet, Split, split_of
from training.networks.tensorflow import configure_tensorflow, import_tensorflow
from training.publishing import calibration
from training.publishing.calibration import CONFIDENCE_COVERAGE
from training.publishing.card import git_commit
from training.settings import TrainSettings
from training.workshop import report
from training.workshop.fit_transfer import fit_backbone
from training.workshop.fitting import augmentation, fit
from training.workshop.knn import choose, fitted, predict_probabilities
from training.workshop.publish import publish
from training.workshop.run import (
    HISTORY,
    METRICS,
    NETWORK_FILE,
    PREDICTIONS,
    TrainingError,
    child_environment,
    probabilities_of,
    wilson_interval,
    write_history,
    write_metrics,
)


def choose_backend(backend: str) -> None:
    """Set Keras' backend, TensorFlow or PyTorch. Call it before Keras is imported. Raises SettingsError."""
    if backend == "torch" and find_spec("torch") is None:
        raise SettingsError(f"PyTorch is not installed: {packages.install_command('torch')}")
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != backend:
        raise SettingsError(
            f"Keras already uses the backend {sys.modules['keras'].config.backend()}. Start another process."
        )
    os.environ["KERAS_BACKEND"] = backend
    configure_tensorflow()


def train(settings: TrainSettings, samples: Samples) -> Path:
    """Do the whole run and return its folder. Raises DataError, SettingsError and TrainingError."""
    colour_side = settings.side if settings.network == "vgg16" else None
    loaded = catalogue.load(settings.data, samples, colour_side, settings.subject)
    data = dataset.limited(loaded, settings.limit, settings.seed)
    split = split_of(data, settings.seed)
    print(f"{data.name}: {len(split.fitted):,} training pictures, {len(split.held_out):,} held out, "
          f"{len(data.test_labels):,} test pictures, {len(data.labels)} labels", flush=True)  # fmt: skip
    run = settings.run_folder(data.name)
    run.mkdir(parents=True, exist_ok=True)
    (run / METRICS).unlink(missing_ok=True)  # written last: a run without it is not finished
    if settings.network == "knn":
        run_knn(data, split, settings, run, samples)
    else:
        run_network(data, split, settings, run, samples)
    report.write_report(run, samples)
    return run


def run_network(data: DataSet, split: Split, settings: TrainSettings, run: Path, samples: Samples) -> None:
    """Train, test and publish a Keras network, and write all results except the report."""
    import_tensorflow()  # its ImageDataGenerator is used with PyTorch too
    import keras

    began_s = time.perf_counter()
    level = augmentation(settings, data.name)
    report.draw_sheet(data.train_images[split.fitted], level, data.name, data.subject, run / "augmentation.png")
    if settings.network == "vgg16":
        model, history = fit_backbone(data, split, level, settings)
    else:
        model, history = fit(data, split, level, settings)
    seconds = time.perf_counter() - began_s
    probabilities = probabilities_of(model, data.test_images)
    if not np.isfinite(probabilities).all():
        raise TrainingError("The network's output is NaN, so it is not published. Try a lower --rate.")
    model.save(run / NETWORK_FILE)
    write_history(history, run / HISTORY)
    write_results(
        run, data, settings, probabilities,
        {
            "augment": level,
            "keep": settings.keep or CONFIDENCE_COVERAGE,
            "epochs": len(history["loss"]),
            "fitted": len(split.fitted),
            "held_out": len(split.held_out),
            "parameters": model.count_params(),
            "seconds": round(seconds, 1),
            "versions": {"python": platform.python_version(), "keras": keras.__version__, "numpy": np.__version__},
        },
    )  # fmt: skip
    publish_run(run, settings, samples)


def write_results(
    run: Path, data: DataSet, settings: TrainSettings, probabilities: np.ndarray, more: dict[str, Any]
) -> None:
    """Write predictions.npz with the test pictures and their probabilities, and metrics.json."""
    np.savez_compressed(
        run / PREDICTIONS,
        images=data.test_images,
        labels=data.test_labels,
        probabilities=probabilities.astype(np.float32),
    )
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == data.test_labels).sum())
    low, high = wilson_interval(right, len(predicted))
    per_class = {}
    for index, label in enumerate(data.labels):
        members = data.test_labels == index
        per_class[label] = {"right": int((predicted[members] == index).sum()), "of": int(members.sum())}
    metrics: dict[str, Any] = {
        "data": data.name,
        "network": settings.network_name,
        "backend": settings.backend,
        "seed": settings.seed,
        "limit": settings.limit,
        "labels": data.labels,
        "region": data.subject,
        "input_shape": list(data.input_shape),
        "accuracy": right / len(predicted),
        "accuracy_95": [low, high],
        "right": right,
        "tested": len(predicted),
        "per_class": per_class,
        **more,
        "batch_size": settings.batch_size,
        "data_source": {
            "option": settings.data,
            "region": settings.subject,
            "side": settings.side,
            "sha256": data.sha256,
        },
        "machine": machine.summary(),
        "command": settings.command,
        "commit": git_commit(),
    }
    write_metrics(run, metrics)


def publish_run(run: Path, settings: TrainSettings, samples: Samples) -> None:
    """Publish in this process, or in a child process with TensorFlow: only that backend exports to LiteRT."""
    if settings.backend == "tensorflow":
        publish(run, settings.models, samples)
        return
    command = [sys.executable, "-m", "training", "publish", str(run), "--models", str(settings.models.folder)]
    completed = subprocess.run(command, env=child_environment(KERAS_BACKEND="tensorflow"), check=False)
    if completed.returncode:
        raise TrainingError(f"{run} could not be published; see above.")


def run_knn(data: DataSet, split: Split, settings: TrainSettings, run: Path, samples: Samples) -> None:
    """Choose k and the distance measure on held-out pictures, test, publish, and write the results."""
    began_s = time.perf_counter()
    k, measure = choose(data, split)
    print(f"k-NN: k {k}, {measure}", flush=True)
    everything = np.arange(len(data.train_labels))
    classifier = fitted(data, everything, k, measure)
    probabilities = predict_probabilities(classifier, data.test_images)
    seconds = time.perf_counter() - began_s
    write_results(
        run, data, settings, probabilities,
        {
            "k": k,
            "measure": measure,
            "keep": settings.keep or calibration.CONFIDENCE_COVERAGE,
            "fitted": len(everything),
            "parameters": 0,
            "seconds": round(seconds, 1),
            "versions": {
                "python": platform.python_version(), "scikit-learn": version("scikit-learn"), "numpy": np.__version__,
            },
        },
    )  # fmt: skip
    publish_run(run, settings, samples)
