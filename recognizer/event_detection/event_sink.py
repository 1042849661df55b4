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

    def __init__(
        self,
        *listeners: Listener,
        on_task: Callable[[str], None] = lambda task: None,
        detector: EventDetector | None = None,
    ) -> None:
        """`on_task` takes the name of the task, first and whenever it has changed, before the task's first event."""
        self.listeners = list(listeners)
        self._on_task = on_task
        self._detector = detector or EventDetector()
        self._task = ""

    def write(self, observation: Observation) -> None:
        for event in self._detector.update(observation):  # of another task before: its labels have gone
            self.emit(event)
        if observation.task != self._task:
            self._task = observation.task
            self._on_task(self._task)

    def emit(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    def close(self) -> None:
        """All labels that are in view have gone."""
        for event in self._detector.close():
            self.emit(event)
