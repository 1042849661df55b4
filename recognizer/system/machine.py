"""What this machine is, for the results that were measured on it."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # where Linux names the processor


def processor() -> str:
    """The processor's name, or its architecture where the system does not name it."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def summary() -> str:
    """Processor, number of cores and operating system."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}"


def description() -> str:
    """Processor, cores, memory, operating system, Python and OpenCV, with their versions."""
    import cv2

    parts = [processor(), f"{os.cpu_count()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB")
    parts += [f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"]
    return ", ".join([*parts, f"OpenCV {cv2.__version__}"])
