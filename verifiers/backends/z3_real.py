"""Backend `z3-real`: z3 on linear reals (exact)."""

from __future__ import annotations

from ...encoders.export import smt_real
from ...encoders.formula import Formula
from ...encoders.linear_real import linear_real
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer
from .shared.z3_text import solve_text


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    return solve_text(linear_real(formula), seconds, budget.seed)


BACKEND = QueryBackend(
    "z3-real",
    Capabilities("exact", description="z3 on linear reals"),
    "z3-solver",
    ask,
    export=smt_real,
)
