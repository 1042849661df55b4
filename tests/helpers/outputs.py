"""Reads the output files of a run."""

import csv
from pathlib import Path

import cv2


def rows_of(output: Path) -> list[dict[str, str]]:
    """The rows of predictions.csv."""
    with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def frames_of(video: Path) -> int:
    """The number of frames that can be read."""
    capture = cv2.VideoCapture(str(video))
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count
