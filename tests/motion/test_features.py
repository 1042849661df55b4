import numpy as np
import pytest

from recognizer.motion import embedding
from recognizer.motion.features import SIZE, movement_features, reflected
from recognizer.motion.movement import mirrored
from recognizer.motion.variations import varied
from tests.helpers.movements import a_movement, circle, swipe, wave

PATHS = {"circle": circle, "swipe": swipe, "wave": wave}


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The distance of two movements' features in the embedding."""
    return float(np.linalg.norm(embedding.embed(one[None]) - embedding.embed(other[None])))


def nearest_other(name: str) -> float:
    """The distance of a movement to the nearest of the others."""
    features = movement_features(a_movement(PATHS[name]))
    return min(apart(features, movement_features(a_movement(PATHS[other]))) for other in PATHS if other != name)


@pytest.mark.parametrize("name", PATHS)
def test_the_features_do_not_depend_on_the_hand(name: str) -> None:
    movement = a_movement(PATHS[name])
    features = movement_features(movement)
    assert features.shape == (SIZE,)
    assert features.dtype == np.float32
    np.testing.assert_allclose(movement_features(mirrored(movement)), features, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"place": (400, -120)},
        {"size": 1.7},
        {"duration_s": 0.67},
        {"duration_s": 1.5},
        {"fps": 12},
        {"fps": 60},
        {"rest_s": 0.25},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", PATHS)
def test_the_features_hardly_depend_on_place_size_tempo_and_rate(name: str, change: dict) -> None:  # type: ignore[type-arg]
    features = movement_features(a_movement(PATHS[name]))
    changed = movement_features(a_movement(PATHS[name], **change, seed=1))
    assert apart(features, changed) < 0.6 * nearest_other(name)


def test_reflected_twice_is_the_same() -> None:
    features = movement_features(a_movement(swipe))
    np.testing.assert_array_equal(reflected(reflected(features)), features)
    assert apart(reflected(features), features) > 1


def test_a_variation_is_the_same_sign() -> None:
    rng, movement = np.random.default_rng(0), a_movement(circle)
    distances = [apart(movement_features(varied(movement, rng)), movement_features(movement)) for _ in range(20)]
    assert float(np.median(distances)) < 0.5 * nearest_other("circle")
