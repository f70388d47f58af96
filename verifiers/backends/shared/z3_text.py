"""One SMT-LIB script, one call to z3.  For the backends z3-bv and z3-real."""

from __future__ import annotations

from ....encoders.smt import SmtScript
from .queries import SolverAnswer


def solve_text(script: SmtScript, seconds: float, seed: int) -> SolverAnswer:
    """Solve a script within so many seconds."""
    import z3

    context = z3.Context()
    solver = z3.SolverFor(script.logic, ctx=context)
    solver.set("timeout", max(1, int(seconds * 1000)))
    solver.set("random_seed", seed % (1 << 31))
    solver.from_string(script.text)
    answer = solver.check()
    if answer == z3.unsat:
        return SolverAnswer("none")
    if answer == z3.sat:
        model = solver.model()
        values = {d.name(): model[d] for d in model.decls() if d.arity() == 0}
        return SolverAnswer(
            "word",
            script.decode(
                {n: v.as_long() if z3.is_bv_value(v) else z3.is_true(v) for n, v in values.items()}
            ),
        )
    reason = solver.reason_unknown()
    return SolverAnswer(
        "timeout" if reason in ("timeout", "canceled") else "unknown", detail=f"z3 says unknown: {reason}"
    )
