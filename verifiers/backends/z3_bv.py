"""Backend `z3-bv`: z3 on bit-vectors of proven width (exact)."""

from __future__ import annotations

from collections.abc import Callable

from ...encoders.bitvector import bitvector
from ...encoders.formula import Formula
from ...models.claim import Claim
from ..backend import Budget, Capabilities, installed_version
from ..queries import Answer, run_queries, too_big
from ..verdict import Attempt
from ..z3_text import solve_text


class Z3BitVector:
    name = "z3-bv"
    capabilities = Capabilities("exact", description="z3 on bit-vectors of proven width")

    def available(self) -> str | None:
        return installed_version("z3-solver")

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        def ask(formula: Formula, seconds: float) -> Answer:
            return solve_text(bitvector(formula), seconds, budget.seed)

        return run_queries(self.name, self.available() or "", "exact", claim, budget, progress, ask)


BACKEND = Z3BitVector()
