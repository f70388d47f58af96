"""A formula as SMT-LIB 2.6 text in QF_BV: each neuron is a bit-vector as wide as its bounds need.

The last step before a bit-vector solver; z3 and bitwuzla read the same text.  Numbers are in two's
complement.  Sums and products are modulo 2**width, so partial sums may wrap.  It is enough that the exact
value lies in the signed range, and the proved bounds say that it does on every word of the language.
Operands of other widths are cut, or extended by zeros because outputs are never negative.
"""

from __future__ import annotations

from .formula import Formula, LinearSum
from .smt import SmtScript, script, selection


def signed_width(lower: int, upper: int) -> int:
    """Return the smallest width, in bits, whose signed range contains [lower, upper]."""
    return max((-lower - 1).bit_length() if lower < 0 else 0, upper.bit_length() if upper > 0 else 0) + 1


def bitvector(formula: Formula) -> SmtScript:
    """Encode a formula.  The script is satisfiable iff the formula is."""
    widths: dict[int, int] = {}  # of the ReLU outputs, which are unsigned
    lines = []
    for j, relu in enumerate(formula.relus):
        width = signed_width(relu.lower, relu.upper)
        lines.append(f"(define-fun p{j} () (_ BitVec {width}) {_sum(formula, relu.argument, width, widths)})")
        widths[relu.output] = max(1, relu.upper.bit_length())
        lines += _range(f"p{j}", width, relu.lower, relu.upper)
        name, top = formula.variables[relu.output].name, widths[relu.output] - 1
        negative = f"(= ((_ extract {width - 1} {width - 1}) p{j}) #b1)"
        lines.append(
            f"(define-fun {name} () (_ BitVec {top + 1}) (ite {negative}"
            f" {_constant(0, top + 1)} ((_ extract {top} 0) p{j})))"
        )
    width = signed_width(*formula.violation_bounds)
    lines.append(
        f"(define-fun violation () (_ BitVec {width}) {_sum(formula, formula.violation, width, widths)})"
    )
    lines.append(f"(assert (= ((_ extract {width - 1} {width - 1}) violation) #b0))")
    lines += _range("violation", width, -(1 << (width - 1)), formula.violation_bounds[1])
    return script(formula, "QF_BV", lines)


def _range(name: str, width: int, lower: int, upper: int) -> list[str]:
    """Return a neuron's proved bounds as constraints, unless the width implies them.

    They follow from the rest, but save the solver work.
    """
    low, high = lower > -(1 << (width - 1)), upper < (1 << (width - 1)) - 1
    return [f"(assert (bvsle {_constant(lower, width)} {name}))"] * low + [
        f"(assert (bvsle {name} {_constant(upper, width)}))"
    ] * high


def _constant(value: int, width: int) -> str:
    return f"(_ bv{value % (1 << width)} {width})"


def _fitted(name: str, have: int, want: int) -> str:
    """Return an unsigned bit-vector, cut or extended to the wanted width."""
    if have == want:
        return name
    return f"((_ zero_extend {want - have}) {name})" if have < want else f"((_ extract {want - 1} 0) {name})"


def _sum(formula: Formula, linear: LinearSum, width: int, widths: dict[int, int]) -> str:
    """Return the sum modulo 2**width: one selection per position, one product per ReLU output."""
    coefficients = dict(linear.terms)
    parts = []
    for here in formula.indicators:
        chosen = [
            (formula.variables[x].name, _constant(coefficients[x], width))
            for x in here.values()
            if coefficients.get(x)
        ]
        if chosen:
            parts.append(selection(chosen, _constant(0, width)))
    for v, have in widths.items():
        if c := coefficients.get(v):
            term = _fitted(formula.variables[v].name, have, width)
            parts.append(
                term if c == 1 else f"(bvneg {term})" if c == -1 else f"(bvmul {_constant(c, width)} {term})"
            )
    if linear.constant or not parts:
        parts.append(_constant(linear.constant, width))
    return _balanced(parts)


def _balanced(parts: list[str]) -> str:
    """Add in a balanced tree, which makes shallower circuits than a chain."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"(bvadd {_balanced(parts[:half])} {_balanced(parts[half:])})"
