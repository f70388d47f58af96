"""What `reach` sweeps over: rows of sums along a word, ReLUs of rows, and goals that must stay negative; as 64-bit integers.

Two forms of the same question.  `joined` is exact.  `unfolded` only bounds from above, which is what merging needs: every row
comes as an upper or as a lower copy, chosen so that more of an upper and less of a lower copy can only raise a goal; where
numbers are wide it also rounds, each copy to its side.  Both give tables of what the rest of a word can still add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...encoders.dense import Dense
from ...models.automaton import Automaton
from ...models.errors import Unsupported

if TYPE_CHECKING:
    from .reach_plan import Plan

SAFE = 2**60  # every sum that a sweep makes stays below
WIDTH = 42  # bits of a row's values after rounding
FRACTION = 16  # bits after the point of ReLU weights, where numbers are rounded
SHALLOW = 4  # levels of ReLUs up to which all rows are followed from the start
MARGIN = 4  # values move within rows by at most so many times their own bound


@dataclass(frozen=True, eq=False)
class Edges:
    """One layer of the automaton, sorted by source: state s has `degree[s]` edges from `first[s]` on."""

    first: np.ndarray
    degree: np.ndarray
    symbol: np.ndarray
    target: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """Is there a word on which some goal is >= 0?  Rows 0 .. k - 1 are arguments of ReLUs in topological order, then come the goals.

        row_j(word) = sum_t symbols[j, t, word[t]] + sum_i relus[j, i] / 2**shift * max(0, row_i(word)) + constant[j]

    origin[j]: the row of the query that row j is (a copy of).  sign[j]: 0 where row j is what it is, 1 for an upper copy (the real row is at most this one), -1 for a lower copy.
    lower and upper are proved for the real row; numbers of row j are in units of 2**unit[j].  `level[i]`: ReLU i reads ReLUs of smaller levels only.
    """

    language: Automaton
    symbols: np.ndarray
    relus: np.ndarray
    constant: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    origin: np.ndarray
    sign: np.ndarray
    unit: np.ndarray
    shift: int = 0

    @property
    def count(self) -> int:
        """k, the number of ReLUs."""
        return self.relus.shape[1]

    @property
    def goals(self) -> int:
        return len(self.constant) - self.count

    @cached_property
    def level(self) -> np.ndarray:
        level = np.zeros(self.count, dtype=np.int64)
        for j in range(self.count):
            inputs = np.flatnonzero(self.relus[j])
            level[j] = level[inputs].max() + 1 if len(inputs) else 0
        return level

    @cached_property
    def layers(self) -> tuple[Edges, ...]:
        out = []
        for edges, states in zip(self.language.edges, self.language.layer_sizes, strict=False):
            source, symbol, target = np.array(edges, dtype=np.int64).reshape(-1, 3).T.copy()
            first = np.searchsorted(source, np.arange(states))
            out.append(Edges(first, np.diff(np.append(first, len(source))), symbol, target))
        return tuple(out)

    @cached_property
    def completions(self) -> tuple[np.ndarray, ...]:
        """Per layer and state the number of words from there on; Python integers where 64 bits might not do."""
        dtype = np.int64 if self.language.size < SAFE else object
        return tuple(np.array(counts, dtype=dtype) for counts in self.language.completions())

    def to_go(self, weights: np.ndarray, start: int = 0) -> list[np.ndarray]:
        """Per layer from `start` on: (states, functions), the most that the rest of a word adds.

        weights (functions, positions from start on, symbols).
        """
        tables = [np.zeros((self.language.layer_sizes[-1], len(weights)), dtype=np.int64)]
        for t in reversed(range(start, self.language.length)):
            edges = self.layers[t]
            added = np.ascontiguousarray(weights[:, t - start].T)[edges.symbol]
            tables.append(np.maximum.reduceat(added + tables[-1][edges.target], edges.first, axis=0))
        return tables[::-1]

    @cached_property
    def high(self) -> list[np.ndarray]:
        """Per layer (states, rows): the most that the symbols to come can add to each row."""
        return self.to_go(self.symbols)

    @cached_property
    def low(self) -> list[np.ndarray]:
        return [-table for table in self.to_go(-self.symbols)]

    @cached_property
    def end(self) -> np.ndarray:
        """Per ReLU, the number of symbols after which its argument is known."""
        end = np.zeros(self.count, dtype=np.int64)
        for j in range(self.count):
            places = np.flatnonzero(self.symbols[j].any(axis=1))
            own = int(places[-1]) + 1 if len(places) else 0
            end[j] = max(own, end[np.flatnonzero(self.relus[j])].max(initial=0))
        return end

    @cached_property
    def wake(self) -> np.ndarray:
        """Per row, the number of symbols after which a sweep starts to follow it; before that, it is what it was at first."""
        wake = np.zeros(len(self.constant), dtype=np.int64)
        if self.level.max(initial=0) < SHALLOW:
            return wake
        for j in range(self.count):
            places = np.flatnonzero(self.symbols[j].any(axis=1))
            inputs = np.flatnonzero(self.relus[j])
            own = int(places[0]) + 1 if len(places) else self.language.length
            wake[j] = min(own, self.end[inputs].min(initial=self.language.length), self.end[j])
        return wake

    @cached_property
    def gain(self) -> tuple[np.ndarray, np.ndarray]:
        """Per row, how much a goal can rise at most when the row's value rises by one, and when it falls by one (goals: 1, 0)."""
        up, down = [0] * len(self.constant), [0] * len(self.constant)
        for j in reversed(range(len(up))):
            if j >= self.count:
                up[j] = 1
            for i in np.flatnonzero(self.relus[j]):
                w = int(self.relus[j, i])
                more, less = (up[j], down[j]) if w > 0 else (down[j], up[j])
                up[i] -= -abs(w) * more >> self.shift
                down[i] -= -abs(w) * less >> self.shift
        return np.array(up, dtype=object), np.array(down, dtype=object)

    @cached_property
    def largest(self) -> int:
        """A bound on every value that a sweep computes."""
        return max(_reach(self.symbols, self.relus, self.constant, self.shift))

    @cached_property
    def pull(self) -> np.ndarray:
        """Per row, roughly how much a change by one can change a goal: only to choose by."""
        up, down = self.gain
        return np.maximum(up, down).astype(np.float64)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        from .reach_plan import plans

        return plans(self)

    def away(self, product: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """product / 2**shift, rounded to the side that each row (last axis) may be rounded to."""
        if not self.shift:
            return product
        return np.where(self.sign[rows] > 0, -(-product >> self.shift), product >> self.shift)


def _reach(symbols: np.ndarray, relus: np.ndarray, constant: np.ndarray, shift: int) -> tuple[int, ...]:
    out: list[int] = []
    sums = np.abs(symbols).max(axis=2).sum(axis=1, dtype=object) if symbols.shape[1] else np.zeros(len(symbols), dtype=object)
    for j in range(len(constant)):
        inner = sum(abs(int(w)) * MARGIN * out[i] for i, w in enumerate(relus[j]) if w)
        out.append(abs(int(constant[j])) + int(sums[j]) + (inner >> shift) + relus.shape[1] * bool(shift))
    return tuple(out)


def _needed(relus: np.ndarray, count: int) -> list[int]:
    """The rows that some goal depends on, goals included."""
    needed = [j >= count for j in range(len(relus))]
    for j in reversed(range(len(relus))):
        if needed[j]:
            for i in np.flatnonzero(relus[j]):
                needed[i] = True
    return [j for j, wanted in enumerate(needed) if wanted]


def _stacked(queries: Sequence[Dense]) -> tuple[np.ndarray, ...]:
    """symbols, relus, constant, lower, upper of queries about the same ReLUs: the ReLUs once, then every query's violation."""
    first, others = queries[0], queries[1:]
    names = ("symbols", "relus", "constant", "lower", "upper")
    return tuple(np.concatenate([getattr(first, n).astype(object), *(getattr(q, n)[-1:].astype(object) for q in others)]) for n in names)


def joined(queries: Sequence[Dense]) -> Problem | None:
    """The exact problem of one or more queries about the same ReLUs; None where 64 bits might not do."""
    symbols, relus, constant, lower, upper = _stacked(queries)
    rows = _needed(relus, queries[0].count)
    inner = [j for j in rows if j < queries[0].count]
    relus = relus[np.ix_(rows, inner)]
    arrays = (symbols[rows], relus, constant[rows], lower[rows], upper[rows])
    largest = max(*_reach(*arrays[:3], 0), *(abs(int(v)) for v in arrays[3]), *(abs(int(v)) for v in arrays[4]))
    if largest >= SAFE:
        return None
    return Problem(queries[0].language, *(a.astype(np.int64) for a in arrays), np.array(rows), *np.zeros((2, len(rows)), dtype=np.int64))


def unfolded(queries: Sequence[Dense]) -> Problem:
    """Upper bounds of the same goals, monotone in every row; rounded where 64 bits would not do.  Raises Unsupported where that fails."""
    symbols, relus, constant, lower, upper = _stacked(queries)
    count = queries[0].count
    copies: set[tuple[int, int]] = {(j, 1) for j in range(count, len(constant))}
    for j in reversed(range(len(constant))):
        for sign in (-1, 1):
            if (j, sign) in copies:
                copies |= {(int(i), sign if relus[j, i] > 0 else -sign) for i in np.flatnonzero(relus[j])}
    order = sorted(copies)
    rows = [j for j, _ in order]
    column = {copy: k for k, copy in enumerate(order)}
    inner = sum(j < count for j in rows)
    weights = np.zeros((len(rows), inner), dtype=object)
    for k, (j, sign) in enumerate(order):
        for i in np.flatnonzero(relus[j]):
            weights[k, column[int(i), sign if relus[j, i] > 0 else -sign]] = relus[j, i]
    signs = np.array([sign for _, sign in order], dtype=np.int64)
    arrays = (symbols[rows], weights, constant[rows], lower[rows], upper[rows])
    shift, units = 0, [0] * len(rows)
    largest = max(*_reach(*arrays[:3], 0), *(abs(int(v)) for v in (*arrays[3], *arrays[4])))
    if largest >= SAFE:
        units = [max(0, bound.bit_length() - WIDTH) for bound in _reach(*arrays[:3], 0)]
        arrays, shift = _rounded(arrays, signs, units), FRACTION
        if max(_reach(*arrays[:3], FRACTION)) >= SAFE >> FRACTION:
            raise Unsupported("the numbers are too wide to be rounded to 64 bits")
    return Problem(queries[0].language, *(a.astype(np.int64) for a in arrays), np.array(rows), signs, np.array(units), shift)


def _rounded(arrays: tuple[np.ndarray, ...], signs: np.ndarray, units: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Every row in units of its own power of two, each number rounded to the row's side, ReLU weights with FRACTION bits."""
    symbols, relus, constant, lower, upper = arrays

    def scaled(values: np.ndarray, power: int, up: bool) -> np.ndarray:
        """values * 2**power, rounded up or down."""
        if power >= 0:
            return values << power
        return -(-values >> -power) if up else values >> -power

    out = [np.zeros_like(a) for a in arrays]
    for j, (unit, sign) in enumerate(zip(units, signs, strict=True)):
        out[0][j] = scaled(symbols[j], -unit, sign > 0)
        for i in np.flatnonzero(relus[j]):
            out[1][j, i] = scaled(relus[j, i], units[i] - unit + FRACTION, sign > 0)
        out[2][j : j + 1] = scaled(constant[j : j + 1], -unit, sign > 0)
        out[3][j : j + 1] = scaled(lower[j : j + 1], -unit, False)
        out[4][j : j + 1] = scaled(upper[j : j + 1], -unit, True)
    return tuple(out)
