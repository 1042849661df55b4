"""Imports folders of labelled pictures as samples."""

import contextlib
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import RecognizerError, SamplesError, SourceError
from recognizer.samples.archive import ImportResult, add_batches, content_name, import_zip
from recognizer.samples.exported import is_unpacked_export
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample, Task, folder_name, new_sample, new_session
from recognizer.samples.store import Samples
from recognizer.sources.decoding import read_image, read_pictures
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.system.names import NAME_BYTES, NAME_LIMIT
from recognizer.system.terminal import print_messages
from recognizer.teaching.label_folders import LabelledPicture, read_label_folders
from recognizer.values import Box, Frame, Region

Find = Callable[[Frame], Sequence[Region]]


def import_folder(store: Samples, folder: Path, task: str, find: Find | None = None) -> ImportResult:
    """Import the pictures in a folder's label folders into an existing task; see `read_label_folders`.

    The pictures of DIR/label/picture are one session; in DIR/series/label/picture each series is a session. `find` returns
    the regions of a picture, and the largest one is stored. Without `find`, or if it finds nothing, the whole picture is
    stored. New labels are added to the task. Pictures that the task already has are skipped. What is left out is
    reported on stderr. Raises SamplesError.
    """
    _check_folder(folder)
    stored_task = store.task(task)
    found = read_label_folders(folder, stored_task.labels)
    print_messages(found.notes)
    store.add_labels(stored_task.name, list(dict.fromkeys(picture.label for picture in found.pictures)))
    refused: list[str] = []
    moving: list[str] = []
    added = add_batches(store, _from_files(stored_task, found.pictures, find, refused, moving))
    print_messages(moving)
    return ImportResult(added, len(found.pictures) - len(added) - len(refused), refused)


def folder_labels(folder: Path, known_labels: Collection[str] = ()) -> list[str]:
    """The labels of a folder's label folders; see `read_label_folders`. Raises SamplesError if there are no pictures."""
    return list(dict.fromkeys(picture.label for picture in read_label_folders(folder, known_labels).pictures))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise SamplesError(f"{folder} is not a folder. Give a folder that contains one folder of pictures per label.")


def _from_files(
    task: Task, pictures: Sequence[LabelledPicture], find: Find | None, refused: list[str], moving: list[str]
) -> Iterator[tuple[Sample, bytes]]:
    """The samples of the pictures, and their PNG data. Adds a line to `refused` or `moving` for each that is not whole."""
    session, subject = new_session(), subject_of(task.subject)
    for index, picture in enumerate(pictures):
        path = picture.path
        try:
            first = next(read_pictures(path))
        except SourceError as error:
            refused.append(str(error))
            continue
        if first.count > 1:
            words = ["record", task.name, "--label", picture.label, "--every", "1", "--source", str(path)]
            moving.append(
                f"Only the first of {first.count} pictures in {path} was imported. For all of them: "
                f"python -m recognizer samples {shlex.join(words)}"
            )
        image_bgr = first.image_bgr
        frame = Frame(image_bgr, index, 0.0, path.name)
        regions = find(frame) if find is not None else ()
        region = max(regions, key=lambda region: region.box.area, default=None)
        whole_box = Box(0, 0, image_bgr.shape[1], image_bgr.shape[0])
        png = encode_png(image_bgr if region is None else subject.sample_picture(image_bgr, region))
        series = picture.folders or "."  # so that pictures of earlier imports are recognized
        sample = new_sample(
            task.name,
            picture.label,
            session if series == "." else _session_of(series) or session,
            str(path),
            whole_box if region is None else region.box,
            hand=None if region is None else region.hand,
            name=content_name(task.name, series, picture.label, png),
        )
        yield sample, png


def _session_of(series: str) -> str:
    """The session of the pictures in a folder, whose path may be longer than the name of a session may be."""
    name = folder_name(series).replace("~", "-").lstrip("-")
    if len(name) <= NAME_LIMIT and len(name.encode()) <= NAME_BYTES:
        return name
    start, checksum = name[: NAME_LIMIT - 9].encode()[: NAME_BYTES - 9].decode(errors="ignore"), name[-9:]
    return start.strip() + checksum


SUBJECT_PROBE_PICTURES = 24  # pictures from which the subject of a task is detected


def import_pictures(store: Samples, task: str, folder: Path, subject: str | None = None) -> None:
    """Import a folder's pictures into a task. A new task gets `subject`, or else the subject detected in the pictures.

    The folder may also be an unpacked export that holds the task. Raises SamplesError.
    """
    _check_folder(folder)
    if is_unpacked_export(folder):
        imported = import_zip(store, folder, task)
        print_messages(imported.refused)
        check_subject(task, store.task(task).subject, subject)
        return
    existing = next((other for other in store.tasks() if other.name == task), None)
    labels = folder_labels(folder, existing.labels if existing else ())
    subject_name = existing.subject if existing else subject or detect_subject(folder)
    check_subject(task, subject_name, subject)
    with subject_of(subject_name).picture_finder() as find:
        if existing is None:
            store.create_task(task, subject_name, labels)
        imported = import_folder(store, folder, task, find)
    print_messages(imported.refused)
    if imported.refused and not imported.added and not imported.duplicates:
        if existing is None:
            store.undo_task(task)
        raise SamplesError(f"None of the pictures in {folder} can be read. Use JPEG or PNG files.")


def check_subject(task: str, subject_name: str, requested: str | None) -> None:
    """Raise SamplesError if the requested subject is not the task's subject."""
    if requested not in (None, subject_name):
        raise SamplesError(f"The task {task} has the subject {subject_name}, not {requested}. Leave out --subject.")


def detect_subject(folder: Path) -> str:
    """The first subject that its finder detects in more than half of the pictures, else the subject of whole pictures.

    Raises AssetError.
    """
    frames = _some_frames(folder)
    for subject in SUBJECTS.values():
        with subject.picture_finder() as find:
            if find and 2 * sum(bool(find(frame)) for frame in frames) > len(frames):
                return subject.name
    return next(subject.name for subject in SUBJECTS.values() if subject.is_whole_picture)


def _some_frames(folder: Path) -> list[Frame]:
    """Evenly spaced pictures of the folder; unreadable ones are skipped."""
    paths = [picture.path for picture in read_label_folders(folder).pictures]
    frames = []
    for index in np.unique(np.linspace(0, len(paths) - 1, SUBJECT_PROBE_PICTURES).astype(int)):
        with contextlib.suppress(RecognizerError):  # the import reports the error
            frames.append(Frame(read_image(paths[index]), 0, 0.0, paths[index].name))
    return frames
