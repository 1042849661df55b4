"""A worker of one action: a bounded queue and a thread, so that nothing slow or dead holds up a frame."""

import threading
import time
from collections import deque
from collections.abc import Callable

from recognizer.actions.action import Action, Firing, Unreachable
from recognizer.system.packages import install_command
from recognizer.system.text import one_line

QUEUE_LIMIT = 32  # firings that wait; the oldest is left out for a new one
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # between two tries; each pause is twice as long as the one before
STALE_S = 30.0  # an older firing is left out if a newer one waits: nobody expects a key press so late

Report = Callable[[str], None]


class Worker:
    """Runs the firings of one action in its own thread, one after the other."""

    def __init__(
        self,
        action: Action,
        task: str,
        report: Report = lambda line: None,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """`report` takes one line for the user, from the thread."""
        self._action = action
        self._task = task
        self._report = report
        self._first_pause_s = first_pause_s
        self._pause_s = first_pause_s
        self._queue: deque[Firing] = deque()
        self._changed = threading.Condition()
        self._is_ending = False
        self._is_failing = False
        self._was_closed = False  # the last try could not even open it
        self._is_behind = False
        self._thread = threading.Thread(target=self._work, name=f"action {action.describe()[:40]}", daemon=True)
        self._thread.start()

    def put(self, firing: Firing) -> None:
        """Queue a firing. Never waits."""
        with self._changed:
            was_full = len(self._queue) >= QUEUE_LIMIT
            if was_full:
                self._queue.popleft()
            self._queue.append(firing)
            self._changed.notify()
        if was_full and not self._is_behind and not self._is_failing:
            self._is_behind = True
            self._report(f"{self._action.describe()}: too slow, so older signs are left out.")

    def end(self) -> None:
        """Run what is queued, without another try, and end."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()

    def join(self, timeout_s: float) -> None:
        self._thread.join(max(0.0, timeout_s))

    def _work(self) -> None:
        while not self._has_ended():
            is_open = False
            try:
                with self._action.opened(self._task) as run:
                    is_open = True
                    if self._was_closed:
                        self._succeed()
                    self._run_all(run)
            except Unreachable as error:
                self._was_closed = not is_open
                self._fail(f"{one_line(error).rstrip('.')}: trying again.")
                self._wait()
            except ModuleNotFoundError as error:
                self._fail(f"It needs {error.name}, which is not installed. Install it: {install_command('actions')}")
                return
            except Exception as error:  # a plug-in may raise anything
                self._was_closed = not is_open
                self._fail(one_line(error))
                self._wait()

    def _run_all(self, run: Callable[[Firing], None]) -> None:
        """Run firings until the end. What cannot be reached stays in the queue."""
        while (firing := self._next()) is not None:
            try:
                run(firing)
            except Unreachable:
                with self._changed:
                    if not self._is_ending:
                        self._queue.appendleft(firing)
                raise
            except ModuleNotFoundError:
                raise
            except Exception as error:
                self._fail(one_line(error))
            else:
                self._succeed()

    def _next(self) -> Firing | None:
        """Wait for a firing. None at the end, when all are done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_ending)
            while len(self._queue) > 1 and time.monotonic() - self._queue[0].fired_s > STALE_S:
                self._queue.popleft()
            return self._queue.popleft() if self._queue else None

    def _has_ended(self) -> bool:
        with self._changed:
            return self._is_ending and not self._queue

    def _fail(self, reason: str) -> None:
        """Report the first failure of several."""
        if not self._is_failing:
            self._is_failing = True
            self._report(f"{self._action.describe()}: {reason}")

    def _succeed(self) -> None:
        self._pause_s = self._first_pause_s
        if self._is_failing:
            self._report(f"{self._action.describe()}: works again.")
        self._is_failing = self._was_closed = self._is_behind = False

    def _wait(self) -> None:
        """Pause before the next try. At the end there is none, and the queue is emptied."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_ending, self._pause_s)
            if self._is_ending:
                self._queue.clear()
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
