"""Trains the workshop's table on a Ray cluster: each run is a Ray task, which returns the run's folder."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError, SettingsError
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.system import files, paths
from recognizer.system.ray_cluster import connected, first_line
from training.datasets import catalogue, dataset
from training.datasets.dataset import DataSet
from training.networks import transfer
from training.publishing.card import COMMIT, git_commit
from training.settings import TableSettings, TrainSettings
from training.workshop import fit_transfer, fitting
from training.workshop import run as workshop_run
from training.workshop import train as workshop_train
from training.workshop.plan import VGG16_FILE, Cell, cells_of, is_done
from training.workshop.run import METRICS, TrainingError, duration

RETRIES = 3  # for a run whose worker or machine was lost
TEXTS = (".json", ".html")  # files of a run that contain paths


@dataclass(frozen=True)
class Outcome:
    """What a worker returns: the contents of files by their path inside the folder."""

    run: dict[str, bytes]
    published: str  # the version's folder on the worker; "" if nothing was published
    version: dict[str, bytes]  # its files
    path_map: dict[str, str]  # paths on the worker that the texts contain, with the path on this machine


def train_all(table: TableSettings, samples: Samples) -> tuple[list[Path], dict[str, str]]:
    """Do the runs that are not finished, as many at a time as the cluster has resources for.

    Returns the folders of all runs, and a reason per missing data set. Raises TrainingError if runs failed, after the others
    have finished.
    """
    data: dict[str, DataSet] = {}
    missing: dict[str, str] = {}
    for name in table.data:
        try:
            data[name] = catalogue.load(name, samples)
        except DataError as error:
            print(error)
            missing[name] = str(error)
    cells = cells_of(data, table)
    unfinished = [cell for cell in cells if not is_done(cell.run)]
    if unfinished:
        with connected(table.cluster or "") as ray:
            _run(ray, unfinished, len(cells), data, table)
    return [cell.run for cell in cells], missing


def _run(ray: Any, cells: list[Cell], of: int, data: dict[str, DataSet], table: TableSettings) -> None:
    """Submit all runs to Ray and store their results in the order of arrival."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = needs_of(machines, table.cpus)
    print(f"{len(cells)} of {of} runs to do on {len(machines)} machines, {cpus:g} cores{' and a GPU' * gpus} each",
          flush=True)  # fmt: skip
    shared = {name: ray.put(data[name]) for name in {cell.settings.data for cell in cells}}
    weights = _shared_weights(ray, cells)
    # a worker process ends after one run, so that its memory is freed
    common = {"num_cpus": cpus, "max_calls": 1, "max_retries": RETRIES}
    tasks = {}
    for cell in cells:
        cached_features = None
        settings, pictures = cell.settings, shared[cell.settings.data]
        resources = common | {"num_gpus": 0 if settings.network == "knn" else gpus}
        if settings.network == "vgg16":
            cached_features = ray.remote(**resources)(freeze).remote(settings, pictures, weights)
        train = ray.remote(**resources, num_returns="streaming")(train_cell)
        tasks[train.remote(settings, pictures, weights, cached_features, git_commit())] = cell
    _collect(ray, tasks, of, table.models)


def needs_of(machines: list[dict[str, float]], asked_cpus: int | None) -> tuple[float, int]:
    """Cores and GPUs for each run, from the machines' Ray resources. Raises SettingsError if no machine has enough cores."""
    cores = [machine["CPU"] for machine in machines if machine.get("CPU")]
    max_cores = max(cores, default=0)
    if not cores or (asked_cpus is not None and not 0 < asked_cpus <= max_cores):
        reason = "a run needs at least one" if asked_cpus is None else f"--cpus {asked_cpus} was asked for"
        raise SettingsError(
            f"The largest machine of the cluster has {max_cores:g} cores, and {reason}. Choose a lower --cpus."
        )
    return asked_cpus or min(cores), int(any(machine.get("GPU") for machine in machines))


def _collect(ray: Any, tasks: dict[Any, Cell], of: int, models: ModelStore) -> None:
    done, failed = of - len(tasks), 0
    done_before, running = done, set()
    began_s = time.monotonic()
    while tasks:
        task = ray.wait(list(tasks), num_returns=1, fetch_local=False)[0][0]
        cell = tasks[task]
        try:
            message = ray.get(next(task))
        except ray.exceptions.RayError as error:
            failed += 1
            del tasks[task]
            running.discard(cell)
            print(f"{cell.run.name} failed: {first_line(getattr(error, 'cause', None) or error)}", flush=True)
        else:
            if isinstance(message, Outcome):
                store_outcome(cell, message, models)
                done += 1
                del tasks[task]
                running.discard(cell)
                print(f"{cell.run.name} is done", flush=True)
            else:
                running.add(cell)
                print(f"{cell.run.name} runs on {message}", flush=True)
        line = f"  {done} of {of} done, {len(running)} running, {failed} failed"
        if done > done_before and tasks:
            line += f", about {duration((time.monotonic() - began_s) / (done - done_before) * len(tasks))} left"
        print(line, flush=True)
    if failed:
        raise TrainingError(f"{failed} of {of} runs failed; see above. The same command repeats them.")


def store_outcome(cell: Cell, outcome: Outcome, models: ModelStore) -> None:
    """Publish the model and write the run's folder; the metrics are written last, because they mark a finished run."""
    path_map = dict(outcome.path_map)
    if outcome.published:
        task = Path(outcome.published).parent.name
        with models.publishing(task) as draft:
            _write(outcome.version, draft, path_map)
        path_map[outcome.published] = str(models.current(task))
    (cell.run / METRICS).unlink(missing_ok=True)
    _write(dict(sorted(outcome.run.items(), key=lambda file: file[0] == METRICS)), cell.run, path_map)


def _write(contents: dict[str, bytes], folder: Path, path_map: dict[str, str]) -> None:
    for name, content in contents.items():
        if Path(name).suffix in TEXTS:
            for worker_path, local_path in path_map.items():
                content = content.replace(worker_path.encode(), local_path.encode())
        with files.atomic_file(folder / name) as file:
            file.write(content)


def train_cell(
    settings: TrainSettings,
    data: DataSet,
    weights: np.ndarray | None,
    kept: dict[str, np.ndarray] | None,
    commit: str,
) -> Iterator[str | Outcome]:
    """Runs in a worker: yields its machine's name when the run begins, and its outcome at the end.

    `kept` holds the result of `freeze`, if the run needs it.
    """
    yield socket.gethostname()
    with tempfile.TemporaryDirectory(prefix="recognizer-") as name:
        scratch = Path(name)
        settings, path_map = _at_work(scratch, settings, data, weights)
        os.environ[COMMIT] = commit
        for file, features in (kept or {}).items():
            np.save(settings.runs / fit_transfer.FEATURES / file, features)
        workshop_train.choose_backend(settings.backend)
        run = workshop_train.train(settings, default_samples())
        published = workshop_run.read_metrics(run).get("published", "")
        yield Outcome(_read(run), published, _read(Path(published)) if published else {}, path_map)


def freeze(settings: TrainSettings, data: DataSet, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """Runs in a worker: the frozen layers' features of a run's pictures, by the name of their cache file."""
    with tempfile.TemporaryDirectory(prefix="recognizer-") as name:
        settings, _ = _at_work(Path(name), settings, data, weights)
        workshop_train.choose_backend(settings.backend)
        chosen = dataset.limited(data, settings.limit, settings.seed)
        split = dataset.split_of(chosen, settings.seed)
        parts = transfer.build(
            len(chosen.labels), chosen.input_shape, settings.backbone, settings.weights, settings.side, settings.seed
        )
        fit_transfer.frozen_features(parts.frozen, chosen, split, fitting.augmentation(settings, data.name), settings)
        return {path.name: np.load(path) for path in (settings.runs / fit_transfer.FEATURES).glob("*.npy")}


def _at_work(
    scratch: Path, settings: TrainSettings, data: DataSet, weights: np.ndarray | None
) -> tuple[TrainSettings, dict[str, str]]:
    """Settings for a run in the worker's folder `scratch`, with the shared data set and weights in its data folder."""
    for folder in ("data", "models", f"runs/{fit_transfer.FEATURES}"):
        (scratch / folder).mkdir(parents=True)
    catalogue.store(data, scratch / "data")
    os.environ[paths.DATA_VARIABLE] = str(scratch / "data")
    settings = replace(settings, runs=scratch / "runs", models=ModelStore(scratch / "models"))
    path_map = {}
    if weights is not None and settings.weights != "imagenet":
        weights_file = scratch / "data" / VGG16_FILE
        weights_file.write_bytes(weights.tobytes())
        path_map[str(weights_file)] = settings.weights
        settings = replace(settings, weights=str(weights_file))
    return settings, path_map


def _shared_weights(ray: Any, cells: list[Cell]) -> Any:
    """A Ray reference to the bytes of the pretrained weights, if they are a file."""
    for cell in cells:
        weights = Path(cell.settings.weights)
        if cell.settings.network == "vgg16" and weights.is_file():
            return ray.put(np.fromfile(weights, np.uint8))
    return None


def _read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
