"""A formula as a mixed-integer linear program: big-M ReLUs from proved bounds, the automaton as a flow.

The last step before a MILP solver.  Only the indicators and one phase per ReLU are integer: with integral
indicators, the flow of an unambiguous automaton is one path.  ReLU outputs are scaled by powers of two, which
is exact in float64 and keeps the big-M constants close to what the solvers' tolerances suit.  If float64
cannot hold the rows, or a neuron has more steps than any tolerance resolves, `inexact` says so.  Then
solutions are still tried as words, but "infeasible" means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .formula import Formula, LinearSum, Word

EXACT_COEFFICIENT = 2**53  # integers up to here are exact in float64
HOPELESS_RANGE = 2**40  # a step of a sum with more integer steps than this is far below any tolerance
COMFORTABLE = 10  # outputs are scaled down to at most about 2**COMFORTABLE


@dataclass(frozen=True)
class MilpVariable:
    """lower <= value <= upper, integer or continuous.  The formula's value is `value * unit`."""

    name: str
    lower: Fraction
    upper: Fraction
    integer: bool
    unit: int = 1


@dataclass(frozen=True)
class MilpRow:
    """The sum of coefficient * variable is >= `lower`, or == `lower` if `upper` is the same."""

    name: str
    terms: tuple[tuple[int, Fraction], ...]
    lower: Fraction
    upper: Fraction | None


@dataclass(frozen=True, eq=False)
class Milp:
    """A MILP that is feasible iff the formula is satisfiable.  Its first variables are the formula's.

    If `inexact` is not "", it says why a solver with float64 cannot tell whether the MILP is infeasible.
    """

    formula: Formula
    variables: tuple[MilpVariable, ...]
    rows: tuple[MilpRow, ...]
    inexact: str = ""

    def decode(self, assignment: Mapping[int, float]) -> Word:
        """Return the word of a solution, given as the values of the variables by number."""
        return self.formula.decode(assignment)

    def mps_text(self) -> str:
        """Return the MILP in free MPS format, for any solver."""
        columns: list[list[tuple[str, Fraction]]] = [[] for _ in self.variables]
        rows, rhs = [" N obj"], []
        for row in self.rows:
            rows.append(f" {'G' if row.upper is None else 'E'} {row.name}")
            rhs.append(f" RHS {row.name} {_decimal(row.lower)}")
            for v, c in row.terms:
                columns[v].append((row.name, c))
        body = []
        for integer in (True, False):
            marker = [f" MARKER 'MARKER' '{word}'" for word in ("INTORG", "INTEND")] if integer else []
            body += marker[:1]
            for variable, column in zip(self.variables, columns, strict=True):
                if variable.integer == integer:
                    body += [
                        f" {variable.name} {row_name} {_decimal(c)}"
                        for row_name, c in [("obj", Fraction(0)), *column]
                    ]
            body += marker[1:]
        bounds = [
            f" {kind} BND {v.name} {_decimal(b)}"
            for v in self.variables
            for kind, b in (("LO", v.lower), ("UP", v.upper))
        ]
        title = "".join(c if c.isalnum() else "_" for c in self.formula.name)
        return (
            "\n".join(
                [f"NAME {title}", "ROWS", *rows, "COLUMNS", *body, "RHS", *rhs, "BOUNDS", *bounds, "ENDATA"]
            )
            + "\n"
        )

    def lp_text(self) -> str:
        """Return the MILP in CPLEX's LP format, which people can read, for any solver."""
        # "1 e5" would be read as a number, so arcs get another name.
        names = [f"arc{v.name[1:]}" if v.name.startswith("e") else v.name for v in self.variables]
        lines = [
            f"\\ {' '.join(self.formula.name.split())}",
            "Minimize",
            " obj: 0 " + names[0] if names else " obj:",
            "Subject To",
        ]
        for row in self.rows:
            terms = [f"{'-' if c < 0 else '+'} {_decimal(abs(c))} {names[v]}" for v, c in row.terms] or [
                f"+ 0 {names[0]}"
            ]
            lines.append(f" {row.name}:")
            # Old readers stop at 255 characters.
            lines += ["  " + " ".join(terms[i : i + 8]) for i in range(0, len(terms), 8)]
            lines.append(f"  {'>=' if row.upper is None else '='} {_decimal(row.lower)}")
        lines.append("Bounds")
        lines += [
            f" {_decimal(v.lower)} <= {name} <= {_decimal(v.upper)}"
            for v, name in zip(self.variables, names, strict=True)
        ]
        lines += [
            "General",
            *(f" {name}" for v, name in zip(self.variables, names, strict=True) if v.integer),
            "End",
        ]
        return "\n".join(lines) + "\n"


def _decimal(value: Fraction) -> str:
    """Return a dyadic rational as an exact decimal."""
    # The denominator is 2**digits, so value * 10**digits is an integer.
    digits = value.denominator.bit_length() - 1
    scaled = abs(value.numerator) * 5**digits
    text = str(scaled).rjust(digits + 1, "0")
    text = f"{text[: len(text) - digits]}.{text[len(text) - digits :]}" if digits else text
    return ("-" if value < 0 else "") + text


def milp(formula: Formula) -> Milp:
    """Encode a formula.  The MILP is exact in its fractions; `Milp.inexact` says what float64 makes of it."""
    outputs = {relu.output for relu in formula.relus}
    indicators = {x for here in formula.indicators for x in here.values()}
    variables: list[MilpVariable] = []
    for v, variable in enumerate(formula.variables):
        unit = 1 << max(0, variable.upper.bit_length() - COMFORTABLE) if v in outputs else 1
        variables.append(
            MilpVariable(
                variable.name,
                Fraction(variable.lower, unit),
                Fraction(variable.upper, unit),
                v in indicators,
                unit,
            )
        )
    phases = {}
    for j, relu in enumerate(formula.relus):
        phases[relu.output] = len(variables)
        variables.append(MilpVariable(f"z{j}", Fraction(0), Fraction(1), True))

    rows: list[MilpRow] = []

    def add(
        name: str, linear: LinearSum, relation: str, unit: int, extra: tuple[tuple[int, int], ...] = ()
    ) -> None:
        """linear + extra (relation) 0, divided by `unit`."""
        terms = tuple((v, Fraction(c * variables[v].unit, unit)) for v, c in (*linear.terms, *extra))
        bound = Fraction(-linear.constant, unit)
        rows.append(MilpRow(name, terms, bound, bound if relation == "==" else None))

    for i, constraint in enumerate(formula.flow):
        add(f"flow{i}", constraint.linear, constraint.relation, 1)
    for i, constraint in enumerate(formula.exclusions):
        add(f"not{i}", constraint.linear, constraint.relation, 1)
    for j, relu in enumerate(formula.relus):
        y, z = relu.output, phases[relu.output]
        unit = variables[y].unit
        minus = LinearSum(tuple((v, -c) for v, c in relu.argument.terms), -relu.argument.constant)
        add(f"above{j}", minus, ">=", unit, ((y, 1),))  # y >= x
        shifted = LinearSum(relu.argument.terms, relu.argument.constant - relu.lower)
        add(f"line{j}", shifted, ">=", unit, ((y, -1), (z, relu.lower)))  # y <= x - l (1 - z)
        add(f"phase{j}", LinearSum((), 0), ">=", unit, ((y, -1), (z, relu.upper)))  # y <= u z
    for i, known in enumerate(formula.allowances):
        relu = formula.relus[known.relu]
        y, unit = relu.output, known.factor * variables[relu.output].unit
        unit = 1 << (unit.bit_length() - 1)
        add(f"allowance{i}", known.share, ">=", unit, ((y, -known.factor), (phases[relu.output], known.rest)))
    lower, upper = formula.violation_bounds
    unit = 1 << max(0, max(abs(lower), abs(upper)).bit_length() - COMFORTABLE - 10)
    add("violation", formula.violation, ">=", unit)
    return Milp(formula, tuple(variables), tuple(rows), _inexact(formula, rows))


def _inexact(formula: Formula, rows: list[MilpRow]) -> str:
    """Return why a solver with float64 cannot tell whether the rows are infeasible; "" if it can."""
    steps = max((max(-r.lower, r.upper) for r in formula.relus), default=0)
    if max(steps, *map(abs, formula.violation_bounds)) > HOPELESS_RANGE:
        power = HOPELESS_RANGE.bit_length() - 1
        return f"a sum has more than 2^{power} integer steps, finer than any tolerance of a MILP solver"
    numbers = (number for row in rows for number in (row.lower, *(c for _, c in row.terms)))
    if any(abs(number.numerator) > EXACT_COEFFICIENT for number in numbers):
        return "a coefficient is not exact in float64"
    return ""
