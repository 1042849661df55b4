"""A captured sample, its task, and the rules for their names."""

import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from recognizer.errors import SamplesError
from recognizer.motion.movement import Movement
from recognizer.system.names import NAME_LIMIT, folder_text, is_folder_name, is_group_name, is_task_name
from recognizer.values import Box, Hand


def file_stem(path: str) -> str:
    """The file name of a sample's picture without .png."""
    return path.rsplit("/", 1)[-1].removesuffix(".png")


NOTHING = "nothing"  # the label of background samples: inputs that the model has to reject
JOINTS = 21


LABEL_LIMIT = 60  # characters that fit into the overlay
LABELS_LIMIT = 200  # labels of one task
# commas of all scripts, and the semicolons that stand beside them on the same keyboards; not ";", which may be in a label
COMMAS = ",\u055d\u060c\u061b\u07f8\u1363\u1802\u1808\u3001\ua4fe\ua60d\ua6f5\ufe10\ufe11\ufe50\ufe51\uff0c\uff1b\uff64"
SOURCE_LIMIT = 200  # characters of a source's name that are stored


JOINERS = "\u200c\u200d"  # zero-width (non-)joiner: Persian and Indian scripts and emoji need them


@dataclass(frozen=True)
class Task:
    """A classification task: its labels, and the subject that is held to the camera."""

    name: str  # also the name of its folders of samples and models
    subject: str  # a key of SUBJECTS; the field "region" in task.json
    labels: tuple[str, ...]  # words in any script, in the order they were given
    created: str  # ISO 8601, UTC
    sides: bool = False  # whether the left and the right hand mean different things


@dataclass(frozen=True, eq=False)
class Sample:
    """One row of samples.csv."""

    path: str  # of the picture, relative to the captures folder, with "/"; of a movement: a strip of its frames
    label: str
    task: str
    session: str  # the recording session
    time: str  # ISO 8601, UTC
    source: str  # name of the frame or file that the picture is from
    side: str  # "left", "right", or "" where no hand was found; of a movement: its main hand
    box: Box  # in the frame, pixels; the whole picture if it was imported uncropped
    landmarks: np.ndarray | None = None  # (21, 3) float32, pixels of the frame, as in Hand
    moving_s: float | None = None  # seconds that the movement lasts, whose joints are in the picture; None: it is still

    @property
    def id(self) -> str:
        """The file name without .png, which no other sample of the store has."""
        return file_stem(self.path)

    @property
    def short_id(self) -> str:
        """The last part of the id, which the contact sheet shows."""
        return self.id.rsplit("-", 1)[-1]

    @property
    def hand(self) -> Hand | None:
        """The detected hand. The detection score is not stored, so it is 1."""
        return None if self.landmarks is None else Hand(self.landmarks, self.side, 1.0)


def new_session() -> str:
    """A unique session name: UTC time and a random suffix."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@lru_cache(maxsize=4096)
def clean_label(label: str) -> str:
    """The label in its stored form: NFC, whitespace collapsed. Raises SamplesError if it is empty, too long or invisible."""
    clean = " ".join(unicodedata.normalize("NFC", label).split())
    if not clean:
        raise SamplesError("A label is empty. Type a word, such as ok.")
    if len(clean) > LABEL_LIMIT:
        raise SamplesError(f"The label {clean[:20]}… has {len(clean)} characters. Use at most {LABEL_LIMIT}.")
    for character in clean:
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        if hidden and character not in JOINERS and not "\U000e0020" <= character <= "\U000e007f":  # flag emoji
            raise SamplesError(f"The label {clean!r} contains an invisible character. Type it again.")
    return clean


def split_labels(text: str) -> list[str]:
    """The labels in a list that a person typed, separated by commas of any script. Empty ones are left out."""
    return [part.strip() for part in re.split(f"[{COMMAS}]", text) if part.strip()]


def check_label_count(task: str, labels: Sequence[str]) -> None:
    """Raise SamplesError if these are more labels than a task may have."""
    if len(labels) > LABELS_LIMIT:
        raise SamplesError(
            f"The task {task} would have {len(labels)} labels. Use at most {LABELS_LIMIT}, or make another task."
        )


@lru_cache(maxsize=4096)
def folder_name(label: str) -> str:
    """A folder name for a label that is valid on all systems: the label itself, or a shortened form with a checksum."""
    if is_folder_name(label):
        return label
    return f"{folder_text(label)}~{hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@lru_cache(maxsize=4096)
def checked_name(kind: str, name: str) -> str:
    """The name of a task or session in NFC. Raises SamplesError if it is not a valid folder name on all systems."""
    name = unicodedata.normalize("NFC", name)
    if not is_group_name(name):
        raise SamplesError(
            f"{name!r} cannot be the name of a {kind}. Use letters, digits, spaces, - and _, at most {NAME_LIMIT}."
        )
    return name


def checked_task_name(name: str) -> str:
    """The name of a new task in NFC. Raises SamplesError if it cannot name a folder of samples and of models."""
    name = checked_name("task", name)
    if not is_task_name(name):
        raise SamplesError(
            f"{name!r} cannot be the name of a task, because models/{name.casefold()} is the program's own. Choose another."
        )
    return name


def new_sample(
    task: str,
    label: str,
    session: str,
    source: str,
    box: Box,
    *,
    hand: Hand | None = None,
    movement: Movement | None = None,
    name: str | None = None,
) -> Sample:
    """A sample with the current time and a unique path. `name` replaces the file name (no .png). Raises SamplesError.

    A sample with a `movement` has no `hand`.
    """
    label, session = clean_label(label), checked_name("session", session)
    name = name or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(5)}"
    path = "/".join((task, session, folder_name(label), f"{name}.png"))
    check_path_encodable(path)
    if movement is not None:
        side, moving_s = movement.sides[0], round(movement.duration_s, 2)
        return Sample(path, label, task, session, now_utc(), printable(source), side, box, moving_s=moving_s)
    if hand is None:
        return Sample(path, label, task, session, now_utc(), printable(source), "", box)
    if hand.landmarks.shape != (JOINTS, 3) or not np.isfinite(hand.landmarks).all():
        raise SamplesError(f"A hand without its {JOINTS} joints cannot be stored. Show it again.")
    landmarks = np.round(hand.landmarks.astype(np.float32), 2)
    return Sample(path, label, task, session, now_utc(), printable(source), hand.side, box, landmarks)


def copied_sample(sample: Sample) -> Sample:
    """The sample with the current time and another path, for the same picture. Raises SamplesError."""
    copy = new_sample(sample.task, sample.label, sample.session, sample.source, sample.box, hand=sample.hand)
    return replace(copy, side=sample.side, moving_s=sample.moving_s)


def file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_path_encodable(path: str) -> None:
    """Raise SamplesError if this system's file name encoding cannot represent the path."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise SamplesError(path_encoding_error(error)) from error


def path_encoding_error(error: UnicodeEncodeError) -> str:
    return f"{error.object} cannot be a file name in the encoding {error.encoding}. Set PYTHONUTF8=1 and start again."


def printable(text: str) -> str:
    """The text on one line: characters that are not printable become "?", and long texts are cut."""
    return "".join(c if c.isprintable() else "?" for c in text)[:SOURCE_LIMIT]
