"""Multipliers of a linear bound (slopes and betas), their grid, and one step towards better ones.

Beside `relaxation.py`, for bounds over words: `word_bounds.py`, which proves the bound of any multipliers on
the grid, and `engines/reach`, which rounds them in integers.  A bound is a convex function of its betas, and
piecewise smooth in its slopes; a subgradient comes from running the relaxed network on the word that attains
it.  The step is Polyak's, whose length aims at a value just below 0, where a search can stop.  Bounds over
boxes have no use for it: they are improved to no goal in particular, by Adam (`descend.py`), whose steps do
not depend on the size of the bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .relaxation import ReluRelaxation, first_lower_slopes, lift_of

GRID = 8  # multipliers are multiples of 2**-GRID
STEP = 2.0**-GRID
MOST_BETA = 2.0**20  # times the row's unit
TINY = 1e-30


def on_grid(values: np.ndarray) -> np.ndarray:
    """The nearest multiples of STEP."""
    return np.rint(values / STEP) * STEP


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Per function and ReLU: lower slope and upper slope in [0, 1], beta >= 0; (functions, k) each."""

    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray

    def __getitem__(self, rows: np.ndarray | int) -> Multipliers:
        return Multipliers(self.below[rows], self.above[rows], self.beta[rows])

    @classmethod
    def first(cls, lower: np.ndarray, upper: np.ndarray) -> Multipliers:
        """On the grid: the triangle's upper edge, the lower line that loses less area, and no beta.

        Bounds are integers.
        """
        width = np.maximum(upper - lower, 1.0)
        above = np.clip(
            np.floor((upper / STEP + np.floor(width / 2)) / width) * STEP, 0, 1
        )  # as the checker has it
        return cls(first_lower_slopes(lower, upper), above, np.zeros_like(above))

    def rounded(self) -> Multipliers:
        """On the grid."""
        beta = on_grid(np.minimum(self.beta, MOST_BETA))
        return Multipliers(on_grid(self.below), on_grid(self.above), beta)

    def relaxation(self, lower: np.ndarray, upper: np.ndarray, phase: np.ndarray) -> ReluRelaxation:
        """The relaxation that they stand for, of ReLUs with these bounds; `phase`: 1 active, -1 inactive, 0
        open.
        """
        is_open, active = phase == 0, phase > 0
        return ReluRelaxation(
            np.where(is_open, self.above, active),
            np.where(is_open, self.below, active),
            np.where(is_open, lift_of(self.above, lower, upper), 0.0),
            phase * self.beta,
        )


def subgradient(
    multipliers: Multipliers,
    known: tuple[np.ndarray, np.ndarray, np.ndarray],
    a: np.ndarray,
    x: np.ndarray,
) -> Multipliers:
    """How a bound changes with each multiplier; all arrays (functions, k).

    `known`: lower, upper and phase of the ReLUs; `a`: the coefficients that were replaced; `x`: the arguments
    in the relaxed network, on the word that attains the bound.
    """
    lower, upper, phase = known
    is_open, positive = phase == 0, a >= 0
    low_side = -multipliers.above * lower >= (1 - multipliers.above) * upper  # the lift's larger branch
    return Multipliers(
        np.where(is_open & ~positive, a * x, 0.0),
        np.where(is_open & positive, a * (x + np.where(low_side, -lower, -upper)), 0.0),
        phase * x,
    )


def moved(
    multipliers: Multipliers,
    slope: Multipliers,
    scale: np.ndarray,
    gap: np.ndarray,
    before: np.ndarray | None,
    most: float,
) -> tuple[Multipliers, np.ndarray]:
    """Take one projected subgradient step, for bounds that are to fall by `gap` (functions,); returns the
    direction taken, too.

    Polyak's step length; directions that turn back on the one `before` are deflected (Camerini, Fratta,
    Maffioli 1975).  Betas are measured in units of `scale` (a natural size for each, broadcast to (functions,
    k)) and stay below `most` of them.
    """
    gradient = np.stack([slope.below, slope.above, slope.beta * scale], axis=1)
    point = np.stack([multipliers.below, multipliers.above, multipliers.beta / scale], axis=1)
    limit = np.array([1.0, 1.0, most])[None, :, None]
    gradient[((point <= 0) & (gradient > 0)) | ((point >= limit) & (gradient < 0))] = 0
    if before is not None:
        back = (gradient * before).sum(axis=(1, 2))
        length = np.maximum((before**2).sum(axis=(1, 2)), 1e-300)
        gradient += np.maximum(0, -1.5 * back / length)[:, None, None] * before
    norm = (gradient**2).sum(axis=(1, 2))
    step = np.where(norm > TINY, gap / np.maximum(norm, TINY), 0)
    point = np.clip(point - step[:, None, None] * gradient, 0, limit)
    return Multipliers(point[:, 0], point[:, 1], point[:, 2] * scale), gradient
