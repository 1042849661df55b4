"""Faults while the program runs: failing cameras, full disks, killed programs."""

import contextlib
import errno
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer import loop, pipeline, values
from recognizer.classifiers.classifier import Classifier
from recognizer.cli import main
from recognizer.errors import ModelError, SinkError
from recognizer.finders.writing import WritingFinder
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline
from recognizer.registry import card
from recognizer.registry import store as registry_store
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples import sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.samples.verify import verify
from recognizer.sinks import csv_log, png
from recognizer.sinks import video as sinks_video
from recognizer.smoothing import Smoother
from recognizer.sources import decoding, newest_frame
from recognizer.sources import source as sources_source
from recognizer.sources.newest_frame import LiveSource
from recognizer.studio.scenes import Studio
from recognizer.subjects.paper import PAPER
from recognizer.system import files, paths
from recognizer.values import Box, Frame, Observation, Prediction, Region
from tests.helpers.drawing import as_frame, middle_of_card, paper, write
from tests.helpers.fakes import FakeClassifier, FakeFinder
from tests.helpers.machine import mounted
from tests.helpers.outputs import frames_of, rows_of
from tests.helpers.signs import record
from tests.helpers.waiting import HANG_S

KILLS = int(
    os.environ.get("RECOGNIZER_KILLS", "0")
)  # rounds of each test that kills programs; 0: the default of each test
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals of POSIX")


class SteppedCamera:
    """A camera that delivers the pictures of `give`, which returns when the reader waits for the next one."""

    def __init__(self) -> None:
        self._pictures: queue.Queue[np.ndarray | None] = queue.Queue()
        self._waiting = threading.Semaphore(0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._waiting.release()
        picture = self._pictures.get()
        return picture is not None, picture

    def give(self, picture: np.ndarray | None) -> None:
        assert self._waiting.acquire(timeout=HANG_S)
        self._pictures.put(picture)
        assert self._waiting.acquire(timeout=HANG_S)
        self._waiting.release()

    def end(self) -> None:
        self._pictures.put(None)

    def release(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def numbered(number: int) -> np.ndarray:
    return np.full((48, 64, 3), number, np.uint8)


def test_a_frame_is_at_most_two_intervals_old_when_a_slow_classifier_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera at 30 fps and a classifier that takes 200 ms. The clock advances only with the camera."""
    interval_s, slow_s = 1 / 30, 0.2
    clock, camera = Clock(), SteppedCamera()
    monkeypatch.setattr(newest_frame.time, "perf_counter", clock)
    taken_s = {0: clock.now_s}

    def run_camera_for(duration_s: float) -> None:
        until_s = clock.now_s + duration_s
        while clock.now_s + interval_s <= until_s:
            clock.now_s += interval_s
            number = len(taken_s)
            taken_s[number] = clock.now_s
            camera.give(numbered(number))
        clock.now_s = until_s

    class SlowClassifier(FakeClassifier):
        def predict(self, images: list[np.ndarray]) -> tuple[Prediction, ...]:
            run_camera_for(slow_s)
            return super().predict(images)

    region = Region(Box(4, 4, 40, 40), numbered(200)[..., 0])
    ages_s, shown_after_s, numbers = [], [], []
    with LiveSource("camera 0", camera, numbered(0), lambda: None, "gone") as source:  # type: ignore[arg-type]
        with Pipeline("digits", PAPER, FakeFinder([region]), SlowClassifier()) as slow:
            for frame in source:
                number = int(frame.image_bgr[0, 0, 0])
                numbers.append(number)
                ages_s.append(clock.now_s - taken_s[number])
                observation = slow.step(frame)
                assert observation.predictions[0].label == "7"
                shown_after_s.append(clock.now_s - taken_s[number])
                if len(numbers) == 20:
                    break
            camera.end()
            source.stop()
    assert max(ages_s) <= 2 * interval_s
    assert max(shown_after_s) <= 2 * interval_s + slow_s + 1e-9
    assert min(np.diff(numbers)) >= 5, "frames that arrive while the classifier runs are dropped, not queued"
    assert len(taken_s) > 5 * len(numbers)


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def sheet(size_wh: tuple[int, int]) -> np.ndarray:
    gray = paper(size_wh)
    write(gray, 4, (size_wh[0] / 2, size_wh[1] / 2), 0.5 * size_wh[1])
    return as_frame(gray).image_bgr


def gray_of(picture_bgr: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2GRAY)


def with_alpha(picture_bgr: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2BGRA)


def test_hands_are_detected_when_the_frame_size_changes(hand_models: ModelStore) -> None:
    """The camera changes its frame size while hands are tracked."""
    sizes = [(640, 480), (320, 240), (480, 640), (1280, 720), (160, 640), (640, 480)]
    with pipeline.open_pipeline("rps", hand_models, default_samples(), smooth=True) as signs:
        found = []
        for part, size_wh in enumerate(sizes):
            studio = Studio("rps", size_wh)
            for step in range(6):
                index = middle_of_card(0) + step
                frame = Frame(studio.frame(index).image_bgr, 6 * part + step, (6 * part + step) / 30, "camera 0")
                found.append(len(signs.step(frame).regions))
    assert [found[6 * part + 5] for part in (0, 1, 3, 5)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "invalid",
    [
        [np.zeros((240, 320, 3), np.uint8)] * 3,
        [sheet((640, 480)), sheet((160, 120)), sheet((240, 320))],
        [noise((240, 320)), noise((1, 320)), noise((240, 1))],
        [None, None, None],
        [sheet((320, 240))] * 3,
        [gray_of(sheet((320, 240))), gray_of(sheet((320, 240))).astype(np.uint16) << 8, with_alpha(sheet((320, 240)))],
    ],
    ids=["black", "another size", "noise and strips", "no pictures", "frozen", "other colours"],
)
def test_a_run_continues_through_invalid_camera_frames(
    invalid: list[np.ndarray | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(newest_frame, "READ_PAUSE_S", 0.0)
    for name in ("SILENCE_S", "GONE_S"):
        monkeypatch.setattr(newest_frame, name, HANG_S)
    camera = SteppedCamera()
    live = LiveSource("camera 0", camera, sheet((320, 240)), lambda: None, "gone")  # type: ignore[arg-type]
    monkeypatch.setattr(loop, "open_source", lambda *_, **__: live)
    labels: list[tuple[str, ...]] = []
    next_pictures = iter([*invalid, *[sheet((320, 240))] * 3])

    class Stepping(FakeClassifier):
        """Makes the camera deliver its next picture whenever a frame is classified."""

        def predict(self, images: list[np.ndarray]) -> tuple[Prediction, ...]:
            predictions = super().predict(images)
            labels.append(tuple(str(prediction.label) for prediction in predictions))
            for picture in next_pictures:
                camera.give(picture)
                if picture is not None:
                    break
            else:
                camera.end()
                live.stop()
            return predictions

    monkeypatch.setattr(
        pipeline,
        "open_pipeline",
        lambda task, models, samples, **named: Pipeline(
            task, PAPER, WritingFinder(video=True), Stepping(["4"]), Smoother()
        ),
    )
    no_models = str(tmp_path / "models")
    assert main(["--headless", "--output", str(tmp_path), "--source", "0", "--models", no_models]) == 0
    assert labels[0] == labels[-1] == ("4",)
    seen = frames_of(tmp_path / "annotated.mp4")
    assert seen == len({row["frame"] for row in rows_of(tmp_path)}) == len(labels)


STATES = [
    "a model opens",
    "the camera opens",
    "a file opens",
    "a frame arrives",
    "a frame is processed",
    "a frame is written",
]


def lines_when_stopped(state: str, folder: Path) -> list[str]:
    """What a run prints that Ctrl-C has ended in that state, after its first frame."""
    if state not in STATES[3:]:
        return []
    names = (loop.VIDEO_NAME, loop.SHEET_NAME, loop.CSV_NAME)
    return ["Stopped. The frames until then are kept.", *(f"Wrote {folder / name}" for name in names)]


@pytest.mark.parametrize("state", STATES)
def test_ctrl_c_exits_with_130_in_every_state_and_closes_everything(
    state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[str] = []

    def interrupted_in(here: str, frame: Frame | None = None) -> None:
        if here == state and (frame is None or frame.index == 2):
            raise KeyboardInterrupt

    class Camera(sources_source.Source):
        def __iter__(self) -> Iterator[Frame]:
            for index in range(4):
                frame = Frame(sheet((320, 240)), index, index / 30, self.name)
                interrupted_in("a frame arrives", frame)
                yield frame

        def close(self) -> None:
            closed.append("camera")

    class Finder(WritingFinder):
        def find(self, frame: Frame) -> tuple[Region, ...]:
            interrupted_in("a frame is processed", frame)
            return super().find(frame)

        def close(self) -> None:
            closed.append("finder")

    class Log(csv_log.CsvLog):
        def __enter__(self) -> "Log":
            interrupted_in("a file opens")
            super().__enter__()
            return self

        def write(self, observation: values.Observation) -> None:
            interrupted_in("a frame is written", observation.frame)
            super().write(observation)

        def close(self) -> None:
            closed.append("log")
            super().close()

    def open_pipeline(task: str, *_: object, **__: object) -> Pipeline:
        interrupted_in("a model opens")
        return Pipeline(task, PAPER, Finder(), FakeClassifier(["4"]))

    def open_source(*_: object, **__: object) -> Camera:
        interrupted_in("the camera opens")
        return Camera("camera 0", live=True)

    monkeypatch.setattr(pipeline, "open_pipeline", open_pipeline)
    monkeypatch.setattr(loop, "open_source", open_source)
    monkeypatch.setattr(loop, "CsvLog", Log)
    assert main(["--headless", "--output", str(tmp_path), "--source", "0"]) == 130
    printed = capsys.readouterr()
    assert printed.err == ""
    told = lines_when_stopped(state, tmp_path)
    assert printed.out.splitlines()[: len(told)] == told
    opened = {"a model opens": [], "the camera opens": ["finder"], "a file opens": ["camera", "finder"]}
    assert sorted(closed) == opened.get(state, ["camera", "finder", "log"])
    if state in STATES[3:]:
        assert frames_of(tmp_path / "annotated.mp4") >= 2
        assert len(rows_of(tmp_path)) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_ctrl_c_ignored_by_a_library_ends_the_run_at_the_next_frame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Suppressing(WritingFinder):
        def find(self, frame: Frame) -> tuple[Region, ...]:
            if frame.index == 2:
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            return super().find(frame)

    monkeypatch.setattr(
        pipeline, "open_pipeline", lambda *_, **__: Pipeline("digits", PAPER, Suppressing(), FakeClassifier())
    )
    words = ["--headless", "--source", "studio", "--max-frames", "9", "--output", str(tmp_path)]
    assert main(words) == 130
    assert len({row["frame"] for row in rows_of(tmp_path)}) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_during_an_import_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_pipeline(*_: object, **__: object) -> Pipeline:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as pressed:
            raise ImportError("initialization failed") from pressed
        raise AssertionError

    monkeypatch.setattr(pipeline, "open_pipeline", open_pipeline)
    assert main(["--headless", "--source", "studio", "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == ""


def ran(*words: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the recognizer in another process, after the given Python code."""
    start = f"{code}\nimport runpy, sys\nrunpy.run_module('recognizer', run_name='__main__', alter_sys=True)"
    return subprocess.run(
        [sys.executable, "-c", start, *words],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT), **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG_S,
    )


def test_ctrl_c_while_the_hand_networks_open_prints_nothing(hand_models: ModelStore, tmp_path: Path) -> None:
    stopped = """
import recognizer.finders.hands as hands
real = hands.HandNetworks
def opened(*words):
    real(*words)
    raise KeyboardInterrupt
hands.HandNetworks = opened
"""
    ended = ran("--task", "rps", "--source", "studio", "--headless", "--output", str(tmp_path), code=stopped)
    assert (ended.returncode, ended.stderr) == (130, "")


PRESSED_AT_IMPORT = """
import signal, sys
class Pressing:
    def find_spec(self, name, path=None, target=None):
        if name == "recognizer.cli":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Pressing())
"""
PRESSED_AT_EXIT = "import atexit, signal; atexit.register(signal.raise_signal, signal.SIGINT)"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full of Linux")
@pytest.mark.parametrize("words", ["tasks list", "read nope.png", "read {picture}"])
def test_output_to_a_full_disk_is_one_line(words: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((48, 64, 3), 200, np.uint8))
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "recognizer", *words.format(picture=tmp_path / "blank.png").split()],
            env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANG_S,
        )
    missing = "nope.png is not there. Check its name and folder.\n"
    full_disk = "The output cannot be written: No space left on device. Free some space.\n"
    assert (ended.returncode, ended.stderr) == ((1, missing) if words == "read nope.png" else (2, full_disk))


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs /dev/stdin")
def test_a_picture_is_read_from_a_pipe(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((48, 64, 3), 200, np.uint8))
    ended = subprocess.run(
        [sys.executable, "-m", "recognizer", "read", "/dev/stdin"],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
        input=(tmp_path / "blank.png").read_bytes(),
        capture_output=True,
        timeout=HANG_S,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"/dev/stdin: no label\n", b"")


@POSIX
@pytest.mark.parametrize("code", [PRESSED_AT_IMPORT, PRESSED_AT_EXIT], ids=["before", "after"])
@pytest.mark.parametrize("words", ["tasks", "tasks list --help"])
def test_ctrl_c_before_and_after_the_command_prints_nothing(code: str, words: str) -> None:
    ended = ran(*words.split(), code=code)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")


@POSIX
@pytest.mark.parametrize("task", ["digits", "rps"])
def test_ctrl_c_at_random_moments_exits_with_130_and_leaves_complete_files(
    task: str, hand_models: ModelStore, tmp_path: Path
) -> None:
    rng = np.random.default_rng(len(task))
    start = "import runpy, cv2; from recognizer import cli; print('started', flush=True)"
    start += "; runpy.run_module('recognizer', run_name='__main__', alter_sys=True)"
    words = ["--task", task, "--source", "studio", "--headless", "--max-frames", "100000", "--output", str(tmp_path)]
    for _ in range(KILLS or 1):
        child = subprocess.Popen(
            [sys.executable, "-c", start, *words],
            env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # a shell ignores SIGINT in background jobs
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        time.sleep(rng.uniform(0.0, 2.0))
        child.send_signal(signal.SIGINT)
        try:
            _, errors = child.communicate(timeout=HANG_S)
        finally:
            child.kill()
        assert child.returncode == 130, errors.decode()
        assert [name for name in names_in(tmp_path) if name.startswith(".")] == []


def stopped_registry(*words: str) -> object:
    command = [sys.executable, "-m", "tests.helpers.stopped_registry", *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, cwd=paths.ROOT)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@POSIX
@pytest.mark.parametrize(
    ("operation", "before", "after"), [("publish", "second", "new"), ("rollback", "second", "first")]
)
def test_a_program_killed_at_any_step_leaves_the_old_or_the_new_model(
    tmp_path: Path, operation: str, before: str, after: str
) -> None:
    found = stopped_registry("steps", operation, str(tmp_path))
    assert isinstance(found, list)
    assert found[-1]["status"] == 0
    assert len(found) > 4
    assert found[0]["in use"] == before
    assert found[-1]["in use"] == after
    assert {left["in use"] for left in found} == {before, after}
    assert {left["next"] for left in found} == {"next"}


@POSIX
def test_an_interrupted_deletion_leaves_a_complete_version_or_none(tmp_path: Path) -> None:
    found = stopped_registry("steps", "delete", str(tmp_path))
    assert isinstance(found, list)
    assert {left["versions"] for left in found} == {1, 2}
    assert {left["in use"] for left in found} == {"second"}


@POSIX
def test_kill_9_while_publishing_leaves_a_complete_model(tmp_path: Path) -> None:
    found = stopped_registry("kill", str(KILLS or 25), str(tmp_path))
    assert isinstance(found, dict)
    assert [note for note in found["seen"] if not note.isdecimal()] == []
    assert found["lost"] == 0
    assert int(found["seen"][-1]) > 5


def test_concurrent_publishing_loses_no_version(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.stopped_registry", "publish", "25", str(tmp_path)]
    children = [subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait(HANG_S) for child in children] == [0, 0]
    pointer = json.loads((tmp_path / "signs" / registry_store.CURRENT).read_text())
    assert len({pointer["version"], *pointer["previous"]}) == 50
    assert len(open_models(tmp_path).versions("signs")) == 50


def publish(models: Path, size: int = 100) -> Path:
    with open_models(models).publishing("signs") as draft:
        (draft / "model.tflite").write_bytes(bytes(size))
        (draft / card.CARD).write_text('{"labels": ["ok"]}')
    return open_models(models).current("signs")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("filler", [1 << 20, 0], ids=["a network", "the pointer"])
def test_a_full_disk_while_publishing_keeps_the_old_model(small_disk: Path, filler: int) -> None:
    before = publish(small_disk)
    before_names = names_in(small_disk / "signs")
    with pytest.raises(ModelError, match="signs cannot be written .*No space left on device.*Free some space"):
        with open_models(small_disk).publishing("signs") as draft:
            (draft / card.CARD).write_text('{"labels": ["ok"]}')
            with contextlib.suppress(OSError) if not filler else contextlib.nullcontext():
                with open(draft / "model.tflite", "wb", buffering=0) as network:
                    while network.write(bytes(filler or 4096)):  # until no page is free
                        pass
    assert open_models(small_disk).current("signs") == before
    assert names_in(small_disk / "signs") == before_names
    assert publish(small_disk) != before


def test_leftovers_of_killed_programs_are_deleted_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = publish(tmp_path)
    left = [".draft-killed", ".deleted-20200101-000000", ".current.json-killed"]
    for name in left[:2]:
        (tmp_path / "signs" / name).mkdir()
        (tmp_path / "signs" / name / "model.tflite").write_bytes(b"half")
    (tmp_path / "signs" / left[2]).write_bytes(b"{")
    (tmp_path / "signs" / ".of-the-user").mkdir()
    publish(tmp_path)
    assert set(left) < set(names_in(tmp_path / "signs")), "recent ones stay: another program may be writing them"
    now_s = time.time()
    monkeypatch.setattr(registry_store.time, "time", lambda: now_s + 25 * 3600)
    newest = publish(tmp_path)
    assert names_in(tmp_path / "signs") == sorted(
        [".of-the-user", "current.json", *open_models(tmp_path).versions("signs")]
    )
    assert {version.name, newest.name} < set(open_models(tmp_path).versions("signs"))


def noisy(index: int) -> Observation:
    """Noise that no codec can compress."""
    image_bgr = np.random.default_rng(index).integers(0, 256, (120, 160, 3), np.uint8)
    return Observation(Frame(image_bgr, index, index / 30, "drawn"), "digits")


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_recorded_until_the_disk_is_full_can_be_played(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks_video, "DISK_RESERVE", 1 << 20)  # FFmpeg buffers a quarter of that in memory
    with mounted(tmp_path / "disk", "3m") as disk:
        video = disk / f"run{suffix}"
        index = 0
        with pytest.raises(SinkError, match="run.* No space left on device.*free some space"):
            with sinks_video.VideoWriter(video, Overlay(help_line="")) as sink:
                while index < 1000:
                    sink.write(noisy(index))
                    index += 1
        assert 3 < index == frames_of(video)
        assert names_in(disk) == [video.name]


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_with_lost_frames_is_reported(
    small_disk: Path,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Writes fail although the check of free space finds enough, as with a used-up quota."""
    monkeypatch.setattr(sinks_video, "DISK_RESERVE", 0)
    decoding.silence_decoders()
    with pytest.raises(SinkError, match="could not be finished"):
        with sinks_video.VideoWriter(small_disk / f"run{suffix}", Overlay(help_line="")) as sink:
            for index in range(60):
                sink.write(noisy(index))
    assert names_in(small_disk) == []


def test_a_full_disk_keeps_the_old_contact_sheet(small_disk: Path) -> None:
    path = small_disk / "sheet.png"
    png.write_png(path, np.zeros((4, 4, 3), np.uint8))
    before = path.read_bytes()
    with pytest.raises(SinkError, match="sheet.png.*No space left on device"):
        png.write_png(path, noise((400, 400)))
    assert path.read_bytes() == before
    assert names_in(small_disk) == [path.name]


def test_a_read_only_model_folder_can_be_read_but_not_changed(small_disk: Path) -> None:
    publish(small_disk)
    current = publish(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for change in (publish, lambda models: open_models(models).rollback("signs")):
        with pytest.raises(ModelError, match="signs cannot be written .*Read-only file system.*--models"):
            change(small_disk)
    assert open_models(small_disk).current("signs") == current


def test_a_new_version_is_deleted_if_current_json_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(tmp_path)
    before_names = names_in(tmp_path / "signs")
    monkeypatch.setattr(files, "replace", lambda *_: _raise(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ModelError, match="No space left"):
        publish(tmp_path)
    assert names_in(tmp_path / "signs") == before_names
    assert open_models(tmp_path).current("signs") == before


def test_ctrl_c_after_replacing_current_json_keeps_the_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path)
    real = files.replace

    def replace(source: Path, target: Path) -> None:
        real(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path)
    assert names_in(open_models(tmp_path).current("signs")) == ["card.json", "model.tflite"]


def _raise(error: BaseException) -> None:
    raise error


def test_publishing_and_rollback_work_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = []
    for second in (5_000_000, 4_000_000, 4_000_000, 9_000_000, 0):
        monkeypatch.setattr(registry_store.time, "gmtime", lambda second=second: time.localtime(second))
        published.append(publish(tmp_path))
        assert open_models(tmp_path).current("signs") == published[-1]
    assert len(set(published)) == 5
    for before in reversed(published[:-1]):
        open_models(tmp_path).rollback("signs")
        assert open_models(tmp_path).current("signs") == before


def test_smoothing_survives_clock_jumps() -> None:
    smoother = Smoother()
    region = Region(Box(10, 10, 40, 60), np.full((50, 30), 255, np.uint8))
    seven = Prediction("7", 0.9, (("7", 0.9),), region.crop)
    one = Prediction("1", 0.9, (("1", 0.9),), region.crop)
    for time_s in (0.0, 0.03, 5000.0, 5000.03, -200.0, -199.97, 0.0, 0.0):
        assert len(smoother.update(time_s, (region,), (seven,))) == 1
    for step in range(90):
        (shown,) = smoother.update(3 + step / 30, (region,), (one,))
    assert shown.label == "1"


def start_training(captures: Path, models: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "training", "learn", "signs", "--samples", str(captures)]
    return subprocess.Popen(
        [*command, "--models", str(models)],
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
@POSIX
def test_kill_9_while_training_leaves_complete_samples_and_models(tmp_path: Path) -> None:
    captures, models = tmp_path / "captures", tmp_path / "models"
    store = record(captures, {"fist": 6, "five": 6})
    began_s = time.monotonic()
    complete = start_training(captures, models)
    assert complete.wait(HANG_S) == 0, complete.stderr
    took_s = time.monotonic() - began_s
    rng = np.random.default_rng(0)
    for _ in range(KILLS or 2):
        record(captures, {"fist": 1}, seed=int(rng.integers(1 << 30)))
        child = start_training(captures, models)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(rng.uniform(0.3, 1.0) * took_s)
        child.send_signal(signal.SIGKILL)
        child.wait(HANG_S)
        assert verify(store) == []
        Classifier(open_models(models).current("signs"), "hand-pose-1")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_unencodable_characters_are_printed_as_escapes(encoding: str, tmp_path: Path) -> None:
    Samples(tmp_path).create_task("grüße", "hand", ["שלום"])

    def output_of(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), "RECOGNIZER_CAPTURES": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, "-m", "recognizer", *words],
            env={**environment, "PYTHONIOENCODING": encoding},
            capture_output=True,
            timeout=HANG_S,
        )
        assert ran.returncode == 0, ran.stderr.decode(encoding)
        return ran.stdout.decode(encoding)

    assert ("שלום" if encoding == "utf-8" else r"\u05e9") in output_of("samples", "list")
    assert "שלום" in json.dumps(json.loads(output_of("samples", "list", "--json").splitlines()[0]), ensure_ascii=False)


def test_file_names_that_cannot_be_encoded_raise_an_error(tmp_path: Path) -> None:
    """The file system encoding of the child process is ASCII."""
    store = Samples(tmp_path)
    store.create_task("signs", "paper", ["שלום", "ok"])
    region = Region(Box(10, 10, 40, 60), np.full((50, 30), 255, np.uint8))
    store.add("signs", "שלום", region, as_frame(paper()), "first", "drawn")
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "RECOGNIZER_CAPTURES": str(tmp_path)}
    for words in (["samples", "verify", "--set-aside"], ["samples", "export", str(tmp_path / "x.zip")]):
        ended = ran(*words, **ascii_locale)
        assert ended.returncode == 2, ended
        assert "cannot be a file name in the encoding ascii. Set PYTHONUTF8=1" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    assert verify(store) == []


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two locales: de_DE has a decimal comma, and in tr_TR the capital of i is not I."""
    folder = tmp_path_factory.mktemp("languages")
    for name in ("de_DE", "tr_TR"):
        try:
            command = ["localedef", "-i", name, "-f", "UTF-8", str(folder / f"{name}.UTF-8")]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs localedef and its languages: {error}")
    return folder


@pytest.mark.slow
def test_hand_detection_does_not_depend_on_the_locale(languages: Path, hand_models: ModelStore, tmp_path: Path) -> None:
    """Qt sets the process's locale when a window opens."""
    code = "import locale; locale.setlocale(locale.LC_ALL, '')"
    read = []
    for language in ("C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8"):
        words = ["--task", "rps", "--source", "studio", "--headless", "--max-frames", "8"]
        words += ["--output", str(tmp_path / language)]
        ended = ran(*words, code=code, LOCPATH=str(languages), LC_ALL=language)
        assert (ended.returncode, ended.stderr) == (0, "")
        read.append(rows_of(tmp_path / language))
    assert read[0] == read[1] == read[2]


@pytest.mark.slow
def test_a_writable_home_folder_is_not_needed(hand_models: ModelStore, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "file" / "home")
    (tmp_path / "file").touch()  # a file, so that no folder can be created below it
    unwritable = dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"), nowhere)
    output = str(tmp_path / "output")
    ended = ran(
        "--task", "rps", "--source", "studio", "--headless", "--max-frames", "3", "--output", output, **unwritable
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    captures, models = tmp_path / "captures", tmp_path / "models"
    record(captures, {"fist": 2, "five": 2})
    child = start_training(captures, models, **unwritable)
    assert child.wait(HANG_S) == 0, child.stderr and child.stderr.read()


def test_sample_and_model_folders_can_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "mes données 石头 ✎"
    captures, models = home / "échantillons", home / "les modèles"
    record(captures, {"fist": 2, "five": 2})
    child = start_training(captures, models)
    assert child.wait(HANG_S) == 0, child.stderr and child.stderr.read()
    Classifier(open_models(models).current("signs"), "hand-pose-1")
    assert verify(Samples(captures)) == []


def test_samples_stay_in_recording_order_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Samples(tmp_path)
    store.create_task("signs", "paper", ["ok"])
    region = Region(Box(10, 10, 40, 60), np.full((50, 30), 255, np.uint8))
    taken = []
    for year in (2030, 1970, 2030, 2001):
        monkeypatch.setattr(sample, "datetime", FixedDate(year))
        taken.append(store.add("signs", "ok", region, as_frame(paper()), sample.new_session(), "drawn").path)
    monkeypatch.undo()
    assert [stored.path for stored in Samples(tmp_path).read("signs")] == taken
    assert len({stored.session for stored in store.read("signs")}) == 4
    assert verify(store) == []


class FixedDate:
    """Replaces `datetime`: now() is always the first of January of that year."""

    def __init__(self, year: int) -> None:
        self._now = datetime(year, 1, 1, tzinfo=UTC)

    def now(self, zone: object) -> datetime:
        return self._now


def test_file_names_can_have_spaces_and_any_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], published_models: ModelStore
) -> None:
    home = tmp_path / "mes données 石头 ✎"
    home.mkdir()
    models = home / "les modèles"
    models.symlink_to(published_models.folder, target_is_directory=True)
    (home / "päper 1.png").write_bytes(cv2.imencode(".png", sheet((320, 240)))[1].tobytes())
    monkeypatch.chdir(home)
    options = ["--models", "les modèles"]
    assert main(["read", "päper 1.png", "--save", "out put/ü", *options]) == 0
    assert capsys.readouterr().out.startswith("päper 1.png: 4")
    assert len(names_in(home / "out put" / "ü")) == 1
    for source in ("päper 1.png", "out put/ü", str(home / "réc 1" / "annotated.mp4")):
        output = home / ("réc 1" if source == "päper 1.png" else "réc 2")
        assert main(["--headless", "--source", source, "--output", str(output), *options]) == 0
        assert frames_of(output / "annotated.mp4") == 1
