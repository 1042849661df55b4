"""Exports that were unpacked, zipped again, opened in a spreadsheet, or made to harm."""

import shutil
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recognizer.commands import samples as samples_command
from recognizer.errors import SamplesError
from recognizer.samples import archive, exported
from recognizer.samples.archive import export_zip, import_zip
from recognizer.samples.exported import is_unpacked_export
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample, new_sample
from recognizer.samples.store import Samples
from recognizer.samples.table import as_card, as_table
from recognizer.samples.verify import verify
from recognizer.teaching.import_pictures import import_pictures
from recognizer.values import Box, Frame, Hand, Region

LABELS = ["a&b;c", "你好", "=1+1", "-5", "'quoted", "@home", "é"]


def a_picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> Samples:
    """A store with a hand task: a sample of each label with joints, in two sessions."""
    filled = Samples(tmp_path / "captures")
    filled.create_task("signs", "hand", LABELS)
    filled.create_task("mugs", "box", ["mug"])
    hand = Hand(np.arange(63, dtype=np.float32).reshape(21, 3), "right", 0.9)
    for seed, label in enumerate(LABELS):
        region = Region(Box(0, 0, 8, 8), a_picture(seed), hand=hand)
        filled.add("signs", label, region, Frame(a_picture(seed), 0, 0.0, "drawn"), f"session {seed % 2}", "camera 0")
    return filled


def again_with_a_folder_on_top(unpacked: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as again:
        for path in sorted(unpacked.rglob("*")):
            again.write(path, f"My samples/{path.relative_to(unpacked).as_posix()}")
        again.writestr("__MACOSX/My samples/._samples.csv", b"\0\5\26\7")
        again.writestr("My samples/.DS_Store", b"\0")
    return out


def again_with_backslashes(unpacked: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as again:
        for path in (path for path in unpacked.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo("x")
            info.filename = "all\\" + path.relative_to(unpacked).as_posix().replace("/", "\\")
            again.writestr(info, path.read_bytes())
    return out


def again_with_names_in_another_encoding(unpacked: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as again:
        for path in (path for path in unpacked.rglob("*") if path.is_file()):
            name = path.relative_to(unpacked).as_posix()
            again.writestr("".join(c if c.isascii() else "?" for c in name), path.read_bytes())
    return out


def a_folder(unpacked: Path, out: Path) -> Path:
    return unpacked


def a_folder_in_a_folder(unpacked: Path, out: Path) -> Path:
    shutil.copytree(unpacked, out / "captures")
    return out


WAYS = [
    again_with_a_folder_on_top,
    again_with_backslashes,
    again_with_names_in_another_encoding,
    a_folder,
    a_folder_in_a_folder,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("for_spreadsheets", [False, True])
def test_an_export_that_was_unpacked_is_imported_whole(
    store: Samples, tmp_path: Path, way: Callable[[Path, Path], Path], for_spreadsheets: bool
) -> None:
    export_zip(store, tmp_path / "all.zip", for_spreadsheets=for_spreadsheets)
    zipfile.ZipFile(tmp_path / "all.zip").extractall(tmp_path / "unpacked")
    there = Samples(tmp_path / "there")
    source = way(tmp_path / "unpacked", tmp_path / "again")
    words = [str(source), "--samples", str(there.folder)]
    assert samples_command.run(["import", *words]) == 0
    assert there.table().equals(store.table())
    assert all(sample.hand is not None for sample in there.read())
    assert [task.labels for task in there.tasks()] == [task.labels for task in store.tasks()]
    assert all(np.array_equal(there.picture(sample), a_picture(seed)) for seed, sample in enumerate(there.read()))
    assert verify(there) == []
    assert samples_command.run(["import", *words]) == 0
    assert len(there.read()) == len(LABELS)


def test_one_task_of_an_unpacked_export_can_be_imported(store: Samples, tmp_path: Path) -> None:
    there = Samples(tmp_path / "there")
    words = [str(store.folder), "--samples", str(there.folder)]
    assert samples_command.run(["import", "signs", *words]) == 0
    assert [task.name for task in there.tasks()] == ["signs"]
    with pytest.raises(SamplesError, match="holds no task others. It holds: signs, mugs"):
        samples_command.run(["import", "others", *words])
    with pytest.raises(SamplesError, match="Leave out --subject"):
        samples_command.run(["import", "signs", *words, "--subject", "hand"])


def test_a_folder_with_another_samples_csv_is_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "ok").mkdir()
    (tmp_path / "samples.csv").write_text("name,age\n")
    assert not is_unpacked_export(tmp_path)


def test_an_export_for_spreadsheets_holds_no_formula(store: Samples, tmp_path: Path) -> None:
    assert samples_command.run(
        ["export", str(tmp_path / "all.zip"), "--for-spreadsheets", "--samples", str(store.folder)]
    ) == 0  # fmt: skip
    table = zipfile.ZipFile(tmp_path / "all.zip").read("samples.csv").decode("utf-8-sig")
    cells = [cell for line in table.splitlines() for cell in line.split(",")]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", '"=', "\t"))]


def test_an_export_does_not_show_the_folders_of_imported_pictures(store: Samples, tmp_path: Path) -> None:
    for source in ("/home/anna/photos/one.jpg", "C:\\Users\\anna\\one.jpg"):
        store.place([(new_sample("mugs", "mug", "first", source, Box(0, 0, 8, 8)), encode_png(a_picture()))])
    export_zip(store, tmp_path / "all.zip")
    table = zipfile.ZipFile(tmp_path / "all.zip").read("samples.csv").decode()
    assert "anna" not in table
    assert table.count(",one.jpg,") == 2


def a_zip(path: Path, pictures: dict[str, bytes], method: int = zipfile.ZIP_STORED, task: str = "signs") -> Path:
    store = Samples(path.parent / "other")
    rows = [Sample(name, "ok", task, "first", "2026-01-01T00:00:00Z", "x", "", Box(0, 0, 8, 8)) for name in pictures]
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("samples.csv", as_table(rows))
        made.writestr(f"{task}/task.json", as_card(store.create_task(task, "box", ["ok"])))
        for name, data in pictures.items():
            made.writestr(name, data, method)
    return path


BOMB_BYTES = 24 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_entry_that_lies_about_its_size_takes_no_memory(tmp_path: Path, method: int) -> None:
    name = "signs/first/ok/a.png"
    path = a_zip(tmp_path / "bomb.zip", {name: bytes(BOMB_BYTES)}, method)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    path.write_bytes(data)
    store = Samples(tmp_path / "captures")
    tracemalloc.start()
    try:
        try:
            refused = import_zip(store, path).refused
        except SamplesError as error:
            refused = [str(error)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(refused) == 1
    assert peak < 4 << 20
    assert store.read() == []


def test_what_comes_out_of_an_archive_is_limited_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {f"signs/first/ok/{number}.png": bytes(1 << 20) for number in range(4)}
    path = a_zip(tmp_path / "bomb.zip", pictures, zipfile.ZIP_DEFLATED)
    data = path.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 1000))
    path.write_bytes(data)
    monkeypatch.setattr(exported, "ZIP_LIMIT", 5000)
    with pytest.raises(SamplesError, match="unpacks to more than|not a readable zip"):
        import_zip(Samples(tmp_path / "captures"), path)


@pytest.mark.parametrize(("module", "limit"), [(exported, "FILES_LIMIT"), (archive, "TASKS_LIMIT")])
def test_the_files_and_tasks_of_an_archive_are_limited(
    store: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, limit: str
) -> None:
    export_zip(store, tmp_path / "all.zip")
    monkeypatch.setattr(module, limit, 1)
    with pytest.raises(SamplesError, match="the limit is 1"):
        import_zip(Samples(tmp_path / "there"), tmp_path / "all.zip")
    assert Samples(tmp_path / "there").tasks() == []


def test_an_imported_picture_never_takes_the_id_of_another(tmp_path: Path) -> None:
    names = ("signs/first/ok/20260101-000000-abcdef0123.png", "signs/second/ok/20260101-000000-abcdef0123.png")
    store = Samples(tmp_path / "captures")
    own = a_zip(tmp_path / "one.zip", {names[0]: encode_png(a_picture(1))})
    assert len(import_zip(store, own).added) == 1
    for _ in range(2):
        shutil.rmtree(tmp_path / "other", ignore_errors=True)
        result = import_zip(store, a_zip(tmp_path / "two.zip", {names[0]: encode_png(a_picture(2))}))
        assert result.refused == []
    assert len(store.read()) == len({sample.id for sample in store.read()}) == 2
    assert {store.picture(sample).tobytes() for sample in store.read()} == {a_picture(n).tobytes() for n in (1, 2)}


@pytest.mark.parametrize("name", ["nul.png", "con.png", "com1.png", "aux.png"])
def test_a_picture_with_a_name_that_windows_reserves_is_not_stored_under_it(tmp_path: Path, name: str) -> None:
    store = Samples(tmp_path / "captures")
    import_zip(store, a_zip(tmp_path / "all.zip", {f"signs/first/ok/{name}": encode_png(a_picture())}))
    assert [path.name for path in store.folder.rglob(name)] == []


@pytest.mark.parametrize("task", ["assets", "backbones"])
def test_a_task_named_like_a_folder_of_the_program_is_not_imported(tmp_path: Path, task: str) -> None:
    card = b'{"region": "box", "labels": ["ok"]}'
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        made.writestr("samples.csv", as_table([]))
        made.writestr(f"{task}/task.json", card)
    with pytest.raises(SamplesError, match="is the program's own"):
        import_zip(Samples(tmp_path / "captures"), tmp_path / "all.zip")


def test_a_short_id_that_two_samples_share_is_refused(tmp_path: Path) -> None:
    store = Samples(tmp_path / "captures")
    names = ("20260101-000000-abcdef0123", "import-abcdef0123")
    pictures = {f"signs/first/ok/{name}.png": encode_png(a_picture()) for name in names}
    import_zip(store, a_zip(tmp_path / "all.zip", pictures))
    words = ["delete", "signs", "--samples", str(store.folder), "--sample"]
    with pytest.raises(
        SamplesError, match="2 samples of signs have ids that end in abcdef0123. Give one of them whole"
    ):
        samples_command.run([*words, "abcdef0123"])
    assert samples_command.run([*words, names[1]]) == 0
    assert [sample.id for sample in store.read()] == [names[0]]


def test_a_cell_that_is_too_long_is_no_sample(store: Samples, tmp_path: Path) -> None:
    export_zip(store, tmp_path / "all.zip", for_spreadsheets=True)
    with zipfile.ZipFile(tmp_path / "all.zip") as source, zipfile.ZipFile(tmp_path / "long.zip", "w") as long:
        for info in source.infolist():
            more = b"x" * 200_000 + b"\n" if info.filename == "samples.csv" else b""
            long.writestr(info, source.read(info) + more)
    imported = import_zip(Samples(tmp_path / "there"), tmp_path / "long.zip")
    assert len(imported.added) == len(LABELS)
    assert imported.refused == ["skipped a row of samples.csv: not valid CSV"]


def test_an_export_needs_no_clock(store: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 0.0)  # a board without a battery
    monkeypatch.setattr("time.localtime", lambda *_: time.gmtime(0))
    export_zip(store, tmp_path / "all.zip", for_spreadsheets=True)
    assert len(import_zip(Samples(tmp_path / "there"), tmp_path / "all.zip").added) == len(LABELS)


def test_learning_from_an_unpacked_export_imports_its_samples_whole(store: Samples, tmp_path: Path) -> None:
    export_zip(store, tmp_path / "all.zip")
    zipfile.ZipFile(tmp_path / "all.zip").extractall(tmp_path / "unpacked")
    there = Samples(tmp_path / "there")
    import_pictures(there, "signs", tmp_path / "unpacked")
    assert there.table().equals(store.table())
    with pytest.raises(SamplesError, match="has the subject hand, not box"):
        import_pictures(there, "signs", tmp_path / "unpacked", "box")
    with pytest.raises(SamplesError, match="holds no task wave. It holds: signs, mugs"):
        import_pictures(there, "wave", tmp_path / "unpacked")


def test_a_folder_that_may_not_be_listed_is_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(exported, "_names", refuse)
    assert not is_unpacked_export(tmp_path)
