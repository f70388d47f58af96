"""The linear program that splits the word per ReLU, and the allowances that its multipliers give.

Used by `tighten.py`; docs/theory/encodings.md §5 has the proof.  Each unstable ReLU has its own copy of the
flow and of the outputs that it reads, scaled by its phase z.  The copy's indicators and outputs are at most
the common ones, and its output is at most its argument on the copy.  No word is lost: the copy is the word if
the ReLU is on, and zero if it is off.  This relaxation is much tighter than the triangle relaxation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from .formula import Allowance, Formula, LinearSum, ReluConstraint
from .lp import Lp

FINE = 4096  # an allowance's factor makes a ReLU's upper bound at least this many integer steps


def readers(formula: Formula) -> frozenset[int]:
    """Return the ReLUs that read other ReLUs."""
    outputs = {relu.output for relu in formula.relus}
    return frozenset(
        j for j, relu in enumerate(formula.relus) if any(v in outputs for v, _ in relu.argument.terms)
    )


class SplitRelaxation:
    """The linear program over the first `count` ReLUs of a formula.  ReLUs in `split` have their own copy."""

    def __init__(self, formula: Formula, count: int, split: frozenset[int] = frozenset()) -> None:
        self.formula, self.lp = formula, Lp()
        self.edges = {e for layer in formula.edges for e in layer}
        self.numbers = {relu.output: j for j, relu in enumerate(formula.relus)}
        one = self.lp.variable(1)
        self.lp.add([(one, 1)], True, 1)
        self.place = self._copy(one, count)
        # Per split ReLU, the rows that link its copy, by variable, and the row of its output.
        self.links: dict[int, tuple[dict[int, int], int]] = {}
        for j, relu in enumerate(formula.relus[:count]):
            if j in split and relu.lower < 0 < relu.upper:
                self._split(j, relu)

    def maximum(self, linear: LinearSum, deadline: float) -> int:
        """Return a proved upper bound of a linear function of the formula's variables.

        `deadline`: of time.monotonic, in seconds.
        """
        objective: dict[int, int] = {}
        for v, c in linear.terms:
            objective[self.place[v]] = objective.get(self.place[v], 0) + c
        return self.lp.maximum(objective, deadline - time.monotonic()) + linear.constant

    def allowances(self, deadline: float) -> tuple[Allowance, ...]:
        """Return the allowances that the multipliers of the last maximum give.

        Their coefficients are rounded up, and their rests are proved anew by linear programs.
        """
        out = []
        for j, (links, active) in self.links.items():
            weight = max(0, self.lp.multipliers[active])
            relu = self.formula.relus[j]
            factor = -(-FINE // relu.upper)
            rounded = (
                ((v, -(-max(0, self.lp.multipliers[row]) * factor // weight)) for v, row in links.items())
                if weight
                else ()
            )
            terms = tuple((v, c) for v, c in rounded if c)
            if weight and deadline > time.monotonic():
                over = combined(relu.argument, factor, LinearSum(terms, 0), -1)
                rest = max(0, SplitRelaxation(self.formula, j).maximum(over, deadline))
                if rest < factor * relu.upper:
                    out.append(Allowance(j, factor, LinearSum(terms, 0), rest))
        return tuple(out)

    def _copy(self, scale: int, count: int) -> dict[int, int]:
        """Add the flow and `count` ReLUs between the sides of their triangles, scaled by the variable
        `scale`.
        """
        variables = [*self.edges, *(x for here in self.formula.indicators for x in here.values())]
        place = {v: self.lp.variable(1) for v in variables}
        for row in self.formula.flow:
            self.lp.add(self._scaled(row.linear, place, scale), True, 0)
        for relu in self.formula.relus[:count]:
            lower, top = relu.lower, max(0, relu.upper)
            y = place[relu.output] = self.lp.variable(top)
            x = self._scaled(relu.argument, place, scale)
            self.lp.add([*x, (y, -1)], False, 0)  # y >= x
            if lower >= 0:
                self.lp.add([(y, 1), *((v, -c) for v, c in x)], False, 0)
            else:  # (u - l) y <= u (x - l); y <= 0 where u <= 0
                self.lp.add(
                    [(y, top - lower), *((v, -top * c) for v, c in x), (scale, top * lower)], False, 0
                )
        return place

    def _scaled(self, linear: LinearSum, place: Mapping[int, int], scale: int) -> list[tuple[int, int]]:
        return [*((place[v], c) for v, c in linear.terms), (scale, linear.constant)]

    def _split(self, j: int, relu: ReluConstraint) -> None:
        phase = self.lp.variable(1)
        own = self._copy(
            phase, max((self.numbers[v] + 1 for v, _ in relu.argument.terms if v in self.numbers), default=0)
        )
        links = {
            v: self.lp.add([(place, 1), (self.place[v], -1)], False, 0)
            for v, place in own.items()
            if v not in self.edges
        }
        active = self._scaled(relu.argument, own, phase)
        self.links[j] = (
            links,
            self.lp.add([(self.place[relu.output], 1), *((v, -c) for v, c in active)], False, 0),
        )


def combined(a: LinearSum, by: int, b: LinearSum, times: int) -> LinearSum:
    """Return a * by + b * times."""
    terms: dict[int, int] = {}
    for linear, factor in ((a, by), (b, times)):
        for v, c in linear.terms:
            terms[v] = terms.get(v, 0) + c * factor
    constant = a.constant * by + b.constant * times
    return LinearSum(tuple((v, c) for v, c in sorted(terms.items()) if c), constant)
