"""Backend `bitwuzla`: bitwuzla on bit-vectors of proven width (exact)."""

from __future__ import annotations

from ...encoders.bitvector import bitvector
from ...encoders.export import smt_bitvector
from ...encoders.formula import Formula
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    import bitwuzla

    encoded = bitvector(formula)
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    options.set(bitwuzla.Option.SEED, budget.seed % (1 << 31))
    options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, int(seconds * 1000)))
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(encoded.text, parse_only=True, parse_file=False)
    solver = parser.bitwuzla()
    answer = solver.check_sat()
    if answer == bitwuzla.Result.UNSAT:
        return SolverAnswer("none")
    if answer == bitwuzla.Result.SAT:
        values = ((term.symbol(), solver.get_value(term)) for term in parser.get_declared_funs())
        return SolverAnswer(
            "word",
            encoded.decode(
                {name: int(v.value(10)) if v.sort().is_bv() else bool(v.value()) for name, v in values}
            ),
        )
    return SolverAnswer("timeout", detail="bitwuzla says unknown at its time limit")


BACKEND = QueryBackend(
    "bitwuzla",
    Capabilities("exact", description="bitwuzla on bit-vectors of proven width"),
    "bitwuzla",
    ask,
    export=smt_bitvector,
)
