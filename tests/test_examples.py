"""Each file of examples/ runs with the command in its docstring. The studio replaces the camera."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recognizer.registry.store import ModelStore
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from tests.helpers.waiting import HANG_S

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (REPOSITORY / "examples").glob("*.py"))


def run_example(name: str, *words: str, models: Path | None = None) -> str:
    """Run an example. Return its stdout. Fails if it exits with an error or prints to stderr."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    if models is not None:
        environment["RECOGNIZER_MODELS"] = str(models)
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=HANG_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_run_here() -> None:
    run = re.findall(r'run_example\("(\w+)"', Path(__file__).read_text(encoding="utf-8"))
    assert sorted(set(run)) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_one_short_file_whose_docstring_has_its_command(name: str) -> None:
    text = (REPOSITORY / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert f"\npython -m examples.{name}" in text
    assert 'if __name__ == "__main__":' in text
    assert len(text.splitlines()) < 100


@pytest.mark.usefixtures("published_models")
def test_the_example_reads_a_picture(tmp_path: Path) -> None:
    write_png(tmp_path / "sheet.png", Studio("digits").frame(36).image_bgr)
    lines = run_example("read_a_picture", str(tmp_path / "sheet.png")).splitlines()
    assert lines[0] == "006"
    assert [line.partition(" ")[0] for line in lines[1:]] == ["0", "0", "6"]


def test_an_unreadable_picture_is_reported_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.read_a_picture", str(tmp_path / "none.png")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("published_models")
def test_the_example_prints_the_labels_of_a_camera() -> None:
    lines = run_example("follow_a_camera", "--source", "studio", "--frames", "30").splitlines()
    assert lines[0].split() == ["0.0", "s", "006"]


@pytest.mark.usefixtures("published_models")
def test_a_text_that_is_shown_for_a_second_beeps_once() -> None:
    assert run_example("sink_of_your_own", "--source", "studio", "--frames", "45") == "\a006 was held for 1 s\n"


@pytest.mark.slow
def test_the_example_records_trains_and_recognizes_signs(tmp_path: Path, hand_models: ModelStore) -> None:
    models = tmp_path / "models"
    shutil.copytree(hand_models.folder / "rps", models / "rps")
    words = ("rock", "paper", "--source", "studio:rps", "--frames", "150")
    output = run_example("teach_a_sign", *words, models=models)
    assert "Saved 40 samples of rock" in output
    assert "Published" in output
    predicted = output.partition("Published")[2].splitlines()[1:]
    assert {line.split(" s ")[1].strip() for line in predicted} >= {"rock", "paper"}
