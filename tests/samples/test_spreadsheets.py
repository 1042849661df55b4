"""A samples.csv that a spreadsheet saved, and rules of labels, names and space."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import SamplesError
from recognizer.samples import store as samples_store
from recognizer.samples.sample import COMMAS, LABELS_LIMIT, Sample, split_labels
from recognizer.samples.store import Samples
from recognizer.samples.verify import verify
from recognizer.system import paths
from recognizer.system.names import is_safe
from recognizer.values import Box, Frame, Hand, Region

LABELS = ["ok", "a;b, c", 'say "hi"', "שלום", "你好"]


def a_store(folder: Path) -> Samples:
    """A store with one sample of each label, the first of them with joints."""
    store = Samples(folder)
    store.create_task("signs", "hand", LABELS)
    for label in LABELS:
        add(store, label)
    return store


def add(store: Samples, label: str = "ok") -> Sample:
    picture = np.full((48, 64, 3), 90, np.uint8)
    hand = Hand(np.arange(63, dtype=np.float32).reshape(21, 3), "left", 0.9)
    region = Region(Box(4, 4, 36, 36), picture[4:36, 4:36], hand=hand if label == "ok" else None)
    return store.add("signs", label, region, Frame(picture, 0, 0.0, "drawn"), "first", "camera 0")


def separated(separator: str, *, quoted: bool = False) -> Callable[[bytes], str]:
    import csv
    import io

    def save(table: bytes) -> str:
        text = io.StringIO()
        quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
        rows = csv.reader(io.StringIO(table.decode()))
        csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerows(rows)
        return text.getvalue()

    return save


SAVED: dict[str, Callable[[bytes], bytes]] = {
    "semicolons": lambda table: separated(";")(table).encode(),
    "semicolons and a byte order mark": lambda table: separated(";")(table).encode("utf-8-sig"),
    "semicolons, no line end": lambda table: separated(";")(table).encode().rstrip(),
    "all cells quoted": lambda table: separated(",", quoted=True)(table).encode(),
    "semicolons, all cells quoted": lambda table: separated(";", quoted=True)(table).encode(),
    "tabs": lambda table: separated("\t")(table).encode(),
    "Unicode text of Excel": lambda table: separated("\t")(table).encode("utf-16"),
    "UTF-16, big-endian": lambda table: b"\xfe\xff" + table.decode().encode("utf-16-be"),
    "more empty columns": lambda table: separated(";")(table).replace("\r\n", ";;\r\n").encode(),
    "CRLF and a byte order mark": lambda table: b"\xef\xbb\xbf" + table.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_table_that_a_spreadsheet_saved_is_read_whole(tmp_path: Path, how: str) -> None:
    store = a_store(tmp_path)
    table, before = store.table(), store.read()
    saved = SAVED[how](store.table_path.read_bytes())
    store.table_path.write_bytes(saved)
    assert [sample.label for sample in store.read()] == LABELS
    assert store.table_path.read_bytes() == saved  # reading writes nothing
    again = Samples(tmp_path)
    assert again.table().equals(table)
    assert again.read()[0].hand is not None
    add(again)
    assert len(again.read()) == len(before) + 1
    assert again.relabel(before[:1], "שלום") == 1
    assert again.counts("signs") == {"ok": 1, "a;b, c": 1, 'say "hi"': 1, "שלום": 2, "你好": 1}
    assert verify(again) == []


def test_a_table_that_is_no_utf_8_says_what_to_do_and_is_not_changed(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    store.create_task("signs", "hand", ["ok", "ä"])
    add(store)
    add(store, "ä")
    saved = store.table_path.read_bytes().decode().encode("cp1252")
    store.table_path.write_bytes(saved)
    add(store)
    assert store.table_path.read_bytes().startswith(saved)
    assert [sample.label for sample in store.read()] == ["ok", "ok"]
    (problem, _) = verify(store)
    assert "not UTF-8 text (save the table as CSV UTF-8)" in problem.what


def test_labels_are_separated_by_the_commas_of_all_scripts() -> None:
    for text, labels in {
        "你好，再见": ["你好", "再见"],
        "猫、犬、鳥": ["猫", "犬", "鳥"],
        "نعم، لا": ["نعم", "لا"],
        "ok, stop ,, thumbs up,": ["ok", "stop", "thumbs up"],
        "ա՝բ": ["ա", "բ"],
        "ሀ፣ለ": ["ሀ", "ለ"],
        "a；b؛c": ["a", "b", "c"],
        "a&b;c": ["a&b;c"],
        " ， ": [],
    }.items():
        assert split_labels(text) == labels, text


def test_the_page_separates_labels_at_the_same_commas() -> None:
    page = (paths.ROOT / "recognizer" / "serve" / "page" / "teach.js").read_text(encoding="utf-8")
    found = [line for line in page.splitlines() if "labels.split(" in line]
    assert len(found) == 1
    assert all(f"\\u{ord(comma):04x}" in found[0] or comma in found[0] for comma in COMMAS)


def test_a_task_has_a_limit_of_labels(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    labels = [f"label {number}" for number in range(LABELS_LIMIT)]
    store.create_task("signs", "box", labels)
    with pytest.raises(SamplesError, match="signs would have 201 labels. Use at most 200"):
        store.add_labels("signs", ["one more"])
    with pytest.raises(SamplesError, match="Use at most 200"):
        store.create_task("more", "box", [*labels, "one more"])
    assert store.add_labels("signs", labels[:2]).labels == tuple(labels)
    store.rename_label("signs", "label 0", "another")
    assert len(store.task("signs").labels) == LABELS_LIMIT


@pytest.mark.parametrize("name", ["assets", "Backbones"])
def test_a_task_is_not_named_like_a_folder_of_the_program(tmp_path: Path, name: str) -> None:
    with pytest.raises(SamplesError, match="is the program's own. Choose another"):
        Samples(tmp_path).create_task(name, "box", ["ok"])
    assert Samples(tmp_path).tasks() == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/../b", "a\\b", "C:", "nul", "NUL.png", "con.txt", "com1.tar.gz", "aux ", "nul .png", "CONIN$", "a.",
     " a", "a\n", "a\0", "a|b", "x" * 256, "\x7f"],
)  # fmt: skip
def test_a_hostile_text_is_no_file_name(name: str) -> None:
    assert not is_safe(name)


@pytest.mark.parametrize(
    "name", ["a.png", "null.png", "console", "20260101-000000-abcdef0123.png", "你好", "a b", "com10"]
)
def test_a_plain_text_is_a_file_name(name: str) -> None:
    assert is_safe(name)


def test_recording_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=samples_store.DISK_RESERVE - 1))
    with pytest.raises(SamplesError, match="only 255 MB are free, 256 MB have to stay. Free some space"):
        add(store)
    assert len(store.read()) == len(LABELS)
    assert store.delete(store.read()[:1]) == 1  # deleting gives space
    assert verify(store) == []
