"""A formula as pseudo-Boolean constraints: 0/1 variables, integer weights, ReLU outputs in binary.

The last step before a pseudo-Boolean solver.  Each output has as many bits as its own bound needs, and a
phase.  The automaton is the formula's flow.  All numbers are integers of any size: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from .formula import Formula, LinearSum, Word

Terms = tuple[tuple[int, int], ...]  # coefficient, variable number from 1


@dataclass(frozen=True)
class PbRow:
    """The sum of coefficient * variable is = or >= `bound`."""

    terms: Terms
    relation: Literal["=", ">="]
    bound: int


@dataclass(frozen=True, eq=False)
class PseudoBoolean:
    """Constraints that are satisfiable iff the formula is, over the variables 1 to `count`.

    `bits[v]` are the bits of the formula's variable v, lowest first.  `phases` has one variable per ReLU.
    """

    formula: Formula
    count: int
    bits: tuple[tuple[int, ...], ...]
    phases: tuple[int, ...]
    rows: tuple[PbRow, ...]

    def decode(self, true: Collection[int]) -> Word:
        """Return the word of a model, given as the numbers of the variables that are 1."""
        return self.formula.decode(
            {x: int(self.bits[x][0] in true) for here in self.formula.indicators for x in here.values()}
        )

    def text(self) -> str:
        """Return the constraints in OPB format, for any pseudo-Boolean solver."""
        sizes = f"* #variable= {self.count} #constraint= {len(self.rows)}\n"
        head = f"{sizes}* {' '.join(self.formula.name.split())}\n"
        return head + "".join(
            f"{' '.join(f'{c:+d} x{v}' for c, v in row.terms)} {row.relation} {row.bound} ;\n"
            for row in self.rows
        )


def pseudo_boolean(formula: Formula) -> PseudoBoolean:
    """Encode a formula as pseudo-Boolean constraints."""
    outputs = {relu.output for relu in formula.relus}
    count, bits = 0, []
    for v, variable in enumerate(formula.variables):
        width = max(1, variable.upper.bit_length()) if v in outputs else 1
        bits.append(tuple(range(count + 1, count + 1 + width)))
        count += width
    phases = tuple(range(count + 1, count + 1 + len(formula.relus)))
    rows: list[PbRow] = []

    def add(linear: LinearSum, relation: Literal["==", ">="], *extra: tuple[int, int]) -> None:
        """linear + extra (relation) 0; `extra` are terms over variable numbers."""
        terms = tuple((c << k, bit) for v, c in linear.terms for k, bit in enumerate(bits[v]))
        rows.append(PbRow((*terms, *extra), "=" if relation == "==" else ">=", -linear.constant))

    for constraint in (*formula.flow, *formula.exclusions):
        add(constraint.linear, constraint.relation)
    for relu, phase in zip(formula.relus, phases, strict=True):
        x, own = relu.argument, bits[relu.output]
        output = tuple((1 << k, bit) for k, bit in enumerate(own))
        minus = tuple((-c, bit) for c, bit in output)
        add(LinearSum(tuple((v, -c) for v, c in x.terms), -x.constant), ">=", *output)  # y >= x
        add(
            LinearSum(x.terms, x.constant - relu.lower), ">=", *minus, (relu.lower, phase)
        )  # y <= x - l (1 - z)
        add(LinearSum((), 0), ">=", *minus, (relu.upper, phase))  # y <= u z
    for known in formula.allowances:
        taken = ((-known.factor << k, bit) for k, bit in enumerate(bits[formula.relus[known.relu].output]))
        add(known.share, ">=", *taken, (known.rest, phases[known.relu]))
    add(formula.violation, ">=")
    return PseudoBoolean(formula, count + len(phases), tuple(bits), phases, tuple(rows))
