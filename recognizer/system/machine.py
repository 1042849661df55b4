"""Describes this machine, for the reports of measurements."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # where Linux names the processor


def processor() -> str:
    """The name of the processor, or its architecture if the system does not give the name."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def summary() -> str:
    """Processor, number of cores and operating system, as one line."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}"


def description() -> str:
    """Processor, cores, memory, operating system, Python and OpenCV with versions, as one line."""
    import cv2

    parts = [processor(), f"{os.cpu_count()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB")
    parts += [f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"]
    return ", ".join([*parts, f"OpenCV {cv2.__version__}"])
