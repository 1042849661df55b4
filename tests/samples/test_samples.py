"""The store of captured samples: reading back, validation, and crash safety."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recognizer.errors import SamplesError
from recognizer.finders.writing import WritingFinder
from recognizer.preprocess.cut_out import box_in_cut_out, cut_out
from recognizer.registry.synced import open_models
from recognizer.samples.sample import Sample, checked_name, clean_label, folder_name
from recognizer.samples.store import Samples
from recognizer.samples.table import COLUMNS
from recognizer.samples.verify import set_aside, verify
from recognizer.system import files, paths
from recognizer.system.names import RESERVED
from recognizer.tasks import is_untrained, task_names, task_to_record
from recognizer.values import Box, Frame, Hand, Region
from tests.helpers.drawing import as_frame, paper, write
from tests.helpers.waiting import HANG_S

WORDS = ("ok", "thumbs up", "ä/ö", "..", "con", "NA", "007", "=1+1", 'say "hi", you', "नमस्ते", "שלום", "ลุง", "👍🏽", "+")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")


def a_picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)


def a_region(seed: int = 0, *, hand: bool = True) -> Region:
    landmarks = np.random.default_rng(seed).uniform(-50, 600, (21, 3)).astype(np.float32)
    return Region(Box(4, 4, 36, 36), a_picture(seed)[4:36, 4:36], hand=Hand(landmarks, "left", 0.9) if hand else None)


def add(store: Samples, label: str = "ok", *, task: str = "signs", session: str = "first", seed: int = 0) -> Sample:
    return store.add(task, label, a_region(seed), Frame(a_picture(seed), 0, 0.0, "drawn"), session, "camera 0")


def a_store(folder: Path, labels: tuple[str, ...] = ("ok", "stop"), count: int = 0) -> Samples:
    """A store with the hand task "signs" and some samples of its first label."""
    store = Samples(folder)
    store.create_task("signs", "hand", labels)
    for seed in range(count):
        add(store, labels[0], seed=seed)
    return store


def kinds(store: Samples) -> list[str]:
    return [problem.kind for problem in verify(store)]


@pytest.mark.parametrize("word", WORDS)
def test_labels_in_any_script_are_stored_and_read_back(tmp_path: Path, word: str) -> None:
    store = a_store(tmp_path, (word, "nothing"))
    sample = add(store, word)
    again = Samples(tmp_path)
    assert again.task("signs").labels == (clean_label(word), "nothing")
    assert [found.label for found in again.read("signs")] == [clean_label(word)]
    assert again.counts("signs") == {clean_label(word): 1, "nothing": 0}
    assert np.array_equal(again.picture(sample), a_region().crop)
    assert (tmp_path / sample.path).resolve().is_relative_to(tmp_path / "signs" / "first")
    assert verify(again) == []


def test_samples_csv_can_be_read_with_pandas(tmp_path: Path) -> None:
    store = a_store(tmp_path, WORDS)
    for word in WORDS:
        add(store, word)
    words = [clean_label(word) for word in WORDS]
    plain = pd.read_csv(store.table_path, dtype=str, keep_default_na=False)
    assert tuple(plain.columns) == COLUMNS
    assert plain["label"].tolist() == words
    table = store.table("signs")
    assert table["label"].tolist() == words
    assert table.equals(plain.astype(table.dtypes))
    assert store.table("signs")["box"].unique().tolist() == ["4 4 36 36"]


def test_a_stored_hand_has_its_landmarks_and_side(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    add(store)
    store.add("signs", "ok", a_region(hand=False), Frame(a_picture(), 0, 0.0, "drawn"), "first", "rtsp://\nevil\ud800")
    with_joints, without = store.read("signs")
    hand = a_region().hand
    assert hand is not None
    assert with_joints.hand is not None
    np.testing.assert_allclose(with_joints.hand.landmarks, hand.landmarks, atol=0.006)
    assert (with_joints.hand.side, with_joints.box, with_joints.source) == ("left", Box(4, 4, 36, 36), "camera 0")
    assert (without.hand, without.side, without.source) == (None, "", "rtsp://?evil?")


@pytest.mark.parametrize("height_px", [16, 60, 300])
def test_a_paper_crop_has_enough_margin_to_detect_the_ink_again(tmp_path: Path, height_px: int) -> None:
    sheet = paper()
    write(sheet, 5, (500, 170), height_px, seed=1)
    frame = as_frame(sheet)
    (region,) = WritingFinder().find(frame)
    store = Samples(tmp_path)
    store.create_task("digits", "paper", ["5"])
    picture = store.picture(store.add("digits", "5", region, frame, "first", "drawn"))
    assert np.array_equal(picture, cut_out(frame.image_bgr, region.box))
    (again,) = WritingFinder().find(Frame(picture, 0, 0.0, "cut out"))
    assert again.box.iou(box_in_cut_out(region.box)) > 0.8


def test_a_picture_that_cannot_be_stored_raises_an_error(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    frame = Frame(a_picture(), 0, 0.0, "drawn")
    with pytest.raises(SamplesError, match="has no label halt. It has: ok, stop"):
        add(store, "halt")
    with pytest.raises(SamplesError, match="No task faces in .*There are: signs. Create it: .*new faces"):
        add(store, task="faces")
    with pytest.raises(SamplesError, match="Give a non-empty BGR image"):
        store.add("signs", "ok", Region(Box(0, 0, 9, 9), np.zeros((9, 9), np.uint8)), frame, "first", "drawn")
    with pytest.raises(SamplesError, match="non-empty"):
        store.add("signs", "ok", Region(Box(0, 0, 0, 9), np.zeros((9, 0, 3), np.uint8)), frame, "first", "drawn")
    hand = Hand(np.full((21, 3), np.nan, np.float32), "left", 0.9)
    with pytest.raises(SamplesError, match="without its 21 joints"):
        store.add("signs", "ok", Region(Box(0, 0, 9, 9), a_picture(), hand=hand), frame, "first", "drawn")
    with pytest.raises(SamplesError, match="cannot be the name of a session"):
        add(store, session="../first")
    assert store.read() == []
    assert verify(store) == []


@pytest.mark.parametrize(
    "word", ["con", "COM1", "lpt¹", "..", ".", "a/b", "a\\b", "a:b", "x.", "x ", "-", "é" * 60, "👍" * 60]
)
def test_a_label_folder_name_is_valid_on_all_systems(word: str) -> None:
    name = folder_name(word)
    assert name == folder_name(name) or "~" in name
    assert not set(name) & set('\\/:*?"<>|.,\n')
    assert name.casefold() not in RESERVED
    assert len(name) <= 60
    assert len(name.encode()) <= 143
    assert name == name.strip()


def test_different_labels_have_different_folders() -> None:
    words = ["a/b", "a\\b", "a:b", "a_b", "..", "__", "con", "a" * 50, "a" * 51]
    assert len({folder_name(word) for word in words}) == len(words)
    assert folder_name("thumbs up") == "thumbs up"
    assert folder_name("नमस्ते") == "नमस्ते"


@pytest.mark.parametrize("word", ["", "  ", "a\x00b", "a\u202eb", "a\ud800b", "\u200b", "x" * 61])
def test_an_invisible_or_too_long_label_raises_an_error(word: str) -> None:
    with pytest.raises(SamplesError, match="[Ll]abel"):
        clean_label(word)


def test_a_label_is_normalized_to_nfc_with_single_spaces() -> None:
    assert clean_label("  u\u0308ber\n\tall ") == "über all"


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "con", "-rf", ".unfinished", "x" * 41, "a\nb", "C:"])
def test_a_task_name_that_is_not_a_folder_name_raises_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SamplesError, match="cannot be the name of a task"):
        Samples(tmp_path / "captures").create_task(name, "box", ["mug"])
    with pytest.raises(SamplesError, match="No task"):
        Samples(tmp_path).task(name)
    assert checked_name("task", "Gebärden 2") == "Gebärden 2"


def test_creating_a_task_checks_name_subject_and_labels(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    task = store.create_task("Mugs", "box", ["mug", "cup", "mug"])
    assert task.labels == ("mug", "cup")
    assert store.tasks() == [task]
    with pytest.raises(SamplesError, match="The task Mugs exists already"):
        store.create_task("mugs", "box", ["mug"])
    with pytest.raises(SamplesError, match="Choose one of hand, paper, box"):
        store.create_task("feet", "foot", ["left"])
    with pytest.raises(SamplesError, match="has no label"):
        store.create_task("feet", "box", [])
    assert store.add_labels("Mugs", ["tea", "cup"]).labels == ("mug", "cup", "tea")


@pytest.mark.parametrize(
    "card", ["", "{", "[]", "null", '{"region": "foot", "labels": []}', '{"region": "box", "labels": 3}']
)
def test_a_damaged_task_raises_an_error_and_other_tasks_can_be_read(tmp_path: Path, card: str) -> None:
    store = a_store(tmp_path, count=1)
    store.create_task("mugs", "box", ["mug"])
    (tmp_path / "mugs" / "task.json").write_text(card)
    with pytest.raises(SamplesError, match="mugs/task.json is damaged.*Expected"):
        store.task("mugs")
    assert len(store.read("signs")) == 1
    assert kinds(store) == ["task"]


def test_samples_can_be_undone_relabelled_merged_and_deleted(tmp_path: Path) -> None:
    store = a_store(tmp_path, ("ok", "stop", "thumbs up"))
    store.create_task("others", "hand", ["wave"])
    unchanged, wrong, undone = add(store), add(store, seed=1), add(store, seed=2)

    assert store.undo([undone]) == 1
    assert store.undo([undone]) == 0
    assert not (tmp_path / undone.path).exists()
    assert store.relabel([wrong], "stop") == 1
    assert store.counts("signs") == {"ok": 1, "stop": 1, "thumbs up": 0}
    (moved,) = (sample for sample in store.read() if sample.id == wrong.id)
    assert moved.path == wrong.path.replace("/ok/", "/stop/")
    assert np.array_equal(store.picture(moved), a_region(1).crop)

    with pytest.raises(SamplesError, match="has no label halt"):
        store.relabel([moved], "halt")
    assert store.rename_label("signs", "stop", "halt") == 1
    assert store.task("signs").labels == ("ok", "halt", "thumbs up")
    assert store.merge("signs", "others") == 2
    assert [task.name for task in store.tasks()] == ["others"]
    assert not (tmp_path / "signs").exists()
    assert store.counts("others") == {"wave": 0, "ok": 1, "thumbs up": 0, "halt": 1}
    assert np.array_equal(store.picture(store.read()[0]), a_region(0).crop)
    assert store.read()[0].id == unchanged.id

    assert store.delete_label("others", "halt") == 1
    assert store.task("others").labels == ("wave", "ok", "thumbs up")
    assert verify(store) == []
    assert store.delete_task("others") == 1
    assert store.tasks() == []
    assert store.read() == []
    assert sorted(os.listdir(tmp_path)) == [".lock", ".trash", ".unfinished", "samples.csv"]


def test_tasks_of_different_subjects_cannot_be_merged(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=1)
    store.create_task("mugs", "box", ["mug"])
    with pytest.raises(SamplesError, match="can be merged"):
        store.merge("signs", "mugs")
    with pytest.raises(SamplesError, match="into itself"):
        store.merge("signs", "signs")


def stopped_store(*words: str) -> object:
    command = [sys.executable, "-m", "tests.helpers.stopped_store", *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, cwd=paths.ROOT)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@POSIX
def test_kill_9_at_random_moments_leaves_only_complete_samples(tmp_path: Path) -> None:
    found = stopped_store("kill", os.environ.get("RECOGNIZER_KILLS", "30"), str(tmp_path))
    assert isinstance(found, dict)
    assert found["stored"] >= 10
    assert (found["lost"], found["problems"]) == ([], [])


@POSIX
@pytest.mark.parametrize("operation", ["delete", "delete samples", "delete label", "restore"])
def test_a_program_killed_at_any_step_of_a_deletion_loses_no_sample(tmp_path: Path, operation: str) -> None:
    found = stopped_store("steps", operation, str(tmp_path))
    assert isinstance(found, list)
    assert found[-1]["status"] == 0
    assert [problem for left in found for problem in left["problems"]] == []
    assert {(len(left["labels"]), len(left["trash"])) for left in found} == {(4, 0), (0, 4)}
    assert found[-1]["tasks"] == (["others"] if operation == "delete" else ["others", "signs"])


@POSIX
@pytest.mark.parametrize("operation", ["add", "add movement", "undo", "relabel", "rename", "merge", "rename task"])
def test_a_program_killed_at_any_step_leaves_all_or_nothing_of_its_change(tmp_path: Path, operation: str) -> None:
    found = stopped_store("steps", operation, str(tmp_path))
    assert isinstance(found, list)
    assert found[-1]["status"] == 0
    assert len(found) > 5
    assert [problem for left in found for problem in left["problems"]] == []
    outcomes = [left["labels"] for left in found]
    assert [labels for labels in outcomes if labels not in (["ok"] * 4, outcomes[-1])] == []


def test_two_programs_can_add_samples_at_the_same_time(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    command = [sys.executable, "-m", "tests.helpers.stopped_store", "add"]
    children = [subprocess.Popen([*command, word, str(tmp_path)], cwd=paths.ROOT) for word in ("ok", "stop")]
    while any(child.poll() is None for child in children):
        store.relabel([sample for sample in store.read() if sample.label == "ok"], "stop")
    assert [child.wait() for child in children] == [0, 0]
    assert len(store.read()) == 50
    assert verify(store) == []


def test_a_locked_store_raises_an_error_after_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(tmp_path, count=1)
    with store.locked():
        with pytest.raises(SamplesError, match="another program is still writing.*Wait until it has finished"):
            with Samples(tmp_path).locked(wait_s=0.05):
                pytest.fail("the lock is taken")
        assert len(Samples(tmp_path).read()) == 1  # reading needs no lock


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_a_disk_that_fills_up_during_a_row_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fraction: float
) -> None:
    store = a_store(tmp_path, count=2)
    before = store.table_path.read_bytes()
    real_write = os.write

    def write_part(handle: int, data: bytes) -> int:
        if not fraction:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(handle, data[: int(len(data) * fraction)])

    monkeypatch.setattr(files.os, "write", write_part)
    with pytest.raises(SamplesError, match="Cannot write .*No space left on device. Free some space"):
        add(store)
    monkeypatch.undo()
    assert store.table_path.read_bytes() == before
    assert os.listdir(store.unfinished) == []
    assert verify(store) == []
    add(store)
    assert len(store.read()) == 3


@pytest.mark.parametrize("change", ["undo", "relabel", "merge"])
def test_a_disk_that_fills_up_while_the_table_is_rewritten_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    store = a_store(tmp_path, count=3)
    store.create_task("others", "hand", ["ok", "stop"])
    own = store.read()
    real_write = files.write_file

    def refuse(path: Path, data: bytes, *, sync: bool = True) -> None:
        if path.name == "samples.csv":
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_write(path, data, sync=sync)

    monkeypatch.setattr(files, "write_file", refuse)
    with pytest.raises(SamplesError, match="No space left"):
        {
            "undo": lambda: store.undo(own[1:]),
            "relabel": lambda: store.relabel(own, "stop"),
            "merge": lambda: store.merge("signs", "others"),
        }[change]()
    monkeypatch.undo()
    assert [sample.path for sample in store.read()] == [sample.path for sample in own]
    assert verify(store) == []


def test_a_full_disk_loses_no_sample_and_new_ones_can_be_added_later(small_disk: Path) -> None:
    store = a_store(small_disk)
    stored = []
    with pytest.raises(SamplesError, match="No space left on device"):
        for seed in range(1000):
            stored.append(add(store, seed=seed).path)  # noqa: PERF401 - the samples added before the error are needed
    assert len(stored) > 5
    assert [sample.path for sample in Samples(small_disk).read()] == stored
    assert verify(store) == []
    (small_disk / stored[0]).unlink()  # the user frees space
    (small_disk / stored[1]).unlink()
    add(store)
    assert kinds(store) == ["missing picture"] * 2


def test_a_read_only_store_can_be_read(small_disk: Path) -> None:
    store = a_store(small_disk, count=2)
    with open(store.table_path, "ab") as file:
        file.write(b"signs/first/ok/torn")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    again = Samples(small_disk)
    assert len(again.read("signs")) == 2
    assert again.counts("signs") == {"ok": 2, "stop": 0}
    assert kinds(again) == ["foreign row"]
    with pytest.raises(SamplesError, match="Read-only file system.*RECOGNIZER_CAPTURES"):
        add(again)
    with pytest.raises(SamplesError, match="Read-only file system"):
        again.create_task("more", "box", ["mug"])


def test_a_captures_folder_that_is_a_file_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "captures").write_text("a file, not a folder")
    with pytest.raises(SamplesError, match="Cannot write .*captures"):
        Samples(tmp_path / "captures").create_task("signs", "hand", ["ok"])


def test_a_truncated_last_row_is_removed_and_the_others_stay(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=3)
    complete = store.table_path.read_bytes()
    paths = [sample.path for sample in store.read()]
    last = complete.rindex(b"\n", 0, -1) + 1
    for length in [*range(last + 1, last + 150), *range(len(complete) - 30, len(complete))]:
        store.table_path.write_bytes(complete[:length])
        again = Samples(tmp_path)
        expected = (
            paths if length == len(complete) - 1 else paths[:2]
        )  # only the line end is missing: the row is complete
        assert [sample.path for sample in again.read()] == expected, complete[last:length]
        assert again.table_path.read_bytes() == (complete if expected == paths else complete[:last])


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00" * 40, b"path,lab", b"\xff\xfe\x00", b'"'])
def test_new_samples_can_be_added_to_a_table_without_valid_rows(tmp_path: Path, content: bytes) -> None:
    store = a_store(tmp_path)
    store.table_path.write_bytes(content)
    assert store.read() == []
    add(store)
    assert len(Samples(tmp_path).read()) == 1


FOREIGN = (
    b"one,two",
    b'a,"quote that never ends',
    b"\xff\xfe not text",
    b"../../etc/passwd,ok,signs,first,2026-01-01T00:00:00Z,x,,0 0 1 1,",
    b"/signs/first/ok/a.png,ok,signs,first,2026-01-01T00:00:00Z,x,,0 0 1 1,",
    b"signs/../ok/a.png,ok,signs,first,2026-01-01T00:00:00Z,x,,0 0 1 1,",
    b"signs/first/ok/a.png,,signs,first,2026-01-01T00:00:00Z,x,,0 0 1 1,",
    b"signs/first/ok/a.png,ok,signs,first,yesterday,x,,0 0 1 1,",
    b"signs/first/ok/a.png,ok,signs,first,2026-01-01T00:00:00Z,x,,0 0 1,",
    b"signs/first/ok/a.png,ok,signs,first,2026-01-01T00:00:00Z,x,left,0 0 1 1,1.00 2.00",
    b"signs/first/ok/a.png,ok,..,first,2026-01-01T00:00:00Z,x,,0 0 1 1,",
    b"signs/first/ok/a.png,ok,signs,first,2026-01-01T00:00:00Z,x,,0 0 1 1,,more",
    b"," * 200_000,
)


@pytest.mark.parametrize("row", FOREIGN, ids=range(len(FOREIGN)))
def test_an_invalid_row_hides_no_other_and_stays_until_it_is_set_aside(tmp_path: Path, row: bytes) -> None:
    store = a_store(tmp_path, count=1)
    with open(store.table_path, "ab") as file:
        file.write(row + b"\n")
    add(store, seed=1)
    assert len(store.read()) == 2
    store.relabel(store.read()[:1], "stop")
    assert row in store.table_path.read_bytes()
    assert kinds(store) == ["foreign row"]
    aside = set_aside(store, verify(store))
    assert (aside / "samples.csv").read_bytes() == row + b"\n"
    assert verify(store) == []
    assert [sample.label for sample in store.read()] == ["stop", "ok"]


def test_a_table_saved_by_a_spreadsheet_can_be_read(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=2)
    rows = store.table_path.read_bytes().removesuffix(b"\n").replace(b",ok,", b",stop,", 1)
    store.table_path.write_bytes(b"\xef\xbb\xbf" + rows.replace(b"\n", b"\r\n"))
    again = Samples(tmp_path)
    assert [sample.label for sample in again.read()] == ["stop", "ok"]
    add(again)
    assert len(again.read()) == 3
    assert verify(again) == []


def test_verify_finds_missing_damaged_and_unlisted_pictures_and_sets_them_aside(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=4)
    intact, missing, empty, changed = store.read()
    (tmp_path / missing.path).unlink()
    (tmp_path / empty.path).write_bytes(b"")
    data = bytearray((tmp_path / changed.path).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / changed.path).write_bytes(data)
    unlisted = tmp_path / "signs" / "first" / "ok" / "unlisted.png"
    unlisted.write_bytes((tmp_path / intact.path).read_bytes())
    with open(store.table_path, "ab") as file:
        file.write(store.table_path.read_bytes().splitlines()[1] + b"\n")

    problems = verify(store)
    assert [(problem.kind, problem.what) for problem in problems] == [
        ("missing picture", missing.path),
        ("unreadable picture", empty.path),
        ("unreadable picture", changed.path),
        ("foreign row", f"row 5 of samples.csv: a second row for {intact.path.split('/')[-1]}"),
        ("picture without a row", "signs/first/ok/unlisted.png"),
    ]
    assert all("--set-aside" in problem.remedy for problem in problems)
    aside = set_aside(store, problems)
    assert verify(store) == []
    assert [sample.path for sample in store.read()] == [intact.path]
    assert np.array_equal(store.picture(intact), a_region(0).crop)
    assert sorted(path.name for path in aside.rglob("*.png")) == sorted(
        ["unlisted.png", Path(empty.path).name, Path(changed.path).name]
    )


def test_a_label_edited_into_the_table_is_counted_and_can_be_renamed(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=2)
    store.table_path.write_bytes(store.table_path.read_bytes().replace(b",ok,", b",halt,", 1))
    assert store.counts("signs") == {"ok": 1, "stop": 0, "halt": 1}
    (problem,) = verify(store)
    assert str(problem) == (
        "label: signs has samples of halt, which is not one of its labels. "
        'Rename it: python -m recognizer samples relabel "signs" "halt" WORD'
    )
    assert store.rename_label("signs", "halt", "stop") == 1
    assert store.counts("signs") == {"ok": 1, "stop": 1}
    assert verify(store) == []


def test_a_folder_that_is_not_a_task_is_ignored(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for name in (".hidden", "a.b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.json").write_bytes((tmp_path / "signs" / "task.json").read_bytes())
    assert [task.name for task in store.tasks()] == ["signs"]
    assert kinds(store) == ["task"]


def test_verify_reports_samples_without_a_task(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=1)
    (tmp_path / "signs" / "task.json").unlink()
    (problem,) = verify(store)
    assert "signs has samples and no task.json" in problem.what
    assert 'new "signs" --subject' in problem.remedy
    store.create_task("signs", "hand", ["ok"])
    assert len(store.read("signs")) == 1


def test_a_damaged_task_is_moved_aside_on_wish(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    card = tmp_path / "signs" / "task.json"
    card.write_bytes(b"{")
    problems = verify(Samples(tmp_path))
    assert [problem.kind for problem in problems] == ["task"]
    aside = set_aside(store, problems)
    assert not card.exists()
    assert (aside / "signs" / "task.json").read_bytes() == b"{"


def test_one_damaged_task_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = a_store(tmp_path, count=1)
    store.create_task("mugs", "box", ["mug"])
    (tmp_path / "mugs" / "task.json").write_text("{")
    assert [task.name for task in store.tasks()] == ["signs"]
    assert "mugs/task.json is damaged" in caplog.text
    models = open_models(tmp_path / "models")
    assert "signs" in task_names(models, store)
    assert is_untrained("mugs", models, store)
    with pytest.raises(SamplesError, match="mugs/task.json is damaged"):
        task_to_record(store, models, "mugs")
    add(store)


def test_a_folder_whose_name_a_mac_decomposed_stops_no_task(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=1)
    (tmp_path / "e\u0301te\u0301").mkdir()
    shutil.copy(tmp_path / "signs" / "task.json", tmp_path / "e\u0301te\u0301")
    if (tmp_path / "\u00e9t\u00e9").exists():
        pytest.skip("this file system takes both names for the same")
    assert [task.name for task in store.tasks()] == ["signs"]
    assert "'e\\u0301te\\u0301' is not the name of a task" in str(verify(store)[0])
    set_aside(store, verify(store))
    assert verify(store) == []


def test_a_folder_that_a_file_server_made_stops_no_recording(tmp_path: Path) -> None:
    store = a_store(tmp_path, count=1)
    (tmp_path / ".unfinished" / "@eaDir" / "x").mkdir(parents=True)
    add(store)
    assert len(Samples(tmp_path).read()) == 2
    assert (tmp_path / ".unfinished" / "@eaDir" / "x").is_dir()
