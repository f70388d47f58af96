"""A formula as SMT-LIB 2.6 text in QF_BV: every neuron in a two's-complement word whose width its bounds prove sufficient.

Last step before a bit-vector solver (z3 and bitwuzla read the same text).  Addition and multiplication are modulo
2**width, so partial sums may wrap: it is enough that the value itself lies in the signed range, and the proved bounds
say that it does, on every word.  Operands of other widths are cut or extended by zeros: outputs are never negative.
"""

from __future__ import annotations

from .formula import Formula, Linear
from .plain import plain_bitvector
from .smt import SmtScript, script, selection, text


def signed_width(lower: int, upper: int) -> int:
    """The smallest width whose signed range contains [lower, upper]."""
    return max((-lower - 1).bit_length() if lower < 0 else 0, upper.bit_length() if upper > 0 else 0) + 1


def bitvector(formula: Formula) -> SmtScript:
    if formula.encoding.plain:
        return SmtScript(
            formula,
            "QF_BV",
            text(formula, "QF_BV", plain_bitvector(formula)),
            tuple(f"t{t}" for t in range(formula.language.length)),
        )
    widths: dict[int, int] = {}  # of the ReLU outputs, as unsigned words
    lines = []
    for j, relu in enumerate(formula.relus):
        width = signed_width(relu.lower, relu.upper)
        lines.append(f"(define-fun p{j} () (_ BitVec {width}) {_sum(formula, relu.argument, width, widths)})")
        widths[relu.output] = max(1, relu.upper.bit_length())
        if formula.encoding.redundant:
            lines += _range(f"p{j}", width, relu.lower, relu.upper)
        name, top = formula.variables[relu.output].name, widths[relu.output] - 1
        lines.append(
            f"(define-fun {name} () (_ BitVec {top + 1}) (ite (= ((_ extract {width - 1} {width - 1}) p{j}) #b1)"
            f" {_constant(0, top + 1)} ((_ extract {top} 0) p{j})))"
        )
    width = signed_width(*formula.violation_bounds)
    lines.append(
        f"(define-fun violation () (_ BitVec {width}) {_sum(formula, formula.violation, width, widths)})"
    )
    lines.append(f"(assert (= ((_ extract {width - 1} {width - 1}) violation) #b0))")
    if formula.encoding.redundant:
        lines += _range("violation", width, -(1 << (width - 1)), formula.violation_bounds[1])
    return script(formula, "QF_BV", lines)


def _range(name: str, width: int, lower: int, upper: int) -> list[str]:
    """Its proved bounds, where the width does not say them already: implied, and spares the solver finding them."""
    low, high = lower > -(1 << (width - 1)), upper < (1 << (width - 1)) - 1
    return [f"(assert (bvsle {_constant(lower, width)} {name}))"] * low + [
        f"(assert (bvsle {name} {_constant(upper, width)}))"
    ] * high


def _constant(value: int, width: int) -> str:
    return f"(_ bv{value % (1 << width)} {width})"


def _fitted(name: str, have: int, want: int) -> str:
    if have == want:
        return name
    return f"((_ zero_extend {want - have}) {name})" if have < want else f"((_ extract {want - 1} 0) {name})"


def _sum(formula: Formula, linear: Linear, width: int, widths: dict[int, int]) -> str:
    """The sum modulo 2**width: one selection per position, one product per ReLU output."""
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
    """A balanced tree of additions: shallower circuits than a chain."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"(bvadd {_balanced(parts[:half])} {_balanced(parts[half:])})"
