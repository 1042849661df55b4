"""One captured sample, its task, and the rules for their names."""

import hashlib
import os
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from recognizer.errors import SamplesError
from recognizer.values import Box, Hand


def file_stem(path: str) -> str:
    """The name of a sample's picture without .png."""
    return path.rsplit("/", 1)[-1].removesuffix(".png")


NOTHING = "nothing"  # the label that teaches what to leave alone
JOINTS = 21


NAME_LIMIT = 40  # characters of a task's, session's or label folder's name: four of them stay below Windows' 260
NAME_BYTES = 120  # of such a name in UTF-8; file systems take 255, and some encrypted ones 143
LABEL_LIMIT = 60  # characters; a longer one is a sentence and fits no overlay
SOURCE_LIMIT = 200  # characters of a source's name that are kept


JOINERS = "\u200c\u200d"  # letters of Persian and Indian scripts, and emoji, are joined or kept apart by them
RESERVED = {"con", "prn", "aux", "nul"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"
}  # by Windows


@dataclass(frozen=True)
class Task:
    """What is to be told apart, and what the camera is shown."""

    name: str  # a folder's name, here and among the models
    subject: str  # of SUBJECTS; "region" in task.json
    labels: tuple[str, ...]  # words in any script, in the order they were given
    created: str  # ISO 8601, UTC


@dataclass(frozen=True, eq=False)
class Sample:
    """One row of samples.csv."""

    path: str  # of the picture, from the captures folder, with "/"
    label: str
    task: str
    session: str
    time: str  # ISO 8601, UTC
    source: str
    side: str  # "left", "right", or "" where no hand was found
    box: Box  # in the frame; of a sample that was imported from a picture the whole of it
    landmarks: np.ndarray | None = None  # (21, 3) float32 px of the frame, as in Hand

    @property
    def id(self) -> str:
        """The last part of the file's name: what the contact sheet shows and --sample takes."""
        return file_name(self.path).removesuffix(".png").rsplit("-", 1)[-1]

    @property
    def hand(self) -> Hand | None:
        """The hand as the finder gave it; its score is not kept and is 1."""
        return None if self.landmarks is None else Hand(self.landmarks, self.side, 1.0)


def new_session() -> str:
    """A name for a session that no other one has, even one of the same second in another window."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@lru_cache(maxsize=4096)
def clean_label(label: str) -> str:
    """The label as it is stored: composed (NFC), without spaces around or line breaks. Raises SamplesError."""
    clean = " ".join(unicodedata.normalize("NFC", label).split())
    if not clean:
        raise SamplesError("A label is empty. Give a word, such as ok.")
    if len(clean) > LABEL_LIMIT:
        raise SamplesError(f"The label {clean[:20]}… has {len(clean)} characters. Use at most {LABEL_LIMIT}.")
    for character in clean:
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        if hidden and character not in JOINERS and not "\U000e0020" <= character <= "\U000e007f":  # of flags
            raise SamplesError(f"The label {clean!r} holds a character that cannot be seen. Type it again.")
    return clean


@lru_cache(maxsize=4096)
def folder_name(label: str) -> str:
    """A name for the label's folder that all systems take: the label itself where it is one, else with a checksum."""
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in " -_" else "_" for c in label)
    short = kept[:NAME_LIMIT].encode()[:NAME_BYTES].decode(errors="ignore").strip()
    if short == label and short.casefold() not in RESERVED:
        return label
    return f"{short}~{hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@lru_cache(maxsize=4096)
def checked_name(kind: str, name: str) -> str:
    """The name of a task or session, composed (NFC). Raises SamplesError where it is no folder's name on all systems."""
    name = unicodedata.normalize("NFC", name)
    if not name or name.startswith("-") or folder_name(name) != name:
        raise SamplesError(
            f"{name!r} cannot be the name of a {kind}. Use letters, digits, spaces, - and _, at most {NAME_LIMIT}."
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
    name: str | None = None,
) -> Sample:
    """A sample of now, with a path of its own; `name` is its file's without .png. Raises SamplesError."""
    label, session = clean_label(label), checked_name("session", session)
    name = name or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(5)}"
    path = "/".join((task, session, folder_name(label), f"{name}.png"))
    check_path_encodable(path)
    if hand is None:
        return Sample(path, label, task, session, now_utc(), printable(source), "", box)
    if hand.landmarks.shape != (JOINTS, 3) or not np.isfinite(hand.landmarks).all():
        raise SamplesError(f"A hand without its {JOINTS} joints cannot be stored. Show it again.")
    landmarks = np.round(hand.landmarks.astype(np.float32), 2)
    return Sample(path, label, task, session, now_utc(), printable(source), hand.side, box, landmarks)


def file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_path_encodable(path: str) -> None:
    """Raises SamplesError where the encoding of this system's file names has no letters for a path."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise SamplesError(path_encoding_error(error)) from error


def path_encoding_error(error: UnicodeEncodeError) -> str:
    return f"{error.object} cannot be a file's name in {error.encoding}. Set PYTHONUTF8=1 and start again."


def printable(text: str) -> str:
    """The text with "?" for what would break a line or cannot be written."""
    return "".join(c if c.isprintable() else "?" for c in text)[:SOURCE_LIMIT]
