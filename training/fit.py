"""The story of the workshop: load, augment, fit, evaluate, publish.

python -m training.train --data mnist --network cnn
"""

import argparse
import csv
import json
import math
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer import registry
from recognizer.errors import DataError, RecognizerError, SettingsError
from recognizer.mirror import folder_of
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from training import augment, sets
from training.markdown import write_text
from training.networks import WORKSHOP
from training.sets import DataSet
from training.tf_settings import import_tensorflow, settle_tensorflow
from training.tuning import check_tuning, widened
from training.versions import git_commit

if TYPE_CHECKING:
    import keras

VALIDATION_SHARE = 0.1  # of the training pictures, kept from the fit to choose the best weights
PATIENCE = 6  # epochs without a better loss on those before the fit stops
PLATEAU = 2  # such epochs before the learning rate is halved
PEAK_RATE = 2e-3  # of the cosine rate
KEEP_CONFIDENCE = 0.989  # share of held-out pictures whose confidence reaches the calibrated one
CONFIDENCE_Z = 1.96  # standard deviations that hold 95 % of a normal distribution
NETWORKS = ("linear", "dense-16", "dense-256", "dense-512", "mlp-512x2", "knn", "cnn", "cnn-bn", "vgg16")
METRICS, HISTORY, PREDICTIONS, NETWORK_FILE = "metrics.json", "history.csv", "predictions.npz", "network.keras"


class TrainingError(RecognizerError):
    """A fit that came to nothing."""


@dataclass(frozen=True, eq=False)
class Split:
    """Places among a data set's training pictures: those that the network learns from, and those that judge it meanwhile."""

    fitted: np.ndarray
    held_out: np.ndarray


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help=f"{', '.join(sets.NAMES)}, a folder of label/picture, or a CSV")
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
    parser.add_argument(
        "--models", type=folder_of, default=registry.models_folder(), help="where the model is published"
    )
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
    data = sets.limited(sets.load(options.data, colour_side, options.region), options.limit, options.seed)
    split = split_of(data, options.seed)
    print(f"{data.name}: {len(split.fitted):,} pictures to learn from, {len(split.held_out):,} held out, "
          f"{len(data.test_labels):,} to test on, {len(data.labels)} labels", flush=True)  # fmt: skip
    run = run_folder(options, data)
    run.mkdir(parents=True, exist_ok=True)
    (run / METRICS).unlink(missing_ok=True)  # it is written last: a run without it is not done
    if options.network == "knn":
        from training.knn import run_knn

        run_knn(data, split, options, run)
    else:
        run_network(data, split, options, run)
    from training.report import write_report

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


def split_of(data: DataSet, seed: int) -> Split:
    """Part of the training pictures held out, of each label its share. Raises DataError where there are too few."""
    rng = np.random.default_rng(seed)
    held_out = []
    for index, label in enumerate(data.labels):
        members = rng.permutation(np.flatnonzero(data.train_labels == index))
        if len(members) < 2:
            raise DataError(
                f"{data.name} has {len(data.train_labels)} training pictures for {len(data.labels)} labels, and "
                f"{len(members)} of {label}: each label needs two, one to learn from and one held out. "
                "Record more, or give a higher --limit."
            )
        held_out.append(members[: max(1, round(VALIDATION_SHARE * len(members)))])
    judges = np.sort(np.concatenate(held_out))
    return Split(np.setdiff1d(np.arange(len(data.train_labels)), judges), judges)


def augmentation(options: argparse.Namespace, data: str) -> str:
    """How much the pictures are changed: as asked for, else the network's own level on the data set."""
    recipe = WORKSHOP.get(options.network)
    return options.augment or (recipe.augment_on.get(data, recipe.augment) if recipe else "light")


def run_network(data: DataSet, split: Split, options: argparse.Namespace, run: Path) -> None:
    """Fit, test, publish and write down everything but the pictures."""
    import_tensorflow()  # whose ImageDataGenerator PyTorch learns with, too
    import keras

    began_s = time.perf_counter()
    level = augmentation(options, data.name)
    augment.draw_sheet(data.train_images[split.fitted], level, data.name, data.region, run / "augmentation.png")
    if options.network == "vgg16":
        from training.transfer import fit_backbone

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


def fit(
    data: DataSet, split: Split, level: str, options: argparse.Namespace
) -> tuple["keras.Model", dict[str, list[float]]]:
    """The fitted network with the weights that did best on the held-out pictures, and what each epoch reached."""
    import keras

    recipe = WORKSHOP[options.network]
    epochs = options.epochs or recipe.epochs_on.get(data.name, recipe.epochs)
    model = widened(recipe.build(len(data.labels), options.seed), options.width or 1, options.seed)
    compiled = bool(model.compiled)
    if not compiled:
        compile_with_cosine(
            model, epochs * math.ceil(len(split.fitted) / options.batch_size), options.rate or PEAK_RATE
        )
    elif options.rate:
        model.optimizer.learning_rate = options.rate
    print(f"{model.name}: {model.count_params():,} parameters", flush=True)
    images, targets = data.train_images, targets_of(model, data.train_labels, len(data.labels))
    if level == "none":
        fed: dict[str, Any] = {
            "x": images[split.fitted].astype(np.float32), "y": targets[split.fitted], "batch_size": options.batch_size
        }  # fmt: skip
    else:
        change = augment.generator(level, data.name, data.region)
        fed = {"x": change.flow(images[split.fitted], targets[split.fitted], options.batch_size, seed=options.seed)}
    check = images[split.held_out].astype(np.float32), targets[split.held_out]
    callbacks = [keras.callbacks.ReduceLROnPlateau("val_loss", 0.5, PLATEAU)] if compiled else []
    patience = PATIENCE if compiled else epochs  # a cosine rate does best at its end
    return model, fit_with_care(model, fed, check, epochs, patience, callbacks)


def compile_with_cosine(model: "keras.Model", steps: int, peak_rate: float) -> None:
    """For a network that gives logits: AdamW, its rate rising over a twentieth of the steps and then falling to nothing."""
    import keras

    warmup = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        peak_rate / 10, max(1, steps - warmup), warmup_target=peak_rate, warmup_steps=warmup
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss, metrics=["accuracy"])


def targets_of(model: "keras.Model", labels: np.ndarray, classes: int) -> np.ndarray:
    """What the model's loss compares with: the label's number, or a one among zeros."""
    sparse = not isinstance(model.loss, str) or model.loss.startswith("sparse")
    return labels if sparse else np.eye(classes, dtype=np.float32)[labels]


def fit_with_care(
    model: "keras.Model",
    fed: dict[str, Any],
    check: tuple[np.ndarray, np.ndarray],
    epochs: int,
    patience: int,
    callbacks: "list[keras.callbacks.Callback]",
) -> dict[str, list[float]]:
    """Fit until the held-out pictures gain no more, and leave the model with the weights that did best on them.

    Ctrl-C ends the fit and keeps those. Returns each epoch's loss, accuracy, val_loss and val_accuracy. Raises
    TrainingError for a loss that is no number.
    """
    import keras

    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    began_s = time.perf_counter()

    def see_batch(batch: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise TrainingError(
                f"The loss became NaN in epoch {len(history['loss']) + 1}, batch {batch + 1}: nothing is published. "
                "Try a lower --rate."
            )

    def see_epoch(epoch: int, logs: dict[str, Any]) -> None:
        for name, values in history.items():
            values.append(float(logs[name]))
        left_s = (time.perf_counter() - began_s) / (epoch + 1) * (epochs - epoch - 1)
        if left_s > 1:
            print(f"  at most {duration(left_s)} left", flush=True)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=see_batch, on_epoch_end=see_epoch)
    try:
        model.fit(
            **fed, epochs=epochs, validation_data=check, callbacks=[watch, best, *callbacks],
            verbose=1 if sys.stdout.isatty() else 2,  # a progress bar, or a line an epoch in a log
        )  # fmt: skip
    except KeyboardInterrupt:
        if best.best_weights is None:
            raise
        print("\nStopped: keeping the best weights so far.", flush=True)
        model.set_weights(best.best_weights)
    return history


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def probabilities_of(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """What the network says of pictures (N, …) uint8: (N, classes) float32."""
    answers = model.predict(images.astype(np.float32), batch_size=256, verbose=0)
    if model.layers[-1].name != "logits":
        return answers
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def write_history(history: dict[str, list[float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows([number, *row] for number, row in enumerate(zip(*history.values(), strict=True), start=1))


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


def write_metrics(run: Path, metrics: dict[str, Any]) -> None:
    write_text(run / METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")


def read_metrics(run: Path) -> dict[str, Any]:
    """A run's metrics. Raises DataError with one line for a folder that is no finished run."""
    try:
        metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
        if isinstance(metrics, dict) and "accuracy" in metrics:
            return metrics
        raise ValueError("no accuracy in it")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{run} is no finished run ({error}). Train one: python -m training.train --data D --network N"
        ) from error


def publish_run(run: Path, options: argparse.Namespace) -> None:
    """Publish in this process, or with TensorFlow in another one: only its Keras exports to LiteRT."""
    if options.backend == "tensorflow":
        from training.publish import publish

        publish(run, options.models)
        return
    words = [sys.executable, "-m", "training.publish", str(run), "--models", str(options.models)]
    done = subprocess.run(words, env=child_environment(KERAS_BACKEND="tensorflow"), check=False)
    if done.returncode:
        raise TrainingError(f"{run} could not be published; see above.")


def child_environment(**changed: str) -> dict[str, str]:
    """The environment for `python -m training.…` from whatever folder this process was started in."""
    path = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changed}


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z2 = right / total, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    reach = CONFIDENCE_Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def command_words(options: argparse.Namespace) -> list[str]:
    """The command that repeats the run."""
    words = ["python", "-m", "training.train", "--data", options.data, "--network", options.network]
    for name, value in vars(options).items():
        if name not in ("data", "network", "models", "runs") and value != _DEFAULTS[name]:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


_DEFAULTS = vars(parse(["--data", "mnist", "--network", "linear"]))


if __name__ == "__main__":
    main()
