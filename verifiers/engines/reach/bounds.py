"""Bounds rows over a graph of words: finds linear bounds (`lines.py`), the words that attain them, and better
multipliers.

Between `graph.py` and `grouped.py`.  Bounds are integers; floats only choose multipliers, and which ReLU to
split.
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

BITS, ROUNDED_BITS = 10, 24  # after the point, of coefficients; where weights are rounded, they are fractions


class ReachOutOfTime(Exception):
    """In the middle of something that will have to begin again."""


@dataclass(frozen=True, eq=False)
class Side:
    """What is to be shown negative, in units of the row: sign * row + offset.

    A rival loses where its goal is negative (`wins` False), and wins where -1 - goal is.
    """

    rival: int
    wins: bool
    row: int
    sign: int
    offset: int


@dataclass(frozen=True, eq=False)
class Bounded:
    """Functions on a graph: `upper` bounds, the words that attain them, and the rows' own sums there.

    `side`: which of the sides asked about each function belongs to.
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
        """Each function as it is in `new` where that is better."""
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
    """A problem with the sides that are asked about."""

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
        """Bounds of the ReLUs' arguments on all words."""
        return self.problem.lower[: self.inner], self.problem.upper[: self.inner]

    def asking(self, sides: np.ndarray, low: np.ndarray, high: np.ndarray) -> Functions:
        """One function per side, on words whose ReLUs' arguments are in low .. high."""
        rows = np.array([self.sides[s].row for s in sides], dtype=np.int64)
        scale = np.array([self.sides[s].sign << self.bits for s in sides], dtype=np.int64)
        offset = np.array([self.sides[s].offset << self.bits for s in sides], dtype=np.int64)
        phase = np.where(low >= 0, 1, np.where(high <= 0, -1, 0)).astype(np.int8)
        repeated = (
            np.repeat(a[None], len(sides), axis=0) for a in (np.minimum(low, 0), np.maximum(high, 0), phase)
        )
        return functions(rows, scale, offset, *repeated)

    def bounded(self, graph: Graph, asked: Functions, side: np.ndarray) -> Bounded:
        fit = self.shape.lines(asked)
        weights = self.weights(fit)
        constant = fit.constant + fit.factors @ self.problem.constant
        tables = graph.backward(weights, np.broadcast_to(constant, (graph.sizes[-1], len(asked))))
        words = graph.best(weights, tables, np.arange(len(asked)))
        return Bounded(side, asked, fit, weights, tables, tables[0].max(axis=0), words, self.own(words))

    def weights(self, fit: LinearForms) -> np.ndarray:
        """What symbols add to the lines: (positions, symbols, functions)."""
        return np.ascontiguousarray((fit.factors @ self.flat).T).reshape(*self.problem.symbols.shape[1:], -1)

    def own(self, words: np.ndarray) -> np.ndarray:
        """The rows' own sums on words (words, rows), in floating point: to choose by."""
        result: np.ndarray = (
            self.flat.T[words + self.places].sum(axis=1).astype(np.float64) + self.problem.constant
        )
        return result

    def arguments(self, own: np.ndarray) -> np.ndarray:
        """The ReLUs' arguments (words, ReLUs), in floating point."""
        x = own[:, : self.inner].copy()
        for columns in self.shape.levels:
            x += np.maximum(x[:, columns], 0) @ self.shape.real[: self.inner, columns].T
        return x

    def likely(self, bounds: Bounded) -> np.ndarray:
        """Whether some goal seems to be >= 0 on the words that attain the bounds."""
        goals = [side.row for side in self.sides if not side.wins]
        if not goals:
            return np.zeros(len(bounds), dtype=bool)
        x = self.arguments(bounds.own)
        value = bounds.own[:, goals] + np.maximum(x, 0) @ self.shape.real[goals].T
        result: np.ndarray = (value >= -1e-6 * (1 + np.abs(bounds.own[:, goals]))).any(axis=1)
        return result

    def attack(self, graph: Graph, words: np.ndarray, steps: int) -> Iterator[Bounded]:
        """From each word: linearise the network there, take the best word for some goal, and again."""
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
        """Better multipliers, for bounds that are to fall just below 0, and the direction of the step."""
        scale = 2.0**-self.bits
        return self.shape.moved(
            now.asked, now.fit.outputs * scale, now.own, 1.05 * now.upper * scale + 1, self.most, before
        )

    def loss(self, best: Bounded) -> np.ndarray:
        """Per function and ReLU, what the relaxation loses on the word that attains the bound."""
        return self.shape.loss(best.asked, best.fit.outputs, self.arguments(best.own)) / 2.0**self.bits

    def halves(self, best: Bounded) -> tuple[Functions, np.ndarray] | None:
        """Every function twice, with the open ReLU that loses most active and inactive, and their sides; None
        where none is open.
        """
        loss = np.where(best.asked.phase == 0, self.loss(best), -np.inf)
        if not self.inner or not np.isfinite(loss.max(axis=1)).all():
            return None
        relu = loss.argmax(axis=1)
        both = best.asked.take(np.tile(np.arange(len(best)), 2))
        a = np.tile(best.fit.outputs, (2, 1))
        same = self.pairs[None] == self.pairs[relu][:, None]
        phase = np.concatenate([np.where(same, value, best.asked.phase) for value in (1, -1)]).astype(np.int8)
        # multipliers that leave the bound as it was, or better
        beta = np.where(a < 0, -a * np.where(phase > 0, 1 - both.below, both.below), 0.0)
        return replace(both, phase=phase, beta=np.where(phase == both.phase, both.beta, beta)), np.tile(
            best.side, 2
        )

    def boxes(
        self, graph: Graph, low: np.ndarray, high: np.ndarray, until: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per final node: bounds of the ReLUs' arguments (ends, ReLUs) on the words that end there, and upper
        bounds of the sides.
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
        """Upper bounds of sign * row, times 2**bits, per final node."""
        asked = self.plain(rows, low, high)
        fit = self.shape.lines(asked)
        *_, last = graph.forward(self.weights(fit))
        result: np.ndarray = last + (fit.constant + fit.factors @ self.problem.constant)
        return result

    def _unscaled(self, bounds: np.ndarray) -> np.ndarray:
        """Without the coefficients' bits: rounded down where rows are integers, up where they are in coarser
        units.
        """
        return -(-bounds >> self.bits) if self.problem.shift else bounds >> self.bits

    def plain(self, rows: list[tuple[int, int]], low: np.ndarray, high: np.ndarray) -> Functions:
        """Functions sign * row with the usual multipliers."""
        phase = np.where(low >= 0, 1, np.where(high <= 0, -1, 0)).astype(np.int8)
        repeated = (
            np.repeat(a[None], len(rows), axis=0) for a in (np.minimum(low, 0), np.maximum(high, 0), phase)
        )
        scale = np.array([sign << self.bits for _, sign in rows])
        return functions(np.array([j for j, _ in rows]), scale, np.zeros_like(scale), *repeated)

    def direction(self, row: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """What symbols add to a row (positions, symbols), in the linear bound of it."""
        return self.weights(self.shape.lines(self.plain([(row, 1)], low, high)))[:, :, 0]

    def through(self, graph: Graph, best: Bounded) -> list[np.ndarray]:
        """Per layer, which edges lie on a word with a bound >= 0."""
        masks = []
        for t, (layer, before) in enumerate(zip(graph.layers, graph.forward(best.weights), strict=False)):
            value = before[layer.source] + best.weights[t, layer.symbol] + best.tables[t + 1][layer.target]
            masks.append(value.max(axis=1) >= 0)
        return masks
