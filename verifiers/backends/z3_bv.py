"""Backend `z3-bv`: z3 on bit-vectors of proven width (exact)."""

from __future__ import annotations

from ...encoders.bitvector import bitvector
from ...encoders.export import smt_bitvector
from ...encoders.formula import Formula
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer
from .shared.z3_text import solve_text


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    return solve_text(bitvector(formula), seconds, budget.seed)


BACKEND = QueryBackend(
    "z3-bv",
    Capabilities("exact", description="z3 on bit-vectors of proven width"),
    "z3-solver",
    ask,
    export=smt_bitvector,
)
