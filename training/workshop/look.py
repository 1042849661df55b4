"""Summarizes a data set: samples, counts, mean images."""

from pathlib import Path

import numpy as np

from training.datasets.dataset import DataSet
from training.workshop.figures import new_figure, save, show_image

SAMPLES = 10  # of each label
BAR = 40  # characters


def print_counts(data: DataSet) -> None:
    train, test = (np.bincount(labels, minlength=len(data.labels)) for labels in (data.train_labels, data.test_labels))
    print(f"{data.name} from {data.source}: {train.sum():,} training pictures, {test.sum():,} test pictures, "
          f"{'×'.join(map(str, data.input_shape))}, grey levels {data.train_images.min()} to {data.train_images.max()}, "
          f"mean {data.train_images.mean():.1f}")  # fmt: skip
    width = max(map(len, data.labels))
    for index, label in enumerate(data.labels):
        bar = "█" * round(BAR * train[index] / train.max())
        print(f"{label:>{width}}  {train[index]:6}  {test[index]:6}  {bar}")


def draw_look(data: DataSet, path: Path) -> None:
    """Draw a row per label, its mean image and first samples; below, a bar chart of the counts."""
    rows = len(data.labels)
    figure = new_figure(SAMPLES + 2.6, 0.85 * rows + 3.4)
    figure.suptitle(
        f"{data.name}: {len(data.train_labels):,} training pictures, {len(data.test_labels):,} test pictures"
    )
    above, below = figure.subfigures(2, 1, height_ratios=[0.85 * rows + 0.3, 2.6])  # type: ignore[misc]  # two of them
    spots = above.subplots(rows, SAMPLES + 2, squeeze=False)
    for spot in spots.ravel():
        spot.set_axis_off()
    for row, label in enumerate(data.labels):
        members = np.flatnonzero(data.train_labels == row)
        spots[row][0].text(1, 0.5, label, ha="right", va="center", fontsize=11)
        if len(members) == 0:
            continue
        mean = data.train_images[members].mean(axis=0)
        show_image(spots[row][1], mean, "mean" if row == 0 else "")
        for column, index in enumerate(members[:SAMPLES], start=2):
            title = "samples" if row == 0 and column == 2 else ""
            show_image(spots[row][column], data.train_images[index], title)
    axes = below.subplots()
    places = np.arange(rows)
    for shift, labels, name in ((-0.2, data.train_labels, "training"), (0.2, data.test_labels, "test")):
        axes.bar(places + shift, np.bincount(labels, minlength=rows), 0.4, label=name)
    axes.set_xticks(places, data.labels, rotation=20 if len(data.labels) * max(map(len, data.labels)) > 90 else 0)
    axes.set_ylabel("pictures")
    axes.margins(y=0.25)
    axes.legend(ncols=2, loc="upper right")
    save(figure, path)
