"""The packages that the project needs, by group, and the versions that it was tested with."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

DISTRIBUTION = "webcam-recognizer"
BASE, TRAIN, TEST = "base", "train", "test"

_NAME = re.compile(r"\s*([\w.-]+)")
_PIN = re.compile(r"\s*([\w.-]+)\s*==\s*([^\s;#\\]+)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def groups_of_project(pyproject: Path) -> dict[str, tuple[str, ...]]:
    """The names of the packages that a pyproject.toml asks for, by group. Raises OSError, and ValueError if it is not TOML."""
    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    groups = {BASE: content["project"]["dependencies"]}
    groups |= content["project"]["optional-dependencies"]
    groups |= content["dependency-groups"]
    return {group: _names(requirements) for group, requirements in groups.items()}


def groups_of_installation(distribution: str = DISTRIBUTION) -> dict[str, tuple[str, ...]]:
    """The same of an installed package, which has no tests. Raises PackageNotFoundError."""
    groups: dict[str, list[str]] = {BASE: []}
    for requirement in importlib.metadata.requires(distribution) or ():
        extra = _EXTRA.search(requirement)
        groups.setdefault(extra[1] if extra else BASE, []).append(requirement)
    return {group: _names(requirements) for group, requirements in groups.items()}


def pins(requirements: Path) -> dict[str, str]:
    """The versions that a requirements file pins, by package. Raises OSError."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for line in lines if (match := _PIN.match(line))}


def _names(requirements: Iterable[str]) -> tuple[str, ...]:
    return tuple(match[1] for requirement in requirements if (match := _NAME.match(requirement)))
