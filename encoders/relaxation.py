"""The linear program that splits the word per ReLU, and the allowances that its multipliers are (docs/theory/encodings.md §5).

Used by `tighten.py`.  Each ReLU that can go both ways has a copy of the flow and of the outputs it reads, scaled by its phase z;
the copy's indicators and outputs are at most the common ones, and its output is at most its argument on the copy.  On words that
is no restriction (the copy is the word where the ReLU is on, and nothing where it is off), and it is much tighter than the triangle.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from .formula import Allowance, Formula, Linear, ReluConstraint
from .lp import Lp

FINE = 4096  # an allowance's coefficients are integers per 1 / factor, with at least so many steps up to the ReLU's upper bound


def readers(formula: Formula) -> frozenset[int]:
    """The ReLUs that read others."""
    outputs = {relu.output for relu in formula.relus}
    return frozenset(
        j for j, relu in enumerate(formula.relus) if any(v in outputs for v, _ in relu.argument.terms)
    )


class Relaxation:
    """The program over the first `count` ReLUs of a formula; `split` are those with a word of their own."""

    def __init__(self, formula: Formula, count: int, split: frozenset[int] = frozenset()) -> None:
        self.formula, self.lp = formula, Lp()
        self.edges = {e for layer in formula.edges for e in layer}
        self.numbers = {relu.output: j for j, relu in enumerate(formula.relus)}
        one = self.lp.variable(1)
        self.lp.add([(one, 1)], True, 1)
        self.place = self._copy(one, count)
        self.links: dict[
            int, tuple[dict[int, int], int]
        ] = {}  # per split ReLU: the rows of its links by variable, and the last row
        for j, relu in enumerate(formula.relus[:count]):
            if j in split and relu.lower < 0 < relu.upper:
                self._split(j, relu)

    def maximum(self, linear: Linear, deadline: float) -> int:
        """A proved upper bound of a linear function of the formula's variables."""
        objective: dict[int, int] = {}
        for v, c in linear.terms:
            objective[self.place[v]] = objective.get(self.place[v], 0) + c
        return self.lp.maximum(objective, deadline - time.monotonic()) + linear.constant

    def allowances(self, deadline: float) -> tuple[Allowance, ...]:
        """What the multipliers of the last maximum say, rounded up, with rests that are proved anew."""
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
                over = combined(relu.argument, factor, Linear(terms, 0), -1)
                rest = max(0, Relaxation(self.formula, j).maximum(over, deadline))
                if rest < factor * relu.upper:
                    out.append(Allowance(j, factor, Linear(terms, 0), rest))
        return tuple(out)

    def _copy(self, scale: int, count: int) -> dict[int, int]:
        """The flow, and `count` ReLUs between the sides of their triangles, all times a variable `scale` of the program."""
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

    def _scaled(self, linear: Linear, place: Mapping[int, int], scale: int) -> list[tuple[int, int]]:
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


def combined(a: Linear, by: int, b: Linear, times: int) -> Linear:
    """a * by + b * times."""
    terms: dict[int, int] = {}
    for linear, factor in ((a, by), (b, times)):
        for v, c in linear.terms:
            terms[v] = terms.get(v, 0) + c * factor
    return Linear(tuple((v, c) for v, c in sorted(terms.items()) if c), a.constant * by + b.constant * times)
