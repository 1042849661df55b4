"""Checks an export: whether its files are undamaged, and whether it answers to the golden inputs as the program did."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.export.program.paper import Reader
from recognizer.export.program.reading import open_reader, read
from recognizer.values import Box, Hand, Observation, Prediction, Region

TOLERANCE = 1e-3  # of a probability


def problems(folder: Path) -> list[str]:
    """What was changed in the export's files: a damaged file, other labels, thresholds or preprocessing. One line each."""
    try:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"model.json cannot be read: {error}"]
    lines = [line for name, expected in model["files"].items() if (line := _damage(folder, name, expected))]
    if any(line.startswith(model["golden"]["file"]) for line in lines):
        return lines  # what it says proves nothing
    golden = json.loads((folder / model["golden"]["file"]).read_text(encoding="utf-8"))
    if model["labels"] != golden["labels"]:
        how = "in another order" if sorted(model["labels"]) == sorted(golden["labels"]) else "others"
        lines.append(
            f"model.json: the labels are {how} than when the golden answers were made: {', '.join(model['labels'])}; "
            f"they were {', '.join(golden['labels'])}"
        )
    for name, expected in golden["rejection"].items():
        if model["rejection"][name] != expected:
            lines.append(
                f"model.json: the threshold {name} is {model['rejection'][name]}, and was {expected} when the golden "
                "answers were made"
            )
    if model["preprocessing"]["version"] != golden["preprocessing"]:
        lines.append(
            f"model.json: the preprocessing is {model['preprocessing']['version']}, and was {golden['preprocessing']}"
        )
    return lines


def _damage(folder: Path, name: str, expected: str) -> str:
    try:
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except OSError as error:
        return f"{name} cannot be read: {error.strerror or error}"
    if found == expected:
        return ""
    return f"{name} is damaged: its SHA-256 is {found[:12]}…, and model.json says {expected[:12]}…"


@dataclass(frozen=True)
class Comparison:
    """The export's answer to one golden input beside that of the program."""

    file: str
    difference: str  # in labels or places, or in probabilities of the same place; "" for none
    apart: float = 0.0  # the largest difference of a probability in the whole picture
    apart_in_place: float = (
        0.0  # the same where the classifier is given the joints, ink or crop that the program had found
    )


def comparisons(folder: Path, reader: Reader) -> Iterator[Comparison]:
    """The comparison of each golden input."""
    golden = json.loads((folder / "golden" / "answers.json").read_text(encoding="utf-8"))
    for answer in golden["inputs"]:
        picture_bgr = cv2.imread(str(folder / "golden" / answer["file"]))
        if picture_bgr is None:
            yield Comparison(answer["file"], "the picture cannot be read")
        else:
            yield _comparison(folder, reader, picture_bgr, answer)


def _comparison(folder: Path, reader: Reader, picture_bgr: np.ndarray, answer: Mapping[str, Any]) -> Comparison:
    observation, expected = read(reader, picture_bgr), answer["regions"]
    regions = [_region(folder, picture_bgr, one) for one in expected]
    in_place = _apart([one for one in zip(reader.classify(regions), expected, strict=True) if one[1]["turn"] is None])
    difference = difference_of(observation, answer)
    if len(observation.predictions) != len(expected):
        return Comparison(answer["file"], difference, 1.0, in_place)
    apart = _apart(list(zip(observation.predictions, expected, strict=True)))
    if in_place > TOLERANCE:
        difference += (
            f" A probability differs by {in_place:.4f} for the same place: the classifier computes something else."
        )
    elif difference:
        difference += " The classifier agrees for the same place: what is found differs."
    return Comparison(answer["file"], difference.strip(), apart, in_place)


def difference_of(observation: Observation, answer: Mapping[str, Any]) -> str:
    """How the labels of an observation differ from an answer in golden/answers.json; "" if they are the same."""
    expected = answer["regions"]
    if len(observation.regions) != len(expected):
        return f"{len(observation.regions)} places were found, and the program found {len(expected)}."
    for one, other in zip(observation.predictions, expected, strict=True):
        if one.label != other["label"]:
            return f"It reads {one.label or 'nothing'}, and the program read {other['label'] or 'nothing'}."
    if observation.text != answer["text"]:
        return f"The text is {observation.text!r}, and was {answer['text']!r}."
    return ""


def _apart(pairs: Sequence[tuple[Prediction, Mapping[str, Any]]]) -> float:
    """The largest difference of a probability between predictions and answers."""
    differences = [
        float(np.abs(prediction.probabilities - np.array(answer["probabilities"])).max())
        for prediction, answer in pairs
        if prediction.probabilities is not None
    ]
    return max(differences, default=0.0)


def _region(folder: Path, picture_bgr: np.ndarray, answer: Mapping[str, Any]) -> Region:
    """The region that the program had found."""
    box = Box(*answer["box_xyxy"])
    if "ink" in answer:
        return Region(box, cv2.imread(str(folder / "golden" / answer["ink"]), cv2.IMREAD_GRAYSCALE))
    hands = [_hand(answer.get(name)) for name in ("hand", "mirrored_hand")]
    crop_bgr = picture_bgr[box.y1 : box.y2, box.x1 : box.x2]
    return Region(box, crop_bgr, hand=hands[0], mirrored_hand=hands[1])


def _hand(answer: Mapping[str, Any] | None) -> Hand | None:
    return None if answer is None else Hand(np.array(answer["joints"], np.float32), answer["side"], 1.0)


def check(folder: Path) -> int:
    """Print what is wrong with the export in `folder`, or that it answers the same. Return 0, or 1 if something is wrong."""
    lines = problems(folder)
    if lines:
        print("\n".join(lines))
        return 1
    compared = list(comparisons(folder, open_reader(folder)))
    for one in compared:
        if one.difference:
            print(f"{one.file}: {one.difference}")
    same = sum(not one.difference for one in compared)
    print(f"The exported model answers the same on {same} of {len(compared)}")
    apart = max((one.apart for one in compared), default=0.0)
    if apart > TOLERANCE:
        in_place = max(one.apart_in_place for one in compared)
        print(
            f"Probabilities differ by up to {in_place:.6f} for the same place, and by up to {apart:.4f} in whole pictures: "
            "another runtime adds numbers in another order, and a place may be found a pixel beside."
        )
    return 0 if same == len(compared) else 1


def main() -> int:
    """Check the export in the folder that is named, by default in this file's own."""
    return check(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parent)
