"""Proved upper bounds of a network's rows over parts of a language, for given multipliers.

The backward pass of `bab`: from the last ReLU layer to the first, ReLUs are replaced by their relaxation
(`relaxation.py`); what is left is linear in the symbols, and its maximum over the words is a dynamic program
(`paths.py`): not a box, the language.

Its twin is `box_bounds.py`.  Both take the step through a ReLU from `relaxation.py`, and both ask an input
set for the maximum (`support.py`).  They stay two because the arithmetic differs.  Here a label's rows are
one triangular matrix of integers, so that a layer is one product with all rows before it, however many layers
are skipped; multipliers are multiples of 2**-GRID, so that all numbers are dyadic.  Where magnitudes prove
that none has more than 53 bits, float64 computes the bound exactly; elsewhere (three layers; raw float32
weights, whose integers do not even fit) a proved bound on the rounding is added.  There the network is a
graph of rounded matrices, and every bound has its rounding added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .multipliers import GRID, Multipliers, subgradient
from .support import Support
from .word_queries import EXACT, FloatQueries


@dataclass(frozen=True, eq=False)
class WordSupport:
    """Subsets of a language, one for each function.

    `symbol_mask` (length, symbols, functions) and `state_mask` (length + 1, width, functions) are 0 or -inf;
    None where nothing is cut off.
    """

    problem: FloatQueries
    symbol_mask: np.ndarray | None = None
    state_mask: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> WordSupport:
        masks = (None if m is None else m[..., rows] for m in (self.symbol_mask, self.state_mask))
        return WordSupport(self.problem, *masks)

    def support(
        self, coefficients: np.ndarray, *, trace: bool = True
    ) -> Support[tuple[np.ndarray, np.ndarray]]:
        """Maximise sums of rows' symbol parts; coefficients (functions, rows).

        Attained at (words, states), empty without `trace`.

        Raises nothing; a function without any word has -inf.
        """
        rows, length, symbols = self.problem.symbols.shape
        weights = self.problem.symbols.reshape(rows, -1).T @ coefficients.T
        weights = weights.reshape(length, symbols, len(coefficients))
        if self.symbol_mask is not None:
            weights += self.symbol_mask
        value, words, states = self.problem.paths.best(weights, self.state_mask, trace=trace)
        return Support(value, 0.0, (words, states))


@dataclass(frozen=True, eq=False)
class RowObjectives:
    """Functions to bound from above: sign[f] * row target[f], on words of `words`, with phases of ReLUs.

    `phase` (functions, k): 1 active, -1 inactive, 0 open; `lower`, `upper` (functions, k): bounds of the
    ReLUs' arguments.
    """

    target: np.ndarray
    sign: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    words: WordSupport

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: np.ndarray) -> RowObjectives:
        given = (self.target, self.sign, self.lower, self.upper, self.phase, self.words)
        return RowObjectives(*(a[rows] for a in given))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class WordBounds:
    """`upper`: proved bounds (functions,), -inf where there is no word.

    The rest serves branching and the derivative.

    `words` (functions, length), `states` (functions, length + 1): the path that attains it; `coefficients`
    (functions, k): of each ReLU's output when it was replaced.
    """

    upper: np.ndarray
    words: np.ndarray
    states: np.ndarray
    coefficients: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> WordBounds:
        return WordBounds(self.upper[rows], self.words[rows], self.states[rows], self.coefficients[rows])


def bounds(
    problem: FloatQueries, batch: RowObjectives, multipliers: Multipliers, *, trace: bool = True
) -> WordBounds:
    """Bound the batch's functions from above, with multipliers that lie on the grid."""
    count, k = len(batch), problem.count
    coefficients = problem.relus[batch.target] * batch.sign[:, None]  # of ReLUs' outputs
    into = np.zeros((count, len(problem.reach)))  # of rows
    into[np.arange(count), batch.target] = batch.sign
    added = np.zeros(count)
    size = problem.reach[batch.target]  # bounds every partial sum so far
    expanded = problem.total[batch.target]  # the sum of all absolute products so far
    depth = np.zeros(count)
    relaxation = multipliers.relaxation(batch.lower, batch.upper, batch.phase)
    largest = np.maximum(-batch.lower, batch.upper)
    for group in reversed(problem.groups):
        here, layer = coefficients[:, group], relaxation.columns(group)
        plus, minus = np.maximum(here, 0), np.minimum(here, 0)
        passed = layer.backward(plus, minus)
        added += (plus * layer.lift).sum(axis=1)
        lifted = (plus * largest[:, group]).sum(axis=1)
        sizes = np.abs(passed)
        size = size + lifted + sizes @ problem.reach[group]
        expanded = expanded + lifted + sizes @ problem.total[group]
        depth += here.any(axis=1) | passed.any(axis=1)
        into[:, group] += passed
        coefficients[:, : group.start] += passed @ problem.relus[group, : group.start]
    found = batch.words.support(into, trace=trace)
    upper = found.value + (into @ problem.constant + added)
    rows, length, _ = problem.symbols.shape
    operations = 2 + (len(problem.groups) + 1) * (k + len(problem.groups) + 4) + rows + length + 8
    rounded = (size * 2.0 ** (GRID * depth) >= EXACT) | (not problem.exact)
    upper = np.where(rounded, upper + expanded * (operations * 2.0**-51), upper)
    return WordBounds(upper, *found.at, coefficients)


def derivative(
    problem: FloatQueries,
    batch: RowObjectives,
    multipliers: Multipliers,
    found: WordBounds,
    own: np.ndarray,
) -> Multipliers:
    """How the bounds change with each multiplier: a forward pass of the relaxed network on the words that
    attain them.

    `own` (functions, rows): what symbols and constant add to the rows on `found.words`.
    """
    relaxation = multipliers.relaxation(batch.lower, batch.upper, batch.phase)
    x = own[:, : problem.count].copy()
    for group in problem.groups:
        y = relaxation.columns(group).forward(found.coefficients[:, group], x[:, group])
        x[:, group.stop :] += y @ problem.relus[group.stop : problem.count, group].T
    return subgradient(multipliers, (batch.lower, batch.upper, batch.phase), found.coefficients, x)
