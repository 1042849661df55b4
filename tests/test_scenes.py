import cv2
import numpy as np
import pytest

from recognizer.preprocess import mnist_image
from recognizer.strokes import digit_strokes, draw_strokes
from recognizer.values import Box, Region
from training import scenes
from training.scenes import NOTHING, Placed


@pytest.fixture(scope="module")
def written():
    """Thirty written digits (30, 28, 28) uint8 in MNIST's framing, and their labels (30,)."""
    rng = np.random.default_rng(3)
    labels = np.arange(30) % 10
    return np.stack([mnist_image(draw_strokes(digit_strokes(d, rng), (90, 90), 8)) for d in labels]), labels


def rng(seed=0):
    return np.random.default_rng(seed)


class FakeFinder:
    """Finds what it is given, in any picture."""

    def __init__(self, *boxes):
        self.boxes = boxes

    def find(self, frame):
        return tuple(Region(box, np.full((box.height, box.width), 255, np.uint8)) for box in self.boxes)


def labels_of(box, *placed):
    picture = np.zeros((480, 640, 3), np.uint8)
    return [label for _, label in scenes.found_crops(FakeFinder(box), picture, list(placed))]


def test_crops_are_network_inputs_with_classes(written):
    images, classes = scenes.crops(*written, 60, rng())
    assert images.shape == (60, 28, 28)
    assert images.dtype == np.uint8
    assert classes.shape == (60,)
    assert classes.dtype == np.int64
    assert set(classes.tolist()) <= set(range(11))
    assert (classes == NOTHING).any()
    assert len(set(classes.tolist()) - {NOTHING}) >= 5
    assert (images.reshape(60, -1).max(axis=1) == 255).all(), "each holds ink"


def test_one_seed_one_set_of_crops(written):
    first, again, other = (scenes.crops(*written, 15, rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_boxes_lie_around_the_characters(written, monkeypatch):
    """In the ink alone, before the camera's blur: each box is inside the picture and touched on all four sides."""
    monkeypatch.setattr(scenes, "photograph", lambda ink, size, rng: cv2.cvtColor(ink, cv2.COLOR_GRAY2BGR))
    monkeypatch.setattr(scenes, "_scribble", lambda ink, rng: None)
    seen = set()
    for seed in range(12):
        picture, placed = scenes.draw_scene(*written, rng(seed))
        assert picture.shape == (480, 640, 3)
        for item in placed:
            x1, y1, x2, y2 = item.box.xyxy
            assert 0 <= x1 < x2 <= 640
            assert 0 <= y1 < y2 <= 480
            ink = picture[y1:y2, x1:x2, 0]
            # at the picture's rim up to 3 % of a character may be cut off
            assert ink.any()
            assert ink[0].any()
            assert ink[:, 0].any()
            seen.add(item.label)
    assert len(seen) >= 8


def test_labels_are_those_of_the_digits(written, monkeypatch):
    """Of a training set of sevens, whatever is not written as strokes is a seven."""
    digits, labels = written
    sevens = digits[labels == 7], labels[labels == 7]

    def no_strokes(*words):
        raise AssertionError("only the training digits were asked for")

    class Drawn:
        """A generator whose every draw of the kind of character says: one of the training set."""

        def __init__(self):
            self.rng = rng()

        def random(self):
            return 0.99

        def __getattr__(self, name):
            return getattr(self.rng, name)

    monkeypatch.setattr(scenes, "stroke_stamp", no_strokes)
    _, placed = scenes.draw_scene(*sevens, Drawn())
    assert placed
    assert {item.label for item in placed} == {7}


def test_a_region_on_a_digit_shows_it():
    digit = Placed(4, Box(100, 100, 160, 200))
    assert labels_of(Box(102, 98, 160, 203), digit) == [4]


def test_a_region_on_a_letter_or_on_nothing_shows_nothing():
    letter = Placed(NOTHING, Box(100, 100, 160, 200))
    assert labels_of(Box(100, 100, 160, 200), letter) == [NOTHING]
    assert labels_of(Box(400, 100, 460, 200), letter, Placed(4, Box(100, 300, 160, 400))) == [NOTHING]
    assert labels_of(Box(400, 100, 460, 200)) == [NOTHING]


def test_the_unclear_is_left_out():
    digit = Placed(4, Box(100, 100, 160, 200))
    assert labels_of(Box(100, 100, 160, 150), digit) == [], "half a digit"
    assert labels_of(Box(90, 100, 240, 200), digit, Placed(2, Box(170, 100, 230, 200))) == [], "two digits"
    assert labels_of(Box(400, 100, 410, 200), digit) == [], "an upright stick, which may be a 1"


def test_the_finder_finds_what_was_drawn(written):
    """A scene's digit comes out of the real finder as that digit, and framed as MNIST is."""
    image = np.zeros((480, 640), np.uint8)
    stamp = cv2.resize(written[0][5], (150, 150))
    image[150:300, 200:350] = stamp
    x, y, width, height = cv2.boundingRect(image)
    picture = cv2.cvtColor(255 - image // 2, cv2.COLOR_GRAY2BGR)
    placed = [Placed(5, Box(x, y, x + width, y + height))]
    found = list(scenes.found_crops(scenes.DigitFinder(), picture, placed))
    assert [label for _, label in found] == [5]
    assert found[0][0].shape == (28, 28)


def test_pictures_of_nothing():
    kinds = [scenes.draw_nothing(rng(seed)) for seed in range(12)]
    assert {picture.shape for picture in kinds} == {(480, 640, 3)}
    assert {picture.dtype for picture in kinds} == {np.dtype(np.uint8)}
    assert all(picture.std() > 0 for picture in kinds)
    coloured = [not np.array_equal(picture[..., 0], picture[..., 2]) for picture in kinds]
    assert any(coloured), "photographs among them"
    assert not all(coloured), "drawings among them"
    assert np.array_equal(kinds[4], scenes.draw_nothing(rng(4)))


def test_a_photograph_shows_the_ink():
    ink = np.zeros((480, 640), np.uint8)
    ink[200:280, 300:340] = 255
    for seed in range(6):
        picture = scenes.photograph(ink, 80, rng(seed))
        assert picture.shape == (480, 640, 3)
        inside, around = picture[210:270, 310:330].mean(), picture[210:270, 250:280].mean()
        assert abs(inside - around) > 3
        assert np.array_equal(picture, scenes.photograph(ink, 80, rng(seed)))


def test_touching_pairs(written):
    pairs = scenes.touching_pairs(written[0], 20, rng())
    assert pairs.shape == (20, 28, 28)
    assert pairs.dtype == np.uint8
    assert np.array_equal(pairs, scenes.touching_pairs(written[0], 20, rng()))
    for pair in pairs:
        _, _, width, height = cv2.boundingRect(pair)
        assert max(width, height) <= 20, "in MNIST's box"
    assert scenes.touching_pairs(written[0], 1, rng()).shape == (1, 28, 28)
