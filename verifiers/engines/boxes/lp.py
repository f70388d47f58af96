"""The linear relaxation of a network over a box, solved by HiGHS with one choice of phases after another.

After `linear_program.py`, for `lp_split.py`.  Only bounds of variables change from one time to the next, so
that the dual simplex goes on from the last basis.  HiGHS has tolerances: its points are candidates, and its
dual values are multipliers that `bounds/dual_bounds.py` makes a proof of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....common.clock import now
from .linear_program import LinearProgram

ENOUGH = 1e-3  # below 0, in the program's units: a margin as low as that needs not be the lowest
FEW_STEPS = 100  # of the simplex, for a look at what a split would bring


@dataclass(frozen=True, eq=False)
class Solved:
    """`margin`: the largest; -inf where the phases are infeasible, inf where HiGHS does not say.

    `inputs` (inputs,), `y`, `s` (open,; shares of its range), `values` (variables but the margin,): where it
    is attained, None where it is not.  `factors` (rows of the program,), `duals` (open,), `cuts` (cuts,): how
    much of each row, of each neuron's equation, and of each cut adds up to that; of an infeasible program to
    a contradiction (factors all 0).
    """

    margin: float
    inputs: np.ndarray | None = None
    y: np.ndarray | None = None
    s: np.ndarray | None = None
    factors: np.ndarray | None = None
    duals: np.ndarray | None = None
    cuts: np.ndarray | None = None
    values: np.ndarray | None = None


class LpSolver:
    """Not for two threads at a time."""

    def __init__(
        self, program: LinearProgram, owner: np.ndarray, cut_units: np.ndarray, seed: int = 0
    ) -> None:
        """`owner` (rows of the program,): the polyhedron that each belongs to; `cut_units`: see
        `linear_program.py`.
        """
        import highspy

        p, self._highspy = program, highspy
        self._program, self._owner = p, owner
        self._units = np.concatenate([p.unit, cut_units])  # of equations, then of cuts
        self._priced = np.r_[0 : len(p.neuron), 2 * len(p.neuron) : p.first_row]
        self._count = len(p.neuron)
        self._phase = np.zeros(self._count, dtype=np.int8)
        self._polyhedron = -1
        lp: Any = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = p.matrix.shape
        lp.col_cost_ = np.concatenate([np.zeros(p.margin), [-1.0]])
        lp.col_lower_, lp.col_upper_ = p.low, p.high
        lp.row_lower_, lp.row_upper_ = p.least, p.most
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            p.matrix.indptr,
            p.matrix.indices,
            p.matrix.data,
        )
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        self._highs.silent()
        self._highs.setOptionValue("objective_bound", ENOUGH)
        for option, value in (
            ("presolve", "off"),
            ("threads", 1),
            ("simplex_strategy", 1),
            ("random_seed", seed),
        ):
            self._highs.setOptionValue(option, value)
        self._highs.passModel(lp)

    def solve(self, phase: np.ndarray, polyhedron: int, deadline: float) -> Solved:
        """`phase` (open,): 1 on, -1 off, 0 either; the rows of one polyhedron take subdomain.

        `deadline` in time.monotonic's seconds.
        """
        self._choose(phase, polyhedron)
        status = self._run(deadline)
        states = self._highspy.HighsModelStatus
        p, count = self._program, self._count
        if status == states.kInfeasible:
            _, there, ray = self._highs.getDualRay()
            if not there:
                return Solved(np.inf)
            priced = np.asarray(ray)[self._priced]
            size = np.abs(priced).max(initial=0)
            if not 0 < size < np.inf:
                return Solved(np.inf)
            priced = priced / (size * self._units)
            return Solved(
                -np.inf, factors=np.zeros(len(self._owner)), duals=priced[:count], cuts=priced[count:]
            )
        if status not in (states.kOptimal, states.kObjectiveBound):
            return Solved(np.inf)
        found = self._highs.getSolution()
        value, dual = np.asarray(found.col_value), np.asarray(found.row_dual)
        factors = np.where(self._owner == polyhedron, np.maximum(dual[p.first_row :], 0), 0.0)
        total = factors.sum()
        if not 0 < total < np.inf:
            return Solved(np.inf)
        priced = dual[self._priced] * (p.size / (total * self._units))
        duals, cuts = priced[:count], priced[count:]
        factors = factors / total
        if status == states.kObjectiveBound:
            return Solved(
                -float(self._highs.getInfo().objective_function_value) * p.size,
                factors=factors,
                duals=duals,
                cuts=cuts,
            )
        return Solved(
            float(value[p.margin]) * p.size,
            p.inputs(value),
            value[p.y],
            value[p.s],
            factors,
            duals,
            cuts,
            value[: p.margin],
        )

    def look(self, phase: np.ndarray, polyhedron: int, deadline: float) -> float:
        """The margin as far as a few steps tell; -inf where it is infeasible, inf where they do not."""
        self._choose(phase, polyhedron)
        self._highs.setOptionValue("simplex_iteration_limit", FEW_STEPS)
        status = self._run(deadline)
        self._highs.setOptionValue("simplex_iteration_limit", 2**31 - 1)
        states = self._highspy.HighsModelStatus
        if status == states.kInfeasible:
            return -np.inf
        if status in (states.kOptimal, states.kIterationLimit):
            return -float(self._highs.getInfo().objective_function_value) * self._program.size
        return np.inf

    def _run(self, deadline: float) -> Any:
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(0.0, deadline - now()))
        self._highs.run()
        return self._highs.getModelStatus()

    def _choose(self, phase: np.ndarray, polyhedron: int) -> None:
        p = self._program
        changed = np.flatnonzero(phase != self._phase)
        if len(changed):
            columns = np.concatenate([p.y[changed], p.s[changed]]).astype(np.int32)
            high = np.concatenate([phase[changed] >= 0, phase[changed] <= 0])
            self._highs.changeColsBounds(
                len(columns), columns, np.zeros(len(columns)), high.astype(np.float64)
            )
            self._phase = np.array(phase)
        if polyhedron != self._polyhedron:
            first = p.first_row
            least = np.where(self._owner == polyhedron, p.least[first:], -np.inf)
            index = np.arange(first, first + len(least), dtype=np.int32)
            self._highs.changeRowsBounds(len(index), index, least, np.full(len(index), np.inf))
            self._polyhedron = polyhedron
