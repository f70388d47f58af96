"""Backend `bitwuzla`: bitwuzla on bit-vectors of proven width (exact)."""

from __future__ import annotations

from collections.abc import Callable

from ...encoders.bitvector import bitvector
from ...encoders.formula import Formula
from ...models.claim import Claim
from ..backend import Budget, Capabilities, installed_version
from ..queries import Answer, run_queries, too_big
from ..verdict import Attempt


class BitwuzlaBackend:
    name = "bitwuzla"
    capabilities = Capabilities("exact", description="bitwuzla on bit-vectors of proven width")

    def available(self) -> str | None:
        return installed_version("bitwuzla")

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        def ask(formula: Formula, seconds: float) -> Answer:
            return solve_query(formula, seconds, budget.seed)

        return run_queries(self.name, self.available() or "", "exact", claim, budget, progress, ask)


def solve_query(formula: Formula, seconds: float, seed: int) -> Answer:
    import bitwuzla

    encoded = bitvector(formula)
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    options.set(bitwuzla.Option.SEED, seed % (1 << 31))
    options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, int(seconds * 1000)))
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(encoded.text, parse_only=True, parse_file=False)
    solver = parser.bitwuzla()
    answer = solver.check_sat()
    if answer == bitwuzla.Result.UNSAT:
        return Answer("none")
    if answer == bitwuzla.Result.SAT:
        booleans = [term for term in parser.get_declared_funs() if term.sort().is_bool()]
        return Answer("word", encoded.decode({term.symbol(): bool(solver.get_value(term).value()) for term in booleans}))
    return Answer("timeout", detail="bitwuzla says unknown at its time limit")


BACKEND = BitwuzlaBackend()
