"""Movements as samples: a strip of pictures and a row, with the joints in the picture."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer import cli
from recognizer.errors import SamplesError
from recognizer.motion.movement import Movement
from recognizer.samples import movement_png
from recognizer.samples.archive import export_zip, import_zip
from recognizer.samples.movement_png import movement_in, with_movement
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import open_samples
from recognizer.samples.verify import set_aside, verify
from recognizer.sources.decoding import read_pictures
from recognizer.values import Box
from tests.helpers import movements
from tests.helpers.signs import record

BOX = Box(40, 0, 360, 320)


def a_strip(seed: int = 0) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 80, (4, 20, 3), np.uint8)
    return cv2.resize(blocks, (800, 160), interpolation=cv2.INTER_NEAREST)


def a_store(folder: Path) -> tuple[Samples, Sample, Movement]:
    """A store with one still sample and one movement, which is returned."""
    store = record(folder, {"fist": 1})
    store.add_labels("signs", ["circle"])
    movement = movements.a_movement(movements.circle)
    sample = store.add_movement("signs", "circle", movement, a_strip(), BOX, "first", "camera 0")
    return store, sample, movement


def same(one: Movement, other: Movement) -> bool:
    return (
        np.allclose(one.times_s - one.times_s[0], other.times_s - other.times_s[0])
        and np.allclose(one.joints, other.joints, atol=0.01, equal_nan=True)
        and one.sides == other.sides
    )


def test_a_movement_is_stored_with_its_joints_and_read_back(tmp_path: Path) -> None:
    store, sample, movement = a_store(tmp_path)
    (found,) = [one for one in Samples(tmp_path).read("signs") if one.moving_s is not None]
    assert (found.id, found.label, found.side, found.box) == (sample.id, "circle", "right", BOX)
    assert found.moving_s == round(movement.duration_s, 2)
    assert found.landmarks is None
    assert same(store.movement(found), movement)
    assert np.array_equal(store.picture(found), a_strip())
    assert store.moving_counts("signs") == {"circle": 1}
    assert verify(store) == []


def test_a_hand_that_was_lost_for_some_frames_is_stored_as_lost(tmp_path: Path) -> None:
    movement = movements.a_movement(movements.circle)
    movement.joints[3:5, 0] = np.nan
    assert same(movement_in(with_movement(encode_png(a_strip()), movement), "x"), movement)


def test_movements_are_relabelled_merged_exported_imported_and_synced_with_their_joints(tmp_path: Path) -> None:
    store, sample, movement = a_store(tmp_path / "here")
    store.relabel([sample], "fist")
    store.create_task("others", "hand", ["stop"])
    store.merge("signs", "others")
    export_zip(store, tmp_path / "samples.zip")
    other = Samples(tmp_path / "other")
    assert len(import_zip(other, tmp_path / "samples.zip").added) == 2
    shared = f"file://{tmp_path / 'shared'}"
    (tmp_path / "shared").mkdir()
    first = open_samples(shared)
    first.create_task("signs", "hand", ["circle"])
    first.add_movement("signs", "circle", movement, a_strip(), BOX, "first", "camera 0")
    for reader, label in ((store, "fist"), (other, "fist"), (open_samples(shared), "circle")):
        (found,) = [one for one in reader.read() if one.moving_s is not None]
        assert found.label == label
        assert same(reader.movement(found), movement)


@pytest.mark.parametrize(
    "damage", ["no chunk", "cut", "other version", "not zlib", "infinite", "time stands still", "too long"]
)
def test_a_picture_without_its_whole_movement_is_found_and_set_aside(tmp_path: Path, damage: str) -> None:
    store, sample, _ = a_store(tmp_path)
    path = tmp_path / sample.path
    path.write_bytes(damaged(path.read_bytes(), damage))
    with pytest.raises(SamplesError, match="holds no readable movement"):
        store.movement(sample)
    (problem,) = verify(store)
    assert problem.kind == "unreadable picture"
    set_aside(store, [problem])
    assert verify(store) == []
    assert [one.label for one in store.read()] == ["fist"]


def damaged(png: bytes, damage: str) -> bytes:
    start = png.index(movement_png.CHUNK) - 4
    size = int.from_bytes(png[start : start + 4], "big")
    data, rest = png[start + 8 : start + 8 + size], png[start + 12 + size :]
    if damage == "no chunk":
        return png[:start] + rest
    head, body = data[: movement_png.HEAD.size], data[movement_png.HEAD.size :]
    plain = zlib.decompress(body)
    frames = movement_png.HEAD.unpack(head)[2]
    data = {
        "cut": data[:4],
        "other version": b"\x09" + data[1:],
        "not zlib": head + b"nonsense",
        "infinite": head + zlib.compress(plain[:-4] + np.float32(np.inf).tobytes()),
        "time stands still": head + zlib.compress(bytes(8 * frames) + plain[8 * frames :]),
        "too long": head + zlib.compress(plain + b"more"),
    }[damage]
    checksum = zlib.crc32(movement_png.CHUNK + data).to_bytes(4, "big")
    return png[:start] + len(data).to_bytes(4, "big") + movement_png.CHUNK + data + checksum + rest


def test_an_import_refuses_a_movement_without_joints(tmp_path: Path) -> None:
    store, sample, _ = a_store(tmp_path / "here")
    path = tmp_path / "here" / sample.path
    path.write_bytes(damaged(path.read_bytes(), "no chunk"))
    export_zip(store, tmp_path / "samples.zip")
    imported = import_zip(Samples(tmp_path / "other"), tmp_path / "samples.zip")
    assert len(imported.added) == 1
    assert "holds no readable movement" in imported.refused[0]


def test_only_tasks_of_hands_have_movements_and_sides(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    store.create_task("mugs", "box", ["mug"])
    movement = movements.a_movement(movements.circle)
    with pytest.raises(SamplesError, match="has no movements"):
        store.add_movement("mugs", "mug", movement, a_strip(), BOX, "first", "x")
    with pytest.raises(SamplesError, match="no label wave"):
        store.add_movement("mugs", "wave", movement, a_strip(), BOX, "first", "x")
    with pytest.raises(SamplesError, match="has no sides"):
        store.create_task("cups", "box", ["cup"], sides=True)
    too_long = Movement(np.arange(700) / 30, np.zeros((700, 2, 21, 3), np.float32), ("left", "right"))
    with pytest.raises(SamplesError, match="A movement of 700 frames cannot be stored"):
        with_movement(encode_png(a_strip()), too_long)


def test_a_task_with_sides_says_so_on_disk_and_in_an_export(tmp_path: Path) -> None:
    store = Samples(tmp_path / "here")
    assert not store.create_task("signs", "hand", ["ok"]).sides
    store.create_task("two", "hand", ["ok"], sides=True)
    assert b"sides" not in (tmp_path / "here" / "signs" / "task.json").read_bytes()  # as earlier programs wrote it
    export_zip(store, tmp_path / "samples.zip")
    other = Samples(tmp_path / "other")
    import_zip(other, tmp_path / "samples.zip")
    assert [task.sides for task in other.tasks()] == [False, True]


def test_show_and_list_tell_movements_from_still_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, sample, _ = a_store(tmp_path / "captures")
    monkeypatch.chdir(tmp_path)
    place = ["--samples", str(tmp_path / "captures")]
    assert cli.main(["samples", "list", "signs", *place]) == 0
    assert "2 samples in 1 sessions, 1 of them movements" in capsys.readouterr().out
    assert cli.main(["samples", "show", "signs", "--label", "circle", *place]) == 0
    sheet = next(read_pictures(tmp_path / "output" / "samples-signs.png")).image_bgr
    path_drawn = (np.abs(sheet.astype(int) - (142, 222, 62)).sum(axis=2) < 60).sum()
    assert path_drawn > 200  # the strip is dark
    (tmp_path / "captures" / sample.path).write_bytes(encode_png(a_strip()))
    assert cli.main(["samples", "show", "signs", "--label", "circle", *place]) == 0
