"""An event: what happened to a label in view, and when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from recognizer.values import DECIMALS


class Phase(StrEnum):
    """What has happened to a label."""

    APPEARED = "appeared"  # it has been recognized for `hold_s` seconds
    HELD = "held"  # it is still there, again every `held_every_s` seconds
    GONE = "gone"  # it has not been recognized for `release_s` seconds
    WRITTEN = "written"  # `text` was written with signs and sent; `label` is the same text


@dataclass(frozen=True)
class Event:
    """Something happened to one object in view.

    Attributes:
        phase: Phase.APPEARED, HELD, GONE or WRITTEN, which compare equal to "appeared", "held", "gone" and "written".
        label: the sign or object, or the number with all its digits. Never "nothing".
        confidence: the probability of the label, from 0 to 1; of a number, that of its least certain digit.
        hand: "left" or "right", the person's hand, or "both" for a movement of two hands; None for paper and objects.
        text: all that is read in the picture, in reading order.
        box: (x1, y1, x2, y2) in pixels of the picture, where it was seen last; x2 and y2 lie outside.
        task: the task.
        time_s: seconds from the opening of the source to the frame.
        held_s: seconds since the label was first seen.
        number: the number of the object. Its events have the same; counts from 1.
        unix_s: seconds since 1970, when the event was sent.

    Example:
        >>> from recognizer import Event
        >>> event = Event("appeared", "rock", 0.97, hand="left", task="rps")
        >>> event.label, event.phase == "appeared"
        ('rock', True)
    """

    phase: Phase | str
    label: str
    confidence: float
    hand: str | None = None
    text: str = ""
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    task: str = ""
    time_s: float = 0.0
    held_s: float = 0.0
    number: int = 0
    unix_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The JSON object that `--events` prints."""
        return {
            "event": str(self.phase),
            "label": self.label,
            "confidence": round(self.confidence, DECIMALS),
            "hand": self.hand,
            "text": self.text,
            "box": list(self.box),
            "task": self.task,
            "time_s": round(self.time_s, 3),
            "held_s": round(self.held_s, 3),
            "number": self.number,
            "at": datetime.fromtimestamp(self.unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
