"""Finds the classes that implement a protocol, so that a contract suite can check that it covers all of them."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import recognizer


@cache
def modules() -> tuple[ModuleType, ...]:
    """All modules of the package, except those that run a program when they are imported."""
    names = (found.name for found in pkgutil.walk_packages(recognizer.__path__, "recognizer."))
    return tuple(importlib.import_module(name) for name in names if not name.endswith("__main__"))


def classes_with(*methods: str) -> Iterator[type[Any]]:
    """Yield the classes of the package that have all these methods, without protocols."""
    for module in modules():
        for value in vars(module).values():
            if not isinstance(value, type) or value.__module__ != module.__name__:
                continue
            is_protocol = getattr(value, "_is_protocol", False)
            if not is_protocol and all(callable(getattr(value, method, None)) for method in methods):
                yield value


def is_one_line(error: BaseException) -> bool:
    """Whether the error is a message of several words without a line break."""
    text = str(error)
    return "\n" not in text and len(text.split()) > 3
