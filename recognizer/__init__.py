"""A webcam recognizer that learns. In Python it starts with `from recognizer import Recognizer`; see recognizer/api.py."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.api import Recognizer

__all__ = ["Recognizer"]


def __getattr__(name: str) -> Any:
    """Recognizer, imported when it is asked for: each module of the package imports this one, and few need OpenCV."""
    if name == "Recognizer":
        from recognizer.api import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
