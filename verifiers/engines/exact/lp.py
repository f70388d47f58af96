"""Do all rows of a linear system hold somewhere in a box?

Decided in integers, with a reason either way that is verified once more.

Beneath `forms.py` and `last_word.py`.  The simplex method for feasibility (Dutertre and de Moura 2006): a
strict row is one that exceeds 0 by an infinitely small amount, and Bland's rule ends what would go round in
circles.  Where no point is left, a non-negative sum of rows is at most 0 on the whole box (Farkas, Motzkin).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

BLAND_AFTER = 50  # pivots


class TooMuchWork(Exception):
    """It would take more work than there is for it."""


@dataclass(eq=False)
class Work:
    """Work that may still be done, in numbers that are computed; each takes one to five microseconds."""

    left: int

    def spend(self, numbers: int) -> None:
        """Raises TooMuchWork where there is not so much left."""
        self.left -= numbers
        if self.left < 0:
            raise TooMuchWork


@dataclass(frozen=True, eq=False)
class System:
    """matrix . x + constant >= 0, > 0 where `strict`; low <= scale * x <= high.

    All of them integers, Python's own or int64.

    `matrix` (rows, variables), `constant`, `strict` (rows,), `low`, `high` (variables,).
    """

    matrix: np.ndarray
    constant: np.ndarray
    strict: np.ndarray
    low: np.ndarray
    high: np.ndarray
    scale: int

    def most(self, factors: np.ndarray) -> int:
        """`scale` times the largest value in the box of this sum of the rows."""
        return int(
            largest(
                factors[None] @ self.matrix, factors[None] @ self.constant, self.low, self.high, self.scale
            )[0]
        )

    def refuted_by(self, factors: np.ndarray) -> bool:
        """Whether this sum of the rows is negative on the whole box, or 0 at most although it would have to
        be positive.
        """
        if not len(factors) or (factors < 0).any():
            return False
        most = self.most(factors)
        return most < 0 or (most == 0 and bool((self.strict & (factors > 0)).any()))

    def holds(self, point: tuple[Fraction, ...]) -> bool:
        """Whether the point is in the box, and all rows hold."""
        inside = all(a <= self.scale * x <= b for a, x, b in zip(self.low, point, self.high, strict=True))
        values = [
            sum((int(c) * x for c, x in zip(row, point, strict=True) if c), Fraction(int(k)))
            for row, k in zip(self.matrix, self.constant, strict=True)
        ]
        return inside and all(
            v > 0 if strict else v >= 0 for v, strict in zip(values, self.strict, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Empty:
    """No point: `factors` (rows,), integers >= 0, of a sum of rows that shows it."""

    factors: np.ndarray


@dataclass(frozen=True)
class Point:
    """Where all rows hold."""

    values: tuple[Fraction, ...]


def largest(
    matrix: np.ndarray, constant: np.ndarray, low: np.ndarray, high: np.ndarray, scale: int
) -> np.ndarray:
    """(rows,): `scale` times the largest value of each row in the box."""
    ends = np.where(matrix > 0, high, low) if matrix.size else matrix
    result: np.ndarray = (matrix * ends).sum(axis=1) + constant * scale
    return result


def solve(system: System, budget: Work) -> Empty | Point:
    """Raises TooMuchWork."""
    count, width = system.matrix.shape
    budget.spend(count * width)
    most = largest(system.matrix, system.constant, system.low, system.high, system.scale)
    single = np.flatnonzero((most < 0) | (system.strict & (most == 0)))
    if len(single):
        found: Empty | Point = Empty((np.arange(count) == single[0]).astype(object) * 1)
    else:
        found = _Simplex(system).run(budget)
    if isinstance(found, Empty) and not system.refuted_by(found.factors):
        raise AssertionError("the exact simplex method gives a reason that is none")
    if isinstance(found, Point) and not system.holds(found.values):
        raise AssertionError("the exact simplex method gives a point that is none")
    return found


class _Simplex:
    """Variables, then one more for the value of each row without its constant; these have no bound above.

    `size[i]` * basic variable i = table[i] . the others, which all stand at a bound: `at` + an infinitesimal
    times `beyond`, over `scale`.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.used = np.flatnonzero((system.matrix != 0).any(axis=0))  # all others may be anything
        self.table = system.matrix[:, self.used].astype(object)
        rows, width = self.table.shape
        self.size = np.array([1] * rows, dtype=object)
        self.basic = list(range(width, width + rows))
        self.other = list(range(width))
        self.low = [*map(int, system.low[self.used]), *(-int(c) * system.scale for c in system.constant)]
        self.high: list[int | None] = [*map(int, system.high[self.used]), *([None] * rows)]
        self.just = [0] * width + [int(s) for s in system.strict]  # infinitesimals above `low`
        self.at = np.array(self.low[:width], dtype=object)
        self.beyond = np.array([0] * width, dtype=object)

    def run(self, budget: Work) -> Empty | Point:
        pivots = 0
        while True:
            budget.spend(self.table.size)
            values, beyond = self.table @ self.at, self.table @ self.beyond
            broken = self._broken(values, beyond)
            if not broken:
                return self._point(values, beyond)
            if pivots < BLAND_AFTER:
                row, up = max(broken, key=lambda b: self._by(b, values))
            else:
                row, up = min(broken, key=lambda b: self.basic[b[0]])
            column = self._entering(row, up)
            if column is None:
                return self._reason(row, up)
            self._pivot(row, column, up)
            pivots += 1

    def _broken(self, values: np.ndarray, beyond: np.ndarray) -> list[tuple[int, bool]]:
        """Basic variables out of bounds, and whether they have to go up."""
        out = []
        for i, v in enumerate(self.basic):
            size, high = self.size[i], self.high[v]
            if (values[i], beyond[i]) < (self.low[v] * size, self.just[v] * size):
                out.append((i, True))
            elif high is not None and (values[i], beyond[i]) > (high * size, 0):
                out.append((i, False))
        return out

    def _by(self, broken: tuple[int, bool], values: np.ndarray) -> Fraction:
        """How far it is out of bounds, relative to its row: a guess at what is worth a pivot."""
        row, up = broken
        v = self.basic[row]
        bound = self.low[v] if up else self.high[v]
        assert bound is not None
        return Fraction(abs(bound * self.size[row] - values[row]), max(1, *map(abs, self.table[row])))

    def _entering(self, row: int, up: bool) -> int | None:
        best = None
        for j, v in enumerate(self.other):
            c = self.table[row, j] if up else -self.table[row, j]
            if c and self.low[v] != self.high[v]:
                free = self.at[j] == self.low[v] if c > 0 else self.at[j] != self.low[v]
                if free and (best is None or v < self.other[best]):
                    best = j
        return best

    def _pivot(self, row: int, column: int, up: bool) -> None:
        pivot = self.table[row, column]
        sign = 1 if pivot > 0 else -1
        new = -sign * self.table[row]
        new[column] = sign * self.size[row]
        leaving = self.basic[row]
        self.basic[row], self.other[column] = self.other[column], leaving
        rest = self.table[:, column].copy()
        rest[row] = 0
        some = np.flatnonzero(rest)
        changed = self.table[some]
        changed[:, column] = 0
        changed = changed * abs(pivot) + rest[some, None] * new
        sizes = self.size[some] * abs(pivot)
        common = np.gcd(np.gcd.reduce(changed, axis=1), sizes)
        self.table[some], self.size[some] = changed // common[:, None], sizes // common
        self.table[row], self.size[row] = new, abs(pivot)
        self.at[column] = self.low[leaving] if up else self.high[leaving]
        self.beyond[column] = self.just[leaving] if up else 0

    def _reason(self, row: int, up: bool) -> Empty:
        width = len(self.other)
        factors = np.array([0] * len(self.basic), dtype=object)
        for j, v in enumerate(self.other):
            if v >= width:
                factors[v - width] = abs(self.table[row, j])
        if self.basic[row] >= width:
            factors[self.basic[row] - width] = self.size[row]
        return Empty(factors // max(1, int(np.gcd.reduce(factors))))

    def _point(self, values: np.ndarray, beyond: np.ndarray) -> Point:
        """With a number for the infinitesimal that is small enough for every bound."""
        scale = self.system.scale
        small = Fraction(scale)
        found: dict[int, tuple[Fraction, Fraction]] = {}
        for i, v in enumerate(self.basic):
            a, b = Fraction(values[i], self.size[i]), Fraction(beyond[i], self.size[i])
            found[v] = a, b
            if b < self.just[v]:
                small = min(small, (a - self.low[v]) / (self.just[v] - b))
            high = self.high[v]
            if high is not None and b > 0:
                small = min(small, (high - a) / b)
        for j, v in enumerate(self.other):
            found[v] = Fraction(self.at[j]), Fraction(self.beyond[j])
        out = [Fraction(int(v), scale) for v in self.system.low]
        for v, place in enumerate(self.used.tolist()):
            out[place] = (found[v][0] + small * found[v][1]) / scale
        return Point(tuple(out))
