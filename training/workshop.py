"""The whole table: every network on every data set, one run after the other, and training/RESULTS.md from them.

python -m training.workshop            hours on two cores; what is done already is not done again
python -m training.workshop --cluster  the same on all machines of a Ray cluster
python -m training.workshop --write    only write the table from the runs that are there

The table's figures are kept in training/RESULTS.json, where a run replaces the row that an earlier one has written: the
table stays whole when runs/ does not.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError
from recognizer.sources import read_image
from recognizer.system import paths
from recognizer.system.terminal import INTERRUPTED, exit_on_error, spell_what_cannot_be_shown
from training import sets
from training.compare import draw_comparison, in_order, name_of, plain
from training.fit import NETWORK_FILE, NETWORKS, TrainingError, child_environment, read_metrics
from training.markdown import table, write_text

DATA = ("mnist", "fashion-mnist", "emnist-letters", "sign-mnist", "rps")
TRANSFER = ("sign-mnist", "rps")  # the others' pictures are too many for VGG16 on a machine without a GPU
ON_TORCH = (("mnist", "cnn"),)  # the row that shows the same script on PyTorch
GOALS = {  # %, on the test set
    ("mnist", "linear"): 91.5, ("mnist", "dense-16"): 93, ("mnist", "dense-256"): 97.5, ("mnist", "dense-512"): 98,
    ("mnist", "mlp-512x2"): 98, ("mnist", "knn"): 97, ("fashion-mnist", "knn"): 85, ("mnist", "cnn"): 99.2,
    ("fashion-mnist", "cnn"): 91, ("mnist", "cnn-bn"): 99.7, ("fashion-mnist", "cnn-bn"): 93.5,
    ("sign-mnist", "cnn-bn"): 99.9, ("rps", "cnn-bn"): 100, ("sign-mnist", "vgg16"): 99.5, ("rps", "vgg16"): 100,
}  # fmt: skip
TOLD = {  # further words to training.fit
    # a thumb's place is lost at 48 pixels, and hands of other people are met by changing those that are there
    ("sign-mnist", "vgg16"): ("--side", "64", "--copies", "3", "--fine-tune", "4"),
}
RESULTS = paths.ROOT / "training" / "RESULTS.md"
KEPT = (
    "data",
    "network",
    "backend",
    "seed",
    "limit",
    "accuracy",
    "accuracy_95",
    "parameters",
    "fitted",
    "seconds",
    "ms_a_picture",
    "machine",
)  # of a run's metrics, in RESULTS.json
PHOTOGRAPHS = "photographs"  # there beside them: the share of the digit photographs, and how many these are
VGG16_FILE = "vgg16_imagenet_notop.weights.h5"  # in a data folder; else Keras downloads them


def main(words: Sequence[str] | None = None) -> None:
    spell_what_cannot_be_shown()
    parser = argparse.ArgumentParser(prog="python -m training.workshop", description=__doc__,
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
            from training import cluster

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
                sets.load(data)
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


def plan(data: str, networks: Sequence[str]) -> list[tuple[str, str]]:
    """(network, backend) of the rows of a data set."""
    rows = [(name, "tensorflow") for name in networks if name != "vgg16" or data in TRANSFER]
    if find_spec("torch"):
        rows += [(network, "torch") for on, network in ON_TORCH if on == data and network in networks]
    return rows


def folder_name(data: str, network: str, backend: str, options: argparse.Namespace) -> str:
    name = f"{data}-{network}-{options.seed}" + ("-torch" if backend == "torch" else "")
    return name + (f"-limit{options.limit}" if options.limit else "")


def is_done(run: Path) -> bool:
    try:
        read_metrics(run)
    except DataError:
        return False
    return True


def words_of(data: str, network: str, backend: str, options: argparse.Namespace) -> list[str]:
    """What training.fit is told for one run."""
    words = ["--data", data, "--network", network, "--backend", backend, "--seed", str(options.seed)]
    words += ["--runs", str(options.runs), "--models", str(options.models), *TOLD.get((data, network), ())]
    for name in ("limit", "epochs"):
        if getattr(options, name):
            words += [f"--{name}", str(getattr(options, name))]
    weights = next((folder / VGG16_FILE for folder in paths.data_folders() if (folder / VGG16_FILE).is_file()), None)
    if network == "vgg16" and weights:
        words += ["--weights", str(weights)]
    return words


def _train(data: str, network: str, backend: str, options: argparse.Namespace) -> None:
    """In a process of its own, which gives back all its memory."""
    words = words_of(data, network, backend, options)
    print(f"\n== {data}, {network}, {backend}", flush=True)
    done = subprocess.run([sys.executable, "-m", "training.fit", *words], env=child_environment(), check=False)
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode:
        raise TrainingError(f"{data} with {network} failed; see above. The same command goes on from there.")


def write_results(runs: list[Path], missing: dict[str, str], cache: Path, path: Path) -> None:
    """The table and the figures beside it, and a picture of the table in `cache`. Raises DataError."""
    kept = with_earlier(measured({run: read_metrics(run) for run in runs}, cache), path.with_suffix(".json"))
    rows = in_order(list(kept.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_suffix(".json"), json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    write_text(path, as_markdown(rows, missing))
    draw_comparison(rows, cache / "workshop.png")


def measured(metrics: dict[Path, dict[str, Any]], cache: Path) -> dict[str, dict[str, Any]]:
    """What RESULTS.json keeps of runs, by the names of their folders."""
    rows = {run.name: {name: found.get(name) for name in KEPT} for run, found in metrics.items()}
    shares, count = accuracy_on_photographs(metrics, cache) or ({}, 0)
    for run, share in shares.items():
        rows[run.name][PHOTOGRAPHS] = [share, count]
    return rows


def with_earlier(rows: dict[str, dict[str, Any]], path: Path) -> dict[str, dict[str, Any]]:
    """The rows that an earlier run has written, where there is none anew. Raises DataError for a damaged file."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not all(set(KEPT) <= set(row) for row in earlier.values()):
            raise ValueError("a row lacks figures")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path} holds no figures of the table ({error}). Delete it, or fetch it again.") from error
    return dict(sorted({**earlier, **rows}.items()))


def as_markdown(rows: list[dict[str, Any]], missing: dict[str, str]) -> str:
    """The whole table, of rows in order; `missing` says why data sets are not there."""
    machines = sorted({row["machine"] for row in rows})
    letters = {name: chr(ord("A") + number) for number, name in enumerate(machines)}
    there = {(row["data"], row["network"], row["backend"]) for row in rows}
    told = "".join(
        f" ({network} on {data} with `{' '.join(words)}`)"
        for (data, network), words in TOLD.items()
        if (data, network, "tensorflow") in there
    )
    lines = [
        "# What each network reaches",
        "",
        "Written by `python -m training.workshop`; each row is one run, and `python -m training.train --data … --network …` "
        f"repeats it{told}.",
        f"Machine: {'; '.join(f'{letters[name]}: {name}' for name in machines)}. The interval is Wilson's, of 95 %. "
        "Milliseconds are",
        "for one picture at a time, through LiteRT (k-NN: NumPy). Training seconds include the augmentation, and of",
        "vgg16's frozen features only those that were not on disk yet.",
        "",
    ]
    counts = sorted({row[PHOTOGRAPHS][1] for row in rows if row.get(PHOTOGRAPHS)})
    if counts:
        lines += [
            f"**Photographs** are {counts[-1]} phone photographs of handwritten digits that no network has seen: the "
            "largest writing in each is",
            "found and framed by the live code, and the network's best label counts, without rejection. That the figures "
            "of this column are",
            "lower than MNIST's, and differ more, is the lesson of the whole.",
            "",
        ]
    for data in DATA:
        own = [row for row in rows if row["data"] == data]
        if not own:
            continue
        with_photographs = any(row.get(PHOTOGRAPHS) for row in own)
        heads = ["network", "test accuracy", "95 %", "goal", *(["photographs"] if with_photographs else []),
                 "parameters", "training", "a picture", "machine"]  # fmt: skip
        rows_of_cells = []
        for row in own:
            cells = _cells(row, show_seed=len({one["seed"] for one in own}) > 1)
            if with_photographs:
                cells.insert(4, f"{100 * row[PHOTOGRAPHS][0]:.1f} %" if row.get(PHOTOGRAPHS) else "–")
            rows_of_cells.append([*cells, letters[row["machine"]]])
        lines += [f"## {data}", "", table(heads, rows_of_cells)]
    left = []
    for data in DATA:
        rest = [
            name + (" on PyTorch" if backend == "torch" else "")
            for name, backend in plan(data, NETWORKS)
            if (data, name, backend) not in there
        ]
        if rest:
            left.append(f"- {data}, {', '.join(rest)}: {missing.get(data, 'no run yet')}")
    if left:
        lines += ["## Not measured", "", *left, ""]
    return "\n".join(lines)


def _cells(found: dict[str, Any], *, show_seed: bool) -> list[str]:
    low, high = found["accuracy_95"]
    goal = None if found["limit"] else GOALS.get((found["data"], found["network"]))
    reached = goal is not None and 100 * found["accuracy"] >= goal
    milliseconds = found.get("ms_a_picture")
    return [
        name_of(found) + (f", seed {found['seed']}" if show_seed else ""),
        f"{100 * found['accuracy']:.2f} %",
        f"{100 * low:.2f} to {100 * high:.2f}",
        "" if goal is None else f"≥ {goal:g} %" + ("" if reached else ", missed"),
        f"{found['parameters']:,}" if found["parameters"] else f"keeps {found['fitted']:,} pictures",
        f"{found['seconds']:,.0f} s",
        "–" if milliseconds is None else f"{plain(milliseconds)} ms",
    ]


def accuracy_on_photographs(metrics: dict[Path, dict[str, Any]], cache: Path) -> tuple[dict[Path, float], int] | None:
    """The share of real digit photographs that each MNIST network knows, and their number; None where there are none."""
    folder = next(
        (root / "photos" / "digits" for root in paths.data_folders() if (root / "photos" / "digits").is_dir()), None
    )
    if folder is None or not any(found["data"] == "mnist" for found in metrics.values()):
        return None
    from training.report import answerer

    images, labels = photographs(folder, cache)
    shares = {}
    for run, found in metrics.items():
        if found["data"] == "mnist" and (found["network"] == "knn" or (run / NETWORK_FILE).is_file()):
            said = answerer(run, found)(images).argmax(axis=1)
            shares[run] = float((np.array(found["labels"])[said] == labels).mean())
    return shares, len(labels)


def photographs(folder: Path, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Framed writing (N, 28, 28, 1) uint8 and its labels (N,) as text; kept, since to find it takes a while."""
    from training.evaluate import labelled_pictures

    rows = list(labelled_pictures(folder))
    code = b"".join((paths.ROOT / name).read_bytes() for name in (*sets.FINDER_CODE, "recognizer/preprocess.py"))
    digest = hashlib.sha256(code + "".join(str(path) for path, _, _ in rows).encode()).hexdigest()[:12]
    path = cache / f"photographs-{digest}.npz"
    if not path.is_file():
        print(f"Finding the writing in {len(rows)} photographs …", flush=True)
        images = np.stack([sets.largest_writing(read_image(row[0]))[..., None] for row in rows])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=images, labels=np.array([row[2] for row in rows]))
    with np.load(path) as arrays:
        return arrays["images"], arrays["labels"]


if __name__ == "__main__":
    main()
