"""Photographs of hands that show another sign than their folder says."""

import csv
import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from recognizer.teaching.label_folders import pictures_below
from training.datasets import hand_photographs

# A row is a picture's SHA-256, its label and source, and what it shows. They were found among the pictures that a network
# trained on other people reads differently, and were looked at one by one.
LIST = Path(__file__).with_name("wrong_labels.csv")


def is_wrong(name: str) -> np.ndarray:
    """(N,) bool: which pictures of photos/<name>, in the order of `hand_photographs.read_hands`, are in the list.

    Raises DataError if there are no such photographs.
    """
    folders = sorted(path for path in hand_photographs.photographs(name).iterdir() if path.is_dir())
    pictures = [picture for folder in folders for picture in pictures_below(folder)]
    return np.array([hashlib.sha256(picture.read_bytes()).hexdigest() in listed() for picture in pictures], bool)


@cache
def listed() -> frozenset[str]:
    """SHA-256, hex, of the photographs in the list."""
    with LIST.open(newline="", encoding="utf-8") as file:
        return frozenset(row["sha256"] for row in csv.DictReader(file))
