"""A formula as SMT-LIB 2.6 text in QF_LRA: reals for neurons, Booleans for symbols and phases.

The last step before an SMT solver with exact rationals.  The upper line of each ReLU between its bounds is
stated too: it follows from the rest, and saves the simplex algorithm many case splits.
"""

from __future__ import annotations

from .formula import Formula, LinearSum
from .smt import SmtScript, script, selection


def linear_real(formula: Formula) -> SmtScript:
    """Encode a formula.  The script is satisfiable iff the formula is."""
    lines = []
    for j, relu in enumerate(formula.relus):
        y = formula.variables[relu.output].name
        lines += [f"(declare-const p{j} Real)", f"(declare-const {y} Real)", f"(declare-const z{j} Bool)"]
        lines.append(f"(assert (= p{j} {_sum(formula, relu.argument)}))")
        lines.append(f"(assert (>= {y} 0.0))")
        lines.append(f"(assert (>= {y} p{j}))")
        lines.append(f"(assert (ite z{j} (and (>= p{j} 0.0) (= {y} p{j})) (and (<= p{j} 0.0) (= {y} 0.0))))")
        area, top = relu.upper - relu.lower, relu.upper  # (u - l) y <= u (x - l)
        line = f"(+ (* {_number(top)} p{j}) {_number(-top * relu.lower)})"
        lines.append(f"(assert (<= (* {_number(area)} {y}) {line}))")
    for known in formula.allowances:
        y, rest = (
            formula.variables[formula.relus[known.relu].output].name,
            f"(ite z{known.relu} {_number(known.rest)} 0.0)",
        )
        lines.append(f"(assert (<= (* {_number(known.factor)} {y}) (+ {_sum(formula, known.share)} {rest})))")
    lines.append(f"(assert (>= {_sum(formula, formula.violation)} 0.0))")
    return script(formula, "QF_LRA", lines)


def _number(value: int) -> str:
    return f"{value}.0" if value >= 0 else f"(- {-value}.0)"


def _sum(formula: Formula, linear: LinearSum) -> str:
    coefficients = dict(linear.terms)
    parts = []
    for here in formula.indicators:
        chosen = [
            (formula.variables[x].name, _number(coefficients[x]))
            for x in here.values()
            if coefficients.get(x)
        ]
        if chosen:
            parts.append(selection(chosen, "0.0"))
    for relu in formula.relus:
        if c := coefficients.get(relu.output):
            name = formula.variables[relu.output].name
            parts.append(name if c == 1 else f"(* {_number(c)} {name})")
    parts.append(_number(linear.constant))
    return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"
