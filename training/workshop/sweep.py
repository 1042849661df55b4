"""Hyperparameter search with Ray Tune, cross-validated on held-out sources.

The space file lists the hyperparameters, each as a list of values or as a range:

    rate = {from = 1e-4, to = 1e-2}      learning rate
    augment = ["none", "light"]          a level of --augment; for letters and rps, the share of augmented hands
    width = [0.5, 1, 2]                  factor of the width of hidden layers
    keep = [0.97, 0.989]                 coverage: the share of the right predictions that get a label

A trial holds out one source (a person, series or session) after the other, trains on the rest and predicts the held-out
one. Its score is the mean over all pictures: 1 for a right label, -1 for a wrong one, 0 for none. After some numbers of
folds, ASHA continues only the better half of the trials.
"""

import hashlib
import json
import math
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from recognizer.classifiers.rejection import labels_within
from recognizer.errors import DataError, SettingsError
from recognizer.samples.store import Samples
from recognizer.system.files import atomic_file
from recognizer.system.ray_cluster import connected
from training.datasets import augment, catalogue, dataset
from training.datasets.dataset import DataSet
from training.datasets.hand_photographs import LABELS
from training.networks.hyperparameters import Hyperparameters
from training.networks.litert import two_outputs
from training.publishing import calibration
from training.settings import SignsSettings, SweepSettings, TrainSettings, check_number
from training.shipped import sign_data, sign_fitting, sign_validation
from training.workshop import fitting
from training.workshop.cluster import needs_of
from training.workshop.run import TrainingError

SEARCHED = ("rate", "augment", "width", "keep")
LOGARITHMIC = ("rate", "width")  # their ranges are sampled on a logarithmic scale
MAX_FOLDS = 4  # more sources are grouped into this many folds
REDUCTION = 2  # at each rung of ASHA, the better half of the trials continues
FAILED_SCORE = -1.0  # the score of a fit that diverged: as if all labels were wrong

TrialParameters = dict[str, float | str]  # keys are names of SEARCHED; missing ones keep their default


class Objective(Protocol):
    """What a sweep optimises."""

    @property
    def folds(self) -> list[str]:
        """Names of the folds that are held out in turn."""

    def score(self, parameters: TrialParameters, fold: int) -> float:
        """Score, -1 to 1, on the fold, of a network trained on the other folds."""

    def command(self, parameters: TrialParameters) -> str:
        """The command that trains the network with these hyperparameters."""


@dataclass(frozen=True, eq=False)
class DataSetObjective:
    """Cross-validation of a workshop network on a data set."""

    data: DataSet
    fold_rows: list[np.ndarray]  # for each fold, indices of its training pictures
    folds: list[str]
    settings: TrainSettings

    def score(self, parameters: TrialParameters, fold: int) -> float:
        settings = self._with(parameters)
        held_out = self.fold_rows[fold]
        rest = np.setdiff1d(np.arange(len(self.data.train_labels)), held_out)
        data = replace(
            self.data, train_images=self.data.train_images[rest], train_labels=self.data.train_labels[rest],
            train_series=np.zeros(0, np.int64),
        )  # fmt: skip
        split = dataset.split_of(data, settings.seed)
        model, _ = fitting.fit(data, split, fitting.augmentation(settings, data.name), settings)
        network = two_outputs(model, "sweep")
        rejection = calibration.calibrate(network, data, split, settings.keep or calibration.CONFIDENCE_COVERAGE)
        probabilities, features = calibration.predict_with_features(network, self.data.train_images[held_out])
        label_probabilities = probabilities[:, : len(data.labels)]
        labelled = rejection.labels(probabilities, features) < len(data.labels)
        right = label_probabilities.argmax(axis=1) == self.data.train_labels[held_out]
        return _score(right, labelled)

    def command(self, parameters: TrialParameters) -> str:
        return self._with(parameters).command

    def _with(self, parameters: TrialParameters) -> TrainSettings:
        return replace(self.settings, **parameters)  # type: ignore[arg-type]  # read_space checks the types


@dataclass(frozen=True, eq=False)
class HandsObjective:
    """Leave-one-person-out validation on photographs of hand signs."""

    data: sign_data.SignData
    kind: str  # one of JOINT_INPUTS

    @property
    def folds(self) -> list[str]:
        return self.data.people

    def score(self, parameters: TrialParameters, fold: int) -> float:
        """Score with the thresholds that training would choose from this person's correct predictions."""
        hyperparameters = Hyperparameters(**parameters)  # type: ignore[arg-type]  # read_space accepts only numbers here
        data = replace(self.data, hyperparameters=hyperparameters)
        person = data.people[fold]
        hands = data.hands
        own_signs = data.evaluated & (hands.sources == person)
        rows = own_signs | data.empty
        predicted = sign_fitting.fit(data, self.kind, (person,)).predict(hands[rows])
        predictions = sign_data.Predictions(
            np.full((len(hands), len(data.labels) + 1), np.nan, np.float32),
            np.full(len(hands), np.nan, np.float32),
        )
        predictions.probabilities[rows], predictions.distances[rows] = predicted.probabilities, predicted.distances
        metrics = sign_validation.metrics_of(replace(data, evaluated=own_signs), predictions)
        known = np.nan_to_num(predicted.probabilities[:, : len(data.labels)], nan=0.0)
        labelled = labels_within(metrics.thresholds, predicted.probabilities, predicted.distances) < len(data.labels)
        counted = own_signs[rows] | labelled  # a picture without a sign counts only if it gets a label, which is wrong
        right = known.argmax(axis=1) == data.classes[rows]
        return _score(right[counted], labelled[counted])

    def command(self, parameters: TrialParameters) -> str:
        settings = SignsSettings(self.data.task, self.kind, seed=self.data.seed)
        return replace(settings, **parameters).command  # type: ignore[arg-type]  # read_space checks the types


def _score(right: np.ndarray, labelled: np.ndarray) -> float:
    """The share of right labels minus the share of wrong labels; both arrays are (N,) bool."""
    return float((labelled & right).mean() - (labelled & ~right).mean())


def sweep(settings: SweepSettings, samples: Samples) -> None:
    """Run the unfinished trials, then print the table and the training command of the best trial. Raises TrainingError."""
    space = read_space(settings.space, of_hands=settings.task in LABELS)
    trials = draw(space, settings.trials, settings.seed)
    with connected(settings.cluster) as ray:
        objective = objective_of(settings, samples)
        print(f"{len(trials)} trials; held out in turn: {', '.join(objective.folds)}", flush=True)
        scores = _run(ray, objective, trials, settings)
    print_table(objective.folds, trials, scores)
    finished = [
        number
        for number, trial_scores in enumerate(scores)
        if len(trial_scores) == len(objective.folds) and FAILED_SCORE not in trial_scores
    ]
    if not finished:
        raise TrainingError("No trial finished. Search lower rates, or read the logs in runs/sweeps.")
    best = max(finished, key=lambda number: float(np.mean(scores[number])))
    print(f"Best: trial {best}. To train it:\n{objective.command(trials[best])}")


def read_space(path: Path, *, of_hands: bool) -> dict[str, Any]:
    """Read and validate the space file. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as JSON or TOML ({' '.join(str(error).split())}).") from error
    if not isinstance(found, dict) or not found or set(found) - set(SEARCHED):
        named = ", ".join(map(str, found)) if found else "nothing"
        raise SettingsError(f"{path} names {named}. Name one or more of {', '.join(SEARCHED)}.")
    for name, values in found.items():
        try:
            if isinstance(values, dict):
                if set(values) != {"from", "to"} or not _number(values["from"]) < _number(values["to"]):
                    raise SettingsError(f"{name} is not a range from a lower to a higher number")
                checked = [*values.values()]
            else:
                checked = values
            if not isinstance(checked, list) or not checked:
                raise SettingsError(f"{name} is neither a list nor a range")
            for value in checked:
                _check(name, value, levels=name == "augment" and not of_hands)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}. Write [1e-3, 2e-3] or {{from = 1e-4, to = 1e-2}}.") from error
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{value!r} is not a number")
    return float(value)


def _check(name: str, value: Any, *, levels: bool) -> None:
    if not levels:
        check_number(name, _number(value))
    elif not isinstance(value, str) or value not in augment.LEVELS:
        raise SettingsError(f"augment {value!r} is not one of {', '.join(augment.LEVELS)}")


def draw(space: dict[str, Any], count: int, seed: int) -> list[TrialParameters]:
    """Up to `count` distinct random trials. The first one is the default hyperparameters."""
    rng = np.random.default_rng(seed)
    trials: list[TrialParameters] = [{}]
    for _ in range(100 * count):
        if len(trials) == count:
            break
        trial = {name: _drawn(name, values, rng) for name, values in space.items()}
        if trial not in trials:
            trials.append(trial)
    return trials


def _drawn(name: str, values: Any, rng: np.random.Generator) -> float | str:
    if isinstance(values, list):
        return values[int(rng.integers(len(values)))]
    low, high = values["from"], values["to"]
    value = math.exp(rng.uniform(math.log(low), math.log(high))) if name in LOGARITHMIC else rng.uniform(low, high)
    return float(f"{value:.3g}")


def objective_of(settings: SweepSettings, samples: Samples) -> Objective:
    """Load the training data of the task. Raises DataError and AssetError."""
    if settings.task in LABELS:
        return hands_objective(
            sign_data.load_sign_data(settings.task, settings.runs, settings.seed), settings.kind, settings.limit
        )
    name = "mnist" if settings.task == "digits" else settings.task
    if name in {task.name for task in samples.tasks()}:
        name = f"captures/{name}"
    network = settings.network or ("cnn-bn" if settings.task == "digits" else "cnn")
    train = TrainSettings(name, network, epochs=settings.epochs, seed=settings.seed)
    data = dataset.limited(catalogue.load(name, samples), settings.limit, settings.seed)
    return data_set_objective(data, train)


def hands_objective(data: sign_data.SignData, kind: str, limit: int | None) -> HandsObjective:
    """The objective on hand signs; with `limit`, on at most that many pictures of each source."""
    if limit:
        rng = np.random.default_rng(data.seed)
        sources = data.hands.sources
        fold_rows = [rng.permutation(np.flatnonzero(sources == source))[:limit] for source in np.unique(sources)]
        chosen = np.sort(np.concatenate(fold_rows))
        data = replace(
            data, hands=data.hands[chosen], classes=data.classes[chosen], evaluated=data.evaluated[chosen],
            empty=data.empty[chosen],
        )  # fmt: skip
    return HandsObjective(data, kind)


def data_set_objective(data: DataSet, settings: TrainSettings) -> DataSetObjective:
    """The objective on a data set, its sources grouped into folds; random folds if sources are unknown. Raises DataError."""
    series = data.train_series
    if not len(series):
        print(f"{data.name} does not name the source of its pictures. The folds are random.")
        order = np.random.default_rng(settings.seed).permutation(len(data.train_labels))
        fold_rows = [np.sort(fold) for fold in np.array_split(order, MAX_FOLDS)]
        return DataSetObjective(data, fold_rows, [f"part {number + 1}" for number in range(MAX_FOLDS)], settings)
    sources = np.unique(series)
    if len(sources) < 2:
        raise DataError(
            f"{data.source} has one person, series or session for training; the last is for testing. "
            "A sweep needs two for training. Record another session."
        )
    groups = np.array_split(sources, min(MAX_FOLDS, len(sources)))
    names = ["source " + "+".join(str(source + 1) for source in fold) for fold in groups]
    return DataSetObjective(data, [np.flatnonzero(np.isin(series, fold)) for fold in groups], names, settings)


def _run(ray: Any, objective: Objective, trials: list[TrialParameters], settings: SweepSettings) -> list[list[float]]:
    """The scores of each trial on the folds that it reached."""
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # this process handles Ctrl-C
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # progress_callback prints the progress instead
    # tensorboardX hangs at exit if Ctrl-C interrupts it while it has its lock
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    from ray import tune

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = needs_of(machines, settings.cpus)
    trainable = tune.with_resources(
        tune.with_parameters(run_trial, objective=objective, trials=trials), {"cpu": cpus, "gpu": gpus}
    )
    folder = settings.runs.resolve() / "sweeps" / sweep_name(objective, trials)
    scores_path = folder / "scores.json"
    done = _read_scores(scores_path)
    unfinished = [number for number in range(len(trials)) if number not in done]
    if done:
        print(f"Resuming {folder}: {len(done)} of {len(trials)} trials are done", flush=True)
    if unfinished:
        tuner = tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search(unfinished)},
            tune_config=tune.TuneConfig(
                metric="score", mode="max", reuse_actors=True, scheduler=scheduler_of(len(objective.folds), [*done.values()])
            ),
            run_config=tune.RunConfig(
                name=folder.name, storage_path=str(folder.parent), verbose=0,
                callbacks=[progress_callback(len(objective.folds), len(trials), done, scores_path)],
            ),
        )  # fmt: skip
        for error in tuner.fit().errors:
            raise TrainingError(
                f"A trial failed ({str(error).strip().splitlines()[-1]}). Repeat the command to try it again."
            )
    return [done[number] for number in range(len(trials))]


def _read_scores(path: Path) -> dict[int, list[float]]:
    """Scores per fold of each finished trial. Not read from Ray's state, which Ctrl-C can leave incomplete."""
    stored = json.loads(path.read_text()) if path.is_file() else {}
    return {int(number): scores for number, scores in stored.items()}


def run_trial(config: dict[str, int], objective: Objective, trials: list[TrialParameters]) -> None:
    """Run one trial in a worker, fold by fold."""
    from ray import tune

    scores: list[float] = []
    for fold in range(len(objective.folds)):
        try:
            scores.append(objective.score(trials[config["trial"]], fold))
        except TrainingError:  # the loss became NaN
            scores.append(FAILED_SCORE)
        tune.report({"score": float(np.mean(scores)), "scores": json.dumps(scores)})


def scheduler_of(folds: int, done: Sequence[list[float]]) -> Any:
    """An ASHA scheduler that includes the scores of trials finished before an interruption."""
    from ray import tune

    class Scheduler(tune.schedulers.ASHAScheduler):
        def set_search_properties(self, *args: Any, **spec: Any) -> bool:
            known = super().set_search_properties(*args, **spec)
            for number, scores in enumerate(done):
                self._learn(SimpleNamespace(trial_id=f"done {number}"), scores)
            return known

        def _learn(self, trial: Any, scores: list[float]) -> None:
            controller: Any = None
            self.on_trial_add(controller, trial)
            for count in range(1, len(scores) + 1):
                result = {"training_iteration": count, "score": float(np.mean(scores[:count]))}
                self.on_trial_result(controller, trial, result)
            self.on_trial_remove(controller, trial)

    return Scheduler(max_t=folds, grace_period=1, reduction_factor=REDUCTION)


def progress_callback(folds: int, count: int, done: dict[int, list[float]], kept: Path) -> Any:
    """A Ray Tune callback that prints each result and adds the scores of finished trials to `done` and the file `kept`."""
    from ray import tune

    class ProgressCallback(tune.Callback):
        def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
            scores = json.loads(result["scores"])
            print(f"  trial {trial.config['trial']}: {np.mean(scores):.4f} after {len(scores)} of {folds}", flush=True)

        def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            done[trial.config["trial"]] = json.loads(trial.last_result["scores"])
            with atomic_file(kept) as file:
                file.write(json.dumps(done).encode())
            print(f"  trial {trial.config['trial']} is done, {len(done)} of {count}", flush=True)

    return ProgressCallback()


def sweep_name(objective: Objective, trials: list[TrialParameters]) -> str:
    """The folder name of a sweep. The same command on the same data gives the same name."""
    if isinstance(objective, HandsObjective):
        data_digest = hashlib.sha256(
            objective.data.hands.landmarks.tobytes() + objective.data.classes.tobytes()
        ).hexdigest()
    else:
        assert isinstance(objective, DataSetObjective)
        data_digest = objective.data.sha256 + str(len(objective.data.train_labels))
    identity = [objective.command({}), trials, objective.folds, data_digest]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]


def print_table(folds: list[str], trials: list[TrialParameters], scores: list[list[float]]) -> None:
    """Print a row per trial, sorted by the number of folds, then by score."""
    names = [name for name in SEARCHED if any(name in trial for trial in trials)]
    print(f"{'trial':6}" + "".join(f"{name:>10}" for name in names) + "".join(f"{fold[:12]:>14}" for fold in folds)
          + f"{'average':>10}")  # fmt: skip
    for number in sorted(
        range(len(trials)), key=lambda trial_number: (-len(scores[trial_number]), -float(np.mean(scores[trial_number])))
    ):
        trial_scores = scores[number]
        line = "".join(f"{trials[number].get(name, 'default'):>10}" for name in names)
        line += "".join(f"{score:14.4f}" for score in trial_scores) + f"{'':14}" * (len(folds) - len(trial_scores))
        print(
            f"{number:<6}{line}{np.mean(trial_scores):10.4f}" + (", stopped" if len(trial_scores) < len(folds) else "")
        )
