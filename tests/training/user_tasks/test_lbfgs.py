"""The minimizer of the linear heads, compared with exact solutions and with SciPy's."""

import numpy as np
import pytest
from scipy.optimize import minimize as minimize_with_scipy

from training.user_tasks.lbfgs import LEVEL, minimize


class Counted:
    """A function and its gradient that counts its calls."""

    def __init__(self, matrix: np.ndarray, target: np.ndarray) -> None:
        self.matrix, self.target, self.calls = matrix, target, 0

    def __call__(self, place: np.ndarray) -> tuple[float, np.ndarray]:
        self.calls += 1
        offset = place - self.target
        return float(offset @ self.matrix @ offset) / 2, self.matrix @ offset


def test_a_long_valley_is_followed_to_its_lowest_place() -> None:
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    valley = Counted(rotation @ np.diag(np.geomspace(1, 1e4, 20)) @ rotation.T, rng.normal(size=20))
    np.testing.assert_allclose(minimize(valley, np.zeros(20), 1000), valley.target, atol=1e-3)
    expected = minimize_with_scipy(valley, np.zeros(20), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    assert valley.calls - expected.nfev < 1.2 * expected.nfev


def test_it_ends_at_once_where_nothing_is_lower() -> None:
    bowl = Counted(np.eye(3), np.ones(3))
    np.testing.assert_array_equal(minimize(bowl, np.ones(3), 1000), np.ones(3))
    assert bowl.calls == 1


def test_it_ends_after_the_given_number_of_steps() -> None:
    bowl = Counted(np.diag([1.0, 100.0]), np.ones(2))
    one = minimize(bowl, np.zeros(2), 1)
    assert 0 < bowl(one)[0] < bowl(np.zeros(2))[0]


@pytest.mark.parametrize(("scale", "classes"), [(0.3, 12), (2.0, 3)])
def test_a_logistic_regression_has_the_same_cost_as_with_scipy(scale: float, classes: int) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, classes, 400)
    features = rng.normal(size=(classes, 30))[labels] * scale + rng.normal(size=(400, 30))

    def cost(place: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = place.reshape(30, classes)
        logits = features @ kernel
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        right = shares[np.arange(400), labels]
        gradient = features.T @ (shares - np.eye(classes)[labels]) / 400
        return float(-np.log(right).mean() + 1e-4 * place @ place), gradient.ravel() + 2e-4 * place

    start = np.zeros(30 * classes)
    found = minimize(cost, start, 500)
    expected = minimize_with_scipy(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    assert cost(found)[0] == pytest.approx(expected.fun, abs=1e-5)
    assert np.abs(cost(found)[1]).max() < 3 * LEVEL
