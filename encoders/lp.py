"""Linear programs whose bounds are proved: a solver proposes multipliers, exact integers say what they prove.

Used by `relaxation.py`.  Maximise c.v over 0 <= v <= u and rows a.v == b or a.v <= b, all integers.  For any
multipliers m (>= 0 on the inequalities), weak duality gives c.v <= m.b + sum of u * max(0, c - m.a), where
the variables' bounds take what the multipliers leave over (Neumaier and Shcherbina, Safe bounds in linear and
mixed-integer linear programming, 2004).  Rounding costs tightness, but never soundness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GRID = 2**30  # multipliers are multiples of 1 / GRID


@dataclass(eq=False)
class Lp:
    """A linear program that grows.  Each call of `maximum` starts from the basis of the call before.

    - `upper`: the variables' upper bounds.
    - `rows`: for each row its coefficients by variable, whether it is an equation, and its right-hand side.
    - `multipliers`: those of the last maximum, times GRID.
    """

    upper: list[int] = field(default_factory=list)
    rows: list[tuple[dict[int, int], bool, int]] = field(
        default_factory=list
    )  # coefficients by variable, whether ==, right-hand side
    multipliers: list[int] = field(default_factory=list)  # of the last maximum, times GRID
    _solver: Any = None

    def variable(self, upper: int) -> int:
        """Add a variable between 0 and `upper`.  Returns its number."""
        self.upper.append(upper)
        return len(self.upper) - 1

    def add(self, terms: Iterable[tuple[int, int]], equal: bool, bound: int) -> int:
        """Add a row: the sum of coefficient * variable == bound, or <= bound.

        `terms` are (variable, coefficient).  Returns the row's number.
        """
        row: dict[int, int] = {}
        for v, c in terms:
            row[v] = row.get(v, 0) + c
        self.rows.append((row, equal, bound))
        return len(self.rows) - 1

    def maximum(self, objective: Mapping[int, int], seconds: float) -> int:
        """Return a proved upper bound of the objective.

        It is near the optimum if the solver finds that within `seconds`.
        """
        self.multipliers = self._found(objective, seconds)
        return self.bound(objective, self.multipliers)

    def bound(self, objective: Mapping[int, int], multipliers: Iterable[int]) -> int:
        """Return the upper bound of the objective, an integer, that multipliers (times GRID) prove."""
        left = {v: c * GRID for v, c in objective.items()}
        total = 0
        for (terms, equal, bound), m in zip(self.rows, multipliers, strict=True):
            m = m if equal else max(0, m)
            if m:
                total += m * bound
                for v, c in terms.items():
                    left[v] = left.get(v, 0) - m * c
        total += sum(c * self.upper[v] for v, c in left.items() if c > 0)
        return total // GRID

    def _found(self, objective: Mapping[int, int], seconds: float) -> list[int]:
        """Return the multipliers that GLOP finds, rounded; zeros if it finds none in time."""
        if self._solver is None:
            self._solver = self._built()
        solver, variables, constraints = self._solver
        goal = solver.Objective()
        goal.Clear()
        for v, c in objective.items():
            goal.SetCoefficient(variables[v], float(c))
        goal.SetMaximization()
        solver.SetTimeLimit(max(1, int(seconds * 1000)))
        if seconds <= 0 or solver.Solve() != solver.OPTIMAL:
            return [0] * len(constraints)
        duals = (c.dual_value() for c in constraints)
        return [round(d * GRID) if math.isfinite(d) else 0 for d in duals]

    def _built(self) -> tuple[Any, list[Any], list[Any]]:
        from ortools.linear_solver import pywraplp

        solver = pywraplp.Solver.CreateSolver("GLOP")
        variables = [solver.NumVar(0.0, float(u), "") for u in self.upper]
        constraints = []
        for terms, equal, bound in self.rows:
            row = solver.Constraint(float(bound) if equal else -solver.infinity(), float(bound), "")
            for v, c in terms.items():
                row.SetCoefficient(variables[v], float(c))
            constraints.append(row)
        return solver, variables, constraints
