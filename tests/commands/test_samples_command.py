"""`tasks new` and each subcommand of `samples`."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.commands import samples, tasks
from recognizer.errors import RecognizerError, SamplesError, SettingsError
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.sources.decoding import read_image
from recognizer.subjects.box import BOX, BoxSubject
from recognizer.subjects.subject import Subject
from recognizer.values import Box, Frame, Region

LABELS = ["ok", "नमस्ते", "שלום", "👍"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """The default store, with the task "signs" and three samples of each label."""
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    monkeypatch.chdir(tmp_path)
    assert tasks.run(["new", "signs", "--subject", "box", "--labels", ",".join(LABELS)]) == 0
    default_store = default_samples()
    for label in LABELS:
        for seed in range(3):
            add(default_store, label, seed)
    return default_store


def add(store: Samples, label: str, seed: int = 0, *, task: str = "signs", session: str = "first") -> Sample:
    crop = np.random.default_rng(seed).integers(0, 255, (20, 20, 3), np.uint8)
    return store.add(task, label, Region(Box(0, 0, 20, 20), crop), Frame(crop, 0, 0.0, "drawn"), session, "drawn")


def test_new_creates_a_task(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    assert tasks.run(["new", "My mugs", "--subject", "box", "--labels", " ok, stop ,thumbs up,"]) == 0
    assert "Created My mugs (box): ok, stop, thumbs up" in capsys.readouterr().out
    assert store.task("My mugs").labels == ("ok", "stop", "thumbs up")
    with pytest.raises(SamplesError, match="exists already"):
        tasks.run(["new", "My mugs", "--subject", "box", "--labels", "ok"])
    with pytest.raises(SamplesError, match="has no label"):
        tasks.run(["new", "more", "--subject", "box", "--labels", " , "])
    with pytest.raises(SettingsError, match="invalid choice: 'foot'"):
        tasks.run(["new", "more", "--subject", "foot", "--labels", "ok"])


def test_list_counts_the_samples_of_each_label(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.run(["list"]) == 0
    out = capsys.readouterr().out
    assert "signs (box): 12 samples in 1 sessions" in out
    assert "       3  नमस्ते" in out
    assert samples.run(["list", "signs", "--json"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line == {
        "task": "signs",
        "region": "box",
        "samples": 12,
        "sessions": 1,
        "moving": 0,
        "labels": dict.fromkeys(LABELS, 3),
    }
    with pytest.raises(SamplesError, match="No task mugs"):
        samples.run(["list", "mugs"])


def test_list_without_tasks_says_how_to_create_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.run(["list", "--samples", str(tmp_path / "none")]) == 0
    assert "Create one: python -m recognizer tasks new" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_show_writes_a_contact_sheet(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    (store.folder / store.read()[0].path).unlink()
    assert samples.run(["show", "signs"]) == 0
    printed = capsys.readouterr()
    assert "Wrote output/samples-signs.png" in printed.out
    sheet = read_image(Path("output/samples-signs.png"))
    assert sheet.shape[1] > 1000
    assert np.any(sheet.max(axis=2) > 200)
    assert "Traceback" not in printed.err
    assert samples.run(["show", "signs", "--label", "ok", "--each", "1", "--output", "one.png"]) == 0
    assert read_image(Path("one.png")).shape[0] < sheet.shape[0]
    with pytest.raises(SamplesError, match="has no label halt"):
        samples.run(["show", "signs", "--label", "halt"])
    with pytest.raises(SettingsError, match="at least 1"):
        samples.run(["show", "signs", "--each", "0"])
    tasks.run(["new", "empty", "--subject", "box", "--labels", "ok"])
    with pytest.raises(SamplesError, match="The task empty has no samples yet"):
        samples.run(["show", "empty"])


def test_relabel_changes_selected_samples_or_a_whole_label(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = store.read()[0]
    assert samples.run(["relabel", "signs", "ok", "👍", "--sample", wrong.id]) == 0
    assert "Relabelled 1 samples of signs: ok to 👍" in capsys.readouterr().out
    assert store.counts("signs") == {"ok": 2, "नमस्ते": 3, "שלום": 3, "👍": 4}
    with pytest.raises(SamplesError, match="has no label okay. It has: .* Did you mean ok\\? Add --new to make it"):
        samples.run(["relabel", "signs", "ok", "okay"])
    assert samples.run(["relabel", "signs", "ok", "okay", "--new"]) == 0
    assert store.counts("signs") == {"नमस्ते": 3, "שלום": 3, "👍": 4, "okay": 2}
    with pytest.raises(SamplesError, match="no sample 123 among the selected samples"):
        samples.run(["relabel", "signs", "okay", "👍", "--sample", "123"])
    with pytest.raises(SamplesError, match="has no label ok"):
        samples.run(["relabel", "signs", "ok", "👍"])
    first = store.read()[0]
    assert samples.run(["relabel", "signs", first.label, "mine", "--sample", first.id, "--new"]) == 0
    assert store.counts("signs")["mine"] == 1
    with pytest.raises(SamplesError, match="There is no task mugs. See: .* tasks list"):
        samples.run(["relabel", "mugs", "ok", "okay"])


def test_delete_removes_the_selected_samples(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    add(store, "ok", session="second")
    with pytest.raises(SamplesError, match="Nothing was selected to delete"):
        samples.run(["delete", "signs"])
    with pytest.raises(SamplesError, match="No sample of signs matches"):
        samples.run(["delete", "signs", "--session", "third"])
    samples.run(["delete", "signs", "--session", "second"])
    assert store.counts("signs")["ok"] == 3
    samples.run(["delete", "signs", "--label", "ok", "--sample", store.read()[0].path])
    assert store.counts("signs")["ok"] == 2
    samples.run(["delete", "signs", "--label", "ok"])
    assert store.task("signs").labels == tuple(LABELS[1:])
    with pytest.raises(
        SettingsError, match="Delete the 9 samples of signs\\? Nothing was done, .* no terminal.* Add --yes"
    ):
        samples.run(["delete", "signs", "--all"])
    samples.run(["delete", "signs", "--all", "--yes"])
    assert store.tasks() == []
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Deleted 9 samples of signs. They are in the trash: python -m recognizer samples trash"


class Answering(io.StringIO):
    """A terminal at which these lines are typed."""

    def isatty(self) -> bool:
        return True


def test_what_was_deleted_is_listed_brought_back_and_deleted_for_good(
    store: Samples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples.run(["trash"])
    samples.run(["empty"])
    assert capsys.readouterr().out == "The trash is empty.\nThe trash is empty.\n"
    with pytest.raises(SamplesError, match="there is nothing to bring back"):
        samples.run(["restore"])
    samples.run(["delete", "signs", "--label", "ok", "--sample", store.read()[0].id])
    samples.run(["delete", "signs", "--label", "ok"])
    capsys.readouterr()
    assert samples.run(["trash"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "1 samples of ok in signs",
        "the label ok of signs, 2 samples",
    ]
    samples.run(["trash", "--json"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["kind"], first["samples"], second["label"]) == ("samples", 1, "ok")
    assert samples.run(["restore"]) == 0
    assert "Brought back the label ok of signs, 2 samples" in capsys.readouterr().out
    assert store.task("signs").labels == tuple(LABELS)
    monkeypatch.setattr("sys.stdin", Answering("no\n"))
    assert samples.run(["empty"]) == 1
    monkeypatch.setattr("sys.stdin", Answering(""))  # Ctrl-D
    assert samples.run(["empty"]) == 1
    assert len(store.trash()) == 1
    monkeypatch.setattr("sys.stdin", Answering("Yes\n"))
    assert samples.run(["empty", first["name"]]) == 0
    assert capsys.readouterr().out.endswith("[y/N] Deleted 1 samples for good\n")
    assert store.trash() == []
    with pytest.raises(SamplesError, match="no 'nobody' in the trash"):
        samples.run(["restore", "nobody"])


def test_a_task_is_renamed_deleted_and_brought_back(
    store: Samples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tasks.run(["rename", "signs", "gestures"]) == 0
    assert store.counts("gestures") == dict.fromkeys(LABELS, 3)
    with pytest.raises(SettingsError, match="Delete the task gestures\\? Nothing was done"):
        tasks.run(["delete", "gestures"])
    monkeypatch.setattr("sys.stdin", Answering("n\n"))
    assert tasks.run(["delete", "gestures"]) == 1
    assert tasks.run(["delete", "gestures", "--yes"]) == 0
    assert store.tasks() == []
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2] == "Deleted the task gestures: 12 samples, 0 versions of its model"
    assert samples.run(["restore", printed[-1].rpartition(" ")[2]]) == 0
    assert store.counts("gestures") == dict.fromkeys(LABELS, 3)
    for words, reason in (
        (["delete", "gestures", "--only", "model"], "has no model"),
        (["delete", "nobody"], "There is no task nobody"),
        (["delete", "rps", "--yes"], "rps came with the program"),
        (["rename", "nobody", "more"], "There is no task nobody"),
    ):
        with pytest.raises(RecognizerError, match=reason):
            tasks.run(words)


def test_merge_moves_samples_into_another_task(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    tasks.run(["new", "others", "--subject", "box", "--labels", "mug"])
    assert samples.run(["merge", "signs", "others"]) == 0
    assert "Moved 12 samples of signs into others" in capsys.readouterr().out
    assert store.counts("others") == {"mug": 0, **dict.fromkeys(LABELS, 3)}
    with pytest.raises(SamplesError, match="No task signs"):
        samples.run(["merge", "signs", "others"])


def test_an_exported_zip_is_imported_once(store: Samples, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.run(["export", "all.zip"]) == 0
    other = ["--samples", str(tmp_path / "other")]
    assert samples.run(["import", "all.zip", *other]) == 0
    assert samples.run(["import", "all.zip", *other]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Wrote all.zip",
        "Imported 12 samples",
        "Imported 0 samples, 12 skipped because the task has them already",
    ]
    assert Samples(tmp_path / "other").counts("signs") == store.counts("signs")
    (store.folder / store.read()[0].path).unlink()
    assert samples.run(["export", "signs", "all.zip"]) == 1
    assert "is missing and was not exported" in capsys.readouterr().err
    with pytest.raises(SamplesError, match="Leave out TASK"):
        samples.run(["import", "signs", "all.zip"])
    with pytest.raises(SamplesError, match="does not exist"):
        samples.run(["import", "nothing.zip"])


def test_a_folder_of_pictures_can_be_imported(
    store: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("mug", "cup"):
        (tmp_path / "things" / label).mkdir(parents=True)
        picture = np.full((30, 30, 3), len(label), np.uint8)
        cv2.imwrite(str(tmp_path / "things" / label / "one.png"), picture)
    with pytest.raises(SamplesError, match="samples import TASK things"):
        samples.run(["import", "things"])
    with pytest.raises(
        SamplesError, match="There is no task things yet. .* add --subject and one of: hand, paper, box"
    ):
        samples.run(["import", "things", "things"])
    subjects = []
    found = Region(Box(0, 0, 10, 10), np.zeros((10, 10, 3), np.uint8))

    @contextmanager
    def finder(subject: Subject) -> Iterator[Callable[[Frame], tuple[Region, ...]]]:
        subjects.append(subject)
        yield lambda frame: (found,)

    monkeypatch.setattr(BoxSubject, "picture_finder", finder)
    assert samples.run(["import", "things", "things", "--subject", "box"]) == 0
    assert subjects == [BOX]
    assert store.counts("things") == {"cup": 1, "mug": 1}
    assert store.picture(store.read("things")[0]).shape == (10, 10, 3)
    (tmp_path / "things" / "mug" / "two.png").write_text("no picture")
    assert samples.run(["import", "things", "things"]) == 1
    assert "two.png is not a picture" in capsys.readouterr().err
    (tmp_path / "things" / "mugs").mkdir()
    cv2.imwrite(str(tmp_path / "things" / "mugs" / "one.png"), np.full((30, 30, 3), 9, np.uint8))
    with pytest.raises(SamplesError, match="has no label mugs.* Did you mean mug"):
        samples.run(["import", "things", "things"])
    assert samples.run(["import", "things", "things", "--new"]) == 1
    assert store.counts("things") == {"cup": 1, "mug": 1, "mugs": 1}

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "import_folder", stopped)
    with pytest.raises(KeyboardInterrupt):
        samples.run(["import", "things", "things"])
    assert "Stopped. 0 samples of things were imported and are kept; the same command" in capsys.readouterr().out
    with pytest.raises(SamplesError, match="has the subject box, not hand"):
        samples.run(["import", "things", "things", "--subject", "hand"])


def test_verify_reports_problems_and_sets_them_aside(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.run(["verify"]) == 0
    assert "12 samples in" in capsys.readouterr().out
    (store.folder / store.read()[0].path).unlink()
    with open(store.table_path, "a") as file:
        file.write("one,two\n")
    assert samples.run(["verify"]) == 1
    printed = capsys.readouterr().err
    assert "missing picture: signs/first/ok/" in printed
    assert "foreign row: row 13 of samples.csv: 2 cells, expected 9. Repair it in" in printed
    assert samples.run(["verify", "--set-aside"]) == 0
    assert "Moved 2 to" in capsys.readouterr().out
    assert samples.run(["verify"]) == 0


def test_long_lists_of_problems_are_cut_and_counted(store: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    with open(store.table_path, "a") as file:
        file.write("one,two\n" * 30)
    assert samples.run(["verify"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 10 more"


@pytest.mark.parametrize("words", [["--help"], []])
def test_help_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.run(words) == 0
    out = capsys.readouterr().out
    for name in (
        "record",
        "list",
        "show",
        "relabel",
        "delete",
        "merge",
        "trash",
        "restore",
        "empty",
        "export",
        "import",
        "verify",
    ):
        assert f"\n  {name} " in out


@pytest.mark.parametrize("words", [["photo.png"], ["signs", "photo.png"]])
def test_a_file_that_is_no_export_is_not_imported(words: list[str], store: Samples, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(
        SamplesError, match="photo.png is not a readable zip file. Give one of samples export, or a folder"
    ):
        samples.run(["import", *words])
