"""A formula as pseudo-Boolean constraints: 0/1 variables, integer weights, ReLU outputs in binary.

Last step before a pseudo-Boolean solver; `cnf.py` is the way to clauses.  Every output has as many bits
as its own bound needs and a phase; the program is the formula's flow.  All integers, of any size: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from .formula import Formula, Linear, Word

Terms = tuple[tuple[int, int], ...]  # coefficient, variable number from 1


@dataclass(frozen=True)
class PbRow:
    """sum of coefficient * variable (relation) bound."""

    terms: Terms
    relation: Literal["=", ">="]
    bound: int


@dataclass(frozen=True, eq=False)
class PseudoBoolean:
    """Satisfiable iff the formula is.  Variables 1 to `count`; `bits[v]` are those of the formula's variable v, lowest bit first."""

    formula: Formula
    count: int
    bits: tuple[tuple[int, ...], ...]
    phases: tuple[int, ...]
    rows: tuple[PbRow, ...]

    def decode(self, true: Collection[int]) -> Word:
        """The word of a model, given as the numbers of the variables that are 1."""
        return self.formula.decode(
            {x: int(self.bits[x][0] in true) for here in self.formula.indicators for x in here.values()}
        )

    def text(self) -> str:
        """The constraints in OPB format, for any pseudo-Boolean solver."""
        head = f"* #variable= {self.count} #constraint= {len(self.rows)}\n* {' '.join(self.formula.name.split())}\n"
        return head + "".join(
            f"{' '.join(f'{c:+d} x{v}' for c, v in row.terms)} {row.relation} {row.bound} ;\n"
            for row in self.rows
        )


def pseudo_boolean(formula: Formula) -> PseudoBoolean:
    outputs = {relu.output for relu in formula.relus}
    count, bits = 0, []
    for v, variable in enumerate(formula.variables):
        width = max(1, variable.upper.bit_length()) if v in outputs else 1
        bits.append(tuple(range(count + 1, count + 1 + width)))
        count += width
    phases = tuple(range(count + 1, count + 1 + len(formula.relus)))
    rows: list[PbRow] = []

    def add(linear: Linear, relation: Literal["==", ">="], *extra: tuple[int, int]) -> None:
        """linear + extra (relation) 0; `extra` are terms over variable numbers."""
        terms = tuple((c << k, bit) for v, c in linear.terms for k, bit in enumerate(bits[v]))
        rows.append(PbRow((*terms, *extra), "=" if relation == "==" else ">=", -linear.constant))

    for constraint in (*formula.flow, *formula.exclusions):
        add(constraint.linear, constraint.relation)
    for relu, phase in zip(formula.relus, phases, strict=True):
        x, own = relu.argument, bits[relu.output]
        output = tuple((1 << k, bit) for k, bit in enumerate(own))
        minus = tuple((-c, bit) for c, bit in output)
        add(Linear(tuple((v, -c) for v, c in x.terms), -x.constant), ">=", *output)  # y >= x
        add(Linear(x.terms, x.constant - relu.lower), ">=", *minus, (relu.lower, phase))  # y <= x - l (1 - z)
        add(Linear((), 0), ">=", *minus, (relu.upper, phase))  # y <= u z
    for known in formula.allowances:
        taken = ((-known.factor << k, bit) for k, bit in enumerate(bits[formula.relus[known.relu].output]))
        add(known.share, ">=", *taken, (known.rest, phases[known.relu]))
    add(formula.violation, ">=")
    return PseudoBoolean(formula, count + len(phases), tuple(bits), phases, tuple(rows))
