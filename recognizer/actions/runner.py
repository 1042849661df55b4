"""Fires the actions of the task whose events arrive."""

import time
from collections.abc import Callable, Sequence
from typing import Self

from recognizer.actions.action import NO_LABEL, Firing
from recognizer.actions.action_file import Rule
from recognizer.actions.worker import Worker
from recognizer.errors import RecognizerError
from recognizer.event_detection.event import Event, Phase
from recognizer.system.terminal import print_messages

LAST_S = 1.0  # at the end, for all that is queued
SHOWN_S = 1.5  # how long the window shows what has fired

OpenWorker = Callable[[Rule, str, Callable[[str], None]], Worker]


def _open_worker(rule: Rule, task: str, report: Callable[[str], None]) -> Worker:
    return Worker(rule.action, task, report)


class ActionRunner:
    """A listener of events. Each action of the current task has a worker, so that a call never waits.

    Use it in a `with`, and name the task with `use_task` before its first event.
    """

    def __init__(
        self,
        rules_of: Callable[[str], Sequence[Rule]],
        *,
        dry_run: bool = False,
        notify: Callable[[str], None] = lambda line: None,
        open_worker: OpenWorker = _open_worker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rules_of` returns the rules of a task, and may raise RecognizerError. `dry_run` prints what would be done.

        `notify` takes one line for the user, also from other threads.
        """
        self.notify = notify
        self.is_teaching: Callable[[], bool] = lambda: False  # then signs are samples, and fire nothing
        self.dry_run = dry_run
        self.paused = False
        self._rules_of = rules_of
        self._open_worker = open_worker
        self._clock = clock
        self._workers: list[tuple[Rule, Worker | None]] = []
        self._in_view: dict[int, str] = {}  # label by the number of its object, in the order in which they appeared
        self._fired, self._fired_s = "", float("-inf")

    @property
    def has_actions(self) -> bool:
        return bool(self._workers)

    @property
    def fired(self) -> str:
        """What has fired in the last SHOWN_S seconds; "" if nothing has."""
        return self._fired if self._clock() - self._fired_s < SHOWN_S else ""

    def use_task(self, task: str) -> None:
        """End the actions of the task before, and open those of this one."""
        self._end()
        try:
            rules = self._rules_of(task)
        except RecognizerError as error:
            self._report(str(error))
            return
        self._workers = [
            (rule, None if self.dry_run else self._open_worker(rule, task, self._report))
            for rule in rules
            if rule.is_for(task)
        ]

    def toggle_pause(self) -> None:
        """Pause all actions, or go on. Events of the meantime are left out."""
        if self.has_actions:
            self.paused = not self.paused

    def __call__(self, event: Event) -> None:
        firing = Firing(event, self._state_after(event))
        if self.paused or self.is_teaching():
            return
        for rule, worker in self._workers:
            if rule.fits(event):
                self._fired = firing.fill(f"{event.label}: {rule.action.describe()}")
                self._fired_s = self._clock()
                if worker is None:
                    print(f"{event.phase} {self._fired}", flush=True)
                else:
                    worker.put(firing)

    def close(self) -> None:
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _state_after(self, event: Event) -> str:
        """The label in view that appeared last."""
        if event.phase == Phase.APPEARED:
            self._in_view[event.number] = event.label
        elif event.phase == Phase.GONE:
            self._in_view.pop(event.number, None)
        return next(reversed(self._in_view.values()), NO_LABEL)

    def _end(self) -> None:
        """End all workers. What is queued has LAST_S seconds."""
        workers = [worker for _, worker in self._workers if worker is not None]
        self._workers = []
        self._in_view.clear()
        for worker in workers:
            worker.end()
        end_s = time.monotonic() + LAST_S
        for worker in workers:
            worker.join(end_s - time.monotonic())

    def _report(self, line: str) -> None:
        print_messages([line])
        self.notify(line)
