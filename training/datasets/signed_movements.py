"""Real people's movements as joints: sequences with a label each, and uncut frames of somebody who repeats one sign.

`PERSON_NAME_sequences.npz` has `hands` (N, T, 2, 21, 3), x and y as shares of a picture of 640x480 and 0 for a hand not seen,
and `labels` (N,). `PERSON_LABEL_frames.npz` has `points` (T, 21, 3) in pixels, NaN for a hand not seen, and `handedness` (T,).
Neither has times: SEQUENCE_FPS and FRAMES_FPS are the usual rates of the programs that recorded them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import SettingsError
from recognizer.motion.movement import LEFT, RIGHT, Movement
from recognizer.motion.segmenter import movements_in
from recognizer.system import paths
from recognizer.values import Hand

FOLDER = "motion"
SEQUENCE_FPS, FRAMES_FPS = 15.0, 25.0
STALE_FRAMES = 5  # at the beginning of a sequence: they are from before the person was asked to begin
MOVING = ("J", "Z")  # labels of sequences in which something moves; the others hold a letter
HELD_MINUTES = 120 * 25 / SEQUENCE_FPS / 60  # of the shared sequences in which letters are held
SPANS = {  # first and last frame of each repetition in uncut frames, found by looking at them
    "mariia_J": ((9, 27), (62, 77), (115, 129), (160, 178)),
    "mariia_Z": ((16, 48), (64, 94), (112, 145), (156, 188)),
    "aslexplorer_J": ((10, 66),),
    "aslexplorer_Z": (),  # half of a Z, without its last stroke
}


@dataclass(frozen=True, eq=False)
class SignedMovement:
    """One movement of a person."""

    person: str
    label: str | None  # None: a movement while a letter was held or taken up
    movement: Movement | None  # None: the person signed `label`, and no movement was found


def folders() -> list[Path]:
    """The folders with such files in the data folders."""
    return [folder / FOLDER for folder in paths.data_folders() if (folder / FOLDER).is_dir()]


def read_movements(folder: Path) -> list[SignedMovement]:
    """The movements in a folder. Raises SettingsError if it has none."""
    found = [one for path in sorted(folder.glob("*_sequences.npz")) for one in _in_sequences(path)]
    found += [one for path in sorted(folder.glob("*_frames.npz")) for one in _in_frames(path)]
    if not found:
        raise SettingsError(
            f"{folder} has no PERSON_NAME_sequences.npz and no PERSON_LABEL_frames.npz. Name the folder with the sequences."
        )
    return found


def frames_of(path: Path) -> Iterator[tuple[float, tuple[Hand, ...]]]:
    """The time and the hands of each frame of an uncut file."""
    points, sides = _points(path)
    for index, joints in enumerate(points):
        is_seen = bool(np.isfinite(joints).all())
        yield index / FRAMES_FPS, (Hand(joints, sides[index], 0.9),) if is_seen else ()


def _in_sequences(path: Path) -> Iterator[SignedMovement]:
    with np.load(path) as arrays:
        hands, labels = arrays["hands"], arrays["labels"]
    person = path.name.split("_")[0]
    pixels = (hands * np.array([640, 480, 640], np.float32))[:, STALE_FRAMES:]
    for sequence, label in zip(pixels, labels.tolist(), strict=True):
        found = movements_in((index / SEQUENCE_FPS, tuple(_seen(joints))) for index, joints in enumerate(sequence))
        if label in MOVING:
            longest = max(found, key=lambda movement: movement.duration_s, default=None)
            yield SignedMovement(person, label, longest)
        else:
            yield from (SignedMovement(person, None, movement) for movement in found)


def _seen(joints: np.ndarray) -> Iterator[Hand]:
    """The hands of (2, 21, 3) joints, the left one first."""
    for hand, side in zip(joints, (LEFT, RIGHT), strict=True):
        if hand.any():
            yield Hand(hand, side, 0.9)


def _in_frames(path: Path) -> Iterator[SignedMovement]:
    name = path.name.removesuffix("_frames.npz")
    person, label = name.rsplit("_", 1)
    if name not in SPANS:
        yield from (SignedMovement(person, label, movement) for movement in movements_in(frames_of(path)))
        return
    points, sides = _points(path)
    for first, last in SPANS[name]:
        frames = slice(first, last + 1)
        joints = np.stack([points[frames], np.full_like(points[frames], np.nan)], axis=1)
        side = sides[(first + last) // 2]
        times_s = np.arange(first, last + 1) / FRAMES_FPS
        yield SignedMovement(person, label, Movement(times_s, joints, (side, LEFT if side == RIGHT else RIGHT)))


def _points(path: Path) -> tuple[np.ndarray, list[str]]:
    """The joints (T, 21, 3) float32 and the sides of an uncut file; a frame without a hand has the side before it."""
    with np.load(path) as arrays:
        points, handedness = arrays["points"], arrays["handedness"]
    sides, last = [], RIGHT
    for name in handedness.tolist():
        last = name.lower() or last
        sides.append(last)
    return points, sides
