"""Export and import of samples as a zip, import of a folder, and malicious zips."""

import os
import stat
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import SamplesError
from recognizer.samples import archive as samples_archive
from recognizer.samples import exported as samples_exported
from recognizer.samples import png as samples_png
from recognizer.samples.archive import export_zip, import_zip
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample, new_sample
from recognizer.samples.store import Samples
from recognizer.samples.table import as_table
from recognizer.samples.verify import verify
from recognizer.system import files
from recognizer.teaching.import_pictures import folder_labels, import_folder
from recognizer.values import Box, Frame, Hand, Region

CARD = '{"region": "hand", "labels": ["ok"]}'
ROW = "{path},{label},{task},first,2026-01-01T00:00:00Z,x,,0 0 8 8,\n"


def a_picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)


def fill(store: Samples) -> list[Sample]:
    """Fill a store: two tasks, labels in several scripts, hands with landmarks. Return the samples."""
    store.create_task("signs", "hand", ["ok", "שלום", "👍", "ä/ö"])
    store.create_task("mugs", "box", ["नमस्ते", "never shown"])
    hand = Hand(np.arange(63, dtype=np.float32).reshape(21, 3), "right", 0.9)
    for seed, label in enumerate(["ok", "שלום", "👍", "ä/ö"]):
        frame = Frame(a_picture(seed), 0, 0.0, "drawn")
        store.add("signs", label, Region(Box(0, 0, 8, 8), a_picture(seed), hand=hand), frame, "first", "camera 0")
    frame = Frame(a_picture(9), 0, 0.0, "drawn")
    store.add("mugs", "नमस्ते", Region(Box(0, 0, 8, 8), a_picture(9)), frame, "second", "camera 0")
    return store.read()


def a_zip(path: Path, rows: str, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samples.csv", as_table([]).decode() + rows)
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_exported_zip_can_be_imported_into_another_store(tmp_path: Path) -> None:
    here, there = Samples(tmp_path / "here"), Samples(tmp_path / "there")
    own = fill(here)
    assert export_zip(here, tmp_path / "all.zip") == []
    imported = import_zip(there, tmp_path / "all.zip")
    assert (len(imported.added), imported.duplicates, imported.refused) == (5, 0, [])
    assert [(t.name, t.subject, t.labels) for t in there.tasks()] == [
        (t.name, t.subject, t.labels) for t in here.tasks()
    ]
    assert there.table().equals(here.table())
    for before, after in zip(own, there.read(), strict=True):
        assert np.array_equal(here.picture(before), there.picture(after))
    assert verify(there) == []

    again = import_zip(there, tmp_path / "all.zip")
    assert (len(again.added), again.duplicates) == (0, 5)
    assert len(there.read()) == 5


def test_selected_tasks_are_exported_without_missing_pictures(tmp_path: Path) -> None:
    here, there = Samples(tmp_path / "here"), Samples(tmp_path / "there")
    own = fill(here)
    (here.folder / own[1].path).unlink()
    (line,) = export_zip(here, tmp_path / "signs.zip", ["signs"])
    assert own[1].path in line
    assert len(import_zip(there, tmp_path / "signs.zip").added) == 3
    assert [task.name for task in there.tasks()] == ["signs"]
    with pytest.raises(SamplesError, match="No task faces"):
        export_zip(here, tmp_path / "faces.zip", ["faces"])
    with pytest.raises(SamplesError, match="no task in .* to export"):
        export_zip(Samples(tmp_path / "empty"), tmp_path / "empty.zip")
    assert not (tmp_path / "faces.zip").exists()


def test_a_failed_export_keeps_the_existing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Samples(tmp_path / "here")
    fill(here)
    (tmp_path / "out").mkdir()
    export_zip(here, tmp_path / "out" / "all.zip")
    before = (tmp_path / "out" / "all.zip").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(SamplesError, match="Cannot write .*all.zip: No space left"):
        export_zip(here, tmp_path / "out" / "all.zip")
    assert os.listdir(tmp_path / "out") == ["all.zip"]
    assert (tmp_path / "out" / "all.zip").read_bytes() == before


def test_an_existing_task_keeps_its_subject_and_gets_new_labels(tmp_path: Path) -> None:
    here, there = Samples(tmp_path / "here"), Samples(tmp_path / "there")
    fill(here)
    export_zip(here, tmp_path / "signs.zip", ["signs"])
    there.create_task("signs", "hand", ["halt"])
    import_zip(there, tmp_path / "signs.zip")
    assert there.task("signs").labels == ("halt", "ok", "שלום", "👍", "ä/ö")
    other = Samples(tmp_path / "other")
    other.create_task("signs", "box", ["halt"])
    with pytest.raises(SamplesError, match="signs has the subject box here and hand in"):
        import_zip(other, tmp_path / "signs.zip")
    assert other.read() == []


EVIL = (
    ("../../evil.png", "ok", "signs"),
    ("/tmp/evil.png", "ok", "signs"),
    ("C:\\evil.png", "ok", "signs"),
    ("signs/../../evil.png", "ok", "signs"),
    ("signs/first/ok/..\\evil.png", "ok", "signs"),
    ("signs/first/ok/a.png", "\u202eevil", "signs"),
    ("../first/ok/a.png", "ok", ".."),
    ("con/first/ok/a.png", "ok", "con"),
)


@pytest.mark.parametrize(("path", "label", "task"), EVIL)
def test_importing_a_zip_writes_nothing_outside_the_store(tmp_path: Path, path: str, label: str, task: str) -> None:
    good = ROW.format(path="signs/first/ok/good.png", label="ok", task="signs")
    rows = good + ROW.format(path=path, label=label, task=task)
    members = {"signs/task.json": CARD, "../task.json": CARD, "/etc/task.json": CARD, "con/task.json": CARD}
    pictures = {"signs/first/ok/good.png": encode_png(a_picture()), path: encode_png(a_picture(1))}
    store = Samples(tmp_path / "deep" / "captures")
    imported = import_zip(store, a_zip(tmp_path / "evil.zip", rows, {**members, **pictures}))
    assert (len(imported.added), len(imported.refused)) == (1, 1)
    assert files_in(tmp_path) == [
        "deep/captures/.lock",
        "deep/captures/samples.csv",
        "deep/captures/signs/first/ok/good.png",
        "deep/captures/signs/task.json",
        "evil.zip",
    ]
    assert verify(store) == []


def test_a_symbolic_link_in_a_zip_is_not_imported(tmp_path: Path) -> None:
    path = tmp_path / "link.zip"
    name = "signs/first/ok/a.png"
    a_zip(path, ROW.format(path=name, label="ok", task="signs"), {"signs/task.json": CARD})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo(name)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    store = Samples(tmp_path / "captures")
    (line,) = import_zip(store, path).refused
    assert f"{name} is not a readable PNG picture" in line
    assert store.read() == []


def test_zip_bombs_raise_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "signs/first/ok/a.png"
    rows = ROW.format(path=name, label="ok", task="signs")
    store = Samples(tmp_path / "captures")

    png = bytearray(encode_png(a_picture()))
    png[16:24] = (60_000).to_bytes(4, "big") * 2  # a header of 3.6 gigapixels, with a valid checksum
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    imported = import_zip(store, a_zip(tmp_path / "wide.zip", rows, {"signs/task.json": CARD, name: bytes(png)}))
    assert "not a readable PNG picture" in imported.refused[0]

    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.csv", as_table([]).decode() + rows)
        archive.writestr("signs/task.json", CARD)
        archive.writestr(name, bytes(samples_png.PICTURE_LIMIT + 1))
    assert path.stat().st_size < 100_000
    (line,) = import_zip(store, path).refused
    assert "unpacks to more than 64 MiB, the limit" in line

    monkeypatch.setattr(samples_exported, "ZIP_LIMIT", 1 << 20)
    with pytest.raises(SamplesError, match="unpacks to more than"):
        import_zip(store, path)
    assert store.read() == []


def test_a_file_that_is_not_a_zip_of_samples_raises_an_error(tmp_path: Path) -> None:
    store = Samples(tmp_path / "captures")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(SamplesError, match="not a readable zip file"):
        import_zip(store, tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("ok/a.png", encode_png(a_picture()))
    with pytest.raises(SamplesError, match="contains no samples.csv.* Unpack it and import the folder"):
        import_zip(store, tmp_path / "other.zip")
    with pytest.raises(SamplesError, match="cannot be read: No such file"):
        import_zip(store, tmp_path / "missing.zip")
    row = ROW.format(path="signs/first/ok/a.png", label="ok", task="signs")
    with pytest.raises(SamplesError, match="does not give the subject of the task signs. Make the task first"):
        import_zip(store, a_zip(tmp_path / "bare.zip", row, {}))
    with pytest.raises(SamplesError, match="task.json is damaged"):
        import_zip(store, a_zip(tmp_path / "card.zip", row, {"signs/task.json": "{"}))
    here = Samples(tmp_path / "here")
    fill(here)
    export_zip(here, tmp_path / "all.zip")
    data = bytearray((tmp_path / "all.zip").read_bytes())
    start = data.index(b"\x89PNG")
    data[start + 40] ^= 0xFF  # flipped bits, which the checksum detects
    (tmp_path / "all.zip").write_bytes(data)
    with pytest.raises(SamplesError, match="not a readable zip file.*CRC"):
        import_zip(store, tmp_path / "all.zip")
    (tmp_path / "all.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(SamplesError, match="not a readable zip file"):
        import_zip(store, tmp_path / "all.zip")
    assert verify(store) == []


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())


def test_importing_a_folder_twice_adds_its_pictures_once(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    save(pictures / "ok" / "one.png", a_picture(1))
    save(pictures / "ok" / "two.JPG", a_picture(2))
    save(pictures / "שלום" / "one.png", a_picture(1))
    save(pictures / "loose.png", a_picture(3))
    (pictures / "ok" / "notes.txt").write_text("no picture")
    (pictures / "ok" / "broken.png").write_text("no picture")
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "box", ["ok", "stop"])
    assert folder_labels(pictures) == ["ok", "שלום"]
    imported = import_folder(store, pictures, "signs")
    assert (len(imported.added), imported.duplicates) == (3, 0)
    assert [line for line in imported.refused if "broken.png is not a picture" in line] == imported.refused
    assert store.counts("signs") == {"ok": 2, "stop": 0, "שלום": 1}
    assert len({sample.session for sample in store.read()}) == 1
    assert np.array_equal(store.picture(store.read()[0]), a_picture(1))
    assert store.read()[0].box == Box(0, 0, 8, 8)
    assert import_folder(store, pictures, "signs").duplicates == 3
    assert len(store.read()) == 3
    assert verify(store) == []


def test_series_become_sessions_and_the_detected_region_is_stored(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for series in ("anna", "bert/2"):
        save(pictures / series / "ok" / "one.png", a_picture())
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "hand", ["ok"])
    hand = Hand(np.arange(63, dtype=np.float32).reshape(21, 3), "left", 0.9)

    def find(frame: Frame) -> tuple[Region, ...]:
        small, large = Box(0, 0, 2, 2), Box(2, 2, 6, 6)
        return Region(small, frame.image_bgr[:2, :2]), Region(large, frame.image_bgr[2:6, 2:6], hand=hand)

    import_folder(store, pictures, "signs", find)
    first, second = store.read()
    assert (first.session, second.session) == ("anna", "bert_2-" + second.session[-8:])
    assert (first.box, first.side) == (Box(2, 2, 6, 6), "left")
    assert np.array_equal(store.picture(first), a_picture()[2:6, 2:6])
    assert verify(store) == []


def test_a_folder_without_labels_raises_an_error(tmp_path: Path) -> None:
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "box", ["ok"])
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty" / "loose.png", a_picture())
    with pytest.raises(SamplesError, match="contains no pictures in folders named by label"):
        import_folder(store, tmp_path / "empty", "signs")
    with pytest.raises(SamplesError, match="is not a folder"):
        import_folder(store, tmp_path / "missing", "signs")
    with pytest.raises(SamplesError, match="No task mugs"):
        import_folder(store, tmp_path / "empty", "mugs")


def test_many_pictures_are_imported_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_archive, "BATCH", 3)
    here, there = Samples(tmp_path / "here"), Samples(tmp_path / "there")
    here.create_task("signs", "box", ["ok"])
    here.place(
        [(new_sample("signs", "ok", "first", "x", Box(0, 0, 8, 8)), encode_png(a_picture(i))) for i in range(10)]
    )
    export_zip(here, tmp_path / "all.zip")
    assert len(import_zip(there, tmp_path / "all.zip").added) == 10
    assert there.table().equals(here.table())
