"""The whole table: every network on every data set, one run after the other, and training/RESULTS.md from them.

python -m training.workshop.whole_table            hours on two cores; what is done already is not done again
python -m training.workshop.whole_table --cluster  the same on all machines of a Ray cluster
python -m training.workshop.whole_table --write    only write the table from the runs that are there

The table's figures are kept in training/RESULTS.json, where a run replaces the row that an earlier one has written: the
table stays whole when runs/ does not.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from recognizer.errors import DataError
from recognizer.system import paths
from recognizer.system.terminal import INTERRUPTED, exit_on_error, spell_what_cannot_be_shown
from training.datasets import named
from training.workshop.plan import DATA, folder_name, is_done, plan, words_of
from training.workshop.results import RESULTS, write_results
from training.workshop.run import NETWORKS, TrainingError, child_environment


def main(words: Sequence[str] | None = None) -> None:
    spell_what_cannot_be_shown()
    parser = argparse.ArgumentParser(prog="python -m training.workshop.whole_table", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--seeds", "--seed", type=int, nargs="+", default=[0], help="a run of each (default: 0)")
    parser.add_argument("--limit", type=int, metavar="N", help="learn from N pictures each (to try the script out)")
    parser.add_argument("--epochs", type=int, help="at most, for every network (to try the script out)")
    parser.add_argument("--runs", type=Path, default=paths.runs())
    parser.add_argument("--models", type=Path, default=paths.runs() / "models", help="where the models are published")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", action="store_true", help="train nothing")
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="train on a Ray cluster: on the one whose head is at ADDRESS, else on one that runs here, else on this machine",
    )  # fmt: skip
    parser.add_argument(
        "--cpus",
        type=int,
        metavar="N",
        help="with --cluster: cores of each run (default: all of the smallest machine)",
    )
    options = parser.parse_args(words)
    with exit_on_error("\nStopped. The same command goes on from here."):
        if options.cluster is None or options.write:
            runs, missing = train_all(options)
        else:
            from training.workshop import cluster

            runs, missing = cluster.train_all(options)
        if not runs:
            raise DataError(f"There is no finished run in {options.runs}.")
        write_results(runs, missing, options.runs, options.results)
        print(f"Wrote {options.results}")


def train_all(options: argparse.Namespace) -> tuple[list[Path], dict[str, str]]:
    """Do the runs that are not there yet. Returns the folders of all, and why data sets are missing."""
    runs, missing = [], {}
    for data in options.data:
        if not options.write:
            try:
                named.load(data)
            except DataError as error:
                print(error)
                missing[data] = str(error)
                continue
        for seed in options.seeds:
            seeded = argparse.Namespace(**{**vars(options), "seed": seed})
            for network, backend in plan(data, options.networks):
                run = options.runs / folder_name(data, network, backend, seeded)
                if not is_done(run) and not options.write:
                    _train(data, network, backend, seeded)
                if is_done(run):
                    runs.append(run)
    return runs, missing


def _train(data: str, network: str, backend: str, options: argparse.Namespace) -> None:
    """In a process of its own, which gives back all its memory."""
    words = words_of(data, network, backend, options)
    print(f"\n== {data}, {network}, {backend}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "training.workshop.train", *words], env=child_environment(), check=False
    )
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode:
        raise TrainingError(f"{data} with {network} failed; see above. The same command goes on from there.")


if __name__ == "__main__":
    main()
