import json
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import SettingsError
from recognizer.motion import embedding, features
from recognizer.motion.classifier import FILE, MotionClassifier
from recognizer.registry.card import ModelCard, read_checked_card, write_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models
from recognizer.studio.drawn_hands import SIGNS, posed_joints
from tests.helpers.movements import a_movement, circle
from training.datasets import signed_movements
from training.datasets.drawn_movements import performed, random_scripts
from training.datasets.signed_movements import SignedMovement, read_movements
from training.movements import letters
from training.movements.embedding import fitted
from training.movements.letters import read_shapes, signed


def table(folder: Path, name: str, seed: int) -> None:
    """A table with a few hands that hold an I and a D, as shares of a picture of 640x480."""
    rng = np.random.default_rng(seed)
    labels = ["I", "D"] * 3
    joints = np.stack([posed_joints(SIGNS[label], rng)[0] for label in labels])
    pixels = joints * [1, -1, -1] + [320, 240, 0]
    np.savez(folder / f"{name}.npz", points=(pixels / [640, 480, 640]).astype(np.float32), labels=np.array(labels))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landmarks")
    for seed, name in enumerate(("anna", "ben")):
        table(folder, name, seed)
    about = {"anna": {"dims": 3}, "ben": {"dims": 3}, "flat": {"dims": 2}}
    (folder / "meta.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_hand_shapes_are_right_hands_that_point_up(tables: Path) -> None:
    shapes = read_shapes(tables, "I", np.random.default_rng(0))
    assert [shape.person for shape in shapes] == ["anna"] * 3 + ["ben"] * 3
    for shape in shapes:
        assert shape.joints[20, 1] > shape.joints[0, 1] + 1  # the little finger is above the wrist
        assert shape.joints[4, 0] > shape.joints[17, 0]  # the thumb is on the right


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="meta.json"):
        read_shapes(tmp_path, "I", np.random.default_rng(0))


def test_j_and_z_are_learned_from_moved_hand_shapes(tables: Path) -> None:
    rng = np.random.default_rng(1)
    shown = {
        label: [
            SignedMovement(shape.person, label, signed(label, shape, rng)) for shape in read_shapes(tables, letter, rng)
        ]
        for label, letter in letters.SHAPE_OF.items()
    }
    others = [SignedMovement("drawn", None, performed(random_scripts(rng), rng)) for _ in range(8)]
    classifier = letters.fitted([*(one for each in shown.values() for one in each[1:]), *others])
    assert classifier.labels == ("J", "Z")
    for label, movements in shown.items():
        assert movements[0].movement is not None
        assert classifier.labels[int(classifier.probabilities(movements[0].movement)[:-1].argmax())] == label
    assert sum(letters.studio_reads(classifier, label, people=2)[0] for label in shown) >= 1
    assert letters.false_labels(classifier, "spelling", seconds=4)[0] <= 1


def test_a_version_with_j_and_z_has_the_files_of_the_one_before(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with store.publishing("letters") as draft:
        (draft / "model.tflite").write_bytes(b"the network")
        write_card(ModelCard(task="letters", labels=("A", "B")), draft)
    movement = a_movement(circle)
    classifier = letters.fitted([SignedMovement("anna", label, movement) for label in ("J", "Z", None)])
    folder = letters.publish(store, classifier, {"anna": "1 of 1"}, "a command")
    card = read_checked_card(folder)
    assert store.versions("letters")[-1] == folder.name
    assert card.labels == ("A", "B")
    assert card.moving_labels == ("J", "Z")
    assert card.moving is not None
    assert card.moving["features"] == embedding.VERSION
    assert set(card.files or {}) == {"model.tflite", FILE}
    assert (folder / "model.tflite").read_bytes() == b"the network"
    assert MotionClassifier.load(folder / FILE).labels == ("J", "Z")


def test_random_movements_fit_an_embedding() -> None:
    rows, labels = [], []
    for number in range(6):
        rng = np.random.default_rng(number)
        scripts = random_scripts(rng)
        for _ in range(3):
            movement = performed(scripts, rng)
            assert movement is not None
            rows.append(features.movement_features(movement))
            labels.append(number)
    mean, kernel = fitted(np.stack(rows), np.array(labels), 4)
    points = (np.stack(rows) - mean) @ kernel
    assert kernel.shape == (features.SIZE, 4)
    within = [np.linalg.norm(points[i] - points[i + 1]) for i in range(0, 18, 3)]
    across = [np.linalg.norm(points[i] - points[(i + 3) % 18]) for i in range(0, 18, 3)]
    assert np.median(within) < np.median(across)


def test_the_embedding_file_belongs_to_the_features() -> None:
    assert embedding.embed(np.zeros((2, features.SIZE), np.float32)).shape == (2, embedding.SIZE)
    assert embedding.PATH.stat().st_size < 200_000


def test_recorded_sequences_and_uncut_frames_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = np.clip((np.arange(30) - 10) / 10, 0, 1)
    hand = posed_joints(SIGNS["I"], np.random.default_rng(0))[0] * [1, -1, -1] + [200, 200, 0]
    moving = np.repeat(hand[None], 30, axis=0) + np.stack([200 * at, 0 * at, 0 * at], axis=1)[:, None]
    hands = np.zeros((2, 30, 2, 21, 3))
    hands[0, :, 1] = moving / [640, 480, 640]
    hands[1, :, 0] = hand / [640, 480, 640]
    np.savez(tmp_path / "anna_sequences.npz", hands=hands.astype(np.float32), labels=np.array(["J", "A"]))
    np.savez(tmp_path / "ben_Z_frames.npz", points=moving.astype(np.float32), handedness=np.array(["Left", *[""] * 29]))
    jay, zed = read_movements(tmp_path)  # the held A has no movement
    assert (jay.person, jay.label, zed.person, zed.label) == ("anna", "J", "ben", "Z")
    assert jay.movement is not None
    assert jay.movement.sides[0] == "right"
    assert zed.movement is not None
    assert zed.movement.sides[0] == "left"
    monkeypatch.setattr(signed_movements, "SPANS", {"ben_Z": ((8, 22),)})
    spans = [one.movement for one in read_movements(tmp_path) if one.person == "ben"]
    assert [len(movement.times_s) for movement in spans if movement is not None] == [15]
    with pytest.raises(SettingsError, match="no PERSON_NAME"):
        read_movements(tmp_path / "none")


def test_the_shipped_letters_read_a_studio_j_and_z() -> None:
    classifier = MotionClassifier.load(default_models().current("letters") / FILE)
    assert classifier.labels == ("J", "Z")
    assert min(letters.studio_reads(classifier, label, people=3)[0] for label in classifier.labels) >= 2
