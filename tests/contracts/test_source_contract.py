"""The contract of every source: the format of its frames, how it ends, and its errors."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import RecognizerError
from recognizer.sinks.png import write_png
from recognizer.sources import newest_frame, webcam
from recognizer.sources.opening import open_source
from recognizer.sources.source import Source
from tests.contracts.implementations import classes_with, is_one_line
from tests.helpers.waiting import HANG_S

SIZE_WH = (320, 240)
FRAMES = 4  # read from each source
ADDRESS = "rtsp://user:secret@camera.example/live"
SOURCES = ("webcam", "stream", "video", "pictures", "studio")
BROKEN = {  # sources of each kind that are missing, damaged or of an unknown type
    "webcam": ("7",),
    "stream": ("rtsp://nobody.example/live", "gopher://camera.example"),
    "video": ("missing.mp4", "empty.mp4", "text.mp4"),
    "pictures": ("missing.png", "empty", "text.png"),
    "studio": ("studio:nowhere",),
}


@dataclass
class FakeCapture:
    """Replaces cv2.VideoCapture of a device. Each picture is one grey level brighter, and there is no last one."""

    opened: bool = True
    level: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.released.is_set() or not self.opened:
            return False, None
        time.sleep(0.002)  # reading from a camera blocks until the next picture
        self.level = (self.level + 1) % 256
        return True, np.full((SIZE_WH[1], SIZE_WH[0], 3), self.level, np.uint8)

    def get(self, setting: int) -> float:
        return -1.0 if setting == cv2.CAP_PROP_FRAME_COUNT else 30.0

    def set(self, setting: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FakeCapture]:
    """The captures that were opened. Only camera 0 exists, and a camera at ADDRESS."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video0").touch()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webcam, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(newest_frame, "SILENCE_S", HANG_S)  # on a slow machine, no camera may count as silent
    return []


Open = Callable[[str], Source]


@pytest.fixture
def open_spec(captures: list[FakeCapture]) -> Open:
    """`open_source` with fake devices and addresses, and with real files."""

    def open_capture(what: int | str, *more: object) -> object:
        if isinstance(what, str) and "://" not in what:
            return cv2.VideoCapture(what, *more)
        captures.append(FakeCapture(opened=what in (0, ADDRESS)))
        return captures[-1]

    return lambda spec: open_source(spec, size_wh=SIZE_WH, fps=30.0, open_capture=open_capture)


@pytest.fixture(params=SOURCES)
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The specification of a source of each kind. The files that it names exist."""
    kind: str = request.param
    pictures = [np.full((SIZE_WH[1], SIZE_WH[0], 3), 20 * index, np.uint8) for index in range(FRAMES + 2)]
    if kind == "video":
        writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE_WH)
        assert writer.isOpened()
        for picture in pictures:
            writer.write(picture)
        writer.release()
    if kind == "pictures":
        for index, picture in enumerate(pictures):
            write_png(tmp_path / "pictures" / f"{index}.png", picture)
    files = {"video": str(tmp_path / "clip.avi"), "pictures": str(tmp_path / "pictures")}
    return {"webcam": "0", "stream": ADDRESS, "studio": "studio:blank", **files}[kind]


def test_every_source_is_listed() -> None:
    """LiveSource is the class of webcam and stream. Each of the others is in the module named after it."""
    modules = {cls.__module__.rpartition(".")[2] for cls in classes_with("stop") if issubclass(cls, Source)}
    assert modules - {"source", "newest_frame"} | {"webcam", "stream"} == set(SOURCES)
    assert set(BROKEN) == set(SOURCES)


def test_frames_are_bgr_pictures_with_increasing_times(spec: str, open_spec: Open) -> None:
    with open_spec(spec) as source:
        frames = list(islice(source, FRAMES))
    assert len(frames) == FRAMES
    for frame in frames:
        assert frame.image_bgr.shape == (SIZE_WH[1], SIZE_WH[0], 3)
        assert frame.image_bgr.dtype == np.uint8
        assert frame.name
        assert frame.notice is None
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert frames[0].time_s >= 0
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))


def test_a_frame_does_not_change_when_the_next_one_is_read(spec: str, open_spec: Open) -> None:
    with open_spec(spec) as source:
        frames = iter(source)
        first = next(frames)
        before = first.image_bgr.copy()
        list(islice(frames, FRAMES - 1))
    assert np.array_equal(first.image_bgr, before)


def test_the_name_of_a_source_has_no_credentials(spec: str, open_spec: Open) -> None:
    with open_spec(spec) as source:
        assert source.name
        assert "secret" not in source.name
        assert source.live == (spec in ("0", ADDRESS))


def test_a_source_can_be_closed_twice_and_releases_its_device(
    spec: str, open_spec: Open, captures: list[FakeCapture]
) -> None:
    with open_spec(spec) as source:
        next(iter(source))
        source.close()
        source.close()
    assert all(capture.released.wait(HANG_S) for capture in captures)


def test_a_source_that_was_not_iterated_releases_its_device(
    spec: str, open_spec: Open, captures: list[FakeCapture]
) -> None:
    with open_spec(spec) as source:
        assert isinstance(source, Source)
    assert all(capture.released.wait(HANG_S) for capture in captures)


def test_the_iteration_ends_after_stop_and_after_close(spec: str, open_spec: Open) -> None:
    with open_spec(spec) as source:
        frames = iter(source)
        next(frames)
        source.stop()
        source.stop()
        assert list(frames) == []
    assert list(source) == []


def test_stop_from_another_thread_ends_the_iteration(spec: str, open_spec: Open) -> None:
    with open_spec(spec) as source:
        frames = iter(source)
        next(frames)
        other = threading.Thread(target=source.stop)
        other.start()
        other.join(HANG_S)
        assert list(frames) == []


@pytest.mark.parametrize("missing", [name for names in BROKEN.values() for name in names])
def test_a_missing_or_damaged_source_gives_a_one_line_error(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_spec: Open, captures: list[FakeCapture]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.mp4").touch()
    for name in ("text.mp4", "text.png"):
        (tmp_path / name).write_text("no picture\n")
    with pytest.raises(RecognizerError) as error:
        open_spec(missing)
    assert is_one_line(error.value)
    assert "secret" not in str(error.value)
    assert all(capture.released.is_set() for capture in captures)
