"""One query as a formula for any solver: is there a word of this label on which this rival wins?

The second step of every encoding.  `presolve.py` reduces the network on the words of the label, this module
names variables and constraints, and one module per solver language translates them: `milp.py`, `cpsat.py`,
`bitvector.py`, `linear_real.py`, `pseudo_boolean.py`, `cnf.py`.  All coefficients are exact integers.
Variables are numbered: first the arcs (a 0/1 flow), then the symbol indicators (0/1), then the outputs of the
unstable ReLUs.  Symbols that the program does not distinguish share their arcs; those that the network does
not distinguish either are one symbol (`symbols.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.claims.decision import Rival
from .bounds import AffineRows
from .presolve import Reduced
from .symbols import Arc, grouped, without_twins

Word = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """An integer variable with proved bounds."""

    name: str
    lower: int
    upper: int


@dataclass(frozen=True)
class LinearSum:
    """sum of coefficient * variable, plus a constant.  `terms` are (variable, coefficient)."""

    terms: tuple[tuple[int, int], ...]
    constant: int

    def value(self, values: Sequence[int]) -> int:
        """Return the sum for given values of all variables."""
        return sum(c * values[v] for v, c in self.terms) + self.constant

    def magnitude(self, variables: Sequence[Variable]) -> int:
        """Return a bound on the size of the value and of every partial sum, within the variables' bounds."""
        return abs(self.constant) + sum(
            abs(c) * max(abs(variables[v].lower), abs(variables[v].upper)) for v, c in self.terms
        )


@dataclass(frozen=True)
class Constraint:
    """linear == 0 or linear >= 0."""

    linear: LinearSum
    relation: Literal["==", ">="]

    def holds(self, values: Sequence[int]) -> bool:
        """Return whether given values of all variables satisfy it."""
        value = self.linear.value(values)
        return value == 0 if self.relation == "==" else value >= 0


@dataclass(frozen=True)
class ReluConstraint:
    """variable `output` == max(0, argument).

    On every word lower <= argument <= upper, with lower < 0 < upper.
    """

    output: int
    argument: LinearSum
    lower: int
    upper: int


@dataclass(frozen=True)
class Allowance:
    """factor * (output of ReLU `relu`) <= share + rest * (1 if the ReLU is on, else 0), on every word.

    `share` has no negative coefficients and no constant, and rest >= 0.
    """

    relu: int
    factor: int
    share: LinearSum
    rest: int


@dataclass(frozen=True, eq=False)
class Formula:
    """A formula that is satisfiable iff some word of the language, not in `blocked`, makes `violation` >= 0.

    - `groups[t]`: the symbols that occur at position t.  Those with the same transitions are one group.
    - `arcs[t]`: the automaton's edges at t, with groups for symbols.  `edges[t][i]`: arc i's variable.
    - `indicators[t]`: the variable of each symbol at t.
    - `twins[t]`: for each symbol with twins, all of them.  Only the first occurs in the language, for all.
    - `flow`: one unit flows through the arcs; for each group, its indicators and its arcs have the same sum.
    - `violation_bounds`: bounds of the violation, proved for the whole language.
    - `allowances`: constraints that follow from the rest and help solvers.
    """

    name: str
    language: Automaton
    variables: tuple[Variable, ...]
    groups: tuple[tuple[tuple[int, ...], ...], ...]
    arcs: tuple[tuple[Arc, ...], ...]
    edges: tuple[tuple[int, ...], ...]
    indicators: tuple[Mapping[int, int], ...]
    twins: tuple[Mapping[int, tuple[int, ...]], ...]
    flow: tuple[Constraint, ...]
    relus: tuple[ReluConstraint, ...]
    violation: LinearSum
    violation_bounds: tuple[int, int]
    blocked: tuple[Word, ...] = ()
    allowances: tuple[Allowance, ...] = ()

    @property
    def settled(self) -> bool:
        """Return whether the bounds alone show that there is no such word."""
        return self.violation_bounds[1] < 0

    @cached_property
    def exclusions(self) -> tuple[Constraint, ...]:
        """Return, for each blocked word, that at most length - 1 of its indicators are 1."""
        out = []
        for word in self.blocked:
            terms = tuple((self.indicators[t][s], -1) for t, s in enumerate(word) if s in self.indicators[t])
            if len(terms) == len(word):  # otherwise the word is not in the language
                out.append(Constraint(LinearSum(terms, len(word) - 1), ">="))
        return tuple(out)

    def blocking(self, words: Sequence[Word]) -> Formula:
        """Return the formula without these words and without the words that are alike."""
        return replace(self, blocked=tuple(dict.fromkeys((*self.blocked, *map(self.first_alike, words)))))

    def decode(self, assignment: Mapping[int, float] | Sequence[float]) -> Word:
        """Return the word of an assignment: at each position the symbol with the largest indicator.

        Values may be rounded, as solvers with tolerances give them.
        """
        return tuple(
            max(sorted(here), key=lambda symbol: assignment[here[symbol]]) for here in self.indicators
        )

    def alike(self, word: Word) -> Iterator[Word]:
        """Yield the words that network and program do not distinguish from this one, first the one that
        represents them.
        """
        return product(*(here.get(s, (s,)) for s, here in zip(word, self.twins, strict=True)))

    def first_alike(self, word: Word) -> Word:
        """Return the word that represents this one and all that are alike."""
        return next(self.alike(word))

    def assignment(self, word: Word) -> list[int]:
        """Return the exact values that a word of the language gives to all variables: the inverse of
        `decode`.
        """
        word, values = self.first_alike(word), [0] * len(self.variables)
        for t, (path, here) in enumerate(zip(self._path(word), self.indicators, strict=True)):
            values[self.edges[t][path]] = 1
            values[here[word[t]]] = 1
        for relu in self.relus:
            values[relu.output] = max(0, relu.argument.value(values))
        return values

    def _path(self, word: Word) -> list[int]:
        """Return the indices of the word's arcs, layer by layer.

        Raises ValueError if it is not in the language.
        """
        reach: list[dict[int, list[int]]] = [{s: [] for s in range(self.language.layer_sizes[0])}]
        for symbol, groups, layer in zip(word, self.groups, self.arcs, strict=True):
            reading = [symbol in group for group in groups]
            reach.append(
                {
                    a[2]: [*reach[-1][a[0]], i]
                    for i, a in enumerate(layer)
                    if reading[a[1]] and a[0] in reach[-1]
                }
            )
        if not reach[-1]:
            raise ValueError(f"{word} is not a word of the language")
        return next(iter(reach[-1].values()))

    def holds(self, values: Sequence[int]) -> bool:
        """Return whether an assignment satisfies everything, in exact arithmetic."""
        return (
            all(v.lower <= x <= v.upper for v, x in zip(self.variables, values, strict=True))
            and all(c.holds(values) for c in (*self.flow, *self.exclusions))
            and all(values[r.output] == max(0, r.argument.value(values)) for r in self.relus)
            and self.violation.value(values) >= 0
        )


def build_formula(reduced: Reduced, rival: Rival, name: str = "query") -> Formula:
    """Build the query for one rival on the language that the network was reduced on (the words of the rival's
    label).
    """
    row = reduced.lead(rival)
    lower, upper = reduced.bounds(row)
    kept = _read(reduced, row)
    rows = [
        *((r.symbols, r.relus, r.constant) for r in (reduced.relus[j] for j in kept)),
        (row.symbols[0], row.relus[0], row.constant[0]),
    ]
    language, twins = without_twins(reduced.language, [symbols for symbols, _, _ in rows])
    groups, arcs = grouped(language)

    variables: list[Variable] = []
    edges = []
    for t, layer in enumerate(arcs):
        edges.append(tuple(range(len(variables), len(variables) + len(layer))))
        variables += [Variable(f"e{t}_{i}", 0, 1) for i in range(len(layer))]
    indicators = []
    for t, here in enumerate(groups):
        present = sorted(s for group in here for s in group)
        indicators.append({s: len(variables) + i for i, s in enumerate(present)})
        variables += [Variable(f"x{t}_{s}", 0, 1) for s in present]
    outputs = {j: len(variables) + i for i, j in enumerate(kept)}
    variables += [Variable(f"y{i}", 0, reduced.relus[j].upper) for i, j in enumerate(kept)]

    def linear(symbols: np.ndarray, relus: np.ndarray, constant: int) -> LinearSum:
        weights = symbols.reshape(language.length, language.symbol_count).tolist()
        terms = [
            (v, weights[t][s]) for t, here in enumerate(indicators) for s, v in here.items() if weights[t][s]
        ]
        terms += [(outputs[j], c) for j, c in enumerate(relus.tolist()) if c]
        return LinearSum(tuple(terms), int(constant))

    sums = [linear(*row) for row in rows]
    relus = tuple(
        ReluConstraint(outputs[j], sums[i], reduced.relus[j].lower, reduced.relus[j].upper)
        for i, j in enumerate(kept)
    )
    return Formula(
        name=name,
        language=language,
        variables=tuple(variables),
        groups=groups,
        arcs=arcs,
        edges=tuple(edges),
        indicators=tuple(indicators),
        twins=twins,
        flow=_flow(language, groups, arcs, edges, indicators),
        relus=relus,
        violation=sums[-1],
        violation_bounds=(int(lower[0]), int(upper[0])),
    )


def _read(reduced: Reduced, row: AffineRows) -> list[int]:
    """Return the ReLUs that the row reads, itself or through others."""
    needed = {j for j, c in enumerate(row.relus[0]) if c}
    for j in reversed(range(len(reduced.relus))):
        if j in needed:
            needed |= {i for i, c in enumerate(reduced.relus[j].relus) if c}
    return sorted(needed)


def _flow(
    language: Automaton,
    groups: Sequence[Sequence[Sequence[int]]],
    arcs: Sequence[Sequence[Arc]],
    edges: Sequence[Sequence[int]],
    indicators: Sequence[Mapping[int, int]],
) -> tuple[Constraint, ...]:
    """Return the constraints of one unit of flow from the first layer to the last, with the indicators of
    each group.
    """
    out = []
    into: list[list[tuple[int, int]]] = []
    for t, layer in enumerate(arcs):
        away: list[list[tuple[int, int]]] = [[] for _ in range(language.layer_sizes[t])]
        arriving: list[list[tuple[int, int]]] = [[] for _ in range(language.layer_sizes[t + 1])]
        through = [[(indicators[t][symbol], 1) for symbol in group] for group in groups[t]]
        for v, (source, group, target) in zip(edges[t], layer, strict=True):
            away[source].append((v, -1))
            arriving[target].append((v, 1))
            through[group].append((v, -1))
        if t == 0:
            out.append(Constraint(LinearSum(tuple((v, 1) for v in edges[0]), -1), "=="))
        else:
            out += [Constraint(LinearSum((*a, *b), 0), "==") for a, b in zip(into, away, strict=True)]
        out += [Constraint(LinearSum(tuple(terms), 0), "==") for terms in through]
        into = arriving
    return tuple(out)
