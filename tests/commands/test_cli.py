import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer import loop, pipeline
from recognizer.cli import main
from recognizer.commands import read
from recognizer.errors import SourceError
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import Pipeline
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.studio.scenes import SCENES
from recognizer.subjects.paper import PAPER
from recognizer.system import paths
from tests.helpers.drawing import paper, write
from tests.helpers.fakes import FakeClassifier
from tests.helpers.outputs import frames_of, rows_of
from tests.helpers.waiting import HANG_S

SMALL = ["--size", "320x240"]


@pytest.fixture
def no_model_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the pipeline with one that classifies each region as a 7."""

    def open_pipeline(
        task: str, models: ModelStore, samples: Samples, *, smooth: bool, hands: object = None
    ) -> Pipeline:
        return Pipeline(task, PAPER, WritingFinder(), FakeClassifier(["7"]))

    for module in (pipeline, read):
        monkeypatch.setattr(module, "open_pipeline", open_pipeline)


def picture(path: Path, digits: int = 1) -> Path:
    """Write a picture file with that number of digits. Return its path."""
    gray = paper((320, 240))
    for number in range(digits):
        write(gray, 7, (70 + 90 * number, 120), 80)
    assert cv2.imwrite(str(path), gray)
    return path


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only printed line, which is on stderr."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def in_python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the code in another process, with the words as its arguments."""
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=HANG_S)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--help"], ["--source", "--headless", "--max-frames", "read ", "doctor", "Space freezes", ", ".join(SCENES)]),
        (["read", "--help"], ["--json", "--save", "--task"]),
        (["doctor", "--help"], ["--models"]),
    ],
)
def test_help_lists_the_commands_and_keys(
    words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert [word for word in expected if word not in printed] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--size", "huge"], "--size huge is not WIDTHxHEIGHT. Try 1280x720."),
        (["--size", "1280"], "--size 1280 is not WIDTHxHEIGHT"),
        (["--size=-3x20"], "--size -3x20 is not WIDTHxHEIGHT"),
        (["--size", "20x10"], "--size 20x10 is not between"),
        (["--fps", "0"], "--fps 0 is not between"),
        (["--max-frames", "0"], "--max-frames 0 is not at least 1"),
        (["--source", "studio:beach", "--headless"], "There is no studio scene 'beach'"),
        (["--source", "no-such-file.mp4", "--headless"], "no-such-file.mp4"),
    ],
)
@pytest.mark.usefixtures("no_model_needed")
def test_an_invalid_setting_prints_one_line_and_exits_with_2(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert expected in one_line(capsys)


@pytest.mark.parametrize("words", [["--source", "studio", "--headless"], ["read", "any.png"]])
def test_a_missing_model_prints_one_line_and_exits_with_2(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--models", str(tmp_path)]) == 2
    line = one_line(capsys)
    assert "There is no model for the task digits" in line
    assert str(tmp_path) in line


def test_the_models_option_overrides_the_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOGNIZER_MODELS", str(tmp_path / "named"))
    assert main(["read", "any.png"]) == 2
    assert str(tmp_path / "named") in one_line(capsys)
    assert main(["read", "any.png", "--models", str(tmp_path / "flag")]) == 2
    assert str(tmp_path / "flag") in one_line(capsys)


@pytest.mark.parametrize("words", [["--task", "chess"], ["read", "a.png", "--task", "chess"]])
def test_the_error_of_an_unknown_task_lists_the_tasks(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert one_line(capsys).startswith("There is no task 'chess'. Tasks: digits, letters, rps")


@pytest.mark.parametrize("words", [["--nonsense"], ["read"], ["read", "a.png", "--nonsense"]])
def test_invalid_arguments_exit_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "See: python -m recognizer" in one_line(capsys)


@pytest.mark.usefixtures("no_model_needed")
def test_read_prints_json_and_an_unreadable_picture_does_not_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two, blank = picture(tmp_path / "zwölf.png", 2), picture(tmp_path / "blank.png", 0)
    broken, missing = tmp_path / "broken.png", tmp_path / "missing.png"
    broken.write_bytes(b"\x89PNG but no more")
    assert main(["read", "--json", *map(str, (missing, two, broken, blank))]) == 1
    printed = capsys.readouterr()
    absent, read, damaged, empty = (json.loads(line) for line in printed.out.splitlines())
    assert set(absent) == set(damaged) == {"file", "error"}
    assert (absent["file"], damaged["file"]) == (str(missing), str(broken))
    assert "missing.png" in absent["error"]
    assert "zwölf" in printed.out  # printed as ö, not as \u00f6
    assert (read["file"], read["text"]) == (str(two), "77")
    assert [set(region) for region in read["regions"]] == [{"label", "confidence", "top", "box"}] * 2
    left, right = read["regions"]
    assert (left["label"], left["confidence"]) == ("7", 0.9)
    assert left["box"][0] < left["box"][2] < right["box"][0] < right["box"][2]
    assert empty == {"file": str(blank), "text": "", "regions": []}


def test_a_rejected_region_has_a_null_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rejecting = Pipeline("digits", PAPER, WritingFinder(), FakeClassifier([None], [0.3]))
    monkeypatch.setattr(read, "open_pipeline", lambda task, models, samples, **named: rejecting)
    assert main(["read", "--json", str(picture(tmp_path / "a.png"))]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["text"] == ""
    assert [(region["label"], region["confidence"]) for region in result["regions"]] == [(None, 0.3)]


@pytest.mark.usefixtures("no_model_needed")
def test_read_prints_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two, blank = picture(tmp_path / "two.png", 2), picture(tmp_path / "blank.png", 0)
    assert main(["read", str(two), str(blank)]) == 0
    assert capsys.readouterr().out == f"{two}: 77\n{blank}: no label\n"
    assert main(["read", str(tmp_path / "missing.png"), str(two)]) == 1
    printed = capsys.readouterr()
    assert printed.out == f"{two}: 77\n"
    assert printed.err.count("\n") == 1


@pytest.mark.usefixtures("no_model_needed")
def test_annotated_pictures_with_the_same_name_are_all_saved(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(str(picture(tmp_path / folder / "same.png")))
    assert main(["read", *files, "--save", str(tmp_path / "out")]) == 0
    saved = list((tmp_path / "out").iterdir())
    assert len(saved) == 2
    for path in saved:
        annotated = cv2.imread(str(path))
        assert annotated.shape == (240, 320, 3)
        assert np.ptp(annotated, axis=2).max() > 50  # a coloured box is drawn on the grey picture


@pytest.mark.usefixtures("no_model_needed")
def test_pictures_that_cannot_be_saved_print_one_line_and_exit_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert main(["read", str(picture(tmp_path / "a.png")), "--save", str(tmp_path / "taken"), "--json"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("no_model_needed")
def test_a_run_without_a_screen_writes_three_files_and_prints_their_paths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert main(["--source", "studio", "--headless", "--max-frames", "4", "--output", str(output), *SMALL]) == 0
    written = ["annotated.mp4", "contact-sheet.png", "predictions.csv"]
    assert capsys.readouterr().out.splitlines() == [f"Wrote {output / name}" for name in written]
    assert sorted(path.name for path in output.iterdir()) == written
    assert frames_of(output / "annotated.mp4") == 4
    assert cv2.imread(str(output / "contact-sheet.png")) is not None
    assert sorted({row["frame"] for row in rows_of(output)}) == ["0", "1", "2", "3"]


@pytest.mark.usefixtures("no_model_needed")
def test_a_headless_run_of_an_endless_source_stops_after_90_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop, "has_screen", lambda: False)
    monkeypatch.setattr(loop, "default_source", lambda: ("studio:blank", "No camera found: showing the studio."))
    assert main(["--output", str(tmp_path), "--size", "160x160"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["No camera found: showing the studio.", "No screen found: running without a window."]
    assert len({row["frame"] for row in rows_of(tmp_path)}) == 90


@pytest.mark.usefixtures("no_model_needed")
def test_a_headless_run_processes_a_video_to_its_end(tmp_path: Path) -> None:
    video = cv2.VideoWriter(str(tmp_path / "in.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (160, 120))
    gray = paper((160, 120))
    write(gray, 7, (80, 60), 70)
    for _ in range(95):
        video.write(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    video.release()
    output = tmp_path / "out"
    assert main(["--source", str(tmp_path / "in.mp4"), "--headless", "--output", str(output)]) == 0
    rows = rows_of(output)
    assert [row["frame"] for row in rows] == [str(index) for index in range(95)]
    assert {row["text"] for row in rows} == {"7"}
    assert frames_of(output / "annotated.mp4") == 95


@pytest.mark.usefixtures("no_model_needed")
def test_a_picture_folder_source_is_in_natural_order(tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name, digits in (("10.png", 3), ("2.png", 1), ("1.png", 0)):
        picture(folder / name, digits)
    assert main(["--source", str(folder), "--headless", "--output", str(output)]) == 0
    read = {Path(row["name"]).name: row["text"] for row in rows_of(output)}
    assert list(read.items()) == [("1.png", ""), ("2.png", "7"), ("10.png", "777")]


@pytest.mark.usefixtures("no_model_needed")
def test_an_unwritable_output_folder_prints_one_line_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    words = ["--source", "studio", "--headless", "--max-frames", "1", *SMALL]
    assert main([*words, "--output", str(tmp_path / "taken")]) == 2
    assert str(tmp_path / "taken") in one_line(capsys)


class Recorder:
    """A sink that records the frame numbers, and raises the given error on a write."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.frames: list[int] = []
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, observation) -> None:
        self.frames.append(observation.frame.index)
        if self.error:
            raise self.error

    def notify(self, notice: str) -> None:
        self.notice = notice

    def collect(self) -> None:
        time.sleep(0.001)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (KeyboardInterrupt(), 130), (SourceError("The camera is gone."), 2)]
)
@pytest.mark.usefixtures("no_model_needed")
def test_the_window_is_closed_however_a_run_ends(
    error: BaseException | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Recorder(error)
    monkeypatch.setattr(loop, "has_screen", lambda: True)
    monkeypatch.setattr(loop, "Window", lambda *_, **__: window)
    assert main(["--source", "studio:blank", "--max-frames", "2", "--size", "160x160", "--fps", "240"]) == code
    assert window.closed
    assert len(window.frames) == (1 if error else 2)
    assert capsys.readouterr().err == ("The camera is gone.\n" if code == 2 else "")


@pytest.mark.parametrize("words", [["--help"], ["doctor", "--help"]])
def test_help_imports_no_heavy_package(words: list[str]) -> None:
    done = in_python(
        "import sys\n"
        "from recognizer.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    heavy = {'numpy', 'cv2', 'tensorflow', 'keras', 'mediapipe', 'ai_edge_litert'}\n"
        "    print('loaded', sorted(heavy & set(sys.modules)))\n",
        *words,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_a_live_run_needs_neither_tensorflow_nor_mediapipe(tmp_path: Path, published_models: ModelStore) -> None:
    done = in_python(
        "import sys\n"
        "from recognizer.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'mediapipe', 'pandas', 'sklearn', 'matplotlib', 'training'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)), 'exit', code)\n",
        *["--source", "studio", "--headless", "--max-frames", "2", "--output", str(tmp_path), *SMALL],
        *["--models", str(published_models.folder)],
    )
    assert done.stdout.splitlines()[-1] == "loaded [] exit 0", done.stderr


def test_an_expected_error_prints_no_traceback(tmp_path: Path) -> None:
    words = ["read", "any.png", "--models", str(tmp_path)]
    done = in_python("import runpy; runpy.run_module('recognizer', run_name='__main__')", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "There is no model for the task digits" in done.stderr
