"""Linear upper bounds of rows: backward substitution with multipliers, in integers.

A ReLU y = max(0, x) with coefficient a is replaced by w * x plus a constant, where lower <= x <= upper:

    open, a > 0    a y <= w x + max(-w lower, (a - w) upper)   for 0 <= w <= a
    open, a < 0    a y <= w x                                  for a <= w <= 0
    active         a y <= w x                                  for w >= a, as x >= 0
    inactive       a y <= w x                                  for w <= 0, as x <= 0

Every integer w in range is sound: rounding w costs tightness only.  The rule is CROWN's (Zhang et al. 2018,
theorem 3.2), with improved multipliers (alpha-CROWN: Xu et al. 2021) and split ReLUs (beta-CROWN: Wang et al.
2021, theorem 3.1).  The caller maximizes the linear bound over the words.

`bounds/relaxation.py` takes the same step in floating point.  This one is separate for two reasons.  Here w
is an integer, not a product with a slope.  And where a row has two rounded copies, the beta of a copy may
change w only in the direction that is sound for that copy.  What is not a bound (the forward pass of the
relaxed network, better multipliers, branching) is in floating point and is taken from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...bounds.multipliers import Multipliers, moved, subgradient
from ...bounds.relaxation import ReluRelaxation, first_lower_slopes


@dataclass(frozen=True, eq=False)
class Functions:
    """Functions to bound: scale[f] * row[f] + offset[f], with bounds of the ReLUs and multipliers.

    row, scale, offset: arrays (functions,).
    low, high (functions, ReLUs): bounds of the ReLUs' arguments.
    phase (functions, ReLUs): 1 active, -1 inactive, 0 open.
    above, below (functions, ReLUs): slopes in 0 .. 1 of the upper and the lower line, in floating point.
    beta (functions, ReLUs): multipliers >= 0 of split ReLUs, in floating point.

    `RowShape.lines` rounds the products of multipliers and coefficients to integers.
    """

    row: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    phase: np.ndarray
    above: np.ndarray
    below: np.ndarray
    beta: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return all arrays, in the order of the fields."""
        return (
            self.row,
            self.scale,
            self.offset,
            self.low,
            self.high,
            self.phase,
            self.above,
            self.below,
            self.beta,
        )

    @property
    def multipliers(self) -> Multipliers:
        """Return the slopes and betas."""
        return Multipliers(self.below, self.above, self.beta)

    @property
    def relaxation(self) -> ReluRelaxation:
        """Return the relaxation in floating point: for steps and branching, not for bounds."""
        return self.multipliers.relaxation(self.low, self.high, self.phase)

    def take(self, chosen: np.ndarray) -> Functions:
        """Select some functions."""
        return Functions(*(array[chosen] for array in self.arrays))


def functions(
    row: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    phase: np.ndarray,
) -> Functions:
    """Make functions with the first multipliers: the triangle's upper edge and the lower line of less area.

    The arguments are the fields of `Functions` with the same names.
    """
    above = np.clip(high / np.maximum(high - low, 1), 0.0, 1.0)
    return Functions(
        row, scale, offset, low, high, phase, above, first_lower_slopes(low, high), np.zeros(low.shape)
    )


@dataclass(frozen=True, eq=False)
class LinearForms:
    """Linear upper bounds of functions: factors . (the rows' own sums) + constant.

    factors: (functions, rows).
    constant: (functions,).
    outputs (functions, ReLUs): the coefficients of the ReLUs' outputs that were replaced.
    """

    factors: np.ndarray
    constant: np.ndarray
    outputs: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return all arrays, in the order of the fields."""
        return self.factors, self.constant, self.outputs

    def take(self, chosen: np.ndarray) -> LinearForms:
        """Select some functions."""
        return LinearForms(*(array[chosen] for array in self.arrays))


class RowShape:
    """The parts of a network that `lines` reads.

    weights (rows, ReLUs): what a row reads of the ReLUs, times 2**shift.
    levels: the ReLUs' indices by level; each level reads only those before.
    sign (rows,): 0 for an exact row, 1 for a copy rounded up, -1 for a copy rounded down.
    shift: bits after the point in `weights`.
    """

    def __init__(
        self, weights: np.ndarray, levels: Sequence[np.ndarray], sign: np.ndarray, shift: int
    ) -> None:
        self.weights, self.levels, self.sign, self.shift = weights, levels, sign, shift
        self.real = weights / 2.0**shift

    def rounded(self, product: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Divide by 2**shift, rounding each row (last axis) to its side."""
        if not self.shift:
            return product
        return np.where(self.sign[rows] > 0, -(-product >> self.shift), product >> self.shift)

    def lines(self, asked: Functions) -> LinearForms:
        """Bound the functions by linear forms of the rows' own sums: backward substitution, in integers."""
        count = len(asked)
        factors = np.zeros((count, len(self.weights)), dtype=np.int64)
        factors[np.arange(count), asked.row] = asked.scale
        constant = asked.offset.copy()
        outputs = -(-(asked.scale[:, None] * self.weights[asked.row]) >> self.shift)
        for columns in reversed(self.levels):
            a, low, high = outputs[:, columns], asked.low[:, columns], asked.high[:, columns]
            phase, beta = (
                asked.phase[:, columns],
                np.maximum(np.rint(asked.beta[:, columns]), 0).astype(np.int64),
            )
            slope = np.where(a > 0, asked.above[:, columns], asked.below[:, columns])
            w = np.clip(np.rint(a * slope).astype(np.int64), np.minimum(a, 0), np.maximum(a, 0))
            # A split is about the row itself.  Where the row is >= 0, its upper copy is, too, but the lower
            # one may not be; where it is <= 0, the other way round.  So only one of the two copies has a
            # beta.
            if phase.any():
                sign = self.sign[columns]
                w = np.where(
                    phase > 0,
                    a + np.where(sign < 0, 0, beta),
                    np.where(phase < 0, np.where(sign > 0, 0, -beta), w),
                )
            constant += np.where((phase == 0) & (a > 0), np.maximum(-w * low, (a - w) * high), 0).sum(axis=1)
            factors[:, columns] += w
            outputs -= (-(w @ self.weights[columns])) >> self.shift
        return LinearForms(factors, constant, outputs)

    def relaxed(self, asked: Functions, outputs: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the ReLUs' arguments (functions, ReLUs) in the relaxed network, in floating point.

        outputs: the coefficients in `LinearForms`.
        own (functions, rows): the rows' own sums.
        """
        relaxation = asked.relaxation
        x = own[:, : self.weights.shape[1]].copy()
        for columns in self.levels:
            y = relaxation.columns(columns).forward(outputs[:, columns], x[:, columns])
            x += y @ self.real[: x.shape[1], columns].T
        return x

    def moved(
        self,
        asked: Functions,
        outputs: np.ndarray,
        own: np.ndarray,
        gap: np.ndarray,
        most: np.ndarray,
        before: np.ndarray | None,
    ) -> tuple[Functions, np.ndarray]:
        """Take a subgradient step for the multipliers; return the functions and the direction taken.

        outputs: the coefficients in `LinearForms`.
        own (functions, rows): the rows' own sums on the words that attain the bounds.
        gap (functions,): by how much the bounds are to fall.
        most (ReLUs,): the largest beta of each ReLU.
        before: the direction of the previous step, or None (see `moved` in `bounds/multipliers.py`).
        """
        x = self.relaxed(asked, outputs, own)
        slope = subgradient(asked.multipliers, (asked.low, asked.high, asked.phase), outputs, x)
        found, direction = moved(asked.multipliers, slope, most, gap, before, 1.0)
        return replace(asked, above=found.above, below=found.below, beta=found.beta), direction

    def loss(self, asked: Functions, outputs: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return, per function and ReLU, by how much the relaxation exceeds the truth at arguments `x`."""
        return asked.relaxation.excess(outputs, x)


def split(values: np.ndarray, parts: int) -> tuple[np.ndarray, int]:
    """Divide the rows of `values` into up to `parts` groups by halving along the widest column.

    The largest group is halved first.  Returns each row's group, and the number of groups.
    """
    ids = np.zeros(len(values), dtype=np.int64)
    groups = [np.arange(len(values))]
    closed: list[np.ndarray] = []
    while groups and len(groups) + len(closed) < parts:
        groups.sort(key=len)
        largest = groups.pop()
        here = values[largest]
        spread = here.max(axis=0) - here.min(axis=0)
        column = here[:, int(spread.argmax())]
        left = column < np.median(column)
        if not left.any():  # more than half of the values equal the smallest one
            left = column == column.min()
        if left.all():
            closed.append(largest)
            continue
        groups += [largest[left], largest[~left]]
    for k, group in enumerate([*groups, *closed]):
        ids[group] = k
    return ids, len(groups) + len(closed)
