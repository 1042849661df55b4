"""The story of the workshop: load, augment, fit, evaluate, publish.

python -m training.shipped.digits --data mnist --network cnn
"""

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import SettingsError
from recognizer.registry import synced
from recognizer.system import machine, paths
from recognizer.system.remote import folder_of
from recognizer.system.terminal import exit_on_error
from training.datasets import augment, dataset, named
from training.datasets.dataset import DataSet, Split, split_of
from training.networks.plain import WORKSHOP
from training.networks.tensorflow import import_tensorflow, settle_tensorflow
from training.networks.tuning import check_tuning
from training.publishing import calibration
from training.publishing.calibration import KEEP_CONFIDENCE
from training.publishing.card import git_commit
from training.workshop import report
from training.workshop.fitting import augmentation, fit
from training.workshop.knn import answers, choose, fitted
from training.workshop.run import (
    HISTORY,
    METRICS,
    NETWORK_FILE,
    NETWORKS,
    PREDICTIONS,
    TrainingError,
    child_environment,
    probabilities_of,
    wilson_interval,
    write_history,
    write_metrics,
)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.shipped.digits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help=f"{', '.join(named.NAMES)}, a folder of label/picture, or a CSV")
    parser.add_argument("--network", required=True, choices=NETWORKS)
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "torch"])
    parser.add_argument("--epochs", type=int, help="at most (default: what the network needs)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rate", type=float, help="learning rate (default: the optimizer's own)")
    parser.add_argument("--width", type=float, metavar="TIMES", help="hidden layers that many times as wide")
    parser.add_argument(
        "--keep",
        type=float,
        metavar="SHARE",
        help=f"of held-out pictures that get a label (default: {KEEP_CONFIDENCE})",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="learn from N pictures and test on N (a quick try)")
    parser.add_argument(
        "--augment", choices=[*augment.LEVELS], help="how much pictures are changed (default: the network's)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed repeats a run")
    parser.add_argument(
        "--region", default="hand", choices=["hand", "paper"], help="how a folder's pictures are framed"
    )
    parser.add_argument("--backbone", default="VGG16", help="for vgg16: another network of keras.applications")
    parser.add_argument("--weights", default="imagenet", help="for vgg16: imagenet, or a file of weights")
    parser.add_argument(
        "--side", type=int, default=48, help="for vgg16: pixels that pictures are scaled to (48 to 150)"
    )
    parser.add_argument(
        "--copies", type=int, metavar="N", help="for vgg16: changed ones of each picture (default: by their number)"
    )
    parser.add_argument("--fine-tune", type=int, metavar="EPOCHS", help="for vgg16: with block 5 unfrozen")
    parser.add_argument("--models", type=folder_of, default=synced.models_folder(), help="where the model is published")
    parser.add_argument("--runs", type=Path, default=paths.runs(), help="where the run's folder goes")
    options = parser.parse_args(words)
    for name, least in (("epochs", 1), ("batch_size", 1), ("limit", 1), ("copies", 0), ("fine_tune", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            parser.error(f"--{name.replace('_', '-')} {value} is not at least {least}")
    if options.network != "vgg16":
        for name in ("backbone", "weights", "side", "copies", "fine_tune"):
            if getattr(options, name) != parser.get_default(name):
                parser.error(f"--{name.replace('_', '-')} is for vgg16, and --network is {options.network}")
    check_tuning(parser, options)
    if options.width is not None and options.network not in WORKSHOP:
        parser.error(f"--width is of hidden layers, and {options.network} has none that could be wider")
    return options


def main(words: Sequence[str] | None = None) -> None:
    options = parse(words)
    with exit_on_error():
        choose_backend(options.backend)
        print(f"Wrote {train(options) / 'index.html'}")


def choose_backend(backend: str) -> None:
    """Have Keras compute with TensorFlow or PyTorch, whichever processor they find. To be called before Keras is imported."""
    if backend == "torch" and find_spec("torch") is None:
        raise SettingsError("PyTorch is not installed: .venv/bin/python -m pip install -r requirements-torch.txt")
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != backend:
        raise SettingsError(f"Keras already computes with {sys.modules['keras'].config.backend()} in this process.")
    os.environ["KERAS_BACKEND"] = backend
    settle_tensorflow()


def train(options: argparse.Namespace) -> Path:
    """Do the whole run and return its folder."""
    colour_side = options.side if options.network == "vgg16" else None
    data = dataset.limited(named.load(options.data, colour_side, options.region), options.limit, options.seed)
    split = split_of(data, options.seed)
    print(f"{data.name}: {len(split.fitted):,} pictures to learn from, {len(split.held_out):,} held out, "
          f"{len(data.test_labels):,} to test on, {len(data.labels)} labels", flush=True)  # fmt: skip
    run = run_folder(options, data)
    run.mkdir(parents=True, exist_ok=True)
    (run / METRICS).unlink(missing_ok=True)  # it is written last: a run without it is not done
    if options.network == "knn":
        run_knn(data, split, options, run)
    else:
        run_network(data, split, options, run)
    from training.workshop.report import write_report

    write_report(run)
    return run


def network_name(options: argparse.Namespace) -> str:
    """As the run and the task are called."""
    return options.backbone.lower() if options.network == "vgg16" else options.network


def run_folder(options: argparse.Namespace, data: DataSet) -> Path:
    name = f"{data.name}-{network_name(options)}-{options.seed}"
    if options.backend == "torch":
        name += "-torch"
    if options.limit:
        name += f"-limit{options.limit}"  # a quick try leaves the whole run alone
    return options.runs / name


def run_network(data: DataSet, split: Split, options: argparse.Namespace, run: Path) -> None:
    """Fit, test, publish and write down everything but the pictures."""
    import_tensorflow()  # whose ImageDataGenerator PyTorch learns with, too
    import keras

    began_s = time.perf_counter()
    level = augmentation(options, data.name)
    report.draw_sheet(data.train_images[split.fitted], level, data.name, data.region, run / "augmentation.png")
    if options.network == "vgg16":
        from training.workshop.fit_transfer import fit_backbone

        model, history = fit_backbone(data, split, level, options)
    else:
        model, history = fit(data, split, level, options)
    seconds = time.perf_counter() - began_s
    probabilities = probabilities_of(model, data.test_images)
    if not np.isfinite(probabilities).all():
        raise TrainingError("The network answers with NaN: nothing is published. Try a lower --rate.")
    model.save(run / NETWORK_FILE)
    write_history(history, run / HISTORY)
    write_results(
        run, data, options, probabilities,
        {
            "augment": level,
            "keep": options.keep or KEEP_CONFIDENCE,
            "epochs": len(history["loss"]),
            "fitted": len(split.fitted),
            "held_out": len(split.held_out),
            "parameters": model.count_params(),
            "seconds": round(seconds, 1),
            "versions": {"python": platform.python_version(), "keras": keras.__version__, "numpy": np.__version__},
        },
    )  # fmt: skip
    publish_run(run, options)


def write_results(
    run: Path, data: DataSet, options: argparse.Namespace, probabilities: np.ndarray, more: dict[str, Any]
) -> None:
    """predictions.npz with the test pictures and the answers, and metrics.json."""
    np.savez_compressed(
        run / PREDICTIONS,
        images=data.test_images,
        labels=data.test_labels,
        probabilities=probabilities.astype(np.float32),
    )
    said = probabilities.argmax(axis=1)
    right = int((said == data.test_labels).sum())
    low, high = wilson_interval(right, len(said))
    per_class = {}
    for index, label in enumerate(data.labels):
        members = data.test_labels == index
        per_class[label] = {"right": int((said[members] == index).sum()), "of": int(members.sum())}
    metrics: dict[str, Any] = {
        "data": data.name,
        "network": network_name(options),
        "backend": options.backend,
        "seed": options.seed,
        "limit": options.limit,
        "labels": data.labels,
        "region": data.region,
        "input_shape": list(data.input_shape),
        "accuracy": right / len(said),
        "accuracy_95": [low, high],
        "right": right,
        "tested": len(said),
        "per_class": per_class,
        **more,
        "batch_size": options.batch_size,
        "data_source": {"option": options.data, "region": options.region, "side": options.side, "sha256": data.sha256},
        "machine": machine.summary(),
        "command": shlex.join(command_words(options)),
        "commit": git_commit(),
    }
    write_metrics(run, metrics)


def publish_run(run: Path, options: argparse.Namespace) -> None:
    """Publish in this process, or with TensorFlow in another one: only its Keras exports to LiteRT."""
    if options.backend == "tensorflow":
        from training.workshop.publish import publish

        publish(run, options.models)
        return
    words = [sys.executable, "-m", "training.workshop.publish", str(run), "--models", str(options.models)]
    done = subprocess.run(words, env=child_environment(KERAS_BACKEND="tensorflow"), check=False)
    if done.returncode:
        raise TrainingError(f"{run} could not be published; see above.")


def command_words(options: argparse.Namespace) -> list[str]:
    """The command that repeats the run."""
    words = ["python", "-m", "training.shipped.digits", "--data", options.data, "--network", options.network]
    for name, value in vars(options).items():
        if name not in ("data", "network", "models", "runs") and value != _DEFAULTS[name]:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


_DEFAULTS = vars(parse(["--data", "mnist", "--network", "linear"]))


if __name__ == "__main__":
    main()


def run_knn(data: DataSet, split: Split, options: argparse.Namespace, run: Path) -> None:
    """Choose k and the measure on held-out pictures, test, and write down the results."""
    began_s = time.perf_counter()
    k, measure = choose(data, split)
    print(f"k-NN: k {k}, {measure}", flush=True)
    everything = np.arange(len(data.train_labels))
    classifier = fitted(data, everything, k, measure)
    probabilities = answers(classifier, data.test_images)
    seconds = time.perf_counter() - began_s
    write_results(
        run, data, options, probabilities,
        {
            "k": k,
            "measure": measure,
            "keep": options.keep or calibration.KEEP_CONFIDENCE,
            "fitted": len(everything),
            "parameters": 0,
            "seconds": round(seconds, 1),
            "versions": {
                "python": platform.python_version(), "scikit-learn": version("scikit-learn"), "numpy": np.__version__,
            },
        },
    )  # fmt: skip
    publish_run(run, options)
