"""A video is written under any name that the system allows."""

import sys
from pathlib import Path

import numpy as np
import pytest

from recognizer.overlay.overlay import Overlay
from recognizer.sinks.video import VideoWriter
from recognizer.sources.opening import open_source
from recognizer.values import Frame, Observation


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("folder", ["2024-05-01T12:30", "file:x", "100%"])
def test_a_video_is_written_below_a_relative_folder_of_any_name(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = Frame(np.full((48, 64, 3), 99, np.uint8), 0, 0.0, "drawn")
    with VideoWriter(Path(folder) / "12:30.mp4", Overlay()) as video:
        for _ in range(3):
            video.write(Observation(frame, "digits"))
    with open_source(f"{folder}/12:30.mp4") as source:
        assert len(list(source)) == 3
