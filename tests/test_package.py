"""The wheel: what it holds, and that it works in an environment with the base packages only, outside the checkout."""

import importlib.metadata
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.commands import COMMANDS
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from recognizer.system import packages, paths
from recognizer.tasks import TASKS
from tests.helpers.drawing import middle_of_card
from tests.helpers.machine import landmarker_path
from tests.helpers.waiting import HANG_S

pytest.importorskip("build", reason="build is not installed: pip install -r requirements.txt")
pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -r requirements.txt")

pytestmark = pytest.mark.slow

LARGEST_MB = 40
SHIPPED = "recognizer/shipped_models/"
NOT_IN_BASE = ("tensorflow", "keras", "sklearn", "scipy", "pandas", "h5py", "mediapipe", "pytest", "ray")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution and the wheel, which is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(paths.ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a new environment, with the wheel and, linked from this one, the base packages."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    programs = Path(sysconfig.get_path("scripts", "venv", vars={"base": str(folder)}))
    site_packages = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    link_base_packages(site_packages)
    command = [str(programs / "python"), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return programs


def link_base_packages(site_packages: Path) -> None:
    """Link what the installed packages of requirements-base.txt consist of, so that nothing is downloaded."""
    for name in packages.pins(paths.ROOT / "requirements-base.txt"):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # of another system
            continue
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site_packages / top).exists():
                (site_packages / top).symlink_to(Path(str(distribution.locate_file(top))))


class User:
    """Someone who has installed the wheel, and works in a folder of their own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.home = programs, folder, folder / "home"
        self.home.mkdir()
        dropped = ("RECOGNIZER_", "PYTHON", "XDG_", "COV_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        data = {"HOME": self.home, "XDG_DATA_HOME": self.home / "data", "LOCALAPPDATA": self.home}
        self.environment |= {name: str(value) for name, value in data.items()}

    def run(self, program: str, *words: str, code: int = 0) -> str:
        """Run a program of the environment. Return its stdout. Fails for another exit code."""
        done = subprocess.run(
            [str(self.programs / program), *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, encoding="utf-8", timeout=HANG_S,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.home).as_posix() for path in self.home.rglob("*") if path.is_file())

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of a running server."""
        command = [str(self.programs / "recognizer"), "serve", "--port", "0", "--no-token"]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "Serving on" in line:
                    break
            address = re.search(r"http://\S+?:\d+", lines[-1])
            assert address is not None, "".join(lines)
            yield address[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=HANG_S)


@pytest.fixture
def user(installed: Path, tmp_path: Path) -> User:
    return User(installed, tmp_path)


def test_the_wheel_holds_the_page_and_the_current_models_and_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_MB * 1e6
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        pointers = {task: json.loads(archive.read(f"{SHIPPED}{task}/current.json")) for task in TASKS}
    page = {path.relative_to(paths.ROOT).as_posix() for path in (paths.ROOT / "recognizer/serve/page").iterdir()}
    assert page < names
    assert {"recognizer/py.typed", "recognizer/finders/networks/ink.tflite", "training/__main__.py"} < names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"recognizer", "training"}
    assert [name for name in names if name.endswith((".keras", ".task", ".pyc")) or "/." in name] == []
    shipped = [name.removeprefix(SHIPPED).split("/") for name in names if name.startswith(SHIPPED)]
    assert {task for task, *_ in shipped} == set(TASKS)
    for task in TASKS:
        current = json.loads((paths.ROOT / "models" / task / "current.json").read_text(encoding="utf-8"))["version"]
        assert pointers[task] == {"version": current, "previous": []}
        files = {name for of, version, *rest in shipped for name in rest if (of, version) == (task, current)}
        assert {"card.json", "model.tflite", "features.npz", "last_layer.npz"} <= files


def test_what_the_user_of_a_checkout_has_trained_is_not_shipped(tmp_path: Path) -> None:
    hook = runpy.run_path(str(paths.ROOT / "hatch_build.py"))
    models = shutil.copytree(paths.ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("assets"))
    shipped = hook["shipped_files"](models, tmp_path / "made")
    for task in TASKS:
        pointer = json.loads((models / task / "current.json").read_text(encoding="utf-8"))
        own = models / task / "20990101-000000"
        shutil.copytree(models / task / pointer["version"], own)
        content = json.loads((own / "card.json").read_text(encoding="utf-8")) | {"taught": {"samples": {}}}
        (own / "card.json").write_text(json.dumps(content), encoding="utf-8")
        mine = {"version": own.name, "previous": [pointer["version"]]}
        (models / task / "current.json").write_text(json.dumps(mine), encoding="utf-8")
    shutil.copytree(models / "digits" / "20990101-000000", models / "mine" / "20990101-000000")
    assert hook["shipped_files"](models, tmp_path / "made again").keys() == shipped.keys()


def test_the_source_distribution_has_what_the_tests_need(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"start.py", "requirements.txt", "hatch_build.py", "tests/test_package.py", "LICENSE"} < names
    assert not any(name.startswith((".git/", "runs/", "models/assets")) for name in names)


def test_the_metadata_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))).decode()
    for line in (
        "Name: webcam-recognizer",
        "License-Expression: MIT",
        "Requires-Python: <3.14,>=3.11",
        "Provides-Extra: train",
    ):
        assert f"\n{line}\n" in text
    assert "Description-Content-Type: text/markdown" in text


def test_the_environment_of_this_test_has_only_the_base(user: User) -> None:
    program = f"from importlib.util import find_spec; print([name for name in {NOT_IN_BASE} if find_spec(name)])"
    assert user.run("python", "-c", program).strip() == "[]"
    assert user.run("python", "-c", "import recognizer; print(recognizer.__file__)").startswith(
        str(user.programs.parent)
    )


def test_help_read_and_doctor_work_without_writing_anything(user: User) -> None:
    help = user.run("recognizer", "--help")
    assert [command for command in COMMANDS if command not in help] == []
    assert "usage: recognizer [-h]" in help
    write_png(user.folder / "sheet.png", Studio("digits").frame(36).image_bgr)
    (line,) = user.run("recognizer", "read", "sheet.png", "--json").splitlines()
    assert json.loads(line)["text"] == "006"
    assert [name for name in user.files() if "webcam-recognizer" in name] == []
    doctor = user.run("recognizer", "doctor")
    models = re.search(r"ok    folder of models: (\S+), beside those that came with the program in (\S+)", doctor)
    assert models is not None, doctor
    assert Path(models[1]).is_relative_to(user.home)
    assert Path(models[2]).is_relative_to(user.programs.parent)
    for task in TASKS:
        assert f"ok    model {task}: " in doctor
    assert "ok    numpy: " in doctor
    assert (
        "note  packages to train: not installed: keras, matplotlib, pandas, scikit-learn, scipy, tensorflow" in doctor
    )


def test_the_installed_package_serves_its_page_and_reads_pictures(user: User) -> None:
    picture = cv2.imencode(".png", Studio("digits").frame(36).image_bgr)[1].tobytes()
    with user.serving() as address:
        with urllib.request.urlopen(f"{address}/", timeout=HANG_S) as page:
            assert "<html" in page.read().decode()
        request = urllib.request.Request(
            f"{address}/v1/predict?task=digits", data=picture, headers={"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            assert json.load(answer)["text"] == "006"


def test_a_new_hand_sign_is_taught_and_recognized(user: User) -> None:
    user.environment[paths.ASSETS_VARIABLE] = str(landmarker_path().parent)
    studio = Studio("rps", (640, 480))
    for card in range(12):
        frame = studio.frame(middle_of_card(card))
        if (sign := frame.truth[0].label) != "scissors":
            for number in range(-2, 3):
                picture = studio.frame(middle_of_card(card) + number).image_bgr
                write_png(user.folder / "signs" / sign / f"{card}{number}.png", picture)
    output = user.run("recognizer", "learn", "greetings", "--from", "signs", "--subject", "hand")
    assert "Published" in output
    (picture,) = list((user.folder / "signs" / "rock").glob("*0.png"))[:1]
    assert user.run("recognizer", "read", str(picture), "--task", "greetings").strip().endswith(": rock")
    stored = [name.partition("webcam-recognizer/")[2] for name in user.files()]
    assert "data/captures/samples.csv" in stored
    assert any(name.startswith("models/greetings/") for name in stored)


def test_labels_are_added_to_a_shipped_model_and_taken_back(user: User) -> None:
    rng = np.random.default_rng(0)
    for number in range(8):
        cross = np.full((300, 300), 235, np.uint8)
        (x, y), half = rng.integers(130, 170, 2).tolist(), int(rng.integers(50, 70))
        cv2.line(cross, (x - half, y), (x + half, y), 30, 12, cv2.LINE_AA)
        cv2.line(cross, (x, y - half), (x, y + half), 30, 12, cv2.LINE_AA)
        write_png(user.folder / "ink" / "plus" / f"{number}.png", cv2.cvtColor(cross, cv2.COLOR_GRAY2BGR))
    output = user.run("recognizer", "learn", "digits", "--from", "ink")
    assert "Published" in output
    assert "11 labels" in user.run("recognizer", "models", "list", "digits")
    assert "Back to digits" in user.run("recognizer", "models", "rollback", "digits")
    assert "10 labels" in user.run("recognizer", "doctor")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("benchmark",), "needs the package benchmarks, which is not installed here. Run it in a clone"),
        (("read", "none.png", "--task", "letters"), "hand_landmarker.task is missing. Fetch it: recognizer assets"),
        (("models", "show", "none"), "There is no model for the task none. There are: digits, letters, rps."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_an_installation_lacks_is_said_in_one_line(words: tuple[str, ...], said: str, user: User) -> None:
    output = user.run("recognizer", *words, code=2)
    assert said in output
    assert "python -m recognizer" not in output
    assert output.count("\n") == 1
