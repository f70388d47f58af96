"""Linear upper bounds of rows: backward substitution with multipliers, in integers.

A ReLU y = max(0, x) with coefficient a is replaced by w * x plus a constant, where lower <= x <= upper:

    open, a > 0    a y <= w x + max(-w lower, (a - w) upper)   for 0 <= w <= a
    open, a < 0    a y <= w x                                  for a <= w <= 0
    active         a y <= w x                                  for w >= a, as x >= 0
    inactive       a y <= w x                                  for w <= 0, as x <= 0

Every integer w in range will do: rounding loses nothing but tightness.  (CROWN, Zhang et al. 2018; with
multipliers that are improved: Xu et al. 2021; for split ReLUs: Wang et al. 2021.)  The maximum over the
words is left to the caller.

The step itself is `bounds/relaxation.py`'s in another arithmetic, and stays here: w is an integer, not a
product with a slope, and where a row has two rounded copies, a copy's beta may only push to its side.  What
is not a bound (the forward pass of the relaxed network, better multipliers, branching) is floating point, and
taken from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...bounds.multipliers import Multipliers, moved, subgradient
from ...bounds.relaxation import ReluRelaxation, first_lower_slopes


@dataclass(frozen=True, eq=False)
class Functions:
    """Upper bounds asked for: scale[f] * row[f] + offset[f], where ReLU i's argument is in low[f, i] ..
    high[f, i] and has phase[f, i].

    `phase`: 1 active, -1 inactive, 0 open.  Multipliers in floating point, rounded when they are used: slopes
    `above` and `below` in 0 .. 1, and `beta` >= 0 for split ReLUs.
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
        return Multipliers(self.below, self.above, self.beta)

    @property
    def relaxation(self) -> ReluRelaxation:
        """In floating point: for steps and for branching, not for bounds."""
        return self.multipliers.relaxation(self.low, self.high, self.phase)

    def take(self, chosen: np.ndarray) -> Functions:
        return Functions(*(array[chosen] for array in self.arrays))


def functions(
    row: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    phase: np.ndarray,
) -> Functions:
    """Take the usual first multipliers: the triangle's upper edge, and the lower line of less area."""
    above = np.clip(high / np.maximum(high - low, 1), 0.0, 1.0)
    return Functions(
        row, scale, offset, low, high, phase, above, first_lower_slopes(low, high), np.zeros(low.shape)
    )


@dataclass(frozen=True, eq=False)
class LinearForms:
    """Per function, factors (functions, rows) of the rows' own sums and a constant; `outputs` are the
    coefficients that were replaced.
    """

    factors: np.ndarray
    constant: np.ndarray
    outputs: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.factors, self.constant, self.outputs

    def take(self, chosen: np.ndarray) -> LinearForms:
        return LinearForms(*(array[chosen] for array in self.arrays))


class RowShape:
    """What `lines` needs to know of a network: weights (rows, ReLUs), times 2**shift, and the columns of each
    level.
    """

    def __init__(
        self, weights: np.ndarray, levels: Sequence[np.ndarray], sign: np.ndarray, shift: int
    ) -> None:
        self.weights, self.levels, self.sign, self.shift = weights, levels, sign, shift
        self.real = weights / 2.0**shift

    def rounded(self, product: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """product / 2**shift, rounded to the side of each row (last axis)."""
        if not self.shift:
            return product
        return np.where(self.sign[rows] > 0, -(-product >> self.shift), product >> self.shift)

    def lines(self, asked: Functions) -> LinearForms:
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
            if phase.any():  # where a copy is not the row itself, its multiplier may only push the safe way
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
        """The ReLUs' arguments (functions, ReLUs) in the relaxed network, if the rows' own sums are `own`."""
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
        """Multipliers after a subgradient step, for bounds that are to fall by `gap`, and the direction taken
        (see `moved` in `bounds/multipliers.py`).

        `own` are the rows' own sums on the words that attain the bounds; `most` (ReLUs,) limits each beta.
        """
        x = self.relaxed(asked, outputs, own)
        slope = subgradient(asked.multipliers, (asked.low, asked.high, asked.phase), outputs, x)
        found, direction = moved(asked.multipliers, slope, most, gap, before, 1.0)
        return replace(asked, above=found.above, below=found.below, beta=found.beta), direction

    def loss(self, asked: Functions, outputs: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Per function and ReLU, by how much the relaxation is above the truth where the ReLUs' arguments are
        `x`.
        """
        return asked.relaxation.excess(outputs, x)


def split(values: np.ndarray, parts: int) -> tuple[np.ndarray, int]:
    """Ids of up to `parts` groups of rows, by halving the largest group along its widest column; and how many
    there are.
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
        if not left.any():  # more than half are equal to the smallest
            left = column == column.min()
        if left.all():
            closed.append(largest)
            continue
        groups += [largest[left], largest[~left]]
    for k, group in enumerate([*groups, *closed]):
        ids[group] = k
    return ids, len(groups) + len(closed)
