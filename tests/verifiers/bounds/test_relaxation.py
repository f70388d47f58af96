"""The one step through a ReLU, against the ReLU itself; the support of boxes, against their corners."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from relucid.verifiers.bounds.multipliers import STEP, Multipliers, subgradient
from relucid.verifiers.bounds.relaxation import first_lower_slopes, triangle
from relucid.verifiers.bounds.support import BoxSupport

SEEDS = range(20)


def neurons(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    """Integer bounds of 3 x 5 neurons, open, active and dead, and arguments x within them."""
    rng = np.random.default_rng(seed)
    lower = rng.integers(-9, 4, (3, 5)).astype(np.float64)
    upper = lower + rng.integers(0, 9, lower.shape)
    return rng, lower, upper, lower + (upper - lower) * rng.random(lower.shape)


def phases(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.where(lower >= 0, 1, np.where(upper <= 0, -1, 0))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_lines_hold_whatever_the_slopes(seed: int) -> None:
    rng, lower, upper, x = neurons(seed)
    y = np.maximum(x, 0)
    given = Multipliers(*rng.integers(0, 257, (3, 3, 5)) * STEP)
    for found in (
        triangle(lower, upper, rng.random(lower.shape)),
        given.relaxation(lower, upper, phases(lower, upper)),
    ):
        assert (y <= found.above * x + found.lift + 1e-12).all()
        assert (y >= found.below * x - 1e-12).all()
        assert (found.flat().below * x <= y + 1e-12).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_backward_and_the_forward_pass_are_one_function(seed: int) -> None:
    """And betas add what is not negative."""
    rng, lower, upper, x = neurons(seed)
    a, phase = rng.normal(size=x.shape), phases(lower, upper)
    found = Multipliers(*rng.random((3, 3, 5))).relaxation(lower, upper, phase)
    plus, minus = np.maximum(a, 0), np.minimum(a, 0)
    back = found.backward(plus, minus) * x + plus * found.lift
    np.testing.assert_allclose(back, a * found.forward(a, x) + found.signed_beta * x)
    np.testing.assert_allclose(back - a * np.maximum(x, 0), found.excess(a, x), atol=1e-12)
    assert (found.excess(a, x) >= -1e-12).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_subgradients_agree_with_differences(seed: int) -> None:
    rng, lower, upper, x = neurons(seed)
    a, phase = rng.normal(size=x.shape), phases(lower, upper)
    given = Multipliers(*rng.uniform(0.1, 0.9, (3, 3, 5)))
    slope = subgradient(given, (lower, upper, phase), a, x)

    def value(m: Multipliers) -> np.ndarray:
        found = m.relaxation(lower, upper, phase)
        return found.backward(np.maximum(a, 0), np.minimum(a, 0)) * x + np.maximum(a, 0) * found.lift

    for name in ("below", "above", "beta"):
        moved = Multipliers(**{**vars(given), name: getattr(given, name) + 1e-7})
        difference = (value(moved) - value(given)) / 1e-7
        np.testing.assert_allclose(difference, getattr(slope, name), atol=1e-5)


def test_the_first_lower_slope_loses_less_area() -> None:
    lower, upper = np.array([[-2.0, -1.0, -1.0]]), np.array([[1.0, 2.0, 1.0]])
    assert first_lower_slopes(lower, upper).tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("shared", [False, True])
def test_the_support_of_a_box_is_at_a_corner(shared: bool) -> None:
    rng = np.random.default_rng(0)
    count = 1 if shared else 4
    low = rng.integers(-8, 8, (count, 3)) / 8
    high = low + rng.integers(0, 9, low.shape) / 8
    which = np.zeros(5, dtype=np.int64) if shared else np.array([0, 0, 1, 3, 3])
    coefficients = rng.integers(-4, 5, (5, 3)).astype(np.float64)
    found = BoxSupport.between(low, high, which).support(coefficients)
    for f, box in enumerate(which):
        corners = product(*zip(low[box], high[box], strict=True))
        best = max(float(coefficients[f] @ corner) for corner in corners)
        assert best <= found.value[f] <= best + 1e-12  # the radius is rounded up
        assert abs(found.value[f]) <= found.size[f]
