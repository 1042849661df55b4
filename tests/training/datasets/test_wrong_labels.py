import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.sinks.png import write_png
from training.datasets import hand_photographs, wrong_labels
from training.datasets.hand_photographs import Hands
from training.shipped import sign_data


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs of each folder of letters. The second one's label is wrong."""
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path))
    for name in ("letters", "rps", "nothing"):
        for number in range(3):
            folder = tmp_path / "photos" / name / "anna" / ("rock" if name == "rps" else "A")
            folder.mkdir(parents=True, exist_ok=True)
            write_png(folder / f"{number}.png", np.full((8, 8, 3), 50 * number + len(name), np.uint8))
    wrong = tmp_path / "photos" / "letters" / "anna" / "A" / "1.png"
    table = tmp_path / "wrong.csv"
    digest = hashlib.sha256(wrong.read_bytes()).hexdigest()
    table.write_text(f"sha256,label,source,reason\n{digest},A,anna,the thumb is in\n")
    monkeypatch.setattr(wrong_labels, "LIST", table)
    wrong_labels.listed.cache_clear()
    yield wrong
    wrong_labels.listed.cache_clear()


def testlisted_photographs_are_found_by_their_content(listed: Path) -> None:
    assert wrong_labels.is_wrong("letters").tolist() == [False, True, False]
    assert wrong_labels.is_wrong("rps").tolist() == [False] * 3
    listed.rename(listed.with_name("another name.png"))
    assert wrong_labels.is_wrong("letters").sum() == 1


def testlisted_photographs_are_neither_trained_on_nor_evaluated(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_hands(name: str, runs: Path) -> Hands:
        label = {"letters": "A", "rps": "rock"}.get(name, "")
        found = [hand_photographs.hands_of_region(None, label, "anna", None, np.random.default_rng(0))] * 3
        return hand_photographs.concatenate(found)

    monkeypatch.setattr(hand_photographs, "read_hands", read_hands)
    data = sign_data.load_sign_data("letters", tmp_path / "runs", 0)
    assert data.classes[:3].tolist() == [0, -1, 0]
    assert data.evaluated.tolist() == [True, False, True] + [False] * 6


def test_each_row_of_the_list_has_a_reason_and_is_a_photograph() -> None:
    rows = list(csv.DictReader(wrong_labels.LIST.open(newline="", encoding="utf-8")))
    assert all(row["reason"] for row in rows)
    assert len({row["sha256"] for row in rows}) == len(rows)
    try:
        folders = hand_photographs.folders_of_signs()
    except DataError as error:
        pytest.skip(str(error))
    if "letters-more" not in folders:
        pytest.skip("no photographs in photos/letters-more")
    assert sum(int(wrong_labels.is_wrong(name).sum()) for name in folders) == len(rows)
