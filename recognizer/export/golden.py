"""Golden inputs: pictures, and the answers that this program gave to them, with which an export is checked."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.errors import SamplesError, SettingsError
from recognizer.finders.guide_box import GUIDE_SIDE
from recognizer.pipeline import Pipeline
from recognizer.samples.sample import NOTHING
from recognizer.samples.store import Samples
from recognizer.studio.scenes import STUDIO_SCENES, Studio
from recognizer.subjects.subject import Subject
from recognizer.system import files
from recognizer.values import Frame, Hand, Observation, Prediction, Region

COUNT = 50
SOURCES = ("studio", "samples")
GOLDEN = "golden"  # the folder in an export
ANSWERS = "answers.json"  # in that folder

STUDIO_WH = (320, 240)  # 0.1 MB a picture; all signs and numbers of the studio are still read at this size
STUDIO_FPS = 10.0
SHEET_FRAMES = 24  # at this rate the studio shows a sheet or a sign
EMPTY_EVERY = 10  # one picture in so many is of the moment between two sheets, with nothing to read
SEED = 27


@dataclass(frozen=True, eq=False)
class GoldenInput:
    """A picture with what it shows."""

    image_bgr: np.ndarray  # (H, W, 3) uint8
    truth: tuple[str, ...]  # the labels that it shows; () for none of them


def golden_inputs(source: str, subject: Subject, task: str, samples: Samples, count: int = COUNT) -> list[GoldenInput]:
    """Golden inputs of a task, drawn by the studio or taken from the user's samples.

    Raises SettingsError for another source, and SamplesError for a task without samples.
    """
    if source == "studio":
        return list(itertools.islice(_drawn(STUDIO_SCENES.get(task, subject.studio_scene)), count))
    if source == "samples":
        return list(_recorded(subject, task, samples, count))
    raise SettingsError(f"There are no golden inputs from {source!r}. Choose one of {', '.join(SOURCES)}.")


def _drawn(scene: str) -> Iterator[GoldenInput]:
    """Pictures of the studio without end, each of another sheet or sign."""
    studio = Studio(scene, STUDIO_WH, STUDIO_FPS, SEED)
    for sheet in itertools.count():
        is_empty = sheet % EMPTY_EVERY == EMPTY_EVERY - 1
        frame = studio.frame(SHEET_FRAMES * (sheet + 1) if is_empty else SHEET_FRAMES * sheet + SHEET_FRAMES // 2)
        yield GoldenInput(frame.image_bgr, tuple(one.label for one in frame.truth))


def _recorded(subject: Subject, task: str, samples: Samples, count: int) -> Iterator[GoldenInput]:
    """The user's samples, of each label about as many."""
    rows = samples.read(task)
    if not rows:
        raise SamplesError(
            f"The task {task} has no samples. Record some with c in the window, or give --golden studio."
        )
    by_label = {
        label: [row for row in rows if row.label == label] for label in dict.fromkeys(row.label for row in rows)
    }
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*by_label.values()))
    for row in itertools.islice((row for row in in_turn if row is not None), count):
        truth = () if row.label == NOTHING else (row.label,)
        yield GoldenInput(_as_frame(samples.picture(row), subject), truth)


def _as_frame(picture_bgr: np.ndarray, subject: Subject) -> np.ndarray:
    """A sample's picture as a frame. An object gets a border, so that it fills the guide box."""
    if not subject.is_whole_picture:
        return picture_bgr
    border = round(min(picture_bgr.shape[:2]) * (1 / GUIDE_SIDE - 1) / 2)
    return cv2.copyMakeBorder(picture_bgr, border, border, border, border, cv2.BORDER_REPLICATE)


def write_golden(inputs: Iterable[GoldenInput], pipeline: Pipeline, folder: Path) -> list[dict[str, Any]]:
    """Write the pictures into `folder`, and the pipeline's answers beside them. Returns the answers. Raises OSError.

    The pipeline must not smooth. For each region the file holds the answer of the program, and what the classifier
    computed: all probabilities and the distance, of the ink or of the hand's joints that are given too. So a receiver who
    has no finder can check the rest.
    """
    folder.mkdir(parents=True)
    answers = []
    for number, one in enumerate(inputs):
        name = f"{number:02}.png"
        observation = pipeline.step(Frame(one.image_bgr, number, 0.0, name))
        _write_png(folder / name, one.image_bgr)
        answers.append(
            {
                "file": name,
                "truth": list(one.truth),
                "text": observation.text,
                "regions": _regions(observation, folder, number),
            }
        )
    return answers


def write_answers(folder: Path, content: dict[str, Any]) -> None:
    """Write the file of the answers. Raises OSError."""
    files.write_file(folder / ANSWERS, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def _regions(observation: Observation, folder: Path, number: int) -> list[dict[str, Any]]:
    pairs = zip(observation.regions, observation.predictions, strict=True)
    return [_answer(*pair, folder, f"{number:02}-{place}.png") for place, pair in enumerate(pairs)]


def _answer(region: Region, prediction: Prediction, folder: Path, ink_name: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "label": prediction.label,
        "confidence": prediction.confidence,
        "top": [[label, probability] for label, probability in prediction.top],
        "turn": prediction.turn and prediction.turn.display_name,
        "box_xyxy": list(region.box.xyxy),
        "probabilities": None if prediction.probabilities is None else prediction.probabilities.astype(float).tolist(),
        "distance": prediction.distance,
    }
    if region.crop.ndim == 2:
        _write_png(folder / ink_name, region.crop)
        answer["ink"] = ink_name
    if region.hand is not None:
        answer["hand"] = _joints(region.hand)
        answer["mirrored_hand"] = region.mirrored_hand and _joints(region.mirrored_hand)
    return answer


def _joints(hand: Hand) -> dict[str, Any]:
    return {"side": hand.side, "joints": hand.landmarks.astype(float).tolist()}


def _write_png(path: Path, image: np.ndarray) -> None:
    encoded, data = cv2.imencode(".png", image)
    assert encoded, "a PNG of 8-bit pixels can be written"
    files.write_file(path, data.tobytes(), sync=False)
