"""A webcam recognizer that users can train. Its Python API is `from recognizer import Recognizer`; see recognizer/api.py.

The names in __all__ are public. All else may change in any version.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.api import Event, LabelledRegion, Reading, Recognizer, RecognizerError, TrainingResult, events

__all__ = ["Event", "LabelledRegion", "Reading", "Recognizer", "RecognizerError", "TrainingResult", "events"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use. Each import from the package runs this file, but few modules need OpenCV."""
    if name in __all__:
        from recognizer import api

        return vars(api)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
