"""What the reports share: where the sections lie, and tables in Markdown."""

from collections.abc import Iterable, Sequence

import numpy as np

from recognizer.system import paths
from training.publishing import markdown

SECTIONS = paths.runs() / "benchmarks"  # a file for each section of the report, so that a run that was cut off goes on


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; numbers are written with as many digits as they deserve."""
    return markdown.table(header, ([cell(value) for value in row] for row in rows))


def cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)
