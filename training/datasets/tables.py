"""Reads tables of labelled pictures: a row has a label and 784 grey levels, as in Kaggle's MNIST."""

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError, SamplesError
from recognizer.samples.sample import clean_label
from training.datasets.dataset import SIDE

PIXELS = SIDE * SIDE
TABLE_LIMIT = 1 << 32  # bytes unpacked: MNIST has 110 MB
SEPARATORS = ",;\t|"
LABEL_NAMES = ("label", "labels", "class", "target", "y")
BEFORE_THE_TABLE = ("#", "sep=", '"sep=')  # comments, and the separator as Excel takes it
INDEX_NAMES = ("", "index", "id", "unnamed: 0")  # columns that spreadsheets and pandas add
LAYOUT = f"a column label and {PIXELS} columns of grey levels"


@dataclass(frozen=True)
class _Table:
    """The rows of a table as text, and where its columns are."""

    path: Path
    lines: Sequence[tuple[int, str]]  # line numbers in the file, from 1, and rows without the header
    separator: str
    label: int  # column of the labels
    pixels: Sequence[int]  # columns of the grey levels
    columns: int  # number of all columns


def read_table(path: Path) -> tuple[list[str], np.ndarray]:
    """The labels of a table's rows and their pictures, (N, 28, 28) uint8.

    The table is plain or compressed, with commas, semicolons, tabs or bars, in UTF-8 or UTF-16. The labels are in a column
    named as in LABEL_NAMES, or in the first one if there is no header. They are text as it stands, without spaces
    around it. Grey levels are 0 to 255, or 0 to 1, which are scaled. Raises DataError that names the line.
    """
    try:
        table = _layout_of(path, _lines_of(path))
        _check_lengths(table)
        labels, levels = _columns_of(table)
        return labels, _grey_of(table, levels)
    except (csv.Error, ValueError, OverflowError) as error:  # what the libraries raise for damaged tables
        raise DataError(f"{path} cannot be read as CSV ({' '.join(str(error).split())}).") from error


def _lines_of(path: Path) -> list[tuple[int, str]]:
    """The lines of the file that are not blank, with their numbers from 1, from the header or the first row on."""
    text = _text_of(path).replace("\r\n", "\n").replace("\r", "\n")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    while lines and lines[0][1].startswith(BEFORE_THE_TABLE):
        del lines[0]
    if not lines:
        raise DataError(f"{path} is empty. Give a table of {LAYOUT}.")
    return lines


def _text_of(path: Path) -> str:
    data = _unpacked(path)
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data:  # also of other kinds of files
        raise DataError(f"{path} is no text. Save it as CSV UTF-8.")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not in UTF-8: line {line}. Save it as CSV UTF-8, so that its labels are right."
        ) from error


def _unpacked(path: Path) -> bytes:
    """The bytes of a table, which may be compressed; told by its first bytes. Raises DataError."""
    openers: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if head.startswith(b"PK\x03\x04"):
            return _unzipped(path)
        opener = next((opener for first, opener in openers.items() if head.startswith(first)), open)
        with opener(path, "rb") as file:
            data = file.read(TABLE_LIMIT + 1)
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as CSV ({' '.join(str(error).split())}).") from error
    return _within_limit(path, data)


def _unzipped(path: Path) -> bytes:
    """The bytes of the one table in a zip file."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not re.search(r"/$|(^|/)(\.|__MACOSX/)", name)]
        if "[Content_Types].xml" in names:
            raise DataError(f"{path} is a workbook of a spreadsheet. Save it as CSV UTF-8.")
        if len(names) != 1:
            raise DataError(f"{path} holds {len(names)} files, not one table. Unpack it and give the table.")
        with archive.open(names[0]) as file:
            return _within_limit(path, file.read(TABLE_LIMIT + 1))


def _within_limit(path: Path, data: bytes) -> bytes:
    if len(data) > TABLE_LIMIT:
        raise DataError(f"{path} unpacks to more than {TABLE_LIMIT >> 30} GiB, the limit. Give a part of it.")
    return data


def _layout_of(path: Path, lines: list[tuple[int, str]]) -> _Table:
    """Find the separator and the columns. Raises DataError if there are other columns than a label and PIXELS levels."""
    first = lines[0][1]
    separator = max(SEPARATORS, key=first.count)
    fields = _fields(first, separator)
    names = [field.strip().lower() for field in fields]
    numbers = sum(map(_is_number, names))
    if (
        len(names) > 2 and numbers >= len(names) - 1 and not set(names) & set(LABEL_NAMES)
    ):  # only the label may be a word
        if len(names) != PIXELS + 1:
            raise DataError(f"{path} has no header and {len(names)} columns, not {LAYOUT}. Give its columns names.")
        return _Table(path, lines, separator, 0, range(1, PIXELS + 1), len(names))
    labels = [index for index, name in enumerate(names) if name in LABEL_NAMES]
    pixels = [index for index, name in enumerate(names) if index not in labels and name not in INDEX_NAMES]
    if len(labels) != 1 or len(pixels) != PIXELS:
        found = {0: "no column of labels", 1: f"{len(pixels)} columns of grey levels"}
        raise DataError(
            f"{path} has {found.get(len(labels), 'several columns of labels')}, not {LAYOUT}: {len(names)} columns, "
            f"the first named {fields[0].strip()[:20]!r}. Labels are in a column named {' or '.join(LABEL_NAMES)}."
        )
    rows = [(number, line) for number, line in lines if line != first]  # tables that were put together repeat it
    if not rows:
        raise DataError(f"{path} has a header but no rows. Give a table of {LAYOUT}.")
    return _Table(path, rows, separator, labels[0], pixels, len(names))


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_lengths(table: _Table) -> None:
    """Raise DataError if a row has fewer or more columns than the first line."""
    columns = table.columns
    for number, line in table.lines:
        found = len(_fields(line, table.separator)) if '"' in line else line.count(table.separator) + 1
        if found < columns:
            raise DataError(
                f"{table.path} ends early in line {number}: {found} of {columns} columns. Complete or delete that line."
            )
        if found > columns and any(field.strip() for field in _fields(line, table.separator)[columns:]):
            raise DataError(f"{table.path} has {found} columns in line {number}, not {columns}. Correct that line.")


def _columns_of(table: _Table) -> tuple[list[str], np.ndarray]:
    """The labels of the rows, and their grey levels as they stand, (N, PIXELS) float32. Raises DataError."""
    import pandas as pd

    decimal = "," if table.separator == ";" and "," in table.lines[0][1] else "."
    frame = pd.read_csv(
        io.StringIO("\n".join(line for _, line in table.lines)),
        sep=table.separator, header=None, names=range(table.columns), usecols=[table.label, *table.pixels],
        dtype={table.label: str}, keep_default_na=False, decimal=decimal, low_memory=False, index_col=False,
    )  # fmt: skip
    labels = [_label(table, row, text) for row, text in enumerate(frame[table.label])]
    for column in table.pixels:
        if frame[column].dtype.kind not in "iuf":
            _refuse_text(table, frame[column], decimal)
    return labels, frame[list(table.pixels)].to_numpy(np.float32)


def _label(table: _Table, row: int, text: str) -> str:
    number = table.lines[row][0]
    if not text.strip():
        raise DataError(f"{table.path} has no label in line {number}. Add it, or delete that line.")
    try:
        return clean_label(text)
    except SamplesError as error:
        raise DataError(f"{table.path}, line {number}: {error}") from error


def _refuse_text(table: _Table, column: Sequence[str], decimal: str) -> None:
    """Raise DataError with the first line whose grey level is no number."""
    for (number, _), text in zip(table.lines, column, strict=True):
        if not _is_number(str(text).replace(decimal, ".")):
            found = f"{str(text).strip()[:20]!r} as a grey level" if str(text).strip() else "an empty grey level"
            raise DataError(f"{table.path} has {found} in line {number}. Grey levels are numbers from 0 to 255.")


def _grey_of(table: _Table, levels: np.ndarray) -> np.ndarray:
    """The levels (N, PIXELS) as pictures (N, 28, 28) uint8: 0 to 1 is scaled. Raises DataError for other ranges."""
    outside = ~((levels >= 0) & (levels <= 255)).all(axis=1)  # also NaN
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{table.path} has grey levels from {levels[row].min():g} to {levels[row].max():g} in line "
            f"{table.lines[row][0]}, not 0 to 255 or 0 to 1. Scale them first."
        )
    highest = levels.max(axis=1)
    fractions = (highest <= 1) & (levels % 1 > 0).any(axis=1)
    if highest.max() > 1 and fractions.any():
        row = int(np.argmax(fractions))
        raise DataError(
            f"{table.path} has grey levels from 0 to 1 in line {table.lines[row][0]}, and up to {highest.max():g} in others. "
            "Scale all of them alike."
        )
    # no grey picture has levels of 0 and 1 only
    scaled = levels * 255 if levels.max() <= 1 else levels
    return np.rint(scaled).astype(np.uint8).reshape(-1, SIDE, SIDE)
