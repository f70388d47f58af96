"""One query as a solver-neutral mixed-integer ReLU formula: is there a word of this label on which this rival wins?

Second step of every encoding: `bounds.py` reduces the network on the label's language, this module names variables and
constraints, `milp.py`, `cpsat.py`, `bitvector.py`, `linear_real.py`, `pseudo_boolean.py` and `cnf.py` translate.  All
coefficients are exact integers.  Variables are numbered: the arcs (0/1 flow), the symbol indicators (0/1), then the
unstable ReLUs' outputs.  Symbols that the program does not tell apart share their arcs, and those that the network does
not tell apart either are one symbol (`symbols.py`).
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
from .bounds import Reduced, Rows
from .options import BEST, Encoding
from .symbols import Arc, grouped, without_twins

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
        return abs(self.constant) + sum(
            abs(c) * max(abs(variables[v].lower), abs(variables[v].upper)) for v, c in self.terms
        )


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
    """variable `output` == max(0, argument), where lower <= argument <= upper on every word and lower < 0 < upper.

    Where nothing is folded, lower <= 0 <= upper.
    """

    output: int
    argument: Linear
    lower: int
    upper: int


@dataclass(frozen=True)
class Allowance:
    """factor * (output of ReLU `relu`) <= share + rest * (1 if the ReLU is on, else 0), on every word.

    `share` has no negative coefficients and no constant; rest >= 0.
    """

    relu: int
    factor: int
    share: Linear
    rest: int


@dataclass(frozen=True, eq=False)
class Formula:
    """Satisfiable iff some word of the language that ends in an `accepting` state, and is not in `blocked`, makes `violation` >= 0.

    `groups[t]`: the symbols that occur at t, those with the same transitions together.  `arcs[t]`: the automaton's edges there,
    with a group in place of a symbol; `edges[t][i]` is the variable of arc i.  `indicators[t]` maps symbols to their variables.
    `flow`: one unit through the arcs to an accepting state, and per group, its indicators and its arcs sum to the same.
    `twins[t]`: for each symbol that has twins, all of them; only the first occurs in the language, and stands for the others.
    `violation_bounds` are proved for the whole language, and so are the `allowances`, which follow from the rest.
    """

    name: str
    language: Automaton
    accepting: tuple[int, ...]
    variables: tuple[Variable, ...]
    groups: tuple[tuple[tuple[int, ...], ...], ...]
    arcs: tuple[tuple[Arc, ...], ...]
    edges: tuple[tuple[int, ...], ...]
    indicators: tuple[Mapping[int, int], ...]
    twins: tuple[Mapping[int, tuple[int, ...]], ...]
    flow: tuple[Constraint, ...]
    relus: tuple[ReluConstraint, ...]
    violation: Linear
    violation_bounds: tuple[int, int]
    encoding: Encoding = BEST
    blocked: tuple[Word, ...] = ()
    allowances: tuple[Allowance, ...] = ()

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
        """Without these words, and without those that are alike."""
        return replace(self, blocked=tuple(dict.fromkeys((*self.blocked, *map(self.first_alike, words)))))

    def decode(self, assignment: Mapping[int, float] | Sequence[float]) -> Word:
        """The word that an assignment stands for, from its indicators (the largest of a position, so rounding does no harm)."""
        return tuple(
            max(sorted(here), key=lambda symbol: assignment[here[symbol]]) for here in self.indicators
        )

    def alike(self, word: Word) -> Iterator[Word]:
        """The words that neither the rows of the network nor the program tell from this one, the one that stands for them first."""
        return product(*(here.get(s, (s,)) for s, here in zip(word, self.twins, strict=True)))

    def first_alike(self, word: Word) -> Word:
        return next(self.alike(word))

    def assignment(self, word: Word) -> list[int]:
        """The values that a word of the language gives all variables (exact); the way there."""
        word, values = self.first_alike(word), [0] * len(self.variables)
        for t, (path, here) in enumerate(zip(self._path(word), self.indicators, strict=True)):
            values[self.edges[t][path]] = 1
            values[here[word[t]]] = 1
        for relu in self.relus:
            values[relu.output] = max(0, relu.argument.value(values))
        return values

    def _path(self, word: Word) -> list[int]:
        """The indices of the word's arcs, layer by layer."""
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
        """Whether an assignment satisfies everything, exactly."""
        return (
            all(v.lower <= x <= v.upper for v, x in zip(self.variables, values, strict=True))
            and all(c.holds(values) for c in (*self.flow, *self.exclusions))
            and all(values[r.output] == max(0, r.argument.value(values)) for r in self.relus)
            and self.violation.value(values) >= 0
        )


def build_formula(reduced: Reduced, rival: Rival, name: str = "query") -> Formula:
    """The query for one rival, on the language that the network was reduced on: the words of the rival's label, or of all labels."""
    encoding = reduced.encoding
    row = reduced.lead(rival)
    lower, upper = reduced.bounds(row)
    kept = _read(reduced, row) if encoding.fold else list(range(len(reduced.relus)))
    rows = [
        *((r.symbols, r.relus, r.constant) for r in (reduced.relus[j] for j in kept)),
        (row.symbols[0], row.relus[0], row.constant[0]),
    ]
    language = reduced.language
    twins: tuple[Mapping[int, tuple[int, ...]], ...] = ({},) * language.length
    if encoding.merge:
        language, twins = without_twins(language, [symbols for symbols, _, _ in rows])
    groups, arcs = grouped(language, encoding.merge)

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

    def linear(symbols: np.ndarray, relus: np.ndarray, constant: int) -> Linear:
        weights = symbols.reshape(language.length, language.symbol_count).tolist()
        terms = [
            (v, weights[t][s]) for t, here in enumerate(indicators) for s, v in here.items() if weights[t][s]
        ]
        terms += [(outputs[j], c) for j, c in enumerate(relus.tolist()) if c]
        return Linear(tuple(terms), int(constant))

    sums = [linear(*row) for row in rows]
    relus = tuple(
        ReluConstraint(outputs[j], sums[i], reduced.relus[j].lower, reduced.relus[j].upper)
        for i, j in enumerate(kept)
    )
    accepting = (
        tuple(i for i, label in enumerate(language.labels) if label == rival.label)
        if encoding.whole
        else tuple(range(len(language.labels)))
    )
    flow = _flow(language, accepting, groups, arcs, edges, indicators)
    bounds = (int(lower[0]), int(upper[0]))
    return Formula(
        name, language, accepting, tuple(variables), groups, arcs, tuple(edges), tuple(indicators), twins, flow, relus, sums[-1], bounds, encoding
    )  # fmt: skip


def _read(reduced: Reduced, row: Rows) -> list[int]:
    """The ReLUs that the row reads, itself or through others."""
    needed = {j for j, c in enumerate(row.relus[0]) if c}
    for j in reversed(range(len(reduced.relus))):
        if j in needed:
            needed |= {i for i, c in enumerate(reduced.relus[j].relus) if c}
    return sorted(needed)


def _flow(
    language: Automaton,
    accepting: tuple[int, ...],
    groups: Sequence[Sequence[Sequence[int]]],
    arcs: Sequence[Sequence[Arc]],
    edges: Sequence[Sequence[int]],
    indicators: Sequence[Mapping[int, int]],
) -> tuple[Constraint, ...]:
    """One unit of flow from the first layer to the last's accepting states; per group, indicators and arcs sum to the same."""
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
            out.append(Constraint(Linear(tuple((v, 1) for v in edges[0]), -1), "=="))
        else:
            out += [Constraint(Linear((*a, *b), 0), "==") for a, b in zip(into, away, strict=True)]
        out += [Constraint(Linear(tuple(terms), 0), "==") for terms in through]
        into = arriving
    refused = [term for state, terms in enumerate(into) if state not in accepting for term in terms]
    if refused:
        out.append(Constraint(Linear(tuple(refused), 0), "=="))
    return tuple(out)
