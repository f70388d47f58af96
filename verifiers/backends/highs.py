"""Backend `highs`: HiGHS through OR-Tools, a MILP solver with tolerances; its "infeasible" is a proposal."""

from __future__ import annotations

from ...encoders.export import mixed_integer
from ...encoders.formula import Formula
from ...encoders.milp import milp
from ..race.backend import Budget, Capabilities
from .shared.mathopt import solve_milp
from .shared.queries import QueryBackend, SolverAnswer


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    return solve_milp(milp(formula), "HIGHS", seconds, budget.seed)


BACKEND = QueryBackend(
    "highs",
    Capabilities(
        "float", description="HiGHS (through OR-Tools), big-M ReLUs, the program as a flow; has tolerances"
    ),
    "ortools",
    ask,
    export=mixed_integer,
)
