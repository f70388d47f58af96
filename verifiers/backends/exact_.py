"""Backend `exact`: Exact, a pseudo-Boolean solver with exact cutting planes.  Optional: extra `exact`."""

from __future__ import annotations

from ...encoders.export import opb
from ...encoders.formula import Formula
from ...encoders.pseudo_boolean import pseudo_boolean
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer
from .shared.solver_process import ask_program


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    # it takes no seed 0
    return ask_program("exact_opb", pseudo_boolean, formula, seconds, 1 + budget.seed % (1 << 31))


BACKEND = QueryBackend(
    "exact",
    Capabilities(
        "exact", description="Exact, pseudo-Boolean cutting planes, in a process of its own (AGPL-3.0)"
    ),
    "exact",
    ask,
    export=opb,
)
