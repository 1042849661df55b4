"""The captured data set on disk: pictures in <captures>/<task>/<session>/<label>/, one samples.csv with a row for each.

A sample is there with its picture and its row or not at all, whatever is stopped when. Pictures on their way in, out or
elsewhere lie in .unfinished/, and the rows of samples.csv decide where each of them belongs: whoever writes next brings
it there. Rows are added in one write; every other change replaces samples.csv in one step. One program writes at a time.
"""

import contextlib
import csv
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.errors import SamplesError, SubjectError
from recognizer.samples.png import decode_png, encode_png
from recognizer.samples.sample import (
    Sample,
    Task,
    check_path_encodable,
    checked_name,
    clean_label,
    file_name,
    file_stem,
    folder_name,
    new_sample,
    now_utc,
    path_encoding_error,
)
from recognizer.samples.table import COLUMNS, HEADER, as_card, as_row, parse_row, read_card
from recognizer.subjects.catalogue import subject_of
from recognizer.system import files, paths
from recognizer.values import Frame, Region

if TYPE_CHECKING:
    import pandas as pd

TABLE = "samples.csv"
CARD = "task.json"
UNFINISHED = ".unfinished"
LOCK = ".lock"


LOCK_WAIT_S = 10.0  # the import of some thousand pictures is the longest that one program writes


class Samples:
    """The samples in a folder of this machine.

    All methods may raise SamplesError; reading works where nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        """What a crash left is put in order, where nobody writes now."""
        self._folder = folder
        self.table_path = folder / TABLE
        self.unfinished = folder / UNFINISHED
        if self._has_unfinished():
            with contextlib.suppress(SamplesError), self.locked(wait_s=0):
                pass

    @property
    def folder(self) -> Path:
        """Where the samples are on this machine."""
        return self._folder

    def refresh(self) -> None:
        """Called before each read and change; a store that other machines share pulls here."""

    def push(self) -> None:
        """Called after each change, under the lock; a store that other machines share sends it here."""

    def create_task(self, name: str, subject: str, labels: Iterable[str]) -> Task:
        """A new task; its name must differ from the others by more than capitals."""
        name = checked_name("task", name)
        try:
            subject_of(subject)
        except SubjectError as error:
            raise SamplesError(f"The task {name} cannot be made: {error}") from error
        cleaned = tuple(dict.fromkeys(clean_label(label) for label in labels))
        if not cleaned:
            raise SamplesError("A task needs a label to learn. Give one or more, such as --labels ok,stop.")
        task = Task(name, subject, cleaned, now_utc())
        with self.locked():
            for other in self._task_names():
                if other.casefold() == name.casefold():
                    raise SamplesError(f"The task {other} is there already. Choose another name, or record into it.")
            self._write_card(task)
        return task

    def tasks(self) -> list[Task]:
        """All tasks, sorted by name."""
        self.refresh()
        return [self._task(name) for name in self._task_names()]

    def task(self, name: str) -> Task:
        """The task of that name."""
        self.refresh()
        return self._task(name)

    def add_labels(self, name: str, labels: Iterable[str]) -> Task:
        """The task with the labels that it did not have yet."""
        cleaned = [clean_label(label) for label in labels]
        with self.locked():
            return self._with_labels(self._task(name), cleaned)

    def add(self, task: str, label: str, region: Region, frame: Frame, session: str, source: str) -> Sample:
        """Store what the frame shows in the region, and return it once it is on the disk.

        Which part of the frame that is, the task's subject decides.
        """
        home = self.task(task)
        label = clean_label(label)
        if label not in home.labels:
            raise SamplesError(f"The task {home.name} has no label {label}. It has: {', '.join(home.labels)}.")
        picture = subject_of(home.subject).sample_picture(frame.image_bgr, region)
        sample = new_sample(home.name, label, session, source, region.box, hand=region.hand)
        self.place([(sample, encode_png(picture))], sync=True)
        return sample

    def place(self, pictures: Iterable[tuple[Sample, bytes]], *, sync: bool = False) -> list[Sample]:
        """Store samples with their PNG files, all or none, and return those that were not there yet.

        `sync` waits for each picture to be on the disk itself, which a loss of power asks for and a crash does not.
        """
        with self.locked():
            known = self._names() if not sync else set()  # a new sample's name is its own
            added: list[Sample] = []
            try:
                for sample, png in pictures:
                    if not (self.folder / sample.task / CARD).is_file():  # another window may have deleted it
                        raise SamplesError(f"The task {sample.task} is not there any more. Make it again.")
                    name = file_name(sample.path)
                    if name not in known:
                        known.add(name)
                        files.write_file(self.unfinished / name, png, sync=sync)
                        added.append(sample)
                if added:
                    header = b"" if _size(self.table_path) else HEADER + b"\n"
                    files.append(self.table_path, header + b"".join(as_row(sample) for sample in added))
                for sample in added:
                    files.replace(self.unfinished / file_name(sample.path), self.folder / sample.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._place_unfinished()
                raise
        return added

    def read(self, task: str | None = None) -> list[Sample]:
        """The samples of a task, or of all, in the order they were taken."""
        self.refresh()
        name = None if task is None else self._task(task).name
        samples = [found for _, found in self.scan() if isinstance(found, Sample)]
        return [sample for sample in samples if name in (None, sample.task)]

    def table(self, task: str | None = None) -> "pd.DataFrame":
        """The same as a table with the columns of samples.csv, all of them text."""
        import pandas as pd

        self.refresh()
        name = None if task is None else self._task(task).name
        found = [(line, sample) for line, sample in self.scan() if isinstance(sample, Sample)]
        rows = [next(csv.reader([line.decode()])) for line, sample in found if name in (None, sample.task)]
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)

    def counts(self, task: str) -> dict[str, int]:
        """How many samples each label has, those without any among them."""
        counts = dict.fromkeys(self.task(task).labels, 0)
        for sample in self.read(task):
            counts[sample.label] = counts.get(sample.label, 0) + 1
        return counts

    def picture(self, sample: Sample) -> np.ndarray:
        """The sample's picture, (h, w, 3) uint8 BGR."""
        return decode_png(self._read(self.folder / sample.path), sample.path)

    def undo(self, samples: Collection[Sample]) -> int:
        """Take back what was just added; the same as `delete`."""
        return self.delete(samples)

    def delete(self, samples: Collection[Sample]) -> int:
        """Remove samples, and say how many were still there."""
        gone = {sample.path for sample in samples}
        with self.locked():
            return self._rewrite_rows(lambda sample: None if sample.path in gone else sample)

    def delete_label(self, task: str, label: str) -> int:
        """Remove a label with its samples, and say how many those were."""
        with self.locked():
            home, label = self._task_with(task, label)
            count = self._rewrite_rows(
                lambda sample: None if (sample.task, sample.label) == (home.name, label) else sample
            )
            self._write_card(replace(home, labels=tuple(other for other in home.labels if other != label)))
        return count

    def delete_task(self, task: str) -> int:
        """Remove a task with its samples, and say how many those were. Files that are not of the store stay."""
        with self.locked():
            name = self._task(task).name
            count = self._rewrite_rows(lambda sample: None if sample.task == name else sample)
            self._remove_card(name)
        return count

    def relabel(self, samples: Collection[Sample], label: str) -> int:
        """Give samples another label of their task, and say how many were changed."""
        label = clean_label(label)
        changed = {sample.path for sample in samples}
        with self.locked():
            for task in {sample.task for sample in samples}:
                self._task_with(task, label)
            return self._rewrite_rows(lambda sample: _moved(sample, label=label) if sample.path in changed else sample)

    def rename_label(self, task: str, label: str, to: str) -> int:
        """Give a label another word, or join it to one that is there; say how many samples changed."""
        to = clean_label(to)
        with self.locked():
            home = self._task(task)
            here = (home.name, unicodedata.normalize("NFC", label))
            if here not in {(found.task, found.label) for _, found in self.scan() if isinstance(found, Sample)}:
                self._task_with(task, label)  # a word that someone wrote into samples.csv need not be in task.json
            if here[1] == to:
                return 0
            both = self._with_labels(home, [to])
            count = self._rewrite_rows(lambda s: _moved(s, label=to) if (s.task, s.label) == here else s)
            self._write_card(replace(both, labels=tuple(other for other in both.labels if other != here[1])))
        return count

    def merge(self, task: str, into: str) -> int:
        """Move all samples and labels of a task into another one of the same subject; say how many samples moved."""
        with self.locked():
            source, target = self._task(task), self._task(into)
            if source.name == target.name:
                raise SamplesError(f"The task {source.name} cannot be merged into itself. Name two tasks.")
            if source.subject != target.subject:
                raise SamplesError(
                    f"{source.name} shows a {source.subject} and {target.name} a {target.subject}: they cannot be merged."
                )
            self._with_labels(target, source.labels)
            name = target.name
            count = self._rewrite_rows(
                lambda sample: _moved(sample, task=name) if sample.task == source.name else sample
            )
            self._remove_card(source.name)
        return count

    def apply_remote(
        self,
        tasks: Iterable[Task],
        added: Sequence[tuple[Sample, bytes]],
        changed: dict[str, Sample],
        deleted: Collection[str],
        deleted_tasks: Iterable[str],
    ) -> None:
        """Make the changes that other machines made. Changed and deleted samples are named by their files, without .png."""

        def changing(sample: Sample) -> Sample | None:
            return None if (name := file_stem(sample.path)) in deleted else changed.get(name, sample)

        with self.locked():
            for task in tasks:
                self._write_card(task)
        self.place(added)
        with self.locked():
            self._rewrite_rows(changing)
            for name in deleted_tasks:
                self._remove_card(name)

    def drop_rows(self, lines: Iterable[bytes]) -> None:
        """Take lines out of samples.csv, of equal ones the last, while the pictures stay where they lie."""
        dropped = Counter(lines)
        with self.locked():
            kept = []
            for line, _ in reversed(self.scan()):
                if dropped[line]:
                    dropped[line] -= 1
                else:
                    kept.append(line)
            self._write_table(kept[::-1])

    def scan(self) -> list[tuple[bytes, Sample | str]]:
        """Each line of samples.csv but its header, as it is, with its sample or with what is wrong with it."""
        if not self.table_path.exists():
            return []
        lines = self._read(self.table_path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
        found: list[tuple[bytes, Sample | str]] = []
        seen: set[str] = set()
        for number, whole_line in enumerate(lines):
            line = whole_line.removesuffix(b"\r")
            if not line or (number == 0 and line == HEADER):
                continue
            sample = parse_row(line)
            if isinstance(sample, Sample):
                check_path_encodable(sample.path)
                name = file_name(sample.path)
                if name in seen:
                    found.append((line, f"a second row for {name}"))
                    continue
                seen.add(name)
            found.append((line, sample))
        return found

    @contextmanager
    def locked(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Holds the store's lock, with all in order; the system's refusals become SamplesErrors."""
        self.refresh()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with files.locked(self.folder / LOCK, wait_s):
                self.unfinished.mkdir(exist_ok=True)
                self._repair_last_line()
                self._place_unfinished()
                yield
                self.push()
        except TimeoutError as error:
            raise SamplesError(f"Cannot write {self.folder}: {error.strerror}. Wait until it is done.") from error
        except OSError as error:
            raise SamplesError(
                f"Cannot write {self.folder}: {error.strerror or error}. "
                f"Free some space, or name another folder in {paths.CAPTURES_VARIABLE}."
            ) from error
        except UnicodeEncodeError as error:
            raise SamplesError(path_encoding_error(error)) from error

    def _has_unfinished(self) -> bool:
        try:
            return any(self.unfinished.iterdir()) or _last_byte(self.table_path) not in (b"", b"\n")
        except OSError:
            return False

    def _repair_last_line(self) -> None:
        """End the last line where only that is missing, or take off what is left of a row that was being written."""
        if _last_byte(self.table_path) in (b"", b"\n"):
            return
        with open(self.table_path, "r+b") as file:
            data = file.read()
            start = data.rfind(b"\n") + 1
            last = data[start:].removeprefix(b"\xef\xbb\xbf").removesuffix(b"\r")
            if last == HEADER or isinstance(parse_row(last), Sample):
                file.write(b"\n")
            else:
                file.truncate(start)
            file.flush()
            os.fsync(file.fileno())

    def _place_unfinished(self) -> None:
        """Bring each unfinished picture to where its row says, and remove those without a row."""
        left = os.listdir(self.unfinished)
        if not left:
            return
        homes = {file_name(found.path): found.path for _, found in self.scan() if isinstance(found, Sample)}
        for name in left:
            if name in homes:
                files.replace(self.unfinished / name, self.folder / homes[name])
            else:
                (self.unfinished / name).unlink()

    def _rewrite_rows(self, change: Callable[[Sample], Sample | None]) -> int:
        """Replace each sample by what `change` makes of it, None to remove it; what is no sample stays as it is."""
        lines: list[bytes] = []
        before: list[Sample] = []
        for line, found in self.scan():
            after = change(found) if isinstance(found, Sample) else found
            if after is found:
                lines.append(line)
                continue
            assert isinstance(found, Sample)
            before.append(found)
            if isinstance(after, Sample):
                lines.append(as_row(after)[:-1])
        if not before:
            return 0
        try:
            self._write_table(lines, before)
        finally:
            self._place_unfinished()
        self._remove_empty_folders({(self.folder / sample.path).parent for sample in before})
        return len(before)

    def _write_table(self, lines: Sequence[bytes], leaving: Sequence[Sample] = ()) -> None:
        """Replace samples.csv in one step; the pictures of `leaving` wait in .unfinished/ for where they belong."""
        draft = self.unfinished / TABLE
        files.write_file(draft, b"".join(line + b"\n" for line in (HEADER, *lines)))
        for sample in leaving:
            with contextlib.suppress(FileNotFoundError):  # a row whose picture is missing can still be moved
                files.replace(self.folder / sample.path, self.unfinished / file_name(sample.path))
        files.replace(draft, self.table_path)

    def _remove_empty_folders(self, folders: Collection[Path]) -> None:
        """Remove folders that are empty now, and the sessions around them."""
        for folder in (*folders, *{folder.parent for folder in folders}):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _task_names(self) -> list[str]:
        try:
            names = [unicodedata.normalize("NFC", path.parent.name) for path in self.folder.glob(f"*/{CARD}")]
        except OSError as error:
            raise SamplesError(f"{self.folder} cannot be read: {error.strerror or error}.") from error
        return sorted(name for name in names if folder_name(name) == name)

    def _task(self, name: str) -> Task:
        name = unicodedata.normalize("NFC", name)
        names = self._task_names()
        if name not in names:
            there = f"There are: {', '.join(names)}" if names else "There is none yet"
            raise SamplesError(
                f"No task {name} in {self.folder}. {there}. "
                f"Make one: python -m recognizer tasks new {name} --subject hand --labels ok,stop"
            )
        return read_card(name, self._read(self.folder / name / CARD), str(self.folder / name / CARD))

    def _task_with(self, name: str, label: str) -> tuple[Task, str]:
        task, label = self._task(name), clean_label(label)
        if label not in task.labels:
            raise SamplesError(f"The task {task.name} has no label {label}. It has: {', '.join(task.labels)}.")
        return task, label

    def _with_labels(self, task: Task, labels: Iterable[str]) -> Task:
        joined = replace(task, labels=tuple(dict.fromkeys([*task.labels, *labels])))
        if joined != task:
            self._write_card(joined)
        return joined

    def _write_card(self, task: Task) -> None:
        draft = self.unfinished / CARD
        files.write_file(draft, as_card(task))
        files.replace(draft, self.folder / task.name / CARD)

    def _remove_card(self, task: str) -> None:
        (self.folder / task / CARD).unlink(missing_ok=True)
        self._remove_empty_folders([self.folder / task / "-"])

    def _names(self) -> set[str]:
        """Names of the pictures in samples.csv, taken from its first column without looking at the rest."""
        if not self.table_path.exists():
            return set()
        first_cells = (line.split(b",", 1)[0].strip(b'"') for line in self._read(self.table_path).split(b"\n"))
        return {file_name(path.decode(errors="replace")) for path in first_cells}

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SamplesError(
                f"{path} cannot be read: {error.strerror or error}. See: python -m recognizer samples verify"
            ) from error


def _moved(sample: Sample, *, label: str | None = None, task: str | None = None) -> Sample:
    """The sample under another label or task, at the path that goes with it."""
    moved = replace(sample, label=label or sample.label, task=task or sample.task)
    path = "/".join((moved.task, moved.session, folder_name(moved.label), file_name(sample.path)))
    return replace(moved, path=path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _last_byte(path: Path) -> bytes:
    """The file's last byte, b"" for one that is empty or not there."""
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1)
    except FileNotFoundError:
        return b""
    except OSError:
        if not _size(path):
            return b""
        raise
