"""What tests need from the machine. A test is skipped if it is missing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from recognizer.errors import AssetError
from recognizer.registry.assets import find_asset


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """Mount a RAM disk of that size, such as 3m, on the new folder inside the block."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("needs root on Linux to mount a small disk")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mount.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mount.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def landmarker_path() -> Path:
    """The path of the hand model. Skips if it is missing."""
    try:
        return find_asset("hand_landmarker")
    except AssetError as error:
        pytest.skip(f"needs the hand model: {error}")


def needs_mediapipe() -> None:
    """Skips if MediaPipe is not installed. It is not imported here, because that takes seconds."""
    if find_spec("mediapipe") is None:
        pytest.skip("needs MediaPipe")
