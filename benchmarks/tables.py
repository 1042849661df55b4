"""What the reports share: the machine's name, and tables in Markdown."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from training import markdown

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ROOT / "runs" / "benchmarks"  # a file for each section of the report, so that a run that was cut off goes on
CPUINFO = Path("/proc/cpuinfo")  # where Linux names the processor


def machine() -> str:
    """One line: processor, cores, memory, system, Python and OpenCV."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    parts = [name, f"{os.cpu_count()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB")
    parts += [f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"]
    return ", ".join([*parts, f"OpenCV {cv2.__version__}"])


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; numbers are written with as many digits as they deserve."""
    return markdown.table(header, ([cell(value) for value in row] for row in rows))


def cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)
