"""A webcam recognizer that users can train. Its Python API is `from recognizer import Recognizer`; see recognizer/api.py."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.api import Recognizer

__all__ = ["Recognizer"]


def __getattr__(name: str) -> Any:
    """Import Recognizer at its first use. Each import from the package runs this file, but few modules need OpenCV."""
    if name == "Recognizer":
        from recognizer.api import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
