"""Compares runs: accuracy, size, time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.settings import NETWORKS
from training.workshop.figures import new_figure, save
from training.workshop.run import read_metrics

HEADINGS = ("data", "network", "accuracy", "95 % interval", "parameters", "training", "a picture")


def compare(runs: Sequence[Path], picture: Path) -> None:
    """Print a table of the runs, and draw a chart. Raises DataError for a folder that is not a finished run."""
    found = in_order([read_metrics(run) for run in runs])
    print(as_text(found))
    draw_comparison(found, picture)
    print(f"Wrote {picture}")


def in_order(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs sorted by data set, then from the smallest network to the largest."""
    order = [*NETWORKS, *sorted({run["network"] for run in runs} - set(NETWORKS))]
    return sorted(runs, key=lambda run: (run["data"], order.index(run["network"]), run["backend"], run["seed"]))


def row(metrics: dict[str, Any]) -> tuple[str, ...]:
    low, high = metrics["accuracy_95"]
    milliseconds = metrics.get("ms_a_picture")
    return (
        metrics["data"],
        name_of(metrics),
        f"{100 * metrics['accuracy']:.2f} %",
        f"{100 * low:.2f} to {100 * high:.2f}",
        f"{metrics['parameters']:,}",
        f"{metrics['seconds']:.0f} s",
        "–" if milliseconds is None else f"{plain(milliseconds)} ms",
    )


def plain(number: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def name_of(metrics: dict[str, Any]) -> str:
    name = metrics["network"]
    if metrics["backend"] != "tensorflow":
        name += f" ({metrics['backend']})"
    return name + (f", {metrics['limit']:,} pictures" if metrics["limit"] else "")


def as_text(runs: list[dict[str, Any]]) -> str:
    rows = [HEADINGS, *map(row, runs)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADINGS))]
    lines = []
    for line in rows:
        cells = [text.ljust(width) if column < 2 else text.rjust(width)
                 for column, (text, width) in enumerate(zip(line, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def draw_comparison(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw bars of each run's error with its interval, parameters, training seconds and milliseconds per picture."""
    measures = (
        ("error, %", lambda run: 100 * (1 - run["accuracy"]), "{:.2f}".format),
        ("parameters", lambda run: run["parameters"], "{:,.0f}".format),
        ("training, s", lambda run: run["seconds"], plain),
        ("a picture, ms", lambda run: run.get("ms_a_picture") or 0, plain),
    )
    figure = new_figure(13, 0.32 * len(runs) + 1.4)
    figure.suptitle("runs compared: shorter bars are better, on logarithmic scales")
    places = range(len(runs))
    for axes, (title, value, form) in zip(figure.subplots(1, len(measures), sharey=True), measures, strict=True):
        values = [value(run) for run in runs]
        bar_ends = values
        axes.barh(places, values, color="tab:blue")
        if title.startswith("error"):
            bar_ends = [100 * (1 - run["accuracy_95"][0]) for run in runs]
            lows = [100 * (1 - run["accuracy_95"][1]) for run in runs]
            axes.hlines(places, lows, bar_ends, color="black", linewidth=1)
        if max(values) > 0:
            axes.set_xscale("symlog", linthresh=min(number for number in values if number > 0))
        for place, number, bar_end in zip(places, values, bar_ends, strict=True):
            text = form(number) if number or title.startswith("error") else "–"
            axes.annotate(text, (bar_end, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
        axes.margins(x=0.4)
        axes.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_yticks(places, [f"{run['data']}  {name_of(run)}" for run in runs])
    axes.set_ylim(len(runs) - 0.3, -0.7)  # the first run at the top
    save(figure, path)
