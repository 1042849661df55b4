"""Shared by the benchmarks: the folder of the report's sections, and Markdown tables."""

from collections.abc import Iterable, Sequence

import numpy as np

from recognizer.system import paths
from training.publishing import markdown

SECTIONS = paths.runs() / "benchmarks"  # one file for each section, so that an interrupted run can resume


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats have three significant digits, or no decimals from 100 on."""
    return markdown.table(header, ([cell(value) for value in row] for row in rows))


def cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)
