"""Backend `cpsat`: OR-Tools CP-SAT on exact integers."""

from __future__ import annotations

from collections.abc import Callable

from ...encoders.cpsat import cpsat
from ...encoders.formula import Formula
from ...models.claim import Claim
from ..backend import Budget, Capabilities, installed_version
from ..queries import Answer, run_queries, too_big
from ..verdict import Attempt


class CpSatBackend:
    name = "cpsat"
    capabilities = Capabilities("exact", description="OR-Tools CP-SAT, integers and the program as a flow")

    def available(self) -> str | None:
        return installed_version("ortools")

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        def ask(formula: Formula, seconds: float) -> Answer:
            return solve_query(formula, seconds, budget)

        return run_queries(self.name, self.available() or "", "exact", claim, budget, progress, ask)


def solve_query(formula: Formula, seconds: float, budget: Budget) -> Answer:
    from ortools.sat.python import cp_model

    encoded = cpsat(formula)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.01, seconds)
    solver.parameters.num_workers = max(1, budget.workers)
    solver.parameters.random_seed = budget.seed % (1 << 31)
    # OR-Tools 9.15 calls feasible models with coefficients near 2^41 infeasible in this presolve step (tests/test_attacks.py)
    solver.parameters.presolve_inclusion_work_limit = 0
    status = solver.solve(encoded.model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer("word", encoded.decode([solver.value(v) for v in encoded.variables]))
    if status == cp_model.INFEASIBLE:
        return Answer("none")
    if status == cp_model.UNKNOWN:
        return Answer("timeout")
    return Answer("unknown", detail=f"CP-SAT ended with {solver.status_name(status)}")


BACKEND = CpSatBackend()
