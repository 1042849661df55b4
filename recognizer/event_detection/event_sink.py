"""The sink that sends events to whoever listens."""

from collections.abc import Callable

from recognizer.event_detection.detector import EventDetector
from recognizer.event_detection.event import Event
from recognizer.sinks.sink import _ClosingSink
from recognizer.values import Observation

Listener = Callable[[Event], None]


class EventSink(_ClosingSink):
    """Detects the events of each observation, and sends them to the `listeners` in their order.

    What sends events of its own, such as a line of text that was spelled, calls `emit`.
    """

    def __init__(self, *listeners: Listener, detector: EventDetector | None = None) -> None:
        self.listeners = list(listeners)
        self._detector = detector or EventDetector()

    def write(self, observation: Observation) -> None:
        for event in self._detector.update(observation):
            self.emit(event)

    def emit(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    def close(self) -> None:
        """All labels that are in view have gone."""
        for event in self._detector.close():
            self.emit(event)
