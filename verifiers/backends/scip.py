"""Backend `scip`: SCIP through OR-Tools, a MILP solver with tolerances; its "infeasible" is a proposal."""

from __future__ import annotations

from collections.abc import Callable

from ...encoders.formula import Formula
from ...encoders.milp import milp
from ...models.claim import Claim
from ..backend import Budget, Capabilities, installed_version
from ..mathopt import solve_milp
from ..queries import Answer, run_queries, too_big
from ..verdict import Attempt


class Scip:
    name = "scip"
    capabilities = Capabilities("float", description="SCIP (through OR-Tools), big-M ReLUs, the program as a flow; has tolerances")

    def available(self) -> str | None:
        return installed_version("ortools")

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        def ask(formula: Formula, seconds: float) -> Answer:
            return solve_milp(milp(formula), "GSCIP", seconds, budget.seed)

        return run_queries(self.name, self.available() or "", "float", claim, budget, progress, ask)


BACKEND = Scip()
