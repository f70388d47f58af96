"""One query as a solver-neutral mixed-integer ReLU formula: is there a word of this label on which this rival wins?

Second step of every encoding: `bounds.py` reduces the network on the label's language, this module names variables and
constraints, `milp.py`, `cpsat.py`, `bitvector.py` and `linear_real.py` translate.  All coefficients are exact integers.
Variables are numbered: the automaton's edges (0/1 flow), the symbol indicators (0/1), then the unstable ReLUs' outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from ..models.automaton import Automaton
from ..models.claim import Rival
from .bounds import Reduced, Rows, present_symbols

Word = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """An integer variable with proved bounds."""

    name: str
    lower: int
    upper: int


@dataclass(frozen=True)
class Linear:
    """sum of coefficient * variable, plus a constant."""

    terms: tuple[tuple[int, int], ...]
    constant: int

    def value(self, values: Sequence[int]) -> int:
        return sum(c * values[v] for v, c in self.terms) + self.constant

    def magnitude(self, variables: Sequence[Variable]) -> int:
        """A bound on the value and on every partial sum within the variables' bounds."""
        return abs(self.constant) + sum(abs(c) * max(abs(variables[v].lower), abs(variables[v].upper)) for v, c in self.terms)


@dataclass(frozen=True)
class Constraint:
    """linear == 0 or linear >= 0."""

    linear: Linear
    relation: Literal["==", ">="]

    def holds(self, values: Sequence[int]) -> bool:
        value = self.linear.value(values)
        return value == 0 if self.relation == "==" else value >= 0


@dataclass(frozen=True)
class ReluConstraint:
    """variable `output` == max(0, argument), where lower <= argument <= upper on every word and lower < 0 < upper."""

    output: int
    argument: Linear
    lower: int
    upper: int


@dataclass(frozen=True, eq=False)
class Formula:
    """Satisfiable iff some word of the language, not in `blocked`, makes `violation` >= 0.

    `flow`: one unit through the automaton, and indicators as sums of edges.  `edges[t][i]` is the variable of the
    automaton's edge i in layer t; `indicators[t]` maps the symbols that occur at t to their variables.
    `violation_bounds` are proved for the whole language.
    """

    name: str
    language: Automaton
    variables: tuple[Variable, ...]
    edges: tuple[tuple[int, ...], ...]
    indicators: tuple[Mapping[int, int], ...]
    flow: tuple[Constraint, ...]
    relus: tuple[ReluConstraint, ...]
    violation: Linear
    violation_bounds: tuple[int, int]
    blocked: tuple[Word, ...] = ()

    @property
    def settled(self) -> bool:
        """The bounds alone show that there is no such word."""
        return self.violation_bounds[1] < 0

    @cached_property
    def exclusions(self) -> tuple[Constraint, ...]:
        """Each blocked word differs somewhere: at most length - 1 of its indicators hold."""
        out = []
        for word in self.blocked:
            terms = tuple((self.indicators[t][s], -1) for t, s in enumerate(word) if s in self.indicators[t])
            if len(terms) == len(word):  # otherwise the word is not in the language
                out.append(Constraint(Linear(terms, len(word) - 1), ">="))
        return tuple(out)

    def blocking(self, words: Sequence[Word]) -> Formula:
        return replace(self, blocked=(*self.blocked, *words))

    def decode(self, assignment: Mapping[int, float] | Sequence[float]) -> Word:
        """The word that an assignment stands for, from its indicators (the largest of a position, so rounding does no harm)."""
        return tuple(max(sorted(here), key=lambda s, here=here: assignment[here[s]]) for here in self.indicators)  # type: ignore[misc]

    def assignment(self, word: Word) -> list[int]:
        """The values that a word of the language gives all variables (exact); the way there."""
        values = [0] * len(self.variables)
        for t, (path, here) in enumerate(zip(self._path(word), self.indicators, strict=True)):
            values[self.edges[t][path]] = 1
            values[here[word[t]]] = 1
        for relu in self.relus:
            values[relu.output] = max(0, relu.argument.value(values))
        return values

    def _path(self, word: Word) -> list[int]:
        """The indices of the word's edges, layer by layer."""
        reach: list[dict[int, list[int]]] = [{s: [] for s in range(self.language.layer_sizes[0])}]
        for symbol, layer in zip(word, self.language.edges, strict=True):
            reach.append({e[2]: [*reach[-1][e[0]], i] for i, e in enumerate(layer) if e[1] == symbol and e[0] in reach[-1]})
        if not reach[-1]:
            raise ValueError(f"{word} is not a word of the language")
        return next(iter(reach[-1].values()))

    def holds(self, values: Sequence[int]) -> bool:
        """Whether an assignment satisfies everything, exactly."""
        return (
            all(v.lower <= x <= v.upper for v, x in zip(self.variables, values, strict=True))
            and all(c.holds(values) for c in (*self.flow, *self.exclusions))
            and all(values[r.output] == max(0, r.argument.value(values)) for r in self.relus)
            and self.violation.value(values) >= 0
        )


def build_formula(reduced: Reduced, rival: Rival, name: str = "query") -> Formula:
    """The query for one rival on the language that the network was reduced on (the words of the rival's label)."""
    language = reduced.language
    variables: list[Variable] = []
    edges = []
    for t, layer in enumerate(language.edges):
        edges.append(tuple(range(len(variables), len(variables) + len(layer))))
        variables += [Variable(f"e{t}_{i}", 0, 1) for i in range(len(layer))]
    indicators = []
    for t, present in enumerate(present_symbols(language)):
        indicators.append({s: len(variables) + i for i, s in enumerate(present)})
        variables += [Variable(f"x{t}_{s}", 0, 1) for s in present]
    outputs = range(len(variables), len(variables) + len(reduced.relus))
    variables += [Variable(f"y{j}", 0, r.upper) for j, r in enumerate(reduced.relus)]

    def linear(symbols: np.ndarray, relus: np.ndarray, constant: int) -> Linear:
        weights = symbols.reshape(language.length, language.symbol_count)
        terms = [(v, int(weights[t, s])) for t, here in enumerate(indicators) for s, v in here.items() if weights[t, s]]
        terms += [(outputs[j], int(c)) for j, c in enumerate(relus) if c]
        return Linear(tuple(terms), int(constant))

    relus = tuple(ReluConstraint(outputs[j], linear(r.symbols, r.relus, r.constant), r.lower, r.upper) for j, r in enumerate(reduced.relus))
    row = reduced.combination(rival.coefficients)
    row = Rows(row.symbols, row.relus, row.constant - rival.threshold)
    lower, upper = reduced.bounds(row)
    violation = linear(row.symbols[0], row.relus[0], row.constant[0])
    flow = _flow(language, edges, indicators)
    bounds = (int(lower[0]), int(upper[0]))
    return Formula(name, language, tuple(variables), tuple(edges), tuple(indicators), flow, relus, violation, bounds)


def _flow(language: Automaton, edges: Sequence[Sequence[int]], indicators: Sequence[Mapping[int, int]]) -> tuple[Constraint, ...]:
    """One unit of flow from the first layer to the last, and every indicator as the sum of its edges."""
    out = []
    into: list[list[tuple[int, int]]] = []
    for t, layer in enumerate(language.edges):
        away: list[list[tuple[int, int]]] = [[] for _ in range(language.layer_sizes[t])]
        arriving: list[list[tuple[int, int]]] = [[] for _ in range(language.layer_sizes[t + 1])]
        through: dict[int, list[tuple[int, int]]] = {symbol: [(x, 1)] for symbol, x in indicators[t].items()}
        for v, (source, symbol, target) in zip(edges[t], layer, strict=True):
            away[source].append((v, -1))
            arriving[target].append((v, 1))
            through[symbol].append((v, -1))
        if t == 0:
            out.append(Constraint(Linear(tuple((v, 1) for v in edges[0]), -1), "=="))
        else:
            out += [Constraint(Linear((*a, *b), 0), "==") for a, b in zip(into, away, strict=True)]
        out += [Constraint(Linear(tuple(terms), 0), "==") for terms in through.values()]
        into = arriving
    return tuple(out)
