"""Branch and bound over one label's queries: ReLU phases, automaton states and tokens, bounded by `word_bounds.py`.

The language is cut into cells that share no word; a cell holds the nodes that are still open there.  What settled each node is kept
as a leaf: a search has proved what its leaves add up to (`account.py`), whatever it believes to be open, and from the record of
them a later run goes on (`record.py`).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from ....encoders.dense import Dense
from ....models.automata.automaton import Automaton
from ...bounds.paths import Paths
from ...bounds.word_bounds import (
    FloatQueries,
    Minimised,
    Multipliers,
    RowObjectives,
    bounds,
    first_multipliers,
    minimise,
)
from .account import Account, Accounting
from .attack import attack
from .cells import Cell, Cut, OpenNode, Phases, SettledNode, Word, masks, phase_array
from .leaves import Leaves

T = TypeVar("T")
BEYOND = 2.0**53  # no bound of a query is larger
MODEST = 0.3  # bounds of ReLUs seldom reach 0, so steps aim at less
FEW_LAYERS = 4  # with more, bounds of all ReLUs are too many to be improved
SHORT = 4  # iterations where many candidates are compared


@dataclass(frozen=True)
class Options:
    """How the search goes; each idea can be switched off for the benchmark.

    `functions`: how many bounds are worked on at once.  `iterations`: steps for a node's multipliers; at the root `presolve_iterations`.
    `cell_nodes`: open nodes of a cell before its words are split.  `candidates`: splits of words that are tried.
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


DEFAULT = Options()


@dataclass
class Effort:
    """What the search has done so far."""

    cuts: int = 0
    nodes: int = 0
    evaluations: int = 0


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """`words` violate; `proved`: the leaves exclude every rival on every word, as they were counted."""

    words: tuple[Word, ...]
    proved: bool


@dataclass(frozen=True, eq=False)
class BoundTask:
    """A node to bound: on a cell, a violation row with phases, and the multipliers to begin with."""

    cell: Cell
    target: int
    phases: Phases
    multipliers: Multipliers | None = None


@dataclass
class LabelSearch:
    """The search over one label's queries.  `run` may be called again and goes on where it was.

    `cuts[cell]`: how its words were split, with the numbers of the two parts; `closed.of(cell)`: what was settled there;
    `presolve_bounds`: (ReLU, 1 or -1, multipliers) of bounds of deeper ReLUs on all words, layer by layer.
    """

    queries: Sequence[Dense]
    options: Options = DEFAULT
    seed: int = 0
    progress: Effort = field(default_factory=Effort)
    cuts: dict[int, tuple[Cut, int, int]] = field(default_factory=dict)
    closed: Leaves = field(default_factory=Leaves)
    presolve_bounds: list[tuple[int, int, Multipliers]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.language: Automaton = self.queries[0].language
        self.problem = FloatQueries.of(self.queries)
        self.order = itertools.count()
        self.cells = itertools.count(1)
        self.heap: list[tuple[float, int, Cell]] = []
        self.deadline = math.inf  # within a step, too: TimeoutError
        self.started = self.language.empty  # then there is nothing to do

    def run(self, deadline: float, report: Callable[[Effort, int], None] | None = None) -> SearchOutcome:
        """Until proved, refuted, or `deadline` (time.monotonic)."""
        self.deadline = deadline
        words: tuple[Word, ...] = ()
        with contextlib.suppress(TimeoutError):
            words = self._start() if not self.started else ()
            while self.heap and not words and time.monotonic() < deadline:
                if report is not None:
                    report(self.progress, len(self.heap))
                words = self._step()
        if words or self.heap or not self.started:
            return SearchOutcome(words, False)
        if not self.account().complete:
            raise RuntimeError("branch and bound has nothing left to do, but its leaves do not add up")
        return SearchOutcome((), True)

    def without(self, words: Sequence[Word]) -> LabelSearch:
        """A new search on the language without these words."""
        return LabelSearch(
            [query.without(words) for query in self.queries], self.options, self.seed, self.progress
        )

    def account(self) -> Account:
        """What its leaves settle, counted."""
        k = self.problem.count
        everything = Cell(0, None, None, self.problem.lower, self.problem.upper)
        return Accounting(
            self.language, self.problem.paths, k, len(self.queries), self.cuts, self.closed
        ).account(everything)

    def proved_inputs(self) -> int:
        """On how many words of the language all rivals are excluded, exactly."""
        return self.account().settled

    def open_cells(self) -> tuple[Cell, ...]:
        return tuple(cell for _, _, cell in self.heap)

    @cached_property
    def root(self) -> Cell:
        """All words; bounds beyond the first layer are worth some steps here, since every other cell begins with them."""
        root = Cell(0, None, None, self.problem.lower, self.problem.upper)
        return (
            self.tightened([root], self.options.presolve_iterations // 3)[0]
            if 1 < len(self.problem.groups) <= FEW_LAYERS
            else root
        )

    def enqueue(self, cell: Cell) -> None:
        heapq.heappush(self.heap, (-cell.worst, next(self.order), cell))

    # -- the steps -----------------------------------------------------------------------------------------------

    def _start(self) -> tuple[Word, ...]:
        if self.options.attack and (words := attack(self.problem, self.seed, self._in_time)):
            return words
        k = self.problem.count
        words = self._evaluated(
            [BoundTask(self.root, row, ()) for row in range(k, k + len(self.queries))],
            self.options.presolve_iterations,
        )
        self.started = not words  # else the root is as open as before
        return words

    def _step(self) -> tuple[Word, ...]:
        """Split every node of the worst cells, or the cells' words."""
        jobs: list[BoundTask] = []
        split: list[Cell] = []
        taken: list[Cell] = []
        while self.heap and len(jobs) + 4 * sum(len(c.nodes) for c in split) < self.options.functions:
            cell = heapq.heappop(self.heap)[2]
            taken.append(cell)
            if self._splits_words(cell):
                split.append(cell)
            else:
                jobs += [
                    BoundTask(cell, n.target, (*n.phases, (n.relu, phase)), n.multipliers)
                    for n in cell.nodes
                    for phase in (1, -1)
                ]
        words: tuple[Word, ...] = ()
        try:
            while split and not words:
                words = self._split_cell(split[-1])
                if not words:
                    taken.remove(split.pop())
            if jobs and not words:
                words = self._evaluated(jobs, self.options.iterations)
                if not words:
                    taken = split
        finally:  # an interrupt or a counterexample: what was taken and not replaced is still open
            for cell in taken:
                self.enqueue(cell)
        return words

    def _splits_words(self, cell: Cell) -> bool:
        if any(node.relu < 0 for node in cell.nodes) or not self.options.split_relus:
            return True
        if not self.options.split_words:
            return False
        return len(cell.nodes) > self.options.cell_nodes

    def _evaluated(self, jobs: Sequence[BoundTask], iterations: int) -> tuple[Word, ...]:
        """Bound nodes; what stays open goes back, by cell."""
        results: list[OpenNode | SettledNode] = []
        for part in _chunks(jobs, self.options.functions):
            words, nodes = self.bounded(part, iterations)
            if words:
                return words
            results += nodes
        by_cell: dict[int, tuple[Cell, list[OpenNode]]] = {}
        for job, result in zip(jobs, results, strict=True):
            nodes_here = by_cell.setdefault(job.cell.number, (job.cell, []))[1]
            self._noted(job.cell, result, nodes_here)
        for cell, left in by_cell.values():
            if left:
                self.enqueue(replace(cell, nodes=tuple(left)))
        return ()

    def _noted(self, cell: Cell, result: OpenNode | SettledNode, nodes: list[OpenNode]) -> None:
        if isinstance(result, SettledNode):
            self.closed.add(cell.number, [result])
        else:
            nodes.append(result)

    def bounded(
        self, jobs: Sequence[BoundTask], iterations: int
    ) -> tuple[tuple[Word, ...], list[OpenNode | SettledNode]]:
        """Violating words, or what becomes of each job: a leaf where it is settled, else an open node."""
        excluded = [job.cell.excludes(job.phases) for job in jobs]
        open_jobs = [job for job, out in zip(jobs, excluded, strict=True) if not out]
        nodes: Iterator[OpenNode | SettledNode] = iter(())
        if open_jobs:
            done = self._minimised(open_jobs, iterations)
            if done.violations:
                return done.violations, []
            nodes = iter(self._nodes(open_jobs, done))
        return (), [
            SettledNode(j.target, j.phases, None) if out else next(nodes)
            for j, out in zip(jobs, excluded, strict=True)
        ]

    def _minimised(self, jobs: Sequence[BoundTask], iterations: int) -> Minimised:
        k = self.problem.count
        phases = np.stack([phase_array(job.phases, k) for job in jobs])
        batch = self._batch([job.cell for job in jobs], np.array([job.target for job in jobs]), phases)
        start = first_multipliers(batch)
        for i, job in enumerate(jobs):
            if (given := job.multipliers) is not None:
                start.below[i], start.above[i], start.beta[i] = given.below, given.above, given.beta
        self.progress.nodes += len(jobs)
        self._in_time()
        done = minimise(
            self.problem, batch, start, iterations if self.options.optimise else 0, deadline=self.deadline
        )
        self.progress.evaluations += len(done.seen)
        return done

    def _in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise TimeoutError("out of time in the middle of a step")

    def _batch(
        self, cells: Sequence[Cell], target: np.ndarray, phase: np.ndarray, sign: float = 1.0
    ) -> RowObjectives:
        """Functions on cells; ReLUs that a cell's bounds settle have their phase."""
        lower, upper = np.stack([c.lower for c in cells]), np.stack([c.upper for c in cells])
        phase = np.where(phase != 0, phase, np.where(lower >= 0, 1, np.where(upper <= 0, -1, 0)))
        return RowObjectives(
            target, np.full(len(target), sign), lower, upper, phase, *masks(cells, self.problem.paths)
        )

    def _nodes(self, jobs: Sequence[BoundTask], done: Minimised) -> Iterator[OpenNode | SettledNode]:
        """With the ReLU to split next: where the relaxation loses most on the word that attains the bound."""
        rows = self.problem.exact_rows(done.own)
        for i, job in enumerate(jobs):
            below, above, beta = (
                m[i] for m in (done.multipliers.below, done.multipliers.above, done.multipliers.beta)
            )
            multipliers, upper = Multipliers(below, above, beta), float(done.bounds.upper[i])
            if upper < 0:
                yield SettledNode(job.target, job.phases, multipliers)
                continue
            lower, high = job.cell.lower, job.cell.upper
            x = rows[i, : self.problem.count]
            coefficient = done.bounds.coefficients[i]
            line = np.where(
                coefficient >= 0, above * x + np.maximum(-above * lower, (1 - above) * high), below * x
            )
            opened = (lower < 0) & (high > 0)
            opened[[j for j, _ in job.phases]] = False
            loss = np.where(opened, coefficient * (line - np.maximum(x, 0)), -1.0)
            relu = int(loss.argmax()) if opened.any() else -1
            yield OpenNode(job.target, job.phases, multipliers, upper, relu)

    # -- splitting the words of cells ------------------------------------------------------------------------------

    def _split_cell(self, cell: Cell) -> tuple[Word, ...]:
        """By the candidate that leaves least."""
        self.progress.cuts += 1
        done = self._minimised(
            [BoundTask(cell, n.target, n.phases, n.multipliers) for n in cell.nodes], SHORT
        )
        if done.violations:
            return done.violations
        choices = self._candidates(cell, done)
        if not choices:  # one path, whose bound rounding has kept from being its value
            return self.looked_at(cell)
        parts = self.tightened([part for _, pair in choices for part in pair])
        jobs = [BoundTask(part, n.target, n.phases, n.multipliers) for part in parts for n in cell.nodes]
        results: list[OpenNode | SettledNode] = []
        for chunk in _chunks(jobs, 4 * self.options.functions):
            words, nodes = self.bounded(chunk, SHORT)
            if words:
                return words
            results += nodes
        size = 2 * len(cell.nodes)  # results of one choice
        scores = [
            sum(max(0.0, r.upper) for r in results[c * size : (c + 1) * size] if isinstance(r, OpenNode))
            for c in range(len(choices))
        ]
        best = int(np.argmin(scores))
        inside, outside = parts[2 * best : 2 * best + 2]
        self.cuts[cell.number] = (choices[best][0], inside.number, outside.number)
        for place, part in enumerate((inside, outside)):
            start = best * size + place * len(cell.nodes)
            left: list[OpenNode] = []
            for result in results[start : start + len(cell.nodes)]:
                self._noted(part, result, left)
            if left:
                self.enqueue(replace(part, nodes=tuple(left)))
        return ()

    def _candidates(self, cell: Cell, done: Minimised) -> list[tuple[Cut, tuple[Cell, ...]]]:
        """Splits that tell apart the words that attained bounds: by states of a layer, by symbols at a position.

        The words form two groups, by the first-layer row in which they differ most, and states are ordered by that row's average over
        the words that pass them; a cut is as good as what it says about the group.  Layers that are far apart are tried.
        """
        paths = self.problem.paths
        words = np.concatenate([w for _, w, _ in done.seen])
        states = np.concatenate([s for _, _, s in done.seen])
        row, group = self._two_groups(words)
        options: list[tuple[float, Cut]] = []
        if group.any() and not group.all():
            for t in range(1, paths.length + 1 if self.options.cut_states else 1):
                order = self.averages[t][:, row]
                middle = (order[states[group, t]].mean() + order[states[~group, t]].mean()) / 2
                gain = _gain((order[states[:, t]] > middle).astype(np.int64), group)
                options.append((gain, Cut("state", t, tuple(np.flatnonzero(order > middle).tolist()))))
            for t in range(paths.length):
                values, place = np.unique(words[:, t], return_inverse=True)
                speaks = np.array([group[words[:, t] == v].mean() > group.mean() for v in values])
                options.append(
                    (_gain(place.reshape(-1), group), Cut("symbol", t, tuple(values[speaks].tolist())))
                )
        options.sort(key=lambda o: (-o[0], o[1].kind, o[1].place))
        found: dict[tuple[str, int], tuple[Cut, tuple[Cell, ...]]] = {}  # one for each part of the length
        for _, cut in options:
            spread = self.options.candidates if cut.kind == "state" else max(1, self.options.candidates // 2)
            where = (cut.kind, cut.place * spread // (paths.length + 1))
            if where not in found and (parts := self._parts(cell, cut)):
                found[where] = cut, parts
        if not found:  # there was one word only to look at: whatever can be cut
            return next(
                (
                    [(cut, parts)]
                    for cut in _all_cuts(cell, paths, self.options.cut_states)
                    if (parts := self._parts(cell, cut))
                ),
                [],
            )
        return list(found.values())

    def _parts(self, cell: Cell, cut: Cut) -> tuple[Cell, ...]:
        return cell.cut(self.problem.paths, cut, (next(self.cells), next(self.cells)))

    def _two_groups(self, words: np.ndarray) -> tuple[int, np.ndarray]:
        """The row, and (words,) bool."""
        first = self.problem.groups[0].stop if self.problem.groups else len(self.problem.reach)
        rows = self.problem.exact_rows(self.problem.values(words))[:, :first]
        spread = rows.std(axis=0) / np.maximum(np.abs(rows).max(axis=0), 1.0)
        row = int(spread.argmax())
        positive = rows[:, row] > 0
        return row, positive if positive.any() and not positive.all() else rows[:, row] > rows[:, row].mean()

    @cached_property
    def averages(self) -> list[np.ndarray]:
        return self.problem.paths.averages(self.problem.symbols.transpose(1, 2, 0))

    def tightened(self, cells: Sequence[Cell], iterations: int = 0) -> list[Cell]:
        """The same cells with every ReLU's bounds proved anew, layer by layer; bounds that cross: there is no word.

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
            for part in _chunks(asked, 4 * self.options.functions):
                self._in_time()
                where, rows = np.array([c for c, _ in part]), np.array([j for _, j in part])
                here = [replace(cells[c], lower=lower[c], upper=upper[c]) for c in where]
                found = []
                for sign in (1.0, -1.0):
                    batch = self._batch(here, rows, np.zeros((len(part), k), dtype=np.int8), sign)
                    start = first_multipliers(batch)
                    if iterations and group.start:
                        bound = self._improved(batch, start, iterations)
                    else:
                        bound = bounds(self.problem, batch, start, trace=False).upper
                    found.append(np.where(np.isfinite(bound), bound, -BEYOND))
                    self.progress.evaluations += 1
                upper[where, rows] = np.minimum(upper[where, rows], np.floor(found[0]))
                lower[where, rows] = np.maximum(lower[where, rows], np.ceil(-found[1]))
        return [replace(c, lower=lower[i], upper=upper[i]) for i, c in enumerate(cells)]

    def _improved(self, batch: RowObjectives, start: Multipliers, iterations: int) -> np.ndarray:
        """Bounds of ReLUs on all words, whose multipliers are kept."""
        done = minimise(self.problem, batch, start, iterations, ambition=MODEST, deadline=self.deadline)
        for i, (row, sign) in enumerate(zip(batch.target, batch.sign, strict=True)):
            kept = Multipliers(
                *(
                    m[i].copy()
                    for m in (done.multipliers.below, done.multipliers.above, done.multipliers.beta)
                )
            )
            self.presolve_bounds.append((int(row), int(sign), kept))
        return done.bounds.upper

    def looked_at(self, cell: Cell) -> tuple[Word, ...]:
        """A cell of one word: is it a violation, in exact arithmetic?"""
        paths = self.problem.paths
        symbols, states = masks([cell], paths)
        weights = np.zeros((paths.length, paths.symbol_count, 1)) + (0 if symbols is None else symbols)
        word = tuple(map(int, paths.best(weights, states)[1][0]))
        if any(query.values(np.array([word]))[0, -1] >= 0 for query in self.queries):
            return (word,)
        self.closed.add(cell.number, (SettledNode(n.target, n.phases, None, looked=True) for n in cell.nodes))
        return ()


def _all_cuts(cell: Cell, paths: Paths, states: bool) -> Iterator[Cut]:
    """Each symbol, each state alone, of those that the cell has."""
    for t in range(paths.length):
        for symbol in np.flatnonzero(paths.present[t]).tolist():
            if cell.symbol_mask is None or cell.symbol_mask[t, symbol] == 0:
                yield Cut("symbol", t, (symbol,))
    for t in range(paths.length + 1 if states else 0):
        for state in range(paths.layer_sizes[t]):
            if cell.state_mask is None or cell.state_mask[t, state] == 0:
                yield Cut("state", t, (state,))


def _gain(values: np.ndarray, group: np.ndarray) -> float:
    """What a value says about the group: mutual information in nats, less what chance gives (Miller and Madow's correction)."""
    total = np.bincount(values).astype(np.float64)
    inside = np.bincount(values[group], minlength=len(total)).astype(np.float64)
    gain, expected = 0.0, group.mean()
    for side, share in ((inside, expected), (total - inside, 1 - expected)):
        positive = side > 0
        gain += float((side[positive] * np.log(side[positive] / (total[positive] * share))).sum())
    return gain / len(values) - ((total > 0).sum() - 1) / (2 * len(values))


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
