import json
from dataclasses import replace

import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.regions.characters import CharacterNetwork
from recognizer.regions.ink import PATCH, InkNetwork
from training import finder

pytestmark = pytest.mark.no_cover


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Two shards of three scenes each, and a folder for what is published."""
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "none"))
    monkeypatch.setattr("training.rooms.has_mnist", lambda: False)
    monkeypatch.setattr(finder, "SHARD", 3)
    monkeypatch.setattr(finder, "NETWORKS", tmp_path / "networks")
    monkeypatch.setattr(finder, "EACH", 2)
    for name in finder.FITS:
        monkeypatch.setitem(finder.FITS, name, replace(finder.FITS[name], batch=4))
    finder.draw(tmp_path, 6, 1)
    return tmp_path


def test_nothing_to_learn_from_is_said(tmp_path) -> None:
    with pytest.raises(DataError, match=r"Draw them: python -m training\.finder draw"):
        finder.fit("characters", tmp_path, 1, None)


@pytest.mark.slow
def test_both_networks_are_fitted_on_drawn_rooms_and_published_with_a_card(few, eager) -> None:
    drawn = sorted(few.glob("*.npz"))
    assert len(drawn) == 2
    written = [path.stat().st_mtime_ns for path in drawn]
    finder.draw(few, 6, 1)  # what is drawn stays
    assert [path.stat().st_mtime_ns for path in drawn] == written
    for name in finder.FITS:
        finder.fit(name, few, 1, None)
    networks = few / "networks"
    CharacterNetwork(networks / "characters.tflite").find(np.zeros((90, 160, 3), np.uint8), 0.5)
    inks = InkNetwork(networks / "ink.tflite").ink(np.zeros((2, PATCH, PATCH, 3), np.int8))
    assert inks.shape == (2, PATCH, PATCH)
    card = json.loads((networks / "card.json").read_text())
    assert card["ink"]["command"] == "python -m training.finder fit ink"
    assert np.isfinite(card["characters"]["held_out_loss"])
