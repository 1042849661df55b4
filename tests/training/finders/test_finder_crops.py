import numpy as np
import pytest

from recognizer.values import Box, Region
from tests.helpers.sheets import BOX, rng, wrote
from training.datasets import rooms
from training.datasets.paper_scenes import NOTHING
from training.finders import crops


def found(box: Box) -> Region:
    return Region(box, np.full((9, 9), 255, np.uint8))


def test_a_region_on_a_digit_has_the_class_of_the_digit() -> None:
    other = wrote("7", box=Box(300, 100, 360, 200))
    assert crops.class_of(found(Box(102, 98, 160, 203)), (other, wrote("4"))) == 4
    stroke = wrote("1", box=Box(100, 100, 106, 200))
    assert crops.class_of(found(Box(103, 101, 109, 200)), (stroke,)) == 1


def test_a_region_on_a_letter_or_blank_paper_is_background() -> None:
    assert crops.class_of(found(BOX), (wrote("K"),)) == NOTHING
    assert crops.class_of(found(BOX), (wrote("plus"),)) == NOTHING
    assert crops.class_of(found(Box(300, 300, 340, 400)), (wrote("4"),)) == NOTHING
    assert crops.class_of(found(BOX), ()) == NOTHING


@pytest.mark.parametrize(
    ("box", "written"),
    [
        (Box(100, 100, 160, 140), wrote("4")),  # a part of the digit
        (BOX, wrote("4", ambiguous=True)),
        (BOX, wrote("O")),
        (BOX, wrote("slash")),
        (BOX, wrote("4", struck=True)),
    ],
)
def test_ambiguous_regions_have_no_class(box: Box, written: rooms.Written) -> None:
    assert crops.class_of(found(box), (written,)) is None


def test_crops_are_network_inputs_with_classes_and_depend_only_on_the_seed(written) -> None:
    images, classes = crops.crops(*written, 40, rng())
    assert images.shape == (40, 28, 28)
    assert images.dtype == np.uint8
    assert classes.dtype == np.int64
    assert set(classes.tolist()) <= set(range(11))
    assert len(set(classes.tolist()) - {NOTHING}) >= 5
    assert (images.reshape(40, -1).max(axis=1) == 255).all(), "each crop contains ink"
    again, _ = crops.crops(*written, 40, rng())
    assert np.array_equal(images, again)
    other, _ = crops.crops(*written, 40, rng(6))
    assert not np.array_equal(images, other)
