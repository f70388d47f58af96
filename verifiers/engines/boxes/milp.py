"""The whole question as one mixed-integer program for every polyhedron, for HiGHS.

It is `relucid verify --backend milp`, and takes part in the race.  After `linear_program.py`, beside the
searches that prove.  HiGHS works with tolerances: its points are replayed like anybody's, and its
"infeasible" is its word only, which counts at trust `float`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....common.clock import now
from ....common.errors import Unsupported
from ...bounds.presolve import Presolved, presolve
from ...evidence import How
from .linear_program import LinearProgram, linear_program
from .request import Cancelled, Searched, SearchRequest
from .tree import Tree

GOOD_ENOUGH = 0.5  # of the best possible margin: the first good point will do
UNCONFIRMED = "HiGHS proposes points that no exact replay confirms"


def search(asked: SearchRequest, tree: Tree, *, presolved: Presolved | None = None) -> Searched:
    """Ask HiGHS about each polyhedron; what is settled so is its word, but for the polyhedra that `presolved`
    refutes.
    """
    net, rows, deadline, progress = asked.net, asked.rows, asked.deadline, asked.progress
    presolved = presolved or presolve(net, rows, deadline, progress)
    tree.settle(tree.roots[presolved.refuted], How.BOUNDS)
    left = np.flatnonzero(~presolved.refuted)
    reason = ""
    for done, polyhedron in enumerate(left):
        progress(f"HiGHS: {done} of {len(left)} polyhedra")
        if now() > deadline:
            return Searched("timeout", done)
        try:
            written = linear_program(net, presolved.box, rows, np.flatnonzero(rows.owner == polyhedron))
        except Unsupported as error:
            return Searched("stuck", done, str(error))
        status, point = _solve(
            written,
            deadline,
            lambda done=done: progress(f"HiGHS: {done} of {len(left)} polyhedra"),  # type: ignore[misc]
        )
        if point is not None:
            if asked.accept(point[None]):
                return Searched("found", done + 1)
            reason = UNCONFIRMED
        elif status == "timeout":
            return Searched("timeout", done)
        elif status == "infeasible":
            tree.settle(tree.roots[[polyhedron]], How.WORD)
        else:
            reason = reason or "HiGHS does not decide it"
    return Searched("stuck" if reason else "done", len(left), reason)


def _solve(p: LinearProgram, deadline: float, look: Callable[[], None]) -> tuple[str, np.ndarray | None]:
    """A point of the inputs with a margin of at least 0, or what HiGHS says.  `look` may raise Cancelled."""
    import highspy
    from scipy.sparse import csr_array, hstack, vstack

    count = len(p.neuron)
    ones, at = np.ones(count), np.arange(count)
    # y <= z and s <= 1 - z, which together say more than the triangle
    on, off = (csr_array((ones, (at, columns)), shape=(count, p.margin + 1)) for columns in (p.y, p.s))
    z = csr_array((ones, (at, at)), shape=(count, count))
    first, margins = p.matrix[:count], p.matrix[p.first_row :]
    matrix = vstack(
        [
            hstack([on, -z]),
            hstack([off, z]),
            hstack([vstack([first, margins]), csr_array((count + margins.shape[0], count))]),
        ]
    ).tocsr()
    none, kept = np.full(2 * count, -np.inf), np.r_[0:count, 2 * count : len(p.least)]
    lp: Any = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_ = np.concatenate([np.zeros(p.margin), [-1.0], np.zeros(count)])
    lp.col_lower_ = np.concatenate([p.low[:-1], [0.0], np.zeros(count)])
    lp.col_upper_ = np.concatenate([p.high, ones])
    lp.row_lower_ = np.concatenate([none, p.least[kept]])
    lp.row_upper_ = np.concatenate([np.zeros(count), ones, p.most[kept]])
    lp.integrality_ = [highspy.HighsVarType.kContinuous] * (p.margin + 1) + [
        highspy.HighsVarType.kInteger
    ] * count
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    for option, value in (
        ("threads", 1),
        ("mip_rel_gap", GOOD_ENOUGH),
        ("time_limit", max(0.0, deadline - now())),
    ):
        highs.setOptionValue(option, value)
    highs.passModel(lp)
    cancelled = []

    def asked(event: Any) -> None:
        try:
            look()
        except Cancelled as error:
            cancelled.append(error)
            event.interrupt()

    highs.cbMipInterrupt.subscribe(asked)
    highs.run()
    if cancelled:
        raise cancelled[0]
    states, status = highspy.HighsModelStatus, highs.getModelStatus()
    if status == states.kInfeasible:
        return "infeasible", None
    if highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        return "found", p.inputs(np.asarray(highs.getSolution().col_value))
    return ("timeout" if status == states.kTimeLimit else "unknown"), None
