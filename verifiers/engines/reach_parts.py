"""Decides one query on words grouped by rounded sums: for networks of few levels whose exact sums are too many.

A part is a set of words as a graph.  Words that end at one node have similar sums, so that most ReLUs are settled there:
final nodes are clustered, each cluster gets linear bounds of its own, and the best word of each bound is a dynamic program.  Edges that
lie on no word with a bound >= 0 go.  Where the bounds are still too weak, the ReLU that loses most is remembered in finer
steps (`Graph.refined`), parts that grow too large are split, and few words are simply tried.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace

import numpy as np

from ...encoders.dense import Dense
from .reach_graph import Graph, of_automaton
from .reach_lines import Functions, Lines, Shape, functions, spare_bits, split
from .reach_problem import Problem, joined, unfolded

FEW = 20_000  # words that are tried one by one
EDGES = int(os.environ.get("EDGES", 100_000))  # of a graph, before it is split
GROWTH = int(os.environ.get("GROWTH", 12))  # by one refinement, at most
CLUSTERS = int(os.environ.get("CLUSTERS", 6))
STEPS = int(os.environ.get("STEPS", 8))  # rounding steps per position and ReLU
NODES = int(os.environ.get("NODES", 16))
ROUNDS = int(os.environ.get("ROUNDS", 8))
PROGRESS = 0.7  # share of the edges that is left after a round worth another one like it


@dataclass(frozen=True, eq=False)
class Part:
    """Words of which it is not known whether one errs, with bounds of the ReLUs' arguments there."""

    graph: Graph
    low: np.ndarray
    high: np.ndarray
    depth: int = 0


@dataclass(frozen=True, eq=False)
class Bounded:
    """Functions on a graph: `upper` bounds, the words that attain them, and the rows' own sums there."""

    asked: Functions
    fit: Lines
    weights: np.ndarray
    tables: list[np.ndarray]
    upper: np.ndarray
    words: np.ndarray
    own: np.ndarray


@dataclass(eq=False)
class Parts:
    """Is there a word of the query's language on which its violation is >= 0?  `words`: those found (checked exactly)."""

    query: Dense
    words: list[tuple[int, ...]] = field(default_factory=list)
    stack: list[Part] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.problem: Problem = joined([self.query]) or unfolded([self.query])
        problem = self.problem
        self.inner = problem.count
        self.shape = Shape.of(problem)
        self.flat = problem.symbols.reshape(len(problem.constant), -1)
        self.bits = spare_bits(problem)
        up, down = problem.gain
        self.most = np.maximum(np.maximum(up, down)[: self.inner].astype(np.float64), 1) * 2.0**self.bits
        self.stack = [Part(of_automaton(self.query.language), problem.lower[: self.inner], problem.upper[: self.inner])]

    @property
    def open(self) -> int:
        """Words that are not settled."""
        return sum(part.graph.size for part in self.stack)

    def run(self, until: float) -> bool:
        """Go on until it is settled or a word is found (True), or until that time (False)."""
        while self.stack and not self.words:
            if time.monotonic() > until:
                return False
            self._work(self.stack.pop())
        return True

    # -- bounds

    def bounded(self, graph: Graph, asked: Functions) -> Bounded:
        fit = self.shape.lines(asked)
        weights = self._weights(fit)
        tables = graph.backward(weights, np.broadcast_to(fit.constant + fit.factors @ self.problem.constant, (graph.sizes[-1], len(asked))))
        words = graph.best(weights, tables, np.arange(len(asked)))
        return Bounded(asked, fit, weights, tables, tables[0].max(axis=0), words, self._own(words))

    def _weights(self, fit: Lines) -> np.ndarray:
        """What symbols add to the lines: (positions, symbols, functions)."""
        length, symbols = self.problem.symbols.shape[1:]
        return np.ascontiguousarray((fit.factors @ self.flat).T).reshape(length, symbols, -1)

    def _own(self, words: np.ndarray) -> np.ndarray:
        """The rows' own sums on words (words, rows), in floating point: to choose by."""
        length, symbols = self.problem.symbols.shape[1:]
        return self.flat.T[words + np.arange(length) * symbols].sum(axis=1).astype(np.float64) + self.problem.constant

    def _tightened(self, graph: Graph, asked: Functions, rounds: int) -> Bounded:
        """With better multipliers, for the functions that stay >= 0 (the others are left out)."""
        best = now = self.bounded(graph, asked)
        for _ in range(rounds):
            if self._try(now.words):
                return best
            ahead = np.flatnonzero(best.upper >= 0)
            if not len(ahead):
                break
            if len(ahead) < len(best.upper):
                best, now = _chosen(best, ahead), _chosen(now, ahead)
            asked = self.shape.moved(now.asked, now.fit.outputs / 2.0**self.bits, now.own, now.upper / 2.0**self.bits, self.most)
            now = self.bounded(graph, asked)
            better = now.upper < best.upper
            best = _mixed(best, now, better)
        self._try(now.words)
        return _chosen(best, np.flatnonzero(best.upper >= 0))

    def _boxes(self, graph: Graph, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (final nodes, ReLUs) of every ReLU's argument on the words that end at each node."""
        problem, ends = self.problem, graph.sizes[-1]
        lows, highs = np.repeat(low[None], ends, axis=0), np.repeat(high[None], ends, axis=0)
        for columns in self.shape.levels:
            open_ = columns[(lows.min(axis=0)[columns] < 0) & (highs.max(axis=0)[columns] > 0)]
            if not len(open_):
                continue
            count = 2 * len(open_)
            here = [np.repeat(a[None], count, axis=0) for a in (np.minimum(lows.min(axis=0), 0), np.maximum(highs.max(axis=0), 0))]
            scale = np.repeat([1 << self.bits, -1 << self.bits], len(open_))
            fit = self.shape.lines(functions(np.tile(open_, 2), scale, *here, np.zeros(here[0].shape, dtype=np.int8)))
            *_, last = graph.forward(self._weights(fit))
            bound = (last + (fit.constant + fit.factors @ problem.constant)) >> self.bits
            highs[:, open_] = np.minimum(highs[:, open_], bound[:, : len(open_)])
            lows[:, open_] = np.maximum(lows[:, open_], -bound[:, len(open_) :])
        return lows, highs

    # -- the steps

    def _work(self, part: Part) -> None:
        graph = part.graph
        if graph.size <= FEW:
            self._try(graph.words())
            return
        phase = np.where(part.low >= 0, 1, np.where(part.high <= 0, -1, 0)).astype(np.int8)[None]
        low, high = np.minimum(part.low, 0)[None], np.maximum(part.high, 0)[None]
        asked = functions(np.array([self.inner]), np.array([1 << self.bits]), low, high, phase)
        best = self._tightened(graph, asked, ROUNDS)
        first = int(best.upper.max(initial=-1)) >> self.bits
        steps = 0
        while len(best.upper) and len(best.upper) <= NODES // 2 and not self.words:
            split_ = self._split(best)
            if split_ is None:
                break
            best = self._tightened(graph, split_, ROUNDS)
            steps += 1
        if self.words or not len(best.upper):
            self.log.append(f"depth {part.depth} edges {graph.edges} size {graph.size:.1e} first {first} settled after {steps} splits")
            return
        smaller = self._filtered(graph, best)
        loss = self._loss(best).sum(axis=0) / 2**self.bits
        self.log.append(
            f"depth {part.depth} edges {graph.edges}->{smaller and smaller.edges} size {graph.size:.1e}->{smaller and smaller.size:.1e} ends {graph.sizes[-1]} "
            f"first {first} nodes {len(best.upper)} best {best.upper.max() >> self.bits} loss {np.round(loss).astype(int)}"
        )
        if smaller is None:
            return
        if smaller.edges <= PROGRESS * graph.edges or smaller.size < 0.5 * graph.size:
            lows, highs = self._boxes(smaller, part.low, part.high)
            self.stack.append(Part(smaller, lows.min(axis=0), highs.max(axis=0), part.depth))
            return
        self._refine(replace(part, graph=smaller), loss)

    def _split(self, best: Bounded) -> Functions | None:
        """Every function twice, with the ReLU that loses most active and inactive; None where no ReLU is open."""
        loss = np.where(best.asked.phase == 0, self._loss(best), -1)
        relu = loss.argmax(axis=1)
        if (loss.max(axis=1) < 0).any():
            return None
        every = np.arange(len(relu))
        both = best.asked.take(np.tile(every, 2))
        a = np.tile(best.fit.outputs, (2, 1))
        same = self.problem.origin[: self.inner][None] == self.problem.origin[relu][:, None]
        phase = np.concatenate([np.where(same, value, best.asked.phase) for value in (1, -1)])
        # the multipliers that leave the bound as it was, or better
        beta = np.where(a < 0, -a * np.where(phase > 0, 1 - both.below, both.below), 0.0)
        return replace(both, phase=phase, beta=np.where(phase == both.phase, both.beta, beta))

    def _loss(self, best: Bounded) -> np.ndarray:
        """Per function and ReLU, by how much the line is above the truth on the word that attains the bound."""
        asked, a = best.asked, best.fit.outputs
        x = best.own[:, : self.inner].copy()
        for columns in self.shape.levels:
            x += np.maximum(x[:, columns], 0) @ self.shape.real[: self.inner, columns].T
        lift = np.maximum(-asked.above * asked.low, (1 - asked.above) * asked.high)
        opened = np.where(a > 0, a * (asked.above * x + lift), a * asked.below * x)
        active = a * x + np.rint(asked.beta) * x
        line = np.where(asked.phase == 0, opened, np.where(asked.phase > 0, active, -np.rint(asked.beta) * x))
        return line - a * np.maximum(x, 0)

    def _filtered(self, graph: Graph, best: Bounded) -> Graph | None:
        """Without the edges that lie on no word with a bound >= 0."""
        masks = []
        for t, (layer, before) in enumerate(zip(graph.layers, graph.forward(best.weights), strict=False)):
            through = before[layer.source] + best.weights[t, layer.symbol] + best.tables[t + 1][layer.target]
            masks.append(through.max(axis=1) >= 0)
        return graph.kept(masks, np.ones(graph.sizes[-1], dtype=bool))

    def _refine(self, part: Part, loss: np.ndarray) -> None:
        graph = part.graph
        if graph.edges > EDGES:
            return self._halve(part)
        row = int(loss.argmax())
        direction = self._direction(row, part)
        spread = float(np.abs(direction).max(axis=1).sum())
        steps = STEPS * graph.length
        while steps >= 2 and spread:
            finer = graph.refined(np.rint(direction * (steps / spread)).astype(np.int64), min(EDGES * 4, GROWTH * graph.edges))
            if finer is not None and finer.edges > graph.edges:
                break
            steps //= 2
        else:
            return self._halve(part)
        lows, highs = self._boxes(finer, part.low, part.high)
        ids, count = split((lows + highs) * self.problem.pull[: self.inner], CLUSTERS)
        full = [np.ones(len(layer.source), dtype=bool) for layer in finer.layers]
        for k in range(count):
            ends = ids == k
            smaller = finer.kept(full, ends)
            if smaller is not None:
                self.stack.append(Part(smaller, lows[ends].min(axis=0), highs[ends].max(axis=0), part.depth + 1))
        return None

    def _direction(self, row: int, part: Part) -> np.ndarray:
        """What symbols add to a ReLU's argument, in the linear bound of it."""
        low, high = np.minimum(part.low, 0)[None], np.maximum(part.high, 0)[None]
        phase = np.where(part.low >= 0, 1, np.where(part.high <= 0, -1, 0)).astype(np.int8)[None]
        fit = self.shape.lines(functions(np.array([row]), np.array([1 << self.bits]), low, high, phase))
        return self._weights(fit)[:, :, 0].astype(np.float64)

    def _halve(self, part: Part) -> None:
        """By where words end, or by where they are in a middle layer."""
        graph = part.graph
        t = int(np.argmax(graph.sizes))
        half = np.arange(graph.sizes[t]) < graph.sizes[t] // 2
        full = [np.ones(len(layer.source), dtype=bool) for layer in graph.layers]
        ends = np.ones(graph.sizes[-1], dtype=bool)
        for side in (half, ~half):
            if t < graph.length:
                smaller = graph.kept([*full[:t], side[graph.layers[t].source], *full[t + 1 :]], ends)
            else:
                smaller = graph.kept(full, side)
            if smaller is not None:
                lows, highs = self._boxes(smaller, part.low, part.high)
                self.stack.append(Part(smaller, lows.min(axis=0), highs.max(axis=0), part.depth))

    def _try(self, words: np.ndarray) -> bool:
        errs = self.query.values(words)[:, -1] >= 0
        self.words += sorted({tuple(map(int, word)) for word in words[errs.astype(bool)]} - set(self.words))
        return bool(self.words)


def _chosen(bounds: Bounded, rows: np.ndarray) -> Bounded:
    fit = Lines(bounds.fit.factors[rows], bounds.fit.constant[rows], bounds.fit.outputs[rows])
    tables = [table[:, rows] for table in bounds.tables]
    return Bounded(bounds.asked.take(rows), fit, bounds.weights[:, :, rows], tables, bounds.upper[rows], bounds.words[rows], bounds.own[rows])


def _mixed(old: Bounded, new: Bounded, better: np.ndarray) -> Bounded:
    """Each function as it is in `new` where that is better."""
    if not better.any():
        return old
    if better.all():
        return new

    def pick(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(better.reshape(-1, *[1] * (a.ndim - 1)), b, a)

    asked = Functions(*(pick(getattr(old.asked, n), getattr(new.asked, n)) for n in Functions.__dataclass_fields__))
    fit = Lines(*(pick(getattr(old.fit, n), getattr(new.fit, n)) for n in Lines.__dataclass_fields__))
    tables = [np.where(better, b, a) for a, b in zip(old.tables, new.tables, strict=True)]
    weights = np.where(better, new.weights, old.weights)
    return Bounded(asked, fit, weights, tables, *(pick(getattr(old, n), getattr(new, n)) for n in ("upper", "words", "own")))
