"""Writes the workshop's table of results, training/RESULTS.md."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError
from recognizer.samples.store import Samples
from recognizer.sources.decoding import read_image
from recognizer.subjects.paper import PAPER
from recognizer.system import paths
from training.datasets import catalogue
from training.evaluation.evaluate import labelled_pictures
from training.publishing.markdown import table, write_text
from training.settings import NETWORKS, TABLE_DATA, TrainSettings, options_of
from training.workshop.compare import draw_comparison, in_order, name_of, plain
from training.workshop.plan import EXTRA_SETTINGS, GOALS, plan
from training.workshop.report import predictor
from training.workshop.run import NETWORK_FILE, read_metrics

STORED_METRICS = (
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
)  # fields of a run's metrics that RESULTS.json stores
PHOTOGRAPHS = "photographs"  # another field there: accuracy on the digit photographs, and their number


def write_results(runs: list[Path], missing: dict[str, str], cache: Path, path: Path, samples: Samples) -> None:
    """Write the table to `path`, its figures to a JSON file next to it, and a chart into `cache`. Raises DataError."""
    stored = merged_with_stored(
        measured({run: read_metrics(run) for run in runs}, cache, samples), path.with_suffix(".json")
    )
    rows = in_order(list(stored.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_suffix(".json"), json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    write_text(path, as_markdown(rows, missing))
    draw_comparison(rows, cache / "workshop.png")


def measured(metrics: dict[Path, dict[str, Any]], cache: Path, samples: Samples) -> dict[str, dict[str, Any]]:
    """The rows of RESULTS.json, by the names of the runs' folders."""
    rows = {run.name: {name: found.get(name) for name in STORED_METRICS} for run, found in metrics.items()}
    shares, count = accuracy_on_photographs(metrics, cache, samples) or ({}, 0)
    for run, share in shares.items():
        rows[run.name][PHOTOGRAPHS] = [share, count]
    return rows


def merged_with_stored(rows: dict[str, dict[str, Any]], path: Path) -> dict[str, dict[str, Any]]:
    """The new rows, and the stored rows of other runs. Raises DataError for a damaged file."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not all(set(STORED_METRICS) <= set(row) for row in earlier.values()):
            raise ValueError("a row lacks figures")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is not a table of results ({error}). Delete it, or fetch it again.") from error
    return dict(sorted({**earlier, **rows}.items()))


def as_markdown(rows: list[dict[str, Any]], missing: dict[str, str]) -> str:
    """The page with all rows; `missing` gives the reason for each missing data set."""
    machines = sorted({row["machine"] for row in rows})
    letters = {name: chr(ord("A") + number) for number, name in enumerate(machines)}
    present = {(row["data"], row["network"], row["backend"]) for row in rows}
    extra_options = "".join(
        f" ({network} on {data} with `"
        f"{' '.join(options_of(TrainSettings(data, network, **more), 'data', 'network', 'models', 'runs'))}`)"
        for (data, network), more in EXTRA_SETTINGS.items()
        if (data, network, "tensorflow") in present
    )
    lines = [
        "# Results of the workshop",
        "",
        "Written by `python -m recognizer workshop table`; each row is one run, and",
        f"`python -m recognizer workshop train --data … --network …` repeats it{extra_options}.",
        f"Machine: {'; '.join(f'{letters[name]}: {name}' for name in machines)}. The interval is Wilson's 95 % interval. "
        "Milliseconds are",
        "for one picture at a time, with LiteRT (k-NN: NumPy). Training seconds include the augmentation, and for",
        "vgg16 the frozen features that were not cached.",
        "",
    ]
    counts = sorted({row[PHOTOGRAPHS][1] for row in rows if row.get(PHOTOGRAPHS)})
    if counts:
        lines += [
            f"**Photographs** is the top-1 accuracy, without rejection, on {counts[-1]} phone photographs of handwritten "
            "digits that no network was",
            "trained on. The live code finds and crops the largest writing in each. This column is lower than the accuracy "
            "on MNIST and",
            "differs more between networks: MNIST's test set alone does not show how well a network reads photographs.",
            "",
        ]
    for data in TABLE_DATA:
        own = [row for row in rows if row["data"] == data]
        if own:
            lines += [f"## {data}", "", _table(own, letters)]
    not_measured = _not_measured(present, missing)
    if not_measured:
        lines += ["## Not measured", "", *not_measured, ""]
    return "\n".join(lines)


def _table(rows: list[dict[str, Any]], letters: dict[str, str]) -> str:
    """The rows of one data set; `letters` name the machines."""
    with_photographs = any(row.get(PHOTOGRAPHS) for row in rows)
    heads = ["network", "test accuracy", "95 %", "goal", *(["photographs"] if with_photographs else []),
             "parameters", "training", "a picture", "machine"]  # fmt: skip
    show_seed = len({row["seed"] for row in rows}) > 1
    rows_of_cells = []
    for row in rows:
        cells = _cells(row, show_seed=show_seed)
        if with_photographs:
            cells.insert(4, f"{100 * row[PHOTOGRAPHS][0]:.1f} %" if row.get(PHOTOGRAPHS) else "–")
        rows_of_cells.append([*cells, letters[row["machine"]]])
    return table(heads, rows_of_cells)


def _not_measured(present: set[tuple[str, str, str]], missing: dict[str, str]) -> list[str]:
    """A line for each data set that lacks rows, with the reason."""
    lines = []
    for data in TABLE_DATA:
        absent = [
            name + (" on PyTorch" if backend == "torch" else "")
            for name, backend in plan(data, NETWORKS)
            if (data, name, backend) not in present
        ]
        if absent:
            lines.append(f"- {data}, {', '.join(absent)}: {missing.get(data, 'no run yet')}")
    return lines


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
        f"{found['parameters']:,}" if found["parameters"] else f"stores {found['fitted']:,} pictures",
        f"{found['seconds']:,.0f} s",
        "–" if milliseconds is None else f"{plain(milliseconds)} ms",
    ]


def accuracy_on_photographs(
    metrics: dict[Path, dict[str, Any]], cache: Path, samples: Samples
) -> tuple[dict[Path, float], int] | None:
    """Accuracy of each MNIST network on the digit photographs, and their number; None without photographs."""
    folder = next(
        (root / "photos" / "digits" for root in paths.data_folders() if (root / "photos" / "digits").is_dir()), None
    )
    if folder is None or not any(found["data"] == "mnist" for found in metrics.values()):
        return None
    images, labels = photographs(folder, cache)
    shares = {}
    for run, found in metrics.items():
        if found["data"] == "mnist" and (found["network"] == "knn" or (run / NETWORK_FILE).is_file()):
            predicted = predictor(run, found, samples)(images).argmax(axis=1)
            shares[run] = float((np.array(found["labels"])[predicted] == labels).mean())
    return shares, len(labels)


def photographs(folder: Path, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cropped writing (N, 28, 28, 1) uint8 and its labels (N,) str; cached, since detection is slow."""
    rows = list(labelled_pictures(folder))
    code = b"".join(
        (paths.ROOT / name).read_bytes() for name in (*catalogue.FINDER_CODE, "recognizer/preprocess/pictures.py")
    )
    digest = hashlib.sha256(code + "".join(str(path) for path, _, _ in rows).encode()).hexdigest()[:12]
    path = cache / f"photographs-{digest}.npz"
    if not path.is_file():
        print(f"Finding the writing in {len(rows)} photographs …", flush=True)
        images = np.stack([PAPER.grey_image(read_image(row[0]))[..., None] for row in rows])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=images, labels=np.array([row[2] for row in rows]))
    with np.load(path) as arrays:
        return arrays["images"], arrays["labels"]
