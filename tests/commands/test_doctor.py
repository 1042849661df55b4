import builtins
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import io
import json
import sys

import cv2
import pytest

from recognizer.commands import doctor
from recognizer.registry import assets
from recognizer.registry.store import ModelStore
from recognizer.sources import decoding, webcam
from recognizer.system import packages, paths
from tests.helpers.machine import landmarker_path, needs_mediapipe


@pytest.fixture
def models(tmp_path):
    """A model folder with a valid digits model."""
    folder = tmp_path / "models" / "digits" / "1"
    folder.mkdir(parents=True)
    (folder.parent / "current.json").write_text(json.dumps({"version": "1"}))
    (folder / "card.json").write_text(json.dumps({"labels": list("0123456789")}))
    (folder / "model.tflite").write_bytes(bytes(2048))
    return tmp_path / "models"


@pytest.fixture
def no_cameras(monkeypatch):
    monkeypatch.setattr(webcam, "find_webcams", list)


def versions(**installed):
    """A replacement of importlib.metadata.version: only these packages are installed."""

    def version_of(name):
        try:
            return installed[name.replace("-", "_")]
        except KeyError:
            raise importlib.metadata.PackageNotFoundError(name) from None

    return version_of


def test_doctor_prints_one_line_per_check_and_returns_0(models, no_cameras, tmp_path, capsys):
    assert doctor.print_checks(ModelStore(models), (tmp_path,)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.checks(ModelStore(models), (tmp_path,))) + 1
    assert all(line.startswith(("ok    ", "note  ")) for line in lines[:-1])
    assert any(line.startswith("note  cameras:") for line in lines)
    assert any(line.startswith("ok    model digits: 1, 10 labels, 2 KiB") for line in lines)
    assert lines[-1] == "Digits can be recognised here."


def test_doctor_returns_1_when_digits_cannot_be_recognised(models, no_cameras, capsys):
    (models / "digits" / "1" / "model.tflite").unlink()
    assert doctor.print_checks(ModelStore(models)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == [line for line in lines if "model.tflite" in line]
    assert lines[-1].startswith("1 problems to fix")


def test_doctor_prints_on_an_ascii_console(models, no_cameras, tmp_path, monkeypatch):
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    folder = tmp_path / "Größe"
    folder.mkdir()
    doctor.print_checks(ModelStore(models), (folder,))
    console.flush()
    assert b"Gr\\xf6\\xdfe is empty" in console.buffer.getvalue()


@pytest.mark.parametrize(
    ("version", "implementation", "ok"),
    [
        ((3, 10, 4), "CPython", False),
        ((3, 11, 0), "CPython", True),
        ((3, 13, 9), "CPython", True),
        ((3, 14, 0), "CPython", None),
        ((3, 11, 0), "PyPy", None),
    ],
)
def test_other_python_versions_and_implementations_have_a_remedy(version, implementation, ok, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", version)
    monkeypatch.setattr(doctor.platform, "python_implementation", lambda: implementation)
    check = doctor.check_python()
    assert check.ok is ok
    assert bool(check.remedy) is (ok is not True)


def test_other_package_versions_have_a_remedy(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# pinned\nnumpy==2.0 \\\n    --hash=sha256:00\nopencv-python == 5.0  # windows\n"
        "colorama==0.4 ; sys_platform == 'win32'\nkeras==3.1\ntensorflow==2.9\npytest==9.0\n\n-r other\n"
    )
    groups = {"base": ("numpy", "opencv-python", "fsspec"), "train": ("keras", "tensorflow"), "test": ("pytest",)}
    found = doctor.check_packages(groups, packages.pins(requirements), versions(numpy="2.0", keras="3.0", pytest="9.0"))
    assert [(check.name, check.ok) for check in found] == [
        ("numpy", True),
        ("opencv-python", False),
        ("fsspec", None),
        ("keras", None),
        ("packages to train", None),
        ("pytest", True),
    ]
    assert found[3].detail == "3.0, tested with 3.1"
    assert found[4].detail.startswith("not installed: tensorflow; only training")
    assert all("requirements.txt" in check.remedy for check in found[1:-1])


def test_what_cannot_be_read_of_the_project_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    (check,) = doctor.check_project()
    assert check.ok is None
    assert "requirements.txt cannot be read" in check.detail
    (tmp_path / "requirements.txt").write_text("numpy==2.0")
    (check,) = doctor.check_project()
    assert check.ok is None
    assert check.detail == "what is needed cannot be read ('project')"


def test_the_packages_that_digits_need_are_pinned():
    assert set(doctor.NEEDED) <= set(packages.pins(paths.ROOT / "requirements.txt"))
    assert {check.name for check in doctor.check_project()} >= set(doctor.NEEDED)


def test_two_opencv_packages_must_have_the_same_version_and_a_gui():
    same = versions(opencv_python="5.0", opencv_contrib_python="5.0")
    assert doctor.check_opencv(same).ok is True
    different = doctor.check_opencv(versions(opencv_python="5.0", opencv_contrib_python="4.9"))
    assert different.ok is None
    assert "opencv-contrib-python 4.9" in different.detail
    headless = doctor.check_opencv(versions(opencv_python="5.0", opencv_python_headless="5.0"))
    assert headless.ok is None
    assert "uninstall opencv-python-headless" in headless.remedy


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("No module named 'cv2'", "start.py"), ("libGL.so.1: cannot open shared object file", "apt install libgl1")],
)
def test_an_opencv_that_does_not_load_has_a_remedy(reason, remedy, monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "cv2":
            raise ImportError(reason)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    check = doctor.check_opencv(versions())
    assert check.ok is False
    assert reason in check.detail
    assert remedy in check.remedy
    monkeypatch.setenv("DISPLAY", ":0")
    assert doctor.check_screen().ok is None


def test_cameras_cannot_be_checked_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "recognizer.sources.webcam", None)
    monkeypatch.delattr("recognizer.sources.webcam", raising=False)
    check = doctor.check_cameras()
    assert check.ok is None
    assert check.detail.startswith("cannot be checked")


def test_a_screen_needs_a_display_and_an_opencv_with_windows(monkeypatch):
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "DISPLAY is not set" in doctor.check_screen().detail
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT")
    assert doctor.check_screen() == doctor.Check("screen", True, "windows through QT")
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    assert doctor.check_screen().ok is None
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.setattr(doctor.sys, "platform", "darwin")
    assert "built without windows" in doctor.check_screen().detail


def test_cameras_are_listed_or_have_a_remedy(monkeypatch):
    monkeypatch.setattr(webcam, "find_webcams", lambda: [0, 2])
    assert doctor.check_cameras() == doctor.Check("cameras", True, "--source 0, --source 2")
    monkeypatch.setattr(webcam, "find_webcams", list)
    monkeypatch.setattr(webcam, "listed_cameras", list)
    assert "Camera 0 is not there" in doctor.check_cameras().remedy
    monkeypatch.setattr(webcam, "listed_cameras", lambda: [1])
    monkeypatch.setattr(decoding.os, "access", lambda *_: False)
    assert "no permission for" in doctor.check_cameras().remedy


@pytest.mark.parametrize(
    ("file", "content", "detail"),
    [
        ("current.json", None, "current.json does not exist"),
        ("current.json", b"{", "current.json is not JSON"),
        ("current.json", b"\xff\xfe", "current.json is not JSON"),
        ("current.json", b"[]", "current.json is not a JSON object"),
        ("current.json", b"{}", "current.json gives no version"),
        ("current.json", b'{"version": "2"}', "card.json does not exist"),
        ("1/card.json", b'{"labels": []}', "card.json gives no labels"),
        ("1/model.tflite", None, "model.tflite does not exist"),
        ("1/model.tflite", b"", "model.tflite is empty"),
    ],
)
def test_a_damaged_digits_model_fails_the_check(models, file, content, detail):
    path = models / "digits" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    (check,) = doctor.check_models(ModelStore(models))
    assert check.ok is False
    assert detail in check.detail
    assert "\n" not in check.detail
    assert "recognizer train digits" in check.remedy


def test_a_damaged_model_of_another_task_is_a_note(models):
    (models / "signs").mkdir()
    (models / "signs" / "current.json").write_text("{}")
    assert [(check.name, check.ok) for check in doctor.check_models(ModelStore(models))] == [
        ("model digits", True),
        ("model signs", None),
    ]


def test_a_missing_model_folder_fails_the_check(tmp_path):
    (check,) = doctor.check_models(ModelStore(tmp_path / "none"))
    assert check.ok is False


def test_a_missing_or_damaged_asset_is_a_note(tmp_path, monkeypatch):
    digest = hashlib.sha256(b"networks").hexdigest()
    file = assets.Asset("file.bin", (assets.Download("http://127.0.0.1/file.bin", digest),))
    monkeypatch.setattr(assets, "ASSETS", {"file": file})
    (check,) = doctor.check_assets(tmp_path)
    assert (check.name, check.ok) == ("asset file", None)
    assert "file.bin is missing; digits do not need it" in check.detail
    assert "python3 start.py assets" in check.remedy
    (tmp_path / "file.bin").write_bytes(b"networks")
    assert doctor.check_assets(tmp_path) == [doctor.Check("asset file", True, str(tmp_path / "file.bin"))]
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path))
    (tmp_path / "file.bin").write_bytes(b"net")
    (check,) = doctor.check_assets()
    assert check.ok is None
    assert "damaged" in check.detail


def test_litert_runs_the_hand_networks():
    landmarker_path()
    assert doctor.check_hand_networks(lambda _: None) == doctor.Check("hand networks", True, "LiteRT runs them")


@pytest.fixture
def damaged_hand_model(tmp_path, monkeypatch):
    path = tmp_path / "damaged.task"
    path.write_bytes(b"no networks")
    monkeypatch.setattr(doctor.assets, "find_asset", lambda name: path)


@pytest.mark.usefixtures("damaged_hand_model")
def test_networks_that_litert_cannot_run_are_a_note_unless_mediapipe_loads(tmp_path, monkeypatch):
    def installed(_):
        spec = importlib.machinery.ModuleSpec("mediapipe", None, is_package=True)
        spec.submodule_search_locations.append(str(tmp_path))
        return spec

    check = doctor.check_hand_networks(lambda _: None)
    assert (check.name, check.ok, check.remedy) == ("hand networks", None, doctor.assets.fetch_command())
    assert "damaged.task" in check.detail
    assert "MediaPipe is not installed" in check.detail
    check = doctor.check_hand_networks(installed)
    assert (check.ok, check.remedy) == (None, f"python3 start.py, or {packages.install_command(packages.BASE)}")
    assert "contains no library" in check.detail
    (tmp_path / "tasks" / "c").mkdir(parents=True)
    (tmp_path / "tasks" / "c" / "libmediapipe.so").write_bytes(b"not a library")
    check = doctor.check_hand_networks(installed)
    assert (check.ok, check.remedy) == (None, f"python3 start.py, or {packages.install_command(packages.BASE)}")
    assert "does not load" in check.detail
    monkeypatch.setattr(doctor.ctypes, "CDLL", lambda path: None)
    check = doctor.check_hand_networks(installed)
    assert check.ok is True
    assert check.detail.startswith("MediaPipe runs them, because LiteRT cannot: ")


@pytest.mark.usefixtures("damaged_hand_model")
def test_a_missing_system_library_of_mediapipe_has_a_remedy(monkeypatch):
    def refuse(_):
        raise OSError("libGLESv2.so.2: cannot open shared object file: No such file or directory")

    needs_mediapipe()
    monkeypatch.setattr(doctor.ctypes, "CDLL", refuse)
    check = doctor.check_hand_networks()
    assert check.ok is None
    assert check.remedy == "sudo apt install libegl1 libgles2"


def test_missing_or_empty_data_folders_are_a_note(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mnist.npz").touch()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "README.md").touch()
    found = doctor.check_data((tmp_path / "full", tmp_path / "bare", tmp_path / "none"))
    assert [check.ok for check in found] == [True, None, None]
    assert "1 entries" in found[0].detail
    assert "only training needs it" in found[2].detail
