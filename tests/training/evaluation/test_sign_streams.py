from pathlib import Path

import numpy as np
import pytest

from recognizer.registry.card import Thresholds
from tests.helpers.hand_people import EACH, TRAINED, drawn_sign_data
from training.evaluation import sign_streams
from training.shipped import sign_validation
from training.shipped.sign_data import Predictions, SignData

THRESHOLDS = Thresholds(0.5, 10.0)
EVERYTHING = {"evidence": True, "smooth": True}
SINGLE_FRAMES = {"evidence": False, "smooth": False}


@pytest.fixture
def data(tmp_path: Path) -> SignData:
    return drawn_sign_data(tmp_path, TRAINED)


def predictions(data: SignData, wrong_every: int) -> Predictions:
    """0.8 for the right sign, but 0.55 for the next one in each `wrong_every`th photograph."""
    count = len(data.hands)
    wrong = np.arange(count) % wrong_every == wrong_every - 1
    probabilities = np.full((count, len(data.labels) + 1), 0.05, np.float32)
    shown = np.where(data.classes < 0, 0, data.classes) % len(data.labels)
    probabilities[np.arange(count), (shown + wrong) % len(data.labels)] = np.where(wrong, 0.55, 0.8)
    return Predictions(probabilities, np.ones(count, np.float32))


def test_evidence_over_frames_mends_single_wrong_photographs(data: SignData) -> None:
    shares = {
        way: sign_streams.shares_of_stream(data, predictions(data, 4), THRESHOLDS, TRAINED[0], **parts)
        for way, parts in {"live": EVERYTHING, "single": SINGLE_FRAMES}.items()
    }
    assert shares["single"][1] == pytest.approx(0.25, abs=0.05)
    assert shares["live"][0] > shares["single"][0]
    assert shares["live"][1] < shares["single"][1]


def test_right_labels_are_right_in_all_counted_frames(data: SignData) -> None:
    for parts in (EVERYTHING, SINGLE_FRAMES):
        shares = sign_streams.shares_of_stream(data, predictions(data, 1000), THRESHOLDS, TRAINED[0], **parts)
        assert shares == (1.0, 0.0)


def test_photographs_without_a_hand_get_no_label(data: SignData) -> None:
    known = predictions(data, 1000)
    known.probabilities[:EACH] = np.nan  # all of the first person's first sign
    right, wrong = sign_streams.shares_of_stream(data, known, THRESHOLDS, TRAINED[0], **EVERYTHING)
    assert (right, wrong) == (pytest.approx(2 / 3), 0.0)


def test_the_command_prints_a_row_a_person_and_what_evidence_adds(
    data: SignData, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sign_streams.sign_data, "load_sign_data", lambda *_: data)
    monkeypatch.setattr(sign_validation, "held_out_predictions", lambda *_: predictions(data, 4))
    sign_streams.evaluate_streams("rps", "fused", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20].strip() for line in lines] == [
        "rps, fused", *TRAINED, "average", "… smoother only", "… single frames",
    ]  # fmt: skip
