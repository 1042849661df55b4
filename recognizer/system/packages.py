"""The packages that the project needs, by group, and the versions that it was tested with."""

import re
from collections.abc import Iterable
from pathlib import Path

from recognizer.system import paths

DISTRIBUTION = "webcam-recognizer"
BASE, TRAIN, TEST, MEDIAPIPE = "base", "train", "test", "mediapipe"
LANGUAGES, ACTIONS = "languages", "actions"
OF_BASE = (
    "ai_edge_litert",
    "cv2",
    "fastapi",
    "numpy",
    "PIL",
    "uvicorn",
)  # modules without which no command that reads runs
OF_TRAINING = ("keras", "pandas", "scipy", "sklearn", "tensorflow")  # modules that only the group TRAIN installs

_NAME = re.compile(r"\s*([\w.-]+)")
_PIN = re.compile(r"\s*([\w.-]+)\s*==\s*([^\s;#\\]+)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def groups_of_project(pyproject: Path) -> dict[str, tuple[str, ...]]:
    """The names of the packages that a pyproject.toml asks for, by group. Raises OSError, and ValueError if it is not TOML."""
    import tomllib

    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    groups = {BASE: content["project"]["dependencies"]}
    groups |= content["project"]["optional-dependencies"]
    groups |= content["dependency-groups"]
    return {group: _names(requirements) for group, requirements in groups.items()}


def groups_of_installation() -> dict[str, tuple[str, ...]]:
    """The same of an installed package, which has no tests. Raises PackageNotFoundError."""
    return {group: _names(requirements) for group, requirements in _installed_requirements().items()}


def pins(requirements: Path) -> dict[str, str]:
    """The versions that a requirements file pins, by package. Raises OSError."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for line in lines if (match := _PIN.match(line))}


def install_command(group: str) -> str:
    """The command that installs a group, for a message."""
    if paths.in_checkout():
        file = "requirements.txt" if group in (BASE, TRAIN, TEST, MEDIAPIPE) else f"requirements-{group}.txt"
        return f"python -m pip install -r {file}"
    try:
        wanted = _installed_requirements()[group]
    except (LookupError, ImportError):  # PackageNotFoundError is an ImportError
        return f"python -m pip install '{DISTRIBUTION}[{group}]'"
    return "python -m pip install " + " ".join(f'"{requirement}"' for requirement in wanted)


def other_python() -> str:
    """What to run instead, for a message, where this Python lacks the packages."""
    if paths.in_checkout():
        return (
            "Put python3 start.py in place of python -m recognizer: it has, or makes, an environment with all packages."
        )
    return f"Install it: {install_command(BASE)}"


def _installed_requirements() -> dict[str, list[str]]:
    import importlib.metadata  # late, as tomllib: most runs need neither

    groups: dict[str, list[str]] = {BASE: []}
    for requirement in importlib.metadata.requires(DISTRIBUTION) or ():
        extra = _EXTRA.search(requirement)
        groups.setdefault(extra[1] if extra else BASE, []).append(requirement.partition(";")[0].strip())
    return groups


def _names(requirements: Iterable[str]) -> tuple[str, ...]:
    return tuple(match[1] for requirement in requirements if (match := _NAME.match(requirement)))
