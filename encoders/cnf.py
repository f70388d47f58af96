"""A formula as clauses, in DIMACS form: the network as adders, the automaton as Booleans.

The last step before a SAT solver.  As in `bitvector.py`, sums are modulo 2**width, and the proved bounds say
that the exact value fits.  Per position, only the difference to the smallest weight there is added, which
keeps the numbers short.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

from .bitvector import signed_width
from .formula import Formula, LinearSum, Word
from .gates import FALSE, Bits, GateClauses, constant


@dataclass(frozen=True, eq=False)
class Cnf:
    """Clauses that are satisfiable iff the formula is.

    `count` is the number of variables.  `indicators` maps the formula's indicators to variables of the
    clauses.
    """

    formula: Formula
    count: int
    clauses: tuple[tuple[int, ...], ...]
    indicators: dict[int, int]

    def decode(self, true: Collection[int]) -> Word:
        """Return the word of a model, given as the numbers of its true variables."""
        return self.formula.decode({x: int(variable in true) for x, variable in self.indicators.items()})

    def text(self) -> str:
        """Return the clauses in DIMACS format, for any SAT solver."""
        head = f"c {' '.join(self.formula.name.split())}\np cnf {self.count} {len(self.clauses)}\n"
        return head + "".join(f"{' '.join(map(str, clause))} 0\n" for clause in self.clauses)


def cnf(formula: Formula) -> Cnf:
    """Encode a formula as clauses."""
    gates = GateClauses()
    indicators = {x: gates.variable() for here in formula.indicators for x in here.values()}
    _language(gates, formula, indicators)
    for row in formula.exclusions:
        gates.add(-indicators[x] for x, _ in row.linear.terms)
    outputs: dict[int, Bits] = {}
    for relu in formula.relus:
        width = signed_width(relu.lower, relu.upper)
        *magnitude, sign = _value(gates, formula, relu.argument, width, indicators, outputs)
        outputs[relu.output] = [
            gates.both(bit, -sign) for bit in magnitude[: max(1, relu.upper.bit_length())]
        ]
        _at_most(gates, outputs[relu.output], relu.upper)
    width = signed_width(*formula.violation_bounds)
    gates.add((-_value(gates, formula, formula.violation, width, indicators, outputs)[-1],))
    return Cnf(formula, gates.count, tuple(gates.clauses), indicators)


def _value(
    gates: GateClauses,
    formula: Formula,
    linear: LinearSum,
    width: int,
    indicators: dict[int, int],
    outputs: dict[int, Bits],
) -> Bits:
    """Return the value modulo 2**width: all that is added, minus all that is subtracted."""
    coefficients, rest = dict(linear.terms), linear.constant
    plus: list[Bits] = []
    minus: list[Bits] = []
    for here in formula.indicators:
        weights = {x: coefficients.get(x, 0) for x in here.values()}
        least = min(weights.values())
        rest += least
        size = (max(weights.values()) - least).bit_length()
        plus.append(
            [
                gates.any(indicators[x] for x, w in weights.items() if (w - least) >> k & 1)
                for k in range(size)
            ]
        )
    for relu in formula.relus:
        for shift, sign in _digits(coefficients.get(relu.output, 0)):
            (plus if sign > 0 else minus).append([FALSE] * shift + outputs.get(relu.output, []))
    if minus:  # -n = ~n + 1 in two's complement
        taken = gates.sum(minus, width)
        plus.append([-bit for bit in taken])
        rest += 1
    return gates.sum([*plus, constant(rest, width)], width)


def _digits(value: int) -> list[tuple[int, int]]:
    """Return signed binary digits (shift, sign), no two of them adjacent.

    A product with a constant then takes the fewest additions: the non-adjacent form (Reitwiesner 1960).
    """
    out, k = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            out.append((k, digit))
            value -= digit
        value, k = value >> 1, k + 1
    return out


def _at_most(gates: GateClauses, number: Bits, limit: int) -> None:
    """Require number <= limit.

    Where the limit has a 0 bit, the number's bit is 0, or the number is smaller above it.
    """
    smaller: list[int] = []
    for k in reversed(range(len(number))):
        if limit >> k & 1:
            smaller.append(-number[k])
        else:
            gates.add((-number[k], *smaller))


def _language(gates: GateClauses, formula: Formula, indicators: dict[int, int]) -> None:
    """Require one symbol per position, at most one state per layer, and states that follow the automaton.

    States imply their successors and their predecessors.
    """
    language = formula.language
    states = [[gates.variable() for _ in range(size)] for size in language.layer_sizes]
    gates.add(states[0])
    for here in states:
        gates.at_most_one(here)
    for t, (groups, layer) in enumerate(zip(formula.groups, formula.arcs, strict=True)):
        symbols = [indicators[x] for x in formula.indicators[t].values()]
        gates.add(symbols)
        gates.at_most_one(symbols)
        reads = [gates.any(indicators[formula.indicators[t][s]] for s in group) for group in groups]
        following: dict[tuple[int, int], list[int]] = {
            (i, g): [] for i in range(len(states[t])) for g in range(len(groups))
        }
        coming: dict[tuple[int, int], list[int]] = {
            (i, g): [] for i in range(len(states[t + 1])) for g in range(len(groups))
        }
        moving: dict[tuple[int, int], list[int]] = {}
        for source, g, target in layer:
            following[source, g].append(states[t + 1][target])
            coming[target, g].append(states[t][source])
            moving.setdefault((source, target), []).append(reads[g])
        for (source, g), after in following.items():
            gates.add((-states[t][source], -reads[g], *after))
        for (target, g), before in coming.items():
            gates.add((-states[t + 1][target], -reads[g], *before))
        for (source, a), (target, b) in product(enumerate(states[t]), enumerate(states[t + 1])):
            gates.add((-a, -b, *moving.get((source, target), [])))
