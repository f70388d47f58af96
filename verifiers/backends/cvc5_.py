"""Backend `cvc5`: cvc5 on linear reals (exact).  Optional: extra `cvc5`."""

from __future__ import annotations

from ...encoders.export import smt_real
from ...encoders.formula import Formula
from ...encoders.linear_real import linear_real
from ..race.backend import Budget, Capabilities
from .shared.queries import QueryBackend, SolverAnswer


def ask(formula: Formula, seconds: float, budget: Budget) -> SolverAnswer:
    """Put one formula to the solver."""
    import cvc5

    script = linear_real(formula)  # on bit-vectors it is slower still (docs/theory/encodings.md)
    solver = cvc5.Solver(cvc5.TermManager())
    for option, value in {
        "produce-models": "true",
        "tlimit-per": max(1, int(seconds * 1000)),
        "seed": budget.seed % (1 << 31),
    }.items():
        solver.setOption(option, str(value))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script.text, "query")
    symbols = parser.getSymbolManager()
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols).strip() or said
    if said == "unsat":
        return SolverAnswer("none")
    if said == "sat":
        values = (
            (term, solver.getValue(term)) for term in symbols.getDeclaredTerms() if term.getSort().isBoolean()
        )
        return SolverAnswer(
            "word", script.decode({term.getSymbol(): value.getBooleanValue() for term, value in values})
        )
    return SolverAnswer(
        "timeout" if said in ("timeout", "unknown") else "unknown", detail=f"cvc5 says {said}"
    )


BACKEND = QueryBackend(
    "cvc5",
    Capabilities("exact", description="cvc5 on linear reals"),
    "cvc5",
    ask,
    export=smt_real,
)
