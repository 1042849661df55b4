"""The protocol of sinks, which take observations: a window, a video, a contact sheet, a CSV file."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol, Self

from recognizer.values import Observation


class Sink(Protocol):
    """Takes one observation per frame inside a `with`. Opening, writing and closing may raise SinkError."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, observation: Observation) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_sinks(sinks: Sequence[Sink]) -> Iterator[tuple[Sink, ...]]:
    """Open the sinks in order. All opened ones are closed, even if opening or closing another one fails."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(sink) for sink in sinks)


class _ClosingSink:
    """Base of sinks that close at the end of the `with` and do nothing when opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError
