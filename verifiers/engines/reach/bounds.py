"""Bounds rows over a graph of words, in 64-bit integers.

Stands between `graph.py` and `grouped.py`.  For every function it finds a linear upper bound (`lines.py`),
its maximum over the graph, and a word that attains the maximum.  It also improves the multipliers and chooses
the ReLU to split.  Bounds are integers.  Floating point only chooses multipliers and splits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ....common.errors import Unsupported
from .graph import Graph
from .lines import Functions, LinearForms, RowShape, functions
from .problem import SAFE, ReachProblem

# Bits after the point in the coefficients of bounds; more where weights are rounded, and thus fractions.
BITS, ROUNDED_BITS = 10, 24


class ReachOutOfTime(Exception):
    """The time is up in the middle of a step; the step has to begin again."""


@dataclass(frozen=True, eq=False)
class Side:
    """A function to be shown negative: sign * row + offset, in units of the row.

    rival: the rival's place among the queries.
    wins: False if a negative value shows that the rival loses (the function is its goal), True if a negative
        value shows that it wins (the function is -1 - goal).
    row: the goal's row in the problem.
    """

    rival: int
    wins: bool
    row: int
    sign: int
    offset: int


@dataclass(frozen=True, eq=False)
class Bounded:
    """Upper bounds of functions on a graph, and the words that attain them.

    side (functions,): the index of each function's `Side` in `Bounder.sides`.
    asked: the functions, with their multipliers.
    fit: their linear upper bounds.
    weights (positions, symbols, functions): what a symbol adds to a linear bound.
    tables: per layer (nodes, functions), the most that is added from a node on.
    upper (functions,): the maximum of each linear bound, times 2**bits.
    words (functions, positions): a word that attains it.
    own (functions, rows): the rows' own sums on that word, in floating point.
    """

    side: np.ndarray
    asked: Functions
    fit: LinearForms
    weights: np.ndarray
    tables: list[np.ndarray]
    upper: np.ndarray
    words: np.ndarray
    own: np.ndarray

    def __len__(self) -> int:
        return len(self.upper)

    def take(self, rows: np.ndarray) -> Bounded:
        """Select some functions."""
        tables = [table[:, rows] for table in self.tables]
        parts = (self.upper[rows], self.words[rows], self.own[rows])
        return Bounded(
            self.side[rows],
            self.asked.take(rows),
            self.fit.take(rows),
            self.weights[:, :, rows],
            tables,
            *parts,
        )

    def improved(self, new: Bounded) -> Bounded:
        """Replace each function by its version in `new` where that has a smaller upper bound."""
        better = new.upper < self.upper
        if not better.any():
            return self
        if better.all():
            return new

        def pick(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return np.where(better.reshape(-1, *[1] * (a.ndim - 1)), b, a)

        asked = Functions(*(pick(a, b) for a, b in zip(self.asked.arrays, new.asked.arrays, strict=True)))
        fit = LinearForms(*(pick(a, b) for a, b in zip(self.fit.arrays, new.fit.arrays, strict=True)))
        tables = [np.where(better, b, a) for a, b in zip(self.tables, new.tables, strict=True)]
        weights = np.where(better, new.weights, self.weights)
        parts = (pick(self.upper, new.upper), pick(self.words, new.words), pick(self.own, new.own))
        return Bounded(self.side, asked, fit, weights, tables, *parts)


class Bounder:
    """Bounds the functions of a problem that `sides` asks about.

    Raises Unsupported if the numbers are too wide for multipliers of 64 bits.
    """

    def __init__(self, problem: ReachProblem, sides: tuple[Side, ...]) -> None:
        self.problem, self.sides = problem, sides
        self.inner = problem.count
        self.shape = RowShape(problem.relus, problem.levels, problem.sign, problem.shift)
        self.flat = problem.symbols.reshape(len(problem.constant), -1)
        self.places = np.arange(problem.symbols.shape[1]) * problem.symbols.shape[2]
        self.bits = min(
            ROUNDED_BITS if problem.shift else BITS,
            SAFE.bit_length() - 1 - max(problem.largest, problem.steepest).bit_length(),
        )
        if self.bits < 0:
            raise Unsupported("the numbers are too wide for multipliers of 64 bits")
        self.most = problem.gain * 2.0**self.bits
        self.pairs = problem.origin[: self.inner]

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """Return bounds (low, high), each (ReLUs,), of the ReLUs' arguments on all words."""
        return self.problem.lower[: self.inner], self.problem.upper[: self.inner]

    def asking(self, sides: np.ndarray, low: np.ndarray, high: np.ndarray) -> Functions:
        """Make one function per index in `sides`, with the first multipliers.

        The ReLUs' arguments are in low .. high (ReLUs,) on the words that are meant.
        """
        rows = np.array([self.sides[s].row for s in sides], dtype=np.int64)
        scale = np.array([self.sides[s].sign << self.bits for s in sides], dtype=np.int64)
        offset = np.array([self.sides[s].offset << self.bits for s in sides], dtype=np.int64)
        phase = np.where(low >= 0, 1, np.where(high <= 0, -1, 0)).astype(np.int8)
        repeated = (
            np.repeat(a[None], len(sides), axis=0) for a in (np.minimum(low, 0), np.maximum(high, 0), phase)
        )
        return functions(rows, scale, offset, *repeated)

    def bounded(self, graph: Graph, asked: Functions, side: np.ndarray) -> Bounded:
        """Bound the functions `asked` on the words of a graph.

        side (functions,): the indices of their sides.
        """
        fit = self.shape.lines(asked)
        weights = self.weights(fit)
        constant = fit.constant + fit.factors @ self.problem.constant
        tables = graph.backward(weights, np.broadcast_to(constant, (graph.sizes[-1], len(asked))))
        words = graph.best(weights, tables, np.arange(len(asked)))
        return Bounded(side, asked, fit, weights, tables, tables[0].max(axis=0), words, self.own(words))

    def weights(self, fit: LinearForms) -> np.ndarray:
        """Return what each symbol adds to the linear bounds: (positions, symbols, functions)."""
        return np.ascontiguousarray((fit.factors @ self.flat).T).reshape(*self.problem.symbols.shape[1:], -1)

    def own(self, words: np.ndarray) -> np.ndarray:
        """Return the rows' own sums (words, rows), in floating point; only choices rest on them."""
        result: np.ndarray = (
            self.flat.T[words + self.places].sum(axis=1).astype(np.float64) + self.problem.constant
        )
        return result

    def arguments(self, own: np.ndarray) -> np.ndarray:
        """Return the ReLUs' arguments (words, ReLUs), in floating point, from the rows' own sums."""
        x = own[:, : self.inner].copy()
        for columns in self.shape.levels:
            x += np.maximum(x[:, columns], 0) @ self.shape.real[: self.inner, columns].T
        return x

    def likely(self, bounds: Bounded) -> np.ndarray:
        """Return, per bound, whether some goal seems to be >= 0 on the word that attains it."""
        goals = [side.row for side in self.sides if not side.wins]
        if not goals:
            return np.zeros(len(bounds), dtype=bool)
        x = self.arguments(bounds.own)
        value = bounds.own[:, goals] + np.maximum(x, 0) @ self.shape.real[goals].T
        result: np.ndarray = (value >= -1e-6 * (1 + np.abs(bounds.own[:, goals]))).any(axis=1)
        return result

    def attack(self, graph: Graph, words: np.ndarray, steps: int) -> Iterator[Bounded]:
        """Look for words that err, starting from `words`, for some steps; yield the bounds of each step.

        A step fixes each ReLU's phase as it is on the word, and goes to the word that is best for a goal of
        the network so linearised.
        """
        goals = [s for s, side in enumerate(self.sides) if not side.wins]
        which = np.resize(goals, len(words))
        for _ in range(steps):
            own = self.own(words)
            asked = self.asking(which, *self.whole())
            asked = replace(asked, phase=np.where(self.arguments(own) > 0, 1, -1).astype(np.int8))
            found = self.bounded(graph, asked, which)
            yield found
            words = found.words

    def moved(self, now: Bounded, before: np.ndarray | None) -> tuple[Functions, np.ndarray]:
        """Take a subgradient step that aims at bounds just below 0.

        before: the direction of the previous step, or None.

        Returns the functions with their new multipliers, and the direction of the step.
        """
        scale = 2.0**-self.bits
        return self.shape.moved(
            now.asked, now.fit.outputs * scale, now.own, 1.05 * now.upper * scale + 1, self.most, before
        )

    def loss(self, best: Bounded) -> np.ndarray:
        """Return, per function and ReLU, what the relaxation loses on the word that attains the bound."""
        return self.shape.loss(best.asked, best.fit.outputs, self.arguments(best.own)) / 2.0**self.bits

    def halves(self, best: Bounded) -> tuple[Functions, np.ndarray] | None:
        """Split every function by the phase of its open ReLU that loses most.

        Returns the functions with that ReLU active, then those with it inactive, and the sides' indices.
        Returns None if some function has no open ReLU.
        """
        loss = np.where(best.asked.phase == 0, self.loss(best), -np.inf)
        if not self.inner or not np.isfinite(loss.max(axis=1)).all():
            return None
        relu = loss.argmax(axis=1)
        both = best.asked.take(np.tile(np.arange(len(best)), 2))
        a = np.tile(best.fit.outputs, (2, 1))
        same = self.pairs[None] == self.pairs[relu][:, None]
        phase = np.concatenate([np.where(same, value, best.asked.phase) for value in (1, -1)]).astype(np.int8)
        # With these multipliers the bound stays as it was, or improves.
        beta = np.where(a < 0, -a * np.where(phase > 0, 1 - both.below, both.below), 0.0)
        return replace(both, phase=phase, beta=np.where(phase == both.phase, both.beta, beta)), np.tile(
            best.side, 2
        )

    def boxes(
        self, graph: Graph, low: np.ndarray, high: np.ndarray, until: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bound the ReLUs' arguments and the sides on the words that end at each final node.

        Returns low and high (final nodes, ReLUs), and upper bounds (final nodes, sides) times 2**bits.
        Raises ReachOutOfTime after `until`, a time of `time.monotonic()`.
        """
        ends = graph.sizes[-1]
        lows, highs = np.repeat(low[None], ends, axis=0), np.repeat(high[None], ends, axis=0)
        for columns in self.shape.levels:
            least, most = lows.min(axis=0), highs.max(axis=0)
            open_ = columns[(least[columns] < 0) & (most[columns] > 0)]
            rows = [(int(j), sign) for sign in (1, -1) for j in open_ if self.problem.sign[j] * sign >= 0]
            if not rows:
                continue
            if time.monotonic() > until:
                raise ReachOutOfTime
            bound = self._unscaled(self._ends(graph, rows, least, most))
            for (j, sign), column in zip(rows, bound.T, strict=True):
                same = np.flatnonzero(self.pairs == self.pairs[j])
                if sign > 0:
                    highs[:, same] = np.minimum(highs[:, same], column[:, None])
                else:
                    lows[:, same] = np.maximum(lows[:, same], -column[:, None])
        offset = np.array([side.offset << self.bits for side in self.sides])
        sides = (
            self._ends(
                graph, [(side.row, side.sign) for side in self.sides], lows.min(axis=0), highs.max(axis=0)
            )
            + offset
        )
        return lows, highs, sides

    def _ends(
        self, graph: Graph, rows: list[tuple[int, int]], low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Return upper bounds (final nodes, rows) of sign * row, times 2**bits."""
        asked = self.plain(rows, low, high)
        fit = self.shape.lines(asked)
        *_, last = graph.forward(self.weights(fit))
        result: np.ndarray = last + (fit.constant + fit.factors @ self.problem.constant)
        return result

    def _unscaled(self, bounds: np.ndarray) -> np.ndarray:
        """Divide bounds by 2**bits: rounded down where rows are integers, up where units are coarser."""
        return -(-bounds >> self.bits) if self.problem.shift else bounds >> self.bits

    def plain(self, rows: list[tuple[int, int]], low: np.ndarray, high: np.ndarray) -> Functions:
        """Make the functions sign * row for pairs (row, sign), with the first multipliers."""
        phase = np.where(low >= 0, 1, np.where(high <= 0, -1, 0)).astype(np.int8)
        repeated = (
            np.repeat(a[None], len(rows), axis=0) for a in (np.minimum(low, 0), np.maximum(high, 0), phase)
        )
        scale = np.array([sign << self.bits for _, sign in rows])
        return functions(np.array([j for j, _ in rows]), scale, np.zeros_like(scale), *repeated)

    def direction(self, row: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return what each symbol adds to the linear bound of a row: (positions, symbols)."""
        return self.weights(self.shape.lines(self.plain([(row, 1)], low, high)))[:, :, 0]

    def through(self, graph: Graph, best: Bounded) -> list[np.ndarray]:
        """Return one mask per layer: the edges that lie on a word for which some bound is >= 0."""
        masks = []
        for t, (layer, before) in enumerate(zip(graph.layers, graph.forward(best.weights), strict=False)):
            value = before[layer.source] + best.weights[t, layer.symbol] + best.tables[t + 1][layer.target]
            masks.append(value.max(axis=1) >= 0)
        return masks
