"""Workers never hold up a frame, and try again; the runner fires what fits."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from recognizer.actions import worker as worker_module
from recognizer.actions.action import ActionError, ActionFailed, Firing, Unreachable
from recognizer.actions.action_file import Rule
from recognizer.actions.runner import LAST_S, SHOWN_S, ActionRunner
from recognizer.actions.worker import QUEUE_LIMIT, Worker
from recognizer.event_detection.event import Phase
from tests.helpers.firings import Recorded, a_firing, an_event, working
from tests.helpers.waiting import until


def failing(*errors: Exception):
    """Raises each of the errors once, then none."""
    left = list(errors)

    def before(firing: Firing) -> None:
        if left:
            raise left.pop(0)

    return before


def labels(action: Recorded) -> list[str]:
    return [firing.event.label for firing in action.done]


def test_what_cannot_be_reached_is_tried_again_and_reported_once() -> None:
    action = Recorded(before=failing(*[Unreachable("the lamp is off")] * 3))
    with working(action) as (worker, lines):
        worker.put(a_firing("rock"))
        worker.put(a_firing("paper"))
        until(lambda: len(action.done) == 2)
    assert labels(action) == ["rock", "paper"]
    assert lines == ["record: the lamp is off: trying again.", "record: works again."]


def test_pauses_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "LONGEST_PAUSE_S", 0.004)
    pauses: list[float] = []

    class Watched(Worker):
        def _wait(self) -> None:
            pauses.append(self._pause_s)
            super()._wait()

    action = Recorded(before=failing(*[Unreachable("off")] * 4))
    worker = Watched(action, "rps", first_pause_s=0.001)
    worker.put(a_firing())
    until(lambda: action.done)
    worker.end()
    assert pauses == [0.001, 0.002, 0.004, 0.004]


def test_what_failed_is_reported_and_not_tried_again() -> None:
    action = Recorded(before=failing(ActionFailed("no"), ZeroDivisionError("division\nby zero")))
    with working(action) as (worker, lines):
        for label in ("rock", "paper", "scissors"):
            worker.put(a_firing(label))
    assert labels(action) == ["scissors"]
    assert lines == ["record: no", "record: works again."]


def test_an_action_whose_library_is_missing_says_how_to_install_it() -> None:
    error = ModuleNotFoundError("No module named 'paho'", name="paho")
    action = Recorded(before=failing(error))
    with working(action) as (worker, lines):
        worker.put(a_firing())
        worker.put(a_firing())
    assert lines == [
        "record: It needs paho, which is not installed. Install it: python -m pip install -r requirements-actions.txt"
    ]
    assert action.done == []


def test_a_slow_action_never_holds_up_its_caller_and_keeps_the_newest() -> None:
    go_on, started = threading.Event(), threading.Event()
    action = Recorded(before=lambda firing: (started.set(), go_on.wait())[1])
    with working(action) as (worker, lines):
        worker.put(a_firing("first"))
        started.wait()
        for number in range(QUEUE_LIMIT + 5):  # returns, though nothing is taken out of the queue
            worker.put(a_firing(str(number)))
        go_on.set()
    assert labels(action) == ["first", *map(str, range(5, QUEUE_LIMIT + 5))]
    assert lines == ["record: too slow, so older signs are left out."]


def test_what_waited_too_long_is_left_out_except_the_newest() -> None:
    go_on, started = threading.Event(), threading.Event()
    action = Recorded(before=lambda firing: (started.set(), go_on.wait())[1])
    with working(action) as (worker, _):
        worker.put(a_firing("first"))
        started.wait()
        for label in ("old", "also old"):
            worker.put(replace(a_firing(label), fired_s=float("-inf")))
        go_on.set()
    assert labels(action) == ["first", "also old"]


def test_at_the_end_nothing_is_tried_again() -> None:
    started, go_on = threading.Event(), threading.Event()

    def unreachable(firing: Firing) -> None:
        started.set()
        go_on.wait()
        raise Unreachable("off")

    action = Recorded(before=unreachable)
    with working(action) as (worker, lines):
        worker.put(a_firing())
        worker.put(a_firing())
        started.wait()
        worker.end()
        go_on.set()
    assert (action.done, lines) == ([], ["record: off: trying again."])


class FakeWorker:
    """Collects firings instead of running them."""

    opened: list["FakeWorker"] = []  # noqa: RUF012

    def __init__(self, rule: Rule, task: str, report: object) -> None:
        self.rule, self.task = rule, task
        self.done: list[Firing] = []
        self.ended = False
        self.opened.append(self)

    def put(self, firing: Firing) -> None:
        self.done.append(firing)

    def end(self) -> None:
        self.ended = True

    def join(self, timeout_s: float) -> None:
        assert timeout_s <= LAST_S


@pytest.fixture(autouse=True)
def no_workers() -> Iterator[None]:
    yield
    FakeWorker.opened.clear()


def a_rule(*on: str, when: Sequence[Phase] = (Phase.APPEARED,), task: str | None = None) -> Rule:
    return Rule(Recorded(), on, tuple(when), task=task)


def a_runner(*rules: Rule, **options) -> ActionRunner:
    runner = ActionRunner(lambda task: rules, open_worker=FakeWorker, **options)  # type: ignore[arg-type]
    runner.use_task("rps")
    return runner


def test_the_runner_fires_each_action_that_fits_and_shows_it_for_a_while() -> None:
    now_s = 0.0
    runner = a_runner(a_rule("rock"), a_rule("*"), a_rule("*", task="letters"), clock=lambda: now_s)
    runner(an_event("rock"))
    runner(an_event("paper"))
    assert [[firing.event.label for firing in worker.done] for worker in FakeWorker.opened] == [
        ["rock"],
        ["rock", "paper"],
    ]
    assert runner.fired == "paper: record"
    now_s = SHOWN_S
    assert runner.fired == ""
    runner.close()
    assert all(worker.ended for worker in FakeWorker.opened)


def test_the_state_is_the_label_in_view_that_appeared_last() -> None:
    runner = a_runner(a_rule("*", when=tuple(Phase)))
    for label, phase, number in (
        ("rock", Phase.APPEARED, 1),
        ("paper", Phase.APPEARED, 2),
        ("paper", Phase.GONE, 2),
        ("rock", Phase.GONE, 1),
    ):
        runner(an_event(label, phase, number))
    assert [firing.state for firing in FakeWorker.opened[0].done] == ["rock", "paper", "rock", "none"]


def test_actions_do_nothing_while_they_are_paused_or_signs_are_recorded() -> None:
    runner = a_runner(a_rule("*"))
    runner.toggle_pause()
    runner(an_event("rock"))
    assert (runner.paused, FakeWorker.opened[0].done, runner.fired) == (True, [], "")
    runner.toggle_pause()
    runner(an_event("paper"))
    assert [firing.event.label for firing in FakeWorker.opened[0].done] == ["paper"]
    runner.is_teaching = lambda: True
    runner(an_event("rock"))
    assert len(FakeWorker.opened[0].done) == 1
    without = a_runner()
    without.toggle_pause()
    assert (without.paused, without.has_actions) == (False, False)


def test_a_dry_run_prints_what_would_be_done_and_opens_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    runner = a_runner(a_rule("*"), dry_run=True)
    runner(an_event("rock"))
    assert (FakeWorker.opened, runner.has_actions) == ([], True)
    assert capsys.readouterr().out == "appeared rock: record\n"


def test_another_task_has_other_actions_and_one_that_is_not_allowed_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def rules_of(task: str) -> tuple[Rule, ...]:
        if task == "letters":
            raise ActionError("letters is not allowed.")
        return (a_rule("*"),)

    lines: list[str] = []
    with ActionRunner(rules_of, open_worker=FakeWorker, notify=lines.append) as runner:  # type: ignore[arg-type]
        runner.use_task("rps")
        runner.use_task("letters")
        runner(an_event("rock"))
        assert (FakeWorker.opened[0].ended, FakeWorker.opened[0].done) == (True, [])
        assert lines == ["letters is not allowed."]
        assert capsys.readouterr().err == "letters is not allowed.\n"


def test_what_is_queued_at_the_end_is_done() -> None:
    action = Recorded()
    with ActionRunner(lambda task: [Rule(action, ("*",), (Phase.APPEARED,))]) as runner:
        runner.use_task("rps")
        for _ in range(5):
            runner(an_event())
    assert len(action.done) == 5
