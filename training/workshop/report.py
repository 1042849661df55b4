"""Draws the figures of a run, and a page that shows them."""

import base64
import csv
import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from recognizer.errors import DataError
from recognizer.samples.store import Samples
from training.datasets import catalogue, dataset
from training.datasets.augment import copies
from training.networks.image_networks import PREPARE
from training.networks.tensorflow import import_tensorflow
from training.settings import NETWORKS
from training.workshop import knn
from training.workshop.figures import new_figure, save, show_image, show_signed
from training.workshop.run import HISTORY, METRICS, NETWORK_FILE, PREDICTIONS, probabilities_of, read_metrics

if TYPE_CHECKING:
    import keras

SHOWN = 24  # at most this many mistakes, and as many correct samples
COLUMNS = 8
KERNELS = 32  # at most, of the first layer
MAPS = 8  # at most, of each convolution
SHEET_ROWS = 6
SHEET_COLUMNS = 8
LAYERS = 10  # convolutions at most; those of a deep network are chosen at even intervals
CLASSIC = {
    "as it is": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "upright edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "level edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "all edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}
TITLES = {
    "curves.png": "Learning curves",
    "confusion.png": "Confusion matrix",
    "mistakes.png": "The most confident mistakes: true label and prediction",
    "correct.png": "Correct predictions",
    "kernels.png": "Classic kernels and learned kernels",
    "maps.png": "Feature maps of one picture",
    "robustness.png": "Robustness: predictions of each network for a changed picture",
    "augmentation.png": "Augmented training pictures",
}


@dataclass(frozen=True, eq=False)
class TestPredictions:
    """The test pictures and the network's probabilities."""

    images: np.ndarray  # (M, side, side, channels) uint8
    labels: np.ndarray  # (M,) int64
    probabilities: np.ndarray  # (M, classes) float32

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)


def write_report(run: Path, samples: Samples) -> None:
    """Draw the run's figures and write its index.html. Raises DataError for a folder that is not a finished run."""
    metrics = read_metrics(run)
    tested = read_test_predictions(run)
    draw_confusion(tested, metrics, run / "confusion.png")
    draw_mistakes(tested, metrics, run / "mistakes.png")
    draw_correct(tested, metrics, run / "correct.png")
    if (run / HISTORY).is_file():
        draw_curves(read_history(run), metrics, run / "curves.png")
    sample = clear_sample(tested)
    if (run / NETWORK_FILE).is_file():
        model = _load(run)
        draw_kernels(model, tested.images[sample], metrics, run / "kernels.png")
        draw_maps(model, tested.images[sample], metrics, run / "maps.png")
    draw_robustness(run, metrics, tested.images[sample], int(tested.labels[sample]), run / "robustness.png", samples)
    write_page(run, metrics)


def read_test_predictions(run: Path) -> TestPredictions:
    try:
        with np.load(run / PREDICTIONS) as arrays:
            return TestPredictions(arrays["images"], arrays["labels"], arrays["probabilities"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{run / PREDICTIONS} is missing or damaged ({error}). Train again.") from error


def read_history(run: Path) -> dict[str, list[float]]:
    with (run / HISTORY).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def _load(run: Path) -> "keras.Model":
    import_tensorflow()
    import keras

    return keras.saving.load_model(run / NETWORK_FILE, compile=False)


def clear_sample(tested: TestPredictions) -> int:
    """The index of a test picture that is predicted correctly with high confidence."""
    confidence_if_correct = tested.probabilities.max(axis=1) * (tested.predicted == tested.labels)
    return int(np.flatnonzero(confidence_if_correct >= 0.9 * confidence_if_correct.max())[0])


def title_of(metrics: dict[str, Any]) -> str:
    backend = "" if metrics["backend"] == "tensorflow" else f", {metrics['backend']}"
    return f"{metrics['data']}, {metrics['network']}{backend}"


def draw_curves(history: dict[str, list[float]], metrics: dict[str, Any], path: Path) -> None:
    figure = new_figure(9, 3.6)
    figure.suptitle(f"{title_of(metrics)}: accuracy and loss per epoch")
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(history["epoch"], history[name], label="training", marker=".")
        axes.plot(history["epoch"], history[f"val_{name}"], label="held out", marker=".")
        if name == "accuracy":
            axes.axhline(metrics["accuracy"], color="gray", linestyle=":", label="test, after training")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path)


def draw_confusion(tested: TestPredictions, metrics: dict[str, Any], path: Path) -> None:
    labels = metrics["labels"]
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (tested.labels, tested.predicted), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = max(4.6, 0.42 * len(labels) + 1.6)
    figure = new_figure(2 * side, side + 0.3)
    figure.suptitle(f"{title_of(metrics)}: {metrics['right']:,} of {metrics['tested']:,} test pictures right")
    for axes, table, name, form in zip(
        figure.subplots(1, 2),
        (counts, 100 * shares),
        ("pictures", "% of each true label"),
        ("{:d}", "{:.1f}"),
        strict=True,
    ):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            text = form.format(table[row, column])
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7 if len(text) < 4 else 6)
        axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 2 else 0)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(name, fontsize=10)
    save(figure, path)


def draw_mistakes(tested: TestPredictions, metrics: dict[str, Any], path: Path) -> None:
    """Draw the wrong predictions with the highest confidence."""
    wrong = np.flatnonzero(tested.predicted != tested.labels)
    chosen = wrong[np.argsort(-tested.probabilities[wrong].max(axis=1), kind="stable")][:SHOWN]
    heading = f"{title_of(metrics)}: the {len(chosen)} worst of {len(wrong):,} mistakes"
    _draw_samples(tested, metrics, chosen, heading if len(chosen) else f"{title_of(metrics)}: no mistake", path)


def draw_correct(tested: TestPredictions, metrics: dict[str, Any], path: Path) -> None:
    right = np.flatnonzero(tested.predicted == tested.labels)
    chosen = right[:: max(1, len(right) // SHOWN)][:SHOWN]
    _draw_samples(tested, metrics, chosen, f"{title_of(metrics)}: {len(chosen)} correct predictions", path)


def _draw_samples(
    tested: TestPredictions, metrics: dict[str, Any], chosen: np.ndarray, heading: str, path: Path
) -> None:
    rows = max(1, -(-len(chosen) // COLUMNS))
    figure = new_figure(COLUMNS * 1.25, rows * 1.55 + 0.5)
    figure.suptitle(heading)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place, spot in enumerate(axes):
        spot.set_axis_off()
        if place >= len(chosen):
            continue
        index = chosen[place]
        predicted, true = tested.predicted[index], tested.labels[index]
        share = f"{100 * tested.probabilities[index, predicted]:.0f} %"
        caption = f"predicted {metrics['labels'][predicted]}, {share}"
        show_image(
            spot, tested.images[index], caption if predicted == true else f"is {metrics['labels'][true]}\n{caption}"
        )
    save(figure, path)


def draw_kernels(model: "keras.Model", image: np.ndarray, metrics: dict[str, Any], path: Path) -> None:
    """Draw classic kernels with their response to a picture; below, the kernels or weights of the first layer."""
    learned, what = first_weights(model, metrics["labels"])
    columns = max(2 * len(CLASSIC), 8)
    rows = -(-len(learned) // columns)
    figure = new_figure(columns * 1.05, 2.1 + rows * 1.15)
    above, below = figure.subfigures(2, 1, height_ratios=[1.6, 0.5 + rows * 1.15])  # type: ignore[misc]  # two of them
    above.suptitle("classic kernels, each with its response to the picture", fontsize=10)
    gray = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    spots = above.subplots(1, columns)
    for number, (name, kernel) in enumerate(CLASSIC.items()):
        weights = np.array(kernel, np.float32)
        show_signed(spots[2 * number], weights, name)
        response = np.abs(cv2.filter2D(gray.astype(np.float32), -1, weights))
        show_image(spots[2 * number + 1], response, vmax=float(response.max()) or 1.0)
    below.suptitle(f"{title_of(metrics)}: {what}; red is positive, blue negative", fontsize=10)
    spots = below.subplots(rows, columns, squeeze=False).ravel()
    for place, spot in enumerate(spots):
        if place < len(learned):
            show_signed(spot, *learned[place])
        else:
            spot.set_axis_off()
    save(figure, path)


def first_weights(model: "keras.Model", labels: list[str]) -> tuple[list[tuple[np.ndarray, str]], str]:
    """The first layer's kernels (k, k), or the weights of its units (28, 28), each with a title; and a description."""
    for layer in flat_layers(model):
        kind = type(layer).__name__
        if kind == "Conv2D" and layer.name != PREPARE:
            kernels = np.asarray(layer.get_weights()[0])  # (k, k, channels, kernels)
            mean = kernels.mean(axis=2)[..., :KERNELS]
            return [(mean[..., i], "") for i in range(mean.shape[-1])], f"kernels of its first layer, {layer.name}"
        if kind == "Dense":
            weights = np.asarray(layer.get_weights()[0])  # (784, units)
            side = int(np.sqrt(len(weights)))
            names = labels if weights.shape[1] == len(labels) else [""] * weights.shape[1]
            shown = [(weights[:, i].reshape(side, side), names[i]) for i in range(min(KERNELS, weights.shape[1]))]
            return shown, "weights of the units of its first layer"
    raise DataError(f"{model.name} has neither convolutions nor dense layers to draw.")


def flat_layers(model: "keras.Model") -> "list[keras.layers.Layer]":
    """All layers in order, including the layers of nested models."""
    found = []
    for layer in model.layers:
        found += flat_layers(layer) if hasattr(layer, "layers") else [layer]
    return found


def draw_maps(model: "keras.Model", image: np.ndarray, metrics: dict[str, Any], path: Path) -> None:
    """Draw the feature maps of each convolution for one picture; no file for a network without convolutions."""
    maps = feature_maps(model, image)
    if not maps:
        path.unlink(missing_ok=True)
        return
    if len(maps) > LAYERS:
        maps = [maps[round(place)] for place in np.linspace(0, len(maps) - 1, LAYERS)]
    figure = new_figure(MAPS * 1.15 + 1.5, len(maps) * 1.2 + 1.7)
    figure.suptitle(f"{title_of(metrics)}: feature maps of each convolution")
    axes = figure.subplots(len(maps) + 1, MAPS + 1, squeeze=False)
    for spot in axes.ravel():
        spot.set_axis_off()
    show_image(axes[0][1], image)
    axes[0][0].text(0.5, 0.5, "the picture", ha="center", va="center", fontsize=8)
    for row, (name, values) in enumerate(maps, start=1):
        what = f"{name}\n{values.shape[0]}×{values.shape[1]}, {values.shape[2]} maps"
        axes[row][0].text(0.5, 0.5, what, ha="center", va="center", fontsize=8)
        most_varied = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:MAPS]
        for column, index in enumerate(sorted(most_varied), start=1):
            feature_map = values[..., index]
            show_image(
                axes[row][column],
                feature_map,
                f"{index}",
                cmap="viridis",
                vmin=feature_map.min(),
                vmax=feature_map.max() or 1,
            )
    save(figure, path)


def feature_maps(model: "keras.Model", image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Name and feature maps (h, w, maps) of each convolution, after its activation or a ReLU."""
    import keras

    values = image[None].astype(np.float32)
    maps: list[tuple[str, np.ndarray]] = []
    for layer in model.layers:
        if hasattr(layer, "layers") and not isinstance(layer, keras.Sequential):
            convolutions = [convolution for convolution in layer.layers if "Conv2D" in type(convolution).__name__]
            for convolution in convolutions:
                output = keras.Model(layer.inputs, convolution.output)(values, training=False)
                maps.append((convolution.name, np.maximum(0, keras.ops.convert_to_numpy(output)[0])))
        if type(layer).__name__ != "InputLayer":
            values = layer(values, training=False) if _takes_training(layer) else layer(values)
        if "Conv2D" in type(layer).__name__ and layer.name != PREPARE:
            maps.append((layer.name, np.maximum(0, keras.ops.convert_to_numpy(values)[0])))
    return maps


def _takes_training(layer: "keras.layers.Layer") -> bool:
    return type(layer).__name__ in ("BatchNormalization", "Dropout") or hasattr(layer, "layers")


def changes(image: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One picture (side, side, channels) uint8 with distortions that a camera causes, by their name."""
    side, channels = image.shape[0], image.shape[2]
    background = tuple(int(value) for value in np.median(image[[0, -1]].reshape(-1, channels), axis=0))

    def moved(matrix: np.ndarray) -> np.ndarray:
        warped = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=background)
        return warped.reshape(image.shape)

    def turned(angle: float, scale: float = 1.0) -> np.ndarray:
        return moved(cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale))

    def shifted(across: float, down: float) -> np.ndarray:
        return moved(np.array([[1, 0, across * side / 28], [0, 1, down * side / 28]], np.float32))

    return {
        "as it is": image,
        "2 px right": shifted(2, 0),
        "4 px down": shifted(0, 4),
        "6 px left": shifted(-6, 0),
        "15° left": turned(15),
        "30° right": turned(-30),
        "shrunk to 70 %": turned(0, 0.7),
        "shrunk to 50 %": turned(0, 0.5),
        "inverted": 255 - image,
        "dim": (image * 0.4).astype(np.uint8),
        "noise": np.clip(image + rng.normal(0, 50, image.shape), 0, 255).astype(np.uint8),
        "noisy colour": on_coloured_ground(image, rng),
    }


def on_coloured_ground(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture in white on a background of random colours, converted to grey if it has one channel."""
    side = image.shape[0]
    patches = cv2.resize(
        rng.uniform(0, 200, (4, 4, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR
    )
    patches += rng.normal(0, 25, patches.shape)
    lit = np.clip(np.maximum(patches, image.astype(np.float32)), 0, 255).astype(np.uint8)
    return lit if image.shape[2] == 3 else cv2.cvtColor(lit, cv2.COLOR_BGR2GRAY)[..., None]


def draw_robustness(
    run: Path, metrics: dict[str, Any], image: np.ndarray, truth: int, path: Path, samples: Samples
) -> None:
    """Draw a column per distortion of a picture, and a row per network that was trained on this data with this seed."""
    changed = changes(image, np.random.default_rng(0))
    pictures = np.stack(list(changed.values()))
    runs = comparable_runs(run, metrics)
    figure = new_figure(len(changed) * 1.05 + 1.4, 1.7 + 0.42 * len(runs))
    figure.suptitle(f"{title_of(metrics)}: predictions of each network for the same picture, distorted")
    spots = figure.subplots(
        len(runs) + 1,
        len(changed) + 1,
        squeeze=False,
        height_ratios=[2.4] + [1] * len(runs),
        width_ratios=[1.4] + [1] * len(changed),
    )
    for spot in spots.ravel():
        spot.set_axis_off()
    for column, (name, picture) in enumerate(changed.items(), start=1):
        show_image(spots[0][column], picture, name)
    for row, (other, its_metrics) in enumerate(runs, start=1):
        probabilities = predictor(other, its_metrics, samples)(pictures)
        bold = "bold" if other.resolve() == run.resolve() else "normal"
        spots[row][0].text(1, 0.5, its_metrics["network"], ha="right", va="center", fontsize=9, weight=bold)
        for column, index in enumerate(probabilities.argmax(axis=1), start=1):
            share = probabilities[column - 1, index]
            spots[row][column].text(
                0.5, 0.5, f"{metrics['labels'][index]}  {100 * share:.0f} %", ha="center", va="center", fontsize=8,
                color="black" if index == truth else "crimson",
            )  # fmt: skip
    save(figure, path)


def comparable_runs(run: Path, metrics: dict[str, Any]) -> list[tuple[Path, dict[str, Any]]]:
    """This run and the others in its parent folder with the same data, seed and input shape, smallest network first."""
    found = [(run, metrics)]
    for path in sorted(run.resolve().parent.glob(f"*/{METRICS}")):
        other = path.parent
        if other == run.resolve():
            continue
        try:
            other_metrics = read_metrics(other)
        except DataError:
            continue
        compared = ("data", "seed", "limit", "labels", "input_shape")
        if (
            all(other_metrics[key] == metrics[key] for key in compared)
            and other_metrics["network"] != metrics["network"]
        ):
            found.append((other, other_metrics))
    order = [*NETWORKS, *sorted({other_metrics["network"] for _, other_metrics in found} - set(NETWORKS))]
    return sorted(found, key=lambda one: order.index(one[1]["network"]))


def predictor(run: Path, metrics: dict[str, Any], samples: Samples) -> Callable[[np.ndarray], np.ndarray]:
    """A function from pictures (N, side, side, channels) uint8 to the run's probabilities (N, classes)."""
    if metrics["network"] != "knn":
        model = _load(run)
        return lambda images: probabilities_of(model, images)
    source = metrics["data_source"]
    loaded = catalogue.load(source["option"], samples, None, source["region"])
    data = dataset.limited(loaded, metrics["limit"], metrics["seed"])
    classifier = knn.fitted(data, np.arange(len(data.train_labels)), metrics["k"], metrics["measure"])
    return lambda images: knn.predict_probabilities(classifier, images)


def write_page(run: Path, metrics: dict[str, Any]) -> None:
    """Write index.html with the metrics and all figures embedded."""
    low, high = (100 * bound for bound in metrics["accuracy_95"])
    facts = {
        "accuracy": f"{100 * metrics['accuracy']:.2f} % of {metrics['tested']:,} test pictures "
        f"(95 % interval {low:.2f} to {high:.2f})",
        "parameters": f"{metrics['parameters']:,}",
        "trained on": f"{metrics['fitted']:,} pictures in {metrics['seconds']:g} s",
        "time per picture": f"{metrics['ms_a_picture']:.3g} ms" if "ms_a_picture" in metrics else "not measured",
        "published as": metrics.get("published", "not published"),
        "machine": metrics["machine"],
        "command": metrics["command"],
        "commit": metrics["commit"],
    }
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>\n" for name, text in facts.items()
    )
    per_class = "".join(
        f"<tr><th>{html.escape(label)}</th><td>{counts['right']} of {counts['of']}</td>"
        f"<td>{100 * counts['right'] / max(1, counts['of']):.1f} %</td></tr>\n"
        for label, counts in metrics["per_class"].items()
    )
    pictures = "".join(
        f'<h2>{html.escape(title)}</h2>\n<img alt="{html.escape(title)}" src="data:image/png;base64,'
        f'{base64.b64encode((run / name).read_bytes()).decode()}">\n'
        for name, title in TITLES.items()
        if (run / name).is_file()
    )
    title = html.escape(title_of(metrics))
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
th {{ text-align: left; padding-right: 1rem; font-weight: 600; vertical-align: top; white-space: nowrap }}
img {{ max-width: 100%; height: auto }}
</style>
<h1>{title}</h1>
<table>
{rows}</table>
{pictures}<h2>Accuracy by label</h2>
<table>
{per_class}</table>
</html>
"""
    (run / "index.html").write_text(page, encoding="utf-8")


def draw_sheet(images: np.ndarray, level: str, data: str, subject: str, path: Path) -> None:
    """Draw the first SHEET_ROWS images, unchanged and augmented."""
    rows = images[:SHEET_ROWS]
    figure = new_figure(SHEET_COLUMNS * 1.0 + 0.4, len(rows) * 1.0 + 0.9)
    figure.suptitle(f"{data}, augmentation {level}: unchanged, then augmented")
    axes = figure.subplots(len(rows), SHEET_COLUMNS, squeeze=False)
    for number in range(SHEET_COLUMNS):
        shown = rows if number == 0 else copies(rows, level, data, subject, number)
        for row, image in enumerate(shown):
            show_image(axes[row][number], image, "as it is" if row == number == 0 else "")
    save(figure, path)
