"""Backend `z3-real`: z3 on linear reals (exact)."""

from __future__ import annotations

from collections.abc import Callable

from ...encoders.formula import Formula
from ...encoders.linear_real import linear_real
from ...models.claim import Claim
from ..backend import Budget, Capabilities, installed_version
from ..queries import Answer, run_queries, too_big
from ..verdict import Attempt
from ..z3_text import solve_text


class Z3Real:
    name = "z3-real"
    capabilities = Capabilities("exact", description="z3 on linear reals")

    def available(self) -> str | None:
        return installed_version("z3-solver")

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        def ask(formula: Formula, seconds: float) -> Answer:
            return solve_text(linear_real(formula), seconds, budget.seed)

        return run_queries(self.name, self.available() or "", "exact", claim, budget, progress, ask)


BACKEND = Z3Real()
