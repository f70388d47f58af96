"""Bounds of a search's nodes and cells: what is settled, what stays open, and which ReLU to split next.

Between `bounds/minimise.py`, whose functions it asks for in batches, and `search.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ....common.clock import now
from ...bounds.minimise import Minimised, minimise
from ...bounds.multipliers import Multipliers
from ...bounds.word_bounds import RowObjectives, WordSupport, bounds
from ...bounds.word_queries import FloatQueries
from .cells import Cell, OpenNode, Phases, SettledNode, Word, masks, phase_array

T = TypeVar("T")
BEYOND = 2.0**53  # no bound of a query is larger
MODEST = 0.3  # bounds of ReLUs seldom reach 0, so steps aim at less


@dataclass(frozen=True)
class BabOptions:
    """How the search goes; each idea can be switched off for the benchmark.

    `functions`: how many bounds are worked on at once.  `iterations`: steps for a node's multipliers; before
    the first split `presolve_iterations`. `cell_nodes`: open nodes of a cell before its words are split.
    `candidates`: splits of words that are tried.
    """

    functions: int = 128
    iterations: int = 8
    presolve_iterations: int = 60
    cell_nodes: int = 16
    candidates: int = 4
    cut_states: bool = True
    split_relus: bool = True
    split_words: bool = True
    optimise: bool = True
    attack: bool = True


DEFAULT = BabOptions()


@dataclass
class Effort:
    """What a search has done so far."""

    cuts: int = 0
    nodes: int = 0
    evaluations: int = 0


@dataclass(frozen=True, eq=False)
class BoundTask:
    """A node to bound: on a cell, a violation row with phases, and the multipliers to begin with."""

    cell: Cell
    target: int
    phases: Phases
    multipliers: Multipliers | None = None


class Bounding:
    """Of one label's queries.

    Raises TimeoutError after `deadline` (`now`'s seconds), in the middle of whatever it does.

    `presolve_bounds`: (ReLU, 1 or -1, multipliers) of bounds of deeper ReLUs on all words, layer by layer.
    """

    def __init__(self, problem: FloatQueries, options: BabOptions, effort: Effort) -> None:
        self.problem, self.options, self.effort = problem, options, effort
        self.deadline = math.inf
        self.presolve_bounds: list[tuple[int, int, Multipliers]] = []

    def in_time(self) -> None:
        if now() > self.deadline:
            raise TimeoutError("out of time in the middle of a step")

    def results(
        self, tasks: Sequence[BoundTask], iterations: int, *, at_once: int | None = None
    ) -> tuple[tuple[Word, ...], list[OpenNode | SettledNode]]:
        """Violating words, or what becomes of each task: a settled node with its evidence, or an open one."""
        out: list[OpenNode | SettledNode] = []
        for some in chunks(tasks, at_once or self.options.functions):
            excluded = [task.cell.excludes(task.phases) for task in some]
            going = [task for task, gone in zip(some, excluded, strict=True) if not gone]
            nodes: Iterator[OpenNode | SettledNode] = iter(())
            if going:
                batch, done = self.minimised(going, iterations)
                if done.violations:
                    return done.violations, []
                nodes = self._nodes(going, batch, done)
            out += [
                SettledNode(task.target, task.phases, None) if gone else next(nodes)
                for task, gone in zip(some, excluded, strict=True)
            ]
        return (), out

    def minimised(self, tasks: Sequence[BoundTask], iterations: int) -> tuple[RowObjectives, Minimised]:
        """The tasks' functions and their best bounds after so many steps."""
        k = self.problem.count
        phases = np.stack([phase_array(task.phases, k) for task in tasks])
        batch = self._objectives([t.cell for t in tasks], np.array([t.target for t in tasks]), phases)
        start = Multipliers.first(batch.lower, batch.upper)
        for i, task in enumerate(tasks):
            if (given := task.multipliers) is not None:
                start.below[i], start.above[i], start.beta[i] = given.below, given.above, given.beta
        self.effort.nodes += len(tasks)
        self.in_time()
        steps = iterations if self.options.optimise else 0
        done = minimise(self.problem, batch, start, steps, deadline=self.deadline)
        self.effort.evaluations += len(done.seen)
        return batch, done

    def _objectives(
        self, cells: Sequence[Cell], target: np.ndarray, phase: np.ndarray, sign: float = 1.0
    ) -> RowObjectives:
        """Functions on cells; ReLUs that a cell's bounds settle have their phase."""
        lower, upper = np.stack([c.lower for c in cells]), np.stack([c.upper for c in cells])
        phase = np.where(phase != 0, phase, np.where(lower >= 0, 1, np.where(upper <= 0, -1, 0)))
        words = WordSupport(self.problem, *masks(cells, self.problem.paths))
        return RowObjectives(target, np.full(len(target), sign), lower, upper, phase, words)

    def _nodes(
        self, tasks: Sequence[BoundTask], batch: RowObjectives, done: Minimised
    ) -> Iterator[OpenNode | SettledNode]:
        """With the ReLU to split next: where the relaxation loses most on the word that attains the bound."""
        x = self.problem.exact_rows(done.own)[:, : self.problem.count]
        relaxation = done.multipliers.relaxation(batch.lower, batch.upper, batch.phase)
        loss = np.where(batch.phase == 0, relaxation.excess(done.bounds.coefficients, x), -1.0)
        is_open = (batch.phase == 0).any(axis=1)
        for i, task in enumerate(tasks):
            multipliers, upper = done.multipliers[i], float(done.bounds.upper[i])
            if upper < 0:
                yield SettledNode(task.target, task.phases, multipliers)
            else:
                relu = int(loss[i].argmax()) if is_open[i] else -1
                yield OpenNode(task.target, task.phases, multipliers, upper, relu)

    def tightened(self, cells: Sequence[Cell], iterations: int = 0) -> list[Cell]:
        """The same cells with every ReLU's bounds proved anew, layer by layer; bounds that cross: there is no
        word.

        Bounds beyond the first layer have multipliers of their own, improved in so many steps.
        """
        k = self.problem.count
        if not cells:
            return []
        lower, upper = np.stack([c.lower for c in cells]), np.stack([c.upper for c in cells])
        for group in self.problem.groups:
            alive = (lower <= upper).all(axis=1)
            asked = [
                (c, j)
                for c in np.flatnonzero(alive)
                for j in range(group.start, group.stop)
                if lower[c, j] < 0 < upper[c, j]
            ]
            for some in chunks(asked, 4 * self.options.functions):
                self.in_time()
                where, rows = np.array([c for c, _ in some]), np.array([j for _, j in some])
                here = [replace(cells[c], lower=lower[c], upper=upper[c]) for c in where]
                found = []
                for sign in (1.0, -1.0):
                    batch = self._objectives(here, rows, np.zeros((len(some), k), dtype=np.int8), sign)
                    start = Multipliers.first(batch.lower, batch.upper)
                    if iterations and group.start:
                        bound = self._improved(batch, start, iterations)
                    else:
                        bound = bounds(self.problem, batch, start, trace=False).upper
                    found.append(np.where(np.isfinite(bound), bound, -BEYOND))
                    self.effort.evaluations += 1
                upper[where, rows] = np.minimum(upper[where, rows], np.floor(found[0]))
                lower[where, rows] = np.maximum(lower[where, rows], np.ceil(-found[1]))
        return [replace(c, lower=lower[i], upper=upper[i]) for i, c in enumerate(cells)]

    def _improved(self, batch: RowObjectives, start: Multipliers, iterations: int) -> np.ndarray:
        """Bounds of ReLUs on all words, whose multipliers are kept."""
        done = minimise(self.problem, batch, start, iterations, ambition=MODEST, deadline=self.deadline)
        for i, (row, sign) in enumerate(zip(batch.target, batch.sign, strict=True)):
            given = done.multipliers
            kept = Multipliers(given.below[i].copy(), given.above[i].copy(), given.beta[i].copy())
            self.presolve_bounds.append((int(row), int(sign), kept))
        return done.bounds.upper


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
