"""Minimizes a smooth convex function: L-BFGS (Liu and Nocedal 1989). SciPy has it too, and is a fifth of an installation."""

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

MEMORY = 10  # earlier steps from which the curvature is estimated
ENOUGH = 1e-4  # share of the decrease that the slope promises which a step must reach (Armijo)
SHORTEST = 1e-12  # share of a step below which rounding hides any decrease
FLAT = 2e-9  # relative decrease of the function at which the search ends
LEVEL = 1e-5  # largest component of the gradient at which the search ends

Curvature = tuple[np.ndarray, np.ndarray]  # a step, and the change of the gradient along it


def minimize(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, max_steps: int
) -> np.ndarray:
    """The place, (N,) float64, where the function is lowest, or the one reached after `max_steps` steps.

    `function` returns its value and its gradient, (N,) float64. `start` is (N,) float64.
    """
    place, (value, gradient) = start, function(start)
    known: deque[Curvature] = deque(maxlen=MEMORY)
    for _ in range(max_steps):
        if np.abs(gradient).max() <= LEVEL:
            break
        direction = -_times_inverse_hessian(gradient, known)
        slope = gradient @ direction
        length = 1.0 if known else min(1.0, 1 / float(np.linalg.norm(gradient)))
        while length > SHORTEST:
            next_place = place + length * direction
            next_value, next_gradient = function(next_place)
            if next_value <= value + ENOUGH * length * slope:
                break
            length /= 2
        else:
            break
        step, change = next_place - place, next_gradient - gradient
        if step @ change > 0:
            known.append((step, change))
        decrease = value - next_value
        place, value, gradient = next_place, next_value, next_gradient
        if decrease <= FLAT * max(abs(value), 1.0):
            break
    return place


def _times_inverse_hessian(gradient: np.ndarray, known: Iterable[Curvature]) -> np.ndarray:
    """The gradient times an estimate of the inverse Hessian matrix (the two loops of Nocedal 1980)."""
    pairs, result, shares = list(known), gradient.copy(), []
    for step, change in reversed(pairs):
        shares.append(step @ result / (step @ change))
        result -= shares[-1] * change
    if pairs:
        step, change = pairs[-1]
        result *= step @ change / (change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        result += (share - change @ result / (step @ change)) * step
    return result
