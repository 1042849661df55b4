"""The requirements*.txt are what .ci/pins.py makes from pyproject.toml."""

import importlib.util
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from recognizer.system import packages, paths

PINS = runpy.run_path(str(paths.ROOT / ".ci" / "pins.py"))
FILES: dict[str, tuple[str, ...]] = PINS["FILES"]
GROUPS = packages.groups_of_project(paths.ROOT / "pyproject.toml")
PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+?))? ?(?:\\|$)", re.MULTILINE)
UV = pytest.mark.skipif(importlib.util.find_spec("uv") is None, reason="uv is not installed: requirements-dev.txt")


def text_of(name: str) -> str:
    return (paths.ROOT / name).read_text(encoding="utf-8")


def asked_for(text: str) -> set[str]:
    """The packages that a file pins because pyproject.toml names them, and not another package."""
    named = re.findall(r"^([\w.-]+)==[^#]*?# via ([^\n]*)$", text, re.MULTILINE)
    return {name for name, via in named if "pyproject.toml" in via}


def groups_in(selection: tuple[str, ...]) -> set[str]:
    chosen = {option.partition("=")[2] for option in selection if option.startswith("--")}
    return chosen | ({packages.BASE} if "pyproject.toml" in selection else set())


def test_every_group_of_dependencies_has_a_file() -> None:
    assert set().union(*map(groups_in, FILES.values())) == set(GROUPS)
    assert {path.name for path in paths.ROOT.glob("requirements*.txt")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_pins_what_pyproject_names_and_nothing_else_for_its_own_sake(name: str) -> None:
    expected = {package for group in groups_in(FILES[name]) for package in GROUPS[group]}
    assert asked_for(text_of(name)) == expected


@pytest.mark.parametrize("name", FILES)
def test_the_files_agree_on_versions_and_every_pin_has_a_hash(name: str) -> None:
    text, everything = text_of(name), packages.pins(paths.ROOT / PINS["EVERYTHING"])
    assert {n: v for n, v in packages.pins(paths.ROOT / name).items() if everything.get(n, v) != v} == {}
    entries = re.split(r"\n(?=[\w])", text[text.index("\n", text.index("pins.py")) + 1 :])
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_first_file_has_the_packages_that_the_project_was_designed_with() -> None:
    designed = ("opencv-python", "tensorflow", "keras", "numpy", "pandas", "mediapipe", "scikit-learn", "pytest")
    assert set(designed) <= asked_for(text_of(PINS["EVERYTHING"]))
    base = packages.pins(paths.ROOT / "requirements-base.txt")
    assert not {"tensorflow", "keras", "scikit-learn", "scipy", "pandas", "mediapipe", "pytest"} & set(base)


def test_both_packages_of_opencv_have_one_version() -> None:
    """They write the same files: the one that is installed last wins."""
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["mediapipe"]]
    opencv = [requirement.partition("==") for requirement in wanted if requirement.startswith("opencv")]
    assert len(opencv) == 2
    assert len({version for _, _, version in opencv}) == 1


@UV
def test_the_index_resolves_pyproject_to_the_same_pins_and_hashes(tmp_path: Path) -> None:
    """The command resolves against the index, so it also finds a pin or a hash that no index has."""
    for name in FILES:  # without hashes, which uv would copy
        bare = [
            f"{name}=={version}{f' ; {marker}' if marker else ''}"
            for name, version, marker in PIN.findall(text_of(name))
        ]
        (tmp_path / name).write_text("\n".join(bare), encoding="utf-8")
    try:
        PINS["compile_pins"](tmp_path)
    except subprocess.CalledProcessError as error:
        if not index_answers():
            pytest.skip("no package index answers")
        raise AssertionError("uv cannot resolve pyproject.toml") from error
    for name in FILES:
        made = (tmp_path / name).read_text(encoding="utf-8")
        assert PIN.findall(made) == PIN.findall(text_of(name)), f"run: python .ci/pins.py ({name})"
        assert set(re.findall("--hash=(.*?) ", text_of(name))) <= set(re.findall("--hash=(.*?) ", made))


def index_answers() -> bool:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-deps", "--no-cache", "-"]
    done = subprocess.run(command, input="platformdirs", text=True, capture_output=True, check=False)
    return done.returncode == 0
