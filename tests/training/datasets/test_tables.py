"""Tables of pictures as spreadsheets, pandas and R write them: understood, or refused with what to do."""

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pytest

from recognizer.errors import DataError
from training.datasets import tables
from training.datasets.own_pictures import load_csv
from training.datasets.tables import PIXELS, read_table

HEADER = ["label", *(f"pixel{number}" for number in range(1, PIXELS + 1))]
LEVELS = np.random.default_rng(0).integers(0, 256, (6, PIXELS))
LEVELS[0, :2] = 0, 255
LABELS = ["0", "0", "1", "1", "7", "7"]


def rows_of(labels=LABELS, levels=LEVELS):
    return [[label, *map(str, row)] for label, row in zip(labels, levels, strict=True)]


def as_text(rows, header=HEADER, separator=",", end="\n"):
    return "".join(separator.join(row) + end for row in [*([header] if header else []), *rows])


def write(folder, text, name="table.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


UNDERSTOOD = {
    "plain": as_text(rows_of()),
    "semicolon": as_text(rows_of(), separator=";"),
    "tab": as_text(rows_of(), separator="\t"),
    "bar": as_text(rows_of(), separator="|"),
    "byte order mark": "\ufeff" + as_text(rows_of()),
    "UTF-16": as_text(rows_of()).encode("utf-16"),
    "CRLF": as_text(rows_of(), end="\r\n"),
    "CR": as_text(rows_of(), end="\r"),
    "blank lines": as_text(rows_of(), end="\n\n"),
    "no end of line": as_text(rows_of()).rstrip("\n"),
    "no header": as_text(rows_of(), header=None),
    "comments above": "# written by hand\n# in May\n" + as_text(rows_of()),
    "separator above": "sep=;\n" + as_text(rows_of(), separator=";"),
    "header twice": as_text([*rows_of()[:3], HEADER, *rows_of()[3:]]),
    "index column": as_text([[str(i), *row] for i, row in enumerate(rows_of())], header=["", *HEADER]),
    "named index": as_text([[str(i), *row] for i, row in enumerate(rows_of())], header=["Unnamed: 0", *HEADER]),
    "index last": as_text([[*row, str(i)] for i, row in enumerate(rows_of())], header=[*HEADER, "id"]),
    "label last": as_text([[*row[1:], row[0]] for row in rows_of()], header=[*HEADER[1:], "label"]),
    "label within": as_text(
        [[*row[1:9], row[0], *row[9:]] for row in rows_of()], header=[*HEADER[1:9], "label", *HEADER[9:]]
    ),
    "capital": as_text(rows_of(), header=["Label", *HEADER[1:]]),
    "spaces": as_text(rows_of([f" {label} " for label in LABELS]), header=[" label ", *HEADER[1:]]),
    "class": as_text(rows_of(), header=["class", *HEADER[1:]]),
    "numbered columns": as_text(rows_of(), header=["label", *map(str, range(PIXELS))]),
    "quoted": as_text([[f'"{field}"' for field in row] for row in rows_of()]),
    "trailing separator": as_text([[*row, ""] for row in rows_of()], header=[*HEADER, ""]),
    "trailing separator in rows": as_text([[*row, ""] for row in rows_of()]),
    "whole floats": as_text(rows_of(levels=LEVELS.astype(float))),
    "0 to 1": as_text(rows_of(levels=(LEVELS / 255).round(6))),
    "0 to 1 with decimal commas": as_text(rows_of(levels=(LEVELS / 255).round(6)), separator=";").replace(".", ","),
    "gzip": gzip.compress(as_text(rows_of()).encode()),
    "bzip2": bz2.compress(as_text(rows_of()).encode()),
    "xz": lzma.compress(as_text(rows_of()).encode()),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("layout", UNDERSTOOD)
def test_a_table_is_understood_in_any_usual_layout(layout, tmp_path):
    labels, images = read_table(write(tmp_path, UNDERSTOOD[layout]))
    assert labels == LABELS
    assert images.dtype == np.uint8
    assert np.array_equal(images.reshape(6, PIXELS), LEVELS)


def test_fractions_are_rounded(tmp_path):
    _, images = read_table(write(tmp_path, as_text(rows_of(levels=LEVELS * 0.97 + 0.4))))
    assert np.abs(images.reshape(6, PIXELS) - (LEVELS * 0.97 + 0.4)).max() < 0.51


@pytest.mark.parametrize(
    "labels",
    [
        ("007", "07", "7"),
        ("1e5", "0", "1"),
        ("None", "NA", "ok"),
        ("null", "nan", "n/a"),
        ("True", "False", "true"),
        ("2-1", "2-2", "1.0"),
        ("a b", "a/b", "日本"),
        ("-", "#N/A", "inf"),
    ],
)
def test_labels_are_text_as_it_stands(labels, tmp_path):
    path = write(tmp_path, as_text(rows_of([label for label in labels for _ in (0, 1)])))
    assert read_table(path)[0] == [label for label in labels for _ in (0, 1)]
    assert set(load_csv(path).labels) == set(labels)


def test_a_quoted_label_may_hold_the_separator_and_is_trimmed_and_normalized(tmp_path):
    path = write(tmp_path, as_text(rows_of(['"a, b"', '" ok"', "ok", " ok ", "e\u0301", "é"])))
    assert read_table(path)[0] == ["a, b", "ok", "ok", "ok", "é", "é"]


def test_labels_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    assert load_csv(write(tmp_path, as_text(rows_of(["2", "10", "up", "2", "10", "up"])))).labels == ["2", "10", "up"]


def changed(row, column, text):
    rows = rows_of()
    rows[row][column] = text
    return as_text(rows)


def cut(row, columns):
    rows = rows_of()
    rows[row] = rows[row][:columns]
    return as_text(rows)


MIXED = np.where(np.arange(6)[:, None] == 3, LEVELS / 255, LEVELS)

REFUSED = {
    "0 to 1 beside 0 to 255": (
        as_text(rows_of(levels=MIXED)),
        "has grey levels from 0 to 1 in line 5, and up to 255 in others. Scale all of them alike",
    ),
    "UTF-16 without a mark": (as_text(rows_of()).encode("utf-16-le"), "is no text. Save it as CSV UTF-8"),
    "Parquet": (b"PAR1" + bytes(99), "is no text. Save it as CSV UTF-8"),
    "a missing label": (changed(3, 0, ""), "has no label in line 5. Add it"),
    "a label of spaces": (changed(3, 0, "  "), "has no label in line 5. Add it"),
    "a label that is not allowed": (changed(3, 0, "a\u200bb"), "line 5: The label .* contains an invisible"),
    "a missing pixel": (changed(3, 400, ""), "has an empty grey level in line 5"),
    "a word as a pixel": (changed(3, 400, "many"), "has 'many' as a grey level in line 5"),
    "a hexadecimal pixel": (changed(3, 400, "0x1F"), "has '0x1F' as a grey level in line 5"),
    "nan as a pixel": (changed(3, 400, "nan"), "line 5"),
    "a long number": (changed(3, 400, "9" * 400), "table.csv"),
    "a short row": (cut(3, 500), "ends early in line 5: 500 of 785 columns"),
    "a cut file": (as_text(rows_of())[:-900], r"ends early in line 7: \d+ of 785 columns"),
    "a long row": (changed(3, 784, "1,2,3"), "has 787 columns in line 5, not 785"),
    "-1 to 1": (as_text(rows_of(levels=(LEVELS / 127.5 - 1).round(5))), "grey levels from -1 to 1 in line 2"),
    "negative": (changed(3, 400, "-1"), "grey levels from -1 to 255? .*line 5|grey levels from -1 to .* in line 5"),
    "beyond 255": (changed(3, 400, "256"), "grey levels from 0 to 256 in line 5|grey levels from .* to 256 in line 5"),
    "Latin-1": (changed(3, 0, "Größe").encode("latin-1"), "is not in UTF-8: line 5. Save it as CSV UTF-8"),
    "no label column": (as_text([row[1:] for row in rows_of()], header=HEADER[1:]), "has no column of labels"),
    "two label columns": (
        as_text([[row[0], *row] for row in rows_of()], header=["class", *HEADER]),
        "has several columns of labels",
    ),
    "32x32": (as_text([["1", *["0"] * 1024]], header=["label", *["p"] * 1024]), "has 1024 columns of grey levels"),
    "no header and other columns": (as_text([["1", *["0"] * 1024]], header=None), "has no header and 1025 columns"),
    "no rows": (as_text([]), "has a header but no rows"),
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "prose": ("This is not a table.\nAt all.", "has no column of labels"),
    "an open quote": (changed(3, 0, '"a'), "line 5"),
    "a huge field": ("label," + "x" * 200_000 + "\n", "cannot be read as CSV"),
    "damaged gzip": (gzip.compress(as_text(rows_of()).encode())[:-30], "cannot be read as CSV"),
    "no zip": (b"PK\x03\x04 is no zip", "cannot be read as CSV"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_in_a_table_is_one_line_that_names_the_line(fault, tmp_path):
    text, message = REFUSED[fault]
    with pytest.raises(DataError, match=message) as error:
        read_table(write(tmp_path, text))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert "table.csv" in str(error.value)


def test_a_zip_with_one_table_is_read(tmp_path):
    path = tmp_path / "table.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside/table.csv", as_text(rows_of()))
        archive.writestr("__MACOSX/inside/._table.csv", "resource fork")
    assert read_table(path)[0] == LABELS
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("inside/more.csv", as_text(rows_of()))
    with pytest.raises(DataError, match="holds 2 files, not one table. Unpack it"):
        read_table(path)


def test_a_workbook_is_refused_with_what_to_do(tmp_path):
    with zipfile.ZipFile(tmp_path / "table.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(DataError, match="is a workbook of a spreadsheet. Save it as CSV"):
        read_table(tmp_path / "table.xlsx")


def test_what_a_table_unpacks_to_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "TABLE_LIMIT", 1 << 10)
    for data in (gzip.compress(bytes(1 << 20)), bytes(1 << 20)):
        with pytest.raises(DataError, match="unpacks to more than"):
            read_table(write(tmp_path, data))


def test_a_damaged_table_is_read_or_refused_in_one_line(tmp_path):
    rng = np.random.default_rng(0)
    whole = as_text(rows_of()[:3]).encode()
    messages = []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            place = int(rng.integers(len(damaged)))
            damaged[place : place + int(rng.integers(0, 20))] = rng.choice([*b'",;\n\r\t\0\xff-.e'], 1).tobytes()[:1]
        try:
            read_table(write(tmp_path, bytes(damaged)))
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message or len(message) > 400 for message in messages)
