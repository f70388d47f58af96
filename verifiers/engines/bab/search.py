"""Branch and bound over one label's queries: ReLU phases, automaton states and tokens.

The language is cut into cells that share no word (`cells.py`); a cell holds the nodes that are still open
there.  The loop is `engines/branch_and_bound.py`'s; bounds and the choice of a ReLU are in `bounding.py`,
cuts of words in `word_cuts.py`.  What settled each node is kept: a search has proved what that adds up to
(`account.py`), whatever it believes to be open, and from the record of it a later run goes on (`record.py`).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ....common.clock import now
from ....encoders.dense import Dense
from ....models.automata.automaton import Automaton
from ...bounds.multipliers import Multipliers
from ...bounds.word_queries import FloatQueries
from ..branch_and_bound import branch_and_bound
from .account import Account, Accounting
from .attack import attack
from .bounding import DEFAULT, BabOptions, Bounding, BoundTask, Effort
from .cells import Cell, OpenNode, SettledNode, Word, WordCut, masks
from .leaves import Leaves
from .word_cuts import WordCuts

FEW_LAYERS = 4  # with more, bounds of all ReLUs are too many to be improved
SHORT = 4  # iterations where many candidates are compared


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """`words` violate; `proved`: what is settled excludes every rival on every word, as it was counted."""

    words: tuple[Word, ...]
    proved: bool


class WorstFirst:
    """Open cells, the one with the largest bound first.

    `splits_words`: whether a cell's words are to be split, which takes more work.
    """

    def __init__(self, functions: int, splits_words: Callable[[Cell], bool]) -> None:
        self.functions, self.splits_words = functions, splits_words
        self.heap: list[tuple[float, int, Cell]] = []
        self.order = itertools.count()

    def __len__(self) -> int:
        return len(self.heap)

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for _, _, cell in self.heap)

    def take(self) -> list[Cell]:
        """So many cells that about `functions` bounds are to be computed for them."""
        taken: list[Cell] = []
        work = 0
        while self.heap and work < self.functions:
            taken.append(heapq.heappop(self.heap)[2])
            work += (4 if self.splits_words(taken[-1]) else 2) * len(taken[-1].nodes)
        return taken

    def put(self, left: Sequence[Cell]) -> None:
        for cell in left:
            heapq.heappush(self.heap, (-cell.worst, next(self.order), cell))

    def worked(self, done: Sequence[Cell], left: Sequence[Cell] | None) -> None:
        pass  # what was done is counted by `Effort`


@dataclass
class LabelSearch:
    """The search over one label's queries.  `run` may be called again and goes on where it was.

    `cuts[cell]`: how its words were split, with the numbers of the two halves; `closed.of(cell)`: what was
    settled there; `waiting`: the open cells.
    """

    queries: Sequence[Dense]
    options: BabOptions = DEFAULT
    seed: int = 0
    effort: Effort = field(default_factory=Effort)
    cuts: dict[int, tuple[WordCut, int, int]] = field(default_factory=dict)
    closed: Leaves = field(default_factory=Leaves)

    def __post_init__(self) -> None:
        self.language: Automaton = self.queries[0].language
        self.problem = FloatQueries.of(self.queries)
        self.bounding = Bounding(self.problem, self.options, self.effort)
        self.word_cuts = WordCuts(self.problem, self.options.candidates, self.options.cut_states)
        self.numbers = itertools.count(1)  # of cells
        self.waiting = WorstFirst(self.options.functions, self._splits_words)
        self.words: tuple[Word, ...] = ()  # that violate, of the last step
        self.started = self.language.empty  # then there is nothing to do

    def run(self, deadline: float, report: Callable[[Effort, int], None] | None = None) -> SearchOutcome:
        """Search until proved, refuted, or `deadline` (time.monotonic)."""
        self.bounding.deadline = deadline
        self.words = ()

        def said() -> None:
            if report is not None:
                report(self.effort, len(self.waiting))

        with contextlib.suppress(TimeoutError):
            if not self.started:
                self._start()
            if not self.words and now() < deadline:
                branch_and_bound(self.waiting, self._step, deadline=deadline, report=said)
        if self.words or self.waiting or not self.started:
            return SearchOutcome(self.words, False)
        if not self.account().complete:
            raise RuntimeError("branch and bound has nothing left to do, but its leaves do not add up")
        return SearchOutcome((), True)

    def without(self, words: Sequence[Word]) -> LabelSearch:
        """A new search on the language without these words."""
        queries = [query.without(words) for query in self.queries]
        return LabelSearch(queries, self.options, self.seed, self.effort)

    def account(self) -> Account:
        """What is settled, counted."""
        k, paths = self.problem.count, self.problem.paths
        accounting = Accounting(self.language, paths, k, len(self.queries), self.cuts, self.closed)
        return accounting.account(self._everything)

    def proved_inputs(self) -> int:
        """On how many words of the language all rivals are excluded, exactly."""
        return self.account().settled

    @property
    def presolve_bounds(self) -> list[tuple[int, int, Multipliers]]:
        """See `Bounding`."""
        return self.bounding.presolve_bounds

    @property
    def _everything(self) -> Cell:
        return Cell(0, None, None, self.problem.lower, self.problem.upper)

    @cached_property
    def root(self) -> Cell:
        """All words; bounds beyond the first layer are worth some steps here, since every other cell begins
        with them.
        """
        if not 1 < len(self.problem.groups) <= FEW_LAYERS:
            return self._everything
        return self.bounding.tightened([self._everything], self.options.presolve_iterations // 3)[0]

    # -- the steps
    # -----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Look for counterexamples, then bound every rival on all words."""
        if self.options.attack:
            self.words = attack(self.problem, self.seed, self.bounding.in_time)
        if not self.words:
            k = self.problem.count
            tasks = [BoundTask(self.root, row, ()) for row in range(k, k + len(self.queries))]
            left = self._evaluated(tasks, self.options.presolve_iterations)
            if not self.words:  # else the root is as open as before
                self.waiting.put(left)
                self.started = True

    def _step(self, taken: list[Cell]) -> tuple[list[Cell] | None, str]:
        """Split every node of the cells, or the cells' words; returns the cells that are open then, all of
        `taken` that are not replaced among them.
        """
        open_: list[Cell] = []  # of cells that are replaced
        try:
            for cell in [c for c in reversed(taken) if self._splits_words(c)]:
                halves = self._split_words(cell)
                if self.words:
                    return taken + open_, "found"
                taken.remove(cell)
                open_ += halves
            tasks = [
                BoundTask(cell, n.target, (*n.phases, (n.relu, phase)), n.multipliers)
                for cell in taken
                for n in cell.nodes
                for phase in (1, -1)
            ]
            halves = self._evaluated(tasks, self.options.iterations)
        except BaseException:  # out of time, or interrupted: everything is as open as it was
            self.waiting.put(taken + open_)
            raise
        if self.words:
            return taken + open_, "found"
        return (open_ + halves) or None, ""

    def _splits_words(self, cell: Cell) -> bool:
        if any(node.relu < 0 for node in cell.nodes) or not self.options.split_relus:
            return True
        return self.options.split_words and len(cell.nodes) > self.options.cell_nodes

    def _evaluated(self, tasks: Sequence[BoundTask], iterations: int) -> list[Cell]:
        """Bound nodes; returns the cells with what stays open, or sets `words`."""
        self.words, results = self.bounding.results(tasks, iterations)
        by_cell: dict[int, tuple[Cell, list[OpenNode | SettledNode]]] = {}
        for task, result in zip(tasks, results, strict=False):
            by_cell.setdefault(task.cell.number, (task.cell, []))[1].append(result)
        return [left for cell, here in by_cell.values() if (left := self._noted(cell, here)) is not None]

    def _noted(self, cell: Cell, results: Sequence[OpenNode | SettledNode]) -> Cell | None:
        """Keep what is settled; returns the cell with what is open, None where nothing is."""
        settled = [result for result in results if isinstance(result, SettledNode)]
        if settled:
            self.closed.add(cell.number, settled)
        nodes = tuple(result for result in results if isinstance(result, OpenNode))
        return replace(cell, nodes=nodes) if nodes else None

    def _split_words(self, cell: Cell) -> list[Cell]:
        """Cut a cell by the candidate that leaves least; returns the halves that have open nodes, or sets
        `words`.
        """
        self.effort.cuts += 1
        nodes = [BoundTask(cell, n.target, n.phases, n.multipliers) for n in cell.nodes]
        _, done = self.bounding.minimised(nodes, SHORT)
        if done.violations:
            self.words = done.violations
            return []
        choices = self.word_cuts.likely(cell, done)
        if not choices:  # one path, whose bound rounding has kept from being its value
            self.words = self.looked_at(cell)
            return []
        halves = [
            half
            for cut in choices
            for half in cell.cut(self.problem.paths, cut, (next(self.numbers), next(self.numbers)))
        ]
        halves = self.bounding.tightened(halves)
        tasks = [BoundTask(half, n.target, n.phases, n.multipliers) for half in halves for n in cell.nodes]
        self.words, results = self.bounding.results(tasks, SHORT, at_once=4 * self.options.functions)
        if self.words:
            return []
        each = len(cell.nodes)
        of_half = [results[h * each : (h + 1) * each] for h in range(len(halves))]
        open_ = [sum(max(0.0, r.upper) for r in some if isinstance(r, OpenNode)) for some in of_half]
        best = int(np.argmin([open_[h] + open_[h + 1] for h in range(0, len(halves), 2)]))
        chosen = (2 * best, 2 * best + 1)
        self.cuts[cell.number] = (choices[best], halves[chosen[0]].number, halves[chosen[1]].number)
        found = [self._noted(halves[h], of_half[h]) for h in chosen]
        return [half for half in found if half is not None]

    def looked_at(self, cell: Cell) -> tuple[Word, ...]:
        """Evaluate the only word of a cell, in integers: the word where it violates, else the cell's nodes
        are settled.
        """
        paths = self.problem.paths
        symbols, states = masks([cell], paths)
        weights = np.zeros((paths.length, paths.symbol_count, 1)) + (0 if symbols is None else symbols)
        word = tuple(map(int, paths.best(weights, states)[1][0]))
        if any(query.values(np.array([word]))[0, -1] >= 0 for query in self.queries):
            return (word,)
        self.closed.add(cell.number, (SettledNode(n.target, n.phases, None, looked=True) for n in cell.nodes))
        return ()
