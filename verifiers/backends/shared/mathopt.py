"""One call to a MILP solver with tolerances, through OR-Tools' MathOpt.  For the backends highs and scip."""

from __future__ import annotations

import datetime
import math
from typing import Any

from ....common.deadline import LIMITS
from ....encoders.milp import Milp
from .queries import SolverAnswer


def solve_milp(milp: Milp, solver: str, seconds: float, seed: int) -> SolverAnswer:
    """Solve a MILP; `solver` is a MathOpt SolverType name.

    A word that comes back is only proposed: the caller checks it exactly.
    """
    from ortools.math_opt.python import mathopt

    try:
        model = mathopt.Model(name="query")
        variables = [
            model.add_variable(lb=float(v.lower), ub=float(v.upper), is_integer=v.integer, name=v.name)
            for v in milp.variables
        ]
        for row in milp.rows:
            upper = math.inf if row.upper is None else float(row.upper)
            constraint = model.add_linear_constraint(lb=float(row.lower), ub=upper, name=row.name)
            for v, c in row.terms:
                constraint.set_coefficient(variables[v], float(c))
        # `threads` stays unset: HiGHS refuses it, and MathOpt then fails with an unrelated error
        parameters: Any = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=max(0.01, seconds)), random_seed=seed % (1 << 31)
        )
        result = mathopt.solve(model, getattr(mathopt.SolverType, solver), params=parameters)
    except LIMITS:
        raise
    except (
        Exception
    ) as error:  # beyond float64, or numbers that the solver refuses: MathOpt raises kinds of its own
        return SolverAnswer(
            "unknown", detail=f"{solver} does not take the numbers ({milp.inexact or type(error).__name__})"
        )
    if result.has_primal_feasible_solution():
        values = result.variable_values()
        return SolverAnswer("word", milp.decode({i: values[v] for i, v in enumerate(variables)}))
    reason = result.termination.reason
    if reason == mathopt.TerminationReason.INFEASIBLE:
        return (
            SolverAnswer("unknown", detail=f"{solver} finds nothing, but {milp.inexact}")
            if milp.inexact
            else SolverAnswer("none")
        )
    if result.termination.limit == mathopt.Limit.TIME:
        return SolverAnswer("timeout")
    return SolverAnswer(
        "unknown",
        detail=f"{solver} ended with {reason.name.lower()}: {result.termination.detail}".rstrip(": "),
    )
