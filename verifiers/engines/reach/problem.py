"""The question that `reach` bounds: can a goal be >= 0 on some word?  In 64-bit integers.

The first step of `grouped.py`.  Rows are sums along a word and of ReLUs of other rows; goals are the last
rows.  There are two forms of the same question.  `joined` is exact.  If its numbers are too wide, `unfolded`
has two copies of every row, one rounded up and one rounded down, and the row lies between them.  Where a row
reads a ReLU, an upper copy takes the copy of it that makes the sum larger, and a lower copy takes the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ....common.errors import Unsupported
from ....encoders.dense import Dense
from ....models.network.integers import integer_array

SAFE = 2**60  # every sum stays below this
WIDTH = 34  # bits of a row's values after rounding
FRACTION = 24  # bits after the point of ReLU weights where numbers are rounded
MARGIN = 4  # multipliers change a ReLU's weight to at most this many times what it was


@dataclass(frozen=True, eq=False)
class ReachProblem:
    """Is there a word on which some goal is >= 0?

    Rows 0 .. k - 1 are arguments of ReLUs in topological order; the goals follow.

        row_j(word) = sum_t symbols[j, t, word[t]] + constant[j]
                      + sum_i relus[j, i] / 2**shift * max(0, row_i(word))

    symbols: (rows, positions, symbols).
    relus: (rows, k).
    constant: (rows,).
    lower, upper (rows,): proved bounds of the real row.
    origin (rows,): the row of the query that row j is, or is a copy of.
    sign (rows,): 0 for an exact row, 1 for an upper copy, -1 for a lower copy.
    unit (rows,): the numbers of row j are in units of 2**unit[j].
    shift: bits after the point in `relus`.
    """

    symbols: np.ndarray
    relus: np.ndarray
    constant: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    origin: np.ndarray
    sign: np.ndarray
    unit: np.ndarray
    shift: int = 0

    @property
    def count(self) -> int:
        """Return k, the number of ReLUs."""
        return int(self.relus.shape[1])

    @cached_property
    def levels(self) -> tuple[np.ndarray, ...]:
        """Return the ReLUs' indices by level; each level reads only those before."""
        level = np.zeros(self.count, dtype=np.int64)
        for j in range(self.count):
            inputs = np.flatnonzero(self.relus[j])
            level[j] = level[inputs].max() + 1 if len(inputs) else 0
        return tuple(np.flatnonzero(level == k) for k in range(int(level.max(initial=-1)) + 1))

    @cached_property
    def largest(self) -> int:
        """Bound every sum of a row's terms, whatever the multipliers are."""
        return max(_reach((self.symbols, self.relus, self.constant), self.shift))

    @cached_property
    def steepest(self) -> int:
        """Bound the coefficient, times 2**shift, that a ReLU's output can get in a bound of a goal.

        The bound holds whatever the multipliers are.
        """
        coefficients = [0] * self.count + [1] * (len(self.constant) - self.count)
        most = 0
        for i in reversed(range(self.count)):
            readers = np.flatnonzero(self.relus[:, i])
            total = sum(MARGIN * abs(int(self.relus[j, i])) * coefficients[j] for j in readers)
            most, coefficients[i] = max(most, total), (total >> self.shift) + len(readers)
        return most

    @cached_property
    def gain(self) -> np.ndarray:
        """Return, per ReLU, by how much a goal can change per unit of its argument; in floating point.

        Only choices rest on it.
        """
        gain = np.ones(len(self.constant))
        gain[: self.count] = 0
        weights = np.abs(self.relus) / 2.0**self.shift
        for columns in reversed(self.levels):
            gain[columns] = (weights[:, columns] * gain[:, None]).sum(axis=0)
        return np.maximum(gain[: self.count], 1e-9)


def _reach(arrays: Sequence[np.ndarray], shift: int) -> tuple[int, ...]:
    """Bound, per row, every sum of its terms; `arrays` begins with symbols, relus and constant."""
    symbols, relus, constant = arrays[:3]
    out: list[int] = []
    sums = np.abs(symbols).max(axis=2, initial=0).sum(axis=1, dtype=object)
    for j in range(len(constant)):
        inner = sum(abs(int(w)) * MARGIN * out[i] for i, w in enumerate(relus[j]) if w)
        out.append(abs(int(constant[j])) + int(sums[j]) + (inner >> shift) + relus.shape[1] * bool(shift))
    return tuple(out)


def _needed(relus: np.ndarray, count: int) -> list[int]:
    """Return the rows that some goal depends on, goals included."""
    needed = [j >= count for j in range(len(relus))]
    for j in reversed(range(len(relus))):
        if needed[j]:
            for i in np.flatnonzero(relus[j]):
                needed[i] = True
    return [j for j, wanted in enumerate(needed) if wanted]


def _stacked(queries: Sequence[Dense]) -> tuple[np.ndarray, ...]:
    """Stack queries about the same ReLUs: the ReLUs once, then the violation of every query.

    Returns symbols, relus, constant, lower and upper, as Python integers.
    """
    first, others = queries[0], queries[1:]
    names = ("symbols", "relus", "constant", "lower", "upper")
    return tuple(
        np.concatenate(
            [getattr(first, n).astype(object), *(getattr(q, n)[-1:].astype(object) for q in others)]
        )
        for n in names
    )


def negated(query: Dense) -> Dense:
    """Return the query whose violation is >= 0 where that of `query` is < 0."""

    def last(array: np.ndarray, change: int = 0) -> np.ndarray:
        return integer_array(np.concatenate([array[:-1].astype(object), -array[-1:].astype(object) - change]))

    lower, upper = last(query.upper, 1)[-1:], last(query.lower, 1)[-1:]
    return replace(
        query,
        symbols=last(query.symbols),
        relus=last(query.relus),
        constant=last(query.constant, 1),
        lower=integer_array(np.concatenate([query.lower[:-1].astype(object), lower.astype(object)])),
        upper=integer_array(np.concatenate([query.upper[:-1].astype(object), upper.astype(object)])),
    )


def joined(queries: Sequence[Dense]) -> ReachProblem | None:
    """Make the exact problem of queries about the same ReLUs; None where 64 bits might not do."""
    symbols, relus, constant, lower, upper = _stacked(queries)
    rows = _needed(relus, queries[0].count)
    inner = [j for j in rows if j < queries[0].count]
    relus = relus[np.ix_(rows, inner)]
    arrays = (symbols[rows], relus, constant[rows], lower[rows], upper[rows])
    largest = max(*_reach(arrays, 0), *(abs(int(v)) for v in arrays[3]), *(abs(int(v)) for v in arrays[4]))
    if largest >= SAFE:
        return None
    return _problem(arrays, rows, np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64), 0)


def _problem(
    arrays: tuple[np.ndarray, ...], rows: Sequence[int], signs: np.ndarray, units: np.ndarray, shift: int
) -> ReachProblem:
    symbols, relus, constant, lower, upper = (a.astype(np.int64) for a in arrays)
    return ReachProblem(symbols, relus, constant, lower, upper, np.array(rows), signs, units, shift)


def unfolded(query: Dense) -> ReachProblem:
    """Make a problem with two copies of every ReLU and an upper copy of the goal.

    Numbers are rounded where 64 bits would not do.  Raises Unsupported if they are too wide for that.
    """
    symbols, relus, constant, lower, upper = _stacked([query])
    count = query.count
    order = [(j, sign) for j in _needed(relus, count) for sign in ((-1, 1) if j < count else (1,))]
    rows = [j for j, _ in order]
    column = {copy: k for k, copy in enumerate(order)}
    weights = np.zeros((len(rows), len(rows) - 1), dtype=object)
    for k, (j, sign) in enumerate(order):
        for i in np.flatnonzero(relus[j]):
            weights[k, column[int(i), sign if relus[j, i] > 0 else -sign]] = relus[j, i]
    signs = np.array([sign for _, sign in order], dtype=np.int64)
    arrays: tuple[np.ndarray, ...] = (symbols[rows], weights, constant[rows], lower[rows], upper[rows])
    shift, units = 0, [0] * len(rows)
    if max(*_reach(arrays, 0), *(abs(int(v)) for v in (*arrays[3], *arrays[4]))) >= SAFE:
        units = [max(0, bound.bit_length() - WIDTH) for bound in _reach(arrays, 0)]
        arrays, shift = _rounded(arrays, signs, units), FRACTION
        if (
            max(*_reach(arrays, FRACTION), *(abs(int(v)) for v in (*arrays[3], *arrays[4])))
            >= SAFE >> FRACTION
        ):
            raise Unsupported("the numbers are too wide to be rounded to 64 bits")
    return _problem(arrays, rows, signs, np.array(units), shift)


def _rounded(
    arrays: tuple[np.ndarray, ...], signs: np.ndarray, units: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Express every row in units of its own power of two, each number rounded to the row's side.

    ReLU weights have FRACTION bits after the point.
    """
    symbols, relus, constant, lower, upper = arrays

    def scaled(values: np.ndarray, power: int, up: bool) -> np.ndarray:
        """Return values * 2**power, rounded up or down."""
        if power >= 0:
            return values << power
        return -(-values >> -power) if up else values >> -power

    out = [np.zeros_like(a) for a in arrays]
    for j, (unit, sign) in enumerate(zip(units, signs, strict=True)):
        out[0][j] = scaled(symbols[j], -unit, sign > 0)
        for i in np.flatnonzero(relus[j]):
            out[1][j, i] = scaled(relus[j, i], units[int(i)] - unit + FRACTION, sign > 0)
        out[2][j : j + 1] = scaled(constant[j : j + 1], -unit, sign > 0)
        out[3][j : j + 1] = scaled(lower[j : j + 1], -unit, False)
        out[4][j : j + 1] = scaled(upper[j : j + 1], -unit, True)
    return tuple(out)
