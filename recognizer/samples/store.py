"""The captured data set on disk: pictures in <captures>/<task>/<session>/<label>/, one row each in samples.csv.

Writes are crash-safe: a sample has both its picture and its row, or neither. Pictures that are being added, moved or
deleted are in .unfinished/. After a crash, the next writer moves each of them to where its row in samples.csv says; without
a row, to the trash (trash.py) if the user deleted it, else it is deleted. New rows are appended in one write; any other
change replaces samples.csv atomically. A lock file admits one writer at a time.
"""

import contextlib
import csv
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.errors import DiskFullError, SamplesError, SamplesStorageError, SubjectError
from recognizer.motion.movement import Movement
from recognizer.samples import trash
from recognizer.samples.movement_png import movement_in, with_movement
from recognizer.samples.png import decode_png, encode_png
from recognizer.samples.sample import (
    Sample,
    Task,
    check_label_count,
    check_path_encodable,
    checked_task_name,
    clean_label,
    file_name,
    file_stem,
    folder_name,
    new_sample,
    now_utc,
    path_encoding_error,
)
from recognizer.samples.table import (
    COLUMNS,
    HEADER,
    TABLE,
    as_card,
    as_row,
    as_written,
    is_header,
    parse_row,
    read_card,
    table_lines,
)
from recognizer.samples.trash import TrashEntry
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from recognizer.system import files, paths
from recognizer.system.names import is_folder_name
from recognizer.system.notices import warn_once
from recognizer.values import Box, Frame, Region

if TYPE_CHECKING:
    import pandas as pd

CARD = "task.json"
UNFINISHED = ".unfinished"
LOCK = ".lock"


DISK_RESERVE = 256 << 20  # bytes left free for models and other programs, and to delete and relabel samples
HEAD_BYTES = 256  # of samples.csv, with its header: they show whether a spreadsheet saved it
LOCK_WAIT_S = 10.0  # an import of some thousand pictures holds the lock longest


class Samples:
    """The captured samples in a local folder.

    All methods may raise SamplesError. Reading also works on a read-only file system.
    """

    lock_wait_s = LOCK_WAIT_S  # how long a change waits for another program

    def __init__(self, folder: Path) -> None:
        """Open the store in `folder`. Recovers from a crash unless another program is writing."""
        self._folder = folder
        self.table_path = folder / TABLE
        self.unfinished = folder / UNFINISHED
        if self._has_unfinished():
            with contextlib.suppress(SamplesError), self.locked(wait_s=0):
                pass

    @property
    def folder(self) -> Path:
        """The local folder of the samples."""
        return self._folder

    def refresh(self) -> None:
        """Called before each read and change. A store that is synced with a URL pulls here."""

    def push(self) -> None:
        """Called after each change, under the lock. A store that is synced with a URL pushes here."""

    def deleting(self, samples: Sequence[Sample], tasks: Sequence[Task] = ()) -> None:
        """Called before samples and tasks are deleted, under the lock. A store that is synced with a URL notes them."""

    def ignored(self) -> list[str]:
        """Files at the store's URL that hold no sample or task. A store in a local folder has none."""
        return []

    def create_task(self, name: str, subject: str, labels: Iterable[str], *, sides: bool = False) -> Task:
        """Create a task. Names that differ only in case are the same name.

        With `sides`, the left and the right hand mean different things.
        """
        name = checked_task_name(name)
        try:
            subject_of(subject)
        except SubjectError as error:
            raise SamplesError(f"The task {name} cannot be made: {error}") from error
        cleaned = tuple(dict.fromkeys(clean_label(label) for label in labels))
        if not cleaned:
            raise SamplesError("The task has no label. Give one or more, such as --labels ok,stop.")
        check_label_count(name, cleaned)
        if sides and subject_of(subject).input is not Input.JOINTS:
            raise SamplesError(f"The task {name} shows no hands, so it has no sides. Leave out --sides.")
        task = Task(name, subject, cleaned, now_utc(), sides)
        with self.locked():
            for other in self.task_names():
                if other.casefold() == name.casefold():
                    raise SamplesError(f"The task {other} exists already. Choose another name, or record into it.")
            self._write_card(task)
        return task

    def tasks(self) -> list[Task]:
        """The tasks whose task.json can be read, sorted by name. A line on stderr names those whose task.json cannot."""
        self.refresh()
        tasks, damage = self._tasks_and_damage()
        for line in damage:
            warn_once(line)
        return tasks

    def readable_tasks(self) -> list[Task]:
        """The same as `tasks`, without a pull and without a word."""
        return self._tasks_and_damage()[0]

    def _tasks_and_damage(self) -> tuple[list[Task], list[str]]:
        """The tasks, sorted by name, and one message for each damaged task.json."""
        tasks, damage = [], []
        for name in self.task_names():
            try:
                tasks.append(self._task(name))
            except SamplesError as error:
                damage.append(str(error))
        return tasks, damage

    def damage(self) -> list[str]:
        """One message for each line of samples.csv that is no sample, and for each damaged task.json."""
        rows = [
            f"row {number} of {TABLE}: {found}"
            for number, (_, found) in enumerate(self.scan(), start=1)
            if isinstance(found, str)
        ]
        return [*rows, *(line.rstrip(".") for line in self._tasks_and_damage()[1])]

    def task(self, name: str) -> Task:
        """The task with this name."""
        self.refresh()
        return self._task(name)

    def add_labels(self, name: str, labels: Iterable[str]) -> Task:
        """Add labels to a task and return it. Labels that it has already are ignored."""
        cleaned = [clean_label(label) for label in labels]
        with self.locked():
            stored_task = self._task(name)
            if new := dict.fromkeys(label for label in cleaned if label not in stored_task.labels):
                check_label_count(name, [*stored_task.labels, *new])
            return self._with_labels(stored_task, cleaned)

    def add(self, task: str, label: str, region: Region, frame: Frame, session: str, source: str) -> Sample:
        """Store the region of the frame as a sample, and return it when it is on disk.

        The task's subject decides which part of the frame is stored.
        """
        self.refresh()
        stored_task, label = self._task_with(task, label)
        picture = subject_of(stored_task.subject).sample_picture(frame.image_bgr, region)
        sample = new_sample(stored_task.name, label, session, source, region.box, hand=region.hand)
        self.place([(sample, encode_png(picture))], sync=True)
        return sample

    def add_movement(
        self, task: str, label: str, movement: Movement, strip_bgr: np.ndarray, box: Box, session: str, source: str
    ) -> Sample:
        """Store a movement of hands as a sample, and return it when it is on disk.

        `strip_bgr` (h, w, 3) uint8 shows its frames beside each other, and `box` is the part of the frame that each shows.
        """
        self.refresh()
        stored_task, label = self._task_with(task, label)
        if subject_of(stored_task.subject).input is not Input.JOINTS:
            raise SamplesError(f"The task {stored_task.name} shows no hands, so it has no movements. Hold it still.")
        sample = new_sample(stored_task.name, label, session, source, box, movement=movement)
        self.place([(sample, with_movement(encode_png(strip_bgr), movement))], sync=True)
        return sample

    def place(self, pictures: Iterable[tuple[Sample, bytes]], *, sync: bool = False) -> list[Sample]:
        """Store samples with their PNG data, all or none. Return those that were new.

        With `sync`, each picture is flushed to disk (fsync), which protects it from a loss of power.
        """
        with self.locked():
            self._check_space()
            known = self.file_names() if not sync else set()  # a new sample has a unique name
            added: list[Sample] = []
            try:
                for sample, png in pictures:
                    if not (self.folder / sample.task / CARD).is_file():  # another program may have deleted it
                        raise SamplesError(f"The task {sample.task} does not exist any more. Create it again.")
                    name = file_name(sample.path)
                    if name not in known:
                        known.add(name)
                        files.write_file(self.unfinished / name, png, sync=sync)
                        added.append(sample)
                if added:
                    self._append_rows(added)
                for sample in added:
                    files.replace(self.unfinished / file_name(sample.path), self.folder / sample.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._place_unfinished()
                raise
        return added

    def read(self, task: str | None = None) -> list[Sample]:
        """The samples of a task, or of all tasks, in the order of recording."""
        self.refresh()
        return self._stored(None if task is None else self._task(task).name)

    def table(self, task: str | None = None) -> "pd.DataFrame":
        """The samples as a pandas DataFrame with the columns of samples.csv, all of type str."""
        import pandas as pd

        self.refresh()
        name = None if task is None else self._task(task).name
        found = [(line, sample) for line, sample in self.scan() if isinstance(sample, Sample)]
        rows = [next(csv.reader([line.decode()])) for line, sample in found if name in (None, sample.task)]
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)

    def counts(self, task: str) -> dict[str, int]:
        """The number of samples of each label, 0 included."""
        counts = dict.fromkeys(self.task(task).labels, 0)
        for sample in self.read(task):
            counts[sample.label] = counts.get(sample.label, 0) + 1
        return counts

    def moving_counts(self, task: str) -> dict[str, int]:
        """The number of movements among the samples of each label that has any."""
        return dict(Counter(sample.label for sample in self.read(task) if sample.moving_s is not None))

    def picture(self, sample: Sample) -> np.ndarray:
        """The sample's picture, (h, w, 3) uint8 BGR."""
        return decode_png(self.png(sample), sample.path)

    def png(self, sample: Sample) -> bytes:
        """The file of the sample's picture, as it is stored."""
        return self._read(self.folder / sample.path)

    def movement(self, sample: Sample) -> Movement:
        """The joints of a moving sample; its times count from 0."""
        return movement_in(self.png(sample), sample.path)

    def check(self, sample: Sample) -> None:
        """Raise SamplesError if the picture of the sample cannot be read, or its movement."""
        self.picture(sample)
        if sample.moving_s is not None:
            self.movement(sample)

    def undo(self, samples: Collection[Sample]) -> int:
        """Undo a recording: delete the samples for good. Return how many of them existed."""
        deleted_paths = {sample.path for sample in samples}
        with self.locked():
            return self._rewrite_rows(lambda sample: None if sample.path in deleted_paths else sample)

    def delete(self, samples: Collection[Sample], *, entry: str | None = None) -> int:
        """Move samples to the trash. Return how many of them existed.

        `entry` names the entry of the trash, and has to be new (`trash.new_entry_name`); samples of several tasks make
        an entry each.
        """
        deleted_paths = {sample.path for sample in samples}
        with self.locked():
            found = [sample for sample in self._stored() if sample.path in deleted_paths]
            for task in dict.fromkeys(sample.task for sample in found):
                own = [sample for sample in found if sample.task == task]
                name = entry if len(own) == len(found) else None
                trash.write_draft(
                    self.unfinished, trash.entry_of("samples", task, self._readable_task(task), own, name=name)
                )
            return self._rewrite_rows(lambda sample: None if sample.path in deleted_paths else sample)

    def delete_label(self, task: str, label: str, *, entry: str | None = None) -> int:
        """Move a label and its samples to the trash. Return the number of samples."""
        with self.locked():
            stored_task, label = self._task_with(task, label)
            own = {sample.path: sample for sample in self._stored(stored_task.name) if sample.label == label}
            deleted = trash.entry_of("label", stored_task.name, stored_task, [*own.values()], label=label, name=entry)
            trash.write_draft(self.unfinished, deleted)
            self._rewrite_rows(lambda sample: None if sample.path in own else sample)
            self._write_card(
                replace(stored_task, labels=tuple(other for other in stored_task.labels if other != label))
            )
            self._place_unfinished()
        return len(own)

    def delete_task(self, task: str, *, entry: str | None = None) -> int:
        """Move a task and its samples to the trash. Return the number of samples. Other files in its folder stay."""
        with self.locked():
            stored_task = self._task(task)
            own = self._stored(stored_task.name)
            trash.write_draft(self.unfinished, trash.entry_of("task", stored_task.name, stored_task, own, name=entry))
            self._rewrite_rows(lambda sample: None if sample.task == stored_task.name else sample)
            self._remove_card(stored_task.name)
            self._place_unfinished()
        return len(own)

    def undo_task(self, task: str) -> None:
        """Delete a task and its samples for good: it was just created."""
        with self.locked():
            name = self._task(task).name
            self._rewrite_rows(lambda sample: None if sample.task == name else sample)
            self._remove_card(name)

    def trash(self) -> list[TrashEntry]:
        """What is in the trash of this folder, oldest first. Only the folder in which something was deleted keeps it."""
        return trash.entries(self.folder)

    def restore(self, entry: str) -> list[Sample]:
        """Bring back an entry of the trash, with its label or task. Return the samples. Their ids are those from before."""
        with self.locked():
            found = trash.entry_named(self.folder, entry)
            self._restore_task(found)
            samples = trash.begin_restoring(self.folder, self.unfinished, found, self.file_names())
            samples = [_moved(sample, task=found.task) for sample in samples]
            if samples:
                self._append_rows(samples)
            self._place_unfinished()
        return samples

    def empty_trash(self, entries: Collection[str] | None = None) -> int:
        """Delete entries of the trash for good, by default all. Return the number of their samples."""
        for entry in entries or ():
            trash.entry_named(self.folder, entry)
        if not (self.folder / trash.TRASH).exists():
            return 0
        with self.locked():
            return trash.empty(self.folder, entries)

    def relabel(self, samples: Collection[Sample], label: str) -> int:
        """Give samples another label of their task. Return how many changed."""
        label = clean_label(label)
        relabelled = {sample.path for sample in samples}
        with self.locked():
            for task in {sample.task for sample in samples}:
                self._task_with(task, label)
            return self._rewrite_rows(
                lambda sample: _moved(sample, label=label) if sample.path in relabelled else sample
            )

    def rename_label(self, task: str, label: str, to: str) -> int:
        """Rename a label; if `to` exists, the two are merged. Return how many samples changed."""
        to = clean_label(to)
        with self.locked():
            stored_task = self._task(task)
            old = (stored_task.name, unicodedata.normalize("NFC", label))
            if old not in {(found.task, found.label) for _, found in self.scan() if isinstance(found, Sample)}:
                self._task_with(task, label)  # a label edited into samples.csv by hand need not be in task.json
            if old[1] == to:
                return 0
            order = list(stored_task.labels)
            if to not in order:  # the new name takes the place of the old one
                place = order.index(old[1]) if old[1] in order else len(order)
                self._write_card(replace(stored_task, labels=(*order[:place], to, *order[place:])))
            count = self._rewrite_rows(lambda s: _moved(s, label=to) if (s.task, s.label) == old else s)
            both = self._task(task)
            self._write_card(replace(both, labels=tuple(other for other in both.labels if other != old[1])))
            trash.rename_in_entries(self.folder, stored_task.name, label=(old[1], to))
        return count

    def reorder_labels(self, task: str, labels: Sequence[str]) -> Task:
        """Give a task's labels another order. `labels` are all of them, in the new one. Return the task."""
        ordered = tuple(dict.fromkeys(clean_label(label) for label in labels))
        with self.locked():
            stored_task = self._task(task)
            if sorted(ordered) != sorted(stored_task.labels):
                raise SamplesError(
                    f"The labels of {stored_task.name} are {', '.join(stored_task.labels)}. Give all of them, each once."
                )
            if ordered != stored_task.labels:
                self._write_card(replace(stored_task, labels=ordered))
        return replace(stored_task, labels=ordered)

    def rename_task(self, task: str, to: str) -> Task:
        """Rename a task. Return it. What was deleted of it comes back into the renamed task."""
        to = checked_task_name(to)
        with self.locked():
            stored_task = self._task(task)
            if to == stored_task.name:
                return stored_task
            taken = next((other for other in self.task_names() if other.casefold() == to.casefold()), None)
            if taken is not None:
                raise SamplesError(
                    f"The task {taken} exists already. Choose a name that differs in more than its case."
                )
            renamed = replace(stored_task, name=to)
            self._write_card(renamed)
            self._rewrite_rows(lambda sample: _moved(sample, task=to) if sample.task == stored_task.name else sample)
            self._remove_card(stored_task.name)
            trash.rename_in_entries(self.folder, stored_task.name, to=to)
        return renamed

    def merge(self, task: str, into: str) -> int:
        """Move all samples and labels of a task into another task of the same subject. Return the number of samples."""
        with self.locked():
            source, target = self._task(task), self._task(into)
            if source.name == target.name:
                raise SamplesError(f"The task {source.name} cannot be merged into itself. Name two tasks.")
            if source.subject != target.subject:
                raise SamplesError(
                    f"{source.name} has the subject {source.subject} and {target.name} has {target.subject}. "
                    "Only tasks of the same subject can be merged."
                )
            check_label_count(target.name, list(dict.fromkeys([*target.labels, *source.labels])))
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
        """Apply the changes of other machines. `changed` and `deleted` identify samples by file name without .png."""

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
        """Delete lines from samples.csv (the last one of equal lines). The pictures stay. The caller holds the lock."""
        dropped = Counter(lines)
        remaining = []
        for line, _ in reversed(self.scan()):
            if dropped[line]:
                dropped[line] -= 1
            else:
                remaining.append(line)
        self._write_table(remaining[::-1])

    def scan(self) -> list[tuple[bytes, Sample | str]]:
        """Each raw line of samples.csv except the header, with its sample or, as a string, why it is invalid."""
        if not self.table_path.exists():
            return []
        found: list[tuple[bytes, Sample | str]] = []
        seen: set[str] = set()
        for line in table_lines(self._read(self.table_path)):
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
    def locked(self, wait_s: float | None = None) -> Iterator[None]:
        """Hold the write lock, after recovery from a crash. An OSError becomes a SamplesError."""
        self.refresh()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with files.locked(self.folder / LOCK, self.lock_wait_s if wait_s is None else wait_s):
                self.unfinished.mkdir(exist_ok=True)
                self._repair_table()
                self._place_unfinished()
                yield
                self.push()
        except TimeoutError as error:
            raise SamplesStorageError(
                f"Cannot write {self.folder}: {error.strerror}. Wait until it has finished."
            ) from error
        except OSError as error:
            raise SamplesStorageError(
                f"Cannot write {self.folder}: {error.strerror or error}. "
                f"Free some space, or name another folder in {paths.CAPTURES_VARIABLE}."
            ) from error
        except UnicodeEncodeError as error:
            raise SamplesError(path_encoding_error(error)) from error

    def _check_space(self) -> None:
        """Raise SamplesError if the disk is nearly full: other programs need the rest."""
        free = shutil.disk_usage(self.folder).free
        if free < DISK_RESERVE:
            raise DiskFullError(
                f"Nothing was stored in {self.folder}: only {free >> 20} MB are free, {DISK_RESERVE >> 20} MB have to stay. "
                f"Free some space, or name another folder in {paths.CAPTURES_VARIABLE}."
            )

    def _has_unfinished(self) -> bool:
        try:
            names = (
                path for path in self.unfinished.iterdir() if path.name.startswith(trash.DRAFT) or not path.is_dir()
            )
            return any(names) or _last_byte(self.table_path) not in (b"", b"\n")
        except OSError:
            return False

    def _repair_table(self) -> None:
        """Write a table that a spreadsheet saved as this program does, and remove a partly written row at its end."""
        if not _size(self.table_path):
            return
        with open(self.table_path, "rb") as file:
            head = file.read(HEAD_BYTES)
            if _last_byte(self.table_path) == b"\n" and as_written(head) == head.removeprefix(b"\xef\xbb\xbf"):
                return
            data = head + file.read()
        plain = as_written(data)
        if not plain.endswith(b"\n"):
            start = plain.rfind(b"\n") + 1
            last = plain[start:].removesuffix(b"\r")
            whole = is_header(last) or isinstance(parse_row(last), Sample)
            plain = plain + b"\n" if whole else plain[:start]
        if plain != data.removeprefix(b"\xef\xbb\xbf"):
            with files.atomic_file(self.table_path) as file:
                file.write(plain)

    def _place_unfinished(self) -> None:
        """Move each unfinished picture to the path in its row, else to the trash if it was deleted; delete the others."""
        if not os.listdir(self.unfinished):
            return
        path_of = {file_name(found.path): found.path for found in self._stored()}
        for draft in self.unfinished.glob(f"{trash.DRAFT}*"):
            entry = trash.read_entry(draft)
            trash.finish(draft, entry, self.folder, path_of.keys(), entry is not None and self._is_gone(entry))
        for name in os.listdir(self.unfinished):
            if name in path_of:
                files.replace(self.unfinished / name, self.folder / path_of[name])
            elif not (self.unfinished / name).is_dir():  # some file servers put folders everywhere
                (self.unfinished / name).unlink()

    def _is_gone(self, entry: TrashEntry) -> bool:
        """Whether the task or label of an entry of the trash is not there any more."""
        if entry.kind == "task":
            return not (self.folder / entry.task / CARD).exists()
        task = self._readable_task(entry.task)
        return entry.kind == "label" and (task is None or entry.label not in task.labels)

    def _restore_task(self, entry: TrashEntry) -> None:
        """Create the task of an entry of the trash again, and the labels of its samples, if they are not there."""
        if entry.task not in self.task_names():
            if entry.card is None:
                raise SamplesError(
                    f"The task {entry.task} is not there any more. Create it first, then restore its samples."
                )
            labels = entry.card.labels if entry.kind == "task" else ()
            self._write_card(replace(entry.card, labels=labels))
        stored_task = self._task(entry.task)
        wanted = {*stored_task.labels, *entry.labels, *filter(None, [entry.label])}
        check_label_count(entry.task, [*wanted])
        known = entry.card.labels if entry.card is not None else ()
        if wanted != {*stored_task.labels}:
            order = [*known, *stored_task.labels, *entry.labels]
            self._write_card(replace(stored_task, labels=tuple(dict.fromkeys(one for one in order if one in wanted))))

    def _append_rows(self, samples: Iterable[Sample]) -> None:
        header = b"" if _size(self.table_path) else HEADER + b"\n"
        files.append(self.table_path, header + b"".join(as_row(sample) for sample in samples))

    def _stored(self, task: str | None = None) -> list[Sample]:
        """The samples of a task, or of all tasks, as they are in the folder."""
        samples = [found for _, found in self.scan() if isinstance(found, Sample)]
        return [sample for sample in samples if task in (None, sample.task)]

    def _readable_task(self, name: str) -> Task | None:
        return next((task for task in self.readable_tasks() if task.name == name), None)

    def _rewrite_rows(self, change: Callable[[Sample], Sample | None]) -> int:
        """Apply `change` to each sample; None deletes it. Invalid rows stay. Return how many samples changed."""
        lines: list[bytes] = []
        before: list[Sample] = []
        deleted: list[Sample] = []
        for line, found in self.scan():
            after = change(found) if isinstance(found, Sample) else found
            if after is found:
                lines.append(line)
                continue
            assert isinstance(found, Sample)
            before.append(found)
            if isinstance(after, Sample):
                lines.append(as_row(after)[:-1])
            else:
                deleted.append(found)
        if not before:
            return 0
        if deleted:
            self.deleting(deleted)
        try:
            self._write_table(lines, before)
        finally:
            self._place_unfinished()
        self._remove_empty_folders({(self.folder / sample.path).parent for sample in before})
        return len(before)

    def _write_table(self, lines: Sequence[bytes], moved: Sequence[Sample] = ()) -> None:
        """Replace samples.csv atomically. The pictures of `moved` are moved to .unfinished/ first."""
        draft = self.unfinished / TABLE
        files.write_file(draft, b"".join(line + b"\n" for line in (HEADER, *lines)))
        for sample in moved:
            with contextlib.suppress(FileNotFoundError):  # a row without its picture can still be moved
                files.replace(self.folder / sample.path, self.unfinished / file_name(sample.path))
        files.replace(draft, self.table_path)

    def _remove_empty_folders(self, folders: Collection[Path]) -> None:
        """Remove the folders that are now empty, and their parents (sessions)."""
        for folder in (*folders, *{folder.parent for folder in folders}):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def task_names(self) -> list[str]:
        """The names of the folders that hold a task.json, sorted."""
        try:
            found = {unicodedata.normalize("NFC", path.parent.name) for path in self.folder.glob(f"*/{CARD}")}
            # a name that a Mac decomposed is another folder's here
            names = [name for name in found if is_folder_name(name) and (self.folder / name / CARD).exists()]
        except OSError as error:
            raise SamplesStorageError(
                f"{self.folder} cannot be read: {error.strerror or error}. Check its permissions."
            ) from error
        return sorted(names)

    def _task(self, name: str) -> Task:
        name = unicodedata.normalize("NFC", name)
        names = self.task_names()
        if name not in names:
            hint = f"There are: {', '.join(names)}" if names else "There is no task yet"
            raise SamplesError(
                f"No task {name} in {self.folder}. {hint}. "
                f"Create it: python -m recognizer tasks new {name} --subject hand --labels ok,stop"
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
        self.deleting([], [stored for stored in self.readable_tasks() if stored.name == task])
        (self.folder / task / CARD).unlink(missing_ok=True)
        # "-" does not exist; its parent, the task's folder, is removed if it is empty
        self._remove_empty_folders([self.folder / task / "-"])

    def file_names(self) -> set[str]:
        """File names of the pictures in samples.csv. For speed, only the first column is parsed."""
        if not self.table_path.exists():
            return set()
        first_cells = (line.split(b",", 1)[0].strip(b'"') for line in table_lines(self._read(self.table_path)))
        return {file_name(path.decode(errors="replace")) for path in first_cells}

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SamplesStorageError(
                f"{path} cannot be read: {error.strerror or error}. Run: python -m recognizer samples verify"
            ) from error


def _moved(sample: Sample, *, label: str | None = None, task: str | None = None) -> Sample:
    """A copy of the sample with another label or task, and the path that follows from it."""
    moved = replace(sample, label=label or sample.label, task=task or sample.task)
    path = "/".join((moved.task, moved.session, folder_name(moved.label), file_name(sample.path)))
    return replace(moved, path=path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _last_byte(path: Path) -> bytes:
    """The file's last byte; b"" if the file is empty or missing."""
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
