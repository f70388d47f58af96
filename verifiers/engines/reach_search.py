"""Decides one query by `reach`: exact sweeps over chunks of prefixes, depth first, each chunk cut down by relaxed sweeps.

A search can be stopped and continued at any time, and says on how many words it is settled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from ...encoders.dense import Dense
from .reach_frontier import Frontier, Step, advanced, merged, start
from .reach_ceilings import ceilings
from .reach_lines import split
from .reach_problem import Problem, joined, unfolded
from .reach_relax import relaxed


@dataclass(frozen=True)
class Limits:
    """`entries`: of an exact frontier, before it is relaxed.  `width`: of a relaxed one.  `pieces`: that a chunk is split into."""

    entries: int = 16_384
    width: int = 2_048
    pieces: int = 8
    beam: int = 128


@dataclass(frozen=True, eq=False)
class Chunk:
    """Entries with the prefixes (n, t) that they were first reached by."""

    front: Frontier
    prefix: np.ndarray
    relaxed: bool = False  # a relaxed sweep has been over it


@dataclass(eq=False)
class Search:
    """Is there a word of the query's language on which its violation is >= 0?  `words`: those found (checked exactly)."""

    query: Dense
    limits: Limits = Limits()
    words: list[tuple[int, ...]] = field(default_factory=list)
    settled: int = 0
    unclear: int = 0  # words on which rounding leaves it open
    stack: list[Chunk] = field(default_factory=list)
    problem: Problem = field(init=False)
    bounding: Problem = field(init=False)

    def __post_init__(self) -> None:
        self.bounding = unfolded([self.query])
        self.problem = joined([self.query]) or self.bounding
        self.rounded = bool(self.problem.shift)
        first = start(self.problem)
        self.stack = [Chunk(first, np.zeros((len(first), 0), dtype=np.int16))]
        position = {int(row): k for k, row in enumerate(self.problem.origin)}
        self.column = np.array([position[int(row)] for row in self.bounding.origin])

    def run(self, until: float) -> bool:
        """Go on until it is settled or a word is found (True), or until that time (False)."""
        while self.stack and not self.words:
            if time.monotonic() > until:
                return False
            self._sweep(self.stack.pop(), until)
        return True

    def _settle(self, front: Frontier, gone: np.ndarray) -> None:
        if gone.any():
            self.settled += int((front.weight[gone] * self.problem.completions[front.t][front.state[gone]]).sum())

    def _sweep(self, chunk: Chunk, until: float) -> None:
        """Forward exactly until everything is settled, there are too many entries, or time is up."""
        front, trail = chunk.front, []
        while True:
            if front.t == self.problem.language.length:
                return self._ended(front, _words(chunk.prefix, trail))
            if time.monotonic() > until:
                self.stack.append(Chunk(front, _words(chunk.prefix, trail)))
                return None
            if len(front) > self.limits.entries:
                return self._crowded(Chunk(front, _words(chunk.prefix, trail)), until)
            front, step = advanced(self.problem, front)
            front, step = self._pruned(front, step, front.high[:, -1] < 0)
            front, step = merged(self.problem, front, step, True)
            front, step = self._pruned(front, step, ceilings(self.problem, front)[:, 0] < 0)
            if not len(front):
                return None
            trail.append(step)

    def _pruned(self, front: Frontier, step: Step, gone: np.ndarray) -> tuple[Frontier, Step]:
        self._settle(front, gone)
        return (front.take(~gone), step.take(~gone)) if gone.any() else (front, step)

    def _ended(self, front: Frontier, words: np.ndarray) -> None:
        """Whole words: those left err, unless numbers were rounded."""
        errs = self.query.values(words)[:, -1] >= 0
        self.words += [tuple(map(int, word)) for word in words[errs.astype(bool)]]
        right = ~errs.astype(bool)
        if right.any():
            several = right & (front.weight > 1)
            self.unclear += int(front.weight[several].sum())
            self.settled += int(right.sum() - several.sum())

    def _crowded(self, chunk: Chunk, until: float) -> None:
        """A chunk with too many entries: look for words, settle what a relaxed sweep can, split the rest."""
        self._attack(chunk)
        if self.words:
            return
        rest = self._relax(chunk, until)
        if rest is None:
            self.stack.append(chunk)
            return
        if self.words or not len(rest.front):
            return
        if len(rest.front) <= self.limits.entries // 2:
            self.stack.append(rest)
            return
        columns = self.problem.plans[rest.front.t].inner
        scaled = rest.front.value[:, :columns] * self.problem.pull[self.problem.plans[rest.front.t].live[:columns]]
        ids, count = split(scaled, self.limits.pieces)
        for k in range(count):
            here = np.flatnonzero(ids == k)
            self.stack.append(Chunk(rest.front.take(here), rest.prefix[here]))

    def _relax(self, chunk: Chunk, until: float) -> Chunk | None:
        """The chunk without the entries that a relaxed sweep settles; None when time is up."""
        front = chunk.front
        live = self.bounding.plans[front.t].live
        place = {int(row): k for k, row in enumerate(self.problem.plans[front.t].live)}
        columns = np.array([place[int(self.column[row])] for row in live])
        parts = (front.value[:, columns], front.weight, front.low[:, columns], front.high[:, columns])
        result = relaxed(self.bounding, Frontier(front.t, front.state, *parts), self.limits.width, until)
        if result is None:
            return None
        self._settle(front, ~result.bad)
        if len(result.leads):
            self._try(np.concatenate([chunk.prefix[result.leads], result.tails], axis=1))
        return Chunk(front.take(result.bad), chunk.prefix[result.bad], relaxed=True)

    def _attack(self, chunk: Chunk) -> None:
        """The most promising entries to the end, by a beam."""
        front = chunk.front
        origin = np.argsort(-ceilings(self.problem, front, clusters=1)[:, 0], kind="stable")[: self.limits.beam]
        front, trail = front.take(origin), []
        while front.t < self.problem.language.length and len(front):
            front, step = advanced(self.problem, front)
            front, step = merged(self.problem, front, step, True)
            score = ceilings(self.problem, front, clusters=1)[:, 0]
            best = np.argsort(-score, kind="stable")[: self.limits.beam]
            best = best[score[best] >= 0]
            front, step = front.take(best), step.take(best)
            trail.append(step)
        if len(front):
            self._try(_words(chunk.prefix[origin], trail))

    def _try(self, words: np.ndarray) -> None:
        errs = self.query.values(words)[:, -1] >= 0
        self.words += sorted({tuple(map(int, word)) for word in words[errs.astype(bool)]})


def _words(prefix: np.ndarray, trail: list[Step]) -> np.ndarray:
    """The prefixes of the last step's entries."""
    if not trail:
        return prefix
    out = np.zeros((len(trail[-1].parent), prefix.shape[1] + len(trail)), dtype=np.int16)
    here = np.arange(len(out))
    for k in reversed(range(len(trail))):
        out[:, prefix.shape[1] + k] = trail[k].symbol[here]
        here = trail[k].parent[here]
    out[:, : prefix.shape[1]] = prefix[here]
    return out
