"""Events as JSON lines: on stdout, in a file that is rotated, and from a whole run."""

import io
import json
import sys
from pathlib import Path

import pytest

from recognizer import cli
from recognizer.errors import SinkError
from recognizer.event_detection import event_log
from recognizer.event_detection.event_log import open_event_log
from recognizer.event_detection.event_sink import EventSink
from tests.event_detection.test_detector import observation, seen
from tests.helpers.firings import an_event


def labels_in(path: Path) -> list[str]:
    return [json.loads(line)["label"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_events_are_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    for label in ("rock", "ü"):
        with open_event_log(str(path)) as log:
            log(an_event(label))
    assert labels_in(path) == ["rock", "ü"]


def test_a_long_file_is_rotated_and_the_oldest_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "FILE_BYTES", 300)  # two events
    path = tmp_path / "events.jsonl"
    with open_event_log(str(path)) as log:
        for number in range(11):
            log(an_event(str(number)))
    names = ["events.jsonl", "events.jsonl.1", "events.jsonl.2", "events.jsonl.3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [labels_in(tmp_path / name) for name in names] == [["10"], ["8", "9"], ["6", "7"], ["4", "5"]]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="Cannot write .*Is a directory"), open_event_log(str(tmp_path)):
        pass
    with pytest.raises(SinkError, match="No space left"), open_event_log("/dev/full") as log:
        log(an_event())


def test_on_stdout_stand_only_events(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with open_event_log("-") as log:
        print("saved")
        log(an_event())
    print("after")
    assert (json.loads(out.getvalue().splitlines()[0])["label"], err.getvalue()) == ("rock", "saved\n")
    assert out.getvalue().splitlines()[1:] == ["after"]


def test_the_sink_sends_what_has_gone_before_another_task_begins_and_at_the_end() -> None:
    notes: list[str] = []
    with EventSink(lambda event: notes.append(f"{event.phase} {event.label}"), on_task=notes.append) as sink:
        for index in range(10):
            sink.write(observation(index, seen("rock")))
        for index in range(10, 20):
            sink.write(observation(index, seen("A"), task="letters"))
    assert [note for note in notes if "held" not in note] == [
        "rps",
        "appeared rock",
        "gone rock",
        "letters",
        "appeared A",
        "gone A",
    ]


@pytest.mark.usefixtures("published_models")
def test_a_headless_run_writes_events_and_runs_actions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    actions = tmp_path / "my.toml"
    actions.write_text(
        "[[action]]\non = '*'\ndo = 'type'\n[[action]]\non = '*'\ndo = 'notify'\ntask = 'letters'\n", encoding="utf-8"
    )
    words = ["--source", "studio", "--size", "320x240", "--fps", "5", "--headless", "--max-frames", "8"]
    words += ["--output", str(tmp_path / "output"), "--actions", str(actions), "--dry-run", "--events", "-"]
    assert cli.main(words) == 0
    events, said = capfd.readouterr()
    found = [json.loads(line) for line in events.splitlines()]
    number = found[0]["label"]
    assert number.isdecimal()
    assert [(event["event"], event["label"]) for event in found if event["event"] != "held"] == [
        ("appeared", number),
        ("gone", number),
    ]
    assert f"appeared {number}: type '{number}'" in said.splitlines()
    assert "notification" not in said
    assert "Wrote " in said
