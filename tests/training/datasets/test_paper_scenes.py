import cv2
import numpy as np

from tests.helpers.sheets import rng
from training.datasets import paper_scenes


def test_a_photograph_shows_the_ink():
    ink = np.zeros((480, 640), np.uint8)
    ink[200:280, 300:340] = 255
    for seed in range(6):
        picture = paper_scenes.photograph(ink, 80, rng(seed))
        assert picture.shape == (480, 640, 3)
        inside, around = picture[210:270, 310:330].mean(), picture[210:270, 250:280].mean()
        assert abs(inside - around) > 3
        assert np.array_equal(picture, paper_scenes.photograph(ink, 80, rng(seed)))


def test_touching_pairs_fit_into_the_20_pixel_box_of_mnist(written):
    pairs = paper_scenes.touching_pairs(written[0], 20, rng())
    assert pairs.shape == (20, 28, 28)
    assert pairs.dtype == np.uint8
    assert np.array_equal(pairs, paper_scenes.touching_pairs(written[0], 20, rng()))
    for pair in pairs:
        _, _, width, height = cv2.boundingRect(pair)
        assert max(width, height) <= 20, "larger than the box of MNIST"
    assert paper_scenes.touching_pairs(written[0], 1, rng()).shape == (1, 28, 28)
