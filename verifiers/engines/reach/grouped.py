"""Decides or counts the words of one label by grouping words by rounded sums.

Comes after `bounds.py`; `reach.py` runs one such search per label.  It is meant for networks of few levels.
A subdomain is a set of words as a graph, with bounds of the ReLUs' arguments on it.  Linear bounds, with a
few ReLUs split, show that rivals lose (or win) on all of its words.  Edges that lie on no undecided word are
removed.  If the bounds are too weak, `refine.py` makes smaller subdomains.  Words of small subdomains are
tried one by one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....encoders.dense import Dense
from ....models.network.integers import exact_matmul
from .bounds import Bounded, Bounder, ReachOutOfTime, Side
from .graph import Graph, of_automaton
from .problem import joined, negated, unfolded
from .refine import DEFAULT, Box, GraphSubdomain, Options, Refiner

Word = tuple[int, ...]


@dataclass(eq=False)
class GroupedSearch:
    """The search for words of one label on which a rival wins.

    queries: one per rival that is not excluded yet.
    counting: whether all words have to be settled as right or wrong.  Otherwise only `words` matter.
    words: the words found that err, checked in exact integers.
    right, wrong: the numbers of words settled so far, if counting.
    worked: the number of subdomains that were worked on.
    """

    queries: Sequence[Dense]
    counting: bool = False
    options: Options = DEFAULT
    words: dict[Word, None] = field(default_factory=dict)
    right: int = 0
    wrong: int = 0
    worked: int = 0

    def __post_init__(self) -> None:
        exact = joined(self.queries)
        if exact is not None:
            rows = range(exact.count, exact.count + len(self.queries))
            sides = [Side(g, False, row, 1, 0) for g, row in enumerate(rows)]
            if self.counting:
                sides += [Side(g, True, row, -1, -1) for g, row in enumerate(rows)]
            self.bounders = [Bounder(exact, tuple(sides))]
        else:
            problems = [(g, False, unfolded(q)) for g, q in enumerate(self.queries)]
            problems += [(g, True, unfolded(negated(q))) for g, q in enumerate(self.queries) if self.counting]
            self.bounders = [
                Bounder(problem, (Side(g, wins, problem.count, 1, 0),)) for g, wins, problem in problems
            ]
        self.tables = [
            np.ascontiguousarray(bounder.problem.symbols.transpose(1, 2, 0)) for bounder in self.bounders
        ]
        self.refiner = Refiner(self.bounders, self.options, self.counting)
        language = self.queries[0].language
        self.size = language.size
        whole = tuple(bounder.whole() for bounder in self.bounders)
        self.stack = [GraphSubdomain(of_automaton(language), whole, frozenset(range(len(self.queries))))]

    @property
    def open(self) -> int:
        """Return the number of words that are not settled."""
        return sum(subdomain.graph.size for subdomain in self.stack)

    def run(self, until: float, wanted: int = 1) -> bool:
        """Search until everything is settled; return False if `until` (of `time.monotonic()`) comes first.

        Unless all words are counted, it also stops, and returns True, when `wanted` words are found.
        """
        while self.stack and (self.counting or len(self.words) < wanted):
            if time.monotonic() > until:
                return False
            subdomain = self.stack.pop(self._next())
            settled = (self.right, self.wrong)
            children: list[GraphSubdomain] = []
            try:
                self._work(subdomain, until, children)
            except ReachOutOfTime:
                self.right, self.wrong = settled
                self.stack.append(subdomain)
                return False
            self.stack += children
        return True

    def _next(self) -> int:
        """Return the index of the next subdomain in the stack.

        Deciding, that is the one with the largest bound; counting, the one with most words.  If memory is
        short, it is the newest.
        """
        if sum(subdomain.graph.edges for subdomain in self.stack) > self.options.waiting:
            return -1
        return max(
            range(len(self.stack)),
            key=lambda k: self.stack[k].graph.size if self.counting else self.stack[k].worst,
        )

    # -- one subdomain

    def _work(self, subdomain: GraphSubdomain, until: float, children: list[GraphSubdomain]) -> None:
        """Settle what can be settled of a subdomain; append what is left to `children`."""
        self.worked += 1
        if subdomain.graph.size <= self.options.few:
            return self._tried(subdomain.graph)
        graph, rivals = subdomain.graph, subdomain.rivals
        found = len(self.words)
        losing = [
            self._best(b, graph, subdomain.boxes[b], False, rivals, until) for b in range(len(self.bounders))
        ]
        rivals = (
            frozenset(self.bounders[b].sides[s].rival for b, best in enumerate(losing) for s in best.side)
            if losing
            else rivals
        )
        if not rivals:
            self.right += graph.size
            return None
        self._attack(graph, losing)
        smaller = self._without(graph, losing)
        self.right += graph.size - (smaller.size if smaller else 0)
        winning: list[Bounded] = []
        if self.counting and smaller is not None and len(self.words) > found:
            for rival in sorted(rivals):
                here = [
                    self._best(b, smaller, subdomain.boxes[b], True, frozenset([rival]), until)
                    for b in range(len(self.bounders))
                ]
                if not any(len(best) for best in here):
                    self.wrong += smaller.size
                    return None
                kept = self._without(smaller, here)
                self.wrong += smaller.size - (kept.size if kept else 0)
                if kept is None:
                    return None
                smaller = kept
                winning += here
        if smaller is None:
            return None
        if smaller.edges <= self.options.progress * graph.edges or 2 * smaller.size < graph.size:
            boxes = [
                b.boxes(smaller, *box, until)[:2]
                for b, box in zip(self.bounders, subdomain.boxes, strict=True)
            ]
            tight = tuple((lows.min(axis=0), highs.max(axis=0)) for lows, highs in boxes)
            children.append(GraphSubdomain(smaller, tight, rivals, subdomain.worst, subdomain.depth))
            return None
        right, wrong, finer = self.refiner.refined(
            replace(subdomain, graph=smaller, rivals=rivals), losing, winning, until
        )
        self.right += right
        self.wrong += wrong
        children += finer
        return None

    def _best(
        self, b: int, graph: Graph, box: Box, wins: bool, rivals: frozenset[int], until: float
    ) -> Bounded:
        """Bound the sides of some rivals after splitting a few ReLUs; return the bounds that stay >= 0."""
        bounder = self.bounders[b]
        sides = np.array(
            [s for s, side in enumerate(bounder.sides) if side.wins == wins and side.rival in rivals],
            dtype=np.int64,
        )
        if not len(sides):
            return _nothing(bounder)
        best = self._tightened(
            bounder, graph, bounder.bounded(graph, bounder.asking(sides, *box), sides), until
        )
        while len(best) and len(best) <= self.options.nodes // 2:
            halves = bounder.halves(best)
            if halves is None:
                break
            best = self._tightened(bounder, graph, bounder.bounded(graph, *halves), until)
        return best

    def _tightened(self, bounder: Bounder, graph: Graph, best: Bounded, until: float) -> Bounded:
        """Improve the multipliers for some rounds; return the bounds that stay >= 0."""
        now, direction = best, None
        for _ in range(self.options.rounds):
            if time.monotonic() > until:
                raise ReachOutOfTime
            self._look(bounder, now)
            ahead = np.flatnonzero(best.upper >= 0)
            if not len(ahead):
                break
            if len(ahead) < len(best):
                best, now = best.take(ahead), now.take(ahead)
                direction = None if direction is None else direction[ahead]
            asked, direction = bounder.moved(now, direction)
            now = bounder.bounded(graph, asked, now.side)
            best = best.improved(now)
        self._look(bounder, now)
        return best.take(np.flatnonzero(best.upper >= 0))

    def _attack(self, graph: Graph, losing: Sequence[Bounded]) -> None:
        """Look for words that err, from those that attain bounds; the first time also from random ones."""
        first = self.worked == 1
        for bounder, best in zip(self.bounders, losing, strict=True):
            if not len(best):
                continue
            words = best.words[: self.options.attacks]
            if first:
                random = graph.sampled(self.options.attacks, np.random.default_rng(0))
                words = np.concatenate([words, random])
            for found in bounder.attack(graph, words, self.options.steps_of_attack if first else 1):
                self._look(bounder, found)

    def _without(self, graph: Graph, bounds: Sequence[Bounded]) -> Graph | None:
        """Remove the edges that lie on no word with a bound >= 0; None if no word is left."""
        masks: list[np.ndarray] | None = None
        for bounder, best in zip(self.bounders, bounds, strict=True):
            if len(best):
                more = bounder.through(graph, best)
                masks = more if masks is None else [a | b for a, b in zip(masks, more, strict=True)]
        return None if masks is None else graph.kept(masks, np.ones(graph.sizes[-1], dtype=bool))

    # -- exact

    def _look(self, bounder: Bounder, bounds: Bounded) -> None:
        """Keep the words that attain bounds and err: floats choose candidates, integers decide."""
        likely = np.flatnonzero(bounder.likely(bounds))
        if len(likely):
            words = bounds.words[likely]
            wrong = np.logical_or.reduce([query.values(words)[:, -1] >= 0 for query in self.queries]).astype(
                bool
            )
            self.words.update(dict.fromkeys(tuple(map(int, word)) for word in words[wrong]))

    def _tried(self, graph: Graph) -> None:
        """Try all words of a small graph one by one.

        Integers decide.  Where numbers are rounded, they settle most words, and the exact query decides the
        others.
        """
        wrong = np.zeros(graph.size, dtype=bool)
        ways: list[tuple[np.ndarray, np.ndarray]] = []
        for bounder, table in zip(self.bounders, self.tables, strict=True):
            problem = bounder.problem
            goals = np.array([side.row for side in bounder.sides if not side.wins], dtype=np.int64)
            if not len(goals):
                continue
            sums, ways = graph.every(table)
            sums += problem.constant
            for columns in problem.levels:
                readers = np.flatnonzero(problem.relus[:, columns].any(axis=1))
                product = exact_matmul(
                    np.maximum(sums[:, columns], 0), problem.relus[np.ix_(readers, columns)].T
                )
                sums[:, readers] += bounder.shape.rounded(product.astype(np.int64), readers)
            wrong |= (sums[:, goals] >= 0).any(axis=1)
        exact = not any(bounder.problem.shift for bounder in self.bounders)
        if (not exact or not self.counting) and wrong.any():
            chosen = np.flatnonzero(wrong)
            words = graph.spelled(ways, chosen)
            if not exact:
                wrong[chosen] = np.logical_or.reduce(
                    [query.values(words)[:, -1] >= 0 for query in self.queries]
                )
                words = words[wrong[chosen]]
            self.words.update(dict.fromkeys(tuple(map(int, word)) for word in words))
        self.wrong += int(wrong.sum())
        self.right += int((~wrong).sum())


def _nothing(bounder: Bounder) -> Bounded:
    """Make bounds of no function at all."""
    none = np.zeros(0, dtype=np.int64)
    asked = bounder.asking(none, *bounder.whole())
    fit = bounder.shape.lines(asked)
    length = bounder.problem.symbols.shape[1]
    return Bounded(
        none,
        asked,
        fit,
        bounder.weights(fit),
        [],
        none,
        np.zeros((0, length), dtype=np.int64),
        np.zeros((0, 0)),
    )
