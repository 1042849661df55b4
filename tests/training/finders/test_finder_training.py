import json
from dataclasses import replace

import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.finders import verifier as finders_verifier
from recognizer.finders.characters import CharacterNetwork
from recognizer.finders.ink import PATCH, Corners, InkNetwork
from recognizer.finders.verifier import VerifierNetwork
from recognizer.values import Box
from tests.helpers.sheets import wrote
from training.datasets import rooms
from training.finders import fitting, verifier

pytestmark = pytest.mark.no_cover


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A folder with two shards of two scenes for each network. Networks are published into it."""
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "none"))
    monkeypatch.setattr("training.datasets.rooms.has_mnist", lambda: False)
    monkeypatch.setattr(fitting, "SHARD", 2)
    monkeypatch.setattr(fitting, "SHAPES", ((240, 160),))
    monkeypatch.setattr(fitting, "NETWORKS", tmp_path / "networks")
    monkeypatch.setattr(fitting, "MAX_PATCHES", 2)
    monkeypatch.setattr(fitting, "PARTS", 1)
    monkeypatch.setattr(fitting, "NOTHING", 1)
    monkeypatch.setattr(verifier, "MAX_BOXES", 1)
    for name in fitting.NETWORK_FITS:
        monkeypatch.setitem(fitting.NETWORK_FITS, name, replace(fitting.NETWORK_FITS[name], batch=2))
    fitting.draw(tmp_path, 4, 1)
    fitting.draw(tmp_path, 4, 1, fitting.propose_shard)
    return tmp_path


@pytest.mark.parametrize(("name", "command"), [("characters", "draw"), ("verifier", "propose")])
def test_missing_training_data_raises_an_error(tmp_path, name, command) -> None:
    with pytest.raises(DataError, match=rf"Draw them: python -m training finder {command}"):
        fitting.fit(name, tmp_path, 1, None)


@pytest.mark.slow
def test_networks_are_trained_on_drawn_rooms_and_published_with_a_card(few, eager) -> None:
    drawn = sorted(few.rglob("*.npz"))
    assert len(drawn) == 4
    written_ns = [path.stat().st_mtime_ns for path in drawn]
    fitting.draw(few, 4, 1)  # existing shards are not redrawn
    fitting.draw(few, 4, 1, fitting.propose_shard)
    assert [path.stat().st_mtime_ns for path in drawn] == written_ns
    for name in fitting.NETWORK_FITS:
        fitting.fit(name, few, 1, None)
    networks = few / "networks"
    CharacterNetwork(networks / "characters.tflite").find(np.zeros((90, 160, 3), np.uint8), 0.5)
    inks = InkNetwork(networks / "ink.tflite").ink(np.zeros((2, PATCH, PATCH, 3), np.int8))
    assert inks.shape == (2, PATCH, PATCH)
    seen = VerifierNetwork(networks / "verifier.tflite").verify(
        np.zeros((90, 160, 3), np.uint8), [(10, 10, 30, 40), (50, 10, 70, 40)]
    )
    assert seen.boxes_xyxy.shape == (2, 4)
    assert ((seen.scores > 0) & (seen.scores < 1)).all()
    assert seen.digit_probabilities.sum(axis=1) == pytest.approx([1, 1])
    card = json.loads((networks / "card.json").read_text())
    assert card["ink"]["command"] == "python -m training finder fit ink"
    assert np.isfinite(card["characters"]["held_out_loss"])
    assert card["verifier"]["command"] == "python -m training finder fit verifier"
    assert np.isfinite(card["verifier"]["held_out_loss"])


def target_of(box: Corners, *written: rooms.Written) -> list[float]:
    return [float(value) for value in verifier.target_of(box, written)]


@pytest.mark.parametrize(
    ("character", "class_number"),
    [("4", 4), ("K", finders_verifier.OTHER), ("slash", finders_verifier.OTHER), ("O", verifier.UNCLEAR)],
)
def test_the_target_of_a_box_on_a_character_is_its_class(character: str, class_number: int) -> None:
    assert target_of((102, 99, 159, 204), wrote(character))[:2] == [1, class_number]


def test_a_shifted_box_still_covers_a_thin_stroke() -> None:
    assert target_of((103, 100, 108, 200), wrote("1", box=Box(100, 100, 106, 200)))[:2] == [1, 1]


def test_box_offsets_are_in_units_of_the_longer_side() -> None:
    target = target_of((110, 90, 170, 190), wrote("4"))
    assert target[0] == 1
    assert target[2:] == pytest.approx([-0.1, 0.1, -0.1, 0.1])


def test_a_part_of_a_character_or_a_non_character_is_background() -> None:
    background = [0, verifier.UNCLEAR, 0, 0, 0, 0]
    assert target_of((100, 100, 160, 122), wrote("4")) == background
    assert target_of((300, 300, 340, 400), wrote("4")) == background
    assert target_of((300, 300, 340, 400)) == background


def test_ambiguous_boxes_have_no_class_target() -> None:
    part = target_of((100, 100, 160, 145), wrote("4"))
    assert part == pytest.approx([verifier.UNCLEAR, verifier.UNCLEAR, 0, 0, 0, 55 / 60])
    ambiguous = [verifier.UNCLEAR, verifier.UNCLEAR, 0, 0, 0, 0]
    assert target_of((100, 100, 160, 200), wrote("4", ambiguous=True)) == ambiguous
    assert target_of((100, 100, 160, 122), wrote("4", ambiguous=True)) == ambiguous
    assert target_of((100, 100, 160, 200), wrote("4", struck=True))[:2] == [1, verifier.UNCLEAR]  # struck through
