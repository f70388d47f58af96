"""Backend `cadical`: CaDiCaL on clauses, through python-sat.  Optional: extra `sat`."""

from __future__ import annotations

from ...encoders.cnf import cnf
from ...encoders.export import dimacs
from ...encoders.formula import Formula
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer
from .shared.solver_process import ask_program


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    return ask_program("cadical_dimacs", cnf, formula, seconds)


BACKEND = QueryBackend(
    "cadical",
    Capabilities("exact", description="CaDiCaL (through python-sat) on clauses, in a process of its own"),
    "python-sat",
    ask,
    export=dimacs,
)
