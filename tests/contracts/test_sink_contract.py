"""The contract of every sink: it accepts observations inside its `with` block, and leaves no half-written file."""

import csv
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_type_hints

import cv2
import numpy as np
import pytest

from recognizer.errors import SinkError
from recognizer.event_detection.event_sink import EventSink
from recognizer.overlay.overlay import Overlay
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.sinks.contact_sheet import ContactSheet
from recognizer.sinks.csv_log import CsvLog
from recognizer.sinks.png import write_png
from recognizer.sinks.sink import Sink, open_sinks
from recognizer.sinks.video import VideoWriter
from recognizer.subjects.paper import PAPER
from recognizer.system import files
from recognizer.teaching.teacher import Teacher
from recognizer.values import Box, Frame, Observation, Prediction, Region
from recognizer.window.caption import Caption
from recognizer.window.game import GameSink, RockPaperScissors
from recognizer.window.maps_panel import MapsPanel
from recognizer.window.practice_panel import PracticePanel
from recognizer.window.spell_panel import Outlets, SpellPanel
from recognizer.window.window import Window
from tests.contracts.implementations import classes_with, is_one_line

SIZE_WH = (160, 120)
FILES = {
    "VideoWriter": "out/run.avi",
    "ContactSheet": "out/sheet.png",
    "CsvLog": "out/table.csv",
}  # of each sink that writes one


class FakeGui:
    """Replaces cv2's window functions. Opens no window."""

    def __init__(self) -> None:
        self.shown = 0
        self.destroyed = 0

    def namedWindow(self, title: str, flags: int) -> None: ...

    def resizeWindow(self, title: str, width: int, height: int) -> None: ...

    def setMouseCallback(self, title: str, callback: object) -> None: ...

    def getWindowImageRect(self, title: str) -> tuple[int, int, int, int]:
        return 0, 0, 64, 48

    def imshow(self, title: str, picture: np.ndarray) -> None:
        self.shown += 1

    def waitKeyEx(self, wait_ms: int) -> int:
        return -1

    def getWindowProperty(self, title: str, prop: int) -> float:
        return 1.0

    def destroyWindow(self, title: str) -> None:
        self.destroyed += 1


class NoPipeline:
    """Replaces the running pipeline, as it is before the first model."""

    folder = None
    task = "digits"
    subject = PAPER


def new_sink(name: str, folder: Path) -> Sink:
    """A sink of the class with this name. If it writes a file, it does so in the folder."""
    path = folder / FILES.get(name, "none")
    makers: dict[str, Callable[[], Sink]] = {
        "VideoWriter": lambda: VideoWriter(path, Overlay()),
        "ContactSheet": lambda: ContactSheet(path, Overlay()),
        "CsvLog": lambda: CsvLog(path),
        "Window": lambda: Window(Overlay(), lambda: None, gui=FakeGui(), screen=lambda: True, screenshot_dir=folder),
        "MapsPanel": lambda: MapsPanel(NoPipeline()),  # type: ignore[arg-type]
        "GameSink": lambda: GameSink(RockPaperScissors(), report=lambda line: None),
        "Teacher": lambda: new_teacher(folder),
        "Caption": lambda: Caption(Overlay(), NoPipeline(), lambda subject: subject.is_mirrored),  # type: ignore[arg-type]
        "EventSink": EventSink,
        "SpellPanel": lambda: SpellPanel(Outlets(speak=lambda text: None, copy=lambda text: True)),
        "PracticePanel": lambda: PracticePanel(lambda: None),
    }
    return makers[name]()


def new_teacher(folder: Path) -> Sink:
    return Teacher(NoPipeline(), ModelStore(folder / "models"), Samples(folder / "samples"))  # type: ignore[arg-type]


SINKS = (*FILES, "Window", "MapsPanel", "GameSink", "Teacher", "Caption", "EventSink", "SpellPanel", "PracticePanel")


def observation(index: int = 0, label: str | None = "7", size_wh: tuple[int, int] = SIZE_WH) -> Observation:
    rng = np.random.default_rng(index)
    frame = Frame(rng.integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8), index, index / 30, "drawn")
    region = Region(Box(20, 20, 60, 80), np.zeros((8, 8), np.uint8))
    prediction = Prediction(label, 0.9, (("7", 0.9),), np.zeros((28, 28), np.uint8))
    return Observation(frame, "digits", (region,), (prediction,), label or "")


def written_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    return new_sink(request.param, tmp_path)


@pytest.fixture(params=FILES)
def file_sink(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_sink_is_listed() -> None:
    def takes_observations(cls: type) -> bool:
        write = cls.write  # type: ignore[attr-defined]
        return inspect.isfunction(write) and list(inspect.signature(write).parameters) == ["self", "observation"]

    found = [cls for cls in classes_with("__enter__", "__exit__", "write", "close") if takes_observations(cls)]
    assert sorted(cls.__name__ for cls in found) == sorted(SINKS)
    for cls in found:
        assert get_type_hints(cls.write)["observation"] is Observation


def test_observations_are_accepted_inside_the_with_block(sink: Sink) -> None:
    with sink as opened:
        assert opened is sink
        for index in range(3):
            opened.write(observation(index))
        opened.write(observation(3, label=None))
    sink.close()


def test_frames_of_changing_size_are_accepted(sink: Sink) -> None:
    with sink:
        for index, size_wh in enumerate([(160, 120), (161, 121), (90, 300), (640, 480)]):
            sink.write(observation(index, size_wh=size_wh))


def test_the_observation_is_not_modified(sink: Sink) -> None:
    shown = observation()
    before = shown.frame.image_bgr.copy()
    with sink:
        sink.write(shown)
    assert np.array_equal(shown.frame.image_bgr, before)


def test_a_run_without_frames_closes(sink: Sink) -> None:
    with sink:
        pass
    sink.close()


def test_all_sinks_are_closed_if_one_fails_to_open(tmp_path: Path) -> None:
    """The sinks that were opened before it are closed, and their files are complete."""
    (tmp_path / "a-file").touch()
    good, bad = new_sink("CsvLog", tmp_path), new_sink("VideoWriter", tmp_path / "a-file")
    with pytest.raises(SinkError), open_sinks([good, bad]):
        pass
    assert (tmp_path / FILES["CsvLog"]).read_text().startswith("frame,")


def read_back(path: Path) -> int:
    """The number of frames, rows or pictures in the file."""
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return len(list(csv.DictReader(file)))
    if path.suffix == ".png":
        return int(cv2.imread(str(path)) is not None)
    video = cv2.VideoCapture(str(path))
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    return frames


def test_a_closed_file_is_complete_and_no_temporary_file_remains(file_sink: str, tmp_path: Path) -> None:
    with new_sink(file_sink, tmp_path) as sink:
        for index in range(3):
            sink.write(observation(index))
    path = tmp_path / FILES[file_sink]
    assert written_files(tmp_path) == [path]
    assert read_back(path) == {".png": 1}.get(path.suffix, 3)


def test_a_run_that_raises_leaves_no_incomplete_file(file_sink: str, tmp_path: Path) -> None:
    """The observations before the error are in a file that can be read."""
    with pytest.raises(RuntimeError, match="unplugged"), new_sink(file_sink, tmp_path) as sink:
        sink.write(observation())
        raise RuntimeError("unplugged")
    path = tmp_path / FILES[file_sink]
    assert written_files(tmp_path) == [path]
    assert read_back(path) == 1


def test_a_folder_that_cannot_be_created_gives_a_one_line_error(file_sink: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(SinkError) as error, new_sink(file_sink, tmp_path) as sink:
        sink.write(observation())
    assert is_one_line(error.value)
    assert str(tmp_path / "out") in str(error.value)
    assert written_files(tmp_path) == [tmp_path / "out"]


def refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(28, "No space left on device")


def test_a_file_that_cannot_be_renamed_leaves_the_old_file(
    file_sink: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if file_sink == "CsvLog":
        pytest.skip("the table is written line by line under its own name, so that a crash leaves the rows before it")
    path = tmp_path / FILES[file_sink]
    path.parent.mkdir()
    path.write_bytes(b"the run before")
    monkeypatch.setattr(files, "replace", refuse)
    with pytest.raises(SinkError) as error, new_sink(file_sink, tmp_path) as sink:
        sink.write(observation())
    assert is_one_line(error.value)
    assert path.read_bytes() == b"the run before"


def test_a_picture_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = observation().frame.image_bgr
    write_png(tmp_path / "out" / "picture.png", picture)
    assert np.array_equal(cv2.imread(str(tmp_path / "out" / "picture.png")), picture)
    assert len(written_files(tmp_path)) == 1
    before = (tmp_path / "out" / "picture.png").read_bytes()
    monkeypatch.setattr(files, "replace", refuse)
    with pytest.raises(SinkError) as error:
        write_png(tmp_path / "out" / "picture.png", picture[::-1])
    assert is_one_line(error.value)
    assert (tmp_path / "out" / "picture.png").read_bytes() == before


def test_a_window_is_destroyed_once_and_needs_a_screen() -> None:
    gui = FakeGui()
    with Window(Overlay(), lambda: None, gui=gui, screen=lambda: True) as window:
        window.write(observation())
        window.close()
    assert (gui.shown, gui.destroyed) == (1, 1)
    with pytest.raises(SinkError) as error, Window(Overlay(), lambda: None, gui=gui, screen=lambda: False):
        pass
    assert is_one_line(error.value)
