"""Where observations go: a window, a video, a picture of the whole run, a table. All share write() and close()."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol, Self

from recognizer.values import Observation


class Sink(Protocol):
    """Takes observations from `with` to its end; opening, writing and closing may raise SinkError."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, observation: Observation) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_sinks(sinks: Sequence[Sink]) -> Iterator[tuple[Sink, ...]]:
    """Opens all in order and closes all that were opened, even where opening or closing one fails."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(sink) for sink in sinks)


class _ClosingSink:
    """A sink that needs no opening and is closed at the end of its `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError
