"""Answers the window while the next frame is being computed or drawn.

OpenCV keeps only the last key that was pressed between two questions, so with two frames a second and one question a frame,
keys would be lost.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def computed_while_answering(worker: Executor, compute: Callable[[], Item], answer: Callable[[], None]) -> Item:
    """What `compute` returns, in a thread of `worker`. Meanwhile `answer`, which waits some milliseconds for a key, is called
    again and again in this thread.
    """
    future = worker.submit(compute)
    while not future.done():
        answer()
    return future.result()


def while_answering(items: Iterator[Item], answer: Callable[[], None], stop: Callable[[], None]) -> Iterator[Item]:
    """Yields the items, each computed in another thread while `answer` is called in this one.

    `stop` ends a wait of the items' source; it is called if `answer` raises, as with Ctrl-C. What the items raise is
    raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="frames") as worker:
        while True:
            try:
                item = computed_while_answering(worker, lambda: next(items, None), answer)
            except BaseException:
                stop()
                raise
            if item is None:
                return
            yield item
