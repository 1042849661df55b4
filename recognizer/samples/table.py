"""The file formats of the samples: samples.csv and task.json."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import numpy as np

from recognizer.errors import SamplesError
from recognizer.samples.sample import JOINTS, Sample, Task, checked_name, clean_label, printable
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.system.names import is_safe
from recognizer.values import Box

TABLE = "samples.csv"
CARD_LIMIT = 1 << 20  # bytes of a task.json
COLUMNS = ("path", "label", "task", "session", "time", "source", "hand", "box", "landmarks")


FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "'",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)  # first characters of a formula; and '
PATH = re.compile(r'([^\x00-\x1f\x7f\\/:*?"<>|,.][^\x00-\x1f\x7f\\/:*?"<>|,]*/){3}[^\x00-\x1f\x7f\\/:*?"<>|,.]+\.png')
MOVING = re.compile(r"moving (\d{1,2}\.\d\d) s")  # instead of landmarks: they are in the picture
# always two decimals, so that a truncated number is detected
LANDMARKS = re.compile(r"-?\d{1,38}\.\d\d(?: -?\d{1,38}\.\d\d){62}")


def read_card(name: str, data: bytes, where: str) -> Task:
    """Parse the bytes of a task.json. `where` names the file in errors. Raises SamplesError."""
    *first, last = SUBJECTS
    known = f"{', '.join(first)} or {last}"
    remedy = f'Expected {{"region": "hand", "labels": ["ok", "stop"]}}, where region is {known}.'
    try:
        card = json.loads(data.decode())
        subject, labels = card["region"], tuple(clean_label(label) for label in card["labels"])
        created = str(card.get("created", ""))
        has_sides = bool(card.get("sides", False))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SamplesError) as error:
        raise SamplesError(f"{where} is damaged ({printable(str(error))}). {remedy}") from error
    if subject not in SUBJECTS or not isinstance(card["labels"], list):
        raise SamplesError(f"{where} is damaged. {remedy}")
    return Task(name, subject, labels, created, has_sides)


def as_card(task: Task) -> bytes:
    """The task as the bytes of a task.json."""
    card: dict[str, object] = {
        "name": task.name,
        "region": task.subject,
        "labels": task.labels,
        "created": task.created,
    }
    if task.sides:
        card["sides"] = True
    return (json.dumps(card, ensure_ascii=False, indent=1) + "\n").encode()


def as_table(samples: Iterable[Sample]) -> bytes:
    """The samples as the bytes of a samples.csv."""
    return HEADER + b"\n" + b"".join(as_row(sample) for sample in samples)


def as_spreadsheet(table: bytes) -> bytes:
    """A samples.csv that spreadsheets open without running formulas: cells like =1+1 get an apostrophe (OWASP, CSV injection).

    A byte order mark makes Excel read it as UTF-8.
    """
    return b"\xef\xbb\xbf" + _with_cells(table, lambda cell: f"'{cell}" if cell.startswith(FORMULA) else cell)


def from_spreadsheet(table: bytes) -> bytes:
    """Undo `as_spreadsheet`."""
    return _with_cells(
        as_written(table), lambda cell: cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell
    )


def _with_cells(table: bytes, change: Callable[[str], str]) -> bytes:
    return b"".join(_changed_line(line, change) for line in table.splitlines() if line)


def _changed_line(line: bytes, change: Callable[[str], str]) -> bytes:
    try:
        return _line([change(cell) for cell in next(csv.reader([line.decode(errors="replace")]))])
    except csv.Error:  # no sample: left as it is
        return line + b"\n"


def parse_table(data: bytes) -> list[Sample | str]:
    """Parse a samples.csv: for each line except the header a sample or, as a string, why it is invalid."""
    return [parse_row(line) for line in table_lines(data)]


def table_lines(data: bytes) -> list[bytes]:
    """The lines of a samples.csv without its header and empty lines."""
    lines = [line.removesuffix(b"\r") for line in as_written(data).split(b"\n")]
    return [line for number, line in enumerate(lines) if line and not (number == 0 and is_header(line))]


def as_written(data: bytes) -> bytes:
    """A samples.csv as this program writes it: UTF-8 with commas. Spreadsheets save it with semicolons or tabs, a byte
    order mark, or as UTF-16. Lines that are no samples stay as they are.
    """
    data = _as_utf8(data)
    header = data.partition(b"\n")[0].removesuffix(b"\r")
    for separator in (";", "\t"):
        if is_header(_with_commas(header, separator)) and not is_header(header):
            return b"\n".join(_with_commas(line.removesuffix(b"\r"), separator) for line in data.split(b"\n"))
    return data


def is_header(line: bytes) -> bool:
    return line.replace(b'"', b"") == HEADER


def _as_utf8(data: bytes) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-16").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _with_commas(line: bytes, separator: str) -> bytes:
    """The line with commas between its cells, without empty cells after the last column."""
    if isinstance(parse_row(line), Sample):
        return line  # this program appended it
    try:
        cells = next(csv.reader([line.decode()], delimiter=separator, strict=True), [])
    except (ValueError, csv.Error):
        return line
    if len(cells) < len(COLUMNS) or any(cells[len(COLUMNS) :]):
        return line
    return _line(cells[: len(COLUMNS)])[:-1]


def _cells(sample: Sample) -> list[str]:
    box = " ".join(map(str, sample.box.xyxy))
    points = [] if sample.landmarks is None else sample.landmarks.ravel().tolist()
    landmarks = " ".join(f"{value:.2f}" for value in points)
    if sample.moving_s is not None:
        landmarks = f"moving {sample.moving_s:.2f} s"
    first = [sample.path, sample.label, sample.task, sample.session, sample.time, sample.source]
    return [*first, sample.side, box, landmarks]


def _is_sample_path(path: str) -> bool:
    return PATH.fullmatch(path) is not None and is_safe(path)


def as_row(sample: Sample) -> bytes:
    return _line(_cells(sample))


def _line(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()


HEADER = _line(COLUMNS)[:-1]


def parse_row(line: bytes) -> Sample | str:
    """Parse one line: a sample or, as a string, why it is invalid."""
    try:
        cells = next(csv.reader([line.decode()], strict=True))
    except UnicodeDecodeError:
        return "not UTF-8 text (save the table as CSV UTF-8)"
    except (ValueError, csv.Error, StopIteration):
        return "not valid CSV"
    if len(cells) != len(COLUMNS):
        return f"{len(cells)} cells, expected {len(COLUMNS)}"
    path, label, task, session, time, source, side, box, landmarks = cells
    try:
        if (clean_label(label), checked_name("task", task), checked_name("session", session)) != (label, task, session):
            return "a label, task or session that is not in Unicode normal form NFC"
        datetime.fromisoformat(time)
        x1, y1, x2, y2 = map(int, box.split(" "))
    except SamplesError as error:
        return str(error)
    except ValueError:
        return "an invalid time or box"
    if not _is_sample_path(path) or not path.startswith(f"{task}/{session}/"):
        return f"the path {path!r} is not <task>/<session>/<label>/<name>.png"
    moving = MOVING.fullmatch(landmarks)
    joints_are_whole = (moving or LANDMARKS.fullmatch(landmarks)) if side else not landmarks
    if side not in ("", "left", "right") or not joints_are_whole:
        return "invalid hand landmarks"
    if moving:
        moving_s = float(moving[1])
        return Sample(path, label, task, session, time, source, side, Box(x1, y1, x2, y2), moving_s=moving_s)
    points = np.array(landmarks.split(), np.float32).reshape(JOINTS, 3) if landmarks else None
    return Sample(path, label, task, session, time, source, side, Box(x1, y1, x2, y2), points)
