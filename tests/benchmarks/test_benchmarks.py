"""The benchmark report, and the leak test of the live loop."""

import gc
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as everything
from benchmarks import event_cost, report, sample_cost, soak
from benchmarks.scaling import TwoHands
from benchmarks.soak import CountedWindows, Snapshot, SoakResult
from recognizer import hot_swap
from recognizer.errors import SettingsError
from recognizer.pipeline import Pipeline
from recognizer.registry.store import ModelStore
from recognizer.system import machine, paths


@pytest.mark.slow
def test_the_live_loop_does_not_leak_after_many_models(
    published_models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short version of `python -m benchmarks.soak`."""
    monkeypatch.setattr(hot_swap, "POLL_INTERVAL_S", 0.0)

    def is_over(result: SoakResult) -> bool:
        return result.swaps >= 5 and result.frames > 50 and len(result.snapshots) >= 5

    opened_before = _open_pipelines()
    result = soak.run(is_over, 0.1, (320, 240), published_models, ("digits",))
    assert result.opened == ["digits"] * result.swaps
    assert max(result.leaked.values()) <= 0
    assert _open_pipelines() <= opened_before  # memory is not checked: it varies by 20 MB in a short run
    assert result.snapshots[0].windows == 1
    assert result.after is not None
    assert result.after.windows == 0


def _open_pipelines() -> int:
    gc.collect()
    return sum(isinstance(one, Pipeline) for one in gc.get_objects())


@pytest.mark.parametrize(
    ("growth", "passed"),
    [
        ({}, True),
        ({"memory_mb": 25.0}, False),
        ({"threads": 1}, False),
        ({"files": 1}, False),
        ({"windows": 1}, False),
    ],
)
def test_a_run_fails_if_memory_or_handles_leaked(growth: dict[str, float], passed: bool) -> None:
    first = {"time_s": 0.0, "memory_mb": 200.0, "threads": 4, "files": 9, "windows": 1}
    last = {name: value + growth.get(name, 0) for name, value in first.items()}
    result = SoakResult(60.0, snapshots=[Snapshot(**first), Snapshot(**last)], after=Snapshot(**{**last, "windows": 0}))  # type: ignore[arg-type]
    assert result.passed is passed
    assert "Memory grew by" in soak.as_markdown(result)


def test_a_run_with_an_open_window_fails() -> None:
    snapshot = Snapshot(0.0, 200.0, 4, 9, 1)
    assert not SoakResult(60.0, snapshots=[snapshot, snapshot], after=snapshot).passed
    windows = CountedWindows((320, 240))
    windows.namedWindow("a", 0)
    assert soak.take_snapshot(0.0, windows).windows == 1


def test_measured_sections_are_reused_and_joined_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "project" / "benchmarks"
    monkeypatch.setattr(everything, "SECTIONS", tmp_path / "sections")
    monkeypatch.setattr(everything, "RESULTS", package / "RESULTS.md")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "project")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    measured = tmp_path / "measured"
    for name in ("first", "second"):
        (package / f"of_{name}.py").write_text("def report(word):\n    return f'## {word}'\n")
    monkeypatch.setattr(everything, "REPORTS", {name: (f"of_{name}", (name,)) for name in ("first", "second", "gone")})
    monkeypatch.setattr(everything, "is_there", lambda name: name != "gone")

    def measure(command: list[str], **_: object) -> object:
        name = command[-1]
        with measured.open("a") as file:
            file.write(f"{name} ")
        (tmp_path / "sections" / f"{name}.md").write_text(f"## {name}\n")
        return type("Ended", (), {"returncode": 0})()

    monkeypatch.setattr(everything.subprocess, "run", measure)
    (tmp_path / "sections").mkdir()
    (tmp_path / "sections" / "first.md").write_text("## first, measured before\n")
    for words in ([], ["--fresh"]):
        monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
        everything.main()
    assert measured.read_text().split() == ["second", "first", "second"]
    assert "first: already measured" in capsys.readouterr().out
    written = (package / "RESULTS.md").read_text()
    assert written.index("## first") < written.index("## second")
    assert machine.description() in written


def test_all_required_sections_have_a_module_with_a_report() -> None:
    available = [name for name in everything.REPORTS if everything.is_there(name)]
    assert {"digits", "hands", "serve", "startup", "growth", "captured", "fewshot"} <= set(available)


def test_table_numbers_have_three_significant_digits() -> None:
    markdown = report.table(["what", "ms"], [("a", 0.1234), ("b", 12.34), ("c", 1234.5), ("d", 7)])
    assert markdown.splitlines() == [
        "| what | ms |",
        "| --- | --- |",
        "| a | 0.12 |",
        "| b | 12.3 |",
        "| c | 1234 |",
        "| d | 7 |",
    ]


def test_pandas_and_the_store_read_the_same_landmarks(tmp_path: Path) -> None:
    store = sample_cost.filled(tmp_path, 7)
    own = [sample.landmarks for sample in store.read(sample_cost.TASK)]
    np.testing.assert_array_equal(sample_cost.by_hand(store), np.array(own))
    sample_cost.add_one(store)
    assert sum(store.counts(sample_cost.TASK).values()) == 8


def test_two_hands_are_drawn_side_by_side() -> None:
    one, two = (TwoHands(count).frame(36).image_bgr for count in (1, 2))
    assert one.shape == two.shape == (720, 1280, 3)
    np.testing.assert_array_equal(one[:, :640], two[:, :640])
    assert np.ptp(one[:, 640:]) == 0
    np.testing.assert_array_equal(two[:, 640:], two[:, :640][:, ::-1])


def test_an_unknown_section_suggests_the_nearest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(everything, "SECTIONS", tmp_path / "sections")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "digts"])
    with pytest.raises(SystemExit, match="2"):
        everything.main()
    assert capsys.readouterr().err.endswith("has no command 'digts'. Did you mean digits?\n")


def test_an_unknown_option_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--bogus"])
    with pytest.raises(SystemExit) as end:
        everything.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == ("Unrecognized arguments: --bogus. See: python -m recognizer benchmark --help\n")


@pytest.mark.slow
def test_the_section_of_events_measures_delays_frame_times_and_clips(
    hand_models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt: pip install -r requirements-actions.txt")
    if not (shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")):
        pytest.skip("needs mosquitto (apt install mosquitto)")
    monkeypatch.setattr(event_cost, "CLIPS", {})
    monkeypatch.setattr(event_cost, "appeared_on_stills", lambda task, pictures: [task] if task == "rps" else [])
    text = event_cost.report(signs=1, frames=2, rounds=1)
    assert re.search(r"\| sign to broker, camera intervals \| [\d.]+ \| [\d.]+ \|", text) or "1 of 1 signs" in text
    assert re.search(r"\| broker that never answers \| [\d.]+ \| [\d.]+ \|", text)


def test_a_benchmark_of_events_without_a_broker_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(SettingsError, match="sudo apt install mosquitto"), event_cost.running_broker():
        pass
