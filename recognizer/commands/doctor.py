"""`python -m recognizer doctor`: checks the installation. One line per check, with a remedy if it fails."""

import contextlib
import ctypes
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path

from recognizer.commands.options import Parser, add_models
from recognizer.errors import AssetError, ModelError
from recognizer.registry import assets
from recognizer.registry.card import read_checked_card
from recognizer.registry.store import ModelStore, is_version_name
from recognizer.system import packages, paths
from recognizer.system.terminal import SOME_FAILED
from recognizer.system.urls import is_url

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)  # the packages in requirements.txt have wheels for these
NEEDED = (
    "ai-edge-litert",
    "numpy",
    "opencv-python",
)  # digits need these; the other packages are for other tasks
OPTIONAL = {packages.TRAIN: "only training of whole networks needs them", packages.TEST: "only the tests need them"}


@dataclass(frozen=True)
class Check:
    """The result of one check. `ok` is None for a problem that does not stop digits from being recognised."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def print_checks(models: ModelStore, data_dirs: tuple[Path, ...] = ()) -> int:
    """Print all checks. Return 0, or 1 if digits cannot be recognised."""
    found = checks(models, data_dirs)
    for check in found:
        mark = {True: "ok", None: "note", False: "FAIL"}[check.ok]
        _print_line(f"{mark:<4}  {check.name}: {check.detail}" + (f"  -> {check.remedy}" if check.remedy else ""))
    failed = sum(check.ok is False for check in found)
    _print_line(
        f"{failed} problems to fix before digits can be recognised." if failed else "Digits can be recognised here."
    )
    return SOME_FAILED if failed else 0


def checks(models: ModelStore, data_dirs: tuple[Path, ...] = ()) -> list[Check]:
    """All checks, most basic first. `data_dirs` defaults to RECOGNIZER_DATA and data/."""
    return [
        check_python(),
        *check_project(),
        check_opencv(),
        check_screen(),
        check_cameras(),
        *check_folders(models),
        *check_models(models),
        *check_assets(),
        check_hand_networks(),
        *check_data(data_dirs or paths.data_folders()),
    ]


def check_python() -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    wanted = "Install CPython 3.11, 3.12 or 3.13 and use it"
    version = sys.version_info[:2]
    if version < OLDEST_PYTHON:
        return Check("Python", False, f"{found} is too old", wanted)
    if version > NEWEST_PYTHON or platform.python_implementation() != "CPython":
        return Check("Python", None, f"{found} is not tested", wanted)
    return Check("Python", True, found)


def check_project() -> list[Check]:
    """Check the packages that this checkout or this installation asks for."""
    try:
        if not paths.in_checkout():
            return check_packages(packages.groups_of_installation(), {})
        pinned = packages.pins(paths.ROOT / "requirements.txt")
        return check_packages(packages.groups_of_project(paths.ROOT / "pyproject.toml"), pinned)
    except OSError as error:
        return [Check("packages", None, f"{error.filename} cannot be read ({error.strerror or error})")]
    except (ValueError, LookupError, importlib.metadata.PackageNotFoundError) as error:
        return [Check("packages", None, f"what is needed cannot be read ({_one_line(error)})", _install())]


def check_packages(
    groups: Mapping[str, Sequence[str]],
    pinned: Mapping[str, str],
    version_of: Callable[[str], str] = importlib.metadata.version,
) -> list[Check]:
    """Compare the installed packages, which are not imported, with the pinned versions.

    `groups` has the names of the packages by group. Of an optional group, those that are missing are one line.
    """
    found = []
    for group in (packages.BASE, *OPTIONAL):
        missing = []
        for name in groups.get(group, ()):
            try:
                found.append(_check_version(name, version_of(name), pinned.get(name)))
            except importlib.metadata.PackageNotFoundError:
                missing.append(name)
        if group in OPTIONAL and missing:
            found.append(
                Check(
                    f"packages to {group}",
                    None,
                    f"not installed: {', '.join(missing)}; {OPTIONAL[group]}",
                    _install(group),
                )
            )
        elif missing:
            found += [_missing_package(name) for name in missing]
    return found


def _check_version(name: str, version: str, pinned: str | None) -> Check:
    if pinned is None or version == pinned:
        return Check(name, True, version)
    return Check(name, None, f"{version}, tested with {pinned}", _install())


def _missing_package(name: str) -> Check:
    if name in NEEDED:
        return Check(name, False, "not installed", _install())
    return Check(name, None, "not installed; digits do not need it", _install())


def _install(group: str = packages.BASE) -> str:
    """The remedy for missing packages."""
    command = packages.install_command(group)
    start = "python3 start.py" if group == packages.BASE else "python3 start.py --all"
    return f"{start}, or {command}" if paths.in_checkout() else command


def check_opencv(version_of: Callable[[str], str] = importlib.metadata.version) -> Check:
    """Whether OpenCV loads, has windows, and all installed OpenCV packages have the same version."""
    versions = {}
    for name in ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless"):
        try:
            versions[name] = version_of(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    listed = ", ".join(f"{name} {version}" for name, version in versions.items()) or "no distribution"
    try:
        import cv2
    except ImportError as error:
        remedy = "sudo apt install libgl1 libglib2.0-0" if "lib" in str(error) and ".so" in str(error) else _install()
        return Check("OpenCV", False, f"does not load: {_one_line(error)} ({listed})", remedy)
    headless = [name for name in versions if name.endswith("headless")]
    if headless:
        remedy = f"python -m pip uninstall {' '.join(headless)}, then reinstall requirements.txt with --force-reinstall"
        return Check(
            "OpenCV", None, f"{listed}: these packages overwrite each other, and headless has no windows", remedy
        )
    if len(set(versions.values())) > 1:
        return Check("OpenCV", None, f"{listed}: these versions overwrite each other", _install())
    return Check("OpenCV", True, f"{cv2.__version__} ({listed})")


def check_screen() -> Check:
    """Whether a window can be shown."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        remedy = "Log in to a desktop, or use ssh -X"
        return Check(
            "screen", None, "none (DISPLAY is not set): the recognizer runs without a window and writes files", remedy
        )
    try:
        import cv2

        toolkit = cv2.currentUIFramework()
    except (ImportError, AttributeError) as error:
        return Check("screen", None, f"cannot be checked: {_one_line(error)}", _install())
    if not toolkit:
        return Check("screen", None, "this OpenCV was built without windows", f"Reinstall opencv-python: {_install()}")
    return Check("screen", True, f"windows through {toolkit}")


def check_cameras() -> Check:
    """The cameras that open now. Without a camera, the drawn studio is the source."""
    try:
        from recognizer.sources import webcam  # imported here because OpenCV may be missing
    except ImportError as error:
        return Check("cameras", None, f"cannot be checked: {_one_line(error)}", _install())
    found = webcam.find_webcams()
    if found:
        return Check("cameras", True, ", ".join(f"--source {index}" for index in found))
    there = webcam.listed_cameras()
    return Check(
        "cameras", None, "none opens; the drawn studio is used instead", webcam.camera_error(there[0] if there else 0)
    )


def check_folders(models: ModelStore) -> list[Check]:
    """Where this program keeps what the user records and trains, and whether it can write there."""
    shipped = paths.shipped_models()
    beside = "" if shipped is None else f", beside those that came with the program in {shipped}"
    places = [("models", models.folder, beside)]
    if not is_url(paths.captures()):
        places.append(("samples", Path(paths.captures()), ""))
    return [_check_folder(*place) for place in places]


def _check_folder(name: str, folder: Path, more: str) -> Check:
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if os.access(existing, os.W_OK) and existing.is_dir():
        return Check(f"folder of {name}", True, f"{folder}{more}")
    variable = {"models": paths.MODELS_VARIABLE, "samples": paths.CAPTURES_VARIABLE}[name]
    remedy = f"Make {existing} writable, or set {variable} to another folder"
    return Check(f"folder of {name}", None, f"{folder} cannot be written{more}", remedy)


def check_models(models: ModelStore) -> list[Check]:
    """Check the current model of every task, and that of digits even if it is missing."""
    try:
        tasks = set(models.tasks())
    except OSError:
        tasks = set()
    return [check_model(models, task) for task in sorted(tasks | {"digits"})]


def check_model(models: ModelStore, task: str) -> Check:
    """Whether the files of the task's current model exist and are valid, without loading the model."""
    name = f"model {task}"
    wrong = False if task == "digits" else None
    restore = "git checkout models" if paths.in_checkout() else "reinstall this program"
    remedy = f"{restore}, or python -m recognizer train {task}"
    pointer = models.pointer(task)
    try:
        version = _json_object(pointer).get("version")
        if not isinstance(version, str) or not is_version_name(version):
            return Check(name, wrong, f"{pointer} gives no version", remedy)
        with contextlib.suppress(ModelError):  # the checks below say what is wrong
            if damage := models.damage(task):  # an earlier version is used
                return Check(name, None, damage, f"python -m recognizer models rollback {task}, or {remedy}")
        folder = models.folder_of(task, version)
        content = _json_object(folder / "card.json")
        if not isinstance(content.get("labels"), list) or not (content["labels"] or content.get("moving")):
            return Check(name, wrong, f"{folder / 'card.json'} gives no labels", remedy)
        network = "model.tflite" if content["labels"] else "motion.npz"
        size_bytes = (folder / network).stat().st_size
        labels = read_checked_card(folder).all_labels
    except FileNotFoundError as error:
        return Check(name, wrong, f"{error.filename} does not exist", remedy)
    except ModelError as error:
        return Check(name, wrong, str(error), remedy)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not JSON
        return Check(name, wrong, _one_line(error), remedy)
    if size_bytes == 0:
        return Check(name, wrong, f"{folder / network} is empty", remedy)
    return Check(name, True, f"{version}, {len(labels)} labels, {size_bytes / 1024:.0f} KiB ({folder})")


def check_assets(folder: Path | None = None) -> list[Check]:
    """Check the assets. `folder` defaults to the asset folder."""
    found = []
    for name in assets.ASSETS:
        wrong = assets.problem(name, folder)
        if wrong:
            remedy = f"Download it: {assets.fetch_command()}"
            found.append(Check(f"asset {name}", None, f"{wrong}; digits do not need it", remedy))
        else:
            found.append(Check(f"asset {name}", True, str(assets.find_asset(name, folder))))
    return found


def check_hand_networks(find_spec: Callable[[str], ModuleSpec | None] = importlib.util.find_spec) -> Check:
    """Which library runs the hand networks: LiteRT, or MediaPipe if LiteRT cannot and MediaPipe loads."""
    name = "hand networks"
    try:
        from recognizer.finders.hand_networks import (
            open_hand_networks,  # not at the top: OpenCV or LiteRT may be missing
        )

        open_hand_networks(assets.find_asset("hand_landmarker"))
    except (AssetError, ImportError) as error:
        problem, remedy = _mediapipe_problem(find_spec)
        if problem:
            return Check(name, None, f"{_one_line(error)}; MediaPipe {problem}; digits do not need them", remedy)
        return Check(name, True, f"MediaPipe runs them, because LiteRT cannot: {_one_line(error)}")
    return Check(name, True, "LiteRT runs them")


def _mediapipe_problem(find_spec: Callable[[str], ModuleSpec | None]) -> tuple[str | None, str]:
    """Why MediaPipe does not load, and the remedy. The package is not imported, because that takes seconds."""
    spec = find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        return "is not installed", assets.fetch_command()
    folder = Path(spec.submodule_search_locations[0]) / "tasks" / "c"
    library = next(folder.glob("libmediapipe.*"), None)
    if library is None:
        return f"is damaged: {folder} contains no library", _install()
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        remedy = "sudo apt install libegl1 libgles2" if "cannot open shared object" in str(error) else _install()
        return f"does not load: {_one_line(error)}", remedy
    return None, ""


def check_data(data_dirs: tuple[Path, ...]) -> list[Check]:
    """Check the folders of data sets. Only training needs them."""
    found = []
    for folder in data_dirs:
        try:
            count = sum(path.name != "README.md" and not path.name.startswith(".") for path in folder.iterdir())
        except OSError as error:
            if isinstance(error, FileNotFoundError) and folder == paths.data():
                found.append(
                    Check("data", None, f"{folder} is not there yet; training makes it and downloads what it needs")
                )
                continue
            remedy = f"Set {paths.DATA_VARIABLE} to the folder of the data sets"
            detail = f"{folder} cannot be read ({error.strerror or error}); only training needs it"
            found.append(Check("data", None, detail, remedy))
            continue
        if count:
            found.append(Check("data", True, f"{folder} ({count} entries)"))
        else:
            found.append(Check("data", None, f"{folder} is empty; training downloads what it needs"))
    return found


def _json_object(path: Path) -> dict[str, object]:
    """Read a JSON object. Raises OSError, and ValueError if the content is not a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(value, dict):
        return value
    raise ValueError(f"{path} is not a JSON object")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _print_line(line: str) -> None:
    line = paths.own_command(line)
    encoding = sys.stdout.encoding or "utf-8"
    print(
        line.encode(encoding, "backslashreplace").decode(encoding)
    )  # the console's encoding may lack characters of a folder's name


def run(args: Sequence[str]) -> int:
    parser = Parser("doctor", "Check the installation, and print a remedy for each problem.")
    add_models(parser)
    return print_checks(parser.parse_args(args).models)
