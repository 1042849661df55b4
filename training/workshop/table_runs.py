"""Trains every network on every data set, one run after the other, and writes training/RESULTS.md.

The figures are stored in training/RESULTS.json, where a new run replaces its earlier row, so that the table stays complete
when runs/ is deleted.
"""

import subprocess
import sys
from pathlib import Path

from recognizer.errors import DataError
from recognizer.samples.store import Samples
from recognizer.system.terminal import INTERRUPTED
from training.datasets import catalogue
from training.settings import TableSettings, TrainSettings, options_of
from training.workshop import cluster
from training.workshop.plan import cells_of, is_done
from training.workshop.results import write_results
from training.workshop.run import TrainingError, child_environment


def make_table(settings: TableSettings, samples: Samples) -> None:
    """Do the runs that are not finished, here or on a cluster, and write the table. Raises DataError without any run."""
    train = train_all if settings.cluster is None or settings.write else cluster.train_all
    runs, missing = train(settings, samples)
    if not runs:
        raise DataError(f"There is no finished run in {settings.runs}. Run the command without --write.")
    write_results(runs, missing, settings.runs, settings.results, samples)
    print(f"Wrote {settings.results}")


def train_all(settings: TableSettings, samples: Samples) -> tuple[list[Path], dict[str, str]]:
    """Do the runs that are not finished. Returns the folders of all finished runs, and a reason per missing data set."""
    runs, missing = [], {}
    for data in settings.data:
        if not settings.write:
            try:
                catalogue.load(data, samples)
            except DataError as error:
                print(error)
                missing[data] = str(error)
                continue
        for cell in cells_of([data], settings):
            if not is_done(cell.run) and not settings.write:
                _train(cell.settings)
            if is_done(cell.run):
                runs.append(cell.run)
    return runs, missing


def _train(settings: TrainSettings) -> None:
    """Train in a child process, so that its memory is freed."""
    data, network, backend = settings.data, settings.network, settings.backend
    print(f"\n== {data}, {network}, {backend}", flush=True)
    command = [
        sys.executable,
        "-m",
        "training",
        "train",
        *options_of(settings, "models"),
        "--models",
        str(settings.models.folder),
    ]
    completed = subprocess.run(command, env=child_environment(), check=False)
    if completed.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if completed.returncode:
        raise TrainingError(f"{data} with {network} failed; see above. The same command continues with that run.")
