"""Branch and bound over one label's queries: ReLU phases, automaton states and tokens, bounded by `relaxation.py`.

The language is cut into cells that share no word, each with its own bounds of every ReLU; a cell holds nodes, one for each
combination of a rival and phases of ReLUs that is still open there.  A cell without nodes is proved, so at any time the
words of the other cells are exactly what is left.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...encoders.dense import Dense
from ...models.automaton import Automaton
from .relaxation import Batch, Minimised, Multipliers, Problem, bounds, first_multipliers, minimise

Word = tuple[int, ...]
BEYOND = 2.0**53  # no bound of a query is larger


@dataclass(frozen=True)
class Options:
    """What the search does; each idea can be switched off for the benchmark.

    `functions`: how many bounds are worked on at once.  `iterations`: steps for a node's multipliers; at the root `root_iterations`.
    `cell_nodes`: open nodes of a cell before its words are split.
    """

    functions: int = 128
    iterations: int = 12
    root_iterations: int = 60
    cell_nodes: int = 8
    candidates: int = 4
    split_relus: bool = True
    split_words: bool = True
    optimise: bool = True
    attack: bool = True


@dataclass(frozen=True, eq=False)
class Node:
    """A rival (violation row `target`) and phases of ReLUs; `upper` bounds the row there."""

    target: int
    phase: np.ndarray  # (k,) int8, of split ReLUs only
    multipliers: Multipliers  # (k,) each
    upper: float
    relu: int  # the ReLU that loses most, -1: none is open
    share: float  # how much of the loss is at open ReLUs


@dataclass(frozen=True, eq=False)
class Cell:
    """Some words of the language, by masks on symbols (length, symbols) and states (length + 1, width): 0 or -inf."""

    symbol_mask: np.ndarray | None
    state_mask: np.ndarray | None
    lower: np.ndarray
    upper: np.ndarray
    nodes: tuple[Node, ...]
    depth: int = 0

    @property
    def worst(self) -> float:
        return max(node.upper for node in self.nodes)


@dataclass
class Progress:
    """What the search has done so far."""

    cells: int = 0
    nodes: int = 0
    evaluations: int = 0


@dataclass(frozen=True, eq=False)
class Outcome:
    """`words` violate; else `open` cells are left (0: proved)."""

    words: tuple[Word, ...]
    open: int


@dataclass
class Search:
    """The search over one label's queries.  `run` may be called again and goes on where it was."""

    queries: Sequence[Dense]
    options: Options = Options()
    seed: int = 0
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.language: Automaton = self.queries[0].language
        self.problem = Problem.of(self.queries)
        self.numbers = itertools.count()
        self.heap: list[tuple[float, int, Cell]] = []
        self.started = self.language.empty  # then there is nothing to do

    def run(self, deadline: float, report: Callable[[Progress, int], None] | None = None) -> Outcome:
        """Until proved, refuted, or `deadline` (time.monotonic)."""
        words = self._start() if not self.started else ()
        while self.heap and not words and time.monotonic() < deadline:
            if report is not None:
                report(self.progress, len(self.heap))
            words = self._step(deadline)
        return Outcome(words, 0 if self.started and not self.heap and not words else max(1, len(self.heap)))

    def without(self, words: Sequence[Word]) -> Search:
        """A new search on the language without these words."""
        left = [query.without(words) for query in self.queries]
        return Search(left, self.options, self.seed, self.progress)

    def proved_inputs(self) -> int:
        """How many words of the language are settled, exactly: all but those of the open cells."""
        return self.language.size - sum(self.size(cell) for _, _, cell in self.heap) if self.started else 0

    def size(self, cell: Cell) -> int:
        """How many words the cell has, exactly."""
        language = self.language
        states = cell.state_mask
        counts = [1 if states is None or states[-1, s] == 0 else 0 for s in range(language.layer_sizes[-1])]
        for t in reversed(range(language.length)):
            here = [0] * language.layer_sizes[t]
            for source, symbol, target in language.edges[t]:
                if (cell.symbol_mask is None or cell.symbol_mask[t, symbol] == 0) and (states is None or states[t, source] == 0):
                    here[source] += counts[target]
            counts = here
        return sum(counts)

    # -- the steps -----------------------------------------------------------------------------------------------

    def _start(self) -> tuple[Word, ...]:
        self.started = True
        problem, k = self.problem, self.problem.count
        if self.options.attack and (words := self._attack()):
            return words
        phase = np.zeros(k, dtype=np.int8)
        nothing = Multipliers(*(np.zeros(k) for _ in range(3)))
        rivals = range(k, k + len(self.queries))
        nodes = tuple(Node(row, phase, nothing, np.inf, -1, 0.0) for row in rivals)
        root = Cell(None, None, problem.lower, problem.upper, nodes)
        return self._evaluated([(root, node.target, node.phase, None) for node in nodes], self.options.root_iterations)

    def _step(self, deadline: float) -> tuple[Word, ...]:
        """Split every node of the worst cells, or the cells' words."""
        jobs: list[tuple[Cell, int, np.ndarray, Multipliers | None]] = []
        split: list[Cell] = []
        while self.heap and len(jobs) + 4 * sum(len(c.nodes) for c in split) < self.options.functions:
            _, _, cell = heapq.heappop(self.heap)
            if self._splits_words(cell):
                split.append(cell)
                continue
            for node in cell.nodes:
                for phase in (1, -1):  # a phase that the cell's bounds exclude has no words
                    if cell.upper[node.relu] < 0 if phase > 0 else cell.lower[node.relu] > 0:
                        continue
                    changed = node.phase.copy()
                    changed[node.relu] = phase
                    jobs.append((cell, node.target, changed, node.multipliers))
        words: tuple[Word, ...] = ()
        try:
            if split:
                words = self._split_words(split)
            if jobs and not words:
                words = self._evaluated(jobs, self.options.iterations)
        except BaseException:  # an interrupt: what was taken is still open
            for cell in {id(job[0]): job[0] for job in jobs}.values():
                self._push(cell)
            raise
        return words

    def _splits_words(self, cell: Cell) -> bool:
        if any(node.relu < 0 for node in cell.nodes) or not self.options.split_relus:
            return True
        if not self.options.split_words:
            return False
        return len(cell.nodes) > self.options.cell_nodes or np.mean([node.share for node in cell.nodes]) < 0.25

    def _push(self, cell: Cell) -> None:
        heapq.heappush(self.heap, (-cell.worst, next(self.numbers), cell))

    def _evaluated(self, jobs: list[tuple[Cell, int, np.ndarray, Multipliers | None]], iterations: int) -> tuple[Word, ...]:
        """Bound nodes and put what stays open back, by cell."""
        by_cell: dict[int, list[Node]] = {id(cell): [] for cell, *_ in jobs}
        cells = {id(cell): cell for cell, *_ in jobs}
        for part in _chunks(jobs, self.options.functions):
            done = self._minimised(part, iterations)
            if done.violations:
                return done.violations
            for (cell, *_), node in zip(part, self._nodes(part, done), strict=True):
                if node is not None:
                    by_cell[id(cell)].append(node)
        for key, nodes in by_cell.items():
            if nodes:
                self._push(replace(cells[key], nodes=tuple(nodes)))
        return ()

    def _minimised(self, jobs: Sequence[tuple[Cell, int, np.ndarray, Multipliers | None]], iterations: int) -> Minimised:
        batch = self._batch([cell for cell, *_ in jobs], np.array([j[1] for j in jobs]), np.stack([j[2] for j in jobs]))
        start = first_multipliers(batch)
        warm = [i for i, job in enumerate(jobs) if job[3] is not None]
        for i in warm:
            given = jobs[i][3]
            assert given is not None
            start.below[i], start.above[i], start.beta[i] = given.below, given.above, given.beta
        self.progress.nodes += len(jobs)
        done = minimise(self.problem, batch, start, iterations if self.options.optimise else 0)
        self.progress.evaluations += len(done.seen)
        return done

    def _batch(self, cells: Sequence[Cell], target: np.ndarray, phase: np.ndarray, sign: float = 1.0) -> Batch:
        """Functions on cells; ReLUs that a cell's bounds settle have their phase."""
        lower, upper = np.stack([c.lower for c in cells]), np.stack([c.upper for c in cells])
        phase = np.where(phase != 0, phase, np.where(lower >= 0, 1, np.where(upper <= 0, -1, 0)))
        lower, upper = np.where(phase > 0, np.maximum(lower, 0), lower), np.where(phase < 0, np.minimum(upper, 0), upper)
        return Batch(target, np.full(len(target), sign), lower, upper, phase, *self._masks(cells))

    def _masks(self, cells: Sequence[Cell]) -> tuple[np.ndarray | None, np.ndarray | None]:
        paths = self.problem.paths
        symbols = states = None
        if any(c.symbol_mask is not None for c in cells):
            none = np.zeros((paths.length, paths.symbol_count))
            symbols = np.stack([none if c.symbol_mask is None else c.symbol_mask for c in cells], axis=2)
        if any(c.state_mask is not None for c in cells):
            none = np.zeros((paths.length + 1, paths.width))
            states = np.stack([none if c.state_mask is None else c.state_mask for c in cells], axis=2)
        return symbols, states

    def _nodes(self, jobs: Sequence[tuple[Cell, int, np.ndarray, Multipliers | None]], done: Minimised) -> Iterator[Node | None]:
        """Open nodes, with the ReLU to split next: where the relaxation loses most on the word that attains the bound."""
        problem, k = self.problem, self.problem.count
        rows = problem.exact_rows(done.own)
        for i, (cell, target, phase, _) in enumerate(jobs):
            upper = float(done.bounds.upper[i])
            if upper < 0:
                yield None
                continue
            multipliers = done.multipliers[np.array([i])]
            lower, high = cell.lower, cell.upper
            below, above = multipliers.below[0], multipliers.above[0]
            x = rows[i, :k]
            y = np.maximum(x, 0)
            coefficient = done.bounds.coefficients[i]
            line = np.where(coefficient >= 0, above * x + np.maximum(-above * lower, (1 - above) * high), below * x)
            loss = np.where((phase == 0) & (lower < 0) & (high > 0), coefficient * (line - y), -1.0)
            relu = int(loss.argmax()) if k else -1
            open_loss = np.maximum(loss, 0).sum()
            if k and loss[relu] < 0:
                relu = -1
            share = float(open_loss / max(upper - rows[i, target], 1e-9))
            yield Node(target, phase, Multipliers(below, above, multipliers.beta[0]), upper, relu, share)

    # -- splitting the words of cells ------------------------------------------------------------------------------

    def _split_words(self, cells: Sequence[Cell]) -> tuple[Word, ...]:
        """Each cell by the candidate split that leaves least."""
        for cell in cells:
            self.progress.cells += 1
            words = self._split_cell(cell)
            if words:
                self._push(cell)
                return words
        return ()

    def _split_cell(self, cell: Cell) -> tuple[Word, ...]:
        jobs = [(cell, node.target, node.phase, node.multipliers) for node in cell.nodes]
        done = self._minimised(jobs, 4)
        if done.violations:
            return done.violations
        choices = self._candidates(cell, done)
        parts = [part for choice in choices for part in choice]
        if not choices:  # nothing to cut: one path, whose bound rounding has kept from being its value
            return self._looked_at(cell)
        tightened = self._tightened(parts)
        jobs = [(p, n.target, n.phase, n.multipliers) for p in tightened for n in cell.nodes if not _excluded(p, n.phase)]
        outcome: dict[int, list[Node]] = {id(part): [] for part in tightened}
        for chunk in _chunks(jobs, 4 * self.options.functions):
            done = self._minimised(chunk, 4)
            if done.violations:
                return done.violations
            for (part, *_), node in zip(chunk, self._nodes(chunk, done), strict=True):
                if node is not None:
                    outcome[id(part)].append(node)
        best, place = None, 0
        for choice in choices:
            mine = tightened[place : place + len(choice)]
            place += len(choice)
            score = sum(max(0.0, node.upper) for part in mine for node in outcome[id(part)])
            if best is None or score < best[0]:
                best = (score, mine)
        assert best is not None
        for part in best[1]:
            if outcome[id(part)]:
                self._push(replace(part, nodes=tuple(outcome[id(part)])))
        return ()

    def _looked_at(self, cell: Cell) -> tuple[Word, ...]:
        """A cell of one word: is it a violation, in exact arithmetic?"""
        words = np.array([self._only_word(cell)], dtype=np.int64)
        wrong = any(query.values(words)[0, -1] >= 0 for query in self.queries)
        return (tuple(map(int, words[0])),) if wrong else ()

    def _only_word(self, cell: Cell) -> Word:
        paths = self.problem.paths
        symbols, states = self._masks([cell])
        weights = np.zeros((paths.length, paths.symbol_count, 1)) + (0 if symbols is None else symbols)
        return tuple(map(int, paths.best(weights, states)[1][0]))

    def _candidates(self, cell: Cell, done: Minimised) -> list[list[Cell]]:
        """Splits where the paths that attained bounds disagree most: by state at a layer, by symbol at a position."""
        paths = self.problem.paths
        words = np.concatenate([w for _, w, _ in done.seen])
        states = np.concatenate([s for _, _, s in done.seen])
        options: list[tuple[float, str, int, int]] = []
        for t in range(1, paths.length + 1):
            values, counts = np.unique(states[:, t], return_counts=True)
            options.append((1 - counts.max() / counts.sum(), "state", t, int(values[counts.argmax()])))
        for t in range(paths.length):
            values, counts = np.unique(words[:, t], return_counts=True)
            options.append((1 - counts.max() / counts.sum(), "symbol", t, int(values[counts.argmax()])))
        options.sort(key=lambda o: (-o[0], o[1], o[2]))
        kinds: dict[str, int] = {}
        chosen = []
        for score, kind, t, value in options:
            if kinds.get(kind, 0) * 2 < self.options.candidates and (parts := self._cut(cell, kind, t, value)):
                kinds[kind] = kinds.get(kind, 0) + 1
                chosen.append(parts)
        return chosen

    def _cut(self, cell: Cell, kind: str, t: int, value: int) -> list[Cell]:
        """The words that pass this state (have this symbol), and the others; [] where one of the two is certainly empty."""
        paths = self.problem.paths
        if kind == "state":
            mask = np.zeros((paths.length + 1, paths.width)) if cell.state_mask is None else cell.state_mask
            row = mask[t, : paths.layer_sizes[t]]
        else:
            mask = np.zeros((paths.length, paths.symbol_count)) if cell.symbol_mask is None else cell.symbol_mask
            present = np.zeros(paths.symbol_count, dtype=bool)
            for group in paths.steps[t].groups:
                present[group] = True
            row = np.where(present, mask[t], -np.inf)
        if not (np.isfinite(np.delete(row, value)).any() and np.isfinite(row[value])):
            return []
        with_it, without = mask.copy(), mask.copy()
        with_it[t] = -np.inf
        with_it[t, value] = mask[t, value]
        without[t, value] = -np.inf
        if kind == "state":
            return [replace(cell, state_mask=m, depth=cell.depth + 1) for m in (with_it, without)]
        return [replace(cell, symbol_mask=m, depth=cell.depth + 1) for m in (with_it, without)]

    def _tightened(self, cells: Sequence[Cell]) -> list[Cell]:
        """The same cells with every ReLU's bounds proved anew, layer by layer."""
        k = self.problem.count
        lower, upper = np.stack([c.lower for c in cells]), np.stack([c.upper for c in cells])
        for group in self.problem.groups:
            asked = [
                (c, j)
                for c in range(len(cells))
                if (lower[c] <= upper[c]).all()
                for j in range(group.start, group.stop)
                if lower[c, j] < 0 < upper[c, j]
            ]  # fmt: skip
            for part in _chunks(asked, 4 * self.options.functions):
                where, rows = np.array([c for c, _ in part]), np.array([j for _, j in part])
                here = [replace(cells[c], lower=lower[c], upper=upper[c]) for c in where]
                phase = np.zeros((len(part), k), dtype=np.int8)
                for sign, side in ((1.0, upper), (-1.0, lower)):
                    batch = self._batch(here, rows, phase, sign)
                    found = bounds(self.problem, batch, first_multipliers(batch), trace=False).upper
                    found = np.where(np.isfinite(found), found, -BEYOND)  # no word at all: bounds that cross say so
                    if sign > 0:
                        side[where, rows] = np.minimum(side[where, rows], np.floor(found))
                    else:
                        side[where, rows] = np.maximum(side[where, rows], np.ceil(-found))
                self.progress.evaluations += 2
        return [replace(c, lower=lower[i], upper=upper[i]) for i, c in enumerate(cells)]

    # -- looking for counterexamples ---------------------------------------------------------------------------------

    def _attack(self) -> tuple[Word, ...]:
        """From many words at once: linearise the network there, take the language's best word for it, and again."""
        problem, k = self.problem, self.problem.count
        rng = np.random.default_rng(self.seed)
        rivals = np.arange(k, len(problem.reach))
        target = np.repeat(rivals, max(1, 48 // len(rivals)))
        none = np.zeros((len(target), k))
        shape = (problem.paths.length, problem.paths.symbol_count, len(target))
        _, words, _ = problem.paths.best(rng.normal(size=shape))
        for _ in range(6):
            own = problem.values(words)
            rows = problem.exact_rows(own)
            hits = np.flatnonzero(rows[np.arange(len(target)), target] >= 0)
            if len(hits):
                return tuple(dict.fromkeys(tuple(map(int, words[i])) for i in hits))
            phase = np.where(rows[:, :k] > 0, 1, -1).astype(np.int8)
            batch = Batch(target, np.ones(len(target)), np.minimum(rows[:, :k], -1), np.maximum(rows[:, :k], 1), phase)
            words = bounds(problem, batch, Multipliers(none, none, none)).words
        return ()


def _excluded(cell: Cell, phase: np.ndarray) -> bool:
    """Whether the cell's bounds leave no word with these phases."""
    return bool((cell.lower > cell.upper).any() or ((phase > 0) & (cell.upper < 0) | (phase < 0) & (cell.lower > 0)).any())


def _chunks(items: Sequence, size: int) -> Iterator[Sequence]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
