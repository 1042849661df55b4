import numpy as np
import pytest

from recognizer.motion.classifier import MotionClassifier
from recognizer.motion.features import SIZE, movement_features
from recognizer.motion.movement import mirrored
from tests.helpers.movements import a_movement, circle, swipe, wave

PATHS = {"circle": circle, "swipe": swipe, "wave": wave}


@pytest.mark.parametrize("name", PATHS)
def test_the_features_do_not_depend_on_the_hand(name: str) -> None:
    movement = a_movement(PATHS[name])
    features = movement_features(movement)
    assert features.shape == (SIZE,)
    np.testing.assert_allclose(movement_features(mirrored(movement)), features, atol=1e-4)


def test_movements_are_learned_from_one_demonstration() -> None:
    demonstrations = [a_movement(path, seed=index) for index, path in enumerate(PATHS.values())]
    classifier = MotionClassifier.fit(demonstrations, list(PATHS), np.random.default_rng(0))
    for seed, (name, path) in enumerate(PATHS.items()):
        shown = a_movement(path, duration_s=0.8, size=1.4, place=(300, 50), fps=17, seed=10 + seed)
        assert classifier.predict(shown).label == name
