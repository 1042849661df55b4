import csv
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import SinkError
from recognizer.overlay import drawing
from recognizer.overlay.overlay import Overlay
from recognizer.sinks import video as sinks_video
from recognizer.sinks.contact_sheet import ContactSheet
from recognizer.sinks.csv_log import CsvLog
from recognizer.sinks.sink import open_sinks
from recognizer.sinks.video import VideoWriter
from recognizer.values import Box, Frame, Observation, Prediction, Region, Turn, as_json
from recognizer.window.window import Window, has_screen


def observation(index: int = 0, labels: list[str | None] = (), size_wh=(160, 120), shade: int = 90) -> Observation:
    frame = Frame(np.full((size_wh[1], size_wh[0], 3), shade, np.uint8), index, index / 30, "drawn")
    regions = tuple(
        Region(Box(10 + 40 * i, 20, 40 + 40 * i, 60), np.zeros((4, 4), np.uint8)) for i in range(len(labels))
    )
    image_28 = np.zeros((28, 28), np.uint8)
    predictions = tuple(Prediction(label, 0.9, ((label or "3", 0.9),), image_28) for label in labels)
    return Observation(frame, "digits", regions, predictions, "".join(label or "" for label in labels))


class FakeGui:
    """Replaces the window functions of cv2. Each poll gets the next of the given keys."""

    def __init__(self, keys: str = "") -> None:
        self.keys = list(keys)
        self.shown: list[np.ndarray] = []
        self.sizes: list[tuple[int, int]] = []
        self.destroyed: list[str] = []
        self.visible = 1.0
        self.size_wh: tuple[int, int] | None = None  # what the user has made of the window
        self.close_when_out_of_keys = False

    def namedWindow(self, title, flags): ...

    def resizeWindow(self, title, width, height):
        self.sizes.append((width, height))

    def setMouseCallback(self, title, callback):
        self.click = callback

    def getWindowImageRect(self, title):
        return 0, 0, *(self.size_wh or self.sizes[-1])

    def imshow(self, title, picture):
        self.shown.append(picture)

    def waitKeyEx(self, wait_ms):
        if self.keys:
            return ord(self.keys.pop(0))
        if self.close_when_out_of_keys:
            self.visible = 0.0
        return -1

    def getWindowProperty(self, title, prop):
        if self.visible < 0:
            raise cv2.error("no such window")
        return self.visible

    def destroyWindow(self, title):
        self.destroyed.append(title)


class Stop:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def window(gui: FakeGui, stop: Stop, overlay: Overlay | None = None, **more) -> Window:
    return Window(overlay or Overlay(), stop, gui=gui, screen=lambda: True, **more)


@pytest.mark.parametrize("key", ["q", "Q"])
def test_q_stops_the_run_and_closes_the_window(key):
    gui, stop = FakeGui(key), Stop()
    with window(gui, stop) as sink:
        sink.write(observation(0))
        assert stop.count == 1
        assert sink.closed
        sink.write(observation(1))
    assert len(gui.shown) == 1
    assert gui.destroyed == ["recognizer"]


@pytest.mark.parametrize("visible", [0.0, -1.0])
def test_closing_the_window_with_the_mouse_stops_the_run(visible):
    gui, stop = FakeGui(), Stop()
    with window(gui, stop) as sink:
        sink.write(observation(0))
        gui.visible = visible
        sink.write(observation(1))
        assert stop.count == 1
        sink.write(observation(2))
    assert len(gui.shown) == 1, "a closed window is not opened again"
    assert gui.destroyed == []


def test_the_run_continues_on_systems_that_do_not_report_window_visibility():
    gui, stop = FakeGui(), Stop()
    gui.visible = 0.0
    with window(gui, stop) as sink:
        for index in range(3):
            sink.write(observation(index))
    assert stop.count == 0
    assert len(gui.shown) == 3


def test_p_and_m_toggle_timings_and_mirror():
    overlay = Overlay()
    with window(FakeGui("pmp"), Stop(), overlay) as sink:
        sink.write(observation(0))
        assert (overlay.show_stages, overlay.mirror) == (True, False)
        sink.write(observation(1))
        sink.write(observation(2))
    assert (overlay.show_stages, overlay.mirror) == (False, True)


def test_space_freezes_the_picture_and_other_keys_still_work():
    gui, overlay = FakeGui(" mp "), Overlay()
    with window(gui, Stop(), overlay) as sink:
        sink.write(observation(0, shade=50))
        assert (overlay.show_stages, overlay.mirror) == (True, True)
        assert len(gui.shown) >= 2
        assert all((picture[60] == 50).all() for picture in gui.shown)
        sink.write(observation(1, shade=200))
    assert (gui.shown[-1][60] == 200).all()


def test_no_typed_key_waits_for_the_next_frame():
    typed = []

    def type_key(key):
        typed.append(key)
        return True

    gui = FakeGui("nlabels\rq")
    with window(gui, Stop(), keys=type_key, typing=lambda: "\r" not in typed) as sink:
        sink.write(observation(0))
        assert "".join(typed).startswith("nlabels\r")
        sink.write(observation(1))
        assert typed[-1] == "q"


def test_a_window_can_be_closed_while_the_user_types():
    gui, stop = FakeGui("n"), Stop()
    gui.close_when_out_of_keys = True
    with window(gui, stop, typing=lambda: True) as sink:
        sink.write(observation(0))
        assert sink.closed
    assert stop.count == 1


def test_a_frozen_window_can_be_quit_and_closed():
    for keys in (" q", " "):
        gui, stop = FakeGui(keys), Stop()
        gui.close_when_out_of_keys = True
        with window(gui, stop) as sink:
            sink.write(observation(0))
            assert sink.closed
        assert stop.count == 1


def test_screenshots_get_unique_names_and_are_reported(tmp_path, capsys):
    gui, overlay = FakeGui("sss"), Overlay()
    with window(gui, Stop(), overlay, screenshot_dir=tmp_path / "shots") as sink:
        for index in range(3):
            sink.write(observation(index, ["7"]))
        saved = list((tmp_path / "shots").iterdir())
        assert len(saved) == 3
        assert overlay.notice.startswith("saved ")
    assert any(np.array_equal(cv2.imread(str(path)), gui.shown[0]) for path in saved)
    assert capsys.readouterr().out.count("saved ") == 3


def test_a_screenshot_that_cannot_be_saved_does_not_end_the_run(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    stop, overlay = Stop(), Overlay()
    with window(FakeGui("s"), stop, overlay, screenshot_dir=tmp_path / "file") as sink:
        sink.write(observation(0))
        sink.write(observation(1))
        assert "Cannot write" in overlay.notice
    assert stop.count == 0
    assert "Cannot write" in capsys.readouterr().err


def test_notices_disappear_after_a_while():
    now_s = 0.0
    overlay = Overlay()
    with window(FakeGui(), Stop(), overlay, clock=lambda: now_s) as sink:
        sink.notify("hello")
        sink.write(observation(0))
        assert overlay.notice == "hello"
        now_s = 10.0
        sink.write(observation(1))
        assert overlay.notice == ""


def test_additional_keys_call_their_actions():
    pressed = []
    actions = {"c": lambda: pressed.append("capture"), "\t": lambda: pressed.append("next task")}
    with window(FakeGui("c\tz"), Stop(), actions=actions) as sink:
        for index in range(3):
            sink.write(observation(index))
    assert pressed == ["capture", "next task"]


def test_large_frames_are_shown_smaller():
    gui = FakeGui()
    with window(gui, Stop()) as sink:
        sink.write(observation(0, size_wh=(1920, 1080)))
    assert gui.sizes == [(1280, 720)]


def test_without_a_screen_the_error_suggests_headless():
    with pytest.raises(SinkError, match="--headless"):
        Window(Overlay(), Stop(), gui=FakeGui(), screen=lambda: False).__enter__()


def test_an_opencv_without_windows_raises_an_error():
    class NoGui(FakeGui):
        def namedWindow(self, title, flags):
            raise cv2.error("The function is not implemented")

    with pytest.raises(SinkError, match="--headless"), window(NoGui(), Stop()) as sink:
        sink.write(observation(0))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has DISPLAY")
@pytest.mark.parametrize("display", ["", ":987", "nonsense"])
def test_without_a_working_display_there_is_no_screen(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    assert not has_screen()


def test_other_systems_always_have_a_screen(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert has_screen()


def frames_of(path: Path) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    video.release()
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_contains_the_annotated_frames(tmp_path, suffix):
    path = tmp_path / "new folder" / f"run{suffix}"
    with VideoWriter(path, Overlay(), fps=15) as sink:
        for index in range(5):
            sink.write(observation(index, ["7"]))
        assert not path.exists()
    frames = frames_of(path)
    assert [frame.shape for frame in frames] == [(120, 160, 3)] * 5
    expected = Overlay().draw(observation(0, ["7"]))
    assert np.abs(frames[0].astype(int) - expected).mean() < 12
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_frames_of_another_size_are_letterboxed_to_the_first_size(tmp_path):
    path = tmp_path / "run.avi"
    with VideoWriter(path, Overlay()) as sink:
        sink.write(observation(0, size_wh=(161, 121)))
        sink.write(observation(1, size_wh=(60, 120), shade=200))
    first, second = frames_of(path)
    assert first.shape == second.shape == (120, 160, 3)
    assert np.abs(second[60, 80].astype(int) - 200).max() < 10
    assert second[60, :40].max() < 80


def test_a_run_without_frames_does_not_replace_the_old_video(tmp_path):
    path = tmp_path / "run.mp4"
    path.write_bytes(b"an earlier video")
    with VideoWriter(path, Overlay()):
        pass
    assert path.read_bytes() == b"an earlier video"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_video_that_cannot_be_read_back_does_not_replace_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "run.mp4"
    path.write_bytes(b"an earlier video")

    class FullDisk:
        fourcc = staticmethod(lambda *_: 0)

        def __init__(self, *_): ...

        def isOpened(self):
            return True

        def write(self, picture): ...

        def release(self): ...

    monkeypatch.setattr(drawing.cv2, "VideoWriter", FullDisk)
    with pytest.raises(SinkError, match="could not be finished"), VideoWriter(path, Overlay()) as sink:
        sink.write(observation())
    assert path.read_bytes() == b"an earlier video"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_codec_that_does_not_open_raises_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks_video, "CODECS", {".mp4": "????", ".avi": "MJPG"})
    with pytest.raises(SinkError, match=r"\.avi"), VideoWriter(tmp_path / "run.mp4", Overlay()) as sink:
        sink.write(observation())
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_video_suffix_raises_an_error_before_the_run(tmp_path):
    with pytest.raises(SinkError, match=r"\.mp4 or \.avi"):
        VideoWriter(tmp_path / "run.gif", Overlay())


@pytest.mark.parametrize("make", [CsvLog, lambda p: VideoWriter(p, Overlay()), lambda p: ContactSheet(p, Overlay())])
def test_a_folder_that_cannot_be_created_raises_an_error(tmp_path, make):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SinkError, match="Cannot write"):
        make(tmp_path / "file" / "run.mp4").__enter__()


@pytest.mark.parametrize(("frames", "cells"), [(1, 1), (7, 7), (12, 12), (13, 12), (25, 12), (1000, 12)])
def test_a_contact_sheet_has_pictures_at_regular_intervals_of_the_run(tmp_path, frames, cells):
    path = tmp_path / "sheet.png"
    with ContactSheet(path, Overlay()) as sink:
        for index in range(frames):
            sink.write(observation(index, size_wh=(32, 24), shade=20 + 200 * index // max(1, frames - 1)))
    sheet = cv2.imread(str(path))
    columns, rows = min(3, cells), -(-cells // 3)
    height = 480 + 32
    assert sheet.shape == (rows * height, columns * 640, 3)
    shades = [int(sheet[i // 3 * height + 240, i % 3 * 640 + 320, 0]) for i in range(cells)]
    assert shades == sorted(shades)
    assert shades[0] == 20
    assert shades[-1] >= (20 if frames == 1 else 195)
    if cells > 1:
        steps = np.diff(shades)
        assert steps.min() > 0
        assert steps.max() <= 3 * steps.min() + 2


def test_a_contact_sheet_accepts_frames_of_different_sizes(tmp_path):
    with ContactSheet(tmp_path / "sheet.png", Overlay(), cells=2) as sink:
        sink.write(observation(0, size_wh=(64, 48)))
        sink.write(observation(1, size_wh=(48, 64), shade=200))
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (512, 1280, 3)


@pytest.mark.parametrize("size_wh", [(1, 3000), (3000, 1)])
def test_a_very_narrow_frame_is_shrunk_to_fit_a_contact_sheet(tmp_path, size_wh):
    with ContactSheet(tmp_path / "sheet.png", Overlay()) as sink:
        sink.write(observation(0, size_wh=size_wh))
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] <= 1312


def test_a_contact_sheet_without_frames_writes_no_file(tmp_path):
    with ContactSheet(tmp_path / "sheet.png", Overlay()):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SinkError, match="1 or more"):
        ContactSheet(tmp_path / "sheet.png", Overlay(), cells=0)


def test_the_log_has_a_row_for_each_region_and_for_each_frame_without_regions(tmp_path):
    path = tmp_path / "new" / "log.csv"
    with CsvLog(path) as sink:
        sink.write(observation(0, ["4", None]))
        sink.write(observation(1))
        rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))  # readable while the run continues
    assert [(row["frame"], row["region"], row["label"]) for row in rows] == [
        ("0", "0", "4"),
        ("0", "1", ""),
        ("1", "", ""),
    ]
    assert rows[0] == {
        "frame": "0",
        "time_s": "0.000",
        "name": "drawn",
        "region": "0",
        "label": "4",
        "confidence": "0.9000",
        "x1": "10",
        "y1": "20",
        "x2": "40",
        "y2": "60",
        "text": "4",
        "turn": "",
        "hand": "",
    }


def test_csv_and_json_contain_the_rotation_of_a_sheet(tmp_path):
    seen = observation(0, ["6"])
    upside_down = [replace(prediction, turn=Turn.UPSIDE_DOWN) for prediction in seen.predictions]
    turned = replace(seen, predictions=tuple(upside_down))
    with CsvLog(tmp_path / "log.csv") as sink:
        sink.write(turned)
    (row,) = csv.DictReader((tmp_path / "log.csv").open(encoding="utf-8", newline=""))
    assert (row["label"], row["turn"]) == ("6", "upside down")
    assert [region["turn"] for region in as_json(turned)["regions"]] == ["upside down"]
    assert "turn" not in as_json(seen)["regions"][0]


def test_the_log_escapes_unusual_labels_and_names(tmp_path):
    seen = observation(0, ['石头, "no"\n'])
    name = os.fsdecode(b"photo-\xff.png")
    seen = Observation(Frame(seen.frame.image_bgr, 0, 0.0, name), seen.task, seen.regions, seen.predictions, seen.text)
    with CsvLog(tmp_path / "log.csv") as sink:
        sink.write(seen)
    (row,) = csv.DictReader((tmp_path / "log.csv").open(encoding="utf-8", newline=""))
    assert row["label"] == '石头, "no"\n'
    assert row["name"].startswith("photo-")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the device that is always full")
def test_a_full_disk_raises_an_error():
    with pytest.raises(SinkError, match="Cannot write /dev/full"):
        CsvLog(Path("/dev/full")).__enter__()


class Recorder:
    """A sink that records its calls in `notes`, and fails in the given one: open or close."""

    def __init__(self, name: str, notes: list[str], fails: str = "") -> None:
        self.name, self.notes, self.fails = name, notes, fails

    def __enter__(self):
        if self.fails == "open":
            raise SinkError(f"{self.name} did not open")
        self.notes.append(f"open {self.name}")
        return self

    def __exit__(self, *_):
        self.close()

    def write(self, seen): ...

    def close(self):
        self.notes.append(f"close {self.name}")
        if self.fails == "close":
            raise SinkError(f"{self.name} did not close")


def test_all_sinks_are_closed_even_when_one_fails():
    notes = []
    sinks = [Recorder("a", notes), Recorder("b", notes, fails="close"), Recorder("c", notes)]
    with pytest.raises(SinkError, match="b did not close"), open_sinks(sinks) as opened:
        assert opened == tuple(sinks)
    assert notes == ["open a", "open b", "open c", "close c", "close b", "close a"]


def test_sinks_that_were_opened_are_closed_when_the_next_one_does_not_open():
    notes = []
    with pytest.raises(SinkError, match="b did not open"):
        with open_sinks([Recorder("a", notes), Recorder("b", notes, fails="open"), Recorder("c", notes)]):
            raise AssertionError("the run must not start")
    assert notes == ["open a", "close a"]


def test_an_interrupted_run_leaves_complete_files(tmp_path):
    video, log = tmp_path / "run.mp4", tmp_path / "log.csv"
    with pytest.raises(KeyboardInterrupt), open_sinks([VideoWriter(video, Overlay()), CsvLog(log)]) as opened:
        for sink in opened:
            sink.write(observation(0, ["5"]))
        raise KeyboardInterrupt
    assert len(frames_of(video)) == 1
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2
