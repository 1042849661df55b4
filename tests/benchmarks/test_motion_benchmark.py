import numpy as np
import pytest

from benchmarks import __main__ as everything
from benchmarks import motion
from recognizer.errors import SettingsError
from recognizer.motion.movement import mirrored
from tests.helpers.movements import a_movement, circle, swipe, wave
from training.datasets.signed_movements import SignedMovement

PATHS = {"circle": circle, "swipe": swipe, "wave": wave}


@pytest.mark.parametrize("name", motion.METHODS)
def test_each_method_reads_clear_movements(name: str) -> None:
    shown = [a_movement(path, seed=seed) for path in PATHS.values() for seed in (0, 1)]
    tested = [mirrored(a_movement(path, seed=9, fps=20)) for path in PATHS.values()]
    labels = [label for label in PATHS for _ in range(2)]
    predicted = motion.METHODS[name](shown, labels, tested)
    assert sum(a == b for a, b in zip(predicted, PATHS, strict=True)) >= (2 if name == "fingertip network" else 3)


def test_people_are_tested_on_what_others_have_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion, "DRAWS", 1)
    monkeypatch.setattr(motion, "METHODS", {"this project": motion.this_project})
    signed = [
        SignedMovement(person, label, a_movement(path, seed=seed))
        for person, start in (("anna", 0), ("ben", 10))
        for label, path in (("J", circle), ("Z", wave))
        for seed in range(start, start + 2)
    ]
    results = motion.real_results([*signed, SignedMovement("ben", "J", None)])
    assert [result.of for result in results] == ["ben, demonstrated by anna", "anna, demonstrated by ben"]
    assert results[0].tested == 5
    assert results[0].shares["this project"][1] == pytest.approx(0.8)  # what was not found is wrong
    assert results[1].shares["this project"][5] == 1


def test_studio_people_differ_and_their_movements_are_found() -> None:
    studio = motion.studio_movements(people=1, repetitions=1)
    assert {one.person for one in studio} == {"person 1"}
    assert sum(one.movement is not None for one in studio) >= len(studio) - 1


def test_everyday_movements_have_a_duration() -> None:
    movements, minutes = motion.everyday_movements("scratching", seconds=4)
    assert 4 / 60 <= minutes < 0.3
    assert all(np.isfinite(one.duration_s) for one in movements)


def test_only_the_section_of_movements_takes_a_folder(monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(everything, "complete", lambda: None)
    monkeypatch.setattr("sys.argv", ["benchmark", "digits", "somewhere"])
    with pytest.raises(SystemExit):
        everything.main()
    assert "motion takes a folder" in capsys.readouterr().err


def test_a_folder_without_sequences_is_an_error(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(motion, "studio_movements", lambda: [])
    monkeypatch.setattr(motion, "studio_result", lambda studio: None)
    with pytest.raises(SettingsError, match="Name the folder"):
        motion.report(str(tmp_path))
